import { idlePositions, tablesCutAcross } from '../../code/idlePositions.ts';
import { rangeIn, shown } from '../../code/places.ts';
import { defineRule, type RuleExample } from '../../rule.ts';

const model = (body: string): RuleExample => ({
  language: 'python',
  code: `import torch
import torch.nn as nn


class Embeddings(nn.Module):
    def __init__(self, vocabulary, width, length):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.pos_embed = nn.Embedding(length, width)
        self.register_buffer("pe", torch.zeros(1, length, width))

    def forward(self, ids):
        x = self.tokens(ids)
${body
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
`,
});

const looked = 'pos_emb = self.pos_embed(torch.arange(x.size(1), device=x.device))';

export const positionsLost = defineRule({
  code: 'HW428',
  name: 'positions-lost',
  category: 'positions',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'Embeddings of positions are worked out and nothing reads them, or their table is cut along its axis of one row.',
    why: 'Attention knows no order of its own: without positions a sentence is a bag of words, and the model trains all the same. A table `(1, length, width)` that is cut by `pe[:n]` keeps all its positions, so that the sum fails for every sequence that is shorter; `pe[:, :n]` is meant.',
    bad: [model(`${looked}\nreturn x`), model('return x + self.pe[:x.size(1)]')],
    good: [model(`${looked}\nreturn x + pos_emb`), model('return x + self.pe[:, :x.size(1)]')],
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    idle: '`{name}` is worked out, and nothing reads it: the positions are not added.',
    across: '`{code}` cuts the axis of one row: all positions stay. `[:, :n]` cuts the positions.',
  },
  checkCode({ code, rangeOf, report }) {
    for (const { name, site } of idlePositions(code)) {
      const at = rangeOf(site);
      if (at !== undefined) report({ at, message: 'idle', severity: 'information', data: { name } });
    }
    for (const site of tablesCutAcross(code)) {
      const at = rangeIn(code, site);
      if (at !== undefined) report({ at, message: 'across', data: { code: shown(code, at) } });
    }
  },
});
