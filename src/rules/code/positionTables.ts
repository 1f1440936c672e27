/** Tables of positions, and sums whose operands fit only because one of them is repeated. */
import { type Dim, loneAtom } from '../../dims/dim.ts';
import { symbolsOf } from '../../dims/visit.ts';
import { isLayout, sameElements } from '../../interpreter/graph.ts';
import { shareScope } from '../../interpreter/make.ts';
import { conceptOf, lengthScope } from '../../interpreter/samples.ts';
import type { CodeReading } from '../../interpreter/study.ts';
import type { Site, TensorValue, Value } from '../../interpreter/value.ts';
import { axisPath } from './axes.ts';
import { readDim } from './sizes.ts';
import { projectedness } from './sources.ts';
import { asTensor, dimFromEnd } from './tensors.ts';

const passing: ReadonlySet<string> = new Set(['getitem', 'dropout', 'narrow', 'repeat', 'index_select']);

/** Under slices, copies and new axes. */
function root(tensor: TensorValue): TensorValue {
  let at = tensor;
  for (let i = 0; i < 24; i++) {
    const [first] = at.inputs;
    const goesOn = sameElements.has(at.op) || isLayout(at) || passing.has(at.op);
    if (first === undefined || at.isParameter === true || at.isBuffer === true || !goesOn) return at;
    at = first;
  }
  return at;
}

/** Inputs that say where tokens stand. */
const placeNames = /^(?:position_ids|positions|input_pos|pos_ids|cache_position)$/;

/** Numbers in order: places in a sequence rather than tokens. */
function isCount(value: Value | undefined, depth = 0): boolean {
  const tensor = asTensor(value);
  if (tensor === undefined || depth > 12) return false;
  if (tensor.op === 'arange') return true;
  if (tensor.op === 'input') return placeNames.test(nameOf(tensor));
  if (tensor.op === 'buffer') return isCount(tensor.arguments.get('data'), depth + 1);
  const [first] = tensor.inputs;
  const goesOn = sameElements.has(tensor.op) || isLayout(tensor) || passing.has(tensor.op) || tensor.op === 'add' || tensor.op === 'long';
  return goesOn && first !== undefined && isCount(first, depth + 1);
}

/** The parameter that an input is given for. */
const nameOf = ({ site }: TensorValue): string => (site !== undefined && 'name' in site.node ? String(site.node.name) : '');

export interface PositionTable {
  /** The table, or its lookup. */
  readonly node: TensorValue;
  readonly weight: TensorValue;
  readonly rows: Dim | undefined;
  readonly width: Dim | undefined;
  /** How many positions are looked up, where that is counted. */
  readonly counted: Dim | undefined;
  readonly site: Site | undefined;
}

/** The table that a tensor was looked up in by position, or of which it is a slice; undefined where tokens are looked up. */
export function positionTableOf(tensor: TensorValue): PositionTable | undefined {
  const node = root(tensor);
  if (node.op === 'embedding') {
    const [weight, indices] = [asTensor(node.arguments.get('weight')), asTensor(node.arguments.get('input'))];
    if (weight === undefined || indices === undefined || !isCount(indices)) return undefined;
    const { site } = node.layer ?? weight;
    return { node, weight, rows: dimFromEnd(weight, -2), width: dimFromEnd(weight, -1), counted: dimFromEnd(indices, -1), site };
  }
  const isHeld = node.isParameter === true || node.isBuffer === true;
  if (!isHeld || projectedness(node) > 0 || node.shape.ellipsis !== undefined || node.shape.dims.length < 2) return undefined;
  return { node, weight: node, rows: dimFromEnd(node, -2), width: dimFromEnd(node, -1), counted: undefined, site: node.site };
}

export interface SmallTable {
  readonly table: PositionTable;
  readonly rows: Dim;
  /** The size that the code calls its context. */
  readonly context: Dim | undefined;
}

