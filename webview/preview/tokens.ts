import { type Choice, checkbox, dropdown } from '../toolkit.ts';
import { type ColorMap, css, shade } from './colors.ts';
import { bars, element, labelled, lazyTable, shadeElement } from './dom.ts';
import type { Weights } from './lens.ts';
import { type Shown, shownColors } from './shown.ts';
import type { Display } from './state.ts';
import { TokenStrip } from './strip.ts';
import { t } from './text.ts';
import { headName, tokenText, weightText } from './words.ts';

const LINE_HEIGHT = 20;
/** Tokens that the lines are drawn between, around the chosen one. */
const MOST_LINES = 400;
/** Lines fainter than this are not drawn. */
const FAINTEST = 0.015;
const TOP_KEYS = 8;

/** Heads that a choice of the token view stands for: -1 all, -2 - layer a layer's, else one. */
export function headsOf(weights: Weights, choice: number): readonly number[] {
  const { queryHeads } = weights.result.design;
  const all = Array.from({ length: weights.heads }, (_, head) => head);
  if (choice === -1) return all;
  if (choice < -1) return all.filter((head) => Math.floor(head / queryHeads) === -2 - choice);
  return [Math.min(choice, weights.heads - 1)];
}

/** Choices of heads for a drop-down: means first, where asked for. */
export function headOptions(weights: Weights, means: boolean): readonly (readonly [string, string])[] {
  const { layers } = weights.result;
  return [
    ...(means ? [['-1', t('mean of all heads')] as const] : []),
    ...(means && layers > 1
      ? Array.from({ length: layers }, (_, layer) => [String(-2 - layer), t('mean of layer {layer}', { layer })] as const)
      : []),
    ...Array.from({ length: weights.heads }, (_, head) => [String(head), headName(weights.result, head)] as const),
  ];
}

/** The text, with what a chosen token attends to (or is attended by) as shading or as lines. */
export class TokenView {
  readonly root = element('section', { class: 'view tokens', 'aria-label': t('Token view'), hidden: '' });
  readonly #strip: TokenStrip;
  readonly #head: Choice;
  readonly #towards: Choice;
  readonly #lines: ReturnType<typeof checkbox>;
  readonly #canvas = element('canvas', { class: 'lines', role: 'img', hidden: '' });
  readonly #readout = element('p', { class: 'readout', id: 'token-readout', 'aria-live': 'polite' });
  readonly #top = element('ol', { class: 'top' });
  readonly #table: ReturnType<typeof lazyTable>;
  readonly #notice = element('p', { class: 'hint' });
  #shown: Shown | undefined;
  #hovered: number | undefined;

