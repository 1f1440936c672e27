import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../scripts/lib/process.mjs';
import { findLayers } from '../../src/checkpoint/layers.ts';
import type { FromPreview, PreviewDesign } from '../../webview/protocol.ts';
import { folderWith, goldenStreams, numbersOf, readConfig, safetensors } from '../unit/webview/checkpoint-file.ts';
import { assertNear, designMessage, expected, grouped, type Preview, type PreviewLab, startPreviewLab } from './preview-lab.ts';

/** DeepSeek V2 Lite's attention with fewer heads. */
const latent: PreviewDesign = {
  queryHeads: 4,
  keyValueHeads: 4,
  headDim: 192,
  valueDim: 128,
  causal: true,
  layers: 27,
  positions: 'rope',
  latent: { keyValueRank: 512, plainDim: 128, rotaryDim: 64 },
  interleaved: true,
  ropeTheta: 10_000,
  scaling: { kind: 'yarn', name: 'yarn', factor: 40, trainedLength: 4096, betaFast: 32, betaSlow: 1, mscale: 0.7, mscaleAllDim: 0.7 },
};
/** T5 small's encoder. */
const t5: PreviewDesign = {
  queryHeads: 8,
  keyValueHeads: 8,
  headDim: 64,
  valueDim: 64,
  causal: false,
  layers: 6,
  positions: 'relative',
  buckets: 32,
  maxDistance: 128,
  scale: 1,
};

