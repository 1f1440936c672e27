#!/usr/bin/env node
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const main = join(__dirname, '..', 'dist', 'cli', 'main.js');
if (!existsSync(main)) {
  // A clone where `npm ci` ran with --ignore-scripts. The notice goes to stderr: stdout belongs to the command.
  process.stderr.write('headwise: building first, this happens once.\n');
  const build = require('node:child_process').spawnSync(process.execPath, [join(__dirname, '..', 'esbuild.mjs'), '--quiet'], {
    stdio: ['ignore', 2, 2],
  });
  if (build.status !== 0 || !existsSync(main)) {
    process.stderr.write('headwise: the build failed; run `npm ci && npm run build` in the checkout.\n');
    process.exit(2);
  }
}
// Node 22 keeps compiled code between runs; Node 20 has no such function.
require('node:module').enableCompileCache?.();
require(main);
