/** Questions about the dataflow of a computation: what a tensor is underneath, what it was computed from, and what uses it. */
import type { TensorValue } from './value.ts';

/** Operations that keep every element where it is. */
export const sameElements: ReadonlySet<string> = new Set([
  'contiguous',
  'to',
  'type',
  'type_as',
  'float',
  'half',
  'bfloat16',
  'double',
  'detach',
  'clone',
  'cpu',
  'cuda',
  'requires_grad_',
  'alias',
  'identity',
  'checkpoint',
  'copy',
  'data',
  'nan_to_num',
  'astype',
  'asarray',
  'wait',
  'with_sharding_constraint',
  'stop_gradient',
]);

/** Operations that only rearrange axes or elements. */
const layouts: ReadonlySet<string> = new Set([
  'view',
  'reshape',
  'transpose',
  'permute',
  'swapaxes',
  'movedim',
  'unsqueeze',
  'squeeze',
  'flatten',
  'unflatten',
  'rearrange',
  'view_as',
  'reshape_as',
  'expand',
  'expand_as',
  'T',
  'mT',
  'swapdims',
  'moveaxis',
  'broadcast_to',
]);

const dropouts: ReadonlySet<string> = new Set(['dropout', 'dropout1d', 'dropout2d', 'alpha_dropout', 'feature_dropout', 'drop_path']);

export const isDropout = ({ op }: TensorValue): boolean => dropouts.has(op);
export const isLayout = ({ op }: TensorValue): boolean => layouts.has(op);

/** The tensor without what leaves its elements as they are: copies, casts, devices; dropout too. */
export function plain(tensor: TensorValue): TensorValue {
  let at = tensor;
  for (let i = 0; i < 64; i++) {
    const [first] = at.inputs;
    if (first === undefined || !(sameElements.has(at.op) || isDropout(at))) return at;
    at = first;
  }
  return at;
}

/** The tensor without layout changes either. */
export function underneath(tensor: TensorValue): TensorValue {
  let at = plain(tensor);
  for (let i = 0; i < 64; i++) {
    const [first] = at.inputs;
    if (first === undefined || !isLayout(at)) return at;
    at = plain(first);
  }
  return at;
}

/** The results between which it is not known which it is: those of joined branches, each on its own. */
export function alternatives(tensor: TensorValue, limit = 16): readonly TensorValue[] {
  if (tensor.op !== 'join') return [tensor];
  const found: TensorValue[] = [];
  const waiting: TensorValue[] = [tensor];
  while (waiting.length > 0 && found.length < limit) {
    const next = waiting.pop() as TensorValue;
    if (next.op === 'join') waiting.push(...next.inputs);
    else found.push(next);
  }
  return found;
}

/** Every tensor that this one was computed from, itself first, nearest first; `enter` says which to look behind. */
export function ancestors(tensor: TensorValue, enter: (tensor: TensorValue) => boolean = () => true, limit = 4000): readonly TensorValue[] {
  const seen = new Set<TensorValue>([tensor]);
  const order: TensorValue[] = [tensor];
  for (let i = 0; i < order.length && order.length < limit; i++) {
    const at = order[i] as TensorValue;
    if (i > 0 && !enter(at)) continue;
    for (const input of at.inputs) {
      if (seen.has(input)) continue;
      seen.add(input);
      order.push(input);
    }
  }
  return order;
}

/** What each tensor is used by. */
export function usersOf(tensors: readonly TensorValue[]): ReadonlyMap<TensorValue, readonly TensorValue[]> {
  const users = new Map<TensorValue, TensorValue[]>();
  const note = (user: TensorValue): void => {
    for (const input of user.inputs) {
      const known = users.get(input);
      if (known !== undefined) {
        if (!known.includes(user)) known.push(user);
        continue;
      }
      users.set(input, [user]);
      // Joins of branches are made by no operation.
      if (input.op === 'join') note(input);
    }
  };
  for (const tensor of tensors) note(tensor);
  return users;
}
