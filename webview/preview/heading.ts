import type { PreviewDesign, RevealField } from '../protocol.ts';
import { button } from '../toolkit.ts';
import { changedText } from './controls.ts';
import type { Cost } from './cost.ts';
import { element } from './dom.ts';
import { formulaOf, scalingText } from './formula.ts';
import type { Inputs } from './inputs.ts';
import { isBucketed, isOddlyScaled } from './projections.ts';
import { designProblem } from './sample.ts';
import type { SampleSettings } from './settings.ts';
import type { PageState, Stage } from './state.ts';
import { plural, t } from './text.ts';
import { bytesText, sharing, timeText } from './words.ts';

export interface HeadingEvents {
  /** Show where the file sets a field. */
  reveal(source: string, field: RevealField): void;
  /** Open a stage of the step view. */
  stage(stage: Stage): void;
  /** Begin what costs so much. */
  begin(cost: Cost): void;
}

/** What the heading says beside the state. */
export interface Said {
  /** As it is computed; undefined where there is none. */
  readonly design: PreviewDesign | undefined;
  /** Whether an earlier picture is shown. */
  readonly drawn: boolean;
  readonly inputs: Inputs;
  readonly findings: readonly string[];
  readonly tokens: number;
  /** Undefined where nothing needs to be said of it. */
  readonly cost: Cost | undefined;
  /** Whether the cost was agreed to. */
  readonly agreed: boolean;
}

/** What stands above the picture: the formula, the design's name and sizes, and what is to be known before it is looked at. */
export class Heading {
  readonly formula = element('p', { class: 'formula', id: 'formula' });
  readonly title = element('h1', { id: 'title' });
  readonly facts = element('p', { class: 'facts', id: 'facts' });
  readonly shared = element('p', { class: 'shared', id: 'sharing' });
  readonly notices = element('div', { class: 'notices', id: 'notices', role: 'status' });
  readonly hint = element('p', { class: 'hint', id: 'about-sample' });
  readonly #events: HeadingEvents;
  #notices = '';

  constructor(events: HeadingEvents) {
    this.#events = events;
  }

