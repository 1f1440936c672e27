/**
 * Causal masks judged where they are made: who uses them may be in another file. A triangle parts the keys of each query in two, and
 * only where the past and the query itself are on one side may the mask be causal, whichever side is hidden.
 */
import type { Dim } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { alternatives, isLayout, sameElements } from '../../interpreter/graph.ts';
import { numberOf } from '../../interpreter/make.ts';
import { causalNames } from '../../interpreter/roots.ts';
import type { CodeReading } from '../../interpreter/study.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import { meaningOf } from './masks.ts';
import type { Region } from './regions.ts';
import { readDim } from './sizes.ts';
import { asTensor, dimFromEnd } from './tensors.ts';

/** What functions and classes of the file answer or hold under the name of a causal mask. */
function namedMasks(code: CodeReading): ReadonlySet<TensorValue> {
  const found = new Set<TensorValue>();
  const add = (value: Value | undefined): void => {
    const tensor = asTensor(value);
    for (const each of tensor === undefined ? [] : alternatives(tensor)) found.add(each);
  };
  for (const { frame, result } of code.runs) if (frame.function?.file === code.file && causalNames.test(frame.function.name)) add(result);
  for (const { instance, instances, maker } of code.studies) {
    for (const each of maker === undefined ? [instance, ...instances] : instances) {
      if (each.class.file !== code.file) continue;
      const isMask = causalNames.test(each.class.name);
      for (const [name, value] of each.attributes) if (isMask ? /mask$/i.test(name) : causalNames.test(name)) add(value);
    }
  }
  return found;
}

/** Triangles that put the query itself on the side of what comes later. */
export function partedFromThemselves(code: CodeReading): readonly Region[] {
  const found = new Map<unknown, Region>();
  for (const mask of namedMasks(code)) {
    const meaning = meaningOf(mask);
    const [region, ...others] = meaning?.regions ?? [];
    if (region?.kind !== 'causal' || others.length > 0 || region.boundary === undefined || region.isPicked === true) continue;
    const [rows, columns] = [dimFromEnd(region.made, -2), dimFromEnd(region.made, -1)];
    // With more keys than queries, which key stands for the query itself is the code's affair.
    const [queries, keys] = [rows, columns].map((dim) => (dim === undefined || dim.unknown ? undefined : readDim(code, dim).key));
    const isSquare = queries === undefined || keys === undefined || queries === keys;
    if (isSquare && rows?.constant !== 1 && readDim(code, region.boundary).constant === -1) found.set(region.made.site?.node, region);
  }
  return [...found.values()];
}

export interface KeysBehind {
  readonly node: TensorValue;
  readonly rows: Dim;
  readonly more: Dim;
}

/** Masks of the new keys to which those of the past are added behind: they come first in a cache. */
export function pastBehind(code: CodeReading): readonly KeysBehind[] {
  const found = new Map<unknown, KeysBehind>();
  for (const mask of namedMasks(code)) {
    const waiting = [mask];
    for (let i = 0; i < waiting.length && i < 24; i++) {
      const at = waiting[i] as TensorValue;
      if (at.op === 'join' || at.op === 'getitem' || sameElements.has(at.op) || isLayout(at)) waiting.push(...at.inputs);
      const keys = at.op === 'cat' ? keysBehind(code, at) : undefined;
      if (keys !== undefined) found.set(at.site?.node, keys);
    }
  }
  return [...found.values()];
}

function keysBehind(code: CodeReading, node: TensorValue): KeysBehind | undefined {
  const dim = node.arguments.get('dim');
  const axis = dim === undefined ? undefined : numberOf(dim);
  const [mask, behind] = node.inputs;
  const isLast = axis === -1 || (node.shape.ellipsis === undefined && axis === node.shape.dims.length - 1);
  if (mask === undefined || behind === undefined || node.inputs.length !== 2 || !isLast) return undefined;
  const [rows, more] = [dimFromEnd(mask, -2), dimFromEnd(behind, -1)];
  const [region] = meaningOf(mask)?.regions ?? [];
  const isCausal = region?.kind === 'causal' && region.boundary !== undefined && readDim(code, region.boundary).constant === 0;
  if (rows === undefined || more === undefined || !isCausal || meaningOf(behind)?.constant !== region.seen) return undefined;
  return !more.unknown && /past|cache/i.test(formatDim(more)) ? { node, rows, more } : undefined;
}
