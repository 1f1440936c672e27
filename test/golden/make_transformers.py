"""Golden values of scaled rotary positions and multi-head latent attention, made once with Hugging Face Transformers.

Remake:  python3 -m venv venv && venv/bin/pip install torch transformers && venv/bin/python test/golden/make_transformers.py
It rewrites transformers.generated.json beside itself. The frequencies are what the library's own ROPE_INIT_FUNCTIONS return for a
LlamaConfig, the latent attention what its DeepseekV3Attention computes in double precision with random weights. Tensors are
{"shape": [...], "f32": base64 of little-endian floats}.
"""

import base64
import json
import pathlib

import torch
import transformers
from transformers import DeepseekV3Config, LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Attention, DeepseekV3RotaryEmbedding

torch.manual_seed(20261121)
torch.set_num_threads(1)


def pack(tensor):
    array = tensor.detach().to(torch.float32).contiguous().numpy().astype("<f4")
    return {"shape": list(array.shape), "f32": base64.b64encode(array.tobytes()).decode()}


def long_case(name, length, attention):
    """Phi-3's scaling, its lists growing as those of the published models do; the model's length gives the factor: 4096 / 1024."""
    short, long = ([round(1 + grow * pair / 23, 3) for pair in range(24)] for grow in (0.8, 47.0))
    own = {} if attention is None else {"attention_factor": attention}
    return (name, 48, 10000.0,
            {"kind": "longrope", "factor": 4, "trainedLength": 1024, "length": length, "shortFactors": short, "longFactors": long,
             **({} if attention is None else {"attentionFactor": attention})},
            {"rope_type": "longrope", "original_max_position_embeddings": 1024, "short_factor": short, "long_factor": long, **own}, length)


scalings = []
for name, width, theta, scaling, parameters, length in (
    ("linear", 64, 10000.0, {"kind": "linear", "factor": 4}, {"rope_type": "linear", "factor": 4.0}, None),
    ("ntk", 64, 10000.0, {"kind": "ntk", "factor": 2, "trainedLength": 4096, "length": 16384},
     {"rope_type": "dynamic", "factor": 2.0}, 16384),
    ("ntk within the trained length", 64, 10000.0, {"kind": "ntk", "factor": 2, "trainedLength": 4096, "length": 100},
     {"rope_type": "dynamic", "factor": 2.0}, 100),
    ("yarn", 128, 1000000.0, {"kind": "yarn", "factor": 4, "trainedLength": 32768},
     {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, None),
    ("yarn of DeepSeek", 64, 10000.0,
     {"kind": "yarn", "factor": 40, "trainedLength": 4096, "betaFast": 32, "betaSlow": 1, "mscale": 1.0, "mscaleAllDim": 0.5},
     {"rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 0.5}, None),
    ("yarn not truncated, own factor", 64, 150000.0,
     {"kind": "yarn", "factor": 32, "trainedLength": 4096, "truncate": False, "attentionFactor": 1.25},
     {"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096, "truncate": False, "attention_factor": 1.25}, None),
    ("llama3", 128, 500000.0, {"kind": "llama3", "factor": 8, "trainedLength": 8192, "lowFrequencyFactor": 1, "highFrequencyFactor": 4},
     {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}, None),
    *(long_case(name, length, own) for name, length, own in (
        ("longrope within the trained length", 1024, None), ("longrope beyond the trained length", 1025, None), ("longrope, own factor", 3000, 1.5))),
):
    config = LlamaConfig(hidden_size=width * 2, num_attention_heads=2, head_dim=width, max_position_embeddings=4096,
                         rope_parameters={"rope_theta": theta, **parameters})
    frequencies, factor = ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config, "cpu", seq_len=length)
    scalings.append({"name": name, "rotaryDim": width, "theta": theta, "scaling": scaling, "frequencies": pack(frequencies), "factor": float(factor)})

latent = []
for name, rank in (("with a latent for the queries", 14), ("queries from the input", None)):
    config = DeepseekV3Config(
        hidden_size=40, num_attention_heads=4, num_key_value_heads=4, q_lora_rank=rank, kv_lora_rank=18, qk_nope_head_dim=10, qk_rope_head_dim=6,
        v_head_dim=9, rope_interleave=True, attention_bias=False, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        attn_implementation="eager", max_position_embeddings=64)
    module = DeepseekV3Attention(config, layer_idx=0).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape) * (0.3 if parameter.dim() > 1 else 1.0))
    tokens = 11
    x = torch.randn(1, tokens, 40)
    # As f32 first: that is what is written down.
    weights = {key: value.clone() for key, value in module.state_dict().items()}
    module = module.double()
    rotary = DeepseekV3RotaryEmbedding(config).double()
    cos, sin = rotary(x.double(), torch.arange(tokens)[None])
    mask = torch.full((tokens, tokens), -torch.inf, dtype=torch.float64).triu(1)[None, None]
    output, attention = module(x.double(), position_embeddings=(cos, sin), attention_mask=mask)[:2]
    query = {"queryDown": pack(weights["q_a_proj.weight"].T), "queryNorm": pack(weights["q_a_layernorm.weight"]), "queryUp": pack(weights["q_b_proj.weight"].T)} if rank else {"queryUp": pack(weights["q_proj.weight"].T)}
    latent.append({
        "name": name,
        "problem": {"queryHeads": 4, "queryLength": tokens, "inputDim": 40, **({"queryRank": rank} if rank else {}), "keyValueRank": 18, "plainDim": 10, "rotaryDim": 6,
                    "valueDim": 9, "positions": {"interleaved": True}, "mask": {"kind": "causal"}},
        "input": {"input": pack(x[0]), **query, "keyValueDown": pack(weights["kv_a_proj_with_mqa.weight"].T),
                  "keyValueNorm": pack(weights["kv_a_layernorm.weight"]), "keyValueUp": pack(weights["kv_b_proj.weight"].T),
                  "outputWeight": pack(weights["o_proj.weight"].T)},
        "output": pack(output[0]), "weights": pack(attention[0]),
    })

target = pathlib.Path(__file__).with_name("transformers.generated.json")
target.write_text(json.dumps({"madeWith": {"torch": torch.__version__, "transformers": transformers.__version__}, "scalings": scalings, "latent": latent}) + "\n")
print(f"{target.name}: {target.stat().st_size} bytes")