  show({ settings, display, message }: PageState, said: Said): void {
    const { design } = said;
    const { model, source } = settings;
    const trained = model === 'trained';
    this.title.textContent = trained ? t('Trained sample model') : (message?.title ?? t('Attention preview'));
    this.formula.replaceChildren(
      ...formulaOf(design, settings, display.view === 'steps' ? display.stage : undefined, (stage) => this.#events.stage(stage)),
    );
    this.hint.textContent = trained
      ? t(
          'A two-layer model trained to copy: its first layer has previous-token heads, its second induction heads, which find what followed the same token before. docs/sample-model.md in the repository says how it was trained.',
        )
      : model === 'checkpoint'
        ? source === 'file'
          ? t('Projections are the checkpoint’s; each layer reads the rows of the file as they are.')
          : t('Projections are the checkpoint’s; each layer reads a random embedding for each word, not what the layers before it make.')
        : source === 'file'
          ? t('Rows of the file are the tokens’ embeddings; every projection is random, all from the seed.')
          : t(
              'The sample: every word has a random embedding of 64 numbers and every projection is random, all from the seed. The weights show what these heads, KV heads, widths and masks do; they are not those of a trained model.',
            );
    const notices: (readonly [kind: string, line: string, ...more: readonly Node[]])[] = [];
    if (message?.kind === 'unavailable' && !trained) {
      this.facts.textContent = '';
      this.shared.textContent = '';
      notices.push(['problem', message.reason]);
    } else if (design !== undefined) this.#describe({ settings, display, message }, said, design, notices);
    // A region that is announced is left alone while it says the same.
    const key = JSON.stringify(notices.map(([kind, line, ...more]) => [kind, line, more.length]));
    if (key === this.#notices) return;
    this.#notices = key;
    this.notices.replaceChildren(...notices.map(([kind, line, ...more]) => element('p', { class: kind }, line, ...more)));
  }

  #describe(
    { settings, message }: PageState,
    { drawn, inputs, findings, tokens, cost, agreed }: Said,
    design: PreviewDesign,
    notices: (readonly [kind: string, line: string, ...more: readonly Node[]])[],
  ): void {
    const trained = settings.model === 'trained';
    const { queryHeads, keyValueHeads, headDim, valueDim, layers, slidingWindow, positions, latent, scaling, buckets, softcap } = design;
    const fact = (field: RevealField | undefined, line: string): Node => {
      if (trained || field === undefined || message === undefined || message.source === '')
        return element('span', { class: 'fact plain' }, line);
      const link = element('button', { class: 'fact', type: 'button', title: t('Show where it is set') }, line);
      link.addEventListener('click', () => this.#events.reveal(message.source, field));
      return link;
    };
    const scaled = scalingText(design);
    this.facts.replaceChildren(
      fact('queryHeads', plural(queryHeads, t('1 query head'), t('{n} query heads'))),
      ...(latent === undefined
        ? [fact('keyValueHeads', plural(keyValueHeads, t('1 KV head'), t('{n} KV heads')))]
        : [
            fact(undefined, t('KV latent {n}', { n: latent.keyValueRank })),
            ...(latent.queryRank === undefined ? [] : [fact(undefined, t('query latent {n}', { n: latent.queryRank }))]),
          ]),
      latent === undefined
        ? fact('headDim', t('head dim {n}', { n: headDim }))
        : fact('headDim', t('head dim {plain} + {rope} rotated', { plain: latent.plainDim, rope: latent.rotaryDim })),
      ...(valueDim === headDim ? [] : [fact('valueDim', t('value dim {n}', { n: valueDim }))]),
      ...(slidingWindow === undefined ? [] : [fact('slidingWindow', t('window {n}', { n: slidingWindow }))]),
      ...(latent !== undefined
        ? [fact('positions', t('{kind} positions', { kind: 'rope' }))]
        : positions === undefined
          ? []
          : [fact('positions', t('{kind} positions', { kind: positions }))]),
      ...(scaled === '' ? [] : [fact(undefined, scaled)]),
      ...(isBucketed(design) ? [fact(undefined, t('{n} buckets', { n: buckets ?? 0 }))] : []),
      ...(softcap === undefined ? [] : [fact(undefined, t('scores capped at {n}', { n: softcap }))]),
      ...(layers === undefined ? [] : [fact('layers', plural(layers, t('1 layer'), t('{n} layers')))]),
    );
    const changed = changedText(trained ? { ...settings, overrides: {}, scaling: 'design' } : settings);
    if (changed !== '') this.facts.append(element('span', { class: 'fact plain by-hand' }, changed));
    const problem = designProblem(design);
    this.shared.textContent = problem === undefined ? sharing(design) : '';
    if (problem !== undefined)
      notices.push(['problem', drawn ? `${problem} ${t('The picture is of the last design that could be computed.')}` : problem]);
    if (message?.kind === 'design' && !trained) for (const warning of message.warnings) notices.push(['warning', warning]);
    for (const finding of findings) if (finding !== problem) notices.push(['warning', finding]);
    if (!trained && scaling !== undefined && isOddlyScaled(design))
      notices.push(['warning', t('Rotary scaling “{name}” is not computed here: positions rotate as without it.', { name: scaling.name })]);
    if (settings.source === 'file' && inputs.fileName !== '' && !trained)
      notices.push(['note', t('Tokens are the rows of {file}.', { file: inputs.fileName })]);
    if (settings.model === 'checkpoint' && inputs.checkpoint !== '')
      notices.push([
        'note',
        settings.layers === 1
          ? t('Projections of layer {layer} in {file}.', { layer: settings.layer, file: inputs.checkpoint })
          : t('Projections of {n} layers from layer {layer} on in {file}.', {
              n: settings.layers,
              layer: settings.layer,
              file: inputs.checkpoint,
            }),
        ...(settings.before ? [element('span', {}, ` ${streamText(settings, inputs)}`)] : []),
      ]);
    const waits = inputs.missing(settings);
    if (waits !== undefined) notices.push(['warning', waits]);
    else if (settings.source === 'text' && settings.tokenizer === 'workspace' && !trained && inputs.tokenizer !== undefined)
      notices.push(['note', t('Tokens by {file}.', { file: inputs.tokenizer })]);
    if (problem !== undefined || cost === undefined) return;
    const facts = { tokens, memory: bytesText(cost.bytes), time: timeText(cost.milliseconds) };
    const begin = button('begin', cost.pooled ? t('Compute pooled maps') : t('Compute'), () => this.#events.begin(cost));
    notices.push([
      'warning',
      cost.pooled
        ? agreed
          ? t(
              'All weights of {tokens} tokens would take {memory}: the maps show tiles of them. Zoom into a head to see its exact weights.',
              facts,
            )
          : t('All weights of {tokens} tokens would take {memory}. Pooled maps need a few MiB and take about {time}.', facts)
        : t('This takes about {time} and {memory}.', facts),
      ...(agreed ? [] : [begin]),
    ]);
  }
}

/** What the first layer shown reads. */
function streamText({ layer, source }: SampleSettings, { without, embedded }: Inputs): string {
  if (without !== '') return t('The tokens go into them as they are, without what stands before: {reason}', { reason: without });
  const random = embedded ? t('the embeddings of the text') : t('random embeddings');
  const embeddings = source === 'file' ? t('the rows of the file') : random;
  return layer === 0
    ? t('They read {embeddings} after the norm that the model has there.', { embeddings })
    : t('Layers 0 to {last} ran before, on {embeddings}: the stream is theirs.', { last: layer - 1, embeddings });
}
