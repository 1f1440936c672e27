// Bundles everything that ships. `node esbuild.mjs [--production] [--watch] [--quiet]`
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { thirdPartyNotices } from './scripts/lib/notices.mjs';

const root = dirname(fileURLToPath(import.meta.url));

// jsonc-parser's `main` is UMD with dynamic requires, which no bundler can follow; its `module` entry can be bundled.
const node = {
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  mainFields: ['module', 'main'],
  supported: { 'dynamic-import': false },
  // yaml's entry for Node is CommonJS, whole and slow to load; its browser entry is the same code as modules, of which only the used ones are kept.
  alias: { yaml: join(root, 'node_modules/yaml/browser/index.js') },
};
const browser = { platform: 'browser', target: 'es2022' };

/**
 * Leaves a dynamic import of an own file to run time, from the bundle of that name beside this one: what most runs do not need
 * costs them nothing to load. Node only, for VS Code's web extension host loads a single file.
 */
const lazy = {
  name: 'lazy',
  setup(context) {
    context.onResolve({ filter: /^\.\/.*\.ts$/ }, ({ path, kind }) =>
      kind === 'dynamic-import' ? { path: path.replace(/\.ts$/, '.js'), external: true } : undefined,
    );
  },
};

/** The Python parser is a bundle of its own, loaded with its modules for the first Python file that mentions a model. */
const pythonApart = {
  name: 'python-apart',
  setup(context) {
    context.onResolve({ filter: /\/syntax\/python\/parse\.ts$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: '../python/parse.js', external: true } : undefined,
    );
  },
};

/** What rules say of themselves, examples included, is for the command line and the pages; the server links to the pages. */
const withoutRuleDocs = {
  name: 'without-rule-docs',
  setup(context) {
    context.onLoad({ filter: /[\\/]src[\\/]rules[\\/].*\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace(/^ {2}docs: \{\n[\s\S]*?^ {2}\},\n/m, ''),
      loader: 'ts',
    }));
  },
};

/** The parser's CommonJS build: the other one asks for its own address, which a bundle does not have. */
const treeSitter = {
  alias: { 'web-tree-sitter': join(root, 'node_modules/web-tree-sitter/web-tree-sitter.cjs') },
};

/** The parser's modules, as npm brings them. */
const parserModules = ['web-tree-sitter/web-tree-sitter.wasm', 'tree-sitter-python/tree-sitter-python.wasm'];

/** Every shipped bundle: source entry, output file and what differs from the shared options. */
const bundles = [
  { entry: 'src/extension/node.ts', outfile: 'dist/extension/node.js', options: { ...node, external: ['vscode'], plugins: [lazy] } },
  { entry: 'src/extension/clientNode.ts', outfile: 'dist/extension/clientNode.js', options: { ...node, external: ['vscode'] } },
  { entry: 'src/extension/browser.ts', outfile: 'dist/extension/browser.js', options: { ...browser, format: 'cjs', external: ['vscode'] } },
  // For processes and workers alike: modules of Node are asked for only where there are any.
  {
    entry: 'src/server/main.ts',
    outfile: 'dist/server/main.js',
    options: { ...node, conditions: ['browser'], alias: { ...node.alias, ...treeSitter.alias }, plugins: [pythonApart, withoutRuleDocs] },
  },
  { entry: 'src/cli/main.ts', outfile: 'dist/cli/main.js', options: { ...node, plugins: [pythonApart] } },
  { entry: 'src/syntax/python/parse.ts', outfile: 'dist/python/parse.js', options: { ...node, ...treeSitter } },
  { entry: 'webview/preview/worker.ts', outfile: 'dist/webview/worker.js', options: { ...browser, format: 'iife' } },
];

/** The webviews' pages: modules, so that what they have in common is packed once, in dist/webview/shared.js. */
const pages = {
  entryPoints: { preview: 'webview/preview/main.ts', calculator: 'webview/calculator/main.ts' },
  outdir: 'dist/webview',
  ...browser,
  format: 'esm',
  splitting: true,
  chunkNames: 'shared',
};

/**
 * Options shared by every bundle. Source maps are for work in the checkout only: the package leaves them out.
 * @param {boolean} production
 * @returns {import('esbuild').BuildOptions}
 */
function sharedOptions(production) {
  return {
    absWorkingDir: root,
    bundle: true,
    minify: production,
    sourcemap: !production,
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'silent',
    define: { 'process.env.NODE_ENV': JSON.stringify(production ? 'production' : 'development') },
    loader: { '.woff2': 'file', '.ttf': 'file', '.svg': 'text' },
  };
}

