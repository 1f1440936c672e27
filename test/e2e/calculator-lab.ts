import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { launchChromium } from '../../scripts/lib/browser.mjs';
import { root, waitFor } from '../../scripts/lib/process.mjs';
import type { ReportResult } from '../../src/protocol/calculator.ts';
import { answerReport, baseOf } from '../../src/server/calculator.ts';
import { analyse } from '../../src/workspace/analyse.ts';
import { useLayouts } from '../../src/workspace/node.ts';
import { defaultSettings } from '../../src/workspace/settings.ts';
import {
  type FromCalculator,
  isFromCalculator,
  isToCalculator,
  type PageQuestion,
  type ToCalculator,
} from '../../webview/calculator/messages.ts';
import type { PageState } from '../../webview/calculator/state.ts';
import { calculatorHtml } from '../../webview/html.ts';
import { type PageTheme, themeScript } from './preview-server.ts';

/** What the page tells tests (window.headwiseCalculator). */
export interface CalculatorShown {
  readonly state: PageState;
  readonly result: ReportResult | undefined;
  readonly shown: { readonly first: ReportResult['first']; readonly second?: ReportResult['first'] } | undefined;
  readonly failure: string;
  readonly busy: boolean;
}

/** A config of samples/ as the page names it. */
export const sampleBase = (path: string): Pick<PageQuestion, 'base' | 'name'> => ({
  base: { uri: pathToFileURL(join(root, 'samples', path)).href, design: '' },
  name: `samples/${path}`,
});

/** The page in a browser. Its questions are answered by the language server's own code, through the same guards as in the editor. */
export class CalculatorPage {
  readonly page: Page;
  readonly complaints: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (line) => {
      if (line.type() === 'error') this.complaints.push(line.text());
    });
  }

  async send(sent: ToCalculator | Readonly<Record<string, unknown>>): Promise<void> {
    await this.page.evaluate((data) => window.postMessage(data, '*'), sent);
  }

  /** Shows a question, as the palette does, and waits for its answer. */
  async open(question: Partial<PageQuestion>): Promise<CalculatorShown> {
    await this.send({ kind: 'open', question: { query: '', name: '', ...question } });
    return this.settled(`p.state.question.query === ${JSON.stringify(question.query ?? '')}`);
  }

  async until(expression: string): Promise<void> {
    await waitFor(expression, async () => ((await this.page.evaluate(expression)) ? true : undefined), { timeout: 60_000 });
  }

  read<T>(expression: string): Promise<T> {
    return this.page.evaluate(expression) as Promise<T>;
  }

  /** Waits until the last question was answered and what is shown satisfies `until` (an expression over `p`, the page's report). */
  async settled(until = 'true'): Promise<CalculatorShown> {
    await this.until(`(() => { const p = window.headwiseCalculator; return p && !p.busy && (${until}); })()`);
    return this.read<CalculatorShown>('window.headwiseCalculator');
  }

  /** Types a query into a side's field, as a person would. */
  async type(query: string, side: 'first' | 'second' = 'first'): Promise<CalculatorShown> {
    await this.page.locator(`#query-${side}`).getByRole('textbox').fill(query);
    return this.settled(`(${side === 'first' ? 'p.state.question' : 'p.state.question.second'}).query === ${JSON.stringify(query)}`);
  }

  sent(): Promise<readonly FromCalculator[]> {
    return this.read('window.sent');
  }

  text(selector: string): Promise<string> {
    return this.page.locator(selector).innerText();
  }

  /** The texts of a row's cells in the table of steps, thin blanks left out. */
  async step(id: string): Promise<readonly string[]> {
    const cells = await this.page.locator(`#steps-table tr[data-step="${id}"]`).first().locator('th, td').allInnerTexts();
    return cells.map((text) => text.replaceAll('\u202f', ''));
  }

  /** All digits of a quantity, whether the page shows them or keeps them for a hover. */
  async quantity(table: string, row: string, column = 0): Promise<string> {
    const cell = this.page.locator(`table[data-table="${table}"] tr[data-row="${row}"] td`).nth(column);
    const number = cell.locator('.number');
    const text =
      (await number.count()) > 0
        ? ((await number.first().getAttribute('title')) ?? (await number.first().innerText()))
        : await cell.innerText();
    return text.replaceAll('\u202f', '');
  }
}

