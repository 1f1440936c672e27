import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { builtKernel, repositoryRoot } from './load-kernels.ts';

/** Two keys of scores 0 and ln 3: weights 1/4 and 3/4. */
const program = `
const kernel = await openKernel();
const { weights, output } = kernel.attention(
  { queryHeads: 1, queryLength: 1, keyLength: 2, headDim: 1, scale: 1 },
  { query: Float32Array.of(1), key: Float32Array.of(0, Math.log(3)), value: Float32Array.of(4, 8) },
);
`;

describe('headwise/kernel', function () {
  this.timeout(240_000);
  const root = repositoryRoot();
  let folder = '';

  before(async () => {
    await builtKernel();
    const script = pathToFileURL(join(root, 'scripts/build-kernel.mjs')).href;
    await ((await import(script)) as { buildLibrary(): Promise<void> }).buildLibrary();
    folder = mkdtempSync(join(tmpdir(), 'headwise-pack-'));
    // As an archive, for what a package holds is not what its folder holds.
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    execFileSync(npm, ['pack', '--ignore-scripts', '--pack-destination', folder], {
      cwd: root,
      stdio: 'pipe',
      shell: process.platform === 'win32',
    });
    const [archive] = readdirSync(folder);
    mkdirSync(join(folder, 'node_modules/headwise'), { recursive: true });
    execFileSync('tar', ['-xzf', archive as string, '-C', 'node_modules/headwise', '--strip-components=1'], { cwd: folder });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is imported from Node out of the packed package', () => {
    const file = join(folder, 'program.mjs');
    writeFileSync(
      file,
      `import { openKernel } from 'headwise/kernel';\n${program}\nconsole.log(JSON.stringify([kernel.name, [...weights], [...output]]));`,
    );
    const [name, weights, output] = JSON.parse(execFileSync(process.execPath, [file], { encoding: 'utf8' })) as [
      string,
      number[],
      number[],
    ];
    assert.match(name, /^wasm-/);
    assert.ok(Math.abs((weights[0] as number) - 0.25) < 1e-6 && Math.abs((weights[1] as number) - 0.75) < 1e-6);
    assert.ok(Math.abs((output[0] as number) - 7) < 1e-5);
  });

  it('goes into a bundle for browsers that needs nothing of Node', async () => {
    const entry = join(folder, 'page.mjs');
    writeFileSync(
      entry,
      `import { openKernel } from 'headwise/kernel';\nglobalThis.done = (async () => {${program}\nreturn [kernel.name, output[0]]; })();`,
    );
    const { build } = await import('esbuild');
    const outfile = join(folder, 'page.js');
    await build({ entryPoints: [entry], bundle: true, platform: 'browser', format: 'iife', outfile, logLevel: 'silent' });
    // What every browser and worker has, and no more.
    const page = createContext({ WebAssembly, performance, atob, MessageChannel });
    runInContext(readFileSync(outfile, 'utf8'), page);
    const [name, output] = (await page.done) as [string, number];
    assert.match(name, /^wasm-/);
    assert.ok(Math.abs(output - 7) < 1e-5);
  });

  it('declares its types', () => {
    writeFileSync(
      join(folder, 'typed.ts'),
      `import { type AttentionResult, openKernel, scaledRotary } from 'headwise/kernel';
export async function attend(input: Float32Array): Promise<AttentionResult> {
  const kernel = await openKernel();
  const { frequencies } = scaledRotary(8, 10000, { kind: 'linear', factor: 2 });
  // @ts-expect-error: the problem lacks its sizes
  kernel.attention({ queryHeads: 1 }, { query: input, key: input, value: frequencies });
  return kernel.attention({ queryHeads: 1, queryLength: 2, headDim: 3 }, { query: input, key: input, value: input });
}
`,
    );
    const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--types', '', 'typed.ts'];
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...options], { cwd: folder, stdio: 'pipe' });
  });
});
