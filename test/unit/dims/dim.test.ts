import assert from 'node:assert/strict';
import {
  add,
  ceilDiv,
  type Dim,
  floorDiv,
  maxSize,
  mod,
  multiply,
  number,
  rigid,
  sameDim,
  subtract,
  unknownDim,
} from '../../../src/dims/dim.ts';
import { compare, divideWhole, Facts, simplify } from '../../../src/dims/facts.ts';
import { formatDim } from '../../../src/dims/format.ts';
import { evaluate, substitute, symbolsOf } from '../../../src/dims/visit.ts';
import { differsForSomeValues } from '../../../src/dims/witness.ts';
import { dim, facts } from './read.ts';

describe('dims', () => {
  it('has one form for one polynomial', () => {
    const same: readonly (readonly [string, string])[] = [
      ['(a + b) * (a - b)', 'a * a - b * b'],
      ['3 * d // 3', 'd'],
      ['(a * b) // b', 'a'],
      ['(a * b + c * b) // b', 'a + c'],
      ['d // h // k', 'd // (h * k)'],
      ['(d * k) // (h * k)', 'd // h'],
      ['(d + 7 * h) % h', 'd % h'],
      ['-(-T // n)', '(T + n - 1) // n'],
      ['-(-T // 3)', '(T + 2) // 3'],
      ['(2 * d + 1) // 2', 'd'],
      ['d // h * h + d % h', 'd'],
      ['T - T % w', 'T // w * w'],
      ['(d % h) % h', 'd % h'],
      ['min(T, T + 1)', 'T'],
      ['max(T, min(T, n))', 'T'],
      ['min(a, min(b, c))', 'min(c, b, a)'],
      ['7 // -2', '-4'],
      ['-7 % 3', '2'],
      ['2 ** 3 ** 2', '512'],
      ['-2 ** 2', '-4'],
    ];
    for (const [left, right] of same) assert.ok(sameDim(dim(left), dim(right)), `${formatDim(dim(left))} and ${formatDim(dim(right))}`);
  });

  it('tells apart symbols of different scope and unknowns', () => {
    assert.ok(sameDim(rigid('d', { scope: 'A' }), rigid('d', { scope: 'A' })));
    assert.ok(!sameDim(rigid('d', { scope: 'A' }), rigid('d', { scope: 'B' })));
    const unknown = unknownDim();
    assert.ok(sameDim(add(unknown, number(1)), add(number(1), unknown)));
    assert.equal(compare(unknown, unknownDim()), 'unknown');
    assert.equal(compare(unknown, add(unknown, number(1))), 'unknown');
    assert.equal(compare(subtract(unknown, unknown), number(0)), 'equal');
    assert.ok(floorDiv(rigid('d'), number(0)).unknown);
  });

  it('stays within its budget', () => {
    let wide: Dim = number(0);
    for (let i = 0; i < 200; i++) wide = add(wide, rigid(`s${i}`));
    assert.ok(wide.unknown);
    let deep: Dim = rigid('d');
    for (let i = 0; i < 500; i++) deep = mod(add(deep, rigid(`m${i}`)), rigid(`n${i}`));
    assert.ok(deep.unknown && deep.size <= maxSize);
    let power: Dim = rigid('d');
    for (let i = 0; i < 40; i++) power = multiply(power, power);
    assert.ok(power.unknown);
    let large: Dim = number(3);
    for (let i = 0; i < 10; i++) large = multiply(large, large);
    assert.ok(large.unknown);
    assert.ok(number(2 ** 60).unknown && number(0.5).unknown);
  });

  it('evaluates, substitutes and lists symbols', () => {
    const expression = dim('h * (d // h) + min(T, 4) % 3');
    const sizes: Readonly<Record<string, number>> = { d: 13, h: 4, T: 9 };
    assert.equal(
      evaluate(expression, ({ name }) => sizes[name]),
      13,
    );
    assert.equal(
      evaluate(expression, ({ name }) => (name === 'T' ? undefined : sizes[name])),
      undefined,
    );
    assert.deepEqual(new Set(symbolsOf(expression).map(({ name }) => name)), new Set(['d', 'h', 'T']));
    const put = substitute(expression, (atom) => (atom.kind === 'symbol' ? number(sizes[atom.name] ?? 0) : undefined));
    assert.equal(put.constant, 13);
    assert.equal(ceilDiv(number(7), number(2)).constant, 4);
  });
});

