/** Layers in which a line at a time differs: the examples of the rules about shapes. */
import type { RuleExample } from '../../rule.ts';

const body = (lines: readonly string[]): string => lines.map((line) => `        ${line}\n`).join('');

export interface AttentionParts {
  readonly query?: string;
  readonly key?: string;
  readonly value?: string;
  readonly out?: string;
  readonly splitQuery?: string;
  readonly splitKey?: string;
  readonly splitValue?: string;
  readonly before?: string;
  readonly scores?: string;
  readonly sum?: string;
  readonly merge?: string;
  readonly answer?: string;
}

/** Self-attention with separate projections and fewer key-value heads. */
export const groupedAttention = (parts: AttentionParts = {}): RuleExample => ({
  language: 'python',
  code: `import math
import torch
import torch.nn as nn


class Attention(nn.Module):
    def __init__(self, hidden_size, num_heads, num_kv_heads, head_dim):
        super().__init__()
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads
        self.head_dim = head_dim
${body([
  `self.q_proj = nn.Linear(hidden_size, ${parts.query ?? 'num_heads * head_dim'})`,
  `self.k_proj = nn.Linear(hidden_size, ${parts.key ?? 'num_kv_heads * head_dim'})`,
  `self.v_proj = nn.Linear(hidden_size, ${parts.value ?? 'num_kv_heads * head_dim'})`,
  `self.o_proj = nn.Linear(${parts.out ?? 'num_heads * head_dim'}, hidden_size)`,
])}
    def forward(self, x):
        B, T, _ = x.shape
${body([
  `q = self.q_proj(x).${parts.splitQuery ?? 'view(B, T, self.num_heads, self.head_dim).transpose(1, 2)'}`,
  `k = self.k_proj(x).${parts.splitKey ?? 'view(B, T, self.num_kv_heads, self.head_dim).transpose(1, 2)'}`,
  `v = self.v_proj(x).${parts.splitValue ?? 'view(B, T, self.num_kv_heads, self.head_dim).transpose(1, 2)'}`,
  ...(
    parts.before ??
    'k = k.repeat_interleave(self.num_heads // self.num_kv_heads, dim=1)\nv = v.repeat_interleave(self.num_heads // self.num_kv_heads, dim=1)'
  ).split('\n'),
  `scores = ${parts.scores ?? 'q @ k.transpose(-2, -1)'} / math.sqrt(self.head_dim)`,
  'weights = scores.softmax(dim=-1)',
  `y = ${parts.sum ?? 'weights @ v'}`,
  `y = ${parts.merge ?? 'y.transpose(1, 2).reshape(B, T, self.num_heads * self.head_dim)'}`,
])}        return ${parts.answer ?? 'self.o_proj(y)'}
`,
});

export interface FusedParts {
  readonly qkv?: string;
  readonly split?: string;
  readonly heads?: string;
  readonly merge?: string;
}

/** Self-attention with one projection for queries, keys and values. */
export const fusedAttention = (parts: FusedParts = {}): RuleExample => ({
  language: 'python',
  code: `import math
import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, n_embd, n_head):
        super().__init__()
        assert n_embd % n_head == 0
        self.n_head = n_head
        self.n_embd = n_embd
        self.c_attn = nn.Linear(n_embd, ${parts.qkv ?? '3 * n_embd'})
        self.c_proj = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).${parts.split ?? 'split(self.n_embd, dim=2)'}
${body(
  (parts.heads ?? 'view(B, T, self.n_head, C // self.n_head).transpose(1, 2)')
    .split('\n')
    .flatMap((heads) => ['q', 'k', 'v'].map((name) => `${name} = ${name}.${heads}`)),
)}        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = ${parts.merge ?? 'y.transpose(1, 2).contiguous().view(B, T, C)'}
        return self.c_proj(y)
`,
});

export interface BlockParts {
  readonly up?: string;
  readonly gate?: string;
  readonly down?: string;
  readonly norm?: string;
  readonly hidden?: string;
  readonly answer?: string;
}

/** A gated FFN behind a norm, with its residual. */
export const gatedBlock = (parts: BlockParts = {}): RuleExample => ({
  language: 'python',
  code: `import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, hidden_size, intermediate_size):
        super().__init__()
        self.norm = nn.LayerNorm(${parts.norm ?? 'hidden_size'})
        self.gate_proj = nn.Linear(${parts.gate ?? 'hidden_size, intermediate_size'})
        self.up_proj = nn.Linear(${parts.up ?? 'hidden_size, intermediate_size'})
        self.down_proj = nn.Linear(${parts.down ?? 'intermediate_size, hidden_size'})
        self.head = nn.Linear(hidden_size, hidden_size)

    def forward(self, x):
        h = self.norm(x)
        h = ${parts.hidden ?? 'self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))'}
        return ${parts.answer ?? 'self.head(x + h)'}
`,
});

export interface FeedForwardParts {
  readonly first?: string;
  readonly second?: string;
}

export const feedForward = (parts: FeedForwardParts = {}): RuleExample => ({
  language: 'python',
  code: `import torch.nn as nn
import torch.nn.functional as F


class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.fc1 = nn.Linear(${parts.first ?? 'd_model, d_ff'})
        self.fc2 = nn.Linear(${parts.second ?? 'd_ff, d_model'})

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))
`,
});
