import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import type { PythonParser } from '../../../src/syntax/python/parse.ts';
import { pythonReader } from '../../../src/workspace/python.ts';
import { pythonParser } from '../python/parser.ts';
import { answerCases } from './fixtures/answers.ts';
import { cases as studyCases } from './fixtures/studies.ts';
import { valueCases } from './fixtures/values.ts';

const cases = [...studyCases, ...answerCases, ...valueCases];

let parser: PythonParser;
before(async () => {
  parser = await pythonParser();
});

/** What fails when the file is studied as linting does, in the words of the interpreter. */
function failuresOf(text: string): readonly string[] {
  const code = pythonReader(parser).code(text, 'model.py');
  assert.ok(code !== undefined);
  return code.failures.filter(({ problem }) => problem.basis !== 'widths').map(({ problem }) => `${problem.kind}: ${problem.message}`);
}

describe('studies of model code', () => {
  for (const { name, code, fails } of cases) {
    it(name, () => {
      const failures = failuresOf(code);
      if (fails === undefined) assert.deepEqual(failures, []);
      else
        assert.ok(
          failures.some((failure) => fails.test(failure)),
          `${failures.join('\n')} should match ${fails.source}`,
        );
    });
  }

  // What PyTorch does with each: HEADWISE_PYTHON names a Python that has it.
  const python = process.env.HEADWISE_PYTHON;
  if (python !== undefined) {
    it('agree with PyTorch', function () {
      this.timeout(600_000);
      for (const { name, code, run, fails } of cases) {
        const done: SpawnSyncReturns<string> = spawnSync(python, ['-c', `${code}\n${run}\n`], { encoding: 'utf8' });
        assert.equal(done.status === 0, fails === undefined, `${name}: ${done.stderr.split('\n').slice(-2).join(' ')}`);
      }
    });
  }
});
