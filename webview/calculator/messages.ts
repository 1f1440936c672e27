/** Messages between the extension and the calculator's page, both ways. Every message is checked with these guards at both ends. */
import {
  type Amount,
  amountUnits,
  type CacheCurve,
  type ReportAnswer,
  type ReportControl,
  type ReportPart,
  type ReportProblem,
  type ReportRange,
  type ReportResult,
  type ReportRow,
  type ReportSide,
  type ReportStep,
  type ReportTable,
  type StepAmounts,
  type StepGroup,
  stepColumns,
} from '../../src/protocol/calculator.ts';
import type { CommandTarget } from '../../src/protocol/languageServer.ts';
import { type Guard, isBoolean, isExactly, isInteger, isListOf, isOneOf, isOptional, isShape, isString, isStrings } from '../guards.ts';

/** A side as the page keeps it: what is typed, on top of what, and what that is called. */
export interface PageSide extends ReportSide {
  /** Name of the base; '' without one. */
  readonly name: string;
}

/** What the page is to ask for. */
export interface PageQuestion extends PageSide {
  readonly second?: PageSide;
}

export type ToCalculator =
  /** Show this. */
  | { readonly kind: 'open'; readonly question: PageQuestion }
  /** Another base was picked for a side: a document's stack, or a published design by its word in queries. */
  | { readonly kind: 'picked'; readonly side: Side; readonly base?: CommandTarget; readonly name: string; readonly preset: string }
  /** The answer to the question of this number; without a result the base could not be read, or the server does not answer. */
  | { readonly kind: 'report'; readonly asked: number; readonly result?: ReportResult; readonly failure: string }
  /** What the code of the first design's model says of its parameters; '' where nothing. */
  | { readonly kind: 'code'; readonly text: string; readonly isProblem: boolean }
  /** What was asked for may have another answer now. */
  | { readonly kind: 'outdated' };

export const sides = ['first', 'second'] as const;
export type Side = (typeof sides)[number];

/** What can be done with a result besides looking at it. */
export const calculatorActions = ['markdown', 'latex', 'comment', 'keys', 'preview'] as const;
export type CalculatorAction = (typeof calculatorActions)[number];

export type FromCalculator =
  /** The page listens; the extension answers with 'open' where it has something to show. */
  | { readonly kind: 'ready' }
  /** Answered with 'report'. */
  | { readonly kind: 'ask'; readonly asked: number; readonly question: PageQuestion }
  | { readonly kind: 'act'; readonly action: CalculatorAction; readonly question: PageSide }
  /** Let a config or a preset be picked; answered with 'picked'. */
  | { readonly kind: 'pick'; readonly side: Side }
  /** Show where the base is written. */
  | { readonly kind: 'reveal'; readonly base: CommandTarget }
  /** Something failed that a log should hold. */
  | { readonly kind: 'error'; readonly message: string };

const isDigits: Guard<string> = (value): value is string => typeof value === 'string' && /^-?\d{1,200}$/.test(value);
const isOffset: Guard<number> = (value): value is number => isInteger(value) && value >= 0;

const isTarget = isShape<CommandTarget>({ uri: isString, design: isString });
const pageSide = { query: isString, base: isOptional(isTarget), name: isString };
const isPageSide = isShape<PageSide>(pageSide);
export const isPageQuestion = isShape<PageQuestion>({ ...pageSide, second: isOptional(isPageSide) });

const isAmount = isShape<Amount>({ unit: isExactly(...amountUnits), digits: isDigits });
const amountGuards = Object.fromEntries(stepColumns.map((name) => [name, isOptional(isDigits)] as const));
const isAmounts = isShape<StepAmounts>(amountGuards as Parameters<typeof isShape<StepAmounts>>[0]);
const isStep = isShape<ReportStep>({ id: isString, label: isString, symbolic: isString, shape: isListOf(isDigits), amounts: isAmounts });
const isGroup = isShape<StepGroup>({ id: isString, label: isString, count: isDigits, steps: isListOf(isStep), sums: isAmounts });
const isRow = isShape<ReportRow>({
  id: isString,
  label: isString,
  detail: isString,
  cells: isListOf((cell): cell is string | Amount => isString(cell) || isAmount(cell)),
});
const isTable = isShape<ReportTable>({ id: isString, title: isString, columns: isStrings, rows: isListOf(isRow) });
const isPoint: Guard<readonly [number, string]> = (value): value is readonly [number, string] =>
  Array.isArray(value) && value.length === 2 && isOffset(value[0]) && isDigits(value[1]);
