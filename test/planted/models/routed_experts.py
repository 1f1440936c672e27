import torch
import torch.nn as nn
import torch.nn.functional as F


class Expert(nn.Module):
    def __init__(self, hidden_size, ffn_size):
        super().__init__()
        self.w1 = nn.Linear(hidden_size, ffn_size, bias=False)
        self.w3 = nn.Linear(hidden_size, ffn_size, bias=False)
        self.w2 = nn.Linear(ffn_size, hidden_size, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class SparseMoeBlock(nn.Module):
    def __init__(self, hidden_size, ffn_size, num_experts, top_k):
        super().__init__()
        self.hidden_size = hidden_size
        self.num_experts = num_experts
        self.top_k = top_k
        self.gate = nn.Linear(hidden_size, num_experts, bias=False)
        self.experts = nn.ModuleList([Expert(hidden_size, ffn_size) for _ in range(num_experts)])

    def forward(self, hidden_states):
        batch_size, sequence_length, hidden_dim = hidden_states.shape
        hidden_states = hidden_states.view(-1, hidden_dim)
        router_logits = self.gate(hidden_states)  # (batch * sequence, num_experts)
        routing_weights = F.softmax(router_logits, dim=1, dtype=torch.float)
        routing_weights, selected_experts = torch.topk(routing_weights, self.top_k, dim=-1)
        routing_weights = routing_weights / routing_weights.sum(dim=-1, keepdim=True)
        routing_weights = routing_weights.to(hidden_states.dtype)

        final_hidden_states = torch.zeros_like(hidden_states)
        expert_mask = F.one_hot(selected_experts, num_classes=self.num_experts).permute(2, 1, 0)
        for expert_idx in range(self.num_experts):
            idx, top_x = torch.where(expert_mask[expert_idx])
            current_state = hidden_states[top_x]
            current_hidden_states = self.experts[expert_idx](current_state) * routing_weights[top_x, idx, None]
            final_hidden_states.index_add_(0, top_x, current_hidden_states.to(hidden_states.dtype))
        return final_hidden_states.reshape(batch_size, sequence_length, hidden_dim)


class StackedExperts(nn.Module):
    """Every expert's weights in one tensor."""

    def __init__(self, hidden_size, ffn_size, num_experts):
        super().__init__()
        self.ffn_size = ffn_size
        self.router = nn.Linear(hidden_size, num_experts)
        self.gate_up_proj = nn.Parameter(torch.empty(num_experts, hidden_size, 2 * ffn_size))
        self.down_proj = nn.Parameter(torch.empty(num_experts, ffn_size, hidden_size))

    def forward(self, hidden_states):
        # hidden_states: (batch, seq, hidden)
        weights = self.router(hidden_states).softmax(dim=-1)  # (batch, seq, experts)
        gate_up = torch.einsum("bsh,ehf->besf", hidden_states, self.gate_up_proj)
        gate, up = gate_up.split(self.ffn_size, dim=-1)
        routed = torch.matmul(F.silu(gate) * up, self.down_proj)  # (batch, experts, seq, hidden)
        return torch.einsum("besh,bse->bsh", routed, weights)


class Attention(nn.Module):
    def __init__(self, hidden_size, num_heads, num_kv_heads):
        super().__init__()
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads
        self.head_dim = hidden_size // num_heads
        self.q_proj = nn.Linear(hidden_size, num_heads * self.head_dim, bias=False)
        self.kv_proj = nn.Linear(hidden_size, 2 * num_kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(num_heads * self.head_dim, hidden_size, bias=False)

    def forward(self, x):
        bsz, q_len, _ = x.size()
        q = self.q_proj(x).view(bsz, q_len, self.num_heads, self.head_dim).transpose(1, 2)
        k, v = self.kv_proj(x).view(bsz, q_len, 2, self.num_kv_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        k = torch.repeat_interleave(k, self.num_heads // self.num_kv_heads, dim=1)
        v = torch.repeat_interleave(v, self.num_heads // self.num_kv_heads, dim=1)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=q_len > 1)
        out = out.transpose(1, 2).contiguous()
        out = out.reshape(bsz, q_len, self.num_heads * self.head_dim)
        return self.o_proj(out)


class MoeLayer(nn.Module):
    def __init__(self, hidden_size, ffn_size, num_heads, num_kv_heads, num_experts, top_k, stacked=False):
        super().__init__()
        self.self_attn = Attention(hidden_size, num_heads, num_kv_heads)
        if stacked:
            self.moe = StackedExperts(hidden_size, ffn_size, num_experts)
        else:
            self.moe = SparseMoeBlock(hidden_size, ffn_size, num_experts, top_k)
        self.input_layernorm = nn.RMSNorm(hidden_size, eps=1e-5)
        self.post_attention_layernorm = nn.RMSNorm(hidden_size, eps=1e-5)

    def forward(self, hidden_states):
        hidden_states = hidden_states + self.self_attn(self.input_layernorm(hidden_states))
        hidden_states = hidden_states + self.moe(self.post_attention_layernorm(hidden_states))
        return hidden_states


class MoeModel(nn.Module):
    def __init__(self, vocab_size, hidden_size, ffn_size, num_layers, num_heads, num_kv_heads, num_experts, top_k=2):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab_size, hidden_size)
        self.layers = nn.ModuleList(
            MoeLayer(hidden_size, ffn_size, num_heads, num_kv_heads, num_experts, top_k, stacked=i % 2 == 1)
            for i in range(num_layers)
        )
        self.norm = nn.RMSNorm(hidden_size, eps=1e-5)
        self.lm_head = nn.Linear(hidden_size, vocab_size, bias=False)

    def forward(self, input_ids):
        hidden_states = self.embed_tokens(input_ids)
        for layer in self.layers:
            hidden_states = layer(hidden_states)
        return self.lm_head(self.norm(hidden_states))
