import { sameElements, usersOf } from '../../../interpreter/graph.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { TensorValue } from '../../../interpreter/value.ts';
import { softmaxAxis } from '../../code/attention.ts';
import { equationOf } from '../../code/contractions.ts';
import { rangeIn, textAt } from '../../code/places.ts';
import { fromEnd, numberArgument, withCopies } from '../../code/tensors.ts';
import { defineRule, type RuleExample } from '../../rule.ts';

const router = (weights: string, use: string): RuleExample => ({
  language: 'python',
  code: `import torch
import torch.nn as nn
import torch.nn.functional as F


class Router(nn.Module):
    def __init__(self, hidden_size, num_experts, top_k):
        super().__init__()
        self.top_k = top_k
        self.gate = nn.Linear(hidden_size, num_experts)
        self.down = nn.Parameter(torch.empty(num_experts, hidden_size, hidden_size))

    def forward(self, hidden_states):
        b, t, c = hidden_states.shape
        logits = self.gate(hidden_states)
        weights = ${weights}
        return ${use}
`,
});

const mixed = 'torch.einsum("bteh,bte->bth", torch.einsum("btc,ech->bteh", hidden_states, self.down), weights)';

export const choicesAxis = defineRule({
  code: 'HW167',
  name: 'softmax-not-over-choices',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'The softmax of a projection goes over tokens, and what follows chooses or sums over the features of the projection.',
    why: 'A router scores experts, and a head scores words: the scores of one token are to add up to 1. Over another axis the tokens of a sequence compete instead, so that the output for one token depends on all others, those of the future included.',
    bad: [
      router('F.softmax(logits, dim=1)', 'torch.topk(weights, self.top_k, dim=-1)'),
      router('logits.softmax(dim=1)', mixed),
      router('F.log_softmax(logits, dim=1)', 'weights'),
    ],
    good: [
      router('F.softmax(logits, dim=-1)', 'torch.topk(weights, self.top_k, dim=-1)'),
      router('logits.softmax(dim=-1)', mixed),
      router('F.softmax(logits, dim=1)', 'torch.einsum("bte,btc->bec", weights, hidden_states)'),
    ],
    fixSafety: 'The fix writes -1. It changes what the model computes, which is the point.',
    references: ['https://arxiv.org/abs/1701.06538', 'https://pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html'],
  },
  messages: {
    chosen: 'The softmax goes over axis {axis}, and the largest are taken along the last: the scores of one token do not add up to 1.',
    summed: 'The softmax goes over axis {axis}, and the sum over another: the weights of one token do not add up to 1.',
    logits: 'The softmax goes over axis {axis} of the logits: it compares tokens, and not the choices for one token.',
  },
  checkCode({ code, report }) {
    for (const { node, message, axis } of misplaced(code)) {
      const at = rangeIn(code, node.site);
      if (at === undefined) continue;
      const written = /(\bdim\s*=\s*)(-?\d+)(?=\s*[,)])/.exec(textAt(code, at));
      const start = at.start + (written?.index ?? 0) + (written?.[1]?.length ?? 0);
      const edit = { range: { start, end: start + (written?.[2]?.length ?? 0) }, newText: '-1' };
      report({ at, message, data: { axis }, fixes: written === null ? [] : [{ title: 'Use dim=-1', safe: false, edits: [edit] }] });
    }
  },
});

interface Misplaced {
  readonly node: TensorValue;
  readonly message: 'chosen' | 'summed' | 'logits';
  readonly axis: number;
}

function misplaced(code: CodeReading): readonly Misplaced[] {
  return code.studies.flatMap((study) => {
    const all = withCopies(study);
    const candidates = all.filter(({ op, inputs }) => (op === 'softmax' || op === 'log_softmax') && isProjected(inputs[0]));
    if (candidates.length === 0) return [];
    const users = usersOf(all);
    return candidates.flatMap((node) => {
      const axis = softmaxAxis(node);
      const last = axis === undefined ? undefined : fromEnd(axis, node);
      if (axis === undefined || last === undefined || last === -1) return [];
      // Tokens of all sequences in one row each: the axis behind them is the last.
      if (axis === 1 && isUncounted(node)) return [];
      const message = misuse(node, last, users);
      return message === undefined ? [] : [{ node, message, axis }];
    });
  });
}

/** The result of a linear layer, as it is: its features are the choices. */
function isProjected(tensor: TensorValue | undefined): boolean {
  let at = tensor;
  for (let i = 0; i < 8 && at !== undefined && sameElements.has(at.op); i++) at = at.inputs[0];
  return at?.op === 'linear' && at.shape.ellipsis === undefined;
}

/** Whether it has as many axes as what comes in, which nothing counts. */
function isUncounted(tensor: TensorValue): boolean {
  let at: TensorValue | undefined = tensor;
  for (let i = 0; i < 40 && at !== undefined && at.op !== 'input' && !countsAxes.has(at.op); i++) at = at.inputs[0];
  return at?.op === 'input' && at.isUncounted === true;
}

const countsAxes: ReadonlySet<string> = new Set(['view', 'reshape', 'permute', 'rearrange', 'embedding', 'unflatten', 'flatten', 'stack']);

function misuse(
  node: TensorValue,
  axis: number,
  users: ReadonlyMap<TensorValue, readonly TensorValue[]>,
): Misplaced['message'] | undefined {
  const waiting: TensorValue[] = [node];
  for (let i = 0; i < waiting.length && i < 12; i++) {
    const at = waiting[i] as TensorValue;
    for (const user of users.get(at) ?? []) {
      if (sameElements.has(user.op) || user.op === 'dropout') waiting.push(user);
      else if (user.op === 'topk' && (numberArgument(user, 'dim') ?? -1) === -1) return 'chosen';
      else if (user.op === 'einsum' && sumsOverOther(user, at, axis)) return 'summed';
    }
  }
  const isAnswer = waiting.every((each) => (users.get(each) ?? []).every((user) => waiting.includes(user)));
  return node.op === 'log_softmax' && isAnswer && node.shape.dims.length > 2 ? 'logits' : undefined;
}

/** The einsum sums over the last axis of the weights, and keeps the one over which they add up to 1. */
function sumsOverOther(user: TensorValue, weights: TensorValue, axis: number): boolean {
  const equation = equationOf(user);
  const labels = equation?.inputs[user.inputs.indexOf(weights)];
  const [own, choices] = [labels?.at(axis), labels?.at(-1)];
  if (equation === undefined || own === undefined || choices === undefined || own === '...') return false;
  return equation.output.includes(own) && !equation.output.includes(choices);
}
