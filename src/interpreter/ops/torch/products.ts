/** Sums of products: matrix products, einsum, outer products, and the linear algebra that blocks use. */
import { add, type Dim, floorDiv, multiply, number, one, subtract, unknownDim } from '../../../dims/dim.ts';
import {
  type Judgement,
  locateAxis,
  matmul,
  openShape,
  rankOf,
  replaceAt,
  type Shape,
  shapeOf,
  unknownShape,
  withRank,
} from '../../../dims/shape.ts';
import { operations } from '../../define.ts';
import type { Call, Machine } from '../../operation.ts';
import type { Value } from '../../value.ts';
import { broadcastAll, itemsOf, judged, keep, operandShape, pair, promote, type Run, scalar, shapeIn, tensorOf } from './support.ts';

const product =
  (op: string, ranks: readonly (number | undefined)[] = []): Run =>
  (call, machine) => {
    const values = [call.value('input'), call.value('other')];
    const [left = unknownShape, right = unknownShape] = values.map(operandShape);
    const dtype = promote(values);
    const fitted = [left, right].map((shape, i) => (ranks[i] === undefined ? shape : withRank(shape, ranks[i])));
    const wrong = fitted.indexOf(undefined);
    if (wrong >= 0) {
      const reason = `${op} takes ${ranks[wrong]} axes, and there are ${(wrong === 0 ? left : right).dims.length}`;
      const result = judged(machine, (judgement) => {
        judgement.failOfAxes(reason);
        return unknownShape;
      });
      return machine.settle(op, call, result, { dtype });
    }
    const [a, b] = [fitted[0] ?? left, fitted[1] ?? right];
    const result = matmul(a, b, machine.context);
    const width = (rankOf(b) ?? 0) >= 2 ? b.dims[b.dims.length - 1] : undefined;
    // Whatever is multiplied with a matrix becomes as wide as it.
    const isOpen = result.status === 'unknown' && result.shape.dims.length === 0 && rankOf(a) === undefined;
    return machine.settle(op, call, isOpen && width !== undefined ? { ...result, shape: openShape([], [width]) } : result, { dtype });
  };

/** `bias + scale * (a @ b)`; the bias broadcasts into the product. */
const addedProduct =
  (op: string, first: string, second: string): Run =>
  (call, machine) => {
    const multiplied = matmul(shapeIn(call, first), shapeIn(call, second), machine.context);
    const { status, reason, substitution } = multiplied;
    const dtype = promote([call.value('input'), call.value(first), call.value(second)]);
    if (status === 'mismatch') return machine.settle(op, call, multiplied, { dtype });
    const sum = broadcastAll([multiplied.shape, shapeIn(call)], { facts: machine.context.facts, substitution });
    return machine.settle(op, call, sum.status === 'ok' && reason !== undefined ? { ...sum, status, reason } : sum, { dtype });
  };

/** Labels of one operand or of the result; `...` where axes are hidden. */
type Labels = readonly string[];

interface Equation {
  readonly inputs: readonly Labels[];
  readonly output: Labels | undefined;
}

const maximumEquation = 500;

function parseEquation(text: string): Equation | undefined {
  if (text.length > maximumEquation) return undefined;
  const sides = text.replace(/\s/g, '').split('->');
  const [left, right] = sides;
  if (left === undefined || sides.length > 2) return undefined;
  const inputs = left.split(',').map(labelsOf);
  const output = right === undefined ? undefined : labelsOf(right);
  if (inputs.includes(undefined) || (right !== undefined && output === undefined)) return undefined;
  return { inputs: inputs as Labels[], output };
}

function labelsOf(side: string): Labels | undefined {
  const found = side.match(/\.\.\.|[A-Za-z]/g) ?? [];
  return found.join('') === side && found.filter((label) => label === '...').length <= 1 ? found : undefined;
}

/** Sublists name axes by numbers: `einsum(a, [0, 1], b, [1, 2], [0, 2])`. */
function fromSublists(values: readonly Value[]): { readonly equation: Equation; readonly operands: readonly Value[] } | undefined {
  const operands: Value[] = [];
  const lists: Labels[] = [];
  let output: Labels | undefined;
  for (let i = 0; i < values.length; i += 2) {
    const [operand, axes] = [values[i], values[i + 1]];
    if (axes === undefined) {
      output = operand === undefined ? undefined : sublist(operand);
      if (output === undefined) return undefined;
      break;
    }
    const labels = sublist(axes);
    if (operand === undefined || labels === undefined) return undefined;
    operands.push(operand);
    lists.push(labels);
  }
  return { equation: { inputs: lists, output }, operands };
}

