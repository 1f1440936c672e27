/** Where masks are used, and what each hides there. */
import type { CodeReading, Study } from '../../interpreter/study.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import { attentionsOf, softmaxAxis } from './attention.ts';
import { type Hiding, hiddenByAdding, hiddenByCondition, maskType } from './hiding.ts';
import { fillOf, meaningOf } from './masks.ts';
import type { Meaning } from './regions.ts';
import { asTensor, dimFromEnd, withCopies } from './tensors.ts';

export interface MaskUse {
  readonly study: Study;
  /** The operation that takes the mask. */
  readonly node: TensorValue;
  /** 'fill' and 'add' on scores; a function, or the masks of a layer. */
  readonly by: 'fill' | 'add' | 'multiply' | 'function' | 'layer' | 'layerPadding';
  readonly mask: TensorValue;
  readonly meaning: Meaning;
  readonly hidings: readonly Hiding[];
  /** Taken as a condition, or added. */
  readonly isCondition: boolean;
  readonly fill?: number | undefined;
}

const uses = new WeakMap<CodeReading, readonly MaskUse[]>();

export function maskUsesOf(code: CodeReading): readonly MaskUse[] {
  const known = uses.get(code);
  if (known !== undefined) return known;
  const all = [...usesInAttention(code), ...usesInLayers(code)];
  uses.set(code, all);
  return all;
}

function usesInAttention(code: CodeReading): readonly MaskUse[] {
  const found = new Map<TensorValue, MaskUse>();
  for (const attention of attentionsOf(code)) {
    if (attention.kind === 'called') {
      const use = useInApi(attention.study, attention.node, attention.mask, 'function', false);
      if (use !== undefined) found.set(attention.node, use);
      continue;
    }
    // Scores with their keys in rows are masked the other way round.
    const axis = softmaxAxis(attention.node);
    if (axis !== undefined && axis !== -1 && axis !== attention.node.shape.dims.length - 1) continue;
    for (const step of attention.paths.flat()) {
      if (found.has(step.node)) continue;
      const { study } = attention;
      if (step.kind === 'fill') {
        const mask = asTensor(step.mask);
        const meaning = meaningOf(step.mask);
        const fill = fillOf(step.fill);
        if (mask === undefined || meaning === undefined || fill === undefined || fill > -1000) continue;
        const hidings = hiddenByCondition(meaning, step.fillsWhere === true);
        found.set(step.node, { study, node: step.node, by: 'fill', mask, meaning, hidings, isCondition: true, fill });
      } else if (step.kind === 'scale') {
        // A mask of large negative numbers is to be added.
        const mask = asTensor(step.operand);
        const meaning = meaningOf(step.operand);
        const isHuge = meaning?.regions.some(({ seen, unseen }) => Math.abs(seen ?? 0) >= 1000 || Math.abs(unseen ?? 0) >= 1000);
        if (mask !== undefined && meaning !== undefined && isHuge === true)
          found.set(step.node, { study, node: step.node, by: 'multiply', mask, meaning, hidings: [], isCondition: false });
      } else if (step.kind === 'add') {
        const mask = asTensor(step.operand);
        const meaning = meaningOf(step.operand);
        if (mask === undefined || meaning === undefined) continue;
        found.set(step.node, {
          study,
          node: step.node,
          by: 'add',
          mask,
          meaning,
          hidings: hiddenByAdding(meaning, step.sign ?? 1),
          isCondition: false,
        });
      }
    }
  }
  return [...found.values()];
}

/** Functions keep where a boolean mask is true; layers hide there. Both add a mask of numbers. */
function useInApi(study: Study, node: TensorValue, value: Value | undefined, by: MaskUse['by'], hidesWhere: boolean): MaskUse | undefined {
  const mask = asTensor(value);
  const meaning = meaningOf(value);
  if (mask === undefined || meaning === undefined) return undefined;
  const cells = meaning.regions.flatMap(({ seen, unseen }) => [seen, unseen]);
  const isHuge = cells.some((cell) => cell !== undefined && Math.abs(cell) >= 1000);
  const type = maskType(mask);
  // An input of which only the name tells is taken as the code takes it.
  const isNamed = meaning.regions.length > 0 && meaning.regions.every((region) => region.isNamed);
  if (type === 'bool' || isNamed)
    return { study, node, by, mask, meaning, hidings: hiddenByCondition(meaning, hidesWhere), isCondition: true };
  if (type === undefined && !isHuge) return undefined;
  return { study, node, by, mask, meaning, hidings: hiddenByAdding(meaning, 1), isCondition: false };
}

function usesInLayers(code: CodeReading): readonly MaskUse[] {
  const found: MaskUse[] = [];
  for (const study of code.studies) {
    for (const node of withCopies(study)) {
      if (node.op !== 'attention_mask' && node.op !== 'multi_head_attention') continue;
      const given = node.arguments.get('args');
      if (given?.kind !== 'tuple') continue;
      const [mask, padding] = given.items.slice(node.op === 'attention_mask' ? 1 : 3);
      for (const [value, by] of [
        [mask, 'layer'],
        [padding, 'layerPadding'],
      ] as const) {
        const use = useInApi(study, node, value, by, true);
        if (use !== undefined) found.push(use);
      }
    }
  }
  return found;
}

/** Masks that fill whole rows of scores with minus infinity. */
export function rowMasks(code: CodeReading): readonly { readonly node: TensorValue; readonly mask: TensorValue }[] {
  return attentionsOf(code).flatMap((attention) => {
    if (attention.kind !== 'softmax' || attention.sums.some(({ steps }) => steps.some(({ kind }) => kind === 'fill'))) return [];
    return attention.paths.flat().flatMap((step) => {
      const mask = step.kind === 'fill' ? asTensor(step.mask) : undefined;
      if (mask === undefined || fillOf(step.fill) !== Number.NEGATIVE_INFINITY) return [];
      const [rows, columns] = [dimFromEnd(mask, -2), dimFromEnd(mask, -1)];
      const keys = dimFromEnd(step.node, -1);
      const isRows = columns?.constant === 1 && keys?.constant !== 1 && rows !== undefined && !rows.unknown && rows.constant !== 1;
      return isRows ? [{ node: step.node, mask }] : [];
    });
  });
}

/** The operation that gave a mask its values: sums with biases came later. */
export function madeOf(mask: TensorValue): TensorValue {
  let at = mask;
  for (let i = 0; i < 12 && (at.op === 'add' || at.op === 'join'); i++) {
    const next = at.inputs.find((input) => meaningOf(input)?.regions.some(({ isNamed }) => isNamed) === true);
    if (next === undefined) return at;
    at = next;
  }
  return at;
}
