import './preview.css';
import { type FromPreview, isToPreview, type PreviewDesign, type ToPreview } from '../protocol.ts';
import { button, registerToolkit } from '../toolkit.ts';
import { colorMap, currentTheme, gradient, isDark, LOG_FLOOR } from './colors.ts';
import type { ComputeResult, Job } from './compute.ts';
import { Controls } from './controls.ts';
import { type Cost, estimate, rateOf, UNASKED_MS } from './cost.ts';
import { DecodeView } from './decode.ts';
import { Detail } from './detail.ts';
import { element, lazyTable, Tip } from './dom.ts';
import { Engine } from './engine.ts';
import { exportFile, type Format } from './exports.ts';
import { Grid } from './grid.ts';
import { Heading } from './heading.ts';
import { Inputs } from './inputs.ts';
import { Weights } from './lens.ts';
import { exportMenu, makeTabs } from './menu.ts';
import { designProblem } from './sample.ts';
import { effectiveDesign, type SampleSettings, sizeNames } from './settings.ts';
import { canShare, type Shown } from './shown.ts';
import { type Display, linkState, readState } from './state.ts';
import { StepView } from './steps.ts';
import { plural, setLanguage, t } from './text.ts';
import { TokenView } from './tokens.ts';
import { headName, kernelText, statisticNames, statisticText, statisticValue, timeText } from './words.ts';

interface Host {
  postMessage(message: FromPreview): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): Host;

/** Stands for the design where only the trained model is computed, whose sizes the worker knows. */
const placeholder: PreviewDesign = {
  queryHeads: 6,
  keyValueHeads: 6,
  headDim: 16,
  valueDim: 16,
  causal: true,
  layers: 2,
  positions: 'rope',
};

/** The trained model has its own sizes and positions. */
const ownSizes = (settings: SampleSettings): SampleSettings =>
  settings.model === 'trained' ? { ...settings, overrides: {}, scaling: 'design' } : settings;

