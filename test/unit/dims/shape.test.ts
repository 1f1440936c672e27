import assert from 'node:assert/strict';
import { anonymous, number } from '../../../src/dims/dim.ts';
import { formatDim } from '../../../src/dims/format.ts';
import { parseDim } from '../../../src/dims/parse.ts';
import { chunk, flatten, reshape, slice, split, splitSizes, unflatten } from '../../../src/dims/reshape.ts';
import {
  broadcast,
  type Context,
  concatenate,
  formatShape,
  linear,
  matmul,
  openShape,
  permute,
  reduce,
  type Shape,
  type ShapeResult,
  select,
  shapeOf,
  squeeze,
  stack,
  transpose,
  unknownShape,
  unsqueeze,
} from '../../../src/dims/shape.ts';
import { Substitution, unify } from '../../../src/dims/unify.ts';
import { dim, facts } from './read.ts';

/** `B, T, 3 * d`, with `...` for an ellipsis. */
function shape(text: string): Shape {
  if (text === '') return shapeOf();
  const parts = text.split(/,\s*/);
  const at = parts.indexOf('...');
  const read = (list: readonly string[]) => list.map(dim);
  return at < 0 ? shapeOf(...read(parts)) : openShape(read(parts.slice(0, at)), read(parts.slice(at + 1)));
}

const under = (...given: readonly string[]): Context => ({ facts: facts(...given), substitution: Substitution.empty });

function expect(result: ShapeResult, status: string, printed: string, reason?: RegExp): void {
  assert.equal(`${result.status} ${formatShape(result.shape)}`, `${status} ${printed}`, result.reason);
  if (reason !== undefined) assert.match(result.reason ?? '', reason);
}

describe('printing and reading sizes', () => {
  it('prints what people write', () => {
    const texts = [
      'n_embd // n_head',
      '2 * d + 1',
      '3 * n_embd',
      'h * (d // h)',
      'a - b',
      '-d',
      'd ** 2',
      'min(T, block_size)',
      'config.n_embd',
      '(a + b) * 0 + 7',
      'T % w',
      '(d + 1) // 2',
      'd // (h * k)',
      '(n + 1) * (d // (n + 1))',
      'kv * (d // h)',
    ];
    const expected = [...texts];
    expected[9] = '7';
    assert.deepEqual(
      texts.map((text) => formatDim(dim(text))),
      expected,
    );
    assert.equal(formatShape(shape('B, T, 3 * n_embd')), '(B, T, 3 * n_embd)');
    assert.equal(formatShape(shape('T')), '(T,)');
    assert.equal(formatShape(shape('')), '()');
    assert.equal(formatShape(shape('..., T, C')), '(..., T, C)');
    assert.equal(formatShape(unknownShape), '(...)');
  });

  it('says where an expression cannot be read', () => {
    const resolve = (name: string) => (name === 'd' ? dim('d') : undefined);
    const cases: readonly (readonly [string, number, RegExp])[] = [
      ['d + e', 4, /e is not known/],
      ['d +', 3, /missing at the end/],
      ['(d', 2, /parenthesis/],
      ['d d', 2, /not expected/],
      ['d $ 2', 2, /not expected/],
      ['', 0, /missing/],
      [`${'('.repeat(2000)}`, 64, /nested/],
      ['d+'.repeat(1500), 2000, /too long/],
    ];
    for (const [text, offset, message] of cases) {
      const parsed = parseDim(text, resolve);
      assert.ok(!parsed.ok, text);
      assert.match(parsed.message, message);
      assert.equal(parsed.offset, offset, text.slice(0, 20));
    }
  });
});

