import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { normPlacementRefactorings, type Refactoring } from '../../../../src/features/refactor/normPlacement.ts';
import type { PythonParser } from '../../../../src/syntax/python/parse.ts';
import { applyEdits } from '../../../../src/text/edit.ts';
import { pythonParser } from '../../python/parser.ts';

const folder = join(process.cwd(), 'test', 'unit', 'features', 'refactor');
const read = (kind: 'models' | 'converted', name: string): string => readFileSync(join(folder, kind, `${name}.py`), 'utf8');

/** The block class of each model. That the converted models compute what post-norm is, is shown in PyTorch by prove.py. */
const blocks = { inline: 'Block', saved: 'TransformerBlock', configured: 'Layer' } as const;

let parser: PythonParser;
before(async () => {
  parser = await pythonParser();
});

const offered = (text: string, block: string): readonly Refactoring[] =>
  normPlacementRefactorings(parser.parse(text), text.indexOf(`class ${block}(`) + 8);

function converted(text: string, block: string, title: string): string {
  const [only, ...others] = offered(text, block);
  assert.ok(only !== undefined && others.length === 0);
  assert.equal(only.title, title);
  return applyEdits(text, only.edits);
}

describe('converting a block between pre-norm and post-norm', () => {
  for (const [name, block] of Object.entries(blocks)) {
    it(`moves the norms of ${name}.py behind the sums and takes the final norm out`, () => {
      assert.equal(converted(read('models', name), block, 'Convert this block to post-norm'), read('converted', name));
    });

    it(`gives ${name}.py back when it is converted back`, () => {
      assert.equal(converted(read('converted', name), block, 'Convert this block to pre-norm'), read('models', name));
    });
  }

  const without = (name: keyof typeof blocks, from: string, to: string): readonly Refactoring[] => {
    const text = read('models', name);
    assert.ok(text.includes(from));
    return offered(text.replace(from, to), blocks[name]);
  };

  it('is not offered where sublayers differ', () => {
    assert.deepEqual(without('inline', 'x + self.mlp(self.norm2(x))', 'self.norm2(x + self.mlp(x))'), []);
  });

  it('is not offered where a norm is read in another way', () => {
    assert.deepEqual(without('inline', 'x + self.mlp(self.norm2(x))', 'x + self.mlp(self.norm2(x) * 2 + x)'), []);
    assert.deepEqual(without('saved', 'x = self.feed_forward(x)', 'x = self.feed_forward(x + self.norm1(x))'), []);
  });

  it('is not offered where the stack cannot be read', () => {
    assert.deepEqual(without('inline', 'x = block(x)', 'x = block(x)\n            x = x * 2'), []);
    assert.deepEqual(without('inline', 'return self.head(x)', 'return self.head(self.norm(x))'), []);
  });

  it('is not offered outside of a block', () => {
    assert.deepEqual(offered(read('models', 'inline'), 'Attention'), []);
    assert.deepEqual(offered(read('models', 'inline'), 'Model'), []);
  });
});
