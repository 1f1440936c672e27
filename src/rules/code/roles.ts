/** Which of query, key and value a tensor is by the names that the code gives it, and whether it comes to anything. */

import { isLayout, sameElements } from '../../interpreter/graph.ts';
import type { CodeReading, Study } from '../../interpreter/study.ts';
import type { InstanceValue, TensorValue } from '../../interpreter/value.ts';
import type { Source } from './sources.ts';
import { isWeight, withCopies } from './tensors.ts';

export type Role = 'query' | 'key' | 'value';

const words: readonly (readonly [Role, RegExp])[] = [
  ['query', /^(?:q|qs|query|queries|wq|xq|qh|q\d)$/],
  ['key', /^(?:k|ks|key|keys|wk|xk|kh|k\d)$/],
  ['value', /^(?:v|vs|value|values|wv|xv|vh|v\d)$/],
];

/** The role that a name states: `self.k_proj`, `query_layer`, `xv`. None where it names several. */
export function roleOfName(name: string): Role | undefined {
  const last = name.slice(name.lastIndexOf('.') + 1);
  const parts = last
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split('_');
  const found = new Set(parts.flatMap((part) => words.flatMap(([role, pattern]) => (pattern.test(part) ? [role] : []))));
  const [only] = found;
  return found.size === 1 ? only : undefined;
}

interface Names {
  readonly tensors: ReadonlyMap<number, readonly string[]>;
  readonly layers: ReadonlyMap<InstanceValue, string>;
  /** Layers by the instance that holds them. */
  readonly owners: ReadonlyMap<InstanceValue, InstanceValue>;
}

const known = new WeakMap<CodeReading, Names>();

function namesOf(code: CodeReading): Names {
  const before = known.get(code);
  if (before !== undefined) return before;
  const tensors = new Map<number, string[]>();
  const layers = new Map<InstanceValue, string>();
  const owners = new Map<InstanceValue, InstanceValue>();
  for (const { name, value, frame, isArgument } of code.variables) {
    if (value.kind === 'tensor' && !isArgument) {
      const names = tensors.get(value.id);
      if (names === undefined) tensors.set(value.id, [name]);
      else names.push(name);
    } else if (value.kind === 'instance' && name.startsWith('self.') && !isArgument) {
      layers.set(value, name);
      if (frame.self?.kind === 'instance') owners.set(value, frame.self);
    }
  }
  const names = { tensors, layers, owners };
  known.set(code, names);
  return names;
}

/** The role by the layer that projects it, or by the first variable that holds it. */
export function roleOfSource(code: CodeReading, { node, passed }: Source): Role | undefined {
  const { tensors, layers } = namesOf(code);
  const layer = node.layer === undefined ? undefined : layers.get(node.layer);
  const byLayer = layer === undefined ? undefined : roleOfName(layer);
  if (byLayer !== undefined) return byLayer;
  for (const tensor of [...passed].reverse()) {
    for (const name of tensors.get(tensor.id) ?? []) {
      const role = roleOfName(name);
      if (role !== undefined) return role;
    }
  }
  return undefined;
}

const useCounts = new WeakMap<CodeReading, ReadonlyMap<number, readonly TensorValue[]>>();

function usersOf(code: CodeReading): ReadonlyMap<number, readonly TensorValue[]> {
  const before = useCounts.get(code);
  if (before !== undefined) return before;
  const users = new Map<number, TensorValue[]>();
  const note = (user: TensorValue, input: TensorValue, depth: number): void => {
    const list = users.get(input.id);
    if (list?.includes(user) === true) return;
    if (list === undefined) users.set(input.id, [user]);
    else list.push(user);
    if (input.op === 'join' && depth < 8) for (const each of input.inputs) note(input, each, depth + 1);
  };
  for (const study of code.studies) for (const tensor of withCopies(study)) for (const input of tensor.inputs) note(tensor, input, 0);
  useCounts.set(code, users);
  return users;
}

/** Nothing is computed from it but other forms of itself, on which nothing depends either. */
export function isDead(code: CodeReading, tensor: TensorValue, depth = 0): boolean {
  if (depth > 24) return false;
  const users = usersOf(code).get(tensor.id) ?? [];
  return users.every((user) => (isLayout(user) || sameElements.has(user.op) || user.op === 'join') && isDead(code, user, depth + 1));
}

/** The tensors that a study answers with, caches and other results included. */
function isAnswered(study: Study, tensor: TensorValue): boolean {
  const { output } = study;
  const visit = (value: typeof output, depth: number): boolean => {
    if (value === undefined || depth > 4) return false;
    if (value.kind === 'tensor') return value.id === tensor.id;
    return (value.kind === 'tuple' || value.kind === 'list') && value.items.some((item) => visit(item, depth + 1));
  };
  return visit(output, 0);
}

/** A tensor that the code calls by this role, made from the same input as the source, and that comes to nothing. */
export function unusedWithRole(code: CodeReading, study: Study, source: Source, role: Role, mayBeUsed = false): TensorValue | undefined {
  const [input] = source.node.inputs;
  for (const { name, value, isArgument } of code.variables) {
    if (value.kind !== 'tensor' || isArgument || roleOfName(name) !== role || name.includes('.')) continue;
    if ((!mayBeUsed && (!isDead(code, value) || isAnswered(study, value))) || !comesFrom(value, source.node, input)) continue;
    return value;
  }
  return undefined;
}

