import type { FunctionDefinition, PythonModule } from '../syntax/python/ast.ts';
import { annotationsOf } from './code.ts';
import type { PlacedContract, UnitAnnotations } from './place.ts';

type Axes = readonly (string | undefined)[];

const known = new WeakMap<UnitAnnotations, ReadonlyMap<FunctionDefinition, ReadonlyMap<string, Axes>>>();

/**
 * The axes of parameters as comments and types in the file state them, by name: `B`, `T`, `n_embd`; undefined for an axis whose size is no name. A parameter
 * of which different numbers of axes are stated, or any number of them, has none. Each answer costs what its statement costs, once.
 */
export function statedAxes({ units, text }: PythonModule): (definition: FunctionDefinition, parameter: string) => Axes | undefined {
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

function axesOf(annotations: UnitAnnotations): ReadonlyMap<FunctionDefinition, ReadonlyMap<string, Axes>> {
  const done = known.get(annotations);
  if (done !== undefined) return done;
  const found = new Map<FunctionDefinition, ReadonlyMap<string, Axes>>();
  for (const [definition, contracts] of annotations.functions) {
    const byName = new Map<string, Axes | undefined>();
    for (const placed of contracts) {
      const [subject] = placed.subjects;
      // Docstrings are copied from function to function.
      if (placed.place === 'docstring') continue;
      if (subject?.kind !== 'parameter' || placed.subjects.length > 1 || placed.contract.each || placed.contract.stated === 'prose')
        continue;
      const axes = axesIn(placed);
      const other = byName.get(subject.name);
      if (!byName.has(subject.name)) byName.set(subject.name, axes);
      else if (other !== undefined && axes !== undefined && other.length !== axes.length) byName.set(subject.name, undefined);
    }
    const certain = new Map([...byName].flatMap(([name, axes]) => (axes === undefined ? [] : [[name, axes] as const])));
    if (certain.size > 0) found.set(definition, certain);
  }
  known.set(annotations, found);
  return found;
}

function axesIn({ shape }: PlacedContract): Axes | undefined {
  if (shape.dims.some(({ kind }) => kind === 'rest')) return undefined;
  return shape.dims.map(({ kind, text, label }) =>
    kind !== 'size' ? undefined : (label ?? (/^[A-Za-z_]\w*$/.test(text) ? text : undefined)),
  );
}
