/** What is worked out and left out: streams, positions and scales whose text tells what the tensors cannot. */
import { expectAtLines } from './atLines.ts';

const head = 'import math\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n';

describe('residual sums that the text lacks', () => {
  const counts = ({ code }: { readonly code: string }): boolean => code === 'HW322';
  const block = (body: string): string => `${head}
class Mixing(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc = nn.Linear(dim, dim)

    def forward(self, x, y=None):
        return self.fc(x) + x


class Block(nn.Module):
    def __init__(self, dim, attn, mlp, drop):
        super().__init__()
        self.attn = attn
        self.mlp = mlp
        self.mixing_attn = Mixing(dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.norm3 = nn.LayerNorm(dim)
        self.drop_path = drop
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x, mask):
${body
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
`;

  it('are missed beside a sublayer that has one', () => {
    const sum = 'x = x + self.drop_path(self.attn(self.norm1(x), mask)) * self.gamma\n';
    expectAtLines(block(`${sum}x = self.drop_path(self.mlp(self.norm2(x))) * self.gamma  # HW322\nreturn x`), counts);
    expectAtLines(block(`x = self.attn(self.norm1(x), mask)  # HW322\nx = x + self.mlp(self.norm2(x))\nreturn x`), counts);
    expectAtLines(block(`${sum}x = x + self.drop_path(self.mlp(self.norm2(x))) * self.gamma\nreturn x`), counts);
  });

  it('are not missed where the stream is kept, is another, or is added within', () => {
    const sum = 'x = x + self.mlp(self.norm2(x))\n';
    expectAtLines(block(`shortcut = x\nx = self.attn(self.norm1(x), mask)\nx = shortcut + x\n${sum}return x`), counts);
    expectAtLines(block(`y = self.attn(self.norm1(x), mask)\nx = x + y\n${sum}return x`), counts);
    expectAtLines(block(`${sum}x = self.mixing_attn(x)\nx = x + self.mlp(self.norm3(x))\nreturn x`), counts);
    expectAtLines(block(`x = self.mixing_attn(self.norm1(x))\n${sum}return x`), counts);
    expectAtLines(block(`${sum}logits = self.mlp(self.norm3(x))\nreturn logits`), counts);
    expectAtLines(block(`x = x + self.attn(self.norm1(x), mask)\nx = self.drop_path(self.norm2(x))\nreturn x`), counts);
  });

  const wrapper = (name: string, result: string): string => `${head}
class ${name}(nn.Module):
    def __init__(self, size, fn, dropout):
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.fn = fn
        self.own = nn.Linear(size, size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, sublayer):
        return ${result}
`;

  it('are missed in a class that is called a residual connection', () => {
    expectAtLines(wrapper('SublayerConnection', 'self.dropout(sublayer(self.norm(x)))  # HW322'), counts);
    expectAtLines(wrapper('Residual', 'self.fn(x)  # HW322'), counts);
    expectAtLines(wrapper('SublayerConnection', 'x + self.dropout(sublayer(self.norm(x)))'), counts);
    expectAtLines(wrapper('SkipConnection', 'torch.cat([x, self.fn(x)], dim=-1)'), counts);
    expectAtLines(wrapper('Residual', 'self.own(x)'), counts);
    expectAtLines(wrapper('Residual', 'torch.add(x, self.fn(x))'), counts);
    expectAtLines(wrapper('PreNorm', 'self.fn(self.norm(x))'), counts);
  });
});

describe('positions that come to nothing', () => {
  const counts = ({ code }: { readonly code: string }): boolean => code === 'HW428';
  const model = (body: string): string => `${head}
class Model(nn.Module):
    def __init__(self, vocabulary, dim, length):
        super().__init__()
        self.token_emb = nn.Embedding(vocabulary, dim)
        self.pos_emb = nn.Embedding(length, dim)
        self.register_buffer("pe", torch.zeros(1, length, dim))
        self.register_buffer("table", torch.zeros(length, 1, dim))
        self.latents = nn.Parameter(torch.zeros(1, length, dim))
        self.out = nn.Linear(dim, vocabulary)

    def forward(self, ids):
        n = ids.shape[1]
        x = self.token_emb(ids)
${body
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
`;

  it('are worked out and not read', () => {
    const made = 'pos_emb = self.pos_emb(torch.arange(n, device=ids.device))';
    expectAtLines(model(`${made}  # HW428\nreturn self.out(x)`), counts);
    expectAtLines(model(`${made}\npos_emb = pos_emb.unsqueeze(0)  # HW428\nreturn self.out(x)`), counts);
    expectAtLines(model(`${made}\npos_emb = pos_emb.unsqueeze(0)\nreturn self.out(x + pos_emb)`), counts);
    expectAtLines(model(`${made}\nif n > 1:\n    x = x + pos_emb\nreturn self.out(x)`), counts);
    expectAtLines(model(`${made}\nadd = lambda t: t + pos_emb\nreturn self.out(add(x))`), counts);
    expectAtLines(model(`pos_emb = None\nreturn self.out(x)`), counts);
  });

  it('are cut along the axis of one row', () => {
    expectAtLines(model('return x + self.pe[:x.size(1)]  # HW428'), counts);
    expectAtLines(model('return x + self.pe[:n]  # HW428'), counts);
    expectAtLines(model('return x + self.pe[:, :x.size(1)]'), counts);
    expectAtLines(model('return x.transpose(0, 1) + self.table[:n]'), counts);
    expectAtLines(model('return self.latents[:1] + x.mean()'), counts);
  });
});

