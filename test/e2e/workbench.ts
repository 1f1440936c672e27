import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Frame, Locator, Page } from 'playwright-core';
import { launchChromium } from '../../scripts/lib/browser.mjs';
import { root, waitFor } from '../../scripts/lib/process.mjs';
import { startVsCodeServer } from '../../scripts/lib/vscode-server.mjs';

export type Theme = 'light' | 'dark';

const themeNames: Readonly<Record<Theme, string>> = { light: 'Default Light Modern', dark: 'Default Dark Modern' };

/** The footer in which the server's maker speaks of its own telemetry: left out of pictures of Headwise. */
const notOurs = '.gettingStartedContainer .footer, .getting-started-footer { visibility: hidden; }';

/** A VS Code server with the packaged extension in it, and a browser to look at it. */
export interface Lab {
  /** Opens a window of its own profile on a fresh copy of samples/. */
  open(theme: Theme, settings?: Readonly<Record<string, unknown>>): Promise<Workbench>;
  close(): Promise<void>;
}

/** @throws where the server, the package or the browser cannot be had; the message says which */
export async function startLab(): Promise<Lab> {
  const server = await startVsCodeServer({ log: console.log, vsix: join(root, 'headwise.vsix') });
  let browser: Browser;
  try {
    browser = await launchChromium(console.log);
  } catch (error) {
    await server.stop();
    throw error;
  }
  const workspaces: string[] = [];
  return {
    async open(theme, settings = {}) {
      // The folder's name is what the window's title shows.
      const parent = await mkdtemp(join(tmpdir(), 'headwise-e2e-'));
      workspaces.push(parent);
      const workspace = join(parent, 'samples');
      await cp(join(root, 'samples'), workspace, { recursive: true });
      await mkdir(join(workspace, '.vscode'), { recursive: true });
      const all = {
        'editor.minimap.enabled': false,
        'workbench.colorTheme': themeNames[theme],
        'files.exclude': { '**/.vscode': true },
        ...settings,
      };
      await writeFile(join(workspace, '.vscode/settings.json'), JSON.stringify(all, null, 2));
      const context = await browser.newContext({
        viewport: { width: 1100, height: 680 },
        colorScheme: theme,
        // VS Code's own language, for which it fetches no translations before it loads an extension.
        locale: 'en',
        permissions: ['clipboard-read', 'clipboard-write'],
      });
      const page = await context.newPage();
      page.setDefaultTimeout(40_000);
      await page.goto(`${server.origin}/?folder=${encodeURIComponent(workspace)}`, { timeout: 60_000, waitUntil: 'domcontentloaded' });
      await page.locator('.monaco-workbench .explorer-folders-view .monaco-list-row').first().waitFor({ timeout: 60_000 });
      return new Workbench(page, workspace, theme);
    },
    async close() {
      await browser.close();
      await server.stop();
      await Promise.all(workspaces.map((folder) => rm(folder, { recursive: true, force: true })));
    },
  };
}

/** One window of VS Code, driven as a person would: keys, clicks and what is on the screen. */
export class Workbench {
  readonly page: Page;
  readonly workspace: string;
  readonly theme: Theme;

  constructor(page: Page, workspace: string, theme: Theme) {
    this.page = page;
    this.workspace = workspace;
    this.theme = theme;
  }

  /** Opens a file of the workspace by its path, through Go to File. */
  async openFile(path: string): Promise<void> {
    await this.quickInput('Control+p', path);
    // Until the search has answered, the list holds recent files, perhaps of the same name.
    let row = this.page.locator('.quick-input-list .monaco-list-row').first();
    for (const part of path.split('/')) row = row.filter({ hasText: part });
    await row.waitFor();
    await this.page.keyboard.press('Enter');
    await this.editor.locator('.view-line').first().waitFor();
    await waitFor(`${path} to be the open editor`, async () => {
      const uri = await this.editor.getAttribute('data-uri');
      return uri?.endsWith(path) || undefined;
    });
  }

  /** The text editor that is shown. */
  get editor(): Locator {
    return this.page.locator('.editor-instance .monaco-editor[data-uri]').first();
  }

