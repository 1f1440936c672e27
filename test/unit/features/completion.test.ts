import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { completionDoc, completions } from '../../../src/features/completion.ts';
import { hover } from '../../../src/features/hover.ts';
import { applyEdits } from '../../../src/text/edit.ts';
import { at, lines, type Marked } from './check.ts';

const labels = ({ analysis, offset }: Marked): string[] => completions(analysis, offset).map(({ label }) => label);

/** The text after the completion of that name is taken. */
function taken(marked: Marked, label: string): string {
  const found = completions(marked.analysis, marked.offset).find((completion) => completion.label === label);
  ok(found, `${label} is not among ${labels(marked).join(' ')}`);
  // What is typed must lead to it, or an editor would hide it.
  const typed = marked.text.slice(found.range.start, marked.offset).toLowerCase();
  let i = 0;
  for (const unit of found.filterText.toLowerCase()) if (unit === typed[i]) i++;
  equal(i, typed.length, `${JSON.stringify(typed)} filters ${found.filterText} out`);
  return applyEdits(marked.text, [found]);
}

const qwen = ['"model_type": "qwen3"', '"hidden_size": 1024', '"num_attention_heads": 16', '"num_hidden_layers": 28'];

describe('completion', () => {
  describe('of keys in JSON', () => {
    it('writes the default and the comma before a following key', () => {
      const marked = at('config.json', `{\n  "¦"\n  ${qwen.join(',\n  ')}\n}`);
      // Qwen3Config: head_dim=128.
      equal(JSON.parse(taken(marked, 'head_dim')).head_dim, 128);
    });

    it('completes a half-typed key without a closing quote', () => {
      const marked = at('config.json', `{\n  ${qwen.join(',\n  ')},\n  "sliding¦\n}`);
      match(taken(marked, 'sliding_window'), /\n {2}"sliding_window": ?[^"]*\n\}/);
    });

    it('completes a bare word', () => {
      const marked = at('config.json', `{\n  ${qwen.join(',\n  ')},\n  num_key¦\n}`);
      match(taken(marked, 'num_key_value_heads'), /"num_key_value_heads": 32\n/);
    });

    it('replaces only the name where a value stands', () => {
      const marked = at('config.json', `{\n  ${qwen.join(',\n  ')},\n  "num_key_val¦": 8\n}`);
      equal(JSON.parse(taken(marked, 'num_key_value_heads')).num_key_value_heads, 8);
    });

    it('offers the keys of the stack around the cursor', () => {
      const clip =
        '{"model_type": "clip", "text_config": {"model_type": "clip_text_model", "hidden_size": 512, "num_attention_heads": 8}, "vision_config": {"model_type": "clip_vision_model", "hidden_size": 768, "num_attention_heads": 12, "¦"}}';
      const found = labels(at('config.json', clip));
      ok(found.includes('patch_size') && found.includes('image_size'), found.join(' '));
      ok(!found.includes('vocab_size') && !found.includes('hidden_size'), found.join(' '));
    });

    it('offers nothing in a nested mapping that is no stack, in a list, in a value or outside', () => {
      for (const text of [
        `{${qwen.join(', ')}, "rope_scaling": {"¦"}}`,
        `{${qwen.join(', ')}, "architectures": ["¦"]}`,
        `{${qwen.join(', ')}, "vocab_size": 15¦}`,
        `{${qwen.join(', ')}}¦`,
        `¦{${qwen.join(', ')}}`,
      ])
        deepEqual(labels(at('config.json', text)), [], text);
    });
  });

  it('offers values that can be listed', () => {
    deepEqual(labels(at('config.json', `{${qwen.join(', ')}, "tie_word_embeddings": ¦}`)), ['true', 'false']);
    const marked = at('config.json', `{${qwen.join(', ')}, "hidden_act": "¦"}`);
    equal(JSON.parse(taken(marked, 'silu')).hidden_act, 'silu');
    equal(JSON.parse(taken(at('config.json', `{${qwen.join(', ')}, "torch_dtype": ¦}`), 'bfloat16')).torch_dtype, 'bfloat16');
  });

  it('documents a key with its meaning, default and class', () => {
    const { analysis } = at('config.json', `{${qwen.join(', ')}}`);
    ok(analysis.reading);
    const doc = completionDoc(analysis.reading, '', 'num_key_value_heads');
    match(doc, /grouped-query attention/);
    match(doc, /Default: `32` \(`Qwen3Config`\)/);
    equal(completionDoc(analysis.reading, '', 'no_such_key'), '');
  });

  describe('in formats that go by lines', () => {
    const yaml = (line: string): Marked =>
      at(
        'model.yaml',
        lines(
          'model:',
          '  model_type: qwen3',
          '  hidden_size: 1024',
          '  num_attention_heads: 16',
          '  num_hidden_layers: 28',
          line,
          'seed: 1',
        ),
      );

    it('completes a YAML key at its mapping’s indentation only', () => {
      match(taken(yaml('  head_d¦'), 'head_dim'), /\n {2}head_dim: 128\nseed/);
      deepEqual(labels(yaml('head_d¦')), []);
    });

    it('completes a YAML value', () => {
      match(taken(yaml('  hidden_act: ge¦'), 'gelu'), /\n {2}hidden_act: gelu\nseed/);
    });

    it('completes a shell option', () => {
      const marked = at(
        'run.sh',
        lines('torchrun pretrain_gpt.py \\', '  --num-layers 12 \\', '  --hidden-size 768 \\', '  --num-attention-heads 12 \\', '  --¦'),
      );
      const found = labels(marked);
      ok(!found.includes('num-layers') && !found.includes('hidden-size'), found.join(' '));
      match(taken(marked, 'num-query-groups'), /\n {2}--num-query-groups\n/);
    });

    it('spells keys as the file does', () => {
      const neox = (line: string): Marked =>
        at(
          '125M.yml',
          lines(
            '{',
            '  "pipe-parallel-size": 1,',
            '  "num-layers": 12,',
            '  "hidden-size": 768,',
            '  "num-attention-heads": 12,',
            '  "pos-emb": "rotary",',
            line,
            '}',
          ),
        );
      const found = labels(neox('  "rot¦"'));
      ok(found.includes('rotary-pct') && !found.includes('hidden_size') && !found.includes('num-layers'), found.join(' '));
      const { analysis, offset } = neox('  "no-weight-ty¦ing": true');
      match(hover(analysis, offset)?.markdown ?? '', /matrix of its own/);
    });

    it('completes a TOML key and value', () => {
      const toml = (line: string): Marked =>
        at(
          'model.toml',
          lines('[model]', 'model_type = "qwen3"', 'hidden_size = 1024', 'num_attention_heads = 16', 'num_hidden_layers = 28', line),
        );
      match(taken(toml('head_d¦'), 'head_dim'), /\nhead_dim = 128\n/);
      match(taken(toml('hidden_act = ¦'), 'silu'), /\nhidden_act = "silu"\n/);
    });
  });
});
