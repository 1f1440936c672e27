import assert from 'node:assert/strict';
import fc from 'fast-check';
import { previewHtml } from '../../../webview/html.ts';
import { colorMap } from '../../../webview/preview/colors.ts';
import { designProblem, makeSample, sampleTokens } from '../../../webview/preview/sample.ts';
import { sharing, weightText } from '../../../webview/preview/words.ts';

const design = { queryHeads: 8, keyValueHeads: 2, headDim: 16, valueDim: 16, causal: true };
const settings = { length: 24, seed: 3, text: '', causal: true };

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

describe('preview sample', () => {
  it('follows from its seed alone', () => {
    assert.deepEqual(makeSample(design, settings), makeSample(design, settings));
    assert.notDeepEqual(makeSample(design, settings).input.input, makeSample(design, { ...settings, seed: 4 }).input.input);
  });

  it('gives the same word the same embedding, without positions', () => {
    const { input, tokens } = makeSample({ ...design, positions: 'rope' }, { ...settings, text: 'to be or not to be' });
    assert.deepEqual(tokens, ['to', 'be', 'or', 'not', 'to', 'be']);
    assert.deepEqual(input.input.slice(0, 128), input.input.slice(256, 384));
  });

  it('has as many known words as asked for, whatever the seed', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 200 }), (seed, length) => {
        const tokens = sampleTokens({ ...settings, seed, length });
        assert.equal(tokens.length, length);
        assert.ok(tokens.every((token) => typeof token === 'string' && token !== ''));
      }),
    );
  });

  it('keeps the variance of what it projects', () => {
    const { input } = makeSample({ ...design, positions: 'none' }, { ...settings, length: 200, text: '' });
    const deviation = (numbers: Float32Array): number => Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length);
    assert.ok(Math.abs(deviation(input.input) - 1) < 0.1);
    assert.ok(Math.abs(deviation(input.keyWeight) * Math.sqrt(64) - 1) < 0.05);
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

describe('preview colours', () => {
  it('grow steadily darker in light themes and lighter in dark ones', () => {
    for (const [theme, direction] of [
      ['light', -1],
      ['dark', 1],
    ] as const) {
      const linear = (channel: number): number => (channel / 255) ** 2.2;
      const luminances = [...colorMap(theme)].map(
        (color) => 0.2126 * linear(color & 255) + 0.7152 * linear((color >> 8) & 255) + 0.0722 * linear((color >> 16) & 255),
      );
      assert.equal(luminances.length, 256);
      // Channels are rounded to 8 bits, so neighbours may swap by that much.
      for (let i = 4; i < 256; i++)
        assert.ok(((luminances[i] as number) - (luminances[i - 4] as number)) * direction > 0, `${theme} at ${i}`);
    }
  });
});
