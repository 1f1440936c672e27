"""Scales that are not one over the root of the head width, each on purpose."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class MuPAttention(nn.Module):
    """Maximal update parametrisation: scores over d, not over its root."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.d_head = d_model // n_heads
        self.attn_mult = 1.0 / self.d_head
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).split(C, dim=-1)
        q = q.view(B, T, self.n_heads, -1).transpose(1, 2)
        k = k.view(B, T, self.n_heads, -1).transpose(1, 2)
        v = v.view(B, T, self.n_heads, -1).transpose(1, 2)
        w = torch.softmax(q @ k.transpose(-2, -1) * self.attn_mult, dim=-1)
        return self.out((w @ v).transpose(1, 2).reshape(B, T, C))


def softmax_off_by_one(x, dim=-1):
    """Softmax with a one more in the denominator: a head may attend to nothing."""
    shifted = x - x.amax(dim=dim, keepdim=True).clamp(min=0)
    exp = shifted.exp()
    return exp / (exp.sum(dim=dim, keepdim=True) + torch.exp(-x.amax(dim=dim, keepdim=True).clamp(min=0)))


class QuietAttention(nn.Module):
    def __init__(self, dim, heads, dim_head):
        super().__init__()
        self.heads = heads
        self.dim_head = dim_head
        self.to_qkv = nn.Linear(dim, 3 * heads * dim_head, bias=False)
        self.to_out = nn.Linear(heads * dim_head, dim)

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = (t.view(b, n, self.heads, self.dim_head).transpose(1, 2) for t in self.to_qkv(x).chunk(3, dim=-1))
        weights = softmax_off_by_one(q @ k.mT / math.sqrt(self.dim_head))
        return self.to_out((weights @ v).transpose(1, 2).flatten(2))


class CosineAttention(nn.Module):
    """Cosines of queries and keys times a learned temperature for each head."""

    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, dim * 3)
        self.logit_scale = nn.Parameter(torch.log(10 * torch.ones((num_heads, 1, 1))))
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, C // self.num_heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        attn = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        logit_scale = torch.clamp(self.logit_scale, max=math.log(1.0 / 0.01)).exp()
        attn = (attn * logit_scale).softmax(dim=-1)
        return self.proj((attn @ v).transpose(1, 2).reshape(B, N, C))


class ScaledByLayer(nn.Module):
    """The usual scale, and one over the layer's number."""

    def __init__(self, embed_dim, num_heads, layer_idx):
        super().__init__()
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.layer_idx = layer_idx
        self.c_attn = nn.Linear(embed_dim, 3 * embed_dim)
        self.c_proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        query, key, value = self.c_attn(x).split(self.embed_dim, dim=2)
        shape = (*x.shape[:2], -1, self.head_dim)
        query, key, value = (t.view(shape).transpose(1, 2) for t in (query, key, value))
        scale_factor = 1.0 / (value.size(-1) ** 0.5)
        scale_factor /= float(self.layer_idx + 1)
        weights = torch.softmax(torch.matmul(query, key.transpose(-1, -2)) * scale_factor, dim=-1)
        out = torch.matmul(weights, value).transpose(1, 2).reshape(x.shape)
        return self.c_proj(out)


class QueryPreScalar(nn.Module):
    """A scale by a number of the config, for scaled_dot_product_attention."""

    def __init__(self, hidden_size, num_heads, num_kv_heads, head_dim, query_pre_attn_scalar):
        super().__init__()
        self.head_dim = head_dim
        self.scaling = query_pre_attn_scalar**-0.5
        self.q_proj = nn.Linear(hidden_size, num_heads * head_dim, bias=False)
        self.k_proj = nn.Linear(hidden_size, num_kv_heads * head_dim, bias=False)
        self.v_proj = nn.Linear(hidden_size, num_kv_heads * head_dim, bias=False)
        self.o_proj = nn.Linear(num_heads * head_dim, hidden_size, bias=False)

    def forward(self, x):
        shape = (*x.shape[:-1], -1, self.head_dim)
        q, k, v = (proj(x).view(shape).transpose(1, 2) for proj in (self.q_proj, self.k_proj, self.v_proj))
        out = F.scaled_dot_product_attention(q, k, v, scale=self.scaling, is_causal=True, enable_gqa=True)
        return self.o_proj(out.transpose(1, 2).reshape(*x.shape[:-1], -1))


class NormedUnscaled(nn.Module):
    """Queries and keys are normed with learned weights, so the product is taken as it is."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.q_norm = nn.RMSNorm(self.head_dim)
        self.k_norm = nn.RMSNorm(self.head_dim)
        self.wq = nn.Linear(dim, heads * self.head_dim)
        self.wk = nn.Linear(dim, heads * self.head_dim)
        self.wv = nn.Linear(dim, heads * self.head_dim)
        self.wo = nn.Linear(heads * self.head_dim, dim)

    def forward(self, x):
        b, t, _ = x.shape
        q = self.q_norm(self.wq(x).view(b, t, self.heads, self.head_dim)).transpose(1, 2)
        k = self.k_norm(self.wk(x).view(b, t, self.heads, self.head_dim)).transpose(1, 2)
        v = self.wv(x).view(b, t, self.heads, self.head_dim).transpose(1, 2)
        out = F.scaled_dot_product_attention(q, k, v, scale=1.0)
        return self.wo(out.transpose(1, 2).reshape(b, t, -1))


class RootedTwice(nn.Module):
    """The fourth root on either side, for the sake of half precision."""

    def __init__(self, channels, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Conv1d(channels, channels * 3, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        # x: (B, C, L)
        bs, width, length = x.shape
        ch = width // self.heads
        q, k, v = self.qkv(x).reshape(bs * self.heads, ch * 3, length).split(ch, dim=1)
        scale = 1 / math.sqrt(math.sqrt(ch))
        weight = torch.einsum("bct,bcs->bts", q * scale, k * scale)
        weight = torch.softmax(weight.float(), dim=-1).type(weight.dtype)
        a = torch.einsum("bts,bcs->bct", weight, v)
        return x + self.proj_out(a.reshape(bs, -1, length))


class LongContext(nn.Module):
    """A scale with the temperature of longer contexts in it."""

    def __init__(self, dim, heads, factor):
        super().__init__()
        self.heads = heads
        head_dim = dim // heads
        mscale = 0.1 * math.log(factor) + 1.0
        self.softmax_scale = head_dim**-0.5 * mscale * mscale
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) * self.softmax_scale
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, c))


class Unscaled(nn.Module):
    """No scale: it is in the initialisation of the queries."""

    def __init__(self, d_model, d_kv, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.d_kv = d_kv
        inner_dim = num_heads * d_kv
        self.q = nn.Linear(d_model, inner_dim, bias=False)
        self.k = nn.Linear(d_model, inner_dim, bias=False)
        self.v = nn.Linear(d_model, inner_dim, bias=False)
        self.o = nn.Linear(inner_dim, d_model, bias=False)
        nn.init.normal_(self.q.weight, std=(d_model * d_kv) ** -0.5)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = (proj(x).view(b, t, self.num_heads, self.d_kv).transpose(1, 2) for proj in (self.q, self.k, self.v))
        return self.o((F.softmax(q @ k.mT, dim=-1) @ v).transpose(1, 2).reshape(b, t, -1))
