import { familyRecords, fieldNames } from './families.generated.ts';

/** Scalar default of a field; undefined where it is a list, a mapping or made at run time. */
export type DefaultValue = string | number | boolean | null | undefined;

/** What the library that defines a model type says about its config. */
export interface Family {
  readonly modelType: string;
  readonly className: string;
  /** Concept (`hiddenSize`, `encoder.layers`, ...) -> the key that holds it. */
  readonly keys: Readonly<Record<string, string>>;
  /** Concept -> value that a null default becomes in the default configuration. */
  readonly resolved: Readonly<Record<string, number>>;
  /** Every field with its default. */
  readonly fields: ReadonlyMap<string, DefaultValue>;
  /** Alias -> field, both may be written. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Nested config's key -> its model type; '' where the file must say. */
  readonly subConfigs: Readonly<Record<string, string>>;
  /** Multi-head latent attention. */
  readonly latentAttention: boolean;
  /** The library itself refuses a width that heads do not divide. */
  readonly requiresDivisible: boolean;
  /** The code divides with `//`: a width that heads do not divide runs. */
  readonly floorsHeadDim: boolean;
  /** Its KV heads' key is another name of its query heads': plain multi-head attention. */
  readonly multiHead: boolean;
  /** Whether the FFN is gated, from the real model's parameters. */
  readonly gated: boolean | undefined;
}

interface FamilyRecord {
  readonly t: string;
  readonly c: string;
  readonly k?: Readonly<Record<string, string>>;
  readonly r?: Readonly<Record<string, number>>;
  readonly f: readonly (number | readonly [number, string | number | boolean | null])[];
  readonly a?: Readonly<Record<string, string>>;
  readonly s?: Readonly<Record<string, string>>;
  readonly x?: readonly string[];
  readonly g?: boolean;
}

const cache = new Map<string, Family | undefined>();
let names: readonly string[] | undefined;

/** The family of a model type; undefined when it is not one that the library knows. */
export function familyOf(modelType: string): Family | undefined {
  if (cache.has(modelType)) return cache.get(modelType);
  const family = parseFamily(modelType);
  if (cache.size < 2000) cache.set(modelType, family);
  return family;
}

function parseFamily(modelType: string): Family | undefined {
  if (!/^[\w.:#-]+$/.test(modelType)) return undefined;
  const at = familyRecords.indexOf(`\n${modelType}\t`);
  if (at < 0) return undefined;
  const record = JSON.parse(familyRecords.slice(at + modelType.length + 2, familyRecords.indexOf('\n', at + 1))) as FamilyRecord;
  names ??= fieldNames.split(' ');
  const fields = new Map<string, DefaultValue>();
  for (const field of record.f) {
    const index = typeof field === 'number' ? field : field[0];
    const name = names[index];
    if (name !== undefined) fields.set(name, typeof field === 'number' ? undefined : field[1]);
  }
  const flags = record.x ?? [];
  return {
    modelType,
    className: record.c,
    keys: record.k ?? {},
    resolved: record.r ?? {},
    fields,
    aliases: record.a ?? {},
    subConfigs: record.s ?? {},
    latentAttention: flags.includes('mla'),
    requiresDivisible: flags.includes('divisible'),
    floorsHeadDim: flags.includes('floor'),
    multiHead: flags.includes('mha'),
    gated: record.g,
  };
}

/** Other names under which a family's field may be written. */
export const aliasesOf = (family: Family, field: string): readonly string[] =>
  Object.entries(family.aliases).flatMap(([alias, target]) => (target === field ? [alias] : []));

let typeByArchitecture: Map<string, string> | undefined;

/** Model type of an architecture name, by the class prefix it shares with the config: `LlamaForCausalLM` -> `llama`. */
export function familyOfArchitecture(architecture: string): Family | undefined {
  const stem = architecture.replace(/(For[A-Z]\w*|LMHeadModel|DoubleHeadsModel|Model|MTModel)$/, '');
  return stem === '' || stem === architecture ? undefined : familyOfConfigClass(`${stem}Config`);
}

/** The family whose configuration class has this name: `LlamaConfig` -> llama. */
export function familyOfConfigClass(className: string): Family | undefined {
  if (typeByArchitecture === undefined) {
    typeByArchitecture = new Map();
    for (const [, type, className] of familyRecords.matchAll(/\n([^\t]+)\t\{"t":"[^"]*","c":"(\w+)"/g))
      if (type !== undefined && className !== undefined && !type.includes(':')) typeByArchitecture.set(className.toLowerCase(), type);
  }
  const type = typeByArchitecture.get(className.toLowerCase());
  return type === undefined ? undefined : familyOf(type);
}

let everyField: Set<string> | undefined;

/** Whether any family of the library has a field of this name. */
export function isFieldOfSomeFamily(name: string): boolean {
  everyField ??= new Set(fieldNames.split(' '));
  return everyField.has(name);
}
