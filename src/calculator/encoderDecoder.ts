import type { ConfigReading, TransformerDesign } from '../design/design.ts';
import { combine } from './combine.ts';
import type { LayerInput } from './layer.ts';
import type { Parameter } from './parameters.ts';
import type { Query } from './query.ts';
import { attentionWeights, grouped } from './shapes.ts';
import {
  type Convolution,
  isHead,
  isLayerMatrix,
  isUnderstood,
  maximumLayers,
  numberIn,
  type Reason,
  type Stack,
  sizeOf,
} from './stack.ts';

/**
 * Families whose encoder and decoder see everything that their masks leave (Vaswani et al. 2017, arXiv:1706.03762, section 3; T5: Raffel et al.
 * 2019, arXiv:1910.10683; BART: Lewis et al. 2019, arXiv:1910.13461; Whisper: Radford et al. 2022, arXiv:2212.04356): others with the same
 * tensors look at blocks of the input (LongT5, Pegasus-X), and tensors do not tell.
 */
const followed = /^(t5|mt5|umt5|bart|mbart|plbart|pegasus|marian|blenderbot|blenderbot-small|m2m_100|whisper)$/;

/** An encoder and a decoder that reads its output. */
export const isEncoderDecoder = (reading: ConfigReading | undefined): reading is ConfigReading =>
  reading !== undefined &&
  reading.designs.length === 2 &&
  stackIn(reading, 'encoder') !== undefined &&
  stackIn(reading, 'decoder') !== undefined;

const stackIn = ({ designs }: ConfigReading, role: 'encoder' | 'decoder'): TransformerDesign | undefined =>
  designs.find((design) => design.role === role);

/** A tensor of the encoder or of the decoder; those that both share are neither's. */
const sideOf = (name: string): 'encoder' | 'decoder' | undefined =>
  /^(?:model\.)?(encoder|decoder)\./.exec(name)?.[1] as 'encoder' | 'decoder' | undefined;

const isCross = (name: string): boolean => /\.(EncDecAttention|encoder_attn)\./.test(name);

/** Read for the prompt alone: all of an encoder, and what makes keys and values of its output, which are cached. */
export const isReadOnce = (name: string): boolean =>
  sideOf(name) === 'encoder' || (isCross(name) && /\.(k|v|k_proj|v_proj)\.(weight|bias)$/.test(name));

/**
 * The decoder's stack, with the encoder's in it. The matrices of every sublayer (self-attention, cross-attention, feed-forward) of either stack
 * have to be those of the tensors to the last number.
 */
export function encoderDecoderOf(query: Query, reading: ConfigReading, tensors: readonly Parameter[]): Stack | Reason {
  const [from, to] = [stackIn(reading, 'encoder'), stackIn(reading, 'decoder')];
  const family = to?.family;
  if (from === undefined || to === undefined || family === undefined || family !== from.family || !followed.test(family))
    return { reason: `The encoder and decoder of ${family ?? 'this model'} are not followed step by step.` };
  const positions = family === 'whisper' ? whisperPositions(from) : query.values.sourceLength?.value;
  const convolutions = family === 'whisper' ? whisperConvolutions(tensors) : undefined;
  if (family === 'whisper' && (positions === undefined || convolutions === undefined))
    return { reason: "What the encoder's convolutions make of the input is not known." };
  const encoder = sideStack(query, from, tensors, 'encoder', positions);
  if ('reason' in encoder) return encoder;
  const decoder = sideStack(query, to, tensors, 'decoder', positions);
  if ('reason' in decoder) return decoder;
  if (encoder.hiddenSize !== decoder.hiddenSize) return { reason: 'The encoder is not as wide as the decoder.' };
  const odd = tensors.find((each) => !isUnderstood(each) || (each.name.includes('{i}') && sideOf(each.name) === undefined));
  if (odd !== undefined) return { reason: `What ${odd.name} does is not followed.` };
  const heads = tensors.filter(isHead);
  const [head] = heads;
  const rows = head?.shapes[0]?.[0];
  if (heads.length > 1 || (head !== undefined && (rows === undefined || head.elements !== BigInt(rows) * decoder.hiddenSize)))
    return { reason: 'What the head computes is not followed.' };
  const vocabulary = rows === undefined ? sizeOf(to.fields.vocabularySize?.value) : BigInt(rows);
  return {
    ...decoder,
    ...(vocabulary === undefined ? {} : { vocabulary }),
    head: head !== undefined,
    tied: head?.tied === true,
    encoder: { ...encoder, ...(convolutions === undefined ? {} : { convolutions }) },
  };
}

