import { type Dim, loneAtom, zero } from '../../../dims/dim.ts';
import { formatDim } from '../../../dims/format.ts';
import { rankOf } from '../../../dims/shape.ts';
import { sameElements } from '../../../interpreter/graph.ts';
import { dimOf } from '../../../interpreter/make.ts';
import type { CodeReading, Study } from '../../../interpreter/study.ts';
import type { Site, TensorValue } from '../../../interpreter/value.ts';
import type { Range } from '../../../text/range.ts';
import { axisPath, sizeAt } from '../../code/axes.ts';
import { isLength } from '../../code/layouts.ts';
import { placeOf, rangeIn } from '../../code/places.ts';
import { unsure } from '../../code/scaling.ts';
import { compareSizes, readDim, seemSame } from '../../code/sizes.ts';
import { projectedness } from '../../code/sources.ts';
import { asTensor, withCopies } from '../../code/tensors.ts';
import { defineRule } from '../../rule.ts';

const cached = (heads: string) => ({
  language: 'python' as const,
  code: `import torch
import torch.nn as nn


class Attention(nn.Module):
    def __init__(self, d_model: int, n_heads: int, n_kv_heads: int, max_batch_size: int, max_seq_len: int):
        super().__init__()
        assert d_model % n_heads == 0
        self.n_kv_heads = n_kv_heads
        self.head_dim = d_model // n_heads
        self.k_proj = nn.Linear(d_model, n_kv_heads * self.head_dim)
        self.cache_k = torch.zeros(max_batch_size, max_seq_len, ${heads}, self.head_dim)

    def forward(self, x, start_pos: int):
        B, T, C = x.shape
        k = self.k_proj(x).view(B, T, self.n_kv_heads, self.head_dim)
        self.cache_k[:B, start_pos : start_pos + T] = k
        return self.cache_k[:B, : start_pos + T]
`,
});

export const cacheShape = defineRule({
  code: 'HW424',
  name: 'cache-does-not-hold-keys',
  category: 'positions',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'A cache is allocated with other sizes than the keys or values that are stored in it: query heads instead of key-value heads, axes in another order.',
    why: 'Keys and values have one head per group of query heads. A cache with a head for each query head does not take them once there are fewer key-value heads (or stretches a single one over all), and is as many times too large.',
    bad: [cached('n_heads'), cached('d_model')],
    good: [cached('n_kv_heads'), cached('self.n_kv_heads')],
    references: ['https://arxiv.org/abs/2305.13245'],
  },
  messages: {
    size: 'The cache has {cache} along axis {axis}, and what is stored in it has {value}.',
  },
  checkCode({ code, report }) {
    const seen = new Set<number>();
    for (const study of code.studies) {
      for (const node of withCopies(study)) {
        const found = node.op === 'setitem' ? misfit(code, node) : undefined;
        if (found === undefined) continue;
        const written = rangeIn(code, node.site);
        const made = found.isPlaced ? undefined : (rangeIn(code, madeBy(code, found.cache, found.has)) ?? rangeIn(code, found.cache.site));
        const turned = found.isPlaced && !found.isTurned ? undefined : turnedAt(code, study, node, found);
        const at = turned ?? made ?? written;
        if (at === undefined || seen.has(at.start)) continue;
        seen.add(at.start);
        report({
          at,
          message: 'size',
          data: { cache: formatDim(found.has), value: formatDim(found.given), axis: found.axis },
          related: [{ range: at === written ? undefined : written, message: 'It is filled here.' }],
        });
      }
    }
  },
});

/** Where the module that holds the cache was made, when it was given the size there. */
function madeBy(code: CodeReading, cache: TensorValue, has: Dim): Site | undefined {
  const { site } = cache;
  const given = code.variables.find(
    ({ isArgument, value, frame }) =>
      isArgument &&
      frame.function?.name === '__init__' &&
      frame.function.unit === site?.unit &&
      dimOf(value) !== undefined &&
      readDim(code, dimOf(value) as Dim).key === has.key,
  );
  // Handed over under its own name, the size is used wrongly further in.
  const atom = loneAtom(has);
  if (atom?.kind === 'symbol' && atom.name.slice(atom.name.lastIndexOf('.') + 1) === given?.name) return undefined;
  const made = given?.frame.self?.kind === 'instance' ? given.frame.self.site : undefined;
  return made?.file === code.file ? made : undefined;
}

