import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Dim, multiply, number } from '../../../src/dims/dim.ts';
import { Facts } from '../../../src/dims/facts.ts';
import { chunk, expand, flatten, reshape, slice, split, splitSizes } from '../../../src/dims/reshape.ts';
import {
  broadcast,
  concatenate,
  formatShape,
  linear,
  matmul,
  noContext,
  permute,
  type Shape,
  type ShapeResult,
  shapeOf,
} from '../../../src/dims/shape.ts';
import { symbolOf, type Values, valueOfDim, values } from './expressions.ts';

const scale = Number(process.env.HEADWISE_FUZZ ?? 1);
const runs = (count: number): { readonly numRuns: number; readonly interruptAfterTimeLimit: number } => ({
  numRuns: count * scale,
  interruptAfterTimeLimit: 20_000 * scale,
});

/** Sizes that often agree: products of few names, and 1. All are rigid in effect, since nothing here is bound. */
const dim: fc.Arbitrary<Dim> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('d', 'h', 'k').map(symbolOf) },
  { weight: 2, arbitrary: fc.constantFrom(1, 1, 2, 3, 4).map(number) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom('d', 'h', 'k'), fc.constantFrom('d', 'h')).map(([a, b]) => multiply(symbolOf(a), symbolOf(b))),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('d', 'h'), fc.constantFrom(2, 3)).map(([a, b]) => multiply(symbolOf(a), number(b))) },
);
const shape = (minLength = 0, maxLength = 4): fc.Arbitrary<Shape> =>
  fc.array(dim, { minLength, maxLength }).map((dims) => shapeOf(...dims));

const numbersOf = ({ dims, ellipsis }: Shape, at: Values): readonly (number | undefined)[] => {
  assert.equal(ellipsis, undefined);
  return dims.map((each) => valueOfDim(each, at));
};
const known = (shape: Shape, at: Values): readonly number[] => numbersOf(shape, at).map((size) => size ?? Number.NaN);
const count = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** The answer against what NumPy does with the numbers: undefined where it raises. */
function check(result: ShapeResult, expected: readonly number[] | undefined, at: Values, what: string): void {
  if (result.status === 'mismatch') assert.equal(expected, undefined, `${what}: ${result.reason}`);
  if (result.status === 'ok') assert.notEqual(expected, undefined, `${what} was said to succeed`);
  if (result.status !== 'ok') assert.ok(result.reason !== undefined && result.reason !== '');
  if (expected === undefined || result.shape.ellipsis !== undefined) return;
  const actual = numbersOf(result.shape, at);
  assert.equal(actual.length, expected.length, what);
  for (const [i, size] of actual.entries())
    if (size !== undefined) assert.equal(size, expected[i], `${what} gives ${formatShape(result.shape)}`);
}

