/** Which of queries, keys and values are turned by rotary embeddings: two rules share one reading. */
import type { CodeReading } from '../../../interpreter/study.ts';
import type { Site, TensorValue } from '../../../interpreter/value.ts';
import { type Attention, attentionsOf } from '../../code/attention.ts';
import { byPlace, variablesOf } from '../../code/places.ts';
import { isSameSource, roleOfSource } from '../../code/roles.ts';
import { trigonometryOf } from '../../code/rotary.ts';
import { isProjection } from '../../code/scaling.ts';
import type { Source } from '../../code/sources.ts';
import { asTensor } from '../../code/tensors.ts';

export interface RotaryVerdict {
  readonly kind: 'values' | 'valuesForKeys' | 'keysOnly' | 'queriesOnly';
  readonly site: Site | undefined;
  readonly node: TensorValue;
}

const known = new WeakMap<CodeReading, readonly RotaryVerdict[]>();

export function rotaryVerdicts(code: CodeReading): readonly RotaryVerdict[] {
  const before = known.get(code);
  if (before !== undefined) return before;
  const found: RotaryVerdict[] = [];
  for (const group of byPlace(attentionsOf(code), ({ node }) => node)) {
    const each = group.map((attention) => verdictOf(code, attention));
    const [first] = each;
    if (first !== undefined && each.every((other) => other?.kind === first.kind)) found.push(first);
  }
  known.set(code, found);
  return found;
}

function verdictOf(code: CodeReading, attention: Attention): RotaryVerdict | undefined {
  const value = attention.kind === 'softmax' ? attention.sums[0]?.value : attention.value;
  const [q, k, v] = [attention.query.source, attention.key.source, value?.source];
  const { node } = attention;
  const isSure = (source: Source | undefined): source is Source => source !== undefined && !source.isUncertain && isProjection(source.node);
  if (!isSure(q) || !isSure(k)) return undefined;
  if (isSure(v) && v.isRotated && q.isRotated) return { kind: k.isRotated ? 'values' : 'valuesForKeys', site: siteOf(code, v), node };
  if (q.isRotated === k.isRotated || v?.isRotated === true) return undefined;
  if (mayBeTurned(q.isRotated ? k : q)) return undefined;
  // What is wrong is that values stand in the place of the keys.
  if (q.isRotated && v !== undefined && isSameSource(v, k) && roleOfSource(code, k) === 'value') return undefined;
  // Keys of something else than the queries' input have no positions in common with them.
  if (inputOf(q) !== inputOf(k)) return undefined;
  return q.isRotated ? { kind: 'queriesOnly', site: siteOf(code, q), node } : { kind: 'keysOnly', site: siteOf(code, k), node };
}

/** It met a table of angles, or something that is not known, in a way that is not followed. */
const mayBeTurned = ({ passed }: Source): boolean =>
  passed.some(({ op, arguments: given }) => {
    if (op !== 'mul' && op !== 'add' && op !== 'sub') return false;
    const operands = [given.get('input'), given.get('other')];
    return operands.some((each) => each?.kind === 'unknown' || (op === 'mul' && trigonometryOf(asTensor(each)) !== undefined));
  });

const inputOf = ({ node }: Source): number | undefined => node.inputs[0]?.id;

/** The variable that holds the turned tensor where the embedding is applied, nearest to the projection. */
function siteOf(code: CodeReading, { passed, node }: Source): Site | undefined {
  const unit = node.site?.unit;
  const turned = [...passed].reverse();
  const from = turned.findIndex(({ op }) => op === 'add' || op === 'sub' || op === 'mul' || op === 'view_as_real' || op === 'cat');
  for (const tensor of turned.slice(from < 0 ? 0 : from)) {
    const variable = variablesOf(code, tensor).find(({ isArgument, site }) => !isArgument && site.unit === unit);
    if (variable !== undefined) return variable.site;
  }
  return undefined;
}
