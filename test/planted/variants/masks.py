"""Masks of either polarity, each as the interface takes it."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class KeepForSdpa(nn.Module):
    """True keeps."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x, padding_mask):
        # padding_mask: (batch, length), True where padding
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        keep = ~padding_mask[:, None, None, :]
        causal = torch.ones(t, t, dtype=torch.bool, device=x.device).tril()
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=keep & causal)
        return self.out(out.transpose(1, 2).reshape(b, t, c))


class HideForMultihead(nn.Module):
    """True hides."""

    def __init__(self, dim, heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)

    def forward(self, x, attention_mask):
        # attention_mask: (batch, length), 1 for tokens and 0 for padding
        t = x.shape[1]
        later = torch.ones(t, t, device=x.device, dtype=torch.bool).triu(1)
        out, weights = self.attn(x, x, x, key_padding_mask=attention_mask == 0, attn_mask=later, average_attn_weights=False)
        return out, weights


class AdditiveForSdpa(nn.Module):
    """Zero keeps, minus infinity hides."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x, lengths):
        b, t, c = x.shape
        q, k, v = (part.view(b, t, self.heads, -1).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        hidden = torch.arange(t, device=x.device)[None, :] >= lengths[:, None]
        bias = torch.zeros(b, 1, 1, t, dtype=q.dtype, device=x.device).masked_fill(hidden[:, None, None, :], float("-inf"))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.out(out.transpose(1, 2).reshape(b, t, c))


class PrefixMask(nn.Module):
    """The prefix is seen whole, what follows is causal; the window hides what is far behind."""

    def __init__(self, dim, heads, window):
        super().__init__()
        self.heads = heads
        self.window = window
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x, prefix_length):
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        rows = torch.arange(t, device=x.device)[:, None]
        columns = torch.arange(t, device=x.device)[None, :]
        visible = (columns <= rows) & (rows - columns < self.window)
        visible = visible | (columns < prefix_length)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        scores = scores.masked_fill(visible.logical_not(), torch.finfo(scores.dtype).min)
        return self.out((scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(b, t, c))


class ClearedAfter(nn.Module):
    """Masked before the softmax; rows that see nothing are cleared after it."""

    def __init__(self, n_head, n_feat):
        super().__init__()
        self.d_k = n_feat // n_head
        self.h = n_head
        self.linear_q = nn.Linear(n_feat, n_feat)
        self.linear_k = nn.Linear(n_feat, n_feat)
        self.linear_v = nn.Linear(n_feat, n_feat)
        self.linear_out = nn.Linear(n_feat, n_feat)

    def forward(self, query, key, value, mask):
        """mask: (batch, 1, time2), 0 at padding"""
        n_batch = query.size(0)
        q = self.linear_q(query).view(n_batch, -1, self.h, self.d_k).transpose(1, 2)
        k = self.linear_k(key).view(n_batch, -1, self.h, self.d_k).transpose(1, 2)
        v = self.linear_v(value).view(n_batch, -1, self.h, self.d_k).transpose(1, 2)
        scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(self.d_k)
        mask = mask.unsqueeze(1).eq(0)
        scores = scores.masked_fill(mask, torch.finfo(scores.dtype).min)
        attn = torch.softmax(scores, dim=-1).masked_fill(mask, 0.0)
        x = torch.matmul(attn, v)
        return self.linear_out(x.transpose(1, 2).contiguous().view(n_batch, -1, self.h * self.d_k))


class Renormalised(nn.Module):
    """Weights are masked after the softmax and made to sum to one again."""

    def __init__(self, dim):
        super().__init__()
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)

    def forward(self, x, keep):
        scores = self.q(x) @ self.k(x).transpose(1, 2) * x.shape[-1] ** -0.5
        weights = scores.softmax(dim=-1) * keep.unsqueeze(1)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        return weights @ self.v(x)


class PromptOrStep(nn.Module):
    """Causal for the prompt; one new token sees every key, and needs no mask."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x, past=None):
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        if past is not None:
            k = torch.cat((past[0], k), dim=-2)
            v = torch.cat((past[1], v), dim=-2)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=past is None)
        return self.out(out.transpose(1, 2).reshape(b, t, c)), (k, v)


class WithoutSelf(nn.Module):
    """A query that predicts its own token must not see it: the diagonal is hidden, and a start token is always seen."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.start = nn.Parameter(torch.zeros(1, 1, dim))
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, positions, content):
        b, t, c = content.shape
        content = torch.cat((self.start.expand(b, -1, -1), content), dim=1)
        q = self.q(positions).view(b, t, self.heads, -1).transpose(1, 2)
        k, v = self.kv(content).view(b, t + 1, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        visible = torch.ones(t, t + 1, dtype=torch.bool, device=content.device).tril()
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=visible)
        return self.out(out.transpose(1, 2).reshape(b, t, c))


class CrossPadding(nn.Module):
    """A decoder layer of the library with a mask for each part."""

    def __init__(self, dim, heads, hidden, depth):
        super().__init__()
        layer = nn.TransformerDecoderLayer(dim, heads, hidden, batch_first=True, norm_first=True)
        self.decoder = nn.TransformerDecoder(layer, depth, norm=nn.LayerNorm(dim))

    def forward(self, tgt, memory, memory_padding):
        length = tgt.size(1)
        tgt_mask = torch.full((length, length), float("-inf"), device=tgt.device).triu(diagonal=1)
        return self.decoder(tgt, memory, tgt_mask=tgt_mask, memory_key_padding_mask=memory_padding)


class Reversed(nn.Module):
    """Reads from right to left: the upper triangle is what may be seen."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        x = x.flip(1)
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, c)
        return self.out(out).flip(1)