function sublist(value: Value): Labels | undefined {
  const labels = itemsOf(value)?.map((item) =>
    item.kind === 'ellipsis' ? '...' : item.kind === 'int' && item.dim.constant !== undefined ? `#${item.dim.constant}` : undefined,
  );
  return labels === undefined || labels.includes(undefined) ? undefined : (labels as string[]);
}

/** The result of a product of labelled axes: the same label has the same size everywhere, or 1. */
export function einsumShape(equation: Equation, shapes: readonly Shape[], judgement: Judgement, machine: Machine): Shape {
  const { inputs } = equation;
  if (inputs.length !== shapes.length) {
    judgement.fail(`the equation has ${inputs.length} operands, and ${shapes.length} are given`);
    return unknownShape;
  }
  const sizes = new Map<string, Dim>();
  const hidden: Shape[] = [];
  for (const [i, labels] of inputs.entries()) {
    const shape = shapes[i] ?? unknownShape;
    const dots = labels.indexOf('...');
    const named = dots < 0 ? labels.length : labels.length - 1;
    const rank = rankOf(shape);
    if (rank !== undefined && (dots < 0 ? rank !== named : rank < named)) {
      judgement.failOfAxes(`operand ${i} has ${rank} axes, and the equation names ${named}`);
      return unknownShape;
    }
    if (dots >= 0) {
      const length = rank === undefined ? undefined : rank - named;
      hidden.push(length === undefined ? unknownShape : shapeOf(...shape.dims.slice(dots, dots + length)));
    }
    for (const [j, label] of labels.entries()) {
      if (label === '...') continue;
      const at = locateAxis(shape, dots >= 0 && j > dots ? j - labels.length : j);
      const dim = (typeof at === 'number' ? shape.dims[at] : undefined) ?? unknownDim('the axis is not known');
      const known = sizes.get(label);
      sizes.set(label, known === undefined ? dim : meet(judgement, label, known, dim));
    }
  }
  const counts = new Map<string, number>();
  for (const label of inputs.flat()) counts.set(label, (counts.get(label) ?? 0) + 1);
  const single = [...counts].filter(([label, count]) => count === 1 && label !== '...').map(([label]) => label);
  const implicit = [...(counts.has('...') ? ['...'] : []), ...single.sort(byLabel)];
  const output = equation.output ?? implicit;
  const broadcast = broadcastAll(hidden, machine.context);
  if (broadcast.status === 'mismatch') judgement.failAs(broadcast);
  const dims: Dim[] = [];
  let ellipsis: number | undefined;
  for (const label of output) {
    if (label === '...') {
      if (broadcast.shape.ellipsis !== undefined) ellipsis = dims.length + broadcast.shape.ellipsis;
      dims.push(...broadcast.shape.dims);
      continue;
    }
    const size = sizes.get(label);
    if (size === undefined) judgement.fail(`${label.replace('#', '')} does not occur on the left`);
    dims.push(size ?? unknownDim('the axis is not named'));
  }
  return { dims, ellipsis };
}

/** Capital letters come before small ones; numbers of sublists by their value. */
function byLabel(a: string, b: string): number {
  if (a.startsWith('#') && b.startsWith('#')) return Number(a.slice(1)) - Number(b.slice(1));
  return a < b ? -1 : a > b ? 1 : 0;
}

function meet(judgement: Judgement, label: string, a: Dim, b: Dim): Dim {
  const [x, y] = [judgement.read(a), judgement.read(b)];
  if (x.constant === 1) return y;
  if (y.constant === 1) return x;
  // A size of 1 stretches: only where neither can be 1 is a difference an error.
  const isWide = judgement.isAtLeast(x, number(2)) && judgement.isAtLeast(y, number(2));
  if (judgement.compare(x, y) === 'different' && !isWide) judgement.doubt(`${label} has two sizes`);
  else judgement.same(x, y, (left, right) => `${label.replace('#', 'axis ')} is ${left} in one operand and ${right} in another`);
  return x;
}

