import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../scripts/lib/process.mjs';
import { createReferenceKernel } from '../../src/kernel/reference.ts';
import { headsProblem, runSample } from '../../webview/preview/run.ts';
import { makeSample } from '../../webview/preview/sample.ts';
import { effectiveDesign } from '../../webview/preview/settings.ts';
import { assertNear, grouped, type Preview, type PreviewLab, processorShare, startPreviewLab } from './preview-lab.ts';

/** More than one processor, whatever this machine has. */
const processors = `Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 });`;

describe('the attention preview with large problems', function () {
  this.timeout(240_000);
  let lab: PreviewLab;
  before(async () => {
    lab = await startPreviewLab();
    await mkdir(join(root, 'artifacts'), { recursive: true });
  });
  after(() => lab?.close());

  /** Rows of a head's weights by the reference in this process, of a sample too large to hold them all. */
  function rowsOf(shown: Awaited<ReturnType<Preview['settled']>>, head: number, rows: readonly number[]): readonly Float32Array[] {
    const sample = makeSample(effectiveDesign(grouped, shown.settings), shown.settings);
    const [layer] = sample.layers;
    assert.ok(layer?.kind === 'plain');
    const kernel = createReferenceKernel();
    const tokens = sample.tokens.length;
    const { queryHeads, keyValueHeads, headDim, valueDim, scale } = headsProblem(layer, tokens);
    const { input } = sample;
    const { queryWeight, keyWeight } = layer.weights;
    const project = (weight: Float32Array, heads: number): Float32Array =>
      kernel.matrixMultiply({ rows: tokens, depth: sample.width, columns: heads * headDim, headWidth: headDim }, input, weight);
    const query = project(queryWeight, queryHeads);
    const key = project(keyWeight, keyValueHeads);
    const shared = Math.floor(head / (queryHeads / keyValueHeads));
    assert.ok(layer.problem.positions?.kind === 'rotary' && layer.problem.positions.frequencies === undefined);
    // Rotation by the formula (Su et al. 2021), halves apart.
    const turned = (vector: Float32Array, at: number): readonly number[] => {
      const half = headDim / 2;
      return Array.from({ length: headDim }, (_, k) => {
        const angle = at * 10000 ** ((-2 * (k % half)) / headDim);
        const [x, y] = [vector[k % half] as number, vector[(k % half) + half] as number];
        return k < half ? x * Math.cos(angle) - y * Math.sin(angle) : x * Math.sin(angle) + y * Math.cos(angle);
      });
    };
    const vector = (tensor: Float32Array, of: number, token: number): Float32Array =>
      tensor.subarray((of * tokens + token) * headDim, (of * tokens + token + 1) * headDim);
    const keys = Array.from({ length: Math.max(...rows) + 1 }, (_, j) => turned(vector(key, shared, j), j));
    assert.equal(valueDim, headDim);
    return rows.map((row) => {
      const q = turned(vector(query, head, row), row);
      const scores = keys.slice(0, row + 1).map((k) => (scale as number) * k.reduce((sum, value, i) => sum + value * (q[i] as number), 0));
      const largest = Math.max(...scores);
      const exponentials = scores.map((score) => Math.exp(score - largest));
      const total = exponentials.reduce((a, b) => a + b, 0);
      return Float32Array.from({ length: tokens }, (_, j) => (exponentials[j] ?? 0) / total);
    });
  }

  it('spreads heads over workers and computes what one worker computes', async () => {
    await lab.using(await lab.open('vscode-dark', { init: processors }), async (preview) => {
      await preview.design();
      await preview.choose('length', '512');
      const shown = await preview.settled('p.result.tokens.length === 512');
      assert.match(
        await preview.text('#status'),
        /^8 heads × 512 × 512 weights computed in [\d.]+ m?s \(WebAssembly, (relaxed )?SIMD, 2 workers\)$/,
      );
      const run = runSample(createReferenceKernel(), makeSample(grouped, shown.settings));
      const rows = await preview.read<number[]>(`(() => {
        const { maps } = window.headwisePreview.result;
        return [0, 3, 7].flatMap((head) => [0, 255, 511].flatMap((row) => [...maps.subarray((head * 512 + row) * 512, (head * 512 + row + 1) * 512)]));
      })()`);
      const wanted = [0, 3, 7].flatMap((head) =>
        [0, 255, 511].flatMap((row) => [...run.maps.subarray((head * 512 + row) * 512, (head * 512 + row + 1) * 512)]),
      );
      assertNear(rows, wanted, 1e-5);
      assertNear(
        shown.statistics.map(({ entropy }) => entropy as number),
        run.statistics.map(({ entropy }) => entropy),
        1e-4,
      );
    });
  });

  it('computes the exact weights of what is zoomed into, and says rank and cumulative mass', async () => {
    await lab.using(await lab.open('vscode-light', { init: processors }), async (preview) => {
      await preview.design();
      await preview.choose('length', '4096');
      await preview.page.locator('#begin').click();
      const shown = await preview.settled('p.result.tokens.length === 4096');
      assert.deepEqual([shown.pooled, shown.size], [true, 512]);
      await preview.page.locator('button[data-head="5"]').click();
      // The whole map shows tiles of eight tokens: a weight is at most so much.
      await preview.page.locator('#detail-canvas').press('ArrowUp');
      assert.match(await preview.text('#detail-readout'), /query 408[0-9]–\d+ → key .*at most/);
      const before = await preview.fingerprint('#detail-canvas');
      // Until a window of a few hundred tokens, about the cursor.
      for (let i = 0; i < 6; i++) await preview.page.locator('#detail-canvas').press('+');
      await preview.until(`document.querySelector('.detail.exact') !== null`);
      assert.notEqual(await preview.fingerprint('#detail-canvas'), before);
      const tile = await preview.read<{ row: number; rows: number; heads: number[]; bytes: number }>(`(() => {
        const { row, rows, heads, weights } = window.headwisePreview.tile;
        return { row, rows, heads, bytes: weights.byteLength };
      })()`);
      assert.deepEqual(tile.heads, [5]);
      assert.ok(tile.bytes <= 2 ** 25, 'the exact rows stay within 32 MiB');
      const wantedRows = [tile.row, tile.row + Math.floor(tile.rows / 2), tile.row + tile.rows - 1];
      const exact = rowsOf(shown, 5, wantedRows);
      for (const [i, row] of wantedRows.entries()) {
        const found = await preview.read<number[]>(
          `(() => { const { row, weights } = window.headwisePreview.tile; return [...weights.subarray((${row} - row) * 4096, (${row} - row + 1) * 4096)]; })()`,
        );
        assertNear(found, exact[i] as Float32Array, 1e-5);
      }
      // The cursor's cell in words.
      const said = await preview.text('#detail-readout');
      const [, query, key, weight, rank, all, cumulative] =
        /query (\d+) “.*” → key (\d+) “.*” ([\d.e-]+) · rank ([\d,]+) of ([\d,]+) · ([\d.]+) % up to here/.exec(said) ?? [];
      assert.ok(weight !== undefined, said);
      const [line] = rowsOf(shown, 5, [Number(query)]) as [Float32Array];
      const value = line[Number(key)] as number;
      const count = (text: string | undefined): number => Number(text?.replaceAll(',', ''));
      assert.ok(Math.abs(Number(weight) - value) <= 1e-5 + value * 1e-3, `${weight} is said, the formula gives ${value}`);
      const heavier = line.filter((other) => other > value);
      assert.ok(Math.abs(count(rank) - heavier.length - 1) <= 1, `rank ${rank}, ${heavier.length} keys weigh more`);
      assert.ok(count(all) <= Number(query) + 1);
      assert.ok(Math.abs(Number(cumulative) - 100 * (heavier.reduce((a, b) => a + b, 0) + value)) < 0.2);
      assert.match(await preview.text('.lists'), /This key is attended by, of queries \d+ to \d+/);
      // The row as a table: the heaviest key first, with its exact weight.
      await preview.page.locator('#row-table > summary').click();
      const first = await preview.page.locator('#row-table tbody tr').first().locator('td').first().innerText();
      assert.ok(Math.abs(Number(first) - Math.max(...line)) <= 1e-4, `${first} is said, the formula gives ${Math.max(...line)}`);
      // Elsewhere: the whole map again, where a pinned row alone is exact, and into its beginning.
      await preview.page.locator('#detail-canvas').press('0');
      await preview.until(`document.querySelector('.detail.exact') === null`);
      await preview.page.locator('#detail-canvas').click({ position: { x: 12, y: 40 } });
      await preview.until(
        `window.headwisePreview.tile.rows === 1 && /rank .* pinned/.test(document.querySelector('#detail-readout').textContent)`,
      );
      for (let i = 0; i < 6; i++) await preview.page.locator('#detail-canvas').press('+');
      await preview.until(`document.querySelector('.detail.exact') !== null && window.headwisePreview.tile.row < 1000`);
      await preview.page.screenshot({ path: join(root, 'artifacts/preview-exact.png') });
      // All of it again.
      await preview.page.locator('#detail-canvas').press('0');
      await preview.until(`document.querySelector('.detail.exact') === null`);
    });
  });

  it('cancels within 50 ms and goes on with the next question', async () => {
    await lab.using(await lab.open('vscode-light', { init: processors }), async (preview) => {
      await preview.design({ queryHeads: 32, keyValueHeads: 8, headDim: 128, valueDim: 128 });
      await preview.choose('length', '8192');
      await preview.page.locator('#begin').click();
      await preview.until(`/^Computing: /.test(document.querySelector('#status').textContent)`);
      await preview.choose('length', '16');
      // A small question is answered while all that the large one had begun is given up.
      const waited = await preview.read<number>(`new Promise((done) => {
        const start = performance.now();
        const look = () => (window.headwisePreview.result.tokens.length === 16 ? done(performance.now() - start) : setTimeout(look, 1));
        look();
      })`);
      const share = processorShare();
      console.log(`      answered ${waited.toFixed(0)} ms later, at ${Math.round(share * 100)} % of a processor`);
      assert.ok(waited * share < 100, `the next answer took ${waited} ms`);
      assert.equal((await preview.settled()).tokens.length, 16);
    });
  });

  it('keeps every task of the page within 50 ms of its processor’s time while workers compute', async () => {
    await lab.using(await lab.open('vscode-dark', { init: processors }), async (preview) => {
      await preview.design({ queryHeads: 32, keyValueHeads: 8, headDim: 128, valueDim: 128 });
      await preview.page.waitForTimeout(500);
      const times = await preview.tasks(async () => {
        await preview.choose('length', '8192');
        await preview.page.locator('#begin').click();
        await preview.until(`/^Computing: /.test(document.querySelector('#status').textContent)`);
        // The last picture can still be looked at, and the controls worked.
        await preview.page.locator('button[data-head="3"]').click();
        await preview.page.mouse.move(200, 500);
        await preview.page.mouse.move(600, 600, { steps: 20 });
        for (const key of ['ArrowUp', 'ArrowLeft', '+', 'Enter', 'Escape']) await preview.page.locator('#detail-canvas').press(key);
        for (const view of ['tokens', 'heads']) await preview.page.locator(`#tab-${view}`).click();
        await preview.choose('order', 'Largest weight');
        assert.equal(await preview.read('window.headwisePreview.busy'), true, 'it is still computing');
        await preview.page.locator('#cancel').click();
        await preview.choose('length', '1024');
        await preview.settled('p.result.tokens.length === 1024');
        await preview.page.locator('button[data-head="9"]').click();
        await preview.page.locator('[data-similar]').first().waitFor();
        await preview.page.mouse.move(700, 500, { steps: 20 });
      });
      console.log(
        `      longest tasks of the page: ${times
          .slice(0, 4)
          .map((time) => time.toFixed(1))
          .join(', ')} ms of a processor`,
      );
      assert.ok((times[0] as number) <= 50, `a task took ${times[0]} ms`);
    });
  });

  it('draws twelve heads of 512 tokens within 200 ms, and follows the pointer within a frame, of a processor’s time', async () => {
    await lab.using(await lab.open('vscode-dark'), async (preview) => {
      await preview.design({ queryHeads: 12, keyValueHeads: 12 });
      await preview.choose('length', '512');
      await preview.settled('p.result.tokens.length === 512');
      await preview.page.waitForTimeout(400);
      // Another theme: everything is painted anew.
      const drawn = await preview.tasks(async () => {
        await preview.read(`document.body.classList.replace('vscode-dark', 'vscode-light')`);
        await preview.page.waitForTimeout(600);
      });
      const drawing = drawn.reduce((sum, time) => sum + time, 0);
      await preview.page.locator('button[data-head="4"]').click();
      const box = await preview.page.locator('#detail-canvas').boundingBox();
      assert.ok(box !== null);
      const moved = await preview.tasks(async () => {
        for (let i = 0; i < 40; i++) await preview.page.mouse.move(box.x + 4 + i * 6, box.y + 4 + i * 6);
      });
      console.log(
        `      all drawn in ${drawing.toFixed(0)} ms of a processor, longest task of a move ${(moved[0] as number).toFixed(1)} ms`,
      );
      assert.ok(drawing < 200, `drawing took ${drawing} ms`);
      assert.ok((moved[0] as number) < 16, `a move took ${moved[0]} ms`);
    });
  });
});
