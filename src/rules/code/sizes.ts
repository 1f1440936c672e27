/** Whether sizes of model code are the same, by algebra and by the numbers under which the code is tried. */
import { type Dim, divideExactly, number } from '../../dims/dim.ts';
import { compare, Facts } from '../../dims/facts.ts';
import { sampled, sampleGroups } from '../../interpreter/samples.ts';
import type { CodeReading } from '../../interpreter/study.ts';

export const factsOf = ({ interpreter }: CodeReading): Facts => {
  const { facts } = interpreter.context;
  return facts.contradictory ? Facts.none : facts;
};

export const readDim = ({ interpreter }: CodeReading, dim: Dim): Dim => interpreter.read(dim);

export type Sameness = 'same' | 'different' | 'differentInSamples' | 'unknown';

/** 'differentInSamples': under the defaults of the code, or under all numbers in which sizes of different meaning differ. */
export function compareSizes(code: CodeReading, left: Dim, right: Dim): Sameness {
  const [a, b] = [readDim(code, left), readDim(code, right)];
  const facts = factsOf(code);
  const answer = compare(a, b, facts);
  if (answer === 'equal') return 'same';
  if (answer === 'different') return 'different';
  for (const { members: group } of sampleGroups(code)) {
    const compared = group.map((sample) => {
      const [x, y] = [sampled(a, sample), sampled(b, sample)];
      return x.constant === undefined || y.constant === undefined
        ? compare(x, y, Facts.none)
        : x.constant === y.constant
          ? 'equal'
          : 'different';
    });
    if (compared.length > 0 && compared.every((each) => each === 'different')) return 'differentInSamples';
  }
  return 'unknown';
}

/** The numbers of a size under each sample, by group; undefined where a sample does not decide it. */
export const samplesOf = (code: CodeReading, dim: Dim): readonly (readonly (number | undefined)[])[] => {
  const read = readDim(code, dim);
  return sampleGroups(code).map(({ members: group }) => group.map((sample) => sampled(read, sample).constant));
};

/** The left size by the right one, where it is the same whole number or product of sizes always. */
export function ratioOf(code: CodeReading, left: Dim, right: Dim): Dim | undefined {
  const exact = divideExactly(left, right);
  if (exact !== undefined) return exact.constant === 1 ? undefined : exact;
  const [a, b] = [samplesOf(code, left), samplesOf(code, right)];
  const ratios = new Set<number>();
  for (const [i, group] of a.entries()) {
    for (const [j, x] of group.entries()) {
      const y = b[i]?.[j];
      if (x !== undefined && y !== undefined && y > 0) ratios.add(x / y);
    }
  }
  const [only] = ratios;
  return ratios.size === 1 && only !== undefined && Number.isInteger(only) && only > 1 ? number(only) : undefined;
}

/** The same, or at least never different: `2 * (d // 2)` and `d`. */
export function seemSame(code: CodeReading, left: Dim, right: Dim): boolean {
  if (left.unknown || right.unknown) return false;
  const answer = compareSizes(code, left, right);
  if (answer !== 'unknown') return answer === 'same';
  const [a, b] = [samplesOf(code, left).flat(), samplesOf(code, right).flat()];
  const known = a.flatMap((x, i) => (x === undefined || b[i] === undefined ? [] : [x === b[i]]));
  return known.length > 0 && known.every((each) => each);
}
