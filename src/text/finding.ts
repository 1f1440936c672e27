import type { TextEdit } from './edit.ts';
import type { Range } from './range.ts';

export type Severity = 'error' | 'warning' | 'information' | 'hint';

/** A place that explains a finding: the line that set the other number. `file` absent means the same file. */
export interface Related {
  readonly range: Range;
  readonly message: string;
  readonly file?: OtherFile;
}

/** A file that a place is in, with the text that ranges in it are of. */
export interface OtherFile {
  /** A URI in editors; on the command line a path, as the user would write it. */
  readonly uri: string;
  readonly text: string;
}

/** What would mend a finding. Only safe fixes join `source.fixAll.headwise` and `--fix`. */
export interface Fix {
  /** Says what to do, with the computed value: "Use 8 KV heads". */
  readonly title: string;
  readonly safe: boolean;
  readonly edits: readonly TextEdit[];
}

/** One thing that is wrong, in one file. */
export interface Finding {
  /** Stable rule code, e.g. `HW101`. */
  readonly code: string;
  /** Rule name, e.g. `heads-do-not-divide-width`. */
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
  readonly range: Range;
  readonly related: readonly Related[];
  readonly fixes: readonly Fix[];
  readonly tags: readonly ('unnecessary' | 'deprecated')[];
}
