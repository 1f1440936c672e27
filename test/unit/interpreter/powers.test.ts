import { strict as assert } from 'node:assert';
import { ceilDiv, floorDiv, multiply, number, rigid } from '../../../src/dims/dim.ts';
import { formatDim } from '../../../src/dims/format.ts';
import { float, int, named } from '../../../src/interpreter/make.ts';
import { dividePowers, multiplyPowers, raisePowers, sqrtOf, wholeOf } from '../../../src/interpreter/powers.ts';
import type { FloatValue, Value } from '../../../src/interpreter/value.ts';

const d = int(rigid('d'));
const h = int(rigid('h'));
const factors = ({ powers }: FloatValue): string =>
  powers === undefined
    ? 'none'
    : [powers.coefficient, ...powers.factors.map(({ base, exponent }) => `${formatDim(base)}^${exponent}`)].join(' ');
const whole = (value: Value, rounding: Parameters<typeof wholeOf>[1] = 'zero'): string => {
  const dim = wholeOf(value, rounding);
  return dim === undefined ? 'unknown' : formatDim(dim);
};

describe('powers of sizes', () => {
  it('remembers how a scale was made', () => {
    assert.equal(factors(raisePowers(d, float(-0.5))), '1 d^-0.5');
    assert.equal(factors(dividePowers(int(1), sqrtOf(d))), '1 d^-0.5');
    assert.equal(factors(dividePowers(float(1), raisePowers(d, float(0.5)))), '1 d^-0.5');
    assert.equal(factors(raisePowers(dividePowers(d, h), float(-0.5))), '1 d^-0.5 h^0.5');
    assert.equal(factors(multiplyPowers(raisePowers(d, float(-0.5)), float(2))), '2 d^-0.5');
    assert.equal(factors(sqrtOf(sqrtOf(d))), '1 d^0.25');
    assert.equal(factors(multiplyPowers(sqrtOf(d), sqrtOf(d))), '1 d^1');
    assert.equal(factors(multiplyPowers(sqrtOf(d), raisePowers(d, float(-0.5)))), 'none');
  });

  it('keeps the number and its base where both are known', () => {
    const scale = dividePowers(float(1), sqrtOf(int(64)));
    assert.equal(scale.value, 0.125);
    assert.equal(factors(scale), '1 64^-0.5');
  });

  it('rounds to a whole number only where that is exact', () => {
    assert.equal(whole(multiplyPowers(d, float(4))), '4 * d');
    assert.equal(whole(multiplyPowers(float(0.5), d)), 'd // 2');
    assert.equal(whole(dividePowers(d, h)), 'd // h');
    assert.equal(whole(dividePowers(int(rigid('d')), int(2))), 'd // 2');
    const third = floorDiv(multiply(number(8), d.dim), number(3));
    assert.equal(whole(dividePowers(multiplyPowers(d, float(8)), int(3))), formatDim(third));
    assert.equal(whole(dividePowers(d, h), 'exact'), 'unknown');
    assert.equal(whole(multiplyPowers(d, float(2)), 'exact'), '2 * d');
    assert.equal(whole(multiplyPowers(d, float(0.1))), 'unknown');
    assert.equal(whole(multiplyPowers(d, float(2 / 3))), 'unknown');
    assert.equal(whole(sqrtOf(d)), 'unknown');
    assert.equal(whole(float(-2.5)), '-2');
    assert.equal(whole(float(-2.5), 'down'), '-3');
    assert.equal(whole(float(Infinity)), 'unknown');
    assert.equal(whole(dividePowers(d, int(4)), 'up'), formatDim(ceilDiv(d.dim, number(4))));
    assert.equal(whole(dividePowers(int(number(7)), int(2)), 'up'), '4');
  });

  it('takes a name for a size in a division, under a root and beside a number, not beside another name', () => {
    const width = named('config.hidden_size', 'A');
    assert.equal(whole(dividePowers(width, named('config.num_heads', 'A'))), 'config.hidden_size // config.num_heads');
    assert.equal(factors(raisePowers(width, float(-0.5))), '1 config.hidden_size^-0.5');
    assert.equal(whole(multiplyPowers(float(4), width)), '4 * config.hidden_size');
    assert.equal(factors(multiplyPowers(sqrtOf(d), named('config.multiplier_x', 'A'))), 'none');
    assert.equal(factors(raisePowers(d, named('config.power', 'A'))), 'none');
  });
});
