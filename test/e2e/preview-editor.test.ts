import assert from 'node:assert/strict';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Frame } from 'playwright-core';
import { root, waitFor } from '../../scripts/lib/process.mjs';
import { readLink } from '../../src/extension/previewLink.ts';
import { createReferenceKernel } from '../../src/kernel/reference.ts';
import { readArrays } from '../../webview/preview/arrays.ts';
import { runSample } from '../../webview/preview/run.ts';
import { makeSample } from '../../webview/preview/sample.ts';
import { freshSettings } from '../../webview/preview/settings.ts';
import type { PreviewDesign } from '../../webview/protocol.ts';
import { type Case, folderWith, goldenCheckpoints, loadCheckpoint, readConfig, safetensors } from '../unit/webview/checkpoint-file.ts';
import { assertNear, expected } from './preview-lab.ts';
import { type Lab, startLab, type Workbench } from './workbench.ts';

/** samples/qwen-good/config.json in the preview's words. */
const qwen: PreviewDesign = {
  queryHeads: 16,
  keyValueHeads: 8,
  headDim: 128,
  valueDim: 128,
  causal: true,
  layers: 28,
  positions: 'rope',
  rotaryDim: 128,
  ropeTheta: 1_000_000,
};

/** Picks an option of a drop-down of the page. */
async function choose(frame: Frame, id: string, option: string): Promise<void> {
  await frame.locator(`#${id}`).click();
  await frame.locator(`#${id} vscode-option`).filter({ hasText: option }).first().click();
}

/** Unfolds controls, where they are folded away for want of room. */
async function unfold(frame: Frame, id: 'sample-controls' | 'design-controls'): Promise<void> {
  const details = frame.locator(`#${id}`);
  if ((await details.getAttribute('open')) === null) await details.locator('> summary').click();
}

/** The entropies of all heads, as the page's table says them. */
async function entropies(frame: Frame): Promise<readonly number[]> {
  const table = frame.locator('#heads-table');
  if ((await table.getAttribute('open')) === null) await table.locator('> summary').click();
  await table.locator('tbody tr').first().waitFor();
  return (await table.locator('tbody tr td:nth-child(3)').allInnerTexts()).map(Number);
}

/** Llama 3.1 with small sizes, as Transformers saved it. */
const tiny = goldenCheckpoints()[0] as Case;
/** DeepSeek V2 Lite with four heads. */
const deepseek = {
  model_type: 'deepseek_v2',
  hidden_size: 2048,
  intermediate_size: 10944,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  num_hidden_layers: 27,
  q_lora_rank: null,
  kv_lora_rank: 512,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  max_position_embeddings: 163840,
  rope_theta: 10000,
  rope_scaling: {
    type: 'yarn',
    factor: 40,
    original_max_position_embeddings: 4096,
    beta_fast: 32,
    beta_slow: 1,
    mscale: 0.7,
    mscale_all_dim: 0.7,
  },
};

