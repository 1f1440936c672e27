import type { Dim } from '../../dims/dim.ts';
import { formatDim } from '../../dims/format.ts';
import type { Shape } from '../../dims/shape.ts';
import { Substitution } from '../../dims/unify.ts';
import { parametersOf } from '../../interpreter/modules.ts';
import { type Sample, sampled, sampleGroups } from '../../interpreter/samples.ts';
import { type CodeReading, readingOf, type Study } from '../../interpreter/study.ts';
import type { InstanceValue, TensorValue } from '../../interpreter/value.ts';
import { blockSummaries } from '../../rules/code/blockSummary.ts';
import type { BlockPlacement } from '../../rules/code/blocks.ts';
import type { UnitBody } from '../../syntax/python/ast.ts';
import type { Range } from '../../text/range.ts';

/** What is known of the tensor that a name was given, in words; places are relative to the statement `body`. */
export interface VariableFact {
  readonly body: UnitBody;
  readonly start: number;
  readonly end: number;
  readonly name: string;
  /** `(B, 12, T, 64)`: with the numbers that the code gives as defaults; `?` where it is not known or differs between uses. */
  readonly shape: string;
  /** `(B, n_head, T, n_embd // n_head)`: in the code's own names. */
  readonly symbolic: string;
  /** How it came about, nearest step first: `transpose of (B, T, 12, 64)`. */
  readonly steps: readonly string[];
  readonly isArgument: boolean;
  /** False where nothing but the number of axes is known. */
  readonly says: boolean;
}

/** What is known of a block's sizes, as numbers: under what is given, else under the code's own defaults. */
export interface BlockSizes {
  readonly hiddenSize?: number;
  readonly queryHeads?: number;
  readonly keyValueHeads?: number;
  readonly headDim?: number;
  readonly causal?: boolean;
  readonly placement?: BlockPlacement;
}

/** A class that was followed, for the line above it. */
export interface BlockFact {
  readonly body: UnitBody;
  readonly name: string;
  /** `pre-norm, 12 heads x 64, 7.1M parameters`. */
  readonly text: string;
  /** Of a class that is a block of attention. */
  readonly sizes?: BlockSizes;
}

export interface StudyFacts {
  readonly variables: readonly VariableFact[];
  readonly blocks: readonly BlockFact[];
}

const cache = new WeakMap<Study, StudyFacts>();
const longest = 28;
const maximumSteps = 8;

/** What a study tells, without the study. Worked out once. */
export function factsOf(reading: CodeReading, study: Study): StudyFacts {
  const known = cache.get(study);
  if (known !== undefined) return known;
  reading.interpreter.substitution = study.substitution;
  const facts = { variables: variablesOf(reading, study), blocks: blocksOf(reading, study) };
  cache.set(study, facts);
  return facts;
}

type Names = (dim: Dim) => string;

/** A size as the reader of the code knows it. */
function names(reading: CodeReading, withNumbers: boolean): Names {
  const { interpreter } = reading;
  const sample = sampleGroups(reading)[0]?.members[0];
  return (dim) => {
    const bound = interpreter.read(dim);
    const value = withNumbers && sample !== undefined ? sampled(bound, sample) : bound;
    if (value.unknown) return '?';
    const text = formatDim(value).replace(/\b(?:self\.|config\.|cfg\.|args\.|params\.)+(?=[A-Za-z_])/g, '');
    return text.length > longest || /[^\w\s.()+*/%,-]/.test(text) ? '?' : text;
  };
}

function shapeText({ dims, ellipsis }: Shape, name: Names): readonly string[] {
  const parts = dims.map(name);
  if (ellipsis !== undefined) parts.splice(ellipsis, 0, '...');
  return parts;
}

const bracketed = (parts: readonly string[]): string =>
  parts.length === 1 && parts[0] !== '...' ? `(${parts[0]},)` : `(${parts.join(', ')})`;

function variablesOf(reading: CodeReading, study: Study): readonly VariableFact[] {
  interface Place {
    readonly body: UnitBody;
    readonly start: number;
    readonly end: number;
    readonly name: string;
    readonly isArgument: boolean;
    readonly tensors: TensorValue[];
    isMixed: boolean;
  }
  const places = new Map<UnitBody, Map<number, Place>>();
  for (const { site, name, value, isArgument } of study.variables) {
    if (site.file !== reading.file) continue;
    const { body } = site.unit;
    const { start, end } = site.node;
    let inBody = places.get(body);
    if (inBody === undefined) {
      inBody = new Map();
      places.set(body, inBody);
    }
    let place = inBody.get(start);
    if (place === undefined) {
      place = { body, start, end, name, isArgument, tensors: [], isMixed: false };
      inBody.set(start, place);
    }
    if (value.kind !== 'tensor') place.isMixed = true;
    else if (!place.tensors.some((tensor) => tensor.shape === value.shape)) place.tensors.push(value);
  }
  const numeric = names(reading, true);
  const symbolic = names(reading, false);
  const facts: VariableFact[] = [];
  for (const inBody of places.values()) {
    for (const { tensors, isMixed, ...place } of inBody.values()) {
      const [first] = tensors;
      if (first === undefined || isMixed) continue;
      const shape = common(tensors.map((tensor) => shapeText(tensor.shape, numeric)));
      if (shape === undefined) continue;
      const says = shape.some((part) => part !== '?' && part !== '...');
      facts.push({
        ...place,
        shape: bracketed(shape),
        symbolic: bracketed(common(tensors.map((tensor) => shapeText(tensor.shape, symbolic))) ?? shape),
        steps: stepsOf(first, numeric),
        says,
      });
    }
  }
  return facts;
}

