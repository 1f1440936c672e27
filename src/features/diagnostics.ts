import type { Finding, Related, Severity } from '../text/finding.ts';
import type { Range } from '../text/range.ts';
import type { Analysis } from '../workspace/analyse.ts';

/** Where the rules' pages stand; one page per rule, named by its code. */
export const documentationBase = 'https://github.com/headwise/headwise/blob/main/docs/rules/';

export const documentationOf = (finding: { readonly code: string }): string => `${documentationBase}${finding.code}.md`;

/** A finding as an editor shows it. */
export interface DiagnosticData {
  readonly range: Range;
  readonly severity: Severity;
  readonly code: string;
  readonly href: string;
  readonly message: string;
  readonly related: readonly Related[];
  readonly tags: readonly ('unnecessary' | 'deprecated')[];
}

/** The findings of a file for display. What the syntax reader could not read is left to the language's own support: it says so already. */
export function diagnostics(analysis: Analysis): DiagnosticData[] {
  return analysis.findings.map((finding) => ({
    range: visible(finding, analysis.parsed.text.length),
    severity: finding.severity,
    code: finding.code,
    href: documentationOf(finding),
    message: finding.message,
    related: finding.related,
    tags: finding.tags,
  }));
}

/** An empty range cannot be seen in most editors: it grows by one character. */
const visible = ({ range }: Finding, length: number): Range =>
  range.end > range.start
    ? range
    : range.start < length
      ? { start: range.start, end: range.start + 1 }
      : { start: Math.max(0, length - 1), end: length };
