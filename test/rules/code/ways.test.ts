/** Mistakes on ways that are taken seldom, and places behind loops: each line that ends in a code has that finding, and no other has any. */
import assert from 'node:assert/strict';
import { expectAtLines, findingsIn } from './atLines.ts';

const head = 'import math\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n';
const codes = (text: string): readonly string[] => findingsIn(text).map(({ code }) => code);

describe('attention for releases of torch without its own', () => {
  const older = (mask: string, softmax = 'dim=-1'): string => `${head}
class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.heads
        self.width = config.width
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.fused = hasattr(torch.nn.functional, "scaled_dot_product_attention")
        if not self.fused:
            self.register_buffer("past", torch.tril(torch.ones(config.context, config.context)).view(1, 1, config.context, config.context))

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).split(self.width, dim=2)
        q, k, v = (u.view(B, T, self.heads, C // self.heads).transpose(1, 2) for u in (q, k, v))
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = q @ k.transpose(-2, -1) / math.sqrt(k.size(-1))
            scores = scores.masked_fill(self.past[:, :, :T, :T] == ${mask}, float("-inf"))
            y = F.softmax(scores, ${softmax}) @ v
        return self.out(y.transpose(1, 2).reshape(B, T, C))
`;

  it('is read as well as the other branch', () => {
    assert.deepEqual(codes(older('0')), []);
    assert.ok(codes(older('1')).includes('HW158'));
    assert.ok(codes(older('0', 'dim=-2')).includes('HW154'));
  });
});

describe('a causal mask as long as the queries', () => {
  const masked = (diagonal: string, code = '', lengths = 'q.shape[-2]'): string => `${head}
class Attend(nn.Module):
    def forward(self, q, k, v):
        n = ${lengths}
        scores = torch.einsum("b h i d, b j d -> b h i j", q, k) * q.shape[-1] ** -0.5
        mask = torch.ones((n, n), dtype=torch.bool).triu(${diagonal})${code}
        scores = scores.masked_fill(mask, -torch.finfo(scores.dtype).max)
        return torch.einsum("b h i j, b j d -> b h i d", scores.softmax(dim=-1), v)
`;
  const given = (diagonal: string, code = ''): string => `${head}
class Attend(nn.Module):
    def forward(self, q, k, v):
        n = q.shape[-2]
        scores = torch.matmul(q, k.transpose(-1, -2)) * q.shape[-1] ** -0.5
        scores = scores.masked_fill(torch.ones((n, n), dtype=torch.bool).triu(${diagonal}), -1e4)${code}
        return scores.softmax(dim=-1) @ v
`;

  it('is square, whether its length is known or not', () => {
    expectAtLines(masked('0', '  # HW157'));
    expectAtLines(masked('1'));
  });

  it('says that there are as many keys', () => {
    expectAtLines(given('1'));
    expectAtLines(given('0', '  # HW157'));
  });
});

const sublayers = `
class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x, mask=None):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(y.transpose(1, 2).reshape(B, T, C))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))
`;

describe('a norm that is left out', () => {
  const stack = (behind: string): string => `${head}${sublayers}

class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x, mask=None):
        x = x + self.attn(self.norm1(x), mask=mask)
        return x + self.mlp(self.norm2(x))


class Model(nn.Module):
    def __init__(self, tokens, width, heads, depth):
        super().__init__()
        self.embed = nn.Embedding(tokens, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, tokens)

    def forward(self, ids, mask=None):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(
                x,
                mask=mask,
            )
${behind}
        # What is asked for are scores of the next
        # token,
        # of each of the rows.
        logits = self.head(x)
        return logits
`;
  const normed = (behind: string): string => `${head}${sublayers}

class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attn = Attention(width, heads)
        self.mlp = Mlp(width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x):
        x = x + self.norm1(self.attn(x))
        ${behind}
        return x
`;

  it('behind a stack is missed where the loop ends', () => {
    expectAtLines(stack('        x = self.norm(x)'));
    expectAtLines(stack('        x = x.contiguous()  # HW323'));
  });

  it('of an output is missed where the output is added', () => {
    expectAtLines(normed('x = x + self.norm2(self.mlp(x))'));
    expectAtLines(normed('x = x + self.mlp(x)  # HW324'));
  });
});

