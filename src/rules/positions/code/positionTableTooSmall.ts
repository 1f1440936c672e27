import { formatDim } from '../../../dims/format.ts';
import { rangeIn } from '../../code/places.ts';
import { smallTables } from '../../code/positionTables.ts';
import { defineRule, type RuleExample } from '../../rule.ts';

const model = (rows: string): RuleExample => ({
  language: 'python',
  code: `import torch
import torch.nn as nn


class Embeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.positions = nn.Embedding(${rows}, config.hidden_size)

    def forward(self, input_ids):
        b, t = input_ids.shape
        positions = torch.arange(t, device=input_ids.device)
        return self.tokens(input_ids) + self.positions(positions)
`,
});

export const positionTableTooSmall = defineRule({
  code: 'HW427',
  name: 'position-table-too-small',
  category: 'positions',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A table of positions has fewer rows than the context has tokens, or as many as something else has sizes.',
    why: 'Each token looks up the row of its place. The first sequence that is longer than the table stops with an IndexError, on a GPU with a device-side assertion that tells nothing; short sequences in tests pass.',
    bad: [model('config.max_position_embeddings // 2'), model('config.type_vocab_size'), model('config.num_attention_heads')],
    good: [model('config.max_position_embeddings'), model('config.max_position_embeddings + 2')],
    fixSafety: 'The fix writes the whole context. It is unsafe because a checkpoint may hold the smaller table.',
    references: ['https://pytorch.org/docs/stable/generated/torch.nn.Embedding.html'],
  },
  messages: {
    shorter: 'The table of positions has {rows} rows, and the context is {context} tokens long.',
    other: 'The table of positions has {rows} rows, which is not a number of positions.',
  },
  checkCode({ code, report }) {
    for (const { table, rows, context } of smallTables(code)) {
      const at = rangeIn(code, table.site) ?? rangeIn(code, table.node.site);
      if (at === undefined) continue;
      const text = code.file.module.text.slice(at.start, at.end);
      const written = /\(\s*([\w.]+)\s*\/\/\s*\d+\s*,/.exec(text);
      const whole = written?.[1];
      report({
        at,
        message: context === undefined ? 'other' : 'shorter',
        data: { rows: formatDim(rows), context: context === undefined ? '' : formatDim(context) },
        related: [{ range: rangeIn(code, table.node.site), message: 'Positions are looked up here.' }],
        fixes:
          written === null || whole === undefined || context === undefined
            ? []
            : [
                {
                  title: `Make it ${whole} rows`,
                  safe: false,
                  edits: [
                    {
                      range: { start: at.start + written.index, end: at.start + written.index + written[0].length },
                      newText: `(${whole},`,
                    },
                  ],
                },
              ],
      });
    }
  },
});