describe('comparison', () => {
  const cases: readonly (readonly [string, string, 'equal' | 'different' | 'unknown', ...(readonly string[])])[] = [
    ['h * (d // h)', 'd', 'unknown'],
    ['h * (d // h)', 'd', 'equal', 'd % h == 0'],
    ['(d // h) * h', 'd', 'equal', 'd % h == 0'],
    ['(d // h) * kv * (h // kv)', 'd', 'equal', 'd % h == 0', 'h % kv == 0'],
    ['(d // h) * kv * (h // kv)', 'd', 'unknown', 'd % h == 0'],
    ['(d // h) * (h // kv)', 'd // kv', 'equal', 'd % h == 0', 'h % kv == 0'],
    ['k * (d // k)', 'd', 'equal', 'd % h == 0', 'd % k == 0'],
    ['2 * (d // 2)', 'd', 'unknown'],
    ['2 * (d // 2)', 'd', 'equal', 'd % 2 == 0'],
    ['4 * (d // 4)', 'd', 'equal', 'd % 12 == 0'],
    ['2 * (d // h // 2)', 'd // h', 'equal', 'd % h == 0', '(d // h) % 2 == 0'],
    ['(B * d) // h', 'B * (d // h)', 'equal', 'd % h == 0'],
    ['d // h', 'head_dim', 'equal', 'd // h == head_dim'],
    ['h * head_dim', 'd', 'equal', 'd // h == head_dim', 'd % h == 0'],
    ['h * head_dim', 'd', 'equal', 'd % h == 0', 'd // h == head_dim'],
    ['h * head_dim', 'd', 'unknown', 'd // h == head_dim'],
    ['d // h', 'head_dim', 'equal', 'h * head_dim == d'],
    ['3 * h * head_dim', '2 * d', 'different', 'h * head_dim == d'],
    // `if self.head_dim * self.num_heads != self.embed_dim: raise`, where the head dim was the quotient
    ['h * (d // h)', 'd', 'equal', '(d // h) * h == d'],
    ['q + 2 * kv', 'h * e + 2 * g * e', 'equal', 'q == h * e', 'kv == g * e'],
    ['d', 'd + 1', 'different'],
    ['d', '2 * d', 'different'],
    ['3 * d', 'd', 'different'],
    ['d // 2', 'd', 'different'],
    ['T - T // 2', '(T + 1) // 2', 'equal'],
    ['2 * a', '2 * b + 1', 'different'],
    ['B * (2 * a)', 'B * (2 * b + 1)', 'different'],
    ['a', 'b', 'unknown'],
    ['a', 'b', 'different', 'a >= b + 1'],
    ['a', 'c', 'different', 'a >= b + 1', 'b >= c'],
    ['a', 'b', 'equal', 'a == c', 'c == b'],
    ['d', '768', 'different', 'd == 512'],
    ['d // h', '64', 'equal', 'd == 768', 'h == 12'],
    ['d // h', '2 * e', 'different', 'd == 768', 'h == 12', 'e == 64'],
    ['min(T, block)', 'T', 'equal', 'block >= T'],
    ['min(T, block)', 'T', 'unknown'],
    ['T % w', 'T', 'equal', 'w >= T + 1'],
    // Facts that exclude each other: the code does not run.
    ['d', 'd + 1', 'different', 'd == 5'],
    ['a', '7', 'unknown', 'd == 5', 'd == 6'],
  ];
  for (const [left, right, expected, ...given] of cases) {
    it(`${left} and ${right}: ${expected}${given.length > 0 ? ` where ${given.join(', ')}` : ''}`, () => {
      assert.equal(compare(dim(left), dim(right), facts(...given)), expected);
      assert.equal(compare(dim(right), dim(left), facts(...given)), expected);
    });
  }

  it('simplifies to what people would write', () => {
    const cases: readonly (readonly [string, string, ...(readonly string[])])[] = [
      ['h * (d // h)', 'd', 'd % h == 0'],
      ['(d // h) * kv * (h // kv)', 'd', 'd % h == 0', 'h % kv == 0'],
      ['h * (d // h)', 'h * (d // h)'],
      ['d // h', 'head_dim', 'd // h == head_dim'],
      ['B * T * (d // h)', '64 * B * T', 'd == 768', 'h == 12'],
      ['d // h + e // k', 'd // h + e // k', 'd % h == 0', 'e % k == 0'],
      ['T // n', 'T // 4', 'n == 4'],
      ['d', 'd', 'd == h * e'],
    ];
    for (const [from, to, ...given] of cases) assert.equal(formatDim(simplify(dim(from), facts(...given))), to);
    assert.equal(divideWhole(dim('d'), dim('h')), undefined);
    assert.equal(formatDim(divideWhole(dim('B * d'), dim('h'), facts('d % h == 0')) ?? number(0)), 'B * d // h');
  });

  it('keeps what both branches know', () => {
    const shared = facts('d % h == 0');
    const left = shared.assumeEqual(dim('h'), number(12)).assumeEqual(dim('k'), number(3));
    const right = shared.assumeEqual(dim('h'), number(12)).assumeEqual(dim('k'), number(4));
    const joined = left.join(right);
    assert.equal(compare(dim('h'), number(12), joined), 'equal');
    assert.equal(compare(dim('k'), number(3), joined), 'unknown');
    assert.equal(compare(dim('h * (d // h)'), dim('d'), joined), 'equal');
    const dead = shared.assumeEqual(dim('h'), dim('h + 1'));
    assert.ok(dead.contradictory);
    assert.equal(dead.join(left), left);
    assert.equal(left.join(dead), left);
  });

  it('learns the same from facts in any order and in steps', () => {
    const list = ['d % h == 0', 'd // h == e', 'h % kv == 0', 'q == h * e', 'B >= 2'];
    const forwards = list.reduce((known, text) => known.assume(facts(text).statements), Facts.none);
    const backwards = [...list].reverse().reduce((known, text) => {
      const next = known.assume(facts(text).statements);
      assert.equal(next.contradictory, false);
      return next;
    }, Facts.none);
    for (const known of [forwards, backwards, facts(...list)]) {
      assert.equal(compare(dim('q'), dim('d'), known), 'equal');
      assert.equal(compare(dim('kv * (h // kv) * e'), dim('q'), known), 'equal');
      assert.equal(compare(dim('B * d'), dim('q'), known), 'different');
    }
  });

  it('finds values that would tell two sizes apart', () => {
    const witness = differsForSomeValues(dim('h * (d // h)'), dim('d'));
    assert.ok(witness !== undefined && witness.left !== witness.right);
    assert.equal(differsForSomeValues(dim('h * (d // h)'), dim('d'), facts('d % h == 0')), undefined);
    assert.notEqual(differsForSomeValues(dim('a'), dim('b'), facts('a % c == 0')), undefined);
  });
});
