from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Args:
    dim: int = 32
    heads: int = 4
    layers: int = 2
    vocab: int = 50
    eps: float = 1e-5


class Mixer(nn.Module):
    def __init__(self, args: Args):
        super().__init__()
        self.attn = nn.MultiheadAttention(args.dim, args.heads, batch_first=True)

    def forward(self, x):
        return self.attn(x, x, x, need_weights=False)[0]


class Layer(nn.Module):
    def __init__(self, args: Args):
        super().__init__()
        self.norm_1 = nn.RMSNorm(args.dim, eps=args.eps)
        self.mixer = Mixer(args)
        self.norm_2 = nn.RMSNorm(args.dim, eps=args.eps)
        self.up = nn.Linear(args.dim, 2 * args.dim)
        self.down = nn.Linear(2 * args.dim, args.dim)

    def mlp(self, x):
        return self.down(F.silu(self.up(x)))

    def forward(self, x):
        h = x + self.mixer(self.norm_1(x))
        return h + self.mlp(self.norm_2(h))


class Decoder(nn.Module):
    def __init__(self, args: Args):
        super().__init__()
        self.embedding = nn.Embedding(args.vocab, args.dim)
        self.layers = nn.ModuleList([Layer(args) for _ in range(args.layers)])
        self.norm = nn.RMSNorm(args.dim, eps=args.eps)
        self.output = nn.Linear(args.dim, args.vocab, bias=False)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        return self.output(x)
