/** Changes the width of one layer: the size in its constructor for the one that would fit, in the words of the code around it. */
import type { Dim } from '../../../dims/dim.ts';
import { formatDim } from '../../../dims/format.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { TensorValue, Value } from '../../../interpreter/value.ts';
import { range } from '../../../text/range.ts';
import type { Fault } from '../../code/fault.ts';
import { rangeIn, textAt } from '../../code/places.ts';
import { dimFromEnd } from '../../code/tensors.ts';
import type { Report } from '../../rule.ts';

type Fixes = NonNullable<Report<string>['fixes']>;

const made = /^(?:\w+\.)*(?:\w*Linear|Embedding|\w*Norm|Conv1D|Parameter)\(/;

/** The fix, where the fault is at the constructor of a layer, one of its sizes is the one that clashes, and the other has a name there. */
export function widthFixes(code: CodeReading, fault: Fault): Fixes {
  const text = textAt(code, fault.at);
  const open = made.exec(text)?.[0];
  const pair = clash(fault);
  if (open === undefined || pair === undefined || !text.endsWith(')')) return [];
  const [given, taken] = pair;
  const isFailing = rangeIn(code, layerSite(fault))?.start === fault.at.start;
  // The layer that fails takes what it is given; another one gives what that takes.
  const [own, wanted] = isFailing ? [taken, given] : [given, taken];
  const names = namesAt(code, fault.at.start);
  const newText = wordsFor(code, wanted, names, fault.at.start);
  const written = argumentsIn(text, open.length).filter((argument) => means(argument.text, own, names));
  const argument = isFailing ? written[0] : written.at(-1);
  if (newText === undefined || argument === undefined || argument.text === newText) return [];
  const start = fault.at.start + argument.start;
  return [
    {
      title: `Make it ${newText} instead of ${argument.text}`,
      safe: false,
      edits: [{ range: range(start, start + argument.text.length), newText }],
    },
  ];
}

const layerSite = ({ failure }: Fault) => {
  const weight = failure.call.arguments.get('weight');
  return weight?.kind === 'tensor' ? (weight.layer?.site ?? weight.site) : undefined;
};

/** The width that came, and the one that was taken. */
function clash({ failure }: Fault): readonly [given: Dim, taken: Dim] | undefined {
  const read = (dim: Dim | undefined): Dim | undefined => (dim === undefined ? undefined : failure.context.substitution.apply(dim));
  const { arguments: all } = failure.call;
  const tensors = [...all.values()].flatMap((value) => tensorsIn(value));
  const [input, other] = tensors;
  const weight = all.get('weight');
  const given = input === undefined ? undefined : read(dimFromEnd(input, -1));
  const against = weight?.kind === 'tensor' ? weight : other;
  const taken = against === undefined ? undefined : read(dimFromEnd(against, -1));
  if (given === undefined || taken === undefined || given.unknown || taken.unknown || given.key === taken.key) return undefined;
  return [given, taken];
}

const tensorsIn = (value: Value): readonly TensorValue[] =>
  value.kind === 'tensor' ? [value] : value.kind === 'tuple' || value.kind === 'list' ? value.items.flatMap(tensorsIn) : [];

/** Sizes that have a name where the place is, by that name. */
function namesAt(code: CodeReading, place: number): ReadonlyMap<string, Dim> {
  const names = new Map<string, Dim>();
  for (const { name, value, site, frame } of code.variables) {
    const definition = frame.function?.definition;
    if (site.file !== code.file || definition === undefined || value.kind !== 'int') continue;
    const start = site.unit.start;
    const isHere = start + definition.start <= place && place < start + definition.end && start + site.node.start < place;
    if (isHere && /^[\w.]+$/.test(name)) names.set(name, code.interpreter.read(value.dim));
  }
  return names;
}

/** The expression for a size: a name that has it, or the size in symbols where all of them are written near the place. */
function wordsFor(code: CodeReading, dim: Dim, names: ReadonlyMap<string, Dim>, place: number): string | undefined {
  for (const [name, value] of names) if (value.key === dim.key) return name;
  const words = formatDim(dim);
  const { text } = code.file.module;
  const start = Math.max(0, text.lastIndexOf('\n    def ', place));
  const around = text.slice(start, text.indexOf('\n    def ', place) < 0 ? undefined : text.indexOf('\n    def ', place));
  const symbols = words.match(/[A-Za-z_][\w.]*/g) ?? [];
  return symbols.every((symbol) => new RegExp(`(?<![\\w.])${symbol.replaceAll('.', '\\.')}(?![\\w.])`).test(around)) ? words : undefined;
}

/** Whether an expression of the code stands for the size. */
function means(text: string, dim: Dim, names: ReadonlyMap<string, Dim>): boolean {
  const known = names.get(text);
  if (known !== undefined) return known.key === dim.key;
  const plain = (written: string): string => written.replace(/\s+/g, '').split('*').sort().join('*');
  return plain(text.replace(/^self\./, '')) === plain(formatDim(dim));
}

interface Argument {
  readonly text: string;
  readonly start: number;
}

/** The arguments of a call, values of named ones without their names. */
function argumentsIn(text: string, from: number): readonly Argument[] {
  const found: Argument[] = [];
  let [depth, start] = [0, from];
  const take = (end: number): void => {
    const raw = text.slice(start, end);
    const name = /^\s*(?:\w+\s*=(?!=))?\s*/.exec(raw)?.[0].length ?? 0;
    const value = raw.slice(name).trimEnd();
    if (value !== '') found.push({ text: value, start: start + name });
    start = end + 1;
  };
  for (let i = from; i < text.length; i++) {
    const letter = text[i] as string;
    if ('([{'.includes(letter)) depth += 1;
    else if (depth === 0 && (letter === ',' || letter === ')')) take(i);
    else if (')]}'.includes(letter)) depth -= 1;
  }
  return found;
}
