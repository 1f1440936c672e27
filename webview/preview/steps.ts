import { type Choice, dropdown } from '../toolkit.ts';
import { currentTheme, differenceMap } from './colors.ts';
import type { Question, StepReply } from './compute.ts';
import { bars, element, labelled, lazyTable, type Tip } from './dom.ts';
import { subscript } from './formula.ts';
import { paintStrip } from './heatmap.ts';
import { isBucketed } from './projections.ts';
import type { Shown } from './shown.ts';
import { type Display, type Stage, stages } from './state.ts';
import { TokenStrip } from './strip.ts';
import { t } from './text.ts';
import { headOptions } from './tokens.ts';
import { headName, tokenText, weightText } from './words.ts';

const TOP_KEYS = 5;
const BAR_HEIGHT = 64;

type Ask = (question: Omit<Extract<Question, { kind: 'step' }>, 'job'>) => void;

/** One token through the whole function: every stage with its shape, its numbers and a picture of them. */
export class StepView {
  readonly root = element('section', { class: 'view steps', 'aria-label': t('Step view'), hidden: '' });
  readonly #ask: Ask;
  readonly #display: (change: Partial<Display>) => void;
  readonly #tip: Tip;
  readonly #strip: TokenStrip;
  readonly #head: Choice;
  readonly #cards = element('div', { class: 'cards' });
  #shown: Shown | undefined;
  #reply: StepReply | undefined;
  #asked = '';
  #look = '';
  /** The key whose score is taken apart; undefined: the heaviest. */
  #key: number | undefined;

