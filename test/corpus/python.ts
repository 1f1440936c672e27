// What Python code of other projects gives: `python.cjs FOLDER...` prints, for each folder, how its files parse, what is read from them
// and every error and warning. Bundle this file for Node with esbuild (packages external) and run it in the checkout.
// `--edits` also checks that an edit says what a first parse says, in the 50 largest files.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { LineIndex } from '../../src/text/lineIndex.ts';
import { analyse, needsPython } from '../../src/workspace/analyse.ts';
import { pythonReader } from '../../src/workspace/python.ts';
import { defaultSettings } from '../../src/workspace/settings.ts';
import { pythonParser } from '../unit/python/parser.ts';

interface Source {
  readonly path: string;
  readonly text: string;
}

function sources(folder: string): readonly Source[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => name.endsWith('.py'))
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
}

const quantile = (values: readonly number[], q: number): string =>
  ([...values].sort((a, b) => a - b)[Math.floor(q * values.length)] ?? Number.NaN).toFixed(1);

async function main(folders: readonly string[], edits: boolean): Promise<void> {
  const parser = await pythonParser();
  const python = pythonReader(parser);
  for (const folder of folders) {
    const files = sources(folder);
    const characters = files.reduce((sum, { text }) => sum + text.length, 0);
    let unread = 0;
    const started = performance.now();
    for (const { path, text } of files) {
      const broken = parser.parse(text).units.filter(({ body }) => body.hasErrors).length;
      if (broken > 0) console.log(`${path}: ${broken} statements hold something that cannot be read`);
      unread += broken;
    }
    const rate = (performance.now() - started) / (characters / 1e6);
    const counts = new Map<string, number>();
    let configs = 0;
    let stacks = 0;
    for (const { path, text } of files) {
      if (!needsPython({ text, path })) continue;
      const { reading, findings } = analyse({ text, path, python }, defaultSettings);
      if (reading === undefined) continue;
      configs++;
      stacks += reading.designs.length;
      const lines = new LineIndex(text);
      for (const { severity, code, message, range } of findings) {
        counts.set(severity, (counts.get(severity) ?? 0) + 1);
        if (severity === 'error' || severity === 'warning')
          console.log(`${path}:${lines.positionAt(range.start).line + 1}: ${severity} ${code} ${message}`);
      }
    }
    const found = [...counts].map(([severity, count]) => `${count} ${severity}`).join(', ');
    console.log(
      `${folder}: ${files.length} files, ${(characters / 1e6).toFixed(1)} MB, ${rate.toFixed(0)} ms/MB, ${unread} statements unread;`,
    );
    console.log(`  ${configs} files with ${stacks} stacks; findings: ${found === '' ? 'none' : found}`);
    if (!edits) continue;
    const times: number[] = [];
    let different = 0;
    let seed = 1;
    const random = (below: number): number => {
      seed = (seed * 48271) % 2147483647;
      return seed % below;
    };
    for (const { path, text: original } of [...files].sort((a, b) => b.text.length - a.text.length).slice(0, 50)) {
      let text = original;
      let document = parser.open(text);
      for (let i = 0; i < 6; i++) {
        const at = random(text.length);
        const added = ['x', '1', '(', ':', '\n', '"', '', 'q'][random(8)] ?? '';
        text = text.slice(0, at) + added + text.slice(at + random(2));
        const before = performance.now();
        document = document.update(text);
        times.push(performance.now() - before);
        if (isDeepStrictEqual(document.module, parser.parse(text))) continue;
        different++;
        console.log(`${path}: an edit at ${at} gives another tree than a first parse`);
      }
      document.dispose();
    }
    console.log(`  ${times.length} edits: ${different} differ; p50 ${quantile(times, 0.5)} ms, p99 ${quantile(times, 0.99)} ms`);
  }
}

const given = process.argv.slice(2);
main(
  given.filter((argument) => !argument.startsWith('-')),
  given.includes('--edits'),
).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
