import assert from 'node:assert/strict';
import fc from 'fast-check';
import { familyOf } from '../../src/design/families.ts';
import { lexicon, parallelNames } from '../../src/design/lexicon.ts';
import { fixAll, quickFixes } from '../../src/features/codeActions.ts';
import { codeLenses } from '../../src/features/codeLens.ts';
import { completions } from '../../src/features/completion.ts';
import { diagnostics } from '../../src/features/diagnostics.ts';
import { hover } from '../../src/features/hover.ts';
import { inlayHints } from '../../src/features/inlayHints.ts';
import { applyEdits } from '../../src/text/edit.ts';
import { range } from '../../src/text/range.ts';
import { type Analysis, analyse } from '../../src/workspace/analyse.ts';
import { defaultSettings, type Settings } from '../../src/workspace/settings.ts';
import { corpusFiles, findCorpus } from '../corpus/corpus.ts';

const settings: Settings = { ...defaultSettings, parallel: { tensor: 4, pipeline: 2, context: 2, expert: 2 } };

/** An analysis, and everything that the editor would ask of it, holds together for any text. */
function checkAll(path: string, text: string): Analysis {
  const start = performance.now();
  const analysis = analyse({ text, path }, settings);
  const took = performance.now() - start;
  assert.ok(took < 1000 + text.length / 50, `took ${took.toFixed(0)} ms`);
  for (const finding of analysis.findings) {
    for (const { start: from, end } of [finding.range, ...finding.related.map((related) => related.range)])
      assert.ok(from >= 0 && from <= end && end <= text.length);
    assert.doesNotMatch(finding.message, /\{\w+\}|undefined|\[object/, finding.message);
    for (const fix of finding.fixes) {
      assert.doesNotMatch(fix.title, /undefined|NaN|\[object/);
      applyEdits(text, fix.edits);
    }
  }
  diagnostics(analysis);
  codeLenses(analysis);
  inlayHints(analysis);
  fixAll(analysis);
  for (let offset = 0; offset <= text.length; offset += Math.max(1, Math.floor(text.length / 25))) {
    hover(analysis, offset);
    completions(analysis, offset);
    quickFixes(analysis, range(offset, offset), { canIgnoreInSettings: true });
  }
  return analysis;
}

const families = [
  'llama',
  'gpt2',
  'bert',
  't5',
  'bart',
  'falcon',
  'gpt_bigcode',
  'deepseek_v3',
  'qwen3',
  'qwen3_moe',
  'gemma3_text',
  'mamba2',
  'opt',
  'phi3',
  'qwen2_vl',
  'gpt_neox',
  'modernbert',
  'whisper',
  'swin',
  'zamba2',
  'mllama',
  'vit',
];
const words = [
  ...Object.values(lexicon).flat(),
  ...Object.values(parallelNames).flat(),
  ...[
    'rope_scaling',
    'rope_parameters',
    'rope_theta',
    'partial_rotary_factor',
    'layer_types',
    'sliding_window',
    'use_sliding_window',
    'tie_word_embeddings',
    'multi_query',
    'new_decoder_architecture',
    'do_layer_norm_before',
  ],
  ...[
    'bos_token_id',
    'eos_token_id',
    'pad_token_id',
    'torch_dtype',
    'q_lora_rank',
    'kv_lora_rank',
    'qk_nope_head_dim',
    'qk_rope_head_dim',
    'n_group',
    'topk_group',
    'quantization_config',
    'text_config',
    'vision_config',
    'multiple_of',
    'ffn_dim_multiplier',
    'make_vocab_size_divisible_by',
    'attn_implementation',
    'expand',
  ],
];

const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -4, max: 9000 }) },
  { weight: 3, arbitrary: fc.constantFrom(0, 1, 2, 12, 32, 64, 128, 768, 4096, 50257) },
  fc.constantFrom(1.5, -1, 1e18, 1e308, Number.MAX_SAFE_INTEGER, null, true, false, '', '12', 'x', 'bfloat16', 'llama3'),
  fc.array(fc.oneof(fc.integer({ min: -2, max: 40 }), fc.constantFrom('full_attention', 'sliding_attention', null)), { maxLength: 6 }),
  fc.dictionary(
    fc.constantFrom(
      'factor',
      'type',
      'rope_type',
      'short_factor',
      'long_factor',
      'original_max_position_embeddings',
      'group_size',
      'hidden_size',
      'num_attention_heads',
      'mrope_section',
      'kv_n_heads',
    ),
    fc.oneof(
      fc.integer({ min: -1, max: 100 }),
      fc.constantFrom('yarn', 'longrope', null, true),
      fc.array(fc.integer({ max: 40 }), { maxLength: 4 }),
    ),
    { maxKeys: 5 },
  ),
);

