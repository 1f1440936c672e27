import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pixels, squeezed } from '../../scripts/lib/png.mjs';
import { repositoryRoot } from './kernel/load-kernels.ts';

describe('pictures of the package', () => {
  for (const name of ['media/icon.png', 'media/walkthrough/quick-fix-dark.png'])
    it(`lose no pixel: ${name}`, () => {
      const file = readFileSync(join(repositoryRoot(), name));
      const small = squeezed(file);
      assert.ok(small.length <= file.length);
      const [before, after] = [pixels(file), pixels(small)];
      assert.ok(before !== undefined && after !== undefined);
      assert.deepEqual([after.width, after.height], [before.width, before.height]);
      // Without its alpha where all is opaque.
      const kept = (row: Uint8Array): Uint8Array => (after.channels === before.channels ? row : row.filter((_, i) => i % 4 !== 3));
      for (const [y, row] of before.rows.entries()) assert.deepEqual(after.rows[y], kept(row), `row ${y}`);
    }).timeout(60_000);
});
