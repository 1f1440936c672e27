/** Half-open span of UTF-16 offsets, `start <= end`. Lines and columns exist only at the edge (see LineIndex). */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export const range = (start: number, end: number): Range => ({ start, end });

export const contains = (outer: Range, offset: number): boolean => offset >= outer.start && offset <= outer.end;

export const covers = (outer: Range, inner: Range): boolean => inner.start >= outer.start && inner.end <= outer.end;

/** True when the two spans share at least one character, or one is empty and lies inside the other. */
export const overlaps = (a: Range, b: Range): boolean => a.start <= b.end && b.start <= a.end;
