/** Which constructor decides a layer's size: that of a class that is only told it is not where it is wrong. */
import type { Dim } from '../../dims/dim.ts';
import { symbolsOf } from '../../dims/visit.ts';
import { dimOf } from '../../interpreter/make.ts';
import type { CodeReading, Study } from '../../interpreter/study.ts';
import type { InstanceValue, Site, Value } from '../../interpreter/value.ts';
import type { Find } from './failing.ts';
import { type Layer, madeAt } from './layers.ts';

const holders = new WeakMap<Study['tensors'], ReadonlyMap<InstanceValue, InstanceValue>>();

/** The object of a class of its own that holds each object; lists between are passed over. */
function holdersIn(study: Study): ReadonlyMap<InstanceValue, InstanceValue> {
  const before = holders.get(study.tensors);
  if (before !== undefined) return before;
  const found = new Map<InstanceValue, InstanceValue>();
  const visit = (value: Value, holder: InstanceValue, depth: number): void => {
    if (depth > 12 || found.size > 4000) return;
    if (value.kind === 'list' || value.kind === 'tuple') for (const item of value.items) visit(item, holder, depth + 1);
    else if (value.kind === 'union') for (const option of value.options) visit(option, holder, depth + 1);
    else if (value.kind === 'dict') for (const { value: item } of value.entries.values()) visit(item, holder, depth + 1);
    else if (value.kind === 'instance' && value !== study.instance && !found.has(value)) {
      found.set(value, holder);
      const own = value.class.file?.isPrelude === true ? holder : value;
      for (const each of value.attributes.values()) visit(each, own, depth + 1);
    }
  };
  for (const each of study.instance.attributes.values()) visit(each, study.instance, 0);
  holders.set(study.tensors, found);
  return found;
}

/**
 * Where the layer's size is decided, when one that fits is `wanted`: a class that was told nothing of which that size could be made, or
 * that another file holds, was given the wrong one where it was made itself.
 */
export function decidedAt(find: Find, layer: Layer, wanted: Dim | undefined): Site | undefined {
  const { code, study } = find;
  const within = holdersIn(study);
  let site = madeAt(study, layer);
  let maker: InstanceValue | undefined = site !== undefined && site === layer.owner.site ? within.get(layer.owner) : layer.owner;
  for (let i = 0; i < 8 && maker !== undefined && maker !== study.instance && site !== undefined; i++) {
    const isElsewhere = site.file !== code.file;
    if (isElsewhere ? isOfOne(find, maker) : wanted === undefined || mayMake(find, maker, wanted)) return site;
    if (maker.site === undefined) return site;
    site = maker.site;
    maker = within.get(maker);
  }
  return site;
}

/** What the constructor of an object was given. */
export const toldTo = ({ variables }: CodeReading, made: InstanceValue): readonly Value[] =>
  variables.flatMap(({ isArgument, frame, value }) =>
    isArgument && frame.self === made && frame.function?.name === '__init__' && value !== made ? [value] : [],
  );

/** Both sizes that clash are made of the one that the class was told: it is wrong in itself, whatever it is told. */
const isOfOne = ({ code, failure }: Find, maker: InstanceValue): boolean =>
  failure.sites[0]?.file === maker.class.file && toldTo(code, maker).filter((value) => dimOf(value) !== undefined).length === 1;

/** Whether the constructor was given what the size is made of; it may have it from anything that is no number. */
function mayMake({ code }: Find, maker: InstanceValue, wanted: Dim): boolean {
  const all = toldTo(code, maker);
  const told = new Set<string>();
  for (const value of all) {
    if (value.kind === 'int') for (const { key } of symbolsOf(value.dim)) told.add(key);
    else if (!/^(?:float|bool|none|string|class|function)$/.test(value.kind)) return true;
  }
  const symbols = symbolsOf(wanted);
  return all.length === 0 || symbols.length === 0 || symbols.every(({ key }) => told.has(key));
}

/**
 * Where an object was made that holds what is written into, where its constructor was told the size that does not fit, and nothing of
 * which the one that does could be made.
 */
export function storeDecidedAt(find: Find): Site | undefined {
  const { study, failure } = find;
  const [target, value] = [failure.call.arguments.get('input'), failure.call.arguments.get('value')];
  if (target?.kind !== 'tensor' || value?.kind !== 'tensor') return undefined;
  const [has, given] = [target.shape.dims.at(-1), value.shape.dims.at(-1)];
  if (has === undefined || given === undefined || has.unknown || given.unknown || has.key === given.key) return undefined;
  const owner = study.instances.find(({ attributes }) => [...attributes.values()].some((held) => held === target));
  if (owner?.site === undefined || owner === study.instance || owner.site.file !== find.code.file) return undefined;
  const told = toldTo(find.code, owner).map((each) => dimOf(each));
  const known = new Set(told.flatMap((dim) => (dim === undefined ? [] : symbolsOf(dim).map(({ key }) => key))));
  const isTold = told.some((dim) => dim?.key === has.key) && told.every((dim) => dim !== undefined && !dim.unknown);
  return isTold && !symbolsOf(given).every(({ key }) => known.has(key)) ? owner.site : undefined;
}
