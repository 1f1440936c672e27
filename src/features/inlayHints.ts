import type { DesignFields, Field, TransformerDesign } from '../design/design.ts';
import type { Range } from '../text/range.ts';
import { overlaps } from '../text/range.ts';
import type { Analysis } from '../workspace/analyse.ts';
import { english, type Translate } from './messages.ts';

/** A note shown after a value, not part of the text. */
export interface Hint {
  readonly offset: number;
  readonly label: string;
  readonly tooltip: string;
}

/** What the written widths and head counts amount to, for values inside `within`. One hint per value. */
export function inlayHints(analysis: Analysis, within?: Range, t: Translate = english): Hint[] {
  const hints = new Map<number, Hint>();
  for (const design of analysis.reading?.designs ?? []) {
    for (const [field, label, tooltip] of hintsOf(design, t)) {
      if (field?.source !== 'written' || field.range === undefined) continue;
      if (within !== undefined && !overlaps(within, field.range)) continue;
      if (!hints.has(field.range.end)) hints.set(field.range.end, { offset: field.range.end, label, tooltip });
    }
  }
  return [...hints.values()].sort((a, b) => a.offset - b.offset);
}

type Note = readonly [Field<number> | undefined, string, string];

function* hintsOf(design: TransformerDesign, t: Translate): Generator<Note> {
  yield* headHints(design.fields, t);
  const { hiddenSize, intermediateSize, nopeHeadDim, ropeHeadDim } = design.fields;
  if (hiddenSize !== undefined && intermediateSize !== undefined && intermediateSize.formula === undefined && hiddenSize.value > 0) {
    const ratio = intermediateSize.value / hiddenSize.value;
    const text = String(Number(ratio.toFixed(2)));
    yield [intermediateSize, t('= {ratio} x width', { ratio: text }), t('FFN width over model width.')];
  }
  if (nopeHeadDim !== undefined && ropeHeadDim !== undefined) {
    const sum = nopeHeadDim.value + ropeHeadDim.value;
    yield [
      nopeHeadDim,
      t('+ {rope} rotary = {sum}', { rope: ropeHeadDim.value, sum }),
      t('Width of one query and key head: its part without position and its rotary part.'),
    ];
  }
}

function* headHints(fields: TransformerDesign['fields'], t: Translate): Generator<Note> {
  const { hiddenSize, queryHeads, keyValueHeads, headDim, keyValueLoraRank }: Partial<DesignFields> = fields;
  const heads = queryHeads?.value;
  const dim = headDim?.value;
  const width = hiddenSize?.value;
  if (heads === undefined || !positive(heads)) return;
  if (dim !== undefined && positive(dim)) {
    const product = heads * dim;
    const fits = product === width;
    const tooltip = fits
      ? t('The heads together are as wide as the model.')
      : t('The heads together are {product} wide, the model {width}.', { product, width: width ?? '?' });
    if (fits) yield [hiddenSize, t('= {heads} heads x {dim}', { heads, dim }), tooltip];
    yield [queryHeads, fits ? t('x {dim}', { dim }) : t('x {dim} = {product}', { dim, product }), tooltip];
    if (headDim?.source === 'written') yield [headDim, t('x {heads} heads = {product}', { heads, product }), tooltip];
  }
  const kv = keyValueHeads?.value;
  if (kv === undefined || !positive(kv) || keyValueLoraRank !== undefined || heads % kv !== 0) return;
  const group = heads / kv;
  if (group === 1) yield [keyValueHeads, t('one per query head'), t('Multi-head attention: every query head has its own keys and values.')];
  else if (kv === 1)
    yield [
      keyValueHeads,
      t('shared by {heads} heads', { heads }),
      t('Multi-query attention: all query heads share one key and value head.'),
    ];
  else
    yield [
      keyValueHeads,
      t('groups of {group}', { group }),
      t('Grouped-query attention: {group} query heads share each key and value head.', { group }),
    ];
}

const positive = (value: number): boolean => Number.isSafeInteger(value) && value > 0;
