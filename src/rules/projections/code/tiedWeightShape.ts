import type { Dim } from '../../../dims/dim.ts';
import { formatDim } from '../../../dims/format.ts';
import { dimOf } from '../../../interpreter/make.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { InstanceValue, TensorValue } from '../../../interpreter/value.ts';
import { type Range, range } from '../../../text/range.ts';
import { rangeIn } from '../../code/places.ts';
import { compareSizes } from '../../code/sizes.ts';
import { defineRule, type RuleExample } from '../../rule.ts';

const model = (head: string): RuleExample => ({
  language: 'python',
  code: `import torch.nn as nn


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.mlp = nn.Linear(config.hidden_size, config.hidden_size)
        self.head = ${head}
        self.head.weight = self.embed.weight

    def forward(self, input_ids):
        return self.mlp(self.embed(input_ids))
`,
});

export const tiedWeightShape = defineRule({
  code: 'HW236',
  name: 'tied-weight-shape',
  category: 'projections',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'A layer gets the weight of another layer, and it has another shape than the one that the layer was made for.',
    why: 'A tied output head multiplies with the embedding table, (vocabulary, width). `nn.Linear(width, vocabulary)` holds a weight of that shape; one made for other sizes takes the table without a word when it is assigned, and fails, or gives other outputs than it says, when it is called.',
    bad: [
      model('nn.Linear(config.intermediate_size, config.vocab_size, bias=False)'),
      model('nn.Linear(config.vocab_size, config.hidden_size, bias=False)'),
    ],
    good: [model('nn.Linear(config.hidden_size, config.vocab_size, bias=False)')],
    references: ['https://arxiv.org/abs/1608.05859'],
  },
  messages: {
    differs: '`{name}` is made for a weight of ({wantedRows}, {wantedColumns}), and gets one of ({rows}, {columns}).',
  },
  checkCode({ code, report }) {
    for (const { name, layer, weight, wanted } of tied(code)) {
      const at = assignmentOf(code, name) ?? rangeIn(code, layer.site);
      const [rows, columns] = weight.shape.dims;
      if (at === undefined || rows === undefined || columns === undefined) continue;
      report({
        at,
        message: 'differs',
        data: {
          name,
          rows: formatDim(rows),
          columns: formatDim(columns),
          wantedRows: formatDim(wanted[0]),
          wantedColumns: formatDim(wanted[1]),
        },
        related: [{ range: rangeIn(code, layer.site), message: 'The layer is made here.' }],
        // Without a bias it multiplies with the weight that it got, and works: only what it says of its sizes is wrong.
        ...(isTurned(code, weight, wanted) && !hasBias(layer) ? { severity: 'information' as const } : {}),
      });
    }
  },
});

type Sizes = readonly [rows: Dim, columns: Dim];

interface Tied {
  readonly name: string;
  readonly layer: InstanceValue;
  readonly weight: TensorValue;
  /** The shape that the layer was made for. */
  readonly wanted: Sizes;
}

function tied(code: CodeReading): readonly Tied[] {
  const found: Tied[] = [];
  for (const { instances } of code.studies) {
    for (const owner of instances) {
      for (const [name, layer] of owner.attributes) {
        if (layer.kind !== 'instance') continue;
        const wanted = sizesOf(layer);
        const weight = layer.attributes.get('weight');
        if (wanted === undefined || weight?.kind !== 'tensor' || weight.shape.dims.length !== 2) continue;
        const differs = weight.shape.dims.some((dim, i) => /^different/.test(compareSizes(code, dim, wanted[i] as Dim)));
        if (differs) found.push({ name, layer, weight, wanted });
      }
    }
  }
  return found;
}

const isSame = (code: CodeReading, a: Dim | undefined, b: Dim): boolean => a !== undefined && compareSizes(code, a, b) === 'same';

const isTurned = (code: CodeReading, { shape: { dims } }: TensorValue, [rows, columns]: Sizes): boolean =>
  isSame(code, dims[0], columns) && isSame(code, dims[1], rows);

const hasBias = ({ attributes }: InstanceValue): boolean => attributes.get('bias')?.kind === 'tensor';

function sizesOf({ class: { qualifiedName }, attributes }: InstanceValue): Sizes | undefined {
  const of = (name: string) => {
    const value = attributes.get(name);
    return value === undefined ? undefined : dimOf(value);
  };
  const [rows, columns] =
    qualifiedName === 'torch.nn.Linear'
      ? [of('out_features'), of('in_features')]
      : qualifiedName === 'torch.nn.Embedding'
        ? [of('num_embeddings'), of('embedding_dim')]
        : [];
  return rows === undefined || columns === undefined ? undefined : [rows, columns];
}

/** Where the layer gets its weight. */
function assignmentOf({ file }: CodeReading, name: string): Range | undefined {
  const { text } = file.module;
  const found = new RegExp(`\\S*\\b${name}\\.weight\\s*=(?!=)[^\\n#]*`).exec(text);
  return found === null ? undefined : range(found.index, found.index + found[0].trimEnd().length);
}
