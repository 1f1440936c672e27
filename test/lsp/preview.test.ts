import { deepEqual, equal, match } from 'node:assert/strict';
import type { DesignResult, LintSizesResult } from '../../src/protocol/languageServer.ts';
import { TestClient } from './client.ts';

/** DeepSeek V3, as its config.json has it. */
const deepseek = {
  architectures: ['DeepseekV3ForCausalLM'],
  model_type: 'deepseek_v3',
  hidden_size: 7168,
  intermediate_size: 18432,
  kv_lora_rank: 512,
  max_position_embeddings: 163840,
  num_attention_heads: 128,
  num_hidden_layers: 61,
  num_key_value_heads: 128,
  q_lora_rank: 1536,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  rope_scaling: {
    beta_fast: 32,
    beta_slow: 1,
    factor: 40,
    mscale: 1.0,
    mscale_all_dim: 1.0,
    original_max_position_embeddings: 4096,
    type: 'yarn',
  },
  rope_theta: 10000,
  v_head_dim: 128,
  vocab_size: 129280,
};

describe('what the language server tells the preview', () => {
  let client: TestClient;
  const uri = 'file:///project/config.json';
  beforeEach(async () => {
    client = await TestClient.start({ rootUri: 'file:///project' });
  });
  afterEach(async () => {
    equal(await client.stop(), 0);
  });

  it('holds latents, scaled rotary positions and the scale that follows from both', async () => {
    await client.open(uri, 'json', JSON.stringify(deepseek, undefined, 2));
    const design = await client.connection.sendRequest<DesignResult>('headwise/design', { uri });
    const { latent, scaling, interleaved, scale = 0, headDim } = design.stacks[0] ?? {};
    deepEqual(latent, { queryRank: 1536, keyValueRank: 512, plainDim: 128, rotaryDim: 64 });
    deepEqual(scaling, {
      kind: 'yarn',
      name: 'yarn',
      factor: 40,
      trainedLength: 4096,
      betaFast: 32,
      betaSlow: 1,
      mscale: 1,
      mscaleAllDim: 1,
    });
    deepEqual([interleaved, headDim], [true, 192]);
    // DeepSeek's own code: softmax_scale = 192 ** -0.5 * (0.1 * ln 40 + 1) ** 2.
    equal(scale.toFixed(6), (192 ** -0.5 * (0.1 * Math.log(40) + 1) ** 2).toFixed(6));
  });

  it('holds T5’s buckets, which its class gives where the file does not', async () => {
    const t5 = { model_type: 't5', d_model: 512, d_kv: 64, d_ff: 2048, num_heads: 8, num_layers: 6, vocab_size: 32128 };
    await client.open(uri, 'json', JSON.stringify(t5));
    const design = await client.connection.sendRequest<DesignResult>('headwise/design', { uri });
    const { buckets, maxDistance, scale } = design.stacks[0] ?? {};
    deepEqual([buckets, maxDistance, scale], [32, 128, 1]);
  });

  it('lints other sizes on the whole config, and sizes without one', async () => {
    await client.open(uri, 'json', JSON.stringify(deepseek, undefined, 2));
    const lint = (sizes: object, base?: object): Promise<LintSizesResult> =>
      client.connection.sendRequest<LintSizesResult>('headwise/lintSizes', { sizes, ...(base === undefined ? {} : { base }) });
    const odd = await lint({ ropeHeadDim: 63 }, { uri, design: '' });
    match(odd.findings.join(), /63/);
    deepEqual((await lint({ ropeHeadDim: 64 }, { uri, design: '' })).findings, []);
    match((await lint({ queryHeads: 8, keyValueHeads: 3, headDim: 64 })).findings.join(), /8 % 3 = 2/);
    for (const wrong of [{ queryHeads: 1.5 }, { hiddenSize: 8 }, { queryHeads: '8' }])
      await lint(wrong).then(
        () => {
          throw new Error('taken');
        },
        (error: unknown) => match(String(error), /expected \{sizes, base\?\}/),
      );
  });
});
