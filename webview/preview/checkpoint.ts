import type { ProjectionPart, ProjectionRole } from '../../src/checkpoint/projections.ts';
import { inPieces, type Steps } from '../../src/kernel/steps.ts';
import { type CheckpointMessage, MOST_NUMBERS, type PreviewDesign } from '../protocol.ts';
import { dtypeOf } from './arrays.ts';
import type { Block } from './block.ts';
import { bucketBias, controlled, latentPositions, type SampleLayer } from './projections.ts';
import type { SampleSettings } from './settings.ts';

/** A piece of a tensor's bytes. */
export interface CheckpointPart {
  /** Among the message's. */
  readonly tensor: number;
  /** Of the first byte. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Numbers of a tensor. */
export const count = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** Bytes of all tensors, or why they are not taken. */
export function checkpointBytes({ tensors }: CheckpointMessage): number | string {
  let numbers = 0;
  let bytes = 0;
  for (const { name, dtype, shape } of tensors) {
    const read = dtypeOf(dtype);
    if (read === undefined) return `${name} holds numbers of the type ${dtype}, which is not read here.`;
    numbers += count(shape);
    bytes += count(shape) * read.width;
  }
  return numbers > MOST_NUMBERS
    ? `The projections have ${numbers.toLocaleString('en')} numbers; at most ${MOST_NUMBERS.toLocaleString('en')} are read.`
    : bytes;
}

/** Layers of a checkpoint as their numbers arrive, and then as problems to compute. Throws RangeError on what does not fit. */
export class Checkpoint {
  readonly #message: CheckpointMessage;
  /** Tensors as they arrive; none any more once the projections are made from them. */
  #numbers: readonly Float32Array[];
  #left: number;
  #made: readonly Readonly<Partial<Record<ProjectionRole, Float32Array>>>[] | undefined;

  constructor(message: CheckpointMessage) {
    const bytes = checkpointBytes(message);
    if (typeof bytes === 'string') throw new RangeError(bytes);
    this.#message = message;
    this.#left = bytes;
    this.#numbers = message.tensors.map(({ shape }) => new Float32Array(count(shape)));
  }

  /** Features that the projections read. */
  get width(): number {
    return this.#message.width;
  }

  /** Takes a piece. Pieces hold whole numbers. */
  take({ tensor, at, bytes }: CheckpointPart): void {
    const target = this.#numbers[tensor];
    const read = dtypeOf(this.#message.tensors[tensor]?.dtype ?? '');
    if (target === undefined || read === undefined || at % read.width !== 0 || bytes.length % read.width !== 0) return;
    const first = at / read.width;
    const numbers = bytes.length / read.width;
    if (first + numbers > target.length) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < numbers; i++) target[first + i] = read.read(view, i * read.width);
    this.#left -= bytes.length;
  }

  /**
   * Makes embeddings what the first layer reads, in place: the model's own where tokens have numbers in its vocabulary, of its scale, with
   * its learned positions. [tokens, width]
   */
  enter({ block }: PreviewDesign, input: Float32Array, ids?: readonly number[]): void {
    const first = this.#made?.[0];
    if (block === undefined || first?.attentionNorm === undefined) return;
    const { positions, embedding } = first;
    if (positions !== undefined && positions.length < input.length)
      throw new RangeError(`The model knows ${positions.length / this.width} positions, fewer than there are tokens.`);
    if (embedding !== undefined && ids !== undefined)
      for (const [token, id] of ids.entries()) {
        if ((id + 1) * this.width > embedding.length)
          throw new RangeError(`The tokenizer has a token ${id}, for which the model has no embedding.`);
        input.set(embedding.subarray(id * this.width, (id + 1) * this.width), token * this.width);
      }
    for (let i = 0; i < input.length; i++) input[i] = (input[i] as number) * block.inputScale + (positions?.[i] ?? 0);
  }

