/** How a tensor came about step by step, and where its steps stand in the file. */
import type { Dim } from '../../dims/dim.ts';
import type { Study } from '../../interpreter/study.ts';
import type { Site, TensorValue, Trace } from '../../interpreter/value.ts';
import type { Range } from '../../text/range.ts';
import { axisPath, isMatrixProduct } from './axes.ts';
import { clashesOf } from './clashes.ts';
import { type Find, opOf, read } from './failing.ts';
import { placeAt, placeOf, rangeIn, shown } from './places.ts';
import { seemSame } from './sizes.ts';
import { projectedness } from './sources.ts';

// ---------------------------------------------------------------------------------------------------------------------
// Places

export const traceSites = (trace: Trace | undefined): readonly Site[] => {
  const sites: Site[] = [];
  for (let at = trace; at !== undefined && sites.length < 12; at = at.parent) sites.push(at.site);
  return sites;
};

/** Operations through which sizes come that clash somewhere in the study, by place and call. */
const suspects = new WeakMap<Study['tensors'], ReadonlySet<string>>();

export const callAt = ({ trace }: TensorValue, depth: number): string => {
  const site = traceSites(trace)[depth];
  return site === undefined ? '' : placeAt(site);
};

const suspectKey = (node: TensorValue): string => `${placeOf(node)} ${callAt(node, 0)}`;

function suspectsOf(find: Find): ReadonlySet<string> {
  const known = suspects.get(find.study.tensors);
  if (known !== undefined) return known;
  const found = new Set<string>();
  for (const failure of find.study.failures.slice(0, 24)) {
    for (const { left, right } of clashesOf({ ...find, failure, op: opOf(failure) }))
      for (const place of [left, right]) for (const { node } of axisPath(place)) found.add(suspectKey(node));
  }
  suspects.set(find.study.tensors, found);
  return found;
}

/** Where the operation stands in the file: where a function is called that serves others well, the call of it. */
export function rangeOfNode(find: Find, node: TensorValue): Range | undefined {
  const { code, study } = find;
  const suspect = suspectsOf(find);
  const sites = [...(node.site === undefined ? [] : [node.site]), ...traceSites(node.trace)];
  const key = placeOf(node);
  const others = study.tensors.filter((other) => other.op === node.op && placeOf(other) === key && !suspect.has(suspectKey(other)));
  for (const [i, site] of sites.entries()) {
    const range = rangeIn(code, site);
    if (range === undefined) continue;
    // Another call of the same function works.
    if (i < sites.length - 1 && others.some((other) => callAt(other, i) !== callAt(node, i))) continue;
    return range;
  }
  return rangeIn(code, node.site);
}

export const textOf = (find: Find, at: Range): string => shown(find.code, at, 50);

// ---------------------------------------------------------------------------------------------------------------------
// Sizes

export const sameSize = (find: Find, left: Dim, right: Dim): boolean => seemSame(find.code, read(find, left), read(find, right));

export const keysOf = ({ shape }: TensorValue): readonly string[] => shape.dims.map(({ key }) => key);

/** The tensor that the operation rearranges or computes on: the activation before the weight. */
export const mainInput = ({ inputs }: TensorValue): TensorValue | undefined =>
  inputs.find((input) => projectedness(input) === 2) ??
  inputs.find(({ isParameter, isBuffer }) => isParameter !== true && isBuffer !== true) ??
  inputs[0];

/** What the tensor was computed from step by step, back to the layer that made it. */
export function chainOf(tensor: TensorValue): readonly TensorValue[] {
  const chain: TensorValue[] = [];
  let at: TensorValue | undefined = tensor;
  while (at !== undefined && chain.length < 48) {
    chain.push(at);
    if (at.op === 'linear' || at.op === 'embedding' || at.op === 'input' || /^conv\d/.test(at.op)) break;
    if (isProductOp(at.op)) break;
    at = mainInput(at);
  }
  return chain;
}

export const isProductOp = (op: string): boolean => isMatrixProduct(op) || op === 'einsum' || op === 'scaled_dot_product_attention';
