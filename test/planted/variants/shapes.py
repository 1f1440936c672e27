"""Attention of uncommon shapes: everything fits, and every axis is the one that is meant."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange, repeat


class FreeHeadWidth(nn.Module):
    """Heads times head width is not the model width."""

    def __init__(self, d_model, n_heads, d_head):
        super().__init__()
        self.n_heads = n_heads
        self.d_head = d_head
        self.w_q = nn.Linear(d_model, n_heads * d_head)
        self.w_k = nn.Linear(d_model, n_heads * d_head)
        self.w_v = nn.Linear(d_model, n_heads * d_head)
        self.w_o = nn.Linear(n_heads * d_head, d_model)

    def forward(self, x):
        batch, length, _ = x.shape
        q = self.w_q(x).reshape(batch, length, self.n_heads, self.d_head).permute(0, 2, 1, 3)
        k = self.w_k(x).reshape(batch, length, self.n_heads, self.d_head).permute(0, 2, 3, 1)
        v = self.w_v(x).reshape(batch, length, self.n_heads, self.d_head).permute(0, 2, 1, 3)
        weights = torch.softmax(torch.matmul(q, k) / math.sqrt(self.d_head), dim=-1)
        out = torch.matmul(weights, v).permute(0, 2, 1, 3).reshape(batch, length, self.n_heads * self.d_head)
        return self.w_o(out), weights.mean(dim=1)


class WideValues(nn.Module):
    """Keys narrower than values."""

    def __init__(self, dim, heads, key_dim, value_dim):
        super().__init__()
        self.heads, self.key_dim, self.value_dim = heads, key_dim, value_dim
        self.qk = nn.Linear(dim, 2 * heads * key_dim)
        self.v = nn.Linear(dim, heads * value_dim)
        self.out = nn.Linear(heads * value_dim, dim)

    def forward(self, x):
        q, k = self.qk(x).chunk(2, dim=-1)
        q = rearrange(q, "b n (h d) -> b h n d", h=self.heads)
        k = rearrange(k, "b n (h d) -> b h n d", h=self.heads)
        v = rearrange(self.v(x), "b n (h e) -> b h n e", h=self.heads)
        out = (q @ k.transpose(-1, -2) * self.key_dim**-0.5).softmax(dim=-1) @ v
        return self.out(rearrange(out, "b h n e -> b n (h e)"))


class MultiQuery(nn.Module):
    """One key-value head, broadcast over the query heads by matmul itself."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.c_attn = nn.Linear(dim, dim + 2 * self.head_dim)
        self.c_proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        q, kv = self.c_attn(x).split((c, 2 * self.head_dim), dim=2)
        k, v = kv.split(self.head_dim, dim=-1)
        q = q.view(b, t, self.heads, self.head_dim).transpose(1, 2)
        scores = torch.matmul(q, k.unsqueeze(1).transpose(-2, -1)) / math.sqrt(self.head_dim)
        out = torch.matmul(scores.softmax(dim=-1), v.unsqueeze(1))
        return self.c_proj(out.transpose(1, 2).reshape(b, t, c))


