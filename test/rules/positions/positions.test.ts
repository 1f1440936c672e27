import assert from 'node:assert/strict';
import { expectFindings, expectFixes, expectMarked } from '../check.ts';

const llama = { model_type: 'llama', hidden_size: 4096, num_attention_heads: 32, num_key_value_heads: 8, num_hidden_layers: 2 };
const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
const long = { ...llama, max_position_embeddings: 131072 };

describe('odd-rotary-width', () => {
  it('finds a whole head of odd width, derived and written', () => {
    const derived = { model_type: 'llama', hidden_size: 1036, num_attention_heads: 28, num_key_value_heads: 7, num_hidden_layers: 4 };
    expectFindings(derived, 'HW401', [{ at: '28', says: 'a head has 37: 1036 / 28', severity: 'error' }]);
    const written = { ...llama, head_dim: 65 };
    expectFindings(written, 'HW401', [{ at: '65', says: 'a head has 65' }]);
    expectFixes({ ...llama, head_dim: 129 }, 'HW401', ['Set head_dim to 128']);
  });

  it('offers head counts that the KV heads divide and that leave an even width', () => {
    const config = { model_type: 'llama', hidden_size: 1020, num_attention_heads: 20, num_key_value_heads: 2, num_hidden_layers: 4 };
    const [finding] = expectFindings(config, 'HW401', [{ at: '20', says: '1020 / 20' }]);
    // 1020 = 2^2 * 3 * 5 * 17: of its divisors only these two are even and near 20, and 1020 / 30 = 34, 1020 / 10 = 102.
    assert.deepEqual(
      finding?.fixes.map((fix) => fix.title),
      ['Use 10 heads of 102', 'Use 30 heads of 34'],
    );
  });

  it('finds the rotary part of latent heads', () => {
    const mla = {
      model_type: 'deepseek_v3',
      hidden_size: 1024,
      num_attention_heads: 8,
      num_key_value_heads: 8,
      num_hidden_layers: 2,
      kv_lora_rank: 128,
      q_lora_rank: 256,
      qk_nope_head_dim: 64,
      qk_rope_head_dim: 33,
      v_head_dim: 64,
    };
    expectFindings(mla, 'HW401', [{ at: '33', says: 'the rotary part of a head has 33', severity: 'error' }]);
    expectFindings({ ...mla, qk_rope_head_dim: 32 }, 'HW401', []);
  });

  it('warns where a share of the head comes out odd', () => {
    const stablelm = { model_type: 'stablelm', hidden_size: 2560, num_attention_heads: 32, num_key_value_heads: 32, num_hidden_layers: 2 };
    const config = { ...stablelm, partial_rotary_factor: 0.4125 };
    expectFindings(config, 'HW401', [{ at: '0.4125', says: 'int(80 * 0.4125) = 33', severity: 'warning' }]);
    expectFixes(config, 'HW401', [
      'Rotate 34 of 80: set partial_rotary_factor to 0.425',
      'Rotate 32 of 80: set partial_rotary_factor to 0.4',
    ]);
    expectFindings({ ...stablelm, partial_rotary_factor: 0.25 }, 'HW401', []);
  });

  it('finds it in GPT-NeoX files', () => {
    const neox = (pos: string): string =>
      `{"num_layers": 2, "hidden_size": 1036, "num_attention_heads": 28, "pos_emb": "${pos}", "pipe_parallel_size": 1}`;
    expectFindings(neox('rotary'), 'HW401', [{ at: '28', says: '37' }], { path: 'a.yml' });
    expectFindings(neox('learned'), 'HW401', [], { path: 'a.yml' });
  });

  const silent: readonly (readonly [string, object])[] = [
    ['positions are learned', { model_type: 'bert', hidden_size: 1036, num_attention_heads: 28, num_hidden_layers: 2 }],
    ['nothing says that it rotates', { hidden_size: 1036, num_attention_heads: 28, num_hidden_layers: 2 }],
    ['heads do not divide the width at all', { ...llama, hidden_size: 1000, num_attention_heads: 28, num_key_value_heads: 28 }],
    ['the model is a fixture', { ...llama, hidden_size: 12, num_attention_heads: 4, num_key_value_heads: 4 }],
  ];
  for (const [what, config] of silent) it(`is silent where ${what}`, () => void expectFindings(config, 'HW401', []));
});

