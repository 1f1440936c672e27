import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Where the models, the mutations and the proof lie: the checkout is the working folder, as for every corpus script. */
export const folder = join(process.cwd(), 'test', 'planted');

interface Hunk {
  /** Part of a line: the removed lines are the first after it. Undefined: they stand once in the file. */
  readonly anchor: string | undefined;
  readonly old: readonly string[];
  readonly new: readonly string[];
}

/** One planted bug; its format is told in plant.py, which plants the same for the proof in PyTorch. */
export interface Mutation {
  readonly id: string;
  readonly model: string;
  readonly topic: string;
  readonly hunks: readonly Hunk[];
}

/** Zero-based lines of the mutated text, both inclusive. */
export interface Lines {
  readonly first: number;
  readonly last: number;
}

export interface Planted {
  readonly text: string;
  readonly changes: readonly Lines[];
}

/** What PyTorch did with a planted bug. */
export interface Proof {
  readonly result: 'crash' | 'changed' | 'train' | 'half' | 'latent';
  readonly run: string;
  readonly detail: string;
}

export interface Model {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

export const readModels = (kind: 'models' | 'variants'): readonly Model[] =>
  readdirSync(join(folder, kind))
    .filter((file) => file.endsWith('.py'))
    .sort()
    .map((file) => ({ name: basename(file, '.py'), path: file, text: readFileSync(join(folder, kind, file), 'utf8') }));

export const readProof = (): Readonly<Record<string, Proof>> =>
  JSON.parse(readFileSync(join(folder, 'proof.generated.json'), 'utf8')) as Record<string, Proof>;

/** Every mutation of every model, in the order of the files. */
export const readMutations = (): readonly Mutation[] =>
  readdirSync(join(folder, 'mutations'))
    .filter((file) => file.endsWith('.txt'))
    .sort()
    .flatMap((file) => parseMutations(basename(file, '.txt'), readFileSync(join(folder, 'mutations', file), 'utf8')));

function parseMutations(model: string, text: string): Mutation[] {
  return text
    .split(/^== /m)
    .slice(1)
    .map((section) => {
      const [heading = '', ...lines] = section.split('\n');
      const [name = '', topic = ''] = heading.split('|').map((part) => part.trim());
      return { id: `${model}/${name}`, model, topic, hunks: parseHunks(lines) };
    });
}

function parseHunks(lines: readonly string[]): Hunk[] {
  const hunks: { anchor: string | undefined; old: string[]; new: string[] }[] = [];
  for (const line of lines) {
    const last = hunks.at(-1);
    if (line.startsWith('@')) hunks.push({ anchor: line.slice(1).trim() || undefined, old: [], new: [] });
    else if (line.startsWith('-')) {
      if (last === undefined || last.new.length > 0) hunks.push({ anchor: undefined, old: [line.slice(1)], new: [] });
      else last.old.push(line.slice(1));
    } else if (line.startsWith('+')) last?.new.push(line.slice(1));
  }
  return hunks;
}

/** Plants one bug. Throws where the mutation does not fit the text: the two files are ours, and belong together. */
export function plant(text: string, { id, hunks }: Mutation): Planted {
  const lines = text.replace(/\n$/, '').split('\n');
  const places = hunks.map((hunk) => ({ hunk, at: placeOf(lines, hunk, id) })).sort((left, right) => left.at - right.at);
  const changes: Lines[] = [];
  let shift = 0;
  for (const { hunk, at } of places) {
    changes.push(changedLines(hunk, at + shift));
    lines.splice(at + shift, hunk.old.length, ...hunk.new);
    shift += hunk.new.length - hunk.old.length;
  }
  return { text: `${lines.join('\n')}\n`, changes };
}

function placeOf(lines: readonly string[], { anchor, old }: Hunk, id: string): number {
  const start = anchor === undefined ? 0 : lines.findIndex((line) => line.includes(anchor));
  if (start < 0) throw new Error(`${id}: no line holds ${anchor}`);
  const found = lines.flatMap((_, at) => (at >= start && old.every((line, step) => lines[at + step] === line) ? [at] : []));
  const [first] = found;
  if (first === undefined || (anchor === undefined && found.length > 1)) throw new Error(`${id}: ${found.length} places`);
  return first;
}

/** The lines of a hunk that really differ; for what is only taken out, the two lines around the gap. */
function changedLines({ old, new: inserted }: Hunk, at: number): Lines {
  const shorter = Math.min(old.length, inserted.length);
  let before = 0;
  while (before < shorter && old[before] === inserted[before]) before++;
  let after = 0;
  while (after < shorter - before && old[old.length - 1 - after] === inserted[inserted.length - 1 - after]) after++;
  const first = at + before;
  const last = at + inserted.length - 1 - after;
  return last >= first ? { first, last } : { first: Math.max(0, first - 1), last: first };
}
