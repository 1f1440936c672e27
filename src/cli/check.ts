import { promises as fs, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, relative, resolve } from 'node:path';
import { readCheckpointBeside } from '../checkpoint/node.ts';
import { rules } from '../rules/registry.ts';
import { parseNotebook } from '../syntax/notebook.ts';
import { maximumLength } from '../syntax/read.ts';
import type { Severity } from '../text/finding.ts';
import { type Analysis, analyse, needsPython } from '../workspace/analyse.ts';
import type { ValuesFile } from '../workspace/code/given.ts';
import type { FolderLoaders } from '../workspace/code/loader.ts';
import { folderLoaders } from '../workspace/code/node.ts';
import { configFor, isExcluded } from '../workspace/filter.ts';
import { levelOf, selects } from '../workspace/levels.ts';
import { loadPython } from '../workspace/node.ts';
import { analyseNotebook, isNotebook, isOfNotebook } from '../workspace/notebook.ts';
import { levels, parallelStacks, selectorProblem } from '../workspace/projectSettings.ts';
import type { Settings } from '../workspace/settings.ts';
import { makeBaseline, parseBaseline, subtractBaseline } from './baseline.ts';
import { decode, encoderOf } from './encoding.ts';
import { type FoundFile, findFiles, mapBounded, readBytes, readStream, reasonOf, sizeLimit, slashes, type Unread } from './files.ts';
import { type FixResult, fixText } from './fix.ts';
import { has, lastOf, listOf, type ParsedOptions, sizeOf, UsageError } from './options.ts';
import type { Output } from './output.ts';
import { type LocatedSettings, settingsSource } from './projectSettings.ts';
import { count, type FileReport, isAtLeast, type Report } from './report.ts';
import { packageInfo } from './version.ts';

/** What came of one input. */
interface Checked {
  readonly report: FileReport;
  readonly original: string;
  readonly fix: FixResult | undefined;
  readonly bytes: Buffer;
}

interface Failed {
  readonly unread: Unread;
}

type Level = 'error' | 'warning' | 'information';

interface LocatedFile {
  readonly settings: Settings;
  /** What the settings' globs are relative to. */
  readonly root: string;
  readonly relativePath: string;
}

/** Checks files by what the command line says. */
interface Checker {
  readonly source: ReturnType<typeof settingsSource>;
  readonly settingsOf: (path: string) => LocatedFile;
  readonly checkBytes: (file: FoundFile, bytes: Buffer | { readonly reason: string }) => Promise<Checked | Failed>;
}

