import type { Field, NormPlacement, TransformerDesign } from '../design/design.ts';
import { Section } from '../design/section.ts';
import type { CodeReading, Study } from '../interpreter/study.ts';
import type { BlockPlacement } from '../rules/code/blocks.ts';
import type { UnitBody } from '../syntax/python/ast.ts';
import type { Range } from '../text/range.ts';
import { overlaps } from '../text/range.ts';
import type { Analysis } from '../workspace/analyse.ts';
import { type BlockFact, factsOf, placed, type VariableFact } from '../workspace/code/facts.ts';
import { givenOf } from '../workspace/code/given.ts';
import type { Action } from './codeActions.ts';
import type { Lens } from './codeLens.ts';
import type { HoverText } from './hover.ts';
import type { Hint } from './inlayHints.ts';
import { english, type Translate } from './messages.ts';
import { normPlacementRefactorings } from './refactor/normPlacement.ts';

interface Placed extends VariableFact {
  readonly range: Range;
}

/** What is known, and what was last known of what is still to be followed again. */
const shownOf = ({ studies, stale }: CodeReading): readonly Study[] => (stale === undefined ? studies : [...studies, ...stale]);

/** The tensors of model code with the places of their names, each place once: what several uses agree on. */
function variablesIn(analysis: Analysis): readonly Placed[] {
  const { code } = analysis;
  if (code === undefined) return [];
  const starts = startsOf(analysis);
  const found = new Map<number, Placed | undefined>();
  for (const study of shownOf(code)) {
    for (const fact of factsOf(code, study).variables) {
      const range = placed(starts, fact);
      if (range === undefined) continue;
      const known = found.get(range.start);
      if (known === undefined) {
        if (!found.has(range.start)) found.set(range.start, { ...fact, range });
      } else if (known.shape !== fact.shape) {
        // A use of which more is known says more, unless it says something else.
        const better = moreKnown(known, fact);
        found.set(range.start, better === undefined ? undefined : { ...better, range });
      }
    }
  }
  return [...found.values()].filter((each) => each !== undefined);
}

/** The one of two facts that says all the other does, and more; undefined when they contradict each other. */
function moreKnown(a: VariableFact, b: VariableFact): VariableFact | undefined {
  const [x, y] = [a.shape.slice(1, -1).split(', '), b.shape.slice(1, -1).split(', ')];
  if (!a.says) return b;
  if (!b.says) return a;
  if (x.includes('...') || y.includes('...')) return x.includes('...') ? b : a;
  if (x.length !== y.length) return undefined;
  if (x.every((part, i) => part === '?' || part === y[i])) return b;
  return y.every((part, i) => part === '?' || part === x[i]) ? a : undefined;
}

const startsOf = ({ code }: Analysis): ReadonlyMap<UnitBody, number> =>
  new Map(code?.file.module.units.map(({ start, body }) => [body, start] as const) ?? []);

/** The shape after each assigned tensor: `q: (B, 12, T, 64)`. */
export function codeHints(analysis: Analysis, within?: Range, t: Translate = english): Hint[] {
  const hints: Hint[] = [];
  for (const { range, shape, symbolic, isArgument, says } of variablesIn(analysis)) {
    if (isArgument || !says || (within !== undefined && !overlaps(within, range))) continue;
    const tooltip =
      symbolic === shape ? t('Shape of this tensor, as the code computes it.') : t('Shape of this tensor: {symbolic}', { symbolic });
    hints.push({ offset: range.end, label: `: ${shape}`, tooltip });
  }
  return hints.sort((a, b) => a.offset - b.offset);
}

/** The shape of the tensor under the cursor, and how it came about. */
export function codeHover(analysis: Analysis, offset: number, t: Translate = english): HoverText | undefined {
  const found = variablesIn(analysis).find(({ range }) => offset >= range.start && offset <= range.end);
  if (found === undefined) return undefined;
  const { name, shape, symbolic, steps, range } = found;
  const parts = [`**${name}** \`${shape}\``];
  if (symbolic !== shape) parts.push(t('In the names of the code: `{symbolic}`', { symbolic }));
  if (steps.length > 0) parts.push(steps.map((step) => `- \`${step}\``).join('\n'));
  return { markdown: parts.join('\n\n'), range };
}

/** A class of the file that was followed, with what is known of it. */
interface PlacedBlock extends BlockFact {
  readonly offset: number;
}

