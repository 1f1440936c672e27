import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { PythonParser } from '../../../src/syntax/python/parse.ts';
import { type Analysis, analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../python/parser.ts';

const model = readFileSync(join('test/planted/models', 'annotated.py'), 'utf8');

describe('a file whose dataflow others have taken the place of', () => {
  let parser: PythonParser;
  before(async () => {
    parser = await pythonParser();
  });

  it('keeps none of its tensors, by nothing that the rules worked out of them', async () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const reader: PythonReader = pythonReader(parser, 8);
    const look = (path: string): Analysis => analyse({ text: model, path, python: reader }, defaultSettings);
    const analysis = look('first.py');
    const tensors = (analysis.code?.studies ?? []).flatMap((study) => study.tensors.map((tensor) => new WeakRef(tensor)));
    assert.ok(tensors.length > 100);
    for (const path of ['second.py', 'third.py']) look(path);
    // What was looked at in this turn is held until the next.
    await setTimeout(0);
    collect();
    assert.equal(tensors.filter((tensor) => tensor.deref() !== undefined).length, 0);
    assert.ok(analysis.code !== undefined);
  });
});