function checker(options: ParsedOptions, note: (problem: string) => void): Checker {
  const unsafe = has(options, 'unsafe-fixes');
  const diff = has(options, 'diff');
  const fixing = has(options, 'fix') && !diff;
  const source = settingsSource({ config: lastOf(options, 'config'), isolated: has(options, 'isolated') }, commandSettings(options));
  const adjust = ruleChoice(options);
  const adjusted = new Map<LocatedSettings, Settings>();
  const settingsOf = (path: string): LocatedFile => {
    const located = source.forFile(path);
    let settings = adjusted.get(located);
    if (settings === undefined) {
      settings = adjust(located.settings);
      adjusted.set(located, settings);
    }
    return { settings, root: located.root, relativePath: slashes(relative(located.root, path)) };
  };

  let loaders: FolderLoaders | undefined;
  const checkBytes: Checker['checkBytes'] = async (file, bytes) => {
    const fail = (reason: string): Failed => ({ unread: { file: file.name, reason, named: file.named } });
    if (!Buffer.isBuffer(bytes)) return fail(bytes.reason);
    const decoded = decode(bytes, sizeLimit(file.path));
    if ('reason' in decoded) return fail(decoded.reason);
    const original = decoded.text;
    const { settings, root, relativePath } = settingsOf(file.path);
    const inNotebook = isNotebook(file.path);
    const code = inNotebook ? { text: parseNotebook(original).text, languageId: 'python' } : { text: original };
    const python = needsPython({ ...code, path: relativePath }) ? await loadPython(note) : undefined;
    if (python !== undefined) loaders ??= folderLoaders(python.parse);
    const loader = loaders?.of(file.path);
    const shown = (path: string): string => slashes(relative(process.cwd(), path));
    const imports = loader === undefined ? undefined : { name: loader.nameOf(file.path), loader, shown };
    const config = python === undefined ? undefined : configFor(relativePath, settings);
    const values = config === undefined ? undefined : readValues(resolve(root, config), shown);
    const checkpoint = () => readCheckpointBeside(file.path);
    const run = (text: string): Analysis => {
      const input = { text, path: relativePath, python, imports, values: () => values, checkpoint };
      return inNotebook ? analyseNotebook(input, settings, file.name) : analyse(input, settings);
    };
    try {
      const fix = fixing || diff ? fixText(original, run, { unsafe }) : undefined;
      const analysis = fix?.analysis ?? run(original);
      const text = fix?.text ?? original;
      const { cells = undefined, unread = undefined } = isOfNotebook(analysis) ? analysis : {};
      if (unread !== undefined) return fail(`It is no notebook. ${unread}`);
      const report = {
        file: file.name,
        path: file.path,
        text,
        isModel: analysis.reading !== undefined || analysis.code !== undefined,
        findings: analysis.findings,
        ...(cells === undefined ? {} : { cells }),
      };
      return { report, original, fix, bytes };
    } catch (error) {
      return fail(`The analysis failed: ${error instanceof Error ? error.message : String(error)}. Please report this.`);
    }
  };

  return { source, settingsOf, checkBytes };
}

/** A configuration that gives numbers to model code; undefined where there is none that can be read. */
function readValues(path: string, shown: (path: string) => string): ValuesFile | undefined {
  try {
    if (!statSync(path).isFile() || statSync(path).size > maximumLength) return undefined;
    const decoded = decode(readFileSync(path));
    return 'reason' in decoded ? undefined : { uri: shown(path), text: decoded.text };
  } catch {
    return undefined;
  }
}

/** Python files from which on the work is shared: starting a worker costs as much as some ten of them. */
const manyFiles = 24;

/** Checks the Python files in workers and the others here; answers in the order of the files. */
async function checkAll(
  files: readonly FoundFile[],
  options: ParsedOptions,
  { checkBytes }: Checker,
): Promise<readonly (Checked | Failed)[]> {
  const here = async (file: FoundFile): Promise<Checked | Failed> => checkBytes(file, await readBytes(file.path));
  const python = files.filter(({ path }) => path.endsWith('.py'));
  const jobs = Math.min(sizeOf(options, 'jobs') ?? Math.min(4, availableParallelism()), Math.ceil(python.length / (manyFiles / 2)));
  if (jobs < 2 || python.length < manyFiles || has(options, 'fix') || has(options, 'diff')) return mapBounded(files, here);
  const { inWorkers } = await import('./workers.ts');
  const shared = inWorkers<FoundFile, Checked | Failed>(python, [...options.values], jobs);
  const others = await mapBounded(
    files.filter((file) => !python.includes(file)),
    here,
  );
  const checked = await shared;
  let nextPython = 0;
  let nextOther = 0;
  return files.map((file) => (file.path.endsWith('.py') ? checked[nextPython++] : others[nextOther++]) as Checked | Failed);
}

/** The work of one worker: the same check, file by file. */
export function checkInWorker(values: ParsedOptions['values']): (file: FoundFile) => Promise<Checked | Failed> {
  const { checkBytes } = checker({ positionals: [], values }, (problem) => process.stderr.write(`headwise: ${problem}\n`));
  return async (file) => {
    const outcome = await checkBytes(file, await readBytes(file.path));
    // The text goes back only where findings are shown with it.
    if ('unread' in outcome || outcome.report.findings.length > 0) return outcome;
    return { report: { ...outcome.report, text: '' }, original: '', fix: undefined, bytes: Buffer.alloc(0) };
  };
}

