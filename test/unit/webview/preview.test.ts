import assert from 'node:assert/strict';
import fc from 'fast-check';
import { previewHtml } from '../../../webview/html.ts';
import { colorMap, differenceMap, LOG_FLOOR, palettes, shade, type Theme } from '../../../webview/preview/colors.ts';
import { type SampleLayer, sampleMask } from '../../../webview/preview/projections.ts';
import { designProblem, makeSample, type Sample, sampleTokens } from '../../../webview/preview/sample.ts';
import { effectiveDesign, freshSettings } from '../../../webview/preview/settings.ts';
import { labels, sharing, weightText } from '../../../webview/preview/words.ts';

const design = { queryHeads: 8, keyValueHeads: 2, headDim: 16, valueDim: 16, causal: true };
const settings = { ...freshSettings, length: 24, seed: 3 };

describe('preview page', () => {
  const page = {
    nonce: 'abc',
    cspSource: 'https://*.example',
    scriptUri: 'https://x.example/preview.js',
    styleUri: 'https://x.example/preview.css',
    workerUri: 'https://x.example/worker.js',
    wasmUri: 'https://x.example/attention.wasm',
  };

  it('has the policy that it documents', () => {
    assert.ok(
      previewHtml(page).includes(
        "content=\"default-src 'none'; script-src 'nonce-abc' https://*.example 'wasm-unsafe-eval'; connect-src https://*.example; " +
          "worker-src blob:; style-src https://*.example 'unsafe-inline'; font-src https://*.example; img-src https://*.example data:\"",
      ),
    );
  });

  it('lets no address break out of its attribute', () => {
    const attack = '"><script>alert(1)</script>';
    const html = previewHtml({
      ...page,
      scriptUri: attack,
      styleUri: attack,
      workerUri: attack,
      wasmUri: attack,
      relaxedWasmUri: attack,
      language: attack,
    });
    assert.equal(html.match(/<script/g)?.length, 1);
    assert.equal(html.match(/alert\(1\)/g)?.length, 6);
  });
});

/** The weights of a layer without latents. */
const weightsOf = ({ layers }: Sample, at = 0): Extract<SampleLayer, { kind: 'plain' }>['weights'] => {
  const layer = layers[at];
  assert.ok(layer?.kind === 'plain');
  return layer.weights;
};

