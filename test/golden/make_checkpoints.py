"""Attention of whole small models with random weights, made once with Hugging Face Transformers, and the tensors of the one layer as their
checkpoint names them.

Remake:  python3 -m venv venv && venv/bin/pip install torch transformers && venv/bin/python test/golden/make_checkpoints.py
It rewrites checkpoints.generated.json beside itself: per model the config as it is saved, the state_dict's tensors of the layer's
attention (names as the model has them, base64 of little-endian numbers of the dtype), and of a run over random embeddings what the
attention module got (its input), its weights and its output. Models run in double precision over weights rounded to the stored dtype.
"""

import base64
import json
import pathlib

import torch
import transformers as hf

torch.manual_seed(20261121)
torch.set_num_threads(1)
TOKENS = 9
DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def pack(tensor):
    array = tensor.detach().to(torch.float32).contiguous().numpy().astype("<f4")
    return {"shape": list(array.shape), "f32": base64.b64encode(array.tobytes()).decode()}


def stored(tensor):
    tensor = tensor.detach().contiguous()
    raw = tensor.view(torch.uint8).numpy().tobytes()
    return {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "bytes": base64.b64encode(raw).decode()}


small = dict(vocab_size=40, max_position_embeddings=64)
llama = dict(**small, hidden_size=24, intermediate_size=32, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=2)
rope = {"rope_type": "default", "rope_theta": 10000.0}
models = [
    ("Llama 3.1, bfloat16", hf.LlamaConfig(**{**llama, "head_dim": 8}, rope_parameters={
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16}), hf.LlamaForCausalLM, "self_attn", torch.bfloat16, 1),
    ("Llama with linear scaling", hf.LlamaConfig(**llama, head_dim=8, rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}),
     hf.LlamaForCausalLM, "self_attn", torch.float32, 0),
    ("Qwen 2 with biases and YaRN, float16", hf.Qwen2Config(**llama, use_sliding_window=False, rope_parameters={
        "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 16}),
     hf.Qwen2ForCausalLM, "self_attn", torch.float16, 1),
    ("Qwen 3 with norms of queries and keys", hf.Qwen3Config(**llama, head_dim=8, rope_parameters=rope), hf.Qwen3ForCausalLM, "self_attn", torch.float32, 1),
    ("Gemma 2 with capped scores", hf.Gemma2Config(**llama, head_dim=8, query_pre_attn_scalar=16, attn_logit_softcapping=5.0, sliding_window=64,
                                                   rope_parameters=rope), hf.Gemma2ForCausalLM, "self_attn", torch.float32, 1),
    ("Phi 3, joined", hf.Phi3Config(**llama, pad_token_id=0, rope_parameters=rope), hf.Phi3ForCausalLM, "self_attn", torch.float32, 0),
    ("Granite with a multiplier", hf.GraniteConfig(**llama, attention_multiplier=0.2, rope_parameters=rope), hf.GraniteForCausalLM, "self_attn", torch.float32, 1),
    ("Cohere, neighbouring pairs", hf.CohereConfig(**llama, rope_parameters=rope), hf.CohereForCausalLM, "self_attn", torch.float32, 1),
    ("GPT-2", hf.GPT2Config(vocab_size=40, n_positions=64, n_embd=24, n_head=4, n_layer=2), hf.GPT2LMHeadModel, "attn", torch.float32, 1),
    ("GPT-J", hf.GPTJConfig(vocab_size=40, n_positions=64, n_embd=32, n_head=4, n_layer=2, rotary_dim=4), hf.GPTJForCausalLM, "attn", torch.float32, 1),
    ("GPT-NeoX, head by head", hf.GPTNeoXConfig(**small, hidden_size=32, num_attention_heads=4, num_hidden_layers=2, intermediate_size=32,
                                                rope_parameters={**rope, "partial_rotary_factor": 0.5}), hf.GPTNeoXForCausalLM, "attention", torch.float32, 1),
    ("BLOOM, ALiBi", hf.BloomConfig(vocab_size=40, hidden_size=24, n_head=4, n_layer=2), hf.BloomForCausalLM, "self_attention", torch.float32, 1),
    ("BERT", hf.BertConfig(**small, hidden_size=24, num_attention_heads=4, num_hidden_layers=2, intermediate_size=32), hf.BertModel, "attention", torch.float32, 1),
    ("T5's encoder", hf.T5Config(vocab_size=40, d_model=24, d_kv=8, d_ff=32, num_heads=4, num_layers=2, relative_attention_num_buckets=8,
                                 relative_attention_max_distance=12), hf.T5EncoderModel, "SelfAttention", torch.float32, 1),
    ("DeepSeek V3, latents and YaRN", hf.DeepseekV3Config(
        **small, hidden_size=24, intermediate_size=32, moe_intermediate_size=8, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
        q_lora_rank=10, kv_lora_rank=12, qk_nope_head_dim=6, qk_rope_head_dim=4, v_head_dim=5, first_k_dense_replace=2, n_routed_experts=2,
        num_experts_per_tok=1, n_group=1, topk_group=1, rope_parameters={
            "rope_type": "yarn", "rope_theta": 10000.0, "factor": 40.0, "original_max_position_embeddings": 16, "beta_fast": 32, "beta_slow": 1,
            "mscale": 1.0, "mscale_all_dim": 1.0}), hf.DeepseekV3ForCausalLM, "self_attn", torch.float32, 1),
    ("Llama with dynamic scaling beyond its positions", hf.LlamaConfig(**{**llama, "max_position_embeddings": 4}, head_dim=8, rope_parameters={
        "rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}), hf.LlamaForCausalLM, "self_attn", torch.float32, 1),
]

cases = []
for name, config, kind, attention, dtype, layer in models:
    config._attn_implementation = "eager"
    model = kind(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 0.35 if parameter.dim() > 1 else 0.2
            parameter.copy_((torch.randn(parameter.shape) * spread + (1 if parameter.dim() == 1 and "bias" not in name else 0)).to(dtype).float())
    model = model.double()
    width = config.hidden_size
    seen = {}

    def before(module, args, kwargs):
        seen["input"] = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]

    def after(module, args, kwargs, output):
        seen["output"] = output[0] if isinstance(output, tuple) else output

    modules = [(path, module) for path, module in model.named_modules()
               if path.endswith("." + attention) and f".{layer}." in path.replace(".layer.0", "", 1 if attention == "SelfAttention" else 0)]
    path, module = modules[0]
    module.register_forward_pre_hook(before, with_kwargs=True)
    module.register_forward_hook(after, with_kwargs=True)
    with torch.no_grad():
        result = model(inputs_embeds=torch.randn(1, TOKENS, width).double(), output_attentions=True, return_dict=True)
    tensors = {key: stored(value.to(dtype)) for key, value in model.state_dict().items()
               if key.startswith(path + ".") or key.endswith("relative_attention_bias.weight")}
    saved = json.loads(config.to_json_string())
    cases.append({
        "name": name, "layer": layer, "config": {key: value for key, value in saved.items() if key not in ("id2label", "label2id")},
        "tensors": tensors, "input": pack(seen["input"][0]), "weights": pack(result.attentions[layer][0]),
        # These add what they were given, or norm it, before they return.
        **({} if isinstance(config, (hf.BertConfig, hf.BloomConfig)) else {"output": pack(seen["output"][0])}),
    })
    print(name, path, list(tensors))

out = pathlib.Path(__file__).with_name("checkpoints.generated.json")
out.write_text(json.dumps({"madeWith": {"torch": torch.__version__, "transformers": hf.__version__}, "cases": cases}) + "\n")
print(out.stat().st_size)
