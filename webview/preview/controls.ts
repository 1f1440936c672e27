import type { PreviewDesign } from '../protocol.ts';
import { button, type Choice, type Control, checkbox, dropdown, numberField, textField } from '../toolkit.ts';
import { norms, palettes, scales } from './colors.ts';
import { element, labelled } from './dom.ts';
import { specialKinds } from './lens.ts';
import { freshSettings, MAX_LAYERS, MAX_LENGTH, type SampleSettings, type SizeName } from './settings.ts';
import type { Display, PageState } from './state.ts';
import { plural, t } from './text.ts';
import { statisticNames, statisticText } from './words.ts';

const lengths = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192, MAX_LENGTH];
const masses = [1, 0.99, 0.95, 0.9, 0.8, 0.5];

export interface ControlEvents {
  settings(change: Partial<SampleSettings>): void;
  display(change: Partial<Display>): void;
  pickFile(): void;
  findTokenizer(): void;
}

/** Everything that sets what is computed and how it is drawn. */
export class Controls {
  /** What is computed: its summary says what is set. Folded away where there is little room. */
  readonly sample: HTMLDetailsElement;
  /** How heads are ordered, filtered and drawn. */
  readonly picture: HTMLElement;
  readonly #sync: (state: PageState, design: PreviewDesign | undefined) => void;

