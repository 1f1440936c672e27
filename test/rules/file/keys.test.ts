import assert from 'node:assert/strict';
import { check, expectFindings, expectFixes, expectMarked } from '../check.ts';

const llama = { model_type: 'llama', hidden_size: 4096, num_attention_heads: 32, num_hidden_layers: 32, intermediate_size: 14336 };

/** The same object with one key renamed in place. */
const renamed = (config: object, from: string, to: string): object =>
  Object.fromEntries(Object.entries(config).map(([key, value]) => [key === from ? to : key, value]));

describe('misspelled-key', () => {
  const slips: readonly (readonly [meant: string, typed: string])[] = [
    ['num_attention_heads', 'num_attention_head'],
    ['num_attention_heads', 'num_atention_heads'],
    ['num_attention_heads', 'num_attention_haeds'],
    ['num_attention_heads', 'numAttentionHeads'],
    ['num_hidden_layers', 'num_hiden_layers'],
    ['num_hidden_layers', 'hidden_layers'],
    ['hidden_size', 'hiden_size'],
    ['hidden_size', 'size_hidden'],
    ['intermediate_size', 'intermidiate_size'],
    ['intermediate_size', 'intermediate-size'],
  ];
  for (const [meant, typed] of slips)
    it(`finds ${typed}`, () => {
      const config = renamed(llama, meant, typed);
      expectFindings(config, 'HW801', [{ at: typed, says: `Did you mean ${meant}?`, severity: 'warning' }]);
      const [fixed] = expectFixes(config, 'HW801', [`Did you mean ${meant}?`]);
      assert.ok(fixed?.includes(`"${meant}"`));
    });

  it('finds slips in other families and formats', () => {
    expectFindings({ model_type: 'gpt2', n_embd: 768, n_head: 12, n_layer: 12, layer_norm_epsilom: 1e-5 }, 'HW801', [
      { at: 'layer_norm_epsilom', says: 'Did you mean layer_norm_epsilon?' },
    ]);
    expectFindings({ model_type: 't5', d_model: 512, d_kv: 64, d_ff: 2048, num_heads: 8, num_layers: 6, num_decodr_layers: 4 }, 'HW801', [
      { at: 'num_decodr_layers', says: 'Did you mean num_decoder_layers?' },
    ]);
    expectFindings({ hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediat_size: 3072 }, 'HW801', [
      { at: 'intermediat_size', says: 'Nothing is known to read' },
    ]);
    expectFindings({ hidden_size: 768, num_hidden_layers: 12, num_attention_head: 12, intermediate_size: 3072 }, 'HW801', [
      { at: 'num_attention_head', says: 'Did you mean num_attention_heads?' },
    ]);
    const nemo = [
      'num_layers: 12',
      'hidden_size: 768',
      'num_attention_heads: 12',
      'ffn_hidden_size: 3072',
      '  tensor_model_paralel_size: 2',
      '# ^^^^^^^^^^^^^^^^^^^^^^^^^ HW801: Did you mean tensor_model_parallel_size?',
      '',
    ];
    expectMarked(['model:', ...nemo.map((line) => (/^[a-z]/.test(line) ? `  ${line}` : line))].join('\n'), { path: 'nemo.yaml' });
  });

  it('finds a slip inside the rope parameters', () => {
    const config = {
      ...llama,
      max_position_embeddings: 131072,
      rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_facter: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 },
    };
    expectFindings(config, 'HW801', [{ at: 'low_freq_facter', says: 'Did you mean low_freq_factor?' }]);
    expectFixes(config, 'HW801', ['Did you mean low_freq_factor?']);
  });

  const silent: readonly (readonly [what: string, config: object])[] = [
    ['the intended key is there too', { ...llama, num_attention_head: 32 }],
    ['the key is a field of another family', { ...llama, moe_intermediate_size: 1408 }],
    ['the key belongs to the base class', { ...llama, max_lengths: undefined, max_length: 20, torch_dtype: 'bfloat16' }],
    ['the class is custom', { ...llama, auto_map: { AutoConfig: 'x.Y' }, attention_dropot: 0.1 }],
    ['the key is of another kind', { ...renamed(llama, 'intermediate_size', 'intermediate_siz'), intermediate_siz: 'large' }],
    ['it is an old field that many files carry', { ...llama, max_sequence_length: 2048 }],
    [
      'another code’s name differs in number only',
      { whisper_conf: 1, hidden_size: 64, num_attention_heads: 4, num_hidden_layers: 2, tie_word_embedding: true },
    ],
    ['both words are names of their own', { model_type: 'bart', d_model: 768, encoder_layers: 6, encoder_attention_heads: 12 }],
  ];
  for (const [what, config] of silent) it(`is silent where ${what}`, () => void expectFindings(config, 'HW801', []));
});