/** `headwise check`. Resolves to the exit status; throws UsageError. */
export async function check(options: ParsedOptions, output: Output): Promise<number> {
  const paths = options.positionals.length === 0 ? ['.'] : options.positionals;
  const fromStdin = paths.includes('-');
  const stdinName = lastOf(options, 'stdin-filename');
  const format = lastOf(options, 'format') ?? 'text';
  const failOn = (lastOf(options, 'fail-on') ?? 'error') as Level | 'never';
  const diff = has(options, 'diff');
  const fixing = has(options, 'fix') && !diff;
  if (fromStdin && paths.length > 1) throw new UsageError('Standard input (-) cannot be mixed with other paths.');
  if (has(options, 'write-baseline') && (fixing || diff)) throw new UsageError('--write-baseline does not go with --fix or --diff.');
  const baselineFile = lastOf(options, 'baseline') ?? (has(options, 'write-baseline') ? 'headwise-baseline.json' : undefined);
  const baseline = baselineFile === undefined || has(options, 'write-baseline') ? undefined : await readBaseline(baselineFile);

  const { source, settingsOf, checkBytes } = checker(options, output.note);

  const unread: Unread[] = [];
  let outcomes: readonly (Checked | Failed)[];
  if (fromStdin) {
    const name = stdinName ?? '-';
    const file: FoundFile = { name: slashes(name), path: resolve(stdinName ?? 'stdin'), named: true };
    outcomes = [await checkBytes(file, await readStream(process.stdin))];
  } else {
    const walked = await findFiles(paths, {
      gitignore: !has(options, 'no-gitignore'),
      isExcluded: (path) => {
        const { settings, relativePath } = settingsOf(path);
        return settings.exclude.length > 0 && isExcluded(relativePath, settings);
      },
    });
    unread.push(...walked.unread);
    outcomes = await checkAll(walked.files, options, { source, settingsOf, checkBytes });
    if (walked.files.length === 0 && walked.unread.length === 0) output.note('No configuration files were found there.');
  }
  const checked: Checked[] = [];
  for (const outcome of outcomes) {
    if ('unread' in outcome) unread.push(outcome.unread);
    else checked.push(outcome);
  }
  for (const problem of source.problems) output.note(problem);

  let fixedFindings = 0;
  let fixedFiles = 0;
  for (const item of checked) {
    const { fix, original, report } = item;
    if (fix === undefined || fix.text === original) continue;
    if (diff) {
      const { unifiedDiff } = await import('./diff.ts');
      output.write(unifiedDiff(original, fix.text, report.file, report.file));
    } else if (fromStdin) {
      // Written below, changed or not.
    } else {
      const encode = encoderOf(item.bytes);
      if (encode === undefined || report.path === undefined) {
        unread.push({ file: report.file, reason: 'Its fixes were not written: its encoding cannot be kept.', named: true });
        continue;
      }
      try {
        await fs.writeFile(report.path, encode(fix.text));
      } catch (error) {
        unread.push({ file: report.file, reason: `Its fixes were not written. ${reasonOf(error)}`, named: true });
        continue;
      }
    }
    fixedFindings += fix.applied;
    fixedFiles++;
  }

  let files: readonly FileReport[] = checked.map(({ report }) => report).filter((report) => report.findings.length > 0);
  if (has(options, 'write-baseline') && baselineFile !== undefined) return writeBaseline(baselineFile, files, unread, output);
  let known = 0;
  if (baseline !== undefined && baselineFile !== undefined) {
    const nameOf = baselineNames(baselineFile);
    ({ files, known } = subtractBaseline(files, baseline, nameOf));
    files = files.filter((file) => file.findings.length > 0);
  }
  const report: Report = {
    files,
    filesRead: checked.length,
    modelFiles: checked.filter((item) => item.report.isModel).length,
    unread,
    known,
    fixed: { findings: fixedFindings, files: fixedFiles },
  };

  const stdoutTaken = diff || (fromStdin && fixing);
  if (fromStdin && fixing) for (const { fix, original } of checked) output.write(fix?.text ?? original);
  await render(report, format, { options, output, fixing, diff, unsafe: has(options, 'unsafe-fixes'), stdoutTaken });
  if (format === 'text') {
    for (const { file, reason } of unread) output.note(`${file} was not read. ${reason}`);
    for (const { report: item } of checked.filter(({ report: item }) => !item.isModel && isNamed(paths, item)).slice(0, 10)) {
      if (!has(options, 'quiet')) output.note(`${item.file} is not a model configuration; nothing was checked.`);
    }
  } else
    for (const { file, reason } of unread)
      if (format !== 'json' || has(options, 'output-file')) output.note(`${file} was not read. ${reason}`);

  if (unread.some(({ named }) => named) || source.problems.length > 0) return 2;
  if (diff && fixedFiles > 0) return 1;
  if (failOn === 'never') return 0;
  return files.some((file) => file.findings.some((finding) => isAtLeast(finding.severity, failOn))) ? 1 : 0;
}

