/** Code that is only reached when sizes, lengths or states that stand elsewhere are understood. */
import { expectAtLines } from './atLines.ts';

const head =
  'from dataclasses import dataclass\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom torch import Tensor\n\n\n';

describe('settings that a dataclass works out of others', () => {
  const model = (width: string, finding = ''): string => `${head}
@dataclass
class Args:
    dim: int = 512
    heads: int = 8
    kv_heads: int = -1
    head_dim: int = 64
    hidden: int = None

    def __post_init__(self):
        if self.kv_heads == -1:
            self.kv_heads = self.heads
        if self.hidden is None:
            self.hidden = 4 * self.dim
        self.head_dim = self.dim // self.heads


class Attention(nn.Module):
    def __init__(self, config: Args):
        super().__init__()
        assert config.dim % config.heads == 0
        self.heads, self.kv_heads, self.head_dim = config.heads, config.kv_heads, config.head_dim
        self.dim = config.dim
        self.qkv = nn.Linear(config.dim, ${width}, bias=False)${finding}
        self.out = nn.Linear(config.dim, config.dim, bias=False)
        self.angles = None

    def setup(self, length):
        self.angles = torch.zeros(length, self.head_dim)

    def forward(self, x: Tensor):
        assert self.angles is not None, "call setup first"
        B, T, _ = x.shape
        kv = self.kv_heads * self.head_dim
        q, k, v = self.qkv(x).split([self.dim, kv, kv], dim=-1)
        q = q.view(B, T, self.heads, self.head_dim).transpose(1, 2)
        k = k.view(B, T, self.kv_heads, self.head_dim).transpose(1, 2)
        v = v.view(B, T, self.kv_heads, self.head_dim).transpose(1, 2)
        k = k.repeat_interleave(self.heads // self.kv_heads, dim=1)
        v = v.repeat_interleave(self.heads // self.kv_heads, dim=1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(B, T, self.dim))
`;
  it('are what they are worked out to be', () => {
    expectAtLines(model('(config.heads + 2 * config.kv_heads) * config.head_dim'));
    expectAtLines(model('config.dim + 2 * config.kv_heads * (config.dim // config.heads)'));
    expectAtLines(model('(config.heads + config.kv_heads) * config.head_dim', '  # HW214'));
  });

  it('stay open where they are worked out only when nothing is given', () => {
    expectAtLines(`${head}
@dataclass
class Args:
    dim: int = 512
    hidden: int = None

    def __post_init__(self):
        if self.hidden is None:
            self.hidden = 4 * self.dim


class FeedForward(nn.Module):
    def __init__(self, config: Args):
        super().__init__()
        self.up = nn.Linear(config.dim, config.hidden)
        self.down = nn.Linear(config.hidden, config.dim)

    def forward(self, x: Tensor):
        return self.down(F.gelu(self.up(x)))
`);
  });
});

describe('what a method sets before the model is called', () => {
  const model = (check: string, width: string): string => `${head}
class Model(nn.Module):
    def __init__(self, vocab, dim, hidden):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(${width}, dim)
        self.table = None

    def setup(self, length, dim):
        self.table = torch.zeros(length, dim)

    def forward(self, idx):
${check}
        x = self.embed(idx) + self.table[: idx.shape[1]]
        return x + self.down(F.gelu(self.up(x)))
`;
  it('does not keep what follows from being read', () => {
    for (const check of [
      '        assert self.table is not None',
      '        if self.table is None:\n            raise RuntimeError("call setup first")',
    ]) {
      expectAtLines(model(check, 'hidden'));
      expectAtLines(model(check, 'dim').replace('nn.Linear(dim, dim)', 'nn.Linear(dim, dim)  # HW223'));
    }
  });
});

