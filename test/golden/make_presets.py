"""Parameters of the calculator's presets, and FLOPs of small models, recorded once from the real models and PyTorch's own counter.

Remake:  python3 -m venv venv && venv/bin/pip install torch transformers==5.18.0
         npx esbuild src/calculator/presets.ts --bundle --platform=node --main-fields=module,main --outfile=presets.cjs
         node -e "console.log(JSON.stringify(require('./presets.cjs').presets))" | venv/bin/python test/golden/make_presets.py
It rewrites presets.generated.json beside itself. Models of presets are made on the meta device: their parameters without any weights. The
small models of `flops` really run, with plain ("eager") attention and experts; products that only make the table of rotary angles are left
out. `forward` and `backward` are what torch.utils.flop_counter counts.
"""

import json
import pathlib
import sys

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

transformers.logging.set_verbosity_error()


def build(config, device):
    config = dict(config)
    made = transformers.AutoConfig.for_model(**config)
    made._attn_implementation = "eager"
    made._experts_implementation = "eager"
    with torch.device(device):
        return getattr(transformers, config["architectures"][0])(made), made


SMALL = [
    ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 48, "n_head": 4, "n_layer": 3, "n_positions": 64, "vocab_size": 101}, 2, 11),
    ({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 48, "num_attention_heads": 6, "num_key_value_heads": 2, "num_hidden_layers": 3, "intermediate_size": 72, "vocab_size": 101, "tie_word_embeddings": False}, 2, 11),
    ({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 16, "num_hidden_layers": 2, "intermediate_size": 40, "vocab_size": 101, "tie_word_embeddings": True}, 1, 7),
    ({"model_type": "mistral", "architectures": ["MistralForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "intermediate_size": 72, "vocab_size": 101, "sliding_window": 4}, 2, 11),
    ({"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "hidden_size": 48, "num_attention_heads": 6, "num_key_value_heads": 3, "num_hidden_layers": 2, "intermediate_size": 56, "vocab_size": 101}, 3, 5),
    ({"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "hidden_size": 48, "num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 10, "num_hidden_layers": 2, "intermediate_size": 56, "vocab_size": 101}, 3, 5),
    ({"model_type": "gemma2", "architectures": ["Gemma2ForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 20, "num_hidden_layers": 4, "intermediate_size": 56, "vocab_size": 101, "sliding_window": 4}, 2, 9),
    ({"model_type": "gemma3_text", "architectures": ["Gemma3ForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 20, "num_hidden_layers": 7, "intermediate_size": 56, "vocab_size": 101, "sliding_window": 4}, 2, 9),
    ({"model_type": "phi3", "architectures": ["Phi3ForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "intermediate_size": 56, "vocab_size": 101, "pad_token_id": 0}, 2, 9),
    ({"model_type": "gpt_neox", "architectures": ["GPTNeoXForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 56, "vocab_size": 101, "tie_word_embeddings": False}, 2, 9),
    ({"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "intermediate_size": 56, "vocab_size": 101, "num_local_experts": 5, "num_experts_per_tok": 2}, 2, 9),
    ({"model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "num_hidden_layers": 4, "intermediate_size": 56, "moe_intermediate_size": 24, "vocab_size": 101, "num_experts": 6, "num_experts_per_tok": 3, "decoder_sparse_step": 2, "mlp_only_layers": []}, 2, 9),
    ({"model_type": "qwen2_moe", "architectures": ["Qwen2MoeForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 3, "intermediate_size": 56, "moe_intermediate_size": 24, "shared_expert_intermediate_size": 40, "vocab_size": 101, "num_experts": 6, "num_experts_per_tok": 3, "decoder_sparse_step": 1, "mlp_only_layers": [1]}, 2, 9),
    ({"model_type": "gpt_oss", "architectures": ["GptOssForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "num_hidden_layers": 2, "intermediate_size": 40, "vocab_size": 101, "num_local_experts": 5, "num_experts_per_tok": 2, "sliding_window": 4, "pad_token_id": 0}, 2, 9),
    ({"model_type": "deepseek_v2", "architectures": ["DeepseekV2ForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 4, "num_hidden_layers": 3, "intermediate_size": 56, "moe_intermediate_size": 24, "q_lora_rank": None, "kv_lora_rank": 20, "qk_rope_head_dim": 8, "qk_nope_head_dim": 12, "v_head_dim": 14, "n_routed_experts": 6, "num_experts_per_tok": 2, "n_shared_experts": 2, "first_k_dense_replace": 1, "vocab_size": 101}, 2, 9),
    ({"model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 4, "num_hidden_layers": 3, "intermediate_size": 56, "moe_intermediate_size": 24, "q_lora_rank": 28, "kv_lora_rank": 20, "qk_rope_head_dim": 8, "qk_nope_head_dim": 12, "v_head_dim": 14, "n_routed_experts": 8, "n_group": 2, "topk_group": 1, "num_experts_per_tok": 2, "n_shared_experts": 1, "first_k_dense_replace": 1, "vocab_size": 101}, 2, 9),
]


def count(module, tokens, batch, config):
    torch.manual_seed(0)
    ids = torch.randint(1, config["vocab_size"], (batch, tokens))
    module.train()
    counter = FlopCounterMode(display=False, depth=None)
    with counter:
        logits = module(input_ids=ids, use_cache=False).logits
    angles = sum(sum(of.values()) for name, of in counter.get_flop_counts().items() if name.split(".")[-1].startswith("rotary_emb"))
    forward = counter.get_total_flops() - angles
    whole = FlopCounterMode(display=False)
    with whole:
        module(input_ids=ids, use_cache=False).logits.sum().backward()
    del logits
    return forward, whole.get_total_flops() - angles - forward


presets = {}
for name, config in json.load(sys.stdin).items():
    module, _ = build(config, "meta")
    presets[name] = {"config": config, "parameters": sum(p.numel() for p in module.parameters())}

flops = []
for config, batch, tokens in SMALL:
    module, _ = build(config, "cpu")
    forward, backward = count(module, tokens, batch, config)
    flops.append({"config": config, "batch": batch, "tokens": tokens, "forward": forward, "backward": backward})

lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in presets.items()]
text = '{\n"presets": {\n' + ",\n".join(lines) + '\n},\n"flops": [\n' + ",\n".join(json.dumps(each) for each in flops) + "\n]\n}\n"
pathlib.Path(__file__).with_name("presets.generated.json").write_text(text)
