import 'uplot/dist/uPlot.min.css';
import './calculator.css';
import type { ReportAnswer, ReportControl, ReportProblem, ReportResult } from '../../src/protocol/calculator.ts';
import { element, labelled } from '../preview/dom.ts';
import { menu } from '../preview/menu.ts';
import { setLanguage, t } from '../preview/text.ts';
import { button, type Choice, type Control, checkbox, dropdown, registerToolkit, selectIn, textField } from '../toolkit.ts';
import { type Chart, cacheChart, partsChart } from './charts.ts';
import { withControl } from './expression.ts';
import {
  type CalculatorAction,
  type FromCalculator,
  isToCalculator,
  type PageQuestion,
  type PageSide,
  type Side,
  type ToCalculator,
} from './messages.ts';
import { readState } from './state.ts';
import { paired, quantitiesTable, type Shown, stepsTable } from './tables.ts';

interface Host {
  postMessage(message: FromCalculator): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): Host;

/** Tables that stand folded below the others. */
const foldedTables: ReadonlySet<string> = new Set(['design', 'parameters']);

/** The expression of one design: what it stands on, the field, and what is wrong where. */
interface Field {
  readonly root: HTMLElement;
  readonly input: Control<string>;
  sync(side: PageSide): void;
  problems(answer: ReportAnswer | undefined, isCurrent: boolean): void;
}

