/**
 * Residual sums that the text of a function lacks. What the tensors tell is told of blocks (`sublayers.ts`); here the code beside a
 * sublayer tells, or the name of its class, where the tensors cannot be followed.
 */
import type { Frame } from '../../interpreter/frame.ts';
import type { CodeReading } from '../../interpreter/study.ts';
import type { FunctionValue, Site, Value } from '../../interpreter/value.ts';
import type { Assign, Call, Expression, FunctionDefinition, Statement } from '../../syntax/python/ast.ts';
import { childExpressions, eachChildStatement, eachExpressionWithin, mentionsName } from '../../syntax/python/walk.ts';
import { functionsThatRan } from './places.ts';

export interface DroppedStream {
  readonly stream: string;
  /** What takes the stream's place. */
  readonly site: Site;
  /** The sum of another sublayer beside it; absent where the name of the class says that there is one. */
  readonly sum?: Site;
}

const sublayerNames = /(?:^|_)(?:\w*attn|\w*attention|mlp|ffn?|feed_?forward)(?:_?\d+)?$/i;
const normNames = /(?:^|_)(?:\w*norm|ln)(?:_?\w{1,4})?$/i;
const wrapperClasses =
  /^(?:(?:Pre|Post)?(?:Norm)?Residual(?:Connection|Add|Wrapper|Module|Layer|Unit)?(?:Module|Layer)?|(?:Sublayer|Skip|Residual)Connection)$/i;
const joining = /^(?:add_?|sum|cat|concat|concatenate|stack|lerp|residual\w*)$/;

export function droppedStreams(code: CodeReading): readonly DroppedStream[] {
  const { file } = code;
  const found: DroppedStream[] = [];
  for (const { frame, definition, unit } of functionsThatRan(code)) {
    const site = (node: Expression | Statement): Site => ({ file, unit, node });
    const wrapped = unsummed(frame, definition);
    if (wrapped !== undefined) found.push({ ...wrapped, site: site(wrapped.node) });
    eachBody(definition.body, (body) => {
      for (const { replaced, sum, stream } of [...replacedIn(body, frame, definition), ...renamedIn(body, frame)])
        found.push({ stream, site: site(replaced.value), sum: site(sum) });
    });
  }
  return found;
}

/** A class that is called a residual connection, of a function that it is given, and that adds nothing. */
function unsummed(frame: Frame, { name, parameters, body }: FunctionDefinition): { stream: string; node: Expression } | undefined {
  const { owner } = frame;
  if (name.name !== 'forward' || owner === undefined || !wrapperClasses.test(owner.name)) return undefined;
  const [, stream, ...others] = parameters.flatMap((each) => (each.name === undefined ? [] : [each.name.name]));
  const last = body.at(-1);
  if (stream === undefined || last?.kind !== 'return' || last.value === undefined) return undefined;
  const handed = new Set([...others, ...keptParameters(owner.members.get('__init__'))]);
  let [adds, calls] = [false, false];
  for (const statement of body) {
    eachStatement(statement, (each) => {
      if (each.kind === 'augmentedAssign') adds = true;
    });
    eachExpressionWithin(statement, (each) => {
      if (each.kind === 'binary' && /^[-+@]$/.test(each.operator)) adds = true;
      const called = each.kind === 'call' ? nameCalled(each) : undefined;
      if (called !== undefined && joining.test(called)) adds = true;
      if (called !== undefined && handed.has(called)) calls = true;
    });
  }
  return adds || !calls ? undefined : { stream, node: last.value };
}

/** `self.fn = fn`: attributes that a constructor sets to what it was given. */
function* keptParameters(initializer: Value | undefined): Generator<string> {
  if (initializer?.kind !== 'function' || initializer.definition.kind !== 'function') return;
  const given = new Set(initializer.definition.parameters.flatMap((each) => (each.name === undefined ? [] : [each.name.name])));
  for (const each of initializer.definition.body) {
    const target = each.kind === 'assign' ? each.targets[0] : undefined;
    if (each.kind === 'assign' && target?.kind === 'attribute' && each.value.kind === 'name' && given.has(each.value.name))
      yield target.name.name;
  }
}

interface Replaced {
  readonly stream: string;
  readonly replaced: Assign;
  readonly sum: Assign;
}

/**
 * `x = self.mlp(self.norm2(x))` beside `x = x + self.attn(self.norm1(x))`; or `x = self.cross_attn(x, y)` between two such sums.
 */
