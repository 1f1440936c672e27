import uPlot from 'uplot';
import type { Amount, CacheCurve, ReportPart } from '../../src/protocol/calculator.ts';
import { element, lazyTable } from '../preview/dom.ts';
import { t } from '../preview/text.ts';
import { exactText, groupedDigits, shortText } from './numbers.ts';

interface Colors {
  readonly ink: string;
  readonly quiet: string;
  readonly grid: string;
  readonly page: string;
  readonly font: string;
  /** Lines and bars, in order. */
  readonly marks: readonly string[];
}

/** Colours of the theme, as VS Code sets them on the page. */
function colors(): Colors {
  const style = getComputedStyle(document.documentElement);
  const body = getComputedStyle(document.body);
  const of = (name: string, otherwise: string): string => style.getPropertyValue(`--vscode-${name}`).trim() || otherwise;
  const isDark = document.body.matches('.vscode-dark, .vscode-high-contrast:not(.vscode-high-contrast-light)');
  return {
    ink: body.color,
    quiet: of('descriptionForeground', body.color),
    grid: of('charts-lines', isDark ? '#80808050' : '#80808040'),
    page: body.backgroundColor,
    font: `${body.fontSize} ${body.fontFamily}`,
    marks: [
      of('charts-blue', isDark ? '#59a4f9' : '#0063d3'),
      of('charts-orange', isDark ? '#d18616' : '#a85d00'),
      of('charts-green', isDark ? '#89d185' : '#2e7d32'),
      of('charts-purple', isDark ? '#b180d7' : '#652d90'),
      of('charts-red', isDark ? '#f14c4c' : '#c72e0f'),
    ],
  };
}

// Lines differ in their dashes too, for eyes and themes that do not tell the colours apart.
const dashes: readonly (readonly number[])[] = [[], [8, 4], [2, 4], [10, 4, 2, 4], [5, 5]];

const height = 260;

/** A drawing with its words: a caption, a readout, and its numbers as a table. */
export interface Chart {
  readonly root: HTMLElement;
  /** Draws anew in other colours. */
  repaint(): void;
  /** Lets go of the drawing. */
  destroy(): void;
}

const bytesText = (bytes: number | string): string =>
  shortText({ unit: 'bytes', digits: typeof bytes === 'string' ? bytes : String(Math.round(bytes)) });

/** `32k`, `1M`: tokens in the units of the query, 1024 each. */
export function tokensText(tokens: number): string {
  if (tokens >= 2 ** 20 && tokens % 2 ** 20 === 0) return `${tokens / 2 ** 20}M`;
  if (tokens >= 1024 && tokens % 1024 === 0) return `${tokens / 1024}k`;
  return groupedDigits(String(tokens));
}

/** Powers of `factor` within bounds. */
function powers(factor: number, low: number, high: number): number[] {
  const found: number[] = [];
  for (let at = factor ** Math.ceil(Math.log(low) / Math.log(factor) - 1e-9); at <= high * (1 + 1e-9); at *= factor) found.push(at);
  return found;
}

interface Line {
  readonly label: string;
  readonly own: boolean;
  readonly bytes: ReadonlyMap<number, string>;
}

export interface CacheQuestion {
  readonly curves: readonly CacheCurve[];
  /** The second design's own curve. */
  readonly second: CacheCurve | undefined;
  /** Tokens that were asked about, marked. */
  readonly tokens: number | undefined;
}

