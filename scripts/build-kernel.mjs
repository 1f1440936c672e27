// Builds the attention kernel from AssemblyScript: dist/kernel/attention.wasm (SIMD128) and attention-relaxed.wasm (relaxed SIMD).
// The same sources give the same bytes.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from 'assemblyscript/asc';

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

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  for (const { path, bytes } of await buildKernel()) console.log(`${path} ${bytes} bytes`);
}