  /** The layers over so many tokens, and those before them where the stream is run through them. */
  *layers(design: PreviewDesign, settings: SampleSettings, tokens: number): Steps<readonly SampleLayer[]> {
    if (this.#left !== 0) throw new RangeError('The checkpoint is not read to its end.');
    if (this.#made === undefined) {
      const made: Partial<Record<ProjectionRole, Float32Array>>[] = [];
      for (const { parts } of this.#message.layers) {
        const weights: Partial<Record<ProjectionRole, Float32Array>> = {};
        for (const part of parts) weights[part.role] = yield* this.#part(part);
        made.push(weights);
      }
      this.#made = made;
    }
    this.#numbers = [];
    return this.#made.map((weights, at) => this.#layer(weights, this.#message.layers[at]?.layer ?? 0, design, settings, tokens));
  }

  /** A role's numbers: a matrix [in, out], or a vector. */
  *#part({ role, tensor: name, outputsFirst, outputs }: ProjectionPart): Steps<Float32Array> {
    const at = this.#message.tensors.findIndex((tensor) => tensor.name === name);
    const numbers = this.#numbers[at];
    const shape = this.#message.tensors[at]?.shape ?? [];
    if (numbers === undefined) throw new RangeError(`The checkpoint did not give ${name}.`);
    // Tables stay as they are.
    if (role === 'embedding' || role === 'positions') return numbers;
    const matrix = shape.length === 2;
    const [inputs, all] = (matrix ? (outputsFirst ? [shape[1], shape[0]] : shape) : [1, shape[0]]) as [number, number];
    const runs = outputs ?? [[0, all] as const];
    const width = runs.reduce((sum, [, length]) => sum + length, 0);
    if (runs.some(([first, length]) => first + length > all))
      throw new RangeError(`${name} has ${all} outputs, not all that were asked for.`);
    const taken = new Float32Array(inputs * width);
    let column = 0;
    for (const [first, length] of runs) {
      const start = column;
      // Columns are far apart in memory: a piece of so many takes several times what it takes in order.
      yield* inPieces(length, 8 * inputs, (from, end) => {
        for (let output = first + from; output < first + end; output++) {
          const to = start + output - first;
          if (matrix && outputsFirst)
            for (let input = 0; input < inputs; input++) taken[input * width + to] = numbers[output * inputs + input] as number;
          else for (let input = 0; input < inputs; input++) taken[input * width + to] = numbers[input * all + output] as number;
        }
      });
      column += length;
    }
    return taken;
  }

  #layer(
    weights: Readonly<Partial<Record<ProjectionRole, Float32Array>>>,
    index: number,
    read: PreviewDesign,
    settings: SampleSettings,
    tokens: number,
  ): SampleLayer {
    const { width, interleaved, gainOffset } = this.#message;
    const design = interleaved ? { ...read, interleaved } : read;
    const { queryHeads, keyValueHeads, headDim, valueDim, latent } = design;
    const need = (role: ProjectionRole): Float32Array => {
      const found = weights[role];
      if (found === undefined) throw new RangeError(`The checkpoint gave no ${role}.`);
      return found;
    };
    const { positions, ...set } = controlled(design, settings, tokens);
    const output = need('output');
    const common = {
      queryHeads,
      queryLength: tokens,
      inputDim: width,
      outputDim: output.length / (queryHeads * valueDim),
      valueDim,
      ...set,
    };
    if (latent !== undefined)
      return {
        kind: 'latent',
        index,
        problem: { ...common, ...latent, positions: latentPositions(design, tokens) },
        weights: {
          ...(latent.queryRank === undefined ? {} : { queryDown: need('queryDown'), queryNorm: need('queryDownNorm') }),
          queryUp: need('queryUp'),
          keyValueDown: need('keyValueDown'),
          keyValueNorm: need('keyValueNorm'),
          keyValueUp: need('keyValueUp'),
          outputWeight: output,
        },
      };
    const { queryBias, keyBias, valueBias, outputBias, queryNorm, keyNorm, relativeBias: table } = weights;
    const block = blockOf(weights, design.block);
    const gains = (stored: Float32Array): Float32Array => (gainOffset === 0 ? stored : stored.map((gain) => gain + gainOffset));
    return {
      kind: 'plain',
      index,
      ...(block === undefined ? {} : { block }),
      problem: {
        ...common,
        keyValueHeads,
        headDim,
        positions,
        ...(table === undefined || design.buckets === undefined ? {} : { relativeBias: bucketBias(design, table, tokens) }),
      },
      weights: {
        queryWeight: need('query'),
        keyWeight: need('key'),
        valueWeight: need('value'),
        outputWeight: output,
        ...(queryBias === undefined ? {} : { queryBias }),
        ...(keyBias === undefined ? {} : { keyBias }),
        ...(valueBias === undefined ? {} : { valueBias }),
        ...(outputBias === undefined ? {} : { outputBias }),
        ...(queryNorm === undefined || keyNorm === undefined
          ? {}
          : {
              queryKeyNorm: {
                query: gains(queryNorm),
                key: gains(keyNorm),
                ...(block === undefined ? {} : { epsilon: block.traits.epsilon }),
              },
            }),
      },
    };
  }
}

/** What stands around a layer's attention, where the checkpoint gave it. */
function blockOf(weights: Readonly<Partial<Record<ProjectionRole, Float32Array>>>, traits: PreviewDesign['block']): Block | undefined {
  const { attentionNorm, attentionNormBias, mlpNorm, mlpNormBias, gate, gateBias, up, upBias, down, downBias } = weights;
  if (traits === undefined || attentionNorm === undefined || up === undefined || down === undefined) return undefined;
  return {
    traits,
    attentionNorm: { gains: attentionNorm, bias: attentionNormBias },
    ...(mlpNorm === undefined ? {} : { mlpNorm: { gains: mlpNorm, bias: mlpNormBias } }),
    gate,
    gateBias,
    up,
    upBias,
    down,
    downBias,
  };
}
