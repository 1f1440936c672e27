import { expectHere } from './atLines.ts';

const head = 'import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n';

/** A block of the library's own layers, batch first, that looks at a memory of another width. */
const crossing = (parts: { readonly widths?: string; readonly encoder?: string; readonly call?: string } = {}): string => `${head}
class Block(nn.Module):
    def __init__(self, embed_dim, num_heads, memory_dim, ff_dim):
        super().__init__()
        layer = nn.TransformerEncoderLayer(memory_dim, num_heads, ff_dim${parts.encoder ?? ', batch_first=True)'}
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.norm = nn.LayerNorm(embed_dim)
        self.cross = nn.MultiheadAttention(embed_dim, num_heads, ${parts.widths ?? 'kdim=memory_dim, vdim=memory_dim, batch_first=True)'}
        self.out = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, memory, padding_mask):
        """
        x: [batch, seq, embed_dim]
        memory: [batch, frames, memory_dim]
        padding_mask: [batch, frames]
        """
        memory = self.encoder(memory, src_key_padding_mask=padding_mask)
        query = self.norm(x)
        y, _ = ${parts.call ?? 'self.cross(query, memory, memory, key_padding_mask=padding_mask)'}
        return x + self.out(y)
`;

describe('where layers of the library do not fit', () => {
  it('leaves them alone where they do', () => expectHere(crossing()));
  it('blames the attention that is not made for the width of its memory', () =>
    expectHere(crossing({ widths: 'batch_first=True)  # here' })));
  it('blames it where keys have the width and values have not', () =>
    expectHere(crossing({ widths: 'kdim=memory_dim, vdim=embed_dim, batch_first=True)  # here' })));
  it('blames the call that puts the memory in the place of the query', () =>
    expectHere(crossing({ call: 'self.cross(memory, query, query)  # here' })));
  it('blames the constructor without batch_first', () => expectHere(crossing({ encoder: ')  # here' })));
});

/** Weights of any rank, applied by patterns, as Flax code has them. */
const patterned = (parts: { readonly q?: string; readonly kv?: string; readonly pattern?: string } = {}): string => `${head}
class Einsum(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.w = nn.Parameter(torch.empty(shape))

    def forward(self, eqn, x):
        return torch.einsum(eqn, x, self.w)


class Attention(nn.Module):
    def __init__(self, num_heads, features, head_dim):
        super().__init__()
        self.head_dim = head_dim
        self.q_einsum = Einsum(${parts.q ?? '(num_heads, features, head_dim))'}
        self.unused = 0
        self.kv_einsum = Einsum(${parts.kv ?? '(2, num_heads, features, head_dim))'}
        self.out_einsum = Einsum((num_heads, head_dim, features))

    def forward(self, x):
        query = self.q_einsum(${parts.pattern ?? '"BTD,NDH->BTNH", x)'}
        key, value = self.kv_einsum("BSD,CNDH->CBSNH", x)
        logits = torch.einsum("BTNH,BSNH->BNTS", query * self.head_dim**-0.5, key)
        encoded = torch.einsum("BNTS,BSNH->BTNH", F.softmax(logits, dim=-1), value)
        return self.out_einsum("BTNH,NHD->BTD", encoded)


class Model(nn.Module):
    def __init__(self, vocab_size, num_heads, embed_dim, head_dim):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embed_dim)
        self.attn = Attention(num_heads, embed_dim, head_dim)

    def forward(self, input_ids):
        x = self.embed(input_ids)
        return x + self.attn(x)
`;

describe('where weights are applied by patterns', () => {
  it('leaves patterns that fit alone', () => expectHere(patterned()));
  it('blames the weight that has its width in the wrong place', () =>
    expectHere(patterned({ q: '(num_heads, head_dim, features))  # here' })));
  it('blames the pattern that has its letters in the wrong place', () => expectHere(patterned({ pattern: '"BTD,DNH->BTNH", x)  # here' })));
  it('blames the pattern that leaves an axis out', () => expectHere(patterned({ pattern: '"BTD,DH->BTH", x)  # here' })));
  it('blames the weight that has more parts than are taken', () =>
    expectHere(patterned({ kv: '(3, num_heads, features, head_dim))  # here' })));
});

interface Partial {
  readonly joined?: string;
}

