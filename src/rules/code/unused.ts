/** Modules that a module creates and never applies. */
import type { CodeReading, Study } from '../../interpreter/study.ts';
import type { ClassValue, InstanceValue, ModuleCall, Value } from '../../interpreter/value.ts';
import { blocksOf } from './blocks.ts';
import { isMentioned } from './mentions.ts';

export interface Unused {
  readonly owner: InstanceValue;
  /** The first call of the owner. */
  readonly call: ModuleCall;
  readonly name: string;
  readonly held: InstanceValue;
  /** All that is made beside it, in that order. */
  readonly order: readonly (readonly [name: string, value: Value])[];
}

export interface UnusedNorm extends Unused {
  readonly norm: InstanceValue;
}

const libraryNorms = /^torch\.nn\.(?:LayerNorm|RMSNorm|GroupNorm|BatchNorm[123]d|InstanceNorm[123]d|SyncBatchNorm)$/;

const known = new WeakMap<Study['tensors'], readonly UnusedNorm[]>();

/** Norms held by modules whose `forward` was followed to its end, which nothing calls and no code mentions outside of constructors. */
export function unusedNormsOf(code: CodeReading, study: Study): readonly UnusedNorm[] {
  const found = known.get(study.tensors) ?? unusedOf(code, study, norms(study)).map((each) => ({ ...each, norm: each.held }));
  known.set(study.tensors, found);
  return found;
}

/** Whether a module is a norm, of a library or of the code. */
function norms(study: Study): (instance: InstanceValue) => boolean {
  const { flow } = blocksOf(study);
  const normClasses = new Set<ClassValue>();
  for (const { instance } of flow.norms.values()) if (instance !== undefined) normClasses.add(instance.class);
  return (instance) => instance.class.mro.some(({ qualifiedName }) => libraryNorms.test(qualifiedName)) || normClasses.has(instance.class);
}

/** Of the modules that are wanted: those held by modules whose `forward` was followed to its end, which nothing calls or mentions. */
export function unusedOf(code: CodeReading, study: Study, isWanted: (instance: InstanceValue) => boolean): readonly Unused[] {
  const called = new Set<InstanceValue>(study.calls.map(({ instance }) => instance));
  const used = new Set<object>();
  for (const tensor of study.tensors) for (const input of tensor.inputs) if (input.isParameter === true) used.add(input);
  const seen = new Set<InstanceValue>();
  const unused: Unused[] = [];
  for (const call of study.calls) {
    const owner = call.instance;
    if (seen.has(owner) || owner.class.file !== code.file) continue;
    seen.add(owner);
    if (call.result === undefined || call.result.kind === 'unknown' || call.result.kind === 'none') continue;
    for (const [name, value, order] of heldBy(owner)) {
      if (value.kind !== 'instance' || called.has(value) || !isWanted(value) || !/^[A-Za-z_]/.test(name)) continue;
      if ([...value.attributes.values()].some((each) => each.kind === 'tensor' && used.has(each))) continue;
      // Shared with another module, which may call it.
      if (holders(study, value) !== 1 || isMentioned(code, owner.class, name)) continue;
      unused.push({ owner, call, name, held: value, order });
    }
  }
  return unused;
}

/** Attributes, those of a dictionary of modules among them. */
function* heldBy(owner: InstanceValue): Generator<readonly [string, Value, Unused['order']]> {
  const order = [...owner.attributes];
  for (const [name, value] of order) {
    yield [name, value, order];
    // A norm that some of the instances have.
    if (value.kind === 'union') for (const option of value.options) if (option.kind === 'instance') yield [name, option, order];
    if (value.kind === 'instance' && value.class.qualifiedName === 'torch.nn.ModuleDict') {
      const held = [...value.attributes];
      for (const [key, each] of held) if (each.kind === 'instance') yield [key, each, held];
    }
  }
}

/** How many modules hold the instance. */
function holders(study: Study, value: InstanceValue): number {
  let count = 0;
  for (const instance of new Set(study.instances)) for (const held of instance.attributes.values()) if (held === value) count += 1;
  return Math.max(count, 1);
}