/** Embeddings of positions with fewer rows than the context, or with as many as something else has sizes. */
export function smallTables(code: CodeReading): readonly SmallTable[] {
  const found: SmallTable[] = [];
  for (const { tensors } of code.studies) {
    const seen = new Set<TensorValue>();
    for (const node of tensors) {
      const cut = node.op === 'getitem' ? cutTable(code, node) : undefined;
      if (cut !== undefined && !seen.has(cut.weight)) {
        seen.add(cut.weight);
        const rows = readDim(code, cut.rows);
        const short = rows.unknown ? undefined : shortness(rows);
        if (short !== undefined) found.push({ table: { ...cut, node, width: undefined, counted: undefined }, rows, ...short });
      }
      if (node.op !== 'embedding') continue;
      const table = positionTableOf(node);
      const rows = table?.rows === undefined ? undefined : readDim(code, table.rows);
      const counted = table?.counted === undefined ? undefined : readDim(code, table.counted);
      if (table === undefined || rows === undefined || rows.unknown || counted === undefined || !isWholeLength(counted)) continue;
      const short = shortness(rows);
      if (short !== undefined) found.push({ table, rows, ...short });
    }
  }
  return found;
}

/** Why so many rows are too few. */
function shortness(rows: Dim): Pick<SmallTable, 'context'> | undefined {
  const symbols = symbolsOf(rows);
  const [only] = symbols;
  if (only === undefined) return undefined;
  const atom = loneAtom(rows);
  if (symbols.length === 1 && conceptOf(only.name) === 'maxPositions')
    return atom?.kind === 'quotient' && atom.divisor.constant !== undefined ? { context: atom.dividend } : undefined;
  if (symbols.length === 1 && atom?.kind === 'symbol') return isOtherCount(only.name) ? { context: undefined } : undefined;
  // A width, or the part of it that one head has.
  const isWidth = symbols.some(({ name }) => conceptOf(name) === 'hiddenSize') && atom?.kind === 'quotient';
  return isWidth && symbols.every(({ name, scope }) => isOtherCount(name) || scope.startsWith(shareScope))
    ? { context: undefined }
    : undefined;
}

interface CutTable {
  readonly weight: TensorValue;
  readonly rows: Dim;
  readonly site: Site | undefined;
}

/** A table that was worked out for places, counted from 0, and is cut to the length of what came in. */
function cutTable(code: CodeReading, { inputs: [whole], shape }: TensorValue): CutTable | undefined {
  if (whole === undefined || whole.shape.ellipsis !== undefined || whole.shape.dims.length !== shape.dims.length) return undefined;
  const table = root(whole);
  if (table.isBuffer !== true) return undefined;
  for (const [i, rows] of whole.shape.dims.entries()) {
    const left = shape.dims[i];
    if (left === undefined || left.key === rows.key || !isCutToLength(readDim(code, left), readDim(code, rows))) continue;
    const last = axisPath({ node: whole, axis: i - whole.shape.dims.length }).at(-1)?.node;
    if (last?.op !== 'arange' || last.shape.dims[0]?.key !== rows.key) return undefined;
    const isWritten = last.site !== undefined && last.site.unit === table.site?.unit;
    return { weight: table, rows, site: isWritten ? last.site : table.site };
  }
  return undefined;
}

/** As long as what came in, or as the table where that is shorter. */
function isCutToLength(left: Dim, rows: Dim): boolean {
  const isGiven = (dim: Dim): boolean => isWholeLength(dim) && !dim.flexible;
  const atom = loneAtom(left);
  return isGiven(left) || (atom?.kind === 'minimum' && atom.operands.every((each) => each.key === rows.key || isGiven(each)));
}

/** What counts something else than positions. */
const isOtherCount = (name: string): boolean =>
  otherConcepts.has(conceptOf(name) ?? '') || /(?:^|[._])(?:type_vocab(?:_size)?|batch_size|num_classes|num_labels)$/.test(name);
const otherConcepts: ReadonlySet<string> = new Set(['hiddenSize', 'queryHeads', 'keyValueHeads', 'headDim', 'layers', 'intermediateSize']);

