import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The licences of the packages whose code is in the bundles, as they ask to be passed on. Fails where a package has none.
 * @param {string} root the folder of node_modules
 * @param {Iterable<string>} inputs paths of bundled files, as esbuild's metafile names them
 * @returns {Promise<string>}
 */
export async function thirdPartyNotices(root, inputs) {
  const names = new Set();
  for (const input of inputs) {
    const [, name] = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input.replaceAll('\\', '/')) ?? [];
    if (name !== undefined) names.add(name);
  }
  // Packages under one licence text stand together.
  const byText = new Map();
  for (const name of [...names].sort()) {
    const folder = join(root, 'node_modules', name);
    const { version, license, homepage } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const file = (await readdir(folder)).find((each) => /^licen[cs]e(?:\.\w+)?$/i.test(each));
    const text = file === undefined ? `${license}` : (await readFile(join(folder, file), 'utf8')).trim().replace(/\r\n/g, '\n');
    if (file === undefined && license === undefined) throw new Error(`${name} says nothing of a licence.`);
    byText.set(text, [...(byText.get(text) ?? []), `${name} ${version}${homepage === undefined ? '' : ` (${homepage})`}`]);
  }
  const rule = '-'.repeat(80);
  const parts = [...byText].map(([text, packages]) => `${packages.join('\n')}\n\n${text}\n`);
  return `Headwise contains code of these packages.\n\n${parts.map((part) => `${rule}\n${part}`).join('\n')}`;
}
