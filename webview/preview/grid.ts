import type { HeadStatistics } from '../../src/kernel/interface.ts';
import { element, type Tip } from './dom.ts';
import { paint } from './heatmap.ts';
import type { Weights } from './lens.ts';
import { type Shown, viewOf } from './shown.ts';
import { plural, t } from './text.ts';
import { headName, labels, statisticText, statisticValue, summary, tokenText, weightText } from './words.ts';

/** Time that building or painting may take before the page answers again, in ms. */
const SLICE_MS = 12;
/** Maps are no smaller than this where they can be larger, in CSS pixels. */
const SMALLEST = 64;

/** A cell in words: head, query, key, weight. */
export function readout(weights: Weights, head: number, row: number, column: number): readonly (Node | string)[] {
  const { result } = weights;
  const weight = weights.at(head, row, column);
  const hidden = !result.pooled && (column < (result.lows[row] as number) || column >= (result.highs[row] as number));
  const said = hidden
    ? t('hidden by the mask')
    : result.pooled
      ? t('at most {weight}', { weight: weightText(weight) })
      : weightText(weight);
  const cell = { head: headName(result, head), query: tokenText(result, row), key: tokenText(result, column) };
  return [`${t('{head}: query {query} → key {key}', cell)} `, element('strong', {}, said)];
}

/** All heads at a glance: a map each, sorted, filtered and grouped, painted as they scroll into view. */
export class Grid {
  readonly root = element('div', { class: 'maps', id: 'maps' });
  readonly status = element('p', { class: 'status', id: 'filtered', role: 'status' });
  readonly #open: (head: number) => void;
  readonly #tip: Tip;
  readonly #tiles = new Map<number, { readonly canvas: HTMLCanvasElement; painted: boolean; wanted: boolean }>();
  readonly #observer: IntersectionObserver;
  #shown: Shown | undefined;
  #side = 1;
  #turn = 0;
  #painting = false;

