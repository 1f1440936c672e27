import math

import torch
from torch import nn


class MultiHeadAttention(nn.Module):
    """Multi-head self-attention with separate projections.

    Args:
        d_model: width of the model
        num_heads: number of heads
        dropout: dropout of the attention weights
    """

    def __init__(self, d_model, num_heads, dropout=0.1):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError(f"d_model {d_model} is not divisible by num_heads {num_heads}")
        self.d_model = d_model
        self.num_heads = num_heads
        self.head_dim = d_model // num_heads
        self.scale = self.head_dim**-0.5

        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def _split_heads(self, x):
        """(batch, seq, d_model) -> (batch, heads, seq, head_dim)"""
        batch, seq, _ = x.shape
        x = x.view(batch, seq, self.num_heads, self.head_dim)
        return x.permute(0, 2, 1, 3)

    def _merge_heads(self, x):
        """(batch, heads, seq, head_dim) -> (batch, seq, d_model)"""
        batch, _, seq, _ = x.shape
        x = x.permute(0, 2, 1, 3).contiguous()
        return x.view(batch, seq, self.d_model)

    def forward(self, x, padding_mask=None):
        """
        :param x: [batch, seq, d_model]
        :param padding_mask: [batch, seq], True where a token is padding
        """
        q = self._split_heads(self.q_proj(x))
        k = self._split_heads(self.k_proj(x))
        v = self._split_heads(self.v_proj(x))

        scores = torch.matmul(q, k.transpose(-1, -2)) * self.scale
        if padding_mask is not None:
            scores = scores.masked_fill(padding_mask[:, None, None, :], torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, dim=-1)
        weights = self.dropout(weights)
        context = torch.matmul(weights, v)
        return self.out_proj(self._merge_heads(context))


class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.1):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(d_model, d_hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(d_hidden, d_model),
        )

    def forward(self, x):
        return self.net(x)


class TransformerBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.1):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, padding_mask=None):
        shortcut = x
        x = self.norm1(x)
        x = self.attention(x, padding_mask)
        x = shortcut + self.drop(x)

        shortcut = x
        x = self.norm2(x)
        x = self.feed_forward(x)
        x = shortcut + self.drop(x)
        return x


class TextClassifier(nn.Module):
    def __init__(self, vocab_size, num_classes, max_len=256, d_model=256, num_heads=8, d_hidden=1024, num_layers=4, dropout=0.1):
        super().__init__()
        self.token_embedding = nn.Embedding(vocab_size, d_model)
        self.position_embedding = nn.Parameter(torch.zeros(1, max_len, d_model))
        self.blocks = nn.ModuleList()
        for _ in range(num_layers):
            self.blocks.append(TransformerBlock(d_model, num_heads, d_hidden, dropout))
        self.norm = nn.LayerNorm(d_model)
        self.classifier = nn.Linear(d_model, num_classes)

    def forward(self, tokens, padding_mask=None):
        seq_len = tokens.shape[1]
        x = self.token_embedding(tokens) * math.sqrt(self.token_embedding.embedding_dim)
        x = x + self.position_embedding[:, :seq_len, :]
        for block in self.blocks:
            x = block(x, padding_mask)
        x = self.norm(x)
        if padding_mask is not None:
            keep = (~padding_mask).unsqueeze(-1).to(x.dtype)
            pooled = (x * keep).sum(dim=1) / keep.sum(dim=1)
        else:
            pooled = x.mean(dim=1)
        return self.classifier(pooled)
