import type { ReportControl } from '../../src/protocol/calculator.ts';

/**
 * The query with a control set to a value; '' takes its part out. Where the query says it already it is said there, else at the end.
 * The control's range must be of this query.
 */
export function withControl(query: string, control: ReportControl, value: string): string {
  const written = value === '' ? '' : control.kind === 'flag' ? control.prefix : `${control.prefix}${value}`;
  const { range } = control;
  if (range === undefined) return written === '' ? query : `${query.trimEnd()} ${written}`.trimStart();
  const before = query.slice(0, range.start);
  const after = query.slice(range.end);
  return written === '' ? `${before.trimEnd()} ${after.trimStart()}`.trim() : before + written + after;
}
