// @ts-check
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureVsCodeServer } from './cache.mjs';
import { freePort, root, run, start, waitFor } from './process.mjs';

/** Settings that keep VS Code quiet: nothing fetched, nothing announced, nothing animated. */
export const quietSettings = {
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.reduceMotion': 'on',
  'workbench.welcomePage.walkthroughs.openOnInstall': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'editor.cursorBlinking': 'solid',
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'git.enabled': false,
  'json.schemaDownload.enable': false,
  'npm.autoDetect': 'off',
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
};

/** The environment without what an enclosing VS Code puts there for its own children. */
function cleanEnvironment() {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('VSCODE_') && name !== 'ELECTRON_RUN_AS_NODE');
  return { ...Object.fromEntries(entries), EXTENSIONS_GALLERY: '{}' };
}

/**
 * Starts VS Code's server on a free loopback port with a fresh profile.
 * @param {{
 *   log: (line: string) => void,
 *   vsix?: string,
 *   settings?: Record<string, unknown>,
 *   driver?: boolean,
 *   port?: number,
 * }} options `driver` lets a page run extension tests; it hides notifications, so it is off for walks through the UI
 */
export async function startVsCodeServer({ log, vsix, settings = {}, driver = false, port }) {
  const server = await ensureVsCodeServer(log);
  const dataDir = await mkdtemp(join(tmpdir(), 'headwise-vscode-'));
  const remove = () => rm(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  try {
    await mkdir(join(dataDir, 'data/Machine'), { recursive: true });
    await writeFile(join(dataDir, 'data/Machine/settings.json'), JSON.stringify({ ...quietSettings, ...settings }, null, 2));
    const env = cleanEnvironment();
    const common = ['--accept-server-license-terms', '--server-data-dir', dataDir, '--telemetry-level', 'off'];
    if (vsix !== undefined) {
      if (!existsSync(vsix)) throw new Error(`There is no package at ${vsix}.`);
      const install = [server.main, ...common, '--install-extension', vsix, '--force'];
      const { code, output } = await run(server.node, install, { env, timeout: 60_000 });
      if (code !== 0) throw new Error(`VS Code did not install ${vsix}:\n${output}`);
    }
    const chosen = port ?? (await freePort());
    const args = [server.main, ...common, '--host', '127.0.0.1', '--port', String(chosen), '--without-connection-token'];
    args.push('--disable-experiments', '--disable-workspace-trust', ...(driver ? ['--enable-smoke-test-driver'] : []));
    const child = start(server.node, args, { cwd: root, env });
    let ended = false;
    child.exited.then(() => {
      ended = true;
    });
    const origin = `http://127.0.0.1:${chosen}`;
    const stop = async () => {
      await child.stop();
      await remove();
    };
    try {
      await waitFor(
        `the VS Code server on ${origin}`,
        async () => ended || (await fetch(`${origin}/version`, { signal: AbortSignal.timeout(2000) })).ok || undefined,
        { timeout: 60_000, every: 100, detail: () => child.output().slice(-2000) },
      );
      if (ended) throw new Error(`The VS Code server ended at once:\n${child.output().slice(-2000)}`);
    } catch (error) {
      await stop();
      throw error;
    }
    return { origin, port: chosen, dataDir, exited: child.exited, output: child.output, stop };
  } catch (error) {
    await remove();
    throw error;
  }
}
