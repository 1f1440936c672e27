import { equal, match, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { waitFor } from '../../scripts/lib/process.mjs';
import { type Lab, startLab, type Theme, textOf, type Workbench } from './workbench.ts';

const themes: readonly Theme[] = ['dark', 'light'];
const plain = (text: string): string => text.replaceAll('\u202f', '');

describe('the shape calculator in VS Code', function () {
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

      const rows = (): Locator => code.page.locator('.quick-input-list .monaco-list-row');
      const input = (): Locator => code.page.locator('.quick-input-widget:visible input[type="text"]').first();
      const calculate = async (query: string): Promise<void> => {
        await code.runCommand('Headwise: Calculate Shapes');
        await input().fill(query);
      };

      /** Actions stand below the answers: the key up leads from the first row to the last. */
      const act = async (name: string): Promise<void> => {
        const row = rows().filter({ hasText: name });
        await waitFor(`the action ${name}`, async () => {
          await code.page.keyboard.press('ArrowUp');
          const focused = code.page.locator('.quick-input-list .monaco-list-row.focused').first();
          const text = await focused.textContent({ timeout: 1000 }).catch(() => '');
          return text?.includes(name) || undefined;
        });
        ok((await row.count()) > 0);
        await code.page.keyboard.press('Enter');
      };

      it('answers while one types, says what is wrong where, and opens the result with Enter', async () => {
        await calculate('d=4096 h=32 kv=8 T=4096 bf16');
        // K maps the width of 4096 to 8 heads x 128.
        await rows().filter({ hasText: 'K projection: [1024, 4096]' }).waitFor();
        await rows().filter({ hasText: 'Head dim: 128' }).waitFor();
        await code.screenshot('calculator');
        await input().fill('d=4096 h=33 kv=8 T=4096 bf16');
        const problem = rows().filter({ hasText: 'does not split into 33 heads' });
        await problem.waitFor();
        match(await textOf(problem), /d=4096 h=»33« kv=8/);
        // The last good answer stays.
        await rows().filter({ hasText: 'Head dim: 128' }).waitFor();
        await input().fill('llama3-8b T=32k B=4 h100');
        await rows().filter({ hasText: 'Scores per head: [32768, 32768]' }).waitFor();
        await code.page.keyboard.press('Enter');
        const frame = await code.webview('#steps-table');
        equal(plain(await frame.locator('tr[data-step="scores"] td').nth(1).innerText()), '[4, 32, 32768, 32768]');
        equal(
          plain((await frame.locator('table[data-table="totals"] tr[data-row="parameters"] .number').getAttribute('title')) ?? ''),
          '8030261248',
        );
        await code.page.keyboard.press('Control+b');
        await code.page.mouse.move(0, 0);
        await frame.locator('#cache-chart canvas').waitFor();
        await code.page.waitForTimeout(400);
        await code.screenshot('shapes');
        await frame.locator('#cards').evaluate((cards) => cards.scrollIntoView());
        await code.page.waitForTimeout(300);
        await code.screenshot('shapes-totals');
        await code.page.keyboard.press('Control+b');
      });

      it('keeps what it shows while it is hidden, and follows its config', async () => {
        await code.closeEditors();
        await code.openFile('qwen-good/config.json');
        await code.editor.locator('.codelens-decoration').filter({ hasText: '28 layers' }).first().waitFor({ timeout: 60_000 });
        await calculate('T=1k');
        await rows().filter({ hasText: 'Scores per head: [1024, 1024]' }).waitFor();
        await code.page.keyboard.press('Enter');
        let frame = await code.webview('#steps-table');
        equal(plain(await frame.locator('tr[data-step="keys"] td').nth(1).innerText()), '[1, 1024, 1024]');
        // The config again, in front of the panel.
        await code.page.locator('.tabs-container .tab').filter({ hasText: 'config.json' }).first().click();
        const text = '  "num_key_value_heads": ';
        await code.goTo(await code.lineOf(text), text.length + 1);
        await code.page.keyboard.press('Shift+ArrowRight');
        await code.page.keyboard.type('4');
        // 4 KV heads x 128.
        await waitFor('the panel to follow', async () => {
          const shape = await frame.locator('tr[data-step="keys"] td').nth(1).innerText();
          return plain(shape) === '[1, 1024, 512]' ? true : undefined;
        });
        await code.page.keyboard.press('Control+z');
        // Another editor in the panel's group hides the page; back in front it asks the same again.
        const panel = code.page.locator('.tabs-container .tab').filter({ hasText: 'Shapes' }).first();
        await panel.click();
        await code.runCommand('Help: Welcome');
        await waitFor('the page to be gone', async () => (frame.isDetached() ? true : undefined));
        await panel.click();
        frame = await code.webview('#steps-table');
        equal(plain(await frame.locator('tr[data-step="keys"] td').nth(1).innerText()), '[1, 1024, 1024]');
        await code.closeEditors();
      });

      it('comes back after a reload of the window with its question, and follows its config again', async () => {
        await code.closeEditors();
        await code.openFile('qwen-good/config.json');
        await code.editor.locator('.codelens-decoration').filter({ hasText: '28 layers' }).first().waitFor({ timeout: 60_000 });
        await calculate('T=1k kv=4');
        await rows().filter({ hasText: 'K projection: [512, 1024]' }).waitFor();
        await code.page.keyboard.press('Enter');
        let frame = await code.webview('#steps-table');
        await frame.locator('#exact').click();
        equal(plain(await frame.locator('tr[data-step="keys"] td').nth(1).innerText()), '[1, 1024, 512]');
        // An orderly reload, for which VS Code keeps what panels know.
        await code.runCommand('Developer: Reload Window');
        await waitFor('the window to be gone', async () => (frame.isDetached() ? true : undefined), { timeout: 60_000 });
        frame = await code.webview('tr[data-step="keys"]', 60_000);
        equal(await frame.locator('#query-first').evaluate((field) => (field as HTMLInputElement).value), 'T=1k kv=4');
        equal(plain(await frame.locator('tr[data-step="keys"] td').nth(1).innerText()), '[1, 1024, 512]');
        equal(await frame.locator('#exact').evaluate((box) => (box as HTMLInputElement).checked), true);
        match(plain(await frame.locator('#expression-first .base-name').innerText()), /config\.json/);
        await code.closeEditors();
      });

      it('writes sizes into the open config, and shapes into code', async () => {
        await code.closeEditors();
        await code.openFile('qwen-good/config.json');
        await code.editor.locator('.codelens-decoration').filter({ hasText: '28 layers' }).first().waitFor({ timeout: 60_000 });
        await calculate('kv=4 L=24');
        await rows().filter({ hasText: 'K projection: [512, 1024]' }).waitFor();
        await act('Insert as config keys');
        await waitFor('the values', async () => {
          const lines = await textOf(code.editor.locator('.view-lines'));
          return lines.includes('"num_key_value_heads": 4') && lines.includes('"num_hidden_layers": 24') ? true : undefined;
        });
        // Keys reach the editor once the focus is back in it.
        await waitFor('the values of before', async () => {
          await code.page.keyboard.press('Control+z');
          return (await code.editor.locator('.view-line').filter({ hasText: '"num_key_value_heads": 8' }).count()) > 0 ? true : undefined;
        });
        await calculate('T=1k');
        await rows().filter({ hasText: 'Scores per head: [1024, 1024]' }).waitFor();
        await act('Copy as Markdown');
        const copied = await code.clipboard((found) => found.includes('K projection'));
        // K and V of 8 heads x 128, in 28 layers, 2 bytes each.
        ok(copied.includes(`| ${(2 * 28 * 8 * 128 * 2).toLocaleString('en')} B |`), copied.slice(0, 2000));

        await code.openFile('model/attention.py');
        const source = await readFile(join(code.workspace, 'model/attention.py'), 'utf8');
        await code.goTo(source.slice(0, source.indexOf('class ')).split('\n').length);
        await calculate('d=768 h=12 T=1k B=2');
        await rows().filter({ hasText: 'Scores per head: [1024, 1024]' }).waitFor();
        await act('Insert as a shape comment');
        await code.editor.locator('.view-line').filter({ hasText: '# q: (2, 12, 1024, 64)' }).waitFor();
        await code.page.keyboard.press('Control+z');
      });
    });
  }
});
