/** Scores of additive attention, `w(tanh(a(query) + b(keys)))` (Bahdanau et al. 2015): one query at a time, added to every key. */
import { usersOf } from '../../interpreter/graph.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import type { Find } from './failing.ts';

const passed = /^(?:add|sub|unsqueeze|expand|join|contiguous)$/;

/** Whether what was added is on its way to a tanh, so that a query as long as the keys is not what the code is for. */
export function isAdditiveScore({ study, failure, op }: Find): boolean {
  if (!/^(?:add|sub)$/.test(op) || failure.problem.basis !== 'lengths') return false;
  const users = usersOf(study.tensors);
  const reaches = (tensor: TensorValue, depth: number): boolean =>
    depth < 6 && (users.get(tensor) ?? []).some((user) => user.op === 'tanh' || (passed.test(user.op) && reaches(user, depth + 1)));
  return study.tensors.some((tensor) => tensor.site?.node === failure.call.site?.node && reaches(tensor, 0));
}
