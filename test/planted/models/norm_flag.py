"""An encoder-decoder whose norms stand before or after the sublayers, by a flag."""

from typing import Optional

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


def with_pos_embed(tensor, pos: Optional[Tensor]):
    return tensor if pos is None else tensor + pos


class EncoderLayer(nn.Module):
    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, normalize_before=False):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(d_model, nhead, dropout=dropout)
        self.linear1 = nn.Linear(d_model, dim_feedforward)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(dim_feedforward, d_model)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout1 = nn.Dropout(dropout)
        self.dropout2 = nn.Dropout(dropout)
        self.normalize_before = normalize_before

    def forward_post(self, src, src_key_padding_mask=None, pos=None):
        q = k = with_pos_embed(src, pos)
        src2 = self.self_attn(q, k, value=src, key_padding_mask=src_key_padding_mask)[0]
        src = src + self.dropout1(src2)
        src = self.norm1(src)
        src2 = self.linear2(self.dropout(F.relu(self.linear1(src))))
        src = src + self.dropout2(src2)
        src = self.norm2(src)
        return src

    def forward_pre(self, src, src_key_padding_mask=None, pos=None):
        src2 = self.norm1(src)
        q = k = with_pos_embed(src2, pos)
        src2 = self.self_attn(q, k, value=src2, key_padding_mask=src_key_padding_mask)[0]
        src = src + self.dropout1(src2)
        src2 = self.norm2(src)
        src2 = self.linear2(self.dropout(F.relu(self.linear1(src2))))
        src = src + self.dropout2(src2)
        return src

    def forward(self, src, src_key_padding_mask=None, pos=None):
        if self.normalize_before:
            return self.forward_pre(src, src_key_padding_mask, pos)
        return self.forward_post(src, src_key_padding_mask, pos)


class DecoderLayer(nn.Module):
    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attn = nn.MultiheadAttention(d_model, nhead, dropout=dropout)
        self.cross_attn = nn.MultiheadAttention(d_model, nhead, dropout=dropout)
        self.ff = nn.Sequential(
            nn.Linear(d_model, dim_feedforward), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dim_feedforward, d_model)
        )
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def _self(self, x, pos):
        q = k = with_pos_embed(x, pos)
        return self.dropout(self.self_attn(q, k, x, need_weights=False)[0])

    def _cross(self, x, memory, pos, memory_pos, padding):
        attended, _ = self.cross_attn(
            query=with_pos_embed(x, pos), key=with_pos_embed(memory, memory_pos), value=memory, key_padding_mask=padding
        )
        return self.dropout(attended)

    def forward(self, tgt, memory, query_pos=None, memory_pos=None, padding=None):
        x = tgt
        if self.norm_first:
            x = x + self._self(self.norm1(x), query_pos)
            x = x + self._cross(self.norm2(x), memory, query_pos, memory_pos, padding)
            x = x + self.dropout(self.ff(self.norm3(x)))
        else:
            x = self.norm1(x + self._self(x, query_pos))
            x = self.norm2(x + self._cross(x, memory, query_pos, memory_pos, padding))
            x = self.norm3(x + self.dropout(self.ff(x)))
        return x


class Detector(nn.Module):
    def __init__(
        self, d_model=256, nhead=8, num_layers=6, num_queries=100, num_classes=91, dim_feedforward=2048, pre_norm=False
    ):
        super().__init__()
        self.encoder = nn.ModuleList(
            [EncoderLayer(d_model, nhead, dim_feedforward, normalize_before=pre_norm) for _ in range(num_layers)]
        )
        self.encoder_norm = nn.LayerNorm(d_model) if pre_norm else None
        self.decoder = nn.ModuleList(
            [DecoderLayer(d_model, nhead, dim_feedforward, norm_first=pre_norm) for _ in range(num_layers)]
        )
        self.decoder_norm = nn.LayerNorm(d_model)
        self.query_embed = nn.Embedding(num_queries, d_model)
        self.class_embed = nn.Linear(d_model, num_classes + 1)

    def forward(self, features, pos_embed, mask):
        """
        features: (batch, d_model, height, width)
        pos_embed: (batch, d_model, height, width)
        mask: (batch, height, width), True at padding
        """
        bs, c, h, w = features.shape
        src = features.flatten(2).permute(2, 0, 1)  # (h * w, bs, c)
        pos_embed = pos_embed.flatten(2).permute(2, 0, 1)
        query_embed = self.query_embed.weight.unsqueeze(1).repeat(1, bs, 1)  # (num_queries, bs, c)
        mask = mask.flatten(1)

        memory = src
        for layer in self.encoder:
            memory = layer(memory, src_key_padding_mask=mask, pos=pos_embed)
        if self.encoder_norm is not None:
            memory = self.encoder_norm(memory)

        hs = torch.zeros_like(query_embed)
        for layer in self.decoder:
            hs = layer(hs, memory, query_pos=query_embed, memory_pos=pos_embed, padding=mask)
        hs = self.decoder_norm(hs)
        return self.class_embed(hs.transpose(0, 1))
