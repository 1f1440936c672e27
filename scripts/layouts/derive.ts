import { setPlain } from '../../src/interpreter/attributes.ts';
/** Derives from a library's source how the tensors of a class follow from its settings. Nothing is executed. */

import { isImmaterial } from '../../src/calculator/derived/immaterial.ts';
import type { Leaf, Member, Node, Plain, Premise, Tensor, Variant } from '../../src/calculator/derived/record.ts';
import { type Family, familyOf } from '../../src/design/families.ts';
import { formatDim } from '../../src/dims/format.ts';
import { applyToShape } from '../../src/dims/shape.ts';
import { fieldsOf } from '../../src/interpreter/classes.ts';
import { type ConfigObject, type ConfigValue, configurationClassOf, isLibraryConfiguration } from '../../src/interpreter/configs.ts';
import { classNamed, evaluateCall } from '../../src/interpreter/entry.ts';
import { Interpreter } from '../../src/interpreter/interpreter.ts';
import { dict, none, text } from '../../src/interpreter/make.ts';
import type { SourceLoader } from '../../src/interpreter/program.ts';
import type { InstanceValue, SourceFile, TensorValue, Value } from '../../src/interpreter/value.ts';
import { type Round, Witness } from '../../src/interpreter/witness.ts';
import type { PythonModule } from '../../src/syntax/python/ast.ts';

export interface Sources {
  readonly loader: SourceLoader;
  readonly parse: (text: string) => PythonModule;
}

/** A class that cannot be laid out from its code, and why. */
export class NotDerived extends Error {}

const budget = 6_000_000;
/** What every configuration holds and no class is built from; labels are counted on their own. */
const common: ReadonlySet<string> = new Set([
  'id2label',
  'label2id',
  'num_labels',
  'problem_type',
  'architectures',
  'transformers_version',
  'name_or_path',
  'return_dict',
  'output_hidden_states',
  'output_attentions',
  'dtype',
  'torch_dtype',
  'chunk_size_feed_forward',
  'is_encoder_decoder',
  'stage_names',
]);

/** Sets a value under a path of names. */
export function put(config: Record<string, ConfigValue>, path: string, value: ConfigValue): void {
  const parts = path.split('.');
  let at = config;
  for (const part of parts.slice(0, -1)) {
    const inner = (at[part] ?? {}) as Record<string, ConfigValue>;
    at[part] = inner;
    at = inner;
  }
  at[parts.at(-1) ?? ''] = value;
}

/** The settings of a configuration without a type. */
const namesOf = (value: InstanceValue): readonly string[] =>
  [...new Set([...fieldsOf(value.class).map(({ name }) => name), ...value.attributes.keys()])].filter(
    (name) => !name.startsWith('_') && !common.has(name),
  );

type Maker = (path: string) => Value;

export interface Derived {
  readonly leaf: Leaf;
  /** The settings with which the class was followed, as a file would hold them. */
  readonly config: ConfigObject;
}

export interface Choice {
  /** Every setting that a default of null becomes is given. */
  readonly explicit: boolean;
  /** Truth values that are other than by default, by their paths. */
  readonly turned: ReadonlySet<string>;
}