function start(root: HTMLElement, host: Host): void {
  setLanguage(root.dataset.translations, document.documentElement.lang);
  const kept = host.getState();
  const state = readState(kept);
  let result: ComputeResult | undefined;
  let weights: Weights | undefined;
  /** The result before the last one, of another design or other settings. */
  let before: Weights | undefined;
  let compared: { readonly key: string; readonly weights: Weights } | undefined;
  let rate: number | undefined;
  /** The most that was agreed to, in ms. */
  let agreed = UNASKED_MS;
  let agreedToPool = false;
  /** What the linter says of sizes set by hand, and what it was asked. */
  let findings: { readonly key: string; readonly query: number; readonly findings: readonly string[] } = {
    key: '',
    query: 0,
    findings: [],
  };

  const save = (): void => host.setState(state);
  const design = (): PreviewDesign | undefined => (state.message?.kind === 'design' ? state.message.design : undefined);
  const wanted = (): PreviewDesign | undefined => {
    const own = state.settings.model === 'trained' ? placeholder : design();
    return own === undefined ? undefined : effectiveDesign(own, ownSizes(state.settings));
  };
  const shown = (): Shown | undefined => (weights === undefined ? undefined : { weights, other: otherWeights(), display: state.display });

  // What stands on the page, from top to bottom.
  registerToolkit();
  const tip = new Tip();
  const heading = new Heading({
    reveal: (source, field) => host.postMessage({ kind: 'reveal', source, field }),
    stage: (stage) => display({ view: 'steps', stage }),
    begin(cost) {
      agreed = Math.max(agreed, cost.milliseconds * 1.5);
      agreedToPool ||= cost.pooled;
      compute();
    },
  });
  const status = element('p', { class: 'status', id: 'status', role: 'status' });
  const cancel = button('cancel', t('Stop'), () => {
    engine.cancel();
    settled(t('Stopped.'));
  });
  cancel.hidden = true;
  const legend = element('div', { class: 'legend', 'aria-hidden': 'true' });
  const grid = new Grid(tip, (head) => open(head));
  const detail = new Detail({
    close: () => open(undefined),
    open: (head) => open(head),
    display: (change) => display(change),
    follow: (token, head) => display({ view: 'steps', token, head }),
    rows(heads, row, rows) {
      const of = job();
      if (of !== undefined) engine.ask({ kind: 'tile', job: of, heads, row, rows });
    },
  });
  const table = lazyTable('heads-table', t('All heads as a table'), headsTable);
  const headsView = element('section', { class: 'view heads-view', id: 'heads-view', 'aria-label': t('Heads') });
  const tokenView = new TokenView((change) => display(change));
  const job = (): Job | undefined => {
    const present = design() ?? (state.settings.model === 'trained' ? placeholder : undefined);
    return present === undefined ? undefined : { design: present, settings: state.settings, pooled: result?.pooled ?? false };
  };
  const stepView = new StepView(
    tip,
    (question) => {
      const of = job();
      if (of !== undefined) engine.ask({ ...question, job: of });
    },
    (change) => display(change),
  );
  const decodeView = new DecodeView(
    tip,
    (question) => {
      const of = job();
      if (of !== undefined) engine.ask({ ...question, job: of });
    },
    (change) => display(change),
  );
  const controls = new Controls(state, {
    settings: (change) => settings(change),
    display: (change) => display(change),
    pickFile: () => host.postMessage({ kind: 'pickFile' }),
    findTokenizer: () => host.postMessage({ kind: 'findTokenizer' }),
  });
  const tabs = makeTabs(
    () => state.display.view,
    (view) => display({ view }),
  );
  const menu = exportMenu({
    save: (format) => void saveAs(format),
    copy: (form) => host.postMessage({ kind: 'copyLink', form, state: linkState(state) }),
  });
  headsView.append(controls.picture, grid.status, element('div', { class: 'stage' }, grid.root, detail.root), table.root);
  root.append(
    heading.formula,
    element('header', { class: 'heading' }, element('div', { class: 'title-line' }, heading.title, menu), heading.facts, heading.shared),
    controls.sample,
    heading.notices,
    element('div', { class: 'bar-line' }, tabs.root, legend),
    element('div', { class: 'status-line' }, status, cancel),
    headsView,
    tokenView.root,
    stepView.root,
    decodeView.root,
    heading.hint,
    tip.element,
  );

  const engine = new Engine({
    result(next) {
      if (result !== undefined && JSON.stringify([result.design, result.settings]) !== JSON.stringify([next.design, next.settings]))
        before = new Weights(result, state.display.lens);
      result = next;
      weights = new Weights(next, state.display.lens);
      compared = undefined;
      rate = rateOf(next) ?? rate;
      status.textContent = resultText(next);
      settled();
      layOut();
      publish();
    },
    compared(next) {
      const key = comparisonKey();
      if (key !== undefined) compared = { key, weights: new Weights(next, state.display.lens) };
      layOutDetail();
      publish();
    },
    step(reply) {
      stepView.receive(reply);
      publish();
    },
    decoded(reply) {
      decodeView.receive(reply);
      publish();
    },
    tile(reply) {
      if (result !== undefined) detail.receive({ ...reply, of: result.id });
      publish();
    },
    lost() {
      inputs.lost();
      compute();
    },
    progress(done, heads) {
      status.textContent = t('Computing: {done} of {heads}', { done, heads: plural(heads, t('1 head'), t('{n} heads')) });
    },
    failed(message, kind) {
      host.postMessage({ kind: 'error', message: message.slice(0, 10_000) });
      if (kind === 'compute') root.classList.add('stale');
      settled(message);
    },
  });

  const inputs = new Inputs(
    (message) => host.postMessage(message),
    (context) => engine.give(context),
  );

  /** Nothing is being computed any more. */
  function settled(said?: string): void {
    if (said === undefined) root.classList.remove('stale');
    else status.textContent = said;
    root.classList.remove('busy');
    clearTimeout(slow);
    cancel.hidden = true;
    publish();
  }
  let slow: number | undefined;

  function settings(change: Partial<SampleSettings>): void {
    state.settings = { ...state.settings, ...change };
    save();
    compute();
  }

  function display(change: Partial<Display>): void {
    const old = state.display;
    state.display = { ...old, ...change };
    save();
    controls.sync(state, design());
    const changed = (...keys: readonly (keyof Display)[]): boolean =>
      keys.some((key) => JSON.stringify(old[key]) !== JSON.stringify(state.display[key]));
    if (changed('lens') && result !== undefined) {
      weights = new Weights(result, state.display.lens);
      if (before !== undefined) before = new Weights(before.result, state.display.lens);
      if (compared !== undefined) compared = { ...compared, weights: new Weights(compared.weights.result, state.display.lens) };
    }
    if (changed('view', 'stage')) describe();
    if (changed('view')) tabs.sync();
    if (changed('order', 'ascending', 'filter', 'least', 'columns')) layOut();
    else if (changed('lens', 'scale', 'norm', 'palette', 'tile')) repaint();
    else if (changed('compare', 'compareHead', 'difference', 'pinned')) layOutDetail();
    else layOutView();
    if (changed('stage', 'view')) stepView.reveal();
    publish();
  }

  /** Asks for the picture of the present design, or says why there is none and leaves the last one, dimmed. */
  function compute(): void {
    controls.sync(state, design());
    const present = wanted();
    inputs.need(state.settings, present);
    const cost = present === undefined ? undefined : estimate(present, state.settings, tokenCount(), rate, inputs.numbers);
    lint();
    describe(cost);
    const own = job();
    const waits = inputs.missing(state.settings);
    if (
      own === undefined ||
      present === undefined ||
      waits !== undefined ||
      designProblem(present) !== undefined ||
      (cost !== undefined && !mayBegin(cost))
    ) {
      engine.cancel();
      settled(status.textContent ?? '');
      root.classList.add('stale');
      publish();
      return;
    }
    root.classList.add('busy');
    clearTimeout(slow);
    slow = window.setTimeout(() => {
      cancel.hidden = false;
    }, 400);
    publish();
    engine.ask({ kind: 'compute', job: { ...own, pooled: cost?.pooled ?? false } });
  }

  const mayBegin = (cost: Cost): boolean => cost.milliseconds <= agreed && (!cost.pooled || agreedToPool);

  /** Tokens as far as they are known before they are made. */
  function tokenCount(): number {
    const { source, text, length } = state.settings;
    if (source === 'text' && text.trim() !== '') return Math.max(text.trim().split(/\s+/).length, Math.round(text.length / 4));
    return source === 'file' && result?.settings.source === 'file' ? result.tokens.length : length;
  }

  /** Has the linter judge sizes that were set by hand. */
  function lint(): void {
    const { overrides, model } = state.settings;
    const set = sizeNames.filter((name) => overrides[name] !== undefined);
    const key = set.length === 0 || model !== 'design' || design() === undefined ? '' : JSON.stringify([overrides, design()]);
    if (key === findings.key) return;
    findings = { key, query: findings.query + 1, findings: [] };
    if (key === '') return;
    const { queryHeads, keyValueHeads, headDim, valueDim, queryRank, keyValueRank, plainDim, ropeDim } = overrides;
    const sizes = {
      queryHeads,
      keyValueHeads,
      headDim,
      valueDim,
      queryLoraRank: queryRank,
      keyValueLoraRank: keyValueRank,
      nopeHeadDim: plainDim,
      ropeHeadDim: ropeDim,
    };
    host.postMessage({
      kind: 'lint',
      query: findings.query,
      sizes: Object.fromEntries(Object.entries(sizes).filter(([, size]) => size !== undefined)),
    });
  }

  /** Formula, title, facts and notices. */
  function describe(cost?: Cost): void {
    const present = wanted();
    const of = present === undefined ? undefined : (cost ?? estimate(present, state.settings, tokenCount(), rate, inputs.numbers));
    heading.show(state, {
      design: present,
      drawn: result !== undefined,
      inputs,
      findings: findings.findings,
      tokens: tokenCount(),
      cost: of === undefined || (!of.pooled && of.milliseconds <= UNASKED_MS) ? undefined : of,
      agreed: of !== undefined && mayBegin(of),
    });
  }

  function resultText({ kernel, workers, milliseconds, tokens, pooled, size, design: of, layers }: ComputeResult): string {
    const all = {
      heads: plural(layers * of.queryHeads, t('1 head'), t('{n} heads')),
      n: tokens.length,
      time: timeText(milliseconds),
      kernel: workers > 1 ? t('{kernel}, {n} workers', { kernel: kernelText(kernel), n: workers }) : kernelText(kernel),
    };
    const said = t('{heads} × {n} × {n} weights computed in {time} ({kernel})', all);
    return pooled ? `${said}; ${t('each cell stands for {n} × {n} of them', { n: (tokens.length / size).toFixed(1) })}` : said;
  }

  /** What the heads are held against, where that needs another result. */
  function comparisonKey(): string | undefined {
    const { compare } = state.display;
    const other = compare === 'mask' || (compare === 'sharing' && weights !== undefined && canShare(weights));
    return result === undefined || !other ? undefined : `${result.id} ${compare}`;
  }

  function otherWeights(): Weights | undefined {
    if (state.display.compare === 'before') return before;
    return compared?.key === comparisonKey() ? compared?.weights : undefined;
  }

  function askForComparison(): void {
    const own = job();
    const key = comparisonKey();
    if (own === undefined || result === undefined || key === undefined || compared?.key === key || state.display.opened === undefined)
      return;
    const { queryHeads, keyValueHeads } = result.design;
    const open = result.highs[0] === result.tokens.length;
    const change: Partial<SampleSettings> =
      state.display.compare === 'mask'
        ? { mask: open ? 'causal' : 'none' }
        : { overrides: { ...state.settings.overrides, keyValueHeads: keyValueHeads === queryHeads ? queryHeads / 2 : queryHeads } };
    engine.ask({ kind: 'compare', job: { ...own, settings: { ...own.settings, ...change } } });
  }

  /** Lays out everything for the present result. */
  function layOut(): void {
    const now = shown();
    if (now === undefined) return;
    describe();
    if (state.display.opened !== undefined && state.display.opened >= now.weights.heads)
      state.display = { ...state.display, opened: undefined };
    root.classList.toggle('with-detail', state.display.opened !== undefined);
    grid.show(now);
    table.refresh();
    layOutDetail();
    layOutView();
    colors();
  }

  function layOutDetail(): void {
    const now = shown();
    if (now === undefined) return;
    askForComparison();
    if (state.display.opened === undefined) detail.hide();
    else if (state.display.view === 'heads') detail.show(now, state.display.opened);
  }

  function layOutView(): void {
    const { view } = state.display;
    root.dataset.view = view;
    headsView.hidden = view !== 'heads';
    tokenView.root.hidden = view !== 'tokens';
    stepView.root.hidden = view !== 'steps';
    if (view !== 'decode') decodeView.hide();
    else decodeView.root.hidden = false;
    const now = shown();
    if (now === undefined) return;
    if (view === 'heads') layOutDetail();
    else if (view === 'tokens') tokenView.show(now);
    else if (view === 'steps') stepView.show(now);
    else decodeView.show(now);
  }

  function headsTable(): readonly [readonly string[], readonly (readonly string[])[]] {
    if (result === undefined) return [[], []];
    const { design: of, statistics } = result;
    const group = of.queryHeads / of.keyValueHeads;
    return [
      [t('Head'), t('KV head'), ...statisticNames.map((name) => statisticText(name).label)],
      statistics.map((each, head) => [
        headName(result as ComputeResult, head),
        String(Math.floor((head % of.queryHeads) / group)),
        ...statisticNames.map((name) => statisticValue(each, name)),
      ]),
    ];
  }

  function open(head: number | undefined): void {
    const old = state.display.opened;
    state.display = {
      ...state.display,
      opened: head,
      pinned: head === old ? state.display.pinned : undefined,
      ...(head === undefined ? {} : { head }),
    };
    save();
    grid.mark(head);
    root.classList.toggle('with-detail', head !== undefined);
    layOutDetail();
    if (head !== undefined) detail.focus();
    else if (old !== undefined) grid.focus(old);
    publish();
  }

  /** Paints all again, after the theme or the colours changed. */
  function repaint(): void {
    const now = shown();
    if (now !== undefined) {
      grid.repaint(now);
      layOutView();
    }
    colors();
  }

  /** The legend: weights at even steps of the colour scale. */
  function colors(): void {
    const { scale, norm, palette } = state.display;
    const steps = [0, 0.25, 0.5, 0.75, 1];
    const at = (step: number): number =>
      scale === 'sqrt' ? step * step : scale === 'linear' ? step : step === 0 ? 0 : LOG_FLOOR ** (1 - step);
    const ticks =
      norm === 'one'
        ? steps.map((step) => String(Number(at(step).toPrecision(1))))
        : ['0', norm === 'row' ? t('row’s largest') : t('head’s largest')];
    const ramp = element('div', { class: 'ramp' });
    ramp.style.background = gradient(colorMap(currentTheme(), palette));
    legend.replaceChildren(
      element('span', {}, t('weight')),
      element('div', { class: 'scale' }, ramp, element('div', { class: 'ticks' }, ...ticks.map((tick) => element('span', {}, tick)))),
    );
    root.classList.toggle('dark', isDark(currentTheme()));
  }

  async function saveAs(format: Format): Promise<void> {
    const now = shown();
    if (now === undefined) return;
    const { opened, view } = state.display;
    const heads = opened !== undefined && view === 'heads' ? [opened] : grid.heads(now);
    const style = getComputedStyle(document.body);
    try {
      const bytes = await exportFile(format, {
        title: heading.title.textContent ?? '',
        shown: now,
        heads,
        ink: style.color,
        ground: style.backgroundColor,
        fontFamily: style.fontFamily,
      });
      host.postMessage({ kind: 'export', name: `attention.${format}`, bytes });
    } catch (error) {
      status.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  /** For tests: what was computed and is shown, where the page's data says so. */
  function publish(): void {
    if (root.dataset.debug !== 'true') return;
    Object.assign(window, {
      headwisePreview: {
        settings: state.settings,
        display: state.display,
        opened: state.display.opened,
        result,
        weights,
        compared: otherWeights()?.result,
        step: stepView.reply,
        decode: decodeView.reply,
        tile: detail.tile,
        busy: root.classList.contains('busy'),
        stale: root.classList.contains('stale'),
      },
    });
  }

  function receive(message: ToPreview): void {
    const given = inputs.receive(message);
    if (given === 'nothing') return;
    if (message.kind === 'file') settings({ file: message.uri });
    else if (given === 'news') {
      // Pieces of a checkpoint arrive by the hundred: the last one starts the computation.
      if (inputs.missing(state.settings) === undefined) compute();
      else describe();
    }
    switch (message.kind) {
      case 'tokenizer':
      case 'file':
      case 'noFile':
      case 'checkpoint':
      case 'weights':
        return;
      case 'findings':
        if (message.query === findings.query) findings = { ...findings, findings: message.findings };
        describe();
        return;
      case 'restore': {
        let found: unknown;
        try {
          found = JSON.parse(message.state);
        } catch {
          return;
        }
        const { settings: kept, display: look } = readState(found);
        state.settings = kept;
        state.display = look;
        tabs.sync();
        layOut();
        break;
      }
      default:
        // Nothing is open: a model that has learnt something shows more than random projections.
        if (message.source === '' && kept === undefined && state.message === undefined)
          state.settings = { ...state.settings, model: 'trained', source: 'repeated' };
        state.message = message;
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
  window.addEventListener('resize', layOutView);

  root.classList.toggle('with-detail', state.display.opened !== undefined);
  controls.sync(state, design());
  colors();
  describe();
  layOutView();
  void engine.start({
    worker: root.dataset.worker ?? '',
    wasm: root.dataset.wasm ?? '',
    ...(root.dataset.relaxedWasm === undefined ? {} : { relaxedWasm: root.dataset.relaxedWasm }),
    ...(root.dataset.model === undefined ? {} : { model: root.dataset.model }),
  });
  inputs.need(state.settings, wanted());
  if (state.message !== undefined) compute();
  host.postMessage({ kind: 'ready' });
}

const root = document.getElementById('preview');
if (root !== null) start(root, acquireVsCodeApi());