describe('inputs of lengths of their own', () => {
  const cross = (tokens: string, finding = ''): string => `${head}
class Attend(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, dim * 2)
        self.proj = nn.Linear(dim, dim)

    def forward(self, q, x):
        B, n, C = q.shape
        q = self.q(q).reshape(B, n, self.heads, C // self.heads).permute(0, 2, 1, 3)
        B, N, C = x.shape
        kv = self.kv(x).reshape(B, ${tokens}, 2, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)${finding}
        k, v = kv[0], kv[1]
        q = F.scaled_dot_product_attention(q, k, v)
        return self.proj(q.transpose(1, 2).reshape(B, n, C))
`;
  it('are read off two inputs under two names', () => {
    expectAtLines(cross('N'));
    expectAtLines(cross('n', '  # HW212'));
  });

  it('are one length where the code adds the inputs', () => {
    expectAtLines(`${head}
class Gate(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.a = nn.Linear(dim, dim)
        self.b = nn.Linear(dim, dim)

    def forward(self, x, y):
        B, T, C = x.shape
        B2, T2, C2 = y.shape
        return x + self.a(x).view(B, T, C) * self.b(y).view(B2, T2, C2)
`);
  });

  const joint = (first: string, second: string): string => `${head}
class Joint(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.txt_qkv = nn.Linear(dim, dim * 3)
        self.img_qkv = nn.Linear(dim, dim * 3)
        self.txt_out = nn.Linear(dim, dim)
        self.img_out = nn.Linear(dim, dim)

    def forward(self, img: Tensor, txt: Tensor):
        qkv = torch.cat((self.txt_qkv(txt), self.img_qkv(img)), dim=1)
        B, L, C = qkv.shape
        q, k, v = qkv.view(B, L, 3, self.heads, C // self.heads // 3).permute(2, 0, 3, 1, 4)
        attn = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, L, C // 3)
        txt_attn, img_attn = attn[:, : ${first}.shape[1]], attn[:, ${first}.shape[1] :]${second}
        return img + self.img_out(img_attn), txt + self.txt_out(txt_attn)
`;
  it('are lengths at which something longer is cut', () => {
    expectAtLines(joint('txt', ''));
    expectAtLines(joint('img', '  # HW217'));
  });

  it('come back as they were from a residual sum', () => {
    const model = (turned: string, finding = ''): string => `${head}
class Layer(nn.Module):
    def __init__(self, attention, d_model, d_ff):
        super().__init__()
        self.attention = attention
        self.conv1 = nn.Conv1d(d_model, d_ff, 1)
        self.conv2 = nn.Conv1d(d_ff, d_model, 1)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x, mask=None):
        new, weights = self.attention(x, x, x, mask)
        x = x + self.dropout(new)
        y = x = self.norm1(x)
        y = self.dropout(F.relu(self.conv1(${turned})))${finding}
        y = self.dropout(self.conv2(y).transpose(-1, 1))
        return self.norm2(x + y), weights
`;
    expectAtLines(model('y.transpose(-1, 1)'));
    expectAtLines(model('y', '  # HW211'));
  });
});

describe('norms that are written out', () => {
  const norm = (deviation: string, finding = ''): string => `${head}
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-12):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(d_model))
        self.beta = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = x.var(-1, unbiased=False${deviation})${finding}
        out = (x - mean) / torch.sqrt(var + self.eps)
        return self.gamma * out + self.beta
`;
  it('keep the axis that they take a statistic over', () => {
    expectAtLines(norm(', keepdim=True'));
    expectAtLines(norm('', '  # HW216'));
  });
});

describe('a vector that is spread over the tokens', () => {
  const model = (by: string, finding = ''): string => `${head}
class Modulation(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.lin = nn.Linear(dim, 3 * dim)

    def forward(self, vec: Tensor):
        return self.lin(F.silu(vec))[:, None, :].chunk(3, dim=-1)


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.mod = Modulation(dim)
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.up = nn.Linear(dim, 4 * dim)
        self.down = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor, vec: Tensor):
        shift, scale, gate = self.mod(vec)
        h = (1 + scale${by}) * self.norm(x) + shift${finding}
        return x + gate * self.down(F.gelu(self.up(h)))
`;
  it('has no axis of tokens before', () => {
    expectAtLines(model(''));
  });
});
