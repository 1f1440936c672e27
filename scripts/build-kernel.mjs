// Builds the attention kernel from AssemblyScript: dist/kernel/attention.wasm (SIMD128) and attention-relaxed.wasm (relaxed SIMD).
// The same sources give the same bytes. buildLibrary makes `headwise/kernel` of them: index.js and its declarations.

import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from 'assemblyscript/asc';
import * as esbuild from 'esbuild';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** The two binaries and what sets them apart. */
const builds = [
  { file: 'attention.wasm', features: [] },
  { file: 'attention-relaxed.wasm', features: ['--enable', 'relaxed-simd'] },
];

async function compile(features) {
  let binary;
  let messages = '';
  const collect = { write: (text) => (messages += text) };
  const { error } = await main(
    [
      'index.ts',
      ...['--outFile', 'attention.wasm'],
      ...['--runtime', 'stub', '--use', 'abort=', '--noExportRuntime'],
      ...['-O3', '--noAssert', '--converge', '--enable', 'simd', ...features],
    ],
    {
      stdout: collect,
      stderr: collect,
      readFile: (name, base) => readFile(resolve(root, 'src/kernel/assembly', base, name), 'utf8').catch(() => null),
      writeFile: (name, contents) => {
        if (name.endsWith('.wasm')) binary = contents;
      },
      listFiles: () => [],
    },
  );
  if (error || binary === undefined) throw new Error(`The attention kernel does not compile.\n${messages}${error?.message ?? ''}`);
  return binary;
}

/** Compiles both kernels into `outputFolder` (default dist/kernel) and returns their paths and sizes in bytes. */
export async function buildKernel(outputFolder = join(root, 'dist/kernel')) {
  await mkdir(outputFolder, { recursive: true });
  const written = [];
  for (const build of builds) {
    const binary = await compile(build.features);
    const path = join(outputFolder, build.file);
    await writeFile(path, binary);
    written.push({ path, bytes: binary.length });
  }
  return written;
}

/** Puts the binaries into the bundle. */
function binaries(folder) {
  return {
    name: 'kernel-binaries',
    setup(context) {
      context.onResolve({ filter: /^kernel-binary:/ }, ({ path }) => ({ path, namespace: 'kernel-binary' }));
      context.onLoad({ filter: /.*/, namespace: 'kernel-binary' }, async ({ path }) => {
        const file = path.endsWith(':relaxed') ? 'attention-relaxed.wasm' : 'attention.wasm';
        const text = (await readFile(join(folder, file))).toString('base64');
        return { contents: `export const bytes = Uint8Array.from(atob(${JSON.stringify(text)}), (c) => c.charCodeAt(0));`, loader: 'js' };
      });
    },
  };
}

/** Bundles `headwise/kernel` beside the binaries in `folder`. With types, also its declarations (a second more). */
export async function buildLibrary(folder = join(root, 'dist/kernel'), types = true) {
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: ['src/kernel/library.ts'],
    outfile: join(folder, 'index.js'),
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    logLevel: 'silent',
    plugins: [binaries(folder)],
  });
  await writeFile(join(folder, 'package.json'), '{ "type": "module", "sideEffects": false }\n');
  if (!types) return;
  await new Promise((resolvePromise, reject) => {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const options = ['-p', join(root, 'src/kernel/tsconfig.json'), '--outDir', join(folder, 'types')];
    execFile(process.execPath, [tsc, ...options], (error, output) =>
      error ? reject(new Error(output || error.message)) : resolvePromise(undefined),
    );
  });
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  for (const { path, bytes } of await buildKernel()) console.log(`${path} ${bytes} bytes`);
  await buildLibrary();
}
