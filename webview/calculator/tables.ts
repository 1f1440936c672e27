import {
  type Amount,
  type ReportAnswer,
  type ReportRow,
  type ReportStep,
  type ReportTable,
  type StepAmounts,
  type StepColumn,
  type StepGroup,
  stepColumns,
} from '../../src/protocol/calculator.ts';
import { element } from '../preview/dom.ts';
import { t } from '../preview/text.ts';
import { changeText, exactText, groupedDigits, shortText } from './numbers.ts';

/** One or two answers, and how their numbers are written. */
export interface Shown {
  readonly first: ReportAnswer;
  readonly second?: ReportAnswer;
  readonly exact: boolean;
}

const units: Readonly<Record<StepColumn, Amount['unit']>> = {
  parameters: 'parameters',
  forwardFlops: 'FLOPs',
  backwardFlops: 'FLOPs',
  activationBytes: 'bytes',
  fusedActivationBytes: 'bytes',
  deviceWeightBytes: 'bytes',
};

const columnNames = (): Readonly<Record<StepColumn, readonly [name: string, meaning: string]>> => ({
  parameters: [t('Parameters'), t('Numbers in the step’s weights.')],
  forwardFlops: [t('FLOPs forward'), t('Multiplications and additions of its matrix products.')],
  backwardFlops: [t('FLOPs backward'), t('The same for the gradients of its inputs and weights.')],
  activationBytes: [t('Activations'), t('Bytes that a device keeps for the backward pass, attention weights written out.')],
  fusedActivationBytes: [t('fused kernel'), t('Bytes that a device keeps for the backward pass where attention is one fused kernel.')],
  deviceWeightBytes: [t('Weights per device'), t('Bytes of the step’s weights that one device holds.')],
});

/** A number, with all its digits on hover where it is written short. */
function numberNode(amount: Amount, exact: boolean): HTMLElement {
  const short = shortText(amount);
  const whole = exactText(amount);
  return exact || short === whole ? element('span', { class: 'number' }, whole) : element('span', { class: 'number', title: whole }, short);
}

const isNothing = (amount: Amount | undefined): boolean => amount === undefined || amount.digits === '0';

/** A number, and what a second design has in its place where that differs. */
function stacked(first: Amount | undefined, second: Amount | undefined, exact: boolean): readonly Node[] {
  const written = (amount: Amount | undefined): Node =>
    amount === undefined || isNothing(amount) ? element('span', { class: 'none' }, '–') : numberNode(amount, exact);
  if (first?.digits === second?.digits) return [written(first)];
  const change = first === undefined || second === undefined ? undefined : changeText(first, second);
  return [
    written(first),
    element(
      'span',
      { class: 'two' },
      element('span', { class: 'unseen' }, t('second: ')),
      ...(change === undefined ? [] : [element('small', { class: 'change' }, change)]),
      written(second),
    ),
  ];
}

const shapeText = (shape: readonly string[]): string => `[${shape.map(groupedDigits).join(', ')}]`;

/** Pairs by id, in the order of the first list, what only the second has at the end. */
export function paired<T extends { readonly id: string }>(
  first: readonly T[],
  second: readonly T[] | undefined,
): readonly (readonly [T | undefined, T | undefined])[] {
  const others = new Map(second?.map((each) => [each.id, each]));
  const pairs = first.map((each) => {
    const other = others.get(each.id);
    others.delete(each.id);
    return [each, other] as const;
  });
  return [...pairs, ...[...others.values()].map((each) => [undefined, each] as const)];
}

const amountOf = (column: StepColumn, amounts: StepAmounts | undefined): Amount | undefined => {
  const digits = amounts?.[column];
  return digits === undefined ? undefined : { unit: units[column], digits };
};

