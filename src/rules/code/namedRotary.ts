/** Rotary embeddings by their names, where what applies them cannot be read: `q = self.rope(q, positions)`, and the keys stay as they are. */
import type { CodeReading } from '../../interpreter/study.ts';
import type { Site } from '../../interpreter/value.ts';
import type { Call, Expression, Statement } from '../../syntax/python/ast.ts';
import { childExpressions, eachChildStatement, eachExpressionWithin } from '../../syntax/python/walk.ts';
import { functionsThatRan } from './places.ts';

export interface TurnedAlone {
  readonly kind: 'queriesOnly' | 'keysOnly';
  readonly site: Site;
}

const rotaryNames = /(?:^|_)(?:rope|rotary|rotate|rot)(?:_|\d|$)|rotary|RoPE/;
const queryNames = /^(?:x?q|quer(?:y|ies)|q_s|query_states|query_layer|q_\w+)$/;
const keyNames = /^(?:x?k|keys?|k_s|key_states|key_layer|k_\w+)$/;
/** What comes in has its positions already, or has none. */
const otherPositions = /cache|past|memory|context|latent|mem\b|inducing|relative/i;

/** Functions that project queries and keys, turn one of the two and not the other. */
export function turnedAlone(code: CodeReading): readonly TurnedAlone[] {
  const { file } = code;
  const found: TurnedAlone[] = [];
  for (const { definition, unit } of functionsThatRan(code)) {
    const text = file.module.text.slice(unit.start + definition.start, unit.start + definition.end);
    if (!/rope|rot/i.test(text) || otherPositions.test(text)) continue;
    const turnings: Statement[] = [];
    const projected = { query: false, key: false };
    const multiplied = { query: false, key: false };
    const visit = (each: Statement): void => {
      if (each.kind === 'assign') {
        const names = each.targets.flatMap(namesIn);
        if (callsIn(each.value).some(isTurning)) turnings.push(each);
        else if (callsIn(each.value).some(isHeld)) {
          projected.query ||= names.some((name) => queryNames.test(name));
          projected.key ||= names.some((name) => keyNames.test(name));
        }
      } else if (each.kind === 'expression' && callsIn(each.value).some(isTurning)) turnings.push(each);
      eachChildStatement(each, visit);
    };
    for (const statement of definition.body) {
      visit(statement);
      eachExpressionWithin(statement, (each) => {
        const isProduct = (each.kind === 'binary' && each.operator === '@') || (each.kind === 'call' && isAttending(each));
        if (!isProduct) return;
        multiplied.query ||= namesIn(each).some((name) => queryNames.test(name));
        multiplied.key ||= namesIn(each).some((name) => keyNames.test(name));
      });
    }
    if (!projected.query || !projected.key || !multiplied.query || !multiplied.key) continue;
    const mentioned = turnings.flatMap((each) => (each.kind === 'assign' ? [...each.targets, each.value].flatMap(namesIn) : []));
    const [turned] = turnings;
    const [queries, keys] = [queryNames, keyNames].map((pattern) => mentioned.some((name) => pattern.test(name)));
    // Every turning gives a query or a key its own name back; others work in ways of their own.
    const isPlain = turnings.every((each) => each.kind === 'assign' && each.targets.length === 1 && isOwn(each.targets[0], each.value));
    if (turned === undefined || queries === keys || !isPlain) continue;
    found.push({ kind: queries === true ? 'queriesOnly' : 'keysOnly', site: { file, unit, node: turned } });
  }
  return found;
}

/** `q = rope(q, ...)` */
const isOwn = (target: Expression | undefined, value: Expression): boolean =>
  target?.kind === 'name' &&
  (queryNames.test(target.name) || keyNames.test(target.name)) &&
  value.kind === 'call' &&
  value.arguments.some((each) => each.value.kind === 'name' && each.value.name === target.name);

const calledName = ({ callee }: Call): string =>
  callee.kind === 'attribute' ? callee.name.name : callee.kind === 'name' ? callee.name : '';

const isTurning = (call: Call): boolean => rotaryNames.test(calledName(call));
/** A product, or what is called attention and is given both as they are. */
const isAttending = (call: Call): boolean => {
  const name = calledName(call);
  if (/^(?:matmul|einsum|bmm|scaled_dot_product_attention)$/.test(name)) return true;
  const given = call.arguments.map(({ value }) => (value.kind === 'name' ? value.name : ''));
  return /att(?:n|en)|sdpa/i.test(name) && given.some((each) => queryNames.test(each)) && given.some((each) => keyNames.test(each));
};

/** A layer of the module: `self.k_proj(x)`. */
const isHeld = ({ callee }: Call): boolean =>
  callee.kind === 'attribute' && callee.object.kind === 'name' && callee.object.name === 'self' && !/norm|drop/i.test(callee.name.name);

function callsIn(expression: Expression): readonly Call[] {
  const own = expression.kind === 'call' ? [expression] : [];
  return [...own, ...childExpressions(expression).flatMap(callsIn)];
}

function namesIn(expression: Expression): readonly string[] {
  return expression.kind === 'name' ? [expression.name] : childExpressions(expression).flatMap(namesIn);
}