const config = fc
  .tuple(fc.constantFrom(...families), fc.dictionary(fc.constantFrom(...words), value, { maxKeys: 14 }))
  .chain(([type, entries]) => {
    const own = [...(familyOf(type)?.fields.keys() ?? ['hidden_size'])];
    return fc.dictionary(fc.constantFrom(...own), value, { maxKeys: 10 }).map((fields) => ({ model_type: type, ...fields, ...entries }));
  });

const yamlOf = (object: object): string =>
  Object.entries(object)
    .map(([key, item]) => `${key}: ${JSON.stringify(item)}`)
    .join('\n');
const shellOf = (object: object): string =>
  `torchrun pretrain.py ${Object.entries(object)
    .map(([key, item]) => `--${key.replace(/_/g, '-')} ${item === true ? '' : JSON.stringify(JSON.stringify(item))}`)
    .join(' \\\n  ')}\n`;

const runs = Number(process.env.HEADWISE_FUZZ_RUNS ?? 700);

describe('any config, however wrong', function () {
  this.timeout(120_000);

  it('is analysed, and every answer about it holds together', () => {
    fc.assert(
      fc.property(config, fc.constantFrom('config.json', 'config.yaml', 'train.sh'), (object, path) => {
        checkAll(path, path === 'config.json' ? JSON.stringify(object, null, 2) : path === 'train.sh' ? shellOf(object) : yamlOf(object));
      }),
      { numRuns: runs },
    );
  });

  it('keeps its other findings when a fix is applied, and a safe fix adds none', () => {
    fc.assert(
      fc.property(config, (object) => {
        const text = JSON.stringify(object, null, 2);
        const before = checkAll('config.json', text);
        for (const finding of before.findings.slice(0, 6))
          for (const fix of finding.fixes.slice(0, 3)) {
            const after = analyse({ text: applyEdits(text, fix.edits), path: 'config.json' }, settings);
            assert.ok(after.parsed.problems.length <= before.parsed.problems.length, `${finding.code} ${fix.title} breaks the syntax`);
            if (fix.safe) assert.ok(after.findings.length <= before.findings.length, `${finding.code} ${fix.title} adds findings`);
          }
      }),
      { numRuns: Math.ceil(runs / 2) },
    );
  });

  const corpus = findCorpus();
  if (corpus !== undefined) {
    const files = corpusFiles(corpus).filter(({ text }) => text.length < 20_000);
    it('published configs with one number changed are analysed', () => {
      fc.assert(
        fc.property(
          fc.constantFrom(...files),
          fc.nat(),
          fc.constantFrom('0', '-1', '3', '7', '4097', '1.5', '1e999', 'NaN', '"12"', 'null', 'true', '[]', '{}', ''),
          ({ path, text }, which, replacement) => {
            const numbers = [...text.matchAll(/(?<=[:=]\s*)\d[\d.]*/g)];
            const match = numbers[which % Math.max(1, numbers.length)];
            if (match !== undefined) checkAll(path, text.slice(0, match.index) + replacement + text.slice(match.index + match[0].length));
          },
        ),
        { numRuns: Math.ceil(runs / 2) },
      );
    });
  }
});
