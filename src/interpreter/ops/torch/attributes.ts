/** What tensors answer about themselves, how they are held (dtype, device, layout), and functions that are no computation. */
import { type Dim, unknownDim } from '../../../dims/dim.ts';
import { dimAt, elementsOf, locateAxis, rankOf, type Shape, unknownShape } from '../../../dims/shape.ts';
import { operations } from '../../define.ts';
import { bool, dimOf, float, int, list, none, opaque, sizeTuple, text, tuple, unknown } from '../../make.ts';
import type { Call, Machine } from '../../operation.ts';
import type { Dtype, TensorValue, Value } from '../../value.ts';
import { elementKnown, elementsKnown } from './numbers.ts';
import { bitsOf, dtypeOf, isFloating, itemsOf, keep, promote, type Run, shapeIn, size, sizeValue, tensorIn, tensorOf } from './support.ts';

const readShape = (shape: Shape, machine: Machine): Shape => ({ ...shape, dims: shape.dims.map((dim) => machine.read(dim)) });

const sizeOf: Run = (call, machine) => {
  const shape = shapeIn(call);
  if (call.isNone('dim')) return sizeTuple(readShape(shape, machine));
  const axis = call.number('dim');
  if (axis === undefined) return int(unknownDim('the axis is not known'));
  if (locateAxis(shape, axis) === 'outside') {
    const message = `axis ${axis} does not exist in a tensor of rank ${shape.dims.length}`;
    machine.report(call, { kind: 'size', message });
  }
  return size(machine, dimAt(shape, axis));
};

const shapeOfTensor: Run = (call, machine) => sizeTuple(readShape(shapeIn(call), machine));

const rankOfTensor: Run = (call) => int(rankOf(shapeIn(call)) ?? unknownDim('the number of axes is not known'));

const dtypeValue = (dtype: Dtype | undefined): Value =>
  dtype === undefined || dtype === 'float' ? unknown('the dtype of a tensor') : opaque(`torch.${dtype}`);

/** The arguments of `to`, `type` and the like hold at most one dtype: as a constant, or that of another tensor. */
function dtypeAmong(call: Call, name: string): Dtype | undefined | 'kept' {
  const values = [...(itemsOf(call.value(name)) ?? []), call.value('dtype'), call.value('other')];
  let found: Dtype | undefined | 'kept' = 'kept';
  for (const value of values) {
    const dtype = dtypeOf(value) ?? tensorOf(value)?.dtype;
    if (dtype !== undefined) return dtype;
    // A dtype, a device, or another tensor.
    if (value.kind === 'unknown' || value.kind === 'union' || value.kind === 'tensor') found = undefined;
  }
  return found;
}

/** Keeps the values; the node stays in the graph. */
const held = (op: string, dtype?: Dtype): Run =>
  keep(op, (_, input) => ({
    dtype: dtype ?? input?.dtype,
    ...(input?.content === undefined ? {} : { content: input.content }),
  }));

const converted =
  (op: string): Run =>
  (call, machine) => {
    const input = tensorIn(call);
    // `module.to(...)` is found under the module's own name; what is neither stays what it is.
    if (input === undefined && call.value('input').kind !== 'unknown' && call.value('input').kind !== 'union') return call.value('input');
    const dtype = dtypeAmong(call, 'args');
    return machine.tensor(op, call, input?.shape ?? unknownShape, {
      dtype: dtype === 'kept' ? input?.dtype : dtype,
      ...(input?.content === undefined ? {} : { content: input.content }),
    });
  };

const typed: Run = (call, machine) => (call.isNone('dtype') ? text(undefined) : converted('type')(call, machine));

/** A tensor's numbers as nested lists: lengths are known, values are not. */
function nestedList(dims: readonly Dim[], element: Value, depth = 0): Value {
  const [first, ...rest] = dims;
  if (first === undefined) return element;
  const item = depth > 6 ? unknown('an element') : nestedList(rest, element, depth + 1);
  const count = first.constant;
  if (count !== undefined && count <= 64) return list(Array.from({ length: count }, () => item));
  return { kind: 'list', items: [item], repeat: first, open: false };
}

