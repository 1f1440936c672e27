"""Attention written with torch.einsum; dims are named in docstrings.

B: batch, T: target length, S: source length, D: model width, N: query heads, K: key-value heads, H: head width, F: hidden width.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Einsum(nn.Module):
    """A weight of any rank, applied by a pattern."""

    def __init__(self, shape):
        super().__init__()
        self.w = nn.Parameter(torch.empty(shape))
        nn.init.normal_(self.w, std=0.02)

    def forward(self, eqn, x):
        return torch.einsum(eqn, x, self.w)


def rope(x, positions, max_wavelength=10_000):
    """Applies rotary positions.

    Args:
        x: [B, T, N, H]
        positions: [B, T]
    """
    half = x.shape[-1] // 2
    fraction = 2 * torch.arange(half, device=x.device) / x.shape[-1]
    timescale = max_wavelength**fraction
    angle = positions[..., None] / timescale[None, None, :]
    angle = angle[..., None, :]
    sin, cos = torch.sin(angle), torch.cos(angle)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, num_heads, num_kv_heads, features, head_dim):
        super().__init__()
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads
        self.features = features
        self.head_dim = head_dim
        self.q_einsum = Einsum((num_heads, features, head_dim))
        self.kv_einsum = Einsum((2, num_kv_heads, features, head_dim))
        self.attn_vec_einsum = Einsum((num_heads, head_dim, features))

    def forward(self, x, positions, attn_mask):
        """
        Args:
            x: [B, T, D]
            positions: [B, T]
            attn_mask: [B, T, S], True where a query may look
        Returns:
            [B, T, D]
        """
        query = self.q_einsum("BTD,NDH->BTNH", x)
        key, value = self.kv_einsum("BSD,CKDH->CBSKH", x)

        query = rope(query, positions)
        key = rope(key, positions)
        query = query * self.head_dim**-0.5

        batch, length, _, _ = query.shape
        query = query.reshape(batch, length, self.num_kv_heads, self.num_heads // self.num_kv_heads, self.head_dim)
        logits = torch.einsum("BTKGH,BSKH->BTKGS", query, key)
        logits = torch.where(attn_mask[:, :, None, None, :], logits, torch.finfo(logits.dtype).min)
        probs = F.softmax(logits, dim=-1)
        encoded = torch.einsum("BTKGS,BSKH->BTKGH", probs, value)
        encoded = encoded.reshape(batch, length, self.num_heads, self.head_dim)
        return self.attn_vec_einsum("BTNH,NHD->BTD", encoded)


class GatedFeedForward(nn.Module):
    def __init__(self, features, hidden_dim):
        super().__init__()
        self.gating_einsum = Einsum((2, features, hidden_dim))
        self.linear = Einsum((hidden_dim, features))

    def forward(self, x):
        gate, up = self.gating_einsum("BTD,CDF->CBTF", x)
        return self.linear("BTF,FD->BTD", F.gelu(gate) * up)


class RMSNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        var = torch.mean(torch.square(x), dim=-1, keepdim=True)
        return x * torch.rsqrt(var + 1e-6) * (1 + self.scale)


class Block(nn.Module):
    def __init__(self, num_heads, num_kv_heads, embed_dim, head_dim, hidden_dim):
        super().__init__()
        self.pre_attention_norm = RMSNorm(embed_dim)
        self.attn = Attention(num_heads, num_kv_heads, embed_dim, head_dim)
        self.pre_ffw_norm = RMSNorm(embed_dim)
        self.mlp = GatedFeedForward(embed_dim, hidden_dim)

    def forward(self, x, positions, attn_mask):
        attn_output = self.attn(self.pre_attention_norm(x), positions, attn_mask)
        attn_output = attn_output + x
        outputs = self.mlp(self.pre_ffw_norm(attn_output))
        return attn_output + outputs


class Transformer(nn.Module):
    def __init__(self, num_layers, vocab, embed_dim, hidden_dim, num_heads, num_kv_heads, head_dim):
        super().__init__()
        self.embed_dim = embed_dim
        self.input_embedding = nn.Parameter(torch.empty(vocab, embed_dim))
        self.blocks = nn.ModuleList(
            [Block(num_heads, num_kv_heads, embed_dim, head_dim, hidden_dim) for _ in range(num_layers)]
        )
        self.final_norm = RMSNorm(embed_dim)

    def forward(self, tokens, input_mask):
        """
        Args:
            tokens: [B, T]
            input_mask: [B, T], True for real tokens
        Returns:
            logits [B, T, V]
        """
        length = tokens.shape[1]
        causal = torch.tril(torch.ones(length, length, dtype=torch.bool, device=tokens.device))
        attn_mask = input_mask[:, None, :] & causal[None, :, :]
        positions = torch.cumsum(input_mask, dim=-1) - 1

        x = self.input_embedding[tokens]
        x = x * math.sqrt(self.embed_dim)
        for block in self.blocks:
            x = block(x, positions, attn_mask)
        x = self.final_norm(x)
        return torch.einsum("BTD,VD->BTV", x, self.input_embedding)
