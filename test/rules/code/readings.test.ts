/**
 * Code that is right, in ways that are easily misread, and what is wrong in the same code once a line is changed: it crashes then, or
 * computes something else.
 */
import assert from 'node:assert/strict';
import { expectAtLines, findingsIn } from './atLines.ts';

const head =
  'import math\nfrom dataclasses import dataclass\nfrom typing import Optional\n\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n';

interface Reading {
  readonly title: string;
  readonly code: string;
  /** What is put in place of what, and the one finding, on the last line of it. */
  readonly changes: readonly (readonly [from: string, to: string, code: string])[];
}

const oneHead = `class Attend(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        w = F.softmax(q @ k.transpose(-2, -1) / math.sqrt(x.shape[-1]), dim=-1)
        return self.proj(w @ v)
`;

const encoder = (annotation: string): string => `@dataclass
class Settings:
    hidden: int = 768
    heads: int = 12

    @property
    def head_dim(self) -> int:
        if self.hidden % self.heads != 0:
            raise ValueError("heads do not divide the width")
        return self.hidden // self.heads


class Attend(nn.Module):
    def __init__(self, cfg: Settings) -> None:
        super().__init__()
        self.cfg = cfg
        self.qkv = nn.Linear(cfg.hidden, cfg.hidden * 3)
        self.out = nn.Linear(cfg.hidden, cfg.hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.cfg.heads, self.cfg.head_dim).permute(2, 0, 3, 1, 4)
        w = F.softmax(q @ k.transpose(-2, -1) / math.sqrt(self.cfg.head_dim), dim=-1)
        return self.out((w @ v).transpose(1, 2).reshape(b, n, d))


class Encoder(nn.Module):
    def __init__(self, cfg: ${annotation} = None) -> None:
        super().__init__()
        self.cfg = cfg or Settings()
        self.norm = nn.LayerNorm(self.cfg.hidden)
        self.attend = Attend(self.cfg)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.attend(self.norm(x))
`;

const mixer = `class Mlp(nn.Module):
    def __init__(self, dim, hidden_dim):
        super().__init__()
        self.up = nn.Linear(dim, hidden_dim)
        self.down = nn.Linear(hidden_dim, dim)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


class Mixer(nn.Module):
    def __init__(self, num_patches, d_model, hidden_dim):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.tokens = Mlp(num_patches, hidden_dim)
        self.channels = Mlp(d_model, hidden_dim)

    def forward(self, x):
        y = self.norm1(x)
        y = y.swapaxes(1, 2)
        y = self.tokens(y)
        y = y.swapaxes(1, 2)
        x = x + y
        return x + self.channels(self.norm2(x))
`;

const tuned = (call: string): string => `class Attend(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, width * 3)
        self.out = nn.Linear(width, width)

    def forward(self, x, key_pad_mask=None):
        B, T, D = x.shape
        qkv = self.qkv(x).view(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        att = (q @ k.transpose(-2, -1)) / math.sqrt(D // self.heads)
        if key_pad_mask is not None:
            kept = key_pad_mask.view(B, 1, 1, T).to(torch.bool)
            att = att.masked_fill(~kept, float("-inf"))
        y = (F.softmax(att, dim=-1) @ v).transpose(1, 2).contiguous().view(B, T, D)
        return self.out(y)


class Model(nn.Module):
    def __init__(self, vocab, width, heads):
        super().__init__()
        self.tok = nn.Embedding(vocab, width)
        self.attend = Attend(width, heads)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids, key_pad_mask=None):
        return self.head(self.attend(self.tok(ids), key_pad_mask))


def loss(model, ids, attention_mask, labels):
    logits = model(ids, ${call})
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())
`;

const wired = (norms: string, steps: string): string => `class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


${oneHead}

class Layers(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config.width
        self.depth = config.depth
        self.last = config.last if config.last is not None else False
${norms}
        self.attends = nn.ModuleList([Attend(width) for _ in range(config.depth)])
        self.mlps = nn.ModuleList([Mlp(width) for _ in range(config.depth)])

    def forward(self, x):
        for i in range(self.depth):
${steps}
        return x
`;

const either = wired(
  '        self.norm1 = nn.LayerNorm(width)\n        self.norm2 = nn.LayerNorm(width)',
  `            y = x
            if not self.last:
                y = self.norm1(y)
            y = self.attends[i](y)
            if self.last:
                y = self.norm1(y)
            x = x + y
            y = x
            if not self.last:
                y = self.norm2(y)
            y = self.mlps[i](y)
            if self.last:
                y = self.norm2(y)
            x = x + y`,
);

