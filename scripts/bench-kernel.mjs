// @ts-check
// Times the attention kernel against other engines, one thread, interleaved in one process, medians of CPU time.
//
//   npm run bench:kernel                    Node, then Chromium
//   npm run bench:kernel -- --json          prints the rows as JSON and nothing else
//   npm run bench:kernel -- --node          Node only; --chromium: Chromium only
//   npm run bench:kernel -- --quick         the small shapes, a moment each
//   npm run bench:kernel -- --brief         what the targets are about only: this kernel, onnxruntime-web and the peak, all shapes
//   npm run bench:kernel -- --only=512      only shapes that hold this text
//
// The other engines are no dependencies (300 MB). They are taken from .cache/engines, or the folder that HEADWISE_ENGINES names:
//   npm install --prefix .cache/engines --ignore-scripts onnxruntime-web onnxruntime-node @tensorflow/tfjs-core @tensorflow/tfjs-backend-wasm
// What is not there is left out, with a line that says so.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, normalize, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { main as compile } from 'assemblyscript/asc';
import { build } from 'esbuild';
import { buildKernel } from './build-kernel.mjs';
import { launchChromium, Unavailable } from './lib/browser.mjs';
import { root } from './lib/process.mjs';

const flag = '--experimental-wasm-relaxed-simd';
// Node 20 has relaxed SIMD behind this flag, and it must be there before anything is compiled.
if (Number(process.versions.node.split('.')[0]) < 22 && !process.execArgv.includes(flag)) {
  const again = spawnSync(process.execPath, [flag, fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit(again.status ?? 1);
}

const has = (/** @type {string} */ name) => process.argv.includes(`--${name}`);
const json = has('json');
const quick = has('quick');
const brief = has('brief');
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice(7);
const engines = process.env.HEADWISE_ENGINES ?? join(root, '.cache/engines');
const folder = join(root, 'dist/bench');
const budgetMs = quick ? 400 : brief ? 2500 : 4000;
const log = (/** @type {string} */ line) => console.error(line);

/** Twelve sums, so that neither the latency of an addition nor the number of registers holds it up. */
function peakSource(/** @type {boolean} */ fused) {
  const sums = Array.from({ length: 12 }, (_, i) => `c${i}`);
  const step = (/** @type {string} */ c) => (fused ? `${c} = f32x4.relaxed_madd(${c}, a, b);` : `${c} = f32x4.add(f32x4.mul(${c}, a), b);`);
  return `export function run(rounds: i32): f32 {
  const a = f32x4.splat(0.999), b = f32x4.splat(0.5);
  let ${sums.map((c) => `${c} = f32x4.splat(0)`).join(', ')};
  if (rounds > 0) do {
    ${sums.map(step).join('\n    ')}
    rounds--;
  } while (rounds > 0);
  return ${sums.map((c) => `f32x4.extract_lane(${c}, 0)`).join(' + ')};
}`;
}

async function buildPeak(/** @type {string} */ name, /** @type {boolean} */ fused) {
  /** @type {Uint8Array | undefined} */
  let binary;
  let messages = '';
  const collect = { write: (/** @type {string} */ text) => (messages += text) };
  const { error } = await compile(
    ['peak.ts', '--outFile', 'peak.wasm', '--runtime', 'stub', '-O3', '--enable', 'simd', ...(fused ? ['--enable', 'relaxed-simd'] : [])],
    {
      stdout: /** @type {never} */ (collect),
      stderr: /** @type {never} */ (collect),
      readFile: (file) => (file === 'peak.ts' ? peakSource(fused) : null),
      writeFile: (file, contents) => {
        if (file.endsWith('.wasm')) binary = /** @type {Uint8Array} */ (contents);
      },
      listFiles: () => [],
    },
  );
  if (error || binary === undefined) throw new Error(`The loop that measures the peak does not compile.\n${messages}`);
  await writeFile(join(folder, name), binary);
}

async function bundle() {
  const shared = { bundle: true, logLevel: /** @type {const} */ ('error'), target: 'es2022' };
  const entry = (/** @type {string} */ name) => join(root, 'test/perf', name);
  await build({
    ...shared,
    entryPoints: [entry('kernel-node.ts')],
    outfile: join(folder, 'kernel-node.mjs'),
    platform: 'node',
    format: 'esm',
  });
  await build({ ...shared, entryPoints: [entry('kernel-page.ts')], outfile: join(folder, 'page.js'), format: 'iife' });
  await build({ ...shared, entryPoints: [entry('kernel-worker.ts')], outfile: join(folder, 'worker.js'), format: 'iife' });
  await build({ ...shared, entryPoints: [entry('kernel.ts')], outfile: join(folder, 'kernel.mjs'), format: 'esm' });
}

const types = { wasm: 'application/wasm', mjs: 'text/javascript', js: 'text/javascript', html: 'text/html' };

/** Answers the page's requests from the benchmark's folder and the engines'. */
async function serve(/** @type {import('playwright-core').Page} */ page) {
  await page.route('http://bench.localhost/**', async (route) => {
    const path = normalize(new URL(route.request().url()).pathname);
    const scripts = [
      'onnxruntime-web/dist/ort.min.js',
      '@tensorflow/tfjs-core/dist/tf-core.min.js',
      '@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js',
    ]
      .filter((script) => existsSync(join(engines, 'node_modules', script)))
      .map((script) => `<script src="/engines/${script}"></script>`);
    if (path === sep)
      return route.fulfill({
        contentType: 'text/html',
        body: `<!doctype html>${scripts.join('')}<script src="/binaries/page.js"></script>`,
      });
    const file = path.startsWith(`${sep}engines${sep}`) ? join(engines, 'node_modules', path.slice(9)) : join(folder, path.slice(10));
    if (!existsSync(file)) return route.fulfill({ status: 404, body: '' });
    const extension = /** @type {keyof typeof types} */ (file.split('.').pop());
    return route.fulfill({ contentType: types[extension] ?? 'application/octet-stream', body: await readFile(file) });
  });
}

/** @returns {Promise<readonly import('../test/perf/kernel.ts').Row[]>} */
async function benchInChromium() {
  const browser = await launchChromium(log);
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(600_000);
    await serve(page);
    await page.goto('http://bench.localhost/');
    const client = await page.context().newCDPSession(page);
    await client.send('Performance.enable', { timeDomain: 'threadTicks' });
    /** CPU time of the page's thread so far, in milliseconds. */
    const cpu = async () => {
      const { metrics } = await client.send('Performance.getMetrics');
      return (metrics.find(({ name }) => name === 'ThreadTime')?.value ?? 0) * 1000;
    };
    const { race, summary } = /** @type {typeof import('../test/perf/kernel.ts')} */ (
      await import(pathToFileURL(join(folder, 'kernel.mjs')).href)
    );
    const call = (/** @type {string} */ name, /** @type {unknown[]} */ ...values) =>
      page.evaluate(([method, given]) => /** @type {any} */ (globalThis).bench[method](...given), /** @type {const} */ ([name, values]));
    const rows = [];
    const shapes = /** @type {readonly string[]} */ (await call('start', quick, brief));
    for (const [index, shape] of shapes.entries()) {
      if (only !== undefined && !shape.includes(only)) continue;
      const card = await call('take', index);
      if (card.elapsed) {
        const passed = (/** @type {number} */ contender, /** @type {number} */ repeats) => call('repeat', contender, repeats);
        const raced = await race('chromium', card, passed, budgetMs);
        rows.push(...raced);
        log(summary(raced));
        continue;
      }
      const raw = async (/** @type {number} */ contender, /** @type {number} */ repeats) => {
        const before = await cpu();
        await call('repeat', contender, repeats);
        return (await cpu()) - before;
      };
      const idle = [];
      for (let i = 0; i < 21; i++) idle.push(await raw(0, 0));
      const overhead = idle.sort((a, b) => a - b)[10] ?? 0;
      const stopwatch = async (/** @type {number} */ contender, /** @type {number} */ repeats) =>
        Math.max(0, (await raw(contender, repeats)) - overhead);
      const raced = await race('chromium', card, stopwatch, budgetMs);
      rows.push(...raced);
      log(summary(raced));
    }
    return rows;
  } finally {
    await browser.close();
  }
}

await mkdir(folder, { recursive: true });
await Promise.all([buildKernel(folder), buildPeak('peak.wasm', false), buildPeak('peak-relaxed.wasm', true), bundle()]);
if (!existsSync(join(engines, 'node_modules')))
  log(`No other engines in ${engines}: the head of scripts/bench-kernel.mjs says how to put them there.`);

/** @type {import('../test/perf/kernel.ts').Row[]} */
const rows = [];
if (!has('chromium')) {
  const { benchInNode } = /** @type {typeof import('../test/perf/kernel-node.ts')} */ (
    await import(pathToFileURL(join(folder, 'kernel-node.mjs')).href)
  );
  rows.push(...(await benchInNode({ binaries: folder, engines, quick, brief, only, budgetMs, log })));
}
if (!has('node')) {
  try {
    rows.push(...(await benchInChromium()));
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    log(`Not timed in Chromium: ${error.message}`);
  }
}

if (json) console.log(JSON.stringify(rows, undefined, 2));
else {
  const short = (/** @type {number | undefined} */ value) => (value === undefined ? '' : Number(value.toPrecision(3)));
  console.table(
    rows.map((row) => ({
      ...row,
      medianMs: short(row.medianMs),
      gflops: short(row.gflops),
      ratioToOnnxruntimeWeb: short(row.ratioToOnnxruntimeWeb),
      ...(row.ratioToOneWorker === undefined ? {} : { ratioToOneWorker: short(row.ratioToOneWorker) }),
    })),
  );
}
// tfjs-backend-wasm keeps a process alive.
process.exit(0);
