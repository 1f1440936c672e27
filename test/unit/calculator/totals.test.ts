import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelTotals } from '../../../src/calculator/totals.ts';
import { readDesign } from '../../../src/design/read.ts';
import { parseConfig } from '../../../src/syntax/read.ts';

function totalsOf(text: string, path = 'config.json') {
  const reading = readDesign(parseConfig(text, { path }), {});
  assert.ok(reading !== undefined, text);
  return modelTotals(reading);
}

const llama = {
  model_type: 'llama',
  hidden_size: 4096,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  num_hidden_layers: 32,
  torch_dtype: 'bfloat16',
};

describe('totals of a model', () => {
  it('count the cache of plain decoders', () => {
    const { totals } = totalsOf(JSON.stringify(llama));
    const { parameters: _, ...cache } = totals;
    assert.deepEqual(cache, { cacheElementsPerToken: 65536n, cacheBytesPerToken: 131072n, cacheDtype: 'bfloat16' });
  });

  it('leave out the bytes where the file does not say the type', () => {
    const { torch_dtype: _, ...rest } = llama;
    const { totals, notModelled } = totalsOf(JSON.stringify(rest));
    const { parameters: _parameters, ...cache } = totals;
    assert.deepEqual(cache, { cacheElementsPerToken: 65536n });
    assert.ok(notModelled.some((reason) => /data type/.test(reason)));
  });

  it('leave out everything, with the reason, where layers do not all keep the same', () => {
    const cases: readonly object[] = [
      { ...llama, model_type: 'jamba', attn_layer_period: 8, attn_layer_offset: 4 },
      { ...llama, model_type: 'bert' },
      { ...llama, num_kv_shared_layers: 10 },
      { ...llama, model_type: 't5', d_model: 512, d_kv: 64, num_heads: 8 },
    ];
    for (const config of cases) {
      const { totals, notModelled } = totalsOf(JSON.stringify(config));
      assert.equal(totals.cacheElementsPerToken, undefined, JSON.stringify(config));
      assert.ok(
        notModelled.some((reason) => /^KV cache: /.test(reason)),
        JSON.stringify(config),
      );
    }
  });

  it('count only the layers that cache where every layer is named', () => {
    const layer_types = Array.from({ length: 32 }, (_, i) => (i % 4 === 3 ? 'full_attention' : 'linear_attention'));
    const { totals } = totalsOf(JSON.stringify({ ...llama, layer_types }));
    assert.equal(totals.cacheElementsPerToken, 8n * 2n * 8n * 128n);
    const strange = totalsOf(JSON.stringify({ ...llama, layer_types: layer_types.map((type) => type.replace('linear', 'quantum')) }));
    assert.equal(strange.totals.cacheElementsPerToken, undefined);
  });
});

const corpus = join(process.cwd(), '..', 'shared', 'corpus');
if (!existsSync(corpus)) console.log('Skipped: totals against published sizes (../shared/corpus is not there).');
else {
  describe('totals against published ones', () => {
    interface Entry {
      readonly id: string;
      readonly config_slug: string | null;
      readonly quantity: string;
      readonly value: unknown;
    }
    const { entries } = JSON.parse(readFileSync(join(corpus, 'truth.json'), 'utf8')) as { readonly entries: readonly Entry[] };
    const totalsOfSlug = (slug: string) => {
      const folder = join(corpus, 'configs', slug);
      const [name] = readdirSync(folder);
      assert.ok(name !== undefined);
      return totalsOf(readFileSync(join(folder, name), 'utf8'), name).totals;
    };

    it('give the cache of every config that states one in 16 bits', () => {
      let compared = 0;
      for (const { id, config_slug: slug, quantity, value } of entries) {
        if (quantity !== 'kv_cache_bytes_per_token' || slug === null) continue;
        assert.equal(totalsOfSlug(slug).cacheElementsPerToken, BigInt(Number(value)) / 2n, `${id} ${slug}`);
        compared++;
      }
      assert.ok(compared >= 4, `${compared} entries`);
    });

    it('give the latent cache of DeepSeek', () => {
      // 576 elements per token and layer: kv_lora_rank 512 and rotary 64.
      assert.equal(totalsOfSlug('dsv3-native-671b').cacheElementsPerToken, 61n * 576n);
      assert.equal(totalsOfSlug('dsv3-native-236b').cacheElementsPerToken, 60n * 576n);
    });
  });
}
