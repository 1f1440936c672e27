import type { Layout } from '../architectures/architecture.ts';
import { layOutDerived } from './evaluate.ts';
import type { Leaf } from './record.ts';
import { NodeReader } from './text.ts';

interface Layouts {
  readonly reader: NodeReader;
  /** Type, `*` for the type's usual class, class, and its leaves: a class a line. */
  readonly classes: string;
  /** By the line of the class. */
  readonly leaves: Map<number, readonly Leaf[]>;
  /** What was asked for before: a search asks for one class many times. */
  readonly found: Map<string, DerivedLayout | undefined>;
}

interface DerivedLayout {
  readonly className: string;
  readonly layout: Layout;
}

let read: (() => string | undefined) | undefined;
let layouts: Layouts | undefined;

/**
 * Says where the derived layouts are (`layouts.generated.txt`); they are read when the first is asked for. Without them, classes that
 * nobody described by hand are not known.
 */
export function provideLayouts(source: () => string | undefined): void {
  read = source;
  layouts = undefined;
}

function known(): Layouts | undefined {
  if (layouts === undefined && read !== undefined) {
    const text = read();
    read = undefined;
    if (text !== undefined) {
      const [nodes = '', premises = '', classes = ''] = text.split('\n\n');
      layouts = {
        reader: new NodeReader(nodes.split('\n'), premises.split('\n')),
        classes: `\n${classes}`,
        leaves: new Map(),
        found: new Map(),
      };
    }
  }
  return layouts;
}

/** How a class of the library is laid out, as derived from its code; the type's usual class where none is named. Undefined where it is not known. */
export function derivedLayout(modelType: string, className: string | undefined): DerivedLayout | undefined {
  const all = known();
  if (all === undefined) return undefined;
  const key = `${modelType}\t${className ?? ''}`;
  if (all.found.size > 10_000) all.found.clear();
  if (!all.found.has(key)) all.found.set(key, find(all, modelType, className));
  return all.found.get(key);
}

function find({ classes, reader, leaves }: Layouts, modelType: string, className: string | undefined): DerivedLayout | undefined {
  const starts =
    className === undefined ? [`\n${modelType}\t*\t`] : [`\n${modelType}\t*\t${className}\t`, `\n${modelType}\t\t${className}\t`];
  const at = starts.map((start) => classes.indexOf(start)).find((each) => each >= 0);
  if (at === undefined) return undefined;
  const [, , name = '', ...written] = classes.slice(at + 1, classes.indexOf('\n', at + 1)).split('\t');
  const layout: Layout = (scope, settings) => {
    const found = leaves.get(at) ?? written.map((leaf) => reader.leaf(leaf));
    leaves.set(at, found);
    layOutDerived(found, scope, settings);
  };
  return { className: name, layout };
}
