// @ts-check
// Runs at the end of `npm ci` in a clone: builds, and links the clone's own command so that `npx headwise` starts it directly.
// It never fails the install: a source file that is half-edited is the next build's business.
import { lstat, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from '../esbuild.mjs';
import { root } from './lib/process.mjs';

try {
  await build();
} catch (error) {
  console.error(`headwise: not built yet. ${error instanceof Error ? error.message : error}`);
}

if (process.platform !== 'win32') {
  const link = join(root, 'node_modules/.bin/headwise');
  try {
    await mkdir(join(root, 'node_modules/.bin'), { recursive: true });
    await lstat(link).catch(() => symlink('../../bin/headwise.js', link));
  } catch {
    // npx finds the command by the manifest too, only more slowly.
  }
}