export interface CalculatorLab {
  open(
    theme?: PageTheme,
    options?: { readonly width?: number; readonly height?: number; readonly reducedMotion?: 'reduce' | 'no-preference' },
  ): Promise<CalculatorPage>;
  /** Runs a check, which fails where the page complained. */
  using(page: CalculatorPage, check: (page: CalculatorPage) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

const types: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.css': 'text/css' };

/** A message of the page answered by the server's code; what is no message of the page is refused, as the extension does. */
async function answer(message: unknown): Promise<ToCalculator | undefined> {
  if (!isFromCalculator(message)) throw new Error(`the page sent ${JSON.stringify(message)}`);
  if (message.kind !== 'ask') return undefined;
  const { name: _, second, ...first } = message.question;
  const params = { ...first, ...(second === undefined ? {} : { second: { query: second.query, base: second.base } }) };
  const result = await answerReport(params, async (target) => {
    const path = new URL(target.uri);
    if (!existsSync(path)) return undefined;
    const analysis = analyse({ text: readFileSync(path, 'utf8'), path: path.pathname }, defaultSettings);
    return baseOf(analysis, analysis.reading?.designs ?? [], target);
  });
  // What the server sends passes through JSON.
  const reply: unknown = JSON.parse(
    JSON.stringify({ kind: 'report', asked: message.asked, result, failure: result === undefined ? 'The file holds no design.' : '' }),
  );
  if (!isToCalculator(reply)) throw new Error(`the guards refuse ${JSON.stringify(reply).slice(0, 2000)}`);
  return reply;
}

export async function startCalculatorLab(): Promise<CalculatorLab> {
  useLayouts();
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    if (path === '/') {
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const html = calculatorHtml({
        nonce: 'VGhlIHRlc3QgcGFnZSBuZWVkcyBubyBzZWNyZXQ',
        cspSource: origin,
        scriptUri: `${origin}/dist/webview/calculator.js`,
        styleUri: `${origin}/dist/webview/calculator.css`,
        debug: true,
      });
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
      return;
    }
    const file = join(root, path);
    if (!/^\/dist\/webview\/[\w.-]+$/.test(path) || !existsSync(file)) response.writeHead(path === '/favicon.ico' ? 204 : 404).end();
    else response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' }).end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const browser = await launchChromium(console.log);
  return {
    async open(theme = 'vscode-light', { width = 1180, height = 860, reducedMotion = 'no-preference' } = {}) {
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: theme === 'vscode-dark' || theme === 'vscode-high-contrast' ? 'dark' : 'light',
        reducedMotion,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(40_000);
      const made = new CalculatorPage(page);
      await page.exposeFunction('answer', async (message: unknown) => {
        try {
          return await answer(message);
        } catch (error) {
          made.complaints.push(String(error));
          return undefined;
        }
      });
      await page.addInitScript(`
        window.sent = [];
        window.acquireVsCodeApi = () => ({
          postMessage: (message) => {
            window.sent.push(message);
            window.answer(message).then((reply) => { if (reply) window.postMessage(reply, '*'); });
          },
          getState: () => JSON.parse(sessionStorage.getItem('state') ?? 'null') ?? undefined,
          setState: (state) => sessionStorage.setItem('state', JSON.stringify(state)),
        });
        document.addEventListener('DOMContentLoaded', () => ${themeScript(theme)}, { once: true });`);
      await page.goto(url);
      await made.until(`window.sent.some((message) => message.kind === 'ready')`);
      return made;
    },
    async using(page, check) {
      await check(page);
      assert.deepEqual(page.complaints, []);
      await page.page.context().close();
    },
    async close() {
      await browser.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
