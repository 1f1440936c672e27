import { existsSync, statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { type Calculation, calculate } from '../calculator/calculate.ts';
import { type ModelTotals, modelTotals } from '../calculator/totals.ts';
import type { ConfigReading, Field, Parallelism, TransformerDesign } from '../design/design.ts';
import { LineIndex } from '../text/lineIndex.ts';
import type { Range } from '../text/range.ts';
import { analyse, needsPython } from '../workspace/analyse.ts';
import { loadPython, useLayouts } from '../workspace/node.ts';
import { decode } from './encoding.ts';
import { readBytes, readStream, slashes } from './files.ts';
import { printable } from './formats/text.ts';
import { shapesOfModel } from './model.ts';
import { has, lastOf, type ParsedOptions, UsageError } from './options.ts';
import type { Output } from './output.ts';
import { settingsSource } from './projectSettings.ts';
import { regionOf } from './report.ts';

/** `headwise shapes FILE|EXPRESSION`. Exit status 2 where the file or the expression cannot be read. Throws UsageError. */
export async function shapes(options: ParsedOptions, output: Output): Promise<number> {
  const [first, ...rest] = options.positionals;
  if (first === undefined)
    throw new UsageError('Give a file or an expression: headwise shapes config.json, headwise shapes "d=4096 h=32".');
  const format = lastOf(options, 'format') ?? 'text';
  const isFile = first === '-' || (existsSync(first) && !statSync(first).isDirectory());
  if (!isFile && !/[=:]/.test(first)) {
    throw new UsageError(`${first} is neither a file nor an expression such as "d=4096 h=32 kv=8 T=4096 bf16".`);
  }
  if (!isFile) return shapesOfExpression(options.positionals.join(' '), format, output);

  if (lastOf(options, 'class') !== undefined) return shapesOfModel(first, options, output);
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
    if (format === 'json')
      output.write(json({ version: 1, file: slashes(name), ...empty, notModelled: ['The file is not a model configuration.'] }));
    output.note(`${name} is not a model configuration.`);
    return 2;
  }
  const query = rest.join(' ');
  const [design] = reading.designs;
  const calculation = calculate(query, design);
  useLayouts();
  const totals = modelTotals(reading);
  if (format === 'json') output.write(json(fileJson(slashes(name), reading, calculation, totals)));
  else if (format === 'markdown') output.write(fileMarkdown(slashes(name), reading, calculation, totals));
  else output.write(fileText(slashes(name), reading, calculation, decoded.text, totals));
  return reportProblems(query, calculation, output);
}

const empty = { family: null, dialect: null, design: {}, designs: [], parameters: {}, totals: {} };

function shapesOfExpression(query: string, format: string, output: Output): number {
  const calculation = calculate(query);
  if (format === 'json') {
    const { input } = calculation;
    const sizes = Object.entries(input).filter(([, value]) => typeof value === 'bigint');
    const design = Object.fromEntries(sizes.map(([key, value]) => [key, { value, source: 'written', range: null }]));
    output.write(
      json({
        version: 1,
        expression: query,
        ...empty,
        design,
        shapes: calculation.rows,
        ...(calculation.cost === undefined ? {} : { layer: calculation.cost }),
        problems: calculation.problems,
        notModelled: [],
      }),
    );
  } else if (format === 'markdown') output.write(calculation.markdown());
  else output.write(rowsText(calculation) + stepsText(calculation));
  return reportProblems(query, calculation, output);
}

function reportProblems(query: string, { problems, hint, rows }: Calculation, output: Output): number {
  for (const { range, message } of problems) {
    output.note(message);
    if (query !== '')
      output.writeErr(`  ${printable(query)}\n  ${' '.repeat(range.start)}${'^'.repeat(Math.max(1, range.end - range.start))}\n`);
  }
  if (rows.length === 0 && problems.length === 0 && hint !== undefined) output.note(hint);
  return problems.length > 0 && query !== '' ? 2 : 0;
}

/** BigInts as JSON numbers where a number holds them exactly, else as strings of digits. */
const json = (value: unknown): string =>
  `${JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? (item <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(item) : String(item)) : item), 2)}\n`;

function fileJson(
  file: string,
  reading: ConfigReading,
  calculation: Calculation,
  { totals, parameters, className, notModelled }: ModelTotals,
) {
  const lines = new LineIndex(reading.parsed.text);
  const fieldsOf = (fields: TransformerDesign['fields'] | Parallelism) =>
    Object.fromEntries(
      Object.entries(fields)
        .flatMap(([name, field]) => (field === undefined ? [] : [[name, field as Field<unknown>] as const]))
        .map(([name, field]) => [name, fieldJson(field, lines)]),
    );
  const [main] = reading.designs;
  return {
    version: 1,
    file,
    family: main?.family ?? null,
    dialect: reading.dialect,
    class: className ?? null,
    design: main === undefined ? {} : fieldsOf(main.fields),
    designs: reading.designs.map(({ name, role, family, fields }) => ({ name, role, family: family ?? null, fields: fieldsOf(fields) })),
    parallelism: fieldsOf(reading.parallelism),
    shapes: calculation.rows,
    ...(calculation.cost === undefined ? {} : { layer: calculation.cost }),
    // `name: [how many, shape]`, or a list of shapes where layers differ.
    parameters: Object.fromEntries(parameters.map(({ name, count, shapes }) => [name, [count, shapes.length === 1 ? shapes[0] : shapes]])),
    totals,
    notModelled,
  };
}

