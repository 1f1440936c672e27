/** Checks of the code's own that its numbers do not pass. */
import type { SymbolAtom } from '../../dims/dim.ts';
import { someAtom, symbolsOf } from '../../dims/visit.ts';
import { classMember } from '../../interpreter/attributes.ts';
import { type Expression, type Parameter, type Span, spanIn } from '../../syntax/python/ast.ts';
import type { Range } from '../../text/range.ts';
import { dimsOf, expression, type Find } from './failing.ts';
import { at, type Fault } from './fault.ts';
import { rangeIn, settingsOf } from './places.ts';

export function checkFault(find: Find): Fault {
  const { code, failure } = find;
  const sizes = [...failure.call.arguments.values()].flatMap(dimsOf);
  const symbols = [...new Map(sizes.flatMap(symbolsOf).map((symbol) => [symbol.key, symbol])).values()];
  const numbers = symbols.map(({ key, name }) => `${name.slice(name.lastIndexOf('.') + 1)} = ${code.defaults.get(key)}`);
  const isOwn = failure.call.site?.file === code.file;
  const check = isOwn ? `\`${expression(find)}\`` : `The check in \`${expression(find)}\``;
  const fact = `${check} fails${numbers.length === 0 ? '' : ` with the defaults ${listed(numbers)}`}`;
  const fault = at(find, 'check', undefined, fact);
  const divides = symbols.filter((symbol) => sizes.some((dim) => isDivisor(dim, symbol)));
  const place =
    [...divides, ...symbols.toReversed()].map((symbol) => defaultOf(find, symbol)).find((range) => range !== undefined) ?? numbersAt(find);
  if (place === undefined) return { ...fault, isHere: true };
  return { ...fault, at: place, isHere: true, related: [{ range: fault.use, message: 'It is checked here.' }] };
}

const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;

const isDivisor = (dim: Parameters<typeof symbolsOf>[0], { key }: SymbolAtom): boolean =>
  someAtom(dim, (atom) => atom.kind === 'quotient' && symbolsOf(atom.divisor).some((symbol) => symbol.key === key));

/** Where the constructor under study, or a class of settings in the file, gives the number. */
function defaultOf({ code, study }: Find, { name, scope }: SymbolAtom): Range | undefined {
  const last = name.slice(name.lastIndexOf('.') + 1);
  const initializer = classMember(study.class, '__init__');
  if (initializer?.kind === 'function' && initializer.file === code.file) {
    const parameter = initializer.definition.parameters.find((each) => each.name?.name === last && each.default !== undefined);
    if (parameter !== undefined && initializer.unit !== undefined) return spanIn(initializer.unit, written(parameter));
  }
  const settings = settingsOf(code, scope);
  const set = settings?.definition.body.find((each) => {
    const target = each.kind === 'annotatedAssign' ? each.target : each.kind === 'assign' ? each.targets[0] : undefined;
    return target?.kind === 'name' && target.name === last;
  });
  return settings === undefined || set === undefined ? undefined : spanIn(settings.unit, set);
}

const written = ({ name, default: value, start, end }: Parameter): Span => ({ start: name?.start ?? start, end: value?.end ?? end });

/** The innermost call that gives numbers as they are. */
function numbersAt({ code, failure }: Find): Range | undefined {
  for (const site of failure.sites.slice(1)) {
    const call = site.node as Partial<Expression>;
    if (call.kind !== 'call' || call.arguments === undefined || site.file !== code.file) continue;
    if (call.arguments.some(({ value }) => value.kind === 'number')) return rangeIn(code, site);
  }
  return undefined;
}