describe('ignored-key', () => {
  it('finds a size under another family’s name', () => {
    const config = { model_type: 'gpt2', n_embd: 768, n_head: 12, n_layers: 24 };
    expectFindings(config, 'HW802', [
      { at: 'n_layers', says: 'GPT2Config does not read n_layers: it takes n_layer, which is 12', severity: 'warning' },
    ]);
    expectFixes(config, 'HW802', ['Rename to n_layer']);
    expectFindings({ ...llama, n_head: 16 }, 'HW802', [
      { at: 'n_head', says: 'num_attention_heads, which is 32', severity: 'information' },
    ]);
  });

  it('finds KV heads in a family that has none', () => {
    expectFindings({ model_type: 'gpt2', n_embd: 768, n_head: 12, n_layer: 12, num_key_value_heads: 4 }, 'HW802', [
      { at: 'num_key_value_heads', says: '12 query heads' },
    ]);
    expectFindings(
      { model_type: 'bert', hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 12, num_key_value_heads: 4 },
      'HW802',
      [{ at: 'num_key_value_heads', says: 'BertConfig' }],
    );
  });

  const silent: readonly (readonly [what: string, config: object])[] = [
    ['the name is an alias', { model_type: 'gpt2', hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 24 }],
    ['it says the same', { model_type: 'gpt2', n_embd: 768, n_head: 12, n_layer: 12, n_layers: 12, num_key_value_heads: 12 }],
    ['the class is custom', { model_type: 'gpt2', auto_map: {}, n_embd: 768, n_head: 12, n_layers: 24 }],
    [
      'the family’s code reads it without a field',
      { model_type: 'qwen3_moe', hidden_size: 2048, num_attention_heads: 32, num_hidden_layers: 4, head_dim: 128 },
    ],
    ['no family is named', { hidden_size: 768, n_layer: 12, num_attention_heads: 12, num_hidden_layers: 6 }],
  ];
  for (const [what, config] of silent) it(`is silent where ${what}`, () => void expectFindings(config, 'HW802', []));
});

describe('duplicate-key', () => {
  const twice =
    '{\n  "model_type": "llama",\n  "hidden_size": 4096,\n  "num_attention_heads": 32,\n  "hidden_size": 5120,\n  "num_hidden_layers": 2\n}\n';
  it('finds the one that is lost and removes it', () => {
    expectFindings(twice, 'HW803', [{ at: 'hidden_size', says: '4096 is lost, 5120 is kept', severity: 'warning' }]);
    const [fixed] = expectFixes(twice, 'HW803', ['Remove this "hidden_size"']);
    assert.equal(fixed, '{\n  "model_type": "llama",\n  "num_attention_heads": 32,\n  "hidden_size": 5120,\n  "num_hidden_layers": 2\n}\n');
  });

  it('is milder where both say the same', () => {
    expectFindings(twice.replace('5120', '4096'), 'HW803', [{ at: 'hidden_size', says: 'same value', severity: 'information' }]);
  });

  it('reads YAML as loaders do, merges apart', () => {
    const yaml = 'model_type: llama\nhidden_size: 4096\nnum_attention_heads: 32\nnum_hidden_layers: 32\nnum_hidden_layers: 40\n';
    expectFindings(yaml, 'HW803', [{ at: 'num_hidden_layers', says: '32 is lost, 40 is kept' }], { path: 'model.yaml' });
    const [fixed] = expectFixes(yaml, 'HW803', ['Remove this "num_hidden_layers"'], { path: 'model.yaml' });
    assert.equal(fixed, 'model_type: llama\nhidden_size: 4096\nnum_attention_heads: 32\nnum_hidden_layers: 40\n');
    const merged =
      'base: &base\n  hidden_size: 4096\n  num_attention_heads: 32\nmodel:\n  <<: *base\n  hidden_size: 2048\n  num_hidden_layers: 4\n';
    expectFindings(merged, 'HW803', [], { path: 'model.yaml' });
  });

  it('knows that GPT-NeoX reads dashes as underscores', () => {
    const neox = '{"num_layers": 12, "num-layers": 24, "hidden_size": 768, "num_attention_heads": 12, "pipe_parallel_size": 1}';
    expectFindings(neox, 'HW803', [{ at: 'num_layers', says: '12 is lost, 24 is kept' }], { path: 'small.yml' });
  });

  it('finds them in nested mappings, each lost one', () => {
    const nested = '{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "a": [{"b": 1, "b": 2, "b": 3}]}';
    expectFindings(nested, 'HW803', [
      { at: 'b', says: '1 is lost, 3 is kept' },
      { at: 'b', says: '2 is lost, 3 is kept' },
    ]);
  });
});

