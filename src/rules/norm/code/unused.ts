/** Norms that a module creates and never applies. */
import type { CodeReading, Study } from '../../../interpreter/study.ts';
import type { ClassValue, InstanceValue, ModuleCall, Value } from '../../../interpreter/value.ts';
import type { ClassDefinition, Expression, Statement } from '../../../syntax/python/ast.ts';
import { childExpressions, eachChildStatement, statementExpressions } from '../../../syntax/python/walk.ts';
import { blocksOf } from '../../code/blocks.ts';

export interface UnusedNorm {
  readonly owner: InstanceValue;
  readonly call: ModuleCall;
  readonly name: string;
  readonly norm: InstanceValue;
}

const libraryNorms = /^torch\.nn\.(?:LayerNorm|RMSNorm|GroupNorm|BatchNorm[123]d|InstanceNorm[123]d|SyncBatchNorm)$/;

const known = new WeakMap<Study['tensors'], readonly UnusedNorm[]>();

/** Norms held by modules whose `forward` was followed to its end, which nothing calls and no code mentions outside of constructors. */
export function unusedNormsOf(code: CodeReading, study: Study): readonly UnusedNorm[] {
  const found = known.get(study.tensors) ?? find(code, study);
  known.set(study.tensors, found);
  return found;
}

function find(code: CodeReading, study: Study): readonly UnusedNorm[] {
  const { flow } = blocksOf(study);
  const called = new Set<InstanceValue>(study.calls.map(({ instance }) => instance));
  const normClasses = new Set<ClassValue>();
  for (const { instance } of flow.norms.values()) if (instance !== undefined) normClasses.add(instance.class);
  const isNorm = (instance: InstanceValue): boolean =>
    instance.class.mro.some(({ qualifiedName }) => libraryNorms.test(qualifiedName)) || normClasses.has(instance.class);
  const used = new Set<object>();
  for (const tensor of study.tensors) for (const input of tensor.inputs) if (input.isParameter === true) used.add(input);
  const seen = new Set<InstanceValue>();
  const unused: UnusedNorm[] = [];
  for (const call of study.calls) {
    const owner = call.instance;
    if (seen.has(owner) || owner.class.file !== code.file) continue;
    seen.add(owner);
    if (call.result === undefined || call.result.kind === 'unknown' || call.result.kind === 'none') continue;
    for (const [name, value] of heldBy(owner)) {
      if (value.kind !== 'instance' || called.has(value) || !isNorm(value) || !/^[A-Za-z_]/.test(name)) continue;
      if ([...value.attributes.values()].some((each) => each.kind === 'tensor' && used.has(each))) continue;
      // Shared with another module, which may call it.
      if (holders(study, value) !== 1 || isMentioned(code, owner.class, name)) continue;
      unused.push({ owner, call, name, norm: value });
    }
  }
  return unused;
}

/** Attributes, those of a dictionary of modules among them. */
function* heldBy(owner: InstanceValue): Generator<readonly [string, Value]> {
  for (const [name, value] of owner.attributes) {
    yield [name, value];
    // A norm that some of the instances have.
    if (value.kind === 'union') for (const option of value.options) if (option.kind === 'instance') yield [name, option];
    if (value.kind === 'instance' && value.class.qualifiedName === 'torch.nn.ModuleDict')
      for (const [key, held] of value.attributes) if (held.kind === 'instance') yield [key, held];
  }
}

/** How many modules hold the instance. */
function holders(study: Study, value: InstanceValue): number {
  let count = 0;
  for (const instance of new Set(study.instances)) for (const held of instance.attributes.values()) if (held === value) count += 1;
  return Math.max(count, 1);
}

/** Whether any code that may belong to the class reads the attribute, or reads attributes by names that are worked out. */
function isMentioned(code: CodeReading, of: ClassValue, name: string): boolean {
  const related = new Set<ClassDefinition>();
  for (const each of of.mro) if (each.definition !== undefined && each.file?.isPrelude !== true) related.add(each.definition);
  for (const { body } of code.file.module.units) {
    const { statement } = body;
    if (statement.kind === 'class') {
      const isRelated = related.has(statement) || inherits(statement, of.name);
      if (classReads(statement, name, isRelated)) return true;
    } else if (reads([statement], name, false)) return true;
  }
  for (const each of related) if (classReads(each, name, true)) return true;
  return false;
}

const inherits = (definition: ClassDefinition, name: string): boolean =>
  definition.arguments.some(({ value }) => value.kind === 'name' && value.name === name);

const makers = /^(?:__init__|_?init_\w*|_?reset_\w*|_?initiali[sz]e\w*|extra_repr|setup)$/;

const classReads = (definition: ClassDefinition, name: string, isRelated: boolean): boolean =>
  definition.body.some((statement) =>
    statement.kind === 'function' && makers.test(statement.name.name) ? false : reads([statement], name, isRelated),
  );

function reads(statements: readonly Statement[], name: string, ofSelf: boolean): boolean {
  let found = false;
  const see = (expression: Expression, isTarget: boolean): void => {
    if (found) return;
    if (expression.kind === 'attribute' && expression.name.name === name && !isTarget) {
      const isSelf = expression.object.kind === 'name' && expression.object.name === 'self';
      if (ofSelf || !isSelf) found = true;
    }
    if (
      ofSelf &&
      expression.kind === 'call' &&
      expression.callee.kind === 'name' &&
      /^(?:getattr|vars|setattr)$/.test(expression.callee.name)
    )
      found = true;
    if (
      ofSelf &&
      expression.kind === 'attribute' &&
      /^(?:children|named_children|modules|named_modules|_modules|__dict__)$/.test(expression.name.name)
    )
      found = true;
    if (expression.kind === 'string' && expression.value === name) found = true;
    // `layer.q_norm.weight` elsewhere loads weights and applies nothing.
    if (
      expression.kind === 'attribute' &&
      isWeightOf(expression.object, name) &&
      /^(?:weight|bias|scale|shift)$/.test(expression.name.name)
    )
      return;
    for (const child of childExpressions(expression)) see(child, false);
  };
  const visit = (statement: Statement): void => {
    // `if self.q_norm:` only asks whether there is one.
    const asked: readonly Expression[] = statement.kind === 'if' ? statement.branches.flatMap(({ test }) => presencesIn(test)) : [];
    for (const expression of statementExpressions(statement)) if (!asked.includes(expression)) see(expression, false);
    eachChildStatement(statement, visit);
  };
  statements.forEach(visit);
  return found;
}

const isPresence = (test: Expression, found: readonly Expression[]): boolean =>
  found.length > 0 || (test.kind === 'call' && test.callee.kind === 'name' && test.callee.name === 'hasattr');

/** The attribute of this name of something other than `self`, whose own weights are at most judged by what is computed with them. */
const isWeightOf = (object: Expression, name: string): boolean =>
  object.kind === 'attribute' && object.name.name === name && !(object.object.kind === 'name' && object.object.name === 'self');

/** The test itself where it asks for nothing but an attribute's being there. */
function presencesIn(test: Expression): readonly Expression[] {
  if (test.kind === 'attribute') return [test];
  if (test.kind === 'boolean') {
    const [left, right] = [presencesIn(test.left), presencesIn(test.right)];
    return isPresence(test.left, left) && isPresence(test.right, right) ? [test] : [];
  }
  if (test.kind !== 'compare' || test.operators.length !== 1 || !/^is(?: not)?$/.test(test.operators[0] ?? '')) return [];
  const [left, right] = test.operands;
  return left?.kind === 'attribute' && right?.kind === 'constant' && right.value === null ? [test] : [];
}