describe('unification', () => {
  const bindings = (a: string, b: string, ...given: readonly string[]): string => {
    const result = unify(dim(a), dim(b), Substitution.empty, facts(...given));
    return `${result.status} ${result.substitution.bindings.map(({ symbol, value }) => `${symbol.name} := ${formatDim(value)}`).join(', ')}`.trim();
  };

  it('binds flexible symbols', () => {
    assert.equal(bindings('C', 'n_embd'), 'unified C := n_embd');
    assert.equal(bindings('n_embd', 'C'), 'unified C := n_embd');
    assert.equal(bindings('B * T * C', 'B * T * h * e'), 'unified C := e * h');
    assert.equal(bindings('2 * T', '6'), 'unified T := 3');
    assert.equal(bindings('T + 1', 'S'), 'unified S := T + 1');
    assert.equal(bindings('h * (d // h)', 'd', 'd % h == 0'), 'unified');
  });

  it('refuses what can never be', () => {
    assert.equal(bindings('T', 'T + 1'), 'conflict');
    assert.equal(bindings('2 * T', '7'), 'conflict');
    assert.equal(bindings('T', '0'), 'conflict');
    assert.equal(bindings('T + 5', '3'), 'conflict');
    assert.equal(bindings('512', 'd', 'd == 768'), 'conflict');
  });

  it('leaves open what may be', () => {
    assert.equal(bindings('T', 'T * h'), 'unknown');
    assert.equal(bindings('a', 'b'), 'unknown');
    assert.equal(bindings('B * T', 'n'), 'unknown');
    assert.equal(bindings('C', '?'), 'unknown');
  });

  it('binds nameless symbols before named ones, and keeps bindings resolved', () => {
    const axis = anonymous('x.shape[2]');
    const first = unify(dim('C'), axis);
    assert.equal(first.substitution.bindings[0]?.symbol.name, 'x.shape[2]');
    const second = unify(dim('C'), dim('n_embd'), first.substitution);
    assert.equal(formatDim(second.substitution.apply(axis)), 'n_embd');
    const third = unify(axis, number(3), second.substitution, facts('n_embd == 768'));
    assert.equal(third.status, 'conflict');
  });
});

