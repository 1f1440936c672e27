/** Mistakes that stand where something is made: tables, layers of classes of one's own, parts of one cut. */
import { expectHere } from './atLines.ts';

const head = 'import math\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n';

const positions = (table: string): string => `${head}
class Positions(nn.Module):
    def __init__(self, d_model, max_len):
        super().__init__()
        ${table}
        place = torch.arange(0, max_len).float().unsqueeze(1)
        even = torch.arange(0, d_model, 2).float()
        self.lengths = max_len
        self.offset = 0
        self.width = d_model
        self.table[:, 0::2] = torch.sin(place / (10000 ** (even / d_model)))
        self.table[:, 1::2] = torch.cos(place / (10000 ** (even / d_model)))

    def forward(self, x):
        return x + self.table[: x.size(1)]
`;

describe('a table that is filled', () => {
  it('is wrong where it is made with its axes exchanged', () =>
    expectHere(positions('self.table = torch.zeros(d_model, max_len)  # here')));
  it('is left alone where it is made as it is filled', () => expectHere(positions('self.table = torch.zeros(max_len, d_model)')));
});

const experts = (back: string): string => `${head}
class Experts(nn.Module):
    def __init__(self, num_experts, dim, intermediate_size):
        super().__init__()
        self.up = nn.Parameter(torch.empty(num_experts, intermediate_size, dim))
        ${back}
        self.num_experts = num_experts
        self.dim = dim
        self.intermediate_size = intermediate_size

    def forward(self, x, chosen: torch.Tensor):
        B, T, C = x.shape
        x = x.view(-1, C)
        up = self.up[chosen.view(B * T, 2)]
        back = self.back[chosen.view(B * T, 2)]
        hidden = F.silu(torch.einsum('ti,taoi->tao', x, up))
        return torch.einsum('tao,taio->tai', hidden, back)
`;

describe('weights that are looked up for an equation', () => {
  it('are wrong where they are made with their axes exchanged', () =>
    expectHere(experts('self.back = nn.Parameter(torch.empty(num_experts, intermediate_size, dim))  # here')));
  it('are left alone where they are made as the equation takes them', () =>
    expectHere(experts('self.back = nn.Parameter(torch.empty(num_experts, dim, intermediate_size))')));
});

const adapted = (value: string): string => `${head}
class LoRALinear(nn.Module):
    def __init__(self, in_features, out_features, rank=8, scaling=2.0):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.scaling = scaling
        self.down = nn.Linear(self.in_features, rank, bias=False)
        self.up = nn.Linear(rank, self.out_features, bias=False)
        self.linear = nn.Linear(self.in_features, self.out_features, bias=False)

    def forward(self, x):
        return self.linear(x) + self.up(self.down(x)) * self.scaling


class Attention(nn.Module):
    def __init__(self, dim, n_heads, head_dim, n_kv_heads):
        super().__init__()
        self.n_heads = n_heads
        self.head_dim = head_dim
        self.n_kv_heads = n_kv_heads
        self.wo = LoRALinear(n_heads * head_dim, dim)
        self.wq = LoRALinear(dim, n_heads * head_dim)
        self.wk = LoRALinear(dim, n_kv_heads * head_dim)
        self.repeats = n_heads // n_kv_heads
        self.scale = head_dim ** -0.5

        ${value}

    def forward(self, x):
        B, T, _ = x.shape
        q = self.wq(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        k = self.wk(x).view(B, T, self.n_kv_heads, self.head_dim).transpose(1, 2)
        v = self.wv(x).view(B, T, self.n_kv_heads, self.head_dim).transpose(1, 2)
        k = k.repeat_interleave(self.repeats, dim=1)
        v = v.repeat_interleave(self.repeats, dim=1)
        out = F.scaled_dot_product_attention(q, k, v)
        return self.wo(out.transpose(1, 2).reshape(B, T, -1))
`;

describe('a layer of a class of its own that adds to what a layer gives', () => {
  it('is wrong where it is made with other sizes', () => expectHere(adapted('self.wv = LoRALinear(dim, n_heads * head_dim)  # here')));
  it('is left alone where its sizes are right', () => expectHere(adapted('self.wv = LoRALinear(dim, n_kv_heads * head_dim)')));
});

const fused = (parts: string, mark = ''): string => `${head}
class Attention(nn.Module):
    def __init__(self, dim, n_head, n_kv_head):
        super().__init__()
        self.n_head = n_head
        self.n_kv_head = n_kv_head
        self.dim = dim
        self.head_dim = dim // n_head
        self.wqkv = nn.Linear(dim, (n_head + 2 * n_kv_head) * self.head_dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def forward(self, x):
        B, T, _ = x.shape
        kv_size = self.n_kv_head * self.head_dim
        q, k, v = self.wqkv(x).split([${parts}], dim=-1)${mark}
        # The heads stand in front of the tokens:
        # queries have more of them than keys and values,
        # which are repeated for as many queries
        # as share them.
        q = q.view(B, T, self.n_head, self.head_dim).transpose(1, 2)
        k = k.view(B, T, self.n_kv_head, self.head_dim).transpose(1, 2)
        v = v.view(B, T, self.n_kv_head, self.head_dim).transpose(1, 2)
        k = k.repeat_interleave(self.n_head // self.n_kv_head, dim=1)
        v = v.repeat_interleave(self.n_head // self.n_kv_head, dim=1)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.wo(y.transpose(1, 2).reshape(B, T, self.dim))
`;

describe('parts of one cut', () => {
  it('are cut wrongly where they have the widths of each other', () => expectHere(fused('kv_size, kv_size, self.dim', '  # here')));
  it('are left alone in their order', () => expectHere(fused('self.dim, kv_size, kv_size')));
});