describe('the attention preview of other designs', function () {
  this.timeout(240_000);
  let lab: PreviewLab;
  before(async () => {
    lab = await startPreviewLab();
    await mkdir(join(root, 'artifacts'), { recursive: true });
  });
  after(() => lab?.close());

  const same = async (preview: Preview, design: PreviewDesign, until = 'true'): Promise<Awaited<ReturnType<Preview['settled']>>> => {
    const shown = await preview.settled(until);
    const { run } = expected(design, shown.settings);
    assertNear(shown.maps, run.maps, 1e-5);
    assertNear(
      shown.statistics.map(({ entropy }) => entropy as number),
      run.statistics.map(({ entropy }) => entropy),
      1e-4,
    );
    return shown;
  };

  it('computes multi-head latent attention, says it in the formula, steps through it and decodes against its narrow cache', async () => {
    await lab.using(await lab.open('vscode-dark'), async (preview) => {
      await preview.design(latent);
      await same(preview, latent);
      const formula = await preview.text('#formula');
      assert.match(formula, /Rᵢq·Rⱼk \/ √192\s\+ M/);
      assert.match(formula, /\[k; v\] = WUKV·norm\(WDKV·x\) over 512 numbers/);
      assert.match(formula, /R: YaRN × 40 from 4,096 tokens/);
      assert.match(await preview.text('#facts'), /KV latent 512.*head dim 128 \+ 64 rotated.*value dim 128/s);
      assert.match(await preview.text('#sharing'), /one latent of 512 numbers per token, and 64 rotated ones/);
      await preview.page.screenshot({ path: join(root, 'artifacts/preview-latent.png') });
      // Its own controls.
      await preview.unfold('design-controls');
      assert.equal(await preview.page.locator('#kv-heads').isVisible(), false);
      await preview.field('kv-rank').fill('16');
      const narrow = { ...latent, latent: { keyValueRank: 16, plainDim: 128, rotaryDim: 64 } };
      await same(preview, narrow, 'p.result.design.latent.keyValueRank === 16');
      await preview.field('query-rank').fill('24');
      const both = { ...latent, latent: { queryRank: 24, keyValueRank: 16, plainDim: 128, rotaryDim: 64 } };
      const shown = await same(preview, both, 'p.result.design.latent.queryRank === 24');
      await preview.field('rope-dim').fill('63');
      await preview.until('window.headwisePreview.stale');
      assert.match(await preview.text('#notices'), /63 cannot be split into pairs: it is odd/);
      await preview.field('rope-dim').fill('64');
      await preview.settled();
      // The step view takes the same numbers apart.
      await preview.page.locator('[data-part="softmax"]').click();
      await preview.until('window.headwisePreview.step !== undefined');
      const step = await preview.read<{ weights: number[]; row: number; head: number }>(
        `(() => { const { weights, row, head } = window.headwisePreview.step; return { weights: [...weights], row, head }; })()`,
      );
      const size = shown.size;
      assertNear(step.weights, shown.maps.slice((step.head * size + step.row) * size, (step.head * size + step.row + 1) * size), 1e-5);
      // Decoding caches 16 + 64 numbers per token in place of 4 x (192 + 128), and comes to the same.
      await preview.page.locator('#tab-decode').click();
      await preview.page.locator('#decode-strip [data-token="6"]').click();
      await preview.until('window.headwisePreview.decode?.length === 7');
      const decode = await preview.read<{ cached: number; difference: number; extent: number }>(
        `(() => { const { cached, difference, extent } = window.headwisePreview.decode; return { cached, difference, extent }; })()`,
      );
      assert.equal(decode.cached, 7 * (16 + 64));
      assert.ok(decode.difference <= 1e-5 * Math.max(1, decode.extent), `${decode.difference} of ${decode.extent}`);
    });
  });

  it('computes T5’s relative bias both ways', async () => {
    await lab.using(await lab.open(), async (preview) => {
      await preview.design(t5);
      await same(preview, t5);
      assert.match(await preview.text('#formula'), /q·k × 1\s\+ b\(j − i\) \+ M/);
      assert.match(await preview.text('#facts'), /relative positions.*32 buckets/s);
      // Causal: only the buckets of the past.
      await preview.design({ ...t5, causal: true });
      await same(preview, { ...t5, causal: true }, 'p.result.design.causal');
      await preview.page.locator('#tab-decode').click();
      await preview.page.locator('#decode-strip [data-token="9"]').click();
      await preview.until('window.headwisePreview.decode?.length === 10');
      const { difference, extent } = await preview.read<{ difference: number; extent: number }>(
        `(() => { const { difference, extent } = window.headwisePreview.decode; return { difference, extent }; })()`,
      );
      assert.ok(difference <= 1e-5 * Math.max(1, extent), `${difference} of ${extent}`);
    });
  });

  it('scales rotary positions as the design says, and as set by hand', async () => {
    await lab.using(await lab.open(), async (preview) => {
      const llama: PreviewDesign = {
        ...grouped,
        ropeTheta: 500_000,
        scaling: { kind: 'llama3', name: 'llama3', factor: 8, trainedLength: 8192, lowFrequencyFactor: 1, highFrequencyFactor: 4 },
      };
      await preview.design(llama);
      await preview.choose('length', '64');
      const plain = await same(preview, llama, 'p.result.tokens.length === 64');
      assert.match(await preview.text('#formula'), /R: Llama 3 × 8 from 8,192 tokens/);
      await preview.unfold('design-controls');
      for (const [option, name, text] of [
        ['linear', 'linear', 'linear × 4'],
        ['dynamic NTK', 'ntk', 'NTK × 4'],
        ['YaRN', 'yarn', 'YaRN × 4'],
        ['none', 'none', ''],
      ] as const) {
        await preview.choose('scaling', option);
        const shown = await same(preview, llama, `p.result.settings.scaling === '${name}'`);
        assert.equal((await preview.text('#formula')).includes(text === '' ? 'R: ' : text), text !== '');
        if (name === 'linear') assert.notDeepEqual(shown.maps, plain.maps);
      }
      // A kind that is not computed is said to be none.
      await preview.choose('scaling', 'as the design says');
      await preview.design({ ...grouped, scaling: { kind: 'other', name: 'longrope', factor: 32 } });
      await preview.until(`document.querySelector('#notices').textContent.includes('“longrope” is not computed here')`);
      await same(preview, grouped);
    });
  });

  it('shows several layers, one below the other and side by side', async () => {
    await lab.using(await lab.open('vscode-dark'), async (preview) => {
      await preview.design();
      await preview.unfold('design-controls');
      await preview.field('layer').fill('3');
      await preview.field('layers').fill('3');
      const shown = await same(preview, grouped, 'p.result.layers === 3');
      assert.deepEqual([shown.statistics.length, shown.settings.layer], [24, 3]);
      const names = await preview.page.locator('.group > h2').allInnerTexts();
      assert.deepEqual(names, [
        'Layer 3, KV head 0',
        'Layer 3, KV head 1',
        'Layer 4, KV head 0',
        'Layer 4, KV head 1',
        'Layer 5, KV head 0',
        'Layer 5, KV head 1',
      ]);
      const tops = (): Promise<readonly number[]> =>
        preview.read(
          `[0, 8, 16].map((head) => Math.round(document.querySelector('button[data-head="' + head + '"]').getBoundingClientRect().top))`,
        );
      const below = await tops();
      assert.ok((below[0] as number) < (below[1] as number) && (below[1] as number) < (below[2] as number));
      await preview.page.locator('#columns').click();
      const aside = await tops();
      assert.equal(new Set(aside).size, 1, 'the first heads of all layers stand side by side');
      await preview.page.waitForTimeout(200);
      await preview.page.screenshot({ path: join(root, 'artifacts/preview-layers.png') });
      await preview.read(readFileSync(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8'));
      const faults = await preview.read<readonly (readonly [impact: string, id: string])[]>(
        `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ impact, id }) => [impact, id]))`,
      );
      assert.deepEqual(
        faults.filter(([impact]) => impact === 'serious' || impact === 'critical'),
        [],
      );
      // Two heads of different layers, and their difference.
      await preview.page.locator('button[data-head="1"]').click();
      await preview.choose('compare', 'another head');
      await preview.choose('compare-head', 'L5 H1');
      await preview.until(`!document.querySelector('#compared-canvas').closest('.detail-map').hidden`);
      assert.match(await preview.text('#detail-readout'), /L5 H1 [\d.e-]+/);
    });
  });

  it('computes with the projections of a checkpoint', async () => {
    const [case_] = (
      JSON.parse(readFileSync(join(root, 'test/golden/checkpoints.generated.json'), 'utf8')) as {
        cases: {
          tensors: Record<string, { dtype: string; shape: number[]; bytes: string }>;
          input: { shape: number[]; f32: string };
          weights: { f32: string };
        }[];
      }
    ).cases;
    assert.ok(case_ !== undefined);
    const llama: Partial<PreviewDesign> = {
      queryHeads: 4,
      keyValueHeads: 2,
      headDim: 8,
      valueDim: 8,
      layers: 2,
      ropeTheta: 500_000,
      scaling: { kind: 'llama3', name: 'llama3', factor: 8, trainedLength: 16, lowFrequencyFactor: 1, highFrequencyFactor: 4 },
    };
    await lab.using(await lab.open('vscode-dark'), async (preview) => {
      await preview.design(llama);
      await preview.choose('model', 'this design, weights of its checkpoint');
      await preview.until(`window.sent.some(({ kind }) => kind === 'findWeights')`);
      assert.match(await preview.text('#notices'), /Looking for the checkpoint/);
      const { request } = (await preview.sent()).findLast((message) => message.kind === 'findWeights') as { readonly request: number };
      const names = Object.keys(case_.tensors);
      const roles = ['query', 'key', 'value', 'output'] as const;
      const header = {
        kind: 'checkpoint',
        request,
        name: 'model.safetensors',
        reason: '',
        width: 24,
        interleaved: false,
        gainOffset: 0,
        without: '',
        tensors: names.map((name) => ({ name, dtype: case_.tensors[name]?.dtype, shape: case_.tensors[name]?.shape })),
        layers: [{ layer: 1, parts: names.map((tensor, i) => ({ role: roles[i], tensor, outputsFirst: true })) }],
      };
      await preview.send({ ...header, request: request - 1, reason: 'too late' });
      await preview.send(header);
      for (const [tensor, name] of names.entries()) {
        const bytes = [...Buffer.from(case_.tensors[name]?.bytes ?? '', 'base64')];
        // In two pieces.
        const half = bytes.length / 2;
        for (const at of [0, half])
          await preview.page.evaluate(
            (piece) => window.postMessage({ kind: 'weights', ...piece, bytes: Uint8Array.from(piece.bytes) }, '*'),
            { request, tensor, at, bytes: bytes.slice(at, at + half) },
          );
      }
      await preview.settled(`p.result.settings.model === 'checkpoint'`);
      assert.match(await preview.text('#notices'), /Projections of layer 0 in model\.safetensors/);
      // Rows of a file are what the layer reads: its weights are those that Transformers computed.
      const input = new Float32Array(new Uint8Array(Buffer.from(case_.input.f32, 'base64')).buffer);
      const rows = Array.from({ length: 9 }, (_, row) => [...input.slice(row * 24, (row + 1) * 24)]);
      await preview.choose('source', 'rows of a file');
      await preview.sendFile('rows.json', new TextEncoder().encode(JSON.stringify(rows)));
      const shown = await preview.settled('p.result.tokens.length === 9');
      assertNear(shown.maps, new Float32Array(new Uint8Array(Buffer.from(case_.weights.f32, 'base64')).buffer), 1e-5);
      await preview.page.screenshot({ path: join(root, 'artifacts/preview-checkpoint.png') });
      // Another design needs other layers; what does not fit is said.
      await preview.send(designMessage({ ...llama, keyValueHeads: 4 }));
      await preview.until(`window.sent.filter(({ kind }) => kind === 'findWeights').length === 2`);
      await preview.send({ ...header, request: request + 1, reason: 'k_proj.weight is [16, 24].', tensors: [], layers: [] });
      await preview.until(`document.querySelector('#notices').textContent.includes('k_proj.weight is [16, 24].')`);
      assert.equal(await preview.read('window.headwisePreview.stale'), true);
    });
  });

  it('runs the layers before, and says on what', async () => {
    // Phi 3 with LongRoPE: more tokens than its trained length has.
    const phi = goldenStreams().find(({ name }) => name === 'Phi 3 with LongRoPE');
    assert.ok(phi !== undefined);
    const { design, names } = readConfig(phi.config);
    const files = folderWith({ 'model.safetensors': safetensors(phi.tensors) });
    const numbers = (packed: (typeof phi)['input']): Float32Array => numbersOf(packed);
    await lab.using(await lab.open(), async (preview) => {
      await preview.send(designMessage({}, { design: { ...design, layers: 3 } }));
      await preview.choose('source', 'rows of a file');
      const [tokens, width] = phi.input.shape as [number, number];
      const all = numbers(phi.input);
      const rows = Array.from({ length: tokens }, (_, row) => [...all.slice(row * width, (row + 1) * width)]);
      await preview.sendFile('rows.json', new TextEncoder().encode(JSON.stringify(rows)));
      await preview.unfold('design-controls');
      await preview.field('layer').fill('2');
      await preview.choose('model', 'this design, weights of its checkpoint');
      const answer = async (without: string): Promise<void> => {
        await preview.until(`window.sent.at(-1).kind === 'findWeights' && window.sent.at(-1).layer === 2`);
        const { request, before } = (await preview.sent()).at(-1) as Extract<FromPreview, { kind: 'findWeights' }>;
        const found = await findLayers(files, 2, 1, design, { ...names, before: before && without === '' });
        assert.ok(typeof found !== 'string');
        await preview.send({
          kind: 'checkpoint',
          request,
          name: found.name,
          reason: '',
          width,
          interleaved: false,
          gainOffset: 0,
          without,
          tensors: found.tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
          layers: found.layers.map(({ layer, parts }) => ({ layer, parts })),
        });
        for (const [tensor, { file, first, length }] of found.tensors.entries())
          await preview.page.evaluate(
            (piece) => window.postMessage({ kind: 'weights', ...piece, bytes: Uint8Array.from(piece.bytes) }, '*'),
            { request, tensor, at: 0, bytes: [...(await file.read(first, first + length))] },
          );
      };
      await answer('');
      const shown = await preview.settled(`p.result.settings.model === 'checkpoint' && p.result.tokens.length === ${tokens}`);
      assertNear(shown.maps, numbers(phi.weights[2] as (typeof phi)['input']), 1e-5);
      assert.match(await preview.text('#formula'), /R: LongRoPE × 6\.4 from 5 tokens/);
      assert.match(await preview.text('#notices'), /Layers 0 to 1 ran before, on the rows of the file/);
      // Token by token against the cache it is the same.
      await preview.page.locator('#tab-decode').click();
      await preview.page.locator(`#decode-strip [data-token="${tokens - 1}"]`).click();
      await preview.until(`window.headwisePreview.decode?.length === ${tokens}`);
      const { difference, extent } = await preview.read<{ difference: number; extent: number }>(
        `(() => { const { difference, extent } = window.headwisePreview.decode; return { difference, extent }; })()`,
      );
      assert.ok(difference <= 1e-5 * Math.max(1, extent), `${difference} of ${extent}`);
      await preview.page.locator('#tab-heads').click();
      // Unasked, the rows go into the layer as they are; so they do where the layers before cannot be run, which is said.
      await preview.page.locator('#before').click();
      await answer('');
      const bare = await preview.settled(`!p.result.settings.before`);
      assert.notDeepEqual(bare.maps, shown.maps);
      assert.doesNotMatch(await preview.text('#notices'), /ran before/);
      await preview.page.locator('#before').click();
      await answer('They are too many.');
      const without = await preview.settled(`p.result.settings.before`);
      assert.deepEqual(without.maps, bare.maps);
      assert.match(await preview.text('#notices'), /without what stands before: They are too many\./);
    });
  });

  it('asks for a picked file again after a reload, and says why it is not there', async () => {
    await lab.using(await lab.open(), async (preview) => {
      await preview.design();
      await preview.choose('source', 'rows of a file');
      await preview.sendFile(
        'rows.json',
        new TextEncoder().encode(
          JSON.stringify([
            [1, 2],
            [3, 4],
            [0, 1],
          ]),
        ),
      );
      await preview.settled('p.result.tokens.length === 3');
      await preview.page.reload();
      await preview.until(`window.sent?.some(({ kind }) => kind === 'readFile')`);
      assert.deepEqual(
        (await preview.sent()).filter(({ kind }) => kind === 'readFile'),
        [{ kind: 'readFile', uri: 'file:///rows.json' }],
      );
      await preview.sendFile(
        'rows.json',
        new TextEncoder().encode(
          JSON.stringify([
            [1, 2],
            [3, 4],
            [0, 1],
          ]),
        ),
      );
      await preview.settled('p.result.tokens.length === 3');
      assert.match(await preview.text('#notices'), /Tokens are the rows of rows\.json/);
      await preview.page.reload();
      await preview.until(`window.sent?.some(({ kind }) => kind === 'readFile')`);
      await preview.send({ kind: 'noFile', uri: 'file:///rows.json', reason: 'It is gone.' });
      await preview.until(`document.querySelector('#notices').textContent.includes('It is gone.')`);
    });
  });
});
