import { deepEqual, match, ok } from 'node:assert/strict';
import { findingsOfSizes, findingsOfSizesAlone, type Sizes } from '../../../src/features/otherSizes.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { defaultSettings, type Settings } from '../../../src/workspace/settings.ts';

/** Llama 3 8B. */
const llama = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  hidden_size: 4096,
  intermediate_size: 14336,
  max_position_embeddings: 8192,
  num_attention_heads: 32,
  num_hidden_layers: 32,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-5,
  rope_theta: 500000,
  torch_dtype: 'bfloat16',
  vocab_size: 128256,
};

function findings(text: string, sizes: Sizes, settings: Settings = defaultSettings, path = 'config.json'): readonly string[] {
  const { reading } = analyse({ text, path }, settings);
  const [base] = reading?.designs ?? [];
  ok(reading !== undefined && base !== undefined);
  return findingsOfSizes(reading, base, sizes, path, settings);
}

/** What the rules say of a text, as the linter shows it. */
const linted = (text: string): readonly string[] =>
  analyse({ text, path: 'config.json' }, defaultSettings)
    .findings.filter(({ severity }) => severity === 'error' || severity === 'warning')
    .map(({ message }) => message);

describe('findings of other sizes', () => {
  const text = JSON.stringify(llama, undefined, 2);

  it('are those of the file with these sizes written in it', () => {
    for (const [key, sizes] of [
      ['num_attention_heads', { queryHeads: 30 }],
      ['num_key_value_heads', { keyValueHeads: 3 }],
      ['num_key_value_heads', { keyValueHeads: 64 }],
    ] as const) {
      const [value] = Object.values(sizes);
      const edited = linted(JSON.stringify({ ...llama, [key]: value }, undefined, 2));
      ok(edited.length > 0);
      deepEqual(findings(text, sizes), edited, key);
    }
  });

  it('are none for sizes that fit, and for those that the file has', () => {
    deepEqual(findings(text, { queryHeads: 64 }), []);
    deepEqual(findings(text, { keyValueHeads: 16 }), []);
    deepEqual(findings(text, { queryHeads: 32, keyValueHeads: 8 }), []);
  });

  it('add what the file does not write, without a word on the key itself', () => {
    const found = findings(text, { headDim: 127 });
    deepEqual(found, linted(JSON.stringify({ ...llama, head_dim: 127 }, undefined, 2)));
    match(found.join(), /127/);
    // GPT-2 has no key for the width of its heads.
    const gpt2 = JSON.stringify({ model_type: 'gpt2', n_embd: 768, n_head: 12, n_layer: 12, n_positions: 1024, vocab_size: 50257 });
    deepEqual(findings(gpt2, { headDim: 64 }), []);
  });

  it('leave out what is wrong without the change, and what settings turn off', () => {
    const wrong = JSON.stringify({ ...llama, num_key_value_heads: 3 });
    const [known] = linted(wrong);
    ok(known !== undefined);
    ok(!findings(wrong, { headDim: 128 }).includes(known));
    const edited = analyse({ text: JSON.stringify({ ...llama, num_key_value_heads: 3 }), path: 'config.json' }, defaultSettings).findings;
    const rules = Object.fromEntries(edited.map(({ code }) => [code, 'off' as const]));
    deepEqual(findings(text, { keyValueHeads: 3 }, { ...defaultSettings, rules }), []);
  });

  it('read nested stacks and other formats', () => {
    const nested = JSON.stringify({ model_type: 'llava', text_config: llama, vision_config: { model_type: 'clip_vision_model' } });
    match(findings(nested, { keyValueHeads: 3 }).join(), /32 % 3 = 2/);
    const yaml = 'hidden_size: 4096\nnum_attention_heads: 32\nnum_key_value_heads: 8\nnum_hidden_layers: 4\n';
    match(findings(yaml, { keyValueHeads: 3 }, defaultSettings, 'model.yaml').join(), /32 % 3 = 2/);
  });

  it('judge sizes that no file writes', () => {
    deepEqual(findingsOfSizesAlone(undefined, { queryHeads: 8, keyValueHeads: 2, headDim: 64 }, defaultSettings), []);
    match(findingsOfSizesAlone(undefined, { queryHeads: 8, keyValueHeads: 3, headDim: 64 }, defaultSettings).join(), /8 % 3 = 2/);
  });
});
