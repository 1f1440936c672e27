import assert from 'node:assert/strict';
import type { ConfigReading, DesignFields, FieldName } from '../../../src/design/design.ts';
import { readDesign } from '../../../src/design/read.ts';
import { parseConfig } from '../../../src/syntax/read.ts';

const read = (text: string, path = 'config.json'): ConfigReading | undefined => readDesign(parseConfig(text, { path }));

type Sizes = { readonly [K in FieldName]?: DesignFields[K]['value'] };

/** Files that look a little like model configs and are none. */
const others: Readonly<Record<string, string>> = {
  'package.json':
    '{"name": "heads", "version": "1.0.0", "dependencies": {"depth": "^1.0.0"}, "scripts": {"test": "mocha"}, "config": {"width": 80}}',
  'tsconfig.json': '{"compilerOptions": {"target": "es2022", "strict": true, "depth": 3}}',
  'tokenizer_config.json':
    '{"tokenizer_class": "LlamaTokenizer", "model_max_length": 4096, "vocab_size": 32000, "bos_token": "<s>", "n_positions": 4}',
  'generation_config.json':
    '{"_from_model_config": true, "bos_token_id": 1, "eos_token_id": 2, "max_length": 4096, "do_sample": true, "transformers_version": "4.40.0"}',
  'preprocessor_config.json': '{"image_processor_type": "ViTImageProcessor", "size": {"height": 224, "width": 224}, "do_normalize": true}',
  'adapter_config.json': '{"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], "num_attention_heads": null}',
  'model.safetensors.index.json': '{"metadata": {"total_size": 1}, "weight_map": {"lm_head.weight": "model-1.safetensors"}}',
  'vocab.json': `{${Array.from({ length: 500 }, (_, i) => `"token${i}": ${i}`).join(',')}, "hidden_size": 501, "num_heads": 502, "depth": 503}`,
  'style.json': '{"version": 8, "width": 512, "depth": 24, "layers": 5, "sprite": "x"}',
  'search.yaml': 'SEARCH_SPACE:\n  NUM_HEADS: [8, 9, 10]\n  DEPTH: [14, 15, 16]\n  EMBED_DIM: [528, 576, 624]\n',
  'print.yaml': 'printer:\n  heads: 4\n  width: 210\n  layers: 2\n',
  'workflow.yml': 'name: CI\non: [push]\njobs:\n  test:\n    runs-on: ubuntu-latest\n    strategy:\n      matrix:\n        depth: [1, 2]\n',
  'compose.yaml': 'services:\n  web:\n    image: nginx\n    ports: ["80:80"]\n',
  'Cargo.toml': '[package]\nname = "dim"\nversion = "0.1.0"\n[dependencies]\nlayers = "1"\n',
  'build.sh': '#!/bin/sh\nmake --jobs 4 --directory heads\n',
  'empty.json': '',
  'list.json': '[1, 2, 3]',
  'text.json': '"hidden_size"',
};