describe('rotary-width-exceeds-head', () => {
  it('finds percentages and wide rotations', () => {
    const stablelm = { model_type: 'stablelm', hidden_size: 2560, num_attention_heads: 32, num_key_value_heads: 32, num_hidden_layers: 2 };
    expectFindings({ ...stablelm, partial_rotary_factor: 25 }, 'HW402', [{ at: '25', says: 'between 0 and 1' }]);
    expectFixes({ ...stablelm, partial_rotary_factor: 25 }, 'HW402', ['Use 0.25']);
    expectFindings({ ...stablelm, partial_rotary_factor: 1.0 }, 'HW402', []);
    const gptj = { model_type: 'gptj', n_embd: 256, n_head: 16, n_layer: 2, rotary_dim: 64 };
    expectFindings(gptj, 'HW402', [{ at: '64', says: 'larger than the head dimension 16' }]);
    expectFixes(gptj, 'HW402', ['Rotate the whole head: 16']);
  });
});

describe('unknown-rope-type', () => {
  it('finds a misspelled type, in old and new places', () => {
    const config = { ...long, rope_scaling: { ...llama3, rope_type: 'lama3' } };
    expectFindings(config, 'HW403', [{ at: '"lama3"', says: 'Did you mean "llama3"?', severity: 'error' }]);
    expectFixes(config, 'HW403', ['Use "llama3"']);
    expectFindings({ ...llama, rope_parameters: { rope_type: 'linaer', factor: 2, rope_theta: 10000 } }, 'HW403', [
      { at: '"linaer"', says: 'linear' },
    ]);
    expectFindings({ ...llama, auto_map: {}, rope_scaling: { type: 'dinamic', factor: 2 } }, 'HW403', [
      { at: '"dinamic"', says: 'dynamic', severity: 'warning' },
    ]);
  });

  it('finds scaling that is no mapping', () => {
    expectFindings({ ...llama, rope_scaling: 'linear' }, 'HW403', [{ at: '"linear"', says: 'must be a mapping' }]);
    expectFindings({ ...llama, rope_scaling: null }, 'HW403', []);
  });

  it('leaves types of other code alone', () => {
    for (const type of ['su', 'mrope', 'deepseek_yarn', 'my_own_type', 'default'])
      expectFindings({ ...llama, rope_scaling: { type, factor: 2, mrope_section: [16, 24, 24] } }, 'HW403', []);
  });
});

describe('rope-scaling-key-missing', () => {
  const missing: readonly (readonly [object, string])[] = [
    [{ type: 'linear' }, 'factor'],
    [{ type: 'dynamic', factor: null }, 'factor'],
    [{ rope_type: 'yarn', original_max_position_embeddings: 4096 }, 'factor'],
    [{ rope_type: 'llama3', factor: 8, low_freq_factor: 1, original_max_position_embeddings: 8192 }, 'high_freq_factor'],
    [{ rope_type: 'longrope', factor: 4, short_factor: [1] }, 'long_factor'],
  ];
  for (const [scaling, key] of missing)
    it(`finds that ${JSON.stringify(scaling)} lacks ${key}`, () => {
      expectFindings({ ...long, rope_scaling: scaling }, 'HW404', [{ at: 'rope_scaling', says: `needs ${key}`, severity: 'error' }]);
    });

  it('says what is computed without an original length, a type or a factor', () => {
    const { original_max_position_embeddings: _, ...without } = llama3;
    expectFindings({ ...long, rope_scaling: without }, 'HW404', [
      { at: 'rope_scaling', says: 'original_max_position_embeddings', severity: 'warning' },
    ]);
    expectFindings({ ...long, rope_scaling: { factor: 2 } }, 'HW404', [{ at: 'rope_scaling', says: 'no rope_type', severity: 'warning' }]);
    const phi = { ...long, model_type: 'phi3', num_key_value_heads: 32, original_max_position_embeddings: 4096 };
    const factors = Array.from({ length: 64 }, () => 1);
    expectFindings({ ...phi, rope_scaling: { type: 'longrope', short_factor: factors, long_factor: factors } }, 'HW404', [
      { at: 'rope_scaling', says: '= 32', severity: 'information' },
    ]);
  });

  it('takes what is whole, also without a family', () => {
    expectFindings({ ...long, rope_scaling: llama3 }, 'HW404', []);
    expectFindings({ rope_scaling: llama3 }, 'HW404', []);
    const { rope_type: _, ...untyped } = llama3;
    expectFindings({ rope_scaling: untyped }, 'HW404', []);
    expectFindings({ ...long, rope_scaling: { type: 'yarn', factor: null, original_max_position_embeddings: 4096 } }, 'HW404', []);
    expectFindings({ ...long, rope_parameters: { rope_type: 'default', rope_theta: 1e6 } }, 'HW404', []);
  });
});

