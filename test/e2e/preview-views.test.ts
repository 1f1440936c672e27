import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../scripts/lib/process.mjs';
import { createReferenceKernel } from '../../src/kernel/reference.ts';
import { readArrays } from '../../webview/preview/arrays.ts';
import { makeModelSample, readModel } from '../../webview/preview/model.ts';
import { runSample } from '../../webview/preview/run.ts';
import type { SampleSettings } from '../../webview/preview/settings.ts';
import { stepThrough } from '../../webview/preview/step.ts';
import { assertNear, expected, grouped, type Preview, type PreviewLab, startPreviewLab } from './preview-lab.ts';
import { pageThemes, themeScript } from './preview-server.ts';

/** The trained model by the TypeScript reference in this process. */
function trainedReference(settings: SampleSettings) {
  const model = readModel(new Uint8Array(readFileSync(join(root, 'media/sample-model.safetensors'))));
  const sample = makeModelSample(model, model.design, settings);
  return { sample, run: runSample(createReferenceKernel(), sample, {}, model.epsilon) };
}

const axeSource = readFileSync(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8');

describe('the views of the attention preview', function () {
  this.timeout(240_000);
  let lab: PreviewLab;
  before(async () => {
    lab = await startPreviewLab();
  });
  after(() => lab?.close());
  const using = (preview: Preview, check: (preview: Preview) => Promise<void>): Promise<void> => lab.using(preview, check);

  it('shows a trained model where no file is open, with the heads that it has learnt named', async () => {
    await using(await lab.open(), async (preview) => {
      const shown = await preview.trained();
      const { sample, run } = trainedReference(shown.settings);
      assert.deepEqual(shown.tokens, sample.tokens);
      assertNear(shown.maps, run.maps, 2e-5);
      assert.deepEqual(await preview.page.locator('.group h2').allInnerTexts(), ['Layer 0', 'Layer 1']);
      const tags = async (layer: number): Promise<readonly string[]> =>
        preview.page.locator('.group').nth(layer).locator('.tag').allInnerTexts();
      const [first, second] = [await tags(0), await tags(1)];
      assert.ok(first.filter((tag) => tag.startsWith('prev-token 0.')).length >= 2, first.join());
      assert.ok(second.filter((tag) => tag.startsWith('induction 0.')).length >= 4, second.join());
      // The label says the number that the statistics have.
      const largest = Math.max(...shown.statistics.map(({ previous = 0 }) => previous));
      assert.ok(first.includes(`prev-token ${largest.toFixed(2)}`));
    });
  });

  it('sorts by any statistic, both ways, and leaves out what is less than asked for', async () => {
    await using(await lab.open(), async (preview) => {
      const shown = await preview.trained();
      await preview.choose('order', 'Induction');
      const order = async (): Promise<readonly number[]> =>
        (
          await preview.page.locator('#maps button[data-head]').evaluateAll((all) => all.map((each) => (each as HTMLElement).dataset.head))
        ).map(Number);
      const value = (head: number): number => shown.statistics[head]?.induction ?? Number.NEGATIVE_INFINITY;
      const heads = [...shown.statistics.keys()];
      assert.deepEqual(
        await order(),
        [...heads].sort((a, b) => value(b) - value(a)),
      );
      await preview.page.locator('#direction').click();
      assert.deepEqual(
        await order(),
        [...heads].sort((a, b) => value(a) - value(b)),
      );
      await preview.choose('filter', 'On previous token');
      await preview.field('least').fill('0.6');
      const wanted = heads.filter((head) => (shown.statistics[head]?.previous ?? 0) >= 0.6);
      assert.ok(wanted.length > 0 && wanted.length < 12);
      await preview.until(`document.querySelectorAll('#maps button[data-head]').length === ${wanted.length}`);
      assert.deepEqual(
        [...(await order())].sort((a, b) => a - b),
        wanted,
      );
      assert.equal(await preview.text('#filtered'), `${wanted.length} of 12 heads with On previous token of at least 0.6.`);
    });
  });

  it('shades the text by what a token attends to, by one head or the mean of all', async () => {
    await using(await lab.open(), async (preview) => {
      const shown = await preview.trained();
      const { size, maps, tokens } = shown;
      await preview.page.locator('#tab-tokens').click();
      await preview.choose('token-head', 'L1 H3');
      await preview.page.locator('#token-strip [data-token="40"]').click();
      await preview.page.mouse.move(5, 5);
      const row = (head: number, query: number): readonly number[] =>
        maps.slice((head * size + query) * size, (head * size + query + 1) * size);
      const heaviest = (weights: readonly number[]): number => weights.indexOf(Math.max(...weights));
      const best = heaviest(row(9, 40));
      const said = await preview.text('#token-readout');
      assert.ok(said.startsWith(`40 “${tokens[40]}” attends most to ${best} “${tokens[best]}” `), said);
      assert.ok(Math.abs(Number((await preview.page.locator('.tokens .value').first().innerText()) ?? 0) - Math.max(...row(9, 40))) < 1e-4);
      // The darkest word of the light theme is the heaviest, and hidden ones have no colour.
      const shades = await preview.page
        .locator('#token-strip [data-token]')
        .evaluateAll((all) =>
          all.map((each) => (each as HTMLElement).style.background.match(/\d+/g)?.reduce((sum, part) => sum + Number(part), 0) ?? 999),
        );
      assert.equal(shades.indexOf(Math.min(...shades)), best);
      assert.ok(shades.slice(41).every((shade) => shade === 999));

      await preview.choose('token-head', 'mean of all heads');
      const mean = Array.from({ length: size }, (_, key) =>
        [...Array(12).keys()].reduce((sum, head) => sum + (row(head, 40)[key] as number) / 12, 0),
      );
      await preview.until(`document.querySelector('#token-readout').textContent.includes('attends most to ${heaviest(mean)} ')`);
      assert.ok(Math.abs(Number(await preview.page.locator('.tokens .value').first().innerText()) - Math.max(...mean)) < 1e-4);

      await preview.choose('token-direction', 'what attends to it');
      const column = Array.from({ length: size }, (_, query) =>
        [...Array(12).keys()].reduce((sum, head) => sum + (row(head, query)[40] as number) / 12, 0),
      );
      await preview.until(
        `document.querySelector('#token-readout').textContent.includes('Most attend to 40 “${tokens[40]}”: ${heaviest(column)} ')`,
      );

      await preview.page.locator('#token-lines').click();
      const before = await preview.fingerprint('canvas.lines');
      await preview.page.locator('#token-strip [data-token="40"]').press('ArrowLeft');
      await preview.until(`document.querySelector('#token-readout').textContent.includes('39 “')`);
      assert.notEqual(await preview.fingerprint('canvas.lines'), before);
      await preview.page.locator('#token-table summary').click();
      await preview.page.locator('#token-table tbody tr').first().waitFor();
      assert.equal(
        await preview.page.locator('#token-table tbody tr').count(),
        column.map((_, query) => query).filter((query) => query >= 39).length,
      );
    });
  });

  it('follows a token through the function, stage by stage, from the formula', async () => {
    await using(await lab.open(), async (preview) => {
      const shown = await preview.trained();
      await preview.page.locator('[data-part="softmax"]').click();
      await preview.until(`window.headwisePreview.step !== undefined`);
      assert.equal(await preview.page.locator('#tab-steps').getAttribute('aria-selected'), 'true');
      assert.equal(await preview.page.locator('.card.chosen').getAttribute('data-stage'), 'softmax');
      await preview.choose('step-head', 'L1 H2');
      await preview.page.locator('#step-strip [data-token="33"]').click();
      await preview.until(
        `window.headwisePreview.step.row === 33 && window.headwisePreview.step.head === 2 && window.headwisePreview.step.layer === 1`,
      );
      const { sample, run } = trainedReference(shown.settings);
      const wanted = stepThrough(createReferenceKernel(), sample, run, 1, 2, 33);
      for (const name of [
        'input',
        'projected',
        'query',
        'keys',
        'values',
        'scores',
        'weights',
        'result',
        'concatenated',
        'output',
      ] as const)
        assertNear(await preview.read<number[]>(`[...window.headwisePreview.step.${name}]`), wanted[name], 2e-4);

      // Numbers and shapes as a person reads them.
      const card = (stage: string) => preview.page.locator(`[data-stage="${stage}"]`);
      assert.equal(await card('query').locator('.shape').innerText(), '[1, 96] · [96, 16] → [1, 16]');
      assert.equal(await card('concat').locator('.shape').innerText(), '6 × [1, 16] → [1, 96]');
      assert.match(await card('mask').innerText(), /14 of 48 keys are hidden/);
      await card('query').locator('[data-vector="query"] summary').click();
      await card('query').locator('[data-vector="query"] td').first().waitFor();
      const cells = (await card('query').locator('[data-vector="query"] td').allInnerTexts()).map(Number);
      assertNear(cells, wanted.query, 5e-3);
      // The slice of head 2 of 6 is the third sixth.
      const marked = await card('concat')
        .locator('.slice.marked')
        .evaluate((slice) => (slice as HTMLElement).style.left);
      assert.ok(Math.abs(Number.parseFloat(marked) - 100 / 3) < 0.1);
      // Another key is taken apart when its bar is clicked.
      const chart = card('score').locator('canvas.chart');
      const box = await chart.boundingBox();
      assert.ok(box !== null);
      await chart.click({ position: { x: (box.width * 5.5) / 48, y: 20 } });
      const title = await card('score').locator('[data-vector="key"] .vector-title').innerText();
      assert.ok(title.includes(`Key 5 “${shown.tokens[5]}”`), title);
      assert.ok(Math.abs(Number(/= (-?[\d.e-]+)/.exec(title)?.[1]) - (wanted.scores[5] as number)) < 1e-2, title);
      await preview.page.locator('[data-part="output"]').click();
      assert.equal(await preview.page.locator('.card.chosen').getAttribute('data-stage'), 'output');
    });
  });

  it('decodes one token at a time against the cache, the same numbers as the whole computation', async () => {
    await using(await lab.open(), async (preview) => {
      const shown = await preview.trained();
      await preview.page.locator('#tab-decode').click();
      await preview.until(`window.headwisePreview.decode?.length === 1`);
      for (let step = 2; step <= 4; step++) {
        await preview.page.locator('#decode-next').click();
        await preview.until(`window.headwisePreview.decode.length === ${step}`);
      }
      await preview.page.locator('#decode-strip [data-token="30"]').click();
      await preview.until(`window.headwisePreview.decode.length === 31`);
      const weights = await preview.read<number[]>(`[...window.headwisePreview.decode.weights]`);
      for (let head = 0; head < 12; head++) {
        const start = (head * 48 + 30) * 48;
        assertNear(weights.slice(head * 31, head * 31 + 31), shown.maps.slice(start, start + 31), 1e-5);
      }
      const text = await preview.text('.view.decode');
      assert.match(text, /Token 30 “.*” is new: one query per head against 31 cached keys/);
      assert.match(text, /\[2, 6, 31, 16\]/);
      // 2 layers x 6 heads x 31 tokens x (16 + 16) numbers of 4 bytes.
      assert.match(text, new RegExp(`${Math.round((2 * 6 * 31 * 32 * 4) / 1024)} KiB`));
      assert.ok((await preview.read<number>('window.headwisePreview.decode.difference')) < 1e-4);
      // The model has learnt to copy: what comes next is what followed before.
      const guess = /expects next: (\S+) (0\.\d+).*next is: (\S+)/.exec(text);
      assert.equal(guess?.[1], guess?.[3]);
      assert.ok(Number(guess?.[2]) > 0.3);
      await preview.page.locator('#decode-back').click();
      await preview.until(`window.headwisePreview.decode.length === 30`);
    });
  });

  it('says rank and cumulative mass, zooms, pans and pins', async () => {
    await using(await lab.open(), async (preview) => {
      const shown = await preview.design();
      await preview.page.locator('button[data-head="2"]').click();
      const row = shown.maps.slice((2 * 48 + 47) * 48, (2 * 48 + 48) * 48);
      await preview.page.keyboard.press('Home');
      const [weight] = row;
      const heavier = row.filter((other) => other > (weight as number));
      const mass = ((heavier.reduce((a, b) => a + b, 0) + (weight as number)) * 100).toFixed(1);
      const said = await preview.text('#detail-readout');
      assert.ok(said.includes(`rank ${heavier.length + 1} of 48 · ${mass} % up to here`), said);

      const names = () => preview.page.locator('.axis.columns').first().locator('span').allInnerTexts();
      assert.equal((await names()).length, 48);
      await preview.page.keyboard.press('+');
      await preview.page.keyboard.press('+');
      const zoomed = await names();
      assert.equal(zoomed.length, 21);
      assert.deepEqual(zoomed, shown.tokens.slice(0, 21));
      const box = await preview.page.locator('#detail-canvas').boundingBox();
      assert.ok(box !== null);
      await preview.page.mouse.move(box.x + box.width - 20, box.y + 40);
      await preview.page.mouse.down();
      await preview.page.mouse.move(box.x + box.width - 20 - (box.width / 21) * 5.4, box.y + 40, { steps: 5 });
      await preview.page.mouse.up();
      assert.deepEqual(await names(), shown.tokens.slice(5, 26));
      await preview.page.locator('#zoom-fit').click();
      assert.equal((await names()).length, 48);

      const cell = async (query: number, key: number): Promise<{ x: number; y: number }> => {
        const now = await preview.page.locator('#detail-canvas').boundingBox();
        assert.ok(now !== null);
        return { x: now.x + ((key + 0.5) * now.width) / 48, y: now.y + ((query + 0.5) * now.height) / 48 };
      };
      const pinned = await cell(30, 10);
      await preview.page.mouse.click(pinned.x, pinned.y);
      const elsewhere = await cell(20, 3);
      await preview.page.mouse.move(elsewhere.x, elsewhere.y);
      assert.match(await preview.text('#detail-readout'), /query 30 .* key 10 .*pinned$/);
      await preview.page.reload();
      await preview.settled('p.opened === 2');
      assert.match(await preview.text('#detail-readout'), /query 30 .* key 10 .*pinned$/);
    });
  });

  it('lays two heads or two designs side by side, or their difference', async () => {
    await using(await lab.open(), async (preview) => {
      const shown = await preview.design();
      await preview.page.locator('button[data-head="5"]').click();
      await preview.choose('compare', 'KV heads of their own (MHA)');
      await preview.until(`window.headwisePreview.compared?.design.keyValueHeads === 8`);
      const other = await preview.read<number[]>('[...window.headwisePreview.compared.maps]');
      assertNear(other, expected({ ...grouped, keyValueHeads: 8 }, shown.settings).run.maps, 1e-5);
      // The first head of each group has the same keys either way; head 5 of 4 to 7 does not.
      const map = (maps: readonly number[], head: number): readonly number[] => maps.slice(head * 2304, head * 2304 + 2304);
      assertNear(map(other, 4), map(shown.maps, 4), 1e-5);
      assert.notDeepEqual(map(other, 5), map(shown.maps, 5));
      assert.equal(await preview.page.locator('#compared-canvas').isVisible(), true);

      await preview.choose('compare', 'without the mask');
      await preview.until(`window.headwisePreview.compared?.highs[0] === 48`);
      assertNear(
        await preview.read<number[]>('[...window.headwisePreview.compared.maps]'),
        expected(grouped, { ...shown.settings, mask: 'none' }).run.maps,
        1e-5,
      );
      await preview.choose('compare-mode', 'difference');
      assert.equal(await preview.page.locator('#compared-canvas').isVisible(), false);
      // Above the diagonal there is less than without the mask (blue), on the first rows more (orange).
      const pixels = await preview.pixelsOf('#detail-canvas');
      const side = Math.sqrt(pixels.length / 4);
      const colour = (row: number, column: number): readonly number[] => {
        const at = (Math.floor(((row + 0.5) * side) / 48) * side + Math.floor(((column + 0.5) * side) / 48)) * 4;
        return pixels.slice(at, at + 3);
      };
      const [red = 0, , blue = 0] = colour(0, 0);
      assert.ok(red > blue, `0, 0 is ${colour(0, 0)}`);
      const unmasked = await preview.read<number[]>('[...window.headwisePreview.compared.maps.slice(5 * 2304, 5 * 2304 + 48)]');
      const most = unmasked.indexOf(Math.max(...unmasked.slice(1)));
      const [less = 0, , more = 0] = colour(0, most);
      assert.ok(more > less, `0, ${most} is ${colour(0, most)}`);

      // Before and after an edit.
      await preview.choose('compare', 'before the last change');
      await preview.design({ headDim: 32, valueDim: 32 });
      await preview.until(`window.headwisePreview.compared?.design.headDim === 64`);
      assert.deepEqual(await preview.read<number[]>('[...window.headwisePreview.compared.maps]'), shown.maps);
      await preview.choose('compare', 'another head');
      assert.match(await preview.text('.pane-title >> nth=0'), /^Head 5 minus Head 0$/);
    });
  });

  it('finds similar heads', async () => {
    await using(await lab.open(), async (preview) => {
      const { maps } = await preview.trained();
      await preview.page.locator('button[data-head="1"]').click();
      await preview.page.locator('[data-similar]').first().waitFor();
      const map = (head: number): readonly number[] => maps.slice(head * 2304, head * 2304 + 2304);
      const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
      const cosine = (head: number): number => dot(map(1), map(head)) / Math.sqrt(dot(map(1), map(1)) * dot(map(head), map(head)));
      const order = [...Array(12).keys()].filter((head) => head !== 1).sort((a, b) => cosine(b) - cosine(a));
      const found = await preview.page
        .locator('[data-similar]')
        .evaluateAll((all) => all.map((each) => Number((each as HTMLElement).dataset.similar)));
      assert.deepEqual(found, order.slice(0, 4));
      await preview.page.locator('[data-similar]').first().click();
      await preview.settled(`p.opened === ${order[0]}`);
    });
  });

  it('changes the picture with every way to look at weights', async () => {
    await using(await lab.open(), async (preview) => {
      const shown = await preview.trained();
      await preview.unfold('picture-controls');
      let before = await preview.pixels(3);
      const changed = async (what: string): Promise<void> => {
        await preview.page.waitForTimeout(120);
        const after = await preview.pixels(3);
        assert.notDeepEqual(after, before, what);
        before = after;
      };
      await preview.choose('scale', 'logarithmic');
      await changed('logarithmic');
      await preview.choose('norm', 'against each row’s largest');
      await changed('row');
      await preview.choose('palette', 'cividis');
      await changed('cividis');
      await preview.choose('special', 'left out, rest sums to 1');
      await changed('special');
      const row = await preview.read<number[]>('[...window.headwisePreview.weights.row(3, 40)]');
      const plain = shown.maps.slice((3 * 48 + 40) * 48, (3 * 48 + 41) * 48);
      assertNear(
        row,
        plain.map((weight, key) => (key === 0 ? 0 : weight / (1 - (plain[0] as number)))),
        1e-5,
      );
      await preview.choose('mass', '90 %');
      await changed('mass');
      await preview.page.locator('#value-norm').click();
      await changed('value norm');
    });
  });

  it('computes with the sizes, scale, temperature and positions that are set, and says what the linter says', async () => {
    await using(await lab.open(), async (preview) => {
      const first = await preview.design();
      await preview.unfold('design-controls');
      await preview.field('kv-heads').fill('4');
      let now = await preview.settled('p.result.design.keyValueHeads === 4');
      assertNear(now.maps, expected(grouped, now.settings).run.maps, 1e-5);
      assert.deepEqual((await preview.sent()).at(-1), { kind: 'lint', query: 1, sizes: { keyValueHeads: 4 } });
      await preview.send({ kind: 'findings', query: 1, findings: ['A remark.'] });
      await preview.until(`document.querySelector('#notices').textContent === 'A remark.'`);
      await preview.field('kv-heads').fill('3');
      await preview.until('window.headwisePreview.stale');
      assert.match(await preview.text('#notices'), /8 query heads cannot share 3 key\/value heads: 8 % 3 = 2/);
      await preview.field('kv-heads').fill('2');
      await preview.field('temperature').fill('4');
      now = await preview.settled('p.result.settings.temperature === 4 && p.result.design.keyValueHeads === 2');
      assertNear(now.maps, expected(grouped, now.settings).run.maps, 1e-5);
      assert.ok(
        (now.statistics[0]?.entropy as number) > (first.statistics[0]?.entropy as number),
        'a higher temperature spreads the weights',
      );
      await preview.choose('positions', 'ALiBi');
      now = await preview.settled(`p.result.design.positions === 'alibi'`);
      assertNear(now.maps, expected(grouped, now.settings).run.maps, 1e-5);
      await preview.choose('mask', 'sliding window');
      await preview.field('extent').fill('5');
      now = await preview.settled('p.result.settings.extent === 5');
      assertNear(now.maps, expected(grouped, now.settings).run.maps, 1e-5);
      assert.equal(await preview.text('.by-hand'), '4 things set by hand');
      await preview.page.locator('#reset').click();
      now = await preview.settled(`p.result.settings.mask === 'design'`);
      assert.deepEqual(now.maps, first.maps);
    });
  });

  it('takes words said twice, positions alone, a tokenizer’s tokens and rows of a file', async () => {
    await using(await lab.open(), async (preview) => {
      await preview.design();
      await preview.choose('source', 'words said twice');
      let now = await preview.settled(`p.result.settings.source === 'repeated'`);
      assert.deepEqual(now.tokens.slice(0, 24), now.tokens.slice(24));
      await preview.choose('source', 'positions only');
      now = await preview.settled(`p.result.settings.source === 'positions'`);
      assert.equal(new Set(now.tokens).size, 1);
      assertNear(now.maps, expected(grouped, now.settings).run.maps, 1e-5);

      await preview.choose('source', 'a text of your own');
      await preview.choose('tokenizer', 'tokenizer.json');
      assert.ok((await preview.sent()).some(({ kind }) => kind === 'findTokenizer'));
      const json = readFileSync(join(root, 'test/fixtures/preview/tokenizer.json'), 'utf8');
      await preview.send({ kind: 'tokenizer', name: 'model/tokenizer.json', json });
      await preview.field('text').fill('the heads attend to keys <img>');
      now = await preview.settled('p.result.tokens.length === 12');
      assert.deepEqual(now.tokens, ['[CLS]', 'the', 'heads', 'attend', 'to', 'keys', '[UNK]', 'i', '[UNK]', '[UNK]', '[UNK]', '[SEP]']);
      assert.match(await preview.text('#notices'), /Tokens by model\/tokenizer\.json/);

      await preview.choose('source', 'rows of a file');
      assert.deepEqual((await preview.sent()).at(-1), { kind: 'pickFile' });
      const bytes = new Uint8Array(readFileSync(join(root, 'test/fixtures/preview/rows.npy')));
      await preview.sendFile('data/rows.npy', bytes);
      now = await preview.settled(`p.result.settings.source === 'file' && p.result.tokens.length === 5`);
      assert.match(await preview.text('#notices'), /Tokens are the rows of data\/rows\.npy/);
      assert.equal(await preview.read('window.headwisePreview.result.width'), 8);
      const before = now.maps;
      await preview.sendFile(
        'data/rows.npy',
        bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 0x80 : byte)),
      );
      await preview.settled(`p.result.maps[24] !== ${before[24]}`);
      await preview.sendFile('data/broken.npy', Uint8Array.of(1, 2, 3));
      await preview.until(`document.querySelector('#status').textContent === 'data/broken.npy is no .npy file.'`);
    });
  });

  it('exports the picture and the numbers', async () => {
    await using(await lab.open(), async (preview) => {
      const shown = await preview.design();
      const take = async (format: string): Promise<Uint8Array> => {
        await preview.page.locator('#export > summary').click();
        await preview.page.locator(`#export-${format}`).click();
        return preview.exported(`attention.${format}`);
      };
      const [all] = readArrays('x.npy', await take('npy'));
      assert.deepEqual(all?.shape, [8, 48, 48]);
      assert.deepEqual([...(all?.data ?? [])], shown.maps);
      const json = JSON.parse(new TextDecoder().decode(await take('json')));
      assert.deepEqual(json.heads[3].weights[47], shown.maps.slice((3 * 48 + 47) * 48, (3 * 48 + 48) * 48));
      assert.deepEqual(json.tokens, shown.tokens);
      const png = await take('png');
      const drawn = await preview.page.evaluate(async (bytes) => {
        const picture = await createImageBitmap(
          new Blob([Uint8Array.from(atob(bytes), (sign) => sign.charCodeAt(0))], { type: 'image/png' }),
        );
        return [picture.width, picture.height];
      }, Buffer.from(png).toString('base64'));
      assert.ok(drawn[0] !== undefined && drawn[0] > 1200, `${drawn}`);
      const svg = new TextDecoder().decode(await take('svg'));
      assert.equal((svg.match(/<g transform/g) ?? []).length, 8);
      assert.ok((svg.match(/<rect/g) ?? []).length > 8 * 48, 'cells are vectors');
      const valid = await preview.page.evaluate(
        (text) => new DOMParser().parseFromString(text, 'image/svg+xml').querySelector('parsererror') === null,
        svg,
      );
      assert.ok(valid);

      await preview.page.locator('button[data-head="6"]').click();
      const [one] = readArrays(
        'x.npy',
        await take('npy').then(async () => {
          await preview.until(`window.sent.filter((message) => message.name === 'attention.npy').length === 2`);
          return preview.exported('attention.npy');
        }),
      );
      assert.deepEqual(one?.shape, [48, 48]);
      const csv = new TextDecoder()
        .decode(await take('csv'))
        .trim()
        .split('\r\n');
      assert.equal(csv.length, 49);
      assertNear((csv[48] ?? '').split(',').slice(1).map(Number), shown.maps.slice((6 * 48 + 47) * 48, (6 * 48 + 48) * 48), 0);
    });
  });

  it('opens a state from a link again', async () => {
    await using(await lab.open(), async (preview) => {
      await preview.design();
      await preview.field('seed').fill('42');
      await preview.settled('p.result.settings.seed === 42');
      await preview.choose('order', 'Entropy (bits)');
      await preview.page.locator('button[data-head="3"]').click();
      await preview.page.locator('#export > summary').click();
      await preview.page.locator('#copy-link').click();
      const link = (await preview.sent()).at(-1) as { kind: string; form: string; state: string };
      assert.deepEqual([link.kind, link.form], ['copyLink', 'link']);
      const before = await preview.settled();
      const another = await lab.open();
      await another.design();
      await another.send({ kind: 'restore', state: link.state });
      const after = await another.settled('p.opened === 3');
      assert.deepEqual([after.settings, after.display, after.maps], [before.settings, before.display, before.maps]);
      assert.equal(await another.text('#detail-title'), 'Head 3');
      await another.send({ kind: 'restore', state: '{"settings":{"seed":"<img>","length":-1}}' });
      await another.settled('p.result.settings.seed === 1 && p.result.settings.length === 48');
      assert.deepEqual(another.complaints, []);
      await another.page.context().close();
    });
  });

  it('speaks the language that it is given', async () => {
    const german = await startPreviewLab({
      translations: { Heads: 'Köpfe', '{n} query heads': '{n} Abfrageköpfe', 'Head {head}': 'Kopf {head}' },
    });
    try {
      await german.using(await german.open(), async (preview) => {
        await preview.design();
        assert.equal(await preview.text('#tab-heads'), 'Köpfe');
        assert.equal(await preview.page.locator('#facts button').first().innerText(), '8 Abfrageköpfe');
        assert.equal(await preview.page.locator('figcaption .name').first().innerText(), 'Kopf 0');
      });
    } finally {
      await german.close();
    }
  });

  for (const theme of pageThemes) {
    it(`has nothing that axe finds serious in the theme ${theme}`, async () => {
      await using(await lab.open(theme), async (preview) => {
        await preview.trained();
        await preview.read(axeSource);
        const artifacts = join(root, 'artifacts');
        await mkdir(artifacts, { recursive: true });
        for (const view of ['heads', 'tokens', 'steps', 'decode'] as const) {
          await preview.page.locator(`#tab-${view}`).click();
          await preview.page.waitForTimeout(300);
          if (view === 'heads') {
            await preview.page.locator('button[data-head="9"]').click();
            await preview.page.locator('#heads-table > summary').click();
          }
          if (view === 'tokens') await preview.page.locator('#token-strip [data-token="40"]').click();
          const found = await preview.read<
            { id: string; impact: string; nodes: string[] }[]
          >(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
            violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => html.slice(0, 160) + ' ' + failureSummary.slice(0, 200)) })))`);
          assert.deepEqual(
            found.filter(({ impact }) => impact === 'serious' || impact === 'critical'),
            [],
            view,
          );
          await preview.page.screenshot({ path: join(artifacts, `preview-${view}-${theme}.png`), fullPage: true });
        }
      });
    });
  }

  it('moves nothing where motion is to be reduced', async () => {
    await using(await lab.open('vscode-light', { reducedMotion: 'reduce' }), async (preview) => {
      await preview.design();
      const moving = await preview.read<number>(
        `[...document.querySelectorAll('#preview *')].filter((each) => getComputedStyle(each).transitionDuration.split(',').some((time) => parseFloat(time) > 0) && !each.tagName.startsWith('VSCODE-')).length`,
      );
      assert.equal(moving, 0);
      await preview.page.evaluate(themeScript('vscode-dark'));
      await preview.settled();
    });
  });
});
