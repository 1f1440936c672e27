import type { RuleExample } from '../../rule.ts';

const indented = (text: string, by: number): string =>
  text
    .split('\n')
    .map((line) => (line === '' ? line : `${' '.repeat(by)}${line}`))
    .join('\n');

const parts = `import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).split(c, dim=2)
        q = q.view(b, t, self.heads, self.head_dim).transpose(1, 2)
        k = k.view(b, t, self.heads, self.head_dim).transpose(1, 2)
        v = v.view(b, t, self.heads, self.head_dim).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(y.transpose(1, 2).reshape(b, t, c))


class MLP(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.up = nn.Linear(dim, 4 * dim)
        self.down = nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))
`;

const norms = 'self.norm1 = nn.LayerNorm(dim)\nself.norm2 = nn.LayerNorm(dim)';

/** A block with this body of \`forward\`, and with these norms. */
const blockCode = (forward: string, created: string, parameters = 'dim, heads'): string => `${parts}

class Block(nn.Module):
    def __init__(self, ${parameters}):
        super().__init__()
        self.attn = Attention(dim, heads)
        self.mlp = MLP(dim)
${indented(created, 8)}

    def forward(self, x):
${indented(forward, 8)}
`;

export const blockExample = (forward: string, created = norms, parameters = 'dim, heads'): RuleExample => ({
  language: 'python',
  code: blockCode(forward, created, parameters),
});

const preNorm = 'x = x + self.attn(self.norm1(x))\nx = x + self.mlp(self.norm2(x))\nreturn x';

/** A stack of pre-norm blocks whose \`forward\` ends so. */
export const stackExample = (forward: string, created = 'self.norm = nn.LayerNorm(dim)', block = preNorm): RuleExample => ({
  language: 'python',
  code: `${blockCode(block, norms)}

class Model(nn.Module):
    def __init__(self, vocab, dim, heads, depth):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.blocks = nn.ModuleList([Block(dim, heads) for _ in range(depth)])
${indented(created, 8)}
        self.head = nn.Linear(dim, vocab, bias=False)

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
${indented(forward, 8)}
`,
});
