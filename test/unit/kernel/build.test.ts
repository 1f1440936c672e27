import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtKernel, repositoryRoot } from './load-kernels.ts';

describe('kernel build', function () {
  this.timeout(120_000);

  it('gives the same few bytes each time', async () => {
    const first = await builtKernel();
    const second = mkdtempSync(join(tmpdir(), 'headwise-kernel-'));
    try {
      const script = pathToFileURL(join(repositoryRoot(), 'scripts/build-kernel.mjs')).href;
      const { buildKernel } = (await import(script)) as { buildKernel: (folder: string) => Promise<unknown> };
      await buildKernel(second);
      for (const name of ['attention.wasm', 'attention-relaxed.wasm']) {
        const bytes = readFileSync(join(first, name));
        assert.deepEqual(readFileSync(join(second, name)), bytes);
        assert.ok(bytes.length < 12_000, `${name} has ${bytes.length} bytes`);
      }
    } finally {
      rmSync(second, { recursive: true });
    }
  });

  it('needs nothing from its host, so that any page or worker can run it', async () => {
    const module = await WebAssembly.compile(readFileSync(join(await builtKernel(), 'attention.wasm')));
    assert.deepEqual(WebAssembly.Module.imports(module), []);
  });

  it('runs without relaxed SIMD: the plain binary validates with no flag', async () => {
    assert.ok(WebAssembly.validate(readFileSync(join(await builtKernel(), 'attention.wasm'))));
  });
});
