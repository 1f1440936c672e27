/** `capture_outputs` of transformers: hidden states and attentions gathered from the layers that a model's class names. */
import { add, type Dim, number } from '../../dims/dim.ts';
import type { Expression } from '../../syntax/python/ast.ts';
import { int, text, tuple, unknown } from '../make.ts';
import type { Machine } from '../operation.ts';
import type { ClassValue, DictValue, FunctionValue, InstanceValue, Value } from '../value.ts';

/** What to gather: from modules of a class, or whose name ends so, the result at an index. */
interface Task {
  readonly key: string;
  readonly target: ClassValue | undefined;
  readonly className: string | undefined;
  readonly layerName: string | undefined;
  readonly index: number;
  /** Gather what the first module was given, before its result. */
  readonly withInput: boolean;
}

export const decoratorNamed = ({ definition }: FunctionValue, wanted: string): Expression | undefined =>
  definition.kind === 'function' ? definition.decorators.find((each) => nameOf(each) === wanted) : undefined;

function nameOf(expression: Expression): string | undefined {
  if (expression.kind === 'name') return expression.name;
  if (expression.kind === 'attribute') return expression.name.name;
  return expression.kind === 'call' ? nameOf(expression.callee) : undefined;
}

function tasksOf(model: InstanceValue, machine: Machine): readonly Task[] {
  const written = machine.attribute(model, '_can_record_outputs');
  if (written?.kind !== 'dict') return [];
  const tasks: Task[] = [];
  for (const { key, value } of written.entries.values()) {
    if (key.kind !== 'string' || key.value === undefined) continue;
    for (const each of value.kind === 'list' ? value.items : [value]) {
      const task = taskOf(key.value, each);
      if (task !== undefined) tasks.push(task);
    }
  }
  return tasks;
}

function taskOf(key: string, value: Value): Task | undefined {
  const usual = key.includes('hidden_states') ? 0 : 1;
  if (value.kind === 'class') return { key, target: value, className: undefined, layerName: undefined, index: usual, withInput: true };
  if (value.kind === 'string' && value.value !== undefined) {
    return { key, target: undefined, className: value.value, layerName: undefined, index: usual, withInput: true };
  }
  if (value.kind !== 'instance') return undefined;
  const of = (name: string): Value | undefined => value.attributes.get(name);
  const target = of('target_class');
  const [className, layerName] = [of('class_name'), of('layer_name')];
  const index = of('index');
  const withInput = of('capture_initial_hidden_state');
  return {
    key,
    target: target?.kind === 'class' ? target : undefined,
    className: className?.kind === 'string' ? className.value : undefined,
    layerName: layerName?.kind === 'string' ? layerName.value : undefined,
    index: index?.kind === 'int' ? (index.dim.constant ?? 0) : 0,
    withInput: !(withInput?.kind === 'bool' && withInput.value === false),
  };
}

/** Gatherings under way: what was gathered so far, and the modules that are listened to. */
const gatherings = new WeakMap<
  Value,
  {
    readonly gathered: Map<string, Value[]>;
    readonly modules: readonly InstanceValue[];
    readonly tie: boolean;
    /** How often the lists of layers repeat whose length is not a known number. */
    readonly repeats: readonly Dim[];
  }
>();

/**
 * Listens to the layers of a model whose `forward` is decorated with `capture_outputs` and from which outputs are wanted. Undefined
 * where there is nothing to gather.
 */
