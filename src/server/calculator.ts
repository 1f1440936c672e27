import type { CancellationToken, Connection, ResponseError } from 'vscode-languageserver';
import { presetNames } from '../calculator/presets.ts';
import { type Report, report } from '../calculator/report.ts';
import type { ConfigReading, TransformerDesign } from '../design/design.ts';
import { designNameAt, queryOfSelection } from '../features/calculatorStart.ts';
import { configEdits, configText, resultLatex, resultMarkdown, shapeComment, type Written } from '../features/calculatorTexts.ts';
import { comparisonText } from '../features/codeComparison.ts';
import { english, type Translate } from '../features/messages.ts';
import { reportControls } from '../features/reportControls.ts';
import { reportGroups, reportTables } from '../features/reportTables.ts';
import { summarise } from '../features/summary.ts';
import {
  type CompareParams,
  type CompareResult,
  compareRequest,
  type ReportAnswer,
  type ReportParams,
  type ReportResult,
  type ReportSide,
  reportRequest,
  type StartParams,
  type StartResult,
  startRequest,
  type WriteParams,
  type WriteResult,
  writeForms,
  writeRequest,
} from '../protocol/calculator.ts';
import type { CommandTarget } from '../protocol/languageServer.ts';
import type { Analysis } from '../workspace/analyse.ts';
import { differingTensors } from '../workspace/code/compare.ts';
import type { FolderLoader } from '../workspace/code/loader.ts';
import { evaluateModel, readConfiguration } from '../workspace/code/model.ts';
import type { PythonReader } from '../workspace/python.ts';
import { toLspRange } from './convert.ts';
import type { View } from './views.ts';

/** Longer queries are cut. */
export const maximumQuery = 2000;

/** What is known of a base: a file's reading with the stack that is meant before the others. */
export interface Base {
  readonly reading: ConfigReading;
  readonly design: TransformerDesign;
}

/** The stack that a target means, among those of a configuration or the blocks of model code. */
export function baseOf(analysis: Analysis, designs: readonly TransformerDesign[], target: CommandTarget): Base | undefined {
  const design = designs.find(({ name }) => name === target.design) ?? designs[0];
  if (design === undefined) return undefined;
  const { reading, parsed } = analysis;
  if (reading?.designs.includes(design) === true)
    return { reading: { ...reading, designs: [design, ...reading.designs.filter((each) => each !== design)] }, design };
  // A block of code stands for a file of its own: nothing else is known of the model that it belongs to.
  return { reading: { parsed, format: 'python', dialect: 'python', designs: [design], parallelism: {}, root: design.section }, design };
}

/** Answers a panel's question. Undefined where a base that is named is not there. */
export async function answerReport(
  { second, ...first }: ReportParams,
  find: (target: CommandTarget) => Promise<Base | undefined>,
  t: Translate = english,
): Promise<ReportResult | undefined> {
  const answerOf = async ({ query, base }: ReportSide): Promise<ReportAnswer | undefined> => {
    const found = base === undefined ? undefined : await find(base);
    return base !== undefined && found === undefined ? undefined : toAnswer(query.slice(0, maximumQuery), found, t);
  };
  const one = await answerOf(first);
  const other = second === undefined ? undefined : await answerOf(second);
  if (one === undefined || (second !== undefined && other === undefined)) return undefined;
  return { first: one, ...(other === undefined ? {} : { second: other }) };
}

/** A report as plain JSON for the page. */
function toAnswer(query: string, base: Base | undefined, t: Translate): ReportAnswer {
  const found = report(query, base?.reading);
  return {
    query,
    title: found.title,
    summary: summarise({ role: base?.design.role ?? 'other', fields: found.design as TransformerDesign['fields'] }, t),
    groups: reportGroups(found, t),
    tables: reportTables(found, t),
    curves: found.cacheCurves.map(({ label, own, points }) => ({
      label,
      own,
      points: points.map(([tokens, bytes]) => [tokens, String(bytes)] as const),
    })),
    parts: found.parts.map(({ id, label, value }) => ({ id, label, parameters: String(value) })),
    notModelled: found.notModelled,
    problems: found.problems,
    hint: found.hint ?? '',
    controls: reportControls(query, t),
  };
}

/** Modules around a document. */
export interface CodeBeside {
  /** The document's folder, as the loader writes paths. */
  readonly folder: string;
  readonly loader: FolderLoader;
  readonly parse: PythonReader['parse'];
  /** Paths of open Python files with their texts. */
  readonly open: readonly { readonly path: string; readonly text: string }[];
  /** Modules elsewhere in the workspace, and what loads their imports. */
  readonly elsewhere?: readonly string[];
  readonly loaderOf?: (path: string) => FolderLoader;
  /** Resolves when files that were missing are there; undefined where none was. */
  readonly arriving?: () => Promise<void> | undefined;
}

