/** What the rules about scrambled views share: the transpose that was left out, as a fix. */
import { formatShape, shapeOf } from '../../../dims/shape.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import { overFeatures } from '../../code/headOrder.ts';
import { isView, mayHaveComeTurned, scramblesOf } from '../../code/layouts.ts';
import { type Misaligned, misalignedViews } from '../../code/pieces.ts';
import { rangeIn, textAt } from '../../code/places.ts';
import type { Report } from '../../rule.ts';

type Fix = NonNullable<Report<string>['fixes']>[number];

/** Views that mix tokens: told by the sizes of axes, or by what they are made of. */
export function allScrambles(code: CodeReading): readonly Misaligned[] {
  const bySize = scramblesOf(code);
  const nodes = new Set(bySize.map(({ node }) => node));
  // Where attention goes over heads, the merge only looks wrong.
  const isTurned = ({ node, from, to }: Misaligned): boolean => node.inputs[0] !== undefined && mayHaveComeTurned(node.inputs[0], from, to);
  const others = overFeatures(code).length > 0 ? [] : misalignedViews(code).filter((each) => !nodes.has(each.node) && !isTurned(each));
  return [...bySize, ...others];
}

export const shapesOf = ({ before, after }: Misaligned): { readonly before: string; readonly after: string } => ({
  before: formatShape(shapeOf(...before)),
  after: formatShape(shapeOf(...after)),
});

/** `x.view(B, T, C)` becomes `x.transpose(1, 2).reshape(B, T, C)`. */
export function mergeFix(code: CodeReading, { node, from, to }: Misaligned): readonly Fix[] {
  const at = rangeIn(code, node.site);
  const text = textAt(code, at);
  const call = /\.(?:contiguous\(\)\s*\.\s*)?(?:view|reshape)\(/g;
  const found = [...text.matchAll(call)].at(-1);
  if (at === undefined || found === undefined || from - to !== 1 || !isView(node)) return [];
  const start = at.start + found.index;
  return [
    {
      title: `Insert transpose(${to}, ${from})`,
      safe: false,
      edits: [{ range: { start, end: start + found[0].length }, newText: `.transpose(${to}, ${from}).reshape(` }],
    },
  ];
}

/** `x.view(B, h, T, d)` becomes `x.view(B, T, h, d).transpose(1, 2)`. */
export function splitFix(code: CodeReading, { node, from, to }: Misaligned): readonly Fix[] {
  const at = rangeIn(code, node.site);
  const text = textAt(code, at);
  const written = /^([\s\S]*\.(?:view|reshape)\()([^()]*)\)$/.exec(text);
  const sizes = written?.[2]?.split(',').map((each) => each.trim());
  if (at === undefined || written === null || sizes === undefined || to !== from + 1 || sizes.length !== node.shape.dims.length) return [];
  const ordered = sizes.map((size, i) => (i === from ? sizes[to] : i === to ? sizes[from] : size));
  return [
    {
      title: `Split into (${ordered.join(', ')}) and transpose`,
      safe: false,
      edits: [{ range: at, newText: `${written[1]}${ordered.join(', ')}).transpose(${from}, ${to})` }],
    },
  ];
}
