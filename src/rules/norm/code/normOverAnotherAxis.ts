import type { Dim } from '../../../dims/dim.ts';
import { ancestors } from '../../../interpreter/graph.ts';
import { numberOf } from '../../../interpreter/make.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { ModuleCall, TensorValue } from '../../../interpreter/value.ts';
import { argumentTensors, isWithin } from '../../code/norms.ts';
import { rangeIn, textAt } from '../../code/places.ts';
import { compareSizes } from '../../code/sizes.ts';
import { dimFromEnd, fromEnd } from '../../code/tensors.ts';
import { defineRule, type RuleExample } from '../../rule.ts';

const norm = (mean: string): RuleExample => ({
  language: 'python',
  code: `import torch
import torch.nn as nn


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).${mean} + self.eps)


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = RMSNorm(dim)
        self.up = nn.Linear(dim, 4 * dim)
        self.down = nn.Linear(4 * dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        return x + self.down(self.up(self.norm(x)).relu())
`,
});

export const normOverAnotherAxis = defineRule({
  code: 'HW328',
  name: 'norm-over-another-axis',
  category: 'norm',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A norm that is written out takes its mean over another axis than the features, for which it holds its weights.',
    why: 'LayerNorm and RMSNorm normalise the features of each token. Over the axis of tokens the statistics mix the whole sequence: what a token becomes depends on those behind it, on padding and on the length, and generation token by token gives other numbers than training did.',
    bad: [norm('mean(1, keepdim=True)'), norm('mean(dim=-2, keepdim=True)')],
    good: [norm('mean(-1, keepdim=True)'), norm('mean(dim=2, keepdim=True)')],
    fixSafety: 'The fix writes -1. It changes what the model computes, which is the point.',
    references: ['https://arxiv.org/abs/1607.06450', 'https://arxiv.org/abs/1910.07467'],
  },
  messages: { axis: 'This is taken over axis {axis}, and the weights of the norm are those of the last: it mixes tokens.' },
  checkCode({ code, report }) {
    for (const { node, axis } of statisticsElsewhere(code)) {
      const at = rangeIn(code, node.site);
      if (at === undefined) continue;
      const text = textAt(code, at);
      const written = /((?:\bdim\s*=\s*|\bmean\(\s*|\bvar\(\s*|\bstd\(\s*))(-?\d+)(?=\s*[,)])/.exec(text);
      const start = at.start + (written?.index ?? 0) + (written?.[1]?.length ?? 0);
      const edit = { range: { start, end: start + (written?.[2]?.length ?? 0) }, newText: '-1' };
      report({
        at,
        message: 'axis',
        data: { axis },
        fixes: written === null ? [] : [{ title: 'Use axis -1', safe: false, edits: [edit] }],
      });
    }
  },
});

const statistics: ReadonlySet<string> = new Set(['mean', 'var', 'std', 'norm', 'vector_norm']);
/** Norms of other kinds go over other axes: instances, groups, batches. */
const isOfFeatures = (name: string): boolean => /(?:layer|rms|scale)_?norm/i.test(name) || /^(?:norm|ln)$/i.test(name);

function statisticsElsewhere(code: CodeReading): readonly { readonly node: TensorValue; readonly axis: number }[] {
  return code.studies.flatMap(({ calls }) =>
    calls.flatMap((call) => {
      const { result, instance } = call;
      if (instance.class.file?.isPrelude === true || !isOfFeatures(instance.class.name) || result?.kind !== 'tensor') return [];
      const [input] = argumentTensors(call);
      const width = input === undefined ? undefined : dimFromEnd(input, -1);
      if (input === undefined || width === undefined || !holdsWeightsFor(code, call, width)) return [];
      const own = ancestors(result, (tensor) => isWithin(tensor, call), 120).filter((tensor) => isWithin(tensor, call));
      // Weights that are given axes behind them belong to channels that stand elsewhere.
      if (
        own.some(
          ({ op, inputs }) =>
            inputs[0]?.isParameter === true && (op === 'getitem' || op === 'view' || op === 'reshape' || op === 'unsqueeze'),
        )
      )
        return [];
      return own.flatMap((node) => {
        const axis = statistics.has(node.op) ? axisOf(node) : undefined;
        const [over] = node.inputs;
        const place = axis === undefined || over === undefined ? undefined : fromEnd(axis, over);
        return axis === undefined || place === undefined || place === -1 || axis === 0 ? [] : [{ node, axis }];
      });
    }),
  );
}

/** All that the module holds is one weight per feature. */
function holdsWeightsFor(code: CodeReading, { instance }: ModuleCall, width: Dim): boolean {
  const weights = [...instance.attributes.values()].filter(
    (value): value is TensorValue => value.kind === 'tensor' && value.isParameter === true,
  );
  return (
    weights.length > 0 &&
    weights.every(
      ({ shape: { dims, ellipsis } }) =>
        ellipsis === undefined && dims.length === 1 && dims[0] !== undefined && !/^different/.test(compareSizes(code, dims[0], width)),
    )
  );
}

/** The one axis that it goes over. */
function axisOf(node: TensorValue): number | undefined {
  const given = node.arguments.get('dim') ?? node.arguments.get('axis');
  const only = (given?.kind === 'tuple' || given?.kind === 'list') && given.items.length === 1 ? given.items[0] : given;
  return only === undefined ? undefined : numberOf(only);
}
