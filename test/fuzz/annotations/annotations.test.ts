import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseBindings } from '../../../src/annotations/bindings.ts';
import { parseShapeComment } from '../../../src/annotations/comment.ts';
import { type Contract, formatWritten, toShape, type WrittenShape } from '../../../src/annotations/contract.ts';
import { parseDocstring } from '../../../src/annotations/docstring.ts';
import { checkEinops, einopsShape, parseEinops } from '../../../src/annotations/einops.ts';
import { parseArrayType } from '../../../src/annotations/types.ts';
import { rigid, sameDim } from '../../../src/dims/dim.ts';
import { formatShape, shapeOf } from '../../../src/dims/shape.ts';

const scale = Number(process.env.HEADWISE_FUZZ ?? 1);
const runs = (count: number) => ({ numRuns: count * scale, interruptAfterTimeLimit: 20_000 * scale });

const piece = fc.constantFrom(
  ...'( ) [ ] { } , : ; -> => x × * // / + - . ... _ ? # = | ` " \' \n \t >>> --- ** %'.split(' '),
  ' ',
  ' ',
  ...'B T C b t d nh hs batch_size seq_len head_dim d_model 1 2 768 -1 None shape Shape: Args: Returns: :param Parameters of or if Float[Tensor TensorType[ headwise: torch.Size é 𝒳'.split(
    ' ',
  ),
  '\n    ',
  '# ',
);
const soup = fc.oneof(
  fc.array(piece, { maxLength: 40 }).map((parts) => parts.join('')),
  fc.array(piece, { maxLength: 40 }).map((parts) => parts.join(' ')),
  fc.string({ unit: 'binary', maxLength: 60 }),
);

interface Placed {
  readonly range: { readonly start: number; readonly end: number };
}

function assertInside(text: string, offset: number, places: readonly Placed[]): void {
  for (const { range } of places) {
    assert.ok(offset <= range.start && range.start <= range.end && range.end <= offset + text.length, JSON.stringify([text, range]));
  }
}

const placesOf = (shape: WrittenShape): readonly Placed[] => [shape, ...shape.dims];
const placesIn = (contract: Contract): readonly Placed[] => [
  contract,
  ...contract.names,
  ...[...contract.from, ...contract.via, contract.to].flatMap(placesOf),
];

describe('annotations, whatever the text', () => {
  it('never throw, and their ranges lie in the text', () => {
    fc.assert(
      fc.property(soup, fc.nat(1000), (text, offset) => {
        const comment = parseShapeComment(text, offset);
        const doc = parseDocstring(text, offset);
        assertInside(text, offset, [...(comment === undefined ? [] : placesIn(comment)), ...doc.flatMap(placesIn)]);
        for (const contract of [...(comment === undefined ? [] : [comment]), ...doc]) {
          for (const { text: name, range } of contract.names) assert.equal(text.slice(range.start - offset, range.end - offset), name);
          toShape(contract.to, (name) => rigid(name));
        }
        const type = parseArrayType(text, offset);
        if (type !== undefined) assertInside(text, offset, placesOf(type.shape));
        const bound = parseBindings(text, offset);
        assertInside(text, offset, [...(bound?.bindings ?? []), ...(bound?.problems ?? [])]);
        const pattern = parseEinops(text, offset);
        if (pattern === undefined) return;
        assertInside(text, offset, [...pattern.inputs, pattern.output].flat());
        assertInside(text, offset, checkEinops(pattern, 'repeat'));
        einopsShape(pattern, shapeOf(rigid('b'), rigid('t'), rigid('d')));
      }),
      runs(3000),
    );
  });

  const size = fc.constantFrom(
    'B',
    'T',
    'C',
    'nh',
    'd_model',
    'head_dim',
    '3 * n_embd',
    'C // nh',
    'nh*hs',
    '12',
    'seq_len + 1',
    '-1',
    '...',
  );
  const list = fc
    .tuple(
      fc.constantFrom('B', 'batch_size', 'bsz'),
      fc.array(size, { minLength: 1, maxLength: 5 }),
      fc.constantFrom('C', 'hidden_size', 'head_dim'),
    )
    .map(([first, middle, last]) => [first, ...middle, last])
    .filter((dims) => dims.filter((dim) => dim === '...').length <= 1);
  const resolve = (name: string) => rigid(name);

  it('are read back from how they are written', () => {
    fc.assert(
      fc.property(
        list,
        fc.constantFrom('()', '[]'),
        fc.constantFrom(', ', ','),
        fc.constantFrom('', 'x: ', 'shape: '),
        (dims, brackets, comma, lead) => {
          const contract = parseShapeComment(`# ${lead}${brackets[0]}${dims.join(comma)}${brackets[1]}`);
          assert.ok(contract !== undefined, dims.join());
          const again = parseShapeComment(`# ${formatWritten(contract.to)}`);
          assert.ok(again !== undefined, formatWritten(contract.to));
          const a = toShape(contract.to, resolve);
          const b = toShape(again.to, resolve);
          assert.equal(formatShape(a), formatShape(b));
          assert.equal(a.ellipsis, b.ellipsis);
          assert.equal(a.dims.length, dims.filter((dim) => dim !== '...').length);
          for (const [i, dim] of a.dims.entries()) assert.ok(dim.unknown || sameDim(dim, b.dims[i] ?? dim));
        },
      ),
      runs(500),
    );
  });

  it('take bounded time on 1 MB of text', () => {
    const million = 1 << 20;
    const fill = (unit: string): string => unit.repeat(Math.ceil(million / unit.length)).slice(0, million);
    for (const unit of [
      '(',
      '(B, ',
      '(B, T, C) ',
      ' x ',
      'x: (B, T, C)\n',
      'Args:\n  x: of shape (B, T, C)\n',
      ':param x: [',
      '->',
      ' ',
      '#',
      'a',
      '`',
      'shape ',
      '\n    ',
    ]) {
      const text = fill(unit);
      const started = performance.now();
      for (const cut of [million, 399, 199_999]) {
        const part = text.slice(0, cut);
        parseShapeComment(`# ${part}`);
        parseShapeComment(part);
        parseDocstring(part);
        parseArrayType(part);
        parseBindings(`# headwise: ${part}`);
        parseEinops(part);
      }
      const spent = performance.now() - started;
      assert.ok(spent < 2000, `${JSON.stringify(unit)}: ${spent} ms`);
    }
  }).timeout(30_000);
});
