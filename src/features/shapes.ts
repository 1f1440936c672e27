import type { TransformerDesign } from '../design/design.ts';
import { bytesOf } from './fieldInfo.ts';
import { english, type Translate } from './messages.ts';
import { ffnName } from './summary.ts';

/** One line of the shapes table: a matrix or a stored quantity. Plain text; `detail` says how the size comes about. */
export interface ShapeRow {
  readonly name: string;
  /** Input features -> output features, or a size with its unit. */
  readonly shape: string;
  readonly detail: string;
}

/**
 * Shapes of one layer of the stack (features in -> features out) and its cache, from what is known.
 * A row whose numbers are not all known is left out; sizes that no integer shape fits (770 / 12) are left out too.
 */
export function shapeRows(design: TransformerDesign, t: Translate = english): ShapeRow[] {
  return [...attentionRows(design, t), ...ffnRows(design, t), ...cacheRows(design, t)];
}

const whole = (...values: readonly (number | undefined)[]): boolean =>
  values.every((value) => value !== undefined && Number.isSafeInteger(value) && value > 0);

function attentionRows(design: TransformerDesign, t: Translate): ShapeRow[] {
  const { hiddenSize, queryHeads, keyValueHeads, headDim, valueDim, keyValueLoraRank } = design.fields;
  const width = hiddenSize?.value;
  const heads = queryHeads?.value;
  const dim = headDim?.value;
  if (width === undefined || heads === undefined || dim === undefined || !whole(width, heads, dim)) return [];
  const value = valueDim?.value ?? dim;
  const rows: ShapeRow[] = [];
  const perHead = (count: number, size: number): string => t('{count} heads x {size}', { count, size });
  const arrow = (from: number, to: number): string => `${from} -> ${to}`;
  if (keyValueLoraRank !== undefined) rows.push(...latentRows(design, width, heads, dim, value, t));
  else {
    const kv = keyValueHeads?.value;
    rows.push({ name: 'q', shape: arrow(width, heads * dim), detail: perHead(heads, dim) });
    if (kv !== undefined && whole(kv)) {
      const rest = heads % kv;
      const served =
        rest !== 0
          ? t(', {heads} / {kv} leaves {rest}', { heads, kv, rest })
          : kv < heads
            ? t(', each serves {group} query heads', { group: heads / kv })
            : '';
      const many = (size: number): string => (kv === 1 ? t('1 head x {size}', { size }) : perHead(kv, size)) + served;
      rows.push({ name: 'k', shape: arrow(width, kv * dim), detail: many(dim) });
      rows.push({ name: 'v', shape: arrow(width, kv * value), detail: many(value) });
    }
  }
  rows.push({ name: t('concat'), shape: String(heads * value), detail: perHead(heads, value) });
  rows.push({ name: 'o', shape: arrow(heads * value, width), detail: t('back to the model width') });
  return rows;
}

/** Multi-head latent attention as in DeepSeek-V2, https://arxiv.org/abs/2405.04434, section 2.1. */
function latentRows(design: TransformerDesign, width: number, heads: number, dim: number, value: number, t: Translate): ShapeRow[] {
  const queryRank = design.fields.queryLoraRank?.value;
  const rank = design.fields.keyValueLoraRank?.value ?? 0;
  const rope = design.fields.ropeHeadDim?.value;
  const nope = design.fields.nopeHeadDim?.value;
  const rows: ShapeRow[] = [];
  const parts = rope !== undefined && nope !== undefined ? t(' ({nope} + {rope} rotary)', { nope, rope }) : '';
  const q = t('{count} heads x {size}', { count: heads, size: dim }) + parts;
  if (queryRank !== undefined && queryRank > 0) rows.push({ name: 'q', shape: `${width} -> ${queryRank} -> ${heads * dim}`, detail: q });
  else rows.push({ name: 'q', shape: `${width} -> ${heads * dim}`, detail: q });
  if (rope !== undefined) {
    rows.push({
      name: 'kv down',
      shape: `${width} -> ${rank + rope}`,
      detail: t('latent {rank} + {rope} rotary, shared by all heads', { rank, rope }),
    });
  }
  if (nope !== undefined) {
    rows.push({
      name: 'kv up',
      shape: `${rank} -> ${heads * (nope + value)}`,
      detail: t('{count} heads x ({nope} key + {value} value)', { count: heads, nope, value }),
    });
  }
  return rows;
}