  constructor(tip: Tip, open: (head: number) => void) {
    this.#open = open;
    this.#tip = tip;
    new ResizeObserver(() => this.#resize()).observe(this.root);
    this.#observer = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          const tile = this.#tiles.get(Number((entry.target as HTMLElement).dataset.map));
          if (tile !== undefined) tile.wanted = entry.isIntersecting;
        }
        this.#paintSome();
      },
      { rootMargin: '200px' },
    );
  }

  /** The heads that the filter lets through, in the order asked for. */
  heads(shown: Shown): readonly number[] {
    const { weights, display } = shown;
    const { statistics } = weights.result;
    const { order, filter, least, ascending } = display;
    const all = statistics
      .map((_, head) => head)
      .filter((head) => filter === 'all' || ((statistics[head] as HeadStatistics)[filter] ?? Number.NEGATIVE_INFINITY) >= least);
    if (order === 'head') return ascending ? all.reverse() : all;
    const value = (head: number): number => (statistics[head] as HeadStatistics)[order] ?? Number.NEGATIVE_INFINITY;
    return all.sort((a, b) => (ascending ? value(a) - value(b) : value(b) - value(a)));
  }

  show(shown: Shown): void {
    this.#shown = shown;
    const turn = ++this.#turn;
    const { weights, display } = shown;
    const { result } = weights;
    const { queryHeads, keyValueHeads } = result.design;
    const group = queryHeads / keyValueHeads;
    const heads = this.heads(shown);
    this.#observer.disconnect();
    this.#tiles.clear();
    this.status.textContent =
      display.filter === 'all'
        ? ''
        : t('{shown} of {all} with {statistic} of at least {least}.', {
            shown: heads.length,
            all: plural(statisticsCount(shown), t('1 head'), t('{n} heads')),
            statistic: statisticText(display.filter).label,
            least: display.least,
          });

    // Frames first, then the maps a slice at a time: a thousand heads take longer than a key press may wait.
    const places = new Map<number, HTMLElement>();
    const sections: HTMLElement[] = [];
    /** Sections of each layer, where layers stand side by side. */
    const columns = new Map<number, HTMLElement[]>();
    const sectionOf = (head: number): HTMLElement => {
      const layer = Math.floor(head / queryHeads);
      const shared = Math.floor((head % queryHeads) / group);
      const grouped = display.order === 'head';
      const key = grouped ? (group > 1 ? layer * keyValueHeads + shared : layer) : 0;
      const known = places.get(key);
      if (known !== undefined) return known;
      const row = element('div', { class: 'heads' });
      places.set(key, row);
      if (grouped && (group > 1 || result.layers > 1)) {
        const name =
          group === 1
            ? t('Layer {layer}', { layer: result.firstLayer + layer })
            : result.layers > 1
              ? t('Layer {layer}, KV head {head}', { layer: result.firstLayer + layer, head: shared })
              : t('KV head {head}', { head: shared });
        const section = element('section', { class: 'group', 'aria-label': name }, element('h2', {}, name), row);
        sections.push(section);
        columns.set(layer, [...(columns.get(layer) ?? []), section]);
      } else sections.push(row);
      return row;
    };
    const homes = heads.map(sectionOf);
    const aside = display.columns && columns.size > 1;
    this.root.classList.toggle('columns', aside);
    this.root.replaceChildren(...(aside ? [...columns.values()].map((each) => element('div', { class: 'layer' }, ...each)) : sections));
    if (heads.length === 0) this.root.append(element('p', { class: 'empty' }, t('No head is like that. Lower the filter’s value.')));
    let at = 0;
    const build = (): void => {
      if (turn !== this.#turn) return;
      const until = performance.now() + SLICE_MS;
      while (at < heads.length && (at < 16 || performance.now() < until)) {
        homes[at]?.append(this.#figure(shown, heads[at] as number, group));
        at++;
      }
      if (at < heads.length) setTimeout(build, 0);
    };
    this.#resize();
    build();
  }

  #figure(shown: Shown, head: number, group: number): HTMLElement {
    const { weights, display } = shown;
    const { result } = weights;
    const statistics = result.statistics[head] as HeadStatistics;
    const name = headName(result, head);
    const canvas = element('canvas', { role: 'img', 'data-map': String(head), 'aria-label': summary(result, head, statistics) });
    canvas.width = canvas.height = 1;
    const opener = element(
      'button',
      { class: 'open', type: 'button', 'data-head': String(head), title: t('Open {head}', { head: name }) },
      canvas,
    );
    opener.addEventListener('click', () => this.#open(head));
    canvas.addEventListener('pointermove', (event) => this.#hover(event, canvas, head));
    canvas.addEventListener('pointerleave', () => this.#tip.hide());
    this.#tiles.set(head, { canvas, painted: false, wanted: false });
    this.#observer.observe(canvas);
    const shared = Math.floor((head % result.design.queryHeads) / group);
    const number =
      display.order === 'head' || display.order === 'entropy'
        ? t('{n} bits', { n: statistics.entropy.toFixed(1) })
        : statisticValue(statistics, display.order);
    return element(
      'figure',
      { class: head === display.opened ? 'head opened' : 'head', 'data-figure': String(head) },
      opener,
      element(
        'figcaption',
        {},
        element(
          'span',
          { class: 'name' },
          display.order === 'head' || group === 1 ? name : t('{head} · KV {shared}', { head: name, shared }),
        ),
        element('span', { class: 'entropy', title: statisticText(display.order === 'head' ? 'entropy' : display.order).meaning }, number),
        ...labels(statistics, result.tokens.length).map((line) => element('span', { class: 'tag' }, line)),
      ),
    );
  }

  /** Marks the head that is shown large. */
  mark(head: number | undefined): void {
    for (const figure of this.root.querySelectorAll<HTMLElement>('figure.head'))
      figure.classList.toggle('opened', figure.dataset.figure === String(head));
  }

  focus(head: number): void {
    this.root.querySelector<HTMLElement>(`button[data-head="${head}"]`)?.focus();
  }

  /** Canvas of a head, where it is painted. */
  canvas(head: number): HTMLCanvasElement | undefined {
    const tile = this.#tiles.get(head);
    if (tile === undefined) return undefined;
    if (!tile.painted) this.#paint(head);
    return tile.canvas;
  }

  /** Paints all again in other colours. */
  repaint(shown: Shown): void {
    this.#shown = shown;
    for (const tile of this.#tiles.values()) tile.painted = false;
    this.#paintSome();
  }

  #paintSome(): void {
    if (this.#painting) return;
    this.#painting = true;
    const paintSlice = (): void => {
      const until = performance.now() + SLICE_MS;
      let more = false;
      for (const [head, tile] of this.#tiles) {
        if (tile.painted || !tile.wanted) continue;
        if (performance.now() > until) {
          more = true;
          break;
        }
        this.#paint(head);
      }
      if (more) setTimeout(paintSlice, 0);
      else this.#painting = false;
    };
    paintSlice();
  }

  #paint(head: number): void {
    const tile = this.#tiles.get(head);
    if (tile === undefined || this.#shown === undefined) return;
    tile.painted = true;
    paint(tile.canvas, viewOf(this.#shown, this.#shown.weights, head), Math.round(this.#side * devicePixelRatio));
  }

  /** Chooses the maps' size: whole pixels per cell, and the heads of a group in one row where they can be. */
  #resize(): void {
    if (this.#shown === undefined || this.root.clientWidth === 0) return;
    const { weights, display } = this.#shown;
    const { design, size } = weights.result;
    const heads = weights.heads;
    const group = design.queryHeads / design.keyValueHeads;
    const wanted = heads <= 16 ? 144 : heads <= 64 ? 112 : 88;
    const beside = this.root.classList.contains('columns') ? weights.result.layers : 1;
    const width = (this.root.clientWidth - 12 * (beside - 1)) / beside - 24;
    const sideFor = (row: number): number => {
      const room = (width - 12 * (row - 1)) / row;
      const target = Math.max(SMALLEST, Math.min(wanted, room));
      const cell = Math.max(1, Math.round(target / size));
      return size > target * 2 ? target : cell > 1 && cell * size > room ? (cell - 1) * size : cell * size;
    };
    let row = display.order === 'head' && group > 1 && group <= 8 ? group : 1;
    // In more rows rather than too small to see.
    while (row > 1 && sideFor(row) < SMALLEST) row = Math.ceil(row / 2);
    const next = sideFor(row);
    if (next === this.#side) return;
    this.#side = next;
    this.root.style.setProperty('--side', `${next}px`);
    this.repaint(this.#shown);
  }

  #hover(event: PointerEvent, canvas: HTMLCanvasElement, head: number): void {
    if (this.#shown === undefined) return;
    const box = canvas.getBoundingClientRect();
    const { size } = this.#shown.weights.result;
    const place = (offset: number, extent: number): number => Math.min(size - 1, Math.max(0, Math.floor((offset / extent) * size)));
    const [row, column] = [place(event.clientY - box.top, box.height), place(event.clientX - box.left, box.width)];
    this.#tip.show(event, readout(this.#shown.weights, head, row, column));
  }
}

const statisticsCount = (shown: Shown): number => shown.weights.result.statistics.length;
