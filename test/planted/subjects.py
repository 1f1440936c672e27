"""How each model file is built at tiny sizes and run: name of the file -> name of the run -> how."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch


@dataclass(frozen=True)
class Run:
    build: Callable[[ModuleType], torch.nn.Module]
    call: Callable[[Any], Any]


def ids(batch: int, length: int, vocabulary: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(batch * 100 + length)
    return torch.randint(1, vocabulary, (batch, length), generator=generator)


def noise(model: torch.nn.Module, *shape: int) -> torch.Tensor:
    """Of the model's dtype, so that a model in half precision gets half precision."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator).to(next(model.parameters()).dtype)


def gpt(m: ModuleType) -> torch.nn.Module:
    return m.GPT(m.GPTConfig(block_size=11, vocab_size=37, n_layer=2, n_head=3, n_embd=24, dropout=0.2))


def padding(batch: int, length: int) -> torch.Tensor:
    """True where a token is padding: the last one of the last row."""
    mask = torch.zeros(batch, length, dtype=torch.bool)
    mask[-1, -1] = True
    return mask


def seq2seq(m: ModuleType) -> torch.nn.Module:
    model = m.make_model(37, 41, N=2, d_model=24, d_ff=52, h=3, dropout=0.2, max_len=23)
    model.subsequent_mask = m.subsequent_mask
    return model


def translate(model: Any) -> Any:
    source_mask = ~padding(2, 7)[:, None, :]
    return model(ids(2, 7, 37), ids(2, 5, 41), source_mask, model.subsequent_mask(5))


def classifier(m: ModuleType) -> torch.nn.Module:
    return m.TextClassifier(37, 13, max_len=11, d_model=24, num_heads=3, d_hidden=52, num_layers=2, dropout=0.2)


def captioner(m: ModuleType) -> torch.nn.Module:
    sizes = {"dim": 24, "patch_dim": 20, "depth": 2, "heads": 3, "dim_head": 14}
    return m.Captioner(image_size=6, patch_size=2, channels=2, num_tokens=37, max_seq_len=11, **sizes)