describe('preview sample', () => {
  it('follows from its seed alone', () => {
    assert.deepEqual(makeSample(design, settings), makeSample(design, settings));
    assert.notDeepEqual(makeSample(design, settings).input, makeSample(design, { ...settings, seed: 4 }).input);
    const layers = [0, 1].map((layer) => makeSample(design, { ...settings, layer }));
    assert.deepEqual(layers[0]?.input, layers[1]?.input);
    const [first, second] = layers as [Sample, Sample];
    assert.notDeepEqual(weightsOf(first).queryWeight, weightsOf(second).queryWeight);
    // Several at once are the same ones.
    const both = makeSample(design, { ...settings, layers: 2 });
    assert.deepEqual([weightsOf(both, 0), weightsOf(both, 1)], [weightsOf(first), weightsOf(second)]);
  });

  it('gives the same word the same embedding, without positions', () => {
    const { input, tokens, ids } = makeSample(
      { ...design, positions: 'rope' },
      { ...settings, source: 'text', text: 'to be or not to be' },
    );
    assert.deepEqual(tokens, ['to', 'be', 'or', 'not', 'to', 'be']);
    assert.deepEqual([...ids], [0, 1, 2, 3, 0, 1]);
    assert.deepEqual(input.slice(0, 128), input.slice(256, 384));
  });

  it('says different words twice, and one sign where only positions tell tokens apart', () => {
    const twice = sampleTokens({ ...settings, source: 'repeated' });
    assert.equal(new Set(twice).size, 12);
    assert.deepEqual(twice.slice(0, 12), twice.slice(12));
    assert.equal(new Set(sampleTokens({ ...settings, source: 'positions' })).size, 1);
    const { input } = makeSample({ ...design, positions: 'rope' }, { ...settings, source: 'positions' });
    assert.deepEqual(input.slice(0, 64), input.slice(64, 128));
  });

  it('takes rows of a file as tokens', () => {
    const rows = { tokens: 3, width: 2, data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    const { tokens, input, width } = makeSample({ ...design, positions: 'rope' }, { ...settings, source: 'file' }, { rows });
    assert.deepEqual([tokens, [...input], width], [['0', '1', '2'], [1, 2, 3, 4, 5, 6], 2]);
  });

  it('has as many known words as asked for, whatever the seed', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 200 }), fc.constantFrom('words', 'repeated'), (seed, length, source) => {
        const tokens = sampleTokens({ ...settings, seed, length, source });
        assert.equal(tokens.length, length);
        assert.ok(tokens.every((token) => typeof token === 'string' && token !== ''));
      }),
    );
  });

  it('keeps the variance of what it projects', () => {
    const sample = makeSample({ ...design, positions: 'none' }, { ...settings, length: 200 });
    const deviation = (numbers: Float32Array): number => Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length);
    assert.ok(Math.abs(deviation(sample.input) - 1) < 0.1);
    assert.ok(Math.abs(deviation(weightsOf(sample).keyWeight) * Math.sqrt(64) - 1) < 0.05);
  });

  it('gives the first query head of a group the keys that it has without sharing', () => {
    const shared = weightsOf(makeSample(design, settings)).keyWeight;
    const own = weightsOf(makeSample({ ...design, keyValueHeads: 8 }, settings)).keyWeight;
    // [64, heads * 16]: KV head 1 of two is shared by query heads 4 to 7.
    for (let row = 0; row < 64; row++)
      assert.deepEqual(shared.slice(row * 32 + 16, row * 32 + 32), own.slice(row * 128 + 64, row * 128 + 80));
  });

  it('puts what is set by hand in place of what the design says', () => {
    assert.deepEqual(sampleMask(design, settings), { kind: 'causal' });
    assert.deepEqual(sampleMask({ ...design, slidingWindow: 4 }, settings), { kind: 'slidingWindow', window: 4, ahead: 0 });
    assert.deepEqual(sampleMask({ ...design, slidingWindow: 4 }, { ...settings, mask: 'none' }), { kind: 'none' });
    assert.deepEqual(sampleMask(design, { ...settings, mask: 'prefix', extent: 5 }), { kind: 'prefix', length: 5 });
    const changed = effectiveDesign({ ...design, rotaryDim: 16 }, { ...settings, overrides: { headDim: 8 }, positions: 'rope' });
    assert.deepEqual(changed, { ...design, headDim: 8, valueDim: 8, rotaryDim: 8, positions: 'rope' });
    const { problem } = makeSample(design, { ...settings, temperature: 2 }).layers[0] as ReturnType<typeof makeSample>['layers'][number];
    assert.equal(problem.scale, 1 / 8);
  });

  it('says what keeps a design from being drawn', () => {
    assert.equal(designProblem(design), undefined);
    assert.equal(designProblem({ ...design, keyValueHeads: 3 }), '8 query heads cannot share 3 key/value heads: 8 % 3 = 2.');
    assert.equal(designProblem({ ...design, headDim: 0 }), 'headDim must be a positive integer, got 0.');
    assert.equal(designProblem({ ...design, headDim: 5, positions: 'rope' }), 'A rotary width of 5 cannot be split into pairs: it is odd.');
    assert.equal(designProblem({ ...design, rotaryDim: 32, positions: 'rope' }), 'A rotary width of 32 exceeds the head dim 16.');
    assert.match(designProblem({ ...design, queryHeads: 1e9, keyValueHeads: 1e9 }) ?? '', /more than this preview computes/);
  });
});

describe('preview words', () => {
  it('gives weights four significant digits', () => {
    assert.deepEqual([0, 1, 0.123456, 0.000123456, 0.0000123456].map(weightText), ['0', '1', '0.1235', '0.0001235', '1.235e-5']);
  });

  it('names who shares a KV head', () => {
    assert.match(sharing({ ...design, keyValueHeads: 8 }), /multi-head attention/);
    assert.match(sharing({ ...design, keyValueHeads: 1 }), /^All 8 query heads share one KV head/);
    assert.equal(
      sharing({ ...design, keyValueHeads: 4 }),
      'Grouped-query attention, 2 to 1: query heads 0–1 share KV head 0, 2–3 share KV head 1, and so on.',
    );
  });
});

