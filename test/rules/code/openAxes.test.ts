/** What code says of axes without counting them: sizes read off both ends, layers behind norms. */
import { expectAtLines } from './atLines.ts';

const head = 'import torch\nimport torch.nn as nn\n\n\n';

describe('sizes that are read off both ends of a tensor', () => {
  const mixer = (read: string, wide: string): string => `${head}class Mixer(nn.Module):
    def __init__(self, dim, ff_dim):
        super().__init__()
        self.dim = dim
        self.mix = nn.Linear(dim, ${wide})

    def forward(self, data):
        ${read}
        flat = data.reshape(b, c, -1)
        mixed = self.mix(flat.transpose(1, 2)).transpose(1, 2)
        return flat + mixed${wide === 'dim' ? '' : '  # HW217'}
`;

  it('are known behind', () => {
    for (const read of ['b, c, *sides = data.shape', 'b, c, *_, device = *data.shape, data.device', 'b, c, *_ = data.size()']) {
      expectAtLines(mixer(read, 'ff_dim'));
      expectAtLines(mixer(read, 'dim'));
    }
  });

  it('say nothing of axes that may be the same', () => {
    expectAtLines(`${head}class Last(nn.Module):
    def __init__(self, dim, ff_dim):
        super().__init__()
        self.mix = nn.Linear(dim, ff_dim)

    def forward(self, data):
        b = data.shape[0]
        *_, c = data.shape
        return self.mix(data).reshape(b, -1)
`);
  });
});

describe('what comes in and goes through a norm into a layer', () => {
  const block = (count: string, norm: string): string => `${head}class Norm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class CrossAttention(nn.Module):
    def __init__(self, dim, num_heads=12):
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, q, x):
        B, n, C = q.shape
        q = self.q(q).reshape(B, n, self.num_heads, C // self.num_heads).permute(0, 2, 1, 3)
        B, N, C = x.shape
        kv = self.kv(x).reshape(B, ${count}, 2, self.num_heads, C // self.num_heads).permute(2, 0, 3, 1, 4)${count === 'n' ? '  # HW212' : ''}
        k, v = kv[0], kv[1]
        attn = (q @ k.transpose(-2, -1) * (C // self.num_heads) ** -0.5).softmax(dim=-1)
        return self.proj((attn @ v).transpose(1, 2).reshape(B, n, C))


class Block(nn.Module):
    def __init__(self, dim, num_heads=12):
        super().__init__()
        self.norm1 = ${norm}(dim)
        self.attn = CrossAttention(dim, num_heads)

    def forward(self, q, x):
        return q + self.attn(q, self.norm1(x))
`;

  it('has the axes that the layer reads', () => {
    for (const norm of ['nn.LayerNorm', 'Norm']) {
      expectAtLines(block('n', norm));
      expectAtLines(block('N', norm));
    }
  });
});

describe('layers for signals, images or volumes', () => {
  const model = (takes: string): string => `${head}def conv_nd(dims, *args, **kwargs):
    if dims == 1:
        return nn.Conv1d(*args, **kwargs)
    elif dims == 2:
        return nn.Conv2d(*args, **kwargs)
    elif dims == 3:
        return nn.Conv3d(*args, **kwargs)
    raise ValueError(f"unsupported dimensions: {dims}")


class Norm(nn.GroupNorm):
    def forward(self, x):
        return super().forward(x.float()).type(x.dtype)


class ResBlock(nn.Module):
    def __init__(self, channels, dims=2):
        super().__init__()
        self.inner = nn.Sequential(Norm(32, channels), nn.SiLU(), conv_nd(dims, channels, channels, 3, padding=1))
        self.skip = conv_nd(dims, channels, channels, 1)

        self.out = conv_nd(dims, ${takes}, channels, 3, padding=1)${takes === 'channels' ? '' : '  # HW211'}

    def forward(self, x):
        return self.skip(x) + self.out(self.inner(x))
`;

  it('are those for as many axes as the default says, and are wrong where their sizes are given', () => {
    expectAtLines(model('channels'));
    expectAtLines(model('2 * channels'));
  });
});
