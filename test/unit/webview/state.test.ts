import assert from 'node:assert/strict';
import fc from 'fast-check';
import { linkQuery, readLink } from '../../../src/extension/previewLink.ts';
import type { ComputeResult } from '../../../webview/preview/compute.ts';
import { estimate } from '../../../webview/preview/cost.ts';
import { csvOf, jsonOf } from '../../../webview/preview/exports.ts';
import { placeInRow, plainLens, similarity, specialTokens, throughLens, Weights } from '../../../webview/preview/lens.ts';
import { freshSettings } from '../../../webview/preview/settings.ts';
import { freshDisplay, linkState, readState } from '../../../webview/preview/state.ts';
import { plural, setLanguage, t } from '../../../webview/preview/text.ts';
import { bytesText, timeText } from '../../../webview/preview/words.ts';

describe('preview state', () => {
  it('comes back from what was kept and from a link', () => {
    const state = {
      settings: { ...freshSettings, seed: 9, source: 'text' as const, text: '<b>', overrides: { keyValueHeads: 4 } },
      display: { ...freshDisplay, view: 'steps' as const, stage: 'softmax' as const, opened: 3, pinned: { row: 1, column: 2 } },
      message: undefined,
    };
    assert.deepEqual(readState(JSON.parse(JSON.stringify(state))), state);
    assert.deepEqual(readState(JSON.parse(linkState(state))), state);
    assert.ok(linkState(state).length < 250, linkState(state));
    assert.equal(linkState({ settings: freshSettings, display: freshDisplay }), '{"settings":{},"display":{}}');
  });

  it('takes of anything only what fits', () => {
    assert.deepEqual(readState(undefined), { settings: freshSettings, display: freshDisplay, message: undefined });
    const odd = readState({
      settings: { seed: 'x', length: 1e9, temperature: 2, constructor: 1 },
      display: { view: 'none', lens: { mass: 0.5 } },
    });
    assert.deepEqual(odd.settings, { ...freshSettings, temperature: 2 });
    assert.deepEqual(odd.display, freshDisplay);
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (settings, display) => {
        const read = readState({ settings, display });
        assert.deepEqual(Object.keys(read.settings).sort(), Object.keys(freshSettings).sort());
      }),
    );
  });
});

describe('preview links', () => {
  it('carry any text through a query', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ minLength: 1 }), (uri, state) => {
        const query = linkQuery({ uri, state });
        assert.match(query, /^uri=[\w-]+&state=[\w-]+$/);
        assert.deepEqual(readLink(query), { uri, state });
        assert.deepEqual(readLink(`?${query}`), { uri, state });
      }),
    );
    assert.deepEqual(readLink('state=%00&uri=!!'), {});
    assert.deepEqual(readLink(''), {});
  });
});

/** Three tokens, two heads: what the page shows of them. */
const result: ComputeResult = {
  kind: 'result',
  id: 1,
  kernel: 'typescript',
  workers: 1,
  milliseconds: 1,
  design: { queryHeads: 2, keyValueHeads: 1, headDim: 4, valueDim: 4, causal: true },
  settings: freshSettings,
  tokens: ['[CLS]', '=1+1', 'b "c", d'],
  ids: Int32Array.of(0, 1, 2),
  layers: 1,
  firstLayer: 0,
  size: 3,
  maps: Float32Array.of(1, 0, 0, 0.5, 0.5, 0, 0.5, 0.375, 0.125, 1, 0, 0, 1, 0, 0, 0, 0, 1),
  pooled: false,
  lows: Int32Array.of(0, 0, 0),
  highs: Int32Array.of(1, 2, 3),
  statistics: [0, 1].map(() => ({ entropy: 1, maximum: 1, distance: 1, first: 0.5, previous: 0.5, self: 0.5, span: 1 })),
  valueNorms: Float32Array.of(1, 2, 4),
  output: new Float32Array(0),
  width: 4,
};