describe('preview labels', () => {
  const none = { entropy: 3, maximum: 0.5, distance: 20, first: 0.1, previous: 0.1, self: 0.1, span: 9 };
  it('name what stands out, the most telling first', () => {
    assert.deepEqual(labels({ ...none, previous: 0.81 }, 48), ['prev-token 0.81']);
    assert.deepEqual(labels({ ...none, first: 0.64, induction: 0.7 }, 48), ['induction 0.70', 'sink 0.64']);
    assert.deepEqual(labels({ ...none, distance: 2 }, 48), ['local']);
    assert.deepEqual(labels(none, 48), []);
    assert.deepEqual(labels({ ...none, first: 1 }, 3), []);
  });
});

describe('preview colours', () => {
  const themes: readonly Theme[] = ['light', 'dark', 'contrast', 'contrast-light'];
  const linear = (channel: number): number => (channel <= 10.31475 ? channel / 255 / 12.92 : ((channel / 255 + 0.055) / 1.055) ** 2.4);
  const channels = (color: number): readonly number[] => [color & 255, (color >> 8) & 255, (color >> 16) & 255].map(linear);
  const luminance = ([r = 0, g = 0, b = 0]: readonly number[]): number => 0.2126 * r + 0.7152 * g + 0.0722 * b;
  // Machado, Oliveira and Fernandes 2009, severity 1, on linear channels.
  const blindness: Readonly<Record<string, readonly (readonly number[])[]>> = {
    'full colour vision': [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
    protanopia: [
      [0.152286, 1.052583, -0.204868],
      [0.114503, 0.786281, 0.099216],
      [-0.003882, -0.048116, 1.051998],
    ],
    deuteranopia: [
      [0.367322, 0.860646, -0.227968],
      [0.280085, 0.672501, 0.047413],
      [-0.01182, 0.04294, 0.968881],
    ],
    tritanopia: [
      [1.255528, -0.076749, -0.178779],
      [-0.078411, 0.930809, 0.147602],
      [0.004733, 0.691367, 0.3039],
    ],
  };
  const seen = (color: number, matrix: readonly (readonly number[])[]): readonly number[] =>
    matrix.map((row) => row.reduce((sum, part, i) => sum + part * (channels(color)[i] as number), 0));

  it('grow steadily darker in light themes and lighter in dark ones, for every kind of colour vision', () => {
    for (const theme of themes)
      for (const palette of palettes)
        for (const [name, matrix] of Object.entries(blindness)) {
          const luminances = [...colorMap(theme, palette)].map((color) => luminance(seen(color, matrix)));
          assert.equal(luminances.length, 256);
          const direction = Math.sign((luminances[255] as number) - (luminances[0] as number));
          if (palette === 'theme') assert.equal(direction, theme === 'dark' || theme === 'contrast' ? 1 : -1);
          // Channels are rounded to 8 bits, so neighbours may swap by that much.
          for (let i = 6; i < 256; i++)
            assert.ok(((luminances[i] as number) - (luminances[i - 6] as number)) * direction > 0, `${theme} ${palette}, ${name} at ${i}`);
        }
  });

  it('tell more from less in differences, for every kind of colour vision', () => {
    for (const theme of themes)
      for (const [name, matrix] of Object.entries(blindness)) {
        const map = differenceMap(theme);
        for (const place of [40, 80, 105]) {
          const [less, more] = [seen(map[place] as number, matrix), seen(map[255 - place] as number, matrix)];
          // Cube roots, as perceived lightness goes.
          const apart = Math.hypot(...less.map((value, i) => Math.cbrt(value) - Math.cbrt(more[i] as number)));
          assert.ok(apart > 0.1, `${theme}, ${name}: ${place} is ${apart.toFixed(3)} from its opposite`);
        }
      }
  });

  it('place weights on the scale asked for', () => {
    assert.deepEqual(
      [0, 0.25, 1].map((weight) => shade(weight, 'sqrt')),
      [0, 0.5, 1],
    );
    assert.deepEqual(
      [0, 0.25, 1].map((weight) => shade(weight, 'linear')),
      [0, 0.25, 1],
    );
    assert.deepEqual(
      [0, LOG_FLOOR / 2, 1].map((weight) => shade(weight, 'log')),
      [0, 0, 1],
    );
    assert.ok(Math.abs(shade(0.01, 'log') - 0.5) < 1e-12);
  });
});
