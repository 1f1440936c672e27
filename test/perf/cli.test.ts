import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { buildCli } from '../unit/cli/cli.ts';

describe('speed of the command line', function () {
  this.timeout(120_000);
  before(buildCli);

  it('keeps its limits', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(process.cwd(), 'test/perf/cli.mjs')], {
      encoding: 'utf8',
      timeout: 110_000,
    });
    console.log(stdout.trimEnd());
    assert.equal(status, 0, stdout + stderr);
  });
});