const isCurve = isShape<CacheCurve>({ label: isString, own: isBoolean, points: isListOf(isPoint) });
const isPart = isShape<ReportPart>({ id: isString, label: isString, parameters: isDigits });
const isProblem = isShape<ReportProblem>({ start: isOffset, end: isOffset, message: isString });
const isControl = isShape<ReportControl>({
  id: isString,
  label: isString,
  group: isString,
  kind: isExactly('number', 'choice', 'flag'),
  prefix: isString,
  value: isString,
  options: isOptional(
    isListOf(
      (option): option is readonly [string, string] =>
        Array.isArray(option) && option.length === 2 && option.every((part) => isString(part)),
    ),
  ),
  range: isOptional(isShape<ReportRange>({ start: isOffset, end: isOffset })),
});
const isAnswer = isShape<ReportAnswer>({
  query: isString,
  title: isString,
  summary: isString,
  groups: isListOf(isGroup),
  tables: isListOf(isTable),
  curves: isListOf(isCurve),
  parts: isListOf(isPart),
  notModelled: isListOf(isString),
  problems: isListOf(isProblem),
  hint: isString,
  controls: isListOf(isControl),
});
const isResult = isShape<ReportResult>({ first: isAnswer, second: isOptional(isAnswer) });

type Of<Message extends { readonly kind: string }, K> = Extract<Message, { readonly kind: K }>;

const toCalculator: { readonly [K in ToCalculator['kind']]: Guard<Of<ToCalculator, K>> } = {
  open: isShape<Of<ToCalculator, 'open'>>({ kind: isExactly('open'), question: isPageQuestion }),
  picked: isShape<Of<ToCalculator, 'picked'>>({
    kind: isExactly('picked'),
    side: isExactly(...sides),
    base: isOptional(isTarget),
    name: isString,
    preset: isString,
  }),
  report: isShape<Of<ToCalculator, 'report'>>({
    kind: isExactly('report'),
    asked: isOffset,
    result: isOptional(isResult),
    failure: isString,
  }),
  code: isShape<Of<ToCalculator, 'code'>>({ kind: isExactly('code'), text: isString, isProblem: isBoolean }),
  outdated: isShape<Of<ToCalculator, 'outdated'>>({ kind: isExactly('outdated') }),
};

const fromCalculator: { readonly [K in FromCalculator['kind']]: Guard<Of<FromCalculator, K>> } = {
  ready: isShape<Of<FromCalculator, 'ready'>>({ kind: isExactly('ready') }),
  ask: isShape<Of<FromCalculator, 'ask'>>({ kind: isExactly('ask'), asked: isOffset, question: isPageQuestion }),
  act: isShape<Of<FromCalculator, 'act'>>({ kind: isExactly('act'), action: isExactly(...calculatorActions), question: isPageSide }),
  pick: isShape<Of<FromCalculator, 'pick'>>({ kind: isExactly('pick'), side: isExactly(...sides) }),
  reveal: isShape<Of<FromCalculator, 'reveal'>>({ kind: isExactly('reveal'), base: isTarget }),
  error: isShape<Of<FromCalculator, 'error'>>({ kind: isExactly('error'), message: isString }),
};

/** Whether the extension may have sent this to the page. */
export const isToCalculator = (value: unknown): value is ToCalculator => isOneOf<ToCalculator>(toCalculator, value);

/** Whether the page may have sent this to the extension. */
export const isFromCalculator = (value: unknown): value is FromCalculator => isOneOf<FromCalculator>(fromCalculator, value);
