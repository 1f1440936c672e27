import './preview.css';
import type { HeadStatistics } from '../../src/kernel/interface.ts';
import { type FromPreview, isToPreview, type PreviewDesign, type RevealField, type ToPreview } from '../protocol.ts';
import { button, checkbox, dropdown, registerToolkit, textField } from '../toolkit.ts';
import { colorMap, currentTheme, gradient, type Scale } from './colors.ts';
import { type ComputeResult, FULL_WEIGHTS } from './compute.ts';
import { Detail, readout } from './detail.ts';
import { element } from './dom.ts';
import { Engine } from './engine.ts';
import { paint } from './heatmap.ts';
import { designProblem, MAX_LENGTH, type SampleSettings } from './sample.ts';
import { count, kernelNames, labels, sharing, summary } from './words.ts';

interface Host {
  postMessage(message: FromPreview): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): Host;

const orders = {
  head: 'by KV head',
  entropy: 'least entropy first',
  maximum: 'largest weight first',
  distance: 'farthest first',
  previous: 'most on previous token',
  first: 'most on first token',
} as const;
type Order = keyof typeof orders;
const scales: Readonly<Record<Scale, string>> = { sqrt: 'square root', linear: 'linear', row: 'each row to its largest' };
const lengths = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, MAX_LENGTH];

/** All that survives hiding and reloading the panel. */
interface PageState {
  settings: SampleSettings;
  /** Whether the causal switch was set by hand, and so no longer follows the design. */
  causalByHand: boolean;
  order: Order;
  scale: Scale;
  opened: number | undefined;
  message: ToPreview | undefined;
}

function initialState(saved: unknown): PageState {
  const fresh: PageState = {
    settings: { length: 48, seed: 1, text: '', causal: true },
    causalByHand: false,
    order: 'head',
    scale: 'sqrt',
    opened: undefined,
    message: undefined,
  };
  if (typeof saved !== 'object' || saved === null) return fresh;
  const old = saved as Partial<Record<keyof PageState, unknown>>;
  const settings = (typeof old.settings === 'object' && old.settings !== null ? old.settings : {}) as Partial<
    Record<keyof SampleSettings, unknown>
  >;
  return {
    settings: {
      length: lengths.includes(settings.length as number) ? (settings.length as number) : fresh.settings.length,
      seed: Number.isSafeInteger(settings.seed) ? (settings.seed as number) : fresh.settings.seed,
      text: typeof settings.text === 'string' ? settings.text : '',
      causal: settings.causal !== false,
    },
    causalByHand: old.causalByHand === true,
    order: Object.hasOwn(orders, String(old.order)) ? (old.order as Order) : fresh.order,
    scale: Object.hasOwn(scales, String(old.scale)) ? (old.scale as Scale) : fresh.scale,
    opened: Number.isSafeInteger(old.opened) ? (old.opened as number) : undefined,
    message: isToPreview(old.message) ? old.message : undefined,
  };
}