const elementOf = (tensor: TensorValue | undefined): Value => {
  if (tensor?.dtype === 'bool') return bool(undefined);
  if (isFloating(tensor?.dtype) === true) return float(undefined);
  return unknown('an element of a tensor');
};

/** A number as an element of the tensor. */
const numberFrom = (tensor: TensorValue | undefined, value: number): Value =>
  Number.isInteger(value) && isFloating(tensor?.dtype) !== true ? int(value) : float(value);

const toList: Run = (call, machine) => {
  const input = tensorIn(call);
  const known = elementsKnown(input);
  if (known !== undefined) return list(known.map((value) => numberFrom(input, value)));
  const shape = input?.shape ?? unknownShape;
  if (rankOf(shape) === undefined) return unknown('the elements of a tensor');
  return nestedList(readShape(shape, machine).dims, elementOf(input));
};

const first: Run = (call, machine) => {
  const shape = shapeIn(call);
  return size(machine, dimAt(shape, 0));
};

const limits: Readonly<Record<string, readonly [max: number, min: number, eps: number, tiny: number]>> = {
  float16: [65504, -65504, 2 ** -10, 2 ** -14],
  bfloat16: [3.3895313892515355e38, -3.3895313892515355e38, 2 ** -7, 2 ** -126],
  float32: [3.4028234663852886e38, -3.4028234663852886e38, 2 ** -23, 2 ** -126],
  float64: [Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** -52, 2.2250738585072014e-308],
};

/** `torch.finfo(dtype)`: its fields by name. Where the dtype is not known its limits are those of float32: what fills a mask is huge. */
const floatInfo: Run = (call) => {
  const given = call.value('type');
  const dtype = call.isNone('type') ? undefined : dtypeOf(given);
  const known = dtype === undefined ? undefined : limits[dtype];
  const [max, min, eps, tiny] = known ?? (dtype === undefined || dtype === 'float' ? (limits.float32 ?? []) : []);
  const bits = bitsOf(dtype);
  return {
    ...tuple([float(max), float(min), float(eps), float(tiny), float(tiny), int(bits ?? unknownDim('the width of a number'))]),
    names: ['max', 'min', 'eps', 'tiny', 'smallest_normal', 'bits'],
  };
};

const integerInfo: Run = (call) => {
  const bits = bitsOf(dtypeOf(call.value('type')));
  const isSigned = dtypeOf(call.value('type')) !== 'uint8';
  const max = bits === undefined || bits > 32 ? undefined : 2 ** (isSigned ? bits - 1 : bits) - 1;
  const whole = (value: number | undefined): Value => (value === undefined ? int(unknownDim('a limit')) : int(value));
  return {
    ...tuple([whole(max), whole(max === undefined ? undefined : isSigned ? -max - 1 : 0), whole(bits)]),
    names: ['max', 'min', 'bits'],
  };
};

const isFloatingPoint: Run = (call) => bool(isFloating(tensorIn(call)?.dtype));
const isComplex: Run = (call) => {
  const dtype = tensorIn(call)?.dtype;
  return bool(dtype?.startsWith('complex'));
};

/** `checkpoint(function, *arguments)` runs the function; its own settings are not passed on. */
const checkpointed: Run = (call, machine) => {
  const positional = itemsOf(call.value('args'));
  const given = call.value('kwargs');
  if (positional === undefined || given.kind !== 'dict') return unknown('the result of a checkpointed function');
  const own = new Set(['use_reentrant', 'preserve_rng_state', 'context_fn', 'determinism_check', 'debug', 'early_stop']);
  const keywords = new Map<string, Value>();
  for (const [key, { value }] of given.entries) if (!own.has(key)) keywords.set(key, value);
  return machine.call(call.value('function'), positional, keywords);
};

