/** What is looked for in a text before it is parsed: code that no parser should be given. */

/** Deeper brackets than any code has: the parser would take minutes on them. */
const maximumNesting = 300;
/** Lines of nothing but comments, one after the other, from which on the parser is not given them: its time grows with their square. */
const maximumComments = 200;

/**
 * The text with spaces for the comments in rows longer than `maximumComments`; itself where there is no such row. Places stay what they
 * are. Lines with three quotation marks stay, too: they may end a string. Undefined where too many of them do.
 */
export function withoutLongComments(text: string): string | undefined {
  let row: { readonly from: number; readonly to: number }[] = [];
  let copied = 0;
  let shortened = '';
  let isTooLong = false;
  const close = (): void => {
    if (row.length > maximumComments) {
      let stay = 0;
      for (const { from, to } of row) {
        if (/"""|'''/.test(text.slice(from, to))) stay++;
        else {
          shortened += text.slice(copied, from) + ' '.repeat(to - from);
          copied = to;
        }
      }
      isTooLong ||= stay > maximumComments;
    }
    row = [];
  };
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const to = newline < 0 ? text.length : newline;
    let from = start;
    while (from < to && (text.charCodeAt(from) === 32 || text.charCodeAt(from) === 9)) from++;
    const code = text.charCodeAt(from);
    if (from < to && code === 35) row.push({ from, to });
    else if (from < to && code !== 13 && row.length > 0) close();
    start = to + 1;
  }
  close();
  if (isTooLong) return undefined;
  return copied === 0 ? text : shortened + text.slice(copied);
}

/** Whether brackets nest deeper than `maximumNesting`. Those in strings count too, so a line that starts with a letter starts anew. */
export function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10) {
      if (startsAnew(text, i + 1)) depth = 0;
    } else if (code === 40 || code === 91 || code === 123) {
      if (++depth > maximumNesting) return true;
    } else if ((code === 41 || code === 93 || code === 125) && depth > 0) depth--;
  }
  return false;
}

/** Whether a line is taken to begin a statement of its own, outside all brackets: it starts with a letter, with `_` or with `@`. */
export function startsAnew(text: string, line: number): boolean {
  const code = text.charCodeAt(line);
  return (code >= 64 && code <= 90) || code === 95 || (code >= 97 && code <= 122);
}
