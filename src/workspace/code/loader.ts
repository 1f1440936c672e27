import { absoluteName, type SourceLoader } from '../../interpreter/program.ts';
import type { SourceFile } from '../../interpreter/value.ts';
import type { PythonModule } from '../../syntax/python/ast.ts';

/** Beyond this many files nothing more is read for one question. */
const maximumFiles = 20_000;

/** Files where modules are looked for. Paths are whole, with forward slashes; URIs serve as well. */
export interface SourceFiles {
  /** The text of a file as it is now; undefined where there is none that can be read. */
  text(path: string): string | undefined;
  /** Whether there is such a file or folder. */
  has(path: string): boolean;
  /** Whether a folder is the outermost in which modules are looked for. */
  isTop(folder: string): boolean;
}

type Parse = (text: string) => PythonModule;

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
export function sourceLoader(
  files: SourceFiles,
  parse: Parse,
  roots: PackageRoots,
  /** Folders that are searched last, for modules that no root has. */
  further: readonly string[] = [],
): FolderLoader {
  const known = new Map<string, SourceFile | undefined>();
  const folders = new Map(roots);
  const mentioned = new Map<string, boolean>();
  const above = new Map<string, string | undefined>();
  let count = 0;

  const read = (path: string, name: string, isPackage: boolean): SourceFile | undefined => {
    if (count >= maximumFiles) return undefined;
    try {
      const text = files.text(path);
      if (text === undefined) return undefined;
      const file: SourceFile = { path, name, isPackage, module: parse(text), isPrelude: false };
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
    for (const folder of [...further, ...holdersOf(moduleName)]) {
      const base = join(folder, ...moduleName.split('.'));
      yield [`${base}.py`, false];
      yield [join(base, '__init__.py'), true];
    }
  }

  /** The folders above the searched ones that hold a folder with the module's first name: packages need no `__init__.py`. */
  function holdersOf(moduleName: string): readonly string[] {
    const [first = '', ...rest] = moduleName.split('.');
    if (rest.length === 0) return [];
    return [...folders].flatMap(([root, folder]) => {
      if (root !== '') return [];
      const key = `${folder} ${first}`;
      if (!above.has(key)) above.set(key, holderAbove(files, folder, first));
      return above.get(key) ?? [];
    });
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
    const key = `${moduleName} ${word}`;
    let answer = mentioned.get(key);
    if (answer === undefined) {
      answer = looksFor(moduleName, word, new Set());
      mentioned.set(key, answer);
    }
    return answer;
  };
  /** Whether a module, or one that it takes all names of, may bind the word. True as well where nothing is known of it. */
  const looksFor = (moduleName: string, word: string, seen: Set<string>): boolean => {
    seen.add(moduleName);
    for (const [path, isPackage] of placesOf(moduleName)) {
      if (!files.has(path)) continue;
      // A package has modules under it as well.
      if (isPackage && isModuleIn(folderOf(path), word)) return true;
      const text = known.get(moduleName)?.module.text ?? files.text(path);
      if (text === undefined || mayBind(text, word)) return true;
      return starsOf(text).some(([level, module]) => {
        const from = absoluteName({ name: moduleName, isPackage }, level, module);
        return !seen.has(from) && looksFor(from, word, seen);
      });
    }
    return true;
  };
  const isModuleIn = (folder: string, name: string): boolean =>
    files.has(join(folder, `${name}.py`)) || files.has(join(folder, name, '__init__.py'));

  const open = (path: string): SourceFile | undefined => {
    const { name, root, folder } = placeOf(files, path);
    if (!folders.has(root)) folders.set(root, folder);
    const found = known.get(name);
    if (found?.path === path) return found;
    return read(path, name, baseName(path) === '__init__.py');
  };
  const nameOf = (path: string): string => {
    const { name, root, folder } = placeOf(files, path);
    if (!folders.has(root)) folders.set(root, folder);
    return name;
  };
  const forget: FolderLoader['forget'] = (path, text) => {
    mentioned.clear();
    above.clear();
    for (const [name, file] of known) {
      if (file?.path !== path) continue;
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

/** The modules of which a text takes all names: level and name, as written. */
const starsOf = (text: string): readonly (readonly [level: number, module: string])[] =>
  [...text.matchAll(/\bfrom[ \t]+(\.*)[ \t]*([\w.]*)\s+import[\s\\(]*\*/g)].map(([, dots = '', module = '']) => [dots.length, module]);

/** Whether a text may bind a name at its top level in such a way that `import *` takes it: judged by the lines that hold the word. */
export function mayBind(text: string, name: string): boolean {
  // Every module has its own `__file__`; other names that begin so are taken only where `__all__` holds them.
  if (/^__\w+__$/.test(name)) return false;
  if (name.startsWith('_')) return text.includes('__all__') && new RegExp(`(['"])${name}\\1`).test(text);
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + name.length)) {
    const end = at + name.length;
    if (isWordAt(text, at - 1) || isWordAt(text, end) || text[at - 1] === '.') continue;
    const newline = text.indexOf('\n', end);
    const before = text.slice(text.lastIndexOf('\n', at) + 1, at);
    if (before.includes('#')) continue;
    if (binds(before, text.slice(end, newline < 0 ? text.length : newline))) return true;
  }
  return false;
}

const isWordAt = (text: string, at: number): boolean => /^\w$/.test(text[at] ?? '');

/** Whether a line may bind the name that stands between these parts of it. */
const binds = (before: string, after: string): boolean =>
  /\b(?:def|class|type|as)[ \t]+$|\bas[ \t]*[([][\w., \t]*$|^[ \t]*(?:(?:from\b.*)?\bimport|global)\b/.test(before) ||
  (/^[ \t]*(?:async[ \t]+)?for\b/.test(before) && /\bin\b/.test(after)) ||
  /^[ \t]*:=/.test(after) ||
  // One of the targets of an assignment, or a line of an import's names.
  (/(?:^|[;:])[ \t]*(?:[*([]*[\w.]+[ \t]*[,=][ \t]*)*[*([]*$/.test(before) &&
    /^[ \t\r]*(?:$|[,:=)\]#\\]|as\b|[-+*/%@&|^<>]{1,3}=)/.test(after));

/** Loaders for the files of many folders. */
export interface FolderLoaders {
  /** The loader for what a file imports: it looks beside the file, or its outermost package, as Python does, then in the folders around that. */
  of(path: string): FolderLoader;
  /** Every loader that was made. */
  all(): Iterable<FolderLoader>;
}

export function sourceLoaders(files: SourceFiles, parse: Parse): FolderLoaders {
  const made = new Map<string, FolderLoader>();
  const repositories = new Map<string, string | undefined>();
  return {
    all: () => made.values(),
    of: (path) => {
      const { root, folder } = placeOf(files, path);
      const key = `${root} ${folder}`;
      let loader = made.get(key);
      if (loader === undefined) {
        const repository = root === '' ? repositoryOf(files, folder, repositories) : undefined;
        const further = root === '' ? foldersAbove(folder, repository) : [];
        if (repository !== undefined) further.push(join(repository, 'src'));
        loader = sourceLoader(files, parse, new Map([[root, folder]]), further);
        made.set(key, loader);
      }
      return loader;
    },
  };
}

/** Beyond this many folders above nothing is looked for where no folder is known to be the repository's. */
const maximumAbove = 3;

/** The folders around one, nearest first, up to the repository's: programs are started in any of them, and what they import begins there. */
function foldersAbove(folder: string, repository: string | undefined): string[] {
  const found: string[] = [];
  for (let at = folder; at !== repository && (repository !== undefined || found.length < maximumAbove); ) {
    const above = folderOf(at);
    if (above === at || above === '') break;
    found.push(above);
    at = above;
  }
  return found;
}

/** The folder above that holds the repository. */
function repositoryOf(files: SourceFiles, folder: string, known: Map<string, string | undefined>): string | undefined {
  if (known.has(folder)) return known.get(folder);
  const above = folderOf(folder);
  const found = files.isTop(folder) ? folder : above === folder ? undefined : repositoryOf(files, above, known);
  known.set(folder, found);
  return found;
}

/** How many folders up a package is looked for that is not around the file itself. */
const nearby = 3;

/** The nearest folder above a searched one that holds a folder of this name, where installed packages do not lie. */
function holderAbove(files: SourceFiles, searched: string, name: string): string | undefined {
  let folder = searched;
  for (let levels = 0; levels < 8 && !files.isTop(folder); levels++) {
    const isAround = baseName(folder) === name;
    const next = folderOf(folder);
    if (next === folder || isInstalled(next)) return undefined;
    folder = next;
    if (isAround || (levels < nearby && files.has(join(folder, name)))) return folder;
  }
  return undefined;
}

const isInstalled = (folder: string): boolean => /^(?:site|dist)-packages$/.test(baseName(folder));

/** The dotted name of a file by the packages around it, and the folder that the outermost of them lies in. */
function placeOf(files: SourceFiles, path: string): { readonly name: string; readonly root: string; readonly folder: string } {
  const parts = baseName(path) === '__init__.py' ? [] : [baseName(path).replace(/\.py$/, '')];
  let folder = folderOf(path);
  while (files.has(join(folder, '__init__.py')) && folder.includes('/')) {
    parts.unshift(baseName(folder));
    const above = folderOf(folder);
    if (above === folder) break;
    folder = above;
  }
  if (parts.length === 1 && isLoneLibraryFile(files, path)) {
    return { name: `transformers.models.${baseName(folder)}.${parts[0]}`, root: `transformers.models.${baseName(folder)}`, folder };
  }
  if (parts.length === 1) {
    // What it imports from folders above says that they are packages, too.
    const dots = [...(files.text(path) ?? '').matchAll(/^[ \t]*from[ \t]+(\.{2,})/gm)].map(([, { length } = '']) => length);
    for (let missing = Math.max(0, ...dots) - 1; missing > 0 && folder.includes('/') && !files.isTop(folder); missing--) {
      parts.unshift(baseName(folder));
      folder = folderOf(folder);
    }
  }
  // Beside an installed package lie others, whose sources would be read instead of what is known of them.
  const [top] = parts;
  if (parts.length > 1 && top !== undefined && isInstalled(folder)) {
    return { name: parts.join('.'), root: top, folder: join(folder, top) };
  }
  return { name: parts.join('.'), root: '', folder };
}

/** A modeling file that was taken out of transformers: it still imports relative to the package that it came from. */
const isLoneLibraryFile = (files: SourceFiles, path: string): boolean =>
  /^from \.\.\.(?:modeling_utils|configuration_utils|utils|activations)\b/m.test(files.text(path) ?? '');

const join = (folder: string, ...parts: readonly string[]): string => [folder.replace(/\/$/, ''), ...parts].join('/');

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** The folder that a file or folder lies in; of the root, itself. */
function folderOf(path: string): string {
  const end = path.lastIndexOf('/');
  return end > 0 ? path.slice(0, end) : end === 0 ? '/' : path;
}