function fieldJson(field: Field<unknown>, lines: LineIndex) {
  const region = (range: Range | undefined) => (range === undefined ? null : regionOf(lines, range));
  const { value, source, key, formula, origin } = field;
  return { value, source, range: region(field.range), key, formula, origin };
}

const sourceText = (field: Field<unknown>, lines: LineIndex): string => {
  const at = field.range === undefined ? '' : `line ${lines.positionAt(field.range.start).line + 1}`;
  if (field.source === 'written') return [field.key, at].filter((part) => part !== undefined && part !== '').join(', ');
  if (field.source === 'derived') return field.formula === undefined ? 'derived' : `= ${field.formula}`;
  return field.origin === undefined ? 'default' : `default of ${field.origin}`;
};

const shown = (value: unknown): string => {
  const text = Array.isArray(value) ? summarised(value) : String(value);
  return printable(text.length > 70 ? `${text.slice(0, 69)}…` : text);
};

/** A list as runs: `6 x full_attention, 1 x linear_attention`. */
function summarised(values: readonly unknown[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  return [...counts].map(([value, times]) => `${times} x ${value}`).join(', ');
}

const titleOf = (design: TransformerDesign): string =>
  [design.name === '' ? undefined : design.name, design.role, design.family].filter((part) => part !== undefined).join(', ');

function fileText(
  file: string,
  reading: ConfigReading,
  calculation: Calculation,
  text: string,
  { totals, notModelled }: ModelTotals,
): string {
  const lines = new LineIndex(text);
  const out = [`${file} (${reading.dialect})`];
  if (reading.designs.length === 0) out.push('', 'The file holds no dimensions.');
  for (const design of reading.designs) {
    out.push('', titleOf(design));
    const entries = Object.entries(design.fields).flatMap(([name, field]) =>
      field === undefined ? [] : [[name, field as Field<unknown>] as const],
    );
    const width = Math.max(0, ...entries.map(([name]) => name.length));
    const values = entries.map(([, field]) => shown(field.value));
    const valueWidth = Math.min(30, Math.max(0, ...values.map((value) => value.length)));
    entries.forEach(([name, field], index) => {
      out.push(`  ${name.padEnd(width)}  ${(values[index] ?? '').padEnd(valueWidth)}  ${printable(sourceText(field, lines))}`.trimEnd());
    });
  }
  const { parameters } = totals;
  if (parameters !== undefined) out.push('', `Parameters  ${parameters.toLocaleString('en')}`);
  const rows = rowsText(calculation);
  if (rows !== '') out.push('', 'Shapes of the first stack (weights as [out, in])', rows.trimEnd());
  const steps = stepsText(calculation);
  if (steps !== '') out.push(steps.trimEnd());
  if (notModelled.length > 0) out.push('', 'Not covered', ...notModelled.map((reason) => `  ${reason}`));
  return `${out.join('\n')}\n`;
}

function rowsText({ rows }: Calculation): string {
  const width = Math.max(0, ...rows.map(({ label }) => label.length));
  const values = Math.min(40, Math.max(0, ...rows.map(({ text }) => text.length)));
  return rows.map(({ label, text, symbolic }) => `  ${label.padEnd(width)}  ${text.padEnd(values)}  ${symbolic}\n`).join('');
}

/** The layer step by step: shape, weights, FLOPs forward, bytes kept for the backward pass. */
function stepsText({ cost }: Calculation): string {
  if (cost === undefined) return '';
  const amount = (value: bigint): string => (value === 0n ? '' : value.toLocaleString('en'));
  const rows = [
    ['Layer, step by step', 'Shape', 'Weights', 'FLOPs forward', 'Bytes kept'],
    ...cost.steps.map(({ label, shape, parameters, forwardFlops, activationBytes }) => [
      label,
      `[${shape.join(', ')}]`,
      amount(parameters),
      amount(forwardFlops),
      amount(activationBytes),
    ]),
  ];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return `\n${rows.map((row) => `  ${line(row)}\n`).join('')}`;
}

function fileMarkdown(file: string, reading: ConfigReading, calculation: Calculation, { totals, notModelled }: ModelTotals): string {
  const lines = new LineIndex(reading.parsed.text);
  const cell = (text: string): string => printable(text).replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('_', '\\_');
  const out = [`# ${cell(file)}`, ''];
  for (const design of reading.designs) {
    out.push(`## ${cell(titleOf(design))}`, '', '| Field | Value | Source |', '| --- | --- | --- |');
    for (const [name, field] of Object.entries(design.fields)) {
      if (field !== undefined) out.push(`| ${name} | ${cell(shown(field.value))} | ${cell(sourceText(field, lines))} |`);
    }
    out.push('');
  }
  const { parameters } = totals;
  if (parameters !== undefined) out.push(`Parameters: ${parameters.toLocaleString('en')}`, '');
  if (calculation.rows.length > 0) out.push('## Shapes', '', calculation.markdown());
  if (notModelled.length > 0) out.push('## Not covered', '', ...notModelled.map((reason) => `- ${cell(reason)}`), '');
  return `${out.join('\n').trimEnd()}\n`;
}
