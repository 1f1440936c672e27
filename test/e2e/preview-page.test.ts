import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../scripts/lib/process.mjs';
import type { ToPreview } from '../../webview/protocol.ts';
import { assertNear, designMessage, expected, grouped, type Preview, type PreviewLab, startPreviewLab } from './preview-lab.ts';
import { pageThemes, startPreviewServer, themeScript } from './preview-server.ts';

describe('the attention preview in a browser', function () {
  this.timeout(240_000);
  let lab: PreviewLab;
  before(async () => {
    lab = await startPreviewLab();
  });
  after(() => lab?.close());
  const open: PreviewLab['open'] = (...given) => lab.open(...given);
  const using = (preview: Preview, check: (preview: Preview) => Promise<void>): Promise<void> => lab.using(preview, check);

  it('shows the weights that the reference computes, from a WebAssembly kernel in a worker', async () => {
    await using(await open(), async (preview) => {
      const shown = await preview.design();
      assert.match(shown.kernel, /^wasm-/);
      const { sample, run } = expected(grouped, shown.settings);
      assert.deepEqual(shown.tokens, sample.tokens);
      assert.equal(shown.maps.length, 8 * 48 * 48);
      assertNear(shown.maps, run.maps, 1e-5);
      assertNear(shown.output, run.output, 1e-4);
      for (const [head, statistics] of run.statistics.entries()) {
        for (const [name, value] of Object.entries(statistics)) {
          if (name === 'span') continue; // counts whole keys: one weight rounded otherwise moves it
          assert.ok(Math.abs((shown.statistics[head]?.[name] as number) - value) < 1e-4, `head ${head}: ${name}`);
        }
      }
      assert.match(await preview.text('#status'), /^8 heads × 48 × 48 weights computed in [\d.]+ ms \(WebAssembly, (relaxed )?SIMD\)$/);
      assert.deepEqual(lab.server.missing, []);
    });
  });

  it('says what the design is and who shares which KV head', async () => {
    await using(await open(), async (preview) => {
      await preview.design();
      assert.equal(await preview.text('#title'), 'samples/config.json');
      assert.deepEqual(await preview.page.locator('#facts button').allInnerTexts(), [
        '8 query heads',
        '2 KV heads',
        'head dim 64',
        'rope positions',
        '12 layers',
      ]);
      assert.equal(
        await preview.text('#sharing'),
        'Grouped-query attention, 4 to 1: query heads 0–3 share KV head 0, 4–7 share KV head 1.',
      );
      assert.deepEqual(await preview.page.locator('.group h2').allInnerTexts(), ['KV head 0', 'KV head 1']);
      assert.equal(await preview.page.locator('.group').first().locator('canvas').count(), 4);
      await preview.design({ queryHeads: 6, keyValueHeads: 1 });
      assert.equal(await preview.text('#sharing'), 'All 6 query heads share one KV head (multi-query attention).');
      await preview.design({ queryHeads: 3, keyValueHeads: 3 });
      assert.equal(await preview.page.locator('.group').count(), 0);
      assert.equal(await preview.page.locator('#maps canvas').count(), 3);
    });
  });

  it('draws what was computed, hides what the mask hides, and draws anew when the mask changes', async () => {
    await using(await open(), async (preview) => {
      const causal = await preview.design();
      const before = await preview.pixels(3);
      assert.equal(before.length, 48 * 48 * 4);
      for (let row = 0; row < 48; row++) {
        for (let column = 0; column < 48; column++) {
          assert.equal(before[(row * 48 + column) * 4 + 3], column <= row ? 255 : 0, `opacity at ${row}, ${column}`);
        }
      }
      // Darker means heavier on the light map: the order of luminance is the reverse order of weights.
      const luminance = (i: number): number =>
        0.2126 * (before[i * 4] as number) + 0.7152 * (before[i * 4 + 1] as number) + 0.0722 * (before[i * 4 + 2] as number);
      const cells = Array.from({ length: 48 }, (_, column) => 47 * 48 + column);
      const weightAt = (cell: number): number => causal.maps[3 * 48 * 48 + cell] as number;
      for (const a of cells) for (const b of cells) if (weightAt(a) > weightAt(b) + 0.01) assert.ok(luminance(a) < luminance(b) + 1);

      await preview.unfold('design-controls');
      await preview.choose('mask', 'none');
      const open = await preview.settled(`p.result.settings.mask === 'none'`);
      assertNear(open.maps, expected(grouped, open.settings).run.maps, 1e-5);
      const after = await preview.pixels(3);
      assert.ok(after.every((value, i) => i % 4 !== 3 || value === 255));
      assert.notDeepEqual(after, before);

      await preview.choose('mask', 'causal');
      await preview.settled(`p.result.settings.mask === 'causal'`);
      assert.deepEqual(await preview.pixels(3), before);
    });
  });

  it('computes anew for another seed, length and text', async () => {
    await using(await open(), async (preview) => {
      const first = await preview.design();
      await preview.field('seed').fill('77');
      const seeded = await preview.settled('p.result.settings.seed === 77');
      assert.notDeepEqual(seeded.maps, first.maps);
      assertNear(seeded.maps, expected(grouped, seeded.settings).run.maps, 1e-5);

      await preview.choose('length', '16');
      const short = await preview.settled('p.result.tokens.length === 16');
      assertNear(short.maps, expected(grouped, short.settings).run.maps, 1e-5);

      await preview.choose('source', 'a text of your own');
      await preview.field('text').fill('to be or not to be');
      const typed = await preview.settled('p.result.tokens.length === 6');
      assert.deepEqual(typed.tokens, ['to', 'be', 'or', 'not', 'to', 'be']);
      assertNear(typed.maps, expected(grouped, typed.settings).run.maps, 1e-5);
    });
  });

  it('says a weight under the pointer to four digits', async () => {
    await using(await open(), async (preview) => {
      const shown = await preview.design();
      const canvas = preview.page.locator('button[data-head="5"] canvas');
      const box = await canvas.boundingBox();
      assert.ok(box !== null);
      const [row, column] = [40, 7];
      await preview.page.mouse.move(box.x + ((column + 0.5) * box.width) / 48, box.y + ((row + 0.5) * box.height) / 48);
      const weight = shown.maps[(5 * 48 + row) * 48 + column] as number;
      const said = await preview.text('.tip');
      const start = `Head 5: query 40 “${shown.tokens[40]}” → key 7 “${shown.tokens[7]}” `;
      assert.ok(said.startsWith(start), said);
      assert.ok(Math.abs(Number(said.slice(start.length)) / weight - 1) < 5e-4, said);
      await preview.page.mouse.move(box.x + (45.5 * box.width) / 48, box.y + (2.5 * box.height) / 48);
      assert.match(await preview.text('.tip'), /hidden by the mask$/);
    });
  });

  it('opens a head large and is worked by keyboard alone', async () => {
    await using(await open(), async (preview) => {
      const shown = await preview.design();
      await preview.page.locator('button[data-head="2"]').focus();
      await preview.page.keyboard.press('Enter');
      assert.equal(await preview.text('#detail-title'), 'Head 2');
      const at = (row: number, column: number): number => shown.maps[(2 * 48 + row) * 48 + column] as number;
      await preview.page.keyboard.press('Home');
      const said = async (): Promise<number> => Number((await preview.text('#detail-readout strong')) as string);
      assert.match(await preview.text('#detail-readout'), /query 47 .* → key 0 /);
      assert.ok(Math.abs((await said()) - at(47, 0)) < 5e-5);
      await preview.page.keyboard.press('ArrowUp');
      await preview.page.keyboard.press('ArrowRight');
      assert.match(await preview.text('#detail-readout'), /query 46 .* → key 1 /);
      assert.ok(Math.abs((await said()) - at(46, 1)) < 5e-5);
      const top = (await preview.page.locator('.lists ol').first().locator('.value').allInnerTexts()).map(Number);
      const row = Array.from({ length: 48 }, (_, column) => at(46, column)).sort((a, b) => b - a);
      assert.ok(top.every((weight, i) => Math.abs(weight - (row[i] as number)) < 5e-5));
      await preview.page.keyboard.press('Escape');
      assert.equal(await preview.page.locator('.detail').isVisible(), false);
      assert.equal(await preview.page.evaluate(`document.activeElement.dataset.head`), '2');
    });
  });

  it('describes every map in words and in a table', async () => {
    await using(await open(), async (preview) => {
      const shown = await preview.design();
      const canvases = preview.page.locator('#maps canvas');
      assert.equal(await canvases.count(), 8);
      for (const [head, canvas] of (await canvases.all()).entries()) {
        assert.equal(await canvas.getAttribute('role'), 'img');
        const label = (await canvas.getAttribute('aria-label')) ?? '';
        assert.ok(label.startsWith(`Head ${head}, KV head ${Math.floor(head / 4)}: attention over 48 tokens, `), label);
        assert.ok(label.includes(`mean entropy ${shown.statistics[head]?.entropy?.toFixed(2)} bits`), label);
      }
      await preview.page.locator('#heads-table summary').click();
      const rows = preview.page.locator('#heads-table tbody tr');
      await rows.first().waitFor();
      assert.equal(await rows.count(), 8);
      const cells = await rows.nth(5).locator('th, td').allInnerTexts();
      assert.deepEqual(cells.slice(0, 3), ['Head 5', '1', shown.statistics[5]?.entropy?.toFixed(2)]);
    });
  });

  it('keeps the last picture dimmed and gives the reason when a design cannot be', async () => {
    await using(await open(), async (preview) => {
      await preview.design();
      const before = await preview.pixels(0);
      await preview.send(designMessage({ keyValueHeads: 3 }));
      await preview.until('window.headwisePreview.stale');
      assert.equal(
        await preview.text('#notices'),
        '8 query heads cannot share 3 key/value heads: 8 % 3 = 2. The picture is of the last design that could be computed.',
      );
      assert.deepEqual(await preview.pixels(0), before);
      assert.ok(Number(await preview.page.locator('#maps').evaluate((maps) => getComputedStyle(maps).opacity)) < 1);
      await preview.send({ kind: 'unavailable', title: 'config.json', source: 'file:///c', reason: 'This file holds no heads.' });
      await preview.until(`document.querySelector('#notices').textContent === 'This file holds no heads.'`);
      await preview.design({ keyValueHeads: 4 });
      assert.equal(await preview.text('#notices'), '');
    });
  });

  it('sets text from files as text, and drops messages that fit no schema', async () => {
    await using(await open(), async (preview) => {
      const attack = '<img src=x onerror="window.attacked = true">';
      await preview.design({}, { title: attack, warnings: [attack] });
      await preview.choose('source', 'a text of your own');
      await preview.field('text').fill(`<img/src=x/onerror=window.attacked=true> <b>x</b>`);
      const shown = await preview.settled('p.result.tokens.length === 2');
      assert.deepEqual(shown.tokens, ['<img/src=x/onerror=window.attacked=true>', '<b>x</b>']);
      await preview.page.locator('button[data-head="0"]').click();
      assert.equal(await preview.text('#title'), attack);
      assert.equal(await preview.text('#notices'), attack);
      assert.match(await preview.text('.lists'), /<img\/src=x\/onerror=window\.attacked=true>/);
      for (const view of ['tokens', 'steps', 'decode', 'heads']) {
        await preview.page.locator(`#tab-${view}`).click();
        await preview.page.locator('summary:visible').evaluateAll((all) => {
          for (const each of all) (each.parentElement as HTMLDetailsElement).open = true;
        });
        await preview.page.waitForTimeout(150);
        assert.equal(await preview.page.locator('img, b').count(), 0, view);
      }
      await preview.page.locator('#export-svg').click();
      const svg = new TextDecoder().decode(await preview.exported('attention.svg'));
      assert.ok(svg.includes('&lt;img src=x onerror=&quot;') && !svg.includes('<img'), 'the picture holds the title as text');
      assert.equal(await preview.page.evaluate('window.attacked'), undefined);

      for (const bad of [
        { kind: 'design' },
        { ...designMessage(), title: 7 },
        { ...designMessage(), extra: 1 },
        { ...designMessage(), design: { ...grouped, headDim: '64' } },
        { kind: 'reveal', source: 'x', field: 'headDim' },
      ]) {
        await preview.send(bad);
      }
      await preview.send('design' as unknown as ToPreview);
      await preview.page.waitForTimeout(50);
      assert.equal(await preview.text('#title'), attack);
    });
  });

  it('asks for the place that sets a number', async () => {
    await using(await open(), async (preview) => {
      await preview.design();
      await preview.page.locator('#facts button').nth(1).click();
      assert.deepEqual((await preview.sent()).at(-1), { kind: 'reveal', source: 'file:///samples/config.json', field: 'keyValueHeads' });
    });
  });

  it('comes back as it was after a reload', async () => {
    await using(await open(), async (preview) => {
      await preview.design();
      await preview.field('seed').fill('5');
      const before = await preview.settled('p.result.settings.seed === 5');
      await preview.page.locator('button[data-head="1"]').click();
      await preview.page.reload();
      const after = await preview.settled('p.opened === 1');
      assert.deepEqual(after.maps, before.maps);
      assert.equal(await preview.text('#detail-title'), 'Head 1');
    });
  });

  it('falls back to the TypeScript reference without WebAssembly, and to the page without a worker', async () => {
    const withheld = await startPreviewServer(root, { without: ['.wasm', 'worker.js'] });
    try {
      const preview = await open('vscode-light', { url: withheld.url });
      const shown = await preview.design();
      assert.equal(shown.kernel, 'typescript');
      assert.match(await preview.text('#status'), /TypeScript reference, because WebAssembly cannot run here/);
      assertNear(shown.maps, expected(grouped, shown.settings).run.maps, 1e-5);
      await preview.page.context().close();
    } finally {
      await withheld.close();
    }
  });

  it('says what would not fit before it starts, pools it when asked, and answers while it computes', async () => {
    await using(await open(), async (preview) => {
      await preview.design({ queryHeads: 16, keyValueHeads: 4 });
      await preview.choose('length', '2048');
      await preview.page.locator('#begin').waitFor();
      // 16 heads x 2048 x 2048 weights of 4 bytes.
      assert.match(await preview.text('#notices'), /All weights of 2,048 tokens would take 256 MiB/);
      assert.equal(await preview.read('window.headwisePreview.busy'), false);
      await preview.page.locator('#begin').click();
      // The page itself must stay free: it takes its turns while the worker is busy.
      const turns = await preview.read<number>(`new Promise((done) => {
        let turns = 0;
        const turn = () => {
          if (!window.headwisePreview.busy) done(turns);
          else setTimeout(turn, 0, turns++);
        };
        turn();
      })`);
      const shown = await preview.settled('p.result.tokens.length === 2048');
      assert.equal(shown.pooled, true);
      assert.equal(shown.size, 512);
      assert.ok(turns >= 10, `the page had ${turns} turns`);
      // Causal: tiles above the diagonal hold nothing, and the first row's only weight is 1.
      const [first, above, rows] = await preview.read<[number, number, number]>(`(() => {
        const { maps, size } = window.headwisePreview.result;
        let above = 0;
        for (let row = 0; row < size; row++) for (let column = row + 1; column < size; column++) above = Math.max(above, maps[row * size + column]);
        return [maps[0], above, window.headwisePreview.result.statistics.length];
      })()`);
      assert.equal(first, 1);
      assert.equal(above, 0);
      assert.equal(rows, 16);
    });
  });

  it('can be stopped', async () => {
    await using(await open(), async (preview) => {
      await preview.design({ queryHeads: 32, keyValueHeads: 8, headDim: 128, valueDim: 128 });
      await preview.choose('length', '8192');
      await preview.page.locator('#begin').click();
      await preview.page.locator('#cancel').click();
      assert.equal(await preview.text('#status'), 'Stopped.');
      assert.equal(await preview.read('window.headwisePreview.busy'), false);
      // And goes on with the next question.
      await preview.choose('length', '16');
      await preview.settled('p.result.tokens.length === 16');
    });
  });

  for (const theme of pageThemes) {
    it(`looks right in the theme ${theme}`, async () => {
      const artifacts = join(root, 'artifacts');
      await mkdir(artifacts, { recursive: true });
      const dark = theme === 'vscode-dark' || theme === 'vscode-high-contrast';
      await using(await open(theme), async (preview) => {
        await preview.design(
          { queryHeads: 32, keyValueHeads: 8, headDim: 128, valueDim: 128, layers: 32 },
          { title: 'Llama 3.1 8B · config.json' },
        );
        await preview.page.waitForTimeout(200);
        await preview.page.screenshot({ path: join(artifacts, `preview-grouped-${theme}.png`) });
        await preview.choose('length', '32');
        await preview.settled('p.result.tokens.length === 32');
        await preview.page.locator('button[data-head="5"]').click();
        await preview.page.waitForTimeout(200);
        await preview.page.screenshot({ path: join(artifacts, `preview-head-${theme}.png`) });
        const [red] = await preview.pixels(0);
        // The map follows the theme: a weight of 1 is ink on paper, or light on a dark ground.
        assert.ok(dark ? (red as number) > 220 : (red as number) < 60, `red is ${red}`);
      });
    });
  }

  it('fits a narrow panel: nothing overlaps or sticks out', async () => {
    await using(await open('vscode-light', { width: 380 }), async (preview) => {
      await preview.design({ queryHeads: 32, keyValueHeads: 8 });
      // The first heads stand on the first screen.
      const first = await preview.page.locator('button[data-head="0"]').boundingBox();
      assert.ok(first !== null && first.y + first.height < 560, `the first map ends at ${first?.y}`);
      assert.match(await preview.text('#sample-summary'), /^Sample: random weights · seeded words · 48 tokens · seed 1$/);
      await preview.unfold('sample-controls');
      await preview.page.locator('button[data-head="0"]').click();
      assert.equal(await preview.page.evaluate('document.documentElement.scrollWidth'), 380);
      const boxes = await Promise.all(
        ['#model', '#source', '#length', '#seed .root', '#reseed', '#order', '#filter', '#export', '#compare'].map((id) =>
          preview.page.locator(id).boundingBox(),
        ),
      );
      for (const [i, a] of boxes.entries()) {
        for (const b of boxes.slice(i + 1)) {
          assert.ok(a !== null && b !== null);
          assert.ok(a.x + a.width <= b.x + 0.5 || b.x + b.width <= a.x + 0.5 || a.y + a.height <= b.y + 0.5 || b.y + b.height <= a.y + 0.5);
        }
      }
    });
  });

  it('draws anew when the theme changes', async () => {
    await using(await open('vscode-light'), async (preview) => {
      await preview.design();
      const before = await preview.pixels(0);
      await preview.page.evaluate(themeScript('vscode-dark'));
      await preview.page.waitForTimeout(100);
      assert.notDeepEqual(await preview.pixels(0), before);
    });
  });
});
