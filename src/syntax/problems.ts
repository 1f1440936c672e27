import { range } from '../text/range.ts';
import type { SyntaxProblem } from './node.ts';

/** Nesting beyond any config; what lies deeper is not read, so that no later walk can exhaust the stack. */
export const maximumDepth = 200;

/** More problems than this tell a reader nothing; the rest are dropped. */
export const maximumProblems = 100;

/** Collects problems in any order; keeps the first hundred that are found. */
export class Problems {
  readonly #list: SyntaxProblem[] = [];

  get count(): number {
    return this.#list.length;
  }

  add(start: number, end: number, message: string): void {
    if (this.#list.length < maximumProblems) this.#list.push({ range: range(start, Math.max(start, end)), message });
  }

  /** In source order. */
  sorted(): readonly SyntaxProblem[] {
    return [...this.#list].sort((a, b) => a.range.start - b.range.start || a.range.end - b.range.end);
  }
}

/** Offset of the end of the line that holds `at`, its line break excluded. */
export function lineEnd(text: string, at: number): number {
  for (let i = at; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10 || code === 13) return i;
  }
  return text.length;
}

/** Offset of the first character of the line that holds `at`. */
export function lineStart(text: string, at: number): number {
  for (let i = at; i > 0; i--) {
    const code = text.charCodeAt(i - 1);
    if (code === 10 || (code === 13 && text.charCodeAt(i) !== 10)) return i;
  }
  return 0;
}
