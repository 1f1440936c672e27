"""A decoder with a preallocated key-value cache, scaled_dot_product_attention and post-sublayer norms."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class KVCache(nn.Module):
    def __init__(self, batch_size, max_length, num_kv_heads, head_dim):
        super().__init__()
        shape = (batch_size, num_kv_heads, max_length, head_dim)
        self.register_buffer("k_cache", torch.zeros(shape), persistent=False)
        self.register_buffer("v_cache", torch.zeros(shape), persistent=False)

    def update(self, input_pos, k_val, v_val):
        # input_pos: [S], k_val: [B, H, S, D]
        self.k_cache[: k_val.size(0), :, input_pos] = k_val
        self.v_cache[: v_val.size(0), :, input_pos] = v_val
        return self.k_cache[: k_val.size(0)], self.v_cache[: v_val.size(0)]


class CachedAttention(nn.Module):
    def __init__(self, dim, num_heads, num_kv_heads, head_dim, batch_size, max_length):
        super().__init__()
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads
        self.head_dim = head_dim
        self.wq = nn.Linear(dim, num_heads * head_dim, bias=False)
        self.wk = nn.Linear(dim, num_kv_heads * head_dim, bias=False)
        self.wv = nn.Linear(dim, num_kv_heads * head_dim, bias=False)
        self.wo = nn.Linear(num_heads * head_dim, dim, bias=False)
        self.q_norm = nn.RMSNorm(num_heads * head_dim)
        self.k_norm = nn.RMSNorm(num_kv_heads * head_dim)
        self.kv_cache = KVCache(batch_size, max_length, num_kv_heads, head_dim)

    def forward(self, x, input_pos, mask):
        bsz, seqlen, _ = x.shape
        q = self.q_norm(self.wq(x)).view(bsz, seqlen, self.num_heads, self.head_dim)
        k = self.k_norm(self.wk(x)).view(bsz, seqlen, self.num_kv_heads, self.head_dim)
        v = self.wv(x).view(bsz, seqlen, self.num_kv_heads, self.head_dim)
        q, k, v = map(lambda t: t.transpose(1, 2), (q, k, v))
        k, v = self.kv_cache.update(input_pos, k, v)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        y = y.transpose(1, 2).contiguous().view(bsz, seqlen, self.num_heads * self.head_dim)
        return self.wo(y)


class CachedBlock(nn.Module):
    """x + norm(attention(x)), then h + norm(mlp(h))."""

    def __init__(self, dim, num_heads, num_kv_heads, head_dim, hidden_dim, batch_size, max_length):
        super().__init__()
        self.attention = CachedAttention(dim, num_heads, num_kv_heads, head_dim, batch_size, max_length)
        self.w1 = nn.Linear(dim, hidden_dim, bias=False)
        self.w3 = nn.Linear(dim, hidden_dim, bias=False)
        self.w2 = nn.Linear(hidden_dim, dim, bias=False)
        self.post_attention_norm = nn.RMSNorm(dim)
        self.post_feedforward_norm = nn.RMSNorm(dim)

    def forward(self, x, input_pos, mask):
        h = x + self.post_attention_norm(self.attention(x, input_pos, mask))
        m = self.w2(F.silu(self.w1(h)) * self.w3(h))
        return h + self.post_feedforward_norm(m)


class CachedDecoder(nn.Module):
    def __init__(self, vocab_size, dim, num_layers, num_heads, num_kv_heads, head_dim, hidden_dim, batch_size, max_length):
        super().__init__()
        self.tok_embeddings = nn.Embedding(vocab_size, dim)
        self.pos_embeddings = nn.Embedding(max_length, dim)
        self.layers = nn.ModuleList(
            CachedBlock(dim, num_heads, num_kv_heads, head_dim, hidden_dim, batch_size, max_length) for _ in range(num_layers)
        )
        self.norm = nn.RMSNorm(dim)
        self.output = nn.Linear(dim, vocab_size, bias=False)
        causal_mask = torch.tril(torch.ones(max_length, max_length, dtype=torch.bool))
        self.register_buffer("causal_mask", causal_mask, persistent=False)

    def forward(self, idx, input_pos):
        """idx: [B, S]; input_pos: [S], the places of the new tokens."""
        mask = self.causal_mask[None, None, input_pos]  # [1, 1, S, max_length]
        x = self.tok_embeddings(idx) + self.pos_embeddings(input_pos)
        for layer in self.layers:
            x = layer(x, input_pos, mask)
        return self.output(self.norm(x))