def acorn(m: ModuleType) -> torch.nn.Module:
    sizes = {"hidden_size": 26, "intermediate_size": 44, "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 3}
    return m.AcornForCausalLM(m.AcornConfig(vocab_size=37, head_dim=8, attention_dropout=0.2, **sizes))


class Cache:
    """Keys and values of each layer, grown along the length."""

    def __init__(self) -> None:
        self.layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def get_seq_length(self) -> int:
        return self.layers[0][0].shape[2] if self.layers else 0

    def update(self, keys: torch.Tensor, values: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        if layer in self.layers:
            keys = torch.cat((self.layers[layer][0], keys), dim=2)
            values = torch.cat((self.layers[layer][1], values), dim=2)
        self.layers[layer] = keys, values
        return keys, values


def cached_twice(model: Any) -> Any:
    cache, tokens = Cache(), ids(2, 9, 37)
    return [model(tokens[:, :5], cache), model(tokens[:, 5:], cache)]


def sdpa_decoder(m: ModuleType) -> torch.nn.Module:
    return m.Decoder(m.ModelArgs(dim=48, n_layers=2, n_heads=6, n_kv_heads=3, vocab_size=37, hidden_dim=44, max_seq_len=11))


def mha_captioner(m: ModuleType) -> torch.nn.Module:
    return m.Captioner(37, embed_dim=24, num_heads=3, ff_dim=52, memory_dim=18, num_layers=2, max_len=23, dropout=0.2)


def start_pos(m: ModuleType) -> torch.nn.Module:
    sizes = {"dim": 48, "n_layers": 2, "n_heads": 6, "n_kv_heads": 3, "vocab_size": 37, "multiple_of": 10}
    return m.Transformer(m.ModelArgs(max_batch_size=4, max_seq_len=13, **sizes))


def decode_start_pos(model: Any) -> Any:
    tokens = ids(2, 9, 37)
    return [model(tokens[:, :5], 0), model(tokens[:, 5:8], 5), model(tokens[:, 8:], 8)]


def brambl(m: ModuleType) -> torch.nn.Module:
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 52}
    return m.BramblModel(m.BramblConfig(vocab_size=37, max_position_embeddings=11, **sizes))


def vit(m: ModuleType) -> torch.nn.Module:
    sizes = {"img_size": 6, "patch_size": 2, "in_chans": 2, "num_classes": 13, "embed_dim": 24, "depth": 2, "num_heads": 4}
    return m.VisionTransformer(**sizes, drop_rate=0.1, attn_drop_rate=0.2)


def speech(m: ModuleType) -> torch.nn.Module:
    return m.SpeechModel(10, 7, 18, 3, 37, 11, 24, 4, 2)


def relative(m: ModuleType) -> torch.nn.Module:
    return m.RelEncoder(m.RelConfig(vocab_size=37, d_model=26, d_kv=8, d_ff=44, num_layers=2, num_heads=3))


def detector(m: ModuleType, pre_norm: bool) -> torch.nn.Module:
    sizes = {"d_model": 24, "nhead": 4, "num_layers": 2, "num_queries": 7, "num_classes": 13, "dim_feedforward": 52}
    return m.Detector(**sizes, pre_norm=pre_norm)


def detect(model: Any) -> Any:
    mask = torch.zeros(2, 3, 5, dtype=torch.bool)
    mask[1, 2, 3:] = True
    return model(noise(model, 2, 24, 3, 5), noise(model, 2, 24, 5, 3).transpose(2, 3), mask)


def series(m: ModuleType) -> torch.nn.Module:
    return m.SeriesEncoder(5, d_model=24, nhead=4, num_layers=2, dim_feedforward=52, n_classes=13, window=11)


def forecaster(m: ModuleType) -> torch.nn.Module:
    return m.Forecaster(5, d_model=24, nhead=4, layers=2, dim_feedforward=52, window=11)


def einsums(m: ModuleType) -> torch.nn.Module:
    return m.Transformer(2, 37, embed_dim=26, hidden_dim=44, num_heads=6, num_kv_heads=3, head_dim=8)


def typed(m: ModuleType) -> torch.nn.Module:
    return m.Encoder(37, 11, width=26, heads=3, head_dim=10, hidden=44, layers=2)


def latent(m: ModuleType) -> torch.nn.Module:
    ranks = {"q_lora_rank": 18, "kv_lora_rank": 14, "qk_nope_head_dim": 10, "qk_rope_head_dim": 6, "v_head_dim": 12}
    return m.LatentTransformer(m.LatentArgs(37, 32, 52, 2, 4, **ranks, max_batch_size=3, max_seq_len=13))


def moe(m: ModuleType) -> torch.nn.Module:
    return m.MoeModel(37, 48, 44, 2, num_heads=6, num_kv_heads=3, num_experts=7)


def biased(m: ModuleType) -> torch.nn.Module:
    return m.BiasedModel(37, 30, 6, 2, dropout=0.2)


def decode_presents(model: Any) -> Any:
    tokens = ids(4, 9, 37)
    first, presents = model(tokens[:, :5])
    return [first, model(tokens[:, 5:], presents)[0]]


def neo(m: ModuleType, parallel: bool) -> torch.nn.Module:
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 52, "max_position_embeddings": 11}
    return m.NeoModel(m.NeoConfig(37, **sizes, rotary_pct=0.5, use_parallel_residual=parallel, attention_dropout=0.2))


def sandwich(m: ModuleType) -> torch.nn.Module:
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 3, "hidden_size": 26, "intermediate_size": 44}
    return m.SandwichModel(m.SandwichConfig(37, **sizes, head_dim=8, query_pre_attn_scalar=9, sliding_window=3))


def cached_decoder(m: ModuleType) -> torch.nn.Module:
    return m.CachedDecoder(37, 26, 2, num_heads=6, num_kv_heads=3, head_dim=8, hidden_dim=44, batch_size=4, max_length=13)


def decode_positions(model: Any) -> Any:
    tokens = ids(4, 8, 37)
    first = model(tokens[:, :5], torch.arange(5))
    return [first, *(model(tokens[:, at : at + 1], torch.arange(at, at + 1)) for at in range(5, 8))]


def owl(m: ModuleType, before: bool) -> torch.nn.Module:
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "ffn_dim": 52, "max_position_embeddings": 11, "num_attention_heads": 3}
    return m.OwlDecoder(m.OwlConfig(37, **sizes, do_layer_norm_before=before))


