# Decoder with a bias that grows with distance instead of positional embeddings; fused query-key-value projection per head.
import math

import torch
from torch import nn
from torch.nn import functional as F


def build_slopes(num_heads: int) -> torch.Tensor:
    closest = 2 ** math.floor(math.log2(num_heads))
    base = 2 ** (-(2 ** -(math.log2(closest) - 3)))
    slopes = torch.pow(base, torch.arange(1, 1 + closest))
    if closest != num_heads:
        extra_base = 2 ** (-(2 ** -(math.log2(2 * closest) - 3)))
        remaining = min(closest, num_heads - closest)
        extra = torch.pow(extra_base, torch.arange(1, 1 + 2 * remaining, 2))
        slopes = torch.cat([slopes, extra], dim=0)
    return slopes


def build_alibi(slopes, query_length, key_length):
    """Bias of shape [1, num_heads, query_length, key_length], zero at the query's own position."""
    query_pos = torch.arange(key_length - query_length, key_length, device=slopes.device)
    key_pos = torch.arange(key_length, device=slopes.device)
    distance = key_pos[None, :] - query_pos[:, None]
    return (slopes[:, None, None] * distance[None, :, :]).unsqueeze(0)


class BiasedAttention(nn.Module):
    def __init__(self, hidden_size: int, n_head: int, dropout: float = 0.0):
        super().__init__()
        self.hidden_size = hidden_size
        self.num_heads = n_head
        self.head_dim = self.hidden_size // self.num_heads
        if self.head_dim * self.num_heads != self.hidden_size:
            raise ValueError(f"`hidden_size` must be divisible by num_heads (got {self.hidden_size} and {self.num_heads})")
        self.inv_norm_factor = 1.0 / math.sqrt(self.head_dim)
        self.query_key_value = nn.Linear(self.hidden_size, 3 * self.hidden_size, bias=True)
        self.dense = nn.Linear(self.hidden_size, self.hidden_size)
        self.attention_dropout = nn.Dropout(dropout)

    def _split_heads(self, fused_qkv: torch.Tensor):
        """[batch_size, seq_length, 3 x hidden_size] -> three of [batch_size, num_heads, seq_length, head_dim]"""
        batch_size, seq_length, _ = fused_qkv.shape
        fused_qkv = fused_qkv.view(batch_size, seq_length, self.num_heads, 3, self.head_dim)
        query_layer = fused_qkv[..., 0, :].transpose(1, 2)
        key_layer = fused_qkv[..., 1, :].transpose(1, 2)
        value_layer = fused_qkv[..., 2, :].transpose(1, 2)
        return query_layer, key_layer, value_layer

    def _merge_heads(self, x: torch.Tensor) -> torch.Tensor:
        """[batch_size * num_heads, seq_length, head_dim] -> [batch_size, seq_length, num_heads * head_dim]"""
        batch_size_and_num_heads, seq_length, _ = x.shape
        batch_size = batch_size_and_num_heads // self.num_heads
        x = x.view(batch_size, self.num_heads, seq_length, self.head_dim)
        x = x.permute(0, 2, 1, 3)
        return x.reshape(batch_size, seq_length, self.num_heads * self.head_dim)

    def forward(self, hidden_states, alibi, causal_mask, layer_past=None):
        batch_size, q_length, _ = hidden_states.shape
        query_layer, key_layer, value_layer = self._split_heads(self.query_key_value(hidden_states))
        if layer_past is not None:
            past_key, past_value = layer_past
            key_layer = torch.cat((past_key, key_layer), dim=2)
            value_layer = torch.cat((past_value, value_layer), dim=2)
        present = (key_layer, value_layer)

        kv_length = key_layer.shape[2]
        query_layer = query_layer.reshape(batch_size * self.num_heads, -1, self.head_dim)
        key_layer = key_layer.reshape(batch_size * self.num_heads, -1, self.head_dim).transpose(-1, -2)
        value_layer = value_layer.reshape(batch_size * self.num_heads, -1, self.head_dim)

        attention_scores = torch.bmm(query_layer, key_layer) * self.inv_norm_factor
        attention_scores = attention_scores.view(batch_size, self.num_heads, q_length, kv_length)
        attention_scores = attention_scores + alibi
        attention_scores = attention_scores.masked_fill(causal_mask, torch.finfo(attention_scores.dtype).min)
        attention_probs = F.softmax(attention_scores, dim=-1)
        attention_probs = self.attention_dropout(attention_probs)
        attention_probs = attention_probs.view(batch_size * self.num_heads, q_length, kv_length)

        context_layer = torch.bmm(attention_probs, value_layer)
        context_layer = self._merge_heads(context_layer)
        return self.dense(context_layer), present


class MLP(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.dense_h_to_4h = nn.Linear(hidden_size, 4 * hidden_size)
        self.dense_4h_to_h = nn.Linear(4 * hidden_size, hidden_size)

    def forward(self, hidden_states):
        return self.dense_4h_to_h(F.gelu(self.dense_h_to_4h(hidden_states)))


class BiasedBlock(nn.Module):
    def __init__(self, hidden_size, n_head, dropout=0.0):
        super().__init__()
        self.input_layernorm = nn.LayerNorm(hidden_size)
        self.self_attention = BiasedAttention(hidden_size, n_head, dropout)
        self.post_attention_layernorm = nn.LayerNorm(hidden_size)
        self.mlp = MLP(hidden_size)

    def forward(self, hidden_states, alibi, causal_mask, layer_past=None):
        layernorm_output = self.input_layernorm(hidden_states)
        attn_output, present = self.self_attention(layernorm_output, alibi, causal_mask, layer_past)
        hidden_states = hidden_states + attn_output
        layernorm_output = self.post_attention_layernorm(hidden_states)
        hidden_states = hidden_states + self.mlp(layernorm_output)
        return hidden_states, present


class BiasedModel(nn.Module):
    def __init__(self, vocab_size, hidden_size, n_head, n_layer, dropout=0.0):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, hidden_size)
        self.word_embeddings_layernorm = nn.LayerNorm(hidden_size)
        self.h = nn.ModuleList([BiasedBlock(hidden_size, n_head, dropout) for _ in range(n_layer)])
        self.ln_f = nn.LayerNorm(hidden_size)
        self.register_buffer("slopes", build_slopes(n_head), persistent=False)

    def forward(self, input_ids, past_key_values=None):
        hidden_states = self.word_embeddings_layernorm(self.word_embeddings(input_ids))
        query_length = input_ids.shape[1]
        past_length = 0 if past_key_values is None else past_key_values[0][0].shape[2]
        key_length = past_length + query_length
        alibi = build_alibi(self.slopes, query_length, key_length).to(hidden_states.dtype)
        causal_mask = torch.ones(query_length, key_length, dtype=torch.bool, device=input_ids.device).triu(past_length + 1)
        presents = []
        for i, block in enumerate(self.h):
            past = None if past_key_values is None else past_key_values[i]
            hidden_states, present = block(hidden_states, alibi, causal_mask, past)
            presents.append(present)
        hidden_states = self.ln_f(hidden_states)
        return F.linear(hidden_states, self.word_embeddings.weight), presents