const einsum: Run = (call, machine) => {
  let equation: Equation | undefined;
  let operands: readonly Value[] | undefined = itemsOf(call.value('operands'));
  const [only] = operands ?? [];
  const text = call.value('equation');
  if (text.kind === 'string' && operands?.length === 1 && (only?.kind === 'list' || only?.kind === 'tuple')) operands = itemsOf(only);
  if (text.kind === 'string') equation = text.value === undefined ? undefined : parseEquation(text.value);
  else if (tensorOf(text) !== undefined && operands !== undefined) {
    const found = fromSublists([text, ...operands]);
    equation = found?.equation;
    operands = found?.operands;
  }
  if (equation === undefined || operands === undefined) return machine.tensor('einsum', call, unknownShape);
  const shapes = operands.map(operandShape);
  const parsed = equation;
  const result = judged(machine, (judgement) => einsumShape(parsed, shapes, judgement, machine));
  return machine.settle('einsum', call, result, { dtype: promote(operands), inputs: operands.flatMap((value) => tensorOf(value) ?? []) });
};

const outer: Run = (call, machine) => {
  const [a, b] = [withRank(shapeIn(call), 1), withRank(shapeIn(call, 'other'), 1)];
  const dims = [a?.dims[0], b?.dims[0]].map((dim) => dim ?? unknownDim('not a vector'));
  return machine.tensor('outer', call, shapeOf(...dims), { dtype: promote([call.value('input'), call.value('other')]) });
};

/** Sums over the last `dims` axes of the first and the first of the second, or over the axes named. */
const tensordot: Run = (call, machine) => {
  const [a, b] = [shapeIn(call), shapeIn(call, 'other')];
  const [rankA, rankB] = [rankOf(a), rankOf(b)];
  const dims = call.value('dims');
  if (rankA === undefined || rankB === undefined) return machine.tensor('tensordot', call, unknownShape);
  const count = call.number('dims');
  let [left, right]: readonly (readonly number[] | undefined)[] = [undefined, undefined];
  if (dims.kind === 'int' && count !== undefined) {
    left = Array.from({ length: count }, (_, i) => rankA - count + i);
    right = Array.from({ length: count }, (_, i) => i);
  } else {
    const pairs = itemsOf(dims)?.map((axes) => itemsOf(axes)?.map((axis) => (axis.kind === 'int' ? axis.dim.constant : undefined)));
    const normal = (axes: readonly (number | undefined)[] | undefined, rank: number): readonly number[] | undefined =>
      axes === undefined || axes.includes(undefined) ? undefined : (axes as number[]).map((axis) => (axis < 0 ? axis + rank : axis));
    left = normal(pairs?.[0], rankA);
    right = normal(pairs?.[1], rankB);
  }
  if (left === undefined || right === undefined) return machine.tensor('tensordot', call, unknownShape);
  const [from, to] = [left, right];
  const result = judged(machine, (judgement) => {
    for (const [i, axis] of from.entries()) {
      const [x, y] = [a.dims[axis], b.dims[to[i] ?? -1]];
      if (x !== undefined && y !== undefined) judgement.same(x, y, (p, q) => `the summed axes are ${p} and ${q}`);
    }
    return shapeOf(...a.dims.filter((_, i) => !from.includes(i)), ...b.dims.filter((_, i) => !to.includes(i)));
  });
  return machine.settle('tensordot', call, result, { dtype: promote([call.value('input'), call.value('other')]) });
};

/** Without the last two axes; what decompositions answer beside them. */
const front = (shape: Shape, after: readonly Dim[]): Shape => {
  const at = locateAxis(shape, -2);
  if (rankOf(shape) === undefined || typeof at !== 'number') return unknownShape;
  return shapeOf(...shape.dims.slice(0, at), ...after);
};

const lastTwo = (shape: Shape): readonly [Dim, Dim] => {
  const unsure = (): Dim => unknownDim('the axis is not known');
  return [shape.dims[shape.dims.length - 2] ?? unsure(), shape.dims[shape.dims.length - 1] ?? unsure()];
};

const eigen: Run = (call, machine) => {
  const shape = shapeIn(call);
  const [, columns] = lastTwo(shape);
  return pair(
    ['eigenvalues', 'eigenvectors'],
    machine.tensor('eigh', call, front(shape, [columns]), { index: 0 }),
    machine.tensor('eigh', call, shape, { index: 1 }),
  );
};

const cdist: Run = (call, machine) => {
  const [a, b] = [shapeIn(call), shapeIn(call, 'other')];
  const [rankA, rankB] = [rankOf(a), rankOf(b)];
  if (rankA === undefined || rankB === undefined || rankA < 2 || rankB < 2) return machine.tensor('cdist', call, unknownShape);
  const result = judged(machine, (judgement) => {
    judgement.same(lastTwo(a)[1], lastTwo(b)[1], (x, y) => `the points have ${x} and ${y} coordinates`);
    const batch = broadcastAll([shapeOf(...a.dims.slice(0, -2)), shapeOf(...b.dims.slice(0, -2))], machine.context);
    return { dims: [...batch.shape.dims, lastTwo(a)[0], lastTwo(b)[0]], ellipsis: batch.shape.ellipsis };
  });
  return machine.settle('cdist', call, result);
};

