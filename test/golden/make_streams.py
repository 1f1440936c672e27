"""The residual stream of whole small models with random weights up to their last layer, made once with Hugging Face Transformers.

Remake:  python3 -m venv venv && venv/bin/pip install torch transformers && venv/bin/python test/golden/make_streams.py
It rewrites streams.generated.json beside itself: per model the config as it is saved, the state_dict as a checkpoint holds it (base64 of
little-endian f32), the embeddings that it was given, every layer's weights of attention, the hidden states before each layer, and of a run over
tokens of its vocabulary the last layer's weights. Models run in double precision over weights rounded to f32.
"""

import base64
import json
import pathlib

import torch
import transformers as hf

torch.manual_seed(20261122)
torch.set_num_threads(1)
TOKENS = 7


def pack(tensor):
    array = tensor.detach().to(torch.float32).contiguous().numpy().astype("<f4")
    return {"shape": list(array.shape), "f32": base64.b64encode(array.tobytes()).decode()}


def stored(tensor):
    return {"dtype": "F32", "shape": list(tensor.shape), "bytes": pack(tensor)["f32"]}


small = dict(vocab_size=8, max_position_embeddings=32)
llama = dict(**small, hidden_size=12, intermediate_size=20, num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=3)
rope = {"rope_type": "default", "rope_theta": 10000.0}
models = [
    ("Llama with biases", hf.LlamaConfig(**llama, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-2, rope_parameters=rope), hf.LlamaForCausalLM),
    ("Mistral with a sliding window", hf.MistralConfig(**llama, sliding_window=3, rope_parameters=rope), hf.MistralForCausalLM),
    ("Qwen 2", hf.Qwen2Config(**llama, hidden_act="gelu", rope_parameters=rope), hf.Qwen2ForCausalLM),
    ("Qwen 3", hf.Qwen3Config(**llama, head_dim=8, hidden_act="relu", rope_parameters=rope), hf.Qwen3ForCausalLM),
    ("Phi 3", hf.Phi3Config(**llama, pad_token_id=0, hidden_act="gelu_pytorch_tanh", rope_parameters=rope), hf.Phi3ForCausalLM),
    ("Phi 3 with LongRoPE", hf.Phi3Config(**{**llama, "num_key_value_heads": 2}, pad_token_id=0, original_max_position_embeddings=5, rope_parameters={
        "rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0, 1.1, 1.3], "long_factor": [1.0, 2.5, 7.0]}), hf.Phi3ForCausalLM),
    ("Granite", hf.GraniteConfig(**llama, attention_multiplier=0.3, residual_multiplier=0.4, embedding_multiplier=3.0, rope_parameters=rope),
     hf.GraniteForCausalLM),
    ("GPT-2", hf.GPT2Config(vocab_size=8, n_positions=32, n_embd=12, n_head=2, n_layer=3, n_inner=12), hf.GPT2LMHeadModel),
    ("GPT-J", hf.GPTJConfig(vocab_size=8, n_positions=32, n_embd=16, n_head=2, n_layer=3, rotary_dim=4), hf.GPTJForCausalLM),
    ("GPT-NeoX", hf.GPTNeoXConfig(**small, hidden_size=16, num_attention_heads=2, num_hidden_layers=3, intermediate_size=20,
                                  rope_parameters={**rope, "partial_rotary_factor": 0.5}), hf.GPTNeoXForCausalLM),
    ("GPT-NeoX, one after the other", hf.GPTNeoXConfig(**small, hidden_size=16, num_attention_heads=2, num_hidden_layers=3, intermediate_size=20,
                                                       use_parallel_residual=False, hidden_act="gelu_new",
                                                       rope_parameters={**rope, "partial_rotary_factor": 0.5}), hf.GPTNeoXForCausalLM),
]

cases = []
for name, config, kind in models:
    config._attn_implementation = "eager"
    model = kind(config).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            gain = parameter.dim() == 1 and not key.endswith("bias")
            parameter.copy_(torch.randn(parameter.shape) * (0.35 if parameter.dim() > 1 else 0.2) + (1 if gain else 0))
    tensors = {key: stored(value) for key, value in model.state_dict().items() if not key.startswith(("lm_head", "embed_out"))}
    model = model.double()
    x = torch.randn(TOKENS, config.hidden_size)
    with torch.no_grad():
        result = model(inputs_embeds=x[None].double(), output_attentions=True, output_hidden_states=True, return_dict=True)
        ids = torch.randint(0, 8, (1, TOKENS))
        by_ids = model(input_ids=ids, output_attentions=True, return_dict=True)
    saved = json.loads(config.to_json_string())
    cases.append({"name": name, "config": {key: value for key, value in saved.items() if key not in ("id2label", "label2id")}, "tensors": tensors,
                  "input": pack(x), "weights": [pack(each[0]) for each in result.attentions],
                  "ids": ids[0].tolist(), "idWeights": pack(by_ids.attentions[-1][0]),
                  "streams": [pack(each[0]) for each in result.hidden_states[:-1]]})
    print(name, len(tensors))

out = pathlib.Path(__file__).with_name("streams.generated.json")
out.write_text(json.dumps({"madeWith": {"torch": torch.__version__, "transformers": hf.__version__}, "cases": cases}) + "\n")
print(out.stat().st_size)