/** What comes in with this role beside the source, which comes in too, and is used for nothing. */
export function idleInputWithRole(code: CodeReading, study: Study, { node }: Source, role: Role): TensorValue | undefined {
  if (node.op !== 'input' || !study.inputs.includes(node)) return undefined;
  const tensors = withCopies(study);
  const idle = study.inputs.find((input) => {
    const isNamed = code.variables.some(({ name, value, isArgument }) => isArgument && value === input && roleOfName(name) === role);
    return (
      isNamed && tensors.every((user) => !user.inputs.includes(input) || ((isLayout(user) || user.op === 'join') && isDead(code, user)))
    );
  });
  return idle === undefined || isReturned(study, idle) ? undefined : idle;
}

const isReturned = ({ output }: Study, input: TensorValue): boolean =>
  output === undefined || output === input || (output.kind === 'tuple' && output.items.includes(input));

/** Without what only adds axes. */
function bare(tensor: TensorValue | undefined): TensorValue | undefined {
  let at = tensor;
  for (let i = 0; i < 12 && at?.inputs[0] !== undefined && (isLayout(at) || sameElements.has(at.op) || at.op === 'getitem'); i++)
    at = at.inputs[0];
  return at;
}

function comesFrom(tensor: TensorValue, node: TensorValue, before: TensorValue | undefined): boolean {
  let at: TensorValue | undefined = tensor;
  const input = bare(before);
  // What goes into both need not be known.
  const given = node.arguments.get('input');
  for (let i = 0; i < 40 && at !== undefined; i++) {
    if (at === node || (input !== undefined && at !== tensor && at.id === input.id)) return true;
    if (weightOf(at) !== undefined && input !== undefined && bare(at.inputs[0])?.id === input.id) return true;
    if (at.op === 'linear' && given?.kind === 'unknown' && at.arguments.get('input') === given) return true;
    at = at.inputs[0];
  }
  return false;
}

/** A layer of this role beside the one that made the source, to which nothing was ever given. */
export function unusedLayerWithRole(code: CodeReading, { node }: Source, role: Role): string | undefined {
  const { layers, owners } = namesOf(code);
  const users = usersOf(code);
  const weight = node.op === 'linear' ? undefined : weightOf(node);
  if (weight !== undefined) {
    const parameters = code.variables.filter(
      ({ name, value, isArgument }) => !isArgument && name.startsWith('self.') && value.kind === 'tensor' && value.isParameter === true,
    );
    const holder = parameters.find(({ value }) => value.kind === 'tensor' && value.id === weight.id)?.frame.self;
    const unused = parameters.find(
      ({ name, value, frame }) =>
        frame.self === holder &&
        holder !== undefined &&
        roleOfName(name) === role &&
        value.kind === 'tensor' &&
        (users.get(value.id) ?? []).length === 0,
    );
    if (unused !== undefined) return unused.name;
  }
  const owner = node.layer === undefined ? undefined : owners.get(node.layer);
  if (owner === undefined) return undefined;
  for (const [layer, name] of layers) {
    if (owners.get(layer) !== owner || roleOfName(name) !== role || layer === node.layer) continue;
    const weight = layer.attributes.get('weight');
    if (weight?.kind === 'tensor' && (users.get(weight.id) ?? []).length === 0) return name;
  }
  return undefined;
}

/** The weight of a projection, as a layer or as a product with a parameter. */
function weightOf(node: TensorValue): TensorValue | undefined {
  if (node.op === 'linear') {
    const weight = node.arguments.get('weight');
    return weight?.kind === 'tensor' ? weight : undefined;
  }
  if (node.op !== 'matmul' && node.op !== 'einsum') return undefined;
  const weights = node.inputs.filter((input) => isWeight(input, false));
  return weights.length === 1 && node.inputs.length === 2 ? bare(weights[0]) : undefined;
}

/** The same projection of the same tensor: one result, or the same weights applied twice. */
export function isSameSource(a: Source, b: Source): boolean {
  if (a.isUncertain || b.isUncertain) return false;
  if (a.node === b.node) return a.part === b.part;
  if (a.part !== b.part) return false;
  const [weight, other] = [weightOf(a.node), weightOf(b.node)];
  if (weight === undefined || weight.id !== other?.id) return false;
  const input = (node: TensorValue): TensorValue | undefined => bare(node.inputs.find((each) => !isWeight(each, false)));
  return input(a.node) !== undefined && input(a.node)?.id === input(b.node)?.id;
}

/** Where one operand parts from another that comes from the same place: the first tensor that is its own, nearest to the source. */
export function ownPart(code: CodeReading, mine: Source, theirs: Source): TensorValue | undefined {
  const shared = new Set(theirs.passed.map(({ id }) => id));
  const { tensors } = namesOf(code);
  for (const tensor of [...mine.passed].reverse()) {
    if (shared.has(tensor.id)) continue;
    if (tensor.op === 'setitem' || tensor.op === 'linear' || (tensors.get(tensor.id) ?? []).some((name) => roleOfName(name) !== undefined))
      return tensor;
  }
  return undefined;
}
