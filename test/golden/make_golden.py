"""Golden values of the attention kernel, made once with PyTorch.

Remake:  python3 -m venv venv && venv/bin/pip install torch numpy && venv/bin/python test/golden/make_golden.py
It rewrites attention.generated.json beside itself. Inputs are seeded normal numbers in f32; expected values are computed by PyTorch in
double precision from those inputs and rounded to f32. Tensors are {"shape": [...], "f32": base64 of little-endian floats}.
The rotary, ALiBi and T5 formulas are those of Hugging Face Transformers (modeling_llama.py, modeling_gptj.py, modeling_bloom.py,
modeling_t5.py), restated below in PyTorch.
"""

import base64
import json
import math
import pathlib

import numpy as np
import torch
from torch.nn import functional as F

torch.manual_seed(20240611)
torch.set_num_threads(1)
cases = []


def pack(tensor):
    array = tensor.detach().to(torch.float32).contiguous().numpy().astype("<f4")
    return {"shape": list(array.shape), "f32": base64.b64encode(array.tobytes()).decode()}


def normal(*shape, spread=1.0):
    return torch.randn(*shape, dtype=torch.float32) * spread


def attention_case(name, heads, kv_heads, q_len, k_len, dim, v_dim=None, *, scale=None, causal=False, mask=None, problem=None, spread=1.0, gqa=False):
    """scaled_dot_product_attention; the weights are its output for V = identity."""
    v_dim = v_dim or dim
    q, k, v = normal(heads, q_len, dim, spread=spread), normal(kv_heads, k_len, dim, spread=spread), normal(kv_heads, k_len, v_dim)

    def sdpa(values):
        return F.scaled_dot_product_attention(
            q[None].double(), k[None].double(), values[None].double(),
            attn_mask=mask.double() if mask is not None and mask.dtype != torch.bool else mask,
            is_causal=causal, scale=scale, enable_gqa=gqa)[0]

    identity = torch.eye(k_len, dtype=torch.float32).expand(kv_heads, k_len, k_len)
    cases.append({
        "name": name,
        "kind": "attention",
        "problem": {
            "queryHeads": heads, "keyValueHeads": kv_heads, "queryLength": q_len, "keyLength": k_len, "headDim": dim,
            "valueDim": v_dim, **({} if scale is None else {"scale": scale}),
            **({"mask": {"kind": "causal"}} if causal else {}), **(problem or {})},
        "query": pack(q), "key": pack(k), "value": pack(v),
        "output": pack(sdpa(v)), "weights": pack(sdpa(identity)),
    })


attention_case("plain", 3, 3, 9, 9, 16)
attention_case("causal", 2, 2, 13, 13, 8, causal=True)
attention_case("causal, more keys than queries", 2, 2, 5, 11, 8, causal=True)
attention_case("causal, more queries than keys", 2, 2, 11, 5, 8, causal=True)
attention_case("grouped queries", 6, 2, 7, 10, 12, gqa=True)
attention_case("grouped queries, causal", 4, 2, 17, 17, 6, gqa=True, causal=True)
attention_case("multi-query", 5, 1, 6, 9, 10, gqa=True)
attention_case("scale override", 2, 2, 8, 8, 16, scale=0.7)
attention_case("valueDim above headDim", 2, 2, 7, 12, 6, 19)
attention_case("valueDim below headDim", 2, 2, 7, 12, 24, 3)
attention_case("one token", 2, 2, 1, 1, 4)
attention_case("large logits", 2, 2, 6, 6, 8, spread=12.0)
attention_case("more than one block of rows", 1, 1, 67, 70, 5, causal=True)

visible = torch.rand(6, 8) > 0.4
visible[2] = False
attention_case("boolean mask with a hidden row", 2, 2, 6, 8, 8, mask=visible,
               problem={"mask": {"kind": "boolean", "visible": visible.int().flatten().tolist()}})
bias = normal(6, 8)
bias[torch.rand(6, 8) > 0.8] = -math.inf
attention_case("additive mask", 2, 2, 6, 8, 8, mask=bias, problem={"mask": {"kind": "additive", "bias": pack(bias)}})

# Sliding window of 4 (Mistral: the token itself and the three before it) and a prefix of 5, as boolean masks in PyTorch.
i, j = torch.arange(12)[:, None], torch.arange(12)[None]
attention_case("sliding window", 2, 2, 12, 12, 8, mask=(j <= i) & (j > i - 4), problem={"mask": {"kind": "slidingWindow", "window": 4}})
attention_case("prefix", 2, 2, 12, 12, 8, mask=(j <= i) | (j < 5), problem={"mask": {"kind": "prefix", "length": 5}})
attention_case("cached keys", 2, 2, 4, 12, 8, mask=j <= torch.arange(4)[:, None] + 8, problem={"mask": {"kind": "causal", "offset": 8}})
attention_case("padding", 2, 2, 12, 12, 8, mask=((j >= 2) & (j < 9)).expand(12, 12), problem={"mask": {"kind": "padding", "start": 2, "end": 9}})