describe('scores that are enlarged', () => {
  const optional = (scale: string, norm: string, code = ''): string => `${head}
class Attention(nn.Module):
    def __init__(self, width, heads, normed=False):
        super().__init__()
        self.heads = heads
        self.head_dim = width // heads
        self.normed = normed
        self.scale = ${scale}${code}
        self.q_norm = ${norm}
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x, memory=None):
        B, T, C = x.shape
        q, k, v = (layer(x).view(B, T, self.heads, self.head_dim).transpose(1, 2) for layer in (self.q, self.k, self.v))
        if self.normed:
            q, k = self.q_norm(q), self.q_norm(k)
        if memory is not None:
            k, v = memory.update(k, v)
        weights = F.softmax(q @ k.transpose(-2, -1) * self.scale, dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(B, T, C))
`;
  const learned = 'nn.LayerNorm(self.head_dim)';
  const unit = 'lambda t: F.normalize(t, dim=-1)';

  it('are so whatever queries and keys go through, but for a length of one', () => {
    expectAtLines(optional('self.head_dim ** -0.5', learned));
    expectAtLines(optional('self.head_dim ** 0.5', learned, '  # HW152'));
    assert.ok(!codes(optional('self.head_dim ** 0.5', unit)).includes('HW152'));
  });
});

describe('a function that fails for one of two callers', () => {
  const shared = (product: string, code = ''): string => `${head}
def attend(q, k, v):
    weights = torch.matmul(${product}) * q.size(-1) ** -0.5${code}
    return torch.matmul(F.softmax(weights, dim=-1), v).transpose(1, 2)


class Own(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        B, T, C = x.shape
        q, v = (layer(x).view(B, T, self.heads, C // self.heads).transpose(1, 2) for layer in (self.q, self.v))
        k = self.k(x).view(B, T, self.heads, C // self.heads).transpose(1, 2)
        return self.out(attend(q, k, v).reshape(B, T, C))


class Stored(Own):
    def forward(self, x, memory):
        B, T, C = x.shape
        q = self.q(x).view(B, T, self.heads, C // self.heads).transpose(1, 2)
        return self.out(attend(q, memory.keys(), memory.values()).reshape(B, T, C))


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.own = Own(width, heads)
        self.stored = Stored(width, heads)

    def forward(self, x, memory):
        return self.stored(x + self.own(x), memory)
`;

  it('is what is wrong where of the other nothing is known', () => {
    expectAtLines(shared('q, k.transpose(-1, -2)'));
    expectAtLines(shared('q, k', '  # HW210'));
  });
});

describe('a sublayer that is given the stream for its sum', () => {
  const output = (sum: string, code = ''): string => `${head}
class Output(nn.Module):
    def __init__(self, hidden, width):
        super().__init__()
        self.dense = nn.Linear(hidden, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden_states, input_tensor):
        hidden_states = self.dense(hidden_states)
        hidden_states = ${sum}${code}
        return hidden_states
`;
  const residuals = (text: string): void => expectAtLines(text, ({ code }) => code === 'HW322');

  it('is to add it under its norm', () => {
    residuals(output('self.norm(hidden_states + input_tensor)'));
    residuals(output('self.norm(hidden_states)', '  # HW322'));
    // What runs it adds the stream itself.
    residuals(output('torch.tanh(hidden_states)'));
  });
});

describe('rotated queries that meet values', () => {
  const rotated = (operand: string, code = ''): string => `${head}
def rotate_half(x):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((-b, a), dim=-1)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.head_dim = width // heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.o_proj = nn.Linear(width, width)

    def forward(self, x, cos, sin, cache=None):
        B, T, C = x.shape
        split = (B, T, self.heads, self.head_dim)
        q = self.q_proj(x).view(split).transpose(1, 2)
        k = self.k_proj(x).view(split).transpose(1, 2)
        v = self.v_proj(x).view(split).transpose(1, 2)
        q = q * cos + rotate_half(q) * sin
        k = k * cos + rotate_half(k) * sin
        if cache is not None:
            cache.append(k)
        weights = F.softmax(q @ ${operand}.transpose(2, 3) * self.head_dim ** -0.5, dim=-1)${code}
        return self.o_proj((weights @ v).transpose(1, 2).reshape(B, T, C))
`;

  it('are told of where they meet', () => {
    expectAtLines(rotated('k'));
    expectAtLines(rotated('v', '  # HW163'));
  });
});