describe('shapes', () => {
  it('follows multi-head attention as nanoGPT writes it', () => {
    const context = under('n_embd % n_head == 0');
    const x = shape('B, T, C');
    const projected = linear(x, dim('n_embd'), dim('3 * n_embd'), context);
    expect(projected, 'ok', '(B, T, 3 * n_embd)');
    const next = { ...context, substitution: projected.substitution };
    assert.equal(formatDim(next.substitution.apply(dim('C'))), 'n_embd');
    const pieces = split(projected.shape, dim('n_embd'), 2, next);
    assert.deepEqual(pieces.shapes?.map(formatShape), ['(B, T, n_embd)', '(B, T, n_embd)', '(B, T, n_embd)']);
    const heads = reshape(shape('B, T, n_embd'), [dim('B'), dim('T'), dim('n_head'), dim('C // n_head')], next);
    expect(heads, 'ok', '(B, T, n_head, n_embd // n_head)');
    const q = transpose(heads.shape, 1, 2, next);
    expect(q, 'ok', '(B, n_head, T, n_embd // n_head)');
    const scores = matmul(q.shape, transpose(q.shape, -2, -1).shape, next);
    expect(scores, 'ok', '(B, n_head, T, T)');
    expect(broadcast(scores.shape, shape('1, 1, T, T'), next), 'ok', '(B, n_head, T, T)');
    const y = transpose(matmul(scores.shape, q.shape, next).shape, 1, 2, next);
    expect(reshape(y.shape, [dim('B'), dim('T'), dim('C')], next), 'ok', '(B, T, n_embd)');
  });

  it('views', () => {
    expect(reshape(shape('B, T, d'), [dim('B'), dim('T'), dim('h'), 'infer'], under('d % h == 0')), 'ok', '(B, T, h, d // h)');
    expect(reshape(shape('B, T, d'), [dim('B'), dim('T'), dim('h'), 'infer']), 'unknown', '(B, T, h, d // h)', /may not divide/);
    expect(reshape(shape('B, T, 3 * d'), ['infer', dim('d')]), 'ok', '(3 * B * T, d)');
    expect(reshape(shape('B, T, d'), [dim('B'), dim('T'), dim('2 * d')]), 'mismatch', '(B, T, 2 * d)', /B \* T \* d elements/);
    // One axis fewer than there are tells of a number of axes, any other sizes of a number of elements.
    expect(reshape(shape('B, T, 3'), [dim('B'), dim('T'), number(1)]), 'mismatch', '(B, T, 1)', /elements/);
    assert.equal(reshape(shape('2, 4, 3'), [number(2), number(4), number(1)]).isOfAxes, true);
    assert.equal(reshape(shape('B, T, d'), [dim('B'), dim('T'), dim('2 * d')]).isOfAxes, undefined);
    expect(reshape(shape('2, 3'), [number(4), 'infer']), 'mismatch', '(4, 1)', /does not divide/);
    expect(reshape(shape('2, 3'), ['infer', 'infer']), 'mismatch', '(?, ?)', /only one/);
    expect(reshape(shape('..., d'), [dim('B'), 'infer']), 'unknown', '(B, ?)');
    expect(reshape(shape('B, ?'), [dim('B'), number(4)]), 'unknown', '(B, 4)');
    expect(reshape(shape('?, 3'), [dim('T'), number(3)]), 'unknown', '(T, 3)');
    expect(unflatten(shape('B, T, d'), -1, [dim('h'), 'infer'], under('d % h == 0')), 'ok', '(B, T, h, d // h)');
    expect(flatten(shape('B, h, w, C'), 1, 2), 'ok', '(B, h * w, C)');
    expect(flatten(shape('B, ..., C'), 0, -1), 'ok', '(?,)');
  });

  it('multiplies', () => {
    expect(matmul(shape('B, h, T, e'), shape('B, h, e, S')), 'ok', '(B, h, T, S)');
    expect(matmul(shape('B, T, d'), shape('2 * d, k')), 'mismatch', '(B, T, k)', /multiplies d with 2 \* d/);
    expect(matmul(shape('d'), shape('d')), 'ok', '()');
    expect(matmul(shape('..., d'), shape('d, k')), 'unknown', '(...)');
    expect(matmul(shape('..., T, d'), shape('d, k')), 'unknown', '(..., T, k)');
    expect(matmul(shape(''), shape('d')), 'mismatch', '(...)', /scalar/);
    expect(matmul(shape('2, T, d'), shape('3, d, T')), 'mismatch', '(2, T, T)', /broadcast/);
    expect(linear(shape('B, T, d'), dim('d + 1'), dim('k')), 'mismatch', '(B, T, k)', /the last axis is d, and the layer takes d \+ 1/);
    expect(linear(unknownShape, dim('d'), dim('k')), 'unknown', '(..., k)');
    expect(linear(shape('B, ...'), dim('d'), dim('k')), 'unknown', '(B, ..., k)');
  });

  it('broadcasts', () => {
    expect(broadcast(shape('B, T, d'), shape('d')), 'ok', '(B, T, d)');
    expect(broadcast(shape('B, 1, d'), shape('T, 1')), 'ok', '(B, T, d)');
    expect(broadcast(shape('B, 3'), shape('B, 4')), 'mismatch', '(B, 3)', /at axis -1/);
    expect(broadcast(shape('d'), shape('2 * d')), 'unknown', '(2 * d,)', /only where one of them is 1/);
    expect(broadcast(shape('d'), shape('2 * d'), under('d >= 2')), 'mismatch', '(d,)');
    expect(broadcast(shape('a'), shape('b')), 'unknown', '(max(a, b),)');
    expect(broadcast(shape('12'), shape('T')), 'unknown', '(12,)');
    expect(broadcast(shape('..., d'), shape('T, d')), 'unknown', '(..., ?, d)');
    expect(broadcast(shape('...'), shape('7, 1, 64')), 'unknown', '(..., 7, ?, 64)');
  });

  it('joins, cuts and reorders', () => {
    expect(concatenate([shape('B, T, d'), shape('B, S, d')], 1), 'ok', '(B, S + T, d)');
    expect(concatenate([shape('B, 2, d'), shape('B, 3, 2 * d')], 1), 'mismatch', '(B, 5, d)', /axis 2 is d in one tensor and 2 \* d/);
    expect(concatenate([shape('B, T'), shape('B, T, d')], 1), 'mismatch', '(B, T)', /axes/);
    expect(stack([shape('B, T'), shape('B, T')], -1), 'ok', '(B, T, 2)');
    expect(permute(shape('B, T, h, e'), [0, 2, 1, 3]), 'ok', '(B, h, T, e)');
    expect(permute(shape('B, T, d'), [0, 2, 1, 3]), 'mismatch', '(...)', /3 axes, and 4 are named/);
    expect(permute(shape('B, T, d'), [0, 1, 1]), 'mismatch', '(B, T, T)', /twice/);
    expect(transpose(shape('B, T'), 1, 2), 'mismatch', '(B, T)', /axis 2 does not exist/);
    expect(transpose(shape('..., T, d'), -2, -1), 'ok', '(..., d, T)');
    expect(transpose(shape('..., T, d'), 1, 2), 'unknown', '(...)');
    assert.equal(chunk(shape('B, 3 * d'), 3, -1).shapes?.map(formatShape).join(' '), '(B, d) (B, d) (B, d)');
    assert.equal(chunk(shape('B, d'), 2, -1).status, 'unknown');
    assert.equal(chunk(shape('B, d'), 2, -1, under('d % 2 == 0')).status, 'ok');
    assert.equal(splitSizes(shape('B, q + 2 * kv'), [dim('q'), dim('kv'), dim('kv')], -1).status, 'ok');
    const bad = splitSizes(shape('B, 3 * d'), [dim('d'), dim('d')], -1);
    assert.equal(bad.status, 'mismatch');
    assert.match(bad.reason ?? '', /the axis is 3 \* d, and the pieces add up to 2 \* d/);
    assert.equal(split(shape('B, a'), dim('b'), 1).shapes, undefined);
  });

  it('reduces and indexes', () => {
    expect(reduce(shape('B, T, d'), [-1], true), 'ok', '(B, T, 1)');
    expect(reduce(shape('B, T, d'), [1, 2], false), 'ok', '(B,)');
    expect(reduce(shape('B, T, d'), undefined, false), 'ok', '()');
    expect(reduce(shape('B, T'), [2], false), 'mismatch', '(B, T)');
    expect(select(shape('B, T, d'), 1, number(-1)), 'ok', '(B, d)');
    expect(select(shape('3, T'), 0, number(3)), 'mismatch', '(T,)', /position 3 is outside an axis of 3/);
    expect(select(shape('3, T'), 0, number(-4)), 'mismatch', '(T,)');
    expect(slice(shape('block, block'), 0, undefined, dim('T'), 1, under('block >= T')), 'ok', '(T, block)');
    expect(slice(shape('block'), 0, undefined, dim('T')), 'ok', '(min(T, block),)');
    expect(slice(shape('T, d'), 1, dim('d // 2'), undefined, 1, under('d % 2 == 0')), 'ok', '(T, d // 2)');
    expect(slice(shape('T'), 0, number(0), undefined, 2), 'ok', '((T + 1) // 2,)');
    expect(slice(shape('9'), 0, number(-3), undefined), 'ok', '(3,)');
    expect(unsqueeze(shape('B, T'), -1), 'ok', '(B, T, 1)');
    expect(unsqueeze(shape('..., T'), -2), 'ok', '(..., 1, T)');
    expect(unsqueeze(shape('B, T'), 4), 'mismatch', '(...)');
    expect(squeeze(shape('B, 1, d'), [1]), 'ok', '(B, d)');
    expect(squeeze(shape('B, 1, d'), [0]), 'unknown', '(...)');
  });
});
