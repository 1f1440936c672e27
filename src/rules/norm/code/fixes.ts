/** Fixes of norms and residuals, for the plain forms in which blocks are written; none where the code is of another form. */
import type { CodeReading } from '../../../interpreter/study.ts';
import type { Range } from '../../../text/range.ts';
import type { Report } from '../../rule.ts';

type Fix = NonNullable<Report<string>['fixes']>[number];

interface Line extends Range {
  readonly text: string;
}

/** The line around a place, without its break. */
function lineAt(text: string, offset: number): Line {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const next = text.indexOf('\n', offset);
  const end = next < 0 ? text.length : next;
  return { start, end, text: text.slice(start, end) };
}

const fix = (title: string, ...edits: readonly { readonly range: Range; readonly newText: string }[]): readonly Fix[] => [
  { title, safe: false, edits },
];

const replaced = ({ start, end }: Range, newText: string) => ({ range: { start, end }, newText });

/** The residual takes the stream before the norm, and the sublayer what the norm gives. */
export function unnormedResidual({ file }: CodeReading, norm: Range): readonly Fix[] {
  const { text } = file.module;
  const line = lineAt(text, norm.start);
  const title = 'Add to the stream before the norm';
  const sum = /^(\s*(?:\w+ = |return ))(self\.\w+)\((\w+)\)( \+ .*)$/.exec(line.text);
  if (sum !== null) return fix(title, replaced(line, `${sum[1]}${sum[3]}${sum[4]}`));
  const normed = /^(\s*)(\w+) = ([\w.]+)\((\w+)\)$/.exec(line.text);
  const [, indent, name, called, given] = normed ?? [];
  if (indent === undefined || name === undefined || called === undefined || given !== name || line.end >= text.length) return [];
  const next = lineAt(text, line.end + 1);
  const saved = new RegExp(`^${indent}(\\w+) = ${name}$`).exec(next.text);
  if (saved !== null) return fix(title, replaced({ start: line.start, end: next.end }, `${next.text}\n${line.text}`));
  const added = new RegExp(`^(${indent}${name} = ${name} \\+ )(.*\\b${name}\\b.*)$`).exec(next.text);
  const [, before, sublayer] = added ?? [];
  if (before === undefined || sublayer === undefined) return [];
  const inner = sublayer.replace(new RegExp(`(?<![\\w.])${name}(?!\\w)`, 'g'), `${called}(${name})`);
  return fix(title, replaced({ start: line.start, end: next.end }, `${before}${inner}`));
}

/** `x = f(x)` becomes `x = x + f(x)`. */
export function addedStream({ file }: CodeReading, at: Range): readonly Fix[] {
  const line = lineAt(file.module.text, at.start);
  const assigned = /^(\s*)(\w+) = ([\w.]+\(.*\))$/.exec(line.text);
  const [, indent, name, call] = assigned ?? [];
  if (indent === undefined || name === undefined || call === undefined) return [];
  if (!new RegExp(`[(,]\\s*${name}\\s*[,)]`).test(call)) return [];
  return fix('Add the stream back', replaced(line, `${indent}${name} = ${name} + ${call}`));
}

/** The sum carries on what the code calls `name`. */
export function carriedOn({ file }: CodeReading, at: Range, name: string | undefined): readonly Fix[] {
  const sum = /^(\w+)( \+ [\s\S]*)$/.exec(file.module.text.slice(at.start, at.end));
  return sum === null || name === undefined || sum[1] === name ? [] : fix(`Add to \`${name}\``, replaced(at, `${name}${sum[2]}`));
}

/** `head(x)` becomes `head(self.norm(x))`. */
export function normedFirst({ file }: CodeReading, at: Range, name: string): readonly Fix[] {
  const call = /^([\w.]+)\((\w+)\)$/.exec(file.module.text.slice(at.start, at.end));
  return call === null ? [] : fix(`Apply \`${name}\` first`, replaced(at, `${call[1]}(self.${name}(${call[2]}))`));
}

/** `norm(norm(x))` becomes `norm(x)`. */
export function normedOnce({ file }: CodeReading, outer: Range, inner: Range | undefined): readonly Fix[] {
  const { text } = file.module;
  if (inner === undefined || inner.start < outer.start || inner.end > outer.end) return [];
  const call = /^[\w.]+\(([\s\S]*)\)$/.exec(text.slice(inner.start, inner.end));
  return call?.[1] === undefined ? [] : fix('Leave out the inner norm', replaced(inner, call[1]));
}

/** A norm that is called as a statement: its result takes the place of what it was given. */
export function keptResult({ file }: CodeReading, at: Range): readonly Fix[] {
  const line = lineAt(file.module.text, at.start);
  const call = /^(\s*)([\w.]+\((\w+)\))$/.exec(line.text);
  return call === null ? [] : fix('Keep the result', replaced(line, `${call[1]}${call[3]} = ${call[2]}`));
}

/** The norm that nothing uses, in place of the one that is used twice. */
export function ownNorm({ file }: CodeReading, at: Range, unused: string | undefined): readonly Fix[] {
  const call = /^self\.\w+(\([\s\S]*)$/.exec(file.module.text.slice(at.start, at.end));
  return call === null || unused === undefined ? [] : fix(`Use \`${unused}\``, replaced(at, `self.${unused}${call[1]}`));
}

/** A flag that is turned round, or set to a constant, as it was given. */
export function flagAsGiven({ file }: CodeReading, at: Range, name: string): readonly Fix[] {
  const text = file.module.text.slice(at.start, at.end);
  const turned = /\bnot\s+(?=(?:[\w.]+\.)?\w+$|(?:[\w.]+\.)?\w+\s*$)/.exec(text);
  if (turned !== null) {
    const start = at.start + turned.index;
    return fix('Take the flag as it is', replaced({ start, end: start + turned[0].length }, ''));
  }
  const fixed = /^(self\.\w+\s*=\s*)(?:True|False)$/.exec(text);
  return fixed === null ? [] : fix('Take the flag as it is', replaced(at, `${fixed[1]}${name}`));
}