/** Where the value got its axes in this order, or was handed over, where the cache is as another is that takes what it is given. */
function turnedAt(code: CodeReading, study: Study, node: TensorValue, { given, axis, isPlaced }: Misfit): Range | undefined {
  if (isPlaced) return rangeIn(code, node.trace?.site);
  const sizes = (tensor: TensorValue): string => tensor.shape.dims.map(({ key }) => key).join(' ');
  const isOther = study.tensors.some(
    (other) =>
      other.op === 'setitem' && placeOf(other) !== placeOf(node) && sizes(other) === sizes(node) && misfit(code, other) === undefined,
  );
  const value = asTensor(node.arguments.get('value'));
  if (!isOther || value === undefined) return undefined;
  const path = axisPath({ node: value, axis: axis - value.shape.dims.length });
  const until = path.findIndex((place) => readDim(code, sizeAt(place) ?? zero).key !== given.key);
  return rangeIn(code, path[until - 1]?.node.site);
}

interface Misfit {
  readonly cache: TensorValue;
  readonly has: Dim;
  readonly given: Dim;
  readonly axis: number;
  /** What comes in lies along another axis than the one in which its place is given. */
  readonly isPlaced: boolean;
  /** What comes in has the cache's size along another axis. */
  readonly isTurned: boolean;
}

/** An axis behind those that are picked, in which cache and value differ. */
function misfit(code: CodeReading, node: TensorValue): Misfit | undefined {
  const value = asTensor(node.arguments.get('value'));
  const index = node.arguments.get('index');
  const target = asTensor(node.arguments.get('input'));
  let cache = target;
  for (let i = 0; i < 12 && cache !== undefined && (sameElements.has(cache.op) || cache.op === 'buffer'); i++)
    cache = cache.op === 'buffer' ? (asTensor(cache.arguments.get('data')) ?? cache.inputs[0]) : cache.inputs[0];
  if (value === undefined || cache === undefined || target === undefined || !['zeros', 'empty', 'full', 'new_zeros'].includes(cache.op))
    return undefined;
  if (projectedness(value) < 2) return undefined;
  const [rank, given] = [rankOf(target.shape), rankOf(value.shape)];
  const items = index?.kind === 'tuple' ? index.items : index === undefined ? [] : [index];
  if (
    rank === undefined ||
    given === undefined ||
    rank < 3 ||
    given !== rank ||
    items.some(({ kind }) => kind === 'none' || kind === 'ellipsis' || kind === 'int')
  )
    return undefined;
  const isWhole = (axis: number): boolean => {
    const item = items[axis];
    return item === undefined || (item.kind === 'slice' && [item.lower, item.upper, item.step].every(({ kind }) => kind === 'none'));
  };
  for (let axis = rank - 1; axis >= 0; axis--) {
    const [a, b] = [target.shape.dims[axis], value.shape.dims[axis]];
    if (!isWhole(axis) || a === undefined || b === undefined || a.unknown || b.unknown) continue;
    const [has, wants] = [readDim(code, a), readDim(code, b)];
    if (wants.constant === 1 || unsure(has) || unsure(wants)) continue;
    // A cache for one row is filled by one row.
    if (axis === 0 && has.constant === 1) continue;
    const sameness = compareSizes(code, has, wants);
    const isPlaced = isLength(wants) && !isLength(has) && items.some((_, i) => i > 0 && !isWhole(i));
    if (sameness !== 'different' && sameness !== 'differentInSamples' && !isPlaced) continue;
    const isTurned = value.shape.dims.some((dim) => seemSame(code, readDim(code, dim), has));
    return { cache, has, given: wants, axis, isPlaced, isTurned };
  }
  return undefined;
}
