import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { calculate } from '../../../src/calculator/calculate.ts';
import { byteText, type Row } from '../../../src/calculator/shapes.ts';
import type { TransformerDesign } from '../../../src/design/design.ts';
import { readDesign } from '../../../src/design/read.ts';
import { parseJson } from '../../../src/syntax/json.ts';
import { fastest } from './timing.ts';

const rowsOf = (query: string, base?: TransformerDesign): ReadonlyMap<string, Row> =>
  new Map(calculate(query, base).rows.map((row) => [row.id, row]));
const answer = (query: string, id: string): string | readonly string[] | undefined => rowsOf(query).get(id)?.value;

describe('calculated shapes', () => {
  it('follows the data through a layer where tokens and the feed-forward are known', () => {
    const query = 'd=4096 h=32 kv=8 ff=14336 gated T=8k bf16';
    const { cost } = calculate(query);
    // q, k, v, o, gate, up and down of a layer of Llama 3 8B.
    assert.equal(answer(query, 'layerParameters'), String(4096 * (4096 + 1024 + 1024 + 4096 + 3 * 14336)));
    assert.deepEqual(
      cost?.steps.map(({ id }) => id),
      [
        'attentionNorm',
        'queries',
        'keys',
        'values',
        'headSplit',
        'rotary',
        'scores',
        'weights',
        'weightedValues',
        'concatenation',
        'outputProjection',
        'feedForwardNorm',
        'up',
        'activation',
        'down',
      ],
    );
    assert.deepEqual(cost?.steps.find(({ id }) => id === 'scores')?.shape, [1n, 32n, 8192n, 8192n]);
    assert.equal(calculate('d=4096 h=32 kv=8 ff=14336 T=8k').cost, undefined, 'whether the feed-forward is gated is not known');
    assert.match(calculate(`${query} tp=8`).rows.find(({ id }) => id === 'layerActivations')?.label ?? '', /each device/);
  });

  it('gives Llama 3 8B as published', () => {
    const query = 'd=4096 h=32 kv=8 L=32 T=8k bf16';
    assert.equal(answer(query, 'headDim'), '128');
    assert.deepEqual(answer(query, 'queryProjection'), ['4096', '4096']);
    // model.layers.0.self_attn.k_proj.weight of the published checkpoint: [1024, 4096].
    assert.deepEqual(answer(query, 'keyProjection'), ['1024', '4096']);
    assert.deepEqual(answer(query, 'valueProjection'), ['1024', '4096']);
    assert.deepEqual(answer(query, 'outputProjection'), ['4096', '4096']);
    assert.equal(answer(query, 'concatenation'), '4096');
    assert.deepEqual(answer(query, 'scoresPerHead'), ['8192', '8192']);
    // 128 KiB per token, 1 GiB at 8192 tokens.
    assert.equal(answer(query, 'cachePerToken'), '131072');
    assert.equal(answer(query, 'cachePerSequence'), String(2 ** 30));
  });

  it('gives head dims that are set on purpose', () => {
    // Qwen3-32B: 64 heads of 128 over a width of 5120; its cache is 64 * 8 * 128 * 2 * 2 bytes, not with 5120 / 64.
    const query = 'd=5120 h=64 kv=8 hd=128 L=64 bf16';
    assert.deepEqual(answer(query, 'queryProjection'), ['8192', '5120']);
    assert.deepEqual(answer(query, 'outputProjection'), ['5120', '8192']);
    assert.equal(answer(query, 'cachePerToken'), '262144');
  });

  it('gives multi-head latent attention as DeepSeek-V3 has it', () => {
    const query = 'd=7168 h=128 rq=1536 rkv=512 rope=64 nope=128 dv=128 L=61 bf16 T=32k';
    // Shapes of the published checkpoint's q_a_proj, q_b_proj, kv_a_proj_with_mqa, kv_b_proj and o_proj.
    assert.deepEqual(answer(query, 'queryDown'), ['1536', '7168']);
    assert.deepEqual(answer(query, 'queryProjection'), ['24576', '1536']);
    assert.deepEqual(answer(query, 'keyValueDown'), ['576', '7168']);
    assert.deepEqual(answer(query, 'keyValueUp'), ['32768', '512']);
    assert.deepEqual(answer(query, 'outputProjection'), ['7168', '16384']);
    assert.equal(answer(query, 'cachePerToken'), String(61 * 576 * 2));
    const weights = 7168 * 1536 + 1536 * 24576 + 7168 * 576 + 512 * 32768 + 16384 * 7168;
    assert.equal(answer(query, 'attentionParameters'), String(weights));
  });

  it('counts the weights that torch.nn.MultiheadAttention has', () => {
    // embed_dim 768: in_proj_weight [2304, 768], in_proj_bias [2304], out_proj.weight [768, 768], out_proj.bias [768].
    assert.equal(answer('d=768 h=12 bias', 'attentionParameters'), String(2304 * 768 + 2304 + 768 * 768 + 768));
    assert.equal(answer('d=768 h=12 nobias', 'attentionParameters'), String(4 * 768 * 768));
  });

  it('says what does not fit, with what would', () => {
    const [problem] = calculate('d=4096 h=33').problems;
    assert.equal(
      problem?.message,
      'Width 4096 does not split into 33 heads: 4096 / 33 leaves 4. 32, 16 or 8 heads would work; or give the head dim (hd=...).',
    );
    assert.deepEqual(problem?.range, { start: 9, end: 11 });
    const [kv] = calculate('d=4096 h=32 kv=5').problems;
    assert.equal(kv?.message, '32 query heads cannot share 5 KV heads: 32 / 5 leaves 2. 4, 2 or 8 KV heads would work.');
    assert.equal(rowsOf('d=4096 h=32 kv=5').has('cachePerToken'), false);
  });

  it('asks for what is missing and invents nothing', () => {
    assert.deepEqual(calculate('').rows, []);
    assert.match(calculate('').hint ?? '', /d \(width\) and h \(query heads\)/);
    assert.equal(rowsOf('h=32 hd=128').get('concatenation')?.value, '4096');
    assert.equal(rowsOf('h=32 hd=128').has('queryProjection'), false);
  });

  it('builds on a design and derives anew what the query changes', () => {
    const config = {
      model_type: 'llama',
      hidden_size: 4096,
      num_attention_heads: 32,
      num_hidden_layers: 32,
      torch_dtype: 'bfloat16',
    };
    const designOf = (text: string): TransformerDesign | undefined => readDesign(parseJson(text), {})?.designs[0];
    const base = designOf(JSON.stringify(config));
    assert.ok(base !== undefined);
    assert.equal(rowsOf('', base).get('headDim')?.value, '128');
    assert.equal(rowsOf('h=64', base).get('headDim')?.value, '64');
    assert.deepEqual(rowsOf('h=64', base).get('keyProjection')?.value, ['4096', '4096']);
    assert.equal(rowsOf('kv=8', base).get('cachePerToken')?.value, '131072');
    const pinned = designOf(JSON.stringify({ ...config, head_dim: 128 }));
    assert.deepEqual(rowsOf('h=64', pinned).get('queryProjection')?.value, ['8192', '4096']);
  });

  it('writes bytes exactly and in binary units', () => {
    assert.equal(byteText(131072n), '131,072 bytes (128 KiB)');
    assert.equal(byteText(1000n), '1000 bytes');
    assert.equal(byteText(1536n * 1024n), '1,572,864 bytes (1.5 MiB)');
    assert.equal(byteText(1n << 70n), '1,180,591,620,717,411,303,424 bytes (1,024 EiB)');
  });

  it('scales as the parts do', () => {
    const small = fc.integer({ min: 1, max: 64 });
    fc.assert(
      fc.property(small, small, small, small, small, small, (group, kv, dim, layers, tokens, batch) => {
        const heads = group * kv;
        const query = (h: number, k: number, t: number, b: number): string =>
          `d=${heads * dim} h=${h} kv=${k} hd=${dim} L=${layers} T=${t} B=${b} bf16`;
        const number = (text: string, id: string): bigint => BigInt(String(answer(text, id)));
        const base = query(heads, kv, tokens, batch);
        // Twice the tokens or sequences: twice the cache, four times the scores for tokens.
        assert.equal(number(query(heads, kv, 2 * tokens, batch), 'cachePerBatch'), 2n * number(base, 'cachePerBatch'));
        assert.equal(number(query(heads, kv, tokens, 2 * batch), 'cachePerBatch'), 2n * number(base, 'cachePerBatch'));
        assert.equal(number(query(heads, kv, 2 * tokens, batch), 'scores'), 4n * number(base, 'scores'));
        // The cache does not depend on the query heads; queries and outputs do.
        assert.equal(number(query(2 * heads, kv, tokens, batch), 'cachePerToken'), number(base, 'cachePerToken'));
        const d = BigInt(heads * dim);
        const difference = number(query(2 * heads, kv, tokens, batch), 'attentionParameters') - number(base, 'attentionParameters');
        assert.equal(difference, 2n * d * d);
      }),
    );
  });

  it('answers while one types', () => {
    const query = 'd=4096 h=32 kv=8 T=8k B=4 L=32 bf16';
    for (let length = 0; length <= query.length; length++) {
      const elapsed = fastest(() => calculate(query.slice(0, length)));
      assert.ok(elapsed < 16, `${query.slice(0, length)}: ${elapsed.toFixed(2)} ms`);
    }
    const huge = 'd=999999999999989 h=999999999999988 kv=7 hd=3 T=999999999999999 B=999999999999999 L=999999999999999 bf16';
    assert.ok(fastest(() => calculate(huge)) < 16);
  });
});

