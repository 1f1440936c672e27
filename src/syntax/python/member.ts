/** The part of a class that a change touches: one statement of its body. The rest of a long class need not be read again. */
import type { ClassDefinition, PythonModule, Span, Statement, Unit } from './ast.ts';

/** Stands where the class did, so that a statement of its body is parsed where one may stand. */
const header = 'class _:\n';

/** A statement of a class body, alone on its lines. */
export interface Member {
  readonly class: ClassDefinition;
  readonly index: number;
  /** The first and the last line that are its own, with the comments behind it: `[start, end)` of the text before the change. */
  readonly start: number;
  readonly end: number;
  /** The spaces before the next statement of the body; undefined for the last one. */
  readonly indent: string | undefined;
}

/** The member of the class that holds all of `[start, end)`; undefined where there is none, or other code shares its lines. */
export function memberAround(
  { text }: Pick<PythonModule, 'text'>,
  unit: Unit,
  start: number,
  end: number,
  unitEnd: number,
): Member | undefined {
  const { statement } = unit.body;
  if (statement.kind !== 'class') return undefined;
  const { body } = statement;
  const index = body.findLastIndex((each) => unit.start + each.start < start);
  const [member, next] = [body[index], body[index + 1]];
  if (member === undefined || end >= unit.start + member.end) return undefined;
  const own = lineBefore(text, unit.start + member.start);
  if (own === undefined || own.start <= unit.start + statement.name.end) return undefined;
  if (next === undefined) return { class: statement, index, start: own.start, end: unitEnd, indent: undefined };
  const behind = lineBefore(text, unit.start + next.start);
  return behind === undefined ? undefined : { class: statement, index, start: own.start, end: behind.start, indent: behind.indent };
}

/** The line that begins with what stands at `at`; undefined where something stands before it. */
function lineBefore(text: string, at: number): { readonly start: number; readonly indent: string } | undefined {
  const start = text.lastIndexOf('\n', at - 1) + 1;
  const indent = text.slice(start, at);
  return /^[ \t]+$/.test(indent) ? { start, indent } : undefined;
}

/** The text to parse for the member whose lines are now `lines`. */
export const aloneInClass = ({ indent }: Member, lines: string): string =>
  `${header}${lines}${indent === undefined ? '' : `${indent}pass\n`}`;

/** Where the text to parse would begin, so that the member stands where it does. */
export const placeOfText = ({ start }: Member): number => start - header.length;

/**
 * The class with the member as it is in `parsed`, what was made of `aloneInClass`, whose lines are now `length` long. Undefined where
 * these lines no longer hold one statement of the body.
 */
export function withMember(member: Member, parsed: Unit, unit: Unit, length: number): Unit | undefined {
  const { class: before, index, start, end, indent } = member;
  const { statement, comments } = parsed.body;
  const [now, following] = statement.kind === 'class' ? statement.body : [];
  if (statement.kind !== 'class' || now === undefined || statement.body.length !== (indent === undefined ? 1 : 2)) return undefined;
  const linesEnd = header.length + length;
  if (following !== undefined && following.start !== linesEnd + (indent?.length ?? 0)) return undefined;
  const to = start - unit.start - header.length;
  const shift = length - (end - start);
  const isLast = indent === undefined;
  const from = end - unit.start;
  const body = before.body.map((each, i): Statement => (i < index ? each : i === index ? moved(now, to) : moved(each, shift)));
  return {
    start: unit.start,
    body: {
      statement: { ...before, end: isLast ? statement.end + to : before.end + shift, body },
      comments: [
        ...unit.body.comments.filter((each) => each.start < start - unit.start),
        ...comments.map((each) => moved(each, to)),
        ...unit.body.comments.filter((each) => each.start >= from).map((each) => moved(each, shift)),
      ],
      hasErrors: false,
    },
  };
}

/** The same tree, or the same range, further on. */
export function moved<Node extends Span>(node: Node, by: number): Node {
  return by === 0 ? node : (movedPart(node, by) as Node);
}

function movedPart(part: unknown, by: number): unknown {
  if (Array.isArray(part)) return part.map((each) => movedPart(each, by));
  if (typeof part !== 'object' || part === null) return part;
  const copy: Record<string, unknown> = {};
  for (const key in part) {
    const value = (part as Record<string, unknown>)[key];
    const isPlace = typeof value === 'number' && (key === 'start' || key === 'end');
    copy[key] = isPlace ? value + by : movedPart(value, by);
  }
  return copy;
}
