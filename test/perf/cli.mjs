// @ts-check
// How long the command line takes: `node test/perf/cli.mjs`. Builds nothing; needs dist/cli/main.js (`npm run build`).
// Each figure is the fastest of several runs of a new process: what else the machine does only ever adds.
// Fails where a limit is passed: 250 ms for a cold start, 1.5 s for the 229 files of the corpus. A machine on which Node alone takes
// longer than usual to start is busy with other things: the limits then grow in proportion.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const program = join(root, 'dist/cli/main.js');
const corpus = join(root, '../shared/corpus/configs');

const limits = { coldStart: 250, corpus: 1500 };

/** Milliseconds in which an idle machine starts Node 20. */
const idleNode = 50;

/**
 * @param {number} times
 * @param {readonly string[]} args
 * @returns {{ fastest: number, median: number, stdout: string }} milliseconds
 */
function measure(times, args) {
  const taken = [];
  let stdout = '';
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    const run = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 64 << 20, timeout: 60_000 });
    taken.push(performance.now() - start);
    if (run.error !== undefined || run.status === null || run.status > 1) throw new Error(`${args.join(' ')}: ${run.stderr}`);
    stdout = run.stdout;
  }
  taken.sort((a, b) => a - b);
  return { fastest: taken[0] ?? Number.NaN, median: taken[taken.length >> 1] ?? Number.NaN, stdout };
}

if (!existsSync(program)) throw new Error('dist/cli/main.js is not there: run `npm run build`.');
const folder = mkdtempSync(join(tmpdir(), 'headwise-perf-'));
try {
  const config = join(folder, 'config.json');
  writeFileSync(config, '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32}\n');
  /** @type {{ name: string, fastest: number, median: number, limit?: number }[]} */
  const rows = [
    { name: 'node alone', ...measure(10, ['-e', '0']) },
    { name: 'headwise --version', ...measure(10, [program, '--version']), limit: limits.coldStart },
    { name: 'headwise check of one file', ...measure(10, [program, 'check', config]), limit: limits.coldStart },
    { name: 'headwise shapes of one file', ...measure(10, [program, 'shapes', config]), limit: limits.coldStart },
  ];
  if (existsSync(corpus)) {
    const run = measure(5, [program, 'check', '--format', 'json', '--fail-on', 'never', corpus]);
    const { files } = JSON.parse(run.stdout);
    rows.push({ name: `headwise check of ${files} files`, ...run, limit: limits.corpus });
  } else console.log('Skipped: the corpus (../shared/corpus is not there).');
  console.log(
    `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, bundle of ${Math.round(statSync(program).size / 1024)} KB`,
  );
  const busy = Math.max(1, (rows[0]?.fastest ?? 0) / idleNode);
  if (busy > 1) console.log(`The machine is busy: limits are taken times ${busy.toFixed(1)}.`);
  for (const { name, fastest, median, limit } of rows) {
    const over = limit !== undefined && fastest > limit * busy;
    console.log(
      `${name.padEnd(30)} fastest ${fastest.toFixed(0).padStart(5)} ms   median ${median.toFixed(0).padStart(5)} ms${limit === undefined ? '' : `   limit ${limit} ms`}${over ? '   TOO SLOW' : ''}`,
    );
    if (over) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
