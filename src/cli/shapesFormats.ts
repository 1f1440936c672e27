import type { Difference } from '../calculator/compare.ts';
import { grouped } from '../calculator/shapes.ts';
import { modelTotals } from '../calculator/totals.ts';
import type { Field, Parallelism, TransformerDesign } from '../design/design.ts';
import { resultMarkdown } from '../features/calculatorTexts.ts';
import { reportGroups, reportTables } from '../features/reportTables.ts';
import type { Amount } from '../protocol/calculator.ts';
import { LineIndex } from '../text/lineIndex.ts';
import type { Range } from '../text/range.ts';
import { printable } from './formats/text.ts';
import { regionOf } from './report.ts';
import type { Answered } from './shapes.ts';

/** BigInts as JSON numbers where a number holds them exactly, else as strings of digits. */
export const json = (value: unknown): string =>
  `${JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? (item <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(item) : String(item)) : item), 2)}\n`;

const empty = { family: null, dialect: null, design: {}, designs: [], parameters: {}, totals: {} };

export const emptyJson = (file: string) => ({ version: 1, file, ...empty });

/** The whole result: what a file says with where it stands, and everything that follows. */
export function resultJson(answered: Answered): Readonly<Record<string, unknown>> {
  const { name, reading, calculation, report } = answered;
  const { layers, outside, parts, devices, training, serving, cacheCurves, problems, hint } = report;
  const rest = { layers, outside, parts, devices, training, serving, cacheCurves, problems, hint };
  const layer = calculation.cost === undefined ? {} : { layer: calculation.cost };
  // `name: [how many, shape]`, or a list of shapes where layers differ.
  const parameters = Object.fromEntries(
    report.parameters.map(({ name: tensor, count, shapes }) => [tensor, [count, shapes.length === 1 ? shapes[0] : shapes]]),
  );
  if (reading === undefined)
    return {
      version: 1,
      expression: name,
      ...empty,
      family: report.family,
      class: report.class,
      design: report.design,
      shapes: report.rows,
      ...layer,
      parameters,
      totals: report.totals,
      notModelled: report.notModelled,
      ...rest,
    };
  const lines = new LineIndex(reading.parsed.text);
  const fieldsOf = (fields: TransformerDesign['fields'] | Parallelism) =>
    Object.fromEntries(
      Object.entries(fields)
        .flatMap(([key, field]) => (field === undefined ? [] : [[key, field as Field<unknown>] as const]))
        .map(([key, field]) => [key, fieldJson(field, lines)]),
    );
  const [main] = reading.designs;
  const changed = Object.fromEntries(Object.entries(report.design).filter(([, { of }]) => of === 'query'));
  const model = calculation.model?.totals ?? modelTotals(reading);
  return {
    version: 1,
    file: name,
    family: main?.family ?? null,
    dialect: reading.dialect,
    class: model.className ?? null,
    design: main === undefined ? {} : { ...fieldsOf(main.fields), ...changed },
    designs: reading.designs.map(({ name: stack, role, family, fields }) => ({
      name: stack,
      role,
      family: family ?? null,
      fields: fieldsOf(fields),
    })),
    parallelism: fieldsOf(reading.parallelism),
    shapes: report.rows,
    ...layer,
    parameters,
    totals: model.totals,
    notModelled: report.notModelled.length > 0 ? report.notModelled : model.notModelled,
    ...rest,
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

export function textOf(answered: Answered): string {
  const { name, reading, text = '', report, calculation } = answered;
  const out: string[] = [];
  if (reading !== undefined) {
    const lines = new LineIndex(text);
    out.push(`${name} (${reading.dialect})`);
    if (reading.designs.length === 0) out.push('', 'The file holds no dimensions.');
    for (const design of reading.designs) {
      out.push('', titleOf(design));
      const entries = Object.entries(design.fields).flatMap(([field, value]) =>
        value === undefined ? [] : [[field, value as Field<unknown>] as const],
      );
      const width = Math.max(0, ...entries.map(([field]) => field.length));
      const values = entries.map(([, field]) => shown(field.value));
      const valueWidth = Math.min(30, Math.max(0, ...values.map((value) => value.length)));
      entries.forEach(([field, value], index) => {
        out.push(`  ${field.padEnd(width)}  ${(values[index] ?? '').padEnd(valueWidth)}  ${printable(sourceText(value, lines))}`.trimEnd());
      });
    }
  }
  const rows = calculation.rows;
  if (rows.length > 0) {
    if (reading !== undefined) out.push('', 'Shapes of the first stack (weights as [out, in])');
    else if (report.title !== '') out.push(report.title, '');
    const width = Math.max(0, ...rows.map(({ label }) => label.length));
    const values = Math.min(40, Math.max(0, ...rows.map(({ text: value }) => value.length)));
    out.push(...rows.map(({ label, text: value, symbolic }) => `  ${label.padEnd(width)}  ${value.padEnd(values)}  ${symbolic}`));
  }
  out.push(...stepLines(answered));
  for (const { id, title, columns, rows: cells } of reportTables(report)) {
    if (!tablesOfText.has(id)) continue;
    const lines = [
      [title, ...columns, ''],
      ...cells.map(({ label, detail, cells: values }) => [`  ${label}`, ...columns.map((_, at) => cellText(values[at])), detail]),
    ];
    out.push('', ...aligned(lines, (column) => column > 0 && column <= columns.length));
  }
  const notModelled = report.notModelled.length > 0 || reading === undefined ? report.notModelled : modelTotals(reading).notModelled;
  if (notModelled.length > 0) out.push('', 'Not covered', ...notModelled.map((reason) => `  ${reason}`));
  return `${out.join('\n')}\n`.replace(/^\n/, '');
}

/** What the shapes' rows above do not show yet. */
const tablesOfText: ReadonlySet<string> = new Set([
  'trainingMemory',
  'activations',
  'trainingFlops',
  'servingMemory',
  'prefill',
  'decode',
  'rooflines',
  'devices',
]);

const cellText = (cell: string | Amount | undefined): string => {
  if (cell === undefined) return '';
  return typeof cell === 'string' ? cell : grouped(BigInt(cell.digits));
};

function aligned(rows: readonly (readonly string[])[], isRight: (column: number) => boolean): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (isRight(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** Each kind of layer step by step: shape, weights, FLOPs, bytes kept for the backward pass. */
function stepLines({ report }: Answered): readonly string[] {
  const amount = (digits: string | undefined): string => (digits === undefined || digits === '0' ? '' : grouped(BigInt(digits)));
  return reportGroups(report).flatMap(({ id, label, count, steps }) => {
    const rows = [
      [
        id === 'outside' ? label : `${count === '1' ? 'Layer' : `${label} (${count})`}, step by step`,
        'Shape',
        'Weights',
        'FLOPs forward',
        'FLOPs backward',
        'Bytes kept',
        'with a fused kernel',
      ],
      ...steps.map(({ label: step, shape, amounts }) => [
        `  ${step}`,
        `[${shape.join(', ')}]`,
        ...['parameters', 'forwardFlops', 'backwardFlops', 'activationBytes', 'fusedActivationBytes'].map((name) => amount(amounts[name])),
      ]),
    ];
    return ['', ...aligned(rows, (column) => column > 1)];
  });
}

const markdownCell = (text: string): string => printable(text).replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('_', '\\_');

export function markdownOf(answered: Answered): string {
  const { name, reading, text = '', report } = answered;
  const out: string[] = [];
  if (reading !== undefined) {
    const lines = new LineIndex(text);
    out.push(`# ${markdownCell(name)}`, '');
    for (const design of reading.designs) {
      out.push(`## ${markdownCell(titleOf(design))}`, '', '| Field | Value | Source |', '| --- | --- | --- |');
      for (const [field, value] of Object.entries(design.fields)) {
        if (value !== undefined) out.push(`| ${field} | ${markdownCell(shown(value.value))} | ${markdownCell(sourceText(value, lines))} |`);
      }
      out.push('');
    }
    out.push('## Shapes', '');
  }
  out.push(resultMarkdown(report).trimEnd());
  return `${out.join('\n').trimEnd()}\n`;
}

const sideText = (value: unknown): string => {
  if (value === null) return '–';
  if (typeof value === 'object') return printable(JSON.stringify(value));
  const text = String(value);
  return /^-?\d+$/.test(text) ? (text.startsWith('-') ? `-${grouped(BigInt(text.slice(1)))}` : grouped(BigInt(text))) : printable(text);
};

const changeText = ({ difference }: Difference): string => {
  if (difference === undefined) return '';
  const text = sideText(difference);
  return text.startsWith('-') ? text : `+${text}`;
};

const differing = (differences: readonly Difference[]): readonly Difference[] => differences.filter(({ same }) => !same);

export function comparisonText(one: Answered, two: Answered, differences: readonly Difference[]): string {
  const rows = differing(differences).map((each) => [
    `  ${each.section}`,
    each.label,
    sideText(each.first),
    sideText(each.second),
    changeText(each),
  ]);
  if (rows.length === 0) return 'No differences.\n';
  return `${aligned([['', '', one.name, two.name, 'difference'], ...rows], (column) => column > 1).join('\n')}\n`;
}

export function comparisonMarkdown(one: Answered, two: Answered, differences: readonly Difference[]): string {
  const rows = differing(differences).map(
    (each) =>
      `| ${each.section} | ${markdownCell(each.label)} | ${markdownCell(sideText(each.first))} | ${markdownCell(sideText(each.second))} | ${changeText(each)} |`,
  );
  return `| | | ${markdownCell(one.name)} | ${markdownCell(two.name)} | difference |\n| --- | --- | ---: | ---: | ---: |\n${rows.join('\n')}\n`;
}
