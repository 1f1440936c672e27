import { type Expansion, unresolvedScalar } from './expansion.ts';
import type { ConfigNode, EntryNode, MappingNode, ScalarNode } from './node.ts';
import { maximumDepth } from './problems.ts';

/** References followed in one file; a chain or fan of references beyond it stays unresolved. */
const stepBudget = 20_000;
/** References followed from one place: longer chains are cycles or no config. */
const hopLimit = 50;
const lengthLimit = 10_000;

type Container = Exclude<ConfigNode, ScalarNode>;

/** Containers from the root down to the one that holds a node. */
type Chain = readonly Container[];

type Part = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'reference'; readonly expression: string };

/**
 * Resolves OmegaConf interpolations that point inside the file: `${a.b}`, `${a[0].b}`, relative `${.x}` and `${..x}`,
 * and strings made of resolvable ones, `${a}/${b}`. A relative path starts at the mapping that holds the key.
 * Arithmetic resolvers (`${multiply:4, ${.hidden_size}}`) are computed. Others (`${oc.env:X}`) and what is not in the
 * file become unresolved scalars whose value is the text as written. Cycles, bombs and long chains end unresolved, in
 * bounded time.
 */
export function resolveInterpolations(root: ConfigNode, expansion: Expansion): ConfigNode {
  return new Resolver(root, expansion).rebuild(root, [], 0);
}

class Resolver {
  readonly #root: ConfigNode;
  readonly #expansion: Expansion;
  readonly #indices = new WeakMap<MappingNode, ReadonlyMap<string, EntryNode>>();
  /** Containers being rebuilt and scalars being resolved, innermost last: meeting one again is a cycle. */
  readonly #active = new Set<ConfigNode>();
  /** What a written node became. A node that an alias shares keeps the answer of its first place. */
  readonly #done = new Map<ConfigNode, ConfigNode>();
  #steps = stepBudget;

  constructor(root: ConfigNode, expansion: Expansion) {
    this.#root = root;
    this.#expansion = expansion;
  }

  /** The node with every interpolation inside it resolved; the same object where there is none. */
  rebuild(node: ConfigNode, chain: Chain, depth: number): ConfigNode {
    if (node.kind === 'scalar') return isInterpolation(node) ? this.#scalar(node, chain, depth) : node;
    const done = this.#done.get(node);
    if (done !== undefined) return done;
    if (depth > maximumDepth || this.#active.has(node)) return unresolvedScalar(node.range, '');
    this.#active.add(node);
    const inner = [...chain, node];
    let changed = false;
    let result: ConfigNode;
    if (node.kind === 'mapping') {
      const entries = node.entries.map((entry) => {
        const value = entry.value === undefined ? undefined : this.rebuild(entry.value, inner, depth + 1);
        if (value === entry.value) return entry;
        changed = true;
        return { ...entry, value };
      });
      result = changed ? { ...node, entries } : node;
    } else {
      const items = node.items.map((item) => {
        const value = this.rebuild(item, inner, depth + 1);
        if (value !== item) changed = true;
        return value;
      });
      result = changed ? { ...node, items } : node;
    }
    this.#active.delete(node);
    this.#done.set(node, result);
    return result;
  }

  #scalar(node: ScalarNode, chain: Chain, depth: number): ConfigNode {
    const done = this.#done.get(node);
    if (done !== undefined) return done;
    if (this.#active.has(node) || this.#active.size > maximumDepth + hopLimit) return { ...node, unresolved: true };
    this.#active.add(node);
    const result = this.#resolve(node, chain, depth);
    this.#active.delete(node);
    this.#done.set(node, result);
    return result;
  }

  #resolve(node: ScalarNode, chain: Chain, depth: number): ConfigNode {
    const unknown: ScalarNode = { ...node, unresolved: true };
    const parts = splitParts(String(node.value));
    if (parts === undefined) return unknown;
    const [only] = parts;
    if (parts.length === 1 && only?.kind === 'reference') {
      const computed = this.#arithmetic(only.expression, chain, depth);
      // It has no origin: the number is written here, in other terms.
      if (computed !== undefined) return { ...node, value: computed };
      const target = this.#reference(only.expression, chain, depth);
      if (target === undefined) return unknown;
      if (target.kind === 'scalar' && target.unresolved) return { ...unknown, origin: target.origin ?? target.range };
      return this.#expansion.place(target, node.range, node.raw, depth);
    }
    let value = '';
    for (const part of parts) {
      if (part.kind === 'text') value += part.text;
      else {
        const target = this.#reference(part.expression, chain, depth);
        if (target?.kind !== 'scalar' || target.unresolved) return unknown;
        value += pythonText(target);
      }
      if (value.length > lengthLimit) return unknown;
    }
    return { ...node, value };
  }

