import { aliasesOf } from '../../design/families.ts';
import { isFirstOfMapping } from '../positions/rope.ts';
import { defineRule } from '../rule.ts';
import { mentionedKeys } from './mentionedKeys.generated.ts';

export const ignoredKey = defineRule({
  code: 'HW802',
  name: 'ignored-key',
  category: 'file',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'A size is written under a name that other families read and this one does not.',
    why: 'Families call the same size by different names: n_layer, num_layers, num_hidden_layers. A class takes its own name and keeps any other as an attribute that its code never asks for, so the default is built instead. KV heads given to a family that has none are dropped in the same way.',
    bad: [
      { language: 'json', code: '{"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layers": 24}' },
      { language: 'json', code: '{"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 24, "num_key_value_heads": 4}' },
    ],
    good: [
      { language: 'json', code: '{"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 24}' },
      { language: 'json', code: '{"model_type": "gpt2", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 24}' },
    ],
    fixSafety: 'Unsafe: renaming the key makes its value count, which changes the model that is built.',
    references: ['https://github.com/huggingface/transformers/tree/main/src/transformers/models'],
  },
  messages: {
    other: '{class} does not read {key}: it takes {own}, which is {value} by default.',
    shadowed: '{class} does not read {key} {written}: it takes {own}, which is {value}.',
    keyValueHeads: '{class} does not read {key}: each of its {heads} query heads has a key and a value of its own.',
    headDim: '{class} does not read {key}: its heads have {headDim} features each, width / heads.',
  },
  checkDesign(design, { reading, report }) {
    const { knowledge, section, fields } = design;
    if (knowledge === undefined || design.custom || !isFirstOfMapping(design, reading)) return;
    const { keys } = knowledge;
    // Composite types hand keys on to their parts, and two stacks in one mapping share some.
    if (keys.hiddenSize === undefined || keys.queryHeads === undefined || Object.keys(knowledge.subConfigs).length > 0) return;
    if (keys['encoder.layers'] !== undefined || keys['decoder.layers'] !== undefined) return;
    for (const [key, { concept, in: mentioned }] of Object.entries(mentionedKeys)) {
      const entry = section.entry(key);
      const value = section.number(key);
      if (entry === undefined || value === undefined || entry.merged === true) continue;
      if (knowledge.fields.has(key) || key in knowledge.aliases || mentioned.split(' ').includes(knowledge.modelType)) continue;
      const own = keys[concept];
      if (own === undefined) {
        if (concept === 'keyValueHeads' && fields.queryHeads !== undefined && fields.queryHeads.value !== value)
          report({
            at: entry.keyRange,
            message: 'keyValueHeads',
            data: { class: knowledge.className, key, heads: fields.queryHeads.value },
            related: [{ range: fields.queryHeads.keyRange, message: `The ${fields.queryHeads.value} query heads are set here.` }],
            tags: ['unnecessary'],
          });
        const { hiddenSize, queryHeads } = fields;
        if (concept === 'headDim' && hiddenSize !== undefined && queryHeads !== undefined) {
          const headDim = hiddenSize.value / queryHeads.value;
          if (Number.isInteger(headDim) && headDim !== value)
            report({
              at: entry.keyRange,
              message: 'headDim',
              data: { class: knowledge.className, key, headDim },
              related: [{ range: queryHeads.keyRange, message: `The ${queryHeads.value} heads are set here.` }],
              tags: ['unnecessary'],
            });
        }
        continue;
      }
      const names = [own, ...aliasesOf(knowledge, own)];
      const written = names.find((name) => section.lookup(name).state === 'value');
      if (written !== undefined) {
        const real = section.number(written);
        if (real === undefined || real === value) continue;
        report({
          at: entry.keyRange,
          message: 'shadowed',
          data: { class: knowledge.className, key, written: value, own: written, value: real },
          severity: 'information',
          related: [{ range: section.entry(written)?.keyRange, message: `${written} is ${real} here.` }],
          tags: ['unnecessary'],
        });
        continue;
      }
      const byDefault = knowledge.fields.get(own);
      if (typeof byDefault !== 'number' || byDefault === value || names.some((name) => section.has(name))) continue;
      report({
        at: entry.keyRange,
        message: 'other',
        data: { class: knowledge.className, key, own, value: byDefault },
        fixes: [{ title: `Rename to ${own}`, safe: false, edits: [{ range: entry.keyRange, newText: own }] }],
      });
    }
  },
});
