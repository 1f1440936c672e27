import { existsSync, statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { type Calculation, calculate } from '../calculator/calculate.ts';
import { compare } from '../calculator/compare.ts';
import { parseQuery } from '../calculator/query.ts';
import { type Report, reportOf } from '../calculator/report.ts';
import type { ConfigReading } from '../design/design.ts';
import { analyse, needsPython } from '../workspace/analyse.ts';
import { loadPython, useLayouts } from '../workspace/node.ts';
import { decode } from './encoding.ts';
import { readBytes, readStream, slashes } from './files.ts';
import { printable } from './formats/text.ts';
import { shapesOfModel } from './model.ts';
import { has, lastOf, type ParsedOptions, UsageError } from './options.ts';
import type { Output } from './output.ts';
import { settingsSource } from './projectSettings.ts';
import { comparisonMarkdown, comparisonText, emptyJson, json, markdownOf, resultJson, textOf } from './shapesFormats.ts';

/** What was asked about: a file's reading, or sizes alone, with the answer. */
export interface Answered {
  /** The file's name, or the expression. */
  readonly name: string;
  readonly reading?: ConfigReading;
  /** Text of the file. */
  readonly text?: string;
  readonly calculation: Calculation;
  readonly report: Report;
}

/** `headwise shapes FILE|EXPRESSION`. Exit status 2 where the file or the expression cannot be read. Throws UsageError. */
export async function shapes(options: ParsedOptions, output: Output): Promise<number> {
  const [first] = options.positionals;
  if (first === undefined)
    throw new UsageError('Give a file or an expression: headwise shapes config.json, headwise shapes "d=4096 h=32".');
  const format = lastOf(options, 'format') ?? 'text';
  if (isFile(first) && lastOf(options, 'class') !== undefined) return shapesOfModel(first, options, output);
  useLayouts();
  const one = await answer(options.positionals, options, output);
  if (one === undefined) {
    if (format === 'json') output.write(json({ ...emptyJson(slashes(first)), notModelled: ['The file is not a model configuration.'] }));
    return 2;
  }
  const other = lastOf(options, 'compare');
  if (other === undefined) {
    output.write(format === 'json' ? json(resultJson(one)) : format === 'markdown' ? markdownOf(one) : textOf(one));
    return reportProblems(one, output);
  }
  const two = await answer(secondOf(other, one, options.positionals), options, output);
  if (two === undefined) return 2;
  const differences = compare(one.report, two.report);
  if (format === 'json') output.write(json({ version: 1, first: resultJson(one), second: resultJson(two), differences }));
  else output.write((format === 'markdown' ? comparisonMarkdown : comparisonText)(one, two, differences));
  return Math.max(reportProblems(one, output), reportProblems(two, output));
}

const isFile = (path: string): boolean => path === '-' || (existsSync(path) && !statSync(path).isDirectory());

/** A second design that is only a name or a file is asked the same as the first. */
function secondOf(other: string, { calculation: { query } }: Answered, positionals: readonly string[]): readonly string[] {
  const isName = isFile(other) || parseQuery(other).preset?.name === other.trim().toLowerCase();
  if (!isName) return [other];
  const [first = '', ...rest] = positionals;
  if (isFile(first)) return [other, ...rest];
  const whole = positionals.join(' ');
  const { preset } = query;
  return [other, preset === undefined ? whole : `${whole.slice(0, preset.range.start)}${whole.slice(preset.range.end)}`];
}

/** Reads a file or an expression and answers the query over it. Undefined, with a note, for a file that is no model configuration. */
async function answer([first = '', ...rest]: readonly string[], options: ParsedOptions, output: Output): Promise<Answered | undefined> {
  if (!isFile(first)) {
    const query = [first, ...rest].join(' ').trim();
    const parsed = parseQuery(query);
    if (!/[=:<>?]/.test(first) && parsed.preset === undefined) {
      const [problem] = parsed.problems;
      const hint = problem !== undefined && /Did you mean/.test(problem.message) ? ` ${problem.message}` : '';
      throw new UsageError(`${first} is neither a file nor an expression such as "d=4096 h=32 kv=8 T=4096 bf16".${hint}`);
    }
    const calculation = calculate(query);
    return { name: query, calculation, report: reportOf(query, calculation) };
  }
  const name = first === '-' ? (lastOf(options, 'stdin-filename') ?? '-') : first;
  const path = resolve(first === '-' ? (lastOf(options, 'stdin-filename') ?? 'stdin') : first);
  const bytes = first === '-' ? await readStream(process.stdin) : await readBytes(path);
  const decoded = Buffer.isBuffer(bytes) ? decode(bytes) : bytes;
  if ('reason' in decoded) throw new UsageError(`${name}: ${decoded.reason}`);
  const family = lastOf(options, 'family');
  const source = settingsSource(
    { config: lastOf(options, 'config'), isolated: has(options, 'isolated') },
    { families: family === undefined ? {} : { '**': family } },
  );
  const { settings, root } = source.forFile(path);
  for (const problem of source.problems) output.note(problem);
  // What is not read for findings has shapes all the same.
  const input = { text: decoded.text, path: slashes(relative(root, path)) };
  const python = needsPython(input) ? await loadPython(output.note) : undefined;
  const { reading } = analyse({ ...input, python }, { ...settings, exclude: [] });
  if (reading === undefined) {
    output.note(`${name} is not a model configuration.`);
    return undefined;
  }
  const query = rest.join(' ');
  const calculation = calculate(query, reading.designs[0], reading);
  return { name: slashes(name), reading, text: decoded.text, calculation, report: reportOf(query, calculation) };
}

function reportProblems({ report: { query }, calculation: { problems, hint, rows } }: Answered, output: Output): number {
  for (const { range, message } of problems) {
    output.note(message);
    if (query !== '')
      output.writeErr(`  ${printable(query)}\n  ${' '.repeat(range.start)}${'^'.repeat(Math.max(1, range.end - range.start))}\n`);
  }
  if (rows.length === 0 && problems.length === 0 && hint !== undefined) output.note(hint);
  return problems.length > 0 && query !== '' ? 2 : 0;
}