/** The class as its settings' defaults build it. */
export function derive(sources: Sources, file: SourceFile, className: string, { explicit, turned }: Choice): Derived {
  const plain = new Interpreter({ ...sources, budget });
  const model = classNamed(plain, file, className);
  if (model === undefined) throw new NotDerived(`no class ${className}`);
  plain.renew();
  const of = configurationClassOf(plain, model);
  if (of === undefined) throw new NotDerived('no configuration class');
  const defaults = plain.guard(() => plain.call(of, []));
  if (defaults?.kind !== 'instance') throw new NotDerived(`${of.name}() could not be built`);

  const witness = new Witness();
  const rounds = new Map<Value, readonly Round[]>();
  const interpreter = new Interpreter({
    ...sources,
    budget,
    witness,
    recorder: {
      instance: (instance) => {
        rounds.set(instance, witness.rounds);
      },
      tensor: (tensor) => {
        if (tensor.isParameter === true && witness.rounds.length > 0) rounds.set(tensor, witness.rounds);
      },
    },
  });
  const given: string[] = [];
  const zero: string[] = [];
  const types: Record<string, string> = {};
  const settled: Record<string, Plain> = {};
  const fixed: string[] = [];
  const makerOf = (value: Value): Maker | undefined => {
    switch (value.kind) {
      case 'int': {
        const { constant } = value.dim;
        if (constant === undefined) return undefined;
        if (constant < 0) return (path) => witness.literal(path, constant);
        return (path) => {
          if (constant === 0) zero.push(path);
          return witness.size(path, constant);
        };
      }
      case 'bool':
      case 'string': {
        const known = value.value;
        if (known === undefined) return undefined;
        return (path) => witness.constant(path, typeof known === 'boolean' ? known !== turned.has(path) : known);
      }
      case 'float': {
        const known = value.value;
        return known === undefined ? undefined : (path) => witness.constant(path, known);
      }
      case 'list':
      case 'tuple': {
        if (value.kind === 'list' && (value.open || value.repeat !== undefined)) return undefined;
        const items = value.items.map(makerOf);
        return items.includes(undefined) ? undefined : (path) => witness.list(path, items as Maker[]);
      }
      case 'instance': {
        const family = familyOfConfig(value);
        if (family === undefined) {
          if (!isLibraryConfiguration(value.class)) return undefined;
          const entries = namesOf(value).flatMap((name) => {
            const each = plain.guard(() => plain.attribute(value, name));
            const make = each === undefined || each.kind === 'none' ? undefined : makerOf(each);
            return make === undefined ? [] : [[name, make] as const];
          });
          if (entries.length === 0) return undefined;
          return (path) => {
            types[path] = '';
            return dict(entries.map(([name, make]) => [text(name), make(`${path}.${name}`)] as const));
          };
        }
        return (path) => {
          types[path] = family.modelType;
          put(config, `${path}.model_type`, family.modelType);
          const entries = settingsOf(value, family, `${path}.`);
          const type = [text('model_type'), text(family.modelType)] as const;
          return dict([type, ...entries.map(([name, each]) => [text(name), each] as const)]);
        };
      }
      case 'dict': {
        if (value.open) return undefined;
        const entries: (readonly [Value, Maker])[] = [];
        for (const { key, value: each } of value.entries.values()) {
          const make = each.kind === 'none' ? () => each : makerOf(each);
          if (key.kind !== 'string' || key.value === undefined || make === undefined) return undefined;
          entries.push([key, make]);
        }
        return (path) => dict(entries.map(([key, make]) => [key, make(`${path}.${key.kind === 'string' ? key.value : ''}`)] as const));
      }
      default:
        return undefined;
    }
  };
  const familyOfConfig = (value: InstanceValue): Family | undefined => {
    const type = plain.guard(() => plain.attribute(value, 'model_type'));
    return type?.kind === 'string' && type.value !== undefined && type.value !== '' ? familyOf(type.value) : undefined;
  };
  const writtenOf = (value: Value, path: string): ConfigValue => {
    if (value.kind === 'bool') return value.value !== turned.has(path);
    if (value.kind === 'float') return value.value === undefined ? null : { $float: value.value };
    if (value.kind === 'list' || value.kind === 'tuple') return value.items.map((item, i) => writtenOf(item, `${path}.__${i}`));
    if (value.kind === 'dict')
      return Object.fromEntries(
        [...value.entries.values()].map(({ key, value: each }) => {
          const name = key.kind === 'string' ? (key.value ?? '') : '';
          return [name, writtenOf(each, `${path}.${name}`)];
        }),
      );
    if (value.kind === 'instance' && isLibraryConfiguration(value.class))
      return Object.fromEntries(
        namesOf(value).flatMap((name) => {
          const each = plain.guard(() => plain.attribute(value, name));
          return each === undefined || each.kind === 'none' ? [] : [[name, writtenOf(each, `${path}.${name}`)]];
        }),
      );
    return plainOf(value) as ConfigValue;
  };
  const config: Record<string, ConfigValue> = {};
  const plainOf = (value: Value): Plain => {
    switch (value.kind) {
      case 'int':
        return value.dim.constant ?? null;
      case 'bool':
      case 'string':
      case 'float':
        return value.value ?? null;
      case 'list':
      case 'tuple':
        return value.items.map(plainOf);
      case 'dict':
        return Object.fromEntries(
          [...value.entries.values()].map(({ key, value: each }) => [key.kind === 'string' ? key.value : '', plainOf(each)]),
        );
      case 'instance':
        if (!isLibraryConfiguration(value.class)) return null;
        return Object.fromEntries(namesOf(value).map((name) => [name, plainOf(plain.guard(() => plain.attribute(value, name)) ?? none)]));
      default:
        return null;
    }
  };
  /** Settings that the class keeps without declaring them, and what every backbone has. */
  const furtherOf = (made: InstanceValue, family: Family): readonly (readonly [string, undefined])[] =>
    [...made.attributes.keys()]
      .map((name) => (name === '_out_features' || name === '_out_indices' ? name.slice(1) : name))
      .filter((name) => !name.startsWith('_') && !family.fields.has(name) && !common.has(name) && !Object.hasOwn(family.aliases, name))
      .filter((name) => made.attributes.get(name)?.kind !== 'instance')
      .map((name) => [name, undefined] as const);
  const settingsOf = (made: InstanceValue, family: Family, prefix: string): readonly (readonly [string, Value])[] => {
    const found: (readonly [string, Value])[] = [];
    for (const [name, fallback] of [...family.fields, ...furtherOf(made, family)]) {
      if (name === 'model_type' || name === 'transformers_version' || name.startsWith('_')) continue;
      if (fallback === null && !explicit) continue;
      const value = plain.guard(() => plain.attribute(made, name));
      const make = value === undefined ? undefined : makerOf(value);
      if (value === undefined || make === undefined) {
        if (value?.kind !== 'none') fixed.push(prefix + name);
        continue;
      }
      if (fallback === null) given.push(prefix + name);
      const isNested = value.kind === 'instance' && familyOfConfig(value) !== undefined;
      if ((fallback === undefined || value.kind === 'instance') && !isNested && !isImmaterial(prefix + name))
        settled[prefix + name] = plainOf(value);
      found.push([name, make(prefix + name)]);
      if (!isNested) put(config, prefix + name, writtenOf(value, prefix + name));
    }
    return found;
  };

  const type = plain.guard(() => plain.attribute(defaults, 'model_type'));
  const family = type?.kind === 'string' && type.value !== undefined ? familyOf(type.value) : undefined;
  if (family === undefined) throw new NotDerived(`${of.name} is of no known family`);
  const settings = new Map(settingsOf(defaults, family, ''));
  const built = classNamed(interpreter, file, className);
  const configurationClass = built === undefined ? undefined : configurationClassOf(interpreter, built);
  if (built === undefined || configurationClass === undefined) throw new NotDerived('no configuration class');
  interpreter.renew();
  const configuration = interpreter.guard(() => interpreter.call(configurationClass, [], settings));
  if (configuration?.kind !== 'instance') throw new NotDerived(`${of.name} could not be built of settings`);
  // Classes that classify ask for the number of labels, which is that of their names.
  const names = dict([]);
  const labels = witness.size('num_labels', 2);
  if (labels.kind === 'int') witness.count(names, labels.dim);
  setPlain(interpreter, configuration, 'id2label', names);
  const made = evaluateCall(interpreter, built, [configuration]);
  if (made?.kind !== 'instance') throw new NotDerived(`${className} could not be built`);
  refuseUnknownTies(interpreter, made);
  const leaf = fold(interpreter, made, witness.premises, rounds, { given, zero, types, defaults: settled, fixed });
  return { leaf, config };
}

