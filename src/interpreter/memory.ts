import type { Facts } from '../dims/facts.ts';
import type { Substitution } from '../dims/unify.ts';
import type { UnitBody } from '../syntax/python/ast.ts';
import type { Answers } from './answers.ts';
import type { Happening, Recording } from './recording.ts';
import type { ClassValue, InstanceValue, ModuleCall, Site, TensorValue, Trace, Value } from './value.ts';

/** What a construction or a call of a module gave, for those that do the same. */
interface SharedResult {
  readonly value: Value;
  /** What was constructed in it; of a call, nothing. */
  readonly instances: readonly InstanceValue[];
  readonly rests: ReadonlySet<UnitBody>;
  readonly study: number;
  /** The places that had called it, and its own. */
  readonly outer: number;
  /** The tensors among its arguments. */
  readonly given: readonly TensorValue[];
  /** What happened in it, in order. */
  readonly made: readonly Happening[];
  /** Facts that hold behind it and did not before. */
  readonly learned: Facts['statements'];
  /** Sizes found to be others, in it. */
  readonly bound: Substitution['bindings'];
}

/** The interpreter whose calls are remembered. */
interface Follower {
  facts: Facts;
  substitution: Substitution;
  readonly answers: Answers;
  readonly site: Site | undefined;
  /** The places that called what is evaluated, innermost last. */
  readonly sites: readonly Site[];
  /** The innermost call of a module that is being evaluated. */
  readonly within: ModuleCall | undefined;
  /** The user's functions that are being evaluated. */
  readonly trace: Trace | undefined;
  readonly recording: Pick<Recording, 'note' | 'logged'>;
  nextTensor(): number;
  isModule(value: Value): boolean;
}

/**
 * What calls and constructions gave, and which top-level statements of the studied file they rested on: one study takes over what an
 * earlier one found, and an edit leaves what rests on no changed statement.
 */
export class Memory {
  readonly #follower: Follower;
  #rests: Set<UnitBody> | undefined;
  /** What running each statement of the studied file rested on. */
  readonly #unitRests = new Map<UnitBody, ReadonlySet<UnitBody>>();
  #study = 0;
  readonly #pool = new Map<string, SharedResult[]>();
  /** Instances that the study has made or taken over: no two parts of one model are the same. */
  readonly #taken = new Set<InstanceValue>();
  readonly #results = new Map<string, SharedResult>();
  /** The statements that stood when this was last gone through, and what of it rested on these alone. */
  #bodies: ReadonlySet<UnitBody> = new Set();
  #among = new WeakSet<ReadonlySet<UnitBody>>();

  constructor(follower: Follower) {
    this.#follower = follower;
  }

  /** Lets go of what one study made for the next. */
  forget(): void {
    this.#pool.clear();
    this.#results.clear();
    this.#taken.clear();
  }

  /** What is made from now on is a new study: it may take over what earlier ones made. */
  beginStudy(): void {
    this.#study += 1;
    this.#taken.clear();
  }