function replacedIn(body: readonly Statement[], frame: Frame, definition: FunctionDefinition): readonly Replaced[] {
  const steps = body.flatMap((each) =>
    each.kind === 'assign' && each.targets.length === 1 && each.targets[0]?.kind === 'name' ? [each] : [],
  );
  const found: Replaced[] = [];
  for (const replaced of steps) {
    const [target] = replaced.targets;
    if (target?.kind !== 'name') continue;
    const stream = target.name;
    const read = sublayerCall(replaced.value, stream);
    if (read === undefined || !isWrapped(replaced.value, read.call) || isKept(definition.body, stream)) continue;
    const own = steps.filter(({ targets: [each] }) => each?.kind === 'name' && each.name === stream);
    const sums = own.filter((each) => isSum(each.value, stream));
    const at = own.indexOf(replaced);
    const [before, after] = [own[at - 1], own[at + 1]];
    // The first sublayer may change the width, and add something of its own instead.
    if (read.isNormed && at === 0 && addsAnything(read.call, frame)) continue;
    if (read.isNormed) {
      const sum = sums.find(({ value }) => summands(value).some((each) => sublayerCall(each, stream)?.isNormed === true));
      if (sum !== undefined) found.push({ stream, replaced, sum });
    } else if (
      before !== undefined &&
      after !== undefined &&
      sums.includes(before) &&
      sums.includes(after) &&
      !addsInside(read.call, frame)
    )
      found.push({ stream, replaced, sum: after });
  }
  return found;
}

/**
 * `y = self.mlp(x); x = y` beside `y = self.attn(x); x = x + y`, or `x = y + self.drop(y)`: what a sublayer computed takes the place of
 * the stream under the name that the others add to it.
 */
function renamedIn(body: readonly Statement[], frame: Frame): readonly Replaced[] {
  const steps = body.flatMap((each) =>
    each.kind === 'assign' && each.targets.length === 1 && each.targets[0]?.kind === 'name'
      ? [{ step: each, to: each.targets[0].name }]
      : [],
  );
  // Names of what sublayers computed, with the calls that did.
  const made = new Map<string, Call>();
  const sums: { readonly stream: string; readonly sum: Assign }[] = [];
  const renamed: { readonly stream: string; readonly replaced: Assign; readonly call: Call | undefined }[] = [];
  for (const { step, to } of steps) {
    const parts = summands(step.value).map((part) => unwrapped(part));
    const names = parts.map((part) => (part.kind === 'name' ? part.name : undefined));
    const [name, other] = names;
    const call = name === undefined || name === to ? undefined : made.get(name);
    if (names.length === 2 && names.includes(to) && names.some((each) => each !== undefined && each !== to && made.has(each)))
      sums.push({ stream: to, sum: step });
    else if (names.length === 2 && call !== undefined && name === other) renamed.push({ stream: to, replaced: step, call: undefined });
    else if (names.length === 1 && call !== undefined && readsOnce(call, to)) renamed.push({ stream: to, replaced: step, call });
    const [only] = parts;
    const source = only?.kind === 'subscript' ? only.object : only;
    const isSublayer = parts.length === 1 && source?.kind === 'call' && sublayerNames.test(attributeCalled(source) ?? '');
    if (isSublayer) made.set(to, source);
    else made.delete(to);
  }
  return renamed.flatMap(({ stream, replaced, call }) => {
    const sum = sums.find((each) => each.stream === stream);
    return sum === undefined || isKept(body, stream) || (call !== undefined && addsInside(call, frame))
      ? []
      : [{ stream, replaced, sum: sum.sum }];
  });
}

/** Without the dropout around it. */
function unwrapped(value: Expression): Expression {
  const [first] = value.kind === 'call' && /drop/i.test(attributeCalled(value) ?? '') ? value.arguments : [];
  return first === undefined ? value : unwrapped(first.value);
}

/** Whoever is given the stream twice may add it, but for queries, keys and values. */
const readsOnce = (call: Call, name: string): boolean => {
  const count = call.arguments.filter(({ value }) => mentionsName(value, name)).length;
  return count === 1 || (count > 1 && /att/i.test(attributeCalled(call) ?? ''));
};

/** The stream under another name, which a sum behind it may add: `shortcut = x`. */
function isKept(body: readonly Statement[], stream: string): boolean {
  let isKept = false;
  for (const statement of body) {
    eachStatement(statement, (each) => {
      if (each.kind === 'assign' && each.value.kind === 'name' && each.value.name === stream) isKept = true;
      // `x = shortcut + x`
      const [target] = each.kind === 'assign' ? each.targets : [];
      if (each.kind === 'assign' && target?.kind === 'name' && target.name === stream) {
        const parts = summands(each.value);
        if (parts.length > 1 && parts.every((part) => part.kind === 'name')) isKept = true;
      }
      if (each.kind === 'augmentedAssign' && each.target.kind === 'name' && each.target.name === stream) isKept = true;
    });
  }
  return isKept;
}

const isSum = (value: Expression, stream: string): boolean => {
  const parts = summands(value);
  return (
    parts.some((each) => each.kind === 'name' && each.name === stream) && parts.some((each) => sublayerCall(each, stream) !== undefined)
  );
};

