// @ts-check
// Every check and test there is: `npm test`, or `npm test -- unit lsp` for a part. Ends with `N passed, N failed`.
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../esbuild.mjs';
import { ensureChromium, Unavailable } from './lib/browser.mjs';
import { ensureVsCodeServer, ensureVsCodeWeb } from './lib/cache.mjs';
import { hasDesktop } from './lib/desktop.mjs';
import { root, run } from './lib/process.mjs';
import { bundleHostSuite, bundleNodeSuite, bundleNodeSuiteInParts, nodeSuites } from './lib/tests.mjs';
import { packageExtension } from './package.mjs';

/** @typedef {{ passes: number, failures: number }} Counts */

const started = Date.now();
/** How many processes run side by side, where nothing is timed. */
const cores = Math.min(4, availableParallelism());
const scratch = await mkdtemp(join(tmpdir(), 'headwise-test-'));
const log = (/** @type {string} */ line) => console.log(line);
const echo = (/** @type {string} */ text) => process.stdout.write(text);
const bin = (/** @type {string} */ path) => join(root, 'node_modules', path);

/**
 * A check that passes or fails as a whole.
 * @param {readonly string[]} args of node
 * @returns {() => Promise<Counts>}
 */
const check = (args) => async () => {
  const { code } = await run(process.execPath, args, { timeout: 180_000, onText: echo });
  return code === 0 ? { passes: 1, failures: 0 } : { passes: 0, failures: 1 };
};

/**
 * Runs mocha over bundles. A run that ends without its counts, or with an exit code they do not explain, is a failure.
 * @param {readonly string[]} files @param {number} timeout in ms, of the whole run
 * @param {{ retries?: number, onText?: (text: string) => void }} [options] `retries` of a test that failed, for suites that time things or
 *   walk through windows on a machine that others use too; the reporter names each test that needed one
 * @returns {Promise<Counts>}
 */
async function mocha(files, timeout, { retries = 0, onText = echo } = {}) {
  const report = join(scratch, `${randomUUID()}.json`);
  const reporter = join(root, 'scripts/lib/mocha-reporter.cjs');
  const args = ['--enable-source-maps', bin('mocha/bin/mocha.js'), '--reporter', reporter, '--retries', String(retries), ...files];
  const { code, output } = await run(process.execPath, args, {
    timeout,
    env: { ...process.env, HEADWISE_REPORT: report },
    onText,
  });
  const counts = await readFile(report, 'utf8').then(JSON.parse, () => undefined);
  if (counts === undefined) {
    const why = code === 124 ? `It took longer than ${timeout / 1000} s. ${output.slice(-100)}` : '';
    onText(`  The run ended with code ${code} and no report. ${why}\n`);
    return { passes: 0, failures: 1 };
  }
  const failures = counts.failures + counts.pending;
  return { passes: counts.passes, failures: failures === 0 && code !== 0 ? 1 : failures };
}

/**
 * Runs mocha over bundles whose tests ask nothing of the clock, a process for each, as many at a time as there are cores, and prints what
 * each said when it is over.
 * @param {readonly string[]} files @param {number} timeout in ms, of each run @param {number} [retries]
 * @returns {Promise<Counts>}
 */
async function mochaSideBySide(files, timeout, retries = 0) {
  const waiting = [...files];
  /** @type {Counts} */
  const sum = { passes: 0, failures: 0 };
  const lane = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      let said = '';
      const onText = (/** @type {string} */ text) => {
        said += text;
      };
      add(sum, await mocha([file], timeout, { retries, onText }));
      echo(said);
    }
  };
  await Promise.all(Array.from({ length: cores }, lane));
  return sum;
}

/** @param {Counts} sum @param {Counts} counts what it becomes larger by */
function add(sum, { passes, failures }) {
  sum.passes += passes;
  sum.failures += failures;
  return sum;
}

/**
 * Runs tests inside an extension host, which prints its counts on a line of their own.
 * @param {'extension' | 'web'} suite
 * @returns {Promise<Counts>}
 */
async function hosted(suite) {
  await bundleHostSuite(suite);
  const { code, output } = await run(process.execPath, [join(root, 'test', suite, 'run.mjs')], { timeout: 240_000, onText: echo });
  const line = /^HEADWISE-RESULT (.*)$/m.exec(output)?.[1];
  if (line === undefined) return { passes: 0, failures: 1 };
  const { passes, failures } = JSON.parse(line);
  return { passes, failures: failures === 0 && (code !== 0 || passes === 0) ? 1 : failures };
}

