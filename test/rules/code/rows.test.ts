import { expectAtLines, expectHere } from './atLines.ts';

const head = 'import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n';

/** An encoder of patches in front of which a learned row stands; a mask hides some of them. */
const patches = (
  parts: { readonly row?: string; readonly mask?: string; readonly pooled?: string; readonly head?: string } = {},
): string => `${head}
class Mixer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.inner = nn.Linear(width, 3 * width)
        self.outer = nn.Linear(width, width)

    def forward(self, x, padding_mask=None):
        batch, length, width = x.shape
        q, k, v = (each.view(batch, length, self.heads, self.size).transpose(1, 2) for each in self.inner(x).chunk(3, dim=-1))
        s = q @ k.transpose(-2, -1) / self.size**0.5
        if padding_mask is not None:
            s = s.masked_fill(${parts.mask ?? 'padding_mask[:, None, None]'}, float("-inf"))${parts.mask === undefined ? '' : '  # here'}
        y = s.softmax(-1) @ v
        return self.outer(y.transpose(1, 2).flatten(2))


class Encoder(nn.Module):
    def __init__(self, width, heads, num_classes):
        super().__init__()
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.mixer = Mixer(width, heads)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_classes)

    def forward(self, x, padding_mask=None):
        x = x + self.mixer(x, padding_mask)
        x = torch.cat([${parts.row ?? 'self.first.expand(x.shape[0], -1, -1)'}, x], dim=1)${parts.row === undefined ? '' : '  # here'}
        pooled = self.norm(x)[:, 0]
        return ${parts.head ?? 'self.head(pooled)'}
`;

describe('rows of what comes in', () => {
  it('may be as many as the code asks for', () => expectHere(patches()));
  // RuntimeError: Sizes of tensors must match except in dimension 1. Expected size 1 but got size 4.
  it('are not one, as a learned row is that nothing expands', () => expectHere(patches({ row: 'self.first' })));
  // RuntimeError, or every sequence is masked as all others are where there are as many rows as heads.
  it('do not come to stand along another axis for a missing one', () => expectHere(patches({ mask: 'padding_mask[:, None]' })));

  it('do not meet each other where a statistic keeps an axis too many', () => {
    const summed = (written: string): string => `${head}
class Heads(nn.Module):
    def __init__(self, width, heads, size):
        super().__init__()
        self.into = nn.Parameter(torch.empty(heads, width, size))
        self.back = nn.Parameter(torch.empty(heads, size, width))

    def forward(self, x):
        batch, length, width = x.shape
        y = (x[:, None] @ self.into[None]) @ self.back[None]
        return x + ${written}
`;
    expectHere(summed('y.sum(1)'));
    expectHere(summed('y.sum(1, keepdim=True)  # here'));
  });
});

/** Angles of places, kept with the model; and a cache of what was rotated. */
const rotated = (
  parts: { readonly cut?: string; readonly stored?: string; readonly groups?: string; readonly turned?: string } = {},
): string => `${head}
def angles(size, count):
    inverse = 1.0 / 10000.0 ** (torch.arange(0, size, 2).float() / size)
    steps = torch.outer(torch.arange(count).float(), inverse)
    return torch.polar(torch.ones_like(steps), steps)


def turn(x, table):
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    table = table.view(1, x.size(1), 1, pairs.size(-1))
    return torch.view_as_real(pairs * table).flatten(3).type_as(x)


class Attention(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.n_heads = args.n_heads
        self.rope_dim, self.plain_dim = args.rope_dim, args.plain_dim
        self.q = nn.Linear(args.dim, args.n_heads * (args.rope_dim + args.plain_dim))
        self.k = nn.Linear(args.dim, args.rope_dim)
        self.register_buffer("kept", torch.zeros(args.max_batch_size, args.max_seq_len, args.rope_dim))

    def forward(self, x, start_pos: int, table):
        batch, length, _ = x.shape
        q = self.q(x).view(batch, length, self.n_heads, self.rope_dim + self.plain_dim)
        plain, rope = torch.split(q, [self.plain_dim, self.rope_dim], dim=-1)
        rope = turn(rope, table)
        k = turn(self.k(x).unsqueeze(2), table)
        self.kept[:batch, start_pos : start_pos + length] = ${parts.stored ?? 'k.squeeze(2)'}
        return torch.einsum("bthd,bsd->bhts", rope, self.kept[:batch, : start_pos + length])


class Model(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.table = angles(args.rope_dim, args.max_seq_len * 2)
        self.attention = Attention(args)

    def forward(self, x, start_pos: int):
        length = x.shape[1]
        table = ${parts.cut ?? 'self.table[start_pos : start_pos + length]'}
        return self.attention(x, start_pos, table)
`;

