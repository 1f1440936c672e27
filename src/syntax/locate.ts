import { contains, covers } from '../text/range.ts';
import type { ConfigNode, EntryNode, MappingNode, SequenceNode } from './node.ts';

/** One step from a container down to its child. */
export type PathStep =
  | { readonly kind: 'entry'; readonly mapping: MappingNode; readonly entry: EntryNode; readonly index: number }
  | { readonly kind: 'item'; readonly sequence: SequenceNode; readonly item: ConfigNode; readonly index: number };

export interface Location {
  /** Steps from the root to the innermost child that holds the offset; empty at the root. */
  readonly path: readonly PathStep[];
  /** The innermost container around the offset: where a new entry would go. Absent when the root is a scalar or missing. */
  readonly container: MappingNode | SequenceNode | undefined;
  /**
   * `key`: in the key of the last step. `value`: in or at a scalar, or after the last step's key where its value is due.
   * `between`: inside `container` but in none of its children.
   */
  readonly where: 'key' | 'value' | 'between';
}

/**
 * What stands at an offset. Text that a merge, an alias or a reference brought is found where it is written, not where it
 * is used. Where children touch or overlap (TOML tables in turns) the smallest one wins.
 */
export function locate(root: ConfigNode | undefined, offset: number): Location {
  const path: PathStep[] = [];
  let node = root;
  for (;;) {
    if (node === undefined) return { path, container: path.length === 0 ? undefined : containerOf(path.at(-1)), where: 'between' };
    if (node.kind === 'scalar') return { path, container: containerOf(path.at(-1)), where: 'value' };
    const step = childAt(node, offset);
    if (step === undefined) return { path, container: node, where: 'between' };
    path.push(step);
    if (step.kind === 'item') {
      node = step.item;
      continue;
    }
    if (contains(step.entry.keyRange, offset)) return { path, container: node, where: 'key' };
    const value = step.entry.value;
    // Between a key and its value, or where the value is still to be typed.
    if (value === undefined || !contains(value.range, offset)) return { path, container: node, where: 'value' };
    node = value;
  }
}

const containerOf = (step: PathStep | undefined): MappingNode | SequenceNode | undefined =>
  step === undefined ? undefined : step.kind === 'entry' ? step.mapping : step.sequence;

function childAt(node: MappingNode | SequenceNode, offset: number): PathStep | undefined {
  let best: PathStep | undefined;
  let size = Number.POSITIVE_INFINITY;
  const children = node.kind === 'mapping' ? node.entries : node.items;
  for (let index = 0; index < children.length; index++) {
    const child = children[index];
    if (child === undefined || !contains(child.range, offset) || !covers(node.range, child.range)) continue;
    const length = child.range.end - child.range.start;
    if (length >= size) continue;
    if ('key' in child) {
      if (child.merged || node.kind !== 'mapping') continue;
      best = { kind: 'entry', mapping: node, entry: child, index };
    } else if (node.kind === 'sequence') best = { kind: 'item', sequence: node, item: child, index };
    size = length;
  }
  return best;
}

/** The node at a path of keys and item numbers; of duplicate keys the last, as a loader takes it. */
export function nodeAt(root: ConfigNode | undefined, path: readonly (string | number)[]): ConfigNode | undefined {
  let node = root;
  for (const step of path) {
    if (node?.kind === 'mapping') node = node.entries.findLast((entry) => entry.key === String(step))?.value;
    else if (node?.kind === 'sequence') node = node.items[Number(step)];
    else return undefined;
  }
  return node;
}