def padded_ids(batch: int, length: int, vocabulary: int) -> torch.Tensor:
    """The last token of the last row is 0, which is padding."""
    return ids(batch, length, vocabulary).masked_fill(padding(batch, length), 0)


def optional_norm(m: ModuleType, before: bool) -> torch.nn.Module:
    parser = argparse.ArgumentParser()
    m.add_args(parser)
    sizes = "--encoder-embed-dim 24 --encoder-ffn-embed-dim 52 --encoder-attention-heads 3 --encoder-layers 2".split()
    return m.TransformerEncoder(parser.parse_args([*sizes, "--encoder-normalize-before"] if before else sizes), 37)


def layer(name: str, *sizes: int) -> Run:
    """A class of the file on input of five tokens, as wide as its first argument that can be a width."""
    width = next(size for size in sizes if size in (24, 26))
    return Run(lambda m: getattr(m, name)(*sizes), lambda model: model(noise(model, 2, 5, width)))


def clear_after(model: Any) -> Any:
    memory = noise(model, 2, 7, 24)
    return model(noise(model, 2, 5, 24), memory, memory, (~padding(2, 7)).long()[:, None, :])


def prompt_and_step(model: Any) -> Any:
    x = noise(model, 2, 6, 24)
    first, past = model(x[:, :5])
    return [first, model(x[:, 5:], past)[0]]


def cross_padding(m: ModuleType) -> torch.nn.Module:
    return m.CrossPadding(24, 3, 52, 2)


def query_residual(model: Any) -> Any:
    return model(noise(model, 2, 5, 24), noise(model, 2, 7, 24), noise(model, 1, 5, 24), noise(model, 1, 7, 24))


def interleaved(model: Any) -> Any:
    return model(noise(model, 2, 5, 30), torch.arange(5).expand(2, -1))