/** Part of each head is turned by its position, as in GPT-NeoX. */
const partly = (parts: Partial = {}): string => `${head}
class Attention(nn.Module):
    def __init__(self, hidden_size, num_heads, rope_dim, nope_dim):
        super().__init__()
        self.num_heads, self.rope_dim, self.nope_dim = num_heads, rope_dim, nope_dim
        self.head_dim = rope_dim + nope_dim
        self.qkv = nn.Linear(hidden_size, 3 * num_heads * (rope_dim + nope_dim))
        self.dense = nn.Linear(num_heads * (rope_dim + nope_dim), hidden_size)

    def heads(self, x, bsz, length):
        return x.view(bsz, length, self.num_heads, self.head_dim).transpose(1, 2)

    def forward(self, x, padding_mask):
        # x: (batch, length, hidden_size), padding_mask: (batch, length)
        bsz, length, _ = x.size()
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        query, key, value = self.heads(query, bsz, length), self.heads(key, bsz, length), self.heads(value, bsz, length)
        rot, rest = query.split([self.rope_dim, self.nope_dim], dim=-1)
        rot = -rot
        query = ${parts.joined ?? 'torch.cat((rot, rest), dim=-1)'}
        bias = padding_mask[:, None, None, :].to(x.dtype) * -1e4
        scale = self.head_dim**-0.5
        heads = self.num_heads
        merged = heads * self.head_dim
        # Queries and keys have to be of one width.
        scores = torch.matmul(query, key.transpose(2, 3)) * scale + bias
        y = torch.matmul(scores.softmax(-1), value)
        return self.dense(y.transpose(1, 2).reshape(bsz, length, merged))
`;

describe('where a part does not fit', () => {
  it('leaves parts that fit alone', () => expectHere(partly()));
  it('blames what takes a part for the whole', () => expectHere(partly({ joined: 'rot  # here' })));
  it('blames the join with more than the part that is left', () =>
    expectHere(partly({ joined: 'torch.cat((rot, query), dim=-1)  # here' })));
});

/** Attention to what comes in and, where it is given, to something of another width. */
const looking = (parts: { readonly source?: string; readonly value?: string } = {}): string => `${head}
class Attention(nn.Module):
    def __init__(self, width, memory_dim):
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(memory_dim, width)
        self.value = nn.Linear(memory_dim, width)
        self.out = nn.Linear(width, width)

    def forward(self, x, memory=None):
        source = ${parts.source ?? 'x if memory is None else memory'}
        q, k = self.query(x), self.key(source)
        v = ${parts.value ?? 'self.value(source)'}
        return self.out(F.scaled_dot_product_attention(q, k, v))


class Block(nn.Module):
    def __init__(self, vocab, width, memory_dim):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.recall = nn.Embedding(vocab, memory_dim)
        self.own = Attention(width, width)
        self.cross = Attention(width, memory_dim)

    def forward(self, input_ids, past_ids):
        x = self.embed(input_ids)
        memory = self.recall(past_ids)
        x = x + self.own(x)
        return x + self.cross(x, memory)
`;

describe('where one function serves two kinds of attention', () => {
  it('leaves it alone', () => expectHere(looking()));
  it('blames the name for the wrong tensor, and not the call', () => expectHere(looking({ source: 'x  # here' })));
  it('blames the one projection that is fed something else, and not the call', () =>
    expectHere(looking({ value: 'self.value(x)  # here' })));
});

/** A feed-forward network of convolutions, with channels in front of tokens, in a file that runs itself. Both changes crash in PyTorch. */
const convolving = (parts: { readonly back?: string; readonly out?: string } = {}): string => `${head}
class Attend(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, heads * each) for _ in range(3))
        self.merge = ${parts.out ?? 'nn.Linear(heads * each, width)'}

    def forward(self, x):
        rows = x.size(0)
        q, k, v = (f(x).view(rows, -1, heads, each).transpose(1, 2) for f in (self.query, self.key, self.value))
        mixed = torch.matmul((torch.matmul(q, k.transpose(-1, -2)) / each**0.5).softmax(-1), v)
        mixed = mixed.transpose(1, 2).reshape(rows, -1, heads * each)
        return self.merge(mixed)


class Widen(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv1d(width, inner, 1), nn.Conv1d(inner, width, 1)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens):
        y = F.relu(self.first(tokens.transpose(1, 2)))
        # Tokens are in front again where they are added.
        y = self.second(y)${parts.back ?? '.transpose(1, 2)'}

        kept = tokens
        return self.norm(y + kept)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.attend, self.widen = Attend(), Widen()

    def forward(self, ids):
        x = self.embed(ids)
        return self.widen(x + self.attend(x))


if __name__ == '__main__':
    words, width, inner, heads, each = 900, 512, 2048, 8, 64
    model = Model()
    print(model(torch.zeros(1, 5, dtype=torch.long)).shape)
`;