/** Which weights are shared must be known, or totals would be wrong. */
function refuseUnknownTies(interpreter: Interpreter, model: InstanceValue): void {
  const seen = new Set<Value>();
  const visit = (module: InstanceValue): void => {
    if (seen.has(module)) return;
    seen.add(module);
    for (const value of module.attributes.values()) if (interpreter.isModule(value)) visit(value);
    if (!module.class.mro.some(({ name }) => name === 'PreTrainedModel')) return;
    const ties = interpreter.guard(() => interpreter.attribute(module, '_tied_weights_keys'));
    const isKnown =
      ties === undefined ||
      ties.kind === 'none' ||
      (ties.kind === 'dict' && !ties.open && [...ties.entries.values()].every(({ value }) => value.kind === 'string')) ||
      (ties.kind === 'list' && !ties.open);
    if (!isKnown) throw new NotDerived('which weights are shared is not known');
  };
  visit(model);
}

function fold(
  interpreter: Interpreter,
  model: InstanceValue,
  premises: readonly Premise[],
  rounds: ReadonlyMap<Value, readonly Round[]>,
  head: Omit<Leaf, 'premises' | 'node'>,
): Leaf {
  const loops = new Map<number, { readonly count: string; readonly times: number }>();
  for (const each of rounds.values())
    for (const { loop, index, count } of each) {
      const known = loops.get(loop);
      if (known === undefined || known.times <= index) loops.set(loop, { count, times: index + 1 });
    }
  const folded = new Set<string>();
  const extra: Premise[] = [];
  const unrolled = new Set<number>();
  const seen = new Set<TensorValue>();
  const around = new Set<InstanceValue>();

  /** Rounds that stand for themselves: there must be as many. */
  const unroll = (loop: number): void => {
    const of = loops.get(loop);
    if (of === undefined || unrolled.has(loop)) return;
    unrolled.add(loop);
    extra.push(['==', of.count, String(of.times)]);
  };

  const mentions = (premise: Premise, symbol: string): boolean => premise.some((part) => typeof part === 'string' && wordIn(part, symbol));

  const visit = (owner: InstanceValue, depth: number, path: string): Node => {
    if (around.has(owner)) throw new NotDerived(`${path} holds itself`);
    if (owner.open || owner.class.isOpen) throw new NotDerived(`${path} may hold anything`);
    around.add(owner);
    const members: Member[] = [];
    const entries = [...owner.attributes];
    for (let at = 0; at < entries.length; at++) {
      const [name, value] = entries[at] as [string, Value];
      const here = path === '' ? name : `${path}.${name}`;
      if (value.kind === 'tensor') {
        if (value.isParameter !== true) continue;
        for (const { loop } of rounds.get(value)?.slice(depth) ?? []) unroll(loop);
        members.push({ t: tensorOf(name, value, here) });
      } else if (value.kind === 'union') {
        if (value.options.some((option) => mayHold(option))) throw new NotDerived(`${here} is one of several`);
      } else if (interpreter.isModule(value)) {
        const run = runAt(entries, at, depth);
        const loop = run === undefined ? undefined : foldRun(run, depth, here);
        if (run !== undefined && loop !== undefined) {
          if (loop.v.some(({ n }) => n.length > 0)) members.push(loop);
          at += run.modules.length - 1;
          continue;
        }
        for (const { loop } of rounds.get(value)?.slice(depth) ?? []) unroll(loop);
        const node = visit(value, depth, here);
        if (node.length > 0) members.push({ m: name, n: node });
      }
    }
    around.delete(owner);
    return members;
  };

  const mayHold = (option: Value): boolean => {
    if (option.kind === 'tensor') return option.isParameter === true;
    if (!interpreter.isModule(option)) return false;
    return (
      option.open || [...option.attributes.values()].some((each) => (each.kind === 'union' ? each.options.some(mayHold) : mayHold(each)))
    );
  };

  const tensorOf = (name: string, tensor: TensorValue, path: string): Tensor => {
    const shape = applyToShape(tensor.shape, interpreter.substitution);
    if (shape.ellipsis !== undefined || shape.dims.some(({ unknown }) => unknown))
      throw new NotDerived(`the shape of ${path} is not known`);
    const sizes = shape.dims.map(formatDim);
    if (seen.has(tensor)) return [name, sizes, 1];
    seen.add(tensor);
    return [name, sizes];
  };

  interface Run {
    readonly loop: number;
    readonly offset: number;
    readonly prefix: string;
    readonly modules: readonly InstanceValue[];
  }

  /** Modules with numbers for names that one round each of a loop made. */
  const runAt = (entries: readonly (readonly [string, Value])[], from: number, depth: number): Run | undefined => {
    const modules: InstanceValue[] = [];
    let found: { loop: number; offset: number; prefix: string } | undefined;
    for (let at = from; at < entries.length; at++) {
      const [name, value] = entries[at] as readonly [string, Value];
      const parts = /^(.*?)(\d+)$/.exec(name);
      if (parts === null || value.kind !== 'instance') break;
      const [, prefix = '', number] = parts;
      const round = rounds.get(value)?.[depth];
      if (round === undefined || (found !== undefined && round.loop !== found.loop)) break;
      if (found === undefined) {
        if (round.index !== 0) return undefined;
        found = { loop: round.loop, offset: Number(number), prefix };
      }
      if (prefix !== found.prefix || Number(number) - round.index !== found.offset) break;
      modules.push(value);
    }
    const times = found === undefined ? undefined : loops.get(found.loop)?.times;
    return found === undefined || modules.length !== times ? undefined : { ...found, modules };
  };

  const foldRun = (run: Run, depth: number, path: string): Extract<Member, { readonly v: unknown }> | undefined => {
    const count = loops.get(run.loop)?.count ?? '';
    const variable = `i${depth}`;
    const variants: Variant[] = [];
    const known = new Set<string>();
    const before = { seen: new Set(seen), folded: new Set(folded) };
    const giveUp = (): undefined => {
      seen.clear();
      for (const each of before.seen) seen.add(each);
      folded.clear();
      for (const each of before.folded) folded.add(each);
      return undefined;
    };
    for (const [index, module] of run.modules.entries()) {
      const symbol = `loop${run.loop}_${index}`;
      const node = visit(module, depth + 1, path);
      const within = premises.filter((premise) => mentions(premise, symbol));
      // What is decided for one round alone says nothing about others.
      if (within.some(([relation, left, right]) => relation === '==' && (left === symbol || right === symbol))) {
        return giveUp();
      }
      folded.add(symbol);
      const rename = (part: string): string => part.replace(new RegExp(`\\b${symbol}\\b`, 'g'), variable);
      const variant = renamed({ w: within, n: node }, rename);
      const key = JSON.stringify(variant);
      if (!known.has(key)) variants.push(variant);
      known.add(key);
    }
    // Rounds that were decided alike and differ all the same cannot be told apart.
    if (new Set(variants.map(({ w }) => JSON.stringify(w))).size < variants.length) return giveUp();
    return { count, offset: run.offset, ...(run.prefix === '' ? {} : { prefix: run.prefix }), v: variants };
  };

  const node = visit(model, 0, '');
  // Rounds of other loops stand for themselves; there must be as many.
  const numbers =
    (keeps: (symbol: string) => boolean) =>
    (part: string): string =>
      part.replace(rounded, (whole, dot: string, symbol: string, loop: string, index: string) => {
        if (keeps(symbol)) return whole;
        unroll(Number(loop));
        return dot === '' ? index : `.__${index}`;
      });
  const global = premises.filter(
    (premise) =>
      !premise.some((part) => typeof part === 'string' && [...part.matchAll(/\bloop\d+_\d+\b/g)].some(([symbol]) => folded.has(symbol))),
  );
  const whole = renamed(
    { w: global, n: node },
    numbers((symbol) => folded.has(symbol)),
  );
  for (let i = 0; i < extra.length; i++)
    extra[i] = renamed(
      { w: [extra[i] as Premise], n: [] },
      numbers(() => false),
    ).w[0] as Premise;
  const matters = ([kind, path, right]: Premise): boolean =>
    kind === 'is' || kind === 'length' ? !isImmaterial(path) : !/^\d+$/.test(path) || !/^\d+$/.test(String(right));
  const all = new Map([...whole.w, ...extra].filter(matters).map((premise) => [JSON.stringify(premise), premise]));
  return { ...head, premises: [...all.values()], node: whole.n };
}

const rounded = /(\.?)\b(loop(\d+)_(\d+))\b/g;

const wordIn = (part: string, word: string): boolean => new RegExp(`\\b${word}\\b`).test(part);

function renamed(variant: Variant, rename: (part: string) => string): Variant {
  const premise = (each: Premise): Premise =>
    each.map((part, i) =>
      typeof part === 'string' && i > 0 && !(each[0] === 'is' && i === 2) ? rename(part) : part,
    ) as unknown as Premise;
  const node = (members: Node): Node =>
    members.map((member) => {
      if ('t' in member) {
        const [name, shape, tied] = member.t;
        return { t: tied === undefined ? [name, shape.map(rename)] : [name, shape.map(rename), tied] };
      }
      if ('m' in member) return { m: member.m, n: node(member.n) };
      return { ...member, count: rename(member.count), v: member.v.map((each) => ({ w: each.w.map(premise), n: node(each.n) })) };
    });
  return { w: variant.w.map(premise), n: node(variant.n) };
}
