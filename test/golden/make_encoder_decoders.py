"""FLOPs, caches and saved tensors of small encoder-decoders, recorded once from the real models and PyTorch's own counter.

Remake:  python3 -m venv venv && venv/bin/pip install torch transformers==5.18.0 && venv/bin/python test/golden/make_encoder_decoders.py
It rewrites encoder-decoders.generated.json beside itself. The models really run, with plain ("eager") attention. `forward` and `backward` are
what torch.utils.flop_counter counts; `encode` what it counts of the encoder alone, with the keys and values that the decoder takes of its
output; `decode` of one further token behind `tokens` - 1 others. `selfCache` and `crossCache` are bytes of the tensors in the
EncoderDecoderCache, 32-bit elements, after `tokens` tokens. `layers` are bytes that autograd saves of a decoder's layer written with plain
operations in 16-bit elements, each storage once, without parameters, the encoder's output and the two numbers a row that LayerNorm keeps; `convolutions` those of Whisper's two, with their activations.
"""

import json
import pathlib

import torch
import transformers
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

transformers.logging.set_verbosity_error()

T5 = {"d_model": 48, "d_kv": 10, "num_heads": 4, "d_ff": 56, "num_layers": 3, "num_decoder_layers": 2, "vocab_size": 101}
BART = {
    "d_model": 48, "encoder_attention_heads": 4, "decoder_attention_heads": 6, "encoder_ffn_dim": 56, "decoder_ffn_dim": 72, "encoder_layers": 3,
    "decoder_layers": 2, "vocab_size": 101, "max_position_embeddings": 64, "pad_token_id": 0, "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0,
}
WHISPER = {**BART, "num_mel_bins": 10, "max_source_positions": 13, "max_target_positions": 32}
del WHISPER["max_position_embeddings"]

SMALL = [
    ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], **T5, "feed_forward_proj": "relu"}, 2, 7, 11),
    ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], **T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, 1, 9, 9),
    ({"model_type": "t5", "architectures": ["T5Model"], **T5}, 2, 7, 11),
    ({"model_type": "mt5", "architectures": ["MT5ForConditionalGeneration"], **T5, "feed_forward_proj": "gated-gelu"}, 2, 7, 11),
    ({"model_type": "umt5", "architectures": ["UMT5ForConditionalGeneration"], **T5, "feed_forward_proj": "gated-gelu"}, 2, 7, 11),
    ({"model_type": "bart", "architectures": ["BartForConditionalGeneration"], **BART}, 2, 7, 11),
    ({"model_type": "bart", "architectures": ["BartModel"], **BART}, 2, 7, 11),
    ({"model_type": "bart", "architectures": ["BartForConditionalGeneration"], **BART, "tie_word_embeddings": False}, 2, 7, 11),
    ({"model_type": "mbart", "architectures": ["MBartForConditionalGeneration"], **BART}, 2, 7, 11),
    ({"model_type": "pegasus", "architectures": ["PegasusForConditionalGeneration"], **BART}, 2, 7, 11),
    ({"model_type": "marian", "architectures": ["MarianMTModel"], **BART}, 2, 7, 11),
    ({"model_type": "blenderbot", "architectures": ["BlenderbotForConditionalGeneration"], **BART}, 2, 7, 11),
    ({"model_type": "blenderbot-small", "architectures": ["BlenderbotSmallForConditionalGeneration"], **BART}, 2, 7, 11),
    ({"model_type": "m2m_100", "architectures": ["M2M100ForConditionalGeneration"], **BART}, 2, 7, 11),
    ({"model_type": "plbart", "architectures": ["PLBartForConditionalGeneration"], **BART}, 2, 7, 11),
    ({"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"], **WHISPER}, 2, 7, 13),
]


def counted(run):
    counter = FlopCounterMode(display=False)
    with counter:
        run()
    return counter.get_total_flops()


def bytes_of(cache):
    return sum(t.numel() * t.element_size() for layer in cache.layers for t in (layer.keys, layer.values))


def measure(config, batch, tokens, source):
    torch.manual_seed(0)
    made = transformers.AutoConfig.for_model(**config)
    made._attn_implementation = "eager"
    module = getattr(transformers, config["architectures"][0])(made).train()
    ids = torch.randint(1, config["vocab_size"], (batch, tokens))
    if config["model_type"] == "whisper":
        # The second convolution has a stride of two.
        read = {"input_features": torch.randn(batch, config["num_mel_bins"], 2 * source)}
    else:
        read = {"input_ids": torch.randint(1, config["vocab_size"], (batch, source))}
    inputs = {**read, "decoder_input_ids": ids, "use_cache": False}

    def run(backward):
        out = module(**inputs)
        out = out.logits if hasattr(out, "logits") else out.last_hidden_state
        if backward:
            out.sum().backward()

    forward = counted(lambda: run(False))
    backward = counted(lambda: run(True)) - forward
    module.eval()
    with torch.no_grad():
        encoder = module.get_encoder()
        memory = encoder(**read)
        first = module(encoder_outputs=memory, decoder_input_ids=ids[:, :-1], use_cache=True).past_key_values
        decode = counted(lambda: module(encoder_outputs=memory, decoder_input_ids=ids[:, -1:], past_key_values=first, use_cache=True))
        projections = [m for name, m in module.named_modules() if name.split(".")[-2:-1] in (["EncDecAttention"], ["encoder_attn"]) and name.split(".")[-1] in ("k", "v", "k_proj", "v_proj")]
        states = memory.last_hidden_state
        encode = counted(lambda: encoder(**read)) + counted(lambda: [m(states) for m in projections])
    return {
        "forward": forward,
        "backward": backward,
        "encode": encode,
        "decode": decode,
        "selfCache": bytes_of(first.self_attention_cache),
        "crossCache": bytes_of(first.cross_attention_cache),
    }