function start(root: HTMLElement, host: Host): void {
  setLanguage(root.dataset.translations, document.documentElement.lang);
  const state = readState(host.getState());
  let asked = 0;
  let answered = 0;
  let result: ReportResult | undefined;
  /** What is shown: the last answers without problems. */
  let shown: { readonly first: ReportAnswer; readonly second?: ReportAnswer } | undefined;
  let failure = '';
  /** What the model's code says of its parameters. */
  let code: { readonly text: string; readonly isProblem: boolean } = { text: '', isProblem: false };
  /** What the charts show, as text. */
  let charted = '';
  let charts: readonly Chart[] = [];
  let isRestored = state.scroll === 0;

  const save = (): void => host.setState(state);
  registerToolkit();

  const title = element('h1', { id: 'title' }, t('Shapes'));
  const facts = element('p', { class: 'facts', id: 'facts' });
  const actions: readonly (readonly [CalculatorAction, string])[] = [
    ['markdown', t('Copy as Markdown')],
    ['latex', t('Copy as LaTeX')],
    ['comment', t('Insert as a shape comment')],
    ['keys', t('Insert as config keys')],
    ['preview', t('Open the attention preview')],
  ];
  const actionMenu = menu(
    'actions',
    t('Use result'),
    actions.map(([action, name]) => [
      `action-${action}`,
      name,
      () => host.postMessage({ kind: 'act', action, question: sideOf(state.question) }),
    ]),
  );
  const controls = element('div', { class: 'groups', id: 'controls' });
  const exact = checkbox('exact', t('All digits'), state.exact, (checked) => {
    state.exact = checked;
    save();
    layOut();
  });
  const compare = button('compare', t('Compare with…'), () => {
    if (state.question.second === undefined) {
      // The same design to begin with: what is changed is then the difference.
      setQuestion({ ...state.question, second: sideOf(state.question) });
      second.root.querySelector<HTMLElement>('#query-second')?.focus();
    } else {
      const { second: _, ...alone } = state.question;
      setQuestion(alone);
    }
  });
  const notices = element('div', { class: 'notices', id: 'notices', role: 'status' });
  const steps = element('section', { class: 'view', id: 'steps', 'aria-labelledby': 'steps-title' });
  const cards = element('div', { class: 'cards', id: 'cards' });
  const drawings = element('div', { class: 'charts', id: 'charts' });
  const folds = element('div', { class: 'folds', id: 'folds' });
  const first = expressionField('first', t('Expression'));
  const second = expressionField('second', t('Second design'));
  root.append(
    element('header', { class: 'heading' }, element('div', { class: 'title-line' }, title, actionMenu), facts),
    first.root,
    second.root,
    controls,
    notices,
    steps,
    drawings,
    cards,
    folds,
  );

  function sideOf({ query, base, name }: PageSide): PageSide {
    return { query, ...(base === undefined ? {} : { base }), name };
  }

  function expressionField(side: Side, label: string): Field {
    const side_ = (): PageSide | undefined => (side === 'first' ? state.question : state.question.second);
    const input = textField(
      `query-${side}`,
      label,
      '',
      (query) => {
        const now = side_();
        if (now !== undefined && query !== now.query) changeSide(side, { ...sideOf(now), query });
      },
      { placeholder: 'd=4096 h=32 kv=8 T=8k B=4 bf16' },
    );
    input.element.classList.add('query');
    const carets = element('pre', { class: 'carets', 'aria-hidden': 'true' });
    const list = element('ul', { class: 'problems', id: `problems-${side}` });
    const name = element('button', { class: 'base-name', type: 'button', title: t('Show where it is set') });
    name.addEventListener('click', () => {
      const base = side_()?.base;
      if (base !== undefined) host.postMessage({ kind: 'reveal', base });
    });
    const base = element('span', { class: 'base' });
    const pick = button(`pick-${side}`, t('Start from…'), () => host.postMessage({ kind: 'pick', side }));
    const made = element(
      'div',
      { class: 'expression', id: `expression-${side}` },
      element('span', { class: `badge ${side}`, 'aria-hidden': 'true' }, side === 'first' ? '1' : '2'),
      base,
      element('div', { class: 'field' }, input.element, carets, element('div', { role: 'status' }, list)),
      pick,
    );
    return {
      root: made,
      input,
      sync(now) {
        input.set(now.query);
        name.textContent = now.name;
        base.replaceChildren(...(now.base === undefined ? [] : [name]));
      },
      problems(answer, isCurrent) {
        const problems = answer?.problems ?? [];
        input.element.classList.toggle('invalid', problems.length > 0);
        // Under other text they would point at the wrong characters.
        carets.textContent = isCurrent ? caretsOf(answer?.query ?? '', problems) : '';
        const texts = problems.map(({ message }) => message);
        if (JSON.stringify(texts) === list.dataset.texts) return;
        list.dataset.texts = JSON.stringify(texts);
        list.replaceChildren(
          ...problems.map(({ start: from, end, message }) => {
            const go = element('button', { type: 'button' }, message);
            go.addEventListener('click', () => selectIn(input, from, end));
            return element('li', {}, go);
          }),
        );
      },
    };
  }

  function changeSide(side: Side, now: PageSide): void {
    setQuestion(
      side === 'first'
        ? { ...now, ...(state.question.second === undefined ? {} : { second: state.question.second }) }
        : { ...state.question, second: now },
    );
  }

  function setQuestion(question: PageQuestion): void {
    state.question = question;
    save();
    ask();
  }

  function ask(): void {
    first.sync(state.question);
    second.root.hidden = state.question.second === undefined;
    if (state.question.second !== undefined) second.sync(state.question.second);
    compare.textContent = state.question.second === undefined ? t('Compare with…') : t('Compare no more');
    asked++;
    host.postMessage({ kind: 'ask', asked, question: state.question });
    publish();
  }

  const made = new Map<string, { readonly control: Control<string> | Choice; current: ReportControl }>();

  /** What was set while the answer about the query was on its way. */
  const waiting = new Map<string, string>();
  /** The expression said something of devices or training. */
  let saysMore = false;

  /** Sets a part of the query, once the answer is about the query that stands there. */
  function setControl(id: string, value: string): void {
    const control = made.get(id)?.current;
    if (control === undefined) return;
    if (result?.first.query !== state.question.query) {
      waiting.set(id, value);
      return;
    }
    waiting.delete(id);
    const query = withControl(state.question.query, control, value);
    if (query !== state.question.query) changeSide('first', { ...sideOf(state.question), query });
  }

  function controlOf(each: ReportControl): HTMLElement {
    const { id, label, kind, prefix } = each;
    const key = `set-${id}`;
    if (kind === 'flag') {
      const flag = checkbox(key, label, each.value !== '', (checked) => setControl(id, checked ? prefix : ''));
      made.set(id, { control: { element: flag.element, set: (value) => flag.set(value !== '') }, current: each });
      return element('div', { class: 'control' }, flag.element);
    }
    const control =
      kind === 'choice'
        ? dropdown(key, label, choices(each), chosen(each.value), (value) => setControl(id, value === none ? '' : value))
        : textField(
            key,
            label,
            each.value,
            (value) => {
              if (/^[\w.+*/() -]*$/.test(value.trim())) setControl(id, value.trim());
            },
            { size: 6, placeholder: '1' },
          );
    made.set(id, { control, current: each });
    return labelled(label, control.element);
  }

  function layOutControls(all: readonly ReportControl[]): void {
    const shape = JSON.stringify(all.map(({ id, kind, label, group, options }) => [id, kind, label, group, options]));
    if (controls.dataset.shape !== shape) {
      controls.dataset.shape = shape;
      made.clear();
      const groups = new Map<string, HTMLElement>();
      for (const each of all) {
        // What a design stands on is picked elsewhere.
        if (each.group === '') continue;
        const group = groups.get(each.group) ?? element('div', { class: 'controls', role: 'group', 'aria-label': each.group });
        if (!groups.has(each.group)) {
          group.append(element('span', { class: 'group-label', 'aria-hidden': 'true' }, each.group));
          groups.set(each.group, group);
        }
        group.append(controlOf(each));
      }
      const [sizes, ...others] = groups.values();
      const more = element(
        'details',
        { class: 'fold', id: 'fold-more' },
        element('summary', {}, [...groups.keys()].slice(1).join(', ')),
        ...others,
      );
      more.open =
        state.unfolded.includes('more') || all.some(({ group, value }) => value !== '' && group !== '' && group !== [...groups.keys()][0]);
      keepFold(more, 'more');
      controls.replaceChildren(
        ...(sizes === undefined ? [] : [sizes]),
        element('div', { class: 'controls' }, exact.element, compare),
        more,
      );
    }
    // What the expression says of devices or training is shown.
    const more = controls.querySelector('details');
    const isSet = all.some(({ id, value }) => value !== '' && (made.get(id)?.control.element.closest('details') ?? null) !== null);
    if (isSet && !saysMore && more !== null) more.open = true;
    saysMore = isSet;
    for (const each of all) {
      const known = made.get(each.id);
      if (known === undefined) continue;
      known.current = each;
      if ('setOptions' in known.control) known.control.setOptions(choices(each), chosen(each.value));
      else if (!known.control.element.matches(':focus-within') || each.kind === 'flag') known.control.set(each.value);
    }
  }

  function layOut(): void {
    describe();
    const now: Shown | undefined = shown === undefined ? undefined : { ...shown, exact: state.exact };
    steps.replaceChildren();
    cards.replaceChildren();
    folds.replaceChildren();
    root.classList.toggle('comparing', now?.second !== undefined);
    if (now === undefined) {
      layOutCharts(undefined);
      publish();
      return;
    }
    const table = stepsTable(now);
    steps.hidden = table === undefined;
    if (table !== undefined)
      steps.append(
        element('h2', { id: 'steps-title' }, t('Through the model, step by step')),
        element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-labelledby': 'steps-title' }, table),
      );
    for (const [one, two] of paired(now.first.tables, now.second?.tables)) {
      const of = one ?? two;
      if (of === undefined) continue;
      const make = (): HTMLElement => quantitiesTable(of.id, one, two, now);
      if (foldedTables.has(of.id)) folds.append(fold(of.id, of.title, make));
      else
        cards.append(
          element(
            'section',
            { class: 'card', id: `card-${of.id}`, 'aria-labelledby': `${of.id}-title` },
            element('h2', { id: `${of.id}-title` }, of.title),
            element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-labelledby': `${of.id}-title` }, make()),
          ),
        );
    }
    layOutCharts(now);
    if (!isRestored) {
      isRestored = true;
      window.scrollTo(0, state.scroll);
    }
    publish();
  }

  /** A table that is made when it is unfolded; that it was is kept. */
  function fold(id: string, name: string, make: () => HTMLElement): HTMLElement {
    const details = element('details', { class: 'fold', id: `fold-${id}` }, element('summary', { id: `${id}-title` }, name));
    const fill = (): void => {
      details.querySelector('.scroll')?.remove();
      if (details.open)
        details.append(element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-labelledby': `${id}-title` }, make()));
    };
    details.open = state.unfolded.includes(id);
    fill();
    keepFold(details, id);
    details.addEventListener('toggle', fill);
    return details;
  }

  function keepFold(details: HTMLDetailsElement, id: string): void {
    details.addEventListener('toggle', () => {
      state.unfolded = details.open ? [...new Set([...state.unfolded, id])] : state.unfolded.filter((each) => each !== id);
      save();
    });
  }

  function layOutCharts(now: Shown | undefined): void {
    const tokens = askedTokens();
    const data =
      now === undefined ? '' : JSON.stringify([now.first.curves, now.second?.curves, now.first.parts, now.second?.parts, tokens]);
    if (data === charted) return;
    charted = data;
    for (const chart of charts) chart.destroy();
    charts =
      now === undefined
        ? []
        : [
            cacheChart({ curves: now.first.curves, second: now.second?.curves.find(({ own }) => own), tokens }),
            partsChart(now.first.parts, now.second?.parts),
          ].filter((chart) => chart !== undefined);
    drawings.replaceChildren(...charts.map((chart) => chart.root));
    for (const details of drawings.querySelectorAll('details')) {
      details.open = state.unfolded.includes(details.id);
      keepFold(details, details.id);
    }
  }

  /** Tokens of the expression, as the table's shapes have them. */
  function askedTokens(): number | undefined {
    // An encoder's layers come first, and have its own positions.
    const scores = shown?.first.groups
      .flatMap((group) => group.steps)
      .filter(({ id }) => id === 'scores')
      .at(-1);
    const tokens = Number(scores?.shape.at(-1));
    return Number.isSafeInteger(tokens) && tokens > 0 ? tokens : undefined;
  }

  function describe(): void {
    const isCurrent = answered === asked;
    first.problems(result?.first, isCurrent && result?.first.query === state.question.query);
    second.problems(result?.second, isCurrent && result?.second?.query === state.question.second?.query);
    title.textContent = state.question.name || shown?.first.title || t('Shapes');
    const summaries = [shown?.first.summary ?? '', shown?.second?.summary ?? ''];
    facts.replaceChildren(
      ...summaries.flatMap((summary, at) => (summary === '' ? [] : [element('span', { class: at === 0 ? 'fact' : 'fact two' }, summary)])),
    );
    notices.replaceChildren();
    const notice = (kind: string, text: string): void => notices.append(element('p', { class: kind }, text));
    if (failure !== '') notice('problem', failure);
    if (code.text !== '' && state.question.base !== undefined) notice(code.isProblem ? 'problem' : 'note', code.text);
    const isStale = shown !== undefined && result !== undefined && shown.first !== result.first;
    if (isStale) notice('note', t('Shown: {query}', { query: shown?.first.query || state.question.name || t('the last design') }));
    if (result !== undefined && result.first.hint !== '' && result.first.problems.length === 0) notice('note', result.first.hint);
    const reasons = [...new Set([...(shown?.first.notModelled ?? []), ...(shown?.second?.notModelled ?? [])])];
    for (const reason of reasons.slice(0, 12)) notice('warning', reason);
  }

  function receive(message: ToCalculator): void {
    switch (message.kind) {
      case 'open':
        setQuestion(message.question);
        return;
      case 'picked': {
        const { side, base, name, preset } = message;
        const now = side === 'first' ? state.question : state.question.second;
        if (now === undefined) return;
        // The query of the answer: the offsets of its controls are of no other.
        const answer = side === 'first' ? result?.first : result?.second;
        const control = answer?.controls.find(({ id }) => id === 'preset');
        const query = control === undefined || answer === undefined ? now.query : withControl(answer.query, control, preset);
        changeSide(side, { query, ...(base === undefined ? {} : { base }), name });
        return;
      }
      case 'outdated':
        ask();
        return;
      case 'code':
        code = message;
        describe();
        return;
      case 'report': {
        // A later question overtook this one.
        if (message.asked !== asked) return;
        answered = asked;
        failure = message.failure;
        if (message.result !== undefined) {
          const { result: next } = message;
          const isGood = (answer: ReportAnswer | undefined): boolean => answer === undefined || answer.problems.length === 0;
          result = next;
          // What is half typed does not take the last good answer away.
          if ((isGood(next.first) && isGood(next.second)) || shown === undefined)
            shown = { first: next.first, ...(next.second === undefined ? {} : { second: next.second }) };
          else if (next.second === undefined && shown.second !== undefined) shown = { first: shown.first };
          layOutControls(next.first.controls);
        }
        layOut();
        const [set] = waiting;
        if (set !== undefined) setControl(...set);
      }
    }
  }

  /** For tests: what was asked and is shown, where the page's data says so. */
  function publish(): void {
    if (root.dataset.debug === 'true')
      Object.assign(window, { headwiseCalculator: { state, result, shown, failure, busy: answered !== asked } });
  }

  window.addEventListener('message', (event: MessageEvent<unknown>) => {
    if (isToCalculator(event.data)) receive(event.data);
  });
  window.addEventListener('error', (event) => host.postMessage({ kind: 'error', message: String(event.message).slice(0, 10_000) }));
  const repaint = (): void => {
    for (const chart of charts) chart.repaint();
  };
  new MutationObserver(repaint).observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-kind'] });
  let scrolled: number | undefined;
  window.addEventListener('scroll', () => {
    clearTimeout(scrolled);
    scrolled = window.setTimeout(() => {
      state.scroll = Math.round(window.scrollY);
      save();
    }, 200);
  });
  ask();
  host.postMessage({ kind: 'ready' });
}

/** An option for what the expression leaves open: a drop-down takes no empty one. */
const none = '–';
const chosen = (value: string): string => (value === '' ? none : value);

function choices({ options = [], value }: ReportControl): readonly (readonly [string, string])[] {
  const known = value === '' || options.some(([option]) => option === value) ? options : [[value, value] as const, ...options];
  return [[none, none], ...known];
}

/** A line of carets under the characters that cause problems. */
function caretsOf(query: string, problems: readonly ReportProblem[]): string {
  const marks = Array.from({ length: query.length + 1 }, () => ' ');
  for (const { start: from, end } of problems) for (let at = from; at < Math.max(end, from + 1) && at < marks.length; at++) marks[at] = '^';
  return marks.join('').trimEnd();
}

const root = document.getElementById('calculator');
if (root !== null) start(root, acquireVsCodeApi());
