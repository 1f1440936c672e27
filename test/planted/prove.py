"""Shows in PyTorch that every planted bug crashes or changes what its model computes, and that the models themselves run.

    python test/planted/prove.py [--write] [MODEL...]

Needs torch, einops and jaxtyping; runs on the CPU at tiny sizes that are all distinct, so that no two axes agree by chance. Both models
get the same parameters, by name. `--write` keeps the results in proof.generated.json: for each bug what happened, in which run, and the
first line of the exception or the largest difference. What makes no difference in evaluation is tried in training (dropout), in half
precision, and by the gradients (a parameter that gets none any more).
"""

from __future__ import annotations

import json
import sys
import types
import warnings
import zlib

import torch

sys.dont_write_bytecode = True

from plant import FOLDER, Mutation, plant, read_mutations  # noqa: E402
from subjects import SUBJECTS, Run  # noqa: E402

TOLERANCE = 1e-4


def load(name: str, text: str) -> types.ModuleType:
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, f"{name}.py", "exec"), module.__dict__)
    return module


def fill(model: torch.nn.Module) -> None:
    """Parameters that depend on their names and shapes alone. Norms' weights differ too, so that no two norms are alike."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            generator = torch.Generator().manual_seed(zlib.crc32(f"{name} {tuple(parameter.shape)}".encode()))
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() < 2:
                parameter.copy_(1 + 0.3 * noise if name.endswith(("weight", "scale", "gamma")) else 0.3 * noise)
            else:
                parameter.copy_(noise * 1.5 / parameter.shape[-1] ** 0.5)


def tensors(value) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [one for item in value.values() for one in tensors(item)]
    if isinstance(value, (tuple, list)):
        return [one for item in value for one in tensors(item)]
    return []


def execute(module: types.ModuleType, run: Run, *, train=False, half=False) -> tuple[list[torch.Tensor], torch.nn.Module]:
    torch.manual_seed(0)
    model = run.build(module)
    fill(model)
    model.train(train)
    if half:
        model.half()
    torch.manual_seed(1)
    return tensors(run.call(model)), model


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:200]


def difference(left: list[torch.Tensor], right: list[torch.Tensor]) -> str | None:
    if [tuple(one.shape) for one in left] != [tuple(one.shape) for one in right]:
        return f"shapes {[list(one.shape) for one in left]} became {[list(one.shape) for one in right]}"
    largest = 0.0
    for one, other in zip(left, right):
        one, other = one.detach().double(), other.detach().double()
        if not torch.equal(one.isfinite(), other.isfinite()):
            return "not finite"
        gap = (one - other).abs()
        largest = max(largest, gap[gap.isfinite()].max().item() if gap.isfinite().any() else 0.0)
    return f"{largest:.3g}" if largest > TOLERANCE else None


def without_gradient(module: types.ModuleType, run: Run) -> set[str]:
    outputs, model = execute(module, run)
    total = sum((one.double() ** 2).sum() for one in outputs if one.requires_grad)
    if isinstance(total, torch.Tensor):
        total.backward()
    return {name for name, parameter in model.named_parameters() if parameter.grad is None}


class Base:
    """The model as it stands; what it gives is computed once."""

    def __init__(self, module: types.ModuleType, runs: dict[str, Run]) -> None:
        self.module = module
        self.runs = runs
        self.known: dict[tuple[str, str], list[torch.Tensor] | None] = {}

    def outputs(self, run: str, how: str = "") -> list[torch.Tensor] | None:
        """None where it does not run: in half precision on this machine."""
        if (run, how) not in self.known:
            try:
                self.known[run, how] = execute(self.module, self.runs[run], **({how: True} if how else {}))[0]
            except Exception:  # noqa: BLE001
                self.known[run, how] = None
        return self.known[run, how]


def prove(mutation: Mutation, text: str, base: Base, runs: dict[str, Run]) -> dict[str, str] | None:
    """What the bug does; None when nothing."""
    try:
        mutated = load(mutation.model, plant(text, mutation))
    except SyntaxError as error:
        raise SystemExit(f"{mutation.id}: {error}") from error
    changed = None
    for name, run in runs.items():
        expected = base.outputs(name)
        try:
            got, _ = execute(mutated, run)
        except Exception as error:  # noqa: BLE001: any way to fail is a crash
            return {"result": "crash", "run": name, "detail": first_line(error)}
        gap = difference(expected or [], got)
        if gap is not None and changed is None:
            changed = {"result": "changed", "run": name, "detail": gap}
    if changed is not None:
        return changed
    for how in ("train", "half"):
        for name, run in runs.items():
            expected = base.outputs(name, how)
            if expected is None:
                continue
            try:
                got, _ = execute(mutated, run, **{how: True})
            except Exception as error:  # noqa: BLE001
                return {"result": how, "run": name, "detail": first_line(error)}
            gap = difference(expected, got)
            if gap is not None:
                return {"result": how, "run": name, "detail": gap}
    dead: dict[str, None] = {}
    for run in runs.values():
        before, after = without_gradient(base.module, run), without_gradient(mutated, run)
        dead.update(dict.fromkeys(sorted(after - before)))
    if dead:
        return {"result": "latent", "run": "gradient", "detail": f"no gradient reaches {', '.join(dead)}"[:200]}
    return {"result": "latent", "run": "none", "detail": mutation.reason} if mutation.reason else None


def main(arguments: list[str]) -> int:
    warnings.simplefilter("ignore")
    write = "--write" in arguments
    wanted = [one for one in arguments if not one.startswith("--")]
    results: dict[str, dict[str, str]] = {}
    problems = 0
    for folder in ("models", "variants"):
        for path in sorted((FOLDER / folder).glob("*.py")):
            name = path.stem
            if wanted and name not in wanted:
                continue
            text = path.read_text(encoding="utf8")
            base = load(f"{name}_base", text)
            runs = SUBJECTS[name]
            for run_name, run in runs.items():
                try:
                    outputs, _ = execute(base, run)
                except Exception as error:  # noqa: BLE001
                    print(f"{name}: {run_name} does not run: {first_line(error)}")
                    if "--trace" in arguments:
                        raise
                    problems += 1
                    continue
                if not outputs or not all(one.isfinite().all() for one in outputs):
                    print(f"{name}: {run_name} gives {'what is not finite' if outputs else 'nothing'}")
                    problems += 1
                again, _ = execute(base, run)
                if difference(outputs, again) is not None:
                    print(f"{name}: {run_name} differs from run to run")
                    problems += 1
            planted = FOLDER / "mutations" / f"{name}.txt"
            if problems and not planted.exists() or folder == "variants":
                continue
            known = Base(base, runs)
            mutations = read_mutations(planted) if planted.exists() else []
            if len({one.name for one in mutations}) < len(mutations):
                print(f"{name}: two mutations have one name")
                problems += 1
            for mutation in mutations:
                result = prove(mutation, text, known, runs)
                if result is None:
                    print(f"{mutation.id}: nothing happens")
                    problems += 1
                    continue
                results[mutation.id] = result
                if (mutation.kind == "crash") != (result["result"] == "crash"):
                    print(f"{mutation.id}: said to be {mutation.kind}, but {result}")
                    problems += 1
    kinds = [one["result"] for one in results.values()]
    print(f"{len(results)} planted bugs:", ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds))), f"; {problems} problems")
    if write and not wanted:
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(results.items())]
        (FOLDER / "proof.generated.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf8")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
