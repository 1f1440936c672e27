"""What PyTorch really keeps while it trains: tensors saved for the backward pass of one layer, and the states of optimizers.

Remake:  python3 -m venv venv && venv/bin/pip install torch transformers==5.18.0 && venv/bin/python test/golden/make_training.py
It rewrites training.generated.json beside itself. The layer is the one of Korthikanti et al. 2022, section 4.1, in 16-bit elements, written
with plain operations; `saved` are the bytes of all tensors that autograd saves, each storage once, without parameters and without the two
numbers a row (mean and deviation) that LayerNorm keeps. `states` are the elements that an optimizer holds after a step.
"""

import json
import pathlib

import torch
import torch.nn.functional as F
import transformers
from torch import nn

transformers.logging.set_verbosity_error()


def dropout(x, p):
    """As on a GPU, where the mask is a byte an element; a CPU keeps it in the elements' own type."""
    return torch.native_dropout(x, p, True)[0]


class Layer(nn.Module):
    def __init__(self, d, h, kv, f, p, gated):
        super().__init__()
        e = d // h
        self.h, self.kv, self.e, self.p, self.gated = h, kv, e, p, gated
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.q, self.k, self.v, self.o = nn.Linear(d, d, bias=False), nn.Linear(d, kv * e, bias=False), nn.Linear(d, kv * e, bias=False), nn.Linear(d, d, bias=False)
        self.up, self.down = nn.Linear(d, f, bias=False), nn.Linear(f, d, bias=False)
        self.gate = nn.Linear(d, f, bias=False) if gated else None

    def heads(self, x, n):
        b, s, _ = x.shape
        return x.view(b, s, n, self.e).transpose(1, 2).reshape(b * n, s, self.e)

    def forward(self, x):
        b, s, d = x.shape
        y = self.ln1(x)
        q, k, v = self.heads(self.q(y) * self.e**-0.5, self.h), self.heads(self.k(y), self.kv), self.heads(self.v(y), self.kv)
        # Query heads of a group lie side by side: one product for each KV head.
        q = q.view(b * self.kv, -1, self.e)
        weights = torch.softmax(torch.bmm(q, k.transpose(1, 2)), -1)
        if self.p:
            weights = dropout(weights, self.p)
        out = torch.bmm(weights, v).view(b, self.h, s, self.e).transpose(1, 2).reshape(b, s, d)
        out = self.o(out)
        x = x + (dropout(out, self.p) if self.p else out)
        y = self.ln2(x)
        out = self.down(F.silu(self.gate(y)) * self.up(y) if self.gated else F.gelu(self.up(y)))
        return x + (dropout(out, self.p) if self.p else out)


def saved(b, s, d, h, kv, f, p, gated):
    torch.manual_seed(0)
    layer = Layer(d, h, kv, f, p, gated).to(torch.bfloat16).train()
    own = {p.untyped_storage().data_ptr() for p in layer.parameters()}
    kept = {}

    def pack(tensor):
        pointer = tensor.untyped_storage().data_ptr()
        # Mean and deviation of LayerNorm: one number a row.
        if pointer not in own and tensor.numel() != b * s:
            kept[pointer] = (tensor.untyped_storage().nbytes(), tensor)
        return tensor

    x = torch.randn(b, s, d, dtype=torch.bfloat16, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = layer(x)
    out.sum().backward()
    return sum(size for size, _ in kept.values())


ACTIVATIONS = [
    dict(b=2, s=16, d=32, h=4, kv=4, f=128, p=0.1, gated=False),
    dict(b=1, s=24, d=48, h=6, kv=6, f=100, p=0.1, gated=False),
    dict(b=3, s=8, d=32, h=4, kv=4, f=96, p=0, gated=False),
    dict(b=2, s=16, d=64, h=8, kv=2, f=96, p=0, gated=False),
    dict(b=2, s=16, d=64, h=8, kv=1, f=96, p=0.2, gated=False),
    dict(b=2, s=16, d=64, h=8, kv=2, f=96, p=0, gated=True),
]

CONFIGS = [
    {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 48, "num_attention_heads": 6, "num_key_value_heads": 2, "num_hidden_layers": 3, "intermediate_size": 72, "vocab_size": 101, "tie_word_embeddings": False},
    {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 48, "n_head": 4, "n_layer": 3, "n_positions": 64, "vocab_size": 101},
    {"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "intermediate_size": 56, "vocab_size": 101, "num_local_experts": 5, "num_experts_per_tok": 2},
]

OPTIMIZERS = {
    "adamw": lambda p: torch.optim.AdamW(p),
    "adam": lambda p: torch.optim.Adam(p),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "adafactor": lambda p: torch.optim.Adafactor(p),
}


def states(config, make):
    config = dict(config)
    module = getattr(transformers, config["architectures"][0])(transformers.AutoConfig.for_model(**config))
    optimizer = make(module.parameters())
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return sum(t.numel() for state in optimizer.state.values() for name, t in state.items() if isinstance(t, torch.Tensor) and name != "step")


lines = [json.dumps({**case, "saved": saved(**case)}) for case in ACTIVATIONS]
others = [json.dumps({"config": config, "optimizer": name, "elements": states(config, make)}) for config in CONFIGS for name, make in OPTIMIZERS.items()]
text = '{\n"activations": [\n' + ",\n".join(lines) + '\n],\n"states": [\n' + ",\n".join(others) + "\n]\n}\n"
pathlib.Path(__file__).with_name("training.generated.json").write_text(text)
