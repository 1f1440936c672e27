import assert from 'node:assert/strict';
import { parseJson } from '../../../src/syntax/json.ts';
import { assertSound, plain, problemsOf, written } from './tree.ts';

const reads = (text: string, value: unknown, problems: readonly (readonly [string, string])[] = []): void => {
  const parsed = parseJson(text);
  assertSound(parsed);
  assert.deepEqual(plain(parsed.root), value);
  assert.deepEqual(problemsOf(parsed), problems);
};

describe('JSON reader', () => {
  it('keeps the ranges of keys, entries and values', () => {
    const parsed = parseJson('{\n  "hidden_size": 4096,\n  "rope_scaling": {"type": "yarn"}\n}');
    assert.deepEqual(written(parsed, 'hidden_size'), ['hidden_size', '"hidden_size": 4096', '4096']);
    assert.deepEqual(written(parsed, 'rope_scaling', 'type'), ['type', '"type": "yarn"', '"yarn"']);
  });

  it('reads comments, trailing commas and the literals of Python', () => {
    reads('// a\n{"a": [NaN, Infinity, -Infinity, -1e-5,], /* b */ "c": null,}', {
      a: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1e-5],
      c: null,
    });
    assert.deepEqual(
      parseJson('// a\n{/* b */}').comments.map((comment) => comment.text),
      [' a', ' b '],
    );
  });

  it('reports a comment that is never closed', () => {
    reads('/*', undefined, [['/*', 'The comment is not closed.']]);
    reads('{"a": 1} /* b', { a: 1 }, [['/*', 'The comment is not closed.']]);
    assert.deepEqual(
      parseJson('/* b').comments.map((comment) => comment.text),
      [' b'],
    );
  });

  it('tells numbers from quoted numbers and keeps numbers beyond the double range', () => {
    const { root } = parseJson('["12", 12, 1e999, -0]');
    assert.ok(root?.kind === 'sequence');
    assert.deepEqual(
      root.items.map((item) => item.kind === 'scalar' && [item.value, item.quoted, item.raw]),
      [
        ['12', true, '"12"'],
        [12, false, '12'],
        [Number.POSITIVE_INFINITY, false, '1e999'],
        [-0, false, '-0'],
      ],
    );
  });

  it('keeps duplicate keys in order', () => {
    const { root } = parseJson('{"a": 1, "b": 2, "a": 3}');
    assert.ok(root?.kind === 'mapping');
    assert.deepEqual(
      root.entries.map((entry) => [entry.key, plain(entry.value)]),
      [
        ['a', 1],
        ['b', 2],
        ['a', 3],
      ],
    );
  });

  it('skips a byte order mark', () => reads('\uFEFF{"a": 1}', { a: 1 }));

  it('decodes escapes in keys and values', () => reads('{"\\u0061": "x\\n\\"y\\""}', { a: 'x\n"y"' }));

  it('reports one problem for text after the end', () => {
    reads('{"a": 1}\n[http]\n\tpostBuffer = 524288000\n{"b": 2}}', { a: 1 }, [['[http]', 'Text after the end of the JSON document.']]);
    reads('{"a": 1}}', { a: 1 }, [['}', 'Text after the end of the JSON document.']]);
  });

  it('goes on after a wrong or missing closing token', () => {
    reads('{"a": [1, 2}', { a: [1, 2] }, [['}', 'Expected `]` before this.']]);
    reads('{"a": {"b": [1, 2}, "c": 3}', { a: { b: [1, 2] }, c: 3 }, [['}', 'Expected `]` before this.']]);
    reads('{"a": 1], "b": 2}', { a: 1, b: 2 }, [[']', 'Nothing is open here that this could close; expected `}`.']]);
    reads(
      '[{"a": 1], [2]',
      [{ a: 1 }],
      [
        [']', 'Expected `}` before this.'],
        [', [2]', 'Text after the end of the JSON document.'],
      ],
    );
  });

  it('asks for the comma where it is missing and nowhere else', () => {
    reads('{"a": 1\n "b": 2}', { a: 1, b: 2 }, [['"b"', 'Expected a comma before this property.']]);
    reads('[[1] [2]]', [[1], [2]], [['[', 'Expected a comma.']]);
    reads('{"a": [1, {"b": 2, "c": [3', { a: [1, { b: 2, c: [3] }] }, [
      ['', 'The document ends before everything that was opened is closed.'],
    ]);
    reads('{"a": 1,, "b": 2}', { a: 1, b: 2 }, [[',', 'Unexpected comma.']]);
  });

  it('reads on after values that are still to be typed', () => {
    reads('{"a": , "b": 2}', { a: undefined, b: 2 }, [['a', 'Expected a value.']]);
    reads('{"a": \n "b": 2}', { a: undefined, b: 2 }, [['a', 'Expected a value.']]);
    reads('{"a": tru, "b": 2}', { a: undefined, b: 2 }, [['tru', 'Not a JSON value.']]);
    reads('{"a": 1e, "b": 1., "c": -, "d": 4}', { a: undefined, b: undefined, c: undefined, d: 4 }, [
      ['1e', 'Not a JSON value.'],
      ['1.', 'Not a JSON value.'],
      ['-', 'Not a JSON value.'],
    ]);
    reads('{"a" 1, "b": 2}', { a: 1, b: 2 }, [['1', 'Expected a colon before this value.']]);
    reads("{a: 1, 'b': 2}", { a: 1, b: 2 }, [
      ['a', 'Expected a property name in double quotes.'],
      ["'b'", 'Expected a property name in double quotes.'],
    ]);
  });

  it('ends an unclosed string with its line', () => {
    reads('{"act": "gelu,\n "b": 2}', { act: 'gelu', b: 2 }, [['"gelu', 'The string is not closed.']]);
    reads('{"a": 1, "hidden: 4,\n "b": 2}', { a: 1, hidden: undefined, b: 2 }, [['"hidden', 'The string is not closed.']]);
  });

  it('says the rest wherever a file is cut', () => {
    const text = '{"layers": 2, "heads": [4, 8], "hidden_size": 40';
    for (let cut = text.indexOf('"hidden'); cut <= text.length; cut++) {
      const parsed = parseJson(`${text.slice(0, cut)}`);
      assertSound(parsed);
      assert.ok(parsed.root?.kind === 'mapping');
      assert.deepEqual(plain(parsed.root.entries[0]?.value), 2);
      assert.deepEqual(plain(parsed.root.entries[1]?.value), [4, 8]);
    }
  });

  it('says the rest wherever one character is missing', () => {
    const lines = ['{', '  "a": 1,', '  "hidden_size": 4096,', '  "act": "gelu",', '  "z": [1, 2]', '}'];
    const text = lines.join('\n');
    for (let at = text.indexOf('"hidden'); at < text.indexOf('  "z"'); at++) {
      const parsed = parseJson(text.slice(0, at) + text.slice(at + 1));
      assertSound(parsed);
      const value = plain(parsed.root) as Record<string, unknown>;
      assert.equal(value.a, 1, `a is lost without offset ${at}`);
      assert.deepEqual(value.z, [1, 2], `z is lost without offset ${at}`);
    }
  });

  it('stops at a nesting no config has', () => {
    const parsed = parseJson(`{"a": ${'['.repeat(300)}${']'.repeat(300)}, "b": 2}`);
    assertSound(parsed);
    assert.equal((plain(parsed.root) as Record<string, unknown>).b, 2);
    assert.deepEqual(
      parsed.problems.map((problem) => problem.message),
      ['Nested deeper than 200 levels; what is inside is not read.'],
    );
  });
});