/** Times that files may be asked for before a comparison is given up: packages are found folder by folder. */
const mostArrivals = 50;
/** Modules that a client may name. */
const mostModules = 1000;

/** Steps that evaluating a model may take: a large one with 60 layers takes fewer. */
const comparisonBudget = 1_500_000;

/** Holds the parameters of a configuration's class, as its code makes them, against those that were counted. */
export function compareCode({ reading }: Base, code: CodeBeside, t: Translate): CompareResult | undefined {
  const { folder, loader, parse, open } = code;
  const config = reading.format === 'json' ? readConfiguration(reading.parsed.text) : undefined;
  const counted = report('', reading);
  const [architecture] = Array.isArray(config?.architectures) ? (config.architectures as readonly unknown[]) : [];
  const named = typeof architecture === 'string' ? architecture : counted.class;
  if (config === undefined || named === null || !/^\w+$/.test(named)) return undefined;
  const mapped = Object.values(isRecord(config.auto_map) ? config.auto_map : {})
    .filter((value): value is string => typeof value === 'string')
    .map((value) => value.split('--').at(-1)?.split('.') ?? [])
    .find(([, name]) => name === named)?.[0];
  const definition = new RegExp(`^class ${named}\\b`, 'm');
  const opened = open.find(({ text }) => definition.test(text));
  const modules = [mapped, `modeling_${reading.root.string('model_type') ?? ''}`].filter((name) => name !== undefined);
  const beside =
    opened === undefined
      ? modules.map((name) => loader.open(`${folder}/${name}.py`)).find((each) => each !== undefined && definition.test(each.module.text))
      : loader.open(opened.path);
  const found = beside === undefined ? definedElsewhere(code, modules, definition) : { file: beside, loader };
  if (found === undefined) return undefined;
  const { file } = found;
  const answer = evaluateModel({ loader: found.loader, parse, file, className: named, config, budget: comparisonBudget });
  const differing = differingTensors(answer, counted.parameters);
  if (differing === undefined || counted.totals.parameters === undefined) return undefined;
  const shown = file.path.split(/[\\/]/).at(-1) ?? file.path;
  return comparisonText(differing, { className: named, file: shown, counted: BigInt(counted.totals.parameters) }, t);
}

/** The one module of the workspace, named as the configuration's code would be, that defines the class. Of copies that differ none is meant. */
function definedElsewhere(
  { elsewhere = [], loaderOf }: CodeBeside,
  modules: readonly string[],
  definition: RegExp,
): { readonly file: NonNullable<ReturnType<FolderLoader['open']>>; readonly loader: FolderLoader } | undefined {
  const names = new Set(modules.map((name) => `${name.slice(name.lastIndexOf('/') + 1)}.py`));
  const found = elsewhere.flatMap((path) => {
    if (loaderOf === undefined || !names.has(path.slice(path.lastIndexOf('/') + 1))) return [];
    const loader = loaderOf(path);
    const file = loader.open(path);
    return file !== undefined && definition.test(file.module.text) ? [{ file, loader }] : [];
  });
  return new Set(found.map(({ file }) => file.module.text)).size === 1 ? found[0] : undefined;
}

/** What the connection knows of its documents. */
export interface Documents {
  /** A document's text and analysis; undefined where it is closed, or no model. */
  readonly modelOf: (uri: string) => Promise<{ readonly document: View; readonly analysis: Analysis } | undefined>;
  /** The stacks of a configuration, and the blocks of model code. */
  readonly designsOf: (analysis: Analysis) => readonly TransformerDesign[];
  /** Resolves when layouts of classes are known. */
  readonly layouts: () => Promise<void> | undefined;
  readonly translate: () => Translate;
  /** Where modules beside a document, or among these, are found; with the Python files that are open. */
  readonly codeBeside: (uri: string, modules: readonly string[]) => Promise<CodeBeside | undefined>;
  /** Runs a handler; one that fails is logged and answers null. */
  readonly guarded: <T>(what: string, token: CancellationToken, otherwise: T, work: () => Promise<T>) => Promise<T | ResponseError<never>>;
}