  constructor(state: PageState, events: ControlEvents) {
    const { settings, display } = state;
    const syncs: ((state: PageState, design: PreviewDesign | undefined) => void)[] = [];
    const choice = <T extends string>(
      id: string,
      label: string,
      options: readonly (readonly [T, string])[],
      read: (state: PageState) => T,
      write: (value: T) => void,
    ): Choice => {
      const made = dropdown(id, label, options, read(state), (value) => write(value as T));
      syncs.push((now) => made.set(read(now)));
      return made;
    };
    const number = (
      id: string,
      label: string,
      bounds: { readonly low: number; readonly high: number; readonly whole: boolean },
      read: (state: PageState, design: PreviewDesign | undefined) => number | undefined,
      write: (value: number | undefined) => void,
    ): Control<number | undefined> => {
      const made = numberField(id, label, read(state, undefined), bounds, write);
      syncs.push((now, design) => made.set(read(now, design)));
      return made;
    };
    const visible = (target: HTMLElement, when: (state: PageState, design: PreviewDesign | undefined) => boolean): HTMLElement => {
      syncs.push((now, design) => {
        target.hidden = !when(now, design);
      });
      return target;
    };

    const model = choice<SampleSettings['model']>(
      'model',
      t('Model'),
      [
        ['design', t('this design, random weights')],
        ['checkpoint', t('this design, weights of its checkpoint')],
        ['trained', t('trained sample model')],
      ],
      (now) => now.settings.model,
      (value) => events.settings({ model: value }),
    );
    const source = choice<SampleSettings['source']>(
      'source',
      t('Sample'),
      [
        ['words', t('seeded words')],
        ['repeated', t('words said twice')],
        ['text', t('a text of your own')],
        ['positions', t('positions only')],
        ['file', t('rows of a file')],
      ],
      (now) => now.settings.source,
      (value) => {
        events.settings({ source: value });
        if (value === 'file') events.pickFile();
      },
    );
    const length = choice(
      'length',
      t('Tokens'),
      lengths.map((value) => [String(value), String(value)] as const),
      (now) => String(now.settings.length),
      (value) => events.settings({ length: Number(value) }),
    );
    const seed = number(
      'seed',
      t('Seed'),
      { low: -999_999_999, high: 999_999_999, whole: true },
      (now) => now.settings.seed,
      (value) => {
        if (value !== undefined) events.settings({ seed: value });
      },
    );
    const reseed = button('reseed', t('New'), () => {
      events.settings({ seed: (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % 100_000 });
    });
    let typing: number | undefined;
    const text = textField(
      'text',
      t('Text'),
      settings.text,
      (value) => {
        clearTimeout(typing);
        typing = window.setTimeout(() => events.settings({ text: value.slice(0, 10_000) }), 150);
      },
      { placeholder: t('type a sentence'), size: 34 },
    );
    syncs.push((now) => {
      if (!text.element.matches(':focus-within')) text.set(now.settings.text);
    });
    const tokenizer = choice<SampleSettings['tokenizer']>(
      'tokenizer',
      t('Tokens by'),
      [
        ['words', t('white space')],
        ['workspace', 'tokenizer.json'],
      ],
      (now) => now.settings.tokenizer,
      (value) => {
        events.settings({ tokenizer: value });
        if (value === 'workspace') events.findTokenizer();
      },
    );
    const isText = (now: PageState): boolean => now.settings.source === 'text';
    const isDesign = (now: PageState): boolean => now.settings.model !== 'trained';
    const isRandom = (now: PageState): boolean => now.settings.model === 'design';
    const isLatent = (_: PageState, design: PreviewDesign | undefined): boolean => design?.latent !== undefined;
    const sampleRow = element(
      'div',
      { class: 'controls', role: 'group', 'aria-label': t('Sample') },
      labelled(t('Model'), model.element),
      labelled(t('Sample'), source.element),
      visible(labelled(t('Text'), text.element), isText),
      visible(labelled(t('Tokens by'), tokenizer.element), (now) => isText(now) && isDesign(now)),
      visible(
        button('pick-file', t('Pick a file…'), () => events.pickFile()),
        (now) => now.settings.source === 'file',
      ),
      visible(labelled(t('Tokens'), length.element), (now) => !isText(now) && now.settings.source !== 'file'),
      labelled(t('Seed'), seed.element, reseed),
    );

    const override = (
      field: SizeName,
      id: string,
      label: string,
      high: number,
      read: (design: PreviewDesign) => number | undefined,
      latent?: boolean,
    ): HTMLElement =>
      visible(
        labelled(
          label,
          number(
            id,
            label,
            { low: 1, high, whole: true },
            (now, design) => now.settings.overrides[field] ?? (design === undefined ? undefined : read(design)),
            (value) => {
              const { [field]: _, ...rest } = state.settings.overrides;
              events.settings({ overrides: value === undefined ? rest : { ...rest, [field]: value } });
            },
          ).element,
        ),
        // What a checkpoint holds has its sizes.
        (now, design) => isRandom(now) && (latent === undefined || latent === isLatent(now, design)),
      );
    const extent = labelled(
      t('Tokens'),
      number(
        'extent',
        t('Tokens of the window or prefix'),
        { low: 1, high: MAX_LENGTH, whole: true },
        (now) => now.settings.extent,
        (value) => events.settings({ extent: value ?? freshSettings.extent }),
      ).element,
    );
    const before = checkbox('before', t('Run the layers before'), state.settings.before, (checked) => events.settings({ before: checked }));
    syncs.push((now) => before.set(now.settings.before));
    const design = element('details', { class: 'fold', id: 'design-controls' }, element('summary', {}, t('Sizes, mask and scores')));
    design.append(
      element(
        'div',
        { class: 'controls', role: 'group', 'aria-label': t('Sizes, mask and scores') },
        override('queryHeads', 'heads', t('Heads'), 1024, (own) => own.queryHeads),
        override('keyValueHeads', 'kv-heads', t('KV heads'), 1024, (own) => own.keyValueHeads, false),
        override('headDim', 'head-dim', t('Head dim'), 4096, (own) => own.headDim, false),
        override('valueDim', 'value-dim', t('Value dim'), 4096, (own) => own.valueDim),
        override('queryRank', 'query-rank', t('Query latent'), 8192, (own) => own.latent?.queryRank, true),
        override('keyValueRank', 'kv-rank', t('KV latent'), 8192, (own) => own.latent?.keyValueRank, true),
        override('plainDim', 'plain-dim', t('Unrotated part'), 4096, (own) => own.latent?.plainDim, true),
        override('ropeDim', 'rope-dim', t('Rotary part'), 4096, (own) => own.latent?.rotaryDim, true),
        visible(
          labelled(
            t('Layer'),
            number(
              'layer',
              t('Layer'),
              { low: 0, high: 9999, whole: true },
              (now) => now.settings.layer,
              (value) => events.settings({ layer: value ?? 0 }),
            ).element,
          ),
          (now, design) => isDesign(now) && (design?.layers ?? 1) > 1,
        ),
        visible(
          labelled(
            t('Layers shown'),
            number(
              'layers',
              t('Layers shown, from that one on'),
              { low: 1, high: MAX_LAYERS, whole: true },
              (now) => now.settings.layers,
              (value) => events.settings({ layers: value ?? 1 }),
            ).element,
          ),
          (now, design) => isDesign(now) && (design?.layers ?? 1) > 1,
        ),
        visible(before.element, (now) => now.settings.model === 'checkpoint'),
        labelled(
          t('Mask'),
          choice<SampleSettings['mask']>(
            'mask',
            t('Mask'),
            [
              ['design', t('as the design says')],
              ['causal', t('causal')],
              ['none', t('none')],
              ['window', t('sliding window')],
              ['prefix', t('prefix')],
            ],
            (now) => now.settings.mask,
            (value) => events.settings({ mask: value }),
          ).element,
        ),
        visible(extent, (now) => now.settings.mask === 'window' || now.settings.mask === 'prefix'),
        visible(
          labelled(
            t('Positions'),
            choice<SampleSettings['positions']>(
              'positions',
              t('Positions'),
              [
                ['design', t('as the design says')],
                ['rope', 'RoPE'],
                ['alibi', 'ALiBi'],
                ['relative', t('T5’s buckets')],
                ['sinusoidal', t('sinusoidal')],
                ['none', t('none')],
              ],
              (now) => now.settings.positions,
              (value) => events.settings({ positions: value }),
            ).element,
          ),
          (now, design) => !isLatent(now, design) || now.settings.model === 'trained',
        ),
        visible(
          labelled(
            t('RoPE scaling'),
            choice<SampleSettings['scaling']>(
              'scaling',
              t('RoPE scaling'),
              [
                ['design', t('as the design says')],
                ['none', t('none')],
                ['linear', t('linear')],
                ['ntk', t('dynamic NTK')],
                ['yarn', 'YaRN'],
                ['llama3', 'Llama 3'],
              ],
              (now) => now.settings.scaling,
              (value) => events.settings({ scaling: value }),
            ).element,
          ),
          (now, design) => isDesign(now) && rotates(now, design),
        ),
        visible(
          labelled(
            '×',
            number(
              'scaling-factor',
              t('How many times the trained length'),
              { low: 1, high: 10_000, whole: false },
              (now) => now.settings.scalingFactor,
              (value) => events.settings({ scalingFactor: value ?? freshSettings.scalingFactor }),
            ).element,
          ),
          (now, design) => isDesign(now) && rotates(now, design) && !['design', 'none'].includes(now.settings.scaling),
        ),
        labelled(
          t('Scale'),
          number(
            'scale-factor',
            t('Scale of the scores; empty: the design’s, 1 / √(head dim) where it has none'),
            { low: -1000, high: 1000, whole: false },
            (now) => (now.settings.scale === 0 ? undefined : now.settings.scale),
            (value) => events.settings({ scale: value ?? 0 }),
          ).element,
        ),
        labelled(
          t('Temperature'),
          number(
            'temperature',
            t('Temperature'),
            { low: 0.001, high: 1000, whole: false },
            (now) => now.settings.temperature,
            (value) => events.settings({ temperature: value ?? 1 }),
          ).element,
        ),
        labelled(
          t('Dropout'),
          number(
            'dropout',
            t('Dropout of weights, 0 is off'),
            { low: 0, high: 0.95, whole: false },
            (now) => now.settings.dropout,
            (value) => events.settings({ dropout: value ?? 0 }),
          ).element,
        ),
        button('reset', t('As the design says'), () => {
          const { overrides, mask, positions, scaling, scale, temperature, dropout, layer, layers, before } = freshSettings;
          events.settings({ overrides, mask, positions, scaling, scale, temperature, dropout, layer, layers, before });
        }),
      ),
    );

    const set = element('span', { id: 'sample-summary' });
    this.sample = element('details', { class: 'fold', id: 'sample-controls' }, element('summary', {}, set), sampleRow, design);
    this.sample.open = innerWidth >= 720;
    const modelNames = { design: t('random weights'), checkpoint: t('weights of the checkpoint'), trained: t('trained sample model') };
    const sourceNames = {
      words: t('seeded words'),
      repeated: t('words said twice'),
      text: t('a text of your own'),
      positions: t('positions only'),
      file: t('rows of a file'),
    };
    syncs.push(({ settings: now }) => {
      const parts = [modelNames[now.model], sourceNames[now.source]];
      if (now.source !== 'text' && now.source !== 'file') parts.push(plural(now.length, t('1 token'), t('{n} tokens')));
      set.textContent = `${t('Sample')}: ${[...parts, t('seed {n}', { n: String(now.seed) })].join(' · ')}`;
    });

    const statistics = statisticNames.map((name) => [name, statisticText(name).label] as const);
    const direction = element('button', { class: 'icon', type: 'button', id: 'direction' });
    direction.addEventListener('click', () => events.display({ ascending: !state.display.ascending }));
    syncs.push((now) => {
      direction.textContent = now.display.ascending ? '↑' : '↓';
      const name = now.display.ascending ? t('Smallest first') : t('Largest first');
      direction.title = name;
      direction.setAttribute('aria-label', name);
      direction.hidden = now.display.order === 'head';
    });
    const least = labelled(
      '≥',
      number(
        'least',
        t('Least value of the filter'),
        { low: 0, high: 1e9, whole: false },
        (now) => now.display.least,
        (value) => events.display({ least: value ?? 0 }),
      ).element,
    );
    const scaleNames = { sqrt: t('square root'), linear: t('linear'), log: t('logarithmic') };
    const normNames = { one: t('against 1'), row: t('against each row’s largest'), head: t('against the head’s largest') };
    const paletteNames = { theme: t('of the theme'), cividis: 'cividis', grey: t('grey') };
    const specialNames = { shown: t('shown'), hidden: t('hidden'), renormalised: t('left out, rest sums to 1') };
    const valueNorm = checkbox('value-norm', t('Times length of the value'), display.lens.valueNorm, (checked) =>
      events.display({ lens: { ...state.display.lens, valueNorm: checked } }),
    );
    syncs.push((now) => valueNorm.set(now.display.lens.valueNorm));
    const columns = checkbox('columns', t('Layers side by side'), display.columns, (checked) => events.display({ columns: checked }));
    syncs.push((now) => columns.set(now.display.columns));
    const colours = element(
      'details',
      { class: 'fold inline', id: 'picture-controls' },
      element('summary', {}, t('Colours and filters')),
      element(
        'div',
        { class: 'controls', role: 'group', 'aria-label': t('Colours and filters') },
        labelled(
          t('Scale'),
          choice(
            'scale',
            t('Colour scale'),
            scales.map((each) => [each, scaleNames[each]] as const),
            (now) => now.display.scale,
            (value) => events.display({ scale: value }),
          ).element,
        ),
        labelled(
          t('Measured'),
          choice(
            'norm',
            t('What weights are measured against'),
            norms.map((each) => [each, normNames[each]] as const),
            (now) => now.display.norm,
            (value) => events.display({ norm: value }),
          ).element,
        ),
        labelled(
          t('Colours'),
          choice(
            'palette',
            t('Colours'),
            palettes.map((each) => [each, paletteNames[each]] as const),
            (now) => now.display.palette,
            (value) => events.display({ palette: value }),
          ).element,
        ),
        labelled(
          t('First and special tokens'),
          choice(
            'special',
            t('First and special tokens'),
            specialKinds.map((each) => [each, specialNames[each]] as const),
            (now) => now.display.lens.special,
            (value) => events.display({ lens: { ...state.display.lens, special: value } }),
          ).element,
        ),
        labelled(
          t('Heaviest keys'),
          choice(
            'mass',
            t('Keys that hold this much of a row'),
            masses.map((each) => [String(each), each === 1 ? t('all') : `${Math.round(each * 100)} %`] as const),
            (now) => String(now.display.lens.mass),
            (value) => events.display({ lens: { ...state.display.lens, mass: Number(value) } }),
          ).element,
        ),
        valueNorm.element,
        labelled(
          t('Pooled tiles show'),
          choice(
            'tile',
            t('Pooled tiles show'),
            [
              ['largest', t('their largest weight')],
              ['mean', t('their mean weight')],
            ],
            (now) => now.display.tile,
            (value) => events.display({ tile: value }),
          ).element,
        ),
      ),
    );
    this.picture = element(
      'div',
      { class: 'picture' },
      element(
        'div',
        { class: 'controls', role: 'group', 'aria-label': t('Heads') },
        labelled(
          t('Order'),
          choice<Display['order']>(
            'order',
            t('Order'),
            [['head', t('by head')], ...statistics],
            (now) => now.display.order,
            (value) => events.display({ order: value }),
          ).element,
          direction,
        ),
        labelled(
          t('Show'),
          choice<Display['filter']>(
            'filter',
            t('Show heads by'),
            [['all', t('all heads')], ...statistics],
            (now) => now.display.filter,
            (value) => events.display({ filter: value }),
          ).element,
        ),
        visible(least, (now) => now.display.filter !== 'all'),
        visible(columns.element, (now) => now.display.order === 'head' && (now.settings.layers > 1 || now.settings.model === 'trained')),
        colours,
      ),
    );
    this.#sync = (now, design) => {
      for (const sync of syncs) sync(now, design);
    };
  }

  /** Shows a state that came from elsewhere. @param design as the file says, without what was set by hand */
  sync(state: PageState, design: PreviewDesign | undefined): void {
    this.#sync(state, design);
  }
}

/** Whether queries and keys are rotated. */
const rotates = ({ settings }: PageState, design: PreviewDesign | undefined): boolean =>
  design?.latent !== undefined || (settings.positions === 'design' ? design?.positions : settings.positions) === 'rope';

/** What was set by hand, in words; '' where nothing was. */
export function changedText({ overrides, mask, positions, scaling, scale, temperature, dropout }: SampleSettings): string {
  const changed =
    Object.values(overrides).filter((value) => value !== undefined).length +
    [mask !== 'design', positions !== 'design', scaling !== 'design', scale !== 0, temperature !== 1, dropout !== 0].filter(Boolean).length;
  return changed === 0 ? '' : plural(changed, t('1 thing set by hand'), t('{n} things set by hand'));
}
