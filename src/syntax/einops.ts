/** einops patterns: what they say, and what is wrong in them. */
import { type Range, range } from '../text/range.ts';

export interface EinopsAxis {
  /** A `number` of 1 is a unit axis, as is `()`; one other than 1 may stand only in `repeat`'s result. */
  readonly kind: 'name' | 'number' | 'ellipsis';
  readonly text: string;
  readonly range: Range;
}

/** One axis of a tensor: a single one, or several in parentheses; none is a unit axis. */
export interface EinopsGroup {
  readonly axes: readonly EinopsAxis[];
  readonly composed: boolean;
  readonly range: Range;
}

export interface EinopsPattern {
  /** One for `rearrange`, `repeat` and `reduce`; one per operand for `einsum`. */
  readonly inputs: readonly (readonly EinopsGroup[])[];
  readonly output: readonly EinopsGroup[];
}

export interface EinopsProblem {
  readonly message: string;
  readonly range: Range;
}

export type EinopsOperation = 'rearrange' | 'repeat' | 'reduce' | 'einsum';

const maxLength = 1000;

/** Reads a pattern; undefined where it has no single `->`, unmatched or nested parentheses, or other characters. Linear in the text. */
export function parseEinops(text: string, offset = 0): EinopsPattern | undefined {
  const arrow = text.indexOf('->');
  if (text.length > maxLength || arrow < 0 || text.includes('->', arrow + 2)) return undefined;
  const output = readSide(text.slice(arrow + 2), offset + arrow + 2);
  const inputs: (readonly EinopsGroup[])[] = [];
  let at = 0;
  for (const part of text.slice(0, arrow).split(',')) {
    const side = readSide(part, offset + at);
    if (side === undefined) return undefined;
    inputs.push(side);
    at += part.length + 1;
  }
  return output === undefined ? undefined : { inputs, output };
}

function readSide(text: string, start: number): readonly EinopsGroup[] | undefined {
  const groups: EinopsGroup[] = [];
  const token = /\s*(?:(\.\.\.|…)|([A-Za-z_]\w*)|(\d+)|([()]))/y;
  let open: { readonly axes: EinopsAxis[]; readonly start: number } | undefined;
  for (let at = 0; at < text.length; ) {
    token.lastIndex = at;
    const found = token.exec(text);
    if (found === null) return text.slice(at).trim() === '' && open === undefined ? groups : undefined;
    at = token.lastIndex;
    const [, dots, name, digits, bracket] = found;
    const written = dots ?? name ?? digits ?? bracket ?? '';
    const place = range(start + at - written.length, start + at);
    if (bracket === '(') {
      if (open !== undefined) return undefined;
      open = { axes: [], start: place.start };
    } else if (bracket === ')') {
      if (open === undefined) return undefined;
      groups.push({ axes: open.axes, composed: true, range: range(open.start, place.end) });
      open = undefined;
    } else {
      const axis: EinopsAxis = {
        kind: dots !== undefined ? 'ellipsis' : name !== undefined ? 'name' : 'number',
        text: written,
        range: place,
      };
      if (open !== undefined) open.axes.push(axis);
      else groups.push({ axes: [axis], composed: false, range: place });
    }
  }
  return open === undefined ? groups : undefined;
}

const axesOf = (side: readonly EinopsGroup[]): readonly EinopsAxis[] => side.flatMap(({ axes }) => axes);
const namesOf = (side: readonly EinopsGroup[]): ReadonlySet<string> =>
  new Set(axesOf(side).flatMap(({ kind, text }) => (kind === 'number' ? [] : [text])));

/**
 * What einops itself refuses, whatever the tensor: an axis twice on one side, an axis on one side only where the operation
 * does not allow it, numbers other than 1 in `rearrange`. `sizes` names the axes given as keyword arguments.
 */
export function checkEinops(
  pattern: EinopsPattern,
  operation: EinopsOperation,
  sizes: ReadonlySet<string> = new Set(),
): readonly EinopsProblem[] {
  const problems: EinopsProblem[] = [];
  const report = (axis: EinopsAxis, message: string): void => {
    problems.push({ message, range: axis.range });
  };
  const { inputs, output } = pattern;
  if (operation !== 'einsum' && inputs.length !== 1) return [];
  for (const side of [...inputs, output]) {
    const seen = new Set<string>();
    for (const axis of axesOf(side)) {
      // einops.einsum may repeat an axis of one operand: that is a diagonal.
      if (axis.kind !== 'number' && seen.has(axis.text) && !(operation === 'einsum' && side !== output)) {
        report(axis, `${axis.text} occurs twice on one side`);
      }
      seen.add(axis.text);
      if (axis.kind === 'number' && axis.text !== '1' && operation === 'rearrange') {
        report(axis, `${axis.text} cannot stand for an axis: only 1 can`);
      }
    }
  }
  const left = new Set(inputs.flatMap((side) => [...namesOf(side)]));
  const right = namesOf(output);
  const ellipsis = (text: string): boolean => text === '...' || text === '…';
  for (const axis of axesOf(output)) {
    if (axis.kind === 'number' || left.has(axis.text)) continue;
    if (operation === 'repeat' && !ellipsis(axis.text) && sizes.has(axis.text)) continue;
    report(axis, operation === 'repeat' ? `${axis.text} is new, and its size is not given` : `${axis.text} does not occur on the left`);
  }
  if (operation === 'rearrange' || operation === 'repeat') {
    for (const axis of inputs.flatMap(axesOf)) {
      if (axis.kind !== 'number' && !right.has(axis.text)) report(axis, `${axis.text} does not occur on the right`);
    }
  }
  return problems;
}
