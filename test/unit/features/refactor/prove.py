"""Shows in PyTorch that the converted models compute what they should: `python prove.py [--write]`.

For each model the weights of the pre-norm form are taken over into the converted one. Its output is compared with post-norm written out by
hand over the same submodules, and with that of the pre-norm form, from which it must differ. The results are kept in proof.generated.json.
"""

import importlib.util
import json
import sys
from pathlib import Path

import torch

FOLDER = Path(__file__).parent


def load(kind, name):
    spec = importlib.util.spec_from_file_location(f"{kind}_{name}", FOLDER / kind / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def inline_post(model, tokens):
    x = model.embed(tokens)
    for block in model.blocks:
        x = block.norm1(block.attn(x) + x)
        x = block.norm2(block.mlp(x) + x)
    return model.head(x)


def saved_post(model, tokens):
    x = model.embed(tokens)
    for layer in model.layers:
        x = layer.norm1(x + layer.attention(x))
        x = layer.norm2(x + layer.feed_forward(x))
    return model.classifier(x.mean(dim=1))


def configured_post(model, tokens):
    x = model.embedding(tokens)
    for layer in model.layers:
        x = layer.norm_1(x + layer.mixer(x))
        x = layer.norm_2(x + layer.mlp(x))
    return model.output(x)


MODELS = {
    "inline": (lambda module: module.Model(50, 32, 4, 3), inline_post),
    "saved": (lambda module: module.Classifier(50, 7), saved_post),
    "configured": (lambda module: module.Decoder(module.Args()), configured_post),
}


def prove(name):
    make, post = MODELS[name]
    torch.manual_seed(0)
    before = make(load("models", name)).eval()
    for parameter in before.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    after = make(load("converted", name)).eval()
    missing, unexpected = after.load_state_dict(before.state_dict(), strict=False)
    tokens = torch.randint(0, 50, (2, 9))
    with torch.no_grad():
        converted, by_hand, pre = after(tokens), post(before, tokens), before(tokens)
    return {
        "missing": sorted(missing),
        "dropped": sorted(unexpected),
        "equalsPostNorm": bool(torch.allclose(converted, by_hand, atol=1e-5)),
        "differsFromPreNorm": bool((converted - pre).abs().max() > 1e-2),
    }


if __name__ == "__main__":
    results = {name: prove(name) for name in MODELS}
    text = json.dumps(results, indent=2) + "\n"
    print(text, end="")
    target = FOLDER / "proof.generated.json"
    if "--write" in sys.argv:
        target.write_text(text, encoding="utf8")
    elif target.read_text(encoding="utf8") != text:
        sys.exit("proof.generated.json says otherwise")
