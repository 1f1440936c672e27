// @ts-check
// `npm start`: opens samples/ in a real VS Code with Headwise in it, the desktop's where there is one, else the VS Code server from npm.

import { join } from 'node:path';
import { build } from '../esbuild.mjs';
import { findDesktopCode, hasScreen } from './lib/desktop.mjs';
import { root, run } from './lib/process.mjs';
import { startVsCodeServer } from './lib/vscode-server.mjs';
import { packageExtension } from './package.mjs';

const samples = join(root, 'samples');
const code = hasScreen() && process.env.HEADWISE_DESKTOP !== '0' ? findDesktopCode() : undefined;

if (code !== undefined) {
  console.log('Building Headwise ...');
  await build();
  console.log(`Opening samples/ with ${code} ...`);
  const result = await run(code, ['--new-window', `--extensionDevelopmentPath=${root}`, samples], { timeout: 60_000 });
  if (result.code !== 0) console.error(result.output);
  process.exit(result.code);
}

console.log('No desktop VS Code was found: using the VS Code server from npm.');
console.log('Building and packaging Headwise ...');
const server = await serve().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
console.log(`\nHeadwise is open on ${server.origin}/?folder=${encodeURIComponent(samples)}\nCtrl-C stops it.`);
let stopping = false;
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.removeAllListeners(signal);
  process.once(signal, async () => {
    stopping = true;
    await server.stop();
    console.log('\nStopped.');
    process.exit(0);
  });
}
const ended = await server.exited;
if (!stopping) {
  console.error(`The VS Code server ended with code ${ended}.\n${server.output().slice(-2000)}`);
  await server.stop();
  process.exit(1);
}

async function serve() {
  return startVsCodeServer({
    log: console.log,
    vsix: await packageExtension(console.log),
    port: process.env.PORT ? Number(process.env.PORT) : undefined,
    settings: { 'workbench.welcomePage.walkthroughs.openOnInstall': true },
  });
}