  constructor(display: (change: Partial<Display>) => void) {
    this.#strip = new TokenStrip('token-strip', t('Tokens'), {
      choose: (token) => display({ token }),
      hover: (token) => {
        if (token === this.#hovered) return;
        this.#hovered = token;
        this.#shade();
      },
    });
    this.#head = dropdown('token-head', t('Head'), [], '0', (value) => display({ head: Number(value) }));
    this.#towards = dropdown(
      'token-direction',
      t('Direction'),
      [
        ['to', t('what it attends to')],
        ['from', t('what attends to it')],
      ],
      'to',
      (value) => display({ towards: value === 'to' }),
    );
    this.#lines = checkbox('token-lines', t('Lines'), false, (checked) => display({ lines: checked }));
    this.#table = lazyTable('token-table', t('All weights of this token as a table'), () => this.#rows());
    this.#canvas.addEventListener('click', (event) => {
      const first = this.#firstLine();
      const token = first + Math.floor((event.clientY - this.#canvas.getBoundingClientRect().top) / LINE_HEIGHT);
      if (token < (this.#shown?.weights.result.tokens.length ?? 0)) display({ token });
    });
    this.root.append(
      element(
        'div',
        { class: 'controls', role: 'group', 'aria-label': t('Token view') },
        labelled(t('Head'), this.#head.element),
        labelled(t('Show'), this.#towards.element),
        this.#lines.element,
      ),
      this.#notice,
      this.#strip.root,
      this.#canvas,
      this.#readout,
      this.#top,
      this.#table.root,
    );
  }

  show(shown: Shown): void {
    this.#shown = shown;
    const { weights, display } = shown;
    this.#head.setOptions(headOptions(weights, true), String(this.#choice()));
    this.#towards.set(display.towards ? 'to' : 'from');
    this.#lines.set(display.lines);
    const { pooled, tokens } = weights.result;
    this.#notice.textContent = pooled
      ? t('The maps are pooled: single tokens are not told apart. Ask for fewer tokens, or follow one in the step view.')
      : '';
    for (const part of [this.#strip.root, this.#readout, this.#top, this.#table.root]) part.hidden = pooled;
    this.#canvas.hidden = pooled || !display.lines;
    if (pooled) return;
    this.#strip.root.classList.toggle('small', display.lines);
    this.#strip.show(tokens, this.#token());
    this.#shade();
  }

  #choice(): number {
    const shown = this.#shown;
    if (shown === undefined) return 0;
    const { head } = shown.display;
    return head >= shown.weights.heads || head < -1 - shown.weights.result.layers ? -1 : head;
  }

  #token(): number {
    const shown = this.#shown;
    if (shown === undefined) return 0;
    return Math.min(this.#hovered ?? shown.display.token, shown.weights.result.tokens.length - 1);
  }

  /** Weights from or to the token, by the chosen heads. [tokens] */
  #weights(token: number): Float32Array {
    const shown = this.#shown as Shown;
    const { weights, display } = shown;
    const heads = headsOf(weights, this.#choice());
    if (display.towards) return heads.length === 1 ? weights.row(heads[0] as number, token) : weights.meanRow(heads, token);
    const { size } = weights.result;
    return Float32Array.from({ length: size }, (_, row) =>
      heads.reduce((sum, head) => sum + weights.at(head, row, token) / heads.length, 0),
    );
  }

  #shade(): void {
    const shown = this.#shown;
    if (shown === undefined || shown.weights.result.pooled) return;
    const { result } = shown.weights;
    const token = this.#token();
    const weights = this.#weights(token);
    const colors = shownColors(shown);
    const largest = shown.display.norm === 'one' ? 1 : weights.reduce((most, weight) => Math.max(most, weight), 0) || 1;
    const [from, to] = this.#strip.range;
    for (let at = from; at < to; at++) {
      const item = this.#strip.item(at);
      if (item === undefined) continue;
      shadeElement(item, (weights[at] as number) / largest, shown.display.scale, colors);
      item.classList.toggle('from', at === token);
    }
    const order = heaviestFirst(weights).slice(0, TOP_KEYS);
    const said = { token: tokenText(result, token), count: order.length === 0 ? 0 : order.length };
    this.#readout.textContent =
      order.length === 0
        ? shown.display.towards
          ? t('{token} attends to nothing.', said)
          : t('Nothing attends to {token}.', said)
        : `${shown.display.towards ? t('{token} attends most to', said) : t('Most attend to {token}:', said)} ${order
            .slice(0, 3)
            .map((at) => `${tokenText(result, at)} ${weightText(weights[at] as number)}`)
            .join(', ')}`;
    bars(
      this.#top,
      order.map((at) => ({ name: tokenText(result, at), weight: weights[at] as number })),
    );
    this.#table.refresh();
    if (shown.display.lines) this.#draw(weights, token, largest, colors);
  }

  #firstLine(): number {
    const length = this.#shown?.weights.result.tokens.length ?? 0;
    return length <= MOST_LINES ? 0 : Math.max(0, Math.min(length - MOST_LINES, this.#token() - MOST_LINES / 2));
  }

  /** Lines between two columns of the tokens, as BertViz draws them: those of the chosen token, the others faint. */
  #draw(weights: Float32Array, token: number, largest: number, colors: ColorMap): void {
    const shown = this.#shown as Shown;
    const { result } = shown.weights;
    const canvas = this.#canvas;
    const first = this.#firstLine();
    const count = Math.min(MOST_LINES, result.tokens.length - first);
    const width = Math.min(640, this.root.clientWidth || 640);
    const ratio = devicePixelRatio;
    canvas.width = width * ratio;
    canvas.height = count * LINE_HEIGHT * ratio;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${count * LINE_HEIGHT}px`;
    canvas.setAttribute('aria-label', this.#readout.textContent ?? '');
    const context = canvas.getContext('2d');
    if (context === null) return;
    const style = getComputedStyle(this.root);
    const ink = style.color;
    const text = Math.min(150, width * 0.3);
    context.scale(ratio, ratio);
    context.font = `13px ${style.fontFamily}`;
    context.textBaseline = 'middle';
    const middle = (at: number): number => (at - first + 0.5) * LINE_HEIGHT;
    const clipped = (word: string): string => (word.length > 16 ? `${word.slice(0, 15)}…` : word);
    const towards = shown.display.towards;
    const line = (query: number, key: number, strength: number, color: string): void => {
      context.globalAlpha = strength;
      context.strokeStyle = color;
      context.beginPath();
      context.moveTo(text + 6, middle(query));
      context.lineTo(width - text - 6, middle(key));
      context.stroke();
    };
    const strong = css(colors, 170);
    context.lineWidth = 1;
    // The other tokens' lines stay in sight while there are few enough to tell apart.
    if (count <= 64) {
      const heads = headsOf(shown.weights, this.#choice());
      for (let query = first; query < first + count; query++) {
        const row = shown.weights.meanRow(heads, query);
        for (let key = first; key < first + count; key++)
          if ((row[key] as number) > 0.05) line(query, key, 0.16 * (row[key] as number), ink);
      }
    }
    context.lineWidth = 2.5;
    for (let at = first; at < first + count; at++) {
      const strength = shade((weights[at] as number) / largest, shown.display.scale);
      if (strength > FAINTEST) line(towards ? token : at, towards ? at : token, Math.max(0.08, strength), strong);
    }
    for (let at = first; at < first + count; at++) {
      const weight = shade((weights[at] as number) / largest, shown.display.scale);
      for (const side of ['left', 'right'] as const) {
        const lit = (side === 'left') === towards ? (at === token ? 1 : 0) : weight;
        context.globalAlpha = lit > 0 ? 1 : 0.55;
        context.fillStyle = ink;
        context.textAlign = side === 'left' ? 'right' : 'left';
        context.font = `${lit > 0.3 ? '600 ' : ''}13px ${style.fontFamily}`;
        context.fillText(clipped(result.tokens[at] ?? ''), side === 'left' ? text : width - text, middle(at));
      }
    }
    context.globalAlpha = 1;
  }

  #rows(): readonly [readonly string[], readonly (readonly string[])[]] {
    const shown = this.#shown;
    if (shown === undefined) return [[], []];
    const weights = this.#weights(this.#token());
    return [
      [t('Token'), t('Weight')],
      heaviestFirst(weights).map((at) => [tokenText(shown.weights.result, at), weightText(weights[at] as number)]),
    ];
  }
}

const heaviestFirst = (weights: Float32Array): readonly number[] =>
  Array.from(weights.keys())
    .filter((at) => (weights[at] as number) > 0)
    .sort((a, b) => (weights[b] as number) - (weights[a] as number));
