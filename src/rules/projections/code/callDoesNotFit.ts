import type { RuleExample } from '../../rule.ts';
import { faultRule } from './fault.ts';

const decoderLayer = (call: string): RuleExample => ({
  language: 'python',
  code: `import torch.nn as nn
import torch.nn.functional as F


class CrossAttention(nn.Module):
    def __init__(self, d_model, n_head):
        super().__init__()
        self.n_head = n_head
        self.q_proj = nn.Linear(d_model, d_model)
        self.kv_proj = nn.Linear(d_model, 2 * d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, x, memory, is_causal=False):
        B, T, C = x.shape
        k, v = self.kv_proj(memory).chunk(2, dim=-1)
        q, k, v = (each.unflatten(-1, (self.n_head, -1)).transpose(1, 2) for each in (self.q_proj(x), k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=is_causal)
        return self.out_proj(y.transpose(1, 2).reshape(B, T, C))


class DecoderLayer(nn.Module):
    def __init__(self, d_model, n_head):
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.cross_attn = CrossAttention(d_model, n_head)

    def forward(self, x, memory):
        return x + ${call}
`,
});

export const callDoesNotFit = faultRule('arguments', 'HW227', 'call-does-not-fit-signature', {
  what: 'A function or module of the workspace is called with arguments that it does not take, or without one that it needs.',
  why: 'Python stops with a TypeError when the line runs. Mostly a signature was changed, and one of the calls was left as it was.',
  bad: [decoderLayer('self.cross_attn(self.norm(x))'), decoderLayer('self.cross_attn(self.norm(x), memory, causal=False)')],
  good: [decoderLayer('self.cross_attn(self.norm(x), memory)')],
  references: ['https://docs.python.org/3/reference/expressions.html#calls'],
});
