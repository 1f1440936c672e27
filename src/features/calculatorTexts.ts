import { parseQuery } from '../calculator/query.ts';
import type { Report } from '../calculator/report.ts';
import { grouped } from '../calculator/shapes.ts';
import type { ConfigReading, DesignFields, Field, FieldName, TransformerDesign } from '../design/design.ts';
import { readDesign } from '../design/read.ts';
import type { Amount } from '../protocol/calculator.ts';
import { insertAfter, writeFix } from '../rules/suggest.ts';
import { parseConfig } from '../syntax/read.ts';
import { applyEdits, type TextEdit } from '../text/edit.ts';
import { keysOf } from './knowledge.ts';
import { english, type Translate } from './messages.ts';
import { reportGroups, reportTables } from './reportTables.ts';

/** A text to insert or copy, edits of a file, or one sentence on why there is neither. */
export type Written = { readonly text: string } | { readonly edits: readonly TextEdit[] } | { readonly problem: string };

const cellText = (cell: string | Amount | undefined): string =>
  cell === undefined ? '' : typeof cell === 'string' ? cell : `${grouped(BigInt(cell.digits))}${cell.unit === 'bytes' ? ' B' : ''}`;

const markdownCell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('_', '\\_');

/** All digits of a column of the steps; '' where it is nothing. */
const stepAmount = (digits: string | undefined): string => (digits === undefined || digits === '0' ? '' : grouped(BigInt(digits)));

/** The whole result as Markdown tables, every number exact. */
export function resultMarkdown(report: Report, t: Translate = english): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const lines: string[] = [];
  const title = [report.title, report.query].filter((part) => part !== '').join(': ');
  if (title !== '') lines.push(`### ${markdownCell(title)}`, '');
  for (const { label, count, steps, sums } of reportGroups(report, t)) {
    lines.push(
      row([
        markdownCell(count === '1' || /\d/.test(label) ? label : `${label} × ${count}`),
        t('Shape'),
        '',
        t('Parameters'),
        t('FLOPs forward'),
        t('FLOPs backward'),
        t('Activations'),
        t('with fused kernel'),
      ]),
      '| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |',
      ...steps.map((step) =>
        row([markdownCell(step.label), `\`${step.symbolic}\``, `[${step.shape.join(', ')}]`, ...amounts(step.amounts)]),
      ),
      ...(Object.keys(sums).length === 0 ? [] : [row([t('One layer'), '', '', ...amounts(sums)])]),
      '',
    );
  }
  for (const { id, title, columns, rows } of reportTables(report, t)) {
    if (id === 'parameters' || id === 'design') continue;
    lines.push(
      row([title, ...columns, '']),
      row(['---', ...columns.map(() => '---:'), '---']),
      ...rows.map(({ label, detail, cells }) =>
        row([
          markdownCell(label),
          ...columns.map((_, at) => markdownCell(cellText(cells[at]))),
          detail === '' ? '' : `\`${detail.replaceAll('|', '\\|').replaceAll('`', '')}\``,
        ]),
      ),
      '',
    );
  }
  for (const reason of report.notModelled) lines.push(`- ${markdownCell(reason)}`);
  return `${lines.join('\n').trim()}\n`;
}

const amounts = (of: Readonly<Record<string, string>>): readonly string[] =>
  ['parameters', 'forwardFlops', 'backwardFlops', 'activationBytes', 'fusedActivationBytes'].map((name) => stepAmount(of[name]));

