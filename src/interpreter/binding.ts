import { dict, text, tuple, unknown } from './make.ts';
import type { FunctionValue, Value } from './value.ts';

/**
 * Binds the arguments of a call to the parameters of a function, by Python's rules. With `openArguments` others may have been given
 * that are not known: then what is missing is unknown. Where Python would raise, the reason.
 */
export function bindFunction(
  callee: FunctionValue,
  positional: readonly Value[],
  keywords: ReadonlyMap<string, Value>,
  openArguments: boolean,
): ReadonlyMap<string, Value> | string {
  const bound = new Map<string, Value>();
  const rest = new Map(keywords);
  const { parameters } = callee.definition;
  const slash = parameters.findIndex(({ kind }) => kind === 'slash');
  let next = 0;
  let keywordOnly = false;
  let takesMore = false;
  for (const [i, parameter] of parameters.entries()) {
    const name = parameter.name?.name;
    switch (parameter.kind) {
      case 'slash':
        break;
      case 'star':
        keywordOnly = true;
        break;
      case 'args':
        if (name !== undefined)
          bound.set(name, tuple(positional.slice(next), openArguments ? positional.length - Math.min(next, positional.length) : undefined));
        next = positional.length;
        keywordOnly = true;
        takesMore = true;
        break;
      case 'kwargs':
        break;
      default: {
        if (name === undefined) break;
        let value: Value | undefined;
        if (!keywordOnly && next < positional.length) value = positional[next++];
        else if (i > slash || slash < 0) {
          value = rest.get(name);
          rest.delete(name);
        }
        if (value === undefined) {
          const fallback = callee.defaults.get(name);
          if (fallback === undefined && !openArguments) return `\`${name}\` is not given`;
          value = openArguments ? unknown(`the argument ${name}`) : fallback;
        }
        bound.set(name, value as Value);
      }
    }
  }
  const catchAll = parameters.find(({ kind }) => kind === 'kwargs');
  if (catchAll?.name !== undefined)
    bound.set(
      catchAll.name.name,
      dict(
        [...rest].map(([key, value]) => [text(key), value] as const),
        openArguments,
      ),
    );
  else if (rest.size > 0 && !openArguments) return `there is no parameter \`${[...rest.keys()][0] ?? ''}\``;
  if (next < positional.length && !takesMore && !openArguments)
    return `${positional.length} arguments are given by position, and ${next} are taken`;
  return bound;
}