/**
 * Builds the attention kernel, where its build script stands.
 * @param {(line: string) => void} log
 */
async function buildKernelIfPresent(log) {
  const script = join(root, 'scripts/build-kernel.mjs');
  if (!existsSync(script)) {
    log('skipped dist/kernel/attention.wasm: scripts/build-kernel.mjs is not there yet');
    return;
  }
  const { buildKernel, buildLibrary } = await import('./scripts/build-kernel.mjs');
  await buildKernel();
  await buildLibrary(undefined, false);
  log('built   dist/kernel');
}

/** @param {(line: string) => void} log */
async function copyParser(log) {
  const folder = join(root, 'dist/python');
  await mkdir(folder, { recursive: true });
  for (const file of parserModules) await copyFile(join(root, 'node_modules', file), join(folder, basename(file)));
  log('copied  dist/python');
}

/** @param {(line: string) => void} log */
async function copyLayouts(log) {
  const folder = join(root, 'dist/data');
  await mkdir(folder, { recursive: true });
  await copyFile(join(root, 'src/calculator/derived/layouts.generated.txt'), join(folder, 'layouts.txt'));
  log('copied  dist/data');
}

/**
 * Builds all bundles and the kernel in parallel.
 * @param {{ production?: boolean, log?: (line: string) => void }} [settings]
 * @returns {Promise<void>} rejects with one error that lists every bundle that failed
 */
export async function build({ production = false, log = () => {} } = {}) {
  await mkdir(join(root, 'dist'), { recursive: true });
  const failures = [];
  const inputs = new Set(parserModules.map((file) => `node_modules/${file}`));
  const used = ({ metafile }) => {
    for (const input of Object.keys(metafile.inputs)) inputs.add(input);
  };
  const one = async ({ entry, outfile, options }) => {
    if (!existsSync(join(root, entry))) {
      log(`skipped ${outfile}: ${entry} is not there yet`);
      return;
    }
    const result = await esbuild.build({ ...sharedOptions(production), ...options, entryPoints: [entry], outfile, metafile: true });
    used(result);
    for (const text of await esbuild.formatMessages(result.warnings, { kind: 'warning', color: false })) log(text.trimEnd());
    log(`built   ${outfile}  ${Math.ceil((await stat(join(root, outfile))).size / 1024)} KB`);
  };
  const bothPages = async () => {
    const result = await esbuild.build({ ...sharedOptions(production), ...pages, metafile: true });
    used(result);
    for (const [name, { bytes }] of Object.entries(result.metafile.outputs))
      if (name.endsWith('.js')) log(`built   ${name}  ${Math.ceil(bytes / 1024)} KB`);
  };
  await Promise.all(
    [
      ...bundles.map((bundle) => () => one(bundle)),
      bothPages,
      () => buildKernelIfPresent(log),
      () => copyParser(log),
      () => copyLayouts(log),
    ].map((start) => start().catch((error) => failures.push(error))),
  );
  if (failures.length > 0) throw new Error(failures.map((failure) => failure.message ?? String(failure)).join('\n'));
  await writeFile(join(root, 'dist/ThirdPartyNotices.txt'), await thirdPartyNotices(root, inputs));
}

async function watch() {
  for (const { entry, outfile, options } of bundles.filter((bundle) => existsSync(join(root, bundle.entry)))) {
    const context = await esbuild.context({ ...sharedOptions(false), ...options, entryPoints: [entry], outfile, logLevel: 'info' });
    await context.watch();
  }
  await (await esbuild.context({ ...sharedOptions(false), ...pages, logLevel: 'info' })).watch();
  await buildKernelIfPresent(console.log);
  await copyParser(console.log);
  console.log('Watching for changes; Ctrl-C stops.');
}

if (process.argv[1] && relative(fileURLToPath(import.meta.url), process.argv[1]) === '') {
  const flags = new Set(process.argv.slice(2));
  const started = performance.now();
  try {
    if (flags.has('--watch')) {
      await watch();
    } else {
      await build({ production: flags.has('--production'), log: flags.has('--quiet') ? undefined : console.log });
      if (!flags.has('--quiet')) console.log(`done in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
  } catch (error) {
    console.error(`The build failed.\n${error.message}`);
    process.exitCode = 1;
  }
}