describe('scales that nothing reads', () => {
  const counts = ({ code }: { readonly code: string }): boolean => code === 'HW150';
  const attention = (scores: string, body = ''): string => `${head}
class FullAttention(nn.Module):
    def __init__(self, scale=None, dropout=0.1):
        super().__init__()
        self.scale = scale
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries, keys, values):
        B, L, H, E = queries.shape
        scale = self.scale or 1.0 / math.sqrt(E)
${body}
        scores = torch.einsum("blhe,bshe->bhls", queries, keys)${scores}
        A = self.dropout(torch.softmax(scores, dim=-1))
        return torch.einsum("bhls,bshd->blhd", A, values)
`;

  it('are missed in scores of queries that come in', () => {
    expectAtLines(attention('  # HW150'), counts);
    expectAtLines(attention(' * scale'), counts);
    expectAtLines(attention('', '        queries = queries * scale'), counts);
  });

  it('are numbers where a parameter is frozen', () => {
    const frozen = (scale: string, mark = ''): string => `${head}
class Attention(nn.Module):
    def __init__(self, d_model, n_heads, lsa=False):
        super().__init__()
        head_dim = d_model // n_heads
        self.n_heads = n_heads
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.scale = nn.Parameter(torch.tensor(head_dim ** ${scale}))${mark}

    def forward(self, x):
        B, N, C = x.shape
        q, k, v = self.qkv(x).reshape(B, N, 3, self.n_heads, C // self.n_heads).permute(2, 0, 3, 1, 4).unbind(0)
        return (((q @ k.transpose(-2, -1)) * self.scale).softmax(-1) @ v).transpose(1, 2).reshape(B, N, C)
`;
    const isInverted = ({ code }: { readonly code: string }): boolean => code === 'HW152';
    expectAtLines(frozen('0.5', '').replace(' ** 0.5))', ' ** 0.5), requires_grad=lsa)  # HW152'), isInverted);
    expectAtLines(frozen('-0.5', '').replace(' ** -0.5))', ' ** -0.5), requires_grad=lsa)'), isInverted);
    expectAtLines(frozen('0.5'), isInverted);
  });
});

describe('widths that settings give', () => {
  const model = (width: string): string => `${head}
class Encoder(nn.Module):
    def __init__(self, embed_dim=768):
        super().__init__()
        self.fc = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        return self.fc(x)


class Retrieval(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.encoder = Encoder(embed_dim=768)
        self.proj = nn.Linear(${width}, config["embed_dim"])

    def forward(self, image):
        return self.proj(self.encoder(image))
`;

  it('may be the numbers that the code writes', () => {
    expectAtLines(model('config["vision_width"]'));
    expectAtLines(model('512  # HW211'));
  });
});

describe('attention of xformers', () => {
  it('gives heads as its queries have them', () => {
    const model = (out: string, mark = ''): string => `${head}
from xformers.ops.fmha import memory_efficient_attention


class Attention(nn.Module):
    def __init__(self, dim, n_heads, head_dim):
        super().__init__()
        self.n_heads = n_heads
        self.head_dim = head_dim
        self.wqkv = nn.Linear(dim, 3 * n_heads * head_dim)
        self.wo = nn.Linear(${out})${mark}

    def forward(self, x):
        n, _ = x.shape
        q, k, v = self.wqkv(x).view(n, 3, self.n_heads, self.head_dim).unbind(1)
        y = memory_efficient_attention(q[None], k[None], v[None])
        return self.wo(y.view(n, self.n_heads * self.head_dim))
`;
    expectAtLines(model('dim, n_heads * head_dim', '  # HW223'), ({ code }) => /^HW2[12]/.test(code));
    expectAtLines(model('n_heads * head_dim, dim'), ({ code }) => /^HW2[12]/.test(code));
  });
});

