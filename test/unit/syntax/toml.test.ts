import assert from 'node:assert/strict';
import { parseToml } from '../../../src/syntax/toml.ts';
import { assertSound, plain, problemsOf, written } from './tree.ts';

const reads = (text: string, value: unknown, problems: readonly (readonly [string, string])[] = []): void => {
  const parsed = parseToml(text);
  assertSound(parsed);
  assert.deepEqual(plain(parsed.root), value);
  assert.deepEqual(problemsOf(parsed), problems);
};

describe('TOML reader', () => {
  it('nests tables, dotted keys and arrays of tables', () => {
    reads('a.b.c = 1\na.b.d = 2\n[t.u]\nx = "s"\n[t]\ny = [1, 2]\n[[p]]\nq = 1\n[[p]]\nq = {z = 2}\n[p.s]\nr = 3\n', {
      a: { b: { c: 1, d: 2 } },
      t: { u: { x: 's' }, y: [1, 2] },
      p: [{ q: 1 }, { q: { z: 2 }, s: { r: 3 } }],
    });
  });

  it('reads its numbers, dates and strings', () => {
    reads('a = 0x1F\nb = 1_000\nc = -inf\nd = 1979-05-27\ne = 1e-5\nf = true\ng = """\nx = 1\n"""\n', {
      ...{ a: 31, b: 1000, c: Number.NEGATIVE_INFINITY, d: '1979-05-27', e: 1e-5, f: true, g: 'x = 1\n' },
    });
  });

  it('keeps ranges and comments', () => {
    const parsed = parseToml('\uFEFF# c\r\n[modules.asr.model]\r\n"d_model" = 2048 # width\r\n');
    assertSound(parsed);
    assert.deepEqual(written(parsed, 'modules', 'asr', 'model', 'd_model'), ['d_model', '"d_model" = 2048', '2048']);
    assert.deepEqual(
      parsed.comments.map((comment) => comment.text),
      [' c', ' width'],
    );
    assert.equal(written(parsed, 'modules', 'asr')[0], 'asr');
  });

  it('costs an error only its own statement', () => {
    reads('a = 1\nb = \nc = 3\n', { a: 1, b: undefined, c: 3 }, [['= ', 'Unspecified values are invalid.']]);
    reads('a = [1,\n2\nb = 3\n', { a: undefined, b: 3 }, [['2', 'Unterminated array.']]);
    reads('[t]\nn_lay\nz = "abc\nw = 3\n', { t: { z: undefined, w: 3 } }, [
      ['y', 'Expected equal (=) token.'],
      ['c', 'Unterminated string constant.'],
    ]);
    reads('[t\nx = 1\n[u]\ny = 2\n', { t: { x: 1 }, u: { y: 2 } }, [['t', 'Unterminated table-key.']]);
  });

  it('keeps duplicate keys and tables, which no loader takes', () => {
    const parsed = parseToml('a = 1\na = 2\n[t]\nx = 1\n[t]\ny = 2\n');
    assert.deepEqual(problemsOf(parsed), [
      ['a', 'This key is defined twice.'],
      ['t', 'This table is defined twice.'],
    ]);
    assert.ok(parsed.root?.kind === 'mapping');
    assert.deepEqual(
      parsed.root.entries.map((entry) => [entry.key, plain(entry.value)]),
      [
        ['a', 1],
        ['a', 2],
        ['t', { x: 1, y: 2 }],
      ],
    );
  });

  it('stops at a nesting no config has', () => {
    for (const deep of [`${'['.repeat(500)}1${']'.repeat(500)}`, `${'{a = '.repeat(500)}1${'}'.repeat(500)}`]) {
      const parsed = parseToml(`x = ${deep}\ny = 2\n`);
      assertSound(parsed);
      assert.equal((plain(parsed.root) as Record<string, unknown>).y, 2);
      assert.equal(parsed.problems.length, 1);
    }
    const dotted = parseToml(`${'a.'.repeat(5000)}b = 1\ny = 2\n`);
    assertSound(dotted);
    assert.equal((plain(dotted.root) as Record<string, unknown>).y, 2);
  });
});