  /** The value of `name:argument, argument` where the name is one of the arithmetic resolvers that training launchers register. */
  #arithmetic(expression: string, chain: Chain, depth: number, nesting = 0): number | undefined {
    if (expression.length > lengthLimit || nesting > hopLimit) return undefined;
    const match = /^\s*(\w+)\s*:(.*)$/s.exec(expression);
    const compute = arithmeticResolvers.get(match?.[1] ?? '');
    if (compute === undefined || this.#steps-- <= 0) return undefined;
    const values: number[] = [];
    for (const argument of splitArguments(match?.[2] ?? '')) {
      const inner = /^\$\{(.*)\}$/s.exec(argument)?.[1];
      let value: unknown = Number(argument === '' ? Number.NaN : argument);
      if (inner !== undefined) {
        const nested = this.#arithmetic(inner, chain, depth, nesting + 1);
        const target = nested === undefined ? this.#reference(inner, chain, depth) : undefined;
        if (nested === undefined && (target?.kind !== 'scalar' || target.unresolved)) return undefined;
        value = nested ?? (target?.kind === 'scalar' ? target.value : undefined);
      }
      if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
      values.push(value);
    }
    const value = values.length >= 2 ? compute(values) : undefined;
    return Number.isFinite(value) ? value : undefined;
  }

  /** The resolved node at a path expression; undefined when it is a resolver, is not there, or is in a cycle. */
  #reference(expression: string, chain: Chain, depth: number): ConfigNode | undefined {
    if (this.#steps-- <= 0) return undefined;
    const match = /^(\.*)([^:{}$]*)$/.exec(expression.trim());
    if (match === null) return undefined;
    const dots = match[1]?.length ?? 0;
    const path = (match[2] ?? '').replace(/\[(\w+)\]/g, '.$1').replace(/^\./, '');
    const names = path === '' ? [] : path.split('.');
    if (names.length > maximumDepth || (dots === 0 && names.length === 0)) return undefined;
    if (dots > chain.length) return undefined;
    // One dot is the container that holds the key, two its parent.
    const above = dots === 0 ? [] : chain.slice(0, chain.length - dots + 1);
    let node: ConfigNode | undefined = dots === 0 ? this.#root : above.pop();
    const way: Container[] = [...above];
    for (const name of names) {
      if (node?.kind === 'scalar' && isInterpolation(node)) node = this.#scalar(node, way, depth);
      if (node === undefined || node.kind === 'scalar') return undefined;
      way.push(node);
      node = node.kind === 'mapping' ? this.#entry(node, name)?.value : node.items[/^\d+$/.test(name) ? Number(name) : -1];
    }
    if (node === undefined) return undefined;
    if (node.kind !== 'scalar' && this.#active.has(node)) return undefined;
    return this.rebuild(node, way, depth);
  }

  #entry(mapping: MappingNode, name: string): EntryNode | undefined {
    let index = this.#indices.get(mapping);
    if (index === undefined) {
      // The last entry of a name wins, as in a loader.
      index = new Map(mapping.entries.map((entry) => [entry.key, entry]));
      this.#indices.set(mapping, index);
    }
    return index.get(name);
  }
}

const isInterpolation = (node: ScalarNode): boolean => typeof node.value === 'string' && !node.unresolved && node.value.includes('${');

/** Resolvers of NeMo's and NeuronX's launchers (`OmegaConf.register_new_resolver`), over their arguments in order. */
const arithmeticResolvers: ReadonlyMap<string, (values: readonly number[]) => number | undefined> = new Map([
  ['multiply', (values: readonly number[]) => values.reduce((product, value) => product * value, 1)],
  ['add', (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)],
  ['divide_ceil', (values: readonly number[]) => quotient(values, Math.ceil)],
  ['divide_floor', (values: readonly number[]) => quotient(values, Math.floor)],
]);

const quotient = ([a, b, ...rest]: readonly number[], round: (value: number) => number): number | undefined =>
  a === undefined || b === undefined || rest.length > 0 ? undefined : round(a / b);

/** Arguments of a resolver, split at the commas that no inner interpolation holds. */
function splitArguments(text: string): readonly string[] {
  const found: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === '{') depth++;
    else if (char === '}') depth--;
    else if (char === ',' && depth === 0) {
      found.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  found.push(text.slice(start).trim());
  return found;
}

/** Literal text and `${...}` in turn; undefined when a brace is not closed. */
function splitParts(value: string): readonly Part[] | undefined {
  const parts: Part[] = [];
  let at = 0;
  while (at < value.length) {
    const open = value.indexOf('${', at);
    if (open < 0) break;
    const close = closingBrace(value, open + 2);
    if (close < 0 || value.charAt(open - 1) === '\\') return undefined;
    if (open > at) parts.push({ kind: 'text', text: value.slice(at, open) });
    parts.push({ kind: 'reference', expression: value.slice(open + 2, close) });
    at = close + 1;
  }
  if (at < value.length) parts.push({ kind: 'text', text: value.slice(at) });
  return parts;
}

/** Offset of the brace that closes the one before `from`; -1 when there is none. */
function closingBrace(value: string, from: number): number {
  let depth = 0;
  for (let i = from; i < value.length; i++) {
    const char = value.charAt(i);
    if (char === '{') depth++;
    else if (char === '}' && depth-- === 0) return i;
  }
  return -1;
}

/** How OmegaConf writes a scalar into a string: Python's `str`. Numbers keep their spelling. */
function pythonText(node: ScalarNode): string {
  if (node.value === null) return 'None';
  if (typeof node.value === 'boolean') return node.value ? 'True' : 'False';
  return typeof node.value === 'number' && node.origin === undefined ? node.raw : String(node.value);
}
