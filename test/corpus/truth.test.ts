import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TransformerDesign } from '../../src/design/design.ts';
import { readDesign } from '../../src/design/read.ts';
import { parseConfig } from '../../src/syntax/read.ts';
import { corpusFiles, findCorpus, readJson } from './corpus.ts';

interface Truth {
  readonly id: string;
  readonly config_slug: string | null;
  readonly quantity: string;
  readonly value: number | Readonly<Record<string, number | null>>;
  readonly exactness: string;
}

/** Published quantity -> what the design says of it. */
const quantities: Readonly<Record<string, (design: TransformerDesign) => number | undefined>> = {
  d_head: ({ fields }) => fields.headDim?.value,
  n_kv_heads: ({ fields }) => fields.keyValueHeads?.value,
  n_layers: ({ fields }) => fields.layers?.value,
  d_model: ({ fields }) => fields.hiddenSize?.value,
  d_ff: ({ fields }) => fields.intermediateSize?.value,
  n_heads: ({ fields }) => fields.queryHeads?.value,
};
const dims: Readonly<Record<string, string>> = { n_layers: 'n_layers', d_model: 'd_model', n_heads: 'n_heads', d_mlp: 'd_ff' };

const corpus = findCorpus();
if (corpus !== undefined) {
  describe('designs against published sizes', () => {
    it('agree wherever truth.json gives the size of a config', () => {
      const designs = new Map<string, TransformerDesign>();
      for (const { slug, text, path } of corpusFiles(corpus)) {
        const design = readDesign(parseConfig(text, { path }))?.designs[0];
        if (design !== undefined) designs.set(slug, design);
      }
      const wrong: string[] = [];
      let right = 0;
      const check = (truth: Truth, quantity: string, expected: number): void => {
        const design = designs.get(truth.config_slug ?? '');
        const actual = design === undefined ? undefined : quantities[quantity]?.(design);
        if (actual === expected) right++;
        else wrong.push(`${truth.id} ${truth.config_slug}: ${quantity} is ${expected}, read ${actual}`);
      };
      for (const truth of (readJson(join(corpus, 'truth.json')) as { readonly entries: readonly Truth[] }).entries) {
        if (truth.config_slug === null) continue;
        if (truth.quantity === 'dims' && typeof truth.value === 'object') {
          for (const [name, quantity] of Object.entries(dims)) {
            const expected = truth.value[name];
            if (typeof expected === 'number') check(truth, quantity, expected);
          }
        } else if (quantities[truth.quantity] !== undefined && typeof truth.value === 'number') check(truth, truth.quantity, truth.value);
      }
      console.log(`      ${right} published sizes right, ${wrong.length} wrong`);
      assert.deepEqual(wrong, []);
      assert.ok(right > 100);
    });
  });
}
