/** Rotary embeddings in the dataflow: the tables of cosines and sines, from which widths they were made, and what they turn. */
import type { Dim } from '../../dims/dim.ts';
import { isLayout, sameElements } from '../../interpreter/graph.ts';
import { numberOf } from '../../interpreter/make.ts';
import type { CodeReading, Study } from '../../interpreter/study.ts';
import type { Site, TensorValue, Value } from '../../interpreter/value.ts';
import { projectedness, rotationOf } from './sources.ts';
import { asTensor, dimFromEnd, withCopies } from './tensors.ts';

export interface Turning {
  readonly study: Study;
  /** The product with the table. */
  readonly node: TensorValue;
  /** What is turned, and the table. */
  readonly turned: TensorValue;
  readonly table: TensorValue;
  readonly isComplex: boolean;
  /** The frequencies' places: `arange(0, width, 2)`. */
  readonly places: TensorValue | undefined;
}

const tables: ReadonlySet<string> = new Set(['cos', 'sin', 'polar', 'complex']);

const passing: ReadonlySet<string> = new Set([
  'cat',
  'stack',
  'repeat',
  'repeat_interleave',
  'getitem',
  'mul',
  'div',
  'buffer',
  'index_select',
  'embedding',
  'chunk',
  'split',
  'unbind',
  'view_as_complex',
  'view_as_real',
  'conj',
  'setitem',
  'gather',
  'tile',
]);

/** The cosines or sines that a table holds; undefined where it is something else. */
export function trigonometryOf(tensor: TensorValue | undefined, depth = 0): TensorValue | undefined {
  if (tensor === undefined || depth > 24) return undefined;
  if (tables.has(tensor.op)) return tensor;
  if (tensor.op === 'join') return trigonometryOf(tensor.inputs[0], depth + 1);
  if (!(passing.has(tensor.op) || sameElements.has(tensor.op) || isLayout(tensor))) return undefined;
  const inputs = tensor.op === 'buffer' ? [asTensor(tensor.arguments.get('data')) ?? tensor.inputs[0]] : tensor.inputs;
  const found = inputs.map((input) => trigonometryOf(input, depth + 1)).filter((each) => each !== undefined);
  const [one] = found;
  // A table that holds both is neither.
  return one !== undefined && found.every((each) => each?.op === one.op) ? one : undefined;
}

/** The arange over the rotary width, under the frequencies. */
function placesOf(table: TensorValue): TensorValue | undefined {
  const seen = new Set<TensorValue>();
  const aranges: { readonly node: TensorValue; readonly isExponent: boolean }[] = [];
  const visit = (tensor: TensorValue, isExponent: boolean, depth: number): void => {
    if (seen.has(tensor) || depth > 40 || seen.size > 200) return;
    seen.add(tensor);
    if (tensor.op === 'arange') aranges.push({ node: tensor, isExponent });
    const within = isExponent || tensor.op === 'pow' || tensor.op === 'exp';
    const data = tensor.op === 'buffer' ? asTensor(tensor.arguments.get('data')) : undefined;
    for (const input of data === undefined ? tensor.inputs : [data]) visit(input, within, depth + 1);
  };
  visit(table, false, 0);
  const byTwo = aranges.filter(({ node }) => {
    const step = node.arguments.get('step');
    return step !== undefined && numberOf(step) === 2;
  });
  const exponents = aranges.filter(({ isExponent }) => isExponent);
  const [only] = byTwo.length > 0 ? byTwo : exponents;
  return (byTwo.length > 0 ? byTwo : exponents).length === 1 ? only?.node : undefined;
}

const known = new WeakMap<CodeReading, readonly Turning[]>();

