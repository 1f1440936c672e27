import type { CommandTarget } from './languageServer.ts';

/** What the calculator's panel and palette ask the language server: plain JSON both ways, every text ready to show. */

/** Sizes that are typed, on top of a stack of an open document where one is named. */
export interface ReportSide {
  readonly query: string;
  readonly base?: CommandTarget;
}

/** Request, client to server: everything that follows from a design, and from a second one beside it. */
export const reportRequest = 'headwise/report';

export interface ReportParams extends ReportSide {
  readonly second?: ReportSide;
}

/** Null where the base is no model config (any more). */
export interface ReportResult {
  readonly first: ReportAnswer;
  readonly second?: ReportAnswer;
}

export interface ReportAnswer {
  readonly query: string;
  /** What it is of: a class, a family, a published design's name; '' for sizes alone. */
  readonly title: string;
  /** The design in one line; '' where nothing is known. */
  readonly summary: string;
  readonly groups: readonly StepGroup[];
  readonly tables: readonly ReportTable[];
  /** Bytes of the cache against tokens. */
  readonly curves: readonly CacheCurve[];
  /** Parameters by part; they add up to the total. */
  readonly parts: readonly ReportPart[];
  /** What the numbers leave out, and why. */
  readonly notModelled: readonly string[];
  readonly problems: readonly ReportProblem[];
  /** What else would have to be given to say more; '' where nothing would. */
  readonly hint: string;
  /** Parts of the query that can be set by hand. */
  readonly controls: readonly ReportControl[];
}

export const amountUnits = ['count', 'parameters', 'elements', 'FLOPs', 'bytes', 'FLOPs per byte', 'nanoseconds'] as const;

/** An exact number: decimal digits, which a double may not hold. */
export interface Amount {
  readonly unit: (typeof amountUnits)[number];
  readonly digits: string;
}

/** Columns of the table that follows the data, in order. */
export const stepColumns = [
  'parameters',
  'forwardFlops',
  'backwardFlops',
  'activationBytes',
  'fusedActivationBytes',
  'deviceWeightBytes',
] as const;
export type StepColumn = (typeof stepColumns)[number];

/** Steps that data passes through once, or once in each of `count` layers. */
export interface StepGroup {
  readonly id: string;
  readonly label: string;
  readonly count: string;
  readonly steps: readonly ReportStep[];
  /** Sums over the steps, of one layer. */
  readonly sums: StepAmounts;
}

/** Decimal digits by column; what is not known is absent. */
export type StepAmounts = { readonly [K in StepColumn]?: string };

export interface ReportStep {
  /** Stable name: `queries`, `scores`, ... Steps of two designs are matched by it. */
  readonly id: string;
  readonly label: string;
  /** `[B, h, T, d_h]` */
  readonly symbolic: string;
  /** The same in numbers: decimal digits each. */
  readonly shape: readonly string[];
  readonly amounts: StepAmounts;
}

export interface ReportTable {
  /** Stable name: `totals`, `training`, `serving`, ... */
  readonly id: string;
  readonly title: string;
  /** Names of the columns after the first. */
  readonly columns: readonly string[];
  readonly rows: readonly ReportRow[];
}

export interface ReportRow {
  /** Stable name: `cacheBytesPerToken`, ... */
  readonly id: string;
  readonly label: string;
  /** The formula in symbols, or a remark; '' where there is none. */
  readonly detail: string;
  /** A cell a column: text, or an exact number. */
  readonly cells: readonly (string | Amount)[];
}

export interface CacheCurve {
  readonly label: string;
  /** The design keeps its cache so. */
  readonly own: boolean;
  /** Tokens of one sequence, and the cache's bytes as decimal digits. */
  readonly points: readonly (readonly [tokens: number, bytes: string])[];
}

export interface ReportPart {
  readonly id: string;
  readonly label: string;
  /** Decimal digits. */
  readonly parameters: string;
}

/** A part of the query that the panel offers to set. */
export interface ReportControl {
  readonly id: string;
  readonly label: string;
  /** Controls of a group stand together under its name. */
  readonly group: string;
  /** A number, one of the options, or a word that is there or not. */
  readonly kind: 'number' | 'choice' | 'flag';
  /** What is written in the query before a value: `T=`. A flag is this alone. */
  readonly prefix: string;
  /** What holds: digits, an option, the flag; '' where nothing does. */
  readonly value: string;
  /** What the query may say, and what it is called. */
  readonly options?: readonly (readonly [value: string, label: string])[];
  /** The part of the query that sets it, in UTF-16 offsets; absent where none does. */
  readonly range?: ReportRange;
}

export interface ReportRange {
  readonly start: number;
  readonly end: number;
}

export interface ReportProblem extends ReportRange {
  readonly message: string;
}

/** Request, client to server: what to calculate with, from where the cursor is. */
export const startRequest = 'headwise/calculatorStart';

export interface StartParams {
  readonly uri: string;
  readonly position: { readonly line: number; readonly character: number };
  /** Selected text; '' for none. */
  readonly selection: string;
}

export interface StartResult {
  /** The stack or block around the cursor. */
  readonly base?: CommandTarget;
  /** Sizes that the selection states; '' for none. */
  readonly query: string;
  /** Published designs, by their word in queries. */
  readonly presets: readonly string[];
}

/** Request, client to server: a result as text, or as edits of a document. */
export const writeRequest = 'headwise/calculatorText';

export const writeForms = ['markdown', 'latex', 'comment', 'keys'] as const;
export type WriteForm = (typeof writeForms)[number];

export interface WriteParams extends ReportSide {
  readonly form: WriteForm;
  /** The document to write into. */
  readonly target?: { readonly uri: string; readonly languageId: string; readonly isEmpty: boolean };
}

/** A text to copy or insert, edits of the document, or why there is neither. */
export interface WriteResult {
  readonly text?: string;
  readonly edits?: readonly {
    readonly range: { readonly start: StartParams['position']; readonly end: StartParams['position'] };
    readonly newText: string;
  }[];
  readonly problem?: string;
}

/** Request, client to server: whether the model's code, where it is in the workspace, has the parameters that were counted. */
export const compareRequest = 'headwise/compareCode';

export interface CompareParams extends CommandTarget {
  /** URIs of modules of the workspace in which the class may be: it is looked for beside the configuration first. */
  readonly modules?: readonly string[];
}

/** Null where there is no code, or it cannot be evaluated whole. */
export interface CompareResult {
  readonly text: string;
  /** Code and family do not agree. */
  readonly isProblem: boolean;
}
