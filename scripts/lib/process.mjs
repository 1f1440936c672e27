// @ts-check
// Starting and stopping what the scripts and tests need, with a timeout on everything.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's root, found from this file or from the bundle it became part of. */
export const root = findRoot();

function findRoot() {
  const start = typeof __filename === 'string' ? __filename : fileURLToPath(import.meta.url);
  for (let folder = dirname(start); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'headwise') return folder;
    if (dirname(folder) === folder) throw new Error(`No headwise checkout above ${start}`);
  }
}

/** Where fetched tools live: kept between runs, never committed. */
export const cacheFolder = process.env.HEADWISE_CACHE || join(root, '.cache');

/** @param {number} milliseconds */
export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** @returns {Promise<number>} a loopback port that was free a moment ago */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** @param {import('node:child_process').ChildProcess} child @param {NodeJS.Signals} signal */
function signalGroup(child, signal) {
  if (child.pid === undefined) return;
  try {
    // Started detached, the child leads a group of its own: its children stop with it.
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // Already gone.
  }
}

process.once('exit', () => {
  for (const child of running) signalGroup(child, 'SIGKILL');
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.once(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143));
}

/**
 * Starts a process that stops when this one does.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, onText?: (text: string) => void }} [options]
 */
export function start(command, args, { cwd = root, env = process.env, onText } = {}) {
  const child = spawn(command, args, { cwd, env, detached: process.platform !== 'win32', stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  /** @param {Buffer} chunk */
  const take = (chunk) => {
    const text = chunk.toString();
    output = (output + text).slice(-200_000);
    onText?.(text);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  /** @type {Promise<number>} */
  const exited = new Promise((resolve) => {
    child.once('error', (error) => {
      output += `${error.message}\n`;
      running.delete(child);
      resolve(127);
    });
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143));
    });
  });
  return {
    exited,
    output: () => output,
    async stop() {
      signalGroup(child, 'SIGTERM');
      const late = setTimeout(() => signalGroup(child, 'SIGKILL'), 3000);
      await exited;
      clearTimeout(late);
      // The leader may go before those it started.
      signalGroup(child, 'SIGKILL');
    },
  };
}

/**
 * Runs a process to its end.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeout?: number, onText?: (text: string) => void }} [options] timeout in ms
 * @returns {Promise<{ code: number, output: string }>} code 124 where the timeout passed
 */
export async function run(command, args, { timeout = 300_000, ...options } = {}) {
  const child = start(command, args, options);
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve(124), timeout);
  });
  const code = /** @type {number} */ (await Promise.race([child.exited, late]));
  clearTimeout(timer);
  if (code === 124) await child.stop();
  return { code, output: code === 124 ? `${child.output()}\nStopped after ${timeout / 1000} s.` : child.output() };
}

/**
 * Waits until `probe` gives something other than undefined.
 * @template T
 * @param {string} what names the thing waited for, for the message
 * @param {() => Promise<T | undefined> | T | undefined} probe
 * @param {{ timeout?: number, every?: number, detail?: () => string }} [options] in ms
 * @returns {Promise<T>}
 */
export async function waitFor(what, probe, { timeout = 40_000, every = 50, detail } = {}) {
  const end = Date.now() + timeout;
  /** @type {unknown} */
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      const reasons = [last instanceof Error ? last.message : '', detail?.() ?? ''].filter(Boolean).join('\n');
      throw new Error(`Waited ${timeout / 1000} s for ${what}.${reasons ? `\n${reasons}` : ''}`);
    }
    await pause(every);
  }
}