const truthFile = join(process.cwd(), '..', 'shared', 'corpus', 'truth.json');
if (!existsSync(truthFile)) console.log('Skipped: calculator against published sizes (../shared/corpus is not there).');
else {
  describe('calculated shapes against published ones', () => {
    interface Entry {
      readonly id: string;
      readonly model: string;
      readonly quantity: string;
      readonly value: unknown;
      readonly exactness: string;
    }
    const { entries } = JSON.parse(readFileSync(truthFile, 'utf8')) as { readonly entries: readonly Entry[] };
    const byModel = new Map<string, Map<string, Entry>>();
    for (const entry of entries) {
      if (!entry.quantity.startsWith('shape_W_')) continue;
      byModel.set(entry.model, (byModel.get(entry.model) ?? new Map()).set(entry.quantity, entry));
    }

    it('gives the projections of every model that states them per head', () => {
      let compared = 0;
      for (const [model, shapes] of byModel) {
        const q = shapes.get('shape_W_Q[n_heads,d_model,d_head]')?.value as number[] | undefined;
        const k = shapes.get('shape_W_K[n_kv_heads,d_model,d_head]')?.value as number[] | undefined;
        if (q === undefined || k === undefined) continue;
        const [heads = 0, width = 0, dim = 0] = q;
        const [groups = 0] = k;
        const rows = rowsOf(`d=${width} h=${heads} kv=${groups}${heads * dim === width ? '' : ` hd=${dim}`}`);
        assert.equal(rows.get('headDim')?.value, String(dim), model);
        const product = (value: Row['value'] | undefined): number => (Array.isArray(value) ? value.reduce((a, b) => a * Number(b), 1) : 0);
        assert.equal(
          product(rows.get('queryProjection')?.value),
          q.reduce((a, b) => a * b, 1),
          model,
        );
        assert.equal(
          product(rows.get('keyProjection')?.value),
          k.reduce((a, b) => a * b, 1),
          model,
        );
        compared++;
      }
      assert.ok(compared > 20, `${compared} models`);
    });

    it('gives published cache sizes', () => {
      // The sizes are those of the models' published configs; the bytes are measured by others.
      const configs: Readonly<Record<string, string>> = {
        'Meta-Llama-3-8B-Instruct': 'd=4096 h=32 kv=8 L=32',
        'Qwen1.5-32B-Chat': 'd=5120 h=40 kv=8 L=64',
        'Yi-1.5-34B-Chat': 'd=7168 h=56 kv=8 L=60',
        'c4ai-command-r-v01': 'd=8192 h=64 kv=64 L=40',
        'Yi-6B-200K': 'd=4096 h=32 kv=4 L=32',
        'Llama 2 7B': 'd=4096 h=32 L=32',
        'llama-13B': 'd=5120 h=40 L=40',
      };
      let compared = 0;
      for (const entry of entries) {
        const config = configs[entry.model];
        if (entry.quantity !== 'kv_cache_bytes_per_token' || config === undefined) continue;
        assert.equal(answer(`${config} fp16`, 'cachePerToken'), String(entry.value), entry.id);
        compared++;
      }
      assert.equal(compared, Object.keys(configs).length);
    });
  });
}
