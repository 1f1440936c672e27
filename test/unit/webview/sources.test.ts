import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { createReferenceKernel } from '../../../src/kernel/reference.ts';
import { asTokens, type NumberArray, readArrays, readSafetensors, writeNpy } from '../../../webview/preview/arrays.ts';
import { makeModelSample, modelText, readModel, tokenise } from '../../../webview/preview/model.ts';
import { runSample } from '../../../webview/preview/run.ts';
import { makeSample } from '../../../webview/preview/sample.ts';
import { freshSettings } from '../../../webview/preview/settings.ts';
import { stepThrough } from '../../../webview/preview/step.ts';
import { loadTokenizer } from '../../../webview/preview/tokenizer.ts';
import { labels } from '../../../webview/preview/words.ts';
import { repositoryRoot } from '../kernel/load-kernels.ts';

const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(join(repositoryRoot(), path)));
const fixture = (name: string): Uint8Array => bytesOf(`test/fixtures/preview/${name}`);
const near = (actual: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): void => {
  assert.equal(actual.length, wanted.length);
  for (let i = 0; i < wanted.length; i++)
    assert.ok(Math.abs((actual[i] as number) - (wanted[i] as number)) <= tolerance, `number ${i}: ${actual[i]}, not ${wanted[i]}`);
};

describe('preview files', () => {
  // numpy.random.default_rng(1).normal(size=(5, 8)), its first row, saved by NumPy 2 and by safetensors.
  const first = [0.34558418, 0.82161814, 0.33043706, -1.3031572, 0.9053559, 0.44637457, -0.5369532, 0.5811181];

  it('reads arrays that NumPy and safetensors wrote', () => {
    const [rows] = readArrays('rows.npy', fixture('rows.npy')) as [NumberArray];
    assert.deepEqual(rows.shape, [5, 8]);
    near(rows.data.subarray(0, 8), first, 1e-7);
    const [half] = readArrays('rows-f16-fortran.npy', fixture('rows-f16-fortran.npy')) as [NumberArray];
    near(half.data, rows.data, 2e-3);
    const tensors = readSafetensors(fixture('rows.safetensors')).tensors;
    assert.deepEqual(tensors.map(({ name, shape }) => [name, shape]).sort(), [
      ['bias', [3]],
      ['rows', [5, 8]],
    ]);
    near(tensors.find(({ name }) => name === 'rows')?.data ?? [], rows.data, 1e-2);
    const [lists] = readArrays('rows.json', fixture('rows.json')) as [NumberArray];
    near(lists.data, rows.data, 1e-4);
  });

  it('takes one row per token', () => {
    const array = { name: 'x', shape: [1, 3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    assert.deepEqual(asTokens(array, 2), { tokens: 2, width: 2, data: Float32Array.of(1, 2, 3, 4) });
    assert.throws(() => asTokens({ ...array, shape: [6] }, 9), /x has the shape \[6\], where \[tokens, width\] is needed/);
    assert.throws(() => asTokens({ ...array, data: Float32Array.of(1, 2, 3, 4, 5, Number.NaN) }, 9), /NaN/);
  });

  it('says what is wrong with a file', () => {
    const text = (value: string): Uint8Array => new TextEncoder().encode(value);
    assert.throws(() => readArrays('x.npy', text('PK..........')), /x\.npy is no \.npy file/);
    assert.throws(() => readArrays('x.json', text('[[1, 2], [3]]')), /lists of different lengths/);
    assert.throws(() => readArrays('x.json', text('[["<img onerror=1>"]]')), /something else than numbers/);
    assert.throws(() => readArrays('x.json', text('{')), /x\.json is no JSON/);
    assert.throws(() => readArrays('x.txt', text('1')), /none of/);
    assert.throws(() => readArrays('x.npy', fixture('rows.npy').subarray(0, 150)), /ends after 22 bytes of numbers/);
  });

  it('throws nothing but a reason, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('rows.npy', 'rows.safetensors', 'rows.json'),
        fc.array(fc.tuple(fc.nat(200), fc.nat(255))),
        (name, edits) => {
          const bytes = fixture(name).slice();
          for (const [at, value] of edits) bytes[at % bytes.length] = value;
          try {
            readArrays(name, bytes);
          } catch (error) {
            assert.ok(error instanceof RangeError, String(error));
          }
        },
      ),
    );
  });

  it('writes .npy that reads back', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4), { minLength: 1, maxLength: 3 }), (shape) => {
        const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i / 3);
        const bytes = writeNpy(shape, data);
        assert.equal((bytes.length - data.length * 4) % 64, 0);
        const [read] = readArrays('x.npy', bytes) as [NumberArray];
        assert.deepEqual([read.shape, read.data], [shape, data]);
      }),
    );
  });
});

describe('preview tokenizer', () => {
  it('makes the tokens that the tokenizers library makes of the same file', () => {
    // Tokenizer.from_file(...).encode(...).tokens of the Python package.
    const wanted = ['[CLS]', 'the', 'heads', 'attend', 'to', 'keys', '[UNK]', 'i', '[UNK]', '[UNK]', '[UNK]', '[SEP]'];
    assert.deepEqual(loadTokenizer(new TextDecoder().decode(fixture('tokenizer.json')))('the heads attend to keys <img>').tokens, wanted);
  });

  it('refuses what is no tokenizer', () => {
    assert.throws(() => loadTokenizer('{}'), /describes no model/);
    assert.throws(() => loadTokenizer('nonsense'));
  });
});

