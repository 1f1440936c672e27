import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import type { PythonModule } from '../../syntax/python/ast.ts';
import { type FolderLoader, type FolderLoaders, type PackageRoots, type SourceFiles, sourceLoader, sourceLoaders } from './loader.ts';

/** Bytes; larger files hold data. */
const maximumSize = 6_000_000;

/** Files of this machine; `edited` is the text of one that is being edited. */
const machineFiles = (edited: (path: string) => string | undefined): SourceFiles => ({
  text: (path) => {
    try {
      const found = statSync(path);
      return found.isFile() && found.size <= maximumSize ? (edited(path) ?? readFileSync(path, 'utf8')) : undefined;
    } catch {
      return undefined;
    }
  },
  has: existsSync,
  isTop: (folder) => existsSync(`${folder}/.git`),
});

/** A path of this machine as loaders write it. */
export const wholePath = (path: string): string => resolve(path).replaceAll(sep, '/');

/** Finds Python modules in folders of this machine, under paths as this machine writes them. */
export function folderLoader(parse: (text: string) => PythonModule, roots: PackageRoots): FolderLoader {
  const whole = new Map([...roots].map(([root, folder]) => [root, wholePath(folder)]));
  return ofMachine(
    sourceLoader(
      machineFiles(() => undefined),
      parse,
      whole,
    ),
  );
}

/** Loaders for the files of many folders of this machine. */
export function folderLoaders(
  parse: (text: string) => PythonModule,
  edited: (path: string) => string | undefined = () => undefined,
): FolderLoaders {
  const loaders = sourceLoaders(machineFiles(edited), parse);
  return { of: (path) => ofMachine(loaders.of(wholePath(path))), all: () => [...loaders.all()].map(ofMachine) };
}

const ofMachine = (loader: FolderLoader): FolderLoader => ({
  ...loader,
  open: (path) => loader.open(wholePath(path)),
  nameOf: (path) => loader.nameOf(wholePath(path)),
  forget: (path, text) => loader.forget(wholePath(path), text),
});