SUBJECTS: dict[str, dict[str, Run]] = {
    "fused_gpt": {
        "forward": Run(gpt, lambda model: model(ids(2, 5, 37))),
        "context": Run(gpt, lambda model: model(ids(2, 11, 37))),
    },
    "annotated": {"forward": Run(seq2seq, lambda model: translate(model))},
    "split_heads": {
        "padded": Run(classifier, lambda model: model(ids(2, 5, 37), padding(2, 5))),
        "whole": Run(classifier, lambda model: model(ids(2, 11, 37))),
    },
    "einops_style": {"forward": Run(captioner, lambda model: model(ids(2, 5, 37), noise(model, 2, 2, 6, 6), ~padding(2, 10)))},
    "hf_decoder": {
        "forward": Run(acorn, lambda model: model(ids(2, 5, 37))),
        "cached": Run(acorn, cached_twice),
    },
    "sdpa_decoder": {
        "forward": Run(sdpa_decoder, lambda model: model(ids(2, 5, 37))),
        "padded": Run(sdpa_decoder, lambda model: model(ids(2, 7, 37), ~padding(2, 7))),
        "context": Run(sdpa_decoder, lambda model: model(ids(2, 11, 37))),
    },
    "torch_mha": {"forward": Run(mha_captioner, lambda model: model(noise(model, 2, 7, 18), ids(2, 5, 37), padding(2, 7)))},
    "start_pos": {"prompt": Run(start_pos, lambda model: model(ids(2, 5, 37), 0)), "decode": Run(start_pos, decode_start_pos)},
    "post_norm": {
        "forward": Run(brambl, lambda model: model(ids(3, 5, 37), ids(3, 5, 2), (~padding(3, 5)).long())),
        "context": Run(brambl, lambda model: model(ids(3, 11, 37), ids(3, 11, 2), (~padding(3, 11)).long())),
    },
    "vit": {"forward": Run(vit, lambda model: model(noise(model, 2, 2, 6, 6)))},
    "cross_kv": {
        "forward": Run(speech, lambda model: model(noise(model, 2, 10, 14), ids(2, 5, 37))),
        "context": Run(speech, lambda model: model(noise(model, 2, 10, 14), ids(2, 11, 37))),
    },
    "relative_bias": {"forward": Run(relative, lambda model: model(ids(2, 5, 37), (~padding(2, 5)).long()))},
    "norm_flag": {
        "pre": Run(lambda m: detector(m, True), detect),
        "post": Run(lambda m: detector(m, False), detect),
    },
    "torch_encoder": {
        "encode": Run(series, lambda model: model(noise(model, 2, 7, 5))),
        "forecast": Run(forecaster, lambda model: model(noise(model, 2, 7, 5), noise(model, 2, 6, 5))),
    },
    "einsum_style": {"forward": Run(einsums, lambda model: model(ids(4, 5, 37), ~padding(4, 5)))},
    "typed_attention": {"forward": Run(typed, lambda model: model(ids(2, 5, 37), ~padding(2, 5)))},
    "latent_kv": {"prompt": Run(latent, lambda model: model(ids(2, 5, 37))), "decode": Run(latent, decode_start_pos)},
    "routed_experts": {"forward": Run(moe, lambda model: model(ids(4, 5, 37)))},
    "linear_bias": {"forward": Run(biased, lambda model: model(ids(4, 5, 37))), "decode": Run(biased, decode_presents)},
    "parallel_residual": {
        "parallel": Run(lambda m: neo(m, True), lambda model: model(ids(4, 5, 37))),
        "sequential": Run(lambda m: neo(m, False), lambda model: model(ids(4, 11, 37))),
    },
    "sandwich_norm": {"forward": Run(sandwich, lambda model: model(ids(4, 7, 37)))},
    "cached_decoder": {"decode": Run(cached_decoder, decode_positions)},
    "before_or_after": {
        "before": Run(lambda m: owl(m, True), lambda model: model(ids(4, 5, 37), (~padding(4, 5)).long())),
        "after": Run(lambda m: owl(m, False), lambda model: model(ids(4, 5, 37), (~padding(4, 5)).long())),
        "whole": Run(lambda m: owl(m, True), lambda model: model(ids(4, 11, 37))),
    },
    "optional_norm": {
        "before": Run(lambda m: optional_norm(m, True), lambda model: model(padded_ids(4, 5, 37))),
        "after": Run(lambda m: optional_norm(m, False), lambda model: model(padded_ids(4, 5, 37))),
    },
    "scales": {
        "mup": layer("MuPAttention", 24, 3),
        "quiet": layer("QuietAttention", 26, 3, 8),
        "cosine": layer("CosineAttention", 24, 3),
        "layer": layer("ScaledByLayer", 24, 3, 1),
        "scalar": layer("QueryPreScalar", 26, 6, 3, 8, 9),
        "normed": layer("NormedUnscaled", 24, 3),
        "roots": Run(lambda m: m.RootedTwice(24, 3), lambda model: model(noise(model, 2, 24, 5))),
        "long": layer("LongContext", 24, 3, 4),
        "unscaled": layer("Unscaled", 26, 8, 3),
    },
    "residuals": {
        "deepnorm": layer("DeepNormBlock", 24, 3, 52, 2),
        "normformer": layer("NormFormerBlock", 24, 3, 52),
        "parallel": layer("OneNormParallel", 24, 3, 52),
        "rezero": layer("ReZeroBlock", 24, 3, 52),
        "macaron": layer("MacaronBlock", 24, 3, 52),
        "conditioned": Run(lambda m: m.ConditionedBlock(24, 3, 52), lambda model: model(noise(model, 2, 5, 24), noise(model, 2, 24))),
        "fused": layer("FusedStack", 24, 3, 52, 2),
        "shared": layer("SharedLayerStack", 24, 3, 52, 2),
        "widening": layer("WideningBlock", 24, 30, 3, 52),
        "head": layer("StackWithHead", 24, 3, 52, 2, 13),
        "post": layer("PostNormStack", 24, 3, 52, 2, 13),
        "embedding": Run(lambda m: m.EmbeddingNormStack(37, 24, 3, 52, 2), lambda model: model(ids(2, 5, 37))),
        "skips": layer("LearnedSkips", 24, 3, 52, 2),
    },
    "shapes": {
        "free": layer("FreeHeadWidth", 26, 3, 8),
        "wide": layer("WideValues", 26, 3, 6, 10),
        "one": layer("MultiQuery", 24, 3),
        "folded": layer("MultiQueryFolded", 24, 3),
        "linear": layer("LinearAttention", 24),
        "channels": layer("ChannelAttention", 24, 3),
        "slots": layer("SlotAttention", 7, 24),
        "talking": layer("TalkingHeads", 24, 3),
        "latents": Run(lambda m: m.LatentReader(7, 26, 18, 3, 8), lambda model: model(noise(model, 2, 5, 18))),
        "windows": Run(lambda m: m.WindowAttention(24, 2, 3), lambda model: model(noise(model, 2, 4, 6, 24))),
        "mixer": layer("TokenMixer", 5, 24, 11, 52),
        "shared": layer("KeysAsValues", 24, 3),
        "axial": Run(lambda m: m.AxialAttention(24, 3), lambda model: model(noise(model, 2, 5, 7, 24))),
        "matching": Run(lambda m: m.Matching(24), lambda model: model(noise(model, 2, 5, 24), noise(model, 2, 7, 24))),
        "pooled": Run(lambda m: m.PooledWeights(24), lambda model: model(noise(model, 2, 5, 24), ~padding(2, 5))),
    },
    "masks": {
        "keep": Run(lambda m: m.KeepForSdpa(24, 3), lambda model: model(noise(model, 2, 5, 24), padding(2, 5))),
        "hide": Run(lambda m: m.HideForMultihead(24, 3), lambda model: model(noise(model, 2, 5, 24), (~padding(2, 5)).long())),
        "additive": Run(lambda m: m.AdditiveForSdpa(24, 3), lambda model: model(noise(model, 2, 5, 24), torch.tensor([5, 4]))),
        "prefix": Run(lambda m: m.PrefixMask(24, 3, 2), lambda model: model(noise(model, 2, 7, 24), 3)),
        "cleared": Run(lambda m: m.ClearedAfter(3, 24), clear_after),
        "renormalised": Run(lambda m: m.Renormalised(24), lambda model: model(noise(model, 2, 5, 24), ~padding(2, 5))),
        "steps": Run(lambda m: m.PromptOrStep(24, 3), prompt_and_step),
        "without": Run(lambda m: m.WithoutSelf(24, 3), lambda model: model(noise(model, 2, 5, 24), noise(model, 2, 5, 24))),
        "cross": Run(cross_padding, lambda model: model(noise(model, 2, 5, 24), noise(model, 2, 7, 24), padding(2, 7))),
        "reversed": layer("Reversed", 24, 3),
    },
    "norms": {
        "pre": layer("Block", 24, 3, 52),
        "post": layer("PostBlock", 24, 3, 52),
        "things": layer("ParallelThings", 24, 3, 52),
        "pooled": layer("Backbone", 24, 3, 52, 2, 13),
        "pyramid": Run(lambda m: m.Pyramid((24, 30), 3, 52), lambda model: model(noise(model, 2, 6, 24))),
        "probe": layer("Probe", 24, 3, 52, 2, 37),
        "functional": Run(lambda m: m.FunctionalNorms(37, 24, 3, 52, 2), lambda model: model(ids(2, 5, 37))),
        "image": Run(lambda m: m.ChannelsFirst(24, 3), lambda model: model(noise(model, 2, 24, 5, 7))),
        "queries": Run(lambda m: m.QueryResidual(24, 3, 52), query_residual),
        "pooler": layer("PoolerHead", 24, 3, 52),
    },
    "positions": {
        "interleaved": Run(lambda m: m.PartialInterleavedRope(30, 3, 6, 11), interleaved),
        "axes": Run(lambda m: m.TwoAxisRope(24, 3, 3), lambda model: model(noise(model, 2, 9, 24))),
        "disentangled": layer("DisentangledBias", 24, 3, 4),
        "shifted": Run(lambda m: m.ShiftedRelative(24, 3), lambda model: model(noise(model, 2, 5, 24), noise(model, 1, 9, 24))),
        "offset": Run(lambda m: m.OffsetPositions(11, 24, 37), lambda model: model(padded_ids(2, 5, 37))),
        "grown": Run(lambda m: m.GrownCache(24, 3, 6), prompt_and_step),
        "cross": Run(lambda m: m.CrossCache(24, 18, 3), lambda model: model(noise(model, 2, 5, 24), noise(model, 2, 7, 18))),
        "factorised": Run(lambda m: m.FactorisedEmbedding(37, 14, 24), lambda model: model(ids(2, 5, 37))),
    },
}
