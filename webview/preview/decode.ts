import { button } from '../toolkit.ts';
import { colorMap, currentTheme, shade } from './colors.ts';
import type { DecodeReply, Question } from './compute.ts';
import { element, lazyTable, type Tip } from './dom.ts';
import type { Shown } from './shown.ts';
import type { Display } from './state.ts';
import { TokenStrip } from './strip.ts';
import { plural, t } from './text.ts';
import { bytesText, headName, timeText, tokenText, weightText } from './words.ts';

/** Between two tokens while they play, in ms. */
const PACE_MS = 350;
const ROW_HEIGHT = 16;

type Ask = (question: Omit<Extract<Question, { kind: 'decode' }>, 'job'>) => void;

/** One token after the other against the cache of keys and values: the newest token's weights over it, every head a row. */
export class DecodeView {
  readonly root = element('section', { class: 'view decode', 'aria-label': t('Decode view'), hidden: '' });
  readonly #ask: Ask;
  readonly #display: (change: Partial<Display>) => void;
  readonly #tip: Tip;
  readonly #strip: TokenStrip;
  readonly #said = element('p', { class: 'readout', id: 'decode-readout', 'aria-live': 'polite' });
  readonly #facts = element('dl', { class: 'numbers' });
  readonly #canvas = element('canvas', { role: 'img', id: 'decode-canvas' });
  readonly #names = element('div', { class: 'axis rows', 'aria-hidden': 'true' });
  readonly #guess = element('p', { class: 'guess' });
  readonly #table: ReturnType<typeof lazyTable>;
  readonly #play: HTMLElement;
  #shown: Shown | undefined;
  #reply: DecodeReply | undefined;
  #asked = '';
  #timer: number | undefined;

