// Speed of reading model code: `modelCode.cjs FOLDER`, where FOLDER is that of the package transformers 5.18.0. `--json` prints figures
// only. Bundle for Node with esbuild (packages external), run in the checkout on a quiet machine. Ratios are to a plain parse of the
// same text in the same run.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inHaste } from '../../src/server/haste.ts';
import { analyse } from '../../src/workspace/analyse.ts';
import { folderLoader } from '../../src/workspace/code/node.ts';
import { pythonReader } from '../../src/workspace/python.ts';
import { defaultSettings } from '../../src/workspace/settings.ts';
import { pythonParser } from '../unit/python/parser.ts';

const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

/** Milliseconds that all threads of this process have been at work: what a busy machine does not change much. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const rounded = (value: number): number => Number(value.toFixed(1));

async function main(): Promise<void> {
  const [folder = ''] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  const parser = await pythonParser();
  const models = join(folder, 'models');
  const files = readdirSync(models)
    .flatMap((name) =>
      statSync(join(models, name)).isDirectory() ? readdirSync(join(models, name)).map((file) => join(models, name, file)) : [],
    )
    .filter((path) => /modeling_\w+\.py$/.test(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
  const loader = folderLoader((text) => parser.parse(text), new Map([['transformers', folder]]));
  const inputOf = (path: string) => ({ path, imports: { name: loader.nameOf(path), loader } });
  const parse = (text: string): number => {
    const started = performance.now();
    parser.parse(text);
    return performance.now() - started;
  };
  // What every file imports is read once, and the code is compiled.
  for (const { path, text } of files.slice(0, 12)) analyse({ ...inputOf(path), text, python: pythonReader(parser) }, defaultSettings);

  const near = files.filter(({ text }) => Math.abs(text.split('\n').length - 1000) < 60).slice(0, 15);
  const ratios = near.map(({ path, text }) => {
    parse(text);
    const plain = Math.min(parse(text), parse(text), parse(text));
    const whole = [1, 2, 3].map(() => {
      const started = performance.now();
      analyse({ ...inputOf(path), text, python: pythonReader(parser) }, defaultSettings);
      return performance.now() - started;
    });
    return { plain, whole: Math.min(...whole) };
  });

  const largest = [...files].sort((a, b) => b.text.length - a.text.length).slice(0, 50);
  /** CPU time of what is answered at once, and of all that follows from an edit: text that is new, and text that was there before. */
  const soon: number[] = [];
  const added: number[] = [];
  const undone: number[] = [];
  const reader = pythonReader(parser, 64);
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 1;
    return seed % below;
  };
  for (const { path, text } of largest) {
    const run = (version: string): number => {
      const cpu = processorTime();
      const hasty = analyse({ ...inputOf(path), text: version, python: reader, isOver: inHaste() }, defaultSettings);
      soon.push(processorTime() - cpu);
      if (hasty.code?.stale !== undefined) analyse({ ...inputOf(path), text: version, python: reader }, defaultSettings);
      return processorTime() - cpu;
    };
    analyse({ ...inputOf(path), text, python: reader }, defaultSettings);
    const places = [...text.matchAll(/(?<=\n {8})[a-z_]{3,}(?= = )|(?<= = self\.)\w+|(?<=, )\d+(?=\))/g)];
    for (let i = 0; i < 4; i++) {
      const place = places[random(places.length)];
      if (place === undefined) continue;
      const at = place.index + place[0].length;
      added.push(run(`${text.slice(0, at)}1${text.slice(at)}`));
      undone.push(run(text));
    }
  }
  globalThis.gc?.();
  const memory = process.memoryUsage().rss / 2 ** 20;
  const figures = {
    'analysis of about 1,000 lines, ms': rounded(
      quantile(
        ratios.map(({ whole }) => whole),
        0.5,
      ),
    ),
    'the same over its parse': rounded(
      quantile(
        ratios.map(({ plain, whole }) => whole / plain),
        0.5,
      ),
    ),
    'edit of the 50 largest, what is answered at once, CPU p50 ms': rounded(quantile(soon, 0.5)),
    'the same, p90 ms': rounded(quantile(soon, 0.9)),
    'the same, p99 ms': rounded(quantile(soon, 0.99)),
    'all that a new character touches, CPU p50 ms': rounded(quantile(added, 0.5)),
    'the same, p99 ms ': rounded(quantile(added, 0.99)),
    'all that taking it back touches, CPU p50 ms': rounded(quantile(undone, 0.5)),
    'the same, p99 ms  ': rounded(quantile(undone, 0.99)),
    'memory of this process, MB': Math.round(memory),
  };
  if (process.argv.includes('--json')) console.log(JSON.stringify(figures));
  else for (const [name, value] of Object.entries(figures)) console.log(`${name.trim()}: ${value}`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
