"""Encoder with shapes in its types: b batch, t tokens, d width, h heads, k head width, f hidden width."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


class SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int, head_dim: int):
        super().__init__()
        self.heads = heads
        self.head_dim = head_dim
        self.W_Q = nn.Parameter(torch.empty(heads, width, head_dim))
        self.W_K = nn.Parameter(torch.empty(heads, width, head_dim))
        self.W_V = nn.Parameter(torch.empty(heads, width, head_dim))
        self.W_O = nn.Parameter(torch.empty(heads, head_dim, width))
        self.b_O = nn.Parameter(torch.zeros(width))

    def project(self, x: Float[Tensor, "b t d"], weight: Float[Tensor, "h d k"]) -> Float[Tensor, "b h t k"]:
        return x[:, None] @ weight[None]

    def forward(self, x: Float[Tensor, "b t d"], keep: Bool[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
        q: Float[Tensor, "b h t k"] = self.project(x, self.W_Q)
        k: Float[Tensor, "b h t k"] = self.project(x, self.W_K)
        v: Float[Tensor, "b h t k"] = self.project(x, self.W_V)
        scores: Float[Tensor, "b h t t"] = q @ k.mT / self.head_dim**0.5
        scores = scores.masked_fill(~keep[:, None, None, :], float("-inf"))
        pattern: Float[Tensor, "b h t t"] = scores.softmax(dim=-1)
        mixed: Float[Tensor, "b h t k"] = pattern @ v
        heads_out: Float[Tensor, "b h t d"] = mixed @ self.W_O[None]
        return heads_out.sum(dim=1) + self.b_O


class FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.W_in = nn.Parameter(torch.empty(width, hidden))
        self.b_in = nn.Parameter(torch.zeros(hidden))
        self.W_out = nn.Parameter(torch.empty(hidden, width))
        self.b_out = nn.Parameter(torch.zeros(width))

    def forward(self, x: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
        inner: Float[Tensor, "b t f"] = torch.relu(x @ self.W_in + self.b_in)
        return inner @ self.W_out + self.b_out


class Layer(nn.Module):
    def __init__(self, width: int, heads: int, head_dim: int, hidden: int):
        super().__init__()
        self.ln1 = nn.LayerNorm(width)
        self.ln2 = nn.LayerNorm(width)
        self.attn = SelfAttention(width, heads, head_dim)
        self.mlp = FeedForward(width, hidden)

    def forward(self, resid_pre: Float[Tensor, "b t d"], keep: Bool[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
        resid_mid = self.attn(self.ln1(resid_pre), keep) + resid_pre
        resid_post = self.mlp(self.ln2(resid_mid)) + resid_mid
        return resid_post


class Encoder(nn.Module):
    def __init__(self, vocab: int, context: int, width: int, heads: int, head_dim: int, hidden: int, layers: int):
        super().__init__()
        self.W_E = nn.Parameter(torch.empty(vocab, width))
        self.W_pos = nn.Parameter(torch.empty(context, width))
        self.layers = nn.ModuleList([Layer(width, heads, head_dim, hidden) for _ in range(layers)])
        self.ln_final = nn.LayerNorm(width)
        self.W_U = nn.Parameter(torch.empty(width, vocab))

    def forward(self, tokens: Int[Tensor, "b t"], keep: Bool[Tensor, "b t"]) -> Float[Tensor, "b t v"]:
        x: Float[Tensor, "b t d"] = self.W_E[tokens] + self.W_pos[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, keep)
        return self.ln_final(x) @ self.W_U
