/** The rules about causal masks share one reading of them. */
import type { CodeReading } from '../../../interpreter/study.ts';
import type { Range } from '../../../text/range.ts';
import { boundaryError } from '../../code/hiding.ts';
import { type MaskUse, maskUsesOf } from '../../code/maskUses.ts';
import { rangeIn } from '../../code/places.ts';
import { readDim } from '../../code/sizes.ts';

export interface CausalVerdict {
  readonly kind: 'inverted' | 'diagonal' | 'ahead' | 'behind' | 'cached' | 'nothing';
  readonly use: MaskUse;
  readonly off: number;
  readonly used: Range | undefined;
  readonly made: Range | undefined;
  readonly region: MaskUse['hidings'][number]['region'];
}

const verdicts = new WeakMap<CodeReading, readonly CausalVerdict[]>();

export function causalVerdicts(code: CodeReading): readonly CausalVerdict[] {
  const known = verdicts.get(code);
  if (known !== undefined) return known;
  const all = maskUsesOf(code).flatMap((use) => use.hidings.flatMap((hiding) => verdictOf(code, use, hiding) ?? []));
  verdicts.set(code, all);
  return all;
}

function verdictOf(
  code: CodeReading,
  use: MaskUse,
  { region, hidesSeen, hidesUnseen }: MaskUse['hidings'][number],
): CausalVerdict | undefined {
  if (region.kind !== 'causal') return undefined;
  const base = { use, region, used: rangeIn(code, use.node.site), made: rangeIn(code, region.made.site), off: 0 };
  if ((hidesSeen === true && hidesUnseen !== true) || (hidesSeen === undefined && hidesUnseen === false))
    return { ...base, kind: 'inverted' };
  if (hidesUnseen !== true || hidesSeen === true) return undefined;
  const off = boundaryError(region, (dim) => readDim(code, dim));
  if (off === 'cached') return { ...base, kind: 'cached' };
  if (off === undefined || off === 0) return undefined;
  return { ...base, off, kind: off === -1 ? 'diagonal' : off > 0 ? 'ahead' : 'behind' };
}
