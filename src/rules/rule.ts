import type { ConfigReading, TransformerDesign } from '../design/design.ts';
import type { CodeReading } from '../interpreter/study.ts';
import type { Site } from '../interpreter/value.ts';
import type { TextEdit } from '../text/edit.ts';
import type { OtherFile, Severity } from '../text/finding.ts';
import type { Range } from '../text/range.ts';

export type RuleCategory = 'heads' | 'projections' | 'norm' | 'positions' | 'kernels' | 'parallelism' | 'checkpoint' | 'file';

export interface RuleExample {
  readonly language: 'json' | 'yaml' | 'toml' | 'shell' | 'gin' | 'python';
  readonly code: string;
  /** Shapes of the BF16 checkpoint beside the file, by tensor name. */
  readonly tensors?: Readonly<Record<string, readonly number[]>>;
}

export interface RuleDocs {
  /** One sentence: what is reported. */
  readonly what: string;
  /** Why it is a defect, with what happens at run time. */
  readonly why: string;
  /** Each must give a finding of this rule. Run as tests. */
  readonly bad: readonly RuleExample[];
  /** Each must give none. Run as tests. */
  readonly good: readonly RuleExample[];
  readonly fixSafety?: string;
  readonly references: readonly string[];
}

export interface Report<M extends string> {
  readonly at: Range;
  readonly message: M;
  /** Fills `{name}` in the message's template. */
  readonly data?: Readonly<Record<string, string | number>>;
  /** Overrides the rule's own severity where the case is milder or graver. */
  readonly severity?: Severity;
  readonly related?: readonly { readonly range: Range | undefined; readonly message: string; readonly file?: OtherFile }[];
  readonly fixes?: readonly { readonly title: string; readonly safe: boolean; readonly edits: readonly TextEdit[] }[];
  readonly tags?: readonly ('unnecessary' | 'deprecated')[];
}

export interface RuleContext<M extends string> {
  readonly reading: ConfigReading;
  readonly settings: RuleSettings;
  readonly report: (report: Report<M>) => void;
}

/** What a rule about model code sees: the dataflow of everything the file's classes compute. */
export interface CodeContext<M extends string> {
  readonly code: CodeReading;
  readonly settings: RuleSettings;
  /** The range of a place in the file; undefined for a place in another file. */
  readonly rangeOf: (site: Site | undefined) => Range | undefined;
  readonly report: (report: Report<M>) => void;
}

/** What rules need from the user's settings. */
export interface RuleSettings {
  /** Parallel sizes that hold for every file; sizes written in a file win. */
  readonly parallel: {
    readonly tensor?: number;
    readonly pipeline?: number;
    readonly context?: number;
    readonly expert?: number;
    /** Whose rules for uneven splits hold where a file does not tell. */
    readonly stack?: 'megatron' | 'torchtitan' | 'vllm';
  };
}

/** One defect. One file per rule holds one constant of this type; everything else about rules is generated from the registry. */
export interface Rule<M extends string = string> {
  /** Stable, never reused: `HW101`. */
  readonly code: `HW${number}`;
  /** States the defect: `heads-do-not-divide-width`. */
  readonly name: string;
  readonly category: RuleCategory;
  readonly severity: Severity;
  /** A rule that says the same of a place with its sizes: of the two the graver is said, and of equals that one. */
  readonly restates?: `HW${number}`;
  /** Version that introduced it. */
  readonly since: string;
  readonly docs: RuleDocs;
  readonly messages: Readonly<Record<M, string>>;
  /** Called for each stack of the file. */
  readonly checkDesign?: (design: TransformerDesign, context: RuleContext<M>) => void;
  /** Called once per file. */
  readonly checkFile?: (context: RuleContext<M>) => void;
  /** Called once per file of model code. */
  readonly checkCode?: (context: CodeContext<M>) => void;
  /**
   * Called once per file of model code, with all of its studies, at every version of the file: for what is not told by one study, or
   * not by code. Must keep for itself what is costly.
   */
  readonly checkFileCode?: (context: Omit<CodeContext<M>, 'rangeOf'>) => void;
}

/** Keeps the message names of a rule's literal. */
export const defineRule = <const M extends string>(rule: Rule<M>): Rule<M> => rule;