  constructor(tip: Tip, ask: Ask, display: (change: Partial<Display>) => void) {
    this.#ask = ask;
    this.#display = display;
    this.#tip = tip;
    this.#strip = new TokenStrip('decode-strip', t('Tokens'), { choose: (token) => display({ decoded: token + 1 }) });
    const step = (by: number): void => {
      this.#stop();
      display({ decoded: this.#length() + by });
    };
    this.#play = button('decode-play', t('Play'), () => (this.#timer === undefined ? this.#start() : this.#stop()));
    this.#table = lazyTable('decode-table', t('Weights of the newest token as a table'), () => this.#rows());
    this.root.append(
      element(
        'div',
        { class: 'controls', role: 'group', 'aria-label': t('Decode view') },
        button('decode-first', t('First token'), () => {
          this.#stop();
          display({ decoded: 1 });
        }),
        button('decode-back', t('Back'), () => step(-1)),
        button('decode-next', t('Next token'), () => step(1)),
        this.#play,
      ),
      this.#strip.root,
      this.#said,
      this.#guess,
      element('div', { class: 'detail-map named' }, this.#names, element('div', { class: 'frame' }, this.#canvas)),
      this.#facts,
      this.#table.root,
    );
    this.#canvas.addEventListener('pointermove', (event) => {
      const shown = this.#shown;
      const reply = this.#reply;
      if (shown === undefined || reply === undefined) return;
      const box = this.#canvas.getBoundingClientRect();
      const key = Math.max(0, Math.min(reply.length - 1, Math.floor(((event.clientX - box.left) / box.width) * reply.length)));
      const head = Math.max(0, Math.min(shown.weights.heads - 1, Math.floor((event.clientY - box.top) / ROW_HEIGHT)));
      this.#tip.show(event, [
        `${t('{head} → key {key}', { head: headName(shown.weights.result, head), key: this.#token(key) })} `,
        element('strong', {}, weightText(reply.weights[head * reply.length + key] as number)),
      ]);
    });
    this.#canvas.addEventListener('pointerleave', () => this.#tip.hide());
  }

  get reply(): DecodeReply | undefined {
    return this.#reply;
  }

  show(shown: Shown): void {
    this.#shown = shown;
    const { result } = shown.weights;
    const length = this.#length();
    this.#strip.show(result.tokens, length - 1);
    const [from, to] = this.#strip.range;
    for (let at = from; at < to; at++) this.#strip.item(at)?.classList.toggle('later', at >= length);
    const asked = `${result.id} ${length}`;
    if (asked === this.#asked) this.#draw();
    else {
      this.#asked = asked;
      this.#ask({ kind: 'decode', length });
    }
  }

  hide(): void {
    this.#stop();
    this.root.hidden = true;
  }

  receive(reply: DecodeReply): void {
    this.#reply = reply;
    this.#draw();
  }

  #length(): number {
    const all = this.#shown?.weights.result.tokens.length ?? 1;
    return Math.max(1, Math.min(all, this.#shown?.display.decoded ?? 1));
  }

  #token(at: number): string {
    const { result } = (this.#shown as Shown).weights;
    return `${at} “${result.tokens[at] ?? ''}”`;
  }

  #start(): void {
    const all = this.#shown?.weights.result.tokens.length ?? 1;
    if (this.#length() >= all) this.#display({ decoded: 1 });
    this.#play.textContent = t('Pause');
    this.#timer = window.setInterval(() => {
      if (this.root.hidden || this.#length() >= all) this.#stop();
      else this.#display({ decoded: this.#length() + 1 });
    }, PACE_MS);
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#play.textContent = t('Play');
  }

  #draw(): void {
    const shown = this.#shown;
    const reply = this.#reply;
    if (shown === undefined || reply === undefined || reply.weights.length !== shown.weights.heads * reply.length) return;
    const { result } = shown.weights;
    const { design, layers, highs, tokens } = result;
    const { keyValueHeads, headDim, valueDim } = design;
    const { length, weights } = reply;
    const heads = shown.weights.heads;
    // A pixel per weight, scaled up: rows are heads, columns the cached tokens.
    const canvas = this.#canvas;
    const cell = Math.max(1, Math.min(18, Math.floor(((this.root.clientWidth || 700) - 110) / tokens.length)));
    canvas.width = length;
    canvas.height = heads;
    canvas.style.width = `${cell * length}px`;
    canvas.style.height = `${ROW_HEIGHT * heads}px`;
    const context = canvas.getContext('2d');
    if (context !== null) {
      const colors = colorMap(currentTheme(), shown.display.palette);
      const image = context.createImageData(length, heads);
      const target = new Uint32Array(image.data.buffer);
      for (const [i, weight] of weights.entries()) target[i] = colors[Math.round(shade(weight, shown.display.scale) * 255)] as number;
      context.putImageData(image, 0, 0);
    }
    this.#names.style.setProperty('--cell', `${ROW_HEIGHT}px`);
    if (this.#names.children.length !== heads)
      this.#names.replaceChildren(...Array.from({ length: heads }, (_, head) => element('span', {}, headName(result, head))));
    const looks = Array.from({ length: heads }, (_, head) => {
      let best = 0;
      for (let key = 1; key < length; key++)
        if ((weights[head * length + key] as number) > (weights[head * length + best] as number)) best = key;
      return `${headName(result, head)} ${this.#token(best)} ${weightText(weights[head * length + best] as number)}`;
    });
    canvas.setAttribute('aria-label', t('Heaviest key of each head: {list}', { list: looks.join('; ') }));
    this.#said.textContent = t('Token {token} is new: one query per head against {keys}.', {
      token: this.#token(length - 1),
      keys: plural(length, t('1 cached key'), t('{n} cached keys')),
    });
    const guesses = result.predictions?.[length - 1];
    this.#guess.textContent =
      guesses === undefined
        ? ''
        : `${t('The model expects next:')} ${guesses.map(({ token, probability }) => `${token} ${probability.toFixed(2)}`).join(', ')}${
            tokens[length] === undefined ? '' : ` · ${t('next is: {token}', { token: tokens[length] })}`
          }`;
    const causal = (highs[0] ?? 0) <= 1;
    this.#facts.replaceChildren(
      ...(
        [
          [t('Cached keys'), `[${layers > 1 ? `${layers}, ` : ''}${keyValueHeads}, ${length}, ${headDim}]`],
          [t('Cached values'), `[${layers > 1 ? `${layers}, ` : ''}${keyValueHeads}, ${length}, ${valueDim}]`],
          [t('Cache in f32'), bytesText(reply.cached * 4)],
          [t('Time of this token'), timeText(reply.milliseconds)],
          [
            t('Against the whole computation'),
            causal
              ? reply.difference === 0
                ? t('the same number for number')
                : t('differs by at most {difference}', { difference: reply.difference.toExponential(1) })
              : t('differs: its mask shows tokens that are not there yet'),
          ],
        ] as const
      ).map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
    );
    this.#table.refresh();
  }

  #rows(): readonly [readonly string[], readonly (readonly string[])[]] {
    const shown = this.#shown;
    const reply = this.#reply;
    if (shown === undefined || reply === undefined) return [[], []];
    const { result } = shown.weights;
    const heads = shown.weights.heads;
    return [
      [t('Key'), ...Array.from({ length: heads }, (_, head) => headName(result, head))],
      Array.from({ length: reply.length }, (_, key) => [
        result.size === result.tokens.length ? tokenText(result, key) : String(key),
        ...Array.from({ length: heads }, (_, head) => weightText(reply.weights[head * reply.length + key] as number)),
      ]),
    ];
  }
}
