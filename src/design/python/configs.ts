import type { Comment, ConfigNode, EntryNode, MappingNode, ParsedConfig, ScalarNode } from '../../syntax/node.ts';
import type {
  Argument,
  Call,
  ClassDefinition,
  Dictionary,
  Expression,
  FunctionDefinition,
  PythonModule,
  Span,
  Statement,
} from '../../syntax/python/ast.ts';
import { logicalLines } from '../../syntax/python/logicalLines.ts';
import { childExpressions, eachChildStatement, eachExpression, statementExpressions } from '../../syntax/python/walk.ts';
import { type Range, range } from '../../text/range.ts';
import { evidenceOf, lexicon } from '../lexicon.ts';
import { normaliseName } from '../section.ts';
import { importedNames, isConfigName, type KnownCallee, knownCallee } from './calls.ts';
import { fold, Scope } from './scope.ts';
import { changesIn, dottedName, lastName, sketchOf } from './sketch.ts';

/** More configurations than this in one file are data. */
const maximumConfigs = 200;
const maximumDepth = 8;
const maximumItems = 200;

/**
 * The model configurations that Python code states: flat assignments, classes with default values, dict literals, and calls of
 * configuration classes and of known layers. Each is a mapping under the root, by the name that the code gives it; flat assignments
 * are the root's own entries. What is not certain before the program runs is an unresolved scalar, and a configuration that the
 * file itself changes later keeps only what it does not change.
 */
export function readPythonConfigs(module: PythonModule): ParsedConfig {
  return new ConfigReader(module).read();
}

interface FoundConfig {
  readonly name: string;
  readonly nameRange: Range;
  readonly mapping: MappingNode;
}

interface ClassInfo {
  readonly definition: ClassDefinition;
  readonly base: number;
  readonly entries: readonly EntryNode[];
  /** Something that is not seen may add to the entries. */
  readonly partial: boolean;
  /** Its fields may be given by position, in the order of the entries. */
  readonly isRecord: boolean;
}

class ConfigReader {
  readonly #module: PythonModule;
  readonly #imports: ReadonlyMap<string, string>;
  readonly #scope = new Scope(undefined);
  readonly #classes = new Map<string, ClassInfo | undefined>();
  readonly #found: FoundConfig[] = [];
  /** Name -> keys that are set on what has that name; '*' when it changes in a way that cannot be followed. */
  readonly #changes = new Map<string, Set<string>>();
  /** Names that a function gives a value further out. */
  readonly #rebound = new Set<string>();
  /** Whether a call of this dotted name may be one. */
  readonly #stating = new Map<string, boolean>();
  /** Names of what is given as `**name` somewhere. */
  readonly #spread = new Set<string>();
  /** Classes whose sizes a call or subclass in this file replaces: their own defaults need not fit together. */
  readonly #replaced = new Set<string>();

  constructor(module: PythonModule) {
    this.#module = module;
    this.#imports = importedNames(module);
  }

