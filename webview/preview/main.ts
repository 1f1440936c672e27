import './preview.css';
import { type FromPreview, isToPreview, type PreviewDesign, type RevealField, type ToPreview } from '../protocol.ts';
import { button, registerToolkit } from '../toolkit.ts';
import { colorMap, currentTheme, gradient, isDark, LOG_FLOOR } from './colors.ts';
import type { ComputeResult, Job } from './compute.ts';
import { Controls, changedText } from './controls.ts';
import { type Cost, estimate, rateOf, UNASKED_MS } from './cost.ts';
import { DecodeView } from './decode.ts';
import { Detail } from './detail.ts';
import { element, lazyTable, Tip } from './dom.ts';
import { Engine } from './engine.ts';
import { exportFile, type Format } from './exports.ts';
import { Grid } from './grid.ts';
import { Weights } from './lens.ts';
import { exportMenu, makeTabs } from './menu.ts';
import { designProblem } from './sample.ts';
import { effectiveDesign, type SampleSettings } from './settings.ts';
import type { Shown } from './shown.ts';
import { type Display, linkState, readState, type Stage } from './state.ts';
import { StepView, subscript } from './steps.ts';
import { plural, setLanguage, t } from './text.ts';
import { TokenView } from './tokens.ts';
import { bytesText, headName, kernelText, sharing, statisticNames, statisticText, statisticValue, timeText } from './words.ts';

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
  let findings: { readonly query: string; readonly findings: readonly string[] } = { query: '', findings: [] };
  let fileName = '';
  let tokenizer: string | undefined;

  const save = (): void => host.setState(state);
  const design = (): PreviewDesign | undefined => (state.message?.kind === 'design' ? state.message.design : undefined);
  const wanted = (): PreviewDesign | undefined => {
    const own = state.settings.model === 'trained' ? placeholder : design();
    return own === undefined
      ? undefined
      : effectiveDesign(own, state.settings.model === 'trained' ? { ...state.settings, overrides: {} } : state.settings);
  };
  const shown = (): Shown | undefined => (weights === undefined ? undefined : { weights, other: otherWeights(), display: state.display });

  // What stands on the page, from top to bottom.
  registerToolkit();
  const tip = new Tip();
  const formula = element('p', { class: 'formula', id: 'formula' });
  const title = element('h1', { id: 'title' });
  const facts = element('p', { class: 'facts', id: 'facts' });
  const shared = element('p', { class: 'shared', id: 'sharing' });
  const notices = element('div', { class: 'notices', id: 'notices', role: 'status' });
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
  const hint = element('p', { class: 'hint', id: 'about-sample' });
  root.append(
    formula,
    element('header', { class: 'heading' }, element('div', { class: 'title-line' }, title, menu), facts, shared),
    controls.sample,
    notices,
    element('div', { class: 'bar-line' }, tabs.root, legend),
    element('div', { class: 'status-line' }, status, cancel),
    headsView,
    tokenView.root,
    stepView.root,
    decodeView.root,
    hint,
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
    progress(done, heads) {
      status.textContent = t('Computing: {done} of {heads}', { done, heads: plural(heads, t('1 head'), t('{n} heads')) });
    },
    failed(message, kind) {
      host.postMessage({ kind: 'error', message: message.slice(0, 10_000) });
      if (kind === 'compute') root.classList.add('stale');
      settled(message);
    },
  });

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
    if (changed('order', 'ascending', 'filter', 'least')) layOut();
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
    const cost = present === undefined ? undefined : estimate(present, state.settings, tokenCount(), rate);
    lint();
    describe(cost);
    const own = job();
    const waits = missing();
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

  /** What the sample still needs, in words. */
  function missing(): string | undefined {
    const { model, source, tokenizer: by, text } = state.settings;
    if (model === 'trained') return undefined;
    if (source === 'file' && fileName === '') return t('Pick a .npy, .json or .safetensors file that holds one row of numbers per token.');
    if (source !== 'text' || by !== 'workspace' || text.trim() === '') return undefined;
    if (tokenizer === undefined) return t('Looking for tokenizer.json…');
    return tokenizer === '' ? t('No tokenizer.json was found beside the file or in the workspace.') : undefined;
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
    const { queryHeads, keyValueHeads, headDim } = state.settings.overrides;
    const own = design();
    const query =
      own === undefined || (queryHeads === undefined && keyValueHeads === undefined && headDim === undefined)
        ? ''
        : `h=${queryHeads ?? own.queryHeads} kv=${keyValueHeads ?? own.keyValueHeads} hd=${headDim ?? own.headDim}`;
    if (query === findings.query) return;
    findings = { query, findings: [] };
    if (query !== '') host.postMessage({ kind: 'lint', query });
  }

  /** Formula, title, facts and notices. */
  function describe(cost?: Cost): void {
    const { message } = state;
    const present = wanted();
    const trained = state.settings.model === 'trained';
    title.textContent = trained ? t('Trained sample model') : (message?.title ?? t('Attention preview'));
    notices.replaceChildren();
    const notice = (kind: string, line: string, ...more: readonly Node[]): void =>
      notices.append(element('p', { class: kind }, line, ...more));
    describeFormula(present);
    hint.textContent = trained
      ? t(
          'A two-layer model trained to copy: its first layer has previous-token heads, its second induction heads, which find what followed the same token before. docs/sample-model.md in the repository says how it was trained.',
        )
      : state.settings.source === 'file'
        ? t('Rows of the file are the tokens’ embeddings; every projection is random, all from the seed.')
        : t(
            'The sample: every word has a random embedding of 64 numbers and every projection is random, all from the seed. The weights show what these heads, KV heads, widths and masks do; they are not those of a trained model.',
          );
    if (message?.kind === 'unavailable' && !trained) {
      facts.textContent = '';
      shared.textContent = '';
      notice('problem', message.reason);
      return;
    }
    if (present === undefined) return;
    const { queryHeads, keyValueHeads, headDim, valueDim, layers, slidingWindow, positions } = present;
    const fact = (field: RevealField, line: string): Node => {
      if (trained || message === undefined || message.source === '') return element('span', { class: 'fact plain' }, line);
      const link = element('button', { class: 'fact', type: 'button', title: t('Show where it is set') }, line);
      link.addEventListener('click', () => host.postMessage({ kind: 'reveal', source: message.source, field }));
      return link;
    };
    facts.replaceChildren(
      fact('queryHeads', plural(queryHeads, t('1 query head'), t('{n} query heads'))),
      fact('keyValueHeads', plural(keyValueHeads, t('1 KV head'), t('{n} KV heads'))),
      fact('headDim', t('head dim {n}', { n: headDim })),
      ...(valueDim === headDim ? [] : [fact('valueDim', t('value dim {n}', { n: valueDim }))]),
      ...(slidingWindow === undefined ? [] : [fact('slidingWindow', t('window {n}', { n: slidingWindow }))]),
      ...(positions === undefined ? [] : [fact('positions', t('{kind} positions', { kind: positions }))]),
      ...(layers === undefined ? [] : [fact('layers', plural(layers, t('1 layer'), t('{n} layers')))]),
    );
    const changed = changedText(trained ? { ...state.settings, overrides: {} } : state.settings);
    if (changed !== '') facts.append(element('span', { class: 'fact plain by-hand' }, changed));
    const problem = designProblem(present);
    shared.textContent = problem === undefined ? sharing(present) : '';
    if (problem !== undefined)
      notice('problem', result === undefined ? problem : `${problem} ${t('The picture is of the last design that could be computed.')}`);
    if (message?.kind === 'design' && !trained) for (const warning of message.warnings) notice('warning', warning);
    for (const finding of findings.findings) if (finding !== problem) notice('warning', finding);
    if (state.settings.source === 'file' && fileName !== '' && !trained)
      notice('note', t('Tokens are the rows of {file}.', { file: fileName }));
    const waits = missing();
    if (waits !== undefined) notice('warning', waits);
    else if (state.settings.source === 'text' && state.settings.tokenizer === 'workspace' && !trained && tokenizer !== undefined)
      notice('note', t('Tokens by {file}.', { file: tokenizer }));
    const of = cost ?? estimate(present, state.settings, tokenCount(), rate);
    if (problem !== undefined || (!of.pooled && of.milliseconds <= UNASKED_MS)) return;
    const begin = mayBegin(of);
    const facts_ = { tokens: tokenCount(), memory: bytesText(of.bytes), time: timeText(of.milliseconds) };
    notice(
      'warning',
      of.pooled
        ? begin
          ? t('All weights of {tokens} tokens would take {memory}: the maps show tiles of them.', facts_)
          : t('All weights of {tokens} tokens would take {memory}. Pooled maps need a few MiB and take about {time}.', facts_)
        : t('This takes about {time} and {memory}.', facts_),
      ...(begin
        ? []
        : [
            button('begin', of.pooled ? t('Compute pooled maps') : t('Compute'), () => {
              agreed = Math.max(agreed, of.milliseconds * 1.5);
              agreedToPool ||= of.pooled;
              compute();
            }),
          ]),
    );
  }

  /** The function in one line, each part a way into the step view. */
  function describeFormula(present: PreviewDesign | undefined): void {
    const { view, stage } = state.display;
    const part = (of: Stage, text: string | readonly (Node | string)[], name: string): Node => {
      const made = element(
        'button',
        { class: 'part', type: 'button', 'data-part': of, title: name },
        ...(typeof text === 'string' ? [text] : text),
      );
      made.setAttribute('aria-pressed', String(view === 'steps' && stage === of));
      made.addEventListener('click', () => display({ view: 'steps', stage: of }));
      return made;
    };
    const last = subscript((present?.queryHeads ?? 1) - 1);
    formula.replaceChildren(
      'MultiHead(',
      part('input', 'x', t('The token')),
      ') = ',
      part('concat', last === '₀' ? 'o₀' : `Concat(o₀ … o${last})`, t('Concatenation')),
      '·',
      part('output', ['W', element('sub', {}, 'O')], t('Output projection')),
      element('span', { class: 'gap' }, ' '),
      'oₕ = ',
      part('softmax', 'softmax', t('Softmax')),
      '(',
      part('query', 'q', t('Its query')),
      part('score', `·k / √${present?.headDim ?? 'd'}`, t('Each key’s score')),
      part('mask', ' + M', t('Mask')),
      ')',
      part('value', '·v', t('Weighted values')),
    );
  }

  function resultText({ kernel, milliseconds, tokens, pooled, size, design: of, layers }: ComputeResult): string {
    const all = {
      heads: plural(layers * of.queryHeads, t('1 head'), t('{n} heads')),
      n: tokens.length,
      time: timeText(milliseconds),
      kernel: kernelText(kernel),
    };
    const said = t('{heads} × {n} × {n} weights computed in {time} ({kernel})', all);
    return pooled ? `${said}; ${t('each cell stands for {n} × {n} of them', { n: (tokens.length / size).toFixed(1) })}` : said;
  }

  /** What the heads are held against, where that needs another result. */
  function comparisonKey(): string | undefined {
    const { compare } = state.display;
    return result === undefined || (compare !== 'mask' && compare !== 'sharing') ? undefined : `${result.id} ${compare}`;
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
        title: title.textContent ?? '',
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
        busy: root.classList.contains('busy'),
        stale: root.classList.contains('stale'),
      },
    });
  }

  function receive(message: ToPreview): void {
    switch (message.kind) {
      case 'tokenizer':
        tokenizer = message.name;
        if (message.json !== '') engine.give({ kind: 'tokenizer', json: message.json });
        compute();
        return;
      case 'file':
        fileName = message.name;
        engine.give({ kind: 'file', name: message.name, bytes: message.bytes });
        compute();
        return;
      case 'findings':
        if (message.query === findings.query) findings = message;
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
        askForWhatIsMissing();
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

  function askForWhatIsMissing(): void {
    if (state.settings.source === 'text' && state.settings.tokenizer === 'workspace' && tokenizer === undefined)
      host.postMessage({ kind: 'findTokenizer' });
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
  askForWhatIsMissing();
  if (state.message !== undefined) compute();
  host.postMessage({ kind: 'ready' });
}

const root = document.getElementById('preview');
if (root !== null) start(root, acquireVsCodeApi());