class Layer(nn.Module):
    """A decoder's layer of the Transformer (Vaswani et al. 2017, section 3.1), its norms before the sublayers."""

    def __init__(self, d, h, f, p):
        super().__init__()
        self.h, self.e, self.p = h, d // h, p
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(3))
        self.attention = nn.ModuleList(nn.ModuleList(nn.Linear(d, d, bias=False) for _ in range(4)) for _ in range(2))
        self.up, self.down = nn.Linear(d, f, bias=False), nn.Linear(f, d, bias=False)

    def dropout(self, x):
        return torch.native_dropout(x, self.p, True)[0] if self.p else x

    def heads(self, x):
        b, s, _ = x.shape
        return x.view(b, s, self.h, self.e).transpose(1, 2).reshape(b * self.h, s, self.e)

    def attend(self, projections, x, memory):
        b, t, d = x.shape
        q, k, v, o = projections
        weights = torch.softmax(torch.bmm(self.heads(q(x) * self.e**-0.5), self.heads(k(memory)).transpose(1, 2)), -1)
        out = torch.bmm(self.dropout(weights), self.heads(v(memory)))
        return self.dropout(o(out.view(b, self.h, t, self.e).transpose(1, 2).reshape(b, t, d)))

    def forward(self, x, memory):
        y = self.norms[0](x)
        x = x + self.attend(self.attention[0], y, y)
        x = x + self.attend(self.attention[1], self.norms[1](x), memory)
        return x + self.dropout(self.down(nn.functional.gelu(self.up(self.norms[2](x)))))


def saved(b, t, s, d, h, f, p):
    torch.manual_seed(0)
    layer = Layer(d, h, f, p).to(torch.bfloat16).train()
    memory = torch.randn(b, s, d, dtype=torch.bfloat16, requires_grad=True)
    own = {p.untyped_storage().data_ptr() for p in layer.parameters()} | {memory.untyped_storage().data_ptr()}
    kept = {}

    def pack(tensor):
        pointer = tensor.untyped_storage().data_ptr()
        if pointer not in own and tensor.numel() != b * t:
            kept[pointer] = (tensor.untyped_storage().nbytes(), tensor)
        return tensor

    x = torch.randn(b, t, d, dtype=torch.bfloat16, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        layer(x, memory)
    return sum(size for size, _ in kept.values())


def saved_by_convolutions(config, batch):
    torch.manual_seed(0)
    made = transformers.AutoConfig.for_model(**config)
    encoder = transformers.WhisperModel(made).encoder.to(torch.bfloat16).train()
    own = {p.untyped_storage().data_ptr() for p in encoder.parameters()}
    kept = {}

    def pack(tensor):
        pointer = tensor.untyped_storage().data_ptr()
        if pointer not in own:
            kept[pointer] = (tensor.untyped_storage().nbytes(), tensor)
        return tensor

    x = torch.randn(batch, made.num_mel_bins, 2 * made.max_source_positions, dtype=torch.bfloat16)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        nn.functional.gelu(encoder.conv2(nn.functional.gelu(encoder.conv1(x))))
    return sum(size for size, _ in kept.values())


LAYERS = [
    dict(b=2, t=16, s=24, d=32, h=4, f=128, p=0.1),
    dict(b=1, t=24, s=10, d=48, h=6, f=100, p=0),
    dict(b=3, t=8, s=8, d=32, h=2, f=96, p=0.2),
]

models = [json.dumps({"config": config, "batch": b, "tokens": t, "source": s, **measure(config, b, t, s)}) for config, b, t, s in SMALL]
whisper, batch = SMALL[-1][:2]
layers = [json.dumps({**case, "saved": saved(**case)}) for case in LAYERS]
text = '{\n"models": [\n' + ",\n".join(models) + '\n],\n"layers": [\n' + ",\n".join(layers) + f'\n],\n"convolutions": {saved_by_convolutions(whisper, batch)}\n}}\n'
pathlib.Path(__file__).with_name("encoder-decoders.generated.json").write_text(text)