/** A config of each kind, with the sizes that its publisher gives. */
const configs: readonly { readonly what: string; readonly path?: string; readonly text: string; readonly expect: readonly Sizes[] }[] = [
  {
    what: 'Llama 3 8B',
    text: '{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "vocab_size": 128256}',
    expect: [
      {
        hiddenSize: 4096,
        queryHeads: 32,
        keyValueHeads: 8,
        headDim: 128,
        layers: 32,
        intermediateSize: 14336,
        vocabularySize: 128256,
        normPlacement: 'pre',
        positions: 'rope',
        causal: true,
      },
    ],
  },
  {
    what: 'Mistral without KV heads: the class has 8',
    text: '{"model_type": "mistral", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32}',
    expect: [{ keyValueHeads: 8, intermediateSize: 14336 }],
  },
  {
    what: 'GPT-2 by its aliases',
    text: '{"model_type": "gpt2", "hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24}',
    expect: [{ hiddenSize: 1024, queryHeads: 16, headDim: 64, layers: 24, intermediateSize: 4096, vocabularySize: 50257 }],
  },
  {
    what: 'Qwen 3: head dim of its own',
    text: '{"model_type": "qwen3", "hidden_size": 2560, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 36}',
    expect: [{ headDim: 128, keyValueHeads: 8 }],
  },
  {
    what: 'DeepSeek-V3: latent attention',
    text: '{"model_type": "deepseek_v3", "hidden_size": 7168, "num_attention_heads": 128, "num_key_value_heads": 128, "num_hidden_layers": 61, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "n_routed_experts": 256, "num_experts_per_tok": 8, "moe_intermediate_size": 2048}',
    expect: [
      {
        headDim: 192,
        valueDim: 128,
        keyValueLoraRank: 512,
        queryLoraRank: 1536,
        experts: 256,
        expertsPerToken: 8,
        expertIntermediateSize: 2048,
      },
    ],
  },
  {
    what: 'Falcon 7B: one KV head',
    text: '{"model_type": "falcon", "hidden_size": 4544, "num_attention_heads": 71, "num_hidden_layers": 32, "multi_query": true, "new_decoder_architecture": false, "parallel_attn": true}',
    expect: [{ keyValueHeads: 1, headDim: 64, intermediateSize: 18176, normPlacement: 'parallel' }],
  },
  {
    what: 'T5 3B: heads wider together than the model',
    text: '{"model_type": "t5", "d_model": 1024, "d_kv": 128, "d_ff": 16384, "num_heads": 32, "num_layers": 24, "num_decoder_layers": 24}',
    expect: [
      { hiddenSize: 1024, queryHeads: 32, headDim: 128, intermediateSize: 16384, layers: 24 },
      { hiddenSize: 1024, layers: 24, causal: true },
    ],
  },
  {
    what: 'BART: encoder and decoder keys',
    text: '{"model_type": "bart", "d_model": 768, "encoder_layers": 6, "encoder_attention_heads": 12, "encoder_ffn_dim": 3072, "decoder_layers": 5, "decoder_attention_heads": 8, "decoder_ffn_dim": 2048}',
    expect: [
      { queryHeads: 12, layers: 6, headDim: 64, intermediateSize: 3072 },
      { queryHeads: 8, layers: 5, headDim: 96, intermediateSize: 2048 },
    ],
  },
  {
    what: 'DistilBERT: hidden_dim is the FFN',
    text: '{"model_type": "distilbert", "dim": 768, "hidden_dim": 3072, "n_heads": 12, "n_layers": 6}',
    expect: [{ hiddenSize: 768, intermediateSize: 3072, queryHeads: 12, headDim: 64 }],
  },
  {
    what: 'Mistral params.json: hidden_dim is the FFN',
    path: 'params.json',
    text: '{"dim": 5120, "n_layers": 40, "head_dim": 128, "hidden_dim": 14336, "n_heads": 32, "n_kv_heads": 8, "vocab_size": 131072}',
    expect: [{ hiddenSize: 5120, intermediateSize: 14336, headDim: 128, keyValueHeads: 8 }],
  },
  {
    what: 'Llama 2 70B params.json: FFN by the formula',
    path: 'params.json',
    text: '{"dim": 8192, "multiple_of": 4096, "ffn_dim_multiplier": 1.3, "n_heads": 64, "n_kv_heads": 8, "n_layers": 80, "norm_eps": 1e-05, "vocab_size": -1}',
    expect: [{ intermediateSize: 28672, headDim: 128, keyValueHeads: 8 }],
  },
  {
    what: 'Qwen 1: the written FFN width is that of two matrices',
    text: '{"model_type": "qwen", "hidden_size": 4096, "intermediate_size": 22016, "num_attention_heads": 32, "num_hidden_layers": 32, "kv_channels": 128}',
    expect: [{ intermediateSize: 11008, headDim: 128 }],
  },
  {
    what: 'ChatGLM 2: multi-query groups',
    text: '{"model_type": "chatglm", "hidden_size": 4096, "ffn_hidden_size": 13696, "kv_channels": 128, "multi_query_attention": true, "multi_query_group_num": 2, "num_attention_heads": 32, "num_layers": 28, "padded_vocab_size": 65024}',
    expect: [{ keyValueHeads: 2, headDim: 128, intermediateSize: 13696, layers: 28, vocabularySize: 65024 }],
  },
  {
    what: 'open_clip: heads from the head width',
    text: '{"embed_dim": 1024, "vision_cfg": {"image_size": 224, "layers": 32, "width": 1280, "head_width": 80, "patch_size": 14}, "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 1024, "heads": 16, "layers": 24}}',
    expect: [
      { hiddenSize: 1024, queryHeads: 16, headDim: 64, layers: 24 },
      { hiddenSize: 1280, queryHeads: 16, headDim: 80, layers: 32, intermediateSize: 5120 },
    ],
  },
  {
    what: 'GPT-NeoX YAML',
    path: '1-4B.yml',
    text: '{\n  # Pythia 1.4B\n  "pipe_parallel_size": 1,\n  "num-layers": 24,\n  "hidden-size": 2048,\n  "num-attention-heads": 16,\n  "pos-emb": "rotary",\n  "rotary-pct": 0.25,\n}\n',
    expect: [{ hiddenSize: 2048, queryHeads: 16, headDim: 128, layers: 24, intermediateSize: 8192, rotaryDim: 32 }],
  },
  {
    what: 'NeMo YAML with interpolation',
    path: 'conf.yaml',
    text: 'model:\n  encoder_seq_length: 4096\n  max_position_embeddings: ${.encoder_seq_length}\n  num_layers: 80\n  hidden_size: 8192\n  ffn_hidden_size: 28672\n  num_attention_heads: 64\n  num_query_groups: 8\n  kv_channels: null\n  tensor_model_parallel_size: 4\n',
    expect: [{ maxPositions: 4096, hiddenSize: 8192, keyValueHeads: 8, headDim: 128, intermediateSize: 28672 }],
  },
  {
    what: 'Megatron arguments in a shell script',
    path: 'train.sh',
    text: 'TP=4\nGPT_ARGS="\n    --num-layers 32 \\\n    --hidden-size 4096 \\\n    --ffn-hidden-size 14336 \\\n    --num-attention-heads 32 \\\n    --group-query-attention \\\n    --num-query-groups 8 \\\n    --tensor-model-parallel-size $TP \\\n    --max-position-embeddings 32768"\ntorchrun pretrain_gpt.py $GPT_ARGS\n',
    expect: [
      { hiddenSize: 4096, queryHeads: 32, keyValueHeads: 8, headDim: 128, layers: 32, intermediateSize: 14336, maxPositions: 32768 },
    ],
  },
  {
    what: 'Megatron arguments in YAML',
    path: 'model_config.yaml',
    text: 'MODEL_ARGS:\n  --num-layers: 12\n  --hidden-size: 512\n  --num-attention-heads: 8\n  --tensor-model-parallel-size: 2\n  --vocab-size: 50257\n',
    expect: [{ hiddenSize: 512, queryHeads: 8, headDim: 64, layers: 12, intermediateSize: 2048 }],
  },
  {
    what: 'layers described one by one: KV heads are not guessed',
    text: '{"model_type": "deci", "auto_map": {"AutoConfig": "x.Y"}, "hidden_size": 8192, "num_attention_heads": 64, "num_key_value_heads": null, "num_hidden_layers": 80, "block_configs": [{"attention": {"n_heads_in_group": 8}, "ffn": {"ffn_mult": 5.25}}]}',
    expect: [{ hiddenSize: 8192, queryHeads: 64, keyValueHeads: undefined }],
  },
  {
    what: 'maxtext',
    path: 'llama2-70b.yml',
    text: 'base_emb_dim: 8192\nbase_num_query_heads: 64\nbase_num_kv_heads: 8\nbase_mlp_dim: 28672\nbase_num_decoder_layers: 80\nhead_dim: 128\nmlp_activations: ["silu","linear"]\n',
    expect: [{ hiddenSize: 8192, queryHeads: 64, keyValueHeads: 8, headDim: 128, layers: 80, intermediateSize: 28672, gatedFfn: true }],
  },
  {
    what: 'T5X gin',
    path: 'xl.gin',
    text: "include 'base.gin'\nnetwork.T5Config:\n  emb_dim = 2048\n  num_heads = 32\n  num_encoder_layers = 24\n  num_decoder_layers = 24\n  head_dim = 64\n  mlp_dim = 5120\n",
    expect: [
      { hiddenSize: 2048, queryHeads: 32, headDim: 64, intermediateSize: 5120, layers: 24 },
      { hiddenSize: 2048, queryHeads: 32 },
    ],
  },
  {
    what: 'Swin: the width doubles per stage',
    path: 'swin.yaml',
    text: 'MODEL:\n  TYPE: swin\n  SWIN:\n    EMBED_DIM: 96\n    DEPTHS: [2, 2, 6, 2]\n    NUM_HEADS: [3, 6, 12, 24]\n    WINDOW_SIZE: 7\n',
    expect: [
      { hiddenSize: 96, queryHeads: 3, headDim: 32, layers: 2 },
      { hiddenSize: 192, queryHeads: 6 },
      { hiddenSize: 384, queryHeads: 12, layers: 6 },
      { hiddenSize: 768, queryHeads: 24 },
    ],
  },
  {
    what: 'exo TOML: heads are not written and not guessed',
    path: 'card.toml',
    text: 'model_id = "m"\nn_layers = 32\nhidden_size = 4096\nnum_key_value_heads = 8\n',
    expect: [{ hiddenSize: 4096, layers: 32, keyValueHeads: 8, queryHeads: undefined, headDim: undefined }],
  },
  {
    what: 'a recurrent model: heads are not attention heads',
    path: 'hawk.yaml',
    text: 'model_type: hawk\nmodel:\n  dim: 4096\n  n_layers: 32\n  n_heads: 28\n  lru_dim_multiplier: 0.65\n',
    expect: [{ hiddenSize: 4096, headDim: undefined }],
  },
];