def alibi_slopes(heads):
    """build_alibi_tensor of modeling_bloom.py."""
    closest = 2 ** math.floor(math.log2(heads))
    base = 2 ** (-(2 ** -(math.log2(closest) - 3)))
    slopes = [base ** power for power in range(1, 1 + closest)]
    if closest != heads:
        extra = 2 ** (-(2 ** -(math.log2(2 * closest) - 3)))
        slopes += [extra ** power for power in range(1, 1 + 2 * min(closest, heads - closest), 2)]
    return torch.tensor(slopes)


slopes = alibi_slopes(6)
alibi = -slopes[:, None, None] * (i - j).abs()
attention_case("ALiBi", 6, 6, 12, 12, 8, mask=alibi + torch.where(j <= i, 0.0, -math.inf), problem={"mask": {"kind": "causal"}, "alibi": True})
cases.append({"name": "ALiBi slopes", "kind": "alibi", "slopes": {str(n): pack(alibi_slopes(n)) for n in (1, 2, 6, 8, 12, 16, 71)}})


def t5_bucket(relative, bidirectional, buckets, max_distance):
    """T5Attention._relative_position_bucket of modeling_t5.py."""
    result = torch.zeros_like(relative)
    if bidirectional:
        buckets //= 2
        result += (relative > 0).long() * buckets
        relative = relative.abs()
    else:
        relative = -torch.min(relative, torch.zeros_like(relative))
    exact = buckets // 2
    large = exact + (torch.log(relative.float() / exact) / math.log(max_distance / exact) * (buckets - exact)).long()
    large = torch.min(large, torch.full_like(large, buckets - 1))
    return result + torch.where(relative < exact, relative, large)


relatives = torch.arange(-300, 301)
cases.append({"name": "T5 buckets", "kind": "t5", "first": -300,
              "bidirectional": t5_bucket(relatives, True, 32, 128).tolist(), "unidirectional": t5_bucket(relatives, False, 32, 128).tolist()})
table = normal(32, 2)
t5 = table[t5_bucket(j - i, True, 32, 128)].permute(2, 0, 1)
attention_case("T5 bias", 2, 2, 12, 12, 8, scale=1.0, mask=t5, problem={"t5": pack(table)})

# Logit soft-cap (modeling_gemma2.py eager_attention_forward) and attention sinks (modeling_gpt_oss.py eager_attention_forward).
q, k, v = normal(2, 7, 8, spread=4), normal(2, 7, 8, spread=4), normal(2, 7, 8)
scores = q.double() @ k.double().transpose(1, 2) / math.sqrt(8)
capped = torch.softmax(torch.tanh(scores / 5.0) * 5.0, -1)
cases.append({"name": "soft-cap", "kind": "attention", "problem": {"queryHeads": 2, "keyValueHeads": 2, "queryLength": 7, "keyLength": 7, "headDim": 8, "valueDim": 8, "softcap": 5.0},
              "query": pack(q), "key": pack(k), "value": pack(v), "output": pack(capped @ v.double()), "weights": pack(capped)})
sinks = torch.tensor([0.5, 30.0])
sunk = torch.softmax(torch.cat([scores, sinks[:, None, None].double().expand(2, 7, 1)], -1), -1)[..., :-1]
cases.append({"name": "sinks", "kind": "attention", "problem": {"queryHeads": 2, "keyValueHeads": 2, "queryLength": 7, "keyLength": 7, "headDim": 8, "valueDim": 8, "sinks": pack(sinks)},
              "query": pack(q), "key": pack(k), "value": pack(v), "output": pack(sunk @ v.double()), "weights": pack(sunk)})