export function startCapture(
  model: InstanceValue,
  forward: FunctionValue,
  config: Value,
  keywords: DictValue,
  machine: Machine,
): Value | undefined {
  const decorator = decoratorNamed(forward, 'capture_outputs');
  if (decorator === undefined) return undefined;
  const wanted = new Set<string>();
  for (const { key } of tasksOf(model, machine)) {
    const name = key === 'cross_attentions' || key === 'mask_decoder_attentions' ? 'output_attentions' : `output_${key}`;
    const given = keywords.entries.get(name)?.value ?? machine.attribute(config, name);
    if (given !== undefined && given.kind !== 'unknown' && machine.truth(given) === true) wanted.add(key);
  }
  if (wanted.size === 0) return undefined;
  const gathered = new Map<string, Value[]>([...wanted].map((key) => [key, []]));
  const modules: InstanceValue[] = [];
  const seen = new Set<InstanceValue>();
  const repeats: Dim[] = [];
  const visit = (owner: InstanceValue, name: string, tasks: readonly Task[]): void => {
    if (seen.has(owner)) return;
    seen.add(owner);
    const items = owner.attributes.get('_items');
    if (items?.kind === 'list' && items.repeat !== undefined) repeats.push(items.repeat);
    for (const [key, value] of owner.attributes) {
      if (!machine.isModule(value)) continue;
      const inner = value.class.mro.some(({ qualifiedName }) => qualifiedName === 'transformers.modeling_utils.PreTrainedModel');
      visit(value, `${name}.${key}`, inner ? tasksOf(value, machine) : tasks);
    }
    const matching = tasks.filter(
      ({ key, target, className, layerName }) =>
        wanted.has(key) &&
        ((target !== undefined && owner.class.mro.includes(target)) || (className !== undefined && name.endsWith(className))) &&
        (layerName === undefined || `${name}.`.includes(`.${layerName.replace(/^\.+|\.+$/g, '')}.`)),
    );
    if (matching.length === 0 || owner.attributes.has('forward')) return;
    const original = machine.attribute(owner, 'forward');
    if (original === undefined) return;
    modules.push(owner);
    machine.writeEntry(owner.attributes, 'forward', listening(original, matching, gathered));
  };
  visit(model, '', tasksOf(model, machine));
  const tie = !(
    decorator.kind === 'call' &&
    decorator.arguments.some(
      ({ name, value }) => name?.name === 'tie_last_hidden_states' && value.kind === 'constant' && value.value === false,
    )
  );
  const handle = text('gathering');
  gatherings.set(handle, { gathered, modules, tie, repeats });
  return handle;
}

/** A `forward` that also hands its result to those who gather. */
function listening(original: Value, tasks: readonly Task[], gathered: ReadonlyMap<string, Value[]>): Value {
  return {
    kind: 'builtin',
    name: '_headwise.listening',
    operation: {
      signature: [
        { name: 'args', kind: 'args', default: undefined },
        { name: 'kwargs', kind: 'kwargs', default: undefined },
      ],
      run: (call, machine) => {
        const args = call.value('args');
        const kwargs = call.value('kwargs');
        const positional = args.kind === 'tuple' ? args.items : [];
        const keywords = new Map<string, Value>();
        if (kwargs.kind === 'dict') for (const [key, { value }] of kwargs.entries) keywords.set(key, value);
        const result = machine.call(original, positional, keywords);
        for (const { key, index, withInput } of tasks) {
          const held = gathered.get(key);
          if (held === undefined) continue;
          if (withInput && key === 'hidden_states' && held.length === 0) held.push(positional[0] ?? unknown('the first input'));
          const item = result.kind === 'tuple' ? machine.subscript(result, int(index)) : result;
          if (item.kind !== 'none') held.push(item);
        }
        return result;
      },
    },
  };
}

/** Puts what was gathered into the outputs, and listens no longer. */
export function finishCapture(handle: Value, outputs: Value, config: Value, machine: Machine): void {
  const gathering = gatherings.get(handle);
  if (gathering === undefined) return;
  for (const module of gathering.modules) machine.writeEntry(module.attributes, 'forward', undefined);
  if (outputs.kind !== 'instance') return;
  const own = machine.attribute(config, 'tie_last_hidden_states');
  const tie = own?.kind === 'bool' && own.value !== undefined ? own.value : gathering.tie;
  for (const [key, items] of gathering.gathered) {
    const last = tie && key === 'hidden_states' ? machine.attribute(outputs, 'last_hidden_state') : undefined;
    const tied = last !== undefined && last.kind !== 'none' && items.length > 0 ? [...items.slice(0, -1), last] : items;
    machine.setAttribute(outputs, key, gathering.repeats.length === 0 ? tuple(tied) : repeated(tied, gathering.repeats));
  }
}

/** What layers gave whose number is not known: each of them stands for as many as its list has. */
function repeated(items: readonly Value[], repeats: readonly Dim[]): Value {
  const [repeat, ...others] = repeats;
  const last = items.at(-1);
  if (repeat === undefined || others.length > 0 || last === undefined) return unknown('outputs of layers whose number is not known');
  return { kind: 'list', items: [last], repeat: add(repeat, number(items.length - 1)), open: false };
}
