import assert from 'node:assert/strict';
import type { AttentionMask, Kernel } from '../../../src/kernel/interface.ts';
import { sinusoidalPositions } from '../../../src/kernel/positions.ts';
import { createReferenceKernel } from '../../../src/kernel/reference.ts';
import { headSimilarity } from '../../../src/kernel/statistics.ts';
import { wasmKernels } from './load-kernels.ts';

const kernels: Kernel[] = [createReferenceKernel()];
before(async function () {
  this.timeout(60_000);
  kernels.push(...(await wasmKernels()));
});

/** Statistics of one head over `length` tokens whose scores are the mask alone. */
function measure(kernel: Kernel, mask: AttentionMask, tokens: readonly number[]) {
  const length = tokens.length;
  const zeros = new Float32Array(length);
  return kernel.attention(
    { queryHeads: 1, queryLength: length, headDim: 1, mask },
    { query: zeros, key: zeros, value: zeros },
    { statistics: true, tokens, weights: false },
  ).statistics?.[0];
}

describe('induction score', () => {
  it('is the weight on what followed the token before, by hand', () => {
    // a b c a b c: query 3 (a) has key 1, query 4 (b) key 2, query 5 (c) key 3. Uniform causal rows weigh 1/4, 1/5 and 1/6.
    for (const kernel of kernels) {
      const found = measure(kernel, { kind: 'causal' }, [7, 8, 9, 7, 8, 9])?.induction as number;
      assert.ok(Math.abs(found - (1 / 4 + 1 / 5 + 1 / 6) / 3) < 1e-6, `${kernel.name}: ${found}`);
    }
  });

  it('is 1 for a head that looks there alone, over more than a block of rows', () => {
    const period = 50;
    const length = 150;
    const tokens = Array.from({ length }, (_, i) => i % period);
    // Each query sees the token after the last occurrence of its own: period - 1 before it.
    const bias = new Float32Array(length * length).fill(Number.NEGATIVE_INFINITY);
    for (let i = period; i < length; i++) bias[i * length + i - period + 1] = 0;
    for (const kernel of kernels) assert.equal(measure(kernel, { kind: 'additive', bias }, tokens)?.induction, 1);
  });

  it('counts every earlier occurrence, and not the query itself', () => {
    // a a a: query 2 has key 1 (after key 0) but not key 2, which follows key 1 and is the query; query 1 has none.
    for (const kernel of kernels) {
      const found = measure(kernel, { kind: 'causal' }, [1, 1, 1])?.induction as number;
      assert.ok(Math.abs(found - 1 / 3) < 1e-6, `${kernel.name}: ${found}`);
    }
  });

  it('is not there where no token comes again', () => {
    for (const kernel of kernels) assert.equal('induction' in (measure(kernel, { kind: 'causal' }, [1, 2, 3]) ?? {}), false);
  });

  it('takes the positions of cached keys', () => {
    // One query at position 4 of keys a b a b a: what followed a are keys 1 and 3.
    for (const kernel of kernels) {
      const { statistics } = kernel.attention(
        { queryHeads: 1, queryLength: 1, keyLength: 5, headDim: 1, mask: { kind: 'causal', offset: 4 } },
        { query: new Float32Array(1), key: new Float32Array(5), value: new Float32Array(5) },
        { statistics: true, tokens: [1, 2, 1, 2, 1] },
      );
      assert.ok(Math.abs((statistics?.[0]?.induction as number) - 2 / 5) < 1e-6);
    }
  });

  it('asks for a token per key', () => {
    const three = new Float32Array(3);
    for (const kernel of kernels) {
      const call = () =>
        kernel.attention(
          { queryHeads: 1, queryLength: 3, headDim: 1 },
          { query: three, key: three, value: three },
          { statistics: true, tokens: [1, 2] },
        );
      assert.throws(call, /tokens holds 2 numbers, expected keyLength = 3/);
    }
  });
});

describe('similarity of heads', () => {
  it('is the cosine of their maps', () => {
    for (const kernel of kernels) {
      const similarity = headSimilarity(kernel, Float32Array.of(1, 0, 0, 1, 1, 0, 0, 2, 0, 0, 0, 0), 3);
      const cosine = 3 / Math.sqrt(2 * 5);
      const expected = [1, cosine, 0, cosine, 1, 0, 0, 0, 0];
      for (const [cell, value] of expected.entries())
        assert.ok(Math.abs((similarity[cell] as number) - value) < 1e-6, `${kernel.name} ${cell}`);
    }
  });

  it('holds over maps larger than what is multiplied at once', () => {
    const numbers = 9001;
    const maps = Float32Array.from({ length: 2 * numbers }, (_, i) => Math.sin(i * i));
    let [ab, aa, bb] = [0, 0, 0];
    for (let i = 0; i < numbers; i++) {
      const [a, b] = [maps[i] as number, maps[numbers + i] as number];
      [ab, aa, bb] = [ab + a * b, aa + a * a, bb + b * b];
    }
    for (const kernel of kernels) {
      assert.ok(Math.abs((headSimilarity(kernel, maps, 2)[1] as number) - ab / Math.sqrt(aa * bb)) < 1e-5);
      assert.throws(() => headSimilarity(kernel, maps, 4), /maps holds 18002 numbers, which 4 heads cannot share/);
    }
  });
});

describe('sinusoidal positions', () => {
  it('are those of the paper', () => {
    const table = sinusoidalPositions(3, 6, 1);
    // Token 1 stands at position 2; pair 1 turns by 10000^(-2/6) per position.
    assert.ok(Math.abs((table[6 + 2] as number) - Math.sin(2 * 10000 ** (-2 / 6))) < 1e-7);
    assert.ok(Math.abs((table[6 + 3] as number) - Math.cos(2 * 10000 ** (-2 / 6))) < 1e-7);
  });
});
