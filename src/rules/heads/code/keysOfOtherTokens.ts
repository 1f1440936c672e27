import type { CodeReading, Study } from '../../../interpreter/study.ts';
import type { ModuleCall, TensorValue, Value } from '../../../interpreter/value.ts';
import type { Range } from '../../../text/range.ts';
import { attentionsOf } from '../../code/attention.ts';
import { axisPath, type Place } from '../../code/axes.ts';
import { studyOf } from '../../code/layers.ts';
import { rangeIn, textAt } from '../../code/places.ts';
import { asTensor } from '../../code/tensors.ts';
import { tokenOrigins } from '../../code/tokenOrigins.ts';
import { unreadMemories } from '../../code/unreadMemory.ts';
import { defineRule } from '../../rule.ts';

const decoder = (given: string) => ({
  language: 'python' as const,
  code: `import torch.nn as nn
import torch.nn.functional as F


class CrossAttention(nn.Module):
    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.head_dim = d_model // n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.o_proj = nn.Linear(d_model, d_model)

    def split(self, x):
        return x.view(x.size(0), x.size(1), self.n_heads, self.head_dim).transpose(1, 2)

    def forward(self, q, k, v):
        q, k, v = self.split(self.q_proj(q)), self.split(self.k_proj(k)), self.split(self.v_proj(v))
        y = F.scaled_dot_product_attention(q, k, v)
        return self.o_proj(y.transpose(1, 2).flatten(2))


class DecoderLayer(nn.Module):
    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.cross_attn = CrossAttention(d_model, n_heads)

    def forward(self, x, memory):
        h = self.norm(x)
        return x + self.cross_attn(${given})
`,
});

export const keysOfOtherTokens = defineRule({
  code: 'HW170',
  name: 'keys-and-values-of-different-tokens',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Attention takes its keys from one sequence and its values from another.',
    why: 'There is one weight for each key, and it is the weight of the value of the same token. With keys of an encoder and values of a decoder the product of weights and values fails as soon as the two sequences differ in length, and mixes unrelated tokens where they do not. Reported where one of the two goes with the queries and both are known to be sequences of their own: each attends to itself elsewhere, or is called a memory or a context.',
    bad: [decoder('h, memory, h'), decoder('h, h, memory')],
    good: [decoder('h, memory, memory')],
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    fact: 'The keys are made of `{keys}` and the values of `{values}`: attention needs both of the same tokens.',
    unread: '`{name}` comes in and nothing reads it: this cross-attention gets none of its tokens.',
  },
  checkCode({ code, report }) {
    for (const { name, call } of unreadMemories(code)) {
      const at = rangeIn(code, call);
      if (at !== undefined) report({ at, message: 'unread', severity: 'information', data: { name } });
    }
    const study = studyOf(code);
    if (study === undefined) return;
    const all = attendedIn(code, study);
    const alone = new Set<TensorValue>();
    for (const { query, key, value } of all) {
      const [only] = query;
      if (only !== undefined && [query, key, value].every((each) => each.size === 1 && each.has(only))) alone.add(only);
    }
    const seen = new Set<number>();
    for (const { query, key, value, at } of all) {
      const areApart = !meet(key, value) && meet(query, key) !== meet(query, value);
      if (!areApart || at === undefined || seen.has(at.start)) continue;
      const other = meet(query, key) ? value : key;
      const mine = other === key ? value : key;
      const isSequence = [...other].every((origin) => alone.has(origin)) && [...mine].every((origin) => alone.has(origin));
      if (!isSequence && ![...other, ...query].some((origin) => memories.test(nameOf(code, origin)))) continue;
      seen.add(at.start);
      const [keys, values] = [key, value].map((origins) => [...origins].map((origin) => nameOf(code, origin)).join('`, `'));
      report({ at, message: 'fact', data: { keys: keys ?? '', values: values ?? '' } });
    }
  },
});

const memories = /memory|enc(?:oder)?(?:_|s?$)|context|(?:^|_)src|cross/i;

const nameOf = (code: CodeReading, { site }: TensorValue): string => textAt(code, rangeIn(code, site));

const meet = (left: ReadonlySet<TensorValue>, right: ReadonlySet<TensorValue>): boolean => [...left].some((each) => right.has(each));

interface Attended {
  readonly query: ReadonlySet<TensorValue>;
  readonly key: ReadonlySet<TensorValue>;
  readonly value: ReadonlySet<TensorValue>;
  readonly at: Range | undefined;
}

/** What comes in of which the queries, keys and values of each attention are, where all of it is known. */
function attendedIn(code: CodeReading, study: Study): readonly Attended[] {
  const found: Attended[] = [];
  const add = (query: Place, key: Place, value: Place, call?: ModuleCall): void => {
    const [q, k, v] = [query, key, value].map(tokenOrigins);
    if (q === undefined || k === undefined || v === undefined) return;
    found.push({ query: q, key: k, value: v, at: rangeIn(code, call?.site) ?? placeOf(code, key, value, meet(q, k)) });
  };
  for (const attention of attentionsOf(code)) {
    if (attention.study !== study) continue;
    const value = attention.kind === 'softmax' ? attention.sums[0]?.value : attention.value;
    const [q, k] = [attention.query, attention.key];
    if (q.axis === undefined || k.axis === undefined || value?.axis === undefined || Math.min(q.axis, k.axis) < -2) continue;
    add({ node: q.tensor, axis: -3 - q.axis }, { node: k.tensor, axis: -3 - k.axis }, { node: value.tensor, axis: value.axis });
  }
  for (const call of study.calls) {
    if (!call.instance.class.mro.some(({ qualifiedName }) => qualifiedName === 'torch.nn.MultiheadAttention')) continue;
    const flag = call.instance.attributes.get('batch_first');
    const axis = flag?.kind !== 'bool' || flag.value === undefined ? undefined : flag.value ? -2 : -3;
    const [query, key, value] = ['query', 'key', 'value'].map((name, i) => asTensor(call.keywords.get(name) ?? call.positional[i]));
    if (axis === undefined || query === undefined || key === undefined || value === undefined) continue;
    add({ node: query, axis }, { node: key, axis }, { node: value, axis }, call);
  }
  return found;
}

/** The call that hands both over, or the projection of the one that goes with the queries. */
function placeOf(code: CodeReading, key: Place, value: Place, isKey: boolean): Range | undefined {
  const [k, v] = [key, value].map((place) => axisPath(place).find(({ node }) => node.op === 'linear')?.node);
  const odd = isKey ? k : v;
  const call = k?.call?.parent;
  const isSpread = call !== undefined && call === v?.call?.parent && tensorsIn(call.positional) + tensorsIn(call.keywords.values()) > 2;
  return (isSpread ? rangeIn(code, call.site) : undefined) ?? rangeIn(code, odd?.trace?.site) ?? rangeIn(code, odd?.site);
}

function tensorsIn(values: Iterable<Value>): number {
  let count = 0;
  for (const value of values) if (asTensor(value) !== undefined) count += 1;
  return count;
}
