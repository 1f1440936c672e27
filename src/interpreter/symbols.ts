import { type Dim, loneAtom, rigid } from '../dims/dim.ts';
import type { ClassDefinition, Expression, Parameter, Statement, UnitBody } from '../syntax/python/ast.ts';
import { eachChildStatement, eachExpression } from '../syntax/python/walk.ts';
import { flag } from './answers.ts';
import { classMember } from './attributes.ts';
import { isAlwaysGiven } from './callers.ts';
import { defaultOf, fieldsOf, isDataclass } from './classes.ts';
import type { Interpreter } from './interpreter.ts';
import { dimOf, float, int, named, none, numberOf, shareOf, text } from './make.ts';
import { definitionsOf } from './roots.ts';
import { conceptOf } from './samples.ts';
import type { ClassValue, InstanceValue, Value } from './value.ts';

/** Makes the symbols under which a class is studied, and remembers the numbers that the code gives for them. */
export class Symbols {
  readonly #interpreter: Interpreter;
  readonly #defaults: Map<string, number>;
  readonly #configs = new Map<ClassValue, { readonly instance: InstanceValue; readonly rests: ReadonlySet<UnitBody> }>();

  constructor(interpreter: Interpreter, defaults: Map<string, number>) {
    this.#interpreter = interpreter;
    this.#defaults = defaults;
  }

  /** The symbol for a whole number of this name. */
  number(path: string, scope: string, value: number | undefined): Value {
    const dim: Dim = rigid(path, { scope });
    const symbol = loneAtom(dim);
    if (value !== undefined && value > 0 && symbol !== undefined) this.#defaults.set(symbol.key, value);
    return int(dim);
  }

  /** A fraction, of which the default tells thousandths. */
  share(path: string, scope: string, value: number | undefined): Value {
    const share = shareOf(path, scope);
    const base = share?.powers?.factors[0]?.base;
    const symbol = base === undefined ? undefined : loneAtom(base);
    const thousandths = value === undefined ? undefined : Math.round(value * 1000);
    if (
      share === undefined ||
      symbol?.kind !== 'symbol' ||
      thousandths === undefined ||
      thousandths < 1 ||
      thousandths !== (value as number) * 1000
    )
      return float(undefined);
    this.#defaults.set(symbol.key, thousandths);
    return share;
  }

  /** A value about which its default tells the type. */
  like(fallback: Value | undefined, path: string, scope: string): Value {
    const assumed = this.#interpreter.options.assumes?.(path, scope);
    if (assumed !== undefined && (fallback === undefined || fallback.kind === 'none' || fallback.kind === assumed.kind)) return assumed;
    switch (fallback?.kind) {
      case 'int': {
        const value = numberOf(fallback);
        // Stages are told apart by their numbers: their settings stand in lists, and their layers under numbered names. So are layers for
        // signals, images and volumes by the axes of these.
        if (value !== undefined && ((value <= 8 && stageNames.test(path)) || (value <= 3 && axisCountNames.test(path)))) return fallback;
        return value !== undefined && value < 1 ? named(path, scope) : this.number(path, scope, value);
      }
      case 'float':
        return fallback.value !== undefined && fallback.value >= 1 && fallback.value <= 64 && Number.isInteger(fallback.value)
          ? this.number(path, scope, fallback.value)
          : this.share(path, scope, fallback.value);
      case 'bool':
        return flag(path, scope);
      case 'string':
        return fallback.value === undefined ? text(undefined) : { kind: 'string', value: undefined, likely: fallback.value };
      case 'class':
      case 'function':
      case 'builtin':
      case 'partial':
      case 'tuple':
      case 'list':
        return fallback;
      default:
        return named(path, scope);
    }
  }