const listed = wired(
  '        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2 * config.depth)])',
  `            x = x + self.attends[i](self.norms[2 * i](x))
            x = x + self.mlps[i](self.norms[2 * i + 1](x))`,
);

const twice = wired(
  `        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(config.depth)])
        self.others = nn.ModuleList([nn.LayerNorm(width) for _ in range(config.depth)])`,
  `            x = x + self.attends[i](self.norms[i](x))
            x = x + self.mlps[i](self.others[i](x))
        for i in range(self.depth):
            x = x + self.attends[i](self.norms[i](x))
            x = x + self.mlps[i](self.others[i](x))`,
);

const readings: readonly Reading[] = [
  {
    title: 'settings that may be left out, in the notation of unions',
    code: encoder('Settings | None'),
    changes: [['cfg.hidden * 3)', 'cfg.hidden * 2)', 'HW212']],
  },
  {
    title: 'settings that may be left out, in the notation of typing',
    code: encoder('Optional[Settings]'),
    changes: [['cfg.hidden * 3)', 'cfg.hidden * 2)', 'HW212']],
  },
  {
    title: 'sizes that a chain of comparisons makes one',
    code: `class Bridge(nn.Module):
    def __init__(self, image_dim, latent_dim, text_dim):
        super().__init__()
        assert image_dim == latent_dim == text_dim, "the widths must match"
        self.read = nn.Linear(image_dim, latent_dim)
        self.write = nn.Linear(text_dim, text_dim)

    def forward(self, images):
        x = self.read(images)
        return self.write(x)
`,
    changes: [
      [
        'assert image_dim == latent_dim == text_dim, "the widths must match"\n        self.read = nn.Linear(image_dim, latent_dim)\n        self.write = nn.Linear(text_dim, text_dim)',
        'self.read = nn.Linear(image_dim, latent_dim)\n        self.write = nn.Linear(text_dim, text_dim)',
        'HW211',
      ],
    ],
  },
  {
    title: 'what is made for one size alone',
    code: `class Points(nn.Module):
    def __init__(self, count, dimension=3):
        super().__init__()
        self.dimension = dimension
        points = self.turned(count)  # (N, 3)
        self.register_buffer("points", points)

    def turned(self, count):
        turn = torch.eye(self.dimension)
        if self.dimension == 2:
            turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        elif self.dimension == 3:
            turn = rotation_of_space()
        return torch.rand(count, self.dimension) @ turn

    def forward(self, x):
        return torch.cdist(x, self.points)
`,
    changes: [],
  },
  {
    title: 'a layer called out that belongs to no attention',
    code: `${oneHead}

class Model(nn.Module):
    def __init__(self, channels, width, codes):
        super().__init__()
        self.embed = nn.Linear(channels, width)
        self.attend = Attend(width)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, codes)
        self.back = nn.Linear(width, channels)

    def forward(self, x):
        x = self.embed(x)
        x = x + self.attend(self.norm(x))
        return self.back(x)
`,
    changes: [['return self.proj(w @ v)', 'return w @ v', 'HW239']],
  },
  {
    title: 'tokens that are mixed by a layer made for a number of them',
    code: mixer,
    changes: [],
  },
  {
    title: 'a mask by the name of padding that is handed what marks tokens',
    code: tuned('key_pad_mask=attention_mask'),
    changes: [],
  },
  {
    title: 'a mask by the name of padding that is handed ones',
    code: tuned('key_pad_mask=torch.ones_like(ids)'),
    changes: [],
  },
  {
    title: 'tokens in one branch, and states in the other',
    code: `class Words(nn.Embedding):
    def forward(self, x: torch.Tensor, transposed: bool = False) -> torch.Tensor:
        if transposed:
            return torch.matmul(x, self.weight.transpose(0, 1))
        return super().forward(x)


class Model(nn.Module):
    def __init__(self, vocab_size, d_model):
        super().__init__()
        self.words = Words(vocab_size, d_model)
        self.mix = nn.Linear(d_model, d_model)

    def forward(self, ids):
        x = self.mix(self.words(ids))
        return self.words(x, transposed=True)
`,
    changes: [['self.weight.transpose(0, 1)', 'self.weight', 'HW210']],
  },
  {
    title: 'a norm that comes before or behind the sublayer',
    code: either,
    changes: [['if not self.last:\n                y = self.norm2(y)', 'if not self.last:\n                y = self.norm1(y)', 'HW325']],
  },
  {
    title: 'norms of a list, two for each layer',
    code: listed,
    changes: [['self.norms[2 * i + 1](x)', 'self.norms[2 * i](x)', 'HW325']],
  },
  {
    title: 'layers that are gone through twice',
    code: twice,
    changes: [['x = x + self.mlps[i](self.others[i](x))', 'x = x + self.mlps[i](self.norms[i](x))', 'HW325']],
  },
  {
    title: 'additive attention, one query at a time',
    code: `class Additive(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.query = nn.Linear(hidden_size, hidden_size)
        self.key = nn.Linear(hidden_size, hidden_size)
        self.score = nn.Linear(hidden_size, 1)

    def forward(self, query, keys):
        scores = self.score(torch.tanh(self.query(query) + self.key(keys)))
        weights = F.softmax(scores.squeeze(2).unsqueeze(1), dim=-1)
        return torch.bmm(weights, keys), weights
`,
    changes: [['self.key = nn.Linear(hidden_size, hidden_size)', 'self.key = nn.Linear(hidden_size, 2 * hidden_size)', 'HW217']],
  },
  {
    title: 'a cache of keys with the tokens before the heads',
    code: `class Cached(nn.Module):
    def __init__(self, n_embd, n_head):
        super().__init__()
        self.n_head = n_head
        self.size = n_embd // n_head
        self.q = nn.Linear(n_embd, n_embd)
        self.k = nn.Linear(n_embd, n_embd)
        self.v = nn.Linear(n_embd, n_embd)
        self.out = nn.Linear(n_embd, n_embd)

    def forward(self, x, past):
        B, T, C = x.shape
        q = self.q(x).reshape(B, T, self.n_head, self.size)
        k = self.k(x).reshape(B, T, self.n_head, self.size)
        v = self.v(x).reshape(B, T, self.n_head, self.size)
        past_k, past_v = past
        k = torch.cat([past_k, k], dim=1)
        v = torch.cat([past_v, v], dim=1)
        w = F.softmax(torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(self.size), dim=-1)
        y = torch.einsum("bhqk,bkhd->bqhd", w, v)
        return self.out(y.reshape(B, T, C))
`,
    changes: [['k = torch.cat([past_k, k], dim=1)', 'k = torch.cat([past_k, k], dim=2)', 'HW425']],
  },
  {
    title: 'a token of the class that alone is carried on',
    code: `class ClassAttend(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        q = self.q(x[:, :1])
        w = F.softmax(q @ self.k(x).transpose(-2, -1) / math.sqrt(x.shape[-1]), dim=-1)
        return self.proj(w @ self.v(x))


class ClassBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.attend = ClassAttend(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x, token):
        both = torch.cat((token, x), dim=1)
        token = token + self.attend(self.norm1(both))
        token = token + self.mlp(self.norm2(token))
        return token


class Reader(nn.Module):
    def __init__(self, channels, width, depth):
        super().__init__()
        self.embed = nn.Conv2d(channels, width, 16, 16)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.blocks = nn.ModuleList([ClassBlock(width) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)

    def forward(self, images):
        x = self.embed(images).flatten(2).transpose(1, 2)
        token = self.token.expand(x.shape[0], -1, -1)
        for block in self.blocks:
            token = block(x, token)
        return self.norm(token)
`,
    changes: [['token = token + self.attend(self.norm1(both))', 'token = self.attend(self.norm1(both))', 'HW322']],
  },
  {
    title: 'comments that number places and name sides',
    code: `class Embed(nn.Module):
    def __init__(self, vocab_size, context_size, d_model):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.places = nn.Embedding(context_size, d_model)

    def forward(self, idx):
        B, T = idx.shape
        positions = torch.arange(T, device=idx.device)  # [0, 1, ..., T-1]
        x = self.tokens(idx) + self.places(positions)  # (B, T, d_model)
        # (C_front, C_back, T_front, T_back)
        x = F.pad(x, (0, 0, 0, 1))
        return x
`,
    changes: [['# (B, T, d_model)', '# (B, d_model)', 'HW290']],
  },
  {
    title: 'a comment above the line that gives its name another value',
    code: `class Patches(nn.Module):
    def __init__(self, channels, width, size):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, size, size)

    def forward(self, x):
        x = self.proj(x)
        H, W = x.shape[-2:]
        return x.flatten(2).transpose(1, 2), H, W


class Stage(nn.Module):
    def __init__(self, channels, width, size):
        super().__init__()
        self.embed = Patches(channels, width, size)
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        # x: [B, L, C]
        x, H, W = self.embed(x)
        return self.norm(x)
`,
    changes: [],
  },
  {
    title: 'a comment that kept the name of another line',
    code: `class Attend(nn.Module):
    def __init__(self, n_embd, n_head):
        super().__init__()
        self.n_head = n_head
        self.qkv = nn.Linear(n_embd, 3 * n_embd)
        self.proj = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        B, N, C = x.shape
        H = self.n_head
        qkv = self.qkv(x).reshape(B, N, 3, H, C // H).permute(2, 0, 3, 1, 4)  # x: (3, B, H, N, C // H)
        q, k, v = qkv[0], qkv[1], qkv[2]
        w = F.softmax(q @ k.transpose(-2, -1) / math.sqrt(C // H), dim=-1)
        return self.proj((w @ v).transpose(1, 2).reshape(B, N, C))
`,
    changes: [['# x: (3, B, H, N, C // H)', '# x: (B, 3, H, C // H)', 'HW290']],
  },
  {
    title: 'types that state the axes of arrays',
    code: `from jaxtyping import Float, Int
from torch import Tensor


class Mix(nn.Module):
    def __init__(self, width, heads, head_dim):
        super().__init__()
        self.W_V = nn.Parameter(torch.empty(heads, width, head_dim))
        self.W_O = nn.Parameter(torch.empty(heads, head_dim, width))

    def split(self, x: Float[Tensor, "b t d"], weight: Float[Tensor, "h d k"]) -> Float[Tensor, "b h t k"]:
        return x[:, None] @ weight[None]

    def scaled(self, x: Float[Tensor, "#b t d"], by: Float[Tensor, "*#axes"]) -> Float[Tensor, "..."]:
        return x * by

    def forward(self, x: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
        v: Float[Tensor, "b h t k"] = self.split(x, self.W_V)
        out: Float[Tensor, "b h t d"] = v @ self.W_O
        return self.scaled(out.sum(dim=1), torch.ones(1))


class Tower(nn.Module):
    def __init__(self, vocab, width, heads, head_dim):
        super().__init__()
        self.W_E = nn.Parameter(torch.empty(vocab, width))
        self.mix = Mix(width, heads, head_dim)
        self.W_U = nn.Parameter(torch.empty(width, vocab))

    def forward(self, tokens: Int[Tensor, "b t"]) -> Float[Tensor, "b t v"]:
        return self.mix(self.W_E[tokens]) @ self.W_U
`,
    changes: [
      ['return x[:, None] @ weight[None]', 'return x @ weight[0]', 'HW290'],
      ['return self.mix(self.W_E[tokens]) @ self.W_U', 'return (self.mix(self.W_E[tokens]) @ self.W_U)[:, -1]', 'HW290'],
    ],
  },
];

