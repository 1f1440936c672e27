import { calculate } from '../calculator/calculate.ts';
import type { TransformerDesign } from '../design/design.ts';
import type { Range } from '../text/range.ts';
import { english, type Translate } from './messages.ts';
import { summarise } from './summary.ts';

export interface CalculationText {
  /** The design that the query builds on, in one line; '' without one. */
  readonly title: string;
  readonly rows: readonly { readonly label: string; readonly value: string; readonly detail: string }[];
  readonly problems: readonly string[];
  /** Where each problem stands, offsets in the query. */
  readonly ranges: readonly Range[];
  /** What else would have to be given to say more. */
  readonly hint?: string;
}

/** A query's answer as texts, over a design where there is one. */
export function calculation(query: string, base: TransformerDesign | undefined, t: Translate = english): CalculationText {
  const result = calculate(query, base);
  return {
    title: base === undefined ? '' : summarise(base, t),
    rows: result.rows.map(({ label, text, symbolic }) => ({ label, value: text, detail: symbolic })),
    problems: result.problems.map(({ message }) => message),
    ranges: result.problems.map(({ range }) => range),
    hint: result.hint,
  };
}
