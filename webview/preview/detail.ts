import type { HeadStatistics } from '../../src/kernel/interface.ts';
import { button, type Choice, dropdown } from '../toolkit.ts';
import { bars, element, labelled, lazyTable } from './dom.ts';
import { columnOf, drawn, grainOf, type Line, rowOf, type Tile, wantedRows } from './exact.ts';
import type { Window } from './heatmap.ts';
import { placeInRow, similarity, type Weights } from './lens.ts';
import { type Cell, LABEL_CELL, Pane } from './pane.ts';
import { canShare, differenceOf, type Shown } from './shown.ts';
import type { Comparison, Display } from './state.ts';
import { t } from './text.ts';
import { headName, labels, statisticNames, statisticText, statisticValue, summary, weightText } from './words.ts';

const TOP_KEYS = 6;
/** Rows of the table: beyond, all but nothing of the weight is left. */
const MOST_ROWS = 2048;
const SIMILAR = 4;
/** Fewest tokens across that zooming goes to. */
const FEWEST_CELLS = 4;
/** Between two questions for exact rows while the window moves, in ms. */
const PACE_MS = 60;

export interface DetailEvents {
  close(): void;
  open(head: number): void;
  display(change: Partial<Display>): void;
  /** Follow this token through the function. */
  follow(row: number, head: number): void;
  /** Exact rows of heads are wanted, of a pooled result. */
  rows(heads: readonly number[], row: number, rows: number): void;
}

/** One head, large: token axes, zoom, a cursor that follows the pointer or the arrow keys, what its row holds, and comparisons. */
export class Detail {
  readonly root = element('section', { class: 'detail', hidden: '', 'aria-labelledby': 'detail-title' });
  readonly #events: DetailEvents;
  readonly #title = element('h2', { id: 'detail-title' });
  readonly #tags = element('p', { class: 'tags' });
  readonly #panes: readonly [Pane, Pane];
  readonly #notice = element('p', { class: 'hint', role: 'status' });
  readonly #readout = element('p', { class: 'readout', id: 'detail-readout', 'aria-live': 'polite' });
  readonly #rowTop = element('ol', { class: 'top' });
  readonly #columnTitle = element('h3', {}, t('This key is attended by'));
  readonly #columnTop = element('ol', { class: 'top' });
  readonly #numbers = element('dl', { class: 'numbers' });
  readonly #similar = element('p', { class: 'similar' });
  readonly #table: ReturnType<typeof lazyTable>;
  readonly #compare: Choice;
  readonly #head: Choice;
  readonly #headControl: HTMLElement;
  readonly #mode: Choice;
  readonly #modeControl: HTMLElement;
  #shown: Shown | undefined;
  #opened = -1;
  #window: Window = { row: 0, column: 0, cells: 1 };
  /** The cell, in tokens, that the cursor is on. */
  #at: Cell | undefined;
  #key = '';
  #tile: Tile | undefined;
  #asked = '';
  #timer: number | undefined;
  #opening: number | undefined;

