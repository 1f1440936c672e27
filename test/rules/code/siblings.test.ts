/** Of parts that stand side by side and should be alike the odd one is blamed. Each of the mistakes fails in PyTorch. */
import { expectAtLines, expectHere } from './atLines.ts';

const head = 'import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n';

const fused = (parts: { readonly key?: string; readonly wide?: string; readonly sizes?: string } = {}): string => `${head}
class Mixer(nn.Module):
    def __init__(self, width: int, heads: int, kv_heads: int, head_dim: int):
        super().__init__()
        self.heads = heads
        self.kv_heads = kv_heads
        self.head_dim = head_dim
        self.wide = heads * head_dim
        self.unused = 0
        self.narrow = ${parts.wide ?? 'kv_heads * head_dim'}
        self.unused_too = 0
        self.qkv = nn.Linear(width, (heads + 2 * kv_heads) * head_dim)
        self.unused_three = 0
        self.out = nn.Linear(heads * head_dim, width)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = torch.split(self.qkv(x), ${parts.sizes ?? '[self.wide, self.narrow, self.narrow], dim=-1)'}
        q = q.view(B, -1, self.heads, self.head_dim).transpose(1, 2)
        k = k.view(B, -1, self.kv_heads, self.head_dim).transpose(1, 2)
        v = v.view(B, -1, self.kv_heads, self.head_dim).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.out(y.transpose(1, 2).reshape(B, T, self.heads * self.head_dim))
`;

describe('where the sizes of a split do not add up', () => {
  it('leaves sizes alone that do', () => expectHere(fused()));
  it('blames the number that a part is not used as', () => expectHere(fused({ wide: 'heads * head_dim  # here' })));
  it('blames the split that names another number which is right elsewhere', () =>
    expectHere(fused({ sizes: '[self.wide, self.narrow, self.wide], dim=-1)  # here' })));
});

const tables = (cos: string): string => `${head}
class Rotary(nn.Module):
    def __init__(self, head_dim: int, max_len: int):
        super().__init__()
        steps = torch.arange(max_len).float()
        speeds = 10000.0 ** (-torch.arange(0, head_dim, 2).float() / head_dim)
        angles = torch.outer(steps, speeds)
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer('cos', ${cos}
        self.unused = 0
        self.register_buffer('sin', angles.sin()[None, None])

    def forward(self, x):
        T = x.shape[2]
        turned = torch.cat((-x.chunk(2, dim=-1)[1], x.chunk(2, dim=-1)[0]), dim=-1)
        return x * self.cos[:, :, :T] + turned * self.sin[:, :, :T]


class Attention(nn.Module):
    def __init__(self, d_model: int, n_heads: int, max_len: int):
        super().__init__()
        assert d_model % n_heads == 0
        self.n_heads = n_heads
        self.head_dim = d_model // n_heads
        self.q = nn.Linear(d_model, d_model)
        self.rotary = Rotary(self.head_dim, max_len)

    def forward(self, x):
        B, T, C = x.shape
        q = self.q(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        return self.rotary(q)
`;

describe('where one of two tables is laid out otherwise', () => {
  it('leaves tables alone that are alike', () => expectHere(tables('angles.cos()[None, None])')));
  it('blames the one that does not fit', () => expectHere(tables('angles.cos()[None, :, None])  # here')));
});

const cached = (parts: { readonly values?: string; readonly axis?: string } = {}): string => `${head}
class Attention(nn.Module):
    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        assert d_model % n_heads == 0
        self.n_heads = n_heads
        self.head_dim = d_model // n_heads
        self.qkv = nn.Linear(d_model, 3 * d_model)

    def forward(self, x, layer_past=None):
        B, T, C = x.shape
        q, k, v = (each.view(B, T, self.n_heads, self.head_dim).transpose(1, 2) for each in self.qkv(x).chunk(3, dim=-1))
        if layer_past is not None:
            past_k, past_v = layer_past
            k = torch.cat((past_k, k), dim=${parts.axis ?? '2)'}
            v = ${parts.values ?? 'torch.cat((past_v, v), dim=2)'}
        q = q.reshape(B * self.n_heads, -1, self.head_dim)
        keys = k.reshape(B * self.n_heads, -1, self.head_dim)
        values = v.reshape(B * self.n_heads, -1, self.head_dim)
        weights = F.softmax(torch.bmm(q, keys.transpose(1, 2)) * self.head_dim**-0.5, dim=-1)
        return torch.bmm(weights, values), (k, v)
`;

describe('where what is cached is joined in one branch', () => {
  it('leaves joins along the tokens alone', () => expectAtLines(cached()));
  it('finds the one along the heads', () => expectAtLines(cached({ axis: '1)  # HW425' })));
});
