import type { CheckpointShapes, TensorInfo } from '../../checkpoint/safetensors.ts';
import type { Field, TransformerDesign } from '../../design/design.ts';

/** One axis of one tensor that the config makes another size. */
export interface Mismatch {
  readonly tensor: string;
  readonly shape: readonly number[];
  /** Shape that the config gives the tensor. */
  readonly expected: readonly number[];
  /** The config's field that is off. */
  readonly field: Field<number>;
  /** Value of that field that would fit; undefined when none does. */
  readonly fitting: number | undefined;
}

/** Packed integers have other shapes than the weights they stand for. */
const isPlain = ({ dtype }: TensorInfo): boolean => /^(F64|F32|F16|BF16|F8_E4M3|F8_E5M2)$/.test(dtype);

const otherTower = /(^|[._])(vision|visual|image|audio|speech|mm_projector|multi_modal_projector|img|vit|qformer|lora_[AB]|draft|mtp)/;

/** Position tables that hold as many rows as the config says, and those with two more (fairseq's padding offset). */
const plainPositions = new Set([
  'bert',
  'roberta',
  'xlm-roberta',
  'camembert',
  'electra',
  'distilbert',
  'albert',
  'gpt2',
  'gpt_neo',
  'openai-gpt',
  'gpt_bigcode',
  'mpnet',
  'longformer',
]);
const offsetPositions = new Set(['bart', 'mbart', 'opt', 'plbart', 'biogpt']);

/**
 * Where a checkpoint's tensors cannot be loaded into the model that a config describes: the library refuses with "size mismatch".
 * Only plain stacks whose tensors' names are the usual ones are judged; the first tensor of each kind speaks for its layers.
 */
export function compareCheckpoint(design: TransformerDesign, checkpoint: CheckpointShapes): Mismatch[] {
  const { fields } = design;
  const mismatches: Mismatch[] = [];
  const seen = new Set<string>();
  const part = /(^|\.)(encoder|decoder)$/.exec(design.name)?.[2];
  const report = (
    tensor: string,
    shape: readonly number[],
    expected: readonly number[],
    field: Field<number> | undefined,
    fitting: number | undefined,
  ): void => {
    if (field !== undefined)
      mismatches.push({
        tensor,
        shape,
        expected,
        field,
        fitting: fitting !== undefined && Number.isInteger(fitting) && fitting > 0 ? fitting : undefined,
      });
  };
  const width = fields.hiddenSize;
  const headDim = fields.headDim;
  for (const [name, info] of checkpoint.tensors) {
    if (!isPlain(info) || info.shape.length !== 2 || !name.endsWith('.weight') || otherTower.test(name)) continue;
    if (part !== undefined && new RegExp(`(^|\\.)${part === 'encoder' ? 'decoder' : 'encoder'}\\.`).test(name)) continue;
    const kind = kindOf(name);
    if (kind === undefined || seen.has(kind)) continue;
    const [rows = 0, columns = 0] = info.shape;
    const judge = (
      expectedRows: number | undefined,
      rowField: Field<number> | undefined,
      perUnit: number | undefined,
      expectedColumns: number | undefined,
      columnField: Field<number> | undefined,
    ): void => {
      seen.add(kind);
      const expected = [expectedRows ?? rows, expectedColumns ?? columns];
      if (expectedColumns !== undefined && columns !== expectedColumns) report(name, info.shape, expected, columnField, columns);
      else if (expectedRows !== undefined && rows !== expectedRows)
        report(name, info.shape, expected, rowField, perUnit === undefined ? undefined : rows / perUnit);
    };
    const heads = (count: Field<number> | undefined): number | undefined =>
      count === undefined || headDim === undefined ? undefined : count.value * headDim.value;
    switch (kind) {
      case 'embedding':
        judge(
          fields.vocabularySize?.value,
          fields.vocabularySize,
          1,
          (fields.embeddingSize ?? width)?.value,
          fields.embeddingSize ?? width,
        );
        break;
      case 'head':
        judge(fields.vocabularySize?.value, fields.vocabularySize, 1, undefined, undefined);
        break;
      case 'query':
        if (fields.nopeHeadDim === undefined) judge(heads(fields.queryHeads), fields.queryHeads, headDim?.value, width?.value, width);
        break;
      case 'key':
        if (fields.nopeHeadDim === undefined)
          judge(heads(fields.keyValueHeads), writable(fields.keyValueHeads, fields.queryHeads), headDim?.value, width?.value, width);
        break;
      case 'up':
        if (fields.experts === undefined) judge(fields.intermediateSize?.value, fields.intermediateSize, 1, width?.value, width);
        break;
      case 'pooler':
        judge(width?.value, width, 1, width?.value, width);
        break;
      case 'fused':
        // Hugging Face's Conv1D keeps [in, out].
        if (width !== undefined && rows !== width.value && columns === 3 * rows) {
          seen.add(kind);
          report(name, info.shape, [width.value, 3 * width.value], width, rows);
        }
        break;
      case 'positions': {
        const type = design.family ?? '';
        const offset = plainPositions.has(type) ? 0 : offsetPositions.has(type) ? 2 : undefined;
        if (offset !== undefined && fields.maxPositions !== undefined) {
          seen.add(kind);
          if (rows !== fields.maxPositions.value + offset)
            report(name, info.shape, [fields.maxPositions.value + offset, columns], fields.maxPositions, rows - offset);
        }
        break;
      }
    }
  }
  return mismatches;
}

/** A derived KV head count follows from the query heads: the finding stands there. */
const writable = (field: Field<number> | undefined, fallback: Field<number> | undefined): Field<number> | undefined =>
  field?.range !== undefined ? field : (fallback ?? field);

const kinds: readonly (readonly [string, RegExp])[] = [
  ['embedding', /(^|\.)(embed_tokens|wte|word_embeddings|tok_embeddings|embed_in|shared|tokens_embed)\.weight$/],
  ['head', /(^|\.)(lm_head|embed_out)\.weight$/],
  ['query', /(^|\.)(self_attn\.q_proj|attention\.self\.query|attention\.wq|SelfAttention\.q|attention\.q_lin)\.weight$/],
  ['key', /(^|\.)(self_attn\.k_proj|attention\.self\.key|attention\.wk|SelfAttention\.k|attention\.k_lin)\.weight$/],
  [
    'up',
    /(^|\.)(mlp\.up_proj|mlp\.gate_proj|feed_forward\.w1|layer\.\d+\.intermediate\.dense|layers\.\d+\.fc1|mlp\.dense_h_to_4h)\.weight$/,
  ],
  ['pooler', /(^|\.)pooler\.dense\.weight$/],
  ['fused', /(^|\.)attn\.c_attn\.weight$/],
  ['positions', /(^|\.)(position_embeddings|wpe|embed_positions)\.weight$/],
];

const kindOf = (name: string): string | undefined => kinds.find(([, pattern]) => pattern.test(name))?.[0];