/** One of the two, as its own design and its own tensors say. */
function sideStack(
  query: Query,
  design: TransformerDesign,
  tensors: readonly Parameter[],
  side: 'encoder' | 'decoder',
  positions: bigint | undefined,
): Stack | Reason {
  // The query's sizes are in the design already.
  const { input } = combine({ problems: [], values: {}, ...(query.dtype === undefined ? {} : { dtype: query.dtype }) }, design, 0);
  const { hiddenSize: d, layers } = input;
  const f = sizeOf(design.fields.intermediateSize?.value);
  const attention = attentionWeights(input)?.value;
  if (d === undefined || layers === undefined || f === undefined || attention === undefined)
    return { reason: `The width, heads, layers or feed-forward of the ${side} are not known.` };
  if (layers > maximumLayers) return { reason: `${layers} layers are more than any model has.` };
  if (design.fields.experts !== undefined) return { reason: `Which layers of the ${side} have experts is not known.` };
  const own = tensors.filter(({ name }) => sideOf(name) === side);
  const written = { self: 0n, cross: 0n, feedForward: 0n };
  for (const { name, elements } of own.filter(isLayerMatrix))
    written[isCross(name) ? 'cross' : /\.(SelfAttention|self_attn)\./.test(name) ? 'self' : 'feedForward'] += elements;
  const gated = [true, false].find((gate) => written.feedForward === layers * (gate ? 3n : 2n) * d * f);
  const unlike = (what: string, weights: bigint, known: bigint): Reason => ({
    reason: `The ${what} of the ${side}'s layers has ${grouped(weights)} weights in matrices, of which the steps known here explain ${grouped(known)}.`,
  });
  if (written.self !== layers * attention) return unlike('self-attention', written.self, layers * attention);
  const cross = side === 'decoder' ? layers * attention : 0n;
  if (written.cross !== cross) return unlike('cross-attention', written.cross, cross);
  if (gated === undefined) return unlike('feed-forward', written.feedForward, layers * 2n * d * f);
  const layer: LayerInput = {
    ...input,
    intermediateSize: f,
    gated,
    rotary: design.fields.positions?.value === 'rope',
    ...(query.dropout === true ? { dropout: true } : {}),
    ...(side === 'decoder' ? { crossAttention: positions === undefined ? {} : { keyLength: positions } } : {}),
  };
  const norms = own.filter(({ name, shapes }) => !name.includes('{i}') && /norm[^.]*\.weight$/.test(name) && shapes[0]?.length === 1);
  return {
    hiddenSize: d,
    layers,
    kinds: [{ label: side === 'encoder' ? 'Encoder layers' : 'Decoder layers', count: layers, input: layer }],
    order: Array.from({ length: Number(layers) }, () => 0),
    head: false,
    causal: side === 'decoder',
    windowsKnown: true,
    outsideNorms: BigInt(norms.length),
    ...(side === 'encoder' && positions !== undefined ? { positions } : {}),
  };
}

/** Whisper's encoder takes 30 seconds whatever is said in them: as many positions as its table has (arXiv:2212.04356, section 2.2). */
const whisperPositions = (design: TransformerDesign): bigint | undefined => sizeOf(numberIn(design, 'max_source_positions'));

/** Two convolutions, the second with a stride of two (arXiv:2212.04356, section 2.2). */
function whisperConvolutions(tensors: readonly Parameter[]): readonly Convolution[] | undefined {
  const read = ([1n, 2n] as const).map((number): Convolution | undefined => {
    const tensor = tensors.find(({ name }) => sideOf(name) === 'encoder' && name.endsWith(`.conv${number}.weight`));
    const [out, into, kernel] = tensor?.shapes[0] ?? [];
    if (tensor === undefined || out === undefined || into === undefined || kernel === undefined) return undefined;
    return { name: tensor.name, kernel: BigInt(kernel), from: [BigInt(into), 2n], to: [BigInt(out), 3n - number] };
  });
  const [first, second] = read;
  return first === undefined || second === undefined ? undefined : [first, second];
}
