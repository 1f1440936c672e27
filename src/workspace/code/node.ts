import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { SourceLoader } from '../../interpreter/program.ts';
import type { SourceFile } from '../../interpreter/value.ts';
import type { PythonModule } from '../../syntax/python/ast.ts';

/** Beyond this many files nothing more is read for one question. */
const maximumFiles = 20_000;
/** Bytes; larger files hold data. */
const maximumSize = 6_000_000;

export interface FolderLoader extends SourceLoader {
  /** The file at a path, under the dotted name that its place in packages gives it. Undefined when it cannot be read. */
  open(path: string): SourceFile | undefined;
  /** The dotted name by which other files import the one at this path; its package becomes a root. */
  nameOf(path: string): string;
  /** The file at a path is to be read again, unless it was read as this text already. */
  forget(path: string, text?: string): 'forgotten' | 'same' | 'unread';
}

/** Where packages lie: dotted name of a package to its folder; '' for a folder that holds packages and modules. */
export type PackageRoots = ReadonlyMap<string, string>;

/**
 * Finds Python modules in folders and parses them when they are asked for; nothing is executed. A root named '' is searched for any
 * module; the package of a file that was opened becomes a root.
 */
export function folderLoader(
  parse: (text: string) => PythonModule,
  roots: PackageRoots,
  /** The text of a file that is being edited. */
  edited: (path: string) => string | undefined = () => undefined,
  /** Folders that are searched last, for modules that no root has. */
  further: readonly string[] = [],
): FolderLoader {
  const known = new Map<string, SourceFile | undefined>();
  const folders = new Map(roots);
  const mentioned = new Map<string, boolean>();
  let count = 0;

  const read = (path: string, name: string, isPackage: boolean): SourceFile | undefined => {
    if (count >= maximumFiles) return undefined;
    try {
      const found = statSync(path);
      if (!found.isFile() || found.size > maximumSize) return undefined;
      const file: SourceFile = { path, name, isPackage, module: parse(edited(path) ?? readFileSync(path, 'utf8')), isPrelude: false };
      count += 1;
      known.set(name, file);
      return file;
    } catch {
      return undefined;
    }
  };

  /** Where a module may lie, in the order in which it is looked for; true for a package. */
  function* placesOf(moduleName: string): Generator<readonly [path: string, isPackage: boolean]> {
    if (!/^[\w.]+$/.test(moduleName)) return;
    for (const [root, folder] of folders) {
      if (root !== '' && moduleName !== root && !moduleName.startsWith(`${root}.`)) continue;
      const rest = (root === '' ? moduleName : moduleName.slice(root.length + 1)).split('.').filter(Boolean);
      const base = join(folder, ...rest);
      if (rest.length > 0) yield [`${base}.py`, false];
      yield [join(base, '__init__.py'), true];
    }
    for (const folder of further) {
      const base = join(folder, ...moduleName.split('.'));
      yield [`${base}.py`, false];
      yield [join(base, '__init__.py'), true];
    }
  }

  const load = (moduleName: string): SourceFile | undefined => {
    if (known.has(moduleName)) return known.get(moduleName);
    known.set(moduleName, undefined);
    for (const [path, isPackage] of placesOf(moduleName)) {
      const found = read(path, moduleName, isPackage);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  const mentions = (moduleName: string, word: string): boolean => {
    if (known.has(moduleName)) return true;
    const key = `${moduleName} ${word}`;
    let answer = mentioned.get(key);
    if (answer === undefined) {
      answer = looksFor(moduleName, word);
      mentioned.set(key, answer);
    }
    return answer;
  };
  const looksFor = (moduleName: string, word: string): boolean => {
    for (const [path, isPackage] of placesOf(moduleName)) {
      if (!existsSync(path)) continue;
      // A package has modules under it as well.
      if (isPackage) return true;
      try {
        const text = edited(path) ?? readFileSync(path, 'utf8');
        return text.includes(word) || /\bimport\s*\(?\s*\*/.test(text);
      } catch {
        return true;
      }
    }
    return true;
  };

  const open = (path: string): SourceFile | undefined => {
    const full = resolve(path);
    const { name, root, folder } = placeOf(full);
    if (!folders.has(root)) folders.set(root, folder);
    const found = known.get(name);
    if (found?.path === full) return found;
    return read(full, name, basename(full) === '__init__.py');
  };
  const nameOf = (path: string): string => {
    const { name, root, folder } = placeOf(resolve(path));
    if (!folders.has(root)) folders.set(root, folder);
    return name;
  };
  const forget: FolderLoader['forget'] = (path, text) => {
    const full = resolve(path);
    mentioned.clear();
    for (const [name, file] of known) {
      if (file?.path !== full) continue;
      if (text !== undefined && file.module.text === text) return 'same';
      known.delete(name);
      count -= 1;
      return 'forgotten';
    }
    // It may be one that was looked for.
    for (const [name, file] of known) if (file === undefined) known.delete(name);
    return 'unread';
  };
  return { load, mentions, open, nameOf, forget };
}

/** Loaders for the files of many folders. */
export interface FolderLoaders {
  /** The loader for what a file imports: it looks beside the file, or its outermost package, as Python does, then in the repository. */
  of(path: string): FolderLoader;
  /** Every loader that was made. */
  all(): Iterable<FolderLoader>;
}

export function folderLoaders(parse: (text: string) => PythonModule, edited?: (path: string) => string | undefined): FolderLoaders {
  const made = new Map<string, FolderLoader>();
  const repositories = new Map<string, string | undefined>();
  return {
    all: () => made.values(),
    of: (path) => {
      const { root, folder } = placeOf(resolve(path));
      const key = `${root} ${folder}`;
      let loader = made.get(key);
      if (loader === undefined) {
        const repository = root === '' ? repositoryOf(folder, repositories) : undefined;
        const further = repository === undefined ? [] : [repository, join(repository, 'src')].filter((each) => each !== folder);
        loader = folderLoader(parse, new Map([[root, folder]]), edited, further);
        made.set(key, loader);
      }
      return loader;
    },
  };
}

/** The folder above that holds the repository. */
function repositoryOf(folder: string, known: Map<string, string | undefined>): string | undefined {
  if (known.has(folder)) return known.get(folder);
  const above = dirname(folder);
  const found = existsSync(join(folder, '.git')) ? folder : above === folder ? undefined : repositoryOf(above, known);
  known.set(folder, found);
  return found;
}

/** The dotted name of a file by the packages around it, and the folder that the outermost of them lies in. */
function placeOf(path: string): { readonly name: string; readonly root: string; readonly folder: string } {
  const parts = basename(path) === '__init__.py' ? [] : [basename(path, '.py')];
  let folder = dirname(path);
  while (existsSync(join(folder, '__init__.py')) && folder.includes(sep)) {
    parts.unshift(basename(folder));
    const above = dirname(folder);
    if (above === folder) break;
    folder = above;
  }
  if (parts.length === 1 && isLoneLibraryFile(path)) {
    return { name: `transformers.models.${basename(folder)}.${parts[0]}`, root: `transformers.models.${basename(folder)}`, folder };
  }
  // Beside an installed package lie others, whose sources would be read instead of what is known of them.
  const [top] = parts;
  if (parts.length > 1 && top !== undefined && /^(?:site|dist)-packages$/.test(basename(folder))) {
    return { name: parts.join('.'), root: top, folder: join(folder, top) };
  }
  return { name: parts.join('.'), root: '', folder };
}

/** A modeling file that was taken out of transformers: it still imports relative to the package that it came from. */
function isLoneLibraryFile(path: string): boolean {
  try {
    return /^from \.\.\.(?:modeling_utils|configuration_utils|utils|activations)\b/m.test(readFileSync(path, 'utf8'));
  } catch {
    return false;
  }
}
