import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeHints } from '../../../src/features/code.ts';
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
});
