import { deepEqual, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Dim, number, rigid } from '../../../../src/dims/dim.ts';
import { formatShape, openShape, type Shape, shapeOf } from '../../../../src/dims/shape.ts';
import { evaluate } from '../../../../src/dims/visit.ts';
import { Interpreter } from '../../../../src/interpreter/interpreter.ts';
import { bool, ellipsis, float, int, list, none, opaque, text, tuple } from '../../../../src/interpreter/make.ts';
import type { TensorValue, Value } from '../../../../src/interpreter/value.ts';

/** Values as the golden file writes them; see test/golden/make_torch_ops.py. */
type Written =
  | null
  | boolean
  | number
  | string
  | readonly Written[]
  | { readonly t: readonly Written[] }
  | { readonly f: number | string }
  | { readonly s: readonly (number | null)[] }
  | { readonly e: 0 }
  | { readonly dtype: string }
  | { readonly T: readonly number[]; readonly d: string };

interface Row {
  readonly op: string;
  readonly a: readonly Written[];
  readonly k?: Readonly<Record<string, Written>>;
  readonly r: Written | { readonly error: string };
}

const rows: readonly Row[] = readFileSync(join(process.cwd(), 'test/golden/torch-ops.generated.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Row);

function read(written: Written, shapeFor: ShapeFor = exactly): Value {
  if (written === null) return none;
  if (typeof written === 'boolean') return bool(written);
  if (typeof written === 'number') return int(written);
  if (typeof written === 'string') return text(written);
  if (Array.isArray(written)) return list((written as readonly Written[]).map((each) => read(each, shapeFor)));
  const value = written as Exclude<Written, null | boolean | number | string | readonly Written[]>;
  if ('t' in value) return tuple(value.t.map((each) => read(each, shapeFor)));
  if ('f' in value) return float(Number(String(value.f).replace('inf', 'Infinity')));
  if ('s' in value) {
    const [lower = null, upper = null, step = null] = value.s;
    return { kind: 'slice', lower: read(lower), upper: read(upper), step: read(step) };
  }
  if ('e' in value) return ellipsis;
  if ('dtype' in value) return opaque(`torch.${value.dtype}`);
  return input(shapeFor(value.T), value.d);
}

/** The shape under which a tensor of these sizes is given to an operation. */
type ShapeFor = (sizes: readonly number[]) => Shape;
const exactly: ShapeFor = (sizes) => shapeOf(...sizes.map(number));

const input = (shape: Shape, dtype: string): TensorValue => ({
  kind: 'tensor',
  id: 0,
  shape,
  dtype,
  op: 'input',
  arguments: new Map(),
  inputs: [],
  site: undefined,
});

interface Comparison {
  exact: number;
  unknownSizes: number;
  unknownShapes: number;
  unknownDtypes: number;
  readonly wrong: string[];
}

/** Compares what was answered with what PyTorch answered. */
function compare(answer: Value, expected: Written, counts: Comparison, where: string): void {
  const wrong = (): void => {
    counts.wrong.push(`${where}: ${show(answer)} instead of ${JSON.stringify(expected)}`);
  };
  // What changes a tensor in place answers None there, and the changed tensor here.
  if (expected === null) counts.exact++;
  else if (typeof expected === 'object' && 'T' in expected) {
    if (answer.kind === 'unknown') counts.unknownShapes++;
    else if (answer.kind !== 'tensor') wrong();
    else compareTensor(answer, expected, counts, wrong);
  } else if (expected !== null && typeof expected === 'object' && ('t' in expected || Array.isArray(expected))) {
    const items = 't' in expected ? expected.t : (expected as readonly Written[]);
    if (answer.kind === 'unknown') counts.unknownShapes++;
    else if ((answer.kind !== 'tuple' && answer.kind !== 'list') || answer.items.length !== items.length) wrong();
    else for (const [i, item] of items.entries()) compare(answer.items[i] ?? none, item, counts, `${where}[${i}]`);
  } else if (expected !== null && typeof expected === 'object' && 'dtype' in expected) {
    if (answer.kind !== 'opaque' || answer.name !== `torch.${expected.dtype}`) wrong();
    else counts.exact++;
  } else if (typeof expected === 'number') {
    if (answer.kind !== 'int' || answer.dim.constant !== expected) wrong();
    else counts.exact++;
  } else wrong();
}

function compareTensor(
  answer: TensorValue,
  expected: { readonly T: readonly number[]; readonly d: string },
  counts: Comparison,
  wrong: () => void,
): void {
  const { dims, ellipsis: at } = answer.shape;
  if (at !== undefined) {
    // What is in front of and behind the hidden axes must hold.
    const front = dims.slice(0, at);
    const back = dims.slice(at);
    const fits =
      dims.length <= expected.T.length &&
      front.every((dim, i) => dim.unknown || dim.constant === expected.T[i]) &&
      back.every((dim, i) => dim.unknown || dim.constant === expected.T[expected.T.length - back.length + i]);
    if (!fits) wrong();
    else counts.unknownShapes++;
    return;
  }
  if (dims.length !== expected.T.length || dims.some((dim, i) => !dim.unknown && dim.constant !== expected.T[i])) {
    wrong();
    return;
  }
  // `float` is the default dtype, whichever the program has set.
  const isDefault = answer.dtype === 'float' && /^float/.test(expected.d);
  if (answer.dtype === undefined) counts.unknownDtypes++;
  else if (answer.dtype !== expected.d && !isDefault) {
    wrong();
    return;
  }
  if (dims.some((dim) => dim.unknown)) counts.unknownSizes++;
  else counts.exact++;
}

function show(value: Value): string {
  if (value.kind === 'tensor') return `${formatShape(value.shape)} ${value.dtype ?? '?'}`;
  if (value.kind === 'tuple' || value.kind === 'list') return `(${value.items.map(show).join(', ')})`;
  if (value.kind === 'int') return `${value.dim.constant ?? '?'}`;
  return value.kind;
}

/** Runs one call through the evaluator; `shapeFor` answers what is known of a tensor's shape. */
function run({ op, a, k = {} }: Row, shapeFor: ShapeFor = exactly): { readonly answer: Value; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const interpreter = new Interpreter({
    loader: { load: () => undefined },
    parse: () => {
      throw new Error('no module is read');
    },
    recorder: { failure: ({ problem }) => problems.push(problem.message) },
  });
  const values = a.map((each) => read(each, shapeFor));
  const [self = none] = values;
  const attribute = /^Tensor\.attribute:(.*)$/.exec(op)?.[1];
  const method = /^Tensor\.(.*)$/.exec(op)?.[1];
  const keywords = new Map(Object.entries(k).map(([name, value]) => [name, read(value, shapeFor)]));
  if (attribute !== undefined) return { answer: interpreter.attribute(self, attribute) ?? none, problems };
  if (method !== undefined && !method.startsWith('__')) {
    const bound = interpreter.attribute(self, method) ?? none;
    return { answer: interpreter.call(bound, values.slice(1), keywords), problems };
  }
  return { answer: interpreter.call(interpreter.names.builtin(op) ?? none, values, keywords), problems };
}

const isError = (result: Row['r']): result is { readonly error: string } =>
  result !== null && typeof result === 'object' && 'error' in result;

const describeRow = ({ op, a, k }: Row): string => `${op} ${JSON.stringify(a)}${k === undefined ? '' : ` ${JSON.stringify(k)}`}`;

describe('operations of PyTorch against what PyTorch answered', () => {
  it('has exactly the shapes and dtypes, or says that it does not know', () => {
    const counts: Comparison = { exact: 0, unknownSizes: 0, unknownShapes: 0, unknownDtypes: 0, wrong: [] };
    const unsure = new Map<string, number>();
    for (const row of rows) {
      if (isError(row.r)) continue;
      const before = counts.exact;
      const wrong = counts.wrong.length;
      compare(run(row).answer, row.r, counts, describeRow(row));
      if (counts.exact === before && counts.wrong.length === wrong) unsure.set(row.op, (unsure.get(row.op) ?? 0) + 1);
    }
    deepEqual(counts.wrong, []);
    ok(counts.exact > 1000, `only ${counts.exact} results are exact`);
    // What depends on the values of tensors, and nothing else: masks and counts.
    deepEqual(Object.fromEntries(unsure), {
      // Of an empty list, which code that could not be followed may have filled.
      'torch.tensor': 1,
      'torch.where': 1,
      'torch.repeat_interleave': 1,
      'Tensor.__getitem__': 4,
      'torch.nonzero': 2,
      'torch.masked_select': 1,
      'torch.unique': 1,
      'torch.bincount': 1,
    });
  });

  it('has nothing to say about calls that work', () => {
    const alarms = rows
      .filter(({ r }) => !isError(r))
      .flatMap((row) => run(row).problems.map((problem) => `${describeRow(row)}: ${problem}`));
    deepEqual(alarms, []);
  });

  it('finds what fails because of sizes', () => {
    const isOfSizes = ({ r }: Row): boolean => isError(r) && !/not implemented for|ZeroDivision/.test(r.error);
    const missed = rows.filter((row) => isOfSizes(row) && run(row).problems.length === 0).map(describeRow);
    deepEqual(missed, []);
  });

  // Where symbols say nothing, pieces of `chunk` are taken to be equal, and an axis of `einsum` to have one size under one name.
  const isAssumed = ({ op, a }: Row): boolean => op === 'torch.chunk' || (op === 'torch.einsum' && /\[1,2,3,4\]/.test(JSON.stringify(a)));

  // Symbols stand for the sizes; a result must come to the real one when the numbers are put in.
  const namings: Readonly<Record<string, () => ShapeFor>> = {
    'a symbol for every axis': () => {
      let axes = 0;
      const symbol = (size: number): Dim => (size === 0 ? number(0) : rigid(`axis${axes++}_${size}`));
      return (sizes) => shapeOf(...sizes.map(symbol));
    },
    'a symbol for every size': () => (sizes) => shapeOf(...sizes.map((size) => (size <= 1 ? number(size) : rigid(`size0_${size}`)))),
    'axes hidden in front': () => (sizes) => openShape([], sizes.slice(Math.ceil(sizes.length / 2)).map(number)),
    'axes hidden behind': () => (sizes) => openShape(sizes.slice(0, Math.floor(sizes.length / 2)).map(number), []),
    'axes hidden between': () => (sizes) => openShape(sizes.slice(0, 1).map(number), sizes.slice(2).map(number)),
  };
  for (const [naming, make] of Object.entries(namings)) {
    it(`is never wrong with ${naming}`, () => {
      const wrong: string[] = [];
      let known = 0;
      const check = (answer: Value, expected: Written, where: string): void => {
        if (answer.kind === 'tensor' && expected !== null && typeof expected === 'object' && 'T' in expected) {
          const { dims, ellipsis: at } = answer.shape;
          const sizes = dims.map((dim) => evaluate(dim, ({ name }) => Number(name.slice(name.indexOf('_') + 1))));
          const offset = expected.T.length - dims.length;
          const fits = at === undefined ? offset === 0 : offset >= 0;
          const holds = sizes.every((size, i) => size === undefined || size === expected.T[at !== undefined && i >= at ? i + offset : i]);
          if (!fits || !holds) wrong.push(`${where}: ${show(answer)} instead of ${JSON.stringify(expected.T)}`);
          else if (!sizes.includes(undefined) && at === undefined) known++;
        } else if (expected !== null && typeof expected === 'object' && ('t' in expected || Array.isArray(expected))) {
          const items = 't' in expected ? expected.t : (expected as readonly Written[]);
          if ((answer.kind !== 'tuple' && answer.kind !== 'list') || (answer.kind === 'tuple' && answer.ellipsis !== undefined)) return;
          if (answer.items.length !== items.length) wrong.push(`${where}: ${answer.items.length} results instead of ${items.length}`);
          else for (const [i, item] of items.entries()) check(answer.items[i] ?? none, item, `${where}[${i}]`);
        }
      };
      for (const row of rows) {
        if (isError(row.r) || isAssumed(row)) continue;
        const { answer, problems } = run(row, make());
        for (const problem of problems) wrong.push(`${describeRow(row)}: ${problem}`);
        check(answer, row.r, describeRow(row));
      }
      deepEqual(wrong, []);
      if (!naming.startsWith('axes')) ok(known > 700, `only ${known} results are known`);
    });
  }
});