const sizeFrom: Run = (call) => {
  const items = itemsOf(call.value('sizes'));
  const given = call.value('sizes');
  if (items === undefined)
    return {
      kind: 'tuple',
      items: given.kind === 'tuple' ? given.items : [],
      ellipsis: given.kind === 'tuple' ? given.ellipsis : 0,
      isSize: true,
    };
  return { kind: 'tuple', items: items.map((item) => int(dimOf(item) ?? unknownDim('not known'))), ellipsis: undefined, isSize: true };
};

/** Decorators and wrappers that answer what they are given. */
const passed: Run = (call) => {
  const given = call.value('model');
  return given.kind === 'none' ? call.value('self') : given;
};

const decorator: Run = (call, machine) => {
  const given = call.value('model');
  // `@torch.compile(mode=...)` makes a decorator; `torch.compile(f)` is f.
  return given.kind === 'none' ? machine.library('torch.jit.script') : given;
};

const no: Run = () => bool(false);
const either: Run = () => bool(undefined);
const nothing: Run = () => none;
const device: Run = () => unknown('a device');

const casts: Readonly<Record<string, Dtype>> = {
  float: 'float32',
  half: 'float16',
  bfloat16: 'bfloat16',
  double: 'float64',
  bool: 'bool',
  long: 'int64',
  int: 'int32',
  short: 'int16',
  byte: 'uint8',
  char: 'int8',
  cfloat: 'complex64',
};

