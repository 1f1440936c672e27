"""Trains the preview's sample model and writes media/sample-model.safetensors and docs/sample-model.md.

    python scripts/train-sample-model.py [--steps N] [--out FOLDER]

Needs PyTorch (a CPU serves: minutes); everything random follows from --seed.

The model is a two-layer attention-only transformer (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"):
token embeddings, twice `x += attention(rmsnorm(x))` with causal attention and rotary positions (half-split pairs), a last RMS norm
and an unembedding. The data are random tokens in which earlier spans come again, so that the only way to predict anything is to
find what followed the same token before: what previous-token and induction heads do together (Olsson et al. 2022).
"""
import argparse
import json
import math
import struct
import time
from pathlib import Path

import torch
import torch.nn.functional as F

WORDS = """the of and to in is it that was for on as with his they at be this from have or by one had not but what all were when we
there can an your which their said if do will each about how up out them then she many some so these would other into has more her two
like him see time could no make than first been its who now people my made over did down only way find use may water long little very
after words called just where most know get through back much go good new write our me man too any day same right look think also around
another came come work three word must because does part even place well such here take why things help put years different away again
off went old number great tell men say small every found still between name should home big give air line set own under read last never
us left end along while might next sound below saw something thought both few those always show large often together asked house world
cat dog sat mat log tree king queen red blue""".split()
LETTERS = list("abcdefghijklmnopqrstuvwxyz0123456789")
PUNCTUATION = list(".,;:?!'\"()-")


def vocabulary():
    """`<s>` starts a text, `<unk>` is any other sign; single signs spell what is no word here."""
    words = [word for word in dict.fromkeys(WORDS) if len(word) > 1]
    tokens = ["<s>", "<unk>", *LETTERS, *PUNCTUATION, *words]
    assert len(tokens) <= 256, len(tokens)
    return tokens


