import torch
from torch import nn


class SeriesEncoder(nn.Module):
    """Sensor readings in, one label out."""

    def __init__(self, n_features, d_model=64, nhead=4, num_layers=3, dim_feedforward=128, n_classes=5, window=100, dropout=0.1):
        super().__init__()
        self.input_proj = nn.Linear(n_features, d_model)
        self.pos = nn.Parameter(torch.randn(1, window, d_model) * 0.02)
        layer = nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward, dropout, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers)
        self.pool = nn.MultiheadAttention(d_model, nhead, batch_first=True)
        self.query = nn.Parameter(torch.randn(1, 1, d_model))
        self.head = nn.Sequential(nn.LayerNorm(d_model), nn.Linear(d_model, n_classes))

    def forward(self, x):
        # x: (batch, window, n_features)
        batch = x.size(0)
        h = self.input_proj(x)
        h = h + self.pos[:, : x.size(1)]
        h = self.encoder(h)
        query = self.query.expand(batch, -1, -1)
        pooled, _ = self.pool(query, h, h)
        return self.head(pooled.squeeze(1))


class Forecaster(nn.Module):
    """Encodes the past and decodes the future with nn.Transformer."""

    def __init__(self, n_features, d_model=64, nhead=4, layers=2, dim_feedforward=128, window=100):
        super().__init__()
        self.embed = nn.Linear(n_features, d_model)
        self.pos = nn.Embedding(window, d_model)
        self.transformer = nn.Transformer(
            d_model=d_model,
            nhead=nhead,
            num_encoder_layers=layers,
            num_decoder_layers=layers,
            dim_feedforward=dim_feedforward,
            batch_first=True,
        )
        self.out = nn.Linear(d_model, n_features)

    def forward(self, past, future):
        """past: (batch, past_len, n_features); future: (batch, future_len, n_features)"""
        src = self.embed(past) + self.pos(torch.arange(past.size(1), device=past.device))
        tgt = self.embed(future) + self.pos(torch.arange(future.size(1), device=past.device))
        tgt_mask = nn.Transformer.generate_square_subsequent_mask(future.size(1), device=past.device)
        decoded = self.transformer(src, tgt, tgt_mask=tgt_mask)
        return self.out(decoded)