describe('rope-scaling-out-of-order', () => {
  it('finds swapped bounds and swaps them', () => {
    const config = { ...long, rope_scaling: { ...llama3, low_freq_factor: 4, high_freq_factor: 1 } };
    expectFindings(config, 'HW405', [{ at: '1', says: 'high_freq_factor 1 must be larger than low_freq_factor 4', severity: 'warning' }]);
    expectFixes(config, 'HW405', ['Swap low_freq_factor and high_freq_factor']);
    const yarn = {
      ...long,
      rope_scaling: { type: 'yarn', factor: 32, original_max_position_embeddings: 4096, beta_fast: 1, beta_slow: 32 },
    };
    expectFindings(yarn, 'HW405', [{ at: '1', says: 'beta_fast 1 must be larger than beta_slow 32' }]);
    expectFixes(yarn, 'HW405', ['Swap beta_fast and beta_slow']);
  });

  it('finds factors that shrink and original lengths that are not shorter', () => {
    expectFindings({ ...long, rope_scaling: { type: 'linear', factor: 0.25 } }, 'HW405', [{ at: '0.25', says: 'shrinks' }]);
    expectFixes({ ...long, rope_scaling: { type: 'linear', factor: 0.25 } }, 'HW405', ['Use 4']);
    expectFindings({ ...long, max_position_embeddings: 8192, rope_scaling: llama3 }, 'HW405', [
      { at: '8192', says: 'smaller than max_position_embeddings 8192' },
    ]);
    expectFindings({ ...long, rope_scaling: llama3 }, 'HW405', []);
    expectFindings({ ...long, rope_scaling: { type: 'linear', factor: 1.0 } }, 'HW405', []);
  });
});

describe('rope-factor-length', () => {
  const phi = { model_type: 'phi3', hidden_size: 128, num_attention_heads: 16, num_key_value_heads: 16, num_hidden_layers: 2 };
  it('counts one factor per rotated pair', () => {
    const scaling = { type: 'longrope', factor: 4, short_factor: [1, 1, 1], long_factor: [1, 1, 1, 1] };
    expectFindings({ ...phi, rope_scaling: scaling }, 'HW406', [
      { at: 'short_factor', says: '3 factors, but the rotary width 8 has 4 pairs', severity: 'error' },
    ]);
    expectFindings({ ...phi, rope_scaling: { ...scaling, short_factor: [1, 2, 3, 4] } }, 'HW406', []);
    const partial = { ...phi, partial_rotary_factor: 0.75, rope_scaling: { ...scaling, long_factor: [1, 1, 1] } };
    expectFindings(partial, 'HW406', []);
  });
});

describe('rope-sections-do-not-fill-head', () => {
  const vl = { model_type: 'qwen2_vl_text', hidden_size: 1024, num_attention_heads: 16, num_key_value_heads: 4, num_hidden_layers: 2 };
  it('adds the sections up', () => {
    const config = { ...vl, rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] } };
    expectFindings(config, 'HW407', [
      { at: '[\n      16,\n      24,\n      24\n    ]', says: 'add up to 64, but a rotary width of 64 has 32 pairs', severity: 'error' },
    ]);
    expectFixes(config, 'HW407', ['Use [8, 12, 12]']);
    expectFindings({ ...vl, hidden_size: 2048, rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] } }, 'HW407', []);
  });

  it('takes the rotated share, and only warns where axes are interleaved', () => {
    const qwen = {
      model_type: 'qwen3_5_text',
      hidden_size: 1024,
      num_attention_heads: 8,
      num_key_value_heads: 2,
      head_dim: 256,
      num_hidden_layers: 4,
    };
    const rope = { rope_type: 'default', rope_theta: 1e7, partial_rotary_factor: 0.25, mrope_interleaved: true };
    expectFindings({ ...qwen, rope_parameters: { ...rope, mrope_section: [11, 11, 10] } }, 'HW407', []);
    const found = expectFindings({ ...qwen, rope_parameters: { ...rope, mrope_section: [24, 20, 20] } }, 'HW407', [
      { at: '[\n      24,\n      20,\n      20\n    ]', says: '64 has 32 pairs', severity: 'warning' },
    ]);
    assert.equal(found[0]?.fixes[0]?.title, 'Use [12, 10, 10]');
  });
});

