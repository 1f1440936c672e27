/** What can be said of a block in one line: where its norms stand, its heads, its size. */
import { add, type Dim, number } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import { applyToShape, elementsOf, rankOf } from '../../dims/shape.ts';
import { substitute, symbolsOf } from '../../dims/visit.ts';
import { ancestors } from '../../interpreter/graph.ts';
import { lengthScope } from '../../interpreter/samples.ts';
import type { CodeReading, Study } from '../../interpreter/study.ts';
import type { InstanceValue, ModuleCall, Site, TensorValue, Value } from '../../interpreter/value.ts';
import { type Attention, attentionsOf } from './attention.ts';
import { type BlockPlacement, blocksOf } from './blocks.ts';
import { isWithin } from './norms.ts';

export interface BlockSummary {
  /** The name of the class in its definition. */
  readonly site: Site;
  readonly className: string;
  readonly placement: BlockPlacement;
  readonly hasQueryKeyNorm: boolean;
  readonly heads: Dim | undefined;
  readonly headDim: Dim | undefined;
  /** Heads of keys and values, before they are repeated for the queries. */
  readonly keyValueHeads: Dim | undefined;
  /** Width of what the block is given. */
  readonly width: Dim | undefined;
  /** True where a triangular mask, or a flag, hides what comes later; undefined where that is not known. */
  readonly isCausal: true | undefined;
  /** Elements of all parameters; undefined where a shape is not known. */
  readonly parameters: Dim | undefined;
  /** `pre-norm, 12 heads x 64, 7.1M parameters`; sizes are numbers where the code's own defaults decide them. */
  readonly text: string;
}

/** A summary for each block class of the file; the first block of a class stands for it. */
export function blockSummaries(code: CodeReading): readonly BlockSummary[] {
  const found = new Map<string, BlockSummary>();
  const attentions = attentionsOf(code);
  for (const study of code.studies) {
    // Where flags place the norms, what the code does by default is meant.
    if (study.wiring !== undefined) continue;
    for (const { call, class: of, placement, hasQueryKeyNorm } of blocksOf(study).blocks) {
      const { definition, file, unit } = of;
      if (file !== code.file || unit === undefined || definition === undefined || found.has(of.qualifiedName)) continue;
      const attention = attentions.find((each) => each.study === study && isWithin(each.node, call));
      const [heads, headDim] = attention === undefined ? [undefined, undefined] : headsOf(attention);
      const parameters = parametersOf(call.instance);
      const norm = `${placement}${hasQueryKeyNorm ? ' with QK-norm' : ''}`;
      const shown = (dim: Dim): string => valueText(dim, code);
      const parts = [
        placement === 'unknown' ? undefined : norm,
        heads === undefined ? undefined : `${shown(heads)} heads${headDim === undefined ? '' : ` x ${shown(headDim)}`}`,
        parameters === undefined ? undefined : `${shown(parameters)} parameters`,
      ];
      found.set(of.qualifiedName, {
        site: { file, unit, node: definition.name },
        className: of.name,
        placement,
        hasQueryKeyNorm,
        heads,
        headDim,
        keyValueHeads: attention === undefined ? undefined : keyValueHeadsOf(attention),
        width: widthOf(call, study),
        isCausal: attention === undefined ? undefined : isCausal(attention),
        parameters,
        text: parts.filter((part) => part !== undefined).join(', '),
      });
    }
  }
  return [...found.values()];
}

/** Heads and head dim, where queries stand as (batch, heads, length, head dim). */
function headsOf(attention: Attention): readonly [heads: Dim | undefined, headDim: Dim | undefined] {
  // An einsum may have its axes in any order.
  if (attention.kind === 'softmax' && attention.product.op !== 'matmul') return [undefined, undefined];
  const scores = attention.kind === 'softmax' ? attention.product : undefined;
  const query = attention.kind === 'softmax' ? attention.product.inputs[0] : tensorOf(attention.node.arguments.get('query'));
  const dims = query === undefined || rankOf(query.shape) !== 4 ? undefined : query.shape.dims;
  const heads = scores !== undefined && rankOf(scores.shape) === 4 ? scores.shape.dims[1] : dims?.[1];
  const headDim = dims?.[3];
  return [fixed(heads), fixed(headDim)];
}