describe('the attention preview in VS Code', function () {
  this.timeout(240_000);
  let lab: Lab;
  let code: Workbench;
  before(async () => {
    lab = await startLab();
    code = await lab.open('dark');
    await cp(join(root, 'test/fixtures/preview/rows.npy'), join(code.workspace, 'rows.npy'));
    await cp(join(root, 'test/fixtures/preview/tokenizer.json'), join(code.workspace, 'qwen-good/tokenizer.json'));
    for (const [folder, config] of [
      ['tiny', tiny.config],
      ['latent', deepseek],
    ] as const) {
      await mkdir(join(code.workspace, folder), { recursive: true });
      await writeFile(join(code.workspace, folder, 'config.json'), JSON.stringify(config, undefined, 2));
    }
    await writeFile(join(code.workspace, 'tiny/model.safetensors'), safetensors(tiny.tensors));
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await code.screenshot(`failed-${this.currentTest.title.replaceAll(/\W+/g, '-')}`);
  });
  after(async () => {
    await code?.close();
    await lab?.close();
  });

  const near = (actual: readonly number[], wanted: readonly number[]): void => assertNear(actual, wanted, 0.006);
  const wantedEntropies = (change: Partial<typeof freshSettings> = {}, design: Partial<PreviewDesign> = {}): readonly number[] =>
    expected({ ...qwen, ...design }, { ...freshSettings, ...change }).run.statistics.map(({ entropy }) => entropy);

  /** Waits until the page's table says these entropies: the file may be read only after what was kept is shown. */
  const same = async (frame: Frame, wanted: readonly number[]): Promise<void> => {
    let found: readonly number[] = [];
    const agree = async (): Promise<true | undefined> => {
      found = await entropies(frame);
      return (found.length === wanted.length && found.every((value, i) => Math.abs(value - (wanted[i] as number)) < 0.006)) || undefined;
    };
    await waitFor('the reference’s numbers', agree).catch(() => near(found, wanted));
  };

  it('shows the trained model where no config is open', async () => {
    await code.openFile('README.md');
    await code.runCommand('Headwise: Preview Attention');
    const frame = await code.webview('button[data-head] canvas');
    await frame.getByText('weights computed in').waitFor();
    await frame
      .locator('.tag')
      .filter({ hasText: /^induction 0\.[89]/ })
      .first()
      .waitFor();
    await frame
      .locator('.tag')
      .filter({ hasText: /^prev-token 0\.[6-9]/ })
      .first()
      .waitFor();
    await code.page.keyboard.press('Control+b');
    await code.screenshot('preview-trained');
    await frame.locator('[data-part="softmax"]').click();
    await frame.locator('[data-stage="softmax"] .top li').first().waitFor();
    await code.screenshot('preview-steps');
    await code.page.keyboard.press('Control+b');
    await code.closeEditors();
  });

  it('computes for the open config what the reference computes', async () => {
    await code.openFile('qwen-good/config.json');
    await code.runCommand('Headwise: Preview Attention');
    const frame = await code.webview('button[data-head] canvas');
    await frame.getByText('16 heads × 48 × 48 weights computed in').waitFor();
    await same(frame, wantedEntropies());
    await frame.locator('#sample-controls > summary').click();
    await frame.locator('#seed').getByRole('textbox').fill('7');
    await same(frame, wantedEntropies({ seed: 7 }));
  });

  it('follows an edit of the config, and says what the linter says of sizes set by hand', async () => {
    const frame = await code.webview('button[data-head] canvas');
    await code.page.locator('.tabs-container .tab').filter({ hasText: 'config.json' }).first().click();
    const text = '  "num_key_value_heads": ';
    await code.goTo(await code.lineOf(text), text.length + 1);
    await code.page.keyboard.press('Shift+ArrowRight');
    await code.page.keyboard.type('4');
    await frame.getByText('4 KV heads', { exact: true }).waitFor();
    const edited = wantedEntropies({ seed: 7 }, { keyValueHeads: 4 });
    await same(frame, edited);
    await code.page.keyboard.press('Control+z');
    await frame.getByText('8 KV heads', { exact: true }).waitFor();

    await frame.locator('#design-controls > summary').click();
    await frame.locator('#kv-heads').getByRole('textbox').fill('3');
    await frame.locator('.notices .problem').filter({ hasText: '16 % 3 = 1' }).waitFor();
    // The shape calculator of the language server judges the same sizes.
    await frame.locator('.notices .warning').first().waitFor();
    await frame.locator('#reset').click();
    await frame.locator('.notices .problem').waitFor({ state: 'detached' });
  });

  it('saves numbers into the workspace', async () => {
    const frame = await code.webview('button[data-head] canvas');
    await frame.locator('#export > summary').click();
    await frame.locator('#export-npy').click();
    const input = code.page.locator('.quick-input-widget:visible input[type="text"]').first();
    await input.waitFor();
    const path = join(code.workspace, 'attention.npy');
    await input.fill(path);
    await code.page.keyboard.press('Enter');
    const bytes = await waitFor('the saved file', async () => readFile(path).catch(() => undefined));
    const [array] = readArrays('attention.npy', new Uint8Array(bytes));
    assert.deepEqual(array?.shape, [16, 48, 48]);
    assertNear(array?.data ?? [], expected(qwen, { ...freshSettings, seed: 7 }).run.maps, 1e-5);
  });

  it('reads a text by the tokenizer beside the config, and rows of a file', async () => {
    const frame = await code.webview('button[data-head] canvas');
    await choose(frame, 'source', 'a text of your own');
    await frame.locator('#text').getByRole('textbox').fill('the heads attend to keys <img>');
    await choose(frame, 'tokenizer', 'tokenizer.json');
    await frame.getByText('16 heads × 12 × 12 weights computed in').waitFor();
    await frame.locator('.notices .note').filter({ hasText: 'qwen-good/tokenizer.json' }).waitFor();
    await frame.locator('#tab-tokens').click();
    assert.deepEqual(await frame.locator('#token-strip [data-token]').allInnerTexts(), [
      '[CLS]',
      'the',
      'heads',
      'attend',
      'to',
      'keys',
      '[UNK]',
      'i',
      '[UNK]',
      '[UNK]',
      '[UNK]',
      '[SEP]',
    ]);
    await frame.locator('#tab-heads').click();
    await choose(frame, 'source', 'rows of a file');
    // By its name and Enter: the list still moves while it opens, and a click may hit the row below.
    const picks = code.page.locator('.quick-input-list .monaco-list-row');
    await picks.filter({ hasText: 'rows.npy' }).waitFor();
    await code.page.locator('.quick-input-widget:visible input[type="text"]').first().fill('rows.npy');
    await picks.filter({ hasText: 'Another file' }).waitFor({ state: 'detached' });
    await code.page.keyboard.press('Enter');
    await frame.getByText('16 heads × 5 × 5 weights computed in').waitFor();
    await choose(frame, 'source', 'seeded words');
    await frame.getByText('16 heads × 48 × 48 weights computed in').waitFor();
  });

  it('comes back after a reload of the window, and from a copied command', async () => {
    let frame = await code.webview('button[data-head] canvas');
    await frame.locator('button[data-head="3"]').click();
    await frame.locator('#detail-title').filter({ hasText: 'Head 3' }).waitFor();
    await frame.locator('#export > summary').click();
    await frame.locator('#copy-command').click();
    const copied = JSON.parse(await code.clipboard((text) => text.startsWith('{"command"'))) as {
      command: string;
      args: { state: string };
    };
    assert.equal(copied.command, 'headwise.previewAttention');
    await frame.locator('#export > summary').click();
    await frame.locator('#copy-link').click();
    const link = readLink(new URL(await code.clipboard((text) => text.includes('://headwise.headwise/preview'))).search);
    assert.deepEqual({ design: '', ...link }, copied.args);
    assert.match(link.uri ?? '', /qwen-good\/config\.json$/);

    // An orderly reload, for which VS Code keeps what panels know.
    await code.runCommand('Developer: Reload Window');
    await frame
      .locator('#detail-title')
      .waitFor({ state: 'detached', timeout: 60_000 })
      .catch(() => undefined);
    frame = await code.webview('#detail-title', 60_000);
    await frame.locator('#detail-title').filter({ hasText: 'Head 3' }).waitFor({ timeout: 60_000 });
    await same(frame, wantedEntropies({ seed: 7 }));

    // The command is what keybindings.json takes.
    await code.closeEditors();
    await code.runCommand('Preferences: Open Keyboard Shortcuts (JSON)');
    await code.editor.locator('.view-line').first().waitFor();
    await code.page.keyboard.press('Control+a');
    await code.page.keyboard.insertText(JSON.stringify([{ key: 'ctrl+alt+9', ...copied }]));
    await code.page.keyboard.press('Control+s');
    await code.page.waitForTimeout(1000);
    await code.closeEditors();
    await code.page.keyboard.press('Control+Alt+9');
    frame = await code.webview('#detail-title');
    await frame.locator('#detail-title').filter({ hasText: 'Head 3' }).waitFor({ timeout: 60_000 });
    await same(frame, wantedEntropies({ seed: 7 }));
  });

  it('reads a picked file again after a reload of the window', async () => {
    let frame = await code.webview('button[data-head] canvas');
    await unfold(frame, 'sample-controls');
    await choose(frame, 'source', 'rows of a file');
    const picks = code.page.locator('.quick-input-list .monaco-list-row');
    await picks.filter({ hasText: 'rows.npy' }).waitFor();
    await code.page.locator('.quick-input-widget:visible input[type="text"]').first().fill('rows.npy');
    await picks.filter({ hasText: 'Another file' }).waitFor({ state: 'detached' });
    await code.page.keyboard.press('Enter');
    await frame.getByText('16 heads × 5 × 5 weights computed in').waitFor();
    await code.runCommand('Developer: Reload Window');
    await frame
      .locator('#title')
      .waitFor({ state: 'detached', timeout: 60_000 })
      .catch(() => undefined);
    frame = await code.webview('button[data-head] canvas', 60_000);
    await frame.getByText('16 heads × 5 × 5 weights computed in').waitFor({ timeout: 60_000 });
    await frame.locator('.notices .note').filter({ hasText: 'Tokens are the rows of rows.npy' }).waitFor();
    await code.closeEditors();
  });

  it('computes latents as the config has them, and says what the linter says of other ones', async () => {
    await code.openFile('latent/config.json');
    await code.runCommand('Headwise: Preview Attention');
    const frame = await code.webview('button[data-head] canvas');
    await frame.getByText('KV latent 512', { exact: true }).waitFor();
    await frame.locator('#formula').filter({ hasText: 'R: YaRN × 40 from 4,096 tokens' }).waitFor();
    const { design } = readConfig(deepseek);
    assert.deepEqual(design.latent, { keyValueRank: 512, plainDim: 128, rotaryDim: 64 });
    await same(
      frame,
      expected(design, freshSettings).run.statistics.map(({ entropy }) => entropy),
    );
    await code.screenshot('preview-latent');
    await unfold(frame, 'sample-controls');
    await unfold(frame, 'design-controls');
    await frame.locator('#rope-dim').getByRole('textbox').fill('63');
    await frame.locator('.notices .warning').filter({ hasText: '63' }).first().waitFor();
    await code.closeEditors();
  });

  it('computes with the checkpoint beside the config', async () => {
    await code.openFile('tiny/config.json');
    await code.runCommand('Headwise: Preview Attention');
    const frame = await code.webview('button[data-head] canvas');
    await unfold(frame, 'sample-controls');
    await choose(frame, 'model', 'weights of its checkpoint');
    // The file has the second layer alone.
    await frame.locator('.notices .warning').filter({ hasText: 'no attention in layer 0' }).waitFor();
    await unfold(frame, 'design-controls');
    await frame.locator('#layer').getByRole('textbox').fill('1');
    await frame.locator('.notices .note').filter({ hasText: 'Projections of layer 1 in model.safetensors' }).waitFor();
    const { design } = readConfig(tiny.config);
    const settings = { ...freshSettings, model: 'checkpoint', layer: 1 } as const;
    const checkpoint = await loadCheckpoint(folderWith({ 'model.safetensors': safetensors(tiny.tensors) }), tiny.config, 1, 1, 2 ** 22);
    const sample = makeSample(design, settings, {
      trained: { width: checkpoint.width, layers: (tokens) => checkpoint.layers(design, settings, tokens) },
    });
    await same(
      frame,
      runSample(createReferenceKernel(), sample).statistics.map(({ entropy }) => entropy),
    );
    await code.screenshot('preview-checkpoint');
    await code.closeEditors();
    await code.openFile('qwen-good/config.json');
    await code.runCommand('Headwise: Preview Attention');
    await code.webview('button[data-head] canvas');
  });

  it('wears the high-contrast themes', async () => {
    for (const [name, theme] of [
      ['dark', 'Default High Contrast'],
      ['light', 'Default High Contrast Light'],
    ] as const) {
      await writeFile(join(code.workspace, '.vscode/settings.json'), JSON.stringify({ 'workbench.colorTheme': theme }));
      const frame = await code.webview('button[data-head] canvas');
      await frame.locator(`body.vscode-high-contrast${name === 'light' ? '-light' : ''}`).waitFor();
      const canvas = frame.locator('button[data-head="0"] canvas');
      await canvas.scrollIntoViewIfNeeded();
      // The first weight is 1: the map's last colour.
      const wanted = name === 'dark' ? 255 : 0;
      await waitFor(`the colours of ${theme}`, async () => {
        const red = await canvas.evaluate((each) => (each as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, 1, 1).data[0]);
        return red === wanted || undefined;
      });
      await code.screenshot(`preview-contrast-${name}`);
    }
  });
});
