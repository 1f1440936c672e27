from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class ModelArgs:
    dim: int = 1024
    n_layers: int = 8
    n_heads: int = 16
    n_kv_heads: int = 4
    vocab_size: int = 32000
    hidden_dim: int = 2816
    norm_eps: float = 1e-5
    max_seq_len: int = 2048
    rope_base: float = 10000.0


def build_rope_cache(seq_len: int, n_elem: int, base: float = 10000.0):
    """cos and sin, each (seq_len, n_elem)."""
    theta = 1.0 / (base ** (torch.arange(0, n_elem, 2).float() / n_elem))
    idx_theta = torch.outer(torch.arange(seq_len).float(), theta).repeat(1, 2)
    return torch.cos(idx_theta), torch.sin(idx_theta)


def apply_rope(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    head_size = x.size(-1)
    x1 = x[..., : head_size // 2]  # (B, nh, T, hs/2)
    x2 = x[..., head_size // 2 :]  # (B, nh, T, hs/2)
    rotated = torch.cat((-x2, x1), dim=-1)  # (B, nh, T, hs)
    return (x * cos) + (rotated * sin)


class SelfAttention(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        assert args.n_heads % args.n_kv_heads == 0
        assert args.dim % args.n_heads == 0
        self.n_heads = args.n_heads
        self.n_kv_heads = args.n_kv_heads
        self.head_size = args.dim // args.n_heads
        self.qkv = nn.Linear(args.dim, (args.n_heads + 2 * args.n_kv_heads) * self.head_size, bias=False)
        self.proj = nn.Linear(args.n_heads * self.head_size, args.dim, bias=False)

    def forward(self, x, cos, sin, mask=None):
        B, T, C = x.size()
        qkv = self.qkv(x)
        q_size = self.n_heads * self.head_size
        kv_size = self.n_kv_heads * self.head_size
        q, k, v = qkv.split([q_size, kv_size, kv_size], dim=-1)
        q = q.view(B, T, self.n_heads, self.head_size).transpose(1, 2)
        k = k.view(B, T, self.n_kv_heads, self.head_size).transpose(1, 2)
        v = v.view(B, T, self.n_kv_heads, self.head_size).transpose(1, 2)

        q = apply_rope(q, cos[:T], sin[:T])
        k = apply_rope(k, cos[:T], sin[:T])

        if mask is None:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        else:
            groups = self.n_heads // self.n_kv_heads
            k = k.repeat_interleave(groups, dim=1)
            v = v.repeat_interleave(groups, dim=1)
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        y = y.transpose(1, 2).reshape(B, T, C)
        return self.proj(y)


class SwiGLU(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.w12 = nn.Linear(args.dim, 2 * args.hidden_dim, bias=False)
        self.w3 = nn.Linear(args.hidden_dim, args.dim, bias=False)

    def forward(self, x):
        gate, up = self.w12(x).chunk(2, dim=-1)
        return self.w3(F.silu(gate) * up)


class Block(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.norm_1 = nn.RMSNorm(args.dim, eps=args.norm_eps)
        self.attn = SelfAttention(args)
        self.norm_2 = nn.RMSNorm(args.dim, eps=args.norm_eps)
        self.mlp = SwiGLU(args)

    def forward(self, x, cos, sin, mask=None):
        h = x + self.attn(self.norm_1(x), cos, sin, mask)
        return h + self.mlp(self.norm_2(h))


class Decoder(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.embedding = nn.Embedding(args.vocab_size, args.dim)
        self.blocks = nn.ModuleList(Block(args) for _ in range(args.n_layers))
        self.norm = nn.RMSNorm(args.dim, eps=args.norm_eps)
        self.output = nn.Linear(args.dim, args.vocab_size, bias=False)
        self.output.weight = self.embedding.weight
        cos, sin = build_rope_cache(args.max_seq_len, args.dim // args.n_heads, args.rope_base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, tokens, valid=None):
        """
        Args:
            tokens: (batch, length)
            valid: (batch, length), True for real tokens, False for padding on the right
        """
        T = tokens.shape[1]
        mask = None
        if valid is not None:
            causal = torch.tril(torch.ones(T, T, dtype=torch.bool, device=tokens.device))
            mask = causal[None, None] & valid[:, None, None, :]
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin, mask)
        return self.output(self.norm(x))