/** What several uses of one line have in common; undefined when not even the number of axes. */
function common(shapes: readonly (readonly string[])[]): readonly string[] | undefined {
  const [first, ...others] = shapes;
  if (first === undefined || others.some((other) => other.length !== first.length)) return undefined;
  return first.map((part, i) => (others.every((other) => other[i] === part) ? part : '?'));
}

function stepsOf(tensor: TensorValue, name: Names): readonly string[] {
  const steps: string[] = [];
  let at: TensorValue | undefined = tensor;
  while (at !== undefined && steps.length < maximumSteps && at.op !== 'input' && at.isParameter !== true) {
    const from: readonly string[] = at.inputs
      .filter((input) => input.isParameter !== true)
      .map((input) => bracketed(shapeText(input.shape, name)));
    const layer: string = at.layer === undefined ? '' : ` (${at.layer.class.name})`;
    const result = bracketed(shapeText(at.shape, name));
    steps.push(
      from.length === 0 ? `${result} from ${at.op}${layer}` : `${result} from ${at.op}${layer} of ${from.slice(0, 3).join(' and ')}`,
    );
    at = at.inputs.find((input) => input.isParameter !== true);
  }
  return steps;
}

/** What can be said of each block class, and the number of parameters of the others. */
function blocksOf(reading: CodeReading, study: Study): readonly BlockFact[] {
  const sample = sampleGroups(reading)[0]?.members[0];
  const blocks = new Map<UnitBody, BlockFact>();
  const size = (dim: Dim | undefined): number | undefined => {
    const bound = dim === undefined ? undefined : reading.interpreter.read(dim);
    const value = bound === undefined ? undefined : sample === undefined ? bound : sampled(bound, sample);
    return value?.constant;
  };
  for (const { site, className, text, heads, headDim, keyValueHeads, width, isCausal, placement } of blockSummaries(
    readingOf(reading, study),
  )) {
    if (text === '') continue;
    const known = { hiddenSize: size(width), queryHeads: size(heads), keyValueHeads: size(keyValueHeads), headDim: size(headDim) };
    const numbers = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined && value > 0));
    const sizes: BlockSizes = { ...numbers, placement, ...(isCausal === true ? { causal: true } : {}) };
    blocks.set(site.unit.body, { body: site.unit.body, name: className, text, sizes });
  }
  for (const instance of study.instances) {
    const { unit, file, definition, name } = instance.class;
    if (file !== reading.file || unit === undefined || definition === undefined) continue;
    if (blocks.has(unit.body) || !reading.interpreter.isModule(instance)) continue;
    const total = parameterCount(reading, instance, sample);
    if (total !== undefined && total > 0) blocks.set(unit.body, { body: unit.body, name, text: `${shortCount(total)} parameters` });
  }
  return [...blocks.values()];
}

/** The elements of all parameters, shared ones once; undefined where a shape is not known. */
function parameterCount(reading: CodeReading, instance: InstanceValue, sample: Sample | undefined): number | undefined {
  const { parameters, unknown } = parametersOf(reading.interpreter, instance);
  if (unknown.length > 0) return undefined;
  let total = 0;
  for (const tensor of new Set(parameters.map((each) => each.tensor))) {
    if (tensor.shape.ellipsis !== undefined) return undefined;
    let count = 1;
    for (const dim of tensor.shape.dims) {
      const size = (sample === undefined ? dim : sampled(dim, sample)).constant;
      if (size === undefined) return undefined;
      count *= size;
    }
    total += count;
  }
  return total;
}

/** `7.1M`. */
function shortCount(count: number): string {
  const units = [
    ['T', 1e12],
    ['B', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const;
  for (const [unit, size] of units) if (count >= size) return `${(count / size).toFixed(count >= 100 * size ? 0 : 1)}${unit}`;
  return String(count);
}

/** Lets go of the dataflow of a reading, which is large; its facts are worked out first, and its findings are kept. */
export function release(reading: CodeReading): void {
  type Mutable<T> = { -readonly [K in keyof T]: T[K] };
  for (const study of [...reading.studies, ...(reading.stale ?? [])]) {
    factsOf(reading, study);
    const emptied: Mutable<Study> = study;
    emptied.tensors = [];
    emptied.failures = [];
    emptied.variables = [];
    emptied.runs = [];
    emptied.instances = [];
    emptied.calls = [];
    emptied.inputs = [];
    emptied.output = undefined;
    // A class or a function leads to its module, and to all that was imported there.
    const { class: of, instance } = study;
    emptied.class = { ...of, bases: [], mro: [], members: new Map() };
    emptied.instance = { ...instance, class: emptied.class, attributes: new Map() };
    delete emptied.maker;
    emptied.reached = new Set();
    emptied.substitution = Substitution.empty;
  }
}

/** A range of the text for a place relative to a statement; undefined when the statement is gone. */
export function placed(
  starts: ReadonlyMap<UnitBody, number>,
  fact: { readonly body: UnitBody; readonly start: number; readonly end: number },
): Range | undefined {
  const start = starts.get(fact.body);
  return start === undefined ? undefined : { start: start + fact.start, end: start + fact.end };
}
