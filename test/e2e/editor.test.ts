import { equal, match, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Lab, startLab, type Theme, textOf, type Workbench } from './workbench.ts';

/** The part of a processor's time, 0 to 1, that a busy process gets now. */
function processorShare(): number {
  const started = performance.now();
  const before = process.cpuUsage();
  while (performance.now() - started < 200);
  const { user, system } = process.cpuUsage(before);
  return Math.min(1, (user + system) / 1000 / (performance.now() - started));
}

const themes: readonly Theme[] = ['dark', 'light'];

describe('Headwise in VS Code', function () {
  this.timeout(240_000);
  let lab: Lab;
  before(async () => {
    lab = await startLab();
  });
  after(() => lab?.close());

  for (const theme of themes) {
    describe(`${theme} theme`, () => {
      let code: Workbench;
      before(async () => {
        code = await lab.open(theme);
      });
      afterEach(async function () {
        if (this.currentTest?.state === 'failed') await code.screenshot(`failed-${this.currentTest.title.replaceAll(/\W+/g, '-')}`);
      });
      after(() => code?.close());

      it('underlines a width that its heads do not divide, and says why on hover', async () => {
        await code.openFile('gpt2-wide/config.json');
        const squiggle = code.editor.locator('.squiggly-error').first();
        await squiggle.waitFor({ timeout: 60_000 });
        const hover = code.hover.filter({ hasText: 'HW101' }).first();
        await code.hoverOver(squiggle, hover);
        match(await textOf(hover), /770/);
        await code.screenshot('diagnostics');
      });

      it('offers the head counts that fit, and applies one', async () => {
        await code.page.mouse.move(0, 0);
        await code.goTo(await code.lineOf('"n_head"'), 14);
        const action = code.page.locator('.action-widget .monaco-list-row').filter({ hasText: /Use \d+ heads/ });
        await code.pressUntil('Control+.', action.first());
        await code.screenshot('quick-fix');
        const title = await textOf(action.first());
        await action.first().click();
        await code.editor.locator('.squiggly-error').first().waitFor({ state: 'detached' });
        await code.page.keyboard.press('Control+s');
        const heads = /\d+/.exec(title)?.[0];
        await code.savedText('gpt2-wide/config.json', (text) => text.includes(`"n_head": ${heads}`));
        const saved: { n_head: number; n_embd: number } = JSON.parse(await readFile(join(code.workspace, 'gpt2-wide/config.json'), 'utf8'));
        equal(saved.n_embd % saved.n_head, 0);
      });

      it('shows the design in a lens and what the numbers amount to', async () => {
        await code.openFile('qwen-good/config.json');
        const lens = code.editor.locator('.codelens-decoration').filter({ hasText: '28 layers' }).first();
        await lens.waitFor({ timeout: 60_000 });
        match(await textOf(lens), /16 heads x 128 over 8 KV heads/);
        await code.editor.locator('.view-line').filter({ hasText: 'groups of 2' }).waitFor();
        equal(await code.editor.locator('.squiggly-error, .squiggly-warning').count(), 0);
        await code.screenshot('hints');
      });

      it('shows the shapes of a layer on hover', async () => {
        const hover = code.hover.filter({ has: code.page.locator('table') }).first();
        await code.hoverOver(code.token('num_attention_heads'), hover);
        match(await textOf(hover), /2048/);
        await code.screenshot('hover');
        await code.page.mouse.move(0, 0);
      });

      it('reads model code: shapes after each tensor, and what is wrong with them', async () => {
        await code.openFile('model/attention.py');
        const text = await readFile(join(code.workspace, 'model/attention.py'), 'utf8');
        await code.goTo(text.slice(0, text.indexOf('scores = q @ k')).split('\n').length, 9);
        await code.editor.locator('.squiggly-error').first().waitFor({ timeout: 60_000 });
        // Twelve heads of 64, by the config's defaults.
        await code.editor.locator('.view-line').filter({ hasText: '(B, 12, T, 64)' }).first().waitFor();
        const squiggle = code.editor.locator('.squiggly-error').first();
        const hover = code.hover.filter({ hasText: 'HW151' }).first();
        await code.hoverOver(squiggle, hover);
        await code.screenshot('code');
        await code.page.mouse.move(0, 0);
      });

      it('previews the attention of the open design, and follows its edits', async () => {
        await code.closeEditors();
        await code.openFile('qwen-good/config.json');
        await code.runCommand('Headwise: Preview Attention');
        const frame = await code.webview('button[data-head] canvas');
        await frame.getByText('weights computed in').waitFor();
        equal(await frame.locator('button[data-head] canvas').count(), 16);
        const head = frame.locator('button[data-head="0"] canvas');
        const box = await head.boundingBox();
        ok(box !== null);
        // The first query of a causal model attends to itself alone, so that weight is 1 whatever the sample is.
        await head.hover({ position: { x: 1, y: 1 } });
        match(await textOf(frame.locator('.tip')), /query 0 .* key 0 .* 1$/);
        await head.hover({ position: { x: box.width - 2, y: 1 } });
        match(await textOf(frame.locator('.tip')), /hidden by the mask$/);
        await code.page.mouse.move(0, 0);
        await code.page.keyboard.press('Control+b');
        await code.screenshot('preview');
        await code.page.keyboard.press('Control+b');

        await code.page.locator('.tabs-container .tab').filter({ hasText: 'config.json' }).first().click();
        const text = '  "num_key_value_heads": ';
        await code.goTo(await code.lineOf(text), text.length + 1);
        await code.page.keyboard.press('Shift+ArrowRight');
        await code.page.keyboard.type('4');
        await frame.getByText('4 KV heads').waitFor();
        await code.page.keyboard.press('Control+z');
        await frame.getByText('8 KV heads').waitFor();
      });

      it('walks a newcomer through', async () => {
        await code.closeEditors();
        await code.runCommand('Welcome: Open Walkthrough...');
        const row = code.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: 'Headwise' }).first();
        await row.click();
        await code.page.locator('.getting-started-step').first().waitFor();
        await code.page.keyboard.press('Control+b');
        // The step's page is a webview of its own, which loads after the step shows.
        await code.webview('table, pre, img, h1, h2, p');
        await code.page.waitForTimeout(500);
        await code.screenshot('walkthrough');
        await code.page.keyboard.press('Control+b');
      });
    });
  }

  // A suite of its own, for tests beside suites run before them.
  describe('activation', () => {
    it('takes under 100 ms, by VS Code’s own clock', async () => {
      const code = await lab.open('dark');
      try {
        await code.openFile('qwen-good/config.json');
        await code.editor.locator('.codelens-decoration').filter({ hasText: '28 layers' }).first().waitFor({ timeout: 60_000 });
        const [load, call, finish] = await code.activationTimes('headwise.headwise');
        const share = processorShare();
        // `load` runs from the moment when every extension for JSON begins to load until this one has, so it holds the others' too;
        // what this one has to load is held small by a test of the package.
        console.log(
          `    load ${load} ms (with its neighbours), call ${call} ms, finish ${finish} ms, at ${Math.round(share * 100)} % of a processor`,
        );
        ok((call + finish) * share < 100);
      } finally {
        await code.close();
      }
    });
  });
});
