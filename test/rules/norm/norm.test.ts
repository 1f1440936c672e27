import { expectFindings, expectFixes, expectMarked } from '../check.ts';

const torch = (more: object) => ({ d_model: 512, nhead: 8, num_layers: 6, dim_feedforward: 2048, ...more });
const bart = (more: object) => ({
  model_type: 'bart',
  d_model: 768,
  encoder_layers: 6,
  decoder_layers: 6,
  encoder_attention_heads: 12,
  decoder_attention_heads: 12,
  ...more,
});
const falcon = (more: object) => ({
  model_type: 'falcon',
  hidden_size: 8192,
  num_attention_heads: 128,
  num_hidden_layers: 60,
  num_kv_heads: 8,
  ...more,
});
const bert = (more: object) => ({ model_type: 'bert', hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 12, ...more });

describe('HW301 norm-placement-contradicts', () => {
  it('reports flags that contradict each other', () => {
    expectFindings(torch({ norm_first: true, pre_norm: false }), 'HW301', [
      { at: 'false', says: 'pre_norm false puts the norms after the sublayers, norm_first true before them', severity: 'warning' },
    ]);
    expectFixes(torch({ norm_first: true, pre_norm: false }), 'HW301', ['Set pre_norm true']);
    expectMarked(
      'hidden_size: 1024\nnum_attention_heads: 16\nnum_layers: 24\ntransformer_block_type: post_ln\n#                       ^^^^^^^ HW301: post_ln puts the norms after\npre_norm: true\n',
      { path: 'nemo.yaml' },
    );
    expectFindings(
      'd_model = 512\nn_heads = 8\nn_layers = 6\nnorm_first = false\nlayer_norm_first = true\n',
      'HW301',
      [{ at: 'true', says: 'before the sublayers' }],
      { path: 'm.toml' },
    );
  });

  it('reports a flag against the only placement of the family', () => {
    expectFindings(bart({ normalize_before: true }), 'HW301', [{ at: 'true', says: 'bart always has them after', severity: 'warning' }]);
    expectFixes(bart({ normalize_before: true }), 'HW301', ['Set normalize_before false']);
    expectFindings({ ...bart({ normalize_before: false }), model_type: 'mbart' }, 'HW301', [
      { at: 'false', says: 'mbart always has them before' },
    ]);
    expectFindings(bert({ norm_first: true }), 'HW301', [{ at: 'true', says: 'bert always has them after' }]);
  });

  it('reports Falcon without the norm that its new decoder needs', () => {
    const source = falcon({ new_decoder_architecture: true, parallel_attn: false });
    expectFindings(source, 'HW301', [{ at: 'false', says: 'does not run', severity: 'error' }]);
    expectFixes(source, 'HW301', ['Set parallel_attn true']);
  });

  it('is silent where flags agree, are the switch of the family, or may mean a sandwich', () => {
    for (const source of [
      torch({ norm_first: true, pre_norm: true }),
      torch({ pre_norm: true, post_norm: true }),
      torch({ norm_first: false }),
      bart({ normalize_before: false }),
      { ...bart({ normalize_before: true }), model_type: 'mbart' },
      { model_type: 'opt', hidden_size: 1024, num_attention_heads: 16, num_hidden_layers: 24, do_layer_norm_before: false },
      { ...bart({ normalize_before: true }), auto_map: { AutoModel: 'x.Y' } },
      falcon({ new_decoder_architecture: true, parallel_attn: true }),
      falcon({ new_decoder_architecture: false, parallel_attn: false }),
    ])
      expectFindings(source, 'HW301', []);
  });
});

const opt = (more: object) => ({
  model_type: 'opt',
  hidden_size: 768,
  word_embed_proj_dim: 768,
  num_attention_heads: 12,
  ffn_dim: 3072,
  num_hidden_layers: 12,
  ...more,
});