class MultiQueryFolded(nn.Module):
    """Heads folded into the length, so that one key serves them all."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * self.head_dim)
        self.o = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        q = self.q(x).view(b, t * self.heads, self.head_dim)
        k, v = self.kv(x).chunk(2, dim=-1)
        scores = torch.bmm(q, k.transpose(1, 2)) / math.sqrt(self.head_dim)
        out = torch.bmm(scores.softmax(dim=-1), v)
        return self.o(out.view(b, t, c))


class LinearAttention(nn.Module):
    """Softmax of queries over features and of keys over the length, then keys with values first."""

    def __init__(self, dim, heads=4):
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dim, dim * 3, bias=False)
        self.to_out = nn.Linear(dim, dim)

    def forward(self, x):
        q, k, v = self.to_qkv(x).chunk(3, dim=-1)
        q, k, v = (rearrange(t, "b n (h d) -> b h n d", h=self.heads) for t in (q, k, v))
        q = q.softmax(dim=-1) * q.shape[-1] ** -0.5
        k = k.softmax(dim=-2)
        context = torch.einsum("bhnd,bhne->bhde", k, v)
        out = torch.einsum("bhnd,bhde->bhne", q, context)
        return self.to_out(rearrange(out, "b h n d -> b n (h d)"))


class ChannelAttention(nn.Module):
    """Attention between channels: the product is taken over the tokens."""

    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.temperature = nn.Parameter(torch.ones(num_heads, 1, 1))
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, C // self.num_heads).permute(2, 0, 3, 4, 1)
        q, k, v = qkv.unbind(0)
        q = F.normalize(q, dim=-1)
        k = F.normalize(k, dim=-1)
        attn = (q @ k.transpose(-2, -1)) * self.temperature
        x = attn.softmax(dim=-1) @ v
        return self.proj(x.permute(0, 3, 1, 2).reshape(B, N, C))


class SlotAttention(nn.Module):
    """Slots compete for inputs: softmax over the slots, then a mean over the inputs."""

    def __init__(self, num_slots, dim, iters=3, eps=1e-8):
        super().__init__()
        self.num_slots, self.iters, self.eps = num_slots, iters, eps
        self.scale = dim**-0.5
        self.slots_mu = nn.Parameter(torch.randn(1, 1, dim))
        self.to_q = nn.Linear(dim, dim)
        self.to_k = nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.gru = nn.GRUCell(dim, dim)
        self.norm_input = nn.LayerNorm(dim)
        self.norm_slots = nn.LayerNorm(dim)

    def forward(self, inputs):
        b, _, d = inputs.shape
        slots = self.slots_mu.expand(b, self.num_slots, -1)
        inputs = self.norm_input(inputs)
        k, v = self.to_k(inputs), self.to_v(inputs)
        for _ in range(self.iters):
            slots_prev = slots
            q = self.to_q(self.norm_slots(slots))
            dots = torch.einsum("bid,bjd->bij", q, k) * self.scale
            attn = dots.softmax(dim=1) + self.eps
            attn = attn / attn.sum(dim=-1, keepdim=True)
            updates = torch.einsum("bjd,bij->bid", v, attn)
            slots = self.gru(updates.reshape(-1, d), slots_prev.reshape(-1, d)).reshape(b, -1, d)
        return slots


class TalkingHeads(nn.Module):
    """Heads are mixed before and after the softmax."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.scale = (dim // heads) ** -0.5
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_kv = nn.Linear(dim, dim * 2, bias=False)
        self.mix_pre = nn.Parameter(torch.randn(heads, heads))
        self.mix_post = nn.Parameter(torch.randn(heads, heads))
        self.to_out = nn.Linear(dim, dim)

    def forward(self, x):
        q, k, v = (self.to_q(x), *self.to_kv(x).chunk(2, dim=-1))
        q, k, v = (rearrange(t, "b n (h d) -> b h n d", h=self.heads) for t in (q, k, v))
        dots = torch.einsum("b h i d, b h j d -> b h i j", q, k) * self.scale
        dots = torch.einsum("b h i j, h g -> b g i j", dots, self.mix_pre)
        attn = dots.softmax(dim=-1)
        attn = torch.einsum("b h i j, h g -> b g i j", attn, self.mix_post)
        out = torch.einsum("b h i j, b h j d -> b h i d", attn, v)
        return self.to_out(rearrange(out, "b h n d -> b n (h d)"))


class LatentReader(nn.Module):
    """A few latents read long input of another width, and are told apart from it in keys and values."""

    def __init__(self, latents, dim, input_dim, heads, dim_head):
        super().__init__()
        self.latents = nn.Parameter(torch.randn(latents, dim))
        self.heads = heads
        self.norm_latents = nn.LayerNorm(dim)
        self.norm_input = nn.LayerNorm(input_dim)
        self.widen = nn.Linear(input_dim, dim)
        self.to_q = nn.Linear(dim, heads * dim_head, bias=False)
        self.to_kv = nn.Linear(dim, 2 * heads * dim_head, bias=False)
        self.to_out = nn.Linear(heads * dim_head, dim, bias=False)

    def forward(self, x):
        latents = repeat(self.latents, "n d -> b n d", b=x.shape[0])
        x = self.widen(self.norm_input(x))
        normed = self.norm_latents(latents)
        q = self.to_q(normed)
        k, v = self.to_kv(torch.cat((x, normed), dim=-2)).chunk(2, dim=-1)
        q, k, v = (rearrange(t, "b n (h d) -> b h n d", h=self.heads) for t in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v)
        return latents + self.to_out(rearrange(out, "b h n d -> b n (h d)"))


