import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCheckpointBeside } from '../../../src/checkpoint/node.ts';
import type { Finding } from '../../../src/text/finding.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';

/** A safetensors file as the format says: u64 length, JSON header, then the data (sparse: only the header is ever read). */
function safetensors(tensors: Readonly<Record<string, readonly number[]>>, dtype = 'BF16'): Uint8Array {
  let offset = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, shape]) => {
      const begin = offset;
      offset += 2 * shape.reduce((product, size) => product * size, 1);
      return [name, { dtype, shape, data_offsets: [begin, offset] }];
    }),
  );
  const json = new TextEncoder().encode(JSON.stringify({ __metadata__: { format: 'pt' }, ...header }));
  const file = new Uint8Array(8 + json.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

/**
 * Configs and checkpoints from public reports of "size mismatch": the shapes are those of the error texts, the config is the
 * reporter's, completed with the published sizes of the model that the thread names.
 */
const reports: readonly {
  readonly what: string;
  readonly config: object;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  readonly message: RegExp | undefined;
  readonly fix?: string;
}[] = [
  {
    what: 'Llama 2 70B without its KV heads (SqueezeLLM-gradients issue 5)',
    config: { model_type: 'llama', hidden_size: 8192, num_attention_heads: 64, num_hidden_layers: 80, vocab_size: 32000 },
    tensors: { 'model.layers.0.self_attn.q_proj.weight': [8192, 8192], 'model.layers.0.self_attn.k_proj.weight': [1024, 8192] },
    message: /k_proj\.weight is \[1024, 8192\] .* makes it \[8192, 8192\]/,
  },
  {
    what: 'Llama 2 7B with one KV head (llama issue 427)',
    config: { dim: 4096, n_heads: 32, n_kv_heads: 1, n_layers: 32, vocab_size: 32000, multiple_of: 256, norm_eps: 1e-5 },
    tensors: { 'layers.0.attention.wk.weight': [4096, 4096] },
    message: /wk\.weight is \[4096, 4096\] .* makes it \[128, 4096\]/,
    fix: 'Set n_kv_heads 32, as in the checkpoint',
  },
  {
    what: 'Llama 3.1 70B with the vocabulary of Llama 2 (gpt-fast issue 215)',
    config: { dim: 8192, n_heads: 64, n_kv_heads: 8, n_layers: 80, vocab_size: 32000 },
    tensors: { 'tok_embeddings.weight': [128256, 8192] },
    message: /\[128256, 8192\] .* makes it \[32000, 8192\]/,
    fix: 'Set vocab_size 128256, as in the checkpoint',
  },
  {
    what: 'GPT-J with another vocabulary (magma issue 31)',
    config: { model_type: 'gptj', n_embd: 4096, n_head: 16, n_layer: 28, vocab_size: 50258 },
    tensors: { 'lm_head.weight': [50400, 4096] },
    message: /\[50400, 4096\] .* makes it \[50258, 4096\]/,
  },
  {
    what: 'Blenderbot with added tokens (Emotional-Support-Conversation issue 7)',
    config: {
      model_type: 'blenderbot-small',
      d_model: 512,
      encoder_attention_heads: 16,
      encoder_layers: 8,
      decoder_layers: 8,
      decoder_attention_heads: 16,
      vocab_size: 54944,
    },
    tensors: { 'model.shared.weight': [54953, 512] },
    message: /\[54953, 512\] .* makes it \[54944, 512\]/,
  },
  {
    what: 'RoBERTa with 2048 positions (transformers issue 24716)',
    config: { model_type: 'roberta', hidden_size: 768, num_attention_heads: 12, max_position_embeddings: 2048, vocab_size: 50265 },
    tensors: { 'roberta.embeddings.position_embeddings.weight': [514, 768] },
    message: /\[514, 768\] .* makes it \[2048, 768\]/,
    fix: 'Set max_position_embeddings 514, as in the checkpoint',
  },
  {
    what: 'BERT of another width (transformers issue 2596)',
    config: { model_type: 'bert', hidden_size: 512, num_attention_heads: 8 },
    tensors: { 'bert.pooler.dense.weight': [768, 768] },
    message: /\[768, 768\] .* makes it \[512, 512\]/,
  },
  {
    what: 'GPT-2 of another width (index-tts issue 236)',
    config: { model_type: 'gpt2', n_embd: 1024, n_head: 16, n_layer: 24 },
    tensors: { 'gpt.h.9.attn.c_attn.weight': [1280, 3840] },
    message: /\[1280, 3840\] .* makes it \[1024, 3072\]/,
    fix: 'Set n_embd 1280, as in the checkpoint',
  },
  {
    what: 'a checkpoint that fits',
    config: {
      model_type: 'llama',
      hidden_size: 4096,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      num_hidden_layers: 32,
      intermediate_size: 14336,
      vocab_size: 128256,
    },
    tensors: {
      'model.embed_tokens.weight': [128256, 4096],
      'model.layers.0.self_attn.q_proj.weight': [4096, 4096],
      'model.layers.0.self_attn.k_proj.weight': [1024, 4096],
      'model.layers.0.mlp.up_proj.weight': [14336, 4096],
      'lm_head.weight': [128256, 4096],
    },
    message: undefined,
  },
  {
    what: 'BART, whose table has two rows more than its positions',
    config: {
      model_type: 'bart',
      d_model: 768,
      encoder_attention_heads: 12,
      decoder_attention_heads: 12,
      encoder_layers: 6,
      decoder_layers: 6,
      encoder_ffn_dim: 3072,
      decoder_ffn_dim: 3072,
      max_position_embeddings: 1024,
      vocab_size: 50265,
    },
    tensors: {
      'model.shared.weight': [50265, 768],
      'model.encoder.embed_positions.weight': [1026, 768],
      'model.encoder.layers.0.fc1.weight': [3072, 768],
    },
    message: undefined,
  },
];

describe('checkpoints beside a config', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'headwise-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const check = (config: object): readonly Finding[] => {
    const text = JSON.stringify(config, null, 2);
    const path = join(folder, 'config.json');
    writeFileSync(path, text);
    return analyse({ text, path: 'config.json', checkpoint: () => readCheckpointBeside(path) }, defaultSettings).findings.filter(
      ({ code }) => code === 'HW701',
    );
  };

  for (const { what, config, tensors, message, fix } of reports)
    it(what, () => {
      writeFileSync(join(folder, 'model.safetensors'), safetensors(tensors));
      const findings = check(config);
      if (message === undefined) assert.deepEqual(findings, []);
      else {
        assert.equal(findings.length, 1, JSON.stringify(findings));
        assert.match(findings[0]?.message ?? '', message);
        if (fix !== undefined)
          assert.deepEqual(
            findings[0]?.fixes.map(({ title }) => title),
            [fix],
          );
      }
    });

  it('reads the parts that an index names, and says nothing of those that are missing', () => {
    writeFileSync(
      join(folder, 'model.safetensors.index.json'),
      JSON.stringify({ weight_map: { 'lm_head.weight': 'b.safetensors', 'model.embed_tokens.weight': 'a.safetensors' } }),
    );
    writeFileSync(join(folder, 'a.safetensors'), safetensors({ 'model.embed_tokens.weight': [32001, 4096] }));
    const shapes = readCheckpointBeside(join(folder, 'config.json'));
    assert.equal(shapes?.complete, false);
    assert.deepEqual(shapes.tensors.get('model.embed_tokens.weight')?.shape, [32001, 4096]);
    assert.equal(check({ model_type: 'llama', hidden_size: 4096, num_attention_heads: 32, vocab_size: 32000 }).length, 1);
  });

  it('leaves packed and adapter weights alone', () => {
    writeFileSync(join(folder, 'model.safetensors'), safetensors({ 'model.layers.0.self_attn.q_proj.weight': [4096, 512] }, 'U32'));
    assert.deepEqual(check({ model_type: 'llama', hidden_size: 4096, num_attention_heads: 32 }), []);
  });

  for (const [what, bytes] of Object.entries({
    'an empty file': new Uint8Array(0),
    'a length beyond the file': new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0, 123, 125]),
    'a header that is no JSON': new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]),
    'a header that is a list': new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 91, 93]),
  }))
    it(`says nothing of ${what}`, () => {
      writeFileSync(join(folder, 'model.safetensors'), bytes);
      assert.deepEqual(check({ model_type: 'llama', hidden_size: 4096, num_attention_heads: 32 }), []);
    });
});
