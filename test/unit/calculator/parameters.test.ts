import assert from 'node:assert/strict';
import { type Parameters, parametersOf } from '../../../src/calculator/parameters.ts';
import { readDesign } from '../../../src/design/read.ts';
import { parseConfig } from '../../../src/syntax/read.ts';
import { useLayoutsOfSource } from './layouts.ts';
import { fastest } from './timing.ts';

function parametersOfConfig(config: object): Parameters {
  const reading = readDesign(parseConfig(JSON.stringify(config), { path: 'config.json' }));
  assert.ok(reading !== undefined, JSON.stringify(config));
  return parametersOf(reading);
}

function total(config: object): bigint {
  const parameters = parametersOfConfig(config);
  assert.ok(parameters.known, parameters.known ? '' : parameters.reason);
  return parameters.total;
}

const llama3 = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 4096,
  intermediate_size: 14336,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  num_hidden_layers: 32,
  max_position_embeddings: 8192,
  vocab_size: 128256,
  tie_word_embeddings: false,
};
const mixtral = {
  architectures: ['MixtralForCausalLM'],
  model_type: 'mixtral',
  hidden_size: 4096,
  intermediate_size: 14336,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  num_hidden_layers: 32,
  num_local_experts: 8,
  num_experts_per_tok: 2,
  vocab_size: 32000,
};
const qwen3 = {
  architectures: ['Qwen3ForCausalLM'],
  model_type: 'qwen3',
  hidden_size: 1024,
  intermediate_size: 3072,
  num_attention_heads: 16,
  num_key_value_heads: 8,
  head_dim: 128,
  num_hidden_layers: 28,
  vocab_size: 151936,
  tie_word_embeddings: true,
};
const t5Small = {
  architectures: ['T5ForConditionalGeneration'],
  model_type: 't5',
  d_model: 512,
  d_ff: 2048,
  d_kv: 64,
  num_heads: 8,
  num_layers: 6,
  vocab_size: 32128,
};

/** Totals of checkpoints as their model cards or files state them (numbers of the published safetensors). */
const published: readonly (readonly [string, object, bigint])[] = [
  [
    'GPT-2',
    { architectures: ['GPT2LMHeadModel'], model_type: 'gpt2', n_embd: 768, n_head: 12, n_layer: 12, n_positions: 1024, vocab_size: 50257 },
    124_439_808n,
  ],
  ['Llama 3 8B', llama3, 8_030_261_248n],
  [
    'Llama 3 70B',
    { ...llama3, hidden_size: 8192, intermediate_size: 28672, num_attention_heads: 64, num_hidden_layers: 80 },
    70_553_706_496n,
  ],
  [
    'Mistral 7B',
    {
      ...mixtral,
      architectures: ['MistralForCausalLM'],
      model_type: 'mistral',
      num_local_experts: undefined,
      num_experts_per_tok: undefined,
    },
    7_241_732_096n,
  ],
  ['Mixtral 8x7B', mixtral, 46_702_792_704n],
  [
    'BERT base',
    {
      architectures: ['BertModel'],
      model_type: 'bert',
      hidden_size: 768,
      intermediate_size: 3072,
      num_attention_heads: 12,
      num_hidden_layers: 12,
      vocab_size: 30522,
    },
    109_482_240n,
  ],
  ['T5 small', t5Small, 60_506_624n],
  ['Qwen 3 0.6B', qwen3, 596_049_920n],
];

