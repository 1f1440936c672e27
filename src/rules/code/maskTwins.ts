/** One mask that two ways of attention read each its own way: a fill hides where it is true, torch's function keeps there. */
import { isLayout, sameElements } from '../../interpreter/graph.ts';
import { numberOf } from '../../interpreter/make.ts';
import type { CodeReading } from '../../interpreter/study.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import { attentionsOf } from './attention.ts';
import { placeOf } from './places.ts';
import { asTensor } from './tensors.ts';

export interface MaskTwins {
  readonly mask: TensorValue;
  /** The operation that hides where the mask is true. */
  readonly fill: TensorValue;
  /** The call that shows where it is true. */
  readonly call: TensorValue;
}

interface Read {
  readonly mask: TensorValue;
  readonly node: TensorValue;
  /** Whether keys are hidden where what came in is true. */
  readonly hides: boolean;
}

/** Inputs under which the same keys are hidden on one way and shown on the other. */
export function maskTwins(code: CodeReading): readonly MaskTwins[] {
  const fills: Read[] = [];
  const calls: Read[] = [];
  for (const attention of attentionsOf(code)) {
    if (attention.kind === 'called') {
      const read = readOf(attention.mask);
      if (read !== undefined) calls.push({ mask: read.mask, node: attention.node, hides: read.isInverted });
      continue;
    }
    for (const step of attention.paths.flat()) {
      const read = step.kind === 'fill' ? readOf(step.mask) : undefined;
      if (read !== undefined) fills.push({ mask: read.mask, node: step.node, hides: read.isInverted !== (step.fillsWhere === true) });
    }
  }
  const found = new Map<string, MaskTwins>();
  for (const fill of fills) {
    // What fills with a mask has a boolean one: the function takes it as such.
    const same = calls.filter(({ mask }) => placeOf(mask) !== '' && placeOf(mask) === placeOf(fill.mask));
    const [first] = same;
    if (first !== undefined && same.every(({ hides }) => hides !== fill.hides))
      found.set(placeOf(fill.node), { mask: fill.mask, fill: fill.node, call: first.node });
  }
  return [...found.values()];
}

/** What came in, and whether it was inverted on the way. */
function readOf(value: Value | undefined): { readonly mask: TensorValue; readonly isInverted: boolean } | undefined {
  let at = asTensor(value);
  let isInverted = false;
  for (let i = 0; i < 24 && at !== undefined; i++) {
    const [first]: readonly TensorValue[] = at.inputs;
    if (at.op === 'input') return { mask: at, isInverted };
    if (at.op === 'logical_not' || at.op === 'bitwise_not') isInverted = !isInverted;
    else if (at.op === 'eq' || at.op === 'ne') {
      const other = at.arguments.get('other');
      const to = other === undefined ? undefined : numberOf(other);
      if (to !== 0 && to !== 1) return undefined;
      if ((at.op === 'eq') === (to === 0)) isInverted = !isInverted;
    } else if (!(sameElements.has(at.op) || isLayout(at) || /^(?:getitem|bool|expand|repeat|rearrange)$/.test(at.op))) return undefined;
    at = first;
  }
  return undefined;
}
