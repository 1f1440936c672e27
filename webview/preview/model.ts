import type { PreviewDesign } from '../protocol.ts';
import { readSafetensors } from './arrays.ts';
import { controlled } from './projections.ts';
import { type Sample, seededWords } from './sample.ts';
import { MAX_LENGTH, type SampleSettings } from './settings.ts';

/** The trained sample model (scripts/train-sample-model.py says what it is). Weights are [in, out]. */
export interface TrainedModel {
  readonly design: PreviewDesign;
  readonly vocabulary: readonly string[];
  readonly width: number;
  readonly epsilon: number;
  /** [vocabulary, width] */
  readonly embedding: Float32Array;
  readonly layers: readonly Readonly<Record<'norm' | 'query' | 'key' | 'value' | 'output', Float32Array>>[];
  readonly norm: Float32Array;
  /** [width, vocabulary] */
  readonly unembedding: Float32Array;
}

const START = 0;
const UNKNOWN = 1;

/** Reads media/sample-model.safetensors. Throws RangeError where a part is missing. */
export function readModel(bytes: Uint8Array): TrainedModel {
  const { tensors, metadata } = readSafetensors(bytes);
  const named = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const tensor = (name: string): Float32Array => {
    const found = named.get(name);
    if (found === undefined) throw new RangeError(`The sample model has no ${name}.`);
    // Matrices are whole numbers with a scale for each row.
    const scale = named.get(`${name}.scale`)?.data;
    const columns = found.shape[1] ?? 1;
    return scale === undefined ? found.data : found.data.map((value, i) => value * (scale[Math.floor(i / columns)] as number));
  };
  const number = (name: string): number => Number(metadata[name]);
  const vocabulary = JSON.parse(String(metadata.vocabulary)) as readonly string[];
  const embedding = tensor('embedding');
  const width = embedding.length / vocabulary.length;
  const heads = number('heads');
  const layers = number('layers');
  return {
    design: {
      queryHeads: heads,
      keyValueHeads: heads,
      headDim: width / heads,
      valueDim: width / heads,
      causal: true,
      layers,
      positions: 'rope',
      ropeTheta: number('theta'),
    },
    vocabulary,
    width,
    epsilon: number('epsilon'),
    embedding,
    layers: Array.from({ length: layers }, (_, layer) => ({
      norm: tensor(`layers.${layer}.norm`),
      query: tensor(`layers.${layer}.query`),
      key: tensor(`layers.${layer}.key`),
      value: tensor(`layers.${layer}.value`),
      output: tensor(`layers.${layer}.output`),
    })),
    norm: tensor('norm'),
    unembedding: tensor('unembedding'),
  };
}

/** Words of the vocabulary that are not signs or single letters. */
const wordsOf = ({ vocabulary }: TrainedModel): readonly string[] => vocabulary.filter((token) => /^\p{L}{2,}$/u.test(token));

/** A text in the model's tokens: words that it knows, other words letter by letter. What is shown is what was written. */
export function tokenise(model: TrainedModel, text: string): { readonly tokens: readonly string[]; readonly ids: readonly number[] } {
  const known = new Map(model.vocabulary.map((token, id) => [token, id]));
  const tokens = ['<s>'];
  const ids = [START];
  for (const [piece] of text.matchAll(/\p{L}+|\S/gu)) {
    const whole = known.get(piece.toLowerCase());
    for (const part of whole === undefined ? piece : [piece]) {
      tokens.push(part);
      ids.push(known.get(part.toLowerCase()) ?? UNKNOWN);
    }
  }
  return { tokens: tokens.slice(0, MAX_LENGTH), ids: ids.slice(0, MAX_LENGTH) };
}

/** The text that the settings ask for. */
export function modelText(model: TrainedModel, settings: SampleSettings): string {
  if (settings.source === 'text' && settings.text.trim() !== '') return settings.text;
  // One token starts every text.
  const length = Math.max(0, settings.length - 1);
  if (settings.source === 'positions') return Array.from({ length }, () => 'the').join(' ');
  return seededWords({ ...settings, length }, wordsOf(model)).join(' ');
}

/** The trained model over the tokens that the settings ask for. */
export function makeModelSample(model: TrainedModel, design: PreviewDesign, settings: SampleSettings): Sample {
  const { tokens, ids } = tokenise(model, modelText(model, settings));
  const { width, embedding } = model;
  const input = new Float32Array(ids.length * width);
  for (const [t, id] of ids.entries()) input.set(embedding.subarray(id * width, (id + 1) * width), t * width);
  return {
    tokens,
    input,
    width,
    ids: Int32Array.from(ids),
    before: [],
    layers: model.layers.map((layer, index) => ({
      kind: 'plain',
      index,
      problem: {
        queryHeads: design.queryHeads,
        keyValueHeads: design.keyValueHeads,
        queryLength: ids.length,
        inputDim: width,
        headDim: design.headDim,
        valueDim: design.valueDim,
        ...controlled(design, settings, ids.length),
      },
      weights: { queryWeight: layer.query, keyWeight: layer.key, valueWeight: layer.value, outputWeight: layer.output },
      norm: layer.norm,
    })),
  };
}
