import assert from 'node:assert/strict';
import type { Browser, CDPSession, Locator, Page } from 'playwright-core';
import { launchChromium } from '../../scripts/lib/browser.mjs';
import { root, waitFor } from '../../scripts/lib/process.mjs';
import { createReferenceKernel } from '../../src/kernel/reference.ts';
import { runSample, type SampleRun } from '../../webview/preview/run.ts';
import { makeSample, type Sample } from '../../webview/preview/sample.ts';
import { effectiveDesign, type SampleSettings } from '../../webview/preview/settings.ts';
import type { Display } from '../../webview/preview/state.ts';
import type { DesignMessage, FromPreview, PreviewDesign, ToPreview } from '../../webview/protocol.ts';
import { type PageTheme, type PreviewServer, type PreviewServerOptions, startPreviewServer, themeScript } from './preview-server.ts';

export const grouped: PreviewDesign = {
  queryHeads: 8,
  keyValueHeads: 2,
  headDim: 64,
  valueDim: 64,
  causal: true,
  layers: 12,
  positions: 'rope',
};

export const designMessage = (design: Partial<PreviewDesign> = {}, rest: Partial<DesignMessage> = {}): DesignMessage => ({
  kind: 'design',
  title: 'samples/config.json',
  source: 'file:///samples/config.json',
  design: { ...grouped, ...design },
  warnings: [],
  ...rest,
});

/** What the page tells tests (window.headwisePreview), with its tensors as arrays. */
export interface Shown {
  readonly settings: SampleSettings;
  readonly display: Display;
  readonly opened: number | undefined;
  readonly kernel: string;
  readonly tokens: readonly string[];
  readonly size: number;
  readonly layers: number;
  readonly pooled: boolean;
  readonly maps: readonly number[];
  readonly output: readonly number[];
  readonly statistics: readonly Readonly<Record<string, number>>[];
}

/** Weights, statistics and output of the same sample by the TypeScript reference in this process. */
export function expected(design: PreviewDesign, settings: SampleSettings): { readonly sample: Sample; readonly run: SampleRun } {
  const sample = makeSample(effectiveDesign(design, settings), settings);
  return { sample, run: runSample(createReferenceKernel(), sample) };
}

export function assertNear(actual: ArrayLike<number>, reference: ArrayLike<number>, tolerance: number): void {
  assert.equal(actual.length, reference.length);
  for (let i = 0; i < reference.length; i++) {
    const [value, wanted] = [actual[i] as number, reference[i] as number];
    assert.ok(Math.abs(value - wanted) <= tolerance, `number ${i} is ${value}, the reference has ${wanted}`);
  }
}