describe('conflicting-rope-settings', () => {
  it('finds two values of one setting', () => {
    const config = { ...llama, rope_theta: 10000, rope_parameters: { rope_type: 'default', rope_theta: 500000 } };
    expectFindings(config, 'HW408', [{ at: '10000', says: 'rope_theta is 10000 here and 500000', severity: 'warning' }]);
    expectFixes(config, 'HW408', ['Set rope_theta to 500000 here too']);
    const types = { ...llama, rope_scaling: { type: 'linear', rope_type: 'dynamic', factor: 2 } };
    expectFindings(types, 'HW408', [{ at: '"linear"', says: 'type is "linear" and rope_type is "dynamic"' }]);
    expectFixes(types, 'HW408', ['Set type to "dynamic"']);
    const both = {
      ...llama,
      rope_scaling: { rope_type: 'linear', factor: 2 },
      rope_parameters: { rope_type: 'linear', factor: 4, rope_theta: 1e4 },
    };
    expectFindings(both, 'HW408', [{ at: '2', says: 'factor is 2 in rope_scaling and 4' }]);
  });

  it('leaves names of the same thing alone', () => {
    expectFindings({ ...llama, rope_scaling: { type: 'mrope', rope_type: 'default', mrope_section: [16, 24, 24] } }, 'HW408', []);
    expectFindings({ ...llama, rope_theta: 5e5, rope_parameters: { rope_type: 'default', rope_theta: 500000 } }, 'HW408', []);
  });
});

describe('scaling-factor-off-context', () => {
  it('multiplies factor and original length', () => {
    const yarn = (factor: number, maximum: number) => ({
      ...llama,
      max_position_embeddings: maximum,
      rope_scaling: { rope_type: 'yarn', factor, original_max_position_embeddings: 8192 },
    });
    expectFindings(yarn(4, 65536), 'HW409', [
      { at: '4', says: '4 * original length 8192 = 32768, but max_position_embeddings is 65536', severity: 'information' },
    ]);
    expectFixes(yarn(4, 65536), 'HW409', ['Set factor to 8', 'Set max_position_embeddings to 32768']);
    expectFindings(yarn(8, 65536), 'HW409', []);
    expectFindings(yarn(4, 8192), 'HW409', []);
  });
});

describe('sequence-exceeds-positions', () => {
  it('holds for GPT-NeoX, Megatron and learned tables', () => {
    const neox =
      '"num_layers": 2\n"hidden_size": 64\n"num_attention_heads": 4\n"seq_length": 4096\n"max_position_embeddings": 2048\n"pipe_parallel_size": 1\n';
    expectFindings(neox, 'HW410', [{ at: '4096', says: 'longer than max_position_embeddings 2048', severity: 'error' }], { path: 'a.yml' });
    expectFixes(neox, 'HW410', ['Set seq_length to 2048', 'Set max_position_embeddings to 4096'], { path: 'a.yml' });
    const script =
      'python pretrain_gpt.py --num-layers 2 --hidden-size 64 --num-attention-heads 4 --seq-length 4096 --max-position-embeddings 2048\n';
    expectFindings(script, 'HW410', [{ at: '4096', says: '2048' }], { path: 'run.sh' });
    expectFindings(script.replace('2048', '4096'), 'HW410', [], { path: 'run.sh' });
  });
});

