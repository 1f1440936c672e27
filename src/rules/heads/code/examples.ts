/** One attention layer in which a line at a time differs: the examples of the rules about attention. */
import type { RuleExample } from '../../rule.ts';

export interface AttentionParts {
  readonly project?: string;
  readonly scores?: string;
  readonly mask?: string;
  readonly causal?: string;
  readonly weights?: string;
  readonly drop?: string;
  readonly sum?: string;
  readonly scale?: string;
}

const indent = (text: string, by: string): string =>
  text
    .split('\n')
    .map((line) => (line === '' ? line : by + line))
    .join('\n');

/** Causal self-attention over a fused projection. */
export const attentionExample = (parts: AttentionParts = {}): RuleExample => ({
  language: 'python',
  code: `import math
import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, d_model, n_heads, max_length, dropout=0.1):
        super().__init__()
        assert d_model % n_heads == 0
        self.n_heads = n_heads
        self.head_dim = d_model // n_heads
${parts.scale === undefined ? '' : `        self.scale = ${parts.scale}\n`}        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.proj = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("causal", ${parts.causal ?? 'torch.tril(torch.ones(max_length, max_length))'})

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.qkv(x).split(C, dim=2)
        q = q.view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        k = k.view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        v = v.view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
${parts.project === undefined ? '' : `${indent(parts.project, '        ')}\n`}${indent(
  [
    parts.scores ?? 'scores = (q @ k.transpose(-2, -1)) / math.sqrt(self.head_dim)',
    parts.mask ?? 'scores = scores.masked_fill(self.causal[:T, :T] == 0, float("-inf"))',
    parts.weights ?? 'weights = F.softmax(scores, dim=-1)',
    parts.drop ?? 'weights = self.dropout(weights)',
    parts.sum ?? 'y = weights @ v',
  ]
    .filter((line) => line !== '')
    .join('\n'),
  '        ',
)}
        return self.proj(y.transpose(1, 2).reshape(B, T, C))
`,
});

/** The same with one call for scores, mask, softmax and sum. */
export const calledExample = (call: string, before = ''): RuleExample => ({
  language: 'python',
  code: `import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        assert d_model % n_heads == 0
        self.n_heads = n_heads
        self.head_dim = d_model // n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.o_proj = nn.Linear(d_model, d_model)

    def forward(self, x):
        B, T, C = x.shape
        q = self.q_proj(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
${before === '' ? '' : `${indent(before, '        ')}\n`}        y = ${call}
        return self.o_proj(y.transpose(1, 2).reshape(B, T, C))
`,
});

/** A decoder that uses the layer of PyTorch. */
export const layerExample = (
  parts: { readonly layer?: string; readonly mask?: string; readonly call?: string; readonly after?: string } = {},
): RuleExample => ({
  language: 'python',
  code: `import torch
import torch.nn as nn


class Decoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, d_model)
        self.norm = nn.LayerNorm(d_model)
        self.attn = ${parts.layer ?? 'nn.MultiheadAttention(d_model, n_heads, batch_first=True)'}
        self.head = nn.Linear(d_model, vocab_size)

    def forward(self, tokens):
        B, T = tokens.shape
        x = self.embed(tokens)
        y = self.norm(x)
        mask = ${parts.mask ?? 'torch.triu(torch.ones(T, T, dtype=torch.bool), diagonal=1)'}
        ${parts.call ?? 'y, _ = self.attn(y, y, y, attn_mask=mask, need_weights=False)'}
        ${parts.after ?? 'x = x + y'}
        return self.head(x)
`,
});
