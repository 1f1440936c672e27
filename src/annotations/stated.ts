import type { Stated } from '../interpreter/inputs.ts';
import type { FunctionDefinition, PythonModule } from '../syntax/python/ast.ts';
import { annotationsOf } from './code.ts';
import type { PlacedContract, UnitAnnotations } from './place.ts';

type ByName = ReadonlyMap<string, Stated>;

const known = new WeakMap<UnitAnnotations, ReadonlyMap<FunctionDefinition, ByName>>();

/**
 * The axes of parameters as types, comments and docstrings in the file state them, by name: `B`, `T`, `n_embd`; undefined for an axis whose size is no name. A
 * parameter of which different numbers of axes are stated, or any number of them, has none. Each answer costs what its statement costs, once.
 */
export function statedAxes({ units, text }: PythonModule): (definition: FunctionDefinition, parameter: string) => Stated | undefined {
  return (definition, parameter) => {
    for (const unit of units) {
      const { statement } = unit.body;
      if (statement.kind !== 'class' && statement !== definition) continue;
      const found = axesOf(annotationsOf(unit, text)).get(definition);
      if (found !== undefined) return found.get(parameter);
    }
    return undefined;
  };
}

function axesOf(annotations: UnitAnnotations): ReadonlyMap<FunctionDefinition, ByName> {
  const done = known.get(annotations);
  if (done !== undefined) return done;
  const found = new Map<FunctionDefinition, ByName>();
  for (const [definition, contracts] of annotations.functions) {
    const byName = new Map<string, Stated | undefined>();
    // What stands in the code comes before what the docstring says.
    const inOrder = [...contracts].sort((a, b) => Number(a.place === 'docstring') - Number(b.place === 'docstring'));
    for (const placed of inOrder) {
      const [subject] = placed.subjects;
      if (subject?.kind !== 'parameter' || placed.subjects.length > 1 || placed.contract.each || placed.contract.stated === 'prose')
        continue;
      const by = placed.place === 'docstring' || placed.place === 'type' ? placed.place : 'comment';
      const axes = axesIn(placed);
      const other = byName.get(subject.name);
      if (!byName.has(subject.name)) byName.set(subject.name, axes === undefined ? undefined : { axes, by });
      else if (by !== 'docstring' && other !== undefined && axes !== undefined && other.axes.length !== axes.length)
        byName.set(subject.name, undefined);
    }
    const certain = new Map([...byName].flatMap(([name, stated]) => (stated === undefined ? [] : [[name, stated] as const])));
    if (certain.size > 0) found.set(definition, certain);
  }
  known.set(annotations, found);
  return found;
}

function axesIn({ shape }: PlacedContract): Stated['axes'] | undefined {
  if (shape.dims.some(({ kind }) => kind === 'rest')) return undefined;
  return shape.dims.map(({ kind, text, label }) => (kind !== 'size' ? undefined : (label ?? (/^\w+$/.test(text) ? text : undefined))));
}
