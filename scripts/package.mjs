// @ts-check
// Builds for production and packages headwise.vsix. `node scripts/package.mjs [--quiet]`
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../esbuild.mjs';
import { root, run } from './lib/process.mjs';

export const vsixPath = join(root, 'headwise.vsix');

/**
 * @param {(line: string) => void} log
 * @returns {Promise<string>} the package's path
 */
export async function packageExtension(log) {
  await build({ production: true, log });
  const vsce = join(root, 'node_modules/@vscode/vsce/vsce');
  const args = [vsce, 'package', '--no-dependencies', '--skip-license', '--out', vsixPath];
  const { code, output } = await run(process.execPath, args, { timeout: 120_000 });
  if (code !== 0) throw new Error(`vsce could not package the extension:\n${output}`);
  for (const line of output.trim().split('\n')) if (/warning/i.test(line)) log(line.trim());
  log(`packaged headwise.vsix  ${Math.ceil((await stat(vsixPath)).size / 1024)} KB`);
  return vsixPath;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await packageExtension(process.argv.includes('--quiet') ? () => {} : console.log);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
