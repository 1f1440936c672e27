import { attentionsOf } from '../../code/attention.ts';
import { byPlace, rangeIn, shown } from '../../code/places.ts';
import { untransposed } from '../../code/untransposed.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample } from './examples.ts';

/** Keys of which as much as their width is known. */
const untold = (keys: string) => ({
  language: 'python' as const,
  code: `import math
import torch
import torch.nn as nn


class Attention(nn.Module):
    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.head_dim = d_model // n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)

    def split(self, x):
        return x.view(x.size(0), -1, self.n_heads, self.head_dim).transpose(1, 2)

    def forward(self, x, past_k, past_v):
        q = self.split(self.q_proj(x))
        k = torch.cat([past_k, self.split(self.k_proj(x))], dim=2)
        v = torch.cat([past_v, self.split(self.v_proj(x))], dim=2)
        scores = (q @ ${keys}) / math.sqrt(self.head_dim)
        return torch.softmax(scores, dim=-1) @ v
`,
});

export const scoresOverTokens = defineRule({
  code: 'HW169',
  name: 'keys-not-transposed',
  category: 'heads',
  severity: 'error',
  restates: 'HW210',
  since: '0.2.0',
  docs: {
    what: 'Queries are multiplied with keys that are not transposed: both have the head dim last.',
    why: 'A score is the dot product of a query and a key, so that the product sums over the head dim and has one column per key. Without the transpose it sums the head dim of the queries against the tokens of the keys, which fails unless there are as many tokens as a head is wide, and then gives no scores at all.',
    bad: [untold('k')],
    good: [attentionExample(), untold('k.transpose(-2, -1)')],
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    fact: '`{product}` multiplies {width} features with {width} features: the last two axes of the keys are not exchanged.',
    scaled: '`{product}` sums over another axis of the keys than the {width} features by whose root it is scaled: they are not transposed.',
  },
  checkCode({ code, report }) {
    const own = attentionsOf(code).filter((attention) => attention.kind === 'softmax');
    for (const group of byPlace(own, ({ product }) => product)) {
      const judged = group.map((attention) => untransposed(code, attention));
      const [first] = judged;
      const at = rangeIn(code, group[0]?.product.site);
      if (first === undefined || at === undefined || judged.includes(undefined)) continue;
      report({ at, message: first.message, data: { product: shown(code, at, 50), width: first.width } });
    }
  },
});
