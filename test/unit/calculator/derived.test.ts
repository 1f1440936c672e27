import assert from 'node:assert/strict';
import { Settings } from '../../../src/calculator/architectures/settings.ts';
import { NotModelled, Scope, Sheet } from '../../../src/calculator/architectures/sheet.ts';
import { layOutDerived } from '../../../src/calculator/derived/evaluate.ts';
import type { Leaf } from '../../../src/calculator/derived/record.ts';
import { NodeReader, NodeWriter } from '../../../src/calculator/derived/text.ts';
import { familyOf } from '../../../src/design/families.ts';
import { readDesign } from '../../../src/design/read.ts';
import { parseConfig } from '../../../src/syntax/read.ts';

const leaf: Leaf = {
  given: [],
  zero: ['first_k_dense_replace'],
  types: {},
  defaults: { mlp_layer_types: ['dense', 'sparse', 'sparse'] },
  fixed: [],
  premises: [
    ['is', 'tie_word_embeddings', false],
    ['>', 'num_attention_heads', '0'],
  ],
  node: [
    { m: 'embed', n: [{ t: ['weight', ['vocab_size', 'hidden_size']] }] },
    {
      m: 'layers',
      n: [
        {
          count: 'num_hidden_layers',
          offset: 0,
          v: [
            { w: [['<', 'i0', 'first_k_dense_replace']], n: [{ m: 'mlp', n: [{ t: ['weight', ['4 * hidden_size', 'hidden_size']] }] }] },
            {
              w: [['>=', 'i0', 'first_k_dense_replace']],
              n: [
                {
                  m: 'experts',
                  n: [
                    {
                      count: 'n_routed_experts',
                      offset: 0,
                      prefix: 'expert_',
                      v: [{ w: [], n: [{ t: ['weight', ['moe_intermediate_size', 'hidden_size']] }] }],
                    },
                  ],
                },
              ],
            },
          ],
        },
      ],
    },
    { m: 'head', n: [{ t: ['weight', ['vocab_size', 'hidden_size'], 1] }] },
  ],
};

const config = {
  model_type: 'deepseek_v3',
  vocab_size: 100,
  hidden_size: 8,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  first_k_dense_replace: 1,
  n_routed_experts: 2,
  moe_intermediate_size: 16,
  tie_word_embeddings: false,
};

function sheetOf(leaves: readonly Leaf[], values: object) {
  const reading = readDesign(parseConfig(JSON.stringify(values), { path: 'config.json' }));
  const family = familyOf('deepseek_v3');
  assert.ok(reading !== undefined && family !== undefined);
  const sheet = new Sheet();
  layOutDerived(leaves, new Scope(sheet), new Settings(reading.root, family));
  return sheet.list();
}

describe('layouts derived from code', () => {
  it('work out every size, round by round', () => {
    const tensors = sheetOf([leaf], config);
    assert.deepEqual(
      tensors.map(({ name, count, shapes, own }) => [name, count, shapes, own]),
      [
        ['embed.weight', 1, [[100, 8]], 800n],
        ['layers.{i}.mlp.weight', 1, [[32, 8]], 256n],
        ['layers.{i}.experts.expert_0.weight', 2, [[16, 8]], 256n],
        ['layers.{i}.experts.expert_1.weight', 2, [[16, 8]], 256n],
        ['head.weight', 1, [[100, 8]], 0n],
      ],
    );
  });

  it('follow the settings', () => {
    const tensors = sheetOf([leaf], { ...config, first_k_dense_replace: 0, num_hidden_layers: 5, n_routed_experts: 1 });
    assert.deepEqual(
      tensors.map(({ name, count }) => [name, count]),
      [
        ['embed.weight', 1],
        ['layers.{i}.experts.expert_0.weight', 5],
        ['head.weight', 1],
      ],
    );
  });

  it('say nothing where a premise does not hold', () => {
    assert.throws(() => sheetOf([leaf], { ...config, tie_word_embeddings: true }), new NotModelled('tie_word_embeddings is not false.'));
  });

  it('say nothing where a size may not be 0', () => {
    assert.throws(() => sheetOf([leaf], { ...config, hidden_size: 0 }), NotModelled);
  });

  it('take the first that holds', () => {
    const other: Leaf = { ...leaf, premises: [['is', 'tie_word_embeddings', true]], node: [{ t: ['other', ['hidden_size']] }] };
    assert.deepEqual(
      sheetOf([leaf, other], { ...config, tie_word_embeddings: true }).map(({ name }) => name),
      ['other'],
    );
  });

  it('are the same after they were written as text', () => {
    const writer = new NodeWriter();
    const text = writer.leaf(leaf);
    assert.deepEqual(new NodeReader(writer.lines, writer.premises).leaf(text), leaf);
    assert.equal(writer.leaf(leaf), text);
  });
});