const summands = (value: Expression): readonly Expression[] =>
  value.kind === 'binary' && value.operator === '+' ? [...summands(value.left), ...summands(value.right)] : [value];

interface SublayerCall {
  readonly call: Call;
  readonly isNormed: boolean;
}

/** `self.mlp(x)` or `self.mlp(self.norm(x))` within the expression. */
function sublayerCall(value: Expression, stream: string): SublayerCall | undefined {
  if (value.kind === 'call' && sublayerNames.test(attributeCalled(value) ?? '')) {
    const [first] = value.arguments;
    if (first === undefined) return undefined;
    if (first.value.kind === 'name' && first.value.name === stream) return { call: value, isNormed: false };
    let isNormed = false;
    const see = (each: Expression): void => {
      const [given] = each.kind === 'call' ? each.arguments : [];
      if (each.kind === 'call' && normNames.test(attributeCalled(each) ?? '') && given?.value.kind === 'name')
        isNormed ||= given.value.name === stream;
      for (const child of childExpressions(each)) see(child);
    };
    see(first.value);
    return isNormed ? { call: value, isNormed } : undefined;
  }
  if (value.kind === 'lambda') return undefined;
  for (const child of childExpressions(value)) {
    const found = sublayerCall(child, stream);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Nothing but dropout, gates and views stands around the call. */
function isWrapped(value: Expression, call: Call): boolean {
  if (value === call) return true;
  if (value.kind === 'binary' && value.operator === '*') return isWrapped(value.left, call) || isWrapped(value.right, call);
  if (value.kind !== 'call') return false;
  const [first] = value.arguments;
  const name = attributeCalled(value);
  return name !== undefined && first !== undefined && /drop|scale|gamma|^ls_?\d?$/i.test(name) && isWrapped(first.value, call);
}

/** The module may add the stream itself; so it is taken where its class cannot be read. */
function addsInside(call: Call, { self }: Frame): boolean {
  const name = attributeCalled(call);
  const held = self?.kind === 'instance' && name !== undefined ? self.attributes.get(name) : undefined;
  const forward = held?.kind === 'instance' ? held.class.mro.map(({ members }) => members.get('forward')).find(Boolean) : undefined;
  if (forward?.kind !== 'function' || forward.definition.kind !== 'function') return true;
  return addsItsInput(forward);
}

function addsItsInput({ definition }: FunctionValue): boolean {
  if (definition.kind !== 'function') return true;
  const [, stream] = definition.parameters.flatMap((each) => (each.name === undefined ? [] : [each.name.name]));
  if (stream === undefined || isKept(definition.body, stream)) return true;
  let adds = false;
  for (const statement of definition.body)
    eachExpressionWithin(statement, (each) => {
      if (summands(each).length > 1 && summands(each).some((part) => part.kind === 'name' && part.name === stream)) adds = true;
    });
  return adds;
}

/** Whether the module's `forward`, or the method, is known to hold a sum. */
function addsAnything(call: Call, { self, owner }: Frame): boolean {
  const name = attributeCalled(call);
  const held = self?.kind === 'instance' && name !== undefined ? self.attributes.get(name) : undefined;
  const called =
    held?.kind === 'instance'
      ? held.class.mro.map(({ members }) => members.get('forward')).find(Boolean)
      : owner?.mro.map(({ members }) => members.get(name ?? '')).find(Boolean);
  let adds = false;
  if (called?.kind === 'function' && called.definition.kind === 'function')
    for (const statement of called.definition.body)
      eachExpressionWithin(statement, (each) => {
        if (each.kind === 'binary' && each.operator === '+') adds = true;
      });
  return adds;
}

const attributeCalled = ({ callee }: Call): string | undefined =>
  callee.kind === 'attribute' && callee.object.kind === 'name' && callee.object.name === 'self' ? callee.name.name : undefined;

const nameCalled = ({ callee }: Call): string | undefined =>
  callee.kind === 'attribute' ? callee.name.name : callee.kind === 'name' ? callee.name : undefined;

/** The statements of a function and of the blocks within it, a block at a time. */
function eachBody(body: readonly Statement[], visit: (body: readonly Statement[]) => void): void {
  visit(body);
  for (const statement of body) {
    if (statement.kind === 'if') {
      for (const branch of statement.branches) eachBody(branch.body, visit);
      eachBody(statement.otherwise, visit);
    } else if (statement.kind === 'for' || statement.kind === 'while' || statement.kind === 'with') eachBody(statement.body, visit);
    else if (statement.kind === 'try') eachBody(statement.body, visit);
  }
}

function eachStatement(statement: Statement, visit: (statement: Statement) => void): void {
  visit(statement);
  eachChildStatement(statement, (child) => eachStatement(child, visit));
}