const latexText = (text: string): string =>
  text
    .replace(/\\/g, '\\textbackslash ')
    .replace(/[&%$#_{}]/g, (sign) => `\\${sign}`)
    .replace(/~/g, '\\textasciitilde ')
    .replace(/\^/g, '\\textasciicircum ');

/** `[B, h, T, d_h]` in math mode. */
const latexMath = (symbolic: string): string =>
  `$${symbolic
    .replace(/\b([A-Za-z])_([A-Za-z]+)/g, '$1_{\\mathrm{$2}}')
    .replace(/\*/g, '\\cdot ')
    .replace(/[%#&]/g, (sign) => `\\${sign}`)}$`;

const latexNumber = (digits: string): string => digits.replace(/\B(?=(\d{3})+(?!\d))/g, '\\,');

/** The steps and the totals as LaTeX tables (package booktabs), every number exact. */
export function resultLatex(report: Report, t: Translate = english): string {
  const lines: string[] = ['% \\usepackage{booktabs}'];
  const line = (cells: readonly string[]): string => `${cells.join(' & ')} \\\\`;
  const amount = (digits: string | undefined): string => (digits === undefined || digits === '0' ? '--' : latexNumber(digits));
  for (const { label, count, steps } of reportGroups(report, t)) {
    lines.push(
      '\\begin{tabular}{lllrr}',
      '\\toprule',
      line([
        latexText(count === '1' || /\d/.test(label) ? label : `${label} x ${count}`),
        t('Shape'),
        '',
        t('Parameters'),
        t('FLOPs forward'),
      ]),
      '\\midrule',
      ...steps.map(({ label: name, symbolic, shape, amounts: of }) =>
        line([
          latexText(name),
          latexMath(symbolic),
          `$[${shape.map(latexNumber).join(', ')}]$`,
          amount(of.parameters),
          amount(of.forwardFlops),
        ]),
      ),
      '\\bottomrule',
      '\\end{tabular}',
      '',
    );
  }
  for (const { id, title, columns, rows } of reportTables(report, t)) {
    if (id === 'parameters' || id === 'design') continue;
    lines.push(
      `\\begin{tabular}{l${'r'.repeat(columns.length)}}`,
      '\\toprule',
      line([latexText(title), ...columns.map(latexText)]),
      '\\midrule',
      ...rows.map(({ label, cells }) => line([latexText(label), ...columns.map((_, at) => latexCell(cells[at]))])),
      '\\bottomrule',
      '\\end{tabular}',
      '',
    );
  }
  return `${lines.join('\n').trim()}\n`;
}

const latexCell = (cell: string | Amount | undefined): string =>
  cell === undefined ? '' : typeof cell === 'string' ? latexText(cell) : `${latexNumber(cell.digits)}${cell.unit === 'bytes' ? '~B' : ''}`;

const hashLanguages = /^(?:python|yaml|toml|shellscript|gin|dockerfile|makefile|ruby|r|julia|properties)$/;
const slashLanguages = /^(?:jsonc|json5|javascript|typescript|javascriptreact|typescriptreact|c|cpp|cuda-cpp|rust|go|java|swift|kotlin)$/;

/** The shapes of one attention as comment lines of a language, with the code's own letters for what the query leaves open. */
export function shapeComment(report: Report, languageId: string, t: Translate = english): Written {
  const sign = hashLanguages.test(languageId) ? '#' : slashLanguages.test(languageId) ? '//' : undefined;
  if (sign === undefined)
    return {
      problem:
        languageId === 'json'
          ? t('Plain JSON has no comments.')
          : t('Nothing is known of comments in {language}.', { language: languageId }),
    };
  const number = (name: string): string | undefined => {
    const value = report.design[name]?.value;
    return typeof value === 'number' || typeof value === 'string' ? String(value) : undefined;
  };
  const [d, h, e] = [number('hiddenSize'), number('queryHeads'), number('headDim')];
  if (d === undefined || h === undefined || e === undefined) return { problem: t('The width, the heads or the head dim are not known.') };
  const [b, tokens, kv, v] = [
    number('batch') ?? 'B',
    number('sequenceLength') ?? 'T',
    number('keyValueHeads') ?? h,
    number('valueDim') ?? e,
  ];
  const isLatent = report.design.keyValueLoraRank !== undefined;
  const keyHeads = isLatent ? h : kv;
  const lines = [
    `x: (${b}, ${tokens}, ${d})`,
    `q: (${b}, ${h}, ${tokens}, ${e}), k: (${b}, ${keyHeads}, ${tokens}, ${e}), v: (${b}, ${keyHeads}, ${tokens}, ${v})`,
    `scores: (${b}, ${h}, ${tokens}, ${tokens}), concatenated: (${b}, ${tokens}, ${BigInt(h) * BigInt(v)})`,
  ];
  return { text: `${lines.map((line) => `${sign} ${line}`).join('\n')}\n` };
}

/** Fields that a configuration states, with their usual key where a file has no convention of its own. */
const usualKeys: Readonly<Partial<Record<FieldName, string>>> = {
  hiddenSize: 'hidden_size',
  queryHeads: 'num_attention_heads',
  keyValueHeads: 'num_key_value_heads',
  headDim: 'head_dim',
  valueDim: 'v_head_dim',
  layers: 'num_hidden_layers',
  intermediateSize: 'intermediate_size',
  vocabularySize: 'vocab_size',
  queryLoraRank: 'q_lora_rank',
  keyValueLoraRank: 'kv_lora_rank',
  ropeHeadDim: 'qk_rope_head_dim',
  nopeHeadDim: 'qk_nope_head_dim',
  experts: 'num_experts',
  expertsPerToken: 'num_experts_per_tok',
  expertIntermediateSize: 'moe_intermediate_size',
  slidingWindow: 'sliding_window',
};

const settable = Object.keys(usualKeys) as FieldName[];

/** Sizes that the query sets, by field. */
function wantedSizes(query: string): readonly (readonly [FieldName, number])[] {
  const { values } = parseQuery(query);
  return settable.flatMap((name) => {
    const value = Number((values as Readonly<Partial<Record<string, { readonly value: bigint }>>>)[name]?.value ?? Number.NaN);
    return Number.isSafeInteger(value) ? [[name, value] as const] : [];
  });
}

/**
 * Edits that write the query's sizes into a configuration: the values of keys that stand there, and further keys after them under the
 * names that this file's reader knows. What the edited file then says is read anew and held against what was wanted, so that none is
 * written in vain or changes something else.
 */
export function configEdits(reading: ConfigReading, design: TransformerDesign, query: string, t: Translate = english): Written {
  const wanted = wantedSizes(query).filter(([name, value]) => design.fields[name]?.value !== value);
  if (wanted.length === 0) return { problem: t('The file says all of this already.') };
  const edits: TextEdit[] = [];
  let anchor: Field<unknown> | undefined;
  for (const [, field] of Object.entries(design.fields) as [FieldName, DesignFields[FieldName] | undefined][])
    if (
      field?.source === 'written' &&
      field.keyRange !== undefined &&
      (anchor?.keyRange === undefined || field.keyRange.start > anchor.keyRange.start)
    )
      anchor = field;
  for (const [name, value] of wanted) {
    const field = design.fields[name];
    const [fix] = field?.source === 'written' ? writeFix(reading, '', [[field, value]]) : [];
    if (fix !== undefined) {
      edits.push(...fix.edits);
      continue;
    }
    const key = keysOf(reading, design).find(({ concept }) => concept === name)?.key;
    const added = key === undefined || field?.source === 'written' ? [] : insertAfter(reading, anchor, key, value);
    if (added.length === 0) return { problem: t('The file has no safe place for {key}.', { key: key ?? usualKeys[name] ?? name }) };
    edits.push(...added);
  }
  const joined = joinedEdits(edits);
  // Code is read with a parser that is not here; its edits replace numbers and add arguments, nothing else.
  if (reading.format === 'python') return { edits: joined };
  const after = readAgain(reading, joined)?.designs.find((each) => each.name === design.name);
  const missed = wanted.find(([name, value]) => after?.fields[name]?.value !== value);
  if (missed !== undefined) return { problem: t('The file has no safe place for {key}.', { key: usualKeys[missed[0]] ?? missed[0] }) };
  return { edits: joined };
}

/** Insertions at one place as one edit. */
function joinedEdits(edits: readonly TextEdit[]): readonly TextEdit[] {
  const joined: TextEdit[] = [];
  for (const edit of edits) {
    const at = joined.findIndex(({ range }) => range.start === edit.range.start && range.end === edit.range.end);
    const same = joined[at];
    if (same === undefined) joined.push(edit);
    else joined[at] = { range: same.range, newText: same.newText + edit.newText };
  }
  return joined;
}

function readAgain(reading: ConfigReading, edits: readonly TextEdit[]): ConfigReading | undefined {
  const text = applyEdits(reading.parsed.text, edits);
  const parsed = parseConfig(text, { languageId: reading.format === 'shell' ? 'shellscript' : reading.format });
  return parsed.problems.length > reading.parsed.problems.length ? undefined : readDesign(parsed);
}

/** The query's sizes as keys for a file that is no model configuration yet, in its language. */
export function configText(report: Report, languageId: string, isEmpty: boolean): Written {
  const entries = settable.flatMap((name): (readonly [string, number])[] => {
    const value = Number(report.design[name]?.value ?? Number.NaN);
    const key = usualKeys[name];
    return key !== undefined && Number.isSafeInteger(value) ? [[key, value]] : [];
  });
  const lines = (of: (key: string, value: number) => string): string => entries.map(([key, value]) => of(key, value)).join('\n');
  switch (languageId) {
    case 'python':
      return { text: lines((key, value) => `${key}=${value},`) };
    case 'yaml':
      return { text: lines((key, value) => `${key}: ${value}`) };
    case 'toml':
      return { text: lines((key, value) => `${key} = ${value}`) };
    case 'shellscript':
      return { text: entries.map(([key, value]) => `--${key.replaceAll('_', '-')} ${value}`).join(' \\\n') };
    default:
      return isEmpty
        ? { text: `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n` }
        : { text: entries.map(([key, value]) => `"${key}": ${value}`).join(',\n') };
  }
}
