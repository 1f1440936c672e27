import assert from 'node:assert/strict';
import { check, expectFindings, expectFixes, expectMarked } from '../check.ts';

const llama = (more: object) => ({ model_type: 'llama', hidden_size: 4096, num_attention_heads: 32, num_hidden_layers: 32, ...more });

describe('HW101 heads-do-not-divide-width', () => {
  it('reports the remainder at the heads, the width as related', () => {
    const [finding] = expectFindings({ hidden_size: 770, num_attention_heads: 12, num_hidden_layers: 12 }, 'HW101', [
      { at: '12', says: 'Width 770 does not split into 12 heads: 770 % 12 = 2', severity: 'error' },
    ]);
    assert.deepEqual(
      finding?.related.map(({ message }) => message),
      ['The width 770 is set here.'],
    );
  });

  it('marks the place in YAML, TOML and Megatron arguments', () => {
    expectMarked(
      'hidden_size: 5120\nnum_attention_heads: 48\n#                    ^^ HW101: 5120 % 48 = 32\nnum_layers: 40\nffn_hidden_size: 20480\n',
      { path: 'model.yaml' },
    );
    expectMarked('hidden_size = 1024\nnum_attention_heads = 12\n#                     ^^ HW101: 1024 % 12 = 4\nnum_hidden_layers = 12\n', {
      path: 'model.toml',
    });
    expectFindings(
      'megatron \\\n --num-layers 24 \\\n --hidden-size 1000 \\\n --num-attention-heads 16 \\\n --seq-length 1024\n',
      'HW101',
      [{ at: '16', says: '1000 % 16 = 8' }],
      { path: 'train.sh' },
    );
  });

  it('asks for swapped layers and heads where that fits, and swaps them', () => {
    const source = { model_type: 'bert', hidden_size: 512, num_hidden_layers: 8, num_attention_heads: 6 };
    expectFindings(source, 'HW101', [{ at: '6', says: 'It does split into 8: are layers and heads swapped?' }]);
    const [swapped] = expectFixes(source, 'HW101', ['Swap 8 layers and 6 heads', 'Use 8 heads', 'Use 4 heads', 'Use hidden_size 576']);
    assert.deepEqual(JSON.parse(swapped ?? ''), { ...source, num_hidden_layers: 6, num_attention_heads: 8 });
  });

  it('changes heads and KV heads together where they are the same', () => {
    const [first] = expectFixes(
      llama({ hidden_size: 5120, num_attention_heads: 48, num_key_value_heads: 48 }),
      'HW101',
      ['Use 64 heads', 'Use 40 heads', 'Use hidden_size 4608', 'Set head_dim 96'],
      { mayInform: ['HW104'] },
    );
    assert.match(first ?? '', /"num_attention_heads": 64,[\s\S]*"num_key_value_heads": 64/);
  });

  it('keeps query heads a multiple of written KV heads', () => {
    expectFixes(
      llama({ num_attention_heads: 24, num_key_value_heads: 8 }),
      'HW101',
      ['Swap 32 layers and 24 heads', 'Use 32 heads', 'Use 16 heads', 'Use hidden_size 4608', 'Set head_dim 128'],
      { mayInform: ['HW104'] },
    );
  });

  it('inserts head_dim in the style of the file', () => {
    const fixed = expectFixes(
      llama({ num_attention_heads: 24, num_key_value_heads: 8 }),
      'HW101',
      ['Swap 32 layers and 24 heads', 'Use 32 heads', 'Use 16 heads', 'Use hidden_size 4608', 'Set head_dim 128'],
      { mayInform: ['HW104'] },
    );
    assert.match(fixed[4] ?? '', /\n {2}"num_attention_heads": 24,\n {2}"head_dim": 128,\n {2}"num_hidden_layers"/);
    const yaml = expectFixes(
      'name: x\nn_layer: 22\nn_head: 30 # heads\nn_embd: 2048\nnorm_class_name: RMSNorm\n',
      'HW101',
      ['Use 32 heads', 'Use 16 heads', 'Use n_embd 1920', 'Set head_size 64'],
      { path: 'model.yaml', mayInform: ['HW104'] },
    );
    assert.match(yaml[3] ?? '', /n_head: 30 # heads\nhead_size: 64\nn_embd/);
  });

  it('is milder where the class rounds down', () => {
    expectFindings(
      { model_type: 'mistral', hidden_size: 4096, num_attention_heads: 24, num_key_value_heads: 8, num_hidden_layers: 32 },
      'HW101',
      [{ at: '24', says: 'rounded down to 170, so attention is 4080 wide', severity: 'warning' }],
    );
  });

  it('is silent where the head dim is known or comes otherwise', () => {
    for (const source of [
      llama({ num_attention_heads: 24, head_dim: 128 }),
      { model_type: 'gemma', hidden_size: 3072, num_attention_heads: 10, num_key_value_heads: 10, num_hidden_layers: 28 },
      { dim: 1023, heads: 8, depth: 12, bucket_size: 128, dim_head: 25 },
      { model_type: 't5', d_model: 1472, num_heads: 6, d_kv: 64, num_layers: 12 },
      { model_type: 'deepseek_v3', hidden_size: 1000, num_attention_heads: 16, num_key_value_heads: 16, num_hidden_layers: 4 },
      { hidden_size: 770, num_attention_heads: 7, num_hidden_layers: 12 },
      { hidden_size: 770, num_hidden_layers: 12, vocab_size: 32000 },
    ])
      expectFindings(source, 'HW101', []);
  });
});

describe('HW102 kv-heads-do-not-divide-heads', () => {
  it('states the remainder', () => {
    expectFindings({ num_attention_heads: 8, num_key_value_heads: 3 }, 'HW102', [
      { at: '3', says: '8 query heads cannot share 3 KV heads: 8 % 3 = 2.', severity: 'error' },
    ]);
    expectFindings('dim: 1024\nn_layers: 8\nn_heads: 16\nn_kv_heads: 6\n', 'HW102', [{ at: '6', says: '16 % 6 = 4' }], { path: 'p.yaml' });
    expectFindings(
      'run \\\n --num-layers 24 \\\n --hidden-size 1024 \\\n --num-attention-heads 16 \\\n --group-query-attention \\\n --num-query-groups 5\n',
      'HW102',
      [{ at: '5', says: '16 % 5 = 1' }],
      { path: 'train.sh' },
    );
  });

  it('offers counts that divide, powers of two first', () => {
    expectFixes(llama({ num_key_value_heads: 12 }), 'HW102', ['Use 16 KV heads', 'Use 8 KV heads', 'Use 4 KV heads']);
    expectFixes({ num_attention_heads: 7, num_key_value_heads: 2 }, 'HW102', ['Use 1 KV head', 'Use 7 KV heads']);
  });

  it('names the class whose default it is', () => {
    expectFindings({ model_type: 'qwen2', hidden_size: 4096, num_attention_heads: 64, num_key_value_heads: 24 }, 'HW102', [
      { at: '24', says: '64 % 24 = 16' },
    ]);
    expectFindings({ model_type: 'qwen2', hidden_size: 5120, num_attention_heads: 40, num_hidden_layers: 24 }, 'HW102', [
      { at: '40', says: 'the default of Qwen2Config' },
    ]);
  });

  it('is silent where groups are whole, per-layer or not shared', () => {
    for (const source of [
      llama({ num_key_value_heads: 8 }),
      llama({ num_key_value_heads: 1 }),
      llama({ num_attention_heads: 24, num_key_value_heads: 3, hidden_size: 3072 }),
      llama({}),
      { hidden_size: 1024, num_attention_heads: 16, num_hidden_layers: 3, num_key_value_heads: [3, 5, 16] },
      { model_type: 'deepseek_v3', num_attention_heads: 4, num_key_value_heads: 3 },
    ])
      expectFindings(source, 'HW102', []);
  });
});

describe('HW103 kv-heads-exceed-heads', () => {
  it('reports more KV heads than query heads and offers to swap or equal them', () => {
    const source = llama({ num_attention_heads: 8, num_key_value_heads: 32 });
    expectFindings(source, 'HW103', [{ at: '32', says: '32 KV heads exceed 8 query heads', severity: 'error' }]);
    const [swapped] = expectFixes(source, 'HW103', ['Use 32 query heads over 8 KV heads', 'Use 8 KV heads']);
    assert.deepEqual(JSON.parse(swapped ?? ''), llama({ num_attention_heads: 32, num_key_value_heads: 8 }));
    expectFindings(
      'hidden_size = 1024\nnum_attention_heads = 4\nnum_key_value_heads = 16\nnum_hidden_layers = 8\n',
      'HW103',
      [{ at: '16', says: '16 KV heads exceed 4' }],
      { path: 'm.toml' },
    );
  });

  it('reports a default that no longer fits and sets the key', () => {
    const source = { model_type: 'qwen2', hidden_size: 896, num_attention_heads: 14, num_hidden_layers: 24 };
    expectFindings(source, 'HW103', [{ at: '14', says: '32 KV heads, the default of Qwen2Config, exceed 14 query heads' }]);
    const [fixed] = expectFixes(source, 'HW103', ['Set num_key_value_heads 14']);
    assert.deepEqual(JSON.parse(fixed ?? ''), { ...source, num_key_value_heads: 14 });
  });

  it('is silent where they are equal or the default is null', () => {
    expectFindings(llama({ num_key_value_heads: 32 }), 'HW103', []);
    expectFindings({ model_type: 'llama', hidden_size: 512, num_attention_heads: 4, num_hidden_layers: 4 }, 'HW103', []);
    // Code outside the library may have other defaults.
    expectFindings(
      { model_type: 'qwen2', auto_map: { AutoConfig: 'x.Y' }, hidden_size: 896, num_attention_heads: 14, num_hidden_layers: 24 },
      'HW103',
      [],
    );
  });
});

describe('HW104 attention-width-is-not-model-width', () => {
  it('gives the shapes of a choice as information', () => {
    expectFindings({ hidden_size: 2560, num_attention_heads: 32, num_key_value_heads: 8, head_dim: 128, num_hidden_layers: 36 }, 'HW104', [
      { at: '128', says: 'q 4096 x 2560, k and v 1024 x 2560, o 2560 x 4096', severity: 'information' },
    ]);
    expectFindings(
      'd_model: 512\nnum_heads: 6\nnum_layers: 8\nd_ff: 1024\nd_kv: 64\n',
      'HW104',
      [{ at: '64', says: '384 wide (6 heads x 64)' }],
      {
        path: 't5.yaml',
      },
    );
  });

  it('warns where a default was probably forgotten', () => {
    const source = { model_type: 'qwen3', hidden_size: 1024, num_attention_heads: 32, num_key_value_heads: 8, num_hidden_layers: 28 };
    expectFindings(source, 'HW104', [{ at: '32', says: 'the default of Qwen3Config', severity: 'warning' }]);
    expectFixes(source, 'HW104', ['Set head_dim 32']);
  });

  it('only informs where the default is near, as in published models', () => {
    for (const [hidden_size, num_attention_heads] of [
      [1024, 16],
      [2560, 32],
      [5120, 64],
    ])
      expectFindings({ model_type: 'qwen3', hidden_size, num_attention_heads, num_key_value_heads: 8, num_hidden_layers: 28 }, 'HW104', [
        { at: String(num_attention_heads), says: 'q ', severity: 'information' },
      ]);
    expectFindings({ model_type: 't5', d_model: 1472, num_heads: 6, num_layers: 12, d_ff: 3584 }, 'HW104', [
      { at: '6', says: '384 wide', severity: 'information' },
    ]);
  });

  it('is silent where the widths agree or latent attention has its own', () => {
    expectFindings(llama({ head_dim: 128 }), 'HW104', []);
    expectFindings({ model_type: 'deepseek_v3', hidden_size: 7168, num_attention_heads: 128, num_key_value_heads: 128 }, 'HW104', []);
  });
});

const latent = (more: object) => ({
  dim: 2048,
  n_layers: 27,
  n_heads: 16,
  kv_lora_rank: 512,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  ...more,
});

describe('HW105 latent-attention-widths', () => {
  it('reports ranks that leave nothing', () => {
    expectFindings(latent({ kv_lora_rank: -1 }), 'HW105', [{ at: '-1', says: 'kv_lora_rank -1', severity: 'error' }]);
    expectFindings(latent({ v_head_dim: -128 }), 'HW105', [{ at: '-128', says: 'v_head_dim -128', severity: 'error' }]);
    expectFindings(
      {
        model_type: 'deepseek_v3',
        hidden_size: 2048,
        num_attention_heads: 16,
        num_key_value_heads: 16,
        q_lora_rank: 0,
        num_hidden_layers: 27,
      },
      'HW105',
      [{ at: '0', says: 'q_lora_rank 0', severity: 'warning' }],
    );
  });

  it('informs of latents that save nothing', () => {
    expectFindings(latent({ n_heads: 2, kv_lora_rank: 640 }), 'HW105', [
      { at: '640', says: '640 + 64 values per token', severity: 'information' },
    ]);
    expectFindings(latent({ q_lora_rank: 2048 }), 'HW105', [{ at: '2048', says: 'rank 2048', severity: 'information' }]);
  });

  it('is silent for published widths, and for zero where it means none', () => {
    expectFindings(latent({}), 'HW105', []);
    expectFindings(latent({ q_lora_rank: 0 }), 'HW105', []);
    expectFindings(latent({ dim: 7168, n_heads: 128, q_lora_rank: 1536 }), 'HW105', []);
  });
});

describe('HW106 latent-attention-with-shared-heads', () => {
  it('reports shared heads where the class repeats K and V', () => {
    const source = { model_type: 'deepseek_v3', num_attention_heads: 4, num_key_value_heads: 2 };
    expectFindings(source, 'HW106', [{ at: '2', says: 'repeated 2 times, 8 for 4 query heads', severity: 'error' }]);
    expectFixes(source, 'HW106', ['Use 4 KV heads']);
    expectFindings(
      { model_type: 'minicpm3', hidden_size: 2560, num_attention_heads: 40, num_key_value_heads: 8, num_hidden_layers: 62 },
      'HW106',
      [{ at: '8', says: 'K and V are rebuilt for all 40 heads', severity: 'error' }],
    );
  });

  it('reports the default that a smaller model forgets', () => {
    const source = { model_type: 'deepseek_v3', hidden_size: 2048, num_attention_heads: 16, num_hidden_layers: 27 };
    expectFindings(source, 'HW106', [{ at: '16', says: '128 KV heads, the default of DeepseekV3Config', severity: 'error' }]);
    expectFixes(source, 'HW106', ['Set num_key_value_heads 16']);
  });

  it('informs where the number is ignored', () => {
    expectFindings(latent({ n_kv_heads: 8 }), 'HW106', [{ at: '8', says: 'have no effect', severity: 'information' }]);
  });

  it('is silent for equal numbers, one latent head and other attention', () => {
    expectFindings({ model_type: 'deepseek_v3', num_attention_heads: 4, num_key_value_heads: 4 }, 'HW106', []);
    expectFindings(latent({ n_kv_heads: 1 }), 'HW106', []);
    expectFindings(llama({ num_key_value_heads: 8 }), 'HW106', []);
  });
});

const falcon = (more: object) => ({ model_type: 'falcon', hidden_size: 4096, num_attention_heads: 64, num_hidden_layers: 32, ...more });

describe('HW107 multi-query-flags-disagree', () => {
  it('reports KV heads that Falcon does not read', () => {
    const source = falcon({ multi_query: true, new_decoder_architecture: false, num_kv_heads: 8 });
    expectFindings(source, 'HW107', [{ at: '8', says: 'num_kv_heads 8 has no effect', severity: 'warning' }]);
    expectFixes(source, 'HW107', ['Use new_decoder_architecture true', 'Use 1 KV head']);
  });

  it('reports KV heads that fail in Falcon without either flag', () => {
    const source = falcon({ multi_query: false, new_decoder_architecture: false, num_kv_heads: 8 });
    expectFindings(source, 'HW107', [{ at: '8', says: 'then reshaped to 8, which fails', severity: 'error' }]);
    expectFixes(source, 'HW107', ['Use new_decoder_architecture true', 'Use 64 KV heads']);
  });

  it('reports numbers without their flag in GPT-BigCode, ChatGLM and Megatron', () => {
    const starcoder = { model_type: 'gpt_bigcode', n_embd: 2048, n_head: 16, n_layer: 24, multi_query: true, num_key_value_heads: 4 };
    expectFindings(starcoder, 'HW107', [{ at: '4', says: 'multi_query true gives one KV head' }]);
    expectFixes(starcoder, 'HW107', ['Use 1 KV head']);
    const chatglm = {
      model_type: 'chatglm',
      hidden_size: 4096,
      num_attention_heads: 32,
      num_layers: 28,
      multi_query_attention: false,
      multi_query_group_num: 2,
    };
    expectFindings(chatglm, 'HW107', [{ at: '2', says: 'without multi_query_attention' }]);
    expectFixes(chatglm, 'HW107', ['Use multi_query_attention true', 'Use 1 group']);
    const shell = 'run \\\n --num-layers 24 \\\n --hidden-size 1024 \\\n --num-attention-heads 16 \\\n --num-query-groups 4\n';
    expectFindings(shell, 'HW107', [{ at: '4', says: 'without --group-query-attention' }], { path: 'train.sh' });
  });

  it('is silent for what published models write', () => {
    expectFindings(falcon({ multi_query: true, new_decoder_architecture: true, num_kv_heads: 8 }), 'HW107', []);
    expectFindings(falcon({ multi_query: true, new_decoder_architecture: false, num_kv_heads: 64 }), 'HW107', []);
    expectFindings(falcon({ multi_query: true, num_kv_heads: 1 }), 'HW107', []);
    expectFindings(
      { model_type: 'gpt_bigcode', n_embd: 2048, n_head: 16, n_layer: 24, multi_query: true, num_key_value_heads: 1 },
      'HW107',
      [],
    );
    expectFindings(
      { hidden_size: 4096, num_attention_heads: 32, num_layers: 28, multi_query_attention: true, multi_query_group_num: 2 },
      'HW107',
      [],
    );
  });
});

describe('HW108 state-space-heads-do-not-fit', () => {
  it('reports heads times head dim that is not the inner width', () => {
    const source = { model_type: 'mamba2', hidden_size: 2560, num_heads: 64, head_dim: 64, expand: 2, n_groups: 1, num_hidden_layers: 64 };
    expectFindings(source, 'HW108', [
      { at: '64', says: '64 Mamba heads x 64 = 4096, but the layers are 5120 wide: expand 2 x 2560', severity: 'error' },
    ]);
    expectFixes(source, 'HW108', ['Use 80 heads', 'Use head_dim 80']);
  });

  it('reports heads that do not divide the inner width, and groups', () => {
    const zamba = {
      model_type: 'zamba2',
      hidden_size: 2560,
      num_attention_heads: 32,
      num_key_value_heads: 32,
      num_hidden_layers: 54,
      n_mamba_heads: 48,
    };
    expectFindings(zamba, 'HW108', [{ at: '48', says: '5120 % 48 = 32' }]);
    expectFixes(zamba, 'HW108', ['Use 64 heads', 'Use 40 heads']);
    const nemotron = {
      model_type: 'nemotron_h',
      hidden_size: 4096,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      head_dim: 128,
      mamba_num_heads: 112,
      mamba_head_dim: 80,
      n_groups: 9,
    };
    expectFindings(nemotron, 'HW108', [{ at: '9', says: '112 % 9 = 4' }]);
    expectFixes(nemotron, 'HW108', ['Use 8 groups', 'Use 4 groups']);
  });

  it('is silent where they fit or the inner width is free', () => {
    expectFindings({ model_type: 'mamba2', hidden_size: 2560, num_heads: 80, head_dim: 64, expand: 2, n_groups: 1 }, 'HW108', []);
    expectFindings(
      {
        model_type: 'nemotron_h',
        hidden_size: 3136,
        num_attention_heads: 40,
        num_key_value_heads: 8,
        head_dim: 128,
        mamba_num_heads: 112,
        mamba_head_dim: 80,
        n_groups: 8,
      },
      'HW108',
      [],
    );
    expectFindings(
      { model_type: 'bamba', hidden_size: 4096, num_attention_heads: 32, num_key_value_heads: 8, mamba_n_heads: 128, mamba_d_head: 'auto' },
      'HW108',
      [],
    );
  });
});

describe('HW109 linear-attention-heads-do-not-divide', () => {
  const qwen = (model_type: string, more: object) => ({
    model_type,
    hidden_size: 2048,
    num_attention_heads: 16,
    num_key_value_heads: 2,
    num_hidden_layers: 24,
    ...more,
  });
  it('reports value heads that key heads do not divide', () => {
    const source = qwen('qwen3_next', { linear_num_key_heads: 12, linear_num_value_heads: 32 });
    expectFindings(source, 'HW109', [{ at: '12', says: '32 % 12 = 8', severity: 'error' }]);
    expectFixes(source, 'HW109', ['Use 16 key heads', 'Use 8 key heads', 'Use 36 value heads']);
    expectFindings(qwen('qwen3_5_text', { linear_num_key_heads: 32, linear_num_value_heads: 16 }), 'HW109', [
      { at: '32', says: '16 % 32 = 16' },
    ]);
    expectFindings(qwen('qwen3_5_moe_text', { linear_num_value_heads: 24 }), 'HW109', [
      { at: '24', says: '24 value heads'.replace('24 value', '24 linear-attention value') },
    ]);
  });

  it('is silent where they divide', () => {
    expectFindings(qwen('qwen3_next', { linear_num_key_heads: 16, linear_num_value_heads: 32 }), 'HW109', []);
    expectFindings(qwen('qwen3_next', { linear_num_key_heads: 16, linear_num_value_heads: 16 }), 'HW109', []);
    expectFindings(qwen('qwen3_next', {}), 'HW109', []);
  });
});

describe('findings of several stacks', () => {
  it('are said once for a key that encoder and decoder share', () => {
    const found = check({ model_type: 't5', d_model: 512, num_heads: 6, d_kv: 64, num_layers: 8, num_decoder_layers: 8 });
    assert.equal(found.filter(({ code }) => code === 'HW104').length, 1);
  });
});
