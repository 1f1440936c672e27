/** einops: rearrange, repeat, reduce, einsum, pack and unpack, for tensors of every library. */
import { add, type Dim, multiply, number, one, unknownDim } from '../../dims/dim.ts';
import { rankOf, type Shape, type ShapeResult, shapeOf, stack, unknownShape } from '../../dims/shape.ts';
import { checkEinops, type EinopsOperation, type EinopsPattern, parseEinops } from '../../syntax/einops.ts';
import { operations } from '../define.ts';
import { dict, dimOf, int, list, none, sizeTuple, text, tuple, unknown } from '../make.ts';
import type { Call, Machine } from '../operation.ts';
import type { Value } from '../value.ts';
import { einopsShape } from './einopsShape.ts';
import { einsumShape } from './torch/products.ts';
import { itemsOf, judged, promote, type Run, tensorOf } from './torch/support.ts';

/** Sizes given by name; undefined when there may be others. */
function namedSizes(call: Call): ReadonlyMap<string, Dim> | undefined {
  const given = call.value('axes_lengths');
  if (given.kind !== 'dict' || given.open) return undefined;
  const sizes = new Map<string, Dim>();
  for (const [name, { value }] of given.entries) sizes.set(name, dimOf(value) ?? unknownDim(`the size of ${name} is not known`));
  return sizes;
}

/** A tensor, or a list of tensors that are stacked in front. */
function inputShape(value: Value, machine: Machine): ShapeResult | undefined {
  const tensor = tensorOf(value);
  if (tensor !== undefined) return judged(machine, () => tensor.shape);
  if (value.kind !== 'list' && value.kind !== 'tuple') return undefined;
  const shapes = itemsOf(value)?.map((item) => tensorOf(item)?.shape ?? unknownShape);
  return shapes === undefined || shapes.length === 0 ? undefined : stack(shapes, 0, machine.context);
}

const arranged =
  (op: EinopsOperation): Run =>
  (call, machine) => {
    const pattern = parse(call, 'pattern');
    const sizes = namedSizes(call);
    const input = inputShape(call.value('tensor'), machine);
    if (pattern === undefined || sizes === undefined || input === undefined) return machine.tensor(op, call, unknownShape);
    const [problem] = checkEinops(pattern, op, new Set(sizes.keys()));
    const context = { facts: machine.context.facts, substitution: input.substitution };
    const result = einopsShape(pattern, input.shape, sizes, context);
    if (input.status === 'mismatch') {
      const { shape, substitution } = result;
      return machine.settle(op, call, { ...input, shape, substitution });
    }
    if (problem === undefined) return machine.settle(op, call, result);
    return machine.settle(op, call, { ...result, shape: unknownShape, status: 'mismatch', reason: problem.message });
  };

function parse(call: Call, name: string): EinopsPattern | undefined {
  const written = call.text(name);
  return written === undefined ? undefined : parseEinops(written);
}

/** `einsum(tensor, tensor, ..., pattern)`: axes are words, and nothing is composed. */
const einsum: Run = (call, machine) => {
  const values = itemsOf(call.value('tensors_and_pattern'));
  const last = values?.[values.length - 1] ?? call.value('pattern');
  const written = last.kind === 'string' ? last : call.value('pattern');
  const operands = (values ?? []).filter((value) => value.kind !== 'string');
  const pattern = written.kind === 'string' && written.value !== undefined ? parseEinops(written.value) : undefined;
  if (values === undefined || pattern === undefined) return machine.tensor('einsum', call, unknownShape);
  const sides = [...pattern.inputs, pattern.output];
  if (sides.some((side) => side.some(({ axes }) => axes.length !== 1))) return machine.tensor('einsum', call, unknownShape);
  const labels = sides.map((side) => side.map(({ axes }) => (axes[0]?.kind === 'ellipsis' ? '...' : (axes[0]?.text ?? ''))));
  const shapes = operands.map((value) => tensorOf(value)?.shape ?? unknownShape);
  const equation = { inputs: labels.slice(0, -1), output: labels[labels.length - 1] };
  const result = judged(machine, (judgement) => einsumShape(equation, shapes, judgement, machine));
  return machine.settle('einsum', call, result, { dtype: promote(operands) });
};

/** Where `*` stands in a pattern of `pack`: how many axes are before and after it. */
function starOf(pattern: string | undefined): { readonly before: number; readonly after: number } | undefined {
  const axes = pattern?.trim().split(/\s+/);
  const at = axes?.indexOf('*') ?? -1;
  return axes === undefined || at < 0 || axes.lastIndexOf('*') !== at ? undefined : { before: at, after: axes.length - at - 1 };
}

