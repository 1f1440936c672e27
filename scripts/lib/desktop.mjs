// @ts-check
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** @returns {string | undefined} the desktop VS Code's `code` command, where there is one */
export function findDesktopCode() {
  const names = process.platform === 'win32' ? ['code.cmd', 'code-insiders.cmd'] : ['code', 'code-insiders', 'codium'];
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const places = ['/Applications/Visual Studio Code.app/Contents/Resources/app/bin/code'];
  return [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...places].find((path) => existsSync(path));
}

/** Whether a desktop VS Code could open a window here. */
export function hasScreen() {
  return process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

/**
 * Whether extension tests run in the desktop, which @vscode/test-electron downloads. HEADWISE_DESKTOP=1 or 0 decides by hand.
 * Linux has the server from npm, which needs no screen and no download from elsewhere, so there it needs an installed `code` too.
 */
export function hasDesktop() {
  const chosen = process.env.HEADWISE_DESKTOP;
  if (chosen) return chosen === '1';
  return hasScreen() && (process.platform !== 'linux' || findDesktopCode() !== undefined);
}
