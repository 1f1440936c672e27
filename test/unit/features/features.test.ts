import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { TransformerDesign } from '../../../src/design/design.ts';
import { quickFixes } from '../../../src/features/codeActions.ts';
import { codeLenses } from '../../../src/features/codeLens.ts';
import { diagnostics } from '../../../src/features/diagnostics.ts';
import { hover } from '../../../src/features/hover.ts';
import { inlayHints } from '../../../src/features/inlayHints.ts';
import { translator } from '../../../src/features/messages.ts';
import { bytesText, shapeRows } from '../../../src/features/shapes.ts';
import { summarise } from '../../../src/features/summary.ts';
import { applyEdits } from '../../../src/text/edit.ts';
import type { Finding } from '../../../src/text/finding.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { at, lines } from './check.ts';

const config = (value: unknown) => analyse({ text: JSON.stringify(value, undefined, 2), path: 'config.json' }, defaultSettings);

function main(value: unknown): TransformerDesign {
  const design = config(value).reading?.designs[0];
  ok(design);
  return design;
}

const rowsOf = (design: TransformerDesign): Record<string, string> =>
  Object.fromEntries(shapeRows(design).map(({ name, shape }) => [name, shape]));

/** DeepSeek-V3's attention sizes, https://huggingface.co/deepseek-ai/DeepSeek-V3/blob/main/config.json */
const deepseek = {
  model_type: 'deepseek_v3',
  hidden_size: 7168,
  num_attention_heads: 128,
  num_key_value_heads: 128,
  num_hidden_layers: 61,
  q_lora_rank: 1536,
  kv_lora_rank: 512,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  intermediate_size: 18432,
  moe_intermediate_size: 2048,
  n_routed_experts: 256,
  num_experts_per_tok: 8,
  torch_dtype: 'bfloat16',
};

describe('shapes', () => {
  it('are those of latent attention where it is used', () => {
    const rows = rowsOf(main(deepseek));
    // Weight shapes of the released checkpoint: q_b_proj [24576, 1536], kv_a_proj_with_mqa [576, 7168], kv_b_proj [32768, 512], o_proj [7168, 16384].
    equal(rows.q, '7168 -> 1536 -> 24576');
    equal(rows['kv down'], '7168 -> 576');
    equal(rows['kv up'], '512 -> 32768');
    equal(rows.o, '16384 -> 7168');
    equal(rows['expert FFN'], '7168 -> 2048 -> 7168');
    // 576 numbers x 61 layers x 2 bytes = 70272 bytes.
    equal(rows['KV cache'], '68.6 KiB per token');
  });

  it('are left out where the numbers make none', () => {
    deepEqual(Object.keys(rowsOf(main({ model_type: 'gpt2', n_embd: 770, n_head: 12, n_layer: 12 }))), ['FFN']);
  });

  it('have no cache in an encoder', () => {
    const rows = rowsOf(
      main({ model_type: 'bert', hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 12, intermediate_size: 3072 }),
    );
    equal(rows.q, '768 -> 768');
    equal(rows['KV cache'], undefined);
  });

  it('name sizes by binary units', () => {
    deepEqual([512, 1024, 131072, 70272, 1 << 30].map(bytesText), ['512 B', '1 KiB', '128 KiB', '68.6 KiB', '1 GiB']);
  });
});

describe('the design in one line', () => {
  it('names experts and the latent', () => {
    match(summarise(main(deepseek)), /61 layers, 128 heads x 192 over a latent of 512, width 7168, 8 of 256 experts, .*FFN 2048/);
  });

  it('is translated by its English text', () => {
    const t = translator({ '{layers} layers': '{layers} Schichten' });
    match(summarise(main(deepseek), t), /61 Schichten/);
  });
});

