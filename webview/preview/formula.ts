import type { PreviewDesign } from '../protocol.ts';
import { element } from './dom.ts';
import { isBucketed, isOddlyScaled, scoreScale } from './projections.ts';
import { freshSettings, type SampleSettings } from './settings.ts';
import type { Stage } from './state.ts';
import { t } from './text.ts';
import { weightText } from './words.ts';

/** A number in subscript digits. */
export const subscript = (value: number): string => String(value).replace(/\d/g, (digit) => '₀₁₂₃₄₅₆₇₈₉'[Number(digit)] ?? digit);

/** The function of the papers as this design has it, in one line; each part is a way into the step view. */
export function formulaOf(
  design: PreviewDesign | undefined,
  settings: SampleSettings,
  chosen: Stage | undefined,
  choose: (stage: Stage) => void,
): readonly (Node | string)[] {
  const part = (stage: Stage, text: string | readonly (Node | string)[], name: string): Node => {
    const made = element(
      'button',
      { class: 'part', type: 'button', 'data-part': stage, title: name },
      ...(typeof text === 'string' ? [text] : text),
    );
    made.setAttribute('aria-pressed', String(chosen === stage));
    made.addEventListener('click', () => choose(stage));
    return made;
  };
  const gap = (): Node => element('span', { class: 'gap' }, ' ');
  const last = subscript((design?.queryHeads ?? 1) - 1);
  const rotated = design?.latent !== undefined || design?.positions === 'rope';
  const set = design !== undefined && (settings.scale !== 0 || design.scale !== undefined);
  const scale = set ? ` × ${weightText(scoreScale(design, settings))}` : ` / √${design?.headDim ?? 'd'}`;
  const heat = settings.temperature === freshSettings.temperature ? '' : ` / ${settings.temperature}`;
  const capped = design?.softcap;
  const bias =
    design === undefined || rotated ? '' : design.positions === 'alibi' ? ' − mₕ·|i − j|' : isBucketed(design) ? ' + b(j − i)' : '';
  const latent = design?.latent;
  const scaling = rotated ? scalingText(design) : '';
  return [
    'MultiHead(',
    part('input', 'x', t('The token')),
    ') = ',
    part('concat', last === '₀' ? 'o₀' : `Concat(o₀ … o${last})`, t('Concatenation')),
    '·',
    part('output', ['W', element('sub', {}, 'O')], t('Output projection')),
    gap(),
    'oₕ = ',
    part('softmax', 'softmax', t('Softmax')),
    '(',
    ...(capped === undefined ? [] : [`${capped}·tanh(`]),
    part('query', rotated ? 'Rᵢq' : 'q', t('Its query')),
    part('score', `·${rotated ? 'Rⱼk' : 'k'}${scale}${heat}`, t('Each key’s score')),
    ...(capped === undefined ? [] : [` / ${capped})`]),
    part('mask', `${bias} + M`.replace(' ', '\u00a0'), bias === '' ? t('Mask') : t('Bias of positions, and mask')),
    ')',
    part('value', '·v', t('Weighted values')),
    ...(latent === undefined
      ? []
      : [
          gap(),
          '[k; v] = ',
          element('span', { class: 'term' }, 'W', element('sup', {}, 'UKV'), '·norm(W', element('sup', {}, 'DKV'), '·x)'),
          ` ${t('over {n} numbers', { n: latent.keyValueRank })}`,
        ]),
    ...(scaling === '' ? [] : [gap(), `R: ${scaling}`]),
  ];
}

const scalingNames = { linear: 'linear', ntk: 'NTK', yarn: 'YaRN', llama3: 'Llama 3', longrope: 'LongRoPE' };

/** How rotary positions are scaled, in a few words; '' where they are not. */
export function scalingText(design: PreviewDesign | undefined): string {
  const { scaling } = design ?? {};
  if (design === undefined || scaling === undefined || scaling.kind === 'other' || isOddlyScaled(design)) return '';
  const { kind, factor, trainedLength } = scaling;
  const name = `${scalingNames[kind]} × ${Number(factor.toPrecision(4))}`;
  return trainedLength === undefined ? name : t('{name} from {n} tokens', { name, n: trainedLength.toLocaleString('en') });
}
