/**
 * Rewrites a block class from pre-norm to post-norm and back, with the final norm of the stack that runs it. Works on the text of common
 * shapes: `x = x + f(norm(x))`, and the same over several statements with a saved residual. What it does not know it leaves: then nothing
 * is offered. Converting there and back gives the text that was there.
 */
import type { Call, ClassDefinition, Expression, FunctionDefinition, PythonModule, Statement, Unit } from '../../syntax/python/ast.ts';
import { childExpressions, eachChildStatement, statementExpressions } from '../../syntax/python/walk.ts';
import type { TextEdit } from '../../text/edit.ts';
import { type Range, range } from '../../text/range.ts';

export interface Refactoring {
  readonly title: string;
  readonly kind: 'refactor.rewrite';
  readonly edits: readonly TextEdit[];
}

type Placement = 'pre' | 'post';

/** The conversion that is possible for the block class around the offset; none when it is not sure. */
export function normPlacementRefactorings(module: PythonModule, offset: number): readonly Refactoring[] {
  const unit = module.units.find(({ start, body }) => offset >= start + body.statement.start && offset <= start + body.statement.end);
  if (unit === undefined || unit.body.statement.kind !== 'class') return [];
  const source = new Source(module, unit);
  const block = readBlock(source, unit.body.statement);
  if (block === undefined) return [];
  const to: Placement = block.placement === 'pre' ? 'post' : 'pre';
  const stack = stackEdits(module, unit.body.statement, block, to);
  if (stack === undefined) return [];
  const title = to === 'post' ? 'Convert this block to post-norm' : 'Convert this block to pre-norm';
  return [{ title, kind: 'refactor.rewrite', edits: [...block.convert(), ...stack] }];
}

/** The text of one top-level statement. */
class Source {
  readonly #module: PythonModule;
  readonly #unit: Unit;

  constructor(module: PythonModule, unit: Unit) {
    this.#module = module;
    this.#unit = unit;
  }