describe('hover', () => {
  it('shows a value’s meaning on its key, its quotes and its value', () => {
    for (const text of ['"hidd¦en_size": 1024', '"hidden_size¦": 1024', '"hidden_size": 10¦24']) {
      const { analysis, offset } = at(
        'config.json',
        `{"model_type": "qwen3", ${text}, "num_attention_heads": 16, "num_hidden_layers": 28}`,
      );
      match(hover(analysis, offset)?.markdown ?? '', /^\*\*Model width\*\* = 1024/, text);
    }
  });

  it('documents a key that sets no quantity', () => {
    const { analysis, offset } = at(
      'config.json',
      '{"model_type": "qwen3", "hidden_size": 1024, "num_attention_heads": 16, "use_ca¦che": true}',
    );
    const text = hover(analysis, offset)?.markdown ?? '';
    match(text, /^\*\*`use_cache`\*\*/);
    match(text, /Default: `true`/);
  });

  it('counts the whole model where its class is named', () => {
    // Llama 3 8B as its model card has it.
    const { analysis, offset } = at(
      'config.json',
      '{"archi¦tectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": false}',
    );
    match(hover(analysis, offset)?.markdown ?? '', /LlamaForCausalLM`: 8,030,261,248 parameters/);
  });

  it('says nothing where there is nothing to say', () => {
    const text = '{"model_type": "qwen3", "hidden_size": 1024, "num_attention_heads": 16, "my_own": {"note": ¦1}}';
    const { analysis, offset } = at('config.json', text);
    equal(hover(analysis, offset), undefined);
    equal(hover(analysis, text.length + 5), undefined);
  });

  it('never lets a file’s text out of its code span', () => {
    const { analysis, offset } = at(
      'config.json',
      '{"model_type": "qwen3", "hidden_size": 1024, "num_attention_heads": 16, "hidden_a¦ct": "si`[x](command:evil)`"}',
    );
    ok(!/(?<!`[^`]*)\[x\]\(command/.test(hover(analysis, offset)?.markdown ?? ''));
  });
});

describe('inlay hints', () => {
  const labels = (value: unknown): string[] => inlayHints(config(value)).map(({ label }) => label);

  it('say where the heads together are not the width', () => {
    // Qwen3-0.6B: 1024 wide, 16 heads x 128.
    deepEqual(labels({ model_type: 'qwen3', hidden_size: 1024, num_attention_heads: 16, num_key_value_heads: 8, head_dim: 128 }), [
      'x 128 = 2048',
      'groups of 2',
      'x 16 heads = 2048',
    ]);
  });

  it('keep to the range that is asked for', () => {
    const analysis = config({ model_type: 'qwen3', hidden_size: 2048, num_attention_heads: 16, head_dim: 128 });
    const { text } = analysis.parsed;
    const start = text.indexOf('"num_attention_heads"');
    deepEqual(
      inlayHints(analysis, { start, end: text.indexOf('"head_dim"') }).map(({ label }) => label),
      ['x 128'],
    );
  });

  it('say nothing of heads that do not divide', () => {
    deepEqual(labels({ model_type: 'gpt2', n_embd: 770, n_head: 12, n_layer: 12, n_inner: 3080 }), ['= 4 x width']);
    ok(
      !labels({ model_type: 'llama', hidden_size: 4096, num_attention_heads: 32, num_key_value_heads: 5 }).some((label) =>
        /group/.test(label),
      ),
    );
  });
});

describe('code lens', () => {
  it('stands above the mapping of each stack', () => {
    const analysis = config({
      model_type: 'clip',
      text_config: { model_type: 'clip_text_model', hidden_size: 512, num_attention_heads: 8, num_hidden_layers: 12 },
      vision_config: { model_type: 'clip_vision_model', hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 12 },
    });
    const { text } = analysis.parsed;
    const titles = codeLenses(analysis).filter(({ command }) => command === undefined);
    deepEqual(
      titles.map(({ offset, title }) => [text.slice(offset, text.indexOf('"', offset)), /\d+ heads x \d+/.exec(title)?.[0]]),
      [
        ['text_config', '8 heads x 64'],
        ['vision_config', '12 heads x 64'],
      ],
    );
  });

  it('offers no preview of heads without a width', () => {
    const found = codeLenses(config({ model_type: 'gpt2', n_embd: 770, n_head: 12, n_layer: 12 }));
    deepEqual(
      found.map(({ command }) => command),
      [undefined, 'headwise.calculateShapes'],
    );
  });
});

describe('diagnostics', () => {
  it('link each code to its page', () => {
    const first = diagnostics(config({ model_type: 'gpt2', n_embd: 770, n_head: 12, n_layer: 12 })).find(({ code }) => code === 'HW101');
    match(first?.href ?? '', /^https:\/\/github\.com\/.*\/docs\/rules\/.*HW101/);
  });
});

describe('suppressing', () => {
  const suppression = (path: string, text: string, languageId?: string) => {
    const analysis = analyse({ text, path, languageId }, defaultSettings);
    const finding = analysis.findings.find(({ code }) => code === 'HW101') as Finding;
    ok(finding, 'no HW101');
    const action = quickFixes(analysis, finding.range, { languageId, canIgnoreInSettings: true }).find(({ title }) =>
      title.startsWith('Ignore HW101'),
    );
    ok(action);
    return { action, after: applyEdits(text, action.edits) };
  };
  const left = (path: string, text: string, languageId?: string): string[] =>
    analyse({ text, path, languageId }, defaultSettings).findings.map(({ code }) => code);

  it('goes to the top of a shell script, below its interpreter line', () => {
    const text = lines(
      '#!/bin/bash',
      'torchrun pretrain_gpt.py \\',
      '  --num-layers 12 \\',
      '  --hidden-size 770 \\',
      '  --num-attention-heads 12 \\',
      '  --seq-length 1024 \\',
      '  --max-position-embeddings 1024',
    );
    const { after } = suppression('run.sh', text, 'shellscript');
    match(after, /^#!\/bin\/bash\n# headwise: file-ignore\[HW101\]\ntorchrun/);
    ok(!left('run.sh', after, 'shellscript').includes('HW101'));
  });

  it('goes to the line’s end in JSON with comments', () => {
    const text = lines('{', '  "model_type": "gpt2",', '  "n_embd": 770,', '  "n_head": 12,', '  "n_layer": 12', '}');
    const { after } = suppression('config.json', text, 'jsonc');
    match(after, /"n_head": 12, {2}\/\/ headwise: ignore\[HW101\]\n/);
    ok(!left('config.json', after, 'jsonc').includes('HW101'));
  });

  it('leaves plain JSON alone and asks for a setting', () => {
    const text = lines('{', '  "model_type": "gpt2",', '  "n_embd": 770,', '  "n_head": 12,', '  "n_layer": 12', '}');
    const { action, after } = suppression('config.json', text, 'json');
    deepEqual([action.ignore, after], [{ code: 'HW101' }, text]);
  });
});
