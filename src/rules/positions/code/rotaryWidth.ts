import { add, type Dim } from '../../../dims/dim.ts';
import { formatDim } from '../../../dims/format.ts';
import { symbolsOf } from '../../../dims/visit.ts';
import { dimOf, numberOf } from '../../../interpreter/make.ts';
import { conceptOf } from '../../../interpreter/samples.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { TensorValue } from '../../../interpreter/value.ts';
import { rangeIn } from '../../code/places.ts';
import { siteOfWidth, type Turning, trigonometryOf, turningsOf, widthOfPlaces } from '../../code/rotary.ts';
import { unsure } from '../../code/scaling.ts';
import { compareSizes, readDim, samplesOf } from '../../code/sizes.ts';
import { asTensor, dimFromEnd } from '../../code/tensors.ts';
import { defineRule } from '../../rule.ts';
import { rotaryExample } from './examples.ts';

export const rotaryWidth = defineRule({
  code: 'HW423',
  name: 'rotary-embedding-of-another-width',
  category: 'positions',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'The frequencies of a rotary embedding are made for another width than that of what they turn, or for an odd one.',
    why: 'Rotary embeddings turn pairs of the head dims: `arange(0, width, 2)` is over the head dim, or over the part of it that is turned. Made over the model width the tables do not fit the heads; where they are cut to fit, the frequencies are the wrong ones. An odd width leaves a dim without a partner.',
    bad: [
      rotaryExample({ width: 'd_model' }),
      rotaryExample({ width: 'self.head_dim // 2' }),
      rotaryExample({ width: 'self.head_dim - 1' }),
    ],
    good: [rotaryExample(), rotaryExample({ width: 'd_model // n_heads' })],
    references: ['https://arxiv.org/abs/2104.09864'],
  },
  messages: {
    width: 'The rotary embedding is made for {width} dims, and is applied to {applied}.',
    odd: 'The rotary embedding is made for {width} dims, which is odd: dims are turned in pairs.',
  },
  checkCode({ code, report }) {
    const seen = new Set<string>();
    for (const turning of turningsOf(code)) {
      const found = wrongWidth(code, turning);
      if (found === undefined || turning.places === undefined) continue;
      const applied = rangeIn(code, turning.node.site);
      const at = rangeIn(code, siteOfWidth(code, turning.places)) ?? applied;
      if (at === undefined || seen.has(`${at.start} ${found.message}`)) continue;
      seen.add(`${at.start} ${found.message}`);
      report({
        at,
        message: found.message,
        data: { width: formatDim(found.width), applied: formatDim(found.applied) },
        related: [{ range: applied, message: 'It is applied here.' }],
      });
    }
  },
});

function wrongWidth(
  code: CodeReading,
  { turned, table, places, isComplex }: Turning,
): { readonly message: 'width' | 'odd'; readonly width: Dim; readonly applied: Dim } | undefined {
  if (places === undefined) return undefined;
  const given = widthOfPlaces(places);
  const asked = given.width === undefined ? undefined : dimOf(given.width);
  const count = given.count === undefined ? undefined : readDim(code, given.count);
  const last = dimFromEnd(turned, -1);
  if (asked === undefined || count === undefined || count.unknown) return undefined;
  const width = readDim(code, asked);
  const step = places.arguments.get('step');
  if (step !== undefined && numberOf(step) === 2 && isOdd(code, width)) return { message: 'odd', width, applied: last ?? width };
  if (last === undefined || readDim(code, last).unknown) return undefined;
  const applied = readDim(code, last);
  // `x[..., :width]` of a head that may be narrower.
  if ([width, applied].some(unsure)) return undefined;
  const differs = (a: Dim, b: Dim): boolean => ['different', 'differentInSamples'].includes(compareSizes(code, a, b));
  // Tables that are put together of several, one per axis of an image, are as wide as they are; others as their cosines.
  const made = trigonometryOf(table);
  const isJoined = madeByJoining(table, made);
  const own = dimFromEnd(isJoined || made === undefined ? table : made, -1);
  const tableWidth = own === undefined ? undefined : readDim(code, own);
  if (tableWidth === undefined || unsure(tableWidth) || tableWidth.constant === 1) return undefined;
  // Widths of the axes that a default lists fit the head of the default alone.
  if (isJoined && tableWidth.constant !== undefined && applied.constant === undefined) return undefined;
  const isAlike = !differs(tableWidth, applied);
  const isMeant = !differs(width, applied) || !differs(width, add(applied, applied));
  return isAlike || isMeant ? undefined : { message: 'width', width, applied: isComplex ? add(applied, applied) : applied };
}

function madeByJoining(table: TensorValue, made: TensorValue | undefined): boolean {
  let at: TensorValue | undefined = table;
  for (let i = 0; i < 24 && at !== undefined && at !== made; i++) {
    if (['cat', 'stack', 'repeat', 'repeat_interleave', 'flatten', 'getitem', 'setitem', 'tile'].includes(at.op) && !isSlice(at))
      return true;
    at = at.op === 'buffer' ? (asTensor(at.arguments.get('data')) ?? at.inputs[0]) : at.inputs[0];
  }
  return false;
}

/** Rows are taken, and all of each. */
function isSlice({ op, arguments: given }: TensorValue): boolean {
  const index = given.get('index');
  const items = index?.kind === 'tuple' ? index.items : index === undefined ? [] : [index];
  return op === 'getitem' && items.every(({ kind }) => kind === 'slice' || kind === 'none' || kind === 'tensor' || kind === 'unknown');
}

/** Odd for sure: as a number, under the defaults, or for every usual width and count of heads. */
function isOdd(code: CodeReading, width: Dim): boolean {
  if (width.constant !== undefined) return width.constant % 2 === 1;
  const concepts = symbolsOf(width).map(({ name }) => conceptOf(name) ?? '');
  const isUsual = concepts.every((concept) => ['hiddenSize', 'queryHeads', 'keyValueHeads', 'headDim'].includes(concept));
  const groups = samplesOf(code, width).slice(0, isUsual ? 2 : 1);
  return groups.some((group) => group.length > 0 && group.every((size) => size !== undefined && size % 2 === 1));
}