describe('code that is easily misread', function () {
  this.timeout(20_000);

  for (const { title, code, changes } of readings) {
    it(title, () => expectAtLines(head + code));
    for (const [from, to, finding] of changes) {
      it(`${title}: ${to.split('\n').at(-1)}`, () => {
        const text = head + code;
        const start = text.indexOf(from);
        assert.ok(start >= 0, from);
        const changed = text.slice(0, start) + to + text.slice(start + from.length);
        const lineOf = (offset: number): number => changed.slice(0, offset).split('\n').length;
        const alarms = findingsIn(changed).filter(({ severity }) => severity === 'error' || severity === 'warning');
        const found = alarms.map(({ code: each, range }) => `${lineOf(range.start)} ${each}`);
        assert.deepEqual(found, [`${lineOf(start + to.length)} ${finding}`]);
      });
    }
  }

  it('a variable that is set again after it was read', () => {
    const script = (between: string): string =>
      `hidden_size = 512\nnum_attention_heads = 8\nnum_hidden_layers = 6\nvocab_size = 32000\n${between}vocab_size = 50257\n`;
    const codes = (text: string): readonly string[] => findingsIn(text).map(({ code }) => code);
    assert.deepEqual(codes(script('')), ['HW803']);
    assert.deepEqual(codes(script('model = build(vocab_size)\n')), []);
  });

  it('tokens that are mixed and not turned back', () => {
    const found = findingsIn(head + mixer.replace('y = y.swapaxes(1, 2)\n        x = x + y', 'x = x + y'));
    assert.deepEqual(
      found.filter(({ severity }) => severity === 'error').map(({ code }) => code),
      ['HW217'],
    );
  });

  it('a mask by the name of padding, read the wrong way round', () => {
    const text = tuned('key_pad_mask=(ids == 0)').replace('float("-inf"))', 'float("-inf"))  # HW156');
    expectAtLines(head + text);
  });
});
