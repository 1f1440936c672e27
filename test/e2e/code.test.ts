import { equal, match, ok } from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Locator } from 'playwright-core';
import { type Lab, startLab, type Theme, textOf, type Workbench } from './workbench.ts';

const themes: readonly Theme[] = ['dark', 'light'];

describe('Headwise on model code in VS Code', function () {
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

      const write = async (path: string, text: string): Promise<void> => {
        const file = join(code.workspace, path);
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, text);
      };
      const lens = (text: string): Locator => code.editor.locator('.codelens-decoration a').filter({ hasText: text }).first();

      it('shows shapes and what is wrong in the cells of a notebook', async () => {
        await code.quickInput('Control+p', 'notebook/experiment.ipynb');
        const row = code.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: 'experiment.ipynb' }).first();
        await row.waitFor();
        await code.page.keyboard.press('Enter');
        const cells = code.page.locator('.notebookOverlay .code-cell-row');
        const cell = cells.filter({ hasText: 'GatedFeedForward(nn.Module)' }).first();
        await cell.waitFor({ timeout: 60_000 });
        await cell.locator('.squiggly-error').first().waitFor({ timeout: 60_000 });
        // Its inner width is 3 x 512 by the default of the cell above.
        await cell.locator('.view-line').filter({ hasText: '(B, T, 1536)' }).first().waitFor();
        equal(await cells.filter({ hasText: 'matplotlib' }).locator('.squiggly-error, .squiggly-warning').count(), 0);
        const hover = code.hover.filter({ hasText: 'HW223' }).first();
        await code.hoverOver(cell.locator('.squiggly-error').first(), hover);
        await code.screenshot('notebook');
        await code.page.mouse.move(0, 0);
        await code.closeEditors();
      });

      it('completes a shape comment while it is typed', async () => {
        await code.openFile('model/attention.py');
        const text = await readFile(join(code.workspace, 'model/attention.py'), 'utf8');
        const line = text.split('\n').findIndex((each) => each.includes('k = k.view'));
        await code.goTo(line + 1, (text.split('\n')[line]?.length ?? 0) + 1);
        await code.editor.locator('.view-line').filter({ hasText: '(B, 12, T, 64)' }).first().waitFor({ timeout: 60_000 });
        await code.page.keyboard.type('  # ', { delay: 60 });
        const item = code.page.locator('.suggest-widget.visible .monaco-list-row').filter({ hasText: '(B, h, T, d)' }).first();
        await item.waitFor();
        await code.screenshot('shape-comment');
        await code.page.keyboard.press('Enter');
        await code.editor.locator('.view-line').filter({ hasText: '# (B, h, T, d)' }).nth(1).waitFor();
        await code.page.keyboard.press('Control+s');
        await code.savedText('model/attention.py', (now) => now.split('\n')[line]?.endsWith('.transpose(1, 2)  # (B, h, T, d)') === true);
        await code.closeEditors();
      });

      it('takes the numbers of a config that is chosen in a lens, and points at both files', async () => {
        await write(
          'sizes/modeling.py',
          'import torch.nn as nn\n\n\nclass FeedForward(nn.Module):\n    def __init__(self, config):\n        super().__init__()\n        self.up = nn.Linear(config.hidden_size, config.intermediate_size)\n        self.down = nn.Linear(config.ffn_size, config.hidden_size)\n\n    def forward(self, x):\n        hidden = self.up(x)\n        return self.down(hidden)\n\n\nmodel = FeedForward\n',
        );
        await write('sizes/tiny.json', '{\n  "hidden_size": 64,\n  "intermediate_size": 172,\n  "ffn_size": 170\n}\n');
        await write('sizes/config.json', '{\n  "hidden_size": 256,\n  "intermediate_size": 688,\n  "ffn_size": 688\n}\n');
        await code.openFile('sizes/modeling.py');
        await lens('numbers of config.json').waitFor({ timeout: 60_000 });
        await code.editor.locator('.view-line').filter({ hasText: '(B, T, 688)' }).first().waitFor();
        equal(await code.editor.locator('.squiggly-error, .squiggly-warning').count(), 0);
        await lens('numbers of config.json').click();
        const rows = code.page.locator('.quick-input-list .monaco-list-row');
        await rows.filter({ hasText: 'sizes/tiny.json' }).first().waitFor();
        await code.screenshot('choose-config');
        await rows.filter({ hasText: 'sizes/tiny.json' }).first().click();
        await lens('numbers of tiny.json').waitFor({ timeout: 60_000 });
        await code.editor.locator('.view-line').filter({ hasText: '(B, T, 172)' }).first().waitFor();
        const squiggle = code.editor.locator('.squiggly-warning').first();
        await squiggle.waitFor();
        const hover = code.hover.filter({ hasText: 'HW211' }).first();
        await code.hoverOver(squiggle, hover);
        match(await textOf(hover), /tiny\.json.*ffn_size is 170/s);
        await code.screenshot('two-files');
        await code.page.mouse.move(0, 0);
        await code.closeEditors();
      });

      it('previews the attention of a block, from the line above it', async () => {
        const text = await readFile(join(code.workspace, 'model/attention.py'), 'utf8');
        const mended = text
          .replace('math.sqrt(C)', 'math.sqrt(k.size(-1))')
          .replace('y.contiguous()', 'y.transpose(1, 2).contiguous()')
          .replace('nn.Linear(3 * config.width, config.width)', 'nn.Linear(4 * config.width, config.width)');
        await write('model/mended.py', mended);
        await code.openFile('model/mended.py');
        await code.goTo(mended.slice(0, mended.indexOf('class Block')).split('\n').length);
        await lens('pre-norm, 12 heads x 64, 7.1M parameters')
          .or(code.editor.locator('.codelens-decoration').filter({ hasText: '7.1M parameters' }).first())
          .first()
          .waitFor({ timeout: 60_000 });
        const line = code.editor.locator('.codelens-decoration').filter({ hasText: '7.1M parameters' }).first();
        match(await textOf(line), /pre-norm, 12 heads x 64, 7\.1M parameters.*Preview attention.*Calculate shapes/);
        await line.locator('a').filter({ hasText: 'Preview attention' }).click();
        const frame = await code.webview('button[data-head] canvas');
        ok((await frame.locator('button[data-head] canvas').count()) >= 12);
        await code.screenshot('block-preview');
        await code.closeEditors();
      });

      it('calculates with the sizes of a block', async () => {
        await code.openFile('model/mended.py');
        const line = code.editor.locator('.codelens-decoration').filter({ hasText: '7.1M parameters' }).first();
        const text = await readFile(join(code.workspace, 'model/mended.py'), 'utf8');
        await code.goTo(text.slice(0, text.indexOf('class Block')).split('\n').length);
        await line.waitFor({ timeout: 60_000 });
        await line.locator('a').filter({ hasText: 'Calculate shapes' }).click();
        // K maps the width of 768 to 12 heads x 64.
        await code.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: 'K projection: [768, 768]' }).waitFor();
        await code.screenshot('block-calculator');
        await code.page.keyboard.press('Escape');
      });
    });
  }
});
