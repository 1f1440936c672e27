import { type Dirent, promises as fs } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { maximumLength, tooLarge } from '../syntax/read.ts';
import { alwaysSkipped, type IgnoreChain, noIgnores } from '../workspace/ignore.ts';
import { isNotebook } from '../workspace/notebook.ts';

/** Files open at one time. */
const concurrency = 16;

const extensions = /\.(jsonc?|ya?ml|toml|sh|gin|py|ipynb)$/i;

export interface FoundFile {
  /** As the user would write it: the argument, and what follows it, with forward slashes. */
  readonly name: string;
  /** Absolute path. */
  readonly path: string;
  /** Named on the command line, not found in a directory. */
  readonly named: boolean;
}

export interface Unread {
  readonly file: string;
  readonly reason: string;
  readonly named: boolean;
}

export interface WalkOptions {
  readonly gitignore: boolean;
  /** Absolute path -> settings exclude it. */
  readonly isExcluded: (path: string) => boolean;
}

export interface Walked {
  readonly files: readonly FoundFile[];
  readonly unread: readonly Unread[];
}

/**
 * The files that the arguments stand for, each once, in the order of the arguments and by name within a directory.
 * A file given by name is always looked at, unless a setting excludes it. Symbolic links to files are followed, to directories not.
 */
export async function findFiles(paths: readonly string[], options: WalkOptions): Promise<Walked> {
  const files = new Map<string, FoundFile>();
  const unread: Unread[] = [];
  const add = (file: FoundFile): void => {
    if (!files.has(file.path)) files.set(file.path, file);
  };
  for (const name of paths) {
    const path = resolve(name);
    const shown = slashes(name).replace(/^(\.\/+)+(?=.)/, '');
    try {
      const stat = await fs.stat(path);
      if (options.isExcluded(path)) continue;
      if (stat.isDirectory()) {
        const prefix = shown === '.' || shown === './' ? '' : shown.endsWith('/') ? shown : `${shown}/`;
        const ignores = options.gitignore ? await ignoresAbove(path) : undefined;
        await walk(path, prefix, ignores, options, add, unread);
      } else add({ name: shown, path, named: true });
    } catch (error) {
      unread.push({ file: shown, reason: reasonOf(error), named: true });
    }
  }
  return { files: [...files.values()], unread };
}

interface Ignores {
  readonly chain: IgnoreChain;
  /** Directory that the chain's paths are relative to. */
  readonly root: string;
}

/** The .gitignore files of the directories above, up to the repository that holds this one; none outside a repository's. */
async function ignoresAbove(directory: string): Promise<Ignores> {
  const above: string[] = [];
  let root = directory;
  for (let at = directory; ; at = dirname(at)) {
    if (await exists(join(at, '.git'))) {
      root = at;
      break;
    }
    if (dirname(at) === at) {
      above.length = 0;
      break;
    }
    if (dirname(at) !== at) above.push(dirname(at));
  }
  let chain = noIgnores;
  for (const at of above.reverse()) chain = await withIgnoreFile(chain, at, root);
  return { chain, root };
}

async function withIgnoreFile(chain: IgnoreChain, directory: string, root: string): Promise<IgnoreChain> {
  try {
    return chain.with(slashes(relative(root, directory)), await fs.readFile(join(directory, '.gitignore'), 'utf8'));
  } catch {
    return chain;
  }
}

async function walk(
  directory: string,
  prefix: string,
  ignores: Ignores | undefined,
  options: WalkOptions,
  add: (file: FoundFile) => void,
  unread: Unread[],
): Promise<void> {
  let entries: Dirent[];
  try {
    entries = await fs.readdir(directory, { withFileTypes: true });
  } catch (error) {
    unread.push({ file: prefix === '' ? '.' : prefix, reason: reasonOf(error), named: false });
    return;
  }
  let here = ignores;
  if (ignores !== undefined && entries.some((entry) => entry.name === '.gitignore' && entry.isFile())) {
    here = { root: ignores.root, chain: await withIgnoreFile(ignores.chain, directory, ignores.root) };
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(directory, entry.name);
    const name = prefix + entry.name;
    const isDirectory = entry.isDirectory();
    if (isDirectory ? alwaysSkipped.has(entry.name) : !extensions.test(entry.name)) continue;
    if (here?.chain.ignores(slashes(relative(here.root, path)), isDirectory) || options.isExcluded(path)) continue;
    if (isDirectory) {
      if (extensions.test(entry.name)) unread.push({ file: name, reason: 'It is a directory.', named: false });
      await walk(path, `${name}/`, here, options, add, unread);
    } else if (entry.isFile()) add({ name, path, named: false });
    else if (entry.isSymbolicLink() && (await isFile(path))) add({ name, path, named: false });
  }
}

const exists = (path: string): Promise<boolean> =>
  fs.access(path).then(
    () => true,
    () => false,
  );

const isFile = (path: string): Promise<boolean> =>
  fs.stat(path).then(
    (stat) => stat.isFile(),
    () => false,
  );

/** Notebooks hold pictures. */
const maximumNotebook = 100_000_000;

/** Bytes beyond which a file is not read. */
export const sizeLimit = (path: string): number => (isNotebook(path) ? maximumNotebook : maximumLength);

/** The bytes of a regular file within its size limit, or why there are none. */
export async function readBytes(path: string): Promise<Buffer | { readonly reason: string }> {
  try {
    // Opening a pipe would wait for its writer, so what it is comes first.
    const stat = await fs.stat(path);
    if (stat.isDirectory()) return { reason: 'It is a directory.' };
    if (!stat.isFile()) return { reason: 'It is not a regular file.' };
    const limit = sizeLimit(path);
    if (stat.size > limit) return { reason: tooLarge(stat.size, limit) };
    const bytes = await fs.readFile(path);
    return bytes.length > limit ? { reason: tooLarge(bytes.length, limit) } : bytes;
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

/** Everything on a stream, or why not. */
export async function readStream(stream: AsyncIterable<Buffer>): Promise<Buffer | { readonly reason: string }> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > maximumLength) return { reason: tooLarge(size) };
      chunks.push(chunk);
    }
  } catch (error) {
    return { reason: reasonOf(error) };
  }
  return Buffer.concat(chunks);
}

/** Runs `work` on every item, a bounded number at a time; results keep the items' order. */
export async function mapBounded<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index] as T);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, lane));
  return results;
}

export const slashes = (path: string): string => (sep === '/' ? path : path.split(sep).join('/'));

/** A system error in words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'There is no such file or directory.',
    EACCES: 'Permission denied.',
    EPERM: 'Permission denied.',
    EISDIR: 'It is a directory.',
    ENOTDIR: 'A part of its path is not a directory.',
    ELOOP: 'Its symbolic links form a loop.',
    ENAMETOOLONG: 'Its name is too long.',
    EMFILE: 'Too many files are open.',
  };
  return known[code] ?? (error instanceof Error ? error.message : String(error));
}
