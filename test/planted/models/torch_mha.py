import math

import torch
import torch.nn as nn


class PositionalEncoding(nn.Module):
    """Adds sines and cosines to batch-first input [batch, seq, embed]."""

    def __init__(self, embed_dim, max_len=512):
        super().__init__()
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, embed_dim, 2) * (-math.log(10000.0) / embed_dim))
        pe = torch.zeros(1, max_len, embed_dim)
        pe[0, :, 0::2] = torch.sin(position * div_term)
        pe[0, :, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return x + self.pe[:, : x.size(1)]


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention and a feed-forward network, norms first."""

    def __init__(self, embed_dim, num_heads, ff_dim, memory_dim, dropout=0.1):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(embed_dim, num_heads, dropout=dropout, batch_first=True)
        self.cross_attn = nn.MultiheadAttention(
            embed_dim, num_heads, dropout=dropout, kdim=memory_dim, vdim=memory_dim, batch_first=True
        )
        self.linear1 = nn.Linear(embed_dim, ff_dim)
        self.linear2 = nn.Linear(ff_dim, embed_dim)
        self.norm1 = nn.LayerNorm(embed_dim)
        self.norm2 = nn.LayerNorm(embed_dim)
        self.norm3 = nn.LayerNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.activation = nn.ReLU()

    def forward(self, x, memory, causal_mask, memory_padding):
        y = self.norm1(x)
        y, _ = self.self_attn(y, y, y, attn_mask=causal_mask, need_weights=False)
        x = x + self.dropout(y)

        y = self.norm2(x)
        y, weights = self.cross_attn(y, memory, memory, key_padding_mask=memory_padding)
        x = x + self.dropout(y)

        y = self.norm3(x)
        y = self.linear2(self.dropout(self.activation(self.linear1(y))))
        x = x + self.dropout(y)
        return x


class Captioner(nn.Module):
    def __init__(self, vocab_size, embed_dim, num_heads, ff_dim, memory_dim, num_layers, max_len, dropout=0.1):
        super().__init__()
        self.token_embedding = nn.Embedding(vocab_size, embed_dim)
        self.positions = PositionalEncoding(embed_dim, max_len)

        encoder_layer = nn.TransformerEncoderLayer(
            d_model=memory_dim, nhead=num_heads, dim_feedforward=ff_dim, dropout=dropout, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            encoder_layer, num_layers=num_layers, norm=nn.LayerNorm(memory_dim), enable_nested_tensor=False
        )

        self.blocks = nn.ModuleList(
            [DecoderBlock(embed_dim, num_heads, ff_dim, memory_dim, dropout) for _ in range(num_layers)]
        )
        self.final_norm = nn.LayerNorm(embed_dim)
        self.fc_out = nn.Linear(embed_dim, vocab_size)

    def forward(self, features, tokens, feature_padding):
        """
        features: [batch, frames, memory_dim]
        tokens: [batch, seq]
        feature_padding: [batch, frames], True where a frame is padding
        """
        memory = self.encoder(features, src_key_padding_mask=feature_padding)

        seq_len = tokens.size(1)
        causal_mask = torch.triu(torch.ones(seq_len, seq_len, dtype=torch.bool, device=tokens.device), diagonal=1)
        x = self.positions(self.token_embedding(tokens))
        for block in self.blocks:
            x = block(x, memory, causal_mask, feature_padding)
        return self.fc_out(self.final_norm(x))