/** Cache of one sequence against its length, on logarithmic axes: a line for each way to share keys and values. Undefined without one. */
export function cacheChart({ curves, second, tokens: asked }: CacheQuestion): Chart | undefined {
  const lines: Line[] = [
    ...curves.map((curve) => lineOf(curve)),
    ...(second === undefined ? [] : [{ ...lineOf(second), label: t('second: {name}', { name: second.label }) }]),
  ];
  const lengths = [...new Set(lines.flatMap(({ bytes }) => [...bytes.keys()]))].filter((tokens) => tokens > 0).sort((a, b) => a - b);
  if (lines.length === 0 || lengths.length < 2) return undefined;
  const [shortest, longest] = [lengths[0] as number, lengths.at(-1) as number];
  const values = lines.map(({ bytes }) => lengths.map((tokens) => (bytes.has(tokens) ? Number(bytes.get(tokens)) : undefined)));
  const all = values.flat().filter((value): value is number => value !== undefined && value > 0);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const stage = element('div', { class: 'plot', tabindex: '0', role: 'img' });
  const readout = element('p', { class: 'readout', role: 'status' });
  let at = lengths.findIndex((tokens) => tokens >= (asked ?? 32_768));
  if (at < 0) at = lengths.length - 1;
  const say = (index: number): void => {
    const tokens = lengths[index] ?? 0;
    readout.replaceChildren(
      element('span', { class: 'at' }, t('{tokens} tokens', { tokens: tokensText(tokens) })),
      ...lines.map(({ label, bytes, own }, i) =>
        element(
          'span',
          { class: own ? 'line own' : 'line', 'data-line': label },
          swatch(i),
          element('span', {}, `${label} `, element('strong', {}, bytes.has(tokens) ? bytesText(bytes.get(tokens) as string) : '–')),
        ),
      ),
    );
  };
  say(at);
  const whole = lines.map(({ label, bytes }) => `${label} ${bytesText(bytes.get(longest) ?? '0')}`).join(', ');
  stage.setAttribute(
    'aria-label',
    t('KV cache of one sequence from {from} to {to} tokens. At {to} tokens: {all}. Arrow keys read other lengths.', {
      from: tokensText(shortest),
      to: tokensText(longest),
      all: whole,
    }),
  );
  const move = (to: number): void => {
    at = Math.max(0, Math.min(lengths.length - 1, to));
    const plot = drawn.plot();
    const left = plot?.valToPos(lengths[at] as number, 'x');
    const top = plot?.valToPos(values[0]?.[at] ?? least, 'y');
    if (plot !== undefined && left !== undefined && top !== undefined) plot.setCursor({ left, top });
    say(at);
  };
  stage.addEventListener('keydown', (event) => {
    const to = { ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1, Home: 0, End: lengths.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  });
  const drawn = drawing(stage, (width) => {
    const { ink, quiet, grid, marks, font } = colors();
    // All splits are labelled: the library would leave out some of a logarithmic axis.
    const filter = (_: uPlot, splits: number[]): number[] => splits;
    const axis = { stroke: quiet, font, filter, grid: { stroke: grid, width: 1, filter }, ticks: { stroke: grid, width: 1, filter } };
    return new uPlot(
      {
        width,
        height,
        legend: { show: false },
        cursor: { drag: { setScale: false, x: false, y: false }, points: { size: 7 }, y: false },
        scales: {
          x: { time: false, distr: 3, log: 2, range: () => [shortest, longest] },
          y: { distr: 3, log: 2, range: () => [least, most] },
        },
        axes: [
          {
            ...axis,
            splits: () => powers(width < 420 ? 16 : 4, shortest, longest),
            values: (_, splits) => splits.map(tokensText),
            size: 34,
          },
          { ...axis, splits: () => powers(32, least, most), values: (_, splits) => splits.map(bytesText), size: 74 },
        ],
        series: [
          {},
          ...lines.map(({ label, own }, i) => ({
            label,
            stroke: marks[i % marks.length] ?? ink,
            width: own ? 3 : 1.75,
            dash: [...(dashes[i % dashes.length] ?? [])],
            points: { show: false },
          })),
        ],
        hooks: {
          drawAxes: [
            (plot) => {
              if (asked === undefined || asked < shortest || asked > longest) return;
              const { ctx, bbox } = plot;
              const x = plot.valToPos(asked, 'x', true);
              ctx.save();
              ctx.strokeStyle = quiet;
              ctx.setLineDash([3, 3]);
              ctx.beginPath();
              ctx.moveTo(x, bbox.top);
              ctx.lineTo(x, bbox.top + bbox.height);
              ctx.stroke();
              ctx.restore();
            },
          ],
          setCursor: [
            ({ cursor }) => {
              if (cursor.idx !== null && cursor.idx !== undefined && (cursor.left ?? -1) >= 0) {
                at = cursor.idx;
                say(at);
              }
            },
          ],
        },
      },
      [lengths, ...values],
      stage,
    );
  });
  const table = lazyTable('cache-table', t('Cache by length as a table'), () => [
    [t('Tokens'), ...lines.map(({ label }) => label)],
    lengths.map((tokens) => [
      groupedDigits(String(tokens)),
      ...lines.map(({ bytes }) => (bytes.has(tokens) ? exactText({ unit: 'bytes', digits: bytes.get(tokens) as string }) : '–')),
    ]),
  ]);
  return {
    root: figure('cache-chart', t('KV cache of one sequence'), stage, readout, table.root),
    repaint: drawn.repaint,
    destroy: drawn.destroy,
  };
}

const lineOf = ({ label, own, points }: CacheCurve): Line => ({ label, own, bytes: new Map(points) });

/** Parameters of each part as bars, a second design's beside. Undefined where they are not known. */
export function partsChart(first: readonly ReportPart[], second: readonly ReportPart[] | undefined): Chart | undefined {
  const ids = [...new Set([...first, ...(second ?? [])].map(({ id }) => id))];
  if (ids.length === 0) return undefined;
  const find = (parts: readonly ReportPart[] | undefined, id: string): ReportPart | undefined => parts?.find((part) => part.id === id);
  const labels = ids.map((id) => (find(first, id) ?? find(second, id))?.label ?? id);
  const sides = second === undefined ? [first] : [first, second];
  const totals = sides.map((parts) => parts.reduce((sum, { parameters }) => sum + BigInt(parameters), 0n));
  const amount = (side: number, id: string): Amount => ({ unit: 'parameters', digits: find(sides[side], id)?.parameters ?? '0' });
  const share = (side: number, id: string): string => {
    const total = totals[side] ?? 0n;
    if (total === 0n) return '';
    const thousandths = (BigInt(amount(side, id).digits) * 1000n + total / 2n) / total;
    if (thousandths === 0n && amount(side, id).digits !== '0') return '<0.1 %';
    return `${thousandths / 10n}${thousandths % 10n === 0n ? '' : `.${thousandths % 10n}`} %`;
  };
  const values = sides.map((_, side) => ids.map((id) => Number(amount(side, id).digits)));
  const most = Math.max(1, ...values.flat());
  const stage = element('div', { class: 'plot', role: 'img' });
  stage.setAttribute(
    'aria-label',
    t('Parameters by part: {parts}', {
      parts: ids
        .map((id, i) => `${labels[i]} ${sides.map((_, side) => `${shortText(amount(side, id))} (${share(side, id)})`).join(' / ')}`)
        .join(', '),
    }),
  );
  const room = Math.max(150, 40 + ids.length * (second === undefined ? 34 : 50));
  const drawn = drawing(stage, (width) => {
    const { ink, grid, marks, font } = colors();
    const bars = uPlot.paths.bars;
    const axis = { font, stroke: ink, ticks: { show: false } };
    const names = measured(labels, font);
    return new uPlot(
      {
        width,
        height: room,
        legend: { show: false },
        cursor: { show: false },
        padding: [4, 118, 4, 0],
        scales: {
          x: { time: false, ori: 1, dir: -1, range: () => [-0.5, ids.length - 0.5] },
          y: { ori: 0, dir: 1, range: () => [0, most] },
        },
        axes: [
          { ...axis, side: 3, splits: () => ids.map((_, i) => i), values: () => labels, size: names + 16, grid: { show: false } },
          { ...axis, side: 2, show: false, grid: { stroke: grid } },
        ],
        series: [
          {},
          ...values.map((_, side) => ({
            stroke: marks[side] ?? ink,
            fill: side === 0 ? (marks[0] ?? ink) : 'transparent',
            width: 1.5,
            points: { show: false },
            ...(bars === undefined
              ? {}
              : { paths: bars(second === undefined ? { size: [0.62, 22] } : { size: [0.36, 16], align: side === 0 ? -1 : 1 }) }),
          })),
        ],
        hooks: {
          draw: [
            (plot) => {
              const { ctx } = plot;
              const scale = devicePixelRatio;
              ctx.save();
              ctx.font = font.replace(/^([\d.]+)px/, (_, size: string) => `${Number(size) * scale}px`);
              ctx.fillStyle = ink;
              ctx.textBaseline = 'middle';
              ctx.textAlign = 'left';
              for (const [side, of] of values.entries()) {
                for (const [i, value] of of.entries()) {
                  const shift = second === undefined ? 0 : (side === 0 ? -9 : 9) * scale;
                  const id = ids[i] as string;
                  ctx.fillText(
                    `${shortText(amount(side, id))} · ${share(side, id)}`,
                    plot.valToPos(value, 'y', true) + 8 * scale,
                    plot.valToPos(i, 'x', true) + shift,
                  );
                }
              }
              ctx.restore();
            },
          ],
        },
      },
      [ids.map((_, i) => i), ...values],
      stage,
    );
  });
  const table = lazyTable('parts-table', t('Parts as a table'), () => [
    [
      t('Part'),
      ...sides.flatMap((_, side) =>
        second === undefined ? [t('Parameters'), t('Share')] : [side === 0 ? t('First') : t('Second'), t('Share')],
      ),
    ],
    ids.map((id, i) => [labels[i] ?? id, ...sides.flatMap((_, side) => [exactText(amount(side, id)), share(side, id)])]),
  ]);
  const key =
    second === undefined
      ? []
      : [element('p', { class: 'readout', 'aria-hidden': 'true' }, swatch(0, true), t('First'), swatch(1, false, true), t('Second'))];
  return {
    root: figure('parts-chart', t('Parameters by part'), stage, ...key, table.root),
    repaint: drawn.repaint,
    destroy: drawn.destroy,
  };
}

/** Width of the widest text, in CSS pixels. */
function measured(texts: readonly string[], font: string): number {
  const context = document.createElement('canvas').getContext('2d');
  if (context === null) return 120;
  context.font = font;
  return Math.ceil(Math.max(...texts.map((text) => context.measureText(text).width)));
}

/** A sample of a line, or of a bar. */
function swatch(index: number, isBar = false, isHollow = false): SVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [name, value] of Object.entries({ class: `swatch mark${index % 5}`, width: '26', height: '10', 'aria-hidden': 'true' }))
    svg.setAttribute(name, value);
  const mark = document.createElementNS('http://www.w3.org/2000/svg', isBar || isHollow ? 'rect' : 'line');
  const at: Readonly<Record<string, string>> =
    isBar || isHollow
      ? { x: '8', y: '1', width: '12', height: '8', ...(isHollow ? { fill: 'none' } : {}) }
      : { x1: '0', y1: '5', x2: '26', y2: '5', 'stroke-dasharray': (dashes[index % dashes.length] ?? []).join(' ') };
  for (const [name, value] of Object.entries(at)) mark.setAttribute(name, value);
  svg.append(mark);
  return svg;
}

const figure = (id: string, title: string, ...parts: readonly Node[]): HTMLElement =>
  element(
    'figure',
    { class: 'card chart', id, 'aria-labelledby': `${id}-title` },
    element('figcaption', {}, element('h2', { id: `${id}-title` }, title)),
    ...parts,
  );

/** Draws into a stage as wide as it is, again when that changes. */
function drawing(stage: HTMLElement, make: (width: number) => uPlot): { plot(): uPlot | undefined; repaint(): void; destroy(): void } {
  let plot: uPlot | undefined;
  let width = 0;
  const draw = (): void => {
    if (width <= 0) return;
    plot?.destroy();
    plot = make(width);
  };
  const observer = new ResizeObserver(() => {
    const next = Math.floor(stage.clientWidth);
    if (next === width) return;
    width = next;
    draw();
  });
  observer.observe(stage);
  return {
    plot: () => plot,
    repaint: draw,
    destroy: () => {
      observer.disconnect();
      plot?.destroy();
    },
  };
}
