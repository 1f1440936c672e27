"""Writes test/golden/sample-model.generated.json: what PyTorch computes with media/sample-model.safetensors for one sentence.

    python test/golden/make_sample_model.py

Needs torch and safetensors. Weights are rounded to seven digits.
"""
import json
import math
from pathlib import Path

import torch
from safetensors import safe_open

root = Path(__file__).resolve().parent.parent.parent
with safe_open(root / "media/sample-model.safetensors", "pt") as file:
    metadata = file.metadata()
    tensors = {name: file.get_tensor(name).double() for name in file.keys()}
    # Matrices are whole numbers with a scale for each row.
    model = {
        name: tensor * tensors[f"{name}.scale"][:, None] if f"{name}.scale" in tensors else tensor
        for name, tensor in tensors.items()
        if not name.endswith(".scale")
    }
vocabulary = json.loads(metadata["vocabulary"])
heads, layers, theta, epsilon = int(metadata["heads"]), int(metadata["layers"]), float(metadata["theta"]), float(metadata["epsilon"])

text = "the cat sat under that tree and the cat"
tokens = ["<s>", *(part for word in text.split() for part in ([word] if word in vocabulary else word))]
ids = torch.tensor([vocabulary.index(token) for token in tokens])
x = model["embedding"][ids]
length, width = x.shape
head_dim = width // heads


def norm(t, gain):
    return torch.nn.functional.rms_norm(t, (width,), gain, epsilon)


def split(t):
    return t.view(length, heads, head_dim).transpose(0, 1)


frequencies = theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
angles = torch.outer(torch.arange(length, dtype=torch.float64), frequencies)


def rotate(t):
    a, b = t.chunk(2, dim=-1)
    return torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], dim=-1)


weights = []
for layer in range(layers):
    y = norm(x, model[f"layers.{layer}.norm"])
    q, k, v = (split(y @ model[f"layers.{layer}.{name}"]) for name in ("query", "key", "value"))
    scores = rotate(q) @ rotate(k).transpose(-1, -2) / math.sqrt(head_dim)
    w = scores.masked_fill(torch.ones(length, length, dtype=torch.bool).triu(1), float("-inf")).softmax(-1)
    weights.append(w)
    x = x + (w @ v).transpose(0, 1).reshape(length, width) @ model[f"layers.{layer}.output"]
probabilities = (norm(x, model["norm"]) @ model["unembedding"]).softmax(-1)
best = probabilities.argmax(-1)
(Path(__file__).parent / "sample-model.generated.json").write_text(
    json.dumps(
        {
            "text": text,
            "tokens": tokens,
            "weights": [round(value, 7) for value in torch.stack(weights).flatten().tolist()],
            "predictions": [[vocabulary[i], round(probabilities[t, i].item(), 5)] for t, i in enumerate(best.tolist())],
        },
        separators=(",", ":"),
    )
    + "\n"
)
print(tokens, [vocabulary[i] for i in best.tolist()])