  /** Runs a command by its title from the palette. */
  async runCommand(title: string): Promise<void> {
    const row = this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: title }).first();
    // A palette that was opened before the extensions were there never lists their commands.
    await waitFor(`the command ${title}`, async () => {
      await this.quickInput('F1', `>${title}`);
      const isThere = await row.waitFor({ timeout: 5000 }).then(
        () => true,
        () => undefined,
      );
      if (isThere === undefined) await this.page.keyboard.press('Escape');
      return isThere;
    });
    await row.click();
  }

  /** Opens a quick input with a key and types into it. */
  async quickInput(key: string, text: string): Promise<void> {
    const input = this.page.locator('.quick-input-widget:visible input[type="text"]').first();
    await this.pressUntil(key, input);
    await input.fill(text);
  }

  /** Puts the cursor on a line and column, both from 1. */
  async goTo(line: number, column = 1): Promise<void> {
    await this.quickInput('Control+g', `:${line}:${column}`);
    await this.page.keyboard.press('Enter');
    await this.page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
  }

  /** The hovers that are shown. */
  get hover(): Locator {
    return this.page.locator('.monaco-hover:visible');
  }

  /** Rests the mouse on something until this hover shows. One that shows before its answer is there goes without it. */
  async hoverOver(target: Locator, hover: Locator): Promise<void> {
    await waitFor(
      'the hover to show',
      async () => {
        await this.page.mouse.move(0, 0);
        const box = await target.boundingBox();
        if (box === null) return undefined;
        await this.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 4 });
        return hover.waitFor({ timeout: 4000 }).then(
          () => true,
          () => undefined,
        );
      },
      { timeout: 60_000, every: 200 },
    );
  }

  /** The line, from 1, of the first text that is shown in the editor. */
  async lineOf(text: string): Promise<number> {
    const lines = await this.editor.locator('.view-line').evaluateAll((nodes) =>
      nodes
        .map((node) => ({ top: Number.parseFloat((node as HTMLElement).style.top), text: node.textContent ?? '' }))
        .sort((a, b) => a.top - b.top)
        .map((line) => line.text.replaceAll('\u00a0', ' ')),
    );
    const index = lines.findIndex((line) => line.includes(text));
    if (index < 0) throw new Error(`${text} is not shown in the editor`);
    return index + 1;
  }

  /** Presses a key until something shows: one pressed while VS Code is busy can be lost. */
  async pressUntil(key: string, target: Locator): Promise<void> {
    await waitFor(
      `${key} to take effect`,
      async () => {
        await this.page.keyboard.press(key);
        return target.waitFor({ timeout: 3000 }).then(
          () => true,
          () => undefined,
        );
      },
      { timeout: 45_000 },
    );
  }

  /** What VS Code's Startup Performance says of an extension: milliseconds to load its code, to call `activate` and to await it. */
  async activationTimes(id: string): Promise<readonly [number, number, number]> {
    await this.runCommand('Developer: Startup Performance');
    const row = this.page.locator('.view-line').filter({ hasText: `|\u00a0${id}\u00a0` });
    const cells = await waitFor(`${id} in the startup performance`, async () => {
      // Only the lines on the screen are in the page, so the editor's search brings the right one there.
      await this.page.keyboard.press('Control+f');
      await this.page.keyboard.insertText(`| ${id} `);
      await this.page.keyboard.press('Enter');
      const found = await row.first().textContent({ timeout: 2000 });
      return found?.split('|').map((cell) => Number(cell.replaceAll('\u00a0', ' ')));
    });
    const [load = Number.NaN, call = Number.NaN, finish = Number.NaN] = cells.slice(3, 6);
    return [load, call, finish];
  }

  async closeEditors(): Promise<void> {
    await this.runCommand('View: Close All Editors');
    await this.page.locator('.tabs-container .tab').first().waitFor({ state: 'detached' });
  }

  /** Waits for text in the clipboard that is as wanted. */
  async clipboard(wanted: (text: string) => boolean): Promise<string> {
    return waitFor('the clipboard', async () => {
      const text = await this.page.evaluate(() => navigator.clipboard.readText());
      return wanted(text) ? text : undefined;
    });
  }

  /** Waits until the file on disk is as wanted. */
  async savedText(path: string, wanted: (text: string) => boolean): Promise<void> {
    await waitFor(`${path} to be saved`, async () => wanted(await readFile(join(this.workspace, path), 'utf8')) || undefined);
  }

  /** A part of a line of the editor that holds exactly this text. */
  token(text: string): Locator {
    return this.editor.locator('.view-line span span').filter({ hasText: text }).first();
  }

  /** The first webview frame that holds `selector`. Webview content is two frames deep. */
  async webview(selector: string, timeout = 60_000): Promise<Frame> {
    return waitFor(
      `a webview with ${selector}`,
      async () => {
        for (const frame of this.page.frames().filter((each) => each !== this.page.mainFrame())) {
          if (
            (await frame
              .locator(selector)
              .count()
              .catch(() => 0)) > 0
          )
            return frame;
        }
        return undefined;
      },
      { timeout, every: 200 },
    );
  }

  /** Writes artifacts/screenshots/<name>-<theme>.png. */
  async screenshot(name: string): Promise<void> {
    const folder = join(root, 'artifacts/screenshots');
    await mkdir(folder, { recursive: true });
    await this.page.screenshot({ path: join(folder, `${name}-${this.theme}.png`), animations: 'disabled', caret: 'hide', style: notOurs });
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}

/** What an element says, with the non-breaking spaces of VS Code's editor as plain ones. */
export const textOf = async (target: Locator): Promise<string> => ((await target.textContent()) ?? '').replaceAll('\u00a0', ' ');
