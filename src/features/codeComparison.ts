import { grouped } from '../calculator/shapes.ts';
import { english, type Translate } from './messages.ts';

/** What a comparison of a model's code with the family's layout comes to, in a sentence, and whether it is a disagreement. */
export function comparisonText(
  differing: readonly string[],
  { className, file, counted }: { readonly className: string; readonly file: string; readonly counted: bigint },
  t: Translate = english,
): { readonly text: string; readonly isProblem: boolean } {
  const facts = { class: className, file };
  return differing.length === 0
    ? { text: t('{class} in {file} makes the same {counted} parameters.', { ...facts, counted: grouped(counted) }), isProblem: false }
    : {
        text: t('{class} in {file} makes other parameters than are counted here: {names}.', { ...facts, names: differing.join(', ') }),
        isProblem: true,
      };
}
