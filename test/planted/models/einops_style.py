import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from einops.layers.torch import Rearrange
from torch import einsum, nn


def exists(val):
    return val is not None


def default(val, d):
    return val if exists(val) else d


class PreNorm(nn.Module):
    def __init__(self, dim, fn):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, x, **kwargs):
        return self.fn(self.norm(x), **kwargs)


class GEGLU(nn.Module):
    def forward(self, x):
        x, gates = x.chunk(2, dim=-1)
        return x * F.gelu(gates)


class FeedForward(nn.Module):
    def __init__(self, dim, mult=4, dropout=0.0):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(dim, dim * mult * 2),
            GEGLU(),
            nn.Dropout(dropout),
            nn.Linear(dim * mult, dim),
        )

    def forward(self, x):
        return self.net(x)


class Attention(nn.Module):
    def __init__(self, dim, context_dim=None, heads=8, dim_head=64, dropout=0.0, causal=False):
        super().__init__()
        inner_dim = dim_head * heads
        context_dim = default(context_dim, dim)
        self.heads = heads
        self.scale = dim_head**-0.5
        self.causal = causal

        self.to_q = nn.Linear(dim, inner_dim, bias=False)
        self.to_kv = nn.Linear(context_dim, inner_dim * 2, bias=False)
        self.attn_drop = nn.Dropout(dropout)
        self.to_out = nn.Linear(inner_dim, dim)

    def forward(self, x, context=None, mask=None):
        h = self.heads
        q = self.to_q(x)
        k, v = self.to_kv(default(context, x)).chunk(2, dim=-1)
        q, k, v = map(lambda t: rearrange(t, "b n (h d) -> b h n d", h=h), (q, k, v))

        sim = einsum("b h i d, b h j d -> b h i j", q, k) * self.scale

        if exists(mask):
            mask = rearrange(mask, "b j -> b 1 1 j")
            sim = sim.masked_fill(~mask, -torch.finfo(sim.dtype).max)
        if self.causal:
            i, j = sim.shape[-2:]
            causal_mask = torch.ones((i, j), dtype=torch.bool, device=x.device).triu(j - i + 1)
            sim = sim.masked_fill(causal_mask, -torch.finfo(sim.dtype).max)

        attn = sim.softmax(dim=-1)
        attn = self.attn_drop(attn)

        out = einsum("b h i j, b h j d -> b h i d", attn, v)
        out = rearrange(out, "b h n d -> b n (h d)")
        return self.to_out(out)


class Transformer(nn.Module):
    def __init__(self, dim, depth, heads, dim_head, context_dim, mult=4, dropout=0.0):
        super().__init__()
        self.layers = nn.ModuleList([])
        for _ in range(depth):
            self.layers.append(
                nn.ModuleList(
                    [
                        PreNorm(dim, Attention(dim, heads=heads, dim_head=dim_head, dropout=dropout, causal=True)),
                        PreNorm(dim, Attention(dim, context_dim, heads=heads, dim_head=dim_head, dropout=dropout)),
                        PreNorm(dim, FeedForward(dim, mult, dropout)),
                    ]
                )
            )
        self.norm = nn.LayerNorm(dim)

    def forward(self, x, context, mask=None):
        for attn, cross_attn, ff in self.layers:
            x = attn(x) + x
            x = cross_attn(x, context=context, mask=mask) + x
            x = ff(x) + x
        return self.norm(x)


class Captioner(nn.Module):
    """Writes about an image: patches in, tokens out."""

    def __init__(self, *, image_size, patch_size, channels, num_tokens, max_seq_len, dim, patch_dim, depth, heads, dim_head):
        super().__init__()
        assert image_size % patch_size == 0
        num_patches = (image_size // patch_size) ** 2
        self.max_seq_len = max_seq_len
        self.to_patches = nn.Sequential(
            Rearrange("b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=patch_size, p2=patch_size),
            nn.Linear(patch_size * patch_size * channels, patch_dim),
        )
        self.patch_pos = nn.Parameter(torch.randn(num_patches + 1, patch_dim))
        self.cls = nn.Parameter(torch.randn(patch_dim))
        self.token_emb = nn.Embedding(num_tokens, dim)
        self.pos_emb = nn.Embedding(max_seq_len, dim)
        self.transformer = Transformer(dim, depth, heads, dim_head, patch_dim)
        self.to_logits = nn.Linear(dim, num_tokens, bias=False)

    def forward(self, tokens, images, patch_mask=None):
        patches = self.to_patches(images)
        cls = repeat(self.cls, "d -> b 1 d", b=patches.shape[0])
        context = torch.cat((cls, patches), dim=1)
        context = context + self.patch_pos

        n = tokens.shape[1]
        x = self.token_emb(tokens)
        x = x + self.pos_emb(torch.arange(n, device=tokens.device))
        x = self.transformer(x, context, mask=patch_mask)
        return self.to_logits(x)