function numpyBroadcast(a: readonly number[], b: readonly number[]): readonly number[] | undefined {
  const result: number[] = [];
  for (let i = 1; i <= Math.max(a.length, b.length); i++) {
    const x = a[a.length - i] ?? 1;
    const y = b[b.length - i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return undefined;
    result.unshift(x === 1 ? y : x);
  }
  return result;
}

describe('shapes hold for every value', function () {
  this.timeout(30_000 * Math.max(1, scale));

  it('broadcasts as NumPy does', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(shape(), shape(), values, (a, b, at) => {
        const result = broadcast(a, b);
        seen.set(result.status, (seen.get(result.status) ?? 0) + 1);
        check(result, numpyBroadcast(known(a, at), known(b, at)), at, `${formatShape(a)} + ${formatShape(b)}`);
      }),
      runs(3000),
    );
    for (const status of ['ok', 'mismatch', 'unknown']) assert.ok((seen.get(status) ?? 0) > 20, `${status}: ${seen.get(status)}`);
  });

  it('multiplies as NumPy does', () => {
    fc.assert(
      fc.property(shape(), shape(), values, (a, b, at) => {
        const [x, y] = [known(a, at), known(b, at)];
        let expected: readonly number[] | undefined;
        if (x.length > 0 && y.length > 0) {
          const inner = y.length === 1 ? y[0] : y[y.length - 2];
          const batch = numpyBroadcast(x.slice(0, -2), y.slice(0, -2));
          if (inner === x[x.length - 1] && batch !== undefined) {
            expected = [...batch, ...(x.length > 1 ? x.slice(-2, -1) : []), ...(y.length > 1 ? y.slice(-1) : [])];
          }
        }
        check(matmul(a, b), expected, at, `${formatShape(a)} @ ${formatShape(b)}`);
      }),
      runs(3000),
    );
  });

  it('keeps the number of elements in a view', () => {
    const seen = new Map<string, number>();
    // Half of the targets are the source's own sizes rearranged and merged, so that many views fit.
    const pair = fc.oneof(
      fc.tuple(shape(), shape()),
      fc.tuple(shape(1, 4), fc.nat(3), fc.nat(3)).map(([from, i, j]) => {
        const dims = [...from.dims];
        const [taken] = dims.splice(i % dims.length, 1) as [Dim];
        if (dims.length === 0) return [from, shapeOf(taken)] as const;
        dims[j % dims.length] = multiply(dims[j % dims.length] as Dim, taken);
        return [from, shapeOf(...dims)] as const;
      }),
    );
    fc.assert(
      fc.property(pair, fc.option(fc.nat(3)), values, ([from, to], inferred, at) => {
        const target = to.dims.map((each, i) => (i === inferred ? ('infer' as const) : each));
        const infers = target.includes('infer');
        const result = reshape(from, target);
        seen.set(result.status, (seen.get(result.status) ?? 0) + 1);
        const elements = count(known(from, at));
        const rest = count(target.map((each) => (each === 'infer' ? 1 : (valueOfDim(each, at) ?? Number.NaN))));
        const fits = infers ? elements % rest === 0 : elements === rest;
        const expected = target.map((each) => (each === 'infer' ? elements / rest : (valueOfDim(each, at) ?? Number.NaN)));
        check(
          result,
          fits ? expected : undefined,
          at,
          `${formatShape(from)} viewed as ${formatShape(to)}${infers ? ` with -1 at ${inferred}` : ''}`,
        );
        if (result.status === 'ok') assert.equal(count(known(result.shape, at)), elements);
      }),
      runs(3000),
    );
    for (const status of ['ok', 'mismatch', 'unknown']) assert.ok((seen.get(status) ?? 0) > 20, `${status}: ${seen.get(status)}`);
  });

  it('keeps the number of elements in a view under facts', () => {
    let ok = 0;
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 6 }), fc.boolean(), (at, factor, states) => {
        // d = h * factor; with the fact, (k, d) splits into (k, h, d // h) and back.
        const sizes: Values = { ...at, d: (at.h ?? 1) * factor };
        const [d, h, k] = [symbolOf('d'), symbolOf('h'), symbolOf('k')];
        const facts = states ? Facts.none.assumeDivides(h, d) : Facts.none;
        const split = reshape(shapeOf(k, d), [k, h, 'infer'], { ...noContext, facts });
        check(split, [sizes.k ?? 0, sizes.h ?? 0, factor], sizes, 'split into heads');
        const merged = reshape(split.shape, [k, d], { ...noContext, facts });
        check(merged, [sizes.k ?? 0, sizes.d ?? 0], sizes, 'heads merged');
        assert.equal(split.status, states ? 'ok' : 'unknown');
        if (merged.status === 'ok') ok++;
      }),
      runs(300),
    );
    assert.ok(ok > 50);
  });

  it('concatenates, permutes and projects as NumPy does', () => {
    fc.assert(
      fc.property(fc.array(shape(2, 3), { minLength: 1, maxLength: 3 }), fc.integer({ min: -4, max: 3 }), values, (shapes, axis, at) => {
        const all = shapes.map((each) => known(each, at));
        const rank = all[0]?.length ?? 0;
        const index = axis < 0 ? axis + rank : axis;
        let expected: number[] | undefined = [...(all[0] ?? [])];
        if (index < 0 || index >= rank || all.some((each) => each.length !== rank)) expected = undefined;
        else if (all.some((each) => each.some((size, i) => i !== index && size !== expected?.[i]))) expected = undefined;
        else expected[index] = all.reduce((sum, each) => sum + (each[index] ?? 0), 0);
        check(concatenate(shapes, axis), expected, at, `cat(${shapes.map(formatShape).join(', ')}, ${axis})`);
      }),
      runs(2000),
    );
    fc.assert(
      fc.property(shape(1, 4), fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 1, maxLength: 4 }), values, (from, order, at) => {
        const sizes = known(from, at);
        const places = order.map((axis) => (axis < 0 ? axis + sizes.length : axis));
        const valid =
          order.length === sizes.length &&
          new Set(places).size === sizes.length &&
          places.every((place) => place >= 0 && place < sizes.length);
        check(
          permute(from, order),
          valid ? places.map((place) => sizes[place] ?? 0) : undefined,
          at,
          `${formatShape(from)} permuted by ${order}`,
        );
      }),
      runs(1000),
    );
    fc.assert(
      fc.property(shape(), dim, dim, values, (from, inputs, outputs, at) => {
        const sizes = known(from, at);
        const fits = sizes.length > 0 && sizes[sizes.length - 1] === valueOfDim(inputs, at);
        check(
          linear(from, inputs, outputs),
          fits ? [...sizes.slice(0, -1), valueOfDim(outputs, at) ?? 0] : undefined,
          at,
          `Linear on ${formatShape(from)}`,
        );
      }),
      runs(1000),
    );
  });

  it('slices and cuts as Python and torch do', () => {
    const bound = fc.option(fc.oneof(fc.integer({ min: -5, max: 9 }).map(number), dim), { nil: undefined });
    fc.assert(
      fc.property(dim, bound, bound, fc.integer({ min: 1, max: 3 }), values, (length, start, stop, step, at) => {
        const size = valueOfDim(length, at) ?? 0;
        const clamp = (value: number | undefined, otherwise: number): number =>
          value === undefined ? otherwise : value < 0 ? Math.max(0, value + size) : Math.min(value, size);
        const from = clamp(start && valueOfDim(start, at), 0);
        const to = clamp(stop && valueOfDim(stop, at), size);
        check(slice(shapeOf(length), 0, start, stop, step), [Math.max(0, Math.ceil((to - from) / step))], at, 'slice');
      }),
      runs(3000),
    );
    fc.assert(
      fc.property(
        dim,
        fc.integer({ min: 1, max: 4 }),
        fc.array(dim, { minLength: 1, maxLength: 3 }),
        values,
        (length, pieces, sizes, at) => {
          const size = valueOfDim(length, at) ?? 0;
          const cut = chunk(shapeOf(length), pieces, 0);
          const each = Math.ceil(size / pieces);
          if (cut.status === 'ok') {
            const expected = Array.from({ length: Math.ceil(size / each) }, (_, i) => Math.min(each, size - i * each));
            assert.deepEqual(
              cut.shapes?.map((piece) => known(piece, at)[0]),
              expected,
            );
          }
          const parts = split(shapeOf(length), number(pieces), 0);
          if (parts.status === 'ok') {
            const expected = Array.from({ length: Math.ceil(size / pieces) }, (_, i) => Math.min(pieces, size - i * pieces));
            assert.deepEqual(
              parts.shapes?.map((piece) => known(piece, at)[0]),
              expected,
            );
          }
          const total = sizes.reduce((sum, piece) => sum + (valueOfDim(piece, at) ?? 0), 0);
          const taken = splitSizes(shapeOf(length), sizes, 0);
          if (taken.status === 'ok') assert.equal(total, size);
          if (taken.status === 'mismatch') assert.notEqual(total, size);
        },
      ),
      runs(2000),
    );
  });

  it('flattens and expands as torch does', () => {
    fc.assert(
      fc.property(shape(1, 4), fc.nat(3), fc.nat(3), values, (from, start, end, at) => {
        const sizes = known(from, at);
        const valid = start <= end && end < sizes.length;
        const expected = [...sizes.slice(0, start), count(sizes.slice(start, end + 1)), ...sizes.slice(end + 1)];
        check(flatten(from, start, end), valid ? expected : undefined, at, `flatten(${formatShape(from)}, ${start}, ${end})`);
      }),
      runs(1000),
    );
    fc.assert(
      fc.property(shape(0, 3), shape(0, 4), values, (from, to, at) => {
        const [a, b] = [known(from, at), known(to, at)];
        const valid = a.length <= b.length && a.every((size, i) => size === 1 || size === b[i + b.length - a.length]);
        check(expand(from, to.dims), valid ? b : undefined, at, `${formatShape(from)} expanded to ${formatShape(to)}`);
      }),
      runs(1000),
    );
  });
});