describe('weights that are laid out the other way round', () => {
  const mapped = (axis: number, turned: string, [softmax, sum] = ['', '']): string => `${head}
class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        B, C, H, W = x.shape
        q, k, v = (layer(x).reshape(B, C, H * W) for layer in (self.q, self.k, self.v))
        weights = torch.bmm(q.permute(0, 2, 1), k) * C ** -0.5
        weights = F.softmax(weights, dim=${axis})${softmax}
        ${turned}
        y = torch.bmm(v, weights)${sum}
        return x + self.out(y.reshape(B, C, H, W))
`;

  it('are told of where they meet the values, if names say so', () => {
    expectAtLines(mapped(2, 'weights = weights.permute(0, 2, 1)'));
    expectAtLines(mapped(2, 'assert weights.ndim == 3', ['', '  # HW154']));
    expectAtLines(mapped(1, 'weights = weights.permute(0, 2, 1)', ['  # HW154', '']));
  });
});

describe('a stream under the name of what is added', () => {
  const layer = (step: string, ends = '', fed = 'self.mlp(x)'): string => `${head}
class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x, residual=None):
        y = self.down(F.relu(self.up(x)))
        return y if residual is None else residual + y


class Gated(Mlp):
    def forward(self, x):
        x = x + self.down(F.relu(self.up(x)))
        return x


class Layer(nn.Module):
    def __init__(self, width, attention: nn.Module):
        super().__init__()
        self.self_attn = attention
        self.mlp = Mlp(width)
        self.own_mlp = Gated(width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout1 = nn.Dropout(0.1)
        self.dropout2 = nn.Dropout(0.1)

    def forward(self, x, pos):
        y = self.self_attn(x + pos, x + pos, value=x)[0]
        x = x + self.dropout1(y)
        x = self.norm1(x)
        y = ${fed}
        x = ${step}${ends}
        return self.norm2(x)
`;
  const counted = (text: string): void => expectAtLines(text, ({ code }) => code === 'HW322');

  it('is left out where the others are added', () => {
    counted(layer('x + self.dropout2(y)'));
    counted(layer('self.dropout2(y)', '  # HW322'));
    counted(layer('y', '  # HW322'));
    counted(layer('y + self.dropout2(y)', '  # HW322'));
  });

  it('is not where the sublayer adds it itself', () => {
    counted(layer('y', '', 'self.own_mlp(x)'));
    counted(layer('y', '', 'self.mlp(self.norm1(x), x)'));
  });
});

describe('a mask that two branches read', () => {
  const attend = (filled: string, passed: string, [fill, call] = ['', '']): string => `${head}
class Attend(nn.Module):
    def __init__(self, fused=False):
        super().__init__()
        self.fused = fused

    def forward(self, q, k, v, mask=None):
        if mask is not None:
            mask = mask[:, None, None, :]
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v, attn_mask=${passed})${call}
        scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
        if mask is not None:
            scores = scores.masked_fill(${filled}, float("-inf"))${fill}
        return F.softmax(scores, dim=-1) @ v
`;

  it('is the same for both', () => {
    expectAtLines(attend('~mask', 'mask'));
    expectAtLines(attend('mask', '~mask'));
    expectAtLines(attend('mask == 0', 'mask'));
    expectAtLines(attend('mask', 'mask', ['  # HW156', '  # HW156']));
  });
});

describe('rotary embeddings that a helper applies for attention in another file', () => {
  const handed = (turned: string, ends = ''): string => `${head}
from elsewhere import Attend, apply_rotary_pos_emb


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.attend = Attend()
        self.out = nn.Linear(width, width)

    def forward(self, x, positions):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q = apply_rotary_pos_emb(positions, q)${ends}
        ${turned}
        return self.out(self.attend(q, k, v).transpose(1, 2).reshape(B, T, C))
`;
  const counted = (text: string): void => expectAtLines(text, ({ code }) => code === 'HW421');

  it('turn queries and keys', () => {
    counted(handed('k = apply_rotary_pos_emb(positions, k)'));
    counted(handed('v = v.contiguous()', '  # HW421'));
  });
});