/** The heads of the first tensor behind the projection of keys that has an axis of heads. */
function keyValueHeadsOf({ key }: Attention): Dim | undefined {
  const split = [...(key.source?.passed ?? [])].reverse().find(({ shape }) => rankOf(shape) === 4);
  const sizes = [1, 2].map((axis) => split?.shape.dims[axis]).filter((dim) => dim !== undefined && isModelSize(dim));
  return sizes.length === 1 ? sizes[0] : undefined;
}

/** A size of the model, not a number of rows or a length of what comes in. */
const isModelSize = (dim: Dim): boolean => fixed(dim) !== undefined && symbolsOf(dim).every(({ scope }) => scope !== lengthScope);

function widthOf({ positional, keywords, result }: ModuleCall, study: Study): Dim | undefined {
  for (const value of [...positional, ...keywords.values(), result]) {
    if (value?.kind !== 'tensor' || rankOf(value.shape) !== 3) continue;
    const width = applyToShape(value.shape, study.substitution).dims[2];
    if (width !== undefined && isModelSize(width)) return width;
  }
  return undefined;
}

function isCausal(attention: Attention): true | undefined {
  const masks: (Value | undefined)[] = [];
  if (attention.kind === 'called') {
    if (attention.isCausal?.kind === 'bool' && attention.isCausal.value === true) return true;
    masks.push(attention.mask);
  } else for (const step of attention.paths.flat()) masks.push(step.mask, step.operand);
  const isTriangular = (mask: Value | undefined): boolean =>
    mask?.kind === 'tensor' && ancestors(mask, undefined, 60).some(({ op }) => op === 'tril' || op === 'triu');
  return masks.some(isTriangular) ? true : undefined;
}

/** A size of the model rather than of its input. */
const fixed = (dim: Dim | undefined): Dim | undefined =>
  dim === undefined ||
  dim.unknown ||
  dim.terms.some(({ monomial }) => monomial.factors.some(({ atom }) => atom.kind === 'symbol' && atom.flexible))
    ? undefined
    : dim;

const tensorOf = (value: Value | undefined): TensorValue | undefined => (value?.kind === 'tensor' ? value : undefined);

/** The elements of all parameters that a module holds; undefined where the shape of one, or how many there are, is not known. */
export function parametersOf(module: InstanceValue): Dim | undefined {
  const seen = new Set<unknown>();
  let total: Dim | undefined = number(0);
  const visit = (value: Value, depth: number): void => {
    if (total === undefined || seen.has(value) || depth > 12) return;
    if (value.kind === 'tensor') {
      if (value.isParameter !== true) return;
      seen.add(value);
      const { shape } = value;
      total = shape.ellipsis !== undefined || shape.dims.some(({ unknown }) => unknown) ? undefined : add(total, elementsOf(shape));
    } else if (value.kind === 'instance') {
      seen.add(value);
      for (const held of value.attributes.values()) visit(held, depth + 1);
    } else if (value.kind === 'list') {
      seen.add(value);
      if (value.repeat !== undefined && value.items.some(({ kind }) => kind === 'instance' || kind === 'tensor')) total = undefined;
      for (const item of value.items) visit(item, depth + 1);
    } else if (value.kind === 'union' && value.options.some(({ kind }) => kind === 'tensor' || kind === 'instance')) total = undefined;
  };
  visit(module, 0);
  return total;
}

/** The number that is given, or that the code's defaults give, shortened; else the expression. */
function valueText(dim: Dim, { defaults, given }: CodeReading): string {
  const known = substitute(dim, (atom) => {
    const value = atom.kind === 'symbol' ? (given?.(atom) ?? defaults.get(atom.key)) : undefined;
    return value === undefined ? undefined : number(value);
  }).constant;
  if (known === undefined) return formatDim(dim);
  if (known >= 1e9) return `${(known / 1e9).toFixed(1)}B`;
  if (known >= 1e6) return `${(known / 1e6).toFixed(1)}M`;
  return known >= 1e4 ? `${(known / 1e3).toFixed(1)}K` : String(known);
}
