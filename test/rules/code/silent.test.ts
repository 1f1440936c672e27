/** Code that runs and computes something else: each line that ends in a code has that finding, and no other line has any of the rules'. */
import assert from 'node:assert/strict';
import { expectAtLines, findingsIn } from './atLines.ts';

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

  it('are said to be taken twice where the number is made that scales both sides', () => {
    const fused = (scale: string): string => `${head}
class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        B, T, C = x.shape
        d = C // self.heads
        scale = ${scale}
        q, k, v = torch.split(self.qkv(x).view(B, T, self.heads, 3 * d), d, dim=-1)
        weight = torch.einsum("bthc,bshc->bhts", q * scale, k * scale)
        weight = torch.softmax(weight.float(), dim=-1)
        return self.out(torch.einsum("bhts,bshc->bthc", weight, v).reshape(B, T, C))
`;
    expectAtLines(fused('1 / math.sqrt(math.sqrt(d))'));
    expectAtLines(fused('1 / math.sqrt(d)  # HW153'));
  });

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

describe('residuals that are left out', () => {
  const parts = `${head}
class Attention(nn.Module):
    def __init__(self, dim, heads, head_dim=64):
        super().__init__()
        inner = heads * head_dim
        self.heads, self.head_dim = heads, head_dim
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, inner * 3)
        self.out = nn.Linear(inner, dim) if not (heads == 1 and head_dim == dim) else nn.Identity()

    def forward(self, x):
        B, T, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).view(B, T, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, T, -1))


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x):
        return self.net(x)

`;
  const loop = (first: string, second: string): string => `${parts}
class Transformer(nn.Module):
    def __init__(self, dim, depth, heads, hidden):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.layers = nn.ModuleList([nn.ModuleList([Attention(dim, heads), FeedForward(dim, hidden)]) for _ in range(depth)])

    def forward(self, x):
        for attn, ff in self.layers:
            ${first}
            ${second}
        return self.norm(x)
`;

  it('are missed in a loop over pairs of sublayers, whatever the output projection is', () => {
    expectAtLines(loop('x = attn(x) + x', 'x = ff(x) + x'));
    expectAtLines(loop('x = attn(x)  # HW322', 'x = ff(x) + x'));
    expectAtLines(loop('x = attn(x) + x', 'x = ff(x)  # HW322'));
  });

  const flagged = (parallel: string, serial: string): string => `${parts}
class Norm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class Config:
    def __init__(self, dim=512, heads=8, hidden=2048, depth=4, parallel_residual=True, root_norm=False):
        self.dim, self.heads, self.hidden, self.depth = dim, heads, hidden, depth
        self.parallel_residual = parallel_residual
        self.root_norm = root_norm


class Plain(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.up, self.down = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        norm = Norm if config.root_norm else nn.LayerNorm
        self.norm = norm(config.dim)
        self.attn = Attention(config.dim, config.heads)
        self.mlp = Plain(config.dim, config.hidden)
        self.parallel = config.parallel_residual
        self.config = config

    def forward(self, x):
        attended = self.attn(x)
        if self.config.parallel_residual:
            ${parallel}
        else:
            h = x + attended
            ${serial}
        return x


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(1000, config.dim)
        self.layers = nn.ModuleList([Block(config) for _ in range(config.depth)])
        self.norm = nn.LayerNorm(config.dim)
        self.head = nn.Linear(config.dim, 1000)

    def forward(self, ids):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))
`;

  it('are missed on either way that a flag of parallel sublayers takes, under norms of one of two classes', () => {
    expectAtLines(flagged('x = x + attended + self.mlp(self.norm(x))', 'x = h + self.mlp(self.norm(h))'));
    expectAtLines(flagged('x = x + attended + self.mlp(self.norm(x))', 'x = self.mlp(self.norm(h))  # HW322'));
  });

  const pointwise = (first: string, second: string): string => `${head}
class ChannelNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.g, self.b = nn.Parameter(torch.ones(1, dim, 1, 1)), nn.Parameter(torch.zeros(1, dim, 1, 1))

    def forward(self, x):
        var = torch.var(x, dim=1, unbiased=False, keepdim=True)
        mean = torch.mean(x, dim=1, keepdim=True)
        return (x - mean) / (var + 1e-5).sqrt() * self.g + self.b


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm = ChannelNorm(dim)
        self.qkv, self.out = nn.Conv2d(dim, dim * 3, 1), nn.Conv2d(dim, dim, 1)

    def forward(self, x):
        B, C, H, W = x.shape
        q, k, v = self.qkv(self.norm(x)).view(B, 3, self.heads, C // self.heads, H * W).transpose(-2, -1).unbind(1)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(-2, -1).reshape(B, C, H, W))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        assert dim % heads == 0
        self.attn = Attention(dim, heads)
        self.mlp = nn.Sequential(ChannelNorm(dim), nn.Conv2d(dim, dim * 4, 1), nn.GELU(), nn.Conv2d(dim * 4, dim, 1))

    def forward(self, x):
        ${first}
        ${second}
        return x
`;

  it('are missed around convolutions over single places', () => {
    expectAtLines(pointwise('x = x + self.attn(x)', 'x = x + self.mlp(x)'));
    expectAtLines(pointwise('x = self.attn(x)  # HW322', 'x = x + self.mlp(x)'));
    expectAtLines(pointwise('x = x + self.attn(x)', 'x = self.mlp(x)  # HW322'));
  });

  it('one norm before or behind by a flag is one norm, not two', () => {
    const either = `${parts}
class Layer(nn.Module):
    def __init__(self, dim, heads, hidden, do_norm_before=True):
        super().__init__()
        self.before = do_norm_before
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.up, self.down = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        residual = x
        if self.before:
            x = self.norm1(x)
        x = residual + self.attn(x, x, x)[0]
        if not self.before:
            x = self.norm1(x)
        residual = x
        if self.before:
            x = self.norm2(x)
        x = residual + self.down(F.relu(self.up(x)))
        if not self.before:
            x = self.norm2(x)
        return x
`;
    expectAtLines(either);
  });
});

describe('masks that are taken off', () => {
  const masked = (step: string, before = ''): string => `${head}
class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        assert dim % heads == 0
        self.heads, self.head_dim = heads, dim // heads
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x, attention_mask=None):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-2, -1) * self.head_dim ** -0.5
        if attention_mask is not None:
${before}            ${step}
        return self.out((F.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(B, T, C))
`;

  it('are to be added, unless they were made to be taken off', () => {
    expectAtLines(masked('scores = scores + attention_mask'));
    expectAtLines(masked('scores = scores - attention_mask  # HW156'));
    expectAtLines(masked('scores = scores - 1e4 * (1.0 - attention_mask)'));
    expectAtLines(masked('scores = scores - attention_mask', '            attention_mask = (1.0 - attention_mask) * 1e4\n'));
  });
});

describe('sizes that are one', () => {
  const aliased = (map: string): string => `${head}
class AudioConfig:
    ${map}


class Audio(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(100, config.audio.hidden_size)
        self.proj = nn.Linear(config.audio.text_hidden_size, 10)

    def forward(self, ids):
        return self.proj(self.embed(ids))
`;
  const warnings = (text: string): readonly string[] => findingsIn(text).map(({ code }) => code);

  it('by two names that the map of a configuration makes one', () => {
    assert.deepEqual(warnings(aliased('attribute_map = {"hidden_size": "text_hidden_size"}')), []);
    assert.notDeepEqual(warnings(aliased('attribute_map = {}')), []);
  });
});