  /** Forgets what rested on statements that are not among these. */
  keep(bodies: ReadonlySet<UnitBody>): void {
    const gone = [...this.#bodies].filter((body) => !bodies.has(body));
    const holds = ({ rests }: SharedResult): boolean => {
      if (this.#among.has(rests)) return !gone.some((body) => rests.has(body));
      if (!areAmong(rests, bodies)) return false;
      this.#among.add(rests);
      return true;
    };
    for (const body of this.#unitRests.keys()) if (!bodies.has(body)) this.#unitRests.delete(body);
    for (const [key, result] of this.#results) if (!holds(result)) this.#results.delete(key);
    for (const [key, pool] of this.#pool) if (!pool.every(holds)) this.#pool.delete(key);
    this.#bodies = bodies;
  }

  /** Whether all that running the statement rested on is among these. */
  holds(body: UnitBody, bodies: ReadonlySet<UnitBody>): boolean {
    return areAmong(this.#unitRests.get(body) ?? [], bodies);
  }

  /** Runs a statement of the studied file, and remembers what it rested on. */
  running(body: UnitBody, run: () => void): void {
    this.#unitRests.set(body, this.tracked(run).rests);
  }

  /** Does some work, and gathers the statements of the studied file that it rested on. */
  tracked<Result>(work: () => Result): { readonly result: Result; readonly rests: Set<UnitBody> } {
    const outer = this.#rests;
    const rests = new Set<UnitBody>();
    this.#rests = rests;
    try {
      return { result: work(), rests };
    } finally {
      this.#rests = outer;
      if (outer !== undefined) for (const body of rests) outer.add(body);
    }
  }

  /** What is being done rests on a statement of the studied file. */
  rest(body: UnitBody): void {
    if (this.#rests === undefined || this.#rests.has(body)) return;
    this.#rests.add(body);
    const further = this.#unitRests.get(body);
    if (further !== undefined) for (const each of further) this.#rests.add(each);
  }

  /** An instance that an earlier study made from the same class and arguments, or a new one. */
  made(of: ClassValue, positional: readonly Value[], keywords: ReadonlyMap<string, Value>, make: () => Value): Value {
    const print = fingerprint(positional, keywords);
    if (print === undefined) return make();
    const key = `${identityOf(of)} ${print}${this.#path()}`;
    const pool = this.#pool.get(key) ?? [];
    const known = pool.find((each) => each.study !== this.#study && !each.instances.some((instance) => this.#taken.has(instance)));
    if (known !== undefined) {
      for (const instance of known.instances) this.#taken.add(instance);
      for (const body of known.rests) this.#rests?.add(body);
      for (const happening of known.made) this.#follower.recording.note(this.#called(happening, known));
      this.#learn(known);
      return known.value;
    }
    const logged = this.#logged(make);
    const { result } = logged;
    if (this.#follower.isModule(result)) {
      const own = { ...logged, value: result, instances: instancesIn(result, logged.made), study: this.#study, given: [] };
      for (const instance of own.instances) this.#taken.add(instance);
      pool.push(own);
      this.#pool.set(key, pool);
    }
    return result;
  }

  /** What an earlier study found when it called the module with like arguments, or what the call answers now. */
  called(module: InstanceValue, positional: readonly Value[], keywords: ReadonlyMap<string, Value>, follow: () => Value): Value {
    const print = fingerprint(positional, keywords);
    if (print === undefined) return follow();
    const key = `${module.id} ${print}${this.#path()}`;
    const known = this.#results.get(key);
    const given = [...positional, ...keywords.values()].flatMap(tensorsWithin);
    if (known !== undefined && known.study !== this.#study) {
      for (const body of known.rests) this.#rests?.add(body);
      this.#learn(known);
      return this.#graft(known, given);
    }
    const logged = this.#logged(follow);
    this.#results.set(key, { ...logged, value: logged.result, instances: [], study: this.#study, given });
    return logged.result;
  }

  /** What is taken to be so on the path that is followed. */
  #path(): string {
    const { answers } = this.#follower;
    return answers.size === 0 ? '' : ` | ${[...answers].join(' ')}`;
  }

  /** The place that is being evaluated and those that called it, innermost first. */
  #placesAround(): readonly Site[] {
    const { sites, site } = this.#follower;
    return (site === undefined ? [...sites] : [...sites, site]).reverse();
  }

  /** What happened in an earlier call as it happens in this one: a failure is come to by the places that call now. */
  #called(happening: Happening, { outer }: SharedResult): Happening {
    if (!('happened' in happening) || happening.happened !== 'failure') return happening;
    const { failure } = happening;
    const own = failure.sites.slice(0, Math.max(0, failure.sites.length - outer));
    return { happened: 'failure', failure: { ...failure, sites: [...own, ...this.#placesAround()] } };
  }

  /** Takes over what was found in an earlier call. */
  #learn({ learned, bound }: SharedResult): void {
    const follower = this.#follower;
    follower.facts = follower.facts.assume(learned);
    for (const { symbol, value } of bound)
      if (follower.substitution.valueOf(symbol) === undefined) follower.substitution = follower.substitution.bind(symbol, value);
  }

  /** Does some work, and gathers what it rested on and what happened in it. */
  #logged(work: () => Value): Omit<SharedResult, 'value' | 'instances' | 'study' | 'given'> & { readonly result: Value } {
    const follower = this.#follower;
    const outer = this.#placesAround().length;
    const { facts: before, substitution } = follower;
    const { result: tracked, made } = follower.recording.logged(() => this.tracked(work));
    const { result, rests } = tracked;
    const known = new Set(follower.facts === before ? [] : before.statements);
    const learned = follower.facts === before ? [] : follower.facts.statements.filter((fact) => !known.has(fact));
    const bound = follower.substitution.bindings.filter(({ symbol }) => substitution.valueOf(symbol) === undefined);
    return { result, rests, outer, made, learned, bound };
  }

  /** The dataflow that an earlier call left, grown from the tensors of this one. */
  #graft(known: SharedResult, given: readonly TensorValue[]): Value {
    const follower = this.#follower;
    const grown = new Map<TensorValue, TensorValue>();
    const calls = new Map<ModuleCall, ModuleCall>();
    for (const [i, tensor] of known.given.entries()) {
      const now = given[i];
      if (now !== undefined) grown.set(tensor, now);
    }
    const tensorOf = (tensor: TensorValue): TensorValue => {
      const found = grown.get(tensor);
      if (found !== undefined || tensor.op !== 'join') return found ?? tensor;
      const inputs = tensor.inputs.map(tensorOf);
      const now = inputs.every((input, i) => input === tensor.inputs[i]) ? tensor : { ...tensor, id: after(inputs), inputs };
      grown.set(tensor, now);
      return now;
    };
    const grafted = (value: Value): Value => {
      if (value.kind === 'tensor') return tensorOf(value);
      if (value.kind !== 'tuple' && value.kind !== 'list') return value;
      const items = value.items.map(grafted);
      return items.every((item, i) => item === value.items[i]) ? value : { ...value, items };
    };
    const named = (values: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> => {
      let changed: Map<string, Value> | undefined;
      for (const [name, value] of values) {
        const now = grafted(value);
        if (now === value) continue;
        changed ??= new Map(values);
        changed.set(name, now);
      }
      return changed ?? values;
    };
    const traces = new Map<Trace | undefined, Trace | undefined>();
    const traceOf = (trace: Trace | undefined): Trace | undefined => {
      if (trace === undefined || traces.has(trace)) return traces.get(trace);
      const now = { site: trace.site, parent: traceOf(trace.parent) };
      traces.set(trace, now);
      return now;
    };
    for (const each of known.made) {
      if ('happened' in each) {
        follower.recording.note(
          each.happened === 'variable'
            ? { happened: 'variable', variable: { ...each.variable, value: grafted(each.variable.value) } }
            : each.happened === 'returned'
              ? { ...each, value: grafted(each.value) }
              : this.#called(each, known),
        );
        continue;
      }
      if (!('kind' in each)) {
        const parent = (each.parent === undefined ? undefined : calls.get(each.parent)) ?? follower.within;
        const site = calls.size === 0 ? follower.site : each.site;
        if (calls.size === 0) traces.set(each.trace, follower.trace);
        const trace = traceOf(each.trace);
        const call: ModuleCall = { ...each, site, parent, trace, positional: each.positional.map(grafted), keywords: named(each.keywords) };
        calls.set(each, call);
        follower.recording.note(call);
        continue;
      }
      const call = each.call === undefined ? undefined : calls.get(each.call);
      const tensor: TensorValue = {
        ...each,
        id: follower.nextTensor(),
        inputs: each.inputs.map(tensorOf),
        arguments: named(each.arguments),
        call: call ?? each.call,
        trace: each.trace === undefined ? undefined : traceOf(each.trace),
      };
      grown.set(each, tensor);
      follower.recording.note(tensor);
    }
    for (const call of calls.values()) if (call.result !== undefined) call.result = grafted(call.result);
    return grafted(known.value);
  }
}

/** The instances that were made where one was constructed, itself among them. */
function instancesIn(value: Value, made: readonly Happening[]): readonly InstanceValue[] {
  const found: InstanceValue[] = [];
  for (const each of made) if ('happened' in each && each.happened === 'instance') found.push(each.instance);
  if (value.kind === 'instance' && !found.includes(value)) found.push(value);
  return found;
}

const unchanging = (): UnitBody => ({ statement: { kind: 'unknown', start: 0, end: 0 }, comments: [], hasErrors: false });

/** What asks for a setting that is taken one way and the other rests on this, as on a statement that no edit changes. */
export const openSettings = unchanging();
/** The same for what asks for a setting that a configuration gives. */
export const givenSettings = unchanging();

/** Whether what rested on statements holds while these stand. */
export const areAmong = (rests: Iterable<UnitBody>, bodies: ReadonlySet<UnitBody>): boolean => {
  for (const body of rests) if (!bodies.has(body) && body !== openSettings && body !== givenSettings) return false;
  return true;
};

const tensorsWithin = (value: Value): readonly TensorValue[] =>
  value.kind === 'tensor' ? [value] : value.kind === 'tuple' || value.kind === 'list' ? value.items.flatMap(tensorsWithin) : [];

const identities = new WeakMap<object, number>();
let identified = 0;

function identityOf(object: object): number {
  let known = identities.get(object);
  if (known === undefined) {
    known = ++identified;
    identities.set(object, known);
  }
  return known;
}

/** A text that is equal for arguments between which following a call makes no difference; undefined where that is not sure. */
function fingerprint(positional: readonly Value[], keywords: ReadonlyMap<string, Value>): string | undefined {
  const parts: string[] = [];
  const see = (value: Value, depth: number): boolean => {
    if (depth > 4 || parts.length > 400) return false;
    switch (value.kind) {
      case 'none':
      case 'ellipsis':
        parts.push(value.kind);
        return true;
      case 'bool':
        parts.push(`bool:${String(value.value)} ${value.condition?.asks?.what ?? ''} ${value.condition?.asks?.is ?? ''}`);
        return true;
      case 'float':
      case 'string':
        parts.push(`${value.kind}:${String(value.value)}`);
        return true;
      case 'int':
        parts.push(value.dim.unknown ? 'int ?' : value.dim.key);
        return true;
      case 'unknown':
        parts.push(`?${value.path ?? ''}@${value.scope ?? ''}${value.isGiven === true ? '!' : ''}${value.isRequired === true ? '+' : ''}`);
        return true;
      case 'opaque':
      case 'builtin':
        parts.push(value.name);
        return true;
      case 'tensor':
        parts.push(
          `T${value.dtype ?? ''}${value.content === 'mask' ? ' mask' : ''}(${value.shape.dims.map((dim) => (dim.unknown ? '?' : dim.key)).join(',')})${value.shape.ellipsis ?? ''}`,
        );
        return true;
      case 'tuple':
      case 'list':
        parts.push(`${value.kind}${value.items.length}${value.kind === 'list' && value.open ? '+' : ''}`);
        return value.items.every((item) => see(item, depth + 1));
      case 'dict':
        parts.push(`dict${value.entries.size}${value.open ? '+' : ''}`);
        return [...value.entries].every(([key, entry]) => parts.push(key) > 0 && see(entry.value, depth + 1));
      case 'union':
        parts.push(`union${value.options.length}`);
        return value.options.every((option) => see(option, depth + 1));
      case 'instance':
        parts.push(`#${value.id}`);
        return true;
      case 'class':
        parts.push(`class ${identityOf(value)}`);
        return true;
      case 'function':
        parts.push(`def ${identityOf(value.definition)}`);
        return value.closure === undefined;
      default:
        return false;
    }
  };
  for (const value of positional) if (!see(value, 0)) return undefined;
  for (const [key, value] of keywords) {
    parts.push(`${key}=`);
    if (!see(value, 0)) return undefined;
  }
  return parts.join(' ');
}

/** An id after those of the tensors, and before that of the next operation. */
function after(inputs: readonly TensorValue[]): number {
  const last = Math.max(...inputs.map(({ id }) => id));
  return last + (Math.floor(last) + 1 - last) / 2;
}