/** The page, open in a browser. */
export class Preview {
  readonly page: Page;
  /** Scripts that the policy refused, errors and console errors. */
  readonly complaints: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (line) => {
      if (line.type() === 'error') this.complaints.push(line.text());
    });
  }

  async send(sent: ToPreview | Readonly<Record<string, unknown>>): Promise<void> {
    await this.page.evaluate((data) => window.postMessage(data, '*'), sent);
  }

  /** Sends bytes, which a message of a test cannot carry as such. */
  async sendFile(name: string, bytes: Uint8Array): Promise<void> {
    await this.page.evaluate(
      (data) => window.postMessage({ kind: 'file', name: data.name, uri: `file:///${data.name}`, bytes: Uint8Array.from(data.bytes) }, '*'),
      {
        name,
        bytes: [...bytes],
      },
    );
  }

  /** Waits until an expression holds in the page, asked from here: the page's policy forbids it to evaluate strings. */
  async until(expression: string): Promise<void> {
    await waitFor(expression, async () => ((await this.page.evaluate(expression)) ? true : undefined), { timeout: 60_000 });
  }

  /**
   * Processor time, in ms, of each task that the page's own thread ran while something was done, the longest first: what waits for
   * others on a busy machine does not count. Measured by Chromium's tracing.
   */
  async tasks(act: () => Promise<void>): Promise<readonly number[]> {
    const session: CDPSession = await this.page.context().newCDPSession(this.page);
    const events: TraceEvent[] = [];
    session.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])));
    const complete = new Promise<void>((resolve) => session.once('Tracing.tracingComplete', () => resolve()));
    await session.send('Tracing.start', {
      transferMode: 'ReportEvents',
      traceConfig: { includedCategories: ['toplevel', 'disabled-by-default-devtools.timeline', '__metadata'] },
    });
    await act();
    await session.send('Tracing.end');
    await complete;
    await session.detach();
    // Of the pages' threads the one that worked: other pages of the browser are idle.
    const threads = new Map<string, number[]>();
    for (const { name, args, pid, tid } of events)
      if (name === 'thread_name' && args?.name === 'CrRendererMain') threads.set(`${pid} ${tid}`, []);
    for (const { name, ph, pid, tid, tdur } of events)
      if (name.endsWith('RunTask') && ph === 'X' && tdur !== undefined) threads.get(`${pid} ${tid}`)?.push(tdur / 1000);
    const total = (each: readonly number[]): number => each.reduce((sum, time) => sum + time, 0);
    const times = [...threads.values()].sort((one, two) => total(two) - total(one))[0] ?? [];
    assert.ok(times.length > 10, `${times.length} tasks were seen`);
    return times.sort((a, b) => b - a);
  }

  read<T>(expression: string): Promise<T> {
    return this.page.evaluate(expression) as Promise<T>;
  }

  /** Waits until nothing is being computed and what is shown satisfies `until` (an expression over `p`, the page's report). */
  async settled(until = 'true'): Promise<Shown> {
    await this.until(`(() => { const p = window.headwisePreview; return p && p.result && !p.busy && !p.stale && (${until}); })()`);
    return this.read<Shown>(`(() => {
      const { settings, display, opened, result } = window.headwisePreview;
      const { kernel, tokens, size, layers, pooled, maps, output, statistics } = result;
      return {
        settings, display, opened, kernel, tokens, size, layers, pooled,
        maps: maps.length <= 60000 ? [...maps] : [], output: output.length <= 60000 ? [...output] : [], statistics,
      };
    })()`);
  }

  async design(change: Partial<PreviewDesign> = {}, rest: Partial<DesignMessage> = {}): Promise<Shown> {
    const message = designMessage(change, rest);
    await this.send(message);
    const { queryHeads, keyValueHeads } = message.design;
    return this.settled(`p.result.design.queryHeads === ${queryHeads} && p.result.design.keyValueHeads === ${keyValueHeads}`);
  }

  /** The trained sample model, which is what is shown where no file is open. */
  async trained(): Promise<Shown> {
    await this.send(designMessage({}, { source: '', title: 'Sample design' }));
    return this.settled(`p.settings.model === 'trained' && p.result.settings.model === 'trained'`);
  }

  sent(): Promise<readonly FromPreview[]> {
    return this.read('window.sent');
  }

  /** The bytes of the last file that was exported, once one of this name was. */
  async exported(name: string): Promise<Uint8Array> {
    await this.until(`window.sent.some((message) => message.kind === 'export' && message.name === '${name}')`);
    const text = await this.read<string>(`(() => {
      const { bytes } = window.sent.findLast((message) => message.kind === 'export' && message.name === '${name}');
      let text = '';
      for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
      return btoa(text);
    })()`);
    return new Uint8Array(Buffer.from(text, 'base64'));
  }

  text(selector: string): Promise<string> {
    return this.page.locator(selector).innerText();
  }

  field(id: string): Locator {
    return this.page.locator(`#${id}`).getByRole('textbox');
  }

  /** Picks an option of one of the page's drop-downs. */
  async choose(id: string, option: string): Promise<void> {
    await this.page.locator(`#${id}`).click();
    await this.page
      .locator(`#${id} vscode-option`)
      .filter({ hasText: new RegExp(`^\\s*${option.replace(/[()’.]/g, '\\$&')}\\s*$`) })
      .click();
  }

  /** Unfolds the controls of the sample, those of sizes, mask and scores, or those of colours and filters. */
  async unfold(id: 'sample-controls' | 'design-controls' | 'picture-controls'): Promise<void> {
    await this.page.locator(`#${id} > summary`).click();
  }

  /** Pixels of a head's canvas, as drawn. */
  pixels(head: number): Promise<readonly number[]> {
    return this.pixelsOf(`button[data-head="${head}"] canvas`);
  }

  pixelsOf(selector: string): Promise<readonly number[]> {
    return this.page.evaluate((query) => {
      const canvas = document.querySelector(query) as HTMLCanvasElement;
      const context = canvas.getContext('2d') as CanvasRenderingContext2D;
      return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
    }, selector);
  }

  /** One number (FNV-1a) for the pixels of a canvas too large to hand over. */
  fingerprint(selector: string): Promise<number> {
    return this.page.evaluate((query) => {
      const canvas = document.querySelector(query) as HTMLCanvasElement;
      const context = canvas.getContext('2d') as CanvasRenderingContext2D;
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      return data.reduce((hash, value) => Math.imul(hash ^ value, 0x01000193), 0x811c9dc5);
    }, selector);
  }
}

export interface OpenOptions {
  readonly url?: string;
  readonly init?: string;
  readonly width?: number;
  readonly height?: number;
  readonly reducedMotion?: 'reduce' | 'no-preference';
}

/** A browser and a server for one file of tests. */
export interface PreviewLab {
  readonly server: PreviewServer;
  open(theme?: PageTheme, options?: OpenOptions): Promise<Preview>;
  /** Runs a check, which fails where the page complained. */
  using(preview: Preview, check: (preview: Preview) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export async function startPreviewLab(options: PreviewServerOptions = {}): Promise<PreviewLab> {
  const browser: Browser = await launchChromium(console.log);
  const server = await startPreviewServer(root, options);
  return {
    server,
    async open(theme = 'vscode-light', { url, init, width = 1180, height = 860, reducedMotion = 'no-preference' } = {}) {
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: theme === 'vscode-dark' || theme === 'vscode-high-contrast' ? 'dark' : 'light',
        reducedMotion,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(40_000);
      await page.addInitScript(`
        window.sent = [];
        window.acquireVsCodeApi = () => ({
          postMessage: (message) => window.sent.push(message),
          getState: () => JSON.parse(sessionStorage.getItem('state') ?? 'null') ?? undefined,
          setState: (state) => sessionStorage.setItem('state', JSON.stringify(state)),
        });
        document.addEventListener('DOMContentLoaded', () => ${themeScript(theme)}, { once: true });
        ${init ?? ''}`);
      const preview = new Preview(page);
      await page.goto(url ?? server.url);
      await preview.until(`window.sent.some((message) => message.kind === 'ready')`);
      return preview;
    },
    async using(preview, check) {
      await check(preview);
      assert.deepEqual(preview.complaints, []);
      await preview.page.context().close();
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** The part of a processor's time, 0 to 1, that a busy process gets now. */
export function processorShare(): number {
  const started = performance.now();
  const before = process.cpuUsage();
  while (performance.now() - started < 200);
  const { user, system } = process.cpuUsage(before);
  return Math.min(1, (user + system) / 1000 / (performance.now() - started));
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds of the thread's own processor time. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}
