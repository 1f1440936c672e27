/** The `# headwise: width=768` comments of a file, each with what it holds for. */
import type { PythonModule } from '../syntax/python/ast.ts';
import type { Range } from '../text/range.ts';
import { annotationsOf, moduleBindings } from './code.ts';
import type { PlacedBindings } from './place.ts';

/** One `width=768`, with its place in the text. */
export interface BoundName {
  readonly name: string;
  readonly value: number;
  readonly range: Range;
  readonly nameRange: Range;
  /** The class for which it holds; undefined for the file. */
  readonly owner: string | undefined;
}

export interface FileBindings {
  readonly bindings: readonly BoundName[];
  /** What stands in such a comment and is no binding, with its place in the text. */
  readonly problems: readonly { readonly text: string; readonly range: Range }[];
}

const none: FileBindings = { bindings: [], problems: [] };

/** Every binding of the file, in source order. Linear in its comments; nothing is read where no comment is Headwise's. */
export function bindingsIn(module: PythonModule): FileBindings {
  const { text, units } = module;
  if (!/headwise:\s*\S/i.test(text)) return none;
  const bindings: BoundName[] = [];
  const problems: { text: string; range: Range }[] = [];
  const add = (placed: PlacedBindings, start: number, owner: string | undefined): void => {
    const moved = (range: Range): Range => ({ start: start + range.start, end: start + range.end });
    for (const { name, value, range } of placed.bindings)
      bindings.push({ name: name.text, value, range: moved(range), nameRange: moved(name.range), owner });
    for (const problem of placed.problems) problems.push({ text: problem.text, range: moved(problem.range) });
  };
  for (const placed of moduleBindings(module)) add(placed, 0, placed.node?.kind === 'class' ? placed.node.name.name : undefined);
  for (const unit of units) {
    const { statement } = unit.body;
    for (const placed of annotationsOf(unit, text).bindings) {
      const around = placed.node?.kind === 'class' ? placed.node : statement.kind === 'class' ? statement : undefined;
      add(placed, unit.start, around?.name.name);
    }
  }
  return { bindings: bindings.sort((a, b) => a.range.start - b.range.start), problems };
}

const written = new WeakMap<PythonModule, ReadonlySet<string>>();

/** Every name in the code; comments do not count. Worked out once per version of the file. */
export function namesWritten(module: PythonModule): ReadonlySet<string> {
  let names = written.get(module);
  if (names === undefined) {
    names = new Set(module.text.replace(/#.*/g, '').match(/[A-Za-z_]\w*/g) ?? []);
    written.set(module, names);
  }
  return names;
}
