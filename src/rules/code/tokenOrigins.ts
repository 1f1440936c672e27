/** Which of the things that come in the tokens along an axis are: keys and values of one attention are of the same ones. */
import { alternatives } from '../../interpreter/graph.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import { type Place, placeBefore } from './axes.ts';
import { elementwiseOps } from './failing.ts';
import { dimFromEnd, isWeight } from './tensors.ts';

const maximumPlaces = 400;

/** What comes in whose tokens they are; undefined where what is not understood, or joins several, stands between. */
export function tokenOrigins(place: Place): ReadonlySet<TensorValue> | undefined {
  const origins = new Set<TensorValue>();
  const seen = new Set<string>();
  const waiting: Place[] = [place];
  while (waiting.length > 0) {
    const at = waiting.pop() as Place;
    const key = `${at.node.id} ${at.axis}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (seen.size > maximumPlaces) return undefined;
    if (at.node.op === 'input') {
      origins.add(at.node);
      continue;
    }
    const before = beforeIt(at);
    if (before === undefined || before.length === 0) return undefined;
    waiting.push(...before);
  }
  return origins;
}

function beforeIt({ node, axis }: Place): readonly Place[] | undefined {
  if (node.op === 'join') return alternatives(node).map((option) => ({ node: option, axis }));
  if (/^(?:cat|concat|stack)$/.test(node.op)) return undefined;
  if (elementwiseOps.test(node.op) && node.inputs.length > 1) {
    // A table, or what is spread over the tokens, has none of its own.
    const operands = node.inputs.filter((input) => !isWeight(input) && hasTokens(input, axis));
    return operands.map((input) => ({ node: input, axis }));
  }
  const before = placeBefore({ node, axis });
  return before === undefined ? undefined : [before];
}

const hasTokens = (input: TensorValue, axis: number): boolean => {
  const size = dimFromEnd(input, axis);
  return size !== undefined && size.constant === undefined;
};
