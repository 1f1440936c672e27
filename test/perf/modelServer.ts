// What the server needs for model code: `modelServer.cjs FOLDER [--server=FILE] [--files=50] [--edits=4] [--node=FLAG...]`, where FOLDER
// is that of the package transformers 5.18.0 and FILE the built server (dist/server/main.js of the checkout unless said). Opens the
// largest modeling files over stdio, asks for their diagnostics, edits each, and prints the server's own memory and CPU time: what an
// answer to a keystroke takes, and what it takes until the server has followed all that the edit touches. Linux only: both are read
// from /proc. Bundle for Node with esbuild (packages external).
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { serverPath, TestClient } from '../lsp/client.ts';

const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

const mean = (values: readonly number[]): number => Math.round(values.reduce((sum, each) => sum + each, 0) / values.length);

/** MiB that the process holds, now and at most. */
function memoryOf(pid: number): { readonly now: number; readonly most: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name: string): number => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN) / 1024);
  return { now: read('VmRSS'), most: read('VmHWM') };
}

/** Milliseconds of CPU time that the process used, all threads together; the kernel counts in hundredths of a second. */
function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function main(): Promise<void> {
  const [folder = ''] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  const server = process.argv.find((word) => word.startsWith('--server='))?.slice('--server='.length) ?? serverPath;
  const option = (name: string, otherwise: number): number =>
    Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? otherwise);
  const count = option('files', 50);
  const models = join(folder, 'models');
  const files = readdirSync(models)
    .flatMap((name) =>
      statSync(join(models, name)).isDirectory() ? readdirSync(join(models, name)).map((file) => join(models, name, file)) : [],
    )
    .filter((path) => /modeling_\w+\.py$/.test(path))
    .map((path) => ({ uri: pathToFileURL(path).href, text: readFileSync(path, 'utf8') }))
    .sort((a, b) => b.text.length - a.text.length)
    .slice(0, count);
  const flags = process.argv.filter((word) => word.startsWith('--node=')).map((word) => word.slice('--node='.length));
  const client = await TestClient.start({ command: [process.execPath, ...flags, server, '--stdio'] });
  const pid = client.process.pid ?? 0;
  const before = processorTime(pid);
  for (const { uri, text } of files) {
    await client.open(uri, 'python', text);
    await client.pull(uri);
  }
  const opened = processorTime(pid) - before;
  const afterOpening = memoryOf(pid);
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 1;
    return seed % below;
  };
  const trips: number[] = [];
  const used: number[] = [];
  const wholeTrips: number[] = [];
  const wholeUsed: number[] = [];
  for (const { uri, text } of files) {
    // What the reader sees is what gets edited: the first look after others were shown does not count.
    await client.pull(uri);
    const places = [...text.matchAll(/(?<=\n {8})[a-z_]{3,}(?= = )|(?<= = self\.)\w+|(?<=, )\d+(?=\))/g)];
    for (let i = 0; i < option('edits', 4); i++) {
      const place = places[random(places.length)];
      if (place === undefined) continue;
      const at = place.index + place[0].length;
      const lines = text.slice(0, at).split('\n');
      const position = { line: lines.length - 1, character: lines.at(-1)?.length ?? 0 };
      const end = { ...position, character: position.character + 1 };
      for (const change of [
        { range: { start: position, end: position }, text: '1' },
        { range: { start: position, end }, text: '' },
      ]) {
        const [started, cpu, asked] = [performance.now(), processorTime(pid), client.refreshes.length];
        await client.change(uri, [change]);
        await client.pull(uri);
        trips.push(performance.now() - started);
        used.push(processorTime(pid) - cpu);
        // Where something was left, the client is asked to ask again; where nothing was, this takes what it takes to ask.
        for (let quiet = 0; quiet < 3 && client.refreshes.length === asked; ) {
          const before = processorTime(pid);
          await new Promise((resolve) => setTimeout(resolve, 50));
          quiet = processorTime(pid) === before ? quiet + 1 : 0;
        }
        wholeTrips.push(client.refreshes.length > asked ? performance.now() - started : (trips.at(-1) ?? 0));
        wholeUsed.push(processorTime(pid) - cpu);
      }
    }
  }
  const afterEditing = memoryOf(pid);
  // V8 gives memory back once nothing has happened for a while.
  await new Promise((resolve) => setTimeout(resolve, 40_000));
  const afterResting = memoryOf(pid);
  const figures = {
    'opening them, ms of CPU': opened,
    'memory with them open, MB': afterOpening.now,
    'the same at most, MB': afterOpening.most,
    'edit to diagnostics, p50 ms': Math.round(quantile(trips, 0.5)),
    'edit to diagnostics, p99 ms': Math.round(quantile(trips, 0.99)),
    'CPU of that, mean ms': mean(used),
    'the same, p99 ms': quantile(used, 0.99),
    'edit until all of it is followed, p50 ms': Math.round(quantile(wholeTrips, 0.5)),
    'edit until all of it is followed, p99 ms': Math.round(quantile(wholeTrips, 0.99)),
    'CPU of that, mean ms ': mean(wholeUsed),
    'memory after edits, MB': afterEditing.now,
    'the same at most, MB ': afterEditing.most,
    'memory after 40 s of rest, MB': afterResting.now,
  };
  for (const [name, value] of Object.entries(figures)) console.log(`${name.trim()}: ${value}`);
  await client.stop();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
