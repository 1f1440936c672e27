import type { PythonModule, Span, Statement } from './ast.ts';
import { eachChildStatement } from './walk.ts';

/** A simple statement, or what a compound statement, a class or a function has before its body, over more than one line. */
export interface LogicalLine extends Span {
  readonly kind: 'statement' | 'header';
}

/** What stands on several lines, in source order, none inside another. Offsets are those of the text. Linear in the module. */
export function logicalLines({ text, units }: PythonModule): readonly LogicalLine[] {
  const found: LogicalLine[] = [];
  const add = (start: number, end: number, kind: LogicalLine['kind']): void => {
    const newline = text.indexOf('\n', start);
    if (newline >= 0 && newline < end) found.push({ start, end, kind });
  };
  const visit = (statement: Statement, base: number, depth: number): void => {
    const from = base + (statement.kind === 'function' || statement.kind === 'class' ? definitionStart(statement) : statement.start);
    let first: number | undefined;
    if (depth < 200) {
      eachChildStatement(statement, (child) => {
        first ??= child.start;
      });
    }
    if (first === undefined) {
      add(from, base + statement.end, 'statement');
      return;
    }
    add(from, headerEnd(text, from, base + first), 'header');
    eachChildStatement(statement, (child) => visit(child, base, depth + 1));
  };
  for (const { start, body } of units) visit(body.statement, start, 0);
  return found.sort((a, b) => a.start - b.start);
}

/** Decorators stand on lines of their own. */
const definitionStart = (statement: Statement & { kind: 'function' | 'class' }): number =>
  statement.decorators.length === 0 ? statement.start : statement.name.start;

/** The colon before the body, behind which only comments and white space stand. */
function headerEnd(text: string, start: number, body: number): number {
  let end = start;
  for (const line of text.slice(start, body).matchAll(/[^\r\n]+/g)) {
    const code = line[0].trimStart();
    if (code !== '' && !code.startsWith('#')) end = start + line.index + line[0].length;
  }
  return end;
}
