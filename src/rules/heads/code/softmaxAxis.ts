import type { CodeReading } from '../../../interpreter/study.ts';
import type { TensorValue } from '../../../interpreter/value.ts';
import { attentionsOf, softmaxAxis as axisOf, type Operand, type SoftmaxAttention } from '../../code/attention.ts';
import { byPlace, rangeIn, textAt } from '../../code/places.ts';
import { type Role, roleOfSource } from '../../code/roles.ts';
import { fromEnd, leastRank } from '../../code/tensors.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample } from './examples.ts';

export const softmaxAxis = defineRule({
  code: 'HW154',
  name: 'softmax-not-over-keys',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'The softmax of attention scores goes over another axis than that of the keys.',
    why: 'The weights of one query over all keys must add up to 1: the softmax goes over the axis that is summed over when the weights meet the values. Over queries, heads or the batch the shapes are the same and nothing fails, but each query takes an arbitrary amount of the values, and with a causal mask later tokens leak into earlier ones through the sum.',
    bad: [
      attentionExample({ weights: 'weights = F.softmax(scores, dim=-2)' }),
      attentionExample({ weights: 'weights = F.softmax(scores, dim=1)' }),
      attentionExample({ weights: 'weights = scores.softmax(0)' }),
    ],
    good: [
      attentionExample({ weights: 'weights = F.softmax(scores, dim=3)' }),
      attentionExample({
        scores: 'scores = (k @ q.transpose(-2, -1)) / math.sqrt(self.head_dim)',
        mask: 'scores = scores.masked_fill(self.causal[:T, :T].T == 0, float("-inf"))',
        weights: 'weights = F.softmax(scores, dim=-2)',
        sum: 'y = weights.transpose(-2, -1) @ v',
      }),
    ],
    fixSafety: 'The fix changes the axis. It changes what the model computes, which is the point.',
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    axis: 'The softmax goes over axis {axis}, but the weights meet the values over axis {keys}: the weights of a query do not add up to 1.',
    queries:
      'The weights meet the values over axis {keys}, that of the queries, and the softmax goes over axis {axis}: the weights of a query do not add up to 1.',
  },
  checkCode({ code, report }) {
    const all = attentionsOf(code).filter((each): each is SoftmaxAttention => each.kind === 'softmax');
    for (const group of byPlace(all, ({ node }) => saidBy(code, node))) {
      const wrong = group.map(wrongAxis);
      const [first] = wrong;
      const attention = group[0] as SoftmaxAttention;
      const { node, query, key } = attention;
      const used = rangeIn(code, node.site);
      const at = rangeIn(code, saidBy(code, node).site) ?? used;
      if (first === undefined || wrong.includes(undefined) || at === undefined) continue;
      // Scores that are normed along both axes, each way for a purpose of its own.
      if (
        group.some((each) =>
          all.some((other) => other.product === each.product && other.node !== each.node && axisOf(other.node) !== axisOf(each.node)),
        )
      )
        continue;
      const written = axisIn(textAt(code, at));
      const start = at.start + (written?.index ?? 0) + (written?.[1]?.length ?? 0);
      // By their own names the softmax goes over the keys: the weights are laid out otherwise than the sum takes them.
      const sum = rangeIn(code, attention.sums[0]?.node.site);
      if (sum !== undefined && isNamed(code, query, 'key') && isNamed(code, key, 'query')) {
        report({
          at: sum,
          message: 'queries',
          data: { axis: first.axis, keys: first.keys },
          related: [{ range: used, message: 'The softmax is taken here.' }],
        });
        continue;
      }
      report({
        at,
        message: 'axis',
        data: { axis: first.axis, keys: first.keys },
        related: [
          { range: at === used ? undefined : used, message: 'The softmax is taken here.' },
          { range: rangeIn(code, group[0]?.sums[0]?.node.site), message: 'The weights meet the values here.' },
        ],
        fixes:
          written === null || Number(written[2]) !== first.axis
            ? []
            : [
                {
                  title: `Use dim=${first.keys}`,
                  safe: false,
                  edits: [{ range: { start, end: start + (written[2]?.length ?? 0) }, newText: String(first.keys) }],
                },
              ],
      });
    }
  },
});

const isNamed = (code: CodeReading, { source }: Operand, role: Role): boolean =>
  source !== undefined && roleOfSource(code, source) === role;

const axisIn = (text: string): RegExpExecArray | null => /(\b(?:dim|axis)\s*=\s*|\w+\(\s*(?:[\w.]+\s*,\s*)?)(-?\d+)(?=\s*[,)])/.exec(text);

/** What says over which axis a softmax goes: the layer where it is made, the call of a helper that is told the axis, or the softmax itself. */
function saidBy(code: CodeReading, node: TensorValue): Pick<TensorValue, 'site'> {
  if (node.layer !== undefined && rangeIn(code, node.layer.site) !== undefined) return node.layer;
  const { trace } = node;
  if (trace === undefined || trace === node.call?.trace || axisIn(textAt(code, rangeIn(code, node.site))) !== null) return node;
  const told = axisIn(textAt(code, rangeIn(code, trace.site)));
  return told !== null && Number(told[2]) === axisOf(node) ? trace : node;
}

/** The axis of the softmax and that of the keys, where they surely differ. */
function wrongAxis({ node, sums }: SoftmaxAttention): { readonly axis: number; readonly keys: number } | undefined {
  const axis = axisOf(node);
  const [first] = sums;
  const keys = first?.axis;
  if (axis === undefined || keys === undefined || sums.some((sum) => sum.axis !== keys)) return undefined;
  // Weights that are made to add up afterwards are another thing.
  if (sums.some(({ steps }) => steps.some(({ kind, factor }) => kind === 'scale' && factor?.kind !== 'powers'))) return undefined;
  if (sums.some(({ steps }) => steps.some(({ kind, node: { op } }) => kind === 'other' && (op === 'mul' || op === 'div'))))
    return undefined;
  const fromLast = axis < 0 ? axis : fromEnd(axis, node);
  if (fromLast !== undefined) return fromLast === keys ? undefined : { axis, keys };
  // The rank is not known, but it is large enough that the axis cannot be that of the keys.
  return leastRank(node) > axis - keys ? { axis, keys } : undefined;
}
