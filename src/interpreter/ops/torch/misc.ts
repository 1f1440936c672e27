/** Functions of torch that stand beside the others: grouped products, flexible attention, scans, sizes as numbers, processes. */
import { maximum, minimum, unknownDim } from '../../../dims/dim.ts';
import { matmul, rankOf, replaceAt, shapeOf, unknownShape } from '../../../dims/shape.ts';
import { operations } from '../../define.ts';
import { bool, int, none, tuple, unknown } from '../../make.ts';
import type { Value } from '../../value.ts';
import { attention } from './functional.ts';
import { itemsOf, judged, promote, type Run, shapeIn, tensorIn, tensorOf } from './support.ts';

/** Rows `(T, K)` in groups, each multiplied with its own matrix of `(G, K, N)`. Stacks of matrices are multiplied one by one. */
const groupedProduct: Run = (call, machine) => {
  const [left, right] = [shapeIn(call), shapeIn(call, 'mat2')];
  const dtype = call.isNone('out_dtype') ? promote([call.value('input'), call.value('mat2')]) : undefined;
  const [rows, groups] = [rankOf(left), rankOf(right)];
  if (rows === 3 && groups === 3) return machine.settle('grouped_mm', call, matmul(left, right, machine.context), { dtype });
  if (rows !== 2 || groups !== 3) return machine.tensor('grouped_mm', call, unknownShape, { dtype });
  const [count, width] = left.dims;
  const [, inner, outputs] = right.dims;
  const result = judged(machine, (judgement) => {
    if (width !== undefined && inner !== undefined)
      judgement.same(width, inner, (x, y) => `rows of ${x} are multiplied with matrices of ${y} rows`);
    return count === undefined || outputs === undefined ? unknownShape : shapeOf(count, outputs);
  });
  return machine.settle('grouped_mm', call, result, { dtype });
};

/** Attention whose scores are changed by a function; with `return_lse` the logarithm of the sums too. */
const flexAttention: Run = (call, machine) => {
  const output = attention('flex_attention')(call, machine);
  const extra = call.boolean('return_lse');
  if (extra === false) return output;
  const query = shapeIn(call, 'query');
  const last = query.dims.length - 1;
  const sums = machine.tensor('flex_attention', call, rankOf(query) === undefined ? unknownShape : replaceAt(query, last, []), {
    dtype: 'float32',
    index: 1,
  });
  return extra === true ? tuple([output, sums]) : unknown('attention with or without its sums');
};

/** The same shapes as what goes in: a tensor, or several of them. */
const scanned: Run = (call, machine) => {
  const keepEach = (value: Value): Value => {
    const tensor = tensorOf(value);
    if (tensor !== undefined) return machine.tensor('associative_scan', call, tensor.shape, { dtype: tensor.dtype });
    const items = value.kind === 'tuple' || value.kind === 'list' ? itemsOf(value) : undefined;
    return items === undefined ? unknown('a scan') : tuple(items.map(keepEach));
  };
  return keepEach(call.value('xs'));
};

const extreme =
  (of: typeof maximum): Run =>
  (call) => {
    const [a, b] = [call.dim('a'), call.dim('b')];
    return int(a === undefined || b === undefined ? unknownDim('one of two sizes') : of(a, b));
  };

const anyWhole: Run = () => int(unknownDim('a number of devices or processes'));
const either: Run = () => bool(undefined);
const nothing: Run = () => none;
const itself: Run = (call) => call.value('a');

/** `all_reduce` and the like change the tensor in place. */
const communicated: Run = (call) => tensorIn(call) ?? none;

export const miscOperations = operations({
  'torch._grouped_mm torch.nn.functional.grouped_mm': [
    'input|mat_a|self, mat2|mat_b, offs=None, bias=None, out_dtype=None',
    groupedProduct,
  ],
  'torch.nn.attention.flex_attention.flex_attention': [
    'query, key, value, score_mod=None, block_mask=None, scale=None, enable_gqa=False, return_lse=False, kernel_options=None, return_aux=None, attn_mask=None',
    flexAttention,
  ],
  'torch._higher_order_ops.associative_scan torch._higher_order_ops.associative_scan.associative_scan': [
    "combine_fn, xs, dim=0, reverse=False, combine_mode='pointwise'",
    scanned,
  ],
  'torch.sym_max': ['a, b', extreme(maximum)],
  'torch.sym_min': ['a, b', extreme(minimum)],
  'torch.sym_int torch.sym_float': ['a', itself],
  'torch.distributed.get_world_size torch.distributed.get_rank torch.cuda.device_count torch.xpu.device_count torch.get_num_threads': [
    '*args, **kwargs',
    anyWhole,
  ],
  'torch.xpu.is_available torch.npu.is_available torch.mlu.is_available torch.mps.is_available torch.backends.cuda.is_built torch.can_cast':
    ['*args, **kwargs', either],
  'torch.distributed.all_reduce torch.distributed.broadcast torch.distributed.reduce': ['input|tensor, *args, **kwargs', communicated],
  'torch.distributed.barrier torch.distributed.all_gather torch.save torch.set_printoptions torch.use_deterministic_algorithms': [
    '*args, **kwargs',
    nothing,
  ],
});