const kron: Run = (call, machine) => machine.tensor('kron', call, unknownShape);

const chained: Run = (call, machine) => {
  const values = itemsOf(call.value('tensors'));
  const [first, ...others] = (values?.length === 1 ? (itemsOf(values[0]) ?? values) : (values ?? [])).map(operandShape);
  if (first === undefined) return machine.tensor('matmul', call, unknownShape);
  let result = judged(machine, () => first);
  for (const other of others) {
    const next = matmul(result.shape, other, { facts: machine.context.facts, substitution: result.substitution });
    result = result.status === 'mismatch' ? { ...result, shape: next.shape } : next;
  }
  return machine.settle('matmul', call, result);
};

const fft =
  (op: string, kind: 'full' | 'half' | 'whole'): Run =>
  (call, machine) =>
    machine.tensor(op, call, transformed(call, kind), { dtype: kind === 'whole' ? 'float' : 'complex64' });

/** Lengths after a Fourier transform: the last transformed axis of a real one is halved, or restored. */
function transformed(call: Call, kind: 'full' | 'half' | 'whole'): Shape {
  const shape = shapeIn(call);
  const single = !call.isNone('dim') && call.number('dim') !== undefined;
  const axes = single ? [call.number('dim') ?? -1] : call.isNone('dim') ? shape.dims.map((_, i) => i) : call.numbers('dim');
  if (rankOf(shape) === undefined || axes === undefined) return unknownShape;
  const lengths = call.isNone('n')
    ? undefined
    : single
      ? [call.dim('n')]
      : itemsOf(call.value('n'))?.map((item) => (item.kind === 'int' ? item.dim : undefined));
  let result = shape;
  for (const [i, axis] of axes.entries()) {
    const at = locateAxis(shape, axis);
    if (typeof at !== 'number') return unknownShape;
    const isLast = i === axes.length - 1;
    const given = lengths === undefined ? undefined : (lengths[i] ?? unknownDim('the length is not known'));
    const dim = shape.dims[at] ?? one;
    result = replaceAt(result, at, [lengthAfter(dim, given, isLast ? kind : 'full')]);
  }
  return result;
}

function lengthAfter(dim: Dim, given: Dim | undefined, kind: 'full' | 'half' | 'whole'): Dim {
  const whole = given ?? dim;
  if (kind === 'full') return whole;
  if (kind === 'half') return halved(whole);
  return given ?? doubled(dim);
}

const halved = (dim: Dim): Dim => add(floorDiv(dim, number(2)), one);
const doubled = (dim: Dim): Dim => multiply(number(2), subtract(dim, one));

const two = 'input, other|mat2|vec2|tensor2|vec|tensor, *, out=None';
const along = 'input, n|s=None, dim=-1, norm=None, *, out=None';
const overAll = 'input, n|s=None, dim=None, norm=None, *, out=None';
const overTwo = 'input, n|s=None, dim=(-2, -1), norm=None, *, out=None';

