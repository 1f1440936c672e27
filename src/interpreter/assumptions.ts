/** What linting takes for granted of sizes that nothing says are the same. */
import { type Dim, sameDim } from '../dims/dim.ts';
import type { Assumptions } from '../dims/shape.ts';
import { symbolsOf } from '../dims/visit.ts';
import { shareScope } from './make.ts';
import { conceptOf, lengthScope, type Sample, type Samples, sampled, usualSizes } from './samples.ts';

const isOfInputs = (dim: Dim): boolean => symbolsOf(dim).some(({ scope, flexible }) => flexible || scope === lengthScope);

const isWidth = (dim: Dim): boolean => symbolsOf(dim).every(({ name }) => conceptOf(name) === 'hiddenSize');

/** A fraction of a size: what is cut off at it is longer. */
const isPart = (dim: Dim): boolean => symbolsOf(dim).some(({ scope }) => scope.startsWith(shareScope));

/** Sizes agree that come out the same for all usual sizes of models and inputs; what is cut to the length of an input fits. */
export function assumptionsOf(samples: Samples): Assumptions {
  let known = -1;
  let members: readonly Sample[] = [];
  return {
    agree(a, b, isLast) {
      // The code's defaults become known as it is read.
      if (known !== samples.defaults.size) members = usualSizes(samples);
      known = samples.defaults.size;
      if (a.unknown || b.unknown || a.constant !== undefined || b.constant !== undefined) return undefined;
      if (isOfInputs(a) !== isOfInputs(b)) {
        const [input, made] = isOfInputs(a) ? [a, b] : [b, a];
        // What is as long as a table is made works on inputs of that length: they are as long as they are. Features are as many as a layer makes.
        return isLast && input.flexible && isWidth(made) ? made : input;
      }
      if (a.flexible || b.flexible) return undefined;
      for (const sample of members) {
        const x = sampled(a, sample);
        if (x.constant === undefined || x.constant < 2 || !sameDim(x, sampled(b, sample))) return undefined;
      }
      return b.size < a.size ? b : a;
    },
    fits: (bound, length) => !length.unknown && length.constant !== 1 && ((isOfInputs(bound) && !isOfInputs(length)) || isPart(bound)),
  };
}