class Layer(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm = torch.nn.RMSNorm(width, eps=1e-6)
        self.query, self.key, self.value, self.output = (torch.nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x, cosine, sine):
        batch, length, width = x.shape
        y = self.norm(x)

        def split(t):
            return t.view(batch, length, self.heads, -1).transpose(1, 2)

        def rotate(t):
            a, b = t.chunk(2, dim=-1)
            return torch.cat([a * cosine - b * sine, b * cosine + a * sine], dim=-1)

        q, k, v = rotate(split(self.query(y))), rotate(split(self.key(y))), split(self.value(y))
        weights = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        self.weights = weights.masked_fill(future, float("-inf")).softmax(-1)
        heads = (self.weights @ v).transpose(1, 2).reshape(batch, length, width)
        return x + self.output(heads)


class Model(torch.nn.Module):
    def __init__(self, tokens, width, heads, layers, theta):
        super().__init__()
        self.embedding = torch.nn.Embedding(tokens, width)
        self.layers = torch.nn.ModuleList([Layer(width, heads) for _ in range(layers)])
        self.norm = torch.nn.RMSNorm(width, eps=1e-6)
        self.unembedding = torch.nn.Linear(width, tokens, bias=False)
        head_dim = width // heads
        self.frequencies = theta ** (-torch.arange(0, head_dim, 2) / head_dim)
        torch.nn.init.normal_(self.embedding.weight, std=1.0)

    def forward(self, ids):
        x = self.embedding(ids)
        angles = torch.outer(torch.arange(ids.shape[1]), self.frequencies)
        for layer in self.layers:
            x = layer(x, angles.cos(), angles.sin())
        return self.unembedding(self.norm(x))


def batch_of(generator, size, length, tokens):
    """Token ids [size, length], and where a token continues a copied span (and so could be predicted)."""
    ids = torch.zeros(size, length, dtype=torch.long)
    known = torch.zeros(size, length, dtype=torch.bool)

    def pick(low, high):
        return int(torch.randint(low, high, (1,), generator=generator))

    for row in range(size):
        line, copied = [0], [False]
        while len(line) < length:
            if len(line) > 8 and pick(0, 100) < 60:
                span = pick(3, 14)
                start = pick(1, max(2, len(line) - span))
                piece = line[start : start + span]
                line += piece
                copied += [False] + [True] * (len(piece) - 1)
            else:
                span = pick(2, 10)
                line += torch.randint(2, tokens, (span,), generator=generator).tolist()
                copied += [False] * span
        ids[row], known[row] = torch.tensor(line[:length]), torch.tensor(copied[:length])
    return ids, known


@torch.no_grad()
def head_scores(model, generator, tokens, period=24, rows=32):
    """Per layer and head, on a random sequence said twice: weight on the previous token, on the first, and on the token after the
    same token's first occurrence (induction)."""
    half = torch.randint(2, tokens, (rows, period), generator=generator)
    ids = torch.cat([torch.zeros(rows, 1, dtype=torch.long), half, half], dim=1)
    model(ids)
    scores = []
    for layer in model.layers:
        w = layer.weights.mean(0)
        at = torch.arange(period + 1, 2 * period + 1)
        scores.append(
            [
                {
                    "previous": w[h, torch.arange(1, ids.shape[1]), torch.arange(ids.shape[1] - 1)].mean().item(),
                    "first": w[h, :, 0].mean().item(),
                    "induction": w[h, at, at - period + 1].mean().item(),
                }
                for h in range(w.shape[0])
            ]
        )
    return scores


def named_tensors(model):
    """What is saved, by name; projections are [in, out], as the kernel takes them."""
    yield "embedding", model.embedding.weight.data
    yield "norm", model.norm.weight.data
    yield "unembedding", model.unembedding.weight.data.T
    for i, layer in enumerate(model.layers):
        yield f"layers.{i}.norm", layer.norm.weight.data
        for name in ("query", "key", "value", "output"):
            yield f"layers.{i}.{name}", getattr(layer, name).weight.data.T


def quantise(model):
    """Rounds every matrix to 8 bits and a scale for each row, in place; returns the whole numbers and scales by name."""
    kept = {}
    for name, tensor in named_tensors(model):
        if tensor.dim() == 1:
            kept[name] = tensor.clone()
            continue
        scale = tensor.abs().amax(1, keepdim=True) / 127
        whole = (tensor / scale).round()
        tensor.copy_(whole * scale)
        kept[name] = whole.to(torch.int8)
        kept[f"{name}.scale"] = scale.squeeze(1)
    return kept


def save(path, tensors, metadata):
    """safetensors by hand: u64 header length, JSON header, then the numbers, little-endian."""
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        raw = tensor.contiguous().numpy().tobytes()
        dtype = "I8" if tensor.dtype == torch.int8 else "F32"
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def chart(curve, scores):
    """The loss curve as an SVG of its own colours, readable on light and dark ground."""
    width, height, left, bottom = 640, 260, 46, 34
    steps, top = curve[-1][0], max(loss for _, loss, _ in curve)
    x = lambda step: left + (width - left - 46) * step / steps  # noqa: E731
    y = lambda share: 12 + (height - bottom - 12) * (1 - share)  # noqa: E731
    loss = " ".join(f"{x(s):.1f},{y(l / top):.1f}" for s, l, _ in curve)
    right = " ".join(f"{x(s):.1f},{y(a):.1f}" for s, _, a in curve)
    grid = "".join(
        f'<line x1="{left}" x2="{width - 46}" y1="{y(t):.1f}" y2="{y(t):.1f}" stroke="#8884"/>'
        f'<text x="{left - 6}" y="{y(t) + 4:.1f}" text-anchor="end">{t * top:.1f}</text>'
        f'<text x="{width - 40}" y="{y(t) + 4:.1f}">{t:.0%}</text>'
        for t in (0, 0.25, 0.5, 0.75, 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11" fill="#888"><title>Loss and right guesses by step</title>{grid}'
        f'<polyline points="{loss}" fill="none" stroke="#3b82c4" stroke-width="2"/>'
        f'<polyline points="{right}" fill="none" stroke="#d9772b" stroke-width="2"/>'
        f'<text x="{left + 8}" y="24" fill="#3b82c4">loss (nats a token, all tokens)</text>'
        f'<text x="{left + 8}" y="40" fill="#d9772b">right guesses where a span comes again</text>'
        f'<text x="{(left + width - 46) / 2}" y="{height - 6}" text-anchor="middle">step, 0 to {steps}</text></svg>\n'
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    tokens = vocabulary()
    sizes = {"width": 96, "heads": 6, "layers": 2, "theta": 10000.0}
    model = Model(len(tokens), **sizes)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0.02)
    warmup = 200
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1, (step + 1) / warmup) * (0.5 + 0.5 * math.cos(math.pi * min(1, step / options.steps))) + 0.01,
    )
    curve, begin = [], time.time()
    for step in range(options.steps + 1):
        ids, known = batch_of(generator, options.batch, options.length + 1, len(tokens))
        logits = model(ids[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            right = (logits.argmax(-1) == ids[:, 1:])[known[:, 1:]].float().mean().item()
            curve.append((step, loss.item(), right))
            if step % 250 == 0:
                print(f"step {step}: loss {loss.item():.3f}, right where known {right:.3f}, {time.time() - begin:.0f} s", flush=True)
    tensors = quantise(model)
    scores = head_scores(model, generator, len(tokens))
    for layer, heads in enumerate(scores):
        for head, score in enumerate(heads):
            print(layer, head, {name: round(value, 3) for name, value in score.items()})

    metadata = {
        "vocabulary": json.dumps(tokens, ensure_ascii=True),
        "heads": str(sizes["heads"]),
        "layers": str(sizes["layers"]),
        "theta": str(sizes["theta"]),
        "epsilon": "1e-6",
    }
    model_path = options.out / "media/sample-model.safetensors"
    model_path.parent.mkdir(parents=True, exist_ok=True)
    save(model_path, tensors, metadata)
    docs = options.out / "docs"
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "sample-model.svg").write_text(chart(curve, scores))
    parameters = sum(p.numel() for p in model.parameters())
    rows = "\n".join(
        f"| {layer} | {head} | {s['previous']:.2f} | {s['first']:.2f} | {s['induction']:.2f} |"
        for layer, heads in enumerate(scores)
        for head, s in enumerate(heads)
    )
    (docs / "sample-model.md").write_text(
        f"""# The preview's sample model

`media/sample-model.safetensors` is made by `python scripts/train-sample-model.py` (PyTorch {torch.__version__.split("+")[0]}, seed {options.seed}); this page too.

- **Model.** {sizes["layers"]} layers of attention alone: `x += attention(rmsnorm(x))`, {sizes["heads"]} heads of {sizes["width"] // sizes["heads"]}, width {sizes["width"]}, causal, rotary positions of base {sizes["theta"]:.0f} (half-split pairs), no biases, a last RMS norm and an unembedding. {parameters:,} parameters, kept as 8-bit numbers with a scale for each row.
- **Tokens.** {len(tokens)}: a start sign, an unknown sign, letters, digits, punctuation and common English words. A word that is not among them is spelt.
- **Data.** Sequences of {options.length} tokens: a start sign, then random tokens in which spans of 3 to 13 come again after a while (60 % of the pieces). Nothing but copying can be learned from them.
- **Training.** AdamW, learning rate 0.002 with {warmup} steps of warm-up and a cosine, weight decay 0.02, {options.steps} steps of {options.batch} sequences, gradients clipped at 1. The last loss is {curve[-1][1]:.3f} nats a token (guessing: {math.log(len(tokens) - 2):.3f}); where a span comes again {curve[-1][2]:.1%} of the guesses are right.

![Loss and right guesses by step](sample-model.svg)

What the heads do, measured by the script on random sequences said twice: mean weight on the token before, on the first token, and on the token that followed the same token's first occurrence (induction).

| Layer | Head | Previous | First | Induction |
|---|---|---|---|---|
{rows}
"""
    )


if __name__ == "__main__":
    main()
