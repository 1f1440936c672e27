import { gpus } from '../calculator/gpus.ts';
import { presetNames } from '../calculator/presets.ts';
import {
  type DegreeName,
  degreeNames,
  dtypeOf,
  optimizers,
  type QuantityName,
  quantities,
  recomputations,
} from '../calculator/vocabulary.ts';
import type { ReportControl } from '../protocol/calculator.ts';
import type { Range } from '../text/range.ts';
import { english, type Translate } from './messages.ts';

interface Said {
  readonly name: string;
  /** Absent for a word that stands alone. */
  readonly value?: string;
  readonly range: Range;
}

/** Names of designs and GPUs, which may hold dashes: words that stand alone, as `parseQuery` takes them. */
const dashed = /(?<![^\s,;])[a-z][\w.]*(?:-[\w.]+)*(?![^\s,;])/gi;

/** A name with its value, which may be a sum or a product with blanks in it, or a word alone. */
const parts = /([a-z_][\w.]*)(?:\s*[=:]\s*([^\s,;=:]+(?:\s*[-+*/]\s*[^\s,;=:]+)*))?/gi;

const gpuNames = new Set(gpus.map(({ name }) => name));
const designs = new Set(presetNames);

/** The assignments and words of a query. Linear in its length. */
function saidIn(query: string): readonly Said[] {
  const names: Said[] = [];
  const rest = query.replace(dashed, (text, index: number) => {
    const name = text.toLowerCase();
    if (!gpuNames.has(name) && !designs.has(name)) return text;
    names.push({ name, range: { start: index, end: index + text.length } });
    return ' '.repeat(text.length);
  });
  const others = [...rest.matchAll(parts)].map(({ 0: text, 1: name = '', 2: value, index }) => ({
    name: name.toLowerCase(),
    ...(value === undefined ? {} : { value }),
    range: { start: index, end: index + text.length },
  }));
  return [...names, ...others];
}

const dtypeOptions = ['bf16', 'fp16', 'fp32', 'fp8', 'int8', 'int4'].map((name) => [name, name] as const);
const optimizerLabels: Readonly<Record<(typeof optimizers)[number], string>> = {
  adamw: 'AdamW',
  adam: 'Adam',
  adam8bit: '8-bit Adam',
  adafactor: 'Adafactor',
  lion: 'Lion',
  momentum: 'SGD, momentum',
  sgd: 'SGD',
};

/** What a panel offers to set: each control says which part of the query it stands for, so that the query alone holds what was asked. */
export function reportControls(query: string, t: Translate = english): readonly ReportControl[] {
  const said = saidIn(query);
  const number = (id: string, label: string, prefix: string, names: readonly string[]) =>
    ({ id, label, kind: 'number', prefix, ...foundOf(said, names) }) as const;
  const quantity = (name: QuantityName, label: string, prefix: string) =>
    number(
      name,
      label,
      prefix,
      quantities[name].names.map((each) => each.toLowerCase()),
    );
  const degree = (name: DegreeName, label: string, prefix: string) =>
    number(
      name,
      label,
      prefix,
      Object.keys(degreeNames).filter((each) => degreeNames[each] === name),
    );
  const choice = (id: string, label: string, prefix: string, names: readonly string[], options: ReportControl['options']) => {
    const found = foundOf(said, names);
    return { id, label, kind: 'choice', prefix, options, ...found, value: found.value.toLowerCase() } as const;
  };
  /** One of some words, alone or behind one of these names. */
  const word = (id: string, label: string, prefix: string, names: readonly string[], options: NonNullable<ReportControl['options']>) => {
    const alone = said.find(({ name, value }) => value === undefined && options.some(([option]) => option === name));
    const { value, range } = alone === undefined ? foundOf(said, names) : { value: alone.name, range: alone.range };
    return { id, label, kind: 'choice', prefix, options, value: value.toLowerCase(), range } as const;
  };
  const flag = said.find(({ name, value }) => name === 'sp' && value === undefined);
  const grouped = (group: string, controls: readonly Omit<ReportControl, 'group'>[]) => controls.map((control) => ({ ...control, group }));
  return [
    ...grouped('', [
      word(
        'preset',
        t('published design'),
        '',
        [],
        presetNames.map((name) => [name, name]),
      ),
    ]),
    ...grouped(t('Sizes'), [quantity('sequenceLength', t('tokens'), 'T='), quantity('batch', t('sequences'), 'B='), dtypeControl(said, t)]),
    ...grouped(t('Devices'), [
      degree('tensor', t('tensor'), 'tp='),
      { id: 'sequence', label: t('sequence too'), kind: 'flag', prefix: 'sp', value: flag?.name ?? '', range: flag?.range },
      degree('context', t('context'), 'cp='),
      degree('pipeline', t('pipeline'), 'pp='),
      degree('expert', t('expert'), 'ep='),
      degree('data', t('data'), 'dp='),
      choice(
        'zero',
        t('ZeRO'),
        'zero=',
        ['zero'],
        [
          ['1', '1'],
          ['2', '2'],
          ['3', t('3 (FSDP)')],
        ],
      ),
      word(
        'gpu',
        t('GPU'),
        '',
        ['gpu'],
        gpus.map(({ name, label }) => [name, label]),
      ),
    ]),
    ...grouped(t('Training'), [
      word(
        'optimizer',
        t('optimizer'),
        'opt=',
        ['opt', 'optimizer'],
        optimizers.map((name) => [name, optimizerLabels[name]]),
      ),
      choice(
        'recomputation',
        t('recompute'),
        'recompute=',
        ['recompute', 'recomputation'],
        recomputations.map((name) => [name, name === 'none' ? t('nothing') : name === 'selective' ? t('attention') : t('all')]),
      ),
    ]),
  ];
}

/** What the query says under one of these names. */
function foundOf(said: readonly Said[], names: readonly string[]): Pick<ReportControl, 'value' | 'range'> {
  const found = said.find(({ name, value }) => value !== undefined && names.includes(name));
  return { value: found?.value ?? '', range: found?.range };
}

/** The type stands as a word alone, or as `dtype=bf16`. */
function dtypeControl(said: readonly Said[], t: Translate): Omit<ReportControl, 'group'> {
  const found = said.find(({ name, value }) => (value === undefined ? dtypeOf(name) !== undefined : name === 'dtype' || name === 'type'));
  const meant = found === undefined ? undefined : dtypeOf(found.value ?? found.name);
  const option = dtypeOptions.find(([name]) => meant !== undefined && dtypeOf(name)?.name === meant.name);
  const value = option?.[0] ?? (meant === undefined ? '' : (found?.value ?? found?.name ?? ''));
  return { id: 'dtype', label: t('type'), kind: 'choice', prefix: '', value, options: dtypeOptions, range: found?.range };
}