  constructor(events: DetailEvents) {
    this.#events = events;
    const icon = (id: string, name: string, sign: string, act: () => void): HTMLElement => {
      const made = element('button', { class: 'icon', type: 'button', id, 'aria-label': name, title: name }, sign);
      made.addEventListener('click', act);
      return made;
    };
    const step = (by: number): void => {
      const count = this.#shown?.weights.heads ?? 1;
      events.open((this.#opened + by + count) % count);
    };
    this.#compare = dropdown('compare', t('Compare with'), [], 'none', (value) => events.display({ compare: value as Comparison }));
    this.#head = dropdown('compare-head', t('Head to compare with'), [], '0', (value) => events.display({ compareHead: Number(value) }));
    this.#headControl = labelled('', this.#head.element);
    this.#mode = dropdown(
      'compare-mode',
      t('Show as'),
      [
        ['side', t('side by side')],
        ['difference', t('difference')],
      ],
      'side',
      (value) => events.display({ difference: value === 'difference' }),
    );
    this.#modeControl = labelled('', this.#mode.element);
    const pane = (id: string): Pane =>
      new Pane(id === 'detail-canvas' ? { id, tabindex: '0', 'aria-describedby': 'detail-readout detail-keys' } : { id }, {
        point: (cell) => {
          if (this.#shown?.display.pinned === undefined) this.#go(cell);
        },
        click: (cell) => {
          const { pinned } = this.#shown?.display ?? {};
          this.#go(cell);
          events.display({ pinned: pinned?.row === cell.row && pinned.column === cell.column ? undefined : cell });
        },
        zoom: (factor, about) => this.#zoom(factor, about),
        pan: (rows, columns) => this.#move(this.#window.row + rows, this.#window.column + columns),
      });
    this.#panes = [pane('detail-canvas'), pane('compared-canvas')];
    this.#table = lazyTable('row-table', t('This row as a table'), () => this.#rowTable());
    this.root.append(
      element(
        'header',
        {},
        this.#title,
        element('span', { class: 'spacer' }),
        icon('zoom-out', t('Zoom out'), '−', () => this.#zoom(1 / 1.5)),
        icon('zoom-in', t('Zoom in'), '+', () => this.#zoom(1.5)),
        icon('zoom-fit', t('Show the whole map'), '⤢', () => this.#zoom(0)),
        icon('detail-previous', t('Previous head'), '‹', () => step(-1)),
        icon('detail-next', t('Next head'), '›', () => step(1)),
        icon('detail-close', t('Close head'), '✕', () => events.close()),
      ),
      this.#tags,
      element('div', { class: 'compare' }, labelled(t('Compare with'), this.#compare.element), this.#headControl, this.#modeControl),
      this.#notice,
      element('div', { class: 'panes' }, ...this.#panes.map(({ root }) => root)),
      this.#readout,
      element(
        'div',
        { class: 'lists' },
        element('div', {}, element('h3', {}, t('This query attends to')), this.#rowTop),
        element('div', {}, this.#columnTitle, this.#columnTop),
      ),
      element(
        'p',
        {},
        button('follow', t('Follow this token step by step'), () => {
          if (this.#at !== undefined) events.follow(this.#at.row, this.#opened);
        }),
      ),
      this.#numbers,
      this.#similar,
      this.#table.root,
      element(
        'p',
        { class: 'hint', id: 'detail-keys' },
        t(
          'Arrow keys move the cell, Home and End go along the row, Enter pins it, + and − zoom, 0 shows all, Escape closes. Ctrl and the wheel zoom, dragging moves.',
        ),
      ),
    );
    this.root.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') events.close();
      else if (event.target === this.#panes[0].canvas && this.#press(event.key)) event.preventDefault();
    });
  }

  get canvases(): readonly HTMLCanvasElement[] {
    return this.#panes.filter(({ root }) => !root.hidden).map(({ canvas }) => canvas);
  }

  focus(): void {
    this.#panes[0].canvas.focus({ preventScroll: true });
    this.root.scrollIntoView({ block: 'nearest' });
  }

  hide(): void {
    clearTimeout(this.#opening);
    this.root.hidden = true;
    this.#at = undefined;
    this.#opened = -1;
  }

  show(shown: Shown, head: number): void {
    const { weights, display } = shown;
    const { result } = weights;
    const { tokens, design } = result;
    const statistics = result.statistics[head];
    if (statistics === undefined) return;
    const isOpening = this.root.hidden;
    const moved = head !== this.#opened || isOpening;
    if (this.#shown?.weights.result.tokens.length !== tokens.length) this.#window = { row: 0, column: 0, cells: tokens.length };
    this.#shown = shown;
    this.#opened = head;
    this.root.hidden = false;
    this.#title.textContent = headName(result, head);
    const shared = Math.floor((head % design.queryHeads) / (design.queryHeads / design.keyValueHeads));
    this.#tags.replaceChildren(
      ...[t('KV head {head}', { head: shared }), ...labels(statistics, result.tokens.length)].map((text) =>
        element('span', { class: 'tag' }, text),
      ),
    );
    this.#offer(shown, head);
    const shownNumbers = statisticNames.filter((name) => statistics[name] !== undefined);
    this.#numbers.replaceChildren(
      ...shownNumbers.map((name) => {
        const { label, meaning } = statisticText(name);
        return element('div', { title: meaning }, element('dt', {}, label), element('dd', {}, statisticValue(statistics, name)));
      }),
    );
    if (moved) this.#findSimilar(weights, head);
    const last = tokens.length - 1;
    const wanted = display.pinned ?? (moved && this.#at === undefined ? undefined : this.#at);
    const row = Math.min(last, wanted?.row ?? last);
    const at = { row, column: Math.min(last, wanted?.column ?? this.#heaviest(row)) };
    this.#at = at;
    const draw = (): void => {
      this.#draw();
      this.#go(this.#at ?? at);
    };
    clearTimeout(this.#opening);
    // All the controls are laid out for the first time: the picture is drawn in a task of its own, so that neither is a long one.
    if (isOpening) this.#opening = window.setTimeout(draw, 0);
    else draw();
  }

  /** Exact rows that were asked for. */
  receive(tile: Tile): void {
    if (this.#shown?.weights.result.id !== tile.of) return;
    this.#tile = tile;
    this.#asked = '';
    if (this.root.hidden) return;
    this.#draw();
    if (this.#at !== undefined) this.#go(this.#at);
  }

  /** For tests: the exact rows there are. */
  get tile(): Tile | undefined {
    return this.#tile;
  }

  /** The first of the keys that get the most of a row. */
  #heaviest(row: number): number {
    const weights = this.#shown?.weights;
    if (weights === undefined) return 0;
    const line = rowOf(weights, this.#opened, row, this.#tile);
    const best = line.values.reduce((most, weight, i) => (weight > (line.values[most] as number) ? i : most), 0);
    return line.exact ? best : Math.floor(best * grainOf(weights));
  }

  /** Asks for the exact rows that are seen, where only tiles of them are known. */
  #need(): void {
    const shown = this.#shown;
    if (shown === undefined) return;
    const { weights, display } = shown;
    const compared = display.compare === 'head' ? this.#compared()?.head : undefined;
    const heads = [this.#opened, ...(compared === undefined ? [] : [compared])];
    const rows = wantedRows(weights, heads, this.#window, display.pinned?.row, this.#tile);
    const asked = rows === undefined ? '' : JSON.stringify([weights.result.id, heads, rows]);
    if (asked === this.#asked) return;
    this.#asked = asked;
    clearTimeout(this.#timer);
    if (rows !== undefined) this.#timer = window.setTimeout(() => this.#events.rows(heads, rows.row, rows.rows), PACE_MS);
  }

  /** Choices of what to compare with, as far as the design has them. */
  #offer(shown: Shown, head: number): void {
    const { result } = shown.weights;
    const { display } = shown;
    const { queryHeads, keyValueHeads } = result.design;
    const fixed = !canShare(shown.weights);
    this.#compare.setOptions(
      [
        ['none', t('nothing')],
        ...(shown.weights.heads > 1 ? [['head', t('another head')] as const] : []),
        ['before', t('before the last change')],
        ['mask', result.highs[0] === result.tokens.length ? t('with a causal mask') : t('without the mask')],
        ...(fixed || keyValueHeads === queryHeads ? [] : [['sharing', t('KV heads of their own (MHA)')] as const]),
        ...(fixed || keyValueHeads !== queryHeads || queryHeads % 2 !== 0 ? [] : [['sharing', t('two heads per KV head (GQA)')] as const]),
      ],
      display.compare,
    );
    this.#headControl.hidden = display.compare !== 'head';
    this.#modeControl.hidden = display.compare === 'none';
    this.#mode.set(display.difference ? 'difference' : 'side');
    if (display.compare !== 'head') return;
    const others = Array.from({ length: shown.weights.heads }, (_, each) => each).filter((each) => each !== head);
    const chosen = others.includes(display.compareHead) ? display.compareHead : (others[0] ?? 0);
    this.#head.setOptions(
      others.map((each) => [String(each), headName(result, each)]),
      String(chosen),
    );
  }

  /** The other map of a comparison: its weights, head and title. */
  #compared(): { readonly weights: Weights; readonly head: number; readonly title: string } | undefined {
    const shown = this.#shown;
    if (shown === undefined) return undefined;
    const { weights, other, display } = shown;
    const { compare } = display;
    if (compare === 'none') return undefined;
    if (compare === 'head') {
      const head =
        display.compareHead !== this.#opened && display.compareHead < weights.heads ? display.compareHead : this.#opened === 0 ? 1 : 0;
      return { weights, head, title: headName(weights.result, head) };
    }
    if (other === undefined || this.#opened >= other.heads) return undefined;
    const titles: Readonly<Record<Exclude<Comparison, 'none' | 'head'>, string>> = {
      before: t('before the change'),
      mask: weights.result.highs[0] === weights.result.tokens.length ? t('causal mask') : t('no mask'),
      sharing: t('{n} KV heads', { n: other.result.design.keyValueHeads }),
    };
    return { weights: other, head: this.#opened, title: titles[compare] };
  }

  #draw(): void {
    const shown = this.#shown;
    if (shown === undefined) return;
    const { weights, display } = shown;
    const { result } = weights;
    const [first, second] = this.#panes;
    const compared = this.#compared();
    const fits =
      compared !== undefined &&
      compared.weights.result.size === result.size &&
      compared.weights.result.tokens.length === result.tokens.length;
    this.#notice.textContent =
      display.compare === 'none' || fits
        ? ''
        : compared !== undefined
          ? t('The other one has {other} rows, this one {own}: they cannot be laid side by side.', {
              other: compared.weights.result.size,
              own: result.size,
            })
          : display.compare === 'before'
            ? t('Nothing has changed yet: edit the design, or a control, and the picture before it is kept.')
            : t('Computing what to compare with…');
    const both = fits && !display.difference;
    this.root.classList.toggle('comparing', both);
    // Names of tokens or numbers stand beside each map.
    const wide = (this.root.clientWidth || 560) - 30;
    const beside = (names: boolean): number => (both ? Math.floor((wide - 14) / 2) : wide) - (names ? 82 : 36);
    const named = Math.floor(beside(true) / this.#window.cells) >= LABEL_CELL;
    const room = Math.max(120, Math.min(560, beside(named), innerHeight - 240));
    const name = (token: number): string => result.tokens[token] ?? '';
    const picture = (of: Weights, head: number) => drawn(shown, of, head, this.#window, this.#tile);
    const own = picture(weights, this.#opened);
    const other = fits ? picture(compared.weights, compared.head) : undefined;
    // Only maps of the same cells can be taken from each other.
    const alike = other === undefined || other.view.size === own.view.size;
    if (other !== undefined && display.difference) {
      const plain = (head: number, of: Weights) => (alike ? picture(of, head) : drawn(shown, of, head, this.#window, undefined));
      const [one, two] = [
        plain(this.#opened, weights),
        plain((compared as { readonly head: number }).head, (compared as { readonly weights: Weights }).weights),
      ];
      const names = { one: headName(result, this.#opened), two: (compared as { readonly title: string }).title };
      first.show(t('{one} minus {two}', names), differenceOf(shown, one.view, two.view), this.#window, one.window, room, name);
    } else first.show(both ? headName(result, this.#opened) : '', own.view, this.#window, own.window, room, name);
    second.root.hidden = !both;
    if (both && other !== undefined) second.show(compared.title, other.view, this.#window, other.window, room, name);
    this.root.classList.toggle('exact', result.pooled && own.view.size !== result.size);
    this.#need();
    const statistics = result.statistics[this.#opened] as HeadStatistics;
    first.canvas.setAttribute('aria-label', summary(result, this.#opened, statistics));
    if (both)
      second.canvas.setAttribute(
        'aria-label',
        `${compared.title}: ${summary(compared.weights.result, compared.head, compared.weights.result.statistics[compared.head] as HeadStatistics)}`,
      );
    this.root.classList.toggle('zoomed', this.#window.cells < result.tokens.length);
  }

  /** Shows fewer or more cells about a cell; 0: all. */
  #zoom(factor: number, about: Cell | undefined = this.#at): void {
    const size = this.#shown?.weights.result.tokens.length;
    if (size === undefined) return;
    const before = this.#window;
    const cells = factor === 0 ? size : Math.min(size, Math.max(Math.min(size, FEWEST_CELLS), Math.round(before.cells / factor)));
    const keep = (start: number, at: number): number => Math.round(at + 0.5 - ((at + 0.5 - start) / before.cells) * cells);
    this.#window = { ...before, cells };
    this.#move(keep(before.row, about?.row ?? before.row), keep(before.column, about?.column ?? before.column));
  }

  #move(row: number, column: number): void {
    const size = this.#shown?.weights.result.tokens.length ?? 1;
    const { cells } = this.#window;
    const bound = (start: number): number => Math.max(0, Math.min(size - cells, start));
    this.#window = { row: bound(row), column: bound(column), cells };
    this.#draw();
    if (this.#at !== undefined) this.#go(this.#at);
  }

  #press(key: string): boolean {
    const weights = this.#shown?.weights;
    if (weights === undefined || this.#at === undefined) return false;
    const { row, column } = this.#at;
    const last = weights.result.tokens.length - 1;
    // From tile to tile, or from token to token where each has its own weight.
    const by = rowOf(weights, this.#opened, row, this.#tile).exact ? 1 : Math.ceil(grainOf(weights));
    const moves: Readonly<Record<string, readonly [number, number]>> = {
      ArrowUp: [row - by, column],
      ArrowDown: [row + by, column],
      ArrowLeft: [row, column - by],
      ArrowRight: [row, column + by],
      Home: [row, 0],
      End: [row, last],
      PageUp: [row - 10 * by, column],
      PageDown: [row + 10 * by, column],
    };
    if (key === 'Enter' || key === ' ') {
      this.#events.display({ pinned: this.#shown?.display.pinned === undefined ? this.#at : undefined });
      return true;
    }
    if (key === '+' || key === '=' || key === '-' || key === '0') {
      this.#zoom(key === '-' ? 1 / 1.5 : key === '0' ? 0 : 1.5);
      return true;
    }
    const move = moves[key];
    if (move === undefined) return false;
    const to = { row: Math.min(last, Math.max(0, move[0])), column: Math.min(last, Math.max(0, move[1])) };
    const { row: top, column: left, cells } = this.#window;
    const follow = (start: number, at: number): number => (at < start ? at : at >= start + cells ? at - cells + 1 : start);
    const [nextTop, nextLeft] = [follow(top, to.row), follow(left, to.column)];
    this.#at = to;
    if (nextTop !== top || nextLeft !== left) this.#move(nextTop, nextLeft);
    else this.#go(to);
    if (this.#shown?.display.pinned !== undefined) this.#events.display({ pinned: to });
    return true;
  }

  #go(at: Cell): void {
    const shown = this.#shown;
    if (shown === undefined) return;
    this.#at = at;
    const { weights, display } = shown;
    const { result } = weights;
    const pinned = display.pinned !== undefined;
    const line = rowOf(weights, this.#opened, at.row, this.#tile);
    const grain = line.exact ? 1 : grainOf(weights);
    for (const pane of this.#panes) if (!pane.root.hidden) pane.point(at, pinned, grain);
    const key = line.index(at.column);
    const weight = line.values[key] as number;
    const place = placeInRow(line.values, key);
    const compared = this.#compared();
    const both = compared !== undefined && compared.weights.result.size === result.size;
    const hidden = line.exact && (at.column < (result.lows[at.row] as number) || at.column >= (result.highs[at.row] as number));
    const own = columnOf(weights, this.#opened, at.row, at.column, this.#tile);
    const cell = { head: headName(result, this.#opened), query: own.name(own.index(at.row)), key: line.name(key) };
    const said = hidden ? t('hidden by the mask') : line.exact ? weightText(weight) : t('at most {weight}', { weight: weightText(weight) });
    const otherLine = both ? rowOf(compared.weights, compared.head, at.row, this.#tile) : undefined;
    const otherText = otherLine === undefined ? '' : weightText(otherLine.values[otherLine.index(at.column)] as number);
    this.#readout.replaceChildren(
      `${t('{head}: query {query} → key {key}', cell)} `,
      element('strong', {}, said),
      ...(weight > 0
        ? [
            ` · ${t('rank {rank} of {all}', { rank: place.rank, all: line.values.reduce((count, each) => count + (each > 0 ? 1 : 0), 0) })}` +
              ` · ${t('{part} % up to here', { part: (place.cumulative * 100).toFixed(1) })}`,
          ]
        : []),
      ...(both ? [` · ${compared.title} ${otherLine?.exact === false ? t('at most {weight}', { weight: otherText }) : otherText}`] : []),
      ...(pinned ? [` · ${t('pinned')}`] : []),
    );
    const top = (of: Line, marked: number) =>
      heaviestOf(of.values, TOP_KEYS).map((index) => ({ name: of.name(index), weight: of.values[index] as number, on: index === marked }));
    bars(this.#rowTop, top(line, key));
    bars(this.#columnTop, top(own, own.index(at.row)));
    this.#columnTitle.textContent =
      own.only === undefined
        ? t('This key is attended by')
        : t('This key is attended by, of queries {first} to {last}', { first: String(own.only[0]), last: String(own.only[1]) });
    this.#need();
    this.#table.refresh();
  }

  #rowTable(): readonly [readonly string[], readonly (readonly string[])[]] {
    const shown = this.#shown;
    const at = this.#at;
    if (shown === undefined || at === undefined) return [[], []];
    const { weights } = shown;
    const line = rowOf(weights, this.#opened, at.row, this.#tile);
    const query = columnOf(weights, this.#opened, at.row, at.column, this.#tile);
    let mass = 0;
    const whole = line.values.reduce((sum, weight) => sum + weight, 0);
    return [
      [t('Key of query {query}', { query: query.name(query.index(at.row)) }), t('Weight'), t('Rank'), t('Cumulative')],
      heaviestOf(line.values, MOST_ROWS).map((cell, index) => {
        const weight = line.values[cell] as number;
        mass += weight;
        return [line.name(cell), weightText(weight), String(index + 1), `${((mass / whole) * 100).toFixed(1)} %`];
      }),
    ];
  }

  /** Heads whose maps point the same way, a few at a time so that the page goes on answering. */
  #findSimilar(weights: Weights, head: number): void {
    const key = `${weights.result.id} ${head} ${JSON.stringify(weights.lens)}`;
    this.#key = key;
    this.#similar.replaceChildren();
    if (weights.heads < 2) return;
    const found: { readonly head: number; readonly likeness: number }[] = [];
    let at = 0;
    const look = (): void => {
      if (this.#key !== key) return;
      const until = performance.now() + 8;
      for (; at < weights.heads && performance.now() < until; at++) {
        if (at !== head) found.push({ head: at, likeness: similarity(weights.map(head), weights.map(at)) });
      }
      if (at < weights.heads) {
        setTimeout(look, 0);
        return;
      }
      found.sort((a, b) => b.likeness - a.likeness);
      this.#similar.replaceChildren(
        `${t('Similar heads:')} `,
        ...found.slice(0, SIMILAR).map((each) => {
          const name = headName(weights.result, each.head);
          const link = element(
            'button',
            { class: 'fact', type: 'button', 'data-similar': String(each.head) },
            `${name} ${each.likeness.toFixed(2)}`,
          );
          link.addEventListener('click', () => this.#events.open(each.head));
          return link;
        }),
      );
    };
    setTimeout(look, 0);
  }
}

/** The cells with weight, heaviest first. */
function heaviestOf(line: Float32Array, most: number): readonly number[] {
  return Array.from(line.keys())
    .filter((cell) => (line[cell] as number) > 0)
    .sort((a, b) => (line[b] as number) - (line[a] as number))
    .slice(0, most);
}