describe('tables of what was and will be', () => {
  it('fit where they are cut at both ends', () => expectHere(rotated()));
  // RuntimeError: shape '[1, 7, 1, 16]' is invalid for input of size ...
  it('are blamed where they are cut at the beginning alone', () => expectHere(rotated({ cut: 'self.table[start_pos:]  # here' })));
  // RuntimeError: The expanded size of the tensor (7) must match the existing size (1) at non-singleton dimension 1.
  it('take no axis more than they have', () => expectHere(rotated({ stored: 'k  # here' })));

  it('have rows for positions, which buffers may count', () => {
    const embedded = (rows: string): string => `${head}
class Embeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.words = nn.Embedding(config.vocab_size, config.hidden_size)
        self.places = nn.Embedding(${rows}
        self.register_buffer("place_ids", torch.arange(config.max_position_embeddings).expand((1, -1)))

    def forward(self, input_ids):
        return self.words(input_ids) + self.places(self.place_ids[:, : input_ids.shape[1]])
`;
    expectAtLines(embedded('config.max_position_embeddings, config.hidden_size)'));
    expectAtLines(embedded('config.type_vocab_size, config.hidden_size)  # HW427'));
  });

  it('are filled by as many columns as there are', () => {
    const sines = (step: string): string => `${head}
class Sines(nn.Module):
    def __init__(self, hidden_size, max_len=512):
        super().__init__()
        rates = torch.exp(torch.arange(0, hidden_size${step}) * -0.1)
        table = torch.zeros(max_len, hidden_size)
        table[:, 0::2] = torch.sin(torch.arange(max_len).unsqueeze(1) * rates)${step === '' ? '  # here' : ''}
        self.register_buffer("table", table)

    def forward(self, x):
        return x + self.table[: x.size(1)]
`;
    expectHere(sines(', 2'));
    expectHere(sines(''));
  });
});

/** Key-value heads that groups of query heads share. */
const grouped = (parts: { readonly groups?: string; readonly repeat?: string } = {}): string => `${head}
class Grouped(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads, self.kv_heads, self.size = config.num_attention_heads, config.num_key_value_heads, config.head_dim
        self.groups = ${parts.groups ?? 'self.heads // self.kv_heads'}
        self.q = nn.Linear(config.hidden_size, self.heads * self.size)
        self.k = nn.Linear(config.hidden_size, self.kv_heads * self.size)
        self.v = nn.Linear(config.hidden_size, self.kv_heads * self.size)

    def all_heads(self, t):
        return t${parts.repeat ?? '.repeat_interleave(self.groups, dim=1)'}

    def forward(self, x):
        b, t, _ = x.shape
        q = self.q(x).view(b, t, self.heads, self.size).transpose(1, 2)
        k = self.k(x).view(b, t, self.kv_heads, self.size).transpose(1, 2)
        v = self.v(x).view(b, t, self.kv_heads, self.size).transpose(1, 2)
        weights = F.softmax(q @ self.all_heads(k).transpose(2, 3) * self.size**-0.5, dim=-1)
        return weights @ self.all_heads(v)
`;

describe('heads that are shared', () => {
  it('are repeated as often as the groups are large', () => expectHere(grouped()));
  it('are none where the division is the wrong way round', () => expectHere(grouped({ groups: 'self.kv_heads // self.heads  # here' })));
  it('are not more where the tokens are repeated', () => expectHere(grouped({ repeat: '.repeat(1, 1, self.groups, 1)  # here' })));
});

describe('states whose length stands in front', () => {
  const decoder = `${head}
class Mixer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.size = heads, width // heads
        assert self.size * heads == width
        self.wq = nn.Linear(width, width)
        self.wk = nn.Linear(width, width)
        self.wv = nn.Linear(width, width)
        self.wo = nn.Linear(width, width)

    def split(self, states, length, rows):
        return states.contiguous().view(length, rows * self.heads, self.size).transpose(0, 1)

    def forward(self, query, key):
        length, rows, width = query.size()
        q = self.split(self.wq(query) * self.size**-0.5, length, rows)
        k = self.split(self.wk(key), -1, rows)
        v = self.split(self.wv(key), -1, rows)
        y = torch.bmm(torch.bmm(q, k.transpose(1, 2)).softmax(-1), v)
        return self.wo(y.transpose(0, 1).contiguous().view(length, rows, width))


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        self.mixer = Mixer(config.d_model, config.decoder_attention_heads)
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, input_ids, encoder_hidden_states):
        x = self.embed(input_ids).transpose(0, 1)
        x = x + self.mixer(self.norm(x), encoder_hidden_states)
        return x.transpose(0, 1)
`;

  it('may come in that way', () => {
    expectHere(decoder);
  });
});
