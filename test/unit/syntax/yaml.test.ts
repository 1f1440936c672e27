// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are YAML and shell
import assert from 'node:assert/strict';
import { parseYaml } from '../../../src/syntax/yaml.ts';
import { assertSound, entryAt, plain, problemsOf, unknown, written } from './tree.ts';

const reads = (text: string, value: unknown, problems: readonly (readonly [string, string])[] = []): void => {
  const parsed = parseYaml(text);
  assertSound(parsed);
  assert.deepEqual(plain(parsed.root), value);
  assert.deepEqual(problemsOf(parsed), problems);
};

describe('YAML reader', () => {
  it('keeps the ranges of keys, entries and values', () => {
    const parsed = parseYaml('model:\r\n  "n_heads": 32 # heads\r\n  attn:\r\n    - {impl: flash}\r\n    - b\r\n');
    assertSound(parsed);
    assert.deepEqual(written(parsed, 'model', 'n_heads'), ['n_heads', '"n_heads": 32', '32']);
    assert.deepEqual(written(parsed, 'model', 'attn')[2], '- {impl: flash}\r\n    - b');
    assert.deepEqual(
      parsed.comments.map((comment) => comment.text),
      [' heads'],
    );
  });

  // Expectations: PyYAML 6.0.3 `yaml.safe_load`, but for the last two lines.
  it('reads scalars as PyYAML does, and the numbers that it misses', () => {
    reads(
      'a: 1_000\nb: 010\nc: 0x1F\nd: .inf\ne: -.Inf\nf: yes\ng: Off\nh: True\ni: ~\nj: Null\nk: 1:30\nl: 1.5e+3\nm: 08\nn: 0b11\no: .5\np: +7\n',
      {
        ...{ a: 1000, b: 8, c: 31, d: Number.POSITIVE_INFINITY, e: Number.NEGATIVE_INFINITY, f: true, g: false, h: true, i: null, j: null },
        ...{ k: 90, l: 1500, m: '08', n: 3, o: 0.5, p: 7 },
      },
    );
    reads('nan: .nan', { nan: Number.NaN });
    reads('eps: 1e-05\noctal: 0o17', { eps: 1e-5, octal: 15 });
  });

  it('keeps the spelling of a number that PyYAML takes for a string', () => {
    const { value } = entryAt(parseYaml('eps: 1e-05'), 'eps');
    assert.ok(value?.kind === 'scalar');
    assert.deepEqual([value.value, value.raw, value.quoted], [1e-5, '1e-05', false]);
  });

  it('keeps an empty value as null at the end of its key', () => {
    const parsed = parseYaml('a:\nb: 1');
    assert.deepEqual(entryAt(parsed, 'a').value, { kind: 'scalar', range: { start: 2, end: 2 }, value: null, raw: '', quoted: false });
  });

  it('tells strings from plain scalars', () => {
    const parsed = parseYaml('a: "12"\nb: 12\nc: !!str 12\nd: \'12\'\ne: !!int "12"');
    const scalars = ['a', 'b', 'c', 'd', 'e'].map((key) => entryAt(parsed, key).value);
    assert.deepEqual(
      scalars.map((value) => value?.kind === 'scalar' && [value.value, value.quoted]),
      [
        ['12', true],
        [12, false],
        ['12', true],
        ['12', true],
        [12, false],
      ],
    );
  });

  it('reads block and folded text', () => {
    reads('a: |\n  x\n  y\nb: >-\n  x\n  y\nc: x\n  y\nd: "x\n  y"\n', { a: 'x\ny\n', b: 'x y', c: 'x y', d: 'x y' });
  });

  it('reads JSON with comments and trailing commas', () => {
    const text = '# GPT-NeoX\n{\n  "num_layers": 16, # layers\n\n  "optimizer": {"betas": [0.9, 0.95,]},\n}\n';
    reads(text, { num_layers: 16, optimizer: { betas: [0.9, 0.95] } });
    assert.deepEqual(written(parseYaml(text), 'num_layers'), ['num_layers', '"num_layers": 16', '16']);
  });

  // Expectations: PyYAML 6.0.3 `yaml.safe_load`; the specification wants deeper indentation.
  it('reads brackets that go on at any indentation', () => {
    reads('m:\n  l: [\n  1, # one\n  2]\n  b: 1', { m: { l: [1, 2], b: 1 } });
    reads('m:\n  l: [\n1,\n"x: y"\n]\n  b: 1', { m: { l: [1, 'x: y'], b: 1 } });
    reads('a: {\nx: 1,\ny: [2,\n3]\n}\nb: 1', { a: { x: 1, y: [2, 3] }, b: 1 });
    assert.deepEqual(
      parseYaml('m:\n  l: [\n  1, # one\n  2] # two').comments.map((comment) => comment.text),
      [' one', ' two'],
    );
  });

  it('takes the first document that is a mapping', () => {
    reads('--- 1\n---\na: 1\n...\n---\nb: 2\n', { a: 1 });
    reads('%YAML 1.1\n---\n# c\na: 1\n', { a: 1 });
    reads('- a\n- b\n', ['a', 'b']);
    reads('# nothing\n', undefined);
  });

  it('reads tags, and takes a value that only its program knows for unknown', () => {
    reads('a: !!python/tuple [1, 2]\nb: !ENV ${X}\nc: !CHANGETHIS\nd: !!python/none\ne: !custom {f: 1}\ng: !!float 1', {
      ...{ a: [1, 2], b: unknown('${X}'), c: null, d: null, e: { f: 1 }, g: 1 },
    });
  });

  it('resolves aliases and merges, the own keys first', () => {
    const text = 'base: &b {x: 1, y: 2}\ncopy: *b\nz:\n  y: 3\n  <<: *b\nw: {<<: [*b, {x: 5, v: 6}], q: 7}\n';
    reads(text, { base: { x: 1, y: 2 }, copy: { x: 1, y: 2 }, z: { x: 1, y: 3 }, w: { x: 1, y: 2, v: 6, q: 7 } });
    const parsed = parseYaml(text);
    assert.deepEqual([entryAt(parsed, 'z', 'x').merged, entryAt(parsed, 'z', 'y').merged], [true, undefined]);
    assert.equal(written(parsed, 'z', 'x')[1], 'x: 1');
    const scalar = parseYaml('a: &n 32\nb: *n');
    const { value } = entryAt(scalar, 'b');
    assert.ok(value?.kind === 'scalar' && value.origin);
    assert.deepEqual([value.value, value.raw, scalar.text.slice(value.origin.start, value.origin.end)], [32, '*n', '32']);
  });

  it('leaves aliases without an anchor and cyclic ones unknown', () => {
    reads('a: &a [*a, *b]\nb: 2\n', { a: [unknown('*a'), unknown('*b')], b: 2 }, [
      ['*a', 'The alias lies inside its own anchor.'],
      ['*b', 'No anchor of this name comes before it.'],
    ]);
  });

  it('keeps duplicate keys', () => {
    const { root } = parseYaml('a: 1\nb: 2\na: 3\n');
    assert.ok(root?.kind === 'mapping');
    assert.deepEqual(
      root.entries.map((entry) => entry.key),
      ['a', 'b', 'a'],
    );
  });

  it('reads on after what is still to be typed', () => {
    reads('a: 1\nnum_att\nnum: 32\n', { a: 1, num_att: undefined, num: 32 }, [['num_att', 'Expected a colon after this key.']]);
    reads('a: 1\nb:2\nc: 3\n', { a: 1, b: undefined, c: 3 }, [['b:2', 'Expected a space after the colon.']]);
    reads('a: 1\nnum_att', { a: 1, num_att: undefined }, [['num_att', 'Expected a colon after this key.']]);
    reads('a: [0.9, 0.95\nlr: 1\n', { a: [0.9, 0.95], lr: 1 }, [['[', 'This `[` is not closed.']]);
    reads('a: {x: 1\nlr: 1\n', { a: { x: 1 }, lr: 1 }, [['{', 'This `{` is not closed.']]);
    reads('a: "x\nb: 2\nc: 3\n', { a: 'x', b: 2, c: 3 }, [['"x', 'The quoted string is not closed.']]);
    reads('m:\n  a: "x\n  b: 2\nc: "y"\n', { m: { a: 'x', b: 2 }, c: 'y' }, [['"x', 'The quoted string is not closed.']]);
    reads('b: {x: 1 y: 2}\nc: 3', { b: { x: 1, y: 2 }, c: 3 }, [[' y: 2}', 'Expected a comma.']]);
    reads('{"a": 1\n "b": 2,\n "c": "k" # x\n}', { a: 1, b: 2, c: 'k' }, [['"b"', 'Expected a comma before this property.']]);
    reads('{"a": "x,\n "b": 2,\n "c": "k"}', { a: 'x', b: 2, c: 'k' }, [['"x', 'The string is not closed.']]);
  });

  it('reports indentation that no loader takes', () => {
    reads('a: 1\n  b: 2\nc: 3', { a: 1, b: 2, c: 3 }, [['\n  b', 'The indentation fits no mapping above.']]);
    assert.deepEqual(problemsOf(parseYaml('a:\n\tb: 1\n')), [['\t', 'Tabs cannot indent YAML; use spaces.']]);
    assert.deepEqual(problemsOf(parseYaml('a: b: c\n')), [['b: c', 'A mapping cannot begin on the line of its key.']]);
  });

  it('stops at a nesting no config has', () => {
    for (const text of [
      `a: 1\nb: ${'['.repeat(500)}`,
      `a: 1\nb:\n${Array.from({ length: 500 }, (_, i) => `${' '.repeat(i + 1)}k:\n`).join('')}`,
    ]) {
      const parsed = parseYaml(text);
      assertSound(parsed);
      assert.ok(parsed.problems.some((problem) => problem.message === 'Nested deeper than 200 levels; what follows is not read.'));
      assert.equal((plain(parsed.root) as Record<string, unknown>).a, 1);
    }
  });
});

