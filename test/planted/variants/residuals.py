"""Residuals and norms in the many places where they may stand."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F


class SelfAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, c))


def feed_forward(dim, hidden):
    return nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))


class DeepNormBlock(nn.Module):
    """Post-norm whose residual is scaled up."""

    def __init__(self, dim, heads, hidden, depth):
        super().__init__()
        self.alpha = (2 * depth) ** 0.25
        self.attn = SelfAttention(dim, heads)
        self.ffn = feed_forward(dim, hidden)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, x):
        x = self.norm1(x * self.alpha + self.attn(x))
        x = self.norm2(x * self.alpha + self.ffn(x))
        return x


class NormFormerBlock(nn.Module):
    """Pre-norm, with a norm after attention, one within the feed-forward network, and a scale for each head."""

    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.heads = heads
        self.ln_attn = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.head_scale = nn.Parameter(torch.ones(heads))
        self.out = nn.Linear(dim, dim)
        self.ln_post_attn = nn.LayerNorm(dim)
        self.ln_ffn = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, hidden)
        self.ln_mid = nn.LayerNorm(hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(self.ln_attn(x)).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        heads = F.scaled_dot_product_attention(q, k, v)
        heads = heads * self.head_scale.view(1, -1, 1, 1)
        x = x + self.ln_post_attn(self.out(heads.transpose(1, 2).reshape(b, t, c)))
        x = x + self.fc2(self.ln_mid(F.gelu(self.fc1(self.ln_ffn(x)))))
        return x


class OneNormParallel(nn.Module):
    """Attention and feed-forward network of one normed input."""

    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.ln_1 = nn.LayerNorm(dim)
        self.attn = SelfAttention(dim, heads)
        self.mlp = feed_forward(dim, hidden)

    def forward(self, hidden_states):
        residual = hidden_states
        hidden_states = self.ln_1(hidden_states)
        attn_output = self.attn(hidden_states)
        feed_forward_hidden_states = self.mlp(hidden_states)
        return attn_output + feed_forward_hidden_states + residual


class ReZeroBlock(nn.Module):
    """No norm at all: each branch starts at nothing."""

    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.attn = SelfAttention(dim, heads)
        self.mlp = feed_forward(dim, hidden)
        self.resweight = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        x = x + self.resweight * self.attn(x)
        x = x + self.resweight * self.mlp(x)
        return x


class MacaronBlock(nn.Module):
    """Half a feed-forward network before and after, convolution between, and a norm of the sum at the end."""

    def __init__(self, dim, heads, hidden, kernel_size=3):
        super().__init__()
        self.norm_ff_macaron = nn.LayerNorm(dim)
        self.ff_macaron = feed_forward(dim, hidden)
        self.norm_mha = nn.LayerNorm(dim)
        self.attn = SelfAttention(dim, heads)
        self.norm_conv = nn.LayerNorm(dim)
        self.pointwise1 = nn.Conv1d(dim, 2 * dim, 1)
        self.depthwise = nn.Conv1d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.pointwise2 = nn.Conv1d(dim, dim, 1)
        self.norm_ff = nn.LayerNorm(dim)
        self.ff = feed_forward(dim, hidden)
        self.norm_final = nn.LayerNorm(dim)

    def conv(self, x):
        x = x.transpose(1, 2)
        x = F.glu(self.pointwise1(x), dim=1)
        x = self.pointwise2(F.silu(self.depthwise(x)))
        return x.transpose(1, 2)

    def forward(self, x):
        x = x + 0.5 * self.ff_macaron(self.norm_ff_macaron(x))
        x = x + self.attn(self.norm_mha(x))
        x = x + self.conv(self.norm_conv(x))
        x = x + 0.5 * self.ff(self.norm_ff(x))
        return self.norm_final(x)


def modulate(x, shift, scale):
    return x * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1)


class ConditionedBlock(nn.Module):
    """Norms without weights, shifted, scaled and gated by a condition."""

    def __init__(self, hidden_size, num_heads, hidden):
        super().__init__()
        self.norm1 = nn.LayerNorm(hidden_size, elementwise_affine=False, eps=1e-6)
        self.attn = SelfAttention(hidden_size, num_heads)
        self.norm2 = nn.LayerNorm(hidden_size, elementwise_affine=False, eps=1e-6)
        self.mlp = feed_forward(hidden_size, hidden)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(hidden_size, 6 * hidden_size))

    def forward(self, x, c):
        shift_msa, scale_msa, gate_msa, shift_mlp, scale_mlp, gate_mlp = self.adaLN_modulation(c).chunk(6, dim=1)
        x = x + gate_msa.unsqueeze(1) * self.attn(modulate(self.norm1(x), shift_msa, scale_msa))
        x = x + gate_mlp.unsqueeze(1) * self.mlp(modulate(self.norm2(x), shift_mlp, scale_mlp))
        return x


class FusedAddNormBlock(nn.Module):
    """The residual travels beside the branch; each block adds before it norms."""

    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.norm = nn.RMSNorm(dim)
        self.mixer = SelfAttention(dim, heads)
        self.norm2 = nn.RMSNorm(dim)
        self.mlp = feed_forward(dim, hidden)

    def forward(self, hidden_states, residual=None):
        residual = hidden_states if residual is None else hidden_states + residual
        hidden_states = self.mixer(self.norm(residual))
        residual = hidden_states + residual
        hidden_states = self.mlp(self.norm2(residual))
        return hidden_states, residual


class FusedStack(nn.Module):
    def __init__(self, dim, heads, hidden, depth):
        super().__init__()
        self.layers = nn.ModuleList([FusedAddNormBlock(dim, heads, hidden) for _ in range(depth)])
        self.norm_f = nn.RMSNorm(dim)

    def forward(self, hidden_states):
        residual = None
        for layer in self.layers:
            hidden_states, residual = layer(hidden_states, residual)
        residual = hidden_states + residual
        return self.norm_f(residual)


class SharedLayerStack(nn.Module):
    """One layer applied again and again: its norms are shared by all depths on purpose."""

    def __init__(self, dim, heads, hidden, depth):
        super().__init__()
        self.depth = depth
        self.attn = SelfAttention(dim, heads)
        self.mlp = feed_forward(dim, hidden)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.final = nn.LayerNorm(dim)

    def forward(self, x):
        for _ in range(self.depth):
            x = x + self.attn(self.norm1(x))
            x = x + self.mlp(self.norm2(x))
        return self.final(x)


class DropPath(nn.Module):
    def __init__(self, drop_prob):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        if self.drop_prob == 0.0 or not self.training:
            return x
        keep_prob = 1 - self.drop_prob
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)
        return x * x.new_empty(shape).bernoulli_(keep_prob) / keep_prob


class WideningBlock(nn.Module):
    """Where the width changes the shortcut is projected, from the normed input, and pooled."""

    def __init__(self, dim, dim_out, heads, hidden, drop_path=0.1):
        super().__init__()
        self.dim, self.dim_out = dim, dim_out
        self.heads = heads
        self.norm1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim_out)
        self.attn_proj = nn.Linear(dim_out, dim_out)
        self.proj = nn.Linear(dim, dim_out)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim_out)
        self.mlp = feed_forward(dim_out, hidden)

    def forward(self, x):
        shortcut = x
        x = self.norm1(x)
        if self.dim != self.dim_out:
            shortcut = self.proj(x)
        b, t, _ = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, self.dim_out // self.heads).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, self.dim_out)
        x = shortcut + self.drop_path(self.attn_proj(x))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class StackWithHead(nn.Module):
    """Pre-norm; the final norm stands in the head's Sequential."""

    def __init__(self, dim, heads, hidden, depth, classes):
        super().__init__()
        layer = OneNormParallel(dim, heads, hidden)
        self.layers = nn.Sequential(*[copy.deepcopy(layer) for _ in range(depth)])
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, classes))

    def forward(self, x):
        return self.head(self.layers(x).mean(dim=1))


