/** Places in the code of one call of a module: where in its own functions something was made that calls within it made. */
import type { ModuleCall, Site, TensorValue, Trace } from '../../interpreter/value.ts';
import type { Statement } from '../../syntax/python/ast.ts';
import { blocksIn, eachChildStatement } from '../../syntax/python/walk.ts';

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

/** The statement that follows the loop in which a place stands, or where no loop does its own statement: in the same function. */
export function statementBehind(site: Site): Site | undefined {
  const chain: Statement[] = [];
  const isAround = ({ start, end }: Statement): boolean => site.node.start >= start && site.node.end <= end;
  for (let at: Statement | undefined = site.unit.body.statement; at !== undefined; ) {
    chain.push(at);
    let inner: Statement | undefined;
    eachChildStatement(at, (child) => {
      if (isAround(child)) inner = child;
    });
    at = inner;
  }
  const own = chain.findLastIndex(({ kind }) => kind === 'function' || kind === 'class') + 1;
  const loop = chain.findIndex(({ kind }, i) => i >= own && (kind === 'for' || kind === 'while'));
  for (let i = loop < 0 ? chain.length - 1 : loop; i >= own; i--) {
    const body = blocksIn(chain[i - 1]).find((each) => each.includes(chain[i] as Statement));
    const next = body?.[body.indexOf(chain[i] as Statement) + 1];
    if (next !== undefined) return { file: site.file, unit: site.unit, node: next.kind === 'return' ? (next.value ?? next) : next };
  }
  return undefined;
}
