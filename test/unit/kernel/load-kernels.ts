import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import type { Kernel } from '../../../src/kernel/interface.ts';
import { loadKernel } from '../../../src/kernel/load.ts';

/** The checkout, from wherever a bundled test runs: the nearest folder up that holds the kernel's source. */
export function repositoryRoot(): string {
  let folder = process.cwd();
  while (!existsSync(join(folder, 'src/kernel/assembly'))) {
    const parent = join(folder, '..');
    if (parent === folder) throw new Error(`No Headwise checkout at or above ${process.cwd()}.`);
    folder = parent;
  }
  return folder;
}

let folder: string | undefined;

/** Builds the kernel from its present source, once per process, and returns the folder of its binaries. */
export async function builtKernel(): Promise<string> {
  if (folder === undefined) {
    const script = pathToFileURL(join(repositoryRoot(), 'scripts/build-kernel.mjs')).href;
    const { buildKernel } = (await import(script)) as { buildKernel: () => Promise<unknown> };
    await buildKernel();
    folder = join(repositoryRoot(), 'dist/kernel');
  }
  return folder;
}

/** Every WebAssembly kernel that this engine can run. */
export async function wasmKernels(): Promise<readonly Kernel[]> {
  // Node 20 has relaxed SIMD behind this flag; Node 22 and every current browser have it without.
  if (Number(process.versions.node.split('.')[0]) < 22) setFlagsFromString('--experimental-wasm-relaxed-simd');
  const from = await builtKernel();
  const simd = readFileSync(join(from, 'attention.wasm'));
  const relaxed = readFileSync(join(from, 'attention-relaxed.wasm'));
  const kernels = await Promise.all([loadKernel({ simd }), loadKernel({ relaxed })]);
  return kernels.filter((kernel) => kernel.name !== 'typescript');
}