describe('number-in-quotes', () => {
  it('finds sizes that are text, in JSON and YAML', () => {
    const json = { ...llama, hidden_size: '4096' };
    expectFindings(json, 'HW804', [{ at: '"4096"', says: 'the text "4096"', severity: 'error' }]);
    const [fixed] = expectFixes(json, 'HW804', ['Write 4096 without quotes']);
    assert.ok(fixed?.includes('"hidden_size": 4096,'));
    const yaml = "num_layers: 12\nhidden_size: '768'\nnum_attention_heads: 12\n";
    expectFindings(yaml, 'HW804', [{ at: "'768'", says: 'hidden_size', severity: 'warning' }], { path: 'model.yaml' });
    expectFixes(yaml, 'HW804', ['Write 768 without quotes'], { path: 'model.yaml' });
  });

  it('leaves text alone that is meant to be text', () => {
    expectFindings({ ...llama, transformers_version: '4.31', torch_dtype: 'float16', hidden_act: 'silu' }, 'HW804', []);
    expectFindings('torchrun pretrain_gpt.py --num-layers "12" --hidden-size "768" --num-attention-heads "12"\n', 'HW804', [], {
      path: 'run.sh',
    });
  });
});

describe('impossible-size', () => {
  const cases: readonly (readonly [value: string, says: string, severity: string])[] = [
    ['-4096', 'cannot be -4096', 'error'],
    ['0', 'cannot be 0', 'error'],
    ['4096.5', 'whole number, not 4096.5', 'error'],
    ['4096.0', 'is a float', 'error'],
    ['NaN', 'cannot be NaN', 'error'],
    ['1e999', 'cannot be 1e999', 'error'],
  ];
  for (const [value, says, severity] of cases)
    it(`finds a width of ${value}`, () => {
      const text = JSON.stringify(llama).replace('"hidden_size":4096', `"hidden_size": ${value}`);
      expectFindings(text, 'HW805', [{ at: value, says, severity }]);
    });

  it('turns a float into the integer it is', () => {
    const text = JSON.stringify(llama).replace('"num_hidden_layers":32', '"num_hidden_layers":32.0');
    const [fixed] = expectFixes(text, 'HW805', ['Use 32']);
    assert.equal(fixed, JSON.stringify(llama));
  });

  it('leaves the ways alone in which formats say that nothing is set', () => {
    expectFindings({ dim: 4096, n_layers: 32, n_heads: 32, vocab_size: -1, multiple_of: 256, norm_eps: 1e-5 }, 'HW805', []);
    expectFindings({ ...llama, num_key_value_heads: null, head_dim: null }, 'HW805', []);
    expectFindings({ model_type: 'vit', hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 12, mlp_ratio: 4.0 }, 'HW805', []);
    expectFindings({ model_type: 'mamba', hidden_size: 768, num_hidden_layers: 24, state_size: 16, num_attention_heads: 0 }, 'HW805', []);
  });
});

describe('token-outside-vocabulary', () => {
  it('finds ids beyond the last row', () => {
    const config = { ...llama, vocab_size: 32000, pad_token_id: 32000 };
    expectFindings(config, 'HW806', [{ at: '32000', says: 'its last token is 31999', severity: 'warning' }]);
    expectFixes(config, 'HW806', ['Enlarge the vocabulary to 32064']);
    expectFindings({ ...llama, vocab_size: 32000, eos_token_id: [2, 128009] }, 'HW806', [{ at: '128009', says: 'eos_token_id' }]);
    expectFindings({ ...llama, vocab_size: 32000, pad_token_id: -2 }, 'HW806', [{ at: '-2', says: 'no token' }]);
  });

  it('leaves -1, null, the last token and a class’s own default alone', () => {
    expectFindings({ ...llama, vocab_size: 32000, pad_token_id: -1, bos_token_id: null, eos_token_id: 31999 }, 'HW806', []);
    expectFindings(
      {
        model_type: 'siglip_text_model',
        hidden_size: 768,
        num_attention_heads: 12,
        num_hidden_layers: 12,
        vocab_size: 32000,
        bos_token_id: 49406,
        eos_token_id: 49407,
      },
      'HW806',
      [],
    );
    assert.deepEqual(
      check({ model_type: 'gpt2', vocab_size: 50257, n_embd: 768, n_head: 12, n_layer: 12, eos_token_id: 50256 }).filter(
        (finding) => finding.code === 'HW806',
      ),
      [],
    );
  });
});