export const attributeOperations = operations({
  ...Object.fromEntries(
    Object.entries(casts).map(([name, dtype]) => [`Tensor.${name}`, ['input, memory_format=None', held(name, dtype)] as const]),
  ),
  'Tensor.attribute:shape': ['input', shapeOfTensor],
  'Tensor.size': ['input, dim=None', sizeOf],
  'Tensor.dim Tensor.ndimension Tensor.attribute:ndim': ['input', rankOfTensor],
  'Tensor.numel Tensor.nelement': ['input', (call, machine) => size(machine, elementsOf(shapeIn(call)))],
  'Tensor.__len__': ['input', first],
  'Tensor.attribute:dtype': ['input', (call) => dtypeValue(tensorIn(call)?.dtype)],
  'Tensor.attribute:device': ['input', device],
  'Tensor.get_device': ['input', () => int(unknownDim('the number of a device'))],
  'Tensor.attribute:layout': ['input', () => opaque('torch.strided')],
  'Tensor.attribute:is_cuda Tensor.attribute:is_quantized Tensor.attribute:is_meta Tensor.attribute:is_sparse Tensor.attribute:is_nested': [
    'input',
    either,
  ],
  'Tensor.attribute:requires_grad Tensor.attribute:is_leaf Tensor.is_contiguous Tensor.is_pinned Tensor.is_inference': [
    'input, *args, **kwargs',
    either,
  ],
  'Tensor.attribute:grad Tensor.attribute:grad_fn': ['input', () => unknown('a gradient')],
  'Tensor.attribute:data': ['input', held('detach')],
  'Tensor.attribute:real Tensor.attribute:imag torch.real torch.imag': [
    'input',
    keep('real', (_, input) => ({
      dtype: input?.dtype === 'complex64' ? 'float32' : input?.dtype === 'complex128' ? 'float64' : input?.dtype,
    })),
  ],
  'Tensor.attribute:itemsize Tensor.element_size': [
    'input',
    (call) => {
      const bits = bitsOf(tensorIn(call)?.dtype);
      return int(bits === undefined ? unknownDim('the width of a number') : bits / 8);
    },
  ],
  'Tensor.stride Tensor.storage_offset Tensor.data_ptr': ['input, dim=None', () => unknown('a place in memory')],
  'Tensor.item': [
    'input',
    (call) => {
      const held = sizeValue(call.value('input'));
      if (held !== undefined) return int(held);
      const known = elementKnown(tensorIn(call));
      return known === undefined ? elementOf(tensorIn(call)) : numberFrom(tensorIn(call), known);
    },
  ],
  'Tensor.tolist': ['input', toList],
  'Tensor.numpy': ['input, *args, **kwargs', held('numpy')],
  'Tensor.__bool__': ['input', either],
  'Tensor.to': ['input, *args, dtype=None, device=None, other=None, non_blocking=False, copy=False, memory_format=None', converted('to')],
  'Tensor.type': ['input, dtype=None, *args, **kwargs', typed],
  'Tensor.type_as': ['input, other', converted('type_as')],
  'Tensor.cpu': ['input, *args, **kwargs', held('cpu')],
  'Tensor.cuda': ['input, *args, **kwargs', held('cuda')],
  'Tensor.contiguous': ['input, memory_format=None', held('contiguous')],
  'torch.clone Tensor.clone': ['input, *, memory_format=None', held('clone')],
  'torch.detach Tensor.detach_': ['input', held('detach')],
  'Tensor.pin_memory Tensor.to_dense Tensor.dequantize Tensor.coalesce Tensor.refine_names Tensor.rename Tensor.record_stream': [
    'input, *args, **kwargs',
    held('contiguous'),
  ],
  'Tensor.register_hook Tensor.backward Tensor.register_post_accumulate_grad_hook': ['input, *args, **kwargs', nothing],
  'Tensor.is_floating_point torch.is_floating_point': ['input', isFloatingPoint],
  'Tensor.is_complex torch.is_complex': ['input', isComplex],
  'torch.finfo numpy.finfo jax.numpy.finfo mlx.core.finfo': ['type=None', floatInfo],
  'torch.iinfo': ['type', integerInfo],
  'torch.Size': ['sizes=()', sizeFrom],
  'torch.result_type': ['tensor1, tensor2', (call) => dtypeValue(promote([call.value('tensor1'), call.value('tensor2')]))],
  'torch.promote_types': ['type1, type2', () => unknown('a dtype')],
  'torch.get_default_dtype torch.get_autocast_gpu_dtype torch.get_autocast_dtype': ['*args, **kwargs', () => unknown('a dtype')],
  'torch.device torch.get_default_device torch.cuda.current_device': ['*args, **kwargs', device],
  'torch.utils.checkpoint.checkpoint': ['function, *args, **kwargs', checkpointed],
  'torch.jit.is_scripting torch.jit.is_tracing torch.onnx.is_in_onnx_export torch.compiler.is_compiling torch._dynamo.is_compiling': [
    '',
    no,
  ],
  'torch.compiler.is_dynamo_compiling torch.compiler.is_exporting torch.is_autocast_enabled torch.is_autocast_cpu_enabled': ['*args', no],
  'torch.cuda.is_available torch.backends.mps.is_available torch.is_grad_enabled torch.is_inference_mode_enabled torch.cuda.is_bf16_supported':
    ['*args, **kwargs', either],
  'torch.distributed.is_available torch.distributed.is_initialized': ['', either],
  'torch.manual_seed torch.cuda.manual_seed torch.cuda.manual_seed_all torch.cuda.empty_cache torch.cuda.synchronize torch.set_default_dtype':
    ['*args, **kwargs', nothing],
  'torch._assert torch._check torch.compiler.cudagraph_mark_step_begin torch._dynamo.mark_static_address torch._dynamo.graph_break': [
    '*args, **kwargs',
    nothing,
  ],
  'torch.set_float32_matmul_precision torch.autograd.set_detect_anomaly torch._check_is_size torch._dynamo.mark_dynamic': [
    '*args, **kwargs',
    nothing,
  ],
  'torch.compile torch.jit.script_if_tracing torch.compiler.disable torch.jit.ignore torch.jit.unused torch.jit.export torch.jit.script': [
    'model|fn|obj|self=None, *args, **kwargs',
    decorator,
  ],
  'torch.fx.wrap torch._dynamo.disable torch.compiler.allow_in_graph torch._dynamo.allow_in_graph': ['model=None, *args, **kwargs', passed],
});
