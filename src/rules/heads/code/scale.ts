/** The rules about the scale of attention scores share one reading of it. */

import type { Dim } from '../../../dims/dim.ts';
import { formatDim } from '../../../dims/format.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { Range } from '../../../text/range.ts';
import { type Attention, attentionsOf, type Step } from '../../code/attention.ts';
import { byPlace, definitionOf, rangeIn, textAt } from '../../code/places.ts';
import { type ScaleVerdict, scaleVerdict } from '../../code/scaling.ts';

export interface Judged<Kind extends ScaleVerdict['kind']> {
  readonly attention: Attention;
  readonly verdict: Extract<ScaleVerdict, { readonly kind: Kind }>;
}

const verdicts = new WeakMap<CodeReading, readonly { readonly attention: Attention; readonly verdict: ScaleVerdict }[]>();

/** What all attentions at one place agree on. */
function allVerdicts(code: CodeReading): readonly { readonly attention: Attention; readonly verdict: ScaleVerdict }[] {
  const known = verdicts.get(code);
  if (known !== undefined) return known;
  const all = byPlace(attentionsOf(code), (attention) => (attention.kind === 'softmax' ? attention.product : attention.node)).flatMap(
    (group) => {
      const judged = group.map((attention) => ({ attention, verdict: scaleVerdict(code, attention) }));
      // Where the sizes of one caller are not known, the others tell; where one is right, the place is.
      const known = judged.flatMap(({ verdict }) => verdict ?? []);
      const [first] = known;
      if (first === undefined || first.kind === 'fine' || known.some(({ kind }) => kind !== first.kind)) return [];
      // One helper, called by attentions of different scales: each caller is a place of its own.
      return judged.flatMap(({ attention, verdict }) => (verdict === undefined ? [] : [{ attention, verdict }]));
    },
  );
  verdicts.set(code, all);
  return all;
}

export const judgedScales = <Kind extends ScaleVerdict['kind']>(code: CodeReading, kind: Kind): readonly Judged<Kind>[] =>
  allVerdicts(code).filter((each): each is Judged<Kind> => each.verdict.kind === kind);

export const nodeOf = (attention: Attention) => (attention.kind === 'softmax' ? attention.product : attention.node);

export const sizeText = (dim: Dim): string => formatDim(dim);

/**
 * Where a factor went wrong: where it is applied, or where the variable that holds it was set. `blames` says whether the value itself
 * is wrong, by its text.
 */
export function placeOfStep(code: CodeReading, step: Step | undefined, attention: Attention, blamesValue: boolean): Range | undefined {
  const at = rangeIn(code, step?.node.site) ?? rangeIn(code, nodeOf(attention).site);
  if (!blamesValue) return at;
  return definitionOf(code, step?.operand)?.at ?? at;
}

/** The head dim as the code near the place calls it, for a fix; undefined where no name for it is known. */
export function widthExpression(code: CodeReading, attention: Attention, width: Dim): string | undefined {
  const scope = nodeOf(attention).site;
  if (scope === undefined) return undefined;
  const names = new Map<string, number>();
  for (const { value, name, site, frame } of code.variables) {
    if (site.file !== code.file || site.unit !== scope.unit) continue;
    const isHere = site.node.start < scope.node.start && frame.function !== undefined && contains(frame.function.definition, scope.node);
    const isAttribute = name.startsWith('self.');
    if (!isHere && !isAttribute) continue;
    if (value.kind !== 'int' || code.interpreter.read(value.dim).key !== width.key) continue;
    names.set(name, isHere ? 2 : 1);
  }
  const [best] = [...names].sort((a, b) => b[1] - a[1]);
  if (best !== undefined) return best[0];
  const { tensor } = attention.query;
  const written = textAt(code, rangeIn(code, scope));
  const first = /^\(*([A-Za-z_]\w*)\s*@/.exec(written)?.[1];
  return tensor.kind === 'tensor' && attention.kind === 'softmax' && first !== undefined && !/^(?:torch|F|einsum)$/.test(first)
    ? `${first}.size(-1)`
    : undefined;
}

const contains = (
  outer: { readonly start: number; readonly end: number },
  inner: { readonly start: number; readonly end: number },
): boolean => outer.start <= inner.start && inner.end <= outer.end;