/** Every product of something projected with a table of cosines and sines. */
export function turningsOf(code: CodeReading): readonly Turning[] {
  const before = known.get(code);
  if (before !== undefined) return before;
  const found: Turning[] = [];
  for (const study of code.studies) {
    for (const node of withCopies(study)) {
      if (node.op !== 'mul' && node.op !== 'einsum') continue;
      const [a, b] = node.op === 'mul' ? [asTensor(node.arguments.get('input')), asTensor(node.arguments.get('other'))] : [];
      if (a === undefined || b === undefined) continue;
      const isFirst = projectedness(a) > projectedness(b);
      const [turned, table] = isFirst ? [a, b] : [b, a];
      if (projectedness(turned) < 1 || projectedness(table) > 0) continue;
      const trigonometry = trigonometryOf(table);
      if (trigonometry === undefined) continue;
      const isComplex = trigonometry.op === 'polar' || trigonometry.op === 'complex';
      found.push({ study, node, turned, table, isComplex, places: placesOf(trigonometry) });
    }
  }
  known.set(code, found);
  return found;
}

/** The width for which the frequencies were made. */
export function widthOfPlaces(places: TensorValue): { readonly width: Value | undefined; readonly count: Dim | undefined } {
  const end = places.arguments.get('end');
  const width = end === undefined || end.kind === 'none' ? places.arguments.get('start') : end;
  return { width, count: dimFromEnd(places, -1) };
}

/** Where the width was chosen: at the arange, or where the function around it was called with the width. */
export function siteOfWidth(code: CodeReading, places: TensorValue): Site | undefined {
  const { width } = widthOfPlaces(places);
  const { site } = places;
  if (site === undefined) return undefined;
  const given = code.variables.find(
    ({ value, isArgument, frame }) =>
      isArgument &&
      value === width &&
      frame.function !== undefined &&
      frame.function.unit === site.unit &&
      within(frame.function.definition, site),
  );
  if (given === undefined) return site;
  // A module's constructor was given it where the module was made.
  if (given.frame.function?.name === '__init__') return (given.frame.self?.kind === 'instance' ? given.frame.self.site : undefined) ?? site;
  const outer = code.variables.find(
    ({ value, isArgument, frame }) =>
      !isArgument && value.kind === 'tensor' && frame.function !== given.frame.function && value.id > places.id && reaches(value, places),
  );
  return outer?.site ?? site;
}

const within = (outer: { readonly start: number; readonly end: number }, { node }: Site): boolean =>
  outer.start <= node.start && node.end <= outer.end;

function reaches(tensor: TensorValue, target: TensorValue): boolean {
  const waiting = [tensor];
  const seen = new Set<TensorValue>(waiting);
  for (let i = 0; i < waiting.length && i < 80; i++) {
    const at = waiting[i] as TensorValue;
    if (at === target) return true;
    for (const input of at.inputs) {
      if (seen.has(input) || input.id < target.id) continue;
      seen.add(input);
      waiting.push(input);
    }
  }
  return false;
}

/** A sum `x * cos + rotate(x) * sin`: which table meets `x` itself, and which the rotated one. */
export function tablesOfRotation(sum: TensorValue): { readonly plain: string; readonly rotated: string } | undefined {
  if (rotationOf(sum) === undefined) return undefined;
  const parts = ['input', 'other']
    .map((name) => asTensor(sum.arguments.get(name)))
    .map((product) => {
      const [a, b] = [asTensor(product?.arguments.get('input')), asTensor(product?.arguments.get('other'))];
      if (product === undefined || a === undefined || b === undefined) return undefined;
      const [turned, table] = projectedness(a) > projectedness(b) ? [a, b] : [b, a];
      const trigonometry = trigonometryOf(table);
      return trigonometry === undefined ? undefined : { turned, op: trigonometry.op };
    });
  const [first, second] = parts;
  if (first === undefined || second === undefined || first.op === second.op) return undefined;
  const isRotated = (tensor: TensorValue): boolean => {
    let at: TensorValue | undefined = tensor;
    for (let i = 0; i < 10 && at !== undefined; i++) {
      if (at.op === 'cat' || at.op === 'stack' || at.op === 'roll' || at.op === 'neg') return true;
      if (!isLayout(at) && !sameElements.has(at.op)) return false;
      [at] = at.inputs;
    }
    return false;
  };
  const [x, y] = [isRotated(first.turned), isRotated(second.turned)];
  if (x === y) {
    // `a * cos - b * sin`, halves of one tensor.
    return sum.op === 'sub' && !x ? { plain: first.op, rotated: second.op } : undefined;
  }
  return x ? { plain: second.op, rotated: first.op } : { plain: first.op, rotated: second.op };
}
