/** Places in the code of one call of a module: where in its own functions something was made that calls within it made. */
import type { ModuleCall, Site, TensorValue, Trace } from '../../interpreter/value.ts';
import type { Statement } from '../../syntax/python/ast.ts';
import { eachChildStatement } from '../../syntax/python/walk.ts';

/** What is made in the code of a call itself: the tensor, or the call in which it is made. */
export function directIn(call: ModuleCall, made: TensorValue | ModuleCall): TensorValue | ModuleCall {
  let item = made;
  let outer = 'kind' in made ? made.call : made.parent;
  while (outer !== undefined && outer !== call) {
    item = outer;
    outer = outer.parent;
  }
  return item;
}

/** The place in the code of `call` itself from which a tensor, or another call, came: in its `forward`, or in the function that is given. */
export function siteIn(call: ModuleCall, made: TensorValue | ModuleCall, frame?: Trace): Site | undefined {
  const item = directIn(call, made);
  let { site, trace } = item;
  // The function in which nothing is called yet is `forward`; of the call that starts a study no place is known.
  const isStart = call.site === undefined;
  while (trace !== undefined && trace !== call.trace) {
    if (trace === frame || (!isStart && trace.parent === call.trace)) return site;
    site = trace.site;
    trace = trace.parent;
  }
  return isStart || trace !== undefined ? site : item.site;
}

/** The innermost loop around a place. */
export function loopAround(site: Site | undefined): Statement | undefined {
  let found: Statement | undefined;
  const visit = (statement: Statement): void => {
    if (site === undefined || site.node.start < statement.start || site.node.end > statement.end) return;
    if (statement.kind === 'for' || statement.kind === 'while') found = statement;
    eachChildStatement(statement, visit);
  };
  if (site !== undefined) visit(site.unit.body.statement);
  return found;
}