describe('sliding-window-without-effect', () => {
  it('informs, no more', () => {
    const mistral = { ...llama, model_type: 'mistral', max_position_embeddings: 32768 };
    expectFindings({ ...mistral, sliding_window: 65536 }, 'HW411', [
      { at: '65536', says: 'longer than the context of 32768', severity: 'information' },
    ]);
    expectFindings({ ...mistral, sliding_window: 0 }, 'HW411', [{ at: '0', says: 'attends to nothing', severity: 'information' }]);
    expectFindings({ ...mistral, sliding_window: 32768 }, 'HW411', []);
    const qwen = { ...mistral, model_type: 'qwen2', num_hidden_layers: 24, sliding_window: 4096, max_window_layers: 28 };
    expectFindings({ ...qwen, use_sliding_window: true }, 'HW411', [{ at: '28', says: '24: none uses it' }]);
    expectFixes({ ...qwen, use_sliding_window: true }, 'HW411', ['Use the window in every layer: 0']);
    expectFindings({ ...qwen, use_sliding_window: false, sliding_window: 65536 }, 'HW411', []);
  });
});

describe('layer-list-length', () => {
  const qwen = { model_type: 'qwen3', hidden_size: 1024, num_attention_heads: 16, num_key_value_heads: 8, head_dim: 64 };
  const list = (...types: string[]) => types.map((type) => `${type}_attention`);
  it('compares the list with the layers', () => {
    const config = { ...qwen, num_hidden_layers: 4, layer_types: list('full', 'full', 'sliding') };
    expectFindings(config, 'HW412', [{ at: 'layer_types', says: 'lists 3 layers, but there are 4', severity: 'error' }]);
    expectFixes(config, 'HW412', ['Use 3 layers']);
    expectFindings({ ...config, num_hidden_layers: 3 }, 'HW412', []);
    const gptNeo = { model_type: 'gpt_neo', hidden_size: 64, num_heads: 4, num_layers: 6, attention_types: [[['global', 'local'], 2]] };
    expectFindings(gptNeo, 'HW412', [{ at: 'attention_types', says: 'expands to 4 layers, but there are 6' }]);
    expectFixes(gptNeo, 'HW412', ['Use 4 layers']);
    const smol = { ...llama, model_type: 'smollm3', num_hidden_layers: 4, no_rope_layers: [1, 1, 1] };
    expectFindings(smol, 'HW412', [{ at: 'no_rope_layers', says: 'lists 3 layers' }]);
    expectFindings({ ...smol, no_rope_layers: [1, 1, 1, 0, 1] }, 'HW412', []);
  });

  it('finds misspelled kinds of layers, not unknown ones', () => {
    const config = { ...qwen, num_hidden_layers: 3, layer_types: ['full_attention', 'slidding_attention', 'slidding_attention'] };
    expectFindings(config, 'HW412', [{ at: '"slidding_attention"', says: 'Did you mean "sliding_attention"?' }]);
    expectFixes(config, 'HW412', ['Use "sliding_attention"']);
    expectFindings({ ...qwen, num_hidden_layers: 1, layer_types: ['retention'] }, 'HW412', []);
  });
});

describe('layer-index-out-of-range', () => {
  it('counts layers from 0', () => {
    const bamba = { model_type: 'bamba', hidden_size: 1024, num_attention_heads: 16, num_key_value_heads: 8, num_hidden_layers: 12 };
    expectFindings({ ...bamba, attn_layer_indices: [3, 12] }, 'HW413', [{ at: '12', says: 'counted from 0 to 11', severity: 'warning' }]);
    expectFindings({ ...bamba, attn_layer_indices: [3, 11] }, 'HW413', []);
  });
});

describe('position-table-offset', () => {
  it('counts the rows that RoBERTa never uses', () => {
    const roberta = { model_type: 'roberta', hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 12 };
    expectFindings({ ...roberta, max_position_embeddings: 512 }, 'HW414', [
      { at: '512', says: 'takes 510 tokens', severity: 'information' },
    ]);
    expectFixes({ ...roberta, max_position_embeddings: 512 }, 'HW414', ['Use 514 rows for 512 tokens']);
    expectFindings({ ...roberta, max_position_embeddings: 514 }, 'HW414', []);
    expectFindings({ ...roberta, model_type: 'bert', max_position_embeddings: 512 }, 'HW414', []);
  });
});

it('positions are marked in YAML', () => {
  expectMarked(
    [
      'model_type: llama',
      'hidden_size: 4096',
      'num_attention_heads: 32',
      'num_key_value_heads: 8',
      'num_hidden_layers: 32',
      'max_position_embeddings: 8192',
      'rope_scaling:',
      '  type: liner',
      '#       ^^^^^ HW403: Did you mean "linear"?',
      '  factor: 0.5',
      '',
    ].join('\n'),
    { path: 'model.yaml' },
  );
});
