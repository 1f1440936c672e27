import { type Dim, number, unknownDim } from '../dims/dim.ts';
import { parseDim } from '../dims/parse.ts';
import { openShape, type Shape, shapeOf } from '../dims/shape.ts';
import type { Range } from '../text/range.ts';

/** Where a contract was written. */
export type Provenance = 'comment' | 'docstring' | 'jaxtyping' | 'torchtyping';

/** One size as written. `text` is what stands in the source, but for `size`, where `parseDim` reads it. */
export interface WrittenDim {
  /** `rest` is any number of axes: `...`, `*batch`. `unknown` is one axis of any size: `-1`, `_`, `?`, `batch-size`. */
  readonly kind: 'size' | 'unknown' | 'rest';
  readonly text: string;
  readonly range: Range;
  /** The name of `rows=4` or of `*batch`. */
  readonly label?: string;
  /** True for jaxtyping's `#d`: this size, or 1. */
  readonly broadcast?: boolean;
}

export interface WrittenShape {
  readonly dims: readonly WrittenDim[];
  /** The dims with their brackets. */
  readonly range: Range;
}

export interface WrittenName {
  readonly text: string;
  readonly range: Range;
}

/**
 * What somebody wrote about shapes: `# x: (B, T) -> (B, T, C)`. Every range lies inside the text it was read from, moved by
 * the offset given with it.
 */
export interface Contract {
  readonly provenance: Provenance;
  /** The value of the statement beside a comment, a parameter, or what a function returns. */
  readonly subject: 'value' | 'parameter' | 'return';
  /** Whose shape it is; several for `q, k, v: (B, T, C)`; none where the place says it. */
  readonly names: readonly WrittenName[];
  /** What goes in, from the left of an arrow: one shape, or the operands of `(A) x (B) -> (C)`. */
  readonly from: readonly WrittenShape[];
  /** The steps in between in `(A) -> (B) -> (C)`. */
  readonly via: readonly WrittenShape[];
  readonly to: WrittenShape;
  /** True where the text says that the shape is that of each member of a tuple or list. */
  readonly each: boolean;
  /**
   * How it was said: `alone`, nothing but the shape; `named`, with the names before it; `prose`, in a sentence, which may speak
   * of something else than what stands beside it. A name that no variable has makes `named` no better than `prose`.
   */
  readonly stated: 'alone' | 'named' | 'prose';
  readonly range: Range;
}

/** The dim a written size stands for. Names that `resolve` does not know make it an unknown. Linear in the text. */
export function toDim(written: WrittenDim, resolve: (name: string) => Dim | undefined): Dim {
  if (written.kind !== 'size' || written.broadcast === true) return unknownDim('not written');
  const parsed = parseDim(written.text, resolve);
  return parsed.ok ? parsed.dim : unknownDim(parsed.message);
}

/** The shape with its names resolved. Between two `...` nothing is known. Linear in the rank. */
export function toShape(written: WrittenShape, resolve: (name: string) => Dim | undefined): Shape {
  const { dims } = written;
  const first = dims.findIndex(({ kind }) => kind === 'rest');
  const read = (part: readonly WrittenDim[]): Dim[] => part.map((dim) => toDim(dim, resolve));
  if (first < 0) return shapeOf(...read(dims));
  const last = dims.findLastIndex(({ kind }) => kind === 'rest');
  return openShape(read(dims.slice(0, first)), read(dims.slice(last + 1)));
}

/** The names in a shape's sizes, each once, in order. */
export function namesIn(written: WrittenShape): readonly string[] {
  const names = new Set<string>();
  for (const { kind, text } of written.dims) {
    if (kind !== 'size') continue;
    parseDim(text, (name) => {
      names.add(name);
      return number(1);
    });
  }
  return [...names];
}

/** `(B, T, 3 * C)`: as a shape comment writes it. `parseShapeComment` reads it back where the names are those of sizes. */
export function formatWritten(written: WrittenShape): string {
  const parts = written.dims.map(({ kind, text, label }) =>
    kind === 'size' ? text : kind === 'rest' ? (label === undefined ? '...' : `*${label}`) : '?',
  );
  return parts.length === 1 && written.dims[0]?.kind !== 'rest' ? `(${parts[0]},)` : `(${parts.join(', ')})`;
}
