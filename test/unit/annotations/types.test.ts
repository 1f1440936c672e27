import assert from 'node:assert/strict';
import { parseBindings } from '../../../src/annotations/bindings.ts';
import { formatWritten, toShape } from '../../../src/annotations/contract.ts';
import { parseArrayType, parseJaxtypingAxes } from '../../../src/annotations/types.ts';
import { rigid } from '../../../src/dims/dim.ts';
import { formatShape } from '../../../src/dims/shape.ts';

const show = (text: string): string | undefined => {
  const type = parseArrayType(text);
  return type === undefined ? undefined : `${type.dtype ?? type.provenance} ${formatWritten(type.shape)}${type.optional ? ' or None' : ''}`;
};

describe('jaxtyping', () => {
  const read: readonly (readonly [string, string])[] = [
    ['Float[Tensor, "b t d"]', 'Float (b, t, d)'],
    ["Int64[torch.Tensor, 'b t']", 'Int64 (b, t)'],
    ['jaxtyping.Float[Array, "*batch d"]', 'Float (*batch, d)'],
    ['Float[Array, "... d"]', 'Float (..., d)'],
    ['Float[Array, "*_ d"]', 'Float (..., d)'],
    ['Float[Array, "_ _x 1"]', 'Float (?, ?, 1)'],
    ['Bool[Tensor, "n+1 2*d min(a,b)"]', 'Bool (n+1, 2*d, min(a,b))'],
    ['Float[Tensor, "rows=4 cols=n-1"]', 'Float (4, n-1)'],
    ['Float[Tensor, "?leaf d"]', 'Float (?, d)'],
    ['Float[Tensor, "{self.size} {n}+1"]', 'Float (?, ?)'],
    ['Float[Tensor, ""]', 'Float ()'],
    ['Float[Tensor, "#*b d"]', 'Float (*b, d)'],
    ['Optional[Float[Tensor, "b t"]]', 'Float (b, t) or None'],
    ['Float[Tensor, "b t"] | None', 'Float (b, t) or None'],
    ['Float[np.ndarray | Tensor, "b t"]', 'Float (b, t)'],
  ];
  for (const [text, expected] of read) it(text, () => assert.equal(show(text), expected));

  for (const text of [
    'Float[Tensor, "*a *b"]',
    'Float[Tensor, "##d"]',
    'Float[Tensor, "#_ d"]',
    'Float[Tensor, "*b=3"]',
    'Float[Tensor, "_4"]',
    'Float[Tensor, "?4"]',
    'Float[Tensor, "_n+1"]',
    'Float[Tensor, "a,b"]',
    'Float[Tensor, "... ..."]',
    'Float[Tensor, "b=... c"]',
    'Float[Tensor, "-1 b"]',
    'Float[Tensor, "*"]',
    'Float[Tensor, "b t("]',
    'Float[Tensor, f"b {t}"]',
    'Float[Tensor, "b\\n t"]',
    'Float[Tensor]',
    'Dict[str, "b t"]',
    'Tensor',
  ]) {
    it(`is none: ${text}`, () => assert.equal(show(text), undefined));
  }

  it('leaves open whether #d is d or 1', () => {
    const shape = parseJaxtypingAxes('b #d');
    assert.ok(shape !== undefined);
    assert.equal(shape.dims[1]?.broadcast, true);
    assert.equal(formatShape(toShape(shape, (name) => rigid(name))), '(b, ?)');
  });

  it('points at each axis', () => {
    const text = 'x: Optional[Float[Tensor, "b  n+1"]]';
    assert.deepEqual(
      parseArrayType(text.slice(3), 3)?.shape.dims.map(({ range: { start, end } }) => text.slice(start, end)),
      ['b', 'n+1'],
    );
  });
});

describe('torchtyping', () => {
  it('reads names, sizes, both, rests and passes over types', () => {
    assert.equal(show('TensorType["b", "t", 512]'), 'torchtyping (b, t, 512)');
    assert.equal(show('TensorType["b": 4, -1, torch.float32, is_named]'), 'torchtyping (4, ?)');
    assert.equal(show('torchtyping.TensorType[..., "c", float]'), 'torchtyping (..., c)');
    assert.equal(show('TensorType["batch": ..., "c"]'), 'torchtyping (*batch, c)');
  });
  it('refuses what it does not know', () => {
    for (const text of ['TensorType[]', 'TensorType["a b"]', 'TensorType[n]', 'TensorType[..., "b": ...]'])
      assert.equal(show(text), undefined);
  });
});

describe('headwise bindings', () => {
  it('reads names and whole numbers', () => {
    const text = '# headwise: width=768 heads = 12, config.n=1_024';
    const { bindings, problems } = parseBindings(text, 5) ?? { bindings: [], problems: [] };
    assert.deepEqual(
      bindings.map(({ name, value, range: { start, end } }) => [name.text, value, text.slice(start - 5, end - 5)]),
      [
        ['width', 768, 'width=768'],
        ['heads', 12, 'heads = 12'],
        ['config.n', 1024, 'config.n=1_024'],
      ],
    );
    assert.deepEqual(problems, []);
  });
  it('says what binds nothing', () => {
    const read = parseBindings('# headwise: width=1.5 12 heads=12 heads=8 d=99999999999999999999');
    assert.deepEqual(
      read?.problems.map(({ text }) => text),
      ['width=1.5', '12', 'heads=8', 'd=99999999999999999999'],
    );
    assert.equal(read?.bindings.length, 1);
  });
  it('leaves suppressions and other comments alone', () => {
    for (const text of ['# headwise: ignore[HW215]', '# headwise: file-ignore', '# width=768', '# see headwise: width=1']) {
      assert.equal(parseBindings(text), undefined);
    }
    assert.equal(parseBindings('# headwise: ignored=3')?.bindings[0]?.value, 3);
  });
});