class WindowAttention(nn.Module):
    """Attention within windows of an image, with a bias for each offset."""

    def __init__(self, dim, window_size, num_heads):
        super().__init__()
        self.dim, self.window_size, self.num_heads = dim, window_size, num_heads
        self.scale = (dim // num_heads) ** -0.5
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window_size - 1) * (2 * window_size - 1), num_heads))
        coords = torch.stack(torch.meshgrid([torch.arange(window_size), torch.arange(window_size)], indexing="ij")).flatten(1)
        relative = (coords[:, :, None] - coords[:, None, :]).permute(1, 2, 0).contiguous()
        relative += window_size - 1
        relative[:, :, 0] *= 2 * window_size - 1
        self.register_buffer("relative_position_index", relative.sum(-1))
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, H, W, C = x.shape
        size = self.window_size
        windows = x.view(B, H // size, size, W // size, size, C).permute(0, 1, 3, 2, 4, 5).reshape(-1, size * size, C)
        B_, N, _ = windows.shape
        qkv = self.qkv(windows).reshape(B_, N, 3, self.num_heads, C // self.num_heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        attn = (q * self.scale) @ k.transpose(-2, -1)
        bias = self.relative_position_bias_table[self.relative_position_index.view(-1)].view(N, N, -1)
        attn = attn + bias.permute(2, 0, 1).contiguous().unsqueeze(0)
        out = (attn.softmax(dim=-1) @ v).transpose(1, 2).reshape(B_, N, C)
        out = self.proj(out).view(B, H // size, W // size, size, size, C)
        return x + out.permute(0, 1, 3, 2, 4, 5).reshape(B, H, W, C)


class TokenMixer(nn.Module):
    """A linear layer over the tokens, by way of a transpose."""

    def __init__(self, tokens, dim, token_hidden, channel_hidden):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.tokens = nn.Sequential(nn.Linear(tokens, token_hidden), nn.GELU(), nn.Linear(token_hidden, tokens))
        self.norm2 = nn.LayerNorm(dim)
        self.channels = nn.Sequential(nn.Linear(dim, channel_hidden), nn.GELU(), nn.Linear(channel_hidden, dim))

    def forward(self, x):
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class KeysAsValues(nn.Module):
    """Queries and keys of one projection, as in locality-sensitive hashing."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.to_qk = nn.Linear(dim, dim, bias=False)
        self.to_v = nn.Linear(dim, dim, bias=False)
        self.to_out = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        qk = self.to_qk(x).view(b, t, self.heads, -1).transpose(1, 2)
        v = self.to_v(x).view(b, t, self.heads, -1).transpose(1, 2)
        keys = F.normalize(qk, dim=-1)
        scores = qk @ keys.transpose(-1, -2) * (c // self.heads) ** -0.5
        return self.to_out((scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(b, t, c))


class AxialAttention(nn.Module):
    """Rows, then columns, by nn.MultiheadAttention; the batch takes the other axis."""

    def __init__(self, dim, heads):
        super().__init__()
        self.rows = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.columns = nn.MultiheadAttention(dim, heads)

    def forward(self, x):
        b, h, w, c = x.shape
        rows = x.reshape(b * h, w, c)
        rows = self.rows(rows, rows, rows, need_weights=False)[0].view(b, h, w, c)
        columns = x.permute(1, 0, 2, 3).reshape(h, b * w, c)
        columns = self.columns(columns, columns, columns)[0].view(h, b, w, c).permute(1, 0, 2, 3)
        return x + rows + columns


class Matching(nn.Module):
    """Two sets are matched: softmax either way, multiplied."""

    def __init__(self, dim):
        super().__init__()
        self.final_proj = nn.Linear(dim, dim)
        self.temperature = 0.1

    def forward(self, left, right):
        left, right = self.final_proj(left), self.final_proj(right)
        sim = torch.einsum("bnd,bmd->bnm", left / left.shape[-1] ** 0.5, right / right.shape[-1] ** 0.5) / self.temperature
        return F.softmax(sim, dim=1) * F.softmax(sim, dim=2)


class PooledWeights(nn.Module):
    """One learned score for each token, over the length."""

    def __init__(self, dim):
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, x, keep):
        # x: (batch, length, dim), keep: (batch, length)
        scores = self.score(x).squeeze(-1).masked_fill(~keep, float("-inf"))
        weights = scores.softmax(dim=1)
        return torch.einsum("bl,bld->bd", weights, x)
