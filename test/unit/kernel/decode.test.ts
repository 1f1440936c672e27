import assert from 'node:assert/strict';
import { createDecoder, type DecodeProblem } from '../../../src/kernel/decode.ts';
import type { Kernel, RotaryPositions } from '../../../src/kernel/interface.ts';
import { createReferenceKernel } from '../../../src/kernel/reference.ts';
import { wasmKernels } from './load-kernels.ts';

const tokens = 37;

function wave(count: number, step: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * step) * 0.6);
}

const weights = {
  queryWeight: wave(12 * 24, 1.3),
  keyWeight: wave(12 * 12, 0.7),
  valueWeight: wave(12 * 10, 2.1),
  outputWeight: wave(20 * 9, 0.9),
  queryBias: wave(24, 0.4),
  outputBias: wave(9, 0.5),
};
const input = wave(tokens * 12, 0.37);
const sizes = { queryHeads: 4, keyValueHeads: 2, headDim: 6, valueDim: 5, inputDim: 12, outputDim: 9 };
const rotary: RotaryPositions = { kind: 'rotary', rotaryDim: 4 };
const problems: Readonly<Record<string, DecodeProblem>> = {
  'causal by default': sizes,
  'rotary positions': { ...sizes, positions: rotary, mask: { kind: 'causal' } },
  'interleaved rotary positions and a sliding window': {
    ...sizes,
    positions: { ...rotary, interleaved: true },
    mask: { kind: 'slidingWindow', window: 5 },
  },
  'ALiBi, soft-cap and sinks': { ...sizes, positions: { kind: 'alibi' }, softcap: 3, sinks: wave(4, 1) },
};

describe('decoding with a cache', () => {
  const kernels: Kernel[] = [createReferenceKernel()];
  before(async function () {
    this.timeout(60_000);
    kernels.push(...(await wasmKernels()));
  });

  for (const [name, problem] of Object.entries(problems)) {
    it(`gives each token's row of the whole computation: ${name}`, () => {
      for (const kernel of kernels) {
        const whole = kernel.multiHeadAttention(
          { ...problem, queryLength: tokens, mask: problem.mask ?? { kind: 'causal' } },
          { ...weights, input },
        );
        const decoder = createDecoder(kernel, problem, weights);
        for (let t = 0; t < tokens; t++) {
          const step = decoder.step(input.subarray(t * 12, (t + 1) * 12));
          assert.equal(step.weights?.length, 4 * (t + 1));
          for (let head = 0; head < 4; head++) {
            for (let j = 0; j <= t; j++) {
              const full = whole.weights?.[(head * tokens + t) * tokens + j] as number;
              assert.ok(
                Math.abs((step.weights?.[head * (t + 1) + j] as number) - full) < 1e-6,
                `${kernel.name}: head ${head}, ${t} to ${j}`,
              );
            }
          }
          for (const [k, value] of step.output.entries()) assert.ok(Math.abs(value - (whole.output[t * 9 + k] as number)) < 1e-5);
        }
        assert.equal(decoder.length, tokens);
        for (const stage of ['key', 'value'] as const) {
          const cached = decoder[stage]();
          assert.ok(cached.every((value, i) => Math.abs(value - (whole[stage][i] as number)) < 1e-5));
        }
      }
    });
  }

  it('names what is wrong', () => {
    const kernel = createReferenceKernel();
    assert.throws(() => createDecoder(kernel, { ...sizes, keyValueHeads: 3 }, weights), /4 query heads cannot share 3/);
    assert.throws(
      () => createDecoder(kernel, sizes, weights).step(new Float32Array(5)),
      /^RangeError: token holds 5 numbers, expected inputDim = 12\.$/,
    );
    assert.throws(() => createDecoder(kernel, { ...sizes, mask: { kind: 'slidingWindow', window: 0 } }, weights), /mask\.window/);
  });
});