  read(): ParsedConfig {
    const { units } = this.#module;
    for (const { body, start } of units) this.#scope.readOne(body.statement, start);
    for (const { body } of units) this.#noteChanges(body.statement);
    for (const name of this.#rebound) this.#scope.bind(name);
    for (const { body, start } of units) {
      const { statement } = body;
      if (statement.kind === 'class' && !body.hasErrors) this.#readClass(statement, start);
    }
    // What is half typed may say anything.
    for (const { body, start } of units) if (!body.hasErrors) this.#visit(body.statement, start, this.#scope, '');
    const flat = this.#flat();
    const classes = [...this.#classes].flatMap(([name, info]): FoundConfig[] => {
      if (info === undefined || this.#replaced.has(name)) return [];
      const nameRange = at(info.base, info.definition.name);
      return [{ name, nameRange, mapping: mapping(at(info.base, info.definition), info.entries, info.partial) }];
    });
    const nested = [...classes, ...this.#found]
      .filter(({ mapping: found }) => speaksOfModel(found, 0))
      .sort((a, b) => a.nameRange.start - b.nameRange.start)
      .slice(0, maximumConfigs);
    const taken = new Set(flat.map(({ key }) => key));
    const entries = nested.map(({ name, nameRange, mapping: value }): EntryNode => {
      let key = name;
      for (let n = 2; taken.has(key); n++) key = `${name} ${n}`;
      taken.add(key);
      return { key, keyRange: nameRange, range: value.range, value };
    });
    const { text } = this.#module;
    const all = [...flat, ...entries].sort((a, b) => a.keyRange.start - b.keyRange.start);
    return {
      format: 'python',
      text,
      root: all.length === 0 ? undefined : { kind: 'mapping', range: range(0, text.length), entries: all },
      problems: [],
      comments: this.#comments(),
      logicalLines: () => logicalLines(this.#module),
    };
  }

  #comments(): Comment[] {
    const { text, units, comments } = this.#module;
    const spans = [
      ...comments.map(({ start, end }) => range(start, end)),
      ...units.flatMap(({ start, body }) => body.comments.map((comment) => at(start, comment))),
    ];
    return spans.sort((a, b) => a.start - b.start).map((span) => ({ range: span, text: text.slice(span.start + 1, span.end) }));
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Flat assignments

  /** Assignments at the top level that give at least a width and a number of heads. */
  #flat(): EntryNode[] {
    const entries: EntryNode[] = [];
    for (const { start, body } of this.#module.units) {
      const { statement } = body;
      const targets = statement.kind === 'assign' ? statement.targets : statement.kind === 'annotatedAssign' ? [statement.target] : [];
      const value = statement.kind === 'assign' || statement.kind === 'annotatedAssign' ? statement.value : undefined;
      for (const target of targets) {
        if (target.kind !== 'name' || value === undefined || body.hasErrors) continue;
        if (evidenceOf(normaliseName(target.name)) === 0 && !allNames.has(normaliseName(target.name))) continue;
        const certain = this.#scope.lookup(target.name) !== undefined;
        const node = certain ? this.#scalar(value, start, this.#scope) : unresolved(value, start, this.#module.text);
        entries.push({ key: target.name, keyRange: at(start, target), range: at(start, statement), value: node });
      }
    }
    // `dim` or `width` beside `heads` may be anything, and two widths or numbers of heads may belong to two models.
    const numbers = (names: readonly string[]): readonly string[] =>
      entries.map(({ key }) => normaliseName(key)).filter((name) => names.includes(name));
    const alone = (names: readonly string[]): boolean => {
      const present = new Set(numbers(names));
      return present.size === 1 && [...present].every((name) => !vague.has(name));
    };
    return alone(lexicon.hiddenSize) && alone(lexicon.queryHeads) ? entries : [];
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Changes to what was stated

  #noteChanges(statement: Statement): void {
    const { keys, rebound, spread } = changesIn(statement);
    for (const [name, key] of keys) {
      const known = this.#changes.get(name);
      if (known === undefined) this.#changes.set(name, new Set([key]));
      else known.add(key);
    }
    for (const name of rebound) this.#rebound.add(name);
    for (const name of spread) this.#spread.add(name);
  }

  /** The mapping without what the file changes on a thing of this name; undefined when that cannot be followed. */
  #asChanged(name: string, node: MappingNode): MappingNode | undefined {
    const keys = this.#changes.get(name);
    const { className } = node;
    const known = node.modelType !== undefined || className?.startsWith('torch.') === true;
    const seen = this.#spread.has(name) && !known ? asPartial(node) : node;
    if (keys === undefined) return seen;
    if (keys.has('*')) return undefined;
    const present = new Set(node.entries.map(({ key }) => key));
    const added = [...keys].filter((key) => !present.has(key));
    return {
      ...seen,
      partial: seen.partial === true || added.length > 0,
      entries: seen.entries.map((entry) => (keys.has(entry.key) ? { ...entry, value: withoutValue(entry.value) } : entry)),
    };
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Classes

  #readClass(definition: ClassDefinition, base: number): void {
    const { name } = definition.name;
    if (this.#classes.has(name) || this.#scope.lookup(name) !== undefined) {
      this.#classes.set(name, undefined);
      return;
    }
    const decorated = definition.decorators.some((decorator) =>
      /^(dataclass|define|frozen|attrs|s|auto_docstring|strict)$/.test(decoratorName(decorator)),
    );
    const bases = definition.arguments.filter(({ kind }) => kind === 'positional').map(({ value }) => lastName(value) ?? '');
    const isModule = bases.some(
      (one) =>
        /(Module|Model|Layer|Block|Attention|Mixin|Trainer|Dataset|Enum|Exception|Error|Protocol|TypedDict)$/.test(one) &&
        one !== 'BaseModel',
    );
    if (isModule || (!isConfigName(name) && !decorated && !bases.some((one) => configBases.has(one)))) return;
    const info = this.#classEntries(definition, base, bases, decorated);
    if (info !== undefined) this.#classes.set(name, info);
  }

  #classEntries(definition: ClassDefinition, base: number, bases: readonly string[], decorated: boolean): ClassInfo | undefined {
    const scope = new Scope(this.#scope);
    scope.read(definition.body, base);
    const entries = new Map<string, EntryNode>();
    let partial = definition.arguments.some(({ kind }) => kind !== 'positional' && kind !== 'keyword');
    for (const one of bases) {
      const known = this.#classes.get(one);
      if (known !== undefined) {
        partial ||= known.partial;
        for (const entry of known.entries) entries.set(entry.key, { ...entry, merged: true });
      } else if (!configBases.has(one) && one !== 'object') partial = true;
    }
    const inherited = new Set(entries.keys());
    const put = (name: Span & { readonly name: string }, whole: Span, value: ConfigNode): void => {
      entries.delete(name.name);
      entries.set(name.name, { key: name.name, keyRange: at(base, name), range: at(base, whole), value });
    };
    const fieldsOf = (statement: Statement): void => {
      if (statement.kind === 'annotatedAssign' && statement.target.kind === 'name') {
        if (lastName(statement.annotation) === 'ClassVar') return;
        put(
          statement.target,
          statement,
          statement.value === undefined
            ? missing(statement.target, base)
            : meantAsText(statement.annotation, this.#default(statement.value, base, scope)),
        );
      } else if (statement.kind === 'assign')
        for (const target of statement.targets)
          if (target.kind === 'name') put(target, statement, this.#default(statement.value, base, scope));
    };
    for (const statement of definition.body) {
      fieldsOf(statement);
      // What stands below an `if` in a class body may hold or not.
      if (statement.kind === 'if' || statement.kind === 'try' || statement.kind === 'for' || statement.kind === 'while') partial = true;
    }
    const methods = definition.body.filter((statement): statement is FunctionDefinition => statement.kind === 'function');
    const init = methods.find(({ name }) => name.name === '__init__');
    if (init !== undefined && !decorated)
      for (const parameter of init.parameters.slice(1)) {
        const { name, default: value } = parameter;
        if (parameter.kind === 'args') partial = true;
        if (parameter.kind !== 'plain' || name === undefined) continue;
        put(name, parameter, value === undefined ? missing(name, base) : this.#default(value, base, this.#scope));
      }
    // What methods compute is not what is written.
    for (const method of methods) {
      const key = method.name.name;
      if (isSizeName(key)) put(method.name, method.name, missing(method.name, base));
      for (const { name, value } of selfAssignments(method)) {
        if (value.kind === 'name' && value.name === name && method === init) continue;
        const known = entries.get(name);
        if (known !== undefined) entries.set(name, { ...known, value: withoutValue(known.value) });
        else if (isSizeName(name)) put({ ...method.name, name }, method.name, missing(method.name, base));
      }
    }
    // A subclass that sets other sizes: the base's defaults need not fit together.
    for (const one of bases) {
      const known = this.#classes.get(one);
      if (known?.entries.some(({ key }) => inherited.has(key) && isSizeName(key) && entries.get(key)?.merged !== true) === true)
        this.#replaced.add(one);
    }
    const found = mapping(at(base, definition), [...entries.values()], partial);
    const changed = this.#asChanged(definition.name.name, found);
    if (changed === undefined) return undefined;
    const isAbstract = definition.arguments.some(({ value }) => /^(ABC|ABCMeta|Protocol)$/.test(lastName(value) ?? ''));
    if (isAbstract) this.#replaced.add(definition.name.name);
    const isRecord = init === undefined && inherited.size === 0 && !changed.partial && (decorated || bases.includes('NamedTuple'));
    return { definition, base, entries: changed.entries, partial: changed.partial === true, isRecord };
  }

  /** A field's default. Zero and below stand for "to be set later" there: `vocab_size: int = -1`. */
  #default(value: Expression, base: number, scope: Scope): ConfigNode {
    let inner = value;
    if (value.kind === 'call' && /^(field|Field|attrib|ib|HfArg|pydantic_field)$/.test(lastName(value.callee) ?? '')) {
      const given = value.arguments.find(({ kind, name }) => kind === 'keyword' && name?.name === 'default');
      const first = lastName(value.callee) === 'Field' ? value.arguments.find(({ kind }) => kind === 'positional') : undefined;
      const found = given ?? first;
      if (found === undefined) return unresolved(value, base, this.#module.text);
      inner = found.value;
    }
    const node = this.#node(inner, base, scope, 0);
    return node.kind === 'scalar' && typeof node.value === 'number' && node.value <= 0 ? withoutValue(node) : node;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Dict literals and calls

  #visit(statement: Statement, base: number, scope: Scope, owner: string): void {
    if (!this.#mayState(statement)) return;
    if (statement.kind === 'function') {
      const inner = new Scope(scope);
      inner.readParameters(statement);
      inner.read(statement.body, base);
      for (const name of this.#rebound) inner.bind(name);
      for (const child of statement.body) this.#visit(child, base, inner, statement.name.name);
      return;
    }
    if (statement.kind === 'class') {
      for (const child of statement.body) this.#visit(child, base, scope, statement.name.name);
      return;
    }
    if (statement.kind === 'assign' || statement.kind === 'annotatedAssign') {
      const target = statement.kind === 'assign' ? statement.targets[0] : statement.target;
      const name = target === undefined ? undefined : lastName(target);
      if (statement.value !== undefined) this.#search(statement.value, base, scope, name ?? owner, target, name);
    } else if (statement.kind === 'return') {
      if (statement.value !== undefined) this.#search(statement.value, base, scope, owner === '' ? 'return' : owner, undefined, undefined);
    } else
      for (const expression of statementExpressions(statement)) this.#search(expression, base, scope, owner, undefined, undefined, false);
    eachChildStatement(statement, (child) => this.#visit(child, base, scope, owner));
  }

  /** Whether a configuration may stand in a statement. */
  #mayState(statement: Statement): boolean {
    const { hasDict, callees } = sketchOf(statement);
    if (hasDict) return true;
    for (const callee of callees) {
      let isStating = this.#stating.get(callee);
      if (isStating === undefined) {
        const name = callee.slice(callee.lastIndexOf('.') + 1);
        const full = this.#fullName(callee);
        isStating =
          full !== undefined &&
          (full === 'dict' || this.#classes.get(callee) !== undefined || knownCallee(full) !== undefined || isConfigClass(name));
        this.#stating.set(callee, isStating);
      }
      if (isStating) return true;
    }
    return false;
  }

  /** Configurations in an expression: dict literals where `dicts`, and calls of configuration classes anywhere. */
  #search(
    expression: Expression,
    base: number,
    scope: Scope,
    name: string,
    target: Expression | undefined,
    holder: string | undefined,
    dicts = true,
  ): void {
    if (this.#found.length > 4 * maximumConfigs) return;
    if (expression.kind === 'comprehension' || expression.kind === 'lambda') return;
    const node = expression.kind === 'call' || (dicts && expression.kind === 'dict') ? this.#node(expression, base, scope, 0) : undefined;
    if (node?.kind === 'mapping' && (expression.kind !== 'call' || dicts || lastName(expression.callee) !== 'dict')) {
      const found = holder === undefined ? node : this.#asChanged(holder, node);
      if (found === undefined) return;
      const callee = expression.kind === 'call' ? lastName(expression.callee) : undefined;
      const label = callee !== undefined && (found.className?.startsWith('torch.') === true || name === '') ? callee : name;
      const at_ = target ?? (expression.kind === 'call' ? expression.callee : { start: expression.start, end: expression.start + 1 });
      if (label !== '') this.#found.push({ name: label, nameRange: at(base, at_), mapping: found });
      return;
    }
    if (expression.kind === 'subscript' && dicts) {
      this.#search(expression.object, base, scope, name, target, undefined, true);
      return;
    }
    for (const child of childExpressions(expression)) this.#search(child, base, scope, '', undefined, undefined, false);
  }

  #scalar(expression: Expression, base: number, scope: Scope): ScalarNode {
    const folded = fold(expression, base, scope);
    if (folded === undefined) return unresolved(expression, base, this.#module.text);
    const span = at(base, expression);
    return {
      kind: 'scalar',
      range: span,
      value: folded.value,
      raw: this.#module.text.slice(span.start, span.end),
      quoted: expression.kind === 'string',
      ...(folded.origin === undefined ? {} : { origin: folded.origin }),
    };
  }

  #node(expression: Expression, base: number, scope: Scope, depth: number): ConfigNode {
    if (depth > maximumDepth) return unresolved(expression, base, this.#module.text);
    if (expression.kind === 'dict') return this.#dictionary(expression, base, scope, depth);
    if (expression.kind === 'list' || expression.kind === 'tuple') {
      const { items } = expression;
      if (items.length > maximumItems || items.some(({ kind }) => kind === 'starred'))
        return unresolved(expression, base, this.#module.text);
      return { kind: 'sequence', range: at(base, expression), items: items.map((item) => this.#node(item, base, scope, depth + 1)) };
    }
    if (expression.kind === 'call') return this.#call(expression, base, scope, depth) ?? this.#scalar(expression, base, scope);
    return this.#scalar(expression, base, scope);
  }

  #dictionary(expression: Dictionary, base: number, scope: Scope, depth: number): MappingNode {
    const entries: EntryNode[] = [];
    let partial = false;
    for (const item of expression.items) {
      const key = item.key === undefined ? undefined : fold(item.key, base, scope)?.value;
      if (item.key !== undefined && typeof key === 'string') {
        const inside = item.key.kind === 'string' ? quoted(this.#module.text, at(base, item.key)) : at(base, item.key);
        entries.push({ key, keyRange: inside, range: at(base, item), value: this.#node(item.value, base, scope, depth + 1) });
      } else if (item.key !== undefined) partial ||= key === undefined;
      else partial = !this.#merge(item.value, scope, entries, depth) || partial;
    }
    return mapping(at(base, expression), entries, partial);
  }

  /** Adds the entries of `**name` where the name stands for one dict literal; false where it does not. */
  #merge(value: Expression, scope: Scope, entries: EntryNode[], depth: number): boolean {
    const bound = value.kind === 'name' ? scope.lookup(value.name) : undefined;
    if (bound === undefined || value.kind !== 'name' || this.#changes.has(value.name)) return false;
    const node = this.#node(bound.expression, bound.base, scope, depth + 2);
    if (node.kind !== 'mapping' || node.className !== undefined) return false;
    for (const entry of node.entries) entries.push({ ...entry, merged: true });
    return node.partial !== true;
  }

  /** The arguments of `dict(...)`, of a configuration class or of a known layer; undefined for any other call. */
  #call(expression: Call, base: number, scope: Scope, depth: number): MappingNode | undefined {
    const callee = dottedName(expression.callee);
    const full = callee === undefined ? undefined : this.#fullName(callee);
    const name = lastName(expression.callee);
    if (full === undefined || name === undefined) return undefined;
    const span = at(base, expression);
    if (full === 'dict' && !this.#scope.isBound('dict')) {
      const made = this.#given(expression.arguments, base, scope, depth, []);
      return mapping(span, made.entries, made.partial);
    }
    const own = expression.callee.kind === 'name' ? this.#classes.get(name) : undefined;
    if (own !== undefined) {
      const order = own.isRecord ? own.entries.map(({ key }) => key) : [];
      const made = this.#given(expression.arguments, base, scope, depth, order);
      if (made.entries.some(({ key }) => isSizeName(key))) this.#replaced.add(name);
      const written = new Set(made.entries.map(({ key }) => key));
      const inherited = own.entries.filter(({ key }) => !written.has(key)).map((entry) => ({ ...entry, merged: true }));
      return made.entries.length === 0 ? undefined : mapping(span, [...inherited, ...made.entries], own.partial || made.partial);
    }
    const known = knownCallee(full);
    if (known !== undefined) return this.#known(known, expression.arguments, base, scope, depth, span);
    if (!isConfigClass(name)) return undefined;
    const made = this.#given(expression.arguments, base, scope, depth, []);
    return mapping(span, made.entries, true, full);
  }

  #known(known: KnownCallee, given: readonly Argument[], base: number, scope: Scope, depth: number, span: Range): MappingNode {
    const made = this.#given(given, base, scope, depth, known.positional);
    // Where some arguments are not seen, the class's defaults need not hold.
    return mapping(span, made.entries, known.partial || made.partial, known.name, made.partial ? undefined : known.modelType);
  }

  /** The arguments as entries; by position where `order` names them. */
  #given(
    given: readonly Argument[],
    base: number,
    scope: Scope,
    depth: number,
    order: readonly string[],
  ): { entries: EntryNode[]; partial: boolean } {
    const entries: EntryNode[] = [];
    let partial = false;
    given.forEach((argument, i) => {
      const { value, name } = argument;
      if (argument.kind === 'kwargs') {
        partial = !this.#merge(value, scope, entries, depth) || partial;
        return;
      }
      const key = argument.kind === 'keyword' ? name?.name : partial ? undefined : order[i];
      if (key === undefined || argument.kind === 'args') {
        partial = true;
        return;
      }
      const keyRange = name === undefined ? at(base, value) : at(base, name);
      entries.push({ key, keyRange, range: at(base, argument), value: this.#node(value, base, scope, depth + 1) });
    });
    return { entries, partial };
  }

  /** `nn.MultiheadAttention` -> `torch.nn.MultiheadAttention`, by the file's imports. A name that the file gives itself has none. */
  #fullName(callee: string): string | undefined {
    const dot = callee.indexOf('.');
    const first = dot < 0 ? callee : callee.slice(0, dot);
    const imported = this.#imports.get(first);
    return imported === '' ? undefined : `${imported ?? first}${callee.slice(first.length)}`;
  }
}

const configBases = new Set([
  'NamedTuple',
  'BaseModel',
  'BaseSettings',
  'PretrainedConfig',
  'PreTrainedConfig',
  'Struct',
  'Serializable',
  'ABC',
  'Generic',
]);

/** Words that code uses for other things too. */
const vague = new Set(['dim', 'width', 'heads', 'layers', 'depth', 'output_size', 'n_state', 'hidden_dim', 'embedding_dim']);

const allNames: ReadonlySet<string> = new Set(Object.values(lexicon).flat());

const sizeNames: ReadonlySet<string> = new Set([
  ...lexicon.hiddenSize,
  ...lexicon.queryHeads,
  ...lexicon.keyValueHeads,
  ...lexicon.headDim,
]);

/** Whether a name speaks of a width or of heads. */
const isSizeName = (name: string): boolean => sizeNames.has(normaliseName(name)) || /head/i.test(name);

const isConfigClass = (name: string): boolean => isConfigName(name) && /^[A-Z]/.test(name);

const at = (base: number, { start, end }: Span): Range => range(base + start, base + end);

/** The text of a string literal without its quotes. */
const quoted = (text: string, span: Range): Range => {
  const lead = /^[A-Za-z]*("""|'''|"|')/.exec(text.slice(span.start, Math.min(span.end, span.start + 8)));
  const width = lead?.[1]?.length ?? 0;
  return lead === null ? span : range(span.start + lead[0].length, span.end - width);
};

const mapping = (span: Range, entries: readonly EntryNode[], partial: boolean, className?: string, modelType?: string): MappingNode => ({
  kind: 'mapping',
  range: span,
  entries,
  ...(partial ? { partial } : {}),
  ...(className === undefined ? {} : { className }),
  ...(modelType === undefined ? {} : { modelType }),
});

/** The mapping, and every one inside it, with what is not seen. */
const asPartial = (node: MappingNode): MappingNode => ({
  ...node,
  partial: true,
  entries: node.entries.map((entry) => (entry.value?.kind === 'mapping' ? { ...entry, value: asPartial(entry.value) } : entry)),
});

const unresolved = (expression: Expression, base: number, text: string): ScalarNode => {
  const span = at(base, expression);
  const raw = text.slice(span.start, Math.min(span.end, span.start + 200));
  return { kind: 'scalar', range: span, value: raw, raw, quoted: false, unresolved: true };
};

const missing = (name: Span, base: number): ScalarNode => ({
  kind: 'scalar',
  range: at(base, name),
  value: '',
  raw: '',
  quoted: false,
  unresolved: true,
});

const withoutValue = (node: ConfigNode | undefined): ConfigNode | (undefined & ConfigNode) =>
  node === undefined
    ? { kind: 'scalar', range: range(0, 0), value: '', raw: '', quoted: false, unresolved: true }
    : {
        kind: 'scalar',
        range: node.range,
        value: node.kind === 'scalar' ? node.raw : '',
        raw: node.kind === 'scalar' ? node.raw : '',
        quoted: false,
        unresolved: true,
      };

/** A number in quotes is no slip where the field is declared as text: `layers: str = "2,2,6"`. */
const meantAsText = (annotation: Expression, node: ConfigNode): ConfigNode =>
  node.kind === 'scalar' &&
  node.quoted &&
  lastName(annotation) !== 'int' &&
  lastName(annotation) !== 'float' &&
  /^\s*[-\d]/.test(String(node.value))
    ? withoutValue(node)
    : node;

const decoratorName = (expression: Expression): string => lastName(expression.kind === 'call' ? expression.callee : expression) ?? '';

/** What a method sets on `self`. */
function selfAssignments(method: FunctionDefinition): { readonly name: string; readonly value: Expression }[] {
  const found: { name: string; value: Expression }[] = [];
  const waiting: Statement[] = [...method.body];
  const put = (target: Expression, value: Expression): void => {
    if (target.kind === 'attribute' && target.object.kind === 'name' && target.object.name === 'self')
      found.push({ name: target.name.name, value });
    else if (target.kind === 'tuple') for (const item of target.items) put(item, target);
  };
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.kind === 'assign') for (const target of next.targets) put(target, next.value);
    else if (next.kind === 'augmentedAssign') put(next.target, next.target);
    else if (next.kind === 'annotatedAssign' && next.value !== undefined) put(next.target, next.value);
    eachExpression(next, (expression) => {
      if (expression.kind !== 'call' || lastName(expression.callee) !== '__setattr__') return;
      const key = expression.arguments.find(({ value }) => value.kind === 'string')?.value;
      if (key?.kind === 'string' && key.value !== undefined) found.push({ name: key.value, value: expression });
    });
    eachChildStatement(next, (child) => waiting.push(child));
  }
  return found;
}

/** Whether a mapping, or one inside it, holds a name that model configurations use. */
function speaksOfModel(node: MappingNode, depth: number): boolean {
  if (node.entries.length > 400) return false;
  return node.entries.some(
    ({ key, value }) =>
      evidenceOf(normaliseName(key)) > 0 || (value?.kind === 'mapping' && depth < maximumDepth && speaksOfModel(value, depth + 1)),
  );
}