const isNamed = (paths: readonly string[], file: FileReport): boolean =>
  paths.some((path) => file.path !== undefined && (path === '-' || resolve(path) === file.path));

interface RenderContext {
  readonly options: ParsedOptions;
  readonly output: Output;
  readonly fixing: boolean;
  readonly diff: boolean;
  readonly unsafe: boolean;
  /** Something else is on standard output already: a diff, or the fixed text of standard input. */
  readonly stdoutTaken: boolean;
}

/** Hints are for the editor, where they are three dots under a word; in a log they would drown what matters. JSON and SARIF keep them. */
const withoutHints = (report: Report): Report => ({
  ...report,
  files: report.files.map((file) => ({ ...file, findings: file.findings.filter(({ severity }) => severity !== 'hint') })),
});

async function render(report: Report, format: string, context: RenderContext): Promise<void> {
  const { options, output, fixing, diff, unsafe, stdoutTaken } = context;
  const chunks: string[] = [];
  if (format === 'json') chunks.push((await import('./formats/json.ts')).renderJson(report));
  else if (format === 'sarif') {
    const { version, homepage } = packageInfo;
    chunks.push((await import('./formats/sarif.ts')).renderSarif(report, version, homepage));
  } else if (format === 'github') {
    const root = process.env.GITHUB_WORKSPACE ?? process.cwd();
    const nameOf = (file: string, path: string | undefined): string => {
      const below = path === undefined ? file : slashes(relative(root, path));
      return below.startsWith('..') ? file : below;
    };
    for (const line of (await import('./formats/github.ts')).renderGithub(withoutHints(report), nameOf)) chunks.push(line);
  } else {
    const { renderText } = await import('./formats/text.ts');
    const color = lastOf(options, 'output-file') === undefined && (stdoutTaken ? output.colorErr : output.colorOut);
    const quiet = has(options, 'quiet');
    // A diff says what would change; findings stay for the run without it.
    const shown = diff ? { ...report, files: [] } : withoutHints(report);
    const settings = { color, quiet: quiet || diff, statistics: has(options, 'statistics'), fixing: fixing || diff, unsafe };
    for (const part of renderText(shown, settings)) chunks.push(part);
    if (diff && !quiet)
      chunks.push(
        report.fixed.files === 0
          ? 'Nothing to fix.\n'
          : `Would fix ${count(report.fixed.findings, 'finding')} in ${count(report.fixed.files, 'file')}.\n`,
      );
  }
  const text = chunks.join('');
  const file = lastOf(options, 'output-file');
  if (file !== undefined) {
    try {
      await fs.writeFile(file, text);
    } catch (error) {
      throw new UsageError(`--output-file ${file}: ${reasonOf(error)}`);
    }
  } else if (stdoutTaken) output.writeErr(text);
  else output.write(text);
}

