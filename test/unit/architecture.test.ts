import { deepEqual, ok } from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, join, posix, relative, sep } from 'node:path';

const root = process.cwd();

/** What each folder of src may import, besides itself. Anything not named here is refused, so a new folder is placed on purpose. */
const below: Readonly<Record<string, readonly string[]>> = {
  text: [],
  dims: [],
  kernel: [],
  syntax: ['text'],
  checkpoint: ['text', 'dims'],
  design: ['text', 'syntax', 'dims', 'checkpoint'],
  calculator: ['text', 'syntax', 'dims', 'design'],
  interpreter: ['text', 'syntax', 'dims', 'design'],
  annotations: ['text', 'syntax', 'dims', 'design', 'interpreter'],
  rules: ['text', 'syntax', 'dims', 'design', 'calculator', 'interpreter', 'annotations', 'checkpoint'],
  workspace: ['text', 'syntax', 'dims', 'design', 'calculator', 'interpreter', 'annotations', 'checkpoint', 'rules'],
  // What is shown has the types that the pages know it by.
  features: [
    'text',
    'syntax',
    'dims',
    'design',
    'calculator',
    'interpreter',
    'annotations',
    'checkpoint',
    'rules',
    'workspace',
    'protocol',
  ],
};
const everythingBelow = [...Object.keys(below)];

/** The outermost folders. The client and the pages reach the analyser through the protocol's types alone. */
const outermost: Readonly<Record<string, readonly string[]>> = {
  protocol: ['text'],
  server: [...everythingBelow, 'protocol'],
  cli: [...everythingBelow, 'protocol', 'server'],
  // ... and the client finds a checkpoint's layers for it.
  extension: ['protocol', 'kernel', 'text', 'webview', 'checkpoint'],
  // Arrays come from files too: the page reads their headers as a checkpoint's.
  webview: ['protocol', 'kernel', 'text', 'checkpoint'],
};

/** Whether `file`, under `folder`, may import `target` (another folder). */
function allowed(folder: string, target: string): boolean {
  return folder === target || (below[folder] ?? outermost[folder] ?? []).includes(target);
}

interface Import {
  readonly file: string;
  readonly specifier: string;
}

function sources(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'assembly' ? [] : sources(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

/** Every static, dynamic and type import of a file. Comments are dropped first, so that a documented import is not one. */
function importsOf(text: string): readonly string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const pattern = /(?:^|[^\w.$])(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?\s*['"]([^'"]+)['"]|(?:import|require)\(\s*['"]([^'"]+)['"]/gm;
  return [...code.matchAll(pattern)].map((found) => found[1] ?? found[2] ?? '');
}

const files = [...sources(join(root, 'src')), ...sources(join(root, 'webview'))].map((file) => relative(root, file).split(sep).join('/'));
const imports: readonly Import[] = files.flatMap((file) =>
  importsOf(readFileSync(join(root, file), 'utf8')).map((specifier) => ({ file, specifier })),
);

/** `src/rules/heads/x.ts` -> `rules`, `webview/preview/x.ts` -> `webview`. */
function folderOf(file: string): string {
  const [top = '', second = ''] = file.split('/');
  return top === 'src' ? second : top;
}

function refused(isRefused: (entry: Import) => boolean): readonly string[] {
  return imports.filter(isRefused).map(({ file, specifier }) => `${file} imports ${specifier}`);
}

describe('architecture', () => {
  it('sees the imports of every kind', () => {
    const text = [
      "import { a } from './a.ts';",
      "import type { B } from './b.ts';",
      "import './c.ts';",
      "export * from './d.ts';",
      "const e = await import('./e.ts');",
      "// import './not.ts';",
      'import {',
      '  f,',
      "} from './f.ts';",
    ].join('\n');
    deepEqual(importsOf(text), ['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts', './f.ts']);
    ok(imports.length > 20, `only ${imports.length} imports were found in ${files.length} files`);
  });

  it('keeps dependencies pointing one way', () => {
    deepEqual(
      refused(({ file, specifier }) => {
        if (!specifier.startsWith('.')) return false;
        const target = posix.join(posix.dirname(file), specifier);
        // The programs read their version from the manifest.
        if (target === 'package.json') return !['server', 'cli'].includes(folderOf(file));
        return !allowed(folderOf(file), folderOf(target));
      }),
      [],
    );
  });

  it('lets only the server, and the extension as its client, import LSP packages', () => {
    const homes: Readonly<Record<string, readonly string[]>> = {
      'vscode-languageserver': ['server'],
      'vscode-languageserver-textdocument': ['server'],
      'vscode-languageserver-types': ['server'],
      'vscode-languageserver-protocol': ['server'],
      'vscode-jsonrpc': ['server', 'extension'],
      'vscode-languageclient': ['extension'],
    };
    deepEqual(
      refused(({ file, specifier }) => {
        const home = homes[specifier.split('/')[0] ?? ''];
        return home !== undefined && !home.includes(folderOf(file));
      }),
      [],
    );
  });

  it('lets only the extension import vscode', () => {
    deepEqual(
      refused(({ file, specifier }) => specifier === 'vscode' && folderOf(file) !== 'extension'),
      [],
    );
  });

  it('lets only the command line and files named node.ts import Node', () => {
    deepEqual(
      refused(({ file, specifier }) => isBuiltin(specifier) && folderOf(file) !== 'cli' && basename(file) !== 'node.ts'),
      [],
    );
  });

  it('imports own files by their full name', () => {
    deepEqual(
      refused(({ specifier }) => specifier.startsWith('.') && !/\.(ts|json|css|wasm)$/.test(specifier)),
      [],
    );
  });
});
