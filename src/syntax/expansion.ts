import type { Range } from '../text/range.ts';
import type { ConfigNode, EntryNode } from './node.ts';
import { maximumDepth } from './problems.ts';

/** Nodes that aliases, merges and references may add to one file's tree beyond what is written in it. */
const nodeBudget = 10_000;

interface Measure {
  /** Nodes of the subtree, shared ones counted at every place. */
  readonly size: number;
  readonly height: number;
}

/**
 * Puts a node of the tree at a second place: YAML aliases and merges, `${...}`, gin macros.
 * Nodes are shared, not copied, but every place counts, because later walks visit each; that bounds alias bombs.
 */
export class Expansion {
  #left = nodeBudget;
  readonly #measures = new WeakMap<ConfigNode, Measure>();

  /**
   * `target` as it appears at `at`, `depth` levels below the root. A scalar keeps its own place as `origin`;
   * entries of a mapping are marked as merged. When the budget is spent, an unresolved scalar.
   */
  place(target: ConfigNode, at: Range, raw: string, depth: number): ConfigNode {
    if (target.kind === 'scalar') {
      return { ...target, range: at, raw, origin: target.origin ?? target.range };
    }
    if (!this.afford(target, depth)) return unresolvedScalar(at, raw);
    return target.kind === 'mapping'
      ? { kind: 'mapping', range: at, entries: target.entries.map(mergedEntry) }
      : { kind: 'sequence', range: at, items: target.items };
  }

  /** Takes the node's size from the budget; false, taking nothing, when it is too large or would nest too deep. */
  afford(target: ConfigNode, depth: number): boolean {
    const { size, height } = this.#measure(target);
    if (size > this.#left || depth + height > maximumDepth) return false;
    this.#left -= size;
    return true;
  }

  #measure(node: ConfigNode): Measure {
    if (node.kind === 'scalar') return scalarMeasure;
    const known = this.#measures.get(node);
    if (known !== undefined) return known;
    let size = 1;
    let height = 0;
    for (const child of node.kind === 'mapping' ? node.entries : node.items) {
      const value = 'key' in child ? child.value : child;
      const inner = value === undefined ? scalarMeasure : this.#measure(value);
      size += inner.size;
      height = Math.max(height, inner.height);
    }
    const measure = { size, height: height + 1 };
    this.#measures.set(node, measure);
    return measure;
  }
}

const scalarMeasure: Measure = { size: 1, height: 1 };

export const mergedEntry = (entry: EntryNode): EntryNode => (entry.merged ? entry : { ...entry, merged: true });

export const unresolvedScalar = (at: Range, raw: string): ConfigNode => ({
  kind: 'scalar',
  range: at,
  value: raw,
  raw,
  quoted: false,
  unresolved: true,
});
