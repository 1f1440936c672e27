// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are YAML and shell
import assert from 'node:assert/strict';
import type { ConfigNode, ParsedConfig } from '../../../src/syntax/node.ts';
import { decodeBytes, maximumLength, parseConfig } from '../../../src/syntax/read.ts';
import { assertSound, plain } from './tree.ts';

/** Generous for a loaded machine; each takes a small part of it. */
const limit = 3000;

function bounded(text: string, path: string): ParsedConfig {
  const start = performance.now();
  const parsed = parseConfig(text, { path });
  const took = performance.now() - start;
  assert.ok(took < limit, `${path} took ${took.toFixed(0)} ms`);
  assertSound(parsed);
  assert.ok(size(parsed.root) <= text.length + 20_000, 'the tree is larger than the text allows');
  return parsed;
}

/** Nodes as a walk meets them, shared ones again at every place. */
function size(node: ConfigNode | undefined): number {
  if (node === undefined || node.kind === 'scalar') return 1;
  let sum = 1;
  for (const child of node.kind === 'mapping' ? node.entries : node.items) sum += size('key' in child ? child.value : child);
  return sum;
}

describe('bad input', function () {
  this.timeout(60_000);
  const deep = 100_000;
  /** For openers that no reader nests: their repetition is only long. */
  const long = 20_000;
  const files = ['a.json', 'a.yaml', 'a.toml', 'a.sh', 'a.gin'];

  it('survives 100,000 levels, closed and open, in every format', () => {
    for (const path of files) {
      for (const [open, close] of [
        ['[', ']'],
        ['{"a":', '}'],
        ['(', ')'],
        ['{a: ', '}'],
        ['$(', ')'],
        ['"${A:-', '}"'],
        ['- ', ''],
        ['? ', ''],
        ['a.', ''],
        ['a: ', ''],
        ['!x ', ''],
        ['&a ', ''],
        ['if ', ''],
        ['((', '))'],
        ['`', ''],
      ] as const) {
        for (const head of ['', path === 'a.yaml' ? 'x: ' : path === 'a.sh' ? 'x=' : 'x = ']) {
          const count = close === '' || /[(`$!]/.test(open) ? long : deep;
          bounded(head + open.repeat(count), path);
          bounded(`${head + open.repeat(count)}1${close.repeat(count)}`, path);
        }
      }
    }
  });

  it('survives deep indentation', () => {
    const lines = (count: number): string => Array.from({ length: count }, (_, i) => `${' '.repeat(i)}k:\n`).join('');
    bounded(lines(2000), 'a.yaml');
    bounded(lines(2000).replaceAll('k:', '- -'), 'a.yaml');
  });

  it('survives alias bombs and cyclic anchors', () => {
    const names = 'abcdefghijklmnop';
    let bomb = 'a: &a [x, x, x, x, x, x, x, x, x]\n';
    for (let i = 1; i < names.length; i++) bomb += `${names[i]}: &${names[i]} [${`*${names[i - 1]}, `.repeat(9)}]\n`;
    const parsed = bounded(bomb, 'a.yaml');
    assert.deepEqual((plain(parsed.root) as Record<string, unknown>).b, Array(9).fill(Array(9).fill('x')));
    bounded(bomb.replaceAll('[', '{<<: [').replaceAll(']', ']}'), 'a.yaml');
    bounded(`${'a: &a {x: *a}\nb: &b [*a, *b]\n'.repeat(500)}`, 'a.yaml');
    bounded(`b0: &b0 [x]\n${Array.from({ length: 3000 }, (_, i) => `b${i + 1}: &b${i + 1} [*b${i}]\n`).join('')}`, 'a.yaml');
    bounded(`a: &a {x: 1}\n${'b: *a\n'.repeat(50_000)}`, 'a.yaml');
    const wide = Array.from({ length: 5000 }, (_, i) => `  k${i}: 1\n`).join('');
    bounded(`a: &a\n${wide}b:\n  <<: [${'*a, '.repeat(5000)}]\n`, 'a.yaml');
  });

  it('survives interpolation bombs and chains', () => {
    let bomb = 'a0: x\n';
    let mappings = 'a0: {x: 1}\n';
    for (let i = 1; i < 60; i++) {
      bomb += `a${i}: \${a${i - 1}}\${a${i - 1}}\n`;
      mappings += `a${i}: {p: "\${a${i - 1}}", q: "\${a${i - 1}}"}\n`;
    }
    bounded(bomb, 'a.yaml');
    bounded(mappings, 'a.yaml');
    bounded(`a0: 1\n${Array.from({ length: 5000 }, (_, i) => `a${i + 1}: \${a${i}}\n`).join('')}`, 'a.yaml');
    bounded(`${Array.from({ length: 5000 }, (_, i) => `a${i}: \${a${i + 1}}\n`).join('')}`, 'a.yaml');
    bounded(`a: "${'${'.repeat(deep)}"`, 'a.yaml');
    bounded(`a: "${'${a.b}'.repeat(deep)}"`, 'a.yaml');
    bounded(`a: "\${${'.'.repeat(deep)}}"`, 'a.yaml');
    for (const count of [40, 400, deep]) bounded(`a: "${'${multiply:1,'.repeat(count)}2${'}'.repeat(count)}"`, 'a.yaml');
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'valueOf']) {
      const parsed = bounded(`a: \${${name}:1,2}\nb: \${${name}}\n${name}: 1\nc: \${${name}.x}`, 'a.yaml');
      assert.equal(parsed.problems.length, 0);
      assert.equal((plain(parsed.root) as Record<string, unknown>).b, 1);
    }
    bounded(`A=1\n${'A="$A$A"\n'.repeat(100)}run --a $A`, 'a.sh');
    bounded(`A=1\n${'A="$A $A"\n'.repeat(100)}run --a $A`, 'a.sh');
    bounded(`${'if x; then A=$A; fi\n'.repeat(3000)}run --a $A`, 'a.sh');
    bounded(`${'A+=(--x $A)\n'.repeat(3000)}run \${A[@]}`, 'a.sh');
    bounded(Array.from({ length: 3000 }, (_, i) => `A${i} = [%A${i + 1}, %A${i + 1}]\n`).join(''), 'a.gin');
  });

  it('survives long runs of one character or word', () => {
    for (const unit of [
      '"',
      "'",
      ',',
      ':',
      '\n',
      '#',
      '\\',
      '\\\n',
      '$',
      '${',
      '{{',
      '<<E\n',
      '= ',
      'a',
      '0',
      '-',
      '- - ',
      '\t',
      '*a ',
      '[]\n',
      '"a\n',
      "'''",
      '"""',
      'a = "\n',
      'a: "\n',
      ': \n',
      'a:\n',
      '%',
      '@',
      '--a ',
      '\u0000',
      '\uFEFF',
      '\uD800',
      '|\n',
      ' ',
    ]) {
      for (const path of files) bounded(unit.repeat(Math.floor(20_000 / unit.length)), path);
    }
  });

  it('reads large files of ordinary shape', () => {
    const count = 20_000;
    const lines = (line: (i: number) => string): string => Array.from({ length: count }, (_, i) => line(i)).join('');
    assert.equal(bounded(`{${lines((i) => `"k${i}": ${i},\n`)}}`, 'a.json').problems.length, 0);
    assert.equal(
      bounded(
        lines((i) => `k${i}: ${i} # c\n`),
        'a.yaml',
      ).problems.length,
      0,
    );
    assert.equal(
      bounded(
        lines((i) => `k${i} = ${i}\n`),
        'a.toml',
      ).problems.length,
      0,
    );
    assert.equal(
      bounded(
        lines((i) => `k${i % 7}.p${i} = ${i}\n`),
        'a.gin',
      ).problems.length,
      0,
    );
    assert.equal(
      bounded(
        lines((i) => `A${i}=${i}\nrun --k${i} $A${i}\n`),
        'a.sh',
      ).problems.length,
      0,
    );
    bounded(`${lines((i) => `k${i} = ${i}\n`)}broken = `, 'a.toml');
  });

  it('reads NaN, infinities, duplicates and line ends of any kind', () => {
    assert.deepEqual(plain(bounded('{"a": NaN, "b": 1e999, "a": -Infinity}', 'a.json').root), {
      a: Number.NEGATIVE_INFINITY,
      b: Number.POSITIVE_INFINITY,
    });
    assert.deepEqual(plain(bounded('{\r\n"a": 1,\r"b": 2\r\n}', 'a.json').root), { a: 1, b: 2 });
    for (const [path, text] of [
      ['a.yaml', 'a: 1\r\nb:\r\n  c: "x"\r\n'],
      ['a.toml', 'a = 1\r\n[b]\r\nc = "x"\r\n'],
      ['a.gin', 'a = 1\r\nb:\r\n  c = "x"\r\n'],
    ] as const) {
      assert.deepEqual(plain(bounded(text, path).root), { a: 1, b: { c: 'x' } }, path);
    }
    assert.deepEqual(plain(bounded('run --a 1 \\\r\n  --b x\r\n', 'a.sh').root), { a: 1, b: 'x' });
  });

  it('refuses binary and large files with a sentence', () => {
    const noise = Uint8Array.from({ length: 65_536 }, (_, i) => (i * 197 + (i >> 3)) & 255);
    assert.ok('unreadable' in decodeBytes(noise));
    const start = performance.now();
    const large = decodeBytes(new Uint8Array(50_000_000).fill(32));
    assert.ok('unreadable' in large && /^The file is too large to be a model config \(50\.0 MB/.test(large.unreadable));
    assert.ok(performance.now() - start < limit);
    assert.equal(parseConfig(' '.repeat(maximumLength + 1), {}).root, undefined);
  });
});
