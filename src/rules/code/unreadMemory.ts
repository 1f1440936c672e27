/** `memory` comes in, and the cross-attention is given something else: no line reads it. */
import type { CodeReading } from '../../interpreter/study.ts';
import type { Site } from '../../interpreter/value.ts';
import type { Call } from '../../syntax/python/ast.ts';
import { eachExpressionWithin } from '../../syntax/python/walk.ts';
import { reads } from './idleResidual.ts';
import { functionsThatRan } from './places.ts';

export interface UnreadMemory {
  readonly name: string;
  readonly call: Site;
}

const memoryNames = /^(?:cross|memory|context|enc(?:oder)?_(?:hidden_states?|outputs?|out|states?|memory))$/;
const crossNames = /cross|(?:src|enc(?:oder)?|context|memory)_?(?:dec(?:oder)?_?)?att/i;

export function unreadMemories(code: CodeReading): readonly UnreadMemory[] {
  const { file } = code;
  const found: UnreadMemory[] = [];
  for (const { definition, unit } of functionsThatRan(code)) {
    const { body } = definition;
    const unread = definition.parameters.find(
      ({ name }) => name !== undefined && memoryNames.test(name.name) && !body.some((each) => reads(each, name.name)),
    );
    if (unread?.name === undefined) continue;
    const calls: Call[] = [];
    let takesAll = false;
    for (const statement of body)
      eachExpressionWithin(statement, (each) => {
        if (each.kind === 'unknown' || (each.kind === 'name' && each.name === 'locals')) takesAll = true;
        if (
          each.kind === 'call' &&
          each.callee.kind === 'attribute' &&
          isSelf(each.callee.object) &&
          crossNames.test(each.callee.name.name)
        )
          calls.push(each);
      });
    const [call] = calls;
    if (call !== undefined && !takesAll) found.push({ name: unread.name.name, call: { file, unit, node: call } });
  }
  return found;
}

const isSelf = (object: { readonly kind: string }): boolean => object.kind === 'name' && (object as { name?: string }).name === 'self';