/** Settings that the command line gives; they win over those of a file. */
function commandSettings(options: ParsedOptions): Partial<Settings> {
  const sizes = {
    tensor: sizeOf(options, 'tensor-parallel'),
    pipeline: sizeOf(options, 'pipeline-parallel'),
    context: sizeOf(options, 'context-parallel'),
    expert: sizeOf(options, 'expert-parallel'),
    stack: parallelStacks.find((stack) => stack === lastOf(options, 'parallel-stack')),
  };
  const family = lastOf(options, 'family');
  return {
    parallel: Object.fromEntries(Object.entries(sizes).filter(([, value]) => value !== undefined)),
    families: family === undefined ? {} : { '**': family },
    exclude: listOf(options, 'exclude'),
  };
}

/** What --select, --ignore and --severity make of the levels that a settings file gives. Throws UsageError. */
function ruleChoice(options: ParsedOptions): (settings: Settings) => Settings {
  const select = listOf(options, 'select');
  const ignore = listOf(options, 'ignore');
  const severity = new Map<string, Severity | 'off'>();
  for (const pair of listOf(options, 'severity')) {
    const [name = '', text] = pair.split('=');
    const level = levels.find((candidate) => candidate === text);
    if (level === undefined)
      throw new UsageError(`--severity is RULE=LEVEL with a level of ${levels.join(', ')}; ${JSON.stringify(pair)} is not.`);
    severity.set(name, level);
  }
  const selectors: readonly (readonly [string, readonly string[]])[] = [
    ['select', select],
    ['ignore', ignore],
    ['severity', [...severity.keys()]],
  ];
  for (const [option, names] of selectors) {
    for (const name of names) {
      const problem = selectorProblem(name);
      if (problem !== undefined) throw new UsageError(`--${option} ${name}: ${problem.message}`);
    }
  }
  if (select.length === 0 && ignore.length === 0 && severity.size === 0) return (settings) => settings;
  const given = Object.fromEntries(severity);
  return (settings) => {
    const chosen: Record<string, Severity | 'off'> = {};
    for (const rule of rules) {
      let level = levelOf(rule, given) ?? levelOf(rule, settings.rules);
      if (select.length > 0) {
        if (!selects(select, rule)) level = 'off';
        else if (level === 'off' && levelOf(rule, given) !== 'off') level = rule.severity;
      }
      if (selects(ignore, rule)) level = 'off';
      if (level !== undefined) chosen[rule.code] = level;
    }
    return { ...settings, rules: chosen };
  };
}

/** Names relative to the baseline's own directory, so that it holds wherever the command is run from. */
function baselineNames(baselineFile: string): (file: FileReport) => string {
  const root = dirname(resolve(baselineFile));
  return (file) => (file.path === undefined ? file.file : slashes(relative(root, file.path)));
}

async function readBaseline(file: string) {
  try {
    return parseBaseline(await fs.readFile(file, 'utf8'));
  } catch (error) {
    const hint = error instanceof Error && 'code' in error && error.code === 'ENOENT' ? ' Write it with --write-baseline.' : '';
    throw new UsageError(`--baseline ${file}: ${reasonOf(error)}${hint}`);
  }
}

async function writeBaseline(file: string, files: readonly FileReport[], unread: readonly Unread[], output: Output): Promise<number> {
  const baseline = makeBaseline(files, baselineNames(file));
  try {
    await fs.writeFile(file, `${JSON.stringify(baseline, null, 2)}\n`);
  } catch (error) {
    throw new UsageError(`--baseline ${file}: ${reasonOf(error)}`);
  }
  const total = baseline.findings.reduce((sum, entry) => sum + entry.count, 0);
  output.write(`Wrote ${count(total, 'finding')} of ${count(files.length, 'file')} to ${basename(file)}.\n`);
  for (const { file: name, reason } of unread) output.note(`${name} was not read. ${reason}`);
  return unread.some(({ named }) => named) ? 2 : 0;
}
