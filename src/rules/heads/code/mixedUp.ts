/** Queries, keys and values that take each other's places: the two rules about it share one reading. */
import type { CodeReading } from '../../../interpreter/study.ts';
import type { Site, TensorValue } from '../../../interpreter/value.ts';
import { type Attention, attentionsOf } from '../../code/attention.ts';
import { byPlace, variablesOf } from '../../code/places.ts';
import {
  idleInputWithRole,
  isSameSource,
  ownPart,
  type Role,
  roleOfName,
  roleOfSource,
  unusedLayerWithRole,
  unusedWithRole,
} from '../../code/roles.ts';
import type { Source } from '../../code/sources.ts';

export interface MixUp {
  readonly kind: 'keysForValues' | 'queriesForValues' | 'valuesForKeys' | 'queriesForKeys' | 'swapped';
  /** Where the wrong one is taken. */
  readonly site: Site | undefined;
  /** What is left over, as evidence: a tensor, or a layer's name. */
  readonly unused: TensorValue | string | undefined;
  readonly node: TensorValue;
}

const found = new WeakMap<CodeReading, readonly MixUp[]>();

export function mixUpsOf(code: CodeReading): readonly MixUp[] {
  const known = found.get(code);
  if (known !== undefined) return known;
  const all: MixUp[] = [];
  for (const group of byPlace(attentionsOf(code), ({ node }) => node)) {
    const each = group.map((attention) => mixUp(code, attention));
    const [first] = each;
    if (first !== undefined && each.every((other) => other?.kind === first.kind)) all.push(first);
  }
  found.set(code, all);
  return all;
}

const isSliced = ({ passed }: Source): boolean =>
  passed.some(({ op, arguments: given }) => {
    const index = given.get('index');
    const last = index?.kind === 'tuple' ? index.items[index.items.length - 1] : undefined;
    return op === 'getitem' && last?.kind === 'slice';
  });

function mixUp(code: CodeReading, attention: Attention): MixUp | undefined {
  const { study } = attention;
  const sum = attention.kind === 'softmax' ? attention.sums[0] : undefined;
  const value = attention.kind === 'softmax' ? sum?.value : attention.value;
  const [q, k, v] = [attention.query.source, attention.key.source, value?.source];
  const scores = attention.kind === 'softmax' ? attention.product : attention.node;
  const last = attention.kind === 'softmax' ? sum?.node : attention.node;
  if (k === undefined) return undefined;
  const left = (source: Source, role: Role): TensorValue | string | undefined =>
    unusedWithRole(code, study, source, role) ?? unusedLayerWithRole(code, source, role) ?? idleInputWithRole(code, study, source, role);
  const at = (mine: Source, theirs: Source, fallback: TensorValue | undefined): Site | undefined =>
    siteOf(code, ownPart(code, mine, theirs)) ?? fallback?.site;
  if (v !== undefined && last !== undefined) {
    // Latent attention takes a part of what its keys are for values, on purpose.
    if (isSliced(v) && !isSliced(k)) return undefined;
    if (isSameSource(v, k)) {
      const values = left(k, 'value');
      if (values !== undefined) return { kind: 'keysForValues', site: at(v, k, last), unused: values, node: last };
      const keys = left(k, 'key');
      if (keys !== undefined) return { kind: 'valuesForKeys', site: at(k, v, scores), unused: keys, node: scores };
      // The positions went into something else, which may be kept in a cache.
      if (q?.isRotated === true && !q.isUncertain && !k.isRotated && !k.isUncertain && roleOfSource(code, k) === 'value')
        return { kind: 'valuesForKeys', site: scores.site, unused: undefined, node: scores };
      const [mine, theirs] = [ownPart(code, v, k), ownPart(code, k, v)];
      // `k, v = qkv[1], qkv[1]`: two picks of one part, under both names.
      if (
        v.part !== '' &&
        mine !== undefined &&
        theirs !== undefined &&
        roleOfSource(code, v) === 'value' &&
        roleOfSource(code, k) === 'key'
      )
        return { kind: 'keysForValues', site: at(v, k, last), unused: undefined, node: last };
      // `attention(q, k, k)` beside a `v`.
      const beside =
        attention.kind === 'called' && v.passed[0] === k.passed[0] && roleOfSource(code, k) === 'key'
          ? unusedWithRole(code, study, k, 'value', true)
          : undefined;
      return beside === undefined ? undefined : { kind: 'keysForValues', site: last.site, unused: beside, node: last };
    }
    if (q !== undefined && isSameSource(v, q)) {
      const values = left(q, 'value');
      return values === undefined ? undefined : { kind: 'queriesForValues', site: at(v, q, last), unused: values, node: last };
    }
  }
  // What comes in and is multiplied with itself as it is, as places are, needs no keys.
  if (q !== undefined && isSameSource(q, k) && q.node.op !== 'input') {
    const keys = left(q, 'key');
    return keys === undefined ? undefined : { kind: 'queriesForKeys', site: at(k, q, scores), unused: keys, node: scores };
  }
  if (v === undefined) return undefined;
  const [keyRole, valueRole] = [roleOfSource(code, k), roleOfSource(code, v)];
  if (keyRole === 'value' && valueRole === 'key') return { kind: 'swapped', site: scores.site, unused: undefined, node: scores };
  return undefined;
}

/** The place of a tensor, or of the variable that was given it where it was made in a helper. */
function siteOf(code: CodeReading, tensor: TensorValue | undefined): Site | undefined {
  if (tensor === undefined) return undefined;
  if (tensor.op === 'setitem' || tensor.op === 'linear') return tensor.site;
  return variablesOf(code, tensor).find(({ isArgument, name }) => !isArgument && roleOfName(name) !== undefined)?.site ?? tensor.site;
}
