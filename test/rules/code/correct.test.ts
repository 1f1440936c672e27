import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../../unit/python/parser.ts';
import { correct } from './fixtures/correct.ts';
import { readOtherwise } from './fixtures/readOtherwise.ts';

const cases = [...correct, ...readOtherwise];

describe('correct code of unusual manners', () => {
  let python: PythonReader;
  before(async () => {
    python = pythonReader(await pythonParser());
  });

  for (const { name, code } of cases) {
    it(name, () => {
      const { findings } = analyse({ text: code, path: 'model.py', python }, defaultSettings);
      assert.deepEqual(
        findings
          .filter(({ severity }) => severity === 'error' || severity === 'warning')
          .map(({ code: rule, message }) => `${rule} ${message}`),
        [],
      );
    });
  }

  // HEADWISE_PYTHON names a Python that has PyTorch and einops.
  const interpreter = process.env.HEADWISE_PYTHON;
  if (interpreter !== undefined) {
    it('runs in PyTorch', function () {
      this.timeout(600_000);
      for (const { name, code, run } of cases) {
        if (run === undefined) continue;
        const { status, stderr }: SpawnSyncReturns<string> = spawnSync(interpreter, ['-c', `${code}\n${run}\n`], { encoding: 'utf8' });
        assert.equal(status, 0, `${name}: ${stderr}`);
      }
    });
  }
});
