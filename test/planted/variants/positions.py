"""Positions and caches in other forms."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class PartialInterleavedRope(nn.Module):
    """Pairs side by side, on the first part of each head."""

    def __init__(self, n_embd, n_head, rotary_dim, max_positions):
        super().__init__()
        self.n_head, self.rotary_dim = n_head, rotary_dim
        self.head_dim = n_embd // n_head
        inv_freq = 1.0 / (10000 ** (torch.arange(0, rotary_dim, 2) / rotary_dim))
        sinusoid = torch.einsum("i,j->ij", torch.arange(max_positions).float(), inv_freq)
        self.register_buffer("embed_positions", torch.cat((torch.sin(sinusoid), torch.cos(sinusoid)), dim=1), persistent=False)
        self.q_proj = nn.Linear(n_embd, n_embd, bias=False)
        self.k_proj = nn.Linear(n_embd, n_embd, bias=False)
        self.v_proj = nn.Linear(n_embd, n_embd, bias=False)
        self.out_proj = nn.Linear(n_embd, n_embd, bias=False)

    @staticmethod
    def rotate_every_two(x):
        x1 = x[:, :, :, ::2]
        x2 = x[:, :, :, 1::2]
        return torch.stack((-x2, x1), dim=-1).flatten(-2)

    def rotate(self, x, sin, cos):
        sin = torch.repeat_interleave(sin[:, :, None, :], 2, 3)
        cos = torch.repeat_interleave(cos[:, :, None, :], 2, 3)
        return x * cos + self.rotate_every_two(x) * sin

    def forward(self, hidden_states, position_ids):
        b, t, c = hidden_states.shape
        query = self.q_proj(hidden_states).view(b, t, self.n_head, self.head_dim)
        key = self.k_proj(hidden_states).view(b, t, self.n_head, self.head_dim)
        value = self.v_proj(hidden_states).view(b, t, self.n_head, self.head_dim).permute(0, 2, 1, 3)
        table = self.embed_positions.repeat(b, 1, 1)
        index = position_ids.unsqueeze(-1).repeat(1, 1, table.shape[-1])
        sin, cos = torch.split(torch.gather(table, 1, index), self.rotary_dim // 2, dim=-1)
        query = torch.cat([self.rotate(query[..., : self.rotary_dim], sin, cos), query[..., self.rotary_dim :]], dim=-1)
        key = torch.cat([self.rotate(key[..., : self.rotary_dim], sin, cos), key[..., self.rotary_dim :]], dim=-1)
        query, key = query.permute(0, 2, 1, 3), key.permute(0, 2, 1, 3)
        weights = F.softmax(query @ key.transpose(-1, -2) / math.sqrt(self.head_dim), dim=-1)
        return self.out_proj((weights @ value).permute(0, 2, 1, 3).reshape(b, t, c))


class TwoAxisRope(nn.Module):
    """Half of each head turns by the row, half by the column."""

    def __init__(self, dim, heads, side):
        super().__init__()
        self.heads = heads
        head_dim = dim // heads
        freqs = 1.0 / (100.0 ** (torch.arange(0, head_dim, 4)[: (head_dim // 4)].float() / head_dim))
        places = torch.arange(side * side)
        rows, columns = torch.outer((places // side).float(), freqs), torch.outer((places % side).float(), freqs)
        angles = torch.cat([torch.polar(torch.ones_like(rows), rows), torch.polar(torch.ones_like(columns), columns)], dim=-1)
        self.angles = angles
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def turn(self, x):
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * self.angles).flatten(3).type_as(x)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        out = F.scaled_dot_product_attention(self.turn(q), self.turn(k), v)
        return self.proj(out.transpose(1, 2).reshape(b, n, c))


class DisentangledBias(nn.Module):
    """Content with position, position with content: the scale counts the kinds of score."""

    def __init__(self, dim, heads, span):
        super().__init__()
        self.heads, self.span = heads, span
        self.rel_embeddings = nn.Embedding(2 * span, dim)
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def split(self, x):
        return x.view(*x.shape[:-1], self.heads, -1).transpose(-2, -3)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scale = math.sqrt(q.size(-1) * 3)
        scores = q @ k.transpose(-1, -2) / scale
        places = torch.arange(t, device=x.device)
        index = (places[:, None] - places[None, :]).clamp(-self.span, self.span - 1) + self.span
        relative = self.rel_embeddings.weight
        c2p = q @ self.split(self.key(relative)).transpose(-1, -2)
        scores = scores + torch.gather(c2p, -1, index.expand(b, self.heads, t, t)) / scale
        p2c = k @ self.split(self.query(relative)).transpose(-1, -2)
        scores = scores + torch.gather(p2c, -1, index.expand(b, self.heads, t, t)).transpose(-1, -2) / scale
        out = scores.softmax(dim=-1) @ v
        return self.out(out.transpose(1, 2).reshape(b, t, c))


class ShiftedRelative(nn.Module):
    """Relative scores by a pad and a view that shifts them, with learned biases of content and position."""

    def __init__(self, dim, heads):
        super().__init__()
        self.h = heads
        self.d_k = dim // heads
        self.linear_q = nn.Linear(dim, dim)
        self.linear_k = nn.Linear(dim, dim)
        self.linear_v = nn.Linear(dim, dim)
        self.linear_pos = nn.Linear(dim, dim, bias=False)
        self.linear_out = nn.Linear(dim, dim)
        self.pos_bias_u = nn.Parameter(torch.zeros(heads, self.d_k))
        self.pos_bias_v = nn.Parameter(torch.zeros(heads, self.d_k))

    def rel_shift(self, x):
        zero_pad = torch.zeros((*x.size()[:3], 1), device=x.device, dtype=x.dtype)
        x_padded = torch.cat([zero_pad, x], dim=-1).view(*x.size()[:2], x.size(3) + 1, x.size(2))
        return x_padded[:, :, 1:].view_as(x)[:, :, :, : x.size(-1) // 2 + 1]

    def forward(self, x, pos_emb):
        # x: (batch, time, dim), pos_emb: (1, 2 * time - 1, dim)
        b, t, c = x.shape
        q = self.linear_q(x).view(b, t, self.h, self.d_k)
        k = self.linear_k(x).view(b, t, self.h, self.d_k).transpose(1, 2)
        v = self.linear_v(x).view(b, t, self.h, self.d_k).transpose(1, 2)
        p = self.linear_pos(pos_emb).view(pos_emb.size(0), -1, self.h, self.d_k).transpose(1, 2)
        q_with_bias_u = (q + self.pos_bias_u).transpose(1, 2)
        q_with_bias_v = (q + self.pos_bias_v).transpose(1, 2)
        matrix_ac = torch.matmul(q_with_bias_u, k.transpose(-2, -1))
        matrix_bd = self.rel_shift(torch.matmul(q_with_bias_v, p.transpose(-2, -1)))
        scores = (matrix_ac + matrix_bd) / math.sqrt(self.d_k)
        out = torch.matmul(scores.softmax(dim=-1), v)
        return self.linear_out(out.transpose(1, 2).reshape(b, t, c))


class OffsetPositions(nn.Module):
    """A table with two more rows than places: the first two are kept for padding."""

    def __init__(self, max_positions, dim, vocab):
        super().__init__()
        self.offset = 2
        self.embed_tokens = nn.Embedding(vocab, dim)
        self.embed_positions = nn.Embedding(max_positions + self.offset, dim)

    def forward(self, tokens):
        mask = tokens.ne(0).long()
        positions = torch.cumsum(mask, dim=1) * mask - 1
        return self.embed_tokens(tokens) + self.embed_positions(positions + self.offset)


class GrownCache(nn.Module):
    """One key-value head cached; the window keeps the newest tokens alone."""

    def __init__(self, dim, heads, window):
        super().__init__()
        self.heads, self.window = heads, window
        self.head_dim = dim // heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * self.head_dim)
        self.o = nn.Linear(dim, dim)

    def forward(self, x, cache=None):
        b, t, c = x.shape
        q = self.q(x).view(b, t, self.heads, self.head_dim).transpose(1, 2)
        k, v = self.kv(x).unsqueeze(1).chunk(2, dim=-1)
        if cache is not None:
            k = torch.cat((cache[0], k), dim=2)[:, :, -self.window :]
            v = torch.cat((cache[1], v), dim=2)[:, :, -self.window :]
        out = F.scaled_dot_product_attention(q, k.expand(-1, self.heads, -1, -1), v.expand(-1, self.heads, -1, -1))
        return self.o(out.transpose(1, 2).reshape(b, t, c)), (k, v)


class CrossCache(nn.Module):
    """Keys and values of the source are projected once and kept."""

    def __init__(self, dim, source_dim, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(source_dim, dim)
        self.v = nn.Linear(source_dim, dim)
        self.o = nn.Linear(dim, dim)

    def heads_of(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, source=None, kept=None):
        q = self.heads_of(self.q(x))
        k, v = kept if kept is not None else (self.heads_of(self.k(source)), self.heads_of(self.v(source)))
        out = F.scaled_dot_product_attention(q, k, v)
        return self.o(out.transpose(1, 2).flatten(-2)), (k, v)


class FactorisedEmbedding(nn.Module):
    """Tied weights of another width than the model, by way of projections."""

    def __init__(self, vocab, embed_dim, dim):
        super().__init__()
        self.embed = nn.Embedding(vocab, embed_dim)
        self.project_in = nn.Linear(embed_dim, dim, bias=False)
        self.project_out = nn.Linear(dim, embed_dim, bias=False)
        self.lm_head = nn.Linear(embed_dim, vocab, bias=False)
        self.lm_head.weight = self.embed.weight

    def forward(self, tokens):
        return self.lm_head(self.project_out(torch.tanh(self.project_in(self.embed(tokens)))))
