// @ts-check
// Writes l10n/bundle.l10n.json: every English text that the client (`l10n.t('...')`), the features or the pages (`t('...')`) write.
// `--check` only says whether the file is up to date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bundle = join(root, 'l10n/bundle.l10n.json');

/** @param {string} folder @returns {string[]} */
const sources = (folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => readFileSync(join(root, folder, name), 'utf8'));

/** Texts given to `t` or `l10n.t` as a literal; a call that builds its text cannot be translated and does not count. */
const call = /\b(?:l10n\.)?t\(\s*'((?:[^'\\\n]|\\.)*)'/g;

const texts = new Set();
for (const source of [...sources('src/extension'), ...sources('src/features'), ...sources('webview')])
  for (const match of source.matchAll(call)) texts.add((match[1] ?? '').replace(/\\(.)/g, '$1'));
// Named tables of nouns go through `t` by variable.
for (const match of readFileSync(join(root, 'src/features/fieldInfo.ts'), 'utf8').matchAll(
  /info\(\s*'((?:[^'\\]|\\.)*)',\s*'((?:[^'\\]|\\.)*)'/g,
))
  for (const text of match.slice(1, 3)) texts.add(text.replace(/\\(.)/g, '$1'));
const roles = /const roles[^{]*\{([^}]*)\}/.exec(readFileSync(join(root, 'src/features/summary.ts'), 'utf8'))?.[1] ?? '';
for (const match of roles.matchAll(/: '([^']*)'/g)) texts.add(match[1] ?? '');

const wanted = `${JSON.stringify(Object.fromEntries([...texts].sort().map((text) => [text, text])), undefined, 2)}\n`;
let current = '';
try {
  current = readFileSync(bundle, 'utf8');
} catch {
  // Not written yet.
}
if (process.argv.includes('--check')) {
  if (current !== wanted) {
    console.error('l10n/bundle.l10n.json is out of date: run `node scripts/generate-l10n.mjs`.');
    process.exitCode = 1;
  }
} else {
  writeFileSync(bundle, wanted);
}
