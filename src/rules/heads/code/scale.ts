/** The rules about the scale of attention scores share one reading of it. */

import type { Dim } from '../../../dims/dim.ts';
import { formatDim } from '../../../dims/format.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { Expression } from '../../../syntax/python/ast.ts';
import type { TextEdit } from '../../../text/edit.ts';
import type { Range } from '../../../text/range.ts';
import { type Attention, attentionsOf } from '../../code/attention.ts';
import { byPlace, definitionOf, givenAt, rangeIn, textAt } from '../../code/places.ts';
import { type ScaleVerdict, scaleVerdict } from '../../code/scaling.ts';
import type { Step } from '../../code/scores.ts';

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
  return givenAt(code, step?.operand) ?? definitionOf(code, step?.operand)?.at ?? at;
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

/** The expression without its scale: `q * scale` becomes `q`; none where it is written in another way. */
export function withoutScale(code: CodeReading, step: Step): readonly TextEdit[] {
  const { site } = step.node;
  const at = rangeIn(code, site);
  const node = site?.node as Expression | undefined;
  if (site === undefined || at === undefined || node?.kind !== 'binary' || !(node.operator === '*' || node.operator === '/')) return [];
  const isFactor = (each: Expression): boolean => /sqrt|scal|\*\*|norm_factor/i.test(textAt(code, rangeIn(code, { ...site, node: each })));
  const kept =
    isFactor(node.right) && !isFactor(node.left) ? node.left : node.operator === '*' && isFactor(node.left) ? node.right : undefined;
  return kept === undefined ? [] : [{ range: at, newText: textAt(code, rangeIn(code, { ...site, node: kept })) }];
}

/** The root of the head dim where the root of another size stands, as the code calls the head dim. */
export function rootOf(code: CodeReading, attention: Attention, width: Dim, at: Range): readonly TextEdit[] {
  const text = textAt(code, at);
  const expression = widthExpression(code, attention, width);
  const root = /sqrt\(\s*([^()]+?)\s*\)/.exec(text) ?? /([\w.]+|\([^()]*\))\s*\*\*\s*-?\s*0?\.5/.exec(text);
  const written = root?.[1];
  if (root === null || written === undefined || expression === undefined || !isInScope(code, attention, expression, at)) return [];
  const start = at.start + root.index + root[0].indexOf(written);
  return [{ range: { start, end: start + written.length }, newText: expression }];
}

/** Attributes that were set before, and names of the function in which the attention stands. */
function isInScope(code: CodeReading, attention: Attention, expression: string, at: Range): boolean {
  const { text } = code.file.module;
  if (expression.startsWith('self.')) {
    const set = text.lastIndexOf(`${expression} =`, at.start);
    return set >= 0 && set > text.lastIndexOf('\nclass ', at.start);
  }
  const product = rangeIn(code, nodeOf(attention).site);
  return product !== undefined && !text.slice(Math.min(at.start, product.start), Math.max(at.start, product.start)).includes('\n    def ');
}
