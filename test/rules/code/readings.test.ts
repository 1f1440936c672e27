/**
 * Code that is right, in ways that are easily misread, and what is wrong in the same code once a line is changed. Each was run in
 * PyTorch: as it stands it computes what it says, and changed it crashes or computes something else.
 */
import assert from 'node:assert/strict';
import { expectAtLines, findingsIn } from './atLines.ts';

const head =
  'import math\nfrom dataclasses import dataclass\nfrom typing import Optional\n\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n';

interface Reading {
  readonly title: string;
  readonly code: string;
  /** What is put in place of what, and the finding on that line; every finding of the rules is at that line. */
  readonly changes: readonly (readonly [from: string, to: string, code: string])[];
}

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
    code: `class Attend(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        w = F.softmax(q @ k.transpose(-2, -1) / math.sqrt(x.shape[-1]), dim=-1)
        return self.proj(w @ v)


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
        const end = changed.indexOf('\n', start + to.length);
        expectAtLines(`${changed.slice(0, end)}  # ${finding}${changed.slice(end)}`);
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