describe('HW302 pre-norm-without-final-norm', () => {
  it('reports the removed norm in OPT, whose default is pre-norm', () => {
    expectFindings(opt({ _remove_final_layer_norm: true }), 'HW302', [
      { at: 'true', says: 'the output of 12 pre-norm layers without a norm', severity: 'warning' },
    ]);
    expectFixes(opt({ do_layer_norm_before: true, _remove_final_layer_norm: true }), 'HW302', ['Set _remove_final_layer_norm false']);
  });

  it('reports it in other code', () => {
    expectFindings(torch({ norm_first: true, final_norm: false }), 'HW302', [{ at: 'false', says: 'final_norm false' }]);
    expectFixes(torch({ norm_first: true, final_norm: false }), 'HW302', ['Set final_norm true']);
    expectFindings(
      'hidden_size: 1024\nnum_heads: 16\nnum_hidden_layers: 24\nfilter_size: 4096\nnorm_first: true\nuse_final_layer_norm: false\n',
      'HW302',
      [{ at: 'false', says: 'use_final_layer_norm false' }],
      { path: 'params.yaml' },
    );
    expectFindings(
      'd_model = 512\nn_heads = 8\nn_layers = 6\npre_norm = true\nfinal_layernorm = false\n',
      'HW302',
      [{ at: 'false', says: 'final_layernorm false' }],
      { path: 'm.toml' },
    );
  });

  it('is silent after post-norm, with the norm, and where the class has no such switch', () => {
    for (const source of [
      opt({ do_layer_norm_before: false, _remove_final_layer_norm: true }),
      opt({ _remove_final_layer_norm: false }),
      torch({ norm_first: false, final_norm: false }),
      torch({ final_norm: false }),
      { ...bart({ normalize_before: true, add_final_layer_norm: false }), model_type: 'mbart' },
    ])
      expectFindings(source, 'HW302', []);
  });
});

describe('HW303 deep-post-norm', () => {
  it('informs beyond the published depths', () => {
    expectFindings(bert({ num_hidden_layers: 48 }), 'HW303', [{ at: '48', says: '48 post-norm layers', severity: 'information' }]);
    expectFindings(torch({ num_layers: 36, norm_first: false }), 'HW303', [{ at: '36', says: '36 post-norm layers' }]);
    expectFindings('d_model: 512\nnhead: 8\nnum_layers: 100\nnorm_first: false\n', 'HW303', [{ at: '100', says: 'DeepNet' }], {
      path: 'm.yaml',
    });
  });

  it('is silent for 24 layers, pre-norm, shared layers and unknown placement', () => {
    for (const source of [
      bert({ num_hidden_layers: 24 }),
      { model_type: 'gpt2', n_embd: 1600, n_head: 25, n_layer: 48 },
      torch({ num_layers: 36, norm_first: true }),
      torch({ num_layers: 36 }),
      { ...bert({ num_hidden_layers: 36 }), model_type: 'albert', num_hidden_groups: 1 },
      { ...bert({ num_hidden_layers: 36 }), model_type: 'xlm-roberta-xl' },
    ])
      expectFindings(source, 'HW303', []);
  });
});

describe('HW304 norm-epsilon-does-not-work', () => {
  const llama = (eps: number, more: object = {}) => ({
    model_type: 'llama',
    hidden_size: 768,
    num_attention_heads: 12,
    num_hidden_layers: 12,
    rms_norm_eps: eps,
    ...more,
  });

  it('reports zero, negative and large epsilons', () => {
    expectFindings(llama(0), 'HW304', [{ at: '0', says: 'a constant row gives NaN', severity: 'warning' }]);
    expectFindings(bert({ layer_norm_eps: -1e-12 }), 'HW304', [{ at: '-1e-12', says: 'Epsilon -1e-12' }]);
    expectFindings(llama(100000), 'HW304', [{ at: '100000', says: 'A lost minus sign?', severity: 'warning' }]);
    expectFixes(llama(100000), 'HW304', ['Use rms_norm_eps 1e-05', 'Use rms_norm_eps 1e-06']);
    expectFixes('dim: 768\nn_layers: 12\nn_heads: 12\nnorm_eps: 0\n', 'HW304', ['Use norm_eps 1.0e-05', 'Use norm_eps 1.0e-06'], {
      path: 'm.yaml',
    });
  });

  it('informs of an epsilon below float16 where the code is not known', () => {
    expectFindings({ dim: 768, n_layers: 12, n_heads: 12, norm_eps: 1e-12, dtype: 'float16' }, 'HW304', [
      { at: '1e-12', says: 'zero in float16', severity: 'information' },
    ]);
  });

  it('is silent for published epsilons and where norms are known to compute in float32', () => {
    expectFindings(bert({ layer_norm_eps: 1e-12 }), 'HW304', []);
    expectFindings(bert({ layer_norm_eps: 1e-12, torch_dtype: 'float16' }), 'HW304', []);
    expectFindings({ dim: 768, n_layers: 12, n_heads: 12, norm_eps: 1e-12, dtype: 'bfloat16' }, 'HW304', []);
    expectFindings({ dim: 768, n_layers: 12, n_heads: 12, norm_eps: 6e-8, dtype: 'float16' }, 'HW304', []);
    // ProphetNet's `eps` smooths labels.
    expectFindings({ model_type: 'prophetnet', hidden_size: 1024, num_encoder_layers: 12, eps: 0 }, 'HW304', []);
  });
});
