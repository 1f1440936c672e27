import type { Amount as Exact, Quantity, Unit } from '../calculator/amounts.ts';
import type { DesignEntry, DevicesReport, Report, Roofline, StepReport } from '../calculator/report.ts';
import type { Amount, ReportRow, ReportTable } from '../protocol/calculator.ts';
import { type FieldInfo, fieldInfo } from './fieldInfo.ts';
import { english, type Translate } from './messages.ts';

/** Rows beyond this are left out: a page shows no more. */
const maximumRows = 900;

const cell = (unit: Unit, value: Exact): Amount => ({ unit, digits: String(value) });

/** A report as tables, what is asked most first; those without rows are left out. */
export function reportTables(report: Report, t: Translate = english): readonly ReportTable[] {
  const value = t('Value');
  const ofQuantities = (id: string, title: string, quantities: readonly Quantity[] = []): ReportTable => ({
    id,
    title,
    columns: [value],
    rows: quantities.map(quantityRow),
  });
  const { training, serving } = report;
  return [
    { id: 'answers', title: t('Answers'), columns: [value], rows: report.rows.filter(isSolution).map(attentionRow) },
    { id: 'totals', title: t('Whole model'), columns: [value], rows: totalRows(report, t) },
    ofQuantities('trainingMemory', t('Training: memory'), training?.memory),
    ofQuantities('activations', t('Training: activations'), training?.activations),
    ofQuantities('trainingFlops', t('Training: FLOPs of a step'), training?.flops),
    ofQuantities('servingMemory', t('Serving: memory'), serving?.memory),
    ofQuantities('prefill', t('Serving: reading the prompt'), serving?.prefill),
    ofQuantities('decode', t('Serving: one further token'), serving?.decode),
    {
      id: 'rooflines',
      title: t('Serving: lower bounds of time'),
      columns: [t('Prompt'), t('Next token'), t('Memory')],
      rows: rooflineRows(serving?.rooflines ?? [], t),
    },
    {
      id: 'devices',
      title: t('Bytes of each device'),
      columns: [t('Per device'), t('All together'), t('Copies and padding')],
      rows: deviceRows(report.devices),
    },
    {
      id: 'attention',
      title: t('Attention and a layer'),
      columns: [value],
      rows: report.rows.filter((row) => !isSolution(row)).map(attentionRow),
    },
    {
      id: 'design',
      title: t('Design'),
      columns: [value],
      rows: Object.entries(report.design).flatMap(([name, entry]) => designRow(name, entry, t)),
    },
    {
      id: 'parameters',
      title: t('Tensors'),
      columns: [t('Shape'), t('Count'), t('Numbers')],
      rows: report.parameters.slice(0, maximumRows).map(({ name, count, shapes, elements, tied }) => ({
        id: name,
        label: name,
        detail: tied ? t('tied: counted above') : '',
        cells: [
          shapes
            .slice(0, 3)
            .map((shape) => `[${shape.join(', ')}]`)
            .join(' ') + (shapes.length > 3 ? ' …' : ''),
          cell('count', count),
          cell('parameters', elements),
        ],
      })),
    },
  ].filter(({ rows }) => rows.length > 0);
}

/** The steps of the data: those of each kind of layer, then what stands around the layers. */
export function reportGroups({ layers, outside }: Report, t: Translate = english) {
  const around = { id: 'outside', label: t('Around the layers'), count: '1', steps: outside.map(stepText), sums: {} };
  return [
    ...layers.map(({ label, count, steps, sum }, at) => ({
      id: `layers${at}`,
      label,
      count: String(count),
      steps: steps.map(stepText),
      sums: amountsOf(sum),
    })),
    ...(outside.length === 0 ? [] : [around]),
  ];
}

const stepText = ({ id, label, symbolic, shape, ...amounts }: StepReport) => ({
  id,
  label,
  symbolic,
  shape: shape.map(String),
  amounts: amountsOf(amounts),
});

const stepColumns = [
  'parameters',
  'forwardFlops',
  'backwardFlops',
  'activationBytes',
  'fusedActivationBytes',
  'deviceWeightBytes',
] as const;

/** Decimal digits by column. */
const amountsOf = (amounts: Partial<Pick<StepReport, (typeof stepColumns)[number]>>): Readonly<Record<string, string>> =>
  Object.fromEntries(stepColumns.flatMap((name) => (amounts[name] === undefined ? [] : [[name, String(amounts[name])]])));