describe('what the text of attention shows', () => {
  const counts =
    (code: string) =>
    (finding: { readonly code: string }): boolean =>
      finding.code === code;
  const attention = (forward: string, init = ''): string => `${head}from einops import rearrange, repeat\n
class Attention(nn.Module):
    def __init__(self, dim, num_heads, rope):
        super().__init__()
        assert dim % num_heads == 0
        self.num_heads = num_heads
        self.head_dim = dim // num_heads
        self.rope = rope
        self.to_q = nn.Linear(dim, dim)
        self.to_k = nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.to_kv = nn.Linear(dim, 2 * dim)
${init}
    def forward(self, x, pos, mask=None):
        b, n, c = x.shape
${forward
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
`;
  const split = 'reshape(b, n, self.num_heads, -1).transpose(1, 2)';
  const project = `q = self.to_q(x).${split}\nk = self.to_k(x).${split}\nv = self.to_v(x).${split}`;
  const weigh =
    'attn = ((q @ k.transpose(-2, -1)) * self.head_dim ** -0.5).softmax(-1)\nreturn (attn @ v).transpose(1, 2).reshape(b, n, c)';

  it('turns queries and keys alike', () => {
    const turned = (lines: string): string => attention(`${project}\n${lines}\n${weigh}`);
    expectAtLines(turned('q = self.rope(q, pos)  # HW421'), counts('HW421'));
    expectAtLines(turned('q = self.rope(q, pos)\nk = self.rope(k, pos)'), counts('HW421'));
    expectAtLines(turned('q, k = self.rope(q, pos), self.rope(k, pos)'), counts('HW421'));
    expectAtLines(turned('q = self.rope(q, pos)\nk = self.rope(torch.cat((pos.cached_keys, k), 2), pos)'), counts('HW421'));
  });

  it('takes apart axes in the order in which it put them together', () => {
    const heads = (back: string): string =>
      attention(`q, k, v = map(lambda t: rearrange(t, 'b n (h d) -> (b h) n d', h=self.num_heads), (self.to_q(x), self.to_k(x), self.to_v(x)))
attn = (q @ k.transpose(-2, -1) * self.head_dim ** -0.5).softmax(-1)
out = attn @ v
return ${back}`);
    expectAtLines(heads("rearrange(out, '(h b) n d -> b n (h d)', h=self.num_heads)  # HW231"), counts('HW231'));
    expectAtLines(heads("rearrange(out, '(b h) n d -> b n (h d)', h=self.num_heads)"), counts('HW231'));
    expectAtLines(
      attention(
        `x = rearrange(x, 'b (h w) c -> b (w h) c', h=self.num_heads)\nreturn rearrange(x, 'b (h w) c -> b h w c', h=self.num_heads)`,
      ),
      counts('HW231'),
    );
    expectAtLines(attention(`x = rearrange(x, 'b (h w) c -> b h w c', h=4)\nreturn rearrange(x, 'b h w c -> b (w h) c')`), counts('HW231'));
  });

  it('makes heads of what one token has', () => {
    const widths = (view: string, init: string): string => attention(`kv = self.to_heads(x).${view}\nreturn kv`, init);
    const layer = (width: string, mark = ''): string => `        self.to_heads = nn.Linear(dim, ${width})${mark}`;
    const both = 'view(1, -1, 2, self.num_heads, self.head_dim)';
    expectAtLines(widths(both, layer('dim', '  # HW231')), counts('HW231'));
    expectAtLines(widths(both, layer('2 * dim')), counts('HW231'));
    expectAtLines(widths('view(b, -1, self.num_heads, self.d_k)', `        self.d_k = dim  # HW231\n${layer('dim')}`), counts('HW231'));
    expectAtLines(widths('view(b, -1, self.num_heads, self.d_k)', `        self.d_k = dim // num_heads\n${layer('dim')}`), counts('HW231'));
    expectAtLines(widths('view(b, -1, 4, 4, c)', layer('dim')), counts('HW231'));
    expectAtLines(widths('view(b, -1, 4 * c)', layer('dim')), counts('HW231'));
  });

  it('lets a token see itself where keys stand in front', () => {
    const causal = (diagonal: string): string =>
      attention(
        `${project}
k = torch.cat((self.null.expand(b, -1, -1, -1), k), dim=-2)
v = torch.cat((self.null.expand(b, -1, -1, -1), v), dim=-2)
sim = q @ k.transpose(-2, -1) * self.head_dim ** -0.5
i, j = sim.shape[-2:]
future = torch.ones((i, j), dtype=torch.bool, device=x.device).triu(${diagonal}
sim = sim.masked_fill(future, -torch.finfo(sim.dtype).max)
return (sim.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c)`,
        '        self.null = nn.Parameter(torch.zeros(1, num_heads, 1, dim // num_heads))',
      );
    expectAtLines(causal('j - i)  # HW157'), counts('HW157'));
    expectAtLines(causal('j - i + 1)'), counts('HW157'));
    expectAtLines(causal('1)'), counts('HW157'));
  });

  it('reads the memory that comes in', () => {
    const decoder = (call: string): string => `${head}
class DecoderLayer(nn.Module):
    def __init__(self, dim, self_attention, cross_attention):
        super().__init__()
        self.self_attention = self_attention
        self.cross_attention = cross_attention
        self.norm = nn.LayerNorm(dim)

    def forward(self, x, cross, x_mask=None, cross_mask=None):
        x = self.norm(x + self.self_attention(x, x, x, x_mask)[0])
        ${call}
        return x
`;
    expectAtLines(decoder('x = x + self.cross_attention(x, x, x, cross_mask)[0]  # HW170'), counts('HW170'));
    expectAtLines(decoder('x = x + self.cross_attention(x, cross, cross, cross_mask)[0]'), counts('HW170'));
    expectAtLines(decoder('x = x + self.self_attention(x, x, x, cross_mask)[0]'), counts('HW170'));
  });
});
