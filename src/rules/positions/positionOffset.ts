import { defineRule } from '../rule.ts';
import { setValue } from '../suggest.ts';
import { isFirstOfMapping } from './rope.ts';

/** Families whose code numbers positions from pad_token_id + 1 (create_position_ids_from_input_ids) into a table of max_position_embeddings rows. */
const offsetFamilies = new Set([
  'roberta',
  'xlm-roberta',
  'xlm-roberta-xl',
  'camembert',
  'longformer',
  'data2vec-text',
  'ibert',
  'luke',
  'layoutlmv3',
  'lilt',
  'markuplm',
  'roberta-prelayernorm',
  'xmod',
  'mpnet',
]);

export const positionOffset = defineRule({
  code: 'HW414',
  name: 'position-table-offset',
  category: 'positions',
  severity: 'information',
  since: '0.1.0',
  docs: {
    what: 'A table of positions whose first rows are never used is sized as if they were.',
    why: 'RoBERTa and its kin number positions from pad_token_id + 1, so a table of 512 rows takes 510 tokens; the 511th reads past its end. The published models have 514 rows for 512 tokens.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "roberta", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "max_position_embeddings": 512}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "roberta", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "max_position_embeddings": 514}',
      },
    ],
    references: [
      'https://github.com/huggingface/transformers/blob/main/src/transformers/models/roberta/modeling_roberta.py',
      'https://github.com/huggingface/transformers/issues/1627',
    ],
  },
  messages: {
    offset: 'Positions start at {first}, so a table of {rows} rows takes {usable} tokens.',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading) || design.custom || !offsetFamilies.has(design.family ?? '')) return;
    const { maxPositions } = design.fields;
    if (maxPositions?.source !== 'written' || maxPositions.range === undefined) return;
    const rows = maxPositions.value;
    // Only a round number was surely meant as a number of tokens.
    if (rows < 64 || !Number.isInteger(Math.log2(rows))) return;
    const written = design.section.number('pad_token_id');
    const byDefault = design.knowledge?.fields.get('pad_token_id');
    const padding = written ?? (typeof byDefault === 'number' && !design.section.has('pad_token_id') ? byDefault : undefined);
    if (padding === undefined || padding < 0) return;
    report({
      at: maxPositions.range,
      message: 'offset',
      data: { first: padding + 1, rows, usable: rows - padding - 1 },
      fixes: [
        { title: `Use ${rows + padding + 1} rows for ${rows} tokens`, safe: false, edits: setValue(maxPositions, rows + padding + 1) },
      ],
    });
  },
});
