/** Arrays of NumPy, as far as models make tables of positions and masks of them. An array is a tensor here. */
import { permute, rankOf, unknownShape, unsqueeze } from '../../dims/shape.ts';
import { operations } from '../define.ts';
import type { Call, Machine } from '../operation.ts';
import type { Value } from '../value.ts';
import { dtypeNames, dtypeOf, itemsOf, keep, type Run, shapeIn } from './torch/support.ts';

/** Calls torch's function of another name; `names` are the arguments that it is given, in torch's words. */
const asTorch =
  (name: string, positional: readonly string[], keywords: Readonly<Record<string, string>> = {}): Run =>
  (call: Call, machine: Machine) => {
    const named = new Map<string, Value>();
    for (const [theirs, ours] of Object.entries(keywords)) if (call.given(ours)) named.set(theirs, call.value(ours));
    return machine.call(
      machine.library(name),
      positional.map((each) => call.value(each)),
      named,
    );
  };

const transposed: Run = (call, machine) => {
  const shape = shapeIn(call);
  const rank = rankOf(shape);
  const axes = call.isNone('axes') ? Array.from({ length: rank ?? 0 }, (_, i) => (rank ?? 0) - 1 - i) : call.numbers('axes');
  if (rank === undefined || axes === undefined) return machine.tensor('permute', call, unknownShape);
  return machine.settle('permute', call, permute(shape, axes, machine.context));
};

/** `x.transpose(1, 2)` swaps two axes; with every axis named, as NumPy has it, it orders them. */
const transposeMethod: Run = (call, machine) => {
  const input = call.value('input');
  const axes = call.list('dims') ?? [];
  const [first, second] = call.given('dim0') ? [call.value('dim0'), call.value('dim1')] : axes;
  const named = call.value('dims');
  const isOne = named.kind === 'tuple' && named.items.length === 1;
  if (first !== undefined && second !== undefined && !isOne && (call.given('dim0') || axes.length === 2)) {
    return machine.call(machine.library('torch.transpose'), [input, first, second]);
  }
  if (axes.length > 0) return machine.call(machine.library('torch.permute'), [input, ...axes]);
  return named.kind === 'tuple' && named.items.length === 0 && named.ellipsis === undefined
    ? (machine.attribute(input, 'T') ?? machine.tensor('permute', call, unknownShape))
    : machine.tensor('permute', call, unknownShape);
};

const expanded: Run = (call, machine) => {
  const axis = call.number('axis');
  if (axis === undefined) return machine.tensor('unsqueeze', call, unknownShape);
  return machine.settle('unsqueeze', call, unsqueeze(shapeIn(call), axis, machine.context));
};

/** NumPy's grids run along the second axis first unless told otherwise. */
const gridded: Run = (call, machine) =>
  machine.call(
    machine.library('torch.meshgrid'),
    itemsOf(call.value('arrays')) ?? [],
    new Map([['indexing', call.given('indexing') ? call.value('indexing') : { kind: 'string', value: 'xy' }]]),
  );

/** `x.astype(np.float32)`, `x.astype('uint8')`. */
const converted: Run = (call, machine) => {
  const name = call.text('dtype');
  const dtype = name !== undefined && dtypeNames.includes(name) ? name : dtypeOf(call.value('dtype'));
  return machine.tensor('to', call, shapeIn(call), { dtype });
};

const typed = { dtype: 'dtype' };
const sized = (name: string): Run => asTorch(`torch.${name}`, ['shape'], typed);

export const numpyOperations = operations({
  'numpy.array numpy.asarray numpy.ascontiguousarray': ['data|object|a, dtype=None, **kwargs', asTorch('torch.tensor', ['data'], typed)],
  'numpy.zeros': ['shape, dtype=None, **kwargs', sized('zeros')],
  'numpy.ones': ['shape, dtype=None, **kwargs', sized('ones')],
  'numpy.empty': ['shape, dtype=None, **kwargs', sized('empty')],
  'numpy.full': ['shape, fill_value, dtype=None, **kwargs', asTorch('torch.full', ['shape', 'fill_value'], typed)],
  'numpy.zeros_like': ['input|a, dtype=None, **kwargs', asTorch('torch.zeros_like', ['input'], typed)],
  'numpy.ones_like': ['input|a, dtype=None, **kwargs', asTorch('torch.ones_like', ['input'], typed)],
  'numpy.eye numpy.identity': ['n|N, m|M=None, **kwargs', asTorch('torch.eye', ['n', 'm'])],
  'numpy.arange': ['start=0, stop=None, step=1, dtype=None, **kwargs', asTorch('torch.arange', ['start', 'stop', 'step'], typed)],
  'numpy.tril': ['input|m, k=0', asTorch('torch.tril', ['input', 'k'])],
  'numpy.triu': ['input|m, k=0', asTorch('torch.triu', ['input', 'k'])],
  'numpy.concatenate': ['arrays, axis=0, **kwargs', asTorch('torch.cat', ['arrays', 'axis'])],
  'numpy.stack': ['arrays, axis=0, **kwargs', asTorch('torch.stack', ['arrays', 'axis'])],
  'numpy.reshape': ['a, shape|newshape, **kwargs', asTorch('torch.reshape', ['a', 'shape'])],
  'numpy.broadcast_to': ['array, shape, **kwargs', asTorch('torch.broadcast_to', ['array', 'shape'])],
  'numpy.matmul numpy.dot': ['a, b, **kwargs', asTorch('torch.matmul', ['a', 'b'])],
  'numpy.outer': ['a, b, **kwargs', asTorch('torch.outer', ['a', 'b'])],
  'numpy.where': ['condition, x=None, y=None', asTorch('torch.where', ['condition', 'x', 'y'])],
  'numpy.transpose': ['input|a, axes=None', transposed],
  'Tensor.transpose': ['input, *dims|axes, dim0=None, dim1=None', transposeMethod],
  'numpy.expand_dims': ['input|a, axis', expanded],
  'numpy.squeeze': ['a, axis=None', asTorch('torch.squeeze', ['a', 'axis'])],
  'numpy.meshgrid': ['*arrays, indexing=None, **kwargs', gridded],
  'Tensor.astype': ['input, dtype=None, *args, **kwargs', converted],
  'Tensor.copy': ['input, *args, **kwargs', keep('clone')],
});
