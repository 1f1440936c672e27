"""Norms that are chosen, shared, stored or used elsewhere on purpose."""

from functools import partial

import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, dim, heads, qk_norm=False, norm_layer=nn.LayerNorm):
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.q_norm = norm_layer(self.head_dim) if qk_norm else nn.Identity()
        self.k_norm = norm_layer(self.head_dim) if qk_norm else nn.Identity()
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4)
        q, k = self.q_norm(q), self.k_norm(k)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, c))


class Mlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads, hidden, qk_norm=False, norm_layer=nn.LayerNorm):
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = Attention(dim, heads, qk_norm, norm_layer)
        self.norm2 = norm_layer(dim)
        self.mlp = Mlp(dim, hidden)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return x


class PostBlock(Block):
    """The same parts, the norm on what a sublayer gives."""

    def forward(self, x):
        x = x + self.norm1(self.attn(x))
        x = x + self.norm2(self.mlp(x))
        return x


class ParallelThings(nn.Module):
    """Several attentions and several networks beside each other, summed."""

    def __init__(self, dim, heads, hidden, num_parallel=2):
        super().__init__()
        self.attns = nn.ModuleList()
        self.ffns = nn.ModuleList()
        for _ in range(num_parallel):
            self.attns.append(nn.Sequential(nn.LayerNorm(dim), Attention(dim, heads)))
            self.ffns.append(nn.Sequential(nn.LayerNorm(dim), Mlp(dim, hidden)))

    def forward(self, x):
        x = x + torch.stack([attn(x) for attn in self.attns]).sum(dim=0)
        x = x + torch.stack([ffn(x) for ffn in self.ffns]).sum(dim=0)
        return x


class Backbone(nn.Module):
    """Either norm is an identity, by how the tokens are pooled; features may be taken before the norm."""

    def __init__(self, dim, heads, hidden, depth, classes, global_pool="avg", qk_norm=True):
        super().__init__()
        norm_layer = partial(nn.LayerNorm, eps=1e-6)
        use_fc_norm = global_pool == "avg"
        self.global_pool = global_pool
        self.blocks = nn.Sequential(*[Block(dim, heads, hidden, qk_norm, norm_layer) for _ in range(depth)])
        self.norm = norm_layer(dim) if not use_fc_norm else nn.Identity()
        self.fc_norm = norm_layer(dim) if use_fc_norm else nn.Identity()
        self.head = nn.Linear(dim, classes) if classes > 0 else nn.Identity()

    def forward(self, x):
        x = self.norm(self.blocks(x))
        x = x.mean(dim=1) if self.global_pool == "avg" else x[:, 0]
        return self.head(self.fc_norm(x))


class Pyramid(nn.Module):
    """A norm for each level that is given out, found by name; the stages themselves end without one."""

    def __init__(self, dims, heads, hidden, out_indices=(0, 1)):
        super().__init__()
        self.out_indices = out_indices
        self.stages = nn.ModuleList()
        self.reductions = nn.ModuleList()
        for i, dim in enumerate(dims):
            self.stages.append(nn.Sequential(Block(dim, heads, hidden), Block(dim, heads, hidden)))
            following = dims[i + 1] if i + 1 < len(dims) else None
            self.reductions.append(
                nn.Sequential(nn.LayerNorm(2 * dim), nn.Linear(2 * dim, following, bias=False)) if following else nn.Identity()
            )
        for i in out_indices:
            self.add_module(f"norm{i}", nn.LayerNorm(dims[i]))

    def forward(self, x):
        outs = []
        for i, (stage, reduction) in enumerate(zip(self.stages, self.reductions)):
            x = stage(x)
            if i in self.out_indices:
                outs.append(getattr(self, f"norm{i}")(x))
            if i + 1 < len(self.stages):
                b, t, c = x.shape
                x = reduction(x.reshape(b, t // 2, 2 * c))
        return outs


class Trunk(nn.Module):
    """Leaves the final norm to whoever uses it."""

    def __init__(self, dim, heads, hidden, depth):
        super().__init__()
        self.layers = nn.ModuleList([Block(dim, heads, hidden) for _ in range(depth)])

    def forward(self, x):
        states = []
        for layer in self.layers:
            x = layer(x)
            states.append(x)
        return x, states


class Probe(nn.Module):
    def __init__(self, dim, heads, hidden, depth, vocab):
        super().__init__()
        self.trunk = Trunk(dim, heads, hidden, depth)
        self.final_norm = nn.RMSNorm(dim)
        self.lm_head = nn.Linear(dim, vocab, bias=False)
        self.mix = nn.Parameter(torch.zeros(depth))

    def forward(self, x):
        hidden, states = self.trunk(x)
        weights = self.mix.softmax(dim=0)
        mixed = sum(weight * state for weight, state in zip(weights, states))
        return self.lm_head(self.final_norm(hidden + mixed))


class FunctionalNorms(nn.Module):
    """Norms without weights, called as functions, on the embedding too."""

    def __init__(self, vocab, dim, heads, hidden, depth):
        super().__init__()
        self.dim = dim
        self.wte = nn.Embedding(vocab, dim)
        self.attns = nn.ModuleList([Attention(dim, heads) for _ in range(depth)])
        self.mlps = nn.ModuleList([Mlp(dim, hidden) for _ in range(depth)])
        self.lambdas = nn.Parameter(torch.ones(depth, 2))
        self.lm_head = nn.Linear(dim, vocab, bias=False)

    def norm(self, x):
        return F.rms_norm(x, (x.size(-1),))

    def forward(self, tokens):
        x = x0 = self.norm(self.wte(tokens))
        for attn, mlp, lambdas in zip(self.attns, self.mlps, self.lambdas):
            x = lambdas[0] * x + lambdas[1] * x0
            x = x + attn(self.norm(x))
            x = x + mlp(self.norm(x))
        return 30 * torch.tanh(self.lm_head(self.norm(x)) / 30)


class ChannelsFirst(nn.Module):
    """Group norm on an image, attention over its places, a residual of the image."""

    def __init__(self, channels, groups):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        h_ = self.norm(x)
        q, k, v = self.q(h_), self.k(h_), self.v(h_)
        b, c, h, w = q.shape
        q = q.reshape(b, c, h * w).permute(0, 2, 1)
        k = k.reshape(b, c, h * w)
        w_ = torch.bmm(q, k) * (int(c) ** (-0.5))
        w_ = F.softmax(w_, dim=2)
        v = v.reshape(b, c, h * w)
        w_ = w_.permute(0, 2, 1)
        h_ = torch.bmm(v, w_).reshape(b, c, h, w)
        return x + self.proj_out(h_)


class QueryResidual(nn.Module):
    """Post-norm on a cross-attention whose queries are the residual; positions are added to queries and keys alone."""

    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.cross = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, hidden)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, queries, keys, query_pe, key_pe):
        q = queries + query_pe
        k = keys + key_pe
        queries = self.norm(queries + self.cross(q, k, value=keys)[0])
        return self.norm2(queries + self.mlp(queries))


class PoolerHead(nn.Module):
    """One learned query pools the tokens: nothing to add it to; the residual begins after."""

    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.probe = nn.Parameter(torch.randn(1, 1, dim))
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.layernorm = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, hidden)

    def forward(self, hidden_state):
        probe = self.probe.repeat(hidden_state.shape[0], 1, 1)
        hidden_state = self.attention(probe, hidden_state, hidden_state)[0]
        residual = hidden_state
        hidden_state = self.layernorm(hidden_state)
        return (residual + self.mlp(hidden_state))[:, 0]