describe('where a file runs its own model', () => {
  it('leaves it alone', () => expectHere(convolving()));
  it('blames what is not transposed back', () => expectHere(convolving({ back: '  # here' })));
  it('blames the layer, though the first call that fails is of a model of which less is known', () =>
    expectHere(convolving({ out: 'nn.Linear(each, width)  # here' })));
});

describe('a layer behind parts that are joined', () => {
  const parallel = (layer: string): string => `import torch
import torch.nn as nn
import torch.nn.functional as F


class Parallel(nn.Module):
    def __init__(self, width, heads, ratio=4):
        super().__init__()
        self.heads, self.width, self.inner = heads, width, width * ratio
        self.into = nn.Linear(width, 3 * width + self.inner)
        self.out = ${layer}

    def forward(self, x):
        B, T, C = x.shape
        qkv, hidden = torch.split(self.into(x), [3 * self.width, self.inner], dim=-1)
        q, k, v = qkv.view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, T, C)
        return x + self.out(torch.cat((y, F.gelu(hidden)), 2))
`;
  it('is to blame where they can be joined along no other axis', () => {
    expectHere(parallel('nn.Linear(width + self.inner, width)'));
    expectHere(parallel('nn.Linear(width, width)  # here'));
  });
});

describe('a norm of the scores of a head', () => {
  const reader = (parts: { readonly made?: string; readonly result?: string } = {}): string => `${head}
class Reader(nn.Module):
    def __init__(self, vocab_size, num_classes, width, hidden):
        super().__init__()
        self.words = nn.Embedding(vocab_size, width)
        self.mix = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, num_classes)
        ${parts.made ?? 'self.chain = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, num_classes))'}

    def forward(self, tokens):
        x = self.words(tokens)
        x = x + self.mix(x)
        x = x.mean(dim=1)
        other = self.chain(x)
        ${parts.result ?? 'return other + self.classifier(self.norm(x))'}
`;

  it('belongs in front of the head', () => {
    expectHere(reader());
    expectHere(reader({ result: 'return other + self.norm(self.classifier(x))  # here' }));
    expectHere(reader({ made: 'self.chain = nn.Sequential(nn.Linear(width, num_classes), nn.LayerNorm(width))  # here' }));
  });
});

describe('keys that keep their axes under another name', () => {
  const attention = (keys: string): string => `${head}
class Attend(nn.Module):
    def __init__(self, width: int, heads: int, kv_heads: int, head_dim: int):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, head_dim
        self.qkv = nn.Linear(width, (heads + 2 * kv_heads) * head_dim)
        self.out = nn.Linear(heads * head_dim, width)

    def forward(self, x):
        b, t, _ = x.shape
        sizes = [self.heads * self.head_dim, self.kv_heads * self.head_dim, self.kv_heads * self.head_dim]
        xq, xk, xv = self.qkv(x).split(sizes, dim=-1)
        xq = xq.view(b, t, self.heads, self.head_dim)
        xk = xk.view(b, t, self.kv_heads, self.head_dim)
        xv = xv.view(b, t, self.kv_heads, self.head_dim)
        if self.heads != self.kv_heads:
            xk = torch.repeat_interleave(xk, self.heads // self.kv_heads, dim=2)
            xv = torch.repeat_interleave(xv, self.heads // self.kv_heads, dim=2)

        ${keys}
        q = xq.transpose(1, 2)
        v = xv.transpose(1, 2)
        q = q * self.head_dim**-0.5

        weights = torch.softmax(torch.matmul(q, k.transpose(2, 3)), dim=-1)
        y = torch.matmul(weights, v)
        return self.out(y.transpose(1, 2).reshape(b, t, -1))
`;

  it('are blamed where they get it', () => {
    expectHere(attention('k = xk.transpose(1, 2)'));
    expectHere(attention('k = xk  # here'));
  });
});
