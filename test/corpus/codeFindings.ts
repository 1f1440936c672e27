// Runs the analyser over Python files and prints what it finds: `codeFindings.cjs [--root PACKAGE=FOLDER] FILE-OR-FOLDER...`.
// `--all` prints warnings and information too; `--time` the slowest files. Bundle for Node with esbuild (packages external).
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { LineIndex } from '../../src/text/lineIndex.ts';
import { analyse } from '../../src/workspace/analyse.ts';
import { folderLoader, folderLoaders } from '../../src/workspace/code/node.ts';
import { pythonReader } from '../../src/workspace/python.ts';
import { defaultSettings } from '../../src/workspace/settings.ts';
import { pythonParser } from '../unit/python/parser.ts';

function* pythonFiles(path: string): Generator<string> {
  if (!statSync(path).isDirectory()) {
    if (path.endsWith('.py')) yield path;
    return;
  }
  for (const name of readdirSync(path).sort()) {
    const inside = join(path, name);
    if (name === '__pycache__' || name.startsWith('.')) continue;
    if (statSync(inside, { throwIfNoEntry: false })?.isDirectory() === true || name.endsWith('.py')) yield* pythonFiles(inside);
  }
}

async function main(): Promise<void> {
  const parser = await pythonParser();
  const reader = pythonReader(parser);
  const roots = new Map<string, string>();
  const paths: string[] = [];
  const flags = new Set<string>();
  const given = process.argv.slice(2);
  for (let i = 0; i < given.length; i++) {
    const word = given[i] as string;
    if (word === '--root') {
      const [name = '', folder = ''] = (given[++i] ?? '').split('=');
      roots.set(name, folder);
    } else if (word.startsWith('--')) flags.add(word);
    else paths.push(word);
  }
  // As the command line does: what a file imports lies beside it, or beside its outermost package.
  const loaders = roots.size === 0 ? folderLoaders(reader.parse) : undefined;
  const one = folderLoader(reader.parse, roots);
  let lines = 0;
  let files = 0;
  const counts = new Map<string, number>();
  const times: [number, string][] = [];
  for (const path of paths) {
    for (const file of pythonFiles(path)) {
      const text = readFileSync(file, 'utf8');
      const loader = loaders?.of(file) ?? one;
      const started = performance.now();
      const analysis = analyse(
        { text, path: relative(process.cwd(), file), python: reader, imports: { name: loader.nameOf(file), loader } },
        defaultSettings,
      );
      times.push([performance.now() - started, file]);
      files += 1;
      lines += text.split('\n').length;
      const index = new LineIndex(text);
      for (const { code, severity, message, range } of analysis.findings) {
        const key = `${code} ${severity}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
        if (severity === 'error' || severity === 'warning' || flags.has('--all')) {
          console.log(`${file}:${index.positionAt(range.start).line + 1}: ${severity} ${code} ${message}`);
        }
      }
    }
  }
  console.log(`${files} files, ${lines} lines, ${(times.reduce((sum, [time]) => sum + time, 0) / 1000).toFixed(1)} s`);
  for (const [key, count] of [...counts].sort()) console.log(`${key}: ${count}`);
  if (flags.has('--time'))
    for (const [time, file] of times.sort((a, b) => b[0] - a[0]).slice(0, 20)) console.log(`${time.toFixed(0)} ms ${file}`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
