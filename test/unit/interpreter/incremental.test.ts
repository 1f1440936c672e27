import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeHints } from '../../../src/features/code.ts';
import type { IsOver } from '../../../src/interpreter/student.ts';
import type { PythonParser } from '../../../src/syntax/python/parse.ts';
import { type Analysis, analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../python/parser.ts';

const folder = 'test/planted/models';
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.py'))
  .sort();

const findingsOf = (analysis: Analysis): readonly string[] =>
  analysis.findings.map(({ code, message, range, related }) => `${code} ${message} ${JSON.stringify([range, related])}`);

/** Hints where the two looks say different things of one place; one may know less than the other. */
function contradictions(a: Analysis, b: Analysis): readonly string[] {
  const others = new Map(codeHints(b).map(({ offset, label }) => [offset, label] as const));
  return codeHints(a).flatMap(({ offset, label }) => {
    const other = others.get(offset);
    if (other === undefined || label.includes('...') || other.includes('...')) return [];
    const [x, y] = [label.split(', '), other.split(', ')];
    const agrees = x.length === y.length && x.every((part, i) => part === y[i] || `${part}${y[i]}`.includes('?'));
    return agrees ? [] : [`${offset}${label} and ${other}`];
  });
}

/** Edits of the kinds that typing makes, each at a place that the seed chooses. */
function edited(text: string, seed: number): string {
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 1;
    return seed % below;
  };
  const places = [
    ...text.matchAll(/(?<=\n {8})\w+(?= = )|(?<=\n)(?=class )|(?<=\bdim=)-?\d|(?<=transpose\()1(?=, 2)|(?<=\* )\w+(?=[,)])/g),
  ];
  const place = places[random(places.length)];
  if (place === undefined) return text;
  const at = place.index + place[0].length;
  const insertions = place[0] === '' ? ['# a line\n', 'width = 7\n', 'def helper(x):\n    return x\n\n'] : ['1', 'x', '_'];
  return text.slice(0, at) + insertions[random(insertions.length)] + text.slice(at);
}

describe('studying versions of a file', function () {
  // Thirteen looks at a whole model each, on machines that do other work too.
  this.timeout(40_000);

  let parser: PythonParser;
  before(async () => {
    parser = await pythonParser();
  });

  for (const name of files) {
    it(`says of ${name} after edits what a first look would say`, () => {
      const text = readFileSync(join(folder, name), 'utf8');
      const kept: PythonReader = pythonReader(parser, 1);
      const look = (python: PythonReader, version: string): Analysis => analyse({ text: version, path: name, python }, defaultSettings);
      look(kept, text);
      let current = text;
      for (let seed = 1; seed <= 6; seed++) {
        // Every other edit is taken back by the next.
        current = seed % 2 === 0 ? text : edited(current, seed * 7919);
        const [again, first] = [look(kept, current), look(pythonReader(parser), current)];
        assert.deepEqual(findingsOf(again), findingsOf(first), `after edit ${seed}`);
        assert.deepEqual(contradictions(again, first), [], `after edit ${seed}`);
      }
    });
  }

  for (const name of files.filter((_, i) => i % 3 === 0)) {
    it(`says of ${name}, part after part, what a first look would say`, () => {
      const text = readFileSync(join(folder, name), 'utf8');
      const kept: PythonReader = pythonReader(parser, 1);
      const look = (python: PythonReader, version: string, isOver?: IsOver): Analysis =>
        analyse({ text: version, path: name, python, ...(isOver === undefined ? {} : { isOver }) }, defaultSettings);
      look(kept, text);
      let current = text;
      for (let seed = 1; seed <= 6; seed++) {
        // Edits pile up for a while, half studied, before one is taken back.
        current = seed % 3 === 0 ? text : edited(current, seed * 104729);
        const first = findingsOf(look(pythonReader(parser), current));
        const hasty = look(kept, current, () => true);
        if (hasty.code?.stale === undefined) assert.deepEqual(findingsOf(hasty), first, `without studies after edit ${seed}`);
        let looks = 0;
        for (let again = hasty; again.code?.stale !== undefined && seed % 2 === 0; looks++) {
          let asked = 0;
          assert.ok(looks < 100, 'no look gets any further');
          again = look(kept, current, (_, isBegun) => isBegun !== true && ++asked > 1);
        }
        assert.deepEqual(findingsOf(look(kept, current)), first, `after edit ${seed}`);
      }
    });
  }

  it('shows of a file what it showed when the dataflow of others takes the place of its own', () => {
    const kept: PythonReader = pythonReader(parser, 8);
    const [first = '', ...others] = files.slice(0, 3);
    const look = (python: PythonReader, name: string): Analysis =>
      analyse({ text: readFileSync(join(folder, name), 'utf8'), path: name, python }, defaultSettings);
    const analysis = look(kept, first);
    const studies = analysis.code?.studies ?? [];
    assert.ok(studies.some(({ tensors }) => tensors.length > 0));
    for (const name of others) look(kept, name);
    assert.deepEqual(
      studies.map(({ tensors, instance, class: of }) => tensors.length + instance.attributes.size + of.members.size),
      studies.map(() => 0),
    );
    const hints = codeHints(look(pythonReader(parser), first));
    assert.ok(hints.length > 0);
    assert.deepEqual(codeHints(analysis), hints);
    // Looked at again it is followed anew.
    assert.deepEqual(codeHints(look(kept, first)), hints);
  });

  it('quotes the code where it stands after edits above it', () => {
    const kept: PythonReader = pythonReader(parser, 1);
    const look = (version: string): readonly string[] =>
      analyse({ text: version, path: 'moved.py', python: kept }, defaultSettings).findings.map(({ message }) => message);
    const before = look(moved);
    assert.match(before.join(), /`self\.query\(x\) @ self\.key\(x\)`/);
    look(moved.replace('# a line', '# a longer line'));
    // The class below is followed again; what it calls was followed when it stood elsewhere.
    assert.deepEqual(look(moved.replace('# a line', '# a longer line').replace('dropout = 1', 'dropout = 12')), before);
  });
});

const moved = `# a line
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, width: int = 64):
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)

    def forward(self, x: torch.Tensor):
        batch, length, width = x.shape
        return torch.softmax(self.query(x) @ self.key(x), dim=-1)


class Model(nn.Module):
    def __init__(self, width: int = 64):
        super().__init__()
        self.attention = Attention(width)
        self.dropout = 1

    def forward(self, x: torch.Tensor):
        batch, length, width = x.shape
        return self.attention(x)
`;
