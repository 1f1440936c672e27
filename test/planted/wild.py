"""Plants bugs by pattern in other people's models, and keeps those that PyTorch shows to crash or to change what the model computes.

    python test/planted/wild.py OUT.json [MODEL...]

Reads the installed transformers package (5.18.0 for the figures in docs/benchmarks.md); run.ts takes the result with `--wild OUT.json
FOLDER`. A pattern is tried on every line of a modeling file; sizes are tiny, and the parameters of both models agree by name.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import types
import warnings
from pathlib import Path

import torch

sys.dont_write_bytecode = True

from prove import difference, execute, first_line  # noqa: E402
from subjects import Run, ids, noise  # noqa: E402

PACKAGE = "transformers.models"
DECODER = {"hidden_size": 48, "intermediate_size": 68, "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 3, "vocab_size": 37, "head_dim": 10, "max_position_embeddings": 32, "pad_token_id": 0}
ENCODER = {"hidden_size": 24, "intermediate_size": 52, "num_hidden_layers": 2, "num_attention_heads": 3, "vocab_size": 37, "max_position_embeddings": 32, "pad_token_id": 0}
VISION = {"hidden_size": 24, "intermediate_size": 52, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 6, "patch_size": 2, "num_channels": 2}

# model type -> the class, the class of its config, its sizes, its input
MODELS: dict[str, tuple[str, str, dict, str]] = {
    "llama": ("LlamaForCausalLM", "LlamaConfig", DECODER, "ids"),
    "mistral": ("MistralForCausalLM", "MistralConfig", DECODER, "ids"),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", {**DECODER, "head_dim": 8}, "ids"),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", DECODER, "ids"),
    "gemma": ("GemmaForCausalLM", "GemmaConfig", DECODER, "ids"),
    "gemma2": ("Gemma2ForCausalLM", "Gemma2Config", DECODER, "ids"),
    "olmo2": ("Olmo2ForCausalLM", "Olmo2Config", {**DECODER, "head_dim": 8}, "ids"),
    "phi": ("PhiForCausalLM", "PhiConfig", {**DECODER, "head_dim": 8}, "ids"),
    "stablelm": ("StableLmForCausalLM", "StableLmConfig", {**DECODER, "head_dim": 8}, "ids"),
    "mixtral": ("MixtralForCausalLM", "MixtralConfig", {**DECODER, "num_local_experts": 5}, "ids"),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", {"n_embd": 24, "n_layer": 2, "n_head": 3, "vocab_size": 37, "n_positions": 32, "n_inner": 52}, "ids"),
    "gpt_neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", {**ENCODER, "rotary_pct": 0.5}, "ids"),
    "gptj": ("GPTJForCausalLM", "GPTJConfig", {"n_embd": 24, "n_layer": 2, "n_head": 3, "vocab_size": 37, "n_positions": 32, "n_inner": 52, "rotary_dim": 4}, "ids"),
    "gpt_neo": ("GPTNeoForCausalLM", "GPTNeoConfig", {"hidden_size": 24, "num_layers": 2, "num_heads": 3, "vocab_size": 37, "intermediate_size": 52, "attention_types": [[["global", "local"], 1]], "window_size": 3}, "ids"),
    "opt": ("OPTForCausalLM", "OPTConfig", {"hidden_size": 24, "ffn_dim": 52, "num_hidden_layers": 2, "num_attention_heads": 3, "vocab_size": 37, "max_position_embeddings": 32, "word_embed_proj_dim": 24}, "ids"),
    "bloom": ("BloomForCausalLM", "BloomConfig", {"hidden_size": 24, "n_layer": 2, "n_head": 3, "vocab_size": 37}, "ids"),
    "bert": ("BertForMaskedLM", "BertConfig", ENCODER, "ids"),
    "roberta": ("RobertaForMaskedLM", "RobertaConfig", ENCODER, "ids"),
    "distilbert": ("DistilBertForMaskedLM", "DistilBertConfig", {"dim": 24, "hidden_dim": 52, "n_layers": 2, "n_heads": 3, "vocab_size": 37, "max_position_embeddings": 32}, "ids"),
    "t5": ("T5EncoderModel", "T5Config", {"d_model": 26, "d_kv": 8, "d_ff": 52, "num_layers": 2, "num_heads": 3, "vocab_size": 37}, "ids"),
    "bart": ("BartModel", "BartConfig", {"d_model": 24, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 3, "decoder_attention_heads": 3, "encoder_ffn_dim": 52, "decoder_ffn_dim": 44, "vocab_size": 60, "max_position_embeddings": 32}, "pair"),
    "vit": ("ViTModel", "ViTConfig", VISION, "image"),
    "deit": ("DeiTModel", "DeiTConfig", VISION, "image"),
    "clip": ("CLIPVisionModel", "CLIPVisionConfig", VISION, "image"),
    "siglip": ("SiglipVisionModel", "SiglipVisionConfig", VISION, "image"),
    "dinov2": ("Dinov2Model", "Dinov2Config", {**VISION, "mlp_ratio": 3}, "image"),
}

INPUTS = {
    "ids": lambda model: model(input_ids=ids(4, 7, 37), use_cache=False) if "use_cache" in vars(model.config) else model(input_ids=ids(4, 7, 37)),
    "pair": lambda model: model(input_ids=ids(4, 7, 37), decoder_input_ids=ids(4, 5, 37), use_cache=False),
    "image": lambda model: model(pixel_values=noise(model, 4, 2, 6, 6)),
}

# topic, pattern of a line, what stands instead
PATTERNS: list[tuple[str, str, str]] = [
    ("linear-swapped", r"nn\.Linear\(([\w.]+), ([\w.]+)(?=[,)])", r"nn.Linear(\2, \1"),
    ("output-projection", r"nn\.Linear\((config\.num_attention_heads) \* (self\.head_dim), (config\.hidden_size)", r"nn.Linear(config.num_key_value_heads * \2, \3"),
    ("output-projection", r"((?:o_proj|out_proj|dense|c_proj|out_lin) = nn\.Linear\()([\w.]+|config\.num_attention_heads \* self\.head_dim), ([\w.]+)", r"\1self.head_dim, \3"),
    ("kv-projection", r"config\.num_key_value_heads \* self\.head_dim", "config.num_attention_heads * self.head_dim"),
    ("query-key-width", r"((?:k_proj|key|k_lin) = nn\.Linear\()([\w.]+), ([^,)]+)", r"\1\2, 2 * (\3)"),
    ("ffn-width", r"((?:down_proj|fc2|dense_4h_to_h|lin2|wo) = nn\.Linear\()([^,]+), ([^,)]+)", r"\1\3, \3"),
    ("gate-up-width", r"((?:up_proj|wi_1) = nn\.Linear\()([^,]+), ([^,)]+)", r"\1\2, \2"),
    ("norm-width", r"(Norm(?:alization)?\()(config\.hidden_size|self\.embed_dim|hidden_size|embed_dim)(?=[,)])", r"\g<1>2 * \2"),
    ("fused-split", r"3 \* (self\.embed_dim|self\.hidden_size|config\.hidden_size)", r"2 * \1"),
    ("position-table", r"(nn\.Embedding\(config\.max_position_embeddings, )config\.hidden_size", r"\1config.num_attention_heads"),
    ("position-table", r"torch\.zeros\(1, num_patches \+ 1,", "torch.zeros(1, num_patches,"),
    ("position-table", r"torch\.randn\(1, num_patches \+ ([12]), ", r"torch.randn(1, num_patches, "),
    ("impossible-matmul", r"(torch\.matmul\(.*)\.transpose\((?:2, 3|3, 2|-1, -2|-2, -1)\)", r"\1"),
    ("impossible-matmul", r"(torch\.matmul\(.*)\.transpose\((?:2, 3|3, 2|-1, -2|-2, -1)\)", r"\1.transpose(1, 2)"),
    ("kv-heads-not-repeated", r"repeat_kv\((key|value), module\.num_key_value_groups\)", r"\1"),
    ("rope-width", r"torch\.cat\(\((?:freqs, freqs)\), dim=-1\)", "freqs"),
    ("rope-width", r"torch\.cat\(\(-x2, x1\), dim=-1\)", "torch.cat((-x2, x1), dim=-2)"),
    ("rope-width", r"unsqueeze_dim=1\)", "unsqueeze_dim=2)"),
    ("rope-values", r"query_states, key_states = apply_rotary_pos_emb\(query_states, key_states,", "query_states, value_states = apply_rotary_pos_emb(query_states, value_states,"),
    ("head-axis-swap", r"hidden_shape = \(\*input_shape, -1, self\.head_dim\)", "hidden_shape = (*input_shape, self.head_dim, -1)"),
    ("split-without-transpose", r"(\w+)\.view\(hidden_shape\)\.transpose\(1, 2\)", r"\1.view(input_shape[0], -1, input_shape[1], self.head_dim)"),
    ("split-without-transpose", r"(\(hidden_states\))\.view\(hidden_shape\)\.transpose\(1, 2\)", r"\1.view(input_shape[0], -1, input_shape[1], self.head_dim)"),
    ("split-without-transpose", r"\.view\(hidden_shape\)\.transpose\(1, 2\)", ".view(hidden_shape)"),
    ("merge-without-transpose", r"attn_output = attn_output\.transpose\(1, 2\)\.contiguous\(\)", "attn_output = attn_output.contiguous()"),
    ("merge-without-transpose", r"context_layer = context_layer\.permute\(0, 2, 1, 3\)\.contiguous\(\)", "context_layer = context_layer.contiguous()"),
    ("softmax-axis", r"(softmax\([\w.()]+, dim=)-1", r"\1-2"),
    ("softmax-axis", r"(softmax\([\w.()]+, dim=)-1", r"\g<1>1"),
    ("no-scale", r"(torch\.matmul\(.*\)) \* (?:scaling|self\.scaling|self\.scale|self\.norm_factor)$", r"\1"),
    ("scale-inverted", r"(torch\.matmul\(.*\)) \* (scaling|self\.scaling|self\.scale|self\.norm_factor)$", r"\1 / \2"),
    ("scale-inverted", r"(head_dim|head_size|attention_head_size)(\s?\*\*\s?)-0\.5", r"\1\g<2>0.5"),
    ("scale-model-width", r"self\.(?:head_dim|head_size|attention_head_size)\s?\*\*\s?-0\.5", "config.hidden_size**-0.5"),
    ("scale-model-width", r"math\.sqrt\(self\.(?:head_dim|attention_head_size)\)", "math.sqrt(config.hidden_size)"),
    ("weights-times-keys", r"torch\.matmul\((attn_weights|attention_probs|weights), (value_states|value|value_layer|v)\)", r"torch.matmul(\1, KEY)"),
    ("queries-with-values", r"torch\.matmul\((query|query_states|query_layer), (key_states|key|key_layer)\.transpose", r"torch.matmul(\1, VALUE.transpose"),
    ("mask-polarity", r"attn_weights = attn_weights \+ (attention_mask|causal_mask)", r"attn_weights = attn_weights - \1"),
    ("missing-residual", r"^(\s+)hidden_states = residual \+ (.+)$", r"\1hidden_states = \2"),
    ("missing-residual", r"^(\s+)hidden_states = ([\w.]+) \+ residual$", r"\1hidden_states = \2"),
    ("missing-residual", r"self\.LayerNorm\(hidden_states \+ input_tensor\)", "self.LayerNorm(hidden_states)"),
    ("sublayers-disagree", r"self\.LayerNorm\(hidden_states \+ input_tensor\)", "self.LayerNorm(hidden_states) + input_tensor"),
    ("shared-norm", r"self\.(post_attention_layernorm|pre_feedforward_layernorm)\(", "self.input_layernorm("),
    ("shared-norm", r"self\.(ln_2|norm2|layer_norm2|layernorm_after)\(", "FIRST_NORM("),
    ("unused-norm", r"^(\s+)hidden_states = self\.(\w*(?:layernorm|layer_norm\d?|ln_1|ln_2|norm1|norm2))\(hidden_states\)$", r"\1hidden_states = hidden_states"),
    ("final-norm", r"^(\s+)hidden_states = self\.(?:norm|ln_f|final_layer_norm|final_layernorm)\(hidden_states\)$", r"\1hidden_states = hidden_states"),
    ("final-norm", r"^(\s+)(\w+) = self\.(?:layernorm|post_layernorm)\((\w+)\)$", r"\1\2 = \3"),
]

PARTNERS = {"value_states": "key_states", "value": "key", "value_layer": "key_layer", "v": "k", "key_states": "value_states", "key": "value", "key_layer": "value_layer"}
FIRST = {"ln_2": "ln_1", "norm2": "norm1", "layer_norm2": "layer_norm1", "layernorm_after": "layernorm_before"}
PER_PATTERN = 2


def edits(lines: list[str]):
    """Topic, first line (from 0), how many lines go, and what comes instead."""
    for topic, pattern, replacement in PATTERNS:
        count = 0
        for at, line in enumerate(lines):
            match = re.search(pattern, line)
            if match is None or line.lstrip().startswith("#") or count >= PER_PATTERN:
                continue
            new = line[: match.start()] + match.expand(replacement) + line[match.end() :]
            if "KEY" in replacement or "VALUE" in replacement:
                new = re.sub(r"\b(?:KEY|VALUE)\b", PARTNERS[match.group(2)], new)
            if "FIRST_NORM" in replacement:
                new = new.replace("FIRST_NORM", f"self.{FIRST[match.group(1)]}")
            if new != line:
                count += 1
                yield topic, at, 1, [new]
    count = 0
    for at in range(len(lines) - 1):
        kept = re.match(r"^\s+residual = hidden_states$", lines[at])
        normed = re.match(r"^\s+hidden_states = self\.\w*norm\w*\(hidden_states\)$", lines[at + 1])
        if kept and normed and count < PER_PATTERN:
            count += 1
            yield "residual-of-normed", at, 2, [lines[at + 1], lines[at]]
    for at in range(len(lines) - 1):
        soft = re.match(r"^(\s+)(\w+) = .*softmax\(\2\b", lines[at])
        drop = re.match(r"^(\s+)(\w+) = .*dropout\(\2\b", lines[at + 1])
        if soft and drop and soft.group(2) == drop.group(2):
            yield "dropout-before-softmax", at, 2, [lines[at + 1], lines[at]]


def load(model_type: str, text: str) -> types.ModuleType:
    name = f"{PACKAGE}.{model_type}.modeling_{model_type}_planted"
    module = types.ModuleType(name)
    module.__package__ = f"{PACKAGE}.{model_type}"
    module.__file__ = f"modeling_{model_type}.py"
    sys.modules[name] = module
    exec(compile(text, module.__file__, "exec"), module.__dict__)
    return module


def subject(model_type: str) -> Run:
    class_name, config_name, sizes, kind = MODELS[model_type]
    configuration = importlib.import_module(f"{PACKAGE}.{model_type}.configuration_{model_type}")

    def build(module: types.ModuleType) -> torch.nn.Module:
        config = getattr(configuration, config_name)(**sizes)
        config._attn_implementation = "eager"
        return getattr(module, class_name)(config)

    return Run(build, INPUTS[kind])


def outcome(expected, module: types.ModuleType, run: Run, trained) -> dict[str, str] | None:
    try:
        got, _ = execute(module, run)
    except Exception as error:  # noqa: BLE001
        return {"result": "crash", "detail": first_line(error)}
    gap = difference(expected, got)
    if gap is not None:
        return {"result": "changed", "detail": gap}
    gap = difference(trained, execute(module, run, train=True)[0])
    return None if gap is None else {"result": "train", "detail": gap}


def main(out: str, wanted: list[str]) -> None:
    warnings.simplefilter("ignore")
    models = importlib.import_module(PACKAGE)
    found = []
    for model_type in wanted or MODELS:
        path = Path(next(iter(models.__path__))) / model_type / f"modeling_{model_type}.py"
        text = path.read_text(encoding="utf8")
        lines = text.split("\n")
        run = subject(model_type)
        try:
            base = load(model_type, text)
            expected, _ = execute(base, run)
            trained, _ = execute(base, run, train=True)
        except Exception as error:  # noqa: BLE001
            print(f"{model_type}: does not run: {first_line(error)}")
            continue
        seen = set()
        kept = 0
        for topic, at, gone, new in edits(lines):
            key = (at, gone, tuple(new))
            if key in seen:
                continue
            seen.add(key)
            try:
                module = load(model_type, "\n".join([*lines[:at], *new, *lines[at + gone :]]))
            except Exception:  # noqa: BLE001: the pattern does not fit here
                continue
            result = outcome(expected, module, run, trained)
            # A name that does not exist is no bug that a person would plant.
            if result is not None and not result["detail"].startswith(("AttributeError", "NameError", "KeyError")):
                kept += 1
                found.append({"file": f"models/{model_type}/modeling_{model_type}.py", "topic": topic, "line": at, "gone": gone, "new": new, **result})
        print(f"{model_type}: {kept} of {len(seen)} change something", flush=True)
    Path(out).write_text("[\n" + ",\n".join(json.dumps(one) for one in found) + "\n]\n", encoding="utf8")
    print(f"{len(found)} planted")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
