import { formatDim } from '../../../dims/format.ts';
import { rangeIn, shown } from '../../code/places.ts';
import { repeatedOperands } from '../../code/positionTables.ts';
import { defineRule, type RuleExample } from '../../rule.ts';

const model = (positions: string, types = 'config.hidden_size'): RuleExample => ({
  language: 'python',
  code: `import torch
import torch.nn as nn


class Embeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.types = nn.Embedding(config.type_vocab_size, ${types})
        self.positions = nn.Parameter(torch.zeros(1, config.max_position_embeddings, config.hidden_size))

    def forward(self, input_ids, token_type_ids):
        b, t = input_ids.shape
        x = self.tokens(input_ids) + self.types(token_type_ids)
        return x + ${positions}
`,
});

export const residualOperandRepeated = defineRule({
  code: 'HW235',
  name: 'residual-operand-only-broadcasts',
  category: 'projections',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'What is added to the stream has one row, or one feature, where the stream has many: the sum fits only because it is repeated.',
    why: 'Broadcasting repeats an axis of size 1 without a word. A slice of a position table that holds one row gives every token the position of the first; a table that is one feature wide adds the same number to all features. The model runs, and does not see what it was to be told.',
    bad: [model('self.positions[:, :1]'), model('self.positions[:, :t]', '1')],
    good: [
      model('self.positions[:, :t]'),
      {
        language: 'python',
        code: `import torch
import torch.nn as nn


class Embeddings(nn.Module):
    def __init__(self, dim, patches):
        super().__init__()
        self.project = nn.Linear(dim, dim)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.positions = nn.Parameter(torch.zeros(1, patches + 1, dim))

    def forward(self, x):
        x = self.project(x) + self.positions[:, 1:]
        first = self.cls + self.positions[:, :1]
        return torch.cat([first.expand(x.shape[0], -1, -1), x], dim=1)
`,
      },
    ],
    references: ['https://pytorch.org/docs/stable/notes/broadcasting.html'],
  },
  messages: {
    row: '`{text}` is one row, and is added to all {size} tokens: they get the same position.',
    feature: '`{text}` is one feature wide, and is added to all {size} features.',
  },
  checkCode({ code, report }) {
    for (const { sum, operand, kind, size } of repeatedOperands(code)) {
      const [at, of] = [rangeIn(code, sum.site), rangeIn(code, operand.site)];
      const layer = kind === 'feature' ? rangeIn(code, operand.layer?.site) : undefined;
      const place = layer ?? of ?? at;
      if (place === undefined) continue;
      report({
        at: place,
        message: kind,
        data: { text: shown(code, of ?? at), size: formatDim(size) },
        related: [{ range: at, message: 'The sum is here.' }],
      });
    }
  },
});
