import { formatDim } from '../../../dims/format.ts';
import { pastBehind } from '../../code/madeMasks.ts';
import { rangeIn } from '../../code/places.ts';
import { readDim } from '../../code/sizes.ts';
import { defineRule } from '../../rule.ts';
import { causalVerdicts } from './causalMask.ts';

const decoder = (mask: string) => ({
  language: 'python' as const,
  code: `import math
import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        assert d_model % n_heads == 0
        self.n_heads = n_heads
        self.head_dim = d_model // n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)

    def forward(self, x, past: int, cached_k: torch.Tensor, cached_v: torch.Tensor):
        B, T, C = x.shape
        q = self.q_proj(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        k = torch.cat([cached_k, k], dim=2)
        v = torch.cat([cached_v, v], dim=2)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)
        ${mask}
        scores = scores.masked_fill(~mask, float("-inf"))
        return F.softmax(scores, dim=-1) @ v
`,
});

export const causalOffset = defineRule({
  code: 'HW159',
  name: 'causal-mask-ignores-cached-keys',
  category: 'heads',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A causal mask over cached keys and new queries starts at the first key instead of after the cached ones.',
    why: 'With P cached keys the query at row i stands at position P + i and may see keys up to P + i: the boundary of the mask is at diagonal P. At diagonal 0 the new tokens do not see their own recent past, and generation differs from training.',
    bad: [decoder('mask = torch.ones(T, past + T, dtype=torch.bool, device=x.device).tril()')],
    good: [
      decoder('mask = torch.ones(T, past + T, dtype=torch.bool, device=x.device).tril(diagonal=past)'),
      decoder('mask = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()'),
    ],
    references: ['https://docs.pytorch.org/docs/stable/generated/torch.tril.html'],
  },
  messages: {
    cached: 'This causal mask is for {rows} queries and {columns} keys: its boundary is to be at diagonal {more}.',
    behind: 'The {more} keys of the past come before the new ones in a cache, and this mask has them behind.',
  },
  checkCode({ code, report }) {
    for (const { kind, made, used, region } of causalVerdicts(code)) {
      const at = made ?? used;
      if (kind !== 'cached' || at === undefined || region.rows === undefined || region.columns === undefined) continue;
      const [rows, columns] = [readDim(code, region.rows), readDim(code, region.columns)];
      report({
        at,
        message: 'cached',
        data: { rows: formatDim(rows), columns: formatDim(columns), more: `${formatDim(columns)} - ${formatDim(rows)}` },
        related: [{ range: used === at ? undefined : used, message: 'The mask is used here.' }],
      });
    }
    for (const { node, more } of pastBehind(code)) {
      const at = rangeIn(code, node.site);
      if (at !== undefined) report({ at, message: 'behind', data: { more: formatDim(readDim(code, more)) } });
    }
  },
});