describe('parameters of a config', () => {
  for (const [name, config, expected] of published) {
    it(`come to the published total of ${name}`, () => {
      assert.equal(total(config), expected);
    });
  }

  it('are named and shaped as the checkpoint has them, layers folded', () => {
    const parameters = parametersOfConfig(llama3);
    assert.ok(parameters.known);
    const byName = new Map(parameters.tensors.map((tensor) => [tensor.name, tensor]));
    assert.deepEqual(byName.get('model.layers.{i}.self_attn.k_proj.weight')?.shapes, [[1024, 4096]]);
    assert.equal(byName.get('model.layers.{i}.self_attn.k_proj.weight')?.count, 32);
    assert.equal(byName.get('lm_head.weight')?.tied, false);
  });

  it('are those of models that see and hear, by layouts derived from their code', () => {
    useLayoutsOfSource();
    // Counted in PyTorch over the real classes at their default configurations; the first two are the published base sizes.
    assert.equal(total({ model_type: 'vit', architectures: ['ViTModel'] }), 86_389_248n);
    assert.equal(total({ model_type: 'clip', architectures: ['CLIPModel'], text_config: {}, vision_config: {} }), 151_277_313n);
    assert.equal(total({ model_type: 'wav2vec2', architectures: ['Wav2Vec2Model'] }), 94_371_712n);
    const wider = parametersOfConfig({ model_type: 'vit', architectures: ['ViTModel'], hidden_size: 1536, num_hidden_layers: 13 });
    assert.ok(wider.known);
    const [query] = wider.tensors.filter(({ name }) => name.endsWith('.weight') && name.includes('q'));
    assert.deepEqual([query?.count, query?.shapes], [13, [[1536, 1536]]]);
    const strange = parametersOfConfig({ model_type: 'vit', architectures: ['ViTModel'], hidden_size: 100, num_attention_heads: 12 });
    assert.equal(strange.known, false, 'heads do not divide the width: the class cannot be built');
  });

  it('count a tied head once and an untied one twice', () => {
    const difference = total({ ...llama3, tie_word_embeddings: false }) - total({ ...llama3, tie_word_embeddings: true });
    assert.equal(difference, 128_256n * 4096n);
  });

  it('follow the class that the file names', () => {
    const base = total({ ...llama3, architectures: ['LlamaModel'] });
    assert.equal(total(llama3) - base, 128_256n * 4096n);
    const labelled = { ...llama3, architectures: ['LlamaForSequenceClassification'], id2label: { 0: 'a', 1: 'b', 2: 'c' } };
    assert.equal(total(labelled) - base, 3n * 4096n);
  });

  it('are absent, with the reason, where part of the design is not known', () => {
    const cases: readonly (readonly [object, RegExp])[] = [
      [{ ...llama3, model_type: 'chatglm', architectures: ['ChatGLMModel'] }, /chatglm/],
      [{ ...llama3, architectures: ['LlamaForVision'] }, /LlamaForVision/],
      [{ ...llama3, num_local_experts: 8 }, /num_local_experts/],
      [{ ...llama3, quantization_config: { quant_method: 'gptq', bits: 4 } }, /quantised/],
      [{ ...llama3, hidden_size: '4096 wide' }, /hidden_size/],
      [{ ...llama3, num_hidden_layers: 1e9 }, /layers/],
      [{ ...llama3, vocab_size: 0 }, /side of 0/],
      [{ ...llama3, vocab_size: -1 }, /vocab_size/],
      [{ ...llama3, intermediate_size: 1.5 }, /intermediate_size/],
    ];
    for (const [config, reason] of cases) {
      const parameters = parametersOfConfig(config);
      assert.ok(!parameters.known, JSON.stringify(config));
      assert.match(parameters.reason, reason);
    }
  });

  it('never fail on values that no class could take', () => {
    const values: readonly unknown[] = [null, true, -1, 0, 1.5, 1e308, 'wide', [], [1, 'x'], {}, { a: 1 }, '7'];
    const bases: readonly object[] = [
      llama3,
      mixtral,
      qwen3,
      t5Small,
      { model_type: 'clip' },
      { model_type: 'wav2vec2' },
      { model_type: 'bamba' },
    ];
    for (const base of bases) {
      for (const key of [
        ...Object.keys(base),
        'layer_types',
        'num_local_experts',
        'rope_scaling',
        'vision_config',
        'id2label',
        'conv_dim',
      ]) {
        if (key === 'model_type') continue;
        for (const value of values) {
          const reading = readDesign(parseConfig(JSON.stringify({ ...base, [key]: value }), { path: 'config.json' }));
          if (reading === undefined) continue;
          const parameters = parametersOf(reading);
          assert.ok(!parameters.known || parameters.total > 0n, `${key}: ${JSON.stringify(value)}`);
        }
      }
    }
  });

  it('are laid out within a frame, the deepest models included', () => {
    const deepseek = {
      architectures: ['DeepseekV3ForCausalLM'],
      model_type: 'deepseek_v3',
      num_hidden_layers: 61,
    };
    assert.equal(total(deepseek), 671_026_404_352n);
    for (const config of [deepseek, { ...llama3, num_hidden_layers: 126 }]) {
      const elapsed = fastest(() => parametersOfConfig(config));
      assert.ok(elapsed < 16, `${elapsed} ms`);
    }
  });
});