/** Tensors joined along the axes that `*` stands for, and the shapes of these. */
const packed: Run = (call, machine) => {
  const star = starOf(call.text('pattern'));
  const tensors = itemsOf(call.value('tensors'))?.map((value) => tensorOf(value)?.shape);
  const ranked = tensors?.every((shape): shape is Shape => shape !== undefined && rankOf(shape) !== undefined) === true;
  if (star === undefined || tensors === undefined || !ranked)
    return tuple([machine.tensor('pack', call, unknownShape), unknown('the packed shapes')]);
  const shapes = tensors as readonly Shape[];
  const [first] = shapes;
  const short = shapes.some(({ dims }) => dims.length < star.before + star.after);
  if (first === undefined || short) return tuple([machine.tensor('pack', call, unknownShape), unknown('the packed shapes')]);
  const inner = shapes.map(({ dims }) => dims.slice(star.before, dims.length - star.after));
  const result = judged(machine, (judgement) => {
    const front = first.dims.slice(0, star.before);
    const back = first.dims.slice(first.dims.length - star.after);
    for (const { dims } of shapes.slice(1)) {
      for (const [i, dim] of front.entries())
        judgement.same(dim, dims[i] ?? one, (x, y) => `an axis is ${x} in one tensor and ${y} in another`);
      for (const [i, dim] of back.entries()) {
        judgement.same(dim, dims[dims.length - star.after + i] ?? one, (x, y) => `an axis is ${x} in one tensor and ${y} in another`);
      }
    }
    const total = inner.map((dims) => dims.reduce(multiply, one)).reduce(add, number(0));
    return shapeOf(...front, total, ...back);
  });
  return tuple([machine.settle('pack', call, result), list(inner.map((dims) => sizeTuple(shapeOf(...dims))))]);
};

const unpacked: Run = (call, machine) => {
  const star = starOf(call.text('pattern'));
  const shape = tensorOf(call.value('tensor'))?.shape;
  const pieces = itemsOf(call.value('packed_shapes'))?.map((value) =>
    itemsOf(value)?.map((item) => dimOf(item) ?? unknownDim('a packed size')),
  );
  if (pieces === undefined) return unknown('the unpacked tensors');
  const shapes = pieces.map((dims): Shape => {
    const isKnown = star !== undefined && shape !== undefined && rankOf(shape) === star.before + star.after + 1 && dims !== undefined;
    if (!isKnown) return unknownShape;
    return shapeOf(...shape.dims.slice(0, star.before), ...dims.map(inferred), ...shape.dims.slice(star.before + 1));
  });
  return list(shapes.map((each, index) => machine.tensor('unpack', call, each, { index })));
};

/** One packed size may be -1: what is left. */
const inferred = (dim: Dim): Dim => (dim.constant === -1 ? unknownDim('the rest of the packed axis') : dim);

/** The sizes that a pattern names. */
const parsedShape: Run = (call) => {
  const tensor = tensorOf(call.value('x'));
  const names = call.text('pattern')?.trim().split(/\s+/);
  if (tensor === undefined || names === undefined || rankOf(tensor.shape) !== names.length) return dict([], true);
  return dict(
    names.flatMap((name, i) => {
      const dim = tensor.shape.dims[i];
      return dim === undefined || !/^[a-z]\w*$/i.test(name) ? [] : [[text(name), int(dim)] as const];
    }),
  );
};

export const einopsOperations = operations({
  'einops.rearrange einops.einops.rearrange': ['tensor, pattern, **axes_lengths', arranged('rearrange')],
  'einops.repeat einops.einops.repeat': ['tensor, pattern, **axes_lengths', arranged('repeat')],
  'einops.reduce einops.einops.reduce': ['tensor, pattern, reduction, **axes_lengths', arranged('reduce')],
  'einops.einsum einops.einops.einsum': ['*tensors_and_pattern, pattern=None', einsum],
  'einops.pack einops.packing.pack': ['tensors, pattern', packed],
  'einops.unpack einops.packing.unpack': ['tensor, packed_shapes, pattern', unpacked],
  'einops.parse_shape': ['x, pattern', parsedShape],
  'einops.asnumpy': ['tensor', (call) => call.value('tensor')],
  'einops.array_api.rearrange': ['tensor, pattern, **axes_lengths', arranged('rearrange')],
  'einops._torch_specific.allow_ops_in_compiled_graph': ['', () => none],
});