export const productOperations = operations({
  'torch.matmul torch.__matmul__ operator.matmul torch.linalg.matmul': [two, product('matmul')],
  'torch.mm': [two, product('mm', [2, 2])],
  'torch.bmm': [two, product('bmm', [3, 3])],
  'torch.mv': [two, product('mv', [2, 1])],
  'torch.dot torch.inner torch.vdot torch.linalg.vecdot': [
    two,
    (call, machine) => {
      const values = [call.value('input'), call.value('other')];
      const isVectors = values.map(operandShape).every((shape) => rankOf(shape) === 1);
      return isVectors ? product('dot', [1, 1])(call, machine) : machine.tensor('dot', call, unknownShape, { dtype: promote(values) });
    },
  ],
  'torch.addmm Tensor.addmm_': ['input, mat1, mat2, *, beta=1, alpha=1, out=None', addedProduct('addmm', 'mat1', 'mat2')],
  'torch.baddbmm Tensor.baddbmm_': ['input, batch1, batch2, *, beta=1, alpha=1, out=None', addedProduct('baddbmm', 'batch1', 'batch2')],
  'torch.addmv': ['input, mat, vec, *, beta=1, alpha=1, out=None', addedProduct('addmv', 'mat', 'vec')],
  'torch.einsum': ['equation, *operands', einsum],
  'torch.outer torch.ger': [two, outer],
  'torch.tensordot': ['input|a, other|b, dims=2, out=None', tensordot],
  'torch.kron': [two, kron],
  'torch.chain_matmul torch.linalg.multi_dot': ['*tensors', chained],
  'torch.cross torch.linalg.cross': [
    'input, other, dim=None, *, out=None',
    (call, machine) => {
      const values = [call.value('input'), call.value('other')];
      return machine.settle('cross', call, broadcastAll(values.map(operandShape), machine.context), { dtype: promote(values) });
    },
  ],
  'torch.cdist': ["input|x1, other|x2, p=2.0, compute_mode='use_mm_for_euclid_dist_if_necessary'", cdist],
  'torch.inverse torch.linalg.inv torch.linalg.cholesky torch.cholesky torch.matrix_exp torch.linalg.matrix_exp torch.cholesky_inverse': [
    'input|A, *args, **kwargs',
    keep('inv'),
  ],
  'torch.linalg.matrix_power torch.matrix_power': ['input|A, n', keep('matrix_power')],
  'torch.pinverse torch.linalg.pinv': [
    'input|A, *args, **kwargs',
    (call, machine) => {
      const shape = shapeIn(call);
      const [rows, columns] = lastTwo(shape);
      return machine.tensor('pinv', call, front(shape, [columns, rows]));
    },
  ],
  'torch.det torch.linalg.det torch.logdet': ['input|A', (call, machine) => machine.tensor('det', call, front(shapeIn(call), []))],
  'torch.linalg.eigh': ["input|A, UPLO='L'", eigen],
  'torch.linalg.eigvalsh': [
    "input|A, UPLO='L'",
    (call, machine) => {
      const shape = shapeIn(call);
      return machine.tensor('eigvalsh', call, front(shape, [lastTwo(shape)[1]]));
    },
  ],
  'torch.linalg.solve torch.linalg.solve_triangular torch.cholesky_solve torch.triangular_solve': [
    'A, input|B, *args, **kwargs',
    (call, machine) => {
      const [a, b] = [rankOf(shapeIn(call, 'A')), rankOf(shapeIn(call))];
      return machine.tensor('solve', call, a !== undefined && a === b ? shapeIn(call) : unknownShape);
    },
  ],
  'torch.fft.fft torch.fft.ifft': [along, fft('fft', 'full')],
  'torch.fft.rfft torch.fft.ihfft': [along, fft('rfft', 'half')],
  'torch.fft.irfft torch.fft.hfft': [along, fft('irfft', 'whole')],
  'torch.fft.fft2 torch.fft.ifft2': [overTwo, fft('fft2', 'full')],
  'torch.fft.rfft2': [overTwo, fft('rfft2', 'half')],
  'torch.fft.irfft2': [overTwo, fft('irfft2', 'whole')],
  'torch.fft.fftn torch.fft.ifftn': [overAll, fft('fftn', 'full')],
  'torch.fft.rfftn': [overAll, fft('rfftn', 'half')],
  'torch.fft.irfftn': [overAll, fft('irfftn', 'whole')],
  'torch.fft.fftshift torch.fft.ifftshift': ['input, dim=None', keep('fftshift')],
  'torch.fft.rfftfreq': [
    'n, d=1.0, *args, **kwargs',
    (call, machine) => {
      const n = call.dim('n');
      return machine.tensor('rfftfreq', call, shapeOf(n === undefined ? unknownDim() : halved(n)), { dtype: 'float' });
    },
  ],
  'torch.fft.fftfreq': [
    'n, d=1.0, *args, **kwargs',
    (call, machine) => machine.tensor('fftfreq', call, shapeOf(call.dim('n') ?? unknownDim()), { dtype: 'float' }),
  ],
  'torch.linalg.vander torch.vander': ['x, N=None', (call, machine) => machine.tensor('vander', call, unknownShape)],
  'torch.linalg.slogdet torch.slogdet': [
    'input|A',
    (call, machine) => {
      const shape = front(shapeIn(call), []);
      return pair(
        ['sign', 'logabsdet'],
        machine.tensor('slogdet', call, shape, { index: 0 }),
        machine.tensor('slogdet', call, shape, { index: 1 }),
      );
    },
  ],
  'torch.linalg.cond': [
    'input|A, p=None',
    (call, machine) => machine.tensor('cond', call, rankOf(shapeIn(call)) === 2 ? scalar : unknownShape),
  ],
});