  /** What the constructor is given for a parameter, the one at this place among those that a call gives. */
  argument(of: ClassValue, parameter: Parameter, at: number, fallback: Value | undefined): Value {
    const name = parameter.name?.name ?? '';
    const scope = of.qualifiedName;
    // What nobody takes says nothing.
    if (isUserCallable(fallback) && isAlwaysGiven(this.#interpreter, of, name, at)) return named(name, scope);
    const annotated =
      parameter.annotation !== undefined
        ? this.#configClass(of, parameter.annotation)
        : (this.#declaredConfig(of, name) ?? this.#impliedConfig(of, name));
    if (annotated !== undefined) return this.config(annotated, name);
    const assumed = this.#interpreter.options.assumes?.(name, scope);
    if (assumed !== undefined && fallback === undefined) return assumed;
    if (fallback === undefined && annotationName(parameter.annotation) === 'int') return this.number(name, scope, undefined);
    if (fallback === undefined && annotationName(parameter.annotation) === 'bool') return flag(name, scope);
    if (fallback === undefined && annotationName(parameter.annotation) === 'float') return float(undefined);
    if (fallback === undefined && annotationName(parameter.annotation) === 'str') return text(undefined);
    const value = this.like(fallback, name, scope);
    // A size without a default is one: whoever may leave it out gives it one.
    const isSize = fallback === undefined && parameter.annotation === undefined && isSizeName(name);
    return isSize && value.kind === 'unknown' ? { ...value, isRequired: true } : value;
  }

  field(of: ClassValue, name: string, annotation: Expression): Value {
    const config = this.#configClass(of, annotation);
    if (config !== undefined) return this.config(config, name);
    const fallback = this.#interpreter.guard(() => defaultOf(this.#interpreter, of.members.get(name)));
    return fallback === undefined && annotationName(annotation) === 'int'
      ? this.number(name, of.qualifiedName, undefined)
      : this.like(fallback, name, of.qualifiedName);
  }

  /** The one class of the file that holds every field which the class reads from its unannotated `config`. */
  #impliedConfig(of: ClassValue, parameter: string): ClassValue | undefined {
    if (
      of.file === undefined ||
      of.definition === undefined ||
      !/^(?:config|cfg|args|conf|hparams|hps|params|opts?|model_args)$/.test(parameter)
    )
      return undefined;
    const { file } = of;
    const read = fieldsRead(of.definition, parameter);
    if (read.size === 0) return undefined;
    const fits = definitionsOf(file).flatMap((definition) => {
      // What says what it computes holds no settings; whoever takes some need not be followed again when it changes.
      const computes = definition.body.some((each) => each.kind === 'function' && /^(?:forward|call|__call__)$/.test(each.name.name));
      const isRecord = !computes && (definition.decorators.length > 0 || /(?:Config|Args|Params)$/.test(definition.name.name));
      const value = isRecord
        ? this.#interpreter.guard(() => this.#interpreter.names.global(this.#interpreter.names.globalsOf(file), definition.name.name))
        : undefined;
      if (value?.kind !== 'class') return [];
      const has = (name: string): boolean =>
        value.mro.some((each) => each.members.has(name) || each.fields.some((field) => field.name === name));
      return [...read].every(has) ? [value] : [];
    });
    return fits.length === 1 ? fits[0] : undefined;
  }

  /** `config: LlamaConfig` in the body of the class or of a base of it. */
  #declaredConfig(of: ClassValue, parameter: string): ClassValue | undefined {
    for (const each of of.mro) {
      const field = each.fields.find(({ name }) => name === parameter);
      if (field !== undefined) return this.#configClass(each, field.annotation);
    }
    return undefined;
  }

  #configClass(of: ClassValue, annotation: Expression): ClassValue | undefined {
    const name = annotationName(withoutNone(annotation));
    if (name === undefined || of.file === undefined) return undefined;
    const { file } = of;
    const value = this.#interpreter.guard(() => this.#interpreter.names.global(this.#interpreter.names.globalsOf(file), name));
    if (value?.kind !== 'class') return undefined;
    const isConfig = value.mro.some(isDataclass) || value.mro.some((each) => /Config$/.test(each.name));
    return isConfig ? value : undefined;
  }