/** The table that follows the data through the model; undefined where no step is known. */
export function stepsTable({ first, second, exact }: Shown): HTMLElement | undefined {
  const groups = paired(first.groups, second?.groups);
  if (groups.length === 0) return undefined;
  const all = [...first.groups, ...(second?.groups ?? [])].flatMap(({ steps }) => steps);
  // A column of nothing says nothing.
  const columns = stepColumns.filter((column) => all.some(({ amounts }) => amounts[column] !== undefined));
  const names = columnNames();
  const cells = (one: StepAmounts | undefined, two: StepAmounts | undefined): readonly Node[] =>
    columns.map((column) => {
      const amount = amountOf(column, one);
      if (second !== undefined) return element('td', { class: 'amount' }, ...stacked(amount, amountOf(column, two), exact));
      if (amount === undefined || amount.digits === '0') return element('td', { class: 'amount none' }, '–');
      return element('td', { class: 'amount' }, numberNode(amount, exact));
    });
  const head = element(
    'thead',
    {},
    element(
      'tr',
      {},
      element('th', { scope: 'col' }, t('Step')),
      element('th', { scope: 'col' }, t('Shape')),
      element('th', { scope: 'col' }, t('In numbers')),
      ...columns.map((column) => element('th', { scope: 'col', class: 'amount', title: names[column][1] }, names[column][0])),
    ),
  );
  const bodies = groups.map(([one, two]) => {
    const group = one ?? two;
    const times = (each: StepGroup | undefined): string =>
      each === undefined || each.count === '1' ? '' : ` × ${groupedDigits(each.count)}`;
    const other =
      one !== undefined && two !== undefined && times(one) !== times(two)
        ? element('span', { class: 'two' }, element('span', { class: 'unseen' }, t('second: ')), times(two).trim())
        : '';
    const title = `${group?.label ?? ''}${times(group)} `;
    const rows = paired<ReportStep>(one?.steps ?? [], two?.steps).map(([a, b]) =>
      element(
        'tr',
        { 'data-step': (a ?? b)?.id ?? '' },
        element('th', { scope: 'row' }, (a ?? b)?.label ?? ''),
        element('td', { class: 'symbolic' }, element('code', {}, (a ?? b)?.symbolic ?? '')),
        element(
          'td',
          { class: 'shape' },
          element('span', { class: 'number' }, a === undefined ? '–' : shapeText(a.shape)),
          ...(second === undefined || (a !== undefined && b !== undefined && shapeText(a.shape) === shapeText(b.shape))
            ? []
            : [
                element(
                  'span',
                  { class: 'two' },
                  element('span', { class: 'unseen' }, t('second: ')),
                  element('span', { class: 'number' }, b === undefined ? '–' : shapeText(b.shape)),
                ),
              ]),
        ),
        ...cells(a?.amounts, b?.amounts),
      ),
    );
    const sums = one?.sums ?? two?.sums ?? {};
    const hasSums = Object.keys(sums).length > 0;
    return element(
      'tbody',
      { 'data-group': group?.id ?? '' },
      element('tr', { class: 'group' }, element('th', { scope: 'rowgroup', colspan: String(3 + columns.length) }, title, other)),
      ...rows,
      ...(hasSums
        ? [
            element(
              'tr',
              { class: 'sum', 'data-step': 'sum' },
              element('th', { scope: 'row' }, t('One layer')),
              element('td'),
              element('td'),
              ...cells(one?.sums, two?.sums),
            ),
          ]
        : []),
    );
  });
  return element('table', { class: 'steps', id: 'steps-table', 'aria-labelledby': 'steps-title' }, head, ...bodies);
}

const cellNode = (cell: string | Amount | undefined, exact: boolean): Node =>
  cell === undefined
    ? element('span', { class: 'none' }, '–')
    : typeof cell === 'string'
      ? document.createTextNode(cell)
      : numberNode(cell, exact);

const isNumber = (cell: string | Amount | undefined): boolean => cell === undefined || typeof cell !== 'string';

/** A table of quantities; with a second design its numbers and the change stand beside. */
export function quantitiesTable(
  id: string,
  one: ReportTable | undefined,
  two: ReportTable | undefined,
  { second, exact }: Shown,
): HTMLElement {
  const table = one ?? two;
  const columns = table?.columns ?? [];
  const rows = paired<ReportRow>(one?.rows ?? [], two?.rows);
  const isAmounts = columns.map((_, at) => rows.every(([a, b]) => isNumber((a ?? b)?.cells[at])));
  const sideBySide = second !== undefined && columns.length === 1;
  const header = (text: string, amounts: boolean): HTMLElement =>
    element('th', { scope: 'col', ...(amounts ? { class: 'amount' } : {}) }, text);
  return element(
    'table',
    { class: 'quantities', 'data-table': id, 'aria-labelledby': `${id}-title` },
    element(
      'thead',
      columns.length === 1 && second === undefined ? { class: 'unseen' } : {},
      element(
        'tr',
        {},
        element('th', { scope: 'col' }, element('span', { class: 'unseen' }, t('Quantity'))),
        ...(sideBySide
          ? [header(t('First'), true), header(t('Second'), true), header(t('Change'), true)]
          : columns.map((column, at) => header(column, isAmounts[at] === true))),
      ),
    ),
    element(
      'tbody',
      {},
      ...rows.map(([a, b]) => {
        const row = (a ?? b) as ReportRow;
        const label = element(
          'th',
          { scope: 'row' },
          row.label,
          ...(row.detail === '' ? [] : [element('small', { class: 'detail' }, row.detail)]),
        );
        if (sideBySide) {
          const [x, y] = [a?.cells[0], b?.cells[0]];
          const same = JSON.stringify(x) === JSON.stringify(y);
          const change = typeof x === 'object' && typeof y === 'object' ? (changeText(x, y) ?? '') : same ? '' : '≠';
          return element(
            'tr',
            { 'data-row': row.id, ...(same ? {} : { class: 'differs' }) },
            label,
            element('td', { class: 'amount' }, cellNode(x, exact)),
            element('td', { class: 'amount' }, cellNode(y, exact)),
            element('td', { class: 'amount change' }, change),
          );
        }
        return element(
          'tr',
          { 'data-row': row.id },
          label,
          ...columns.map((_, at) => {
            const [x, y] = [a?.cells[at], b?.cells[at]];
            const kind: Readonly<Record<string, string>> = isAmounts[at] === true || columns.length === 1 ? { class: 'amount' } : {};
            if (second === undefined) return element('td', kind, cellNode(x, exact));
            if (isNumber(x) && isNumber(y)) return element('td', kind, ...stacked(x as Amount | undefined, y as Amount | undefined, exact));
            return element(
              'td',
              kind,
              cellNode(x, exact),
              ...(x === y
                ? []
                : [element('span', { class: 'two' }, element('span', { class: 'unseen' }, t('second: ')), cellNode(y, exact))]),
            );
          }),
        );
      }),
    ),
  );
}
