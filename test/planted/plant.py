"""Reads the planted bugs of `mutations/*.txt` and plants one in a model's text; plant.ts does the same for the analyser's runner.

A mutation is a heading `== name | topic | crash or silent`, then hunks of whole lines: `-` what stands in the model, `+` what takes its
place. The removed lines stand once in the file, or are the first after the line of `@ text`; `@` alone parts two hunks. Lines that begin
with `!` say why a mutation counts whose effect the proof cannot show. Topics that begin with `other-` are bugs that no rule names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass
class Hunk:
    anchor: str | None = None
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)


@dataclass
class Mutation:
    model: str
    name: str
    topic: str
    kind: str
    hunks: list[Hunk] = field(default_factory=list)
    reason: str = ""

    @property
    def id(self) -> str:
        return f"{self.model}/{self.name}"


class PlantError(Exception):
    pass


def read_mutations(path: Path) -> list[Mutation]:
    mutations: list[Mutation] = []
    fresh = True
    for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1):
        if line.startswith("== "):
            parts = [part.strip() for part in line[3:].split("|")]
            if len(parts) != 3 or parts[2] not in ("crash", "silent"):
                raise PlantError(f"{path.name}:{number}: a heading is '== name | topic | crash or silent'")
            mutations.append(Mutation(path.stem, *parts))
            fresh = True
        elif line.startswith("!"):
            mutations[-1].reason += line[1:].strip()
        elif line.startswith("@"):
            mutations[-1].hunks.append(Hunk(line[1:].strip() or None))
            fresh = False
        elif line[:1] in ("-", "+"):
            hunks = mutations[-1].hunks
            if fresh or (line[0] == "-" and hunks[-1].new):
                hunks.append(Hunk())
                fresh = False
            (hunks[-1].old if line[0] == "-" else hunks[-1].new).append(line[1:])
        elif line.strip():
            raise PlantError(f"{path.name}:{number}: not understood: {line}")
    return mutations


def plant(text: str, mutation: Mutation) -> str:
    lines = text.splitlines()
    places: list[tuple[int, Hunk]] = []
    for hunk in mutation.hunks:
        if not hunk.old:
            raise PlantError(f"{mutation.id}: a hunk removes at least one line")
        start = 0
        if hunk.anchor is not None:
            start = next((at for at, line in enumerate(lines) if hunk.anchor in line), -1)
            if start < 0:
                raise PlantError(f"{mutation.id}: no line holds {hunk.anchor!r}")
        found = [at for at in range(start, len(lines) - len(hunk.old) + 1) if lines[at : at + len(hunk.old)] == hunk.old]
        if not found or (hunk.anchor is None and len(found) > 1):
            raise PlantError(f"{mutation.id}: {len(found)} places for {hunk.old[0].strip()!r}")
        places.append((found[0], hunk))
    for at, hunk in sorted(places, key=lambda place: place[0], reverse=True):
        lines[at : at + len(hunk.old)] = hunk.new
    return "\n".join(lines) + "\n"