/** @type {Map<string, () => Promise<Counts>>} */
const suites = new Map();
suites.set('types', check([bin('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json']));
suites.set('lint', check([bin('@biomejs/biome/bin/biome'), 'check', '.']));
for (const name of nodeSuites()) {
  suites.set(name, async () => {
    if (name === 'perf') return mocha(await bundleNodeSuite(name), 240_000, { retries: 2 });
    if (name === 'lsp') return mocha(await bundleNodeSuite(name), 240_000);
    return mochaSideBySide(await bundleNodeSuiteInParts(name, 2 * cores), 300_000);
  });
}
suites.set('extension', async () => {
  if (!hasDesktop()) await readyServer();
  return hosted('extension');
});
suites.set('web', async () => {
  await readyWeb();
  return hosted('web');
});
suites.set('package', async () => {
  await packaged();
  return mocha(await bundleNodeSuite('package'), 60_000);
});
suites.set('e2e', async () => {
  await readyServer();
  // Walks through what a person installs: the package.
  await packaged();
  const files = await bundleNodeSuite('e2e');
  // What asks for the page's times has the machine to itself.
  const isTimed = (/** @type {string} */ file) => file.endsWith('-large.test.cjs');
  const walks = files.filter((file) => !isTimed(file));
  const counts = await mochaSideBySide(walks, 600_000, 1);
  return add(counts, await mocha(files.filter(isTimed), 300_000, { retries: 1 }));
});

/** @type {Promise<string> | undefined} */
let packaging;
/** Packages once a run. */
function packaged() {
  packaging ??= packageExtension(log);
  return packaging;
}

/** @type {Promise<string> | undefined} */
let chromium;
function readyChromium() {
  chromium ??= ensureChromium(log);
  return chromium;
}

/** @type {Promise<unknown> | undefined} */
let server;
function readyServer() {
  server ??= readyChromium().then(() => available('the VS Code server', ensureVsCodeServer(log)));
  return server;
}

/** @type {Promise<unknown> | undefined} */
let web;
function readyWeb() {
  web ??= readyChromium().then(() => available('VS Code for the web', ensureVsCodeWeb(log)));
  return web;
}

/** @template T @param {string} what @param {Promise<T>} fetched @returns {Promise<T>} */
async function available(what, fetched) {
  try {
    return await fetched;
  } catch (error) {
    throw new Unavailable(`Could not have ${what}: ${error instanceof Error ? error.message : error}`);
  }
}

/** @type {Counts} */
const total = { passes: 0, failures: 0 };
/** @type {string[]} */
const notRun = [];
try {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !suites.has(name));
  if (unknown.length > 0) {
    log(`There is no suite ${unknown.join(', ')}. There are: ${[...suites.keys()].join(', ')}.`);
    process.exit(2);
  }
  log('== build');
  try {
    await build({ log });
    total.passes++;
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
    total.failures++;
  }
  // What the last suites need is fetched while the first ones compute. A suite that cannot have it says why.
  if (wanted.length === 0)
    readyServer()
      .then(readyWeb)
      .catch(() => {});
  for (const [name, start] of suites) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    log(`== ${name}`);
    const began = Date.now();
    /** @type {Counts} */
    let counts;
    try {
      counts = await start();
    } catch (error) {
      if (error instanceof Unavailable) {
        notRun.push(`${name} was not run. ${error.message}`);
        log(`  ${error.message}`);
        // Someone at a desk reads the sentence; a CI run that could not test must not be green.
        counts = { passes: 0, failures: process.env.CI ? 1 : 0 };
      } else {
        log(`  ${error instanceof Error ? (error.stack ?? error.message) : error}`);
        counts = { passes: 0, failures: 1 };
      }
    }
    add(total, counts);
    log(`   ${name}: ${counts.passes} passed, ${counts.failures} failed, ${((Date.now() - began) / 1000).toFixed(1)} s`);
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}
for (const line of notRun) log(line);
log(`All suites took ${((Date.now() - started) / 1000).toFixed(0)} s.`);
log(`${total.passes} passed, ${total.failures} failed`);
process.exitCode = total.failures > 0 ? 1 : 0;