function ffnRows(design: TransformerDesign, t: Translate): ShapeRow[] {
  const { hiddenSize, intermediateSize, gatedFfn, experts, expertIntermediateSize, expertsPerToken } = design.fields;
  const width = hiddenSize?.value;
  const routed = experts !== undefined && experts.value > 1;
  const inner = routed ? (expertIntermediateSize?.value ?? intermediateSize?.value) : intermediateSize?.value;
  if (width === undefined || inner === undefined || !whole(width, inner)) return [];
  const name = ffnName(design);
  const matrices = gatedFfn === undefined ? undefined : gatedFfn.value ? t('gate, up and down') : t('up and down');
  const words = [
    matrices,
    matrices === undefined || name !== 'gated' ? name : undefined,
    routed
      ? expertsPerToken === undefined
        ? t('{experts} experts', { experts: experts.value })
        : t('{top} of {experts} experts per token', { top: expertsPerToken.value, experts: experts.value })
      : undefined,
  ].filter((word) => word !== undefined);
  return [{ name: routed ? t('expert FFN') : 'FFN', shape: `${width} -> ${inner} -> ${width}`, detail: words.join(', ') }];
}

function cacheRows(design: TransformerDesign, t: Translate): ShapeRow[] {
  const { keyValueHeads, headDim, valueDim, dtype, keyValueLoraRank, ropeHeadDim, causal } = design.fields;
  if (causal?.value === false) return [];
  let values: number;
  let detail: string;
  if (keyValueLoraRank !== undefined) {
    if (ropeHeadDim === undefined) return [];
    values = keyValueLoraRank.value + ropeHeadDim.value;
    detail = t('{values} numbers per layer (latent {rank} + {rope})', { values, rank: keyValueLoraRank.value, rope: ropeHeadDim.value });
  } else {
    if (keyValueHeads === undefined || headDim === undefined) return [];
    const heads = keyValueHeads.value;
    const value = valueDim?.value ?? headDim.value;
    values = heads * (headDim.value + value);
    detail =
      value === headDim.value
        ? t('{values} numbers per layer (2 x {heads} x {dim})', { values, heads, dim: headDim.value })
        : t('{values} numbers per layer ({heads} x ({dim} + {value}))', { values, heads, dim: headDim.value, value });
  }
  if (!whole(values)) return [];
  const bytes = bytesOf(dtype?.value) ?? 2;
  const type = bytesOf(dtype?.value) === undefined ? t('16-bit') : (dtype?.value ?? '');
  const count = cachingLayers(design);
  if (count === undefined || !whole(count))
    return [
      { name: t('KV cache'), shape: t('{size} per token and layer', { size: bytesText(values * bytes) }), detail: `${detail}, ${type}` },
    ];
  return [
    {
      name: t('KV cache'),
      shape: t('{size} per token', { size: bytesText(values * bytes * count) }),
      detail: `${detail} x ${t('{layers} layers', { layers: count })}, ${type}`,
    },
  ];
}

/** Layers that keep keys and values: those with linear attention, convolution or a state space keep a state of fixed size instead. */
function cachingLayers(design: TransformerDesign): number | undefined {
  const { layers, layerTypes } = design.fields;
  if (layerTypes === undefined || layerTypes.value.length !== layers?.value) return layers?.value;
  return layerTypes.value.filter((type) => /attention/.test(type) && !/linear/.test(type)).length || layers.value;
}

/** `131072` -> `128 KiB`; at most three significant digits after the unit is chosen. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const text = value >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  return `${text} ${units[unit] ?? ''}`;
}

/** The rows as a Markdown table. Empty when there is none. */
export function shapesTable(design: TransformerDesign, t: Translate = english): string {
  const rows = shapeRows(design, t);
  if (rows.length === 0) return '';
  return [
    `| | ${t('features in → out')} | |`,
    '|:--|:--|:--|',
    ...rows.map((row) => `| ${row.name} | ${row.shape.replaceAll('->', '→')} | ${row.detail} |`),
  ].join('\n');
}
