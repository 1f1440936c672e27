import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parametersOf } from '../../../src/calculator/parameters.ts';
import { report } from '../../../src/calculator/report.ts';
import type { ConfigReading } from '../../../src/design/design.ts';
import { readDesign } from '../../../src/design/read.ts';
import { parseConfig } from '../../../src/syntax/read.ts';

interface Built {
  readonly path: string;
  readonly text: string;
  readonly class: string;
  readonly total: string;
  readonly parameters: Readonly<Record<string, readonly [count: number, shape: readonly number[]]>>;
}

const built: readonly Built[] = JSON.parse(readFileSync(join(process.cwd(), 'test', 'golden', 'native.generated.json'), 'utf8'));

function readingOf(text: string, path: string): ConfigReading {
  const reading = readDesign(parseConfig(text, { path }));
  assert.ok(reading !== undefined, path);
  return reading;
}

describe('files of programs of their own', () => {
  for (const [i, { path, text, class: className, total, parameters }] of built.entries())
    it(`have the tensors that the program builds: ${path}, ${i + 1}`, () => {
      const found = parametersOf(readingOf(text, path));
      assert.ok(found.known, found.known ? '' : found.reason);
      const tensors = Object.fromEntries(found.tensors.map(({ name, count, shapes: [shape] }) => [name, [count, shape]]));
      assert.deepEqual(tensors, parameters);
      assert.equal(String(found.total), total);
      assert.equal(found.className, className);
    });

  it('have no total where the file leaves something open, or says more than is known', () => {
    const reason = (text: string, path: string): string => {
      const found = parametersOf(readingOf(text, path));
      return found.known ? `${found.total}` : found.reason;
    };
    const llama = { dim: 4096, multiple_of: 256, n_heads: 32, n_layers: 32, norm_eps: 1e-5, vocab_size: 32000 };
    const params = (changes: object): string => reason(JSON.stringify({ ...llama, ...changes }), 'params.json');
    // Llama 1 and 2 as they were published: the tokenizer has 32,000 words.
    assert.match(params({ vocab_size: -1 }), /tokenizer decides/);
    assert.match(params({ use_scaled_rope: true }), /does not say whether the head/);
    assert.equal(params({ n_experts: 8 }), 'The file names no model_type.');
    assert.match(params({ dim: 4095 }), /4095 does not split into 32/);
    assert.match(params({ ffn_dim_multiplier: 'wide' }), /no number/);
    const clip = built.find(({ path }) => path === '768-16.json');
    assert.ok(clip !== undefined);
    const changed = (changes: object): string => {
      const config = JSON.parse(clip.text) as { readonly vision_cfg: object };
      return reason(JSON.stringify({ ...config, vision_cfg: { ...config.vision_cfg, ...changes } }), 'clip.json');
    };
    assert.match(changed({ timm_model_name: 'vit_base' }), /names no model_type/);
    assert.match(changed({ layers: [3, 4, 6, 3] }), /names no model_type/);
    assert.match(changed({ pos_embed_type: 'sin_cos_2d' }), /What pos_embed_type does/);
    assert.match(changed({ norm_kwargs: { elementwise_affine: false } }), /What norm_kwargs does/);
    const olmo = built.find(({ path }) => path === 'olmo.yaml');
    assert.ok(olmo !== undefined);
    assert.match(reason(olmo.text.replace('"sequential"', '"parallel"'), 'olmo.yaml'), /What block_type does/);
    assert.match(reason(olmo.text.replace('50280', '60000'), 'olmo.yaml'), /fewer rows than the vocabulary/);
    assert.match(reason(olmo.text.replace('  rope: true', '  rope: true\n  new_switch: true'), 'olmo.yaml'), /names no model_type/);
  });

  it('count the head that shares the embedding among the FLOPs', () => {
    const olmo = built.find(({ path }) => path === 'olmo.yaml');
    assert.ok(olmo !== undefined);
    const tokens = 128n;
    const made = report(`T=${tokens}`, readingOf(olmo.text, olmo.path));
    const flops = made.training?.flops.find(({ id }) => id === 'forwardFlops')?.value;
    // Sixteen layers of four projections and a feed-forward of three matrices of 8,192, two products with the sequence, and the logits.
    const [d, layers, inner] = [2048n, 16n, 8192n];
    const perToken = layers * (4n * d * d + 3n * d * inner) + d * 50304n;
    const wanted = 2n * tokens * perToken + layers * 4n * tokens * tokens * d;
    assert.equal(BigInt(flops ?? 0), wanted);
    // The last of two pipeline stages has eight layers, as the first, and a copy of the table.
    const staged = report(`T=${tokens} pp=2 bf16`, readingOf(olmo.text, olmo.path));
    const stages = staged.devices?.rows.find(({ id }) => id === 'weights')?.stages.map(BigInt);
    assert.deepEqual(stages, [
      2n * (8n * (4n * d * d + 3n * d * inner) + d * 50304n),
      2n * (8n * (4n * d * d + 3n * d * inner) + d * 50304n),
    ]);
    // The file's table has so many rows whatever the vocabulary.
    const fewer = report(`T=${tokens} V=1000`, readingOf(olmo.text, olmo.path));
    assert.equal(BigInt(fewer.training?.flops.find(({ id }) => id === 'forwardFlops')?.value ?? 0), wanted);
    assert.equal(String(fewer.totals.parameters), olmo.total);
  });
});
