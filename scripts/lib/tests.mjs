// @ts-check
// Which tests there are, and how each kind is bundled.
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import * as esbuild from 'esbuild';
import { root } from './process.mjs';

/** Suites that need more than Node: an extension host, a browser, or the package. */
const hostedSuites = ['extension', 'web', 'package', 'e2e'];

/** @param {string} folder @returns {string[]} absolute paths of its tests, sorted */
export function testFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((file) => file.isFile() && file.name.endsWith('.test.ts'))
    .map((file) => join(file.parentPath ?? file.path, file.name))
    .sort();
}

/** @returns {string[]} names of the suites that run in plain Node, quick ones first */
export function nodeSuites() {
  const order = ['unit', 'rules', 'lsp', 'corpus', 'fuzz', 'perf'];
  const rank = (/** @type {string} */ name) => (order.indexOf(name) + 1 || order.length) - 1;
  return readdirSync(join(root, 'test'), { withFileTypes: true })
    .filter((folder) => folder.isDirectory() && !hostedSuites.includes(folder.name))
    .map((folder) => folder.name)
    .filter((name) => testFiles(join(root, 'test', name)).length > 0)
    .sort((a, b) => rank(a) - rank(b));
}

/** @type {esbuild.BuildOptions} */
const common = { absWorkingDir: root, bundle: true, sourcemap: 'inline', sourcesContent: false, logLevel: 'silent', target: 'es2022' };

/** @type {esbuild.BuildOptions} */
const nodeOptions = {
  ...common,
  platform: 'node',
  format: 'cjs',
  packages: 'external',
  define: { 'import.meta.url': '__bundleUrl' },
  banner: { js: "const __bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
  outExtension: { '.js': '.cjs' },
};

/**
 * Bundles one Node suite, each test file by itself.
 * @param {string} suite
 * @returns {Promise<string[]>} the bundles
 */
export async function bundleNodeSuite(suite) {
  const base = join(root, 'test', suite);
  const outdir = await emptied(suite);
  const entryPoints = testFiles(base);
  await esbuild.build({ ...nodeOptions, entryPoints, outdir, outbase: base });
  return entryPoints.map((file) => join(outdir, relative(base, file).replace(/\.ts$/, '.cjs')));
}

/**
 * Bundles one Node suite as several bundles of many test files each: what files have in common is loaded and compiled once for them all.
 * @param {string} suite
 * @param {number} parts how many, at most
 * @returns {Promise<string[]>} the bundles
 */
export async function bundleNodeSuiteInParts(suite, parts) {
  const outdir = await emptied(suite);
  const files = testFiles(join(root, 'test', suite));
  return Promise.all(
    Array.from({ length: Math.min(parts, files.length) }, async (_, part) => {
      // Dealt out in turn: neighbours, which are alike, go to different parts.
      const contents = importsOf(
        files.filter((_, at) => at % parts === part),
        root,
      );
      const outfile = join(outdir, `${part}.cjs`);
      const stdin = { contents, resolveDir: root, sourcefile: `${suite}-tests-${part}.ts`, loader: /** @type {const} */ ('ts') };
      await esbuild.build({ ...nodeOptions, stdin, outfile });
      return outfile;
    }),
  );
}

/** @param {string} suite @returns {Promise<string>} the folder of a suite's bundles, with nothing in it */
async function emptied(suite) {
  const folder = join(root, 'dist', `test-${suite}`);
  await rm(folder, { recursive: true, force: true });
  return folder;
}

/** @param {readonly string[]} files @param {string} from */
const importsOf = (files, from) => files.map((file) => `import './${relative(from, file).split(sep).join('/')}';`).join('\n');

/**
 * Bundles the tests that run inside an extension host, with their runner, into one file that exports `run`.
 * @param {'extension' | 'web'} suite the web host runs the extension suite's portable tests too
 * @returns {Promise<string>} the bundle
 */
export async function bundleHostSuite(suite) {
  const extension = join(root, 'test/extension');
  const nodeOnly = join(extension, 'node') + sep;
  const portable = testFiles(extension).filter((file) => !file.startsWith(nodeOnly));
  const own = suite === 'web' ? testFiles(join(root, 'test/web')) : testFiles(nodeOnly);
  const outfile = join(root, 'dist', `test-${suite}`, suite === 'web' ? 'index.js' : 'index.cjs');
  const index = `../${suite}/index.ts`;
  const contents = `import '${index}';\n${importsOf([...portable, ...own], extension)}\nexport { run } from '${index}';\n`;
  await esbuild.build({
    ...(suite === 'web'
      ? { ...common, platform: 'browser', format: 'cjs', alias: { 'node:assert/strict': './test/web/assert.ts' } }
      : nodeOptions),
    stdin: { contents, resolveDir: extension, sourcefile: `${basename(suite)}-tests.ts`, loader: 'ts' },
    external: ['vscode'],
    outfile,
  });
  return outfile;
}