const isSolution = ({ id }: Report['rows'][number]): boolean => /^(?:solution\d+|moreSolutions)$/.test(id);

/** A row for each GPU: the least time for the prompt and for a further token, and what bounds it. */
function rooflineRows(rooflines: readonly Roofline[], t: Translate): readonly ReportRow[] {
  const bound = (of: Roofline | undefined): string =>
    of === undefined ? '–' : of.bound === 'compute' ? t('{time} (compute)', { time: of.text }) : t('{time} (bandwidth)', { time: of.text });
  return [...new Set(rooflines.map(({ gpu }) => gpu))].flatMap((gpu) => {
    const [prefill, decode] = (['prefill', 'decode'] as const).map((phase) =>
      rooflines.find((each) => each.gpu === gpu && each.phase === phase),
    );
    const one = prefill ?? decode;
    if (one === undefined) return [];
    const label = String(one.count) === '1' ? gpu : `${one.count} x ${gpu}`;
    return [{ id: gpu, label, detail: one.dtype, cells: [bound(prefill), bound(decode), one.fits ? t('fits') : t('does not fit')] }];
  });
}

/** A quick answer: its number, and in words what its text says besides. */
function attentionRow({ id, label, symbolic, value, text }: Report['rows'][number]): ReportRow {
  // Answers to `?` say what they mean, and shapes are texts.
  if (typeof value !== 'string' || !/^[\d,]+( |$)/.test(text)) return { id, label, detail: symbolic, cells: [text] };
  const isBytes = /^[\d,]+ bytes/.test(text);
  const note = isBytes ? '' : (/\((.*)\)$/.exec(text)?.[1] ?? '');
  return {
    id,
    label,
    detail: note === '' ? symbolic : `${symbolic} (${note})`,
    cells: [cell(isBytes ? 'bytes' : /flops/i.test(id) ? 'FLOPs' : 'count', value)],
  };
}

/** Ratios and times are rounded to what their text shows, so the text is all there is of them. */
const quantityRow = ({ id, label, symbolic, unit, value, text }: Quantity): ReportRow => ({
  id,
  label,
  detail: symbolic,
  cells: [unit === 'nanoseconds' || unit === 'FLOPs per byte' ? text : cell(unit, value)],
});

function totalRows({ totals }: Report, t: Translate): readonly ReportRow[] {
  const row = (id: string, label: string, unit: Unit, value: Exact | undefined, detail = ''): readonly ReportRow[] =>
    value === undefined ? [] : [{ id, label, detail, cells: [cell(unit, value)] }];
  return [
    ...row('parameters', t('Parameters'), 'parameters', totals.parameters),
    ...row('cacheElementsPerToken', t('KV cache per token, elements'), 'elements', totals.cacheElementsPerToken),
    ...row('cacheBytesPerToken', t('KV cache per token'), 'bytes', totals.cacheBytesPerToken, totals.cacheDtype),
  ];
}

const deviceRows = (devices: DevicesReport | undefined): readonly ReportRow[] =>
  (devices?.rows ?? []).map(({ id, label, perDevice, total, replicated, note }) => ({
    id,
    label,
    detail: note,
    cells: [cell('bytes', perDevice), cell('bytes', total), cell('bytes', replicated)],
  }));

const infos: Readonly<Record<string, FieldInfo>> = fieldInfo;

function designRow(name: string, { value, source, of }: DesignEntry, t: Translate): readonly ReportRow[] {
  const where =
    of === 'query'
      ? t('from the expression')
      : source === 'written'
        ? t('written in the file')
        : source === 'default'
          ? t('default of the family')
          : t('follows from the others');
  const shown =
    typeof value === 'number' && Number.isSafeInteger(value) ? cell('count', value) : Array.isArray(value) ? runs(value) : String(value);
  return [{ id: name, label: t(infos[name]?.title ?? name), detail: where, cells: [shown] }];
}

/** A list as runs: `5 x sliding_attention, full_attention`. */
function runs(values: readonly unknown[]): string {
  const parts: string[] = [];
  for (let at = 0; at < values.length && parts.length < 12; ) {
    let end = at;
    while (end < values.length && values[end] === values[at]) end++;
    parts.push(end - at === 1 ? String(values[at]) : `${end - at} x ${String(values[at])}`);
    at = end;
    if (parts.length === 12 && at < values.length) parts.push('…');
  }
  return parts.join(', ');
}