function start(root: HTMLElement, host: Host): void {
  const state = initialState(host.getState());
  let result: ComputeResult | undefined;
  /** Maps on screen, by head. */
  const tiles = new Map<number, { readonly canvas: HTMLCanvasElement; painted: boolean }>();

  // What stands on the page, from top to bottom.
  const title = element('h1', { id: 'title' });
  const facts = element('p', { class: 'facts', id: 'facts' });
  const shared = element('p', { class: 'shared', id: 'sharing' });
  const notices = element('div', { class: 'notices', id: 'notices', role: 'status' });
  const status = element('p', { class: 'status', id: 'status', role: 'status' });
  const maps = element('div', { class: 'maps', id: 'maps' });
  const table = element('details', { class: 'table' });
  const legend = element('div', { class: 'legend', 'aria-hidden': 'true' });
  const tip = element('div', { class: 'tip', hidden: '', 'aria-hidden': 'true' });
  const detail = new Detail({ close: () => open(undefined), step: (by) => open(((state.opened ?? 0) + by + headCount()) % headCount()) });

  const save = (): void => host.setState(state);
  const headCount = (): number => result?.design.queryHeads ?? 1;
  const design = (): PreviewDesign | undefined => (state.message?.kind === 'design' ? state.message.design : undefined);

  // Controls.
  registerToolkit();
  const change = (changed: Partial<SampleSettings>): void => {
    state.settings = { ...state.settings, ...changed };
    save();
    compute();
  };
  const causal = checkbox('causal', 'Causal mask', state.settings.causal, (checked) => {
    state.causalByHand = true;
    change({ causal: checked });
  });
  const length = dropdown(
    'length',
    'Tokens',
    lengths.map((value) => [String(value), String(value)] as const),
    String(state.settings.length),
    (value) => change({ length: Number(value) }),
  );
  const seed = textField(
    'seed',
    'Seed',
    String(state.settings.seed),
    (value) => {
      if (/^-?\d{1,9}$/.test(value.trim())) change({ seed: Number(value) });
    },
    { size: 6 },
  );
  const reseed = button('reseed', 'New', () => {
    const next = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
    seed.set(String(next % 100_000));
    change({ seed: next % 100_000 });
  });
  let typing: number | undefined;
  const text = textField(
    'text',
    'Text',
    state.settings.text,
    (value) => {
      clearTimeout(typing);
      typing = window.setTimeout(() => change({ text: value }), 150);
    },
    { placeholder: 'seeded words; type your own', size: 24 },
  );
  const order = dropdown('order', 'Order', Object.entries(orders), state.order, (value) => {
    state.order = value as Order;
    save();
    layOut();
  });
  const scale = dropdown('scale', 'Colour scale', Object.entries(scales), state.scale, (value) => {
    state.scale = value as Scale;
    save();
    repaint();
  });
  const labelled = (name: string, ...parts: readonly Node[]): HTMLElement =>
    element('div', { class: 'control' }, element('span', { class: 'control-label', 'aria-hidden': 'true' }, name), ...parts);

  root.append(
    element('header', { class: 'heading' }, title, facts, shared),
    element(
      'div',
      { class: 'controls', role: 'toolbar', 'aria-label': 'Sample and picture' },
      causal.element,
      labelled('Tokens', length.element),
      labelled('Seed', seed.element, reseed),
      labelled('Text', text.element),
      labelled('Order', order.element),
      labelled('Colour', scale.element),
    ),
    notices,
    element('div', { class: 'bar-line' }, status, legend),
    element('div', { class: 'stage' }, maps, detail.root),
    table,
    element(
      'p',
      { class: 'hint' },
      'The sample: every word has a random embedding of 64 numbers and every projection is random, all from the seed. The weights show what these heads, KV heads, widths and masks do; they are not those of a trained model.',
    ),
    tip,
  );

  const engine = new Engine({
    result(next) {
      result = next;
      root.classList.remove('stale', 'busy');
      const { kernel, milliseconds, tokens, pooled, size } = next;
      status.textContent =
        `${count(next.design.queryHeads, 'head')} × ${tokens.length.toLocaleString('en')} × ${tokens.length.toLocaleString('en')} weights computed in ` +
        `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms (${kernelNames[kernel]})` +
        (pooled
          ? `; each cell shows the largest weight of ${(tokens.length / size).toFixed(1)} × ${(tokens.length / size).toFixed(1)}`
          : '');
      layOut();
      publish();
    },
    progress(done, heads) {
      status.textContent = `Computing: ${done} of ${count(heads, 'head')}`;
    },
    failed(message) {
      root.classList.remove('busy');
      root.classList.add('stale');
      status.textContent = message;
      host.postMessage({ kind: 'error', message: message.slice(0, 10_000) });
    },
  });

  /** Asks for the picture of the present design, or says why there is none and leaves the last one, dimmed. */
  function compute(): void {
    const present = design();
    describe();
    if (present === undefined || designProblem(present) !== undefined) {
      root.classList.add('stale');
      publish();
      return;
    }
    root.classList.add('busy');
    publish();
    engine.request(present, state.settings);
  }

  /** Title, facts and notices. */
  function describe(): void {
    const { message } = state;
    title.textContent = message?.title ?? 'Attention preview';
    notices.replaceChildren();
    const notice = (kind: string, line: string): void => notices.append(element('p', { class: kind }, line));
    if (message === undefined) return;
    if (message.kind === 'unavailable') {
      facts.textContent = '';
      shared.textContent = '';
      notice('problem', message.reason);
      return;
    }
    const { queryHeads, keyValueHeads, headDim, valueDim, layers, slidingWindow, positions } = message.design;
    const fact = (field: RevealField, line: string): Node => {
      const link = element('button', { class: 'fact', type: 'button', title: 'Show where it is set' }, line);
      link.addEventListener('click', () => host.postMessage({ kind: 'reveal', source: message.source, field }));
      return link;
    };
    facts.replaceChildren(
      fact('queryHeads', count(queryHeads, 'query head')),
      fact('keyValueHeads', count(keyValueHeads, 'KV head')),
      fact('headDim', `head dim ${headDim}`),
      ...(valueDim === headDim ? [] : [fact('valueDim', `value dim ${valueDim}`)]),
      ...(slidingWindow === undefined ? [] : [fact('slidingWindow', `window ${slidingWindow}`)]),
      ...(positions === undefined ? [] : [fact('positions', `${positions} positions`)]),
      ...(layers === undefined ? [] : [fact('layers', count(layers, 'layer'))]),
    );
    const problem = designProblem(message.design);
    shared.textContent = problem === undefined ? sharing(message.design) : '';
    if (problem !== undefined)
      notice('problem', `${problem}${result === undefined ? '' : ' The picture is of the last design that could be computed.'}`);
    for (const warning of message.warnings) notice('warning', warning);
    const tokens = state.settings.length;
    if (problem === undefined && state.settings.text === '' && queryHeads * tokens * tokens > FULL_WEIGHTS) {
      const mebibytes = Math.round((queryHeads * tokens * tokens * 4) / 2 ** 20);
      notice(
        'warning',
        `All weights of ${tokens} tokens would take ${mebibytes.toLocaleString('en')} MiB: the maps show the largest weight of each tile.`,
      );
    }
  }

  /** Builds the grid of maps for the present result. */
  function layOut(): void {
    const shown = result;
    if (shown === undefined) return;
    describe();
    const { queryHeads, keyValueHeads } = shown.design;
    const group = queryHeads / keyValueHeads;
    observer.disconnect();
    tiles.clear();
    const figure = (head: number): HTMLElement => {
      const statistics = shown.statistics[head] as HeadStatistics;
      const keyValueHead = Math.floor(head / group);
      const canvas = element('canvas', { role: 'img', 'aria-label': summary(head, keyValueHead, statistics, shown.tokens.length) });
      canvas.width = canvas.height = 1;
      const opener = element('button', { class: 'open', type: 'button', 'data-head': String(head), title: `Open head ${head}` }, canvas);
      opener.addEventListener('click', () => open(head));
      canvas.addEventListener('pointermove', (event) => hover(event, canvas, head));
      canvas.addEventListener('pointerleave', () => {
        tip.hidden = true;
      });
      tiles.set(head, { canvas, painted: false });
      observer.observe(canvas);
      const found = labels(statistics, shown.tokens.length);
      return element(
        'figure',
        { class: head === state.opened ? 'head opened' : 'head' },
        opener,
        element(
          'figcaption',
          {},
          element('span', { class: 'name' }, state.order === 'head' || group === 1 ? `Head ${head}` : `Head ${head} · KV ${keyValueHead}`),
          element('span', { class: 'entropy', title: 'Mean entropy of a row' }, `${statistics.entropy.toFixed(1)} bits`),
          ...found.map((line) => element('span', { class: 'tag' }, line)),
        ),
      );
    };
    const heads = Array.from({ length: queryHeads }, (_, head) => head);
    if (state.order === 'head' && group > 1) {
      maps.replaceChildren(
        ...Array.from({ length: keyValueHeads }, (_, shared) =>
          element(
            'section',
            { class: 'group', 'aria-label': `KV head ${shared}` },
            element('h2', {}, `KV head ${shared}`),
            element('div', { class: 'heads' }, ...heads.slice(shared * group, (shared + 1) * group).map(figure)),
          ),
        ),
      );
    } else {
      maps.replaceChildren(element('div', { class: 'heads' }, ...sorted(heads, shown.statistics).map(figure)));
    }
    tabulate(shown, group);
    resize();
    if (state.opened !== undefined && state.opened < queryHeads) detail.show(shown, state.opened, state.scale, colorMap(currentTheme()));
    else if (state.opened !== undefined) open(undefined);
    colors();
  }

  function sorted(heads: readonly number[], statistics: readonly HeadStatistics[]): readonly number[] {
    const key = state.order;
    if (key === 'head') return heads;
    const sign = key === 'entropy' ? 1 : -1;
    return [...heads].sort((a, b) => sign * ((statistics[a] as HeadStatistics)[key] - (statistics[b] as HeadStatistics)[key]));
  }

  /** The numbers of every head as a table: the picture's alternative. */
  function tabulate(shown: ComputeResult, group: number): void {
    const columns = ['entropy', 'maximum', 'distance', 'span', 'first', 'previous', 'self'] as const;
    const names = ['Head', 'KV head', 'Entropy (bits)', 'Largest', 'Distance', 'Keys for 90 %', 'On first', 'On previous', 'On itself'];
    const body = shown.statistics.map((statistics, head) =>
      element(
        'tr',
        {},
        element('th', { scope: 'row' }, String(head)),
        element('td', {}, String(Math.floor(head / group))),
        ...columns.map((column) => element('td', {}, statistics[column].toFixed(3))),
      ),
    );
    table.replaceChildren(
      element('summary', {}, 'All heads as a table'),
      element(
        'table',
        {},
        element('thead', {}, element('tr', {}, ...names.map((name) => element('th', { scope: 'col' }, name)))),
        element('tbody', {}, ...body),
      ),
    );
  }

  function hover(event: PointerEvent, canvas: HTMLCanvasElement, head: number): void {
    if (result === undefined) return;
    const box = canvas.getBoundingClientRect();
    const { size } = result;
    const place = (offset: number, extent: number): number => Math.min(size - 1, Math.max(0, Math.floor((offset / extent) * size)));
    tip.replaceChildren(...readout(result, head, place(event.clientY - box.top, box.height), place(event.clientX - box.left, box.width)));
    tip.hidden = false;
    const margin = 12;
    const left = Math.min(event.clientX + margin, innerWidth - tip.offsetWidth - margin);
    const below = event.clientY + 18;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 8 : below}px`;
  }

  function open(head: number | undefined): void {
    const before = state.opened;
    state.opened = head;
    save();
    for (const figure of maps.querySelectorAll('figure.head')) {
      figure.classList.toggle('opened', figure.querySelector('button')?.dataset.head === String(head));
    }
    if (head === undefined || result === undefined) {
      detail.hide();
      root.classList.remove('with-detail');
      if (before !== undefined) maps.querySelector<HTMLElement>(`button[data-head="${before}"]`)?.focus();
      return;
    }
    root.classList.add('with-detail');
    detail.show(result, head, state.scale, colorMap(currentTheme()));
    detail.focus();
  }

  /** Side of a map in CSS pixels. */
  let side = 1;

  /** Chooses the maps' size: whole pixels per cell, and the heads of a group in one row where they can be. */
  function resize(): void {
    if (result === undefined) return;
    const { design: shown, size } = result;
    const group = shown.queryHeads / shown.keyValueHeads;
    const wanted = shown.queryHeads <= 16 ? 144 : shown.queryHeads <= 64 ? 112 : 88;
    const row = state.order === 'head' && group > 1 && group <= 8 ? group : 1;
    const room = (maps.clientWidth - 24 - 12 * (row - 1)) / row;
    const target = Math.max(64, Math.min(wanted, room));
    const cell = Math.max(1, Math.round(target / size));
    const next = size > target * 2 ? target : cell > 1 && cell * size > room ? (cell - 1) * size : cell * size;
    if (next === side) return;
    side = next;
    maps.style.setProperty('--side', `${side}px`);
    for (const [head, tile] of tiles) if (tile.painted) paintTile(head);
  }
  new ResizeObserver(resize).observe(maps);

  /** Paints what is on screen; the rest when it scrolls into view. */
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const [head, tile] of tiles) if (tile.canvas === entry.target && !tile.painted) paintTile(head);
      }
    },
    { rootMargin: '200px' },
  );

  function paintTile(head: number): void {
    const tile = tiles.get(head);
    if (tile === undefined || result === undefined) return;
    tile.painted = true;
    const { maps: data, size, tokens, lows, highs } = result;
    const view = { data, start: head * size * size, size, tokens: tokens.length, lows, highs };
    paint(tile.canvas, view, Math.round(side * devicePixelRatio), state.scale, colorMap(currentTheme()));
  }

  /** Paints all again, after the theme or the colour scale changed. */
  function repaint(): void {
    for (const [head, tile] of tiles) if (tile.painted) paintTile(head);
    if (state.opened !== undefined && result !== undefined) detail.show(result, state.opened, state.scale, colorMap(currentTheme()));
    colors();
  }

  /** The legend: weights at even steps of the colour scale. */
  function colors(): void {
    const ticks =
      state.scale === 'row'
        ? ['0', 'row’s largest']
        : state.scale === 'sqrt'
          ? ['0', '0.06', '0.25', '0.56', '1']
          : ['0', '0.25', '0.5', '0.75', '1'];
    const ramp = element('div', { class: 'ramp' });
    ramp.style.background = gradient(currentTheme());
    legend.replaceChildren(
      element('span', {}, 'weight'),
      element('div', { class: 'scale' }, ramp, element('div', { class: 'ticks' }, ...ticks.map((tick) => element('span', {}, tick)))),
    );
    root.classList.toggle('dark', currentTheme() === 'dark');
  }

  /** For tests: what was computed and is shown, where the page's data says so. */
  function publish(): void {
    if (root.dataset.debug !== 'true') return;
    const { settings, order: sort, scale: colouring, opened } = state;
    Object.assign(window, {
      headwisePreview: {
        settings,
        order: sort,
        scale: colouring,
        opened,
        result,
        busy: root.classList.contains('busy'),
        stale: root.classList.contains('stale'),
      },
    });
  }

  function receive(message: ToPreview): void {
    state.message = message;
    if (message.kind === 'design' && !state.causalByHand) {
      state.settings = { ...state.settings, causal: message.design.causal };
      causal.set(message.design.causal);
    }
    save();
    compute();
  }

  window.addEventListener('message', (event: MessageEvent<unknown>) => {
    if (isToPreview(event.data)) receive(event.data);
  });
  window.addEventListener('error', (event) => host.postMessage({ kind: 'error', message: String(event.message).slice(0, 10_000) }));
  new MutationObserver(repaint).observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-kind'] });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
  window.addEventListener('resize', () => {
    if (state.opened !== undefined) repaint();
  });

  root.classList.toggle('with-detail', state.opened !== undefined);
  colors();
  describe();
  void engine.start({
    worker: root.dataset.worker ?? '',
    wasm: root.dataset.wasm ?? '',
    ...(root.dataset.relaxedWasm === undefined ? {} : { relaxedWasm: root.dataset.relaxedWasm }),
  });
  if (state.message !== undefined) compute();
  host.postMessage({ kind: 'ready' });
}

const root = document.getElementById('preview');
if (root !== null) start(root, acquireVsCodeApi());
