/** Flags of a file that choose how sublayers are put together, and what they are taken to be in turn. */
import type { PythonModule, UnitBody } from '../syntax/python/ast.ts';
import { bool } from './make.ts';
import type { Value } from './value.ts';

/** What flags are taken to be that say where norms stand, and whether sublayers read the same stream. */
export interface Wiring {
  readonly normsFirst?: boolean;
  readonly isParallel?: boolean;
  /** Every switch is what the config says. */
  readonly isConfigured?: boolean;
}

/** Settings that choose between norms before the sublayers and norms behind them. */
const placementFlag =
  /^(?:\w+_)?(?:norm_first|normali[sz]e_before|pre_?norm|prenorm|pre_ln|pre_layer_?norm|layer_?norm_first|layer_norm_before)$/i;

/** Settings that choose between sublayers beside one another and sublayers behind one another. */
const parallelFlag = /^(?:use_)?parallel_(?:residual|attn|attention|block|layers?)(?:_connections?)?$/i;

const mentionsParallel = /\b(?:use_)?parallel_(?:residual|attn|attention|block|layers?)(?:_connections?)?\b/;

/** Of sublayers beside one another: whether both read one norm. */
const sharingFlag = /^shared?_(?:\w+_)?(?:norm|ln|layer_?norm)$/i;

const mentionsPlacement = /\b\w*(?:norm_first|normali[sz]e_before|pre_?norm|pre_ln|pre_layer_?norm|layer_?norm_first|layer_norm_before)\b/;

interface Mentions {
  readonly placement: boolean;
  readonly parallel: boolean;
}

const flagMentions = new WeakMap<UnitBody, Mentions>();

/** Which flags that wire sublayers a statement mentions. Looked for once in each. */
function mentionsIn(body: UnitBody, start: number, text: string): Mentions {
  let known = flagMentions.get(body);
  if (known === undefined) {
    const written = text.slice(start, start + body.statement.end);
    known = { placement: mentionsPlacement.test(written), parallel: mentionsParallel.test(written) };
    flagMentions.set(body, known);
  }
  return known;
}

/** What the flags are set to in turn, where a file has such flags. */
export function wiringsOf({ text, units }: PythonModule): readonly Wiring[] {
  const mentioned = units.map(({ start, body }) => mentionsIn(body, start, text));
  const [placement, parallel] = [mentioned.some((each) => each.placement), mentioned.some((each) => each.parallel)];
  if (!parallel) return placement ? [{ normsFirst: true }, { normsFirst: false }] : [];
  if (!placement) return [{ isParallel: false }, { isParallel: true }];
  return [{ normsFirst: true, isParallel: false }, { normsFirst: false, isParallel: false }, { isParallel: true }];
}

export const isWiringFlag = (name: string): boolean => placementFlag.test(name) || parallelFlag.test(name) || sharingFlag.test(name);

export function flagValue(name: string, { normsFirst, isParallel }: Wiring): Value | undefined {
  if (normsFirst !== undefined && placementFlag.test(name)) return bool(normsFirst);
  if (isParallel === undefined) return undefined;
  return parallelFlag.test(name) ? bool(isParallel) : sharingFlag.test(name) ? bool(false) : undefined;
}
