import { element } from './dom.ts';
import { type MapView, paint, type Window } from './heatmap.ts';

/** Cells at least this wide get their token's name beside them. */
export const LABEL_CELL = 9;
/** Numbers on an axis stand at least this far apart, in CSS pixels. */
const TICK_DISTANCE = 46;
/** Pointer moves shorter than this are a click. */
const CLICK_DISTANCE = 4;

export interface Cell {
  readonly row: number;
  readonly column: number;
}

export interface PaneEvents {
  /** The pointer stands over a cell. */
  point(cell: Cell): void;
  /** A cell was clicked. */
  click(cell: Cell): void;
  /** Zoom by a factor about a cell. */
  zoom(factor: number, about: Cell): void;
  /** Move the window by cells. */
  pan(rows: number, columns: number): void;
}

/** One map with its axes and a cursor. */
export class Pane {
  readonly root = element('div', { class: 'detail-map' });
  readonly canvas: HTMLCanvasElement;
  readonly #title = element('p', { class: 'pane-title' });
  readonly #rows = element('div', { class: 'axis rows', 'aria-hidden': 'true' });
  readonly #columns = element('div', { class: 'axis columns', 'aria-hidden': 'true' });
  readonly #cursor = element('div', { class: 'cursor', hidden: '' });
  readonly #cross = element('div', { class: 'cross', hidden: '' });
  readonly #down = element('div', { class: 'cross', hidden: '' });
  #side = 1;
  #window: Window = { row: 0, column: 0, cells: 1 };
  #drag: { x: number; y: number; moved: boolean } | undefined;

  constructor(attributes: Readonly<Record<string, string>>, events: PaneEvents) {
    this.canvas = element('canvas', { role: 'img', ...attributes });
    this.root.append(
      this.#title,
      this.#columns,
      this.#rows,
      element('div', { class: 'frame' }, this.canvas, this.#cross, this.#down, this.#cursor),
    );
    const { canvas } = this;
    canvas.addEventListener('pointermove', (event) => {
      const drag = this.#drag;
      if (drag === undefined) {
        events.point(this.#cellAt(event));
        return;
      }
      const cell = this.#side / this.#window.cells;
      const columns = Math.trunc((drag.x - event.clientX) / cell);
      const rows = Math.trunc((drag.y - event.clientY) / cell);
      if (Math.hypot(drag.x - event.clientX, drag.y - event.clientY) > CLICK_DISTANCE) drag.moved = true;
      if (!drag.moved || (rows === 0 && columns === 0)) return;
      drag.x -= columns * cell;
      drag.y -= rows * cell;
      events.pan(rows, columns);
    });
    canvas.addEventListener('pointerdown', (event) => {
      this.#drag = { x: event.clientX, y: event.clientY, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointerup', (event) => {
      if (this.#drag?.moved === false) events.click(this.#cellAt(event));
      this.#drag = undefined;
    });
    canvas.addEventListener('pointercancel', () => {
      this.#drag = undefined;
    });
    canvas.addEventListener(
      'wheel',
      (event) => {
        // Alone the wheel scrolls the page.
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        events.zoom(event.deltaY < 0 ? 1.5 : 1 / 1.5, this.#cellAt(event));
      },
      { passive: false },
    );
  }

  #cellAt(event: MouseEvent): Cell {
    const { row, column, cells } = this.#window;
    const box = this.canvas.getBoundingClientRect();
    const place = (offset: number, extent: number): number => Math.min(cells - 1, Math.max(0, Math.floor((offset / extent) * cells)));
    return { row: row + place(event.clientY - box.top, box.height), column: column + place(event.clientX - box.left, box.width) };
  }

  /**
   * Draws the part of the map that the window shows, at most `room` CSS pixels a side.
   *
   * @param window in tokens
   * @param drawn the same in the view's cells
   * @param name of a token
   */
  show(title: string, view: MapView, window: Window, drawn: Window, room: number, name: (token: number) => string): void {
    const { cells } = window;
    const cell = Math.max(1, Math.floor(room / cells));
    this.#side = cells <= room ? cell * cells : room;
    this.#window = window;
    this.#title.textContent = title;
    this.#title.hidden = title === '';
    this.canvas.style.width = `${this.#side}px`;
    this.canvas.style.height = `${this.#side}px`;
    const pitch = this.#side / cells;
    const named = pitch >= LABEL_CELL;
    this.root.classList.toggle('named', named);
    const every = named ? 1 : tickEvery(pitch);
    for (const [axis, first] of [
      [this.#rows, window.row],
      [this.#columns, window.column],
    ] as const) {
      axis.style.setProperty('--cell', `${pitch * every}px`);
      const start = named ? first : Math.ceil(first / every) * every;
      axis.style.setProperty('--start', `${(start - first) * pitch}px`);
      const labels: HTMLElement[] = [];
      for (let at = start; at < first + cells; at += every) {
        if (!named && at + every / 2 > first + cells) break;
        labels.push(element('span', { 'data-at': String(at) }, named ? name(at) : String(at)));
      }
      axis.replaceChildren(...labels);
    }
    paint(this.canvas, view, Math.round(this.#side * devicePixelRatio), drawn);
  }

  /** Puts the cursor on a cell, or the tile of `grain` tokens it lies in; away where the window does not show it. */
  point({ row, column }: Cell, pinned: boolean, grain = 1): void {
    const { row: top, column: left, cells } = this.#window;
    const pitch = this.#side / cells;
    const cell = pitch * grain;
    // Places of tiles, in tiles.
    const place = (at: number, from: number): number => (Math.floor(at / grain) * grain - from) / grain;
    const [y, x] = [place(row, top), place(column, left)];
    const across = cells / grain;
    const inside = y > -1 && x > -1 && y < across && x < across;
    this.#cursor.hidden = !inside;
    this.#cross.hidden = y <= -1 || y >= across;
    this.#down.hidden = x <= -1 || x >= across;
    this.#cursor.classList.toggle('pinned', pinned);
    this.#cursor.style.cssText = `left:${x * cell}px;top:${y * cell}px;width:${cell}px;height:${cell}px`;
    this.#cross.style.cssText = `top:${y * cell}px;left:0;height:${cell}px;width:${this.#side}px`;
    this.#down.style.cssText = `left:${x * cell}px;top:0;width:${cell}px;height:${this.#side}px`;
    for (const [axis, index] of [
      [this.#rows, row],
      [this.#columns, column],
    ] as const) {
      for (const label of axis.querySelectorAll('.on')) label.classList.remove('on');
      axis.querySelector(`[data-at="${index}"]`)?.classList.add('on');
    }
  }
}

/** 1, 2, 5, 10, 20, ...: cells between two numbers of an axis. */
function tickEvery(pitch: number): number {
  for (let ten = 1; ; ten *= 10) for (const step of [1, 2, 5]) if (step * ten * pitch >= TICK_DISTANCE) return step * ten;
}
