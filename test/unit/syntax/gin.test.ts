import assert from 'node:assert/strict';
import { parseGin } from '../../../src/syntax/gin.ts';
import { assertSound, entryAt, plain, problemsOf, unknown, written } from './tree.ts';

const reads = (text: string, value: unknown, problems: readonly (readonly [string, string])[] = []): void => {
  const parsed = parseGin(text);
  assertSound(parsed);
  assert.deepEqual(plain(parsed.root), value);
  assert.deepEqual(problemsOf(parsed), problems);
};

describe('gin reader', () => {
  it('reads blocks, selectors, macros, references and statements', () => {
    reads(
      `# -*-Python-*-
from __gin__ import dynamic_registration
include 't5x/base.gin'  # imports vocab
network.Transformer.config = @network.T5Config()
network.T5Config:
  emb_dim = 2048
  # heads
  num_heads = %HEADS

HEADS = 32
train/utils.f.shape = (1, %HEADS)
network.T5Config.dropout = 1e-1
LENGTHS = {"inputs": 1_024, 'targets': [None, True,
   "a#b"]}
R = %gin.REQUIRED
S = \\
   3
`,
      {
        'network.Transformer': { config: unknown('@network.T5Config()') },
        'network.T5Config': { emb_dim: 2048, num_heads: 32, dropout: 0.1 },
        HEADS: 32,
        'train/utils.f': { shape: [1, 32] },
        LENGTHS: { inputs: 1024, targets: [null, true, 'a#b'] },
        R: unknown('%gin.REQUIRED'),
        S: 3,
      },
    );
  });

  it('keeps ranges, and where a macro got its value', () => {
    const parsed = parseGin('A.b.c = %N # x\r\nD:\r\n  e = "f"\r\nN = 7\r\n');
    assertSound(parsed);
    assert.deepEqual(written(parsed, 'A.b'), ['A.b', 'A.b.c = %N', 'A.b.c = %N']);
    assert.deepEqual(written(parsed, 'A.b', 'c'), ['c', 'c = %N', '%N']);
    assert.deepEqual(written(parsed, 'D', 'e'), ['e', 'e = "f"', '"f"']);
    const { value } = entryAt(parsed, 'A.b', 'c');
    assert.ok(value?.kind === 'scalar' && value.origin);
    assert.deepEqual([value.value, parsed.text.slice(value.origin.start, value.origin.end)], [7, '7']);
    assert.deepEqual(
      parsed.comments.map((comment) => comment.text),
      [' x'],
    );
  });

  it('reads on after what is still to be typed', () => {
    reads(
      'a = \nb = 3\nl = [1, 2\nc = 4\nB.x\nC.y = "foo\nD.z = 1 2\n',
      { a: undefined, b: 3, l: [1, 2], c: 4, B: { x: undefined }, C: { y: 'foo' }, D: { z: 1 } },
      [
        ['a', 'Expected a value.'],
        ['[', 'This is not closed by `]`.'],
        ['B.x', 'Expected `=` and a value after this name.'],
        ['"foo', 'The string is not closed.'],
        [' 2', 'Text after the end of the value.'],
      ],
    );
  });

  it('ends cycles of macros', () => {
    reads('A = %B\nB = %A\nC = %C\n', { A: unknown('%B'), B: unknown('%A'), C: unknown('%C') });
    assertSound(parseGin('A = [%A, %A]\nB = [%A, %B]'));
  });
});