def rotary_half(x, theta, width):
    """apply_rotary_pos_emb of modeling_llama.py; partial as in modeling_gpt_neox.py."""
    frequencies = 1.0 / theta ** (torch.arange(0, width, 2).double() / width)
    angles = torch.arange(x.shape[1]).double()[:, None] * frequencies
    angles = torch.cat([angles, angles], -1)
    turned, kept = x[..., :width], x[..., width:]
    half = torch.cat([-turned[..., width // 2:], turned[..., : width // 2]], -1)
    return torch.cat([turned * angles.cos() + half * angles.sin(), kept], -1)


def rotary_neighbours(x, theta, width):
    """apply_rotary_pos_emb of modeling_gptj.py."""
    frequencies = 1.0 / theta ** (torch.arange(0, width, 2).double() / width)
    angles = (torch.arange(x.shape[1]).double()[:, None] * frequencies).repeat_interleave(2, -1)
    turned, kept = x[..., :width], x[..., width:]
    half = torch.stack([-turned[..., 1::2], turned[..., ::2]], -1).flatten(-2)
    return torch.cat([turned * angles.cos() + half * angles.sin(), kept], -1)


def block_case(name, heads, kv_heads, length, input_dim, dim, *, rotate=None, positions=None, norm=False):
    x = normal(length, input_dim)
    wq, wk, wv = (normal(input_dim, n * dim, spread=input_dim ** -0.5) for n in (heads, kv_heads, kv_heads))
    wo = normal(heads * dim, input_dim, spread=(heads * dim) ** -0.5)
    split = lambda t, n: t.reshape(length, n, dim).transpose(0, 1)
    q, k, v = split(x.double() @ wq.double(), heads), split(x.double() @ wk.double(), kv_heads), split(x.double() @ wv.double(), kv_heads)
    extra = {}
    if norm:
        gains = [normal(dim), normal(dim)]
        q, k = (t * torch.rsqrt(t.pow(2).mean(-1, keepdim=True) + 1e-6) * g.double() for t, g in zip((q, k), gains))
        extra = {"queryNorm": pack(gains[0]), "keyNorm": pack(gains[1])}
    if rotate:
        q, k = rotate(q), rotate(k)
    attended = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True, enable_gqa=True)[0]
    joined = attended.transpose(0, 1).reshape(length, heads * dim)
    cases.append({
        "name": name, "kind": "block",
        "problem": {"queryHeads": heads, "keyValueHeads": kv_heads, "queryLength": length, "inputDim": input_dim, "headDim": dim,
                    "mask": {"kind": "causal"}, **({} if positions is None else {"positions": positions})},
        "input": pack(x), "queryWeight": pack(wq), "keyWeight": pack(wk), "valueWeight": pack(wv), "outputWeight": pack(wo), **extra,
        "query": pack(q), "key": pack(k), "output": pack(joined @ wo.double()),
    })


block_case("rotary, halves", 4, 2, 9, 20, 8, rotate=lambda t: rotary_half(t, 10000.0, 8), positions={"kind": "rotary"})
block_case("rotary, partial, other base", 2, 2, 9, 12, 16, rotate=lambda t: rotary_half(t, 500000.0, 4),
           positions={"kind": "rotary", "theta": 500000, "rotaryDim": 4})
block_case("rotary, neighbours", 2, 1, 9, 12, 8, rotate=lambda t: rotary_neighbours(t, 10000.0, 8),
           positions={"kind": "rotary", "interleaved": True})
block_case("query and key norm", 2, 1, 7, 12, 8, norm=True)

# The whole block of nn.MultiheadAttention with biases, self- and cross-attention (key and value widths of their own).
for name, q_len, k_len, dim, heads, kv_dim, causal in (
    ("MultiheadAttention", 10, 10, 24, 4, 24, False),
    ("MultiheadAttention, causal", 11, 11, 16, 2, 16, True),
    ("MultiheadAttention, cross-attention", 6, 9, 16, 4, 12, False),
):
    module = torch.nn.MultiheadAttention(dim, heads, batch_first=True, kdim=kv_dim, vdim=kv_dim)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(normal(*parameter.shape, spread=0.3))
    x = normal(q_len, dim)
    memory = x if q_len == k_len and kv_dim == dim else normal(k_len, kv_dim)
    if module._qkv_same_embed_dim:
        wq, wk, wv = module.in_proj_weight.chunk(3)
    else:
        wq, wk, wv = module.q_proj_weight, module.k_proj_weight, module.v_proj_weight
    wq, wk, wv, bq, bk, bv = (t.detach().float().clone() for t in (wq, wk, wv, *module.in_proj_bias.chunk(3)))
    wo, bo = module.out_proj.weight.detach().clone(), module.out_proj.bias.detach().clone()
    module = module.double()
    hidden = torch.ones(q_len, k_len, dtype=torch.bool).triu(1) if causal else None
    output, weights = module(x[None].double(), memory[None].double(), memory[None].double(), attn_mask=hidden, need_weights=True, average_attn_weights=False)
    cases.append({
        "name": name, "kind": "block",
        "problem": {"queryHeads": heads, "queryLength": q_len, "keyLength": k_len, "inputDim": dim, "keyValueInputDim": kv_dim, "headDim": dim // heads,
                    **({"mask": {"kind": "causal"}} if causal else {})},
        "input": pack(x), **({} if memory is x else {"keyValueInput": pack(memory)}),
        "queryWeight": pack(wq.T), "keyWeight": pack(wk.T), "valueWeight": pack(wv.T), "outputWeight": pack(wo.T),
        "queryBias": pack(bq), "keyBias": pack(bk), "valueBias": pack(bv), "outputBias": pack(bo),
        "output": pack(output[0]), "weights": pack(weights[0]),
    })

target = pathlib.Path(__file__).with_name("attention.generated.json")
made_with = {"torch": torch.__version__, "numpy": np.__version__}
target.write_text('{"madeWith": ' + json.dumps(made_with) + ', "cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n")
print(f"{target.name}: {len(cases)} cases, {target.stat().st_size} bytes")
