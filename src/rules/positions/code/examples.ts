/** Attention with rotary embeddings in which a line at a time differs: the examples of the rules about them. */
import type { RuleExample } from '../../rule.ts';

export interface RotaryParts {
  readonly apply?: string;
  readonly turn?: string;
  readonly width?: string;
}

export const rotaryExample = (parts: RotaryParts = {}): RuleExample => ({
  language: 'python',
  code: `import torch
import torch.nn as nn
import torch.nn.functional as F


def rotate_half(x):
    x1, x2 = x.chunk(2, dim=-1)
    return torch.cat((-x2, x1), dim=-1)


def apply_rope(x, cos, sin):
    return ${parts.turn ?? 'x * cos + rotate_half(x) * sin'}


class Attention(nn.Module):
    def __init__(self, d_model=512, n_heads=8, max_length=1024):
        super().__init__()
        assert d_model % n_heads == 0
        self.n_heads = n_heads
        self.head_dim = d_model // n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        width = ${parts.width ?? 'self.head_dim'}
        inv_freq = 1.0 / 10000 ** (torch.arange(0, width, 2).float() / width)
        angles = torch.outer(torch.arange(max_length).float(), inv_freq)
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, x):
        B, T, C = x.shape
        q = self.q_proj(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        cos, sin = self.cos[:T], self.sin[:T]
${(parts.apply ?? 'q = apply_rope(q, cos, sin)\nk = apply_rope(k, cos, sin)')
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return y.transpose(1, 2).reshape(B, T, C)
`,
});