class PostNormStack(nn.Module):
    """Post-norm needs no final norm."""

    def __init__(self, dim, heads, hidden, depth, classes):
        super().__init__()
        layer = nn.TransformerEncoderLayer(dim, heads, hidden, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth)
        self.classifier = nn.Linear(dim, classes)

    def forward(self, x):
        return self.classifier(self.encoder(x)[:, 0])


class EmbeddingNormStack(nn.Module):
    """The embeddings are normed, then the first block norms its input again."""

    def __init__(self, vocab, dim, heads, hidden, depth):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.embed_norm = nn.LayerNorm(dim)
        self.blocks = nn.ModuleList([NormFormerBlock(dim, heads, hidden) for _ in range(depth)])
        self.ln_f = nn.LayerNorm(dim)

    def forward(self, tokens):
        x = self.embed_norm(self.embed(tokens))
        for block in self.blocks:
            x = block(x)
        return F.linear(self.ln_f(x), self.embed.weight)


class LearnedSkips(nn.Module):
    """A long skip joins by concatenation, as in a U-Net; the first half's outputs feed the second's inputs."""

    def __init__(self, dim, heads, hidden, depth):
        super().__init__()
        self.down = nn.ModuleList([OneNormParallel(dim, heads, hidden) for _ in range(depth)])
        self.up = nn.ModuleList([OneNormParallel(dim, heads, hidden) for _ in range(depth)])
        self.merge = nn.ModuleList([nn.Linear(2 * dim, dim) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        for block, merge in zip(self.up, self.merge):
            x = block(merge(torch.cat([x, skips.pop()], dim=-1)))
        return self.norm(x)
