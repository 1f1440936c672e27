import type { ColorMap, Scale } from './colors.ts';
import type { ComputeResult } from './compute.ts';
import { element } from './dom.ts';
import { paint } from './heatmap.ts';
import { labels, summary, weightText } from './words.ts';

/** Cells at least this wide get their token's name beside them. */
const LABEL_CELL = 9;
const TOP_KEYS = 8;

export interface DetailEvents {
  close(): void;
  step(by: number): void;
}

/** One head, large: token axes, a cursor that follows the pointer or the arrow keys, and what its row attends to. */
export class Detail {
  readonly root = element('section', { class: 'detail', hidden: '' });
  readonly #title = element('h2', { id: 'detail-title' });
  readonly #tags = element('p', { class: 'tags' });
  readonly #map = element('div', { class: 'detail-map' });
  readonly #canvas = element('canvas', {
    role: 'img',
    tabindex: '0',
    id: 'detail-canvas',
    'aria-describedby': 'detail-readout detail-keys',
  });
  readonly #rows = element('div', { class: 'axis rows', 'aria-hidden': 'true' });
  readonly #columns = element('div', { class: 'axis columns', 'aria-hidden': 'true' });
  readonly #cursor = element('div', { class: 'cursor', hidden: '' });
  readonly #cross = element('div', { class: 'cross', hidden: '' });
  readonly #readout = element('p', { class: 'readout', id: 'detail-readout', 'aria-live': 'polite' });
  readonly #top = element('ol', { class: 'top', start: '1' });
  readonly #numbers = element('dl', { class: 'numbers' });
  #result: ComputeResult | undefined;
  #head = 0;
  #side = 0;
  #at: { readonly row: number; readonly column: number } | undefined;
  #pinned = false;

  constructor(events: DetailEvents) {
    const close = element('button', { class: 'icon', type: 'button', id: 'detail-close', 'aria-label': 'Close head' }, '✕');
    const previous = element('button', { class: 'icon', type: 'button', 'aria-label': 'Previous head' }, '‹');
    const next = element('button', { class: 'icon', type: 'button', 'aria-label': 'Next head' }, '›');
    close.addEventListener('click', () => events.close());
    previous.addEventListener('click', () => events.step(-1));
    next.addEventListener('click', () => events.step(1));
    this.#map.append(this.#columns, this.#rows, element('div', { class: 'frame' }, this.#canvas, this.#cross, this.#cursor));
    const keys = element(
      'p',
      { class: 'hint', id: 'detail-keys' },
      'Arrow keys move the cell, Home and End go along the row, Enter pins it, Escape closes.',
    );
    this.root.setAttribute('aria-labelledby', 'detail-title');
    this.root.append(
      element('header', {}, this.#title, element('span', { class: 'spacer' }), previous, next, close),
      this.#tags,
      this.#map,
      this.#readout,
      this.#top,
      this.#numbers,
      keys,
    );
    this.#canvas.addEventListener('pointermove', (event) => {
      if (!this.#pinned) this.#go(this.#cellAt(event));
    });
    this.#canvas.addEventListener('pointerdown', (event) => {
      this.#pinned = false;
      this.#go(this.#cellAt(event));
      this.#pinned = true;
    });
    this.root.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') events.close();
      else if (event.target === this.#canvas && this.#key(event.key)) event.preventDefault();
    });
  }

  get head(): number {
    return this.#head;
  }

  focus(): void {
    this.#canvas.focus({ preventScroll: true });
    this.root.scrollIntoView({ block: 'nearest' });
  }

  hide(): void {
    this.root.hidden = true;
    this.#at = undefined;
    this.#pinned = false;
  }

  show(result: ComputeResult, head: number, scale: Scale, colors: ColorMap): void {
    const moved = head !== this.#head || this.root.hidden;
    this.#result = result;
    this.#head = head;
    this.root.hidden = false;
    const { size, tokens, design } = result;
    const statistics = result.statistics[head];
    if (statistics === undefined) return;
    const keyValueHead = Math.floor(head / (design.queryHeads / design.keyValueHeads));
    this.#title.textContent = `Head ${head}`;
    this.#tags.replaceChildren(
      ...[`KV head ${keyValueHead}`, ...labels(statistics, tokens.length)].map((text) => element('span', { class: 'tag' }, text)),
    );

    const room = Math.max(200, Math.min(560, this.root.clientWidth - 110, innerHeight - 300));
    const cell = Math.max(1, Math.floor(room / size));
    this.#side = size <= room ? cell * size : room;
    const named = size === tokens.length && cell >= LABEL_CELL;
    this.#map.classList.toggle('named', named);
    this.#canvas.style.width = `${this.#side}px`;
    this.#canvas.style.height = `${this.#side}px`;
    this.#canvas.setAttribute('aria-label', summary(head, keyValueHead, statistics, tokens.length));
    for (const axis of [this.#rows, this.#columns]) {
      axis.replaceChildren(...(named ? tokens.map((token) => element('span', {}, token)) : []));
      axis.style.setProperty('--cell', `${cell}px`);
    }
    paint(this.#canvas, this.#view(), Math.round(this.#side * devicePixelRatio), scale, colors);
    this.#numbers.replaceChildren(
      ...(
        [
          ['Entropy', `${statistics.entropy.toFixed(2)} bits`],
          ['Largest weight', weightText(statistics.maximum)],
          ['Mean distance', `${statistics.distance.toFixed(1)} tokens`],
          ['Keys for 90 %', statistics.span.toFixed(1)],
          ['On first token', statistics.first.toFixed(3)],
          ['On previous', statistics.previous.toFixed(3)],
          ['On itself', statistics.self.toFixed(3)],
        ] as const
      ).map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
    );
    if (moved) this.#pinned = false;
    const last = size - 1;
    this.#go(
      this.#at === undefined
        ? { row: last, column: this.#heaviest(last) }
        : { row: Math.min(last, this.#at.row), column: Math.min(last, this.#at.column) },
    );
  }

  #view() {
    const { maps, size, tokens, lows, highs } = this.#result as ComputeResult;
    return { data: maps, start: this.#head * size * size, size, tokens: tokens.length, lows, highs };
  }

  #weight(row: number, column: number): number {
    const { maps, size } = this.#result as ComputeResult;
    return maps[(this.#head * size + row) * size + column] ?? 0;
  }

  #heaviest(row: number): number {
    const { size } = this.#result as ComputeResult;
    let best = 0;
    for (let column = 1; column < size; column++) if (this.#weight(row, column) > this.#weight(row, best)) best = column;
    return best;
  }

  #cellAt(event: PointerEvent): { row: number; column: number } {
    const { size } = this.#result as ComputeResult;
    const box = this.#canvas.getBoundingClientRect();
    const place = (offset: number, extent: number): number => Math.min(size - 1, Math.max(0, Math.floor((offset / extent) * size)));
    return { row: place(event.clientY - box.top, box.height), column: place(event.clientX - box.left, box.width) };
  }

  #key(key: string): boolean {
    const result = this.#result;
    if (result === undefined || this.#at === undefined) return false;
    const { row, column } = this.#at;
    const last = result.size - 1;
    const moves: Readonly<Record<string, readonly [number, number]>> = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      Home: [row, 0],
      End: [row, last],
      PageUp: [row - 10, column],
      PageDown: [row + 10, column],
    };
    if (key === 'Enter' || key === ' ') {
      this.#pinned = !this.#pinned;
      this.#cursor.classList.toggle('pinned', this.#pinned);
      return true;
    }
    const move = moves[key];
    if (move === undefined) return false;
    this.#go({ row: Math.min(last, Math.max(0, move[0])), column: Math.min(last, Math.max(0, move[1])) });
    return true;
  }

  #go(at: { readonly row: number; readonly column: number }): void {
    const result = this.#result;
    if (result === undefined) return;
    this.#at = at;
    const cell = this.#side / result.size;
    this.#cursor.hidden = false;
    this.#cross.hidden = false;
    this.#cursor.classList.toggle('pinned', this.#pinned);
    this.#cursor.style.cssText = `left:${at.column * cell}px;top:${at.row * cell}px;width:${cell}px;height:${cell}px`;
    this.#cross.style.cssText = `top:${at.row * cell}px;height:${cell}px;width:${this.#side}px`;
    for (const [axis, index] of [
      [this.#rows, at.row],
      [this.#columns, at.column],
    ] as const) {
      for (const [i, label] of [...axis.children].entries()) label.classList.toggle('on', i === index);
    }
    this.#readout.replaceChildren(...readout(result, this.#head, at.row, at.column));
    const order = Array.from({ length: result.size }, (_, column) => column)
      .filter((column) => this.#weight(at.row, column) > 0)
      .sort((a, b) => this.#weight(at.row, b) - this.#weight(at.row, a))
      .slice(0, TOP_KEYS);
    this.#top.replaceChildren(
      ...order.map((column) => {
        const weight = this.#weight(at.row, column);
        const bar = element('span', { class: 'bar' });
        bar.style.width = `${Math.min(1, weight) * 100}%`;
        const item = element(
          'li',
          {},
          element('span', { class: 'token' }, tokenText(result, column)),
          element('span', { class: 'track' }, bar),
          element('span', { class: 'value' }, weightText(weight)),
        );
        item.classList.toggle('on', column === at.column);
        return item;
      }),
    );
  }
}

/** A token's number and word, or the range that a pooled cell stands for. */
export function tokenText(result: ComputeResult, cell: number): string {
  const { size, tokens } = result;
  if (size === tokens.length) return `${cell} “${tokens[cell] ?? ''}”`;
  const first = Math.ceil((cell * tokens.length) / size - 0.5);
  const last = Math.ceil(((cell + 1) * tokens.length) / size - 0.5) - 1;
  return `${first}–${Math.max(first, last)}`;
}

/** A cell in words: head, query, key, weight. */
export function readout(result: ComputeResult, head: number, row: number, column: number): readonly (Node | string)[] {
  const { maps, size, pooled, lows, highs } = result;
  const weight = maps[(head * size + row) * size + column] ?? 0;
  const hidden = !pooled && (column < (lows[row] as number) || column >= (highs[row] as number));
  return [
    `Head ${head}: query ${tokenText(result, row)} → key ${tokenText(result, column)} `,
    element('strong', {}, hidden ? 'hidden by the mask' : `${pooled ? 'at most ' : ''}${weightText(weight)}`),
  ];
}
