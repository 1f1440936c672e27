/** The parameters of a model counted twice: from its code, and by the calculator's layouts of its family. */
import type { ModelAnswer } from './model.ts';

/** Tensors as the calculator lists them: names with their numbers folded to `{i}`. */
interface Listed {
  readonly name: string;
  /** How many tensors the name stands for. */
  readonly count: number;
  readonly shapes: readonly (readonly number[])[];
}

const mostNames = 5;

interface Group {
  count: number;
  readonly shapes: Set<string>;
}

/**
 * Names of tensors that the code makes and the list does not have so, a few; none where both are the same. Undefined where there is no
 * telling: what the code gets from elsewhere may be a parameter too, so a name that only the list has proves nothing.
 */
export function differingTensors(answer: ModelAnswer, listed: readonly Listed[]): readonly string[] | undefined {
  if (answer.problem !== undefined || answer.unknown.length > 0 || answer.parameters.length === 0 || listed.length === 0) return undefined;
  const [found, wanted] = [new Map<string, Group>(), new Map<string, Group>()];
  const add = (groups: Map<string, Group>, name: string, count: number, shapes: readonly (readonly number[])[]): void => {
    const folded = name.replace(/(?<=^|\.)\d+(?=\.|$)/g, '{i}');
    const group = groups.get(folded) ?? { count: 0, shapes: new Set() };
    group.count += count;
    for (const shape of shapes) group.shapes.add(shape.join());
    groups.set(folded, group);
  };
  for (const { name, shape } of answer.parameters) {
    const sizes = shape?.filter((size) => typeof size === 'number') ?? [];
    if (shape === undefined || sizes.length !== shape.length) return undefined;
    add(found, name, 1, [sizes]);
  }
  for (const { name, count, shapes } of listed) add(wanted, name, count, shapes);
  const differing = [...found].filter(([name, { count, shapes }]) => {
    const other = wanted.get(name);
    return other === undefined || count > other.count || [...shapes].some((shape) => !other.shapes.has(shape));
  });
  const isWhole = [...wanted].every(([name, { count }]) => found.get(name)?.count === count);
  return differing.length === 0 && !isWhole ? undefined : differing.slice(0, mostNames).map(([name]) => name);
}