describe('readDesign', () => {
  for (const [path, text] of Object.entries(others)) it(`leaves ${path} alone`, () => assert.equal(read(text, path), undefined));

  for (const { what, path, text, expect } of configs)
    it(`reads ${what}`, () => {
      const reading = read(text, path);
      assert.ok(reading !== undefined);
      const actual = expect.map((sizes, i) =>
        Object.fromEntries(Object.keys(sizes).map((name) => [name, reading.designs[i]?.fields[name as FieldName]?.value])),
      );
      assert.deepEqual(actual, expect);
    });

  it('reads what is there while a file is half typed', () => {
    const reading = read('{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 3');
    assert.equal(reading?.designs[0]?.fields.hiddenSize?.value, 4096);
    assert.equal(reading.designs[0].fields.queryHeads?.value, 3);
  });

  it('points at the text that sets a number', () => {
    const text = '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32}';
    const fields = read(text)?.designs[0]?.fields;
    const heads = fields?.queryHeads;
    assert.equal(heads?.source, 'written');
    assert.equal(text.slice(heads.range?.start, heads.range?.end), '32');
    assert.equal(text.slice(heads.keyRange?.start, heads.keyRange?.end), 'num_attention_heads');
    assert.equal(fields?.headDim?.source, 'derived');
    assert.equal(fields?.layers?.source, 'default');
    assert.equal(fields?.layers?.origin, 'LlamaConfig');
  });

  it('takes no defaults where the code is outside the library', () => {
    const fields = read(
      '{"model_type": "llama", "auto_map": {"AutoConfig": "configuration_x.XConfig"}, "hidden_size": 4096, "num_attention_heads": 32}',
    )?.designs[0]?.fields;
    assert.equal(fields?.layers, undefined);
  });

  it('splits no width of a stage where the heads have widths of their own', () => {
    const stages = read('embed_dims: [256, 384, 512]\nnum_heads: [4, 6, 8]\ndepths: [4, 4, 4]\nkey_dims: [32, 32, 32]\n', 'levit.yaml');
    assert.ok(stages?.designs.every(({ fields }) => fields.headDim === undefined && fields.queryHeads === undefined) ?? true);
  });
});
