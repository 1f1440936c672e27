/** Code that runs and computes something else: each line that ends in a code has that finding, and no other line has any of the rules'. */
import assert from 'node:assert/strict';
import { LineIndex } from '../../../src/text/lineIndex.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../../unit/python/parser.ts';

let python: PythonReader;
before(async () => {
  python = pythonReader(await pythonParser());
});

function expectAtLines(text: string): void {
  const expected = text.split('\n').flatMap((line, i) => {
    const mark = /#\s*((?:HW\d+\s*)+)$/.exec(line);
    return (mark?.[1] ?? '')
      .split(/\s+/)
      .filter(Boolean)
      .map((code) => `${i + 1} ${code}`);
  });
  const lines = new LineIndex(text);
  const found = analyse({ text, path: 'model.py', python }, defaultSettings).findings.filter(
    ({ severity }) => severity === 'error' || severity === 'warning',
  );
  const seen = [...new Set(found.map(({ code, range }) => `${lines.positionAt(range.start).line + 1} ${code}`))];
  assert.deepEqual(seen.sort(), expected.sort(), found.map(({ code, message }) => `${code} ${message}`).join('\n'));
}

const head = 'import math\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n';

describe('scales of attention scores', () => {
  const configured = (scale: string, norm = ''): string => `${head}
class Config:
    def __init__(self, hidden_size=512, num_heads=8, head_dim=None, scalar=None, **kwargs):
        self.hidden_size = hidden_size
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.scalar = scalar


class HeadNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.num_heads = config.num_heads
        self.head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_heads
        self.q = nn.Linear(config.hidden_size, self.num_heads * self.head_dim)
        self.k = nn.Linear(config.hidden_size, self.num_heads * self.head_dim)
        self.v = nn.Linear(config.hidden_size, self.num_heads * self.head_dim)
        self.out = nn.Linear(self.num_heads * self.head_dim, config.hidden_size)
        self.q_norm = HeadNorm(self.head_dim)
        self.k_norm = HeadNorm(self.head_dim)
        self.scale = ${scale}

    def forward(self, x):
        B, T, _ = x.shape
        q, k, v = (layer(x).view(B, T, self.num_heads, self.head_dim).transpose(1, 2) for layer in (self.q, self.k, self.v))
${norm}
        weights = F.softmax((q @ k.transpose(-2, -1)) * self.scale, dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(B, T, -1))
`;
  const normed = '        q, k = self.q_norm(q), self.k_norm(k)';

  it('are powers of a head dim that a config gives or that is computed', () => {
    expectAtLines(configured('self.head_dim ** 0.5  # HW152'));
    expectAtLines(configured('config.hidden_size ** -0.5  # HW151'));
    expectAtLines(configured('self.head_dim ** -0.5'));
  });

  it('do not turn round behind norms of queries and keys', () => {
    expectAtLines(configured('self.head_dim ** 0.5  # HW152', normed));
    expectAtLines(configured('config.hidden_size ** -0.5  # HW151', normed));
    for (const fine of ['self.head_dim ** -0.5', '1.0', '1.0 / self.head_dim']) expectAtLines(configured(fine, normed));
    // Of unit length, scores are between -1 and 1: there the root is the usual scale.
    expectAtLines(configured('self.head_dim ** 0.5', '        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)'));
  });

  it('are sought in one of two settings only where either enlarges', () => {
    expectAtLines(configured('1.0 / math.sqrt(config.scalar or self.head_dim)'));
    expectAtLines(configured('1.0 / math.sqrt(config.scalar if config.scalar is not None else self.head_dim)'));
  });

  const nested = (temperature: string, mark = '', axis = '-1)'): string => `${head}
class Scaled(nn.Module):
    def __init__(self, temperature):
        super().__init__()
        self.temperature = temperature
        self.softmax = nn.Softmax(dim=${axis}

    def forward(self, q, k, v):
        weights = self.softmax(torch.matmul(q / self.temperature, k.transpose(2, 3)))
        return torch.matmul(weights, v)


class MultiHead(nn.Module):
    def __init__(self, n_head, d_model, d_k):
        super().__init__()
        self.n_head, self.d_k = n_head, d_k
        self.w_qs = nn.Linear(d_model, n_head * d_k)
        self.w_ks = nn.Linear(d_model, n_head * d_k)
        self.w_vs = nn.Linear(d_model, n_head * d_k)
        self.fc = nn.Linear(n_head * d_k, d_model)
        self.attention = Scaled(temperature=${temperature})${mark}

    def forward(self, x):
        B, T, _ = x.shape
        q = self.w_qs(x).view(B, T, self.n_head, self.d_k).transpose(1, 2)
        k = self.w_ks(x).view(B, T, self.n_head, self.d_k).transpose(1, 2)
        v = self.w_vs(x).view(B, T, self.n_head, self.d_k).transpose(1, 2)
        return self.fc(self.attention(q, k, v).transpose(1, 2).reshape(B, T, -1))
`;

  it('are said where the call that makes the module gives them', () => {
    expectAtLines(nested('d_k ** 0.5'));
    expectAtLines(nested('d_model ** 0.5', '  # HW151'));
    expectAtLines(nested('d_k ** -0.5', '  # HW152'));
  });

  it('an axis of the softmax is said where its layer is made', () => {
    expectAtLines(nested('d_k ** 0.5', '', '1)  # HW154'));
  });

  it('are followed on both ways that a flag of the module chooses', () => {
    const flagged = (root: string): string => `${head}import os

if "FUSED" in os.environ:
    FUSED = int(os.environ["FUSED"])
else:
    FUSED = 1


class Attention(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, dim // num_heads
        self.scale = self.head_dim ** ${root}
        self.fused = FUSED > 0
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).reshape(B, T, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            x = F.scaled_dot_product_attention(q, k, v)
        else:
            q = q * self.scale
            x = (q @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        return self.proj(x.transpose(1, 2).reshape(B, T, C))
`;
    expectAtLines(flagged('-0.5'));
    expectAtLines(flagged('0.5  # HW152'));
  });
});