/** The length of what came in, and not a part of it. */
const isWholeLength = (dim: Dim): boolean => {
  const atom = loneAtom(dim);
  return atom?.kind === 'symbol' && (atom.scope === lengthScope || atom.flexible) && atom.name !== 'B';
};

export interface Repeated {
  readonly sum: TensorValue;
  readonly stream: TensorValue;
  /** The operand that is repeated. */
  readonly operand: TensorValue;
  readonly kind: 'row' | 'feature';
  readonly size: Dim;
}

/**
 * Sums that fit only because one row of a table of positions stands for all tokens, or one feature for all. Vectors that are made for
 * all tokens alike (conditions, biases, learned vectors) are not tables.
 */
export function repeatedOperands(code: CodeReading): readonly Repeated[] {
  const found: Repeated[] = [];
  for (const { tensors } of code.studies) {
    for (const sum of tensors) {
      if (sum.op !== 'add') continue;
      const [left, right] = [asTensor(sum.arguments.get('input')), asTensor(sum.arguments.get('other'))];
      if (left === undefined || right === undefined) continue;
      for (const [stream, operand] of [
        [left, right],
        [right, left],
      ] as const) {
        const repeated = repeatedIn(code, stream, operand);
        if (repeated !== undefined) found.push({ sum, stream, operand, ...repeated });
      }
    }
  }
  return found;
}

function repeatedIn(
  code: CodeReading,
  stream: TensorValue,
  operand: TensorValue,
): { readonly kind: Repeated['kind']; readonly size: Dim } | undefined {
  const size = (tensor: TensorValue, axis: number): Dim | undefined => {
    const dim = dimFromEnd(tensor, axis);
    const read = dim === undefined ? undefined : readDim(code, dim);
    return read?.unknown === true ? undefined : read;
  };
  const isOne = (dim: Dim | undefined): boolean => dim?.constant === 1;
  const [width, own] = [size(stream, -1), size(operand, -1)];
  // A table of scalars: what is added to one feature is added to all.
  if (width !== undefined && !isOne(width) && isOne(own) && root(operand).op === 'embedding' && projectedness(stream) === 2) {
    if (!isLayoutBetween(operand)) return { kind: 'feature', size: width };
  }
  const [tokens, rows] = [size(stream, -2), size(operand, -2)];
  if (width?.key !== own?.key || tokens === undefined || isOne(tokens) || !isOne(rows) || projectedness(stream) !== 2) return undefined;
  const table = positionTableOf(operand);
  const all = table?.rows === undefined ? undefined : readDim(code, table.rows);
  if (table === undefined || all === undefined || all.unknown || isOne(all)) return undefined;
  // Beside the rows for the others, the first is there for all on purpose.
  const isAddedToo = stream.op === 'add' && stream.inputs.some((input) => positionTableOf(input)?.weight === table.weight);
  return isFirstSlice(operand, table.node) && !isAddedToo ? { kind: 'row', size: tokens } : undefined;
}

/** `weights.permute(...)`: the last axis is not that of the table. */
function isLayoutBetween(tensor: TensorValue): boolean {
  let at = tensor;
  for (let i = 0; i < 12 && at.op !== 'embedding'; i++) {
    if (isLayout(at)) return true;
    const [first] = at.inputs;
    if (first === undefined) return true;
    at = first;
  }
  return at.op !== 'embedding';
}

/** One row is cut off by `[:1]`, of the table or of the positions. */
function isFirstSlice(operand: TensorValue, node: TensorValue): boolean {
  const start = node.op === 'embedding' ? asTensor(node.arguments.get('input')) : operand;
  let at = start;
  for (let i = 0; i < 12 && at !== undefined && at !== node; i++) {
    const index = at.op === 'getitem' ? at.arguments.get('index') : undefined;
    const items = index?.kind === 'tuple' ? index.items : index === undefined ? [] : [index];
    if (items.some((item) => item.kind === 'slice' && item.upper.kind === 'int' && item.upper.dim.constant === 1)) return true;
    at = at.inputs[0];
  }
  return false;
}
