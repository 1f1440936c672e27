import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../scripts/lib/process.mjs';
import { type CalculatorLab, type CalculatorPage, sampleBase, startCalculatorLab } from './calculator-lab.ts';
import { pageThemes, themeScript } from './preview-server.ts';

const numbers = (text: string): string => text.replaceAll('\u202f', '');

describe('the calculator’s result in a browser', function () {
  this.timeout(240_000);
  let lab: CalculatorLab;
  before(async () => {
    lab = await startCalculatorLab();
  });
  after(() => lab?.close());
  const using = (page: CalculatorPage, check: (page: CalculatorPage) => Promise<void>): Promise<void> => lab.using(page, check);

  it('shows published numbers of a published design', async () => {
    await using(await lab.open(), async (page) => {
      await page.open({ query: 'llama3-8b T=8k' });
      // meta-llama/Meta-Llama-3-8B: 8,030,261,248 parameters; 2 x 32 layers x 8 KV heads x 128 x 2 bytes of cache a token.
      assert.equal(await page.quantity('totals', 'parameters'), '8030261248');
      assert.equal(await page.quantity('totals', 'cacheBytesPerToken'), `${2 * 32 * 8 * 128 * 2}B`);
      assert.match(numbers(await page.text('table[data-table="totals"]')), /8\.03B/);
      await page.open({ query: 'deepseek-v3 T=4k' });
      // DeepSeek-V3 (arXiv:2412.19437): 671B parameters, a cache of 512 + 64 numbers a token and layer in 61 layers.
      assert.match(numbers(await page.text('table[data-table="totals"]')), /671B/);
      assert.equal(await page.quantity('totals', 'cacheBytesPerToken'), `${(512 + 64) * 61 * 2}B`);
    });
  });

  it('follows the data through a layer, by formulas of its own', async () => {
    await using(await lab.open(), async (page) => {
      const [d, h, kv, e, t, b, f] = [4096n, 32n, 8n, 128n, 2048n, 2n, 14336n];
      await page.open({ query: `d=${d} h=${h} kv=${kv} T=${t} B=${b} ff=${f} gated bf16 L=32` });
      await page.page.locator('#exact').click();
      const rows: Readonly<Record<string, readonly [shape: readonly bigint[], parameters: bigint, flops: bigint]>> = {
        // PyTorch's Linear(in, out): in x out weights, a product of (B T) x in with in x out.
        queries: [[b, t, h * e], d * h * e, 2n * b * t * d * h * e],
        keys: [[b, t, kv * e], d * kv * e, 2n * b * t * d * kv * e],
        scores: [[b, h, t, t], 0n, 2n * b * h * t * t * e],
        weightedValues: [[b, h, t, e], 0n, 2n * b * h * t * t * e],
        concatenation: [[b, t, h * e], 0n, 0n],
        outputProjection: [[b, t, d], h * e * d, 2n * b * t * h * e * d],
        down: [[b, t, d], f * d, 2n * b * t * f * d],
      };
      for (const [id, [shape, parameters, flops]] of Object.entries(rows)) {
        const [, , shown, ...amounts] = await page.step(id);
        const written = (value: bigint): string => (value === 0n ? '–' : String(value));
        assert.equal(shown, `[${shape.join(', ')}]`, id);
        assert.deepEqual(amounts.slice(0, 3), [written(parameters), written(flops), written(2n * flops)], id);
      }
      // Korthikanti et al. 2022, equation 1 without dropout: the weights of a softmax are kept, a fused kernel keeps 4 bytes a row.
      const [, , , , , , kept, fused] = await page.step('weights');
      assert.equal(kept, `${2n * b * h * t * t}B`);
      assert.equal(fused, `${4n * b * h * t}B`);
      const ids = await page.page
        .locator('#steps-table tbody tr[data-step]')
        .evaluateAll((found) => found.map((each) => each.getAttribute('data-step')));
      const order = ['queries', 'scores', 'weights', 'weightedValues', 'concatenation', 'outputProjection', 'up', 'down'];
      assert.deepEqual(
        ids.filter((id) => order.includes(id ?? '')),
        order,
      );
    });
  });

  it('recalculates while one types, marks what is wrong, and keeps the last good answer', async () => {
    await using(await lab.open(), async (page) => {
      await page.open({ query: 'd=4096 h=32 T=1k ff=4*d gated' });
      const good = await page.text('#steps-table');
      const shown = await page.type('d=4096 h=33 T=1k ff=4*d gated foo=3');
      assert.ok((shown.result?.first.problems.length ?? 0) >= 2);
      assert.equal(await page.text('#steps-table'), good);
      assert.match(await page.text('#notices'), /Shown: d=4096 h=32/);
      const carets = await page.page.locator('#expression-first .carets').textContent();
      assert.equal(carets?.indexOf('^'), 'd=4096 h='.length);
      assert.equal(carets?.lastIndexOf('^'), 'd=4096 h=33 T=1k ff=4*d gated fo'.length);
      // The message leads to the characters.
      await page.page.locator('#problems-first button', { hasText: 'foo' }).click();
      const selected = await page.read<string>(`(() => {
        const input = document.querySelector('#query-first').control;
        return input.value.slice(input.selectionStart, input.selectionEnd);
      })()`);
      assert.equal(selected, 'foo');
      await page.type('d=4096 h=64 T=1k ff=4*d gated');
      assert.notEqual(await page.text('#steps-table'), good);
      assert.equal((await page.page.locator('#expression-first .carets').textContent()) ?? '', '');
      for (const bad of ['d=-1 h=0', '1e400', 'd=NaN', 'd=99999999999999999999 h=2', '\u0000 <img src=x onerror=alert(1)>']) {
        const answered = await page.type(bad);
        assert.ok((answered.result?.first.problems.length ?? 0) > 0, bad);
        assert.match(await page.text('#steps-table'), /Scores/);
      }
      assert.equal(await page.page.locator('#calculator img').count(), 0);
    });
  });

  it('sets sizes and devices by its controls, in the expression', async () => {
    await using(await lab.open(), async (page) => {
      await page.open({ query: 'd=4096 h=32 kv=8 T=1k ff=4*d gated L=32' });
      await page.page.locator('#set-sequenceLength').getByRole('textbox').fill('4096');
      let shown = await page.settled(`p.state.question.query.includes('T=4096') && p.result.first.query === p.state.question.query`);
      assert.equal((await page.step('scores'))[2], '[1, 32, 4096, 4096]');
      await page.page.locator('#fold-more > summary').click();
      await page.page.locator('#set-tensor').getByRole('textbox').fill('8');
      shown = await page.settled(`p.state.question.query.endsWith(' tp=8') && p.result.first.query === p.state.question.query`);
      assert.equal(shown.result?.first.problems.length, 0);
      assert.equal(await page.page.locator('table[data-table="devices"]').count(), 1);
      await page.page.locator('#set-sequence').click();
      await page.settled(`p.state.question.query.endsWith(' sp')`);
      await page.page.locator('#set-dtype').click();
      await page.page
        .locator('#set-dtype vscode-option')
        .filter({ hasText: /^\s*fp32\s*$/ })
        .click();
      await page.settled(`p.state.question.query.endsWith(' fp32') && p.result.first.query === p.state.question.query`);
      // 2 x 32 layers x 8 x 128 numbers of 4 bytes.
      assert.equal(await page.quantity('attention', 'cachePerToken'), `${2 * 32 * 8 * 128 * 4}B`);
    });
  });

  it('holds a second design against the first', async () => {
    await using(await lab.open(), async (page) => {
      await page.open({ query: 'd=4096 h=32 kv=32 T=1k L=32 bf16' });
      await page.page.locator('#compare').click();
      await page.settled('p.result.second !== undefined');
      await page.type('d=4096 h=32 kv=8 T=1k L=32 bf16', 'second');
      const row = page.page.locator('table[data-table="attention"] tr[data-row="cachePerToken"]');
      assert.deepEqual((await row.locator('td').allInnerTexts()).map(numbers), ['512KiB', '128KiB', '×0.25']);
      assert.deepEqual(await page.page.locator('table[data-table="attention"] tr[data-row="headDim"] td').allInnerTexts(), [
        '128',
        '128',
        '',
      ]);
      await page.page.locator('#compare').click();
      const alone = await page.settled('p.result.second === undefined');
      assert.equal(alone.state.question.second, undefined);
    });
  });

  it('reads a config, follows its edits and says what cannot be read', async () => {
    await using(await lab.open(), async (page) => {
      await page.open({ query: 'T=1k', ...sampleBase('qwen-good/config.json') });
      const config = JSON.parse(await readFile(join(root, 'samples/qwen-good/config.json'), 'utf8')) as Readonly<Record<string, number>>;
      assert.equal((await page.step('scores'))[2], `[1, ${config.num_attention_heads}, 1024, 1024]`);
      assert.match(await page.text('#facts'), new RegExp(`${config.num_hidden_layers} layers, ${config.num_attention_heads} heads`));
      await page.page.locator('#fold-parameters > summary').click();
      const tensor = page.page.locator('table[data-table="parameters"] tr').filter({ hasText: 'self_attn.q_proj.weight' });
      const width = BigInt(config.hidden_size ?? 0);
      const heads = BigInt(config.num_attention_heads ?? 0) * BigInt(config.head_dim ?? 0);
      assert.match(await tensor.innerText(), new RegExp(`\\[${heads}, ${width}\\]`));
      await page.send({ kind: 'outdated' });
      await page.settled('true');
      await page.send({ kind: 'code', text: 'X in modeling_x.py makes other parameters <b>', isProblem: true });
      await page.page.locator('#notices .problem', { hasText: 'makes other parameters <b>' }).waitFor();
      await page.page.locator('#expression-first .base-name').click();
      assert.deepEqual((await page.sent()).at(-1), { kind: 'reveal', base: sampleBase('qwen-good/config.json').base });
      await page.open({ query: 'T=2k', ...sampleBase('no-such-file.json') });
      assert.match(await page.text('#notices'), /holds no design/);
      assert.equal((await page.step('scores'))[2], `[1, ${config.num_attention_heads}, 1024, 1024]`);
    });
  });

  it('draws the cache of every way to share heads, and reads it out by keys and as a table', async () => {
    await using(await lab.open(), async (page) => {
      await page.open({ query: 'llama3-8b T=32k' });
      const readout = page.page.locator('#cache-chart .readout');
      // 32k tokens x 128 KiB; with KV heads of its own for each of 32 query heads four times that, with one an eighth.
      const lines = numbers(await readout.innerText());
      assert.match(lines, /MHA \(32\)\s+16GiB/);
      assert.match(lines, /GQA \(8\)\s+4GiB/);
      assert.match(lines, /MQA \(1\)\s+512MiB/);
      assert.match(lines, /MLA/);
      const painted = await page.page.locator('#cache-chart canvas').evaluate((canvas) => {
        const { width, height } = canvas as HTMLCanvasElement;
        const { data } = ((canvas as HTMLCanvasElement).getContext('2d') as CanvasRenderingContext2D).getImageData(0, 0, width, height);
        return new Set(
          Array.from({ length: data.length / 4 }, (_, i) => data.slice(i * 4, i * 4 + 4).join()).filter((pixel) => !pixel.endsWith(',0')),
        ).size;
      });
      assert.ok(painted > 8, `${painted} colours`);
      await page.page.locator('#cache-chart .plot').focus();
      await page.page.keyboard.press('End');
      const far = numbers(await readout.innerText());
      assert.notEqual(far, lines);
      await page.page.locator('#cache-table > summary').click();
      const row = page.page.locator('#cache-table tbody tr').filter({ hasText: '32\u202f768' });
      assert.equal(numbers(await row.first().locator('td').nth(1).innerText()), `${32768 * 131072}B`);
      await page.page.locator('#parts-table > summary').click();
      await page.page.locator('#parts-table tbody tr').first().waitFor();
      const parts = await page.page.locator('#parts-table tbody tr td:nth-child(2)').allInnerTexts();
      assert.equal(
        parts.reduce((sum, text) => sum + BigInt(numbers(text)), 0n),
        8_030_261_248n,
      );
    });
  });

  it('comes back as it was, and asks the extension to act', async () => {
    await using(await lab.open(), async (page) => {
      await page.open({ query: 'gpt2 T=1k' });
      await page.page.locator('#exact').click();
      await page.page.locator('#fold-design > summary').click();
      // A fold says that it was opened in an event of its own, after the click: only then is it kept.
      await page.settled(`p.state.exact && p.state.unfolded.includes('design')`);
      await page.page.reload();
      const shown = await page.settled('p.result !== undefined');
      assert.equal(shown.state.question.query, 'gpt2 T=1k');
      assert.equal(shown.state.exact, true);
      await page.page.locator('#fold-design[open] table').waitFor();
      // OpenAI's GPT-2 small.
      assert.match(numbers(await page.text('table[data-table="totals"]')), /124439808/);
      for (const [id, action] of [
        ['action-latex', 'latex'],
        ['action-keys', 'keys'],
        ['action-preview', 'preview'],
      ] as const) {
        await page.page.locator('#actions > summary').click();
        await page.page.locator(`#${id}`).click();
        assert.deepEqual((await page.sent()).at(-1), { kind: 'act', action, question: { query: 'gpt2 T=1k', name: '' } });
      }
      await page.page.locator('#pick-first').click();
      assert.deepEqual((await page.sent()).at(-1), { kind: 'pick', side: 'first' });
      await page.send({ kind: 'picked', side: 'first', name: '', preset: 'bert-base' });
      await page.settled(`p.state.question.query === 'bert-base T=1k'`);
    });
  });

  it('is worked by keys alone', async () => {
    await using(await lab.open(), async (page) => {
      await page.open({ query: 'llama3-8b T=1k tp=1' });
      await page.page.locator('#query-first').getByRole('textbox').focus();
      await page.page.keyboard.press('End');
      await page.page.keyboard.type(' B=3');
      await page.settled(`p.result.first.query === 'llama3-8b T=1k tp=1 B=3'`);
      const reached = new Set<string>();
      for (let i = 0; i < 60; i++) {
        await page.page.keyboard.press('Tab');
        reached.add(
          await page.read<string>(
            `(document.activeElement?.id || document.activeElement?.className || document.activeElement?.tagName || '')`,
          ),
        );
      }
      for (const id of [
        'pick-first',
        'set-sequenceLength',
        'set-tensor',
        'set-optimizer',
        'exact',
        'compare',
        'scroll',
        'plot',
        'design-title',
      ])
        assert.ok(reached.has(id), `${id} among ${[...reached].join(' ')}`);
    });
  });

  for (const theme of pageThemes) {
    it(`has nothing that axe finds serious in the theme ${theme}`, async () => {
      await using(await lab.open(theme), async (page) => {
        const axe = await readFile(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8');
        await page.read(axe);
        await mkdir(join(root, 'artifacts'), { recursive: true });
        const check = async (name: string): Promise<void> => {
          const found = await page.read<
            { id: string; impact: string; nodes: string[] }[]
          >(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
            violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => html.slice(0, 160) + ' ' + failureSummary.slice(0, 200)) })))`);
          assert.deepEqual(
            found.filter(({ impact }) => impact === 'serious' || impact === 'critical'),
            [],
            name,
          );
          await page.page.screenshot({ path: join(root, `artifacts/calculator-${name}-${theme}.png`), fullPage: true });
        };
        await page.open({ query: 'T=8k B=4 tp=8 h100', ...sampleBase('qwen-good/config.json') });
        for (const id of ['#fold-design', '#fold-parameters', '#cache-table', '#parts-table'])
          await page.page.locator(`${id} > summary`).click();
        await check('file');
        await page.open({ query: 'd=4096 h=33 foo=1', second: { query: 'llama3-8b', name: '' } });
        await page.type('llama3-8b T=8k tp=3x');
        await check('problems');
        await page.open({ query: 'llama3-8b T=8k', second: { query: 'llama3-70b T=8k', name: '' } });
        await page.page.locator('#actions > summary').click();
        await check('second');
      });
    });
  }

  it('moves nothing where motion is to be reduced, and draws anew when the theme changes', async () => {
    await using(await lab.open('vscode-light', { reducedMotion: 'reduce' }), async (page) => {
      await page.open({ query: 'llama3-8b T=8k' });
      const moving = await page.read<number>(
        `[...document.querySelectorAll('#calculator *')].filter((each) => getComputedStyle(each).transitionDuration.split(',').some((time) => parseFloat(time) > 0) && !each.tagName.startsWith('VSCODE-')).length`,
      );
      assert.equal(moving, 0);
      const picture = (): Promise<string> =>
        page.page.locator('#parts-chart canvas').evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
      const before = await picture();
      await page.page.evaluate(themeScript('vscode-dark'));
      await page.until(`document.body.classList.contains('vscode-dark')`);
      await page.page.waitForTimeout(200);
      assert.notEqual(await picture(), before);
    });
  });
});
