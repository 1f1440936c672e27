import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  AttentionMask,
  AttentionProblem,
  Kernel,
  LatentInput,
  LatentProblem,
  MultiHeadInput,
  MultiHeadProblem,
} from '../../../src/kernel/interface.ts';
import { latentAttentionSteps } from '../../../src/kernel/latent.ts';
import { alibiBias, alibiSlopes, type RotaryScaling, scaledRotary, t5Bias, t5Bucket } from '../../../src/kernel/positions.ts';
import { createReferenceKernel } from '../../../src/kernel/reference.ts';
import { finish } from '../../../src/kernel/steps.ts';
import { repositoryRoot, wasmKernels } from './load-kernels.ts';

interface Packed {
  readonly shape: readonly number[];
  readonly f32: string;
}
type Case = Readonly<Record<string, unknown>> & { readonly name: string; readonly kind: string };

function unpack(packed: unknown): Float32Array {
  const bytes = Buffer.from((packed as Packed).f32, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** Largest difference, relative to the largest expected magnitude (at least 1). NaN and infinities must match in place. */
function difference(actual: Float32Array, expected: Float32Array): number {
  assert.equal(actual.length, expected.length);
  let scale = 1;
  for (const value of expected) if (Number.isFinite(value)) scale = Math.max(scale, Math.abs(value));
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i] as number;
    const e = expected[i] as number;
    if (Object.is(a, e)) continue;
    if (!Number.isFinite(a) || !Number.isFinite(e)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, Math.abs(a - e) / scale);
  }
  return largest;
}

function near(name: string, actual: Float32Array | undefined, expected: unknown): void {
  assert.ok(actual !== undefined, `${name} is missing`);
  const error = difference(actual, unpack(expected));
  assert.ok(error <= 1e-5, `${name} differs by ${error}`);
}

function problemOf(one: Case): AttentionProblem {
  const { alibi, t5, mask, sinks, ...sizes } = one.problem as Record<string, unknown> & AttentionProblem;
  const readMask = (raw: Record<string, unknown>): AttentionMask => {
    if (raw.kind === 'boolean') return { kind: 'boolean', visible: Uint8Array.from(raw.visible as number[]) };
    if (raw.kind === 'additive') return { kind: 'additive', bias: unpack(raw.bias) };
    return raw as AttentionMask;
  };
  const { queryHeads, queryLength, keyLength = queryLength } = sizes;
  return {
    ...sizes,
    ...(mask === undefined ? {} : { mask: readMask(mask as unknown as Record<string, unknown>) }),
    ...(sinks === undefined ? {} : { sinks: unpack(sinks) }),
    ...(alibi === undefined ? {} : { relativeBias: alibiBias(alibiSlopes(queryHeads), queryLength, keyLength) }),
    ...(t5 === undefined ? {} : { relativeBias: t5Bias(unpack(t5), queryHeads, queryLength, keyLength, { bidirectional: true }) }),
  };
}

function checkAttention(kernel: Kernel, one: Case): void {
  const problem = problemOf(one);
  const result = kernel.attention(problem, { query: unpack(one.query), key: unpack(one.key), value: unpack(one.value) });
  near('weights', result.weights, one.weights);
  near('output', result.output, one.output);
}

function checkBlock(kernel: Kernel, one: Case): void {
  const problem = one.problem as MultiHeadProblem;
  const names = [
    ...['input', 'keyValueInput', 'queryWeight', 'keyWeight', 'valueWeight', 'outputWeight'],
    ...['queryBias', 'keyBias', 'valueBias', 'outputBias'],
  ];
  const tensors = Object.fromEntries(names.filter((name) => one[name] !== undefined).map((name) => [name, unpack(one[name])]));
  const norm = one.queryNorm === undefined ? {} : { queryKeyNorm: { query: unpack(one.queryNorm), key: unpack(one.keyNorm) } };
  const result = kernel.multiHeadAttention(problem, { ...(tensors as unknown as MultiHeadInput), ...norm });
  if (one.query !== undefined) near('query', result.query, one.query);
  if (one.key !== undefined) near('key', result.key, one.key);
  if (one.weights !== undefined) near('weights', result.weights, one.weights);
  near('output', result.output, one.output);
}

describe('kernel against PyTorch', () => {
  const golden = JSON.parse(readFileSync(join(repositoryRoot(), 'test/golden/attention.generated.json'), 'utf8')) as {
    cases: readonly Case[];
  };
  const kernels: Kernel[] = [createReferenceKernel()];

  before(async function () {
    this.timeout(60_000);
    kernels.push(...(await wasmKernels()));
    assert.ok(kernels.length >= 2, 'this engine runs no WebAssembly kernel');
  });

  for (const one of golden.cases) {
    it(one.name, () => {
      if (one.kind === 'alibi') {
        for (const [heads, slopes] of Object.entries(one.slopes as Record<string, unknown>)) {
          near(`${heads} heads`, alibiSlopes(Number(heads)), slopes);
        }
        return;
      }
      if (one.kind === 't5') {
        for (const direction of ['bidirectional', 'unidirectional'] as const) {
          const expected = one[direction] as readonly number[];
          const actual = expected.map((_, i) => t5Bucket((one.first as number) + i, direction === 'bidirectional'));
          assert.deepEqual(actual, expected);
        }
        return;
      }
      for (const kernel of kernels) {
        try {
          if (one.kind === 'attention') checkAttention(kernel, one);
          else checkBlock(kernel, one);
        } catch (error) {
          throw new Error(`${kernel.name}: ${(error as Error).message}`, { cause: error });
        }
      }
    });
  }
});

describe('kernel against Transformers', () => {
  const golden = JSON.parse(readFileSync(join(repositoryRoot(), 'test/golden/transformers.generated.json'), 'utf8')) as {
    scalings: readonly {
      readonly name: string;
      readonly rotaryDim: number;
      readonly theta: number;
      readonly scaling: RotaryScaling;
      readonly frequencies: Packed;
      readonly factor: number;
    }[];
    latent: readonly {
      readonly name: string;
      readonly problem: LatentProblem;
      readonly input: Readonly<Record<keyof LatentInput, Packed>>;
      readonly output: Packed;
      readonly weights: Packed;
    }[];
  };

  for (const one of golden.scalings) {
    it(`scales rotary positions: ${one.name}`, () => {
      const { frequencies, factor } = scaledRotary(one.rotaryDim, one.theta, one.scaling);
      const expected = unpack(one.frequencies);
      assert.equal(frequencies.length, expected.length);
      for (const [pair, value] of expected.entries()) {
        const error = Math.abs((frequencies[pair] as number) / value - 1);
        assert.ok(error < 1e-5, `pair ${pair} is ${frequencies[pair]}, expected ${value}`);
      }
      assert.ok(Math.abs(factor - one.factor) < 1e-6);
    });
  }

  for (const one of golden.latent) {
    it(`computes multi-head latent attention: ${one.name}`, async () => {
      const input = Object.fromEntries(Object.entries(one.input).map(([name, tensor]) => [name, unpack(tensor)]));
      for (const kernel of [createReferenceKernel(), ...(await wasmKernels())]) {
        const result = finish(latentAttentionSteps(kernel, one.problem, input as unknown as LatentInput));
        near(`${kernel.name} weights`, result.weights, one.weights);
        near(`${kernel.name} output`, result.output, one.output);
      }
    });
  }
});
