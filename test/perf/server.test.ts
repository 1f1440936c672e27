import { ok } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { diagnostics } from '../../src/features/diagnostics.ts';
import { analyse } from '../../src/workspace/analyse.ts';
import { defaultSettings } from '../../src/workspace/settings.ts';
import { findCorpus } from '../corpus/corpus.ts';
import { TestClient } from '../lsp/client.ts';

const languages: Readonly<Record<string, string>> = {
  '.json': 'json',
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.toml': 'toml',
  '.gin': 'gin',
  '.sh': 'shellscript',
};

/** Keystrokes per config: an insertion and its deletion at each of these places. */
const places = 4;

/** From the change of a text to its diagnostics, in milliseconds. The bound; debounce is not part of it. */
const bound = 16;

interface Sample {
  readonly path: string;
  readonly text: string;
  readonly languageId: string;
}

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;

function report(what: string, times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  const p99 = quantile(sorted, 0.99);
  const figures = [`p50 ${quantile(sorted, 0.5).toFixed(2)}`, `p99 ${p99.toFixed(2)}`, `max ${(sorted.at(-1) ?? 0).toFixed(2)}`];
  console.log(`    ${what}: ${figures.join(', ')} ms over ${sorted.length}`);
  return p99;
}

/** Offsets at which a key is pressed, spread over the text. */
const offsets = (text: string): number[] => Array.from({ length: places }, (_, i) => Math.floor((text.length * (i + 0.5)) / places));

interface RoundTrips {
  readonly keystrokes: readonly number[];
  readonly empty: readonly number[];
}

async function overStdio(client: TestClient, samples: readonly Sample[]): Promise<RoundTrips> {
  const keystrokes: number[] = [];
  const empty: number[] = [];
  const time = async (into: number[], work: () => Promise<unknown>): Promise<void> => {
    const started = performance.now();
    await work();
    into.push(performance.now() - started);
  };
  const uriOf = (path: string): string => `file:///corpus/${path.split(/[\\/]/).map(encodeURIComponent).join('/')}`;
  // What is measured is typing, not the first second of a process: every file is opened once before.
  for (const { path, text, languageId } of samples) {
    await client.open(uriOf(path), languageId, text);
    await client.pull(uriOf(path));
  }
  for (const { path, text } of samples) {
    const uri = uriOf(path);
    for (const at of offsets(text)) {
      const start = client.document(uri).positionAt(at);
      const end = { line: start.line, character: start.character + 1 };
      for (const change of [
        { range: { start, end: start }, text: '7' },
        { range: { start, end }, text: '' },
      ]) {
        await time(keystrokes, async () => {
          await client.change(uri, [change]);
          await client.pull(uri);
        });
        await time(empty, () => client.pull('file:///corpus/not-open.json'));
      }
    }
  }
  return { keystrokes, empty };
}

const corpus = findCorpus();
if (corpus !== undefined) {
  describe('from a keystroke to its diagnostics', function () {
    this.timeout(120_000);
    const root = join(corpus, 'configs');
    const samples: Sample[] = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => extname(name) in languages)
      .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8'), languageId: languages[extname(path)] ?? 'json' }));

    it(`takes at most ${bound} ms in the process, at the 99th percentile`, () => {
      const wall: number[] = [];
      const work: number[] = [];
      // What is measured is typing, not the first second of a process: every file is opened once before.
      for (const { path, text, languageId } of samples) analyse({ text, path, languageId }, defaultSettings);
      for (const { path, text, languageId } of samples) {
        for (const at of offsets(text)) {
          const changed = `${text.slice(0, at)}7${text.slice(at)}`;
          const before = process.cpuUsage();
          const started = performance.now();
          diagnostics(analyse({ text: changed, path, languageId }, defaultSettings));
          const clock = performance.now() - started;
          const { user, system } = process.cpuUsage(before);
          wall.push(clock);
          // The clock counts what other programs take, the processor time what the engine's own other threads do meanwhile (compiling,
          // collecting garbage): the work itself is less than either.
          work.push(Math.min(clock, (user + system) / 1000));
        }
      }
      ok(wall.length >= samples.length * places);
      report('in the process, by the clock', wall);
      const p99 = report('in the process, the work itself', work);
      ok(p99 <= bound, `p99 is ${p99.toFixed(1)} ms`);
    });

    it(`takes at most ${bound} ms more than an empty request over stdio, at the 99th percentile`, async () => {
      const client = await TestClient.start({ rootUri: 'file:///corpus' });
      const { keystrokes, empty } = await overStdio(client, samples);
      await client.stop();
      ok(keystrokes.length >= 2 * samples.length * places);
      // Whatever else the machine does delays both alike.
      const idle = report('over stdio, empty requests', empty);
      const p99 = report('over stdio, keystrokes', keystrokes);
      ok(p99 - idle <= bound, `p99 is ${p99.toFixed(1)} ms, of an empty request ${idle.toFixed(1)} ms`);
    });
  });
}