/** Answers the requests of the calculator's panel and palette. */
export function serveCalculator(connection: Connection, { modelOf, designsOf, layouts, codeBeside, translate, guarded }: Documents): void {
  const find = async (target: CommandTarget): Promise<Base | undefined> => {
    const model = await modelOf(target.uri);
    if (model === undefined) return undefined;
    await layouts();
    return baseOf(model.analysis, designsOf(model.analysis), target);
  };
  connection.onRequest<ReportResult | null, never>(reportRequest, (params: unknown, token: CancellationToken) =>
    guarded<ReportResult | null>(reportRequest, token, null, async () =>
      isReportParams(params) ? ((await answerReport(params, find, translate())) ?? null) : null,
    ),
  );
  connection.onRequest<StartResult | null, never>(startRequest, (params: unknown, token: CancellationToken) =>
    guarded<StartResult | null>(startRequest, token, null, async () => {
      if (!isStartParams(params)) return null;
      const { uri, position, selection } = params;
      const model = await modelOf(uri);
      const design = model === undefined ? undefined : designNameAt(model.analysis, model.document.offsetAt(position));
      return { ...(design === undefined ? {} : { base: { uri, design } }), query: queryOfSelection(selection), presets: presetNames };
    }),
  );
  connection.onRequest<CompareResult | null, never>(compareRequest, (params: unknown, token: CancellationToken) =>
    guarded<CompareResult | null>(compareRequest, token, null, async () => {
      if (!isTarget(params)) return null;
      const { modules } = params as CompareParams;
      const listed = Array.isArray(modules) ? modules.filter((uri) => typeof uri === 'string').slice(0, mostModules) : [];
      for (let arrivals = 0; arrivals < mostArrivals; arrivals++) {
        const [base, code] = [await find(params), await codeBeside(params.uri, listed)];
        if (base === undefined || code === undefined || token.isCancellationRequested) return null;
        const compared = compareCode(base, code, translate());
        const arriving = code.arriving?.();
        // What is said while files are missing may rest on their absence.
        if (arriving === undefined) return compared ?? null;
        await arriving;
      }
      return null;
    }),
  );
  connection.onRequest<WriteResult | null, never>(writeRequest, (params: unknown, token: CancellationToken) =>
    guarded<WriteResult | null>(writeRequest, token, null, async () => {
      if (!isWriteParams(params)) return null;
      const t = translate();
      const base = params.base === undefined ? undefined : await find(params.base);
      const found = report(params.query.slice(0, maximumQuery), base?.reading);
      const model = params.form !== 'keys' || params.target === undefined ? undefined : await modelOf(params.target.uri);
      const written = writtenAs(params, found, model?.analysis, t);
      if (!('edits' in written)) return written;
      const { document } = model as NonNullable<typeof model>;
      return { edits: written.edits.flatMap(({ range, newText }) => ({ range: toLspRange(document, range), newText })) };
    }),
  );
}

function writtenAs({ form, query, base, target }: WriteParams, found: Report, analysis: Analysis | undefined, t: Translate): Written {
  if (form === 'markdown') return { text: resultMarkdown(found, t) };
  if (form === 'latex') return { text: resultLatex(found, t) };
  if (target === undefined) return { problem: '' };
  if (form === 'comment') return shapeComment(found, target.languageId, t);
  const reading = analysis?.reading;
  const design = reading?.designs.find(({ name }) => base?.uri === target.uri && name === base.design) ?? reading?.designs[0];
  if (reading === undefined || design === undefined) return configText(found, target.languageId, target.isEmpty);
  return configEdits(reading, design, query, t);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isTarget = (value: unknown): value is CommandTarget =>
  isRecord(value) && typeof value.uri === 'string' && typeof value.design === 'string';

const isSide = (value: unknown): value is ReportSide =>
  isRecord(value) && typeof value.query === 'string' && (value.base === undefined || isTarget(value.base));

const isReportParams = (value: unknown): value is ReportParams =>
  isSide(value) && isRecord(value) && (value.second === undefined || isSide(value.second));

const isPosition = (value: unknown): value is StartParams['position'] =>
  isRecord(value) && Number.isSafeInteger(value.line) && Number.isSafeInteger(value.character);

const isStartParams = (value: unknown): value is StartParams =>
  isRecord(value) && typeof value.uri === 'string' && isPosition(value.position) && typeof value.selection === 'string';

const isWriteParams = (value: unknown): value is WriteParams => {
  if (!isSide(value) || !isRecord(value) || !(writeForms as readonly unknown[]).includes(value.form)) return false;
  const { target } = value;
  return (
    target === undefined ||
    (isRecord(target) && typeof target.uri === 'string' && typeof target.languageId === 'string' && typeof target.isEmpty === 'boolean')
  );
};
