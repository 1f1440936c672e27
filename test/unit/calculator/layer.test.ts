import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type LayerCost, type LayerInput, layerCost } from '../../../src/calculator/layer.ts';

function cost(input: LayerInput): LayerCost {
  const found = layerCost(input);
  assert.ok('steps' in found, 'reason' in found ? found.reason : '');
  return found;
}

/** GPT-3 175B with the lengths of Korthikanti et al. 2022, table 3. */
const gpt3: LayerInput = {
  hiddenSize: 12288n,
  queryHeads: 96n,
  keyValueHeads: 96n,
  headDim: 128n,
  valueDim: 128n,
  intermediateSize: 49152n,
  gated: false,
  dropout: true,
  sequenceLength: 2048n,
  batch: 1n,
  dtype: { name: 'bfloat16', bits: 16n },
};
const sbh = 2048n * 12288n;
const as2b = 96n * 2048n * 2048n;

describe('cost of a layer', () => {
  it('keeps the activations that Korthikanti et al. count', () => {
    // Equation 1: s b h (34 + 5 a s / h).
    assert.equal(cost(gpt3).activationBytes, 34n * sbh + 5n * as2b);
    // Equation 2, tensor parallel: s b h (10 + 24 / t + 5 a s / (h t)).
    assert.equal(cost({ ...gpt3, tensorParallel: 8n }).activationBytes, 10n * sbh + 3n * sbh + (5n * as2b) / 8n);
    // Equation 4, and the sequence split: all of it over t.
    assert.equal(cost({ ...gpt3, tensorParallel: 8n, sequenceParallel: true }).activationBytes, (34n * sbh + 5n * as2b) / 8n);
  });

  it('keeps a number a row instead of the weights with a fused kernel', () => {
    assert.equal(cost(gpt3).activationBytes - cost(gpt3).fusedActivationBytes, 5n * as2b - 96n * 2048n * 4n);
  });

  it('counts FLOPs as Kaplan et al. and Hoffmann et al. do', () => {
    const { forwardFlops, backwardFlops, parameters } = cost(gpt3);
    // 12 d^2 weights a layer; 2 FLOPs for each and token, and 4 s d a token for the two products with the sequence.
    assert.equal(parameters, 12n * 12288n ** 2n);
    assert.equal(forwardFlops, 2048n * (2n * parameters + 4n * 2048n * 12288n));
    assert.equal(backwardFlops, 2n * forwardFlops);
  });

  it('has the weights of Llama 3 8B', () => {
    // model.layers.0: q 4096 x 4096, k and v 1024 x 4096, o 4096 x 4096, gate, up and down 14336 x 4096.
    const llama: LayerInput = {
      ...gpt3,
      hiddenSize: 4096n,
      queryHeads: 32n,
      keyValueHeads: 8n,
      intermediateSize: 14336n,
      gated: true,
      dropout: false,
    };
    assert.equal(cost(llama).parameters, 4096n * (4096n + 1024n + 1024n + 4096n + 3n * 14336n));
    assert.deepEqual(cost(llama).steps.find(({ id }) => id === 'keys')?.shape, [1n, 2048n, 1024n]);
    assert.deepEqual(cost(llama).steps.find(({ id }) => id === 'headSplit')?.shape, [1n, 32n, 2048n, 128n]);
  });

  it('scales as it should', () => {
    const size = (least: number, most: number) => fc.integer({ min: least, max: most }).map(BigInt);
    fc.assert(
      fc.property(size(1, 8), size(1, 4), size(1, 64), size(1, 300), size(1, 4), fc.boolean(), (kv, group, e, t, b, gated) => {
        const h = kv * group;
        const d = h * e;
        const input: LayerInput = {
          hiddenSize: d,
          queryHeads: h,
          keyValueHeads: kv,
          headDim: e,
          valueDim: e,
          intermediateSize: 4n * d,
          gated,
          sequenceLength: t,
          batch: b,
        };
        const one = cost(input);
        const two = cost({ ...input, batch: 2n * b });
        assert.equal(two.forwardFlops, 2n * one.forwardFlops);
        assert.equal(two.activationBytes, 2n * one.activationBytes);
        assert.equal(two.parameters, one.parameters);
        // Over as many devices as there are KV heads, bytes times devices are the total and what each keeps whole again.
        const many = cost({ ...input, tensorParallel: kv });
        const whole = 4n * b * t * d * 2n;
        assert.equal(many.activationBytes * kv, one.activationBytes + (kv - 1n) * whole);
        // The sequence split as well leaves nothing twice, where the devices can share it evenly.
        const along = layerCost({ ...input, tensorParallel: kv, sequenceParallel: true });
        if (t % kv === 0n) assert.ok('steps' in along && along.activationBytes * kv === one.activationBytes);
        else assert.deepEqual(along, { reason: `${kv} devices cannot share ${t} tokens evenly.` });
        // A ring of devices splits everything.
        const ring = layerCost({ ...input, contextParallel: kv });
        if (t % kv === 0n) assert.ok('steps' in ring && ring.activationBytes * kv === one.activationBytes);
        else assert.ok('reason' in ring);
      }),
    );
  });

  it('says what is missing, or does not fit', () => {
    const { sequenceLength: _, ...withoutLength } = gpt3;
    assert.deepEqual(layerCost(withoutLength), { reason: 'Give T, the number of tokens.' });
    assert.deepEqual(layerCost({ ...gpt3, tensorParallel: 5n }), {
      reason: '5 devices cannot share 96 heads, 96 KV heads and a feed-forward of 49152.',
    });
  });
});
