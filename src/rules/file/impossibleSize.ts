import { notAttention } from '../../design/lexicon.ts';
import { numericString } from '../../design/section.ts';
import { isScalar } from '../../syntax/node.ts';
import { isFirstOfMapping } from '../positions/rope.ts';
import { defineRule } from '../rule.ts';
import { sizeNames } from './sizeNames.ts';

const words: Readonly<Record<string, string>> = {
  hiddenSize: 'width',
  queryHeads: 'number of heads',
  keyValueHeads: 'number of KV heads',
  headDim: 'head dimension',
  layers: 'number of layers',
  intermediateSize: 'FFN width',
  vocabularySize: 'vocabulary',
  maxPositions: 'number of positions',
};

export const impossibleSize = defineRule({
  code: 'HW805',
  name: 'impossible-size',
  category: 'file',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'A size is negative, zero where nothing can be without it, not a whole number, or not a number at all.',
    why: 'Sizes are dimensions of matrices and counts of layers: only positive whole numbers make a tensor. A float fails too when it is written 4096.0, since layers are built from integers.',
    bad: [
      { language: 'json', code: '{"model_type": "llama", "hidden_size": -4096, "num_attention_heads": 32, "num_hidden_layers": 32}' },
      { language: 'json', code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32.0, "num_hidden_layers": 32}' },
      { language: 'json', code: '{"model_type": "llama", "hidden_size": NaN, "num_attention_heads": 32, "num_hidden_layers": 32}' },
    ],
    good: [
      { language: 'json', code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32}' },
      { language: 'json', code: '{"dim": 4096, "n_layers": 32, "n_heads": 32, "vocab_size": -1, "multiple_of": 256, "norm_eps": 1e-05}' },
    ],
    fixSafety: 'Safe where 4096.0 becomes 4096; there is no fix for the others.',
    references: ['https://pytorch.org/docs/stable/generated/torch.nn.Linear.html'],
  },
  messages: {
    negative: 'The {what} cannot be {value}.',
    zero: 'The {what} cannot be 0.',
    fraction: 'The {what} must be a whole number, not {value}.',
    float: 'The {what} {value} is a float; layers are built from whole numbers.',
    notFinite: 'The {what} cannot be {value}.',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading)) return;
    const { section } = design;
    for (const [name, concept] of sizeNames(design)) {
      const entry = section.entry(name);
      const node = entry?.value;
      if (!isScalar(node) || node.unresolved === true || entry?.merged === true) continue;
      const value = typeof node.value === 'string' ? numericString(node.value) : node.value;
      if (typeof value !== 'number') continue;
      const at = node.origin ?? node.range;
      const what = words[concept] ?? name;
      if (!Number.isFinite(value)) {
        // An endless context is how positions without a table are sometimes written.
        if (concept !== 'maxPositions') report({ at, message: 'notFinite', data: { what, value: node.raw } });
        continue;
      }
      // -1 stands for "not set" in many formats, Meta's params.json among them, except for what a model cannot do without.
      const vital = concept === 'hiddenSize' || concept === 'queryHeads' || concept === 'layers';
      if (value < 0) {
        if (vital || value !== -1) report({ at, message: 'negative', data: { what, value: node.raw } });
        continue;
      }
      if (value === 0) {
        const recurrent = notAttention.test(design.family ?? '') || [...section.names].some((other) => notAttention.test(other));
        if (concept === 'hiddenSize' && !recurrent)
          report({ at, message: 'zero', data: { what }, severity: design.knowledge ? 'error' : 'warning' });
        if (concept === 'queryHeads' && !recurrent && design.fields.hiddenSize !== undefined)
          report({ at, message: 'zero', data: { what }, severity: design.knowledge ? 'error' : 'warning' });
        continue;
      }
      if (concept === 'maxPositions' || concept === 'headDim') continue;
      if (!Number.isInteger(value)) {
        // Some formats write a share under a name that is a width elsewhere.
        if (value >= 1 || vital)
          report({ at, message: 'fraction', data: { what, value: node.raw }, severity: design.knowledge ? 'error' : 'warning' });
        continue;
      }
      if (/^-?\d+\.\d*$/.test(node.raw) && (reading.parsed.format === 'json' || reading.parsed.format === 'toml'))
        report({
          at,
          message: 'float',
          data: { what, value: node.raw },
          severity: design.knowledge !== undefined && !design.custom ? 'error' : 'warning',
          fixes: [{ title: `Use ${value}`, safe: true, edits: [{ range: at, newText: String(value) }] }],
        });
    }
  },
});
