import { equal, match, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { type Lab, startLab, type Theme, type Workbench } from './workbench.ts';

/** What an element says, with the non-breaking spaces of VS Code's editor as plain ones. */
async function textOf(target: Locator): Promise<string> {
  return ((await target.textContent()) ?? '').replaceAll('\u00a0', ' ');
}

const themes: readonly Theme[] = ['dark', 'light'];

describe('Headwise in VS Code', function () {
  this.timeout(90_000);
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
        await squiggle.waitFor({ timeout: 30_000 });
        await code.hoverOver(squiggle);
        const hover = code.hover.filter({ hasText: 'HW101' });
        await hover.waitFor();
        match(await textOf(hover), /770/);
        await code.screenshot('diagnostics');
      });

      it('offers the head counts that fit, and applies one', async () => {
        await code.page.mouse.move(0, 0);
        await code.goTo(await code.lineOf('"n_head"'), 14);
        await code.page.keyboard.press('Control+.');
        const action = code.page.locator('.action-widget .monaco-list-row').filter({ hasText: /Use \d+ heads/ });
        await action.first().waitFor();
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
        await lens.waitFor({ timeout: 20_000 });
        match(await textOf(lens), /16 heads x 128 over 8 KV heads/);
        await code.editor.locator('.view-line').filter({ hasText: 'groups of 2' }).waitFor();
        equal(await code.editor.locator('.squiggly-error, .squiggly-warning').count(), 0);
        await code.screenshot('hints');
      });

      it('shows the shapes of a layer on hover', async () => {
        await code.hoverOver(code.token('num_attention_heads'));
        const hover = code.hover.filter({ has: code.page.locator('table') });
        await hover.waitFor();
        match(await textOf(hover), /2048/);
        await code.screenshot('hover');
        await code.page.mouse.move(0, 0);
      });

      it('previews the attention of the open design', async () => {
        await code.openFile('qwen-good/config.json');
        await code.runCommand('Headwise: Preview Attention');
        const frame = await code.webview('canvas');
        await frame.locator('canvas').first().waitFor();
        await code.screenshot('preview');
      });

      it('calculates shapes while one types', async () => {
        await code.runCommand('Headwise: Calculate Shapes');
        const input = code.page.locator('.quick-input-widget:visible input[type="text"]').first();
        await input.fill('d=4096 h=32 kv=8 T=4096 bf16');
        const rows = code.page.locator('.quick-input-list .monaco-list-row');
        await rows.filter({ hasText: '128' }).first().waitFor();
        const answer = (await rows.allTextContents()).join('\n');
        // K and V of 8 heads x 128 x 4096 tokens at 2 bytes: 16 MiB for one layer.
        match(answer, /16(\.0)? ?MiB|16,?777,?216/);
        // K projects 4096 to 8 x 128.
        match(answer, /1024/);
        await code.screenshot('calculator');
        await code.page.keyboard.press('Escape');
      });

      it('walks a newcomer through', async () => {
        await code.runCommand('Welcome: Open Walkthrough...');
        const row = code.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: 'Headwise' }).first();
        await row.click();
        await code.page.locator('.getting-started-step').first().waitFor();
        await code.screenshot('walkthrough');
      });

      it('activates in under 100 ms, by VS Code’s own clock', async () => {
        await code.runCommand('Developer: Show Running Extensions');
        const row = code.page.locator('.runtime-extensions-editor .extension').filter({ hasText: 'Headwise' }).first();
        await row.waitFor();
        const said = await textOf(row.locator('.activation-time'));
        const milliseconds = Number(/(\d+)\s*ms/.exec(said)?.[1]);
        ok(milliseconds < 100, `VS Code says: ${said}`);
        console.log(`    ${said.trim()}`);
      });
    });
  }
});