describe('preview sample model', () => {
  const model = readModel(bytesOf('media/sample-model.safetensors'));
  const golden = JSON.parse(new TextDecoder().decode(bytesOf('test/golden/sample-model.generated.json'))) as {
    readonly text: string;
    readonly tokens: readonly string[];
    readonly weights: readonly number[];
    readonly predictions: readonly (readonly [string, number])[];
  };
  const run = (settings: Partial<typeof freshSettings>) => {
    const sample = makeModelSample(model, model.design, { ...freshSettings, model: 'trained', ...settings });
    return { sample, run: runSample(createReferenceKernel(), sample, {}, model.epsilon) };
  };

  it('computes the weights that PyTorch computes', () => {
    const { sample, run: computed } = run({ source: 'text', text: golden.text });
    assert.deepEqual(sample.tokens, golden.tokens);
    near(computed.maps, golden.weights, 1e-5);
  });

  it('has previous-token heads before induction heads, and the statistics name them', () => {
    const { run: computed } = run({ source: 'repeated', length: 64 });
    const named = computed.statistics.map((statistics) => labels(statistics, 64).join(' '));
    assert.ok(named.slice(0, 6).some((label) => label.startsWith('prev-token')));
    assert.ok(named.slice(6).filter((label) => label.startsWith('induction')).length >= 2);
    assert.ok(named.slice(0, 6).every((label) => !label.includes('induction')));
  });

  it('spells what it does not know, and shows what was written', () => {
    const { tokens, ids } = tokenise(model, 'The Zebra <img>');
    assert.deepEqual(tokens, ['<s>', 'The', 'Z', 'e', 'b', 'r', 'a', '<', 'i', 'm', 'g', '>']);
    assert.equal(ids[1], model.vocabulary.indexOf('the'));
    assert.equal(ids[7], 1);
  });

  it('says half of its words twice', () => {
    const said = modelText(model, { ...freshSettings, source: 'repeated', length: 21 }).split(' ');
    assert.equal(said.length, 20);
    assert.deepEqual(said.slice(0, 10), said.slice(10));
  });
});

describe('preview dropout', () => {
  it('drops weights at their rate, the rest larger for it, and lets the output follow', () => {
    const design = { queryHeads: 2, keyValueHeads: 1, headDim: 8, valueDim: 4, causal: true };
    const sample = makeSample(design, { ...freshSettings, length: 64 });
    const kernel = createReferenceKernel();
    const whole = runSample(kernel, sample);
    const dropped = runSample(kernel, sample, { dropout: { rate: 0.25, seed: 1 } });
    const visible = whole.maps.filter((weight) => weight > 0).length;
    const kept = dropped.maps.filter((weight) => weight > 0).length;
    assert.ok(Math.abs(kept / visible - 0.75) < 0.03, `${kept} of ${visible}`);
    for (const [i, weight] of dropped.maps.entries()) assert.ok(weight === 0 || Math.abs(weight - (whole.maps[i] as number) / 0.75) < 1e-6);
    // The first token sees itself alone: its output is the whole one, larger, or nothing.
    const factor = (dropped.maps[0] as number) === 0 ? 0 : 1 / 0.75;
    near(
      dropped.layers[0]?.result.heads.subarray(0, 4) ?? [],
      [...(whole.layers[0]?.result.heads.subarray(0, 4) ?? [])].map((x) => x * factor),
      1e-5,
    );
  });
});

describe('preview steps', () => {
  it('take the numbers of the whole computation apart', () => {
    const kernel = createReferenceKernel();
    for (const positions of ['rope', 'alibi', 'sinusoidal'] as const) {
      const design = { queryHeads: 4, keyValueHeads: 2, headDim: 8, valueDim: 6, causal: true, positions, softcap: 5 };
      const sample = makeSample(design, { ...freshSettings, length: 12, mask: 'window', extent: 5 });
      const run = runSample(kernel, sample);
      for (const [head, row] of [
        [0, 0],
        [3, 11],
      ] as const) {
        const step = stepThrough(kernel, sample, run, 0, head, row);
        near(step.weights, run.maps.subarray((head * 12 + row) * 12, (head * 12 + row + 1) * 12), 1e-6);
        // The weighted values are the head's result, and its slice of the concatenation.
        const sum = Array.from({ length: 6 }, (_, k) =>
          step.weights.reduce((total, weight, j) => total + weight * (step.values[j * 6 + k] as number), 0),
        );
        near(step.result, sum, 1e-5);
        near(step.concatenated.subarray(head * 6, head * 6 + 6), step.result, 0);
        near(step.output, run.output.subarray(row * 64, (row + 1) * 64), 0);
        if (positions === 'rope')
          assert.ok(row === 0 || step.projected.some((value, k) => Math.abs(value - (step.query[k] as number)) > 1e-3));
        else near(step.projected, step.query, 1e-5);
        assert.equal(step.masked.filter((score) => score === Number.NEGATIVE_INFINITY).length, 12 - Math.min(5, row + 1));
      }
      assert.throws(() => stepThrough(kernel, sample, run, 0, 0, 12), /no token 12/);
    }
  });
});
