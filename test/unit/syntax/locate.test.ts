import assert from 'node:assert/strict';
import { locate, nodeAt } from '../../../src/syntax/locate.ts';
import { parseConfig } from '../../../src/syntax/read.ts';
import { plain } from './tree.ts';

/** Names of the steps and the kind of place at `|`. */
function at(marked: string, path: string): string {
  const offset = marked.indexOf('|');
  const found = locate(parseConfig(marked.replace('|', ''), { path }).root, offset);
  const steps = found.path.map((step) => (step.kind === 'entry' ? step.entry.key : String(step.index)));
  return `${[...steps].join('.')} ${found.where}`.trim();
}

describe('place of an offset', () => {
  it('tells keys, values and the room between', () => {
    assert.equal(at('{"a": {"b|c": 1}}', 'x.json'), 'a.bc key');
    assert.equal(at('{"a": {"bc": 1|2}}', 'x.json'), 'a.bc value');
    assert.equal(at('{"a": {"bc":| 12}}', 'x.json'), 'a.bc value');
    assert.equal(at('{"a": {"bc": 12, | }}', 'x.json'), 'a between');
    assert.equal(at('{"a": [1, 2|2]}', 'x.json'), 'a.1 value');
    assert.equal(at('{| "a": 1}', 'x.json'), 'between');
    assert.equal(at('model:\n  heads: 3|2\n', 'x.yaml'), 'model.heads value');
    assert.equal(at('[a.b]\nx = 1\n[c]\ny = 2\n[a.d]\nz = 3|\n', 'x.toml'), 'a.d.z value');
    assert.equal(at('run --num-|layers 3', 'x.sh'), 'num-layers key');
    assert.equal(at('n.C:\n  emb = 2|0\n', 'x.gin'), 'n.C.emb value');
  });

  it('finds merged text where it is written', () => {
    const text = 'b: &b {x: 1}\nz:\n  <<: *b\n  y: 2\n';
    assert.equal(at(text.replace('x: 1', 'x: |1'), 'x.yaml'), 'b.x value');
    assert.equal(at(text.replace('y: 2', 'y: |2'), 'x.yaml'), 'z.y value');
  });

  it('has no container without a tree', () => {
    assert.deepEqual(locate(undefined, 0), { path: [], container: undefined, where: 'between' });
  });
});

describe('node at a path', () => {
  it('follows keys and item numbers, of duplicates the last', () => {
    const { root } = parseConfig('{"a": [{"b": 1}, {"b": 2, "b": 3}]}', { path: 'x.json' });
    assert.equal(plain(nodeAt(root, ['a', 1, 'b'])), 3);
    assert.equal(nodeAt(root, ['a', 5]), undefined);
    assert.equal(nodeAt(root, ['a', 0, 'b', 'c']), undefined);
  });
});