  /** A config whose numbers are symbols with the class's defaults. */
  config(of: ClassValue, path: string): InstanceValue {
    const { memory } = this.#interpreter;
    let known = this.#configs.get(of);
    if (known === undefined) {
      const { result: instance, rests } = memory.tracked(() => this.#newConfig(of, path));
      known = { instance, rests };
      this.#configs.set(of, known);
    } else for (const body of known.rests) memory.rest(body);
    return known.instance;
  }

  #newConfig(of: ClassValue, path: string): InstanceValue {
    const interpreter = this.#interpreter;
    // One scope for all who take it: its sizes are the same for each of them.
    const scope = of.qualifiedName;
    const instance = interpreter.instance(of);
    instance.open = true;
    const attributes = instance.attributes;
    for (const { name, owner } of fieldsOf(of)) {
      const fallback = interpreter.guard(() => defaultOf(interpreter, owner.members.get(name)));
      attributes.set(name, this.like(fallback, `${path}.${name}`, scope));
    }
    for (const each of of.mro) {
      if (each.file?.isPrelude === true) continue;
      for (const [name, member] of each.members) {
        if (!attributes.has(name) && member.kind === 'int') attributes.set(name, this.like(member, `${path}.${name}`, scope));
      }
    }
    attributes.set('__path__', named(path, scope));
    this.#derive(instance);
    return instance;
  }

  /** What `__post_init__` works out of the other fields: the sizes that it makes whatever they are, and the numbers behind the symbols. */
  #derive(instance: InstanceValue): void {
    const interpreter = this.#interpreter;
    const { class: of, attributes } = instance;
    const after = of.mro.some(isDataclass) ? classMember(of, '__post_init__') : undefined;
    if (after?.kind !== 'function') return;
    const before = new Map(attributes);
    interpreter.guard(() => interpreter.call(after, [instance]));
    const made = interpreter.guard(() => interpreter.call(of, []));
    for (const [name, value] of [...attributes]) {
      const given = before.get(name);
      // What is set only where nothing else was given stays as free as it was.
      if (given !== undefined && value !== given && (value.kind !== 'int' || value.dim.unknown)) attributes.set(name, given);
      const own = given === undefined ? undefined : dimOf(given);
      const symbol = own === undefined ? undefined : loneAtom(own);
      const number = made?.kind === 'instance' ? numberOf(made.attributes.get(name) ?? none) : undefined;
      if (symbol !== undefined && number !== undefined && number > 0) this.#defaults.set(symbol.key, number);
    }
    for (const [name, given] of before) if (!attributes.has(name)) attributes.set(name, given);
  }
}

/** Names of widths and of other sizes of a model. */
const isSizeName = (name: string): boolean => conceptOf(name) !== undefined || /(?:^|_)(?:dim|width|features|channels)$/.test(name);

const stageNames = /(?:^|[._])(?:num|n)_stages$/;
const axisCountNames = /(?:^|[._])(?:(?:spatial_|conv_|n_?)?dims|spatial_ndims?|ndim)$/;

/** A class or function of the user's own. */
function isUserCallable(value: Value | undefined): boolean {
  if (value?.kind === 'partial') return isUserCallable(value.callee);
  return (value?.kind === 'class' || value?.kind === 'function') && value.file !== undefined && !value.file.isPrelude;
}

/** The attributes of a parameter that the methods of a class read. */
function fieldsRead(definition: ClassDefinition, parameter: string): ReadonlySet<string> {
  const read = new Set<string>();
  const visit = (statement: Statement): void => {
    eachExpression(statement, (expression) => {
      if (expression.kind === 'attribute' && expression.object.kind === 'name' && expression.object.name === parameter)
        read.add(expression.name.name);
    });
    eachChildStatement(statement, visit);
  };
  definition.body.forEach(visit);
  return read;
}

/** `Config` of `Config | None` and `Optional[Config]`. */
function withoutNone(annotation: Expression): Expression {
  if (annotation.kind === 'binary' && annotation.operator === '|') {
    if (isNone(annotation.right)) return annotation.left;
    if (isNone(annotation.left)) return annotation.right;
  }
  const [only] = annotation.kind === 'subscript' ? annotation.indices : [];
  const isOptional = annotation.kind === 'subscript' && annotation.indices.length === 1 && annotationName(annotation.object) === 'Optional';
  return isOptional && only !== undefined ? only : annotation;
}

const isNone = (expression: Expression): boolean => expression.kind === 'constant' && expression.value === null;

function annotationName(annotation: Expression | undefined): string | undefined {
  if (annotation === undefined) return undefined;
  if (annotation.kind === 'name') return annotation.name;
  if (annotation.kind === 'string') return annotation.value;
  if (annotation.kind === 'attribute') return annotation.name.name;
  return undefined;
}
