/** Thrown while a model is laid out, and turned into a reason at the boundary: something about the design is not known to the calculator. */
export class NotModelled extends Error {}

/** One tensor's name, with indices folded to `{i}`, and every shape it has: as many tensors as `count` says. */
export interface Parameter {
  readonly name: string;
  readonly count: number;
  /** Distinct shapes, ascending; one unless layers differ. */
  readonly shapes: readonly (readonly number[])[];
  /** Numbers in all of them together. */
  readonly elements: bigint;
  /** Those of them that share their storage with no tensor listed before: totals count these. */
  readonly own: bigint;
  /** All of them share their storage with other tensors. */
  readonly tied: boolean;
}

interface Row {
  count: number;
  readonly shapes: Map<string, readonly number[]>;
  elements: bigint;
  own: bigint;
  tied: boolean;
}

/** More layers than any model has: a mistyped number must not stop the editor. */
const maximumRepeats = 4096;
const maximumTensors = 200_000;

/** Collects a model's tensors. */
export class Sheet {
  readonly #rows = new Map<string, Row>();
  #tensors = 0;

  /** `times` tensors of one shape under a folded name. Throws NotModelled where a size is no positive integer. */
  add(name: string, times: number, shape: readonly number[], tied: boolean, least = 1): void {
    if (times === 0) return;
    this.#tensors++;
    if (this.#tensors > maximumTensors) throw new NotModelled('The model has more tensors than the calculator lists.');
    let elements = BigInt(times);
    for (const size of shape) {
      if (!Number.isSafeInteger(size) || size < least) throw new NotModelled(`${name} would have a side of ${size}.`);
      elements *= BigInt(size);
    }
    let row = this.#rows.get(name);
    if (row === undefined) {
      row = { count: 0, shapes: new Map(), elements: 0n, own: 0n, tied: true };
      this.#rows.set(name, row);
    }
    row.count += times;
    row.elements += elements;
    if (!tied) {
      row.own += elements;
      row.tied = false;
    }
    row.shapes.set(shape.join(','), shape);
  }

  list(): readonly Parameter[] {
    return [...this.#rows].map(([name, row]) => ({
      name,
      count: row.count,
      shapes: [...row.shapes.values()].sort(bySize),
      elements: row.elements,
      own: row.own,
      tied: row.tied,
    }));
  }
}

function bySize(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** A place in the module tree, as PyTorch names it: `model.layers.{i}.self_attn`. Shapes are as PyTorch stores them. */
export class Scope {
  readonly #sheet: Sheet;
  readonly #prefix: string;
  readonly #times: number;

  constructor(sheet: Sheet, prefix = '', times = 1) {
    this.#sheet = sheet;
    this.#prefix = prefix;
    this.#times = times;
  }

  /** A submodule; '' is this one. A number in the path is an index. */
  at(path: string, times = 1): Scope {
    return path === '' ? this : new Scope(this.#sheet, `${this.#prefix}${fold(path)}.`, this.#times * times);
  }

  /** A parameter of its own. A scalar's shape is empty. */
  weight(name: string, shape: readonly number[], options: { readonly tied?: boolean; readonly mayBeEmpty?: boolean } = {}): void {
    this.#sheet.add(`${this.#prefix}${fold(name)}`, this.#times, shape, options.tied === true, options.mayBeEmpty === true ? 0 : 1);
  }

  /** `nn.Linear`: weight [out, in]. */
  linear(name: string, out: number, into: number, bias = false): void {
    const scope = this.at(name);
    scope.weight('weight', [out, into]);
    if (bias) scope.weight('bias', [out]);
  }

  /** GPT-2's `Conv1D`: a linear layer whose weight is [in, out]. */
  conv1D(name: string, into: number, out: number, bias = true): void {
    const scope = this.at(name);
    scope.weight('weight', [into, out]);
    if (bias) scope.weight('bias', [out]);
  }

  /** RMSNorm, or with `bias` LayerNorm. */
  norm(name: string, width: number, bias = false): void {
    const scope = this.at(name);
    scope.weight('weight', [width]);
    if (bias) scope.weight('bias', [width]);
  }

  layerNorm(name: string, width: number): void {
    this.norm(name, width, true);
  }

  /** `nn.Conv1d` or `nn.Conv2d`: weight [out, in / groups, ...kernel]. */
  convolution(name: string, out: number, into: number, kernel: readonly number[], bias = true): void {
    const scope = this.at(name);
    scope.weight('weight', [out, into, ...kernel]);
    if (bias) scope.weight('bias', [out]);
  }

  embedding(name: string, rows: number, width: number, tied = false): void {
    this.at(name).weight('weight', [rows, width], { tied });
  }

  /** A linear layer that shares its weight with an embedding; its bias, if it has one, is its own. */
  head(name: string, out: number, into: number, tied: boolean, bias = false): void {
    const scope = this.at(name);
    scope.weight('weight', [out, into], { tied });
    if (bias) scope.weight('bias', [out]);
  }

  /** `nn.ModuleList`: every element in turn. */
  each(name: string, count: number, build: (scope: Scope, index: number) => void): void {
    if (!Number.isSafeInteger(count) || count < 0 || count > maximumRepeats) throw new NotModelled(`${count} layers.`);
    const scope = this.at(`${name}.{i}`);
    // What does not ask which element it is makes all of them alike.
    if (build.length < 2) {
      if (count > 0) build(this.at(`${name}.{i}`, count), 0);
      return;
    }
    for (let i = 0; i < count; i++) build(scope, i);
  }
}

const fold = (path: string): string => path.replace(/(?<![^.])\d+(?![^.])/g, '{i}');