describe('preview lens', () => {
  const first = result.maps.subarray(0, 9);
  it('leaves the first and special tokens out, and makes the rest sum to what it was', () => {
    assert.deepEqual(specialTokens(['a', '</s>', 'b', '<|im_end|>', '<', '[MASK]']), [0, 1, 3, 5]);
    assert.deepEqual([...throughLens(first, result, 0, { ...plainLens, special: 'hidden' })], [0, 0, 0, 0, 0.5, 0, 0, 0.375, 0.125]);
    assert.deepEqual([...throughLens(first, result, 0, { ...plainLens, special: 'renormalised' })], [0, 0, 0, 0, 1, 0, 0, 0.75, 0.25]);
  });
  it('keeps the heaviest keys that hold enough of a row', () => {
    assert.deepEqual([...throughLens(first, result, 0, { ...plainLens, mass: 0.8 })], [1, 0, 0, 0.5, 0.5, 0, 0.5, 0.375, 0]);
    assert.deepEqual([...throughLens(first, result, 0, { ...plainLens, mass: 0.5 }).subarray(6)], [0.5, 0, 0]);
  });
  it('weighs by the length of values', () => {
    assert.deepEqual([...throughLens(first, result, 0, { ...plainLens, valueNorm: true }).subarray(6)], [0.5, 0.75, 0.5]);
  });
  it('says rank and cumulative mass', () => {
    assert.deepEqual(placeInRow(first.subarray(6), 1), { rank: 2, cumulative: 0.875 });
    assert.deepEqual(placeInRow(Float32Array.of(0.5, 0.5), 1), { rank: 2, cumulative: 1 });
  });
  it('finds maps alike that point the same way', () => {
    assert.equal(similarity(Float32Array.of(1, 0), Float32Array.of(2, 0)), 1);
    assert.equal(similarity(Float32Array.of(1, 0), Float32Array.of(0, 2)), 0);
    assert.equal(similarity(Float32Array.of(1, 0), new Float32Array(2)), 0);
  });
});

describe('preview exports', () => {
  const weights = new Weights(result, plainLens);
  const exported = {
    title: 'x',
    shown: { weights, other: undefined, display: freshDisplay },
    heads: [0],
    ink: '',
    ground: '',
    fontFamily: '',
  };
  it('write tokens into a table as text, formulas and quotes included', () => {
    assert.equal(
      csvOf(exported),
      'query \\ key,[CLS],\'=1+1,"b ""c"", d"\r\n[CLS],1,0,0\r\n\'=1+1,0.5,0.5,0\r\n"b ""c"", d",0.5,0.375,0.125\r\n',
    );
    assert.match(csvOf({ ...exported, heads: [0, 1] }), /^head,entropy,.*\r\nHead 0,1,1,.*\r\nHead 1,/);
  });
  it('write every number into JSON', () => {
    const read = JSON.parse(jsonOf({ ...exported, heads: [1] }));
    assert.deepEqual(read.heads[0].weights, [
      [1, 0, 0],
      [1, 0, 0],
      [0, 0, 1],
    ]);
    assert.deepEqual(read.tokens, result.tokens);
  });
});

describe('preview words and costs', () => {
  it('are filled in, in another language too', () => {
    setLanguage(JSON.stringify({ '{n} tokens': '{n} Wörter', Weight: 7 }), 'de');
    try {
      assert.equal(plural(1234, t('1 token'), t('{n} tokens')), '1.234 Wörter');
      assert.equal(t('Weight'), 'Weight');
      assert.equal(t('{a} and {b}', { a: '{b}', b: 2 }), '{b} and 2');
    } finally {
      setLanguage(undefined, 'en');
    }
  });
  it('say sizes and times as one would', () => {
    assert.deepEqual([512, 268435456, 34359738368].map(bytesText), ['512 B', '256 MiB', '32 GiB']);
    assert.deepEqual([0.43, 43, 4300, 43_000, 200_000].map(timeText), ['0.4 ms', '43 ms', '4.3 s', '43 s', '3 min']);
  });
  it('count four bytes a weight, and half of the products where the mask is causal', () => {
    const design = { queryHeads: 32, keyValueHeads: 8, headDim: 128, valueDim: 128, causal: true };
    const causal = estimate(design, freshSettings, 16_384);
    const open = estimate(design, { ...freshSettings, mask: 'none' }, 16_384);
    assert.equal(causal.bytes, 32 * 16_384 ** 2 * 4);
    assert.equal(causal.pooled, true);
    assert.equal(open.milliseconds, 2 * causal.milliseconds);
    assert.equal(estimate(design, freshSettings, 512).pooled, false);
  });
});
