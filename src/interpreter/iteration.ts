import { add, type Dim, multiply, number, rigid } from '../dims/dim.ts';
import { rangeLength } from './arithmetic.ts';
import { classMember } from './attributes.ts';
import type { Interpreter } from './interpreter.ts';
import { dimOf, int, text, unknown } from './make.ts';
import type { Value } from './value.ts';

/** What iterating over a value gives. */
export interface Iteration {
  readonly items: readonly Value[];
  /** The items stand for this many rounds, all alike. */
  readonly repeat: Dim | undefined;
  /** There may be other rounds. */
  readonly open: boolean;
}

/** What a loop over the value runs through. */
export function iterate(interpreter: Interpreter, value: Value): Iteration {
  const nothing: Iteration = { items: [unknown('an item of something')], repeat: undefined, open: true };
  interpreter.options.witness?.look(value);
  switch (value.kind) {
    case 'list':
      if (value.open && value.items.length === 0) return nothing;
      return { items: value.items, repeat: value.repeat, open: value.open };
    case 'set':
      return value.open && value.items.length === 0 ? nothing : { items: value.items, repeat: undefined, open: value.open };
    case 'tuple':
      return value.ellipsis === undefined ? { items: value.items, repeat: undefined, open: false } : nothing;
    case 'dict':
      return { items: [...value.entries.values()].map(({ key }) => key), repeat: undefined, open: value.open };
    case 'string':
      return value.value === undefined || value.value.length > 10_000
        ? nothing
        : { items: [...value.value].map(text), repeat: undefined, open: false };
    case 'range': {
      const count = rangeLength(value.start, value.stop, value.step);
      if (count?.constant !== undefined && value.start.constant !== undefined && value.step.constant !== undefined) {
        const limit = Math.min(count.constant, interpreter.options.rounds ?? 20_000);
        if (count.constant > limit)
          return { items: [int(rigid('index', { scope: `loop ${count.constant}`, min: 0 }))], repeat: count, open: false };
        const [start, step] = [value.start.constant, value.step.constant];
        return { items: Array.from({ length: count.constant }, (_, i) => int(number(start + i * step))), repeat: undefined, open: false };
      }
      const { start, step } = value;
      const rounds =
        count === undefined ? undefined : interpreter.options.witness?.roundsOf(count, start, (i) => add(start, multiply(i, step)));
      if (rounds !== undefined) return { items: rounds, repeat: undefined, open: false };
      const index = value.start.constant === 0 ? rigid('index', { scope: `loop ${count?.key ?? ''}`, min: 0 }) : undefined;
      return { items: [index === undefined ? unknown('an index') : int(index)], repeat: count, open: count === undefined };
    }
    case 'tensor': {
      const [first] = value.shape.dims;
      if (first === undefined || value.shape.ellipsis === 0) return nothing;
      const count = interpreter.read(first);
      const rounds = count.constant !== undefined && count.constant <= 64 ? count.constant : 1;
      const items = Array.from({ length: rounds }, (_, i) => interpreter.subscript(value, int(i)));
      return { items, repeat: rounds === count.constant ? undefined : count, open: false };
    }
    case 'instance': {
      const method = classMember(value.class, '__iter__');
      if (method !== undefined) {
        const result = interpreter.call(method, [value]);
        return result.kind === 'instance' ? nothing : iterate(interpreter, result);
      }
      const length = classMember(value.class, '__len__');
      const getter = classMember(value.class, '__getitem__');
      if (length === undefined || getter === undefined) return nothing;
      const count = dimOf(interpreter.call(length, [value]))?.constant;
      if (count === undefined || count > 10_000) return nothing;
      return { items: Array.from({ length: count }, (_, i) => interpreter.call(getter, [value, int(i)])), repeat: undefined, open: false };
    }
    case 'union': {
      const options = value.options.filter(({ kind }) => kind !== 'none');
      const [only] = options;
      if (options.length === 1 && only !== undefined) return iterate(interpreter, only);
      // A list of which nothing is known holds what the other does.
      const known = interpreter.assumesShapes ? options.filter((option) => option.kind !== 'list' || option.items.length > 0) : [];
      return known.length === 1 && known[0] !== undefined ? iterate(interpreter, known[0]) : nothing;
    }
    default:
      return nothing;
  }
}
