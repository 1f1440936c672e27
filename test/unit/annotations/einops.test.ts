import assert from 'node:assert/strict';
import { checkEinops, type EinopsOperation, type EinopsPattern, einopsShape, parseEinops } from '../../../src/annotations/einops.ts';
import { multiply, number, rigid } from '../../../src/dims/dim.ts';
import { formatShape, type Shape, shapeOf } from '../../../src/dims/shape.ts';

const [b, t, h, d] = ['b', 't', 'h', 'd'].map((name) => rigid(name)) as [
  ReturnType<typeof rigid>,
  ReturnType<typeof rigid>,
  ReturnType<typeof rigid>,
  ReturnType<typeof rigid>,
];
const parse = (text: string): EinopsPattern => {
  const pattern = parseEinops(text);
  assert.ok(pattern !== undefined, text);
  return pattern;
};
const problems = (text: string, operation: EinopsOperation, ...sizes: string[]): readonly string[] =>
  checkEinops(parse(text), operation, new Set(sizes)).map(({ message, range: { start, end } }) => `${text.slice(start, end)}: ${message}`);
const out = (text: string, input: Shape, sizes: Readonly<Record<string, ReturnType<typeof rigid>>> = {}): string => {
  const { status, shape } = einopsShape(parse(text), input, new Map(Object.entries(sizes)));
  return status === 'mismatch' ? status : `${status} ${formatShape(shape)}`;
};

describe('einops patterns', () => {
  it('refuses what is none', () => {
    for (const text of ['b t d', 'b -> t -> d', 'b (t d -> b', 'b (t (h d)) -> b', 'b) -> b', 'b-t -> b', '']) {
      assert.equal(parseEinops(text), undefined, text);
    }
  });

  // Both lists were run through einops 0.8.2.
  it('accepts what einops accepts', () => {
    assert.deepEqual(problems('b t (h d) -> b h t d', 'rearrange', 'h'), []);
    assert.deepEqual(problems('() n d -> b n d', 'repeat', 'b'), []);
    assert.deepEqual(problems('b n -> b n 3', 'repeat'), []);
    assert.deepEqual(problems('b ... d -> b (...) d', 'rearrange'), []);
    assert.deepEqual(problems('b n d -> b d', 'reduce'), []);
    assert.deepEqual(problems('b 2 -> b', 'reduce'), []);
    assert.deepEqual(problems('b h i d, b h j d -> b h i j', 'einsum'), []);
    assert.deepEqual(problems('i i -> i', 'einsum'), []);
  });

  it('points at what einops refuses', () => {
    assert.deepEqual(problems('b t d -> b t', 'rearrange'), ['d: d does not occur on the right']);
    assert.deepEqual(problems('b t -> b t d', 'rearrange'), ['d: d does not occur on the left']);
    assert.deepEqual(problems('b b -> b', 'rearrange'), ['b: b occurs twice on one side']);
    assert.deepEqual(problems('b 2 -> b', 'rearrange'), ['2: 2 cannot stand for an axis: only 1 can']);
    assert.deepEqual(problems('b t -> b t d', 'repeat'), ['d: d is new, and its size is not given']);
    assert.deepEqual(problems('b t -> b t d', 'reduce'), ['d: d does not occur on the left']);
    assert.deepEqual(problems('b t -> b', 'repeat'), ['t: t does not occur on the right']);
    assert.deepEqual(problems('b ... -> b', 'rearrange'), ['...: ... does not occur on the right']);
  });

  it('computes the shape that comes out', () => {
    assert.equal(out('b t (h d) -> b h t d', shapeOf(b, t, multiply(h, d)), { h }), 'ok (b, h, t, d)');
    assert.equal(out('b t (h d) -> b h t d', shapeOf(number(2), number(7), number(768)), { h: number(12) }), 'ok (2, 12, 7, 64)');
    assert.equal(out('b h t d -> b t (h d)', shapeOf(b, h, t, d)), 'ok (b, t, d * h)');
    assert.equal(out('... d -> d ...', shapeOf(b, t, d)), 'ok (d, b, t)');
    assert.equal(out('b ... d -> b (...) d', shapeOf(number(2), number(3), number(5), number(7))), 'ok (2, 15, 7)');
    assert.equal(out('() n -> b n', shapeOf(number(1), t), { b }), 'ok (b, t)');
    assert.equal(out('b n -> b n 3', shapeOf(b, t)), 'ok (b, t, 3)');
    assert.equal(out('b n d -> b d', shapeOf(b, t, d)), 'ok (b, d)');
    assert.equal(out('b n -> b 1 () n', shapeOf(b, t)), 'ok (b, 1, 1, t)');
  });

  it('says what cannot be', () => {
    assert.equal(out('b t d -> b d t', shapeOf(b, t)), 'mismatch');
    assert.equal(out('b t (h d) -> b h t d', shapeOf(b, t, d)), 'mismatch');
    assert.equal(out('b (h d) -> b h d', shapeOf(b, number(10)), { h: number(3) }), 'mismatch');
    assert.equal(out('1 n -> n', shapeOf(number(2), t)), 'mismatch');
    assert.equal(out('(h d) -> h d', shapeOf(rigid('w')), { h: number(3) }).startsWith('unknown'), true);
  });
});