  at({ start, end }: { readonly start: number; readonly end: number }): Range {
    return range(this.#unit.start + start, this.#unit.start + end);
  }

  text(node: { readonly start: number; readonly end: number }): string {
    const { start, end } = this.at(node);
    return this.#module.text.slice(start, end);
  }

  replace(node: { readonly start: number; readonly end: number }, newText: string): TextEdit {
    return { range: this.at(node), newText };
  }

  /** Takes out the whole lines of a statement. */
  removeLines(node: { readonly start: number; readonly end: number }): TextEdit | undefined {
    const { text } = this.#module;
    const { start, end } = this.at(node);
    const from = text.lastIndexOf('\n', start - 1) + 1;
    const to = text.indexOf('\n', end);
    // Other code, or a comment, on the line would go with it.
    if (text.slice(from, start).trim() !== '' || to < 0 || text.slice(end, to).trim() !== '') return undefined;
    return { range: range(from, to + 1), newText: '' };
  }

  /** Puts a line behind a statement, as far in as another. */
  insertAfter(node: { readonly start: number; readonly end: number }, line: string, like = node): TextEdit | undefined {
    const { text } = this.#module;
    const { end } = this.at(node);
    const lineEnd = text.indexOf('\n', end);
    const to = lineEnd < 0 ? text.length : lineEnd;
    if (text.slice(end, to).trim() !== '') return undefined;
    const from = text.lastIndexOf('\n', this.at(like).start - 1) + 1;
    const indent = /^[ \t]*/.exec(text.slice(from))?.[0] ?? '';
    return { range: range(to, to), newText: `\n${indent}${line}` };
  }
}

interface BlockText {
  readonly placement: Placement;
  /** The statement that makes the block's first norm. */
  readonly norm: Call;
  readonly normName: string;
  readonly initializer: FunctionDefinition;
  readonly source: Source;
  convert(): readonly TextEdit[];
}

const method = (definition: ClassDefinition, name: string): FunctionDefinition | undefined =>
  definition.body.find((statement): statement is FunctionDefinition => statement.kind === 'function' && statement.name.name === name);

/** `self.name` */
const selfAttribute = (expression: Expression | undefined): string | undefined =>
  expression?.kind === 'attribute' && expression.object.kind === 'name' && expression.object.name === 'self'
    ? expression.name.name
    : undefined;

const isNormClass = (callee: Expression): boolean => {
  const name = callee.kind === 'name' ? callee.name : callee.kind === 'attribute' ? callee.name.name : '';
  return /(?:Layer|RMS|Scale)Norm$/.test(name);
};

/** Norms that a constructor makes: `self.norm1 = nn.LayerNorm(dim)`. */
function normsMade(initializer: FunctionDefinition): ReadonlyMap<string, { readonly call: Call; readonly statement: Statement }> {
  const found = new Map<string, { call: Call; statement: Statement }>();
  for (const statement of initializer.body) {
    if (statement.kind !== 'assign' || statement.targets.length !== 1) continue;
    const name = selfAttribute(statement.targets[0]);
    if (name !== undefined && statement.value.kind === 'call' && isNormClass(statement.value.callee))
      found.set(name, { call: statement.value, statement });
  }
  return found;
}

/** Everything in an expression that fits. */
function findAll(root: Expression, fits: (expression: Expression) => boolean): readonly Expression[] {
  const found: Expression[] = [];
  const see = (expression: Expression): void => {
    if (fits(expression)) {
      found.push(expression);
      return;
    }
    childExpressions(expression).forEach(see);
  };
  see(root);
  return found;
}

const isName = (expression: Expression | undefined, name: string): boolean => expression?.kind === 'name' && expression.name === name;

/** `self.norm(x)` with a name alone as its argument. */
function normCall(
  expression: Expression,
  norms: ReadonlySet<string>,
): { readonly norm: string; readonly argument: Expression } | undefined {
  if (expression.kind !== 'call' || expression.arguments.length !== 1) return undefined;
  const norm = selfAttribute(expression.callee);
  const [argument] = expression.arguments;
  if (norm === undefined || !norms.has(norm) || argument === undefined || argument.kind !== 'positional') return undefined;
  return { norm, argument: argument.value };
}

/** The two sides of `x + f`, the stream first. */
function sides(value: Expression, stream: string | undefined): { readonly stream: string; readonly branch: Expression } | undefined {
  if (value.kind !== 'binary' || value.operator !== '+') return undefined;
  for (const [a, b] of [
    [value.left, value.right],
    [value.right, value.left],
  ] as const) {
    if (a.kind === 'name' && (stream === undefined || a.name === stream) && b.kind !== 'binary') return { stream: a.name, branch: b };
  }
  return undefined;
}

/** A value that a statement gives a name, or returns. */
const valueIn = (statement: Statement): Expression | undefined =>
  statement.kind === 'assign' && statement.targets.length === 1 && statement.targets[0]?.kind === 'name'
    ? statement.value
    : statement.kind === 'return'
      ? statement.value
      : undefined;

const targetOf = (statement: Statement): string | undefined =>
  statement.kind === 'assign' && statement.targets[0]?.kind === 'name' ? statement.targets[0].name : undefined;

interface Sublayer {
  readonly placement: Placement;
  readonly norm: string;
  readonly edits: readonly (TextEdit | undefined)[];
}

function readBlock(source: Source, definition: ClassDefinition): BlockText | undefined {
  const initializer = method(definition, '__init__');
  const forward = method(definition, 'forward');
  if (initializer === undefined || forward === undefined) return undefined;
  const made = normsMade(initializer);
  const norms = new Set(made.keys());
  if (norms.size < 2) return undefined;
  const sublayers: Sublayer[] = [];
  const { body } = forward;
  for (let i = 0; i < body.length; i++) {
    const statement = body[i] as Statement;
    const found = inline(source, statement, norms);
    if (found !== undefined) {
      sublayers.push(found);
      continue;
    }
    const several = sequence(source, body, i, norms);
    if (several !== undefined) {
      sublayers.push(several.sublayer);
      i = several.last;
    }
  }
  const [first] = sublayers;
  if (first === undefined || sublayers.length < 2 || sublayers.some(({ placement }) => placement !== first.placement)) return undefined;
  // Every use of a norm must be one that was understood, each norm in one place.
  if (new Set(sublayers.map(({ norm }) => norm)).size !== sublayers.length || sublayers.length !== norms.size) return undefined;
  const edits = sublayers.flatMap((each) => each.edits);
  if (
    edits.some((edit) => edit === undefined) ||
    mentions(forward, norms) !== sublayers.reduce((sum, each) => sum + usesIn(forward, each.norm), 0)
  )
    return undefined;
  const norm = made.get(first.norm);
  if (norm === undefined) return undefined;
  return { placement: first.placement, norm: norm.call, normName: first.norm, initializer, source, convert: () => edits as TextEdit[] };
}

function usesIn(definition: FunctionDefinition, name: string): number {
  let count = 0;
  const visit = (statement: Statement): void => {
    for (const expression of statementExpressions(statement)) count += findAll(expression, (each) => selfAttribute(each) === name).length;
    eachChildStatement(statement, visit);
  };
  definition.body.forEach(visit);
  return count;
}

const mentions = (definition: FunctionDefinition, names: ReadonlySet<string>): number => {
  let count = 0;
  for (const name of names) count += usesIn(definition, name);
  return count;
};

/** `x = x + f(norm(x))` or `x = norm(x + f(x))`, also behind `return`. */
function inline(source: Source, statement: Statement, norms: ReadonlySet<string>): Sublayer | undefined {
  const value = valueIn(statement);
  if (value === undefined) return undefined;
  const whole = normCall(value, norms);
  if (whole !== undefined) {
    const sum = sides(whole.argument, undefined);
    if (sum === undefined) return undefined;
    const uses = findAll(sum.branch, (each) => isName(each, sum.stream));
    if (uses.length === 0 || findAll(sum.branch, (each) => normCall(each, norms) !== undefined).length > 0) return undefined;
    const inner = whole.argument;
    return {
      placement: 'post',
      norm: whole.norm,
      edits: [
        source.replace({ start: value.start, end: inner.start }, ''),
        ...uses.map((use) => source.replace(use, `self.${whole.norm}(${sum.stream})`)),
        source.replace({ start: inner.end, end: value.end }, ''),
      ],
    };
  }
  const sum = sides(value, undefined);
  if (sum === undefined) return undefined;
  const calls = findAll(sum.branch, (each) => normCall(each, norms) !== undefined).map((each) => ({ each, ...normCall(each, norms) }));
  const [one] = calls;
  if (one?.norm === undefined || calls.some(({ norm, argument }) => norm !== one.norm || !isName(argument, sum.stream))) return undefined;
  // The stream itself must not be read beside its norm.
  if (findAll(sum.branch, (each) => normCall(each, norms) !== undefined || isName(each, sum.stream)).length !== calls.length)
    return undefined;
  return {
    placement: 'pre',
    norm: one.norm,
    edits: [
      source.replace({ start: value.start, end: value.start }, `self.${one.norm}(`),
      ...calls.map(({ each }) => source.replace(each, sum.stream)),
      source.replace({ start: value.end, end: value.end }, ')'),
    ],
  };
}

/** `r = x; x = norm(x); x = f(x); x = r + x` or `r = x; x = f(x); x = norm(r + x)`. */
function sequence(
  source: Source,
  body: readonly Statement[],
  at: number,
  norms: ReadonlySet<string>,
): { readonly sublayer: Sublayer; readonly last: number } | undefined {
  const save = body[at] as Statement;
  const residual = targetOf(save);
  const saved = valueIn(save);
  if (residual === undefined || saved?.kind !== 'name' || saved.name === residual) return undefined;
  const stream = saved.name;
  let pre: { readonly statement: Statement; readonly norm: string } | undefined;
  for (let i = at + 1; i < body.length; i++) {
    const statement = body[i] as Statement;
    const value = valueIn(statement);
    if (value === undefined) return undefined;
    const called = normCall(value, norms);
    if (called !== undefined && isName(called.argument, stream) && targetOf(statement) === stream && i === at + 1) {
      pre = { statement, norm: called.norm };
      continue;
    }
    const inner = called === undefined ? value : called.argument;
    const sum = sides(inner, residual);
    if (sum !== undefined) {
      if (called !== undefined && pre === undefined)
        return {
          last: i,
          sublayer: {
            placement: 'post',
            norm: called.norm,
            edits: [
              source.insertAfter(save, `${stream} = self.${called.norm}(${stream})`),
              source.replace({ start: value.start, end: inner.start }, ''),
              source.replace({ start: inner.end, end: value.end }, ''),
            ],
          },
        };
      if (called === undefined && pre !== undefined)
        return {
          last: i,
          sublayer: {
            placement: 'pre',
            norm: pre.norm,
            edits: [
              source.removeLines(pre.statement),
              source.replace({ start: value.start, end: value.start }, `self.${pre.norm}(`),
              source.replace({ start: value.end, end: value.end }, ')'),
            ],
          },
        };
      return undefined;
    }
    if (findAll(value, (each) => isName(each, residual) || normCall(each, norms) !== undefined).length > 0) return undefined;
    if (targetOf(statement) !== stream) return undefined;
  }
  return undefined;
}

/** What the class that runs the blocks needs; empty where no class of the file does, undefined where it is not sure. */
function stackEdits(module: PythonModule, block: ClassDefinition, read: BlockText, to: Placement): readonly TextEdit[] | undefined {
  const edits: TextEdit[] = [];
  for (const unit of module.units) {
    const { statement } = unit.body;
    if (statement === block || !mentionsName(statement, block.name.name)) continue;
    if (statement.kind !== 'class') return undefined;
    const own = stackIn(new Source(module, unit), statement, block, read, to);
    if (own === undefined) return undefined;
    edits.push(...own);
  }
  return edits;
}

function mentionsName(statement: Statement, name: string): boolean {
  let found = false;
  const visit = (each: Statement): void => {
    for (const expression of statementExpressions(each)) if (findAll(expression, (inner) => isName(inner, name)).length > 0) found = true;
    eachChildStatement(each, visit);
  };
  visit(statement);
  return found;
}

function stackIn(
  source: Source,
  definition: ClassDefinition,
  block: ClassDefinition,
  read: BlockText,
  to: Placement,
): readonly TextEdit[] | undefined {
  const initializer = method(definition, '__init__');
  const forward = method(definition, 'forward');
  if (initializer === undefined || forward === undefined) return undefined;
  // `self.blocks = nn.ModuleList([Block(...) for ...])`
  const held = initializer.body.flatMap((statement) => {
    if (statement.kind !== 'assign' || statement.targets.length !== 1) return [];
    const name = selfAttribute(statement.targets[0]);
    const calls = findAll(statement.value, (each) => each.kind === 'call' && isName(each.callee, block.name.name));
    const [call] = calls;
    return name === undefined || call?.kind !== 'call' || calls.length !== 1 ? [] : [{ name, call, statement }];
  });
  const [blocks] = held;
  if (blocks === undefined || held.length !== 1) return undefined;
  // `for block in self.blocks: x = block(x)`
  const loopAt = forward.body.findIndex((statement) => statement.kind === 'for' && selfAttribute(statement.iterable) === blocks.name);
  const loop = forward.body[loopAt];
  if (loop?.kind !== 'for' || loop.target.kind !== 'name' || loop.body.length !== 1) return undefined;
  const [step] = loop.body;
  const stream = step === undefined ? undefined : targetOf(step);
  const called = step === undefined ? undefined : valueIn(step);
  if (
    stream === undefined ||
    called?.kind !== 'call' ||
    !isName(called.callee, loop.target.name) ||
    !isName(called.arguments[0]?.value, stream)
  )
    return undefined;
  const norms = normsMade(initializer);
  const names = new Set(norms.keys());
  const uses = forward.body
    .slice(loopAt + 1)
    .flatMap((statement) =>
      statementExpressions(statement).flatMap((expression) =>
        findAll(expression, (each) => normCall(each, names) !== undefined).map((each) => ({ statement, each, ...normCall(each, names) })),
      ),
    );
  const [use] = uses;
  if (to === 'post') {
    const made = use?.norm === undefined ? undefined : norms.get(use.norm);
    if (use?.norm === undefined || made === undefined || uses.length !== 1 || !isName(use.argument, stream)) return undefined;
    if (usesIn(forward, use.norm) !== 1) return undefined;
    const value = valueIn(use.statement);
    const isLine = value === use.each && targetOf(use.statement) === stream;
    const edits = [source.removeLines(made.statement), isLine ? source.removeLines(use.statement) : source.replace(use.each, stream)];
    return edits.some((edit) => edit === undefined) ? undefined : (edits as TextEdit[]);
  }
  // Nothing may normalise the stream behind the blocks yet.
  if (uses.length > 0) return undefined;
  const name = ['norm', 'final_norm'].find((each) => !names.has(each) && usesIn(forward, each) === 0);
  const created = creation(source, read, blocks.call);
  if (name === undefined || created === undefined) return undefined;
  const edits = [
    source.insertAfter(blocks.statement, `self.${name} = ${created}`),
    source.insertAfter(loop, `${stream} = self.${name}(${stream})`),
  ];
  return edits.some((edit) => edit === undefined) ? undefined : (edits as TextEdit[]);
}

/** The block's norm, made with what the stack gives the block. */
function creation(source: Source, read: BlockText, call: Call): string | undefined {
  const given = new Map<string, string>();
  const parameters = read.initializer.parameters.slice(1).flatMap(({ name }) => (name === undefined ? [] : [name.name]));
  for (const [i, argument] of call.arguments.entries()) {
    const name = argument.name?.name ?? parameters[i];
    if (name === undefined || argument.kind === 'args' || argument.kind === 'kwargs') return undefined;
    given.set(name, source.text(argument.value));
  }
  let isKnown = true;
  const text = (expression: Expression): string => {
    if (expression.kind === 'name') {
      const value = given.get(expression.name);
      if (value === undefined) isKnown = false;
      return value ?? '';
    }
    if (expression.kind === 'attribute') return `${text(expression.object)}.${expression.name.name}`;
    if (expression.kind === 'number' || expression.kind === 'constant' || expression.kind === 'string') return read.source.text(expression);
    isKnown = false;
    return '';
  };
  const callee = read.source.text(read.norm.callee);
  const list = read.norm.arguments.map(({ name, value }) => `${name === undefined ? '' : `${name.name}=`}${text(value)}`);
  return isKnown ? `${callee}(${list.join(', ')})` : undefined;
}
