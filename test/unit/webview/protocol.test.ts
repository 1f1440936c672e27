import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type FromPreview, isFromPreview, isToPreview, revealFields, type ToPreview } from '../../../webview/protocol.ts';

const design = { queryHeads: 8, keyValueHeads: 2, headDim: 64, valueDim: 64, causal: true };
const toPage: readonly ToPreview[] = [
  { kind: 'design', title: 'config.json', source: 'file:///config.json', design, warnings: [] },
  {
    kind: 'design',
    title: '',
    source: '',
    design: { ...design, layers: 2, slidingWindow: 9, positions: 'rope', rotaryDim: 32, ropeTheta: 5e5, softcap: 50 },
    warnings: ['8 % 3 = 2'],
  },
  {
    kind: 'design',
    title: '',
    source: '',
    design: {
      ...design,
      latent: { queryRank: 1536, keyValueRank: 512, plainDim: 128, rotaryDim: 64 },
      scaling: { kind: 'yarn', name: 'yarn', factor: 40, trainedLength: 4096, betaFast: 32, truncate: true },
      interleaved: true,
      scale: 0.1,
      buckets: 32,
      maxDistance: 128,
    },
    warnings: [],
  },
  { kind: 'unavailable', title: 't', source: 's', reason: 'r' },
  { kind: 'tokenizer', name: 'tokenizer.json', json: '{}' },
  { kind: 'file', name: 'x.npy', uri: 'file:///x.npy', bytes: Uint8Array.of(1, 2) },
  { kind: 'noFile', uri: 'file:///x.npy', reason: 'gone' },
  {
    kind: 'checkpoint',
    request: 1,
    name: 'model.safetensors',
    reason: '',
    width: 64,
    interleaved: false,
    gainOffset: 0,
    without: '',
    tensors: [{ name: 'q', dtype: 'BF16', shape: [64, 64] }],
    layers: [{ layer: 3, parts: [{ role: 'query', tensor: 'q', outputsFirst: true, outputs: [[0, 64]] }] }],
  },
  { kind: 'weights', request: 1, tensor: 0, at: 0, bytes: Uint8Array.of(1, 2) },
  { kind: 'restore', state: '{}' },
  { kind: 'findings', query: 3, findings: ['8 % 3 = 2'] },
];
const fromPage: readonly FromPreview[] = [
  { kind: 'ready' },
  { kind: 'error', message: 'm' },
  { kind: 'export', name: 'attention.png', bytes: Uint8Array.of(1) },
  { kind: 'pickFile' },
  { kind: 'findTokenizer' },
  { kind: 'copyLink', form: 'command', state: '{}' },
  { kind: 'lint', query: 3, sizes: { queryHeads: 8, keyValueHeads: 3 } },
  { kind: 'readFile', uri: 'file:///x.npy' },
  { kind: 'findWeights', request: 1, layer: 0, layers: 2, before: true, embedded: false },
  ...revealFields.map((field) => ({ kind: 'reveal', source: 'file:///x', field }) as const),
];

describe('preview protocol', () => {
  it('accepts what each end sends, and nothing of the other end', () => {
    for (const message of toPage) {
      assert.ok(isToPreview(message), JSON.stringify(message));
      assert.ok(!isFromPreview(message));
    }
    for (const message of fromPage) {
      assert.ok(isFromPreview(message), JSON.stringify(message));
      assert.ok(!isToPreview(message));
    }
  });

  it('refuses a message with a field too many, too few, or of another type', () => {
    for (const [messages, accepts] of [
      [toPage, isToPreview],
      [fromPage, isFromPreview],
    ] as const) {
      for (const message of messages) {
        assert.ok(!accepts({ ...message, more: 1 }));
        for (const key of Object.keys(message)) {
          const { [key]: _, ...less } = message as unknown as Record<string, unknown>;
          assert.ok(!accepts(less), `without ${key}`);
          for (const wrong of [null, 1, Number.NaN, [], {}, true, () => 1]) {
            assert.ok(
              !accepts({ ...message, [key]: wrong }) || typeof wrong === typeof (message as unknown as Record<string, unknown>)[key],
            );
          }
        }
      }
    }
    const [first] = toPage;
    assert.ok(!isToPreview({ ...first, design: { ...design, headDim: Number.POSITIVE_INFINITY } }));
    assert.ok(!isToPreview({ ...first, design: { ...design, unknown: 1 } }));
    assert.ok(!isToPreview({ ...first, warnings: [1] }));
    assert.ok(!isToPreview({ ...first, title: 'x'.repeat(10_001) }));
    assert.ok(!isFromPreview({ kind: 'reveal', source: 's', field: 'constructor' }));
  });

  it('refuses anything else', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        assert.ok(!isToPreview(value));
        assert.ok(!isFromPreview(value));
      }),
    );
  });
});