  constructor(tip: Tip, ask: Ask, display: (change: Partial<Display>) => void) {
    this.#ask = ask;
    this.#display = display;
    this.#tip = tip;
    this.#strip = new TokenStrip('step-strip', t('Token to follow'), { choose: (token) => display({ token }) });
    this.#head = dropdown('step-head', t('Head'), [], '0', (value) => display({ head: Number(value) }));
    this.root.append(
      element('div', { class: 'controls', role: 'group', 'aria-label': t('Step view') }, labelled(t('Head'), this.#head.element)),
      this.#strip.root,
      this.#cards,
    );
  }

  /** What was computed for the page's token, for tests. */
  get reply(): StepReply | undefined {
    return this.#reply;
  }

  show(shown: Shown): void {
    const { weights, display } = shown;
    const { result } = weights;
    const changed = this.#shown?.weights.result !== result;
    this.#shown = shown;
    const head = display.head < 0 || display.head >= weights.heads ? 0 : display.head;
    const row = Math.min(display.token, result.tokens.length - 1);
    this.#head.setOptions(headOptions(weights, false), String(head));
    this.#strip.show(result.tokens, row);
    const { queryHeads } = result.design;
    const layer = Math.floor(head / queryHeads);
    const asked = `${result.id} ${head} ${row}`;
    if (asked !== this.#asked) {
      this.#asked = asked;
      this.#key = undefined;
      if (changed) this.#reply = undefined;
      this.#ask({ kind: 'step', layer, head: head % queryHeads, row });
    } else if (this.#look === this.#lookOf(asked)) this.#mark();
    else this.#draw();
  }

  /** All that the cards are drawn by. */
  #lookOf(asked: string): string {
    return `${asked} ${this.#key ?? ''} ${currentTheme()} ${this.root.clientWidth}`;
  }

  /** Marks the chosen stage. */
  #mark(): void {
    const stage = this.#shown?.display.stage;
    for (const card of this.#cards.querySelectorAll<HTMLElement>('.card')) {
      const chosen = card.dataset.stage === stage;
      card.classList.toggle('chosen', chosen);
      if (chosen) card.setAttribute('aria-current', 'step');
      else card.removeAttribute('aria-current');
    }
  }

  receive(reply: StepReply): void {
    this.#reply = reply;
    this.#draw();
    this.reveal();
  }

  /** Brings the chosen stage into view. */
  reveal(): void {
    const card = this.#cards.querySelector<HTMLElement>(`[data-stage="${this.#shown?.display.stage ?? ''}"]`);
    card?.scrollIntoView({ block: 'nearest' });
  }

  #draw(): void {
    const shown = this.#shown;
    const reply = this.#reply;
    if (shown === undefined || reply === undefined || this.root.hidden) return;
    this.#look = this.#lookOf(this.#asked);
    const { result } = shown.weights;
    const { design, tokens, width } = result;
    const { queryHeads, headDim, valueDim } = design;
    const length = tokens.length;
    const visible = reply.weights.reduce((count, _, j) => count + (reply.masked[j] === Number.NEGATIVE_INFINITY ? 0 : 1), 0);
    const order = Array.from(reply.weights.keys())
      .filter((j) => (reply.weights[j] as number) > 0)
      .sort((a, b) => (reply.weights[b] as number) - (reply.weights[a] as number));
    const key = Math.min(this.#key ?? order[0] ?? 0, length - 1);
    const keyVector = reply.keys.subarray(key * headDim, (key + 1) * headDim);
    const name = (cell: number): string => (length === result.size ? tokenText(result, cell) : `${cell} “${tokens[cell] ?? ''}”`);
    const own = name(reply.row);
    const choose = (j: number): void => {
      this.#key = j;
      this.#draw();
    };
    const where = headName(result, reply.layer * queryHeads + reply.head);
    const { latent } = design;
    const rotated = latent !== undefined || design.positions === 'rope';
    const card = (stage: Stage, title: string, formula: string, shape: string, ...content: readonly (Node | string)[]): HTMLElement => {
      const index = stages.indexOf(stage) + 1;
      const made = element(
        'section',
        {
          class: 'card',
          'data-stage': stage,
          'aria-label': title,
        },
        element(
          'header',
          {},
          element('span', { class: 'number', 'aria-hidden': 'true' }, String(index)),
          element('h3', {}, title),
          element('code', { class: 'formula-part' }, formula),
          element('span', { class: 'shape' }, shape),
        ),
        ...content,
      );
      made.addEventListener('click', () => {
        if (this.#shown?.display.stage !== stage) this.#display({ stage });
      });
      return made;
    };
    const top = element('ol', { class: 'top' });
    bars(
      top,
      order.slice(0, TOP_KEYS).map((j) => ({ name: name(j), weight: reply.weights[j] as number, on: j === key })),
    );
    const extent = largestOf(reply.result);
    const open = new Set([...this.#cards.querySelectorAll('details[open]')].map((each) => each.id));
    this.#cards.replaceChildren(
      card(
        'input',
        result.settings.model === 'trained' ? t('The token, normed') : t('The token'),
        'x',
        shapeText(1, width),
        this.#strip1('input', t('Token {token}', { token: own }), reply.input),
      ),
      card(
        'query',
        t('Its query'),
        latent?.queryRank !== undefined ? 'q = R(norm(x·W_DQ)·W_UQ)' : rotated ? 'q = R(x·W_Q)' : 'q = x·W_Q',
        latent?.queryRank !== undefined
          ? `${shapeText(1, width)} → ${shapeText(1, latent.queryRank)} → ${shapeText(1, headDim)}`
          : `${shapeText(1, width)} · ${shapeText(width, headDim)} → ${shapeText(1, headDim)}`,
        ...(rotated ? [this.#strip1('projected', t('Before rotation'), reply.projected)] : []),
        this.#strip1(
          'query',
          latent !== undefined
            ? t('Its last {n} numbers rotated to position {row}', { n: latent.rotaryDim, row: reply.row })
            : rotated
              ? t('Rotated to position {row}', { row: reply.row })
              : t('Query of {head}', { head: where }),
          reply.query,
        ),
      ),
      card(
        'score',
        t('Each key’s score'),
        `s = q·k × ${weightText(reply.scale)}`,
        `${shapeText(1, headDim)} · ${shapeText(headDim, length)} → ${shapeText(1, length)}`,
        this.#chart('scores', t('Scores of all keys'), reply.scores, key, undefined, choose),
        this.#strip1(
          'key',
          t('Key {key}: q · k × scale = {score}', { key: name(key), score: weightText(reply.scores[key] as number) }),
          keyVector,
        ),
      ),
      card(
        'mask',
        t('Mask'),
        reply.softcap === undefined ? 's + M' : `${reply.softcap}·tanh(s/${reply.softcap}) + M`,
        shapeText(1, length),
        element(
          'p',
          {},
          t('{hidden} of {all} keys are hidden: their score becomes −∞.', { hidden: length - visible, all: length }),
          latent === undefined && design.positions === 'alibi' ? ` ${t('ALiBi lowers the others by their distance.')}` : '',
          isBucketed(design) ? ` ${t('T5 adds a number for the bucket of their distance.')}` : '',
        ),
        this.#chart('masked', t('Scores after the mask'), reply.masked, key, reply.masked, choose),
      ),
      card(
        'softmax',
        t('Softmax'),
        'w = softmax(s + M)',
        shapeText(1, length),
        this.#chart('weights', t('Weights'), reply.weights, key, reply.masked, choose),
        top,
        element('p', { class: 'hint' }, t('The weights sum to {sum}.', { sum: weightText(Number(sumOf(reply.weights).toPrecision(6))) })),
      ),
      card(
        'value',
        t('Weighted values'),
        'o = Σ w·v',
        `${shapeText(1, length)} · ${shapeText(length, valueDim)} → ${shapeText(1, valueDim)}`,
        ...order.slice(0, TOP_KEYS).map((j) => {
          const weight = reply.weights[j] as number;
          const part = reply.values.subarray(j * valueDim, (j + 1) * valueDim).map((value) => value * weight);
          return this.#strip1(`part-${j}`, `${weightText(weight)} × v ${name(j)}`, part, extent, false);
        }),
        this.#strip1('result', t('Sum over all keys: {head}', { head: where }), reply.result, extent),
      ),
      card(
        'concat',
        t('Concatenation'),
        `Concat(o₀ … o${subscript(queryHeads - 1)})`,
        `${queryHeads} × ${shapeText(1, valueDim)} → ${shapeText(1, queryHeads * valueDim)}`,
        this.#strip1('concatenated', t('All heads; the slice of {head} is marked', { head: where }), reply.concatenated, undefined, true, {
          slices: queryHeads,
          marked: reply.head,
        }),
      ),
      card(
        'output',
        t('Output projection'),
        'y = Concat·W_O',
        `${shapeText(1, queryHeads * valueDim)} · ${shapeText(queryHeads * valueDim, width)} → ${shapeText(1, width)}`,
        this.#strip1(
          'output',
          result.settings.model === 'trained'
            ? t('Added to the residual stream of {token}', { token: own })
            : t('Result for {token}', { token: own }),
          reply.output,
        ),
      ),
    );
    for (const details of this.#cards.querySelectorAll('details')) if (open.has(details.id)) details.open = true;
    this.#mark();
  }

  /** A vector as a strip of colours, its extremes in words and its numbers in a table. */
  #strip1(
    id: string,
    title: string,
    data: Float32Array,
    extent = largestOf(data),
    withTable = true,
    marks?: { readonly slices: number; readonly marked: number },
  ): HTMLElement {
    const canvas = element('canvas', { class: 'vector', role: 'img' });
    paintStrip(canvas, data, extent, differenceMap(currentTheme()));
    // As wide as it has numbers, where there is room.
    const width = `min(100%, ${data.length * 22}px)`;
    const low = data.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
    const high = data.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const words = t('{n} numbers from {low} to {high}, length {norm}', {
      n: data.length,
      low: weightText(low),
      high: weightText(high),
      norm: weightText(Math.sqrt(data.reduce((sum, value) => sum + value * value, 0))),
    });
    canvas.setAttribute('aria-label', `${title}: ${words}`);
    canvas.addEventListener('pointermove', (event) => {
      const box = canvas.getBoundingClientRect();
      const at = Math.max(0, Math.min(data.length - 1, Math.floor(((event.clientX - box.left) / box.width) * data.length)));
      this.#tip.show(event, [`${at}: `, element('strong', {}, weightText(data[at] as number))]);
    });
    canvas.addEventListener('pointerleave', () => this.#tip.hide());
    const frame = element('div', { class: 'vector-frame' }, canvas);
    frame.style.width = width;
    if (marks !== undefined) {
      for (let slice = 0; slice < marks.slices; slice++) {
        const mark = element('span', { class: slice === marks.marked ? 'slice marked' : 'slice', 'aria-hidden': 'true' });
        mark.style.left = `${(slice / marks.slices) * 100}%`;
        mark.style.width = `${100 / marks.slices}%`;
        frame.append(mark);
      }
    }
    const table = lazyTable(`numbers-${id}`, t('Numbers'), () => [
      [t('Index'), t('Value')],
      Array.from(data, (value, index) => [String(index), weightText(value)]),
    ]);
    return element(
      'div',
      { class: 'vector-row', 'data-vector': id },
      element('p', { class: 'vector-title' }, element('span', {}, title), element('span', { class: 'extremes' }, words)),
      frame,
      ...(withTable ? [table.root] : []),
    );
  }

  /** A number per key as bars, hidden keys hatched; a click takes a key apart. */
  #chart(
    id: string,
    title: string,
    data: Float32Array,
    key: number,
    masked: Float32Array | undefined,
    choose: (key: number) => void,
  ): HTMLElement {
    const shown = this.#shown as Shown;
    const canvas = element('canvas', { class: 'chart', role: 'img' });
    const count = data.length;
    const finite = Array.from(data).filter((value) => Number.isFinite(value));
    const high = Math.max(0, ...extremes(finite));
    const low = Math.min(0, ...extremes(finite));
    const { tokens } = shown.weights.result;
    canvas.setAttribute(
      'aria-label',
      `${title}: ${t('{n} numbers from {low} to {high}', { n: finite.length, low: weightText(Math.min(...extremes(finite))), high: weightText(Math.max(...extremes(finite))) })}`,
    );
    const width = Math.min(count * 14, Math.max(200, (this.root.clientWidth || 700) - 60));
    const ratio = devicePixelRatio;
    canvas.width = Math.round(width * ratio);
    canvas.height = BAR_HEIGHT * ratio;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${BAR_HEIGHT}px`;
    const context = canvas.getContext('2d');
    if (context !== null) {
      const style = getComputedStyle(this.root);
      const ink = style.getPropertyValue('--bar') || style.color;
      context.scale(ratio, ratio);
      const y = (value: number): number => 2 + ((high - value) / (high - low || 1)) * (BAR_HEIGHT - 4);
      const each = width / count;
      for (let j = 0; j < count; j++) {
        const hidden = masked !== undefined && masked[j] === Number.NEGATIVE_INFINITY;
        const value = data[j] as number;
        context.fillStyle = j === key ? style.color : ink;
        context.globalAlpha = hidden ? 0.12 : 1;
        const gap = each > 4 ? 1 : 0;
        if (hidden) context.fillRect(j * each, 0, each - gap, BAR_HEIGHT);
        else context.fillRect(j * each, Math.min(y(value), y(0)), each - gap, Math.max(1, Math.abs(y(value) - y(0))));
      }
      context.globalAlpha = 0.5;
      context.fillStyle = style.color;
      context.fillRect(0, y(0), width, 1);
    }
    const at = (event: MouseEvent): number => {
      const box = canvas.getBoundingClientRect();
      return Math.max(0, Math.min(count - 1, Math.floor(((event.clientX - box.left) / box.width) * count)));
    };
    canvas.addEventListener('pointermove', (event) => {
      const j = at(event);
      const value = data[j] as number;
      const said = value === Number.NEGATIVE_INFINITY ? t('hidden by the mask') : weightText(value);
      this.#tip.show(event, [`${j} “${tokens[j] ?? ''}” `, element('strong', {}, said)]);
    });
    canvas.addEventListener('pointerleave', () => this.#tip.hide());
    canvas.addEventListener('click', (event) => choose(at(event)));
    const table = lazyTable(`numbers-${id}`, t('Numbers'), () => [
      [t('Key'), t('Value')],
      Array.from(data, (value, j) => [`${j} “${tokens[j] ?? ''}”`, value === Number.NEGATIVE_INFINITY ? '−∞' : weightText(value)]),
    ]);
    return element('div', { class: 'vector-row', 'data-vector': id }, element('p', { class: 'vector-title' }, title), canvas, table.root);
  }
}

const shapeText = (rows: number, columns: number): string => `[${rows}, ${columns}]`;
const largestOf = (data: Float32Array): number => data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const sumOf = (data: Float32Array): number => data.reduce((sum, value) => sum + value, 0);

/** Least and largest of numbers; 0 of none. */
function extremes(values: readonly number[]): readonly [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return values.length === 0 ? [0, 0] : [low, high];
}