describe('OmegaConf interpolation', () => {
  it('resolves absolute and relative paths, list items and chains', () => {
    reads('v: {q: 8, l: [1, 2]}\nm:\n  a: ${v.q}\n  b: ${.a}\n  c: ${..v.l[1]}\n  d: ${.e.f}\n  e:\n    f: ${..b}\n    g: ["${.1}", 5]\n', {
      v: { q: 8, l: [1, 2] },
      m: { a: 8, b: 8, c: 2, d: 8, e: { f: 8, g: [5, 5] } },
    });
  });

  it('keeps the type of its target and says where it is written', () => {
    const parsed = parseYaml('variables:\n  max_seq_len: 2048\nmodel:\n  max_seq_len: ${variables.max_seq_len}\n');
    const { value } = entryAt(parsed, 'model', 'max_seq_len');
    assert.ok(value?.kind === 'scalar' && value.origin);
    assert.deepEqual([value.value, value.raw, value.unresolved], [2048, '${variables.max_seq_len}', undefined]);
    assert.equal(parsed.text.slice(value.origin.start, value.origin.end), '2048');
  });

  it('builds strings when all of their parts are in the file', () => {
    reads('a: x\nn: 3\nb: ${a}/${n}/y\nc: ${a}/${gone}\n', { a: 'x', n: 3, b: 'x/3/y', c: unknown('${a}/${gone}') });
  });

  it('computes arithmetic resolvers, and leaves others and what is not in the file unknown', () => {
    reads('h: 8\na: ${oc.env:HOME}\nb: ${multiply:4, ${.h}}\nc: ${no.such}\nd: ${}\ne: \\${h}\n', {
      h: 8,
      a: unknown('${oc.env:HOME}'),
      b: 32,
      c: unknown('${no.such}'),
      d: unknown('${}'),
      e: unknown('\\${h}'),
    });
  });

  it('puts whole mappings and lists in place', () => {
    const text = 'base: {h: 8, d: "${.h}"}\nmodel: ${base}\nx: ${model.d}\n';
    reads(text, { base: { h: 8, d: 8 }, model: { h: 8, d: 8 }, x: 8 });
    assert.equal(entryAt(parseYaml(text), 'model', 'h').merged, true);
  });

  it('ends cycles', () => {
    reads('a: ${b}\nb: ${c}\nc: ${a}\nd: ${d}\ne: {f: "${e}"}\n', {
      a: unknown('${b}'),
      b: unknown('${c}'),
      c: unknown('${a}'),
      d: unknown('${d}'),
      e: { f: unknown('${e}') },
    });
  });
});
