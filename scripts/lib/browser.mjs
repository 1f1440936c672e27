// @ts-check
// A Chromium to test in: the machine's own, or Debian's package where it may be installed.
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './process.mjs';

/** Thrown where something the tests need cannot be had; the message says what and how to get it. */
export class Unavailable extends Error {}

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'microsoft-edge-stable', 'microsoft-edge'];

const places = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
];

/** @returns {string | undefined} path of a Chromium on this machine */
export function findChromium() {
  const named = process.env.HEADWISE_CHROMIUM;
  if (named) {
    if (!existsSync(named)) throw new Unavailable(`HEADWISE_CHROMIUM names ${named}, which does not exist.`);
    return named;
  }
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...places].find((path) => existsSync(path));
}

function isDebian() {
  try {
    return /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

/**
 * @param {(line: string) => void} log
 * @returns {Promise<string>} path of a Chromium, installed where that is possible
 */
export async function ensureChromium(log) {
  const found = findChromium();
  if (found) return found;
  if (isDebian() && process.getuid?.() === 0) {
    log('Installing Chromium with apt-get (a minute) ...');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
      const { code, output } = await run('apt-get', args, { env, timeout: 300_000 });
      if (code !== 0) log(`  apt-get ${args.join(' ')} failed: ${output.trim().split('\n').slice(-3).join(' ')}`);
    }
    const installed = findChromium();
    if (installed) return installed;
  }
  throw new Unavailable('No Chromium was found: install Chromium or Chrome, or set HEADWISE_CHROMIUM to one.');
}

/**
 * @param {(line: string) => void} log
 * @returns {Promise<import('playwright-core').Browser>} with a fresh profile
 */
export async function launchChromium(log) {
  const executablePath = await ensureChromium(log);
  const { chromium } = await import('playwright-core');
  return chromium.launch({
    executablePath,
    headless: true,
    timeout: 60_000,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
