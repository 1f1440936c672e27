import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeHints } from '../../../src/features/code.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../python/parser.ts';

/** Shapes by the definition of multi-head attention; `?` where the code alone does not tell. */
const expected: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'flax_block.py': {
    qkv: '(B, T, 3 * dim)',
    s: '(B, num_heads, T, T)',
    w: '(B, num_heads, T, T)',
    h: '(B, T, dim)',
  },
  'mlx_attention.py': {
    queries: '(B, n_heads, T, dim // n_heads)',
    keys: '(B, n_kv_heads, T, dim // n_heads)',
    output: '(B, T, dim)',
  },
  'keras_attention.py': {
    score: '(B, 8, T, T)',
    attention: '(B, T, 8, 32)',
    concat_attention: '(B, T, 256)',
  },
};

describe('libraries besides PyTorch', () => {
  let python: PythonReader;
  before(async () => {
    python = pythonReader(await pythonParser());
  });

  for (const [name, shapes] of Object.entries(expected)) {
    it(`are followed by the same operations: ${name}`, () => {
      const text = readFileSync(join('test/unit/interpreter/fixtures', name), 'utf8');
      const analysis = analyse({ text, path: name, python }, defaultSettings);
      const found = new Map<string, string>();
      for (const { offset, label } of codeHints(analysis)) {
        const variable = /(\w+)$/.exec(text.slice(0, offset))?.[1] ?? '';
        // The last assignment of a name counts.
        found.set(variable, label.slice(2));
      }
      for (const [variable, shape] of Object.entries(shapes)) assert.equal(found.get(variable), shape, variable);
      assert.deepEqual(
        analysis.findings.filter(({ severity }) => severity === 'error' || severity === 'warning'),
        [],
      );
    });
  }
});
