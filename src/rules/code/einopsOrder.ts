/** Axes that einops patterns of one function put together in one order and take apart in another. */
import type { CodeReading } from '../../interpreter/study.ts';
import type { Site } from '../../interpreter/value.ts';
import { type EinopsPattern, parseEinops } from '../../syntax/einops.ts';
import type { Expression, Statement } from '../../syntax/python/ast.ts';
import { eachExpressionWithin } from '../../syntax/python/walk.ts';
import { functionsThatRan } from './places.ts';

export interface OddOrder {
  readonly site: Site;
  /** As the pattern has it, and as the others have it. */
  readonly order: string;
  readonly usual: string;
  readonly other: Site;
}

interface Group {
  readonly order: string;
  readonly isJoined: boolean;
  readonly node: Expression;
}

export function oddOrders(code: CodeReading): readonly OddOrder[] {
  const { file } = code;
  const found: OddOrder[] = [];
  for (const { definition, unit } of functionsThatRan(code)) {
    for (const groups of groupsByAxes(definition.body)) {
      const odd = oddOf(groups);
      if (odd === undefined) continue;
      const [one, other] = odd;
      found.push({
        site: { file, unit, node: one.node },
        order: one.order,
        usual: other.order,
        other: { file, unit, node: other.node },
      });
    }
  }
  return found;
}

/** The one that differs from all others, or that takes apart in another order what one before it has put together. */
function oddOf(groups: readonly Group[]): readonly [odd: Group, other: Group] | undefined {
  const orders = new Set(groups.map(({ order }) => order));
  // One pattern may change the order, which is then meant.
  const isChanged = groups.some(({ node, order }) => groups.some((each) => each.node === node && each.order !== order));
  if (orders.size !== 2 || isChanged) return undefined;
  for (const odd of groups) {
    const others = groups.filter(({ order }) => order !== odd.order);
    const [other] = others;
    if (other === undefined || others.length !== groups.length - 1) continue;
    if (others.length > 1 && others.some(({ isJoined }) => isJoined) && others.some(({ isJoined }) => !isJoined)) return [odd, other];
    if (!odd.isJoined && others.every(({ isJoined, node }) => isJoined && node.start < odd.node.start)) return [odd, other];
  }
  return undefined;
}

/** Axes in brackets of the patterns, those of the same names together. */
function groupsByAxes(body: readonly Statement[]): Iterable<readonly Group[]> {
  const byAxes = new Map<string, Group[]>();
  const add = (side: EinopsPattern['output'], isJoined: boolean, node: Expression): void => {
    for (const { axes } of side) {
      const names = axes.map((axis) => (axis.kind === 'name' ? axis.text : undefined));
      if (names.length < 2 || names.includes(undefined) || new Set(names).size < names.length) continue;
      const key = [...names].sort().join(' ');
      const all = byAxes.get(key) ?? [];
      byAxes.set(key, all);
      all.push({ order: names.join(' '), isJoined, node });
    }
  };
  for (const statement of body)
    eachExpressionWithin(statement, (each) => {
      if (each.kind !== 'call') return;
      const { callee } = each;
      const name = callee.kind === 'name' ? callee.name : callee.kind === 'attribute' ? callee.name.name : '';
      const written = /^(?:rearrange|repeat|reduce)$/.test(name) ? each.arguments[1]?.value : undefined;
      const pattern = written?.kind === 'string' && written.value !== undefined ? parseEinops(written.value) : undefined;
      if (written === undefined || pattern === undefined) return;
      for (const side of pattern.inputs) add(side, false, each);
      add(pattern.output, true, each);
    });
  return byAxes.values();
}