/** Classes of modules that were followed, each once, in source order. */
function blocksIn(analysis: Analysis): readonly PlacedBlock[] {
  const { code } = analysis;
  if (code === undefined) return [];
  const starts = startsOf(analysis);
  const seen = new Set<UnitBody>();
  const blocks: PlacedBlock[] = [];
  for (const study of shownOf(code)) {
    for (const block of factsOf(code, study).blocks) {
      const offset = starts.get(block.body);
      if (offset === undefined || seen.has(block.body)) continue;
      seen.add(block.body);
      blocks.push({ ...block, offset });
    }
  }
  return blocks.sort((a, b) => a.offset - b.offset);
}

/**
 * A line above each class of modules that was followed, and what can be done with it. Above the first also the configuration whose
 * numbers hold, or a way to choose one.
 */
export function blockLenses(analysis: Analysis, t: Translate = english): Lens[] {
  const lenses: Lens[] = [];
  for (const { name, text, offset, sizes } of blocksIn(analysis)) {
    const design = `${classPrefix}${name}`;
    const isFirst = lenses.length === 0;
    lenses.push({ offset, title: text, design });
    if (sizes?.queryHeads !== undefined && sizes.headDim !== undefined)
      lenses.push({ offset, title: t('Preview attention'), command: 'headwise.previewAttention', design });
    if (sizes?.queryHeads !== undefined || sizes?.hiddenSize !== undefined)
      lenses.push({ offset, title: t('Calculate shapes'), command: 'headwise.calculateShapes', design });
    if (isFirst) {
      const file = configOf(analysis);
      const title = file === undefined ? t('Choose a config') : t('numbers of {file}', { file });
      lenses.push({ offset, title, command: 'headwise.chooseConfig', design: '' });
    }
  }
  return lenses;
}

/** The name of the configuration that gives numbers to the code; undefined where none does. */
function configOf({ code }: Analysis): string | undefined {
  const given = code === undefined ? undefined : givenOf(code);
  const file = [...(given?.used().values() ?? [])].find((number) => number.file !== undefined)?.file;
  return file === undefined ? undefined : decodeURIComponent(file.uri.slice(file.uri.lastIndexOf('/') + 1));
}

/** What the designs of classes are called by, so that they are not taken for keys of a configuration. */
const classPrefix = 'class ';

const placements: Readonly<Partial<Record<BlockPlacement, NormPlacement>>> = {
  'pre-norm': 'pre',
  'post-norm': 'post',
  sandwich: 'sandwich',
  'output-norm': 'output',
  parallel: 'parallel',
};

/** The blocks of attention in the file as designs of one layer, for the preview and the calculator. */
export function blockDesigns(analysis: Analysis): TransformerDesign[] {
  return blocksIn(analysis).flatMap(({ name, sizes }): TransformerDesign[] => {
    if (sizes === undefined || (sizes.queryHeads === undefined && sizes.hiddenSize === undefined)) return [];
    const { hiddenSize, queryHeads, keyValueHeads, headDim, causal, placement } = sizes;
    const field = <Value>(value: Value | undefined): Field<Value> | undefined =>
      value === undefined ? undefined : { value, source: 'derived', formula: name };
    const fields = {
      hiddenSize: field(hiddenSize),
      queryHeads: field(queryHeads),
      keyValueHeads: field(keyValueHeads),
      headDim: field(headDim),
      causal: field(causal),
      normPlacement: field(placement === undefined ? undefined : placements[placement]),
    };
    return [
      {
        name: `${classPrefix}${name}`,
        role: causal === true ? 'decoder' : 'other',
        family: undefined,
        fields: Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)),
        section: new Section({ kind: 'mapping', range: { start: 0, end: 0 }, entries: [] }, name),
        knowledge: undefined,
        custom: true,
        headDimIsQuotient: false,
      },
    ];
  });
}

/** The name of the design of the class around an offset, as `blockDesigns` gives it. */
export function blockAt(analysis: Analysis, offset: number): string | undefined {
  const units = analysis.code?.file.module.units ?? [];
  const unit = units.findLast(({ start }) => start <= offset);
  const block = unit === undefined ? undefined : blocksIn(analysis).find(({ body }) => body === unit.body);
  return block === undefined ? undefined : blockDesigns(analysis).find(({ name }) => name === `${classPrefix}${block.name}`)?.name;
}

/** The larger changes that are offered for the class around the offset. */
export const refactorings = ({ code }: Analysis, offset: number, t: Translate = english): Action[] =>
  code === undefined
    ? []
    : normPlacementRefactorings(code.file.module, offset).map(({ title, kind, edits }) => ({
        title: t(title),
        kind,
        findings: [],
        edits,
        preferred: false,
      }));
