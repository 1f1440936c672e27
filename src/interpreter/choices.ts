import type { Interpreter } from './interpreter.ts';
import { join } from './join.ts';
import { unknown } from './make.ts';
import type { Failure } from './recording.ts';
import type { InstanceValue, Value } from './value.ts';

/** Follows each option on its own and joins what comes of them. */
export function either(interpreter: Interpreter, options: readonly Value[], follow: (option: Value) => Value): Value {
  const [only] = options;
  if (options.length === 1 && only !== undefined) return follow(only);
  if (options.length === 0) return unknown('nothing to choose from');
  const results: Value[] = [];
  // Of layers of one kind in other sizes, or of a library's, the code takes the one that fits: what fails with all of them fails.
  // What passes everything on says nothing of whether the others fit.
  const real = options.filter((option) => !isIdentity(option));
  const [first] = real;
  const isAlike =
    first?.kind === 'instance' &&
    real.every((option) => option.kind === 'instance' && (option.class === first.class || (isOfLibrary(option) && isOfLibrary(first))));
  // Of layers that differ more, it takes the one for as many axes as there are.
  const isChosen = isAlike || options.every(({ kind }) => kind === 'instance');
  const failures: Failure[][] = [];
  interpreter.branch(
    options.map((option) => () => {
      const run = (): number => results.push(follow(option));
      if (!isChosen || isIdentity(option)) return run();
      const own: Failure[] = [];
      failures.push(own);
      return interpreter.recording.holding(own, run);
    }),
  );
  const isHopeless = failures.every(({ length }) => length > 0);
  const counted = isHopeless && isAlike ? (failures[0] ?? []) : isAlike ? [] : failures.flat();
  for (const failure of counted) {
    if (!isAlike && !isHopeless && failure.problem.isOfAxes === true) continue;
    interpreter.recording.fail(failure);
  }
  // What one kind of container holds says nothing of what another does; of what is not known nothing is said.
  const kinds = new Set(options.map(({ kind }) => kind).filter((kind) => kind !== 'none' && kind !== 'unknown'));
  const prefer = kinds.size < 2 ? interpreter.preference : 'none';
  return results.length === 0 ? unknown('no option works') : results.reduce((a, b) => join(a, b, prefer));
}

const isOfLibrary = ({ class: of }: InstanceValue): boolean => of.file?.isPrelude === true;

const isIdentity = (value: Value): boolean => value.kind === 'instance' && isOfLibrary(value) && value.class.name === 'Identity';
