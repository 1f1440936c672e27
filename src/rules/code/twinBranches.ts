/** Branches of the code that run the same sublayer, one with the norm in front of it and the stream added back, one with the norm behind. */
import { alternatives } from '../../interpreter/graph.ts';
import type { TensorValue } from '../../interpreter/value.ts';
import type { Flow, Residual } from './flow.ts';
import { type Norm, tensorsOf } from './norms.ts';

export interface LostResidual {
  /** The norm of the sublayer's output, to which the stream is not added. */
  readonly norm: Norm;
  /** The sum of the other branch. */
  readonly residual: Residual;
}

/** Where a setting chooses between norms before and behind a sublayer, and only one of the two adds the stream back. */
export function lostResiduals(flow: Flow): readonly LostResidual[] {
  const found = new Map<TensorValue, LostResidual>();
  const results = flow.study.calls.flatMap(({ result }) => tensorsOf(result));
  for (const joined of new Set([...flow.study.tensors, ...results])) {
    if (joined.op !== 'join') continue;
    const ways = alternatives(joined).map((way) => flow.withoutNorms(way));
    for (const { base, norms } of ways) {
      const residual = norms.length === 0 ? flow.residuals.get(base) : undefined;
      if (residual === undefined) continue;
      for (const other of ways) {
        const [norm] = other.norms;
        if (norm === undefined || flow.residuals.has(other.base) || !isSameSublayer(flow, residual, other.base, norm)) continue;
        found.set(norm.output, { norm, residual });
      }
    }
  }
  return [...found.values()];
}

/** The same weights and the same norm, but for where the norm stands. */
function isSameSublayer(flow: Flow, { base, branch }: Residual, made: TensorValue, { instance }: Norm): boolean {
  const [inner, own] = [flow.between(base, branch), flow.between(base, made)];
  const weights = weightsOf(inner);
  if (weights.size === 0 || instance === undefined || !flow.passesWeights(base, made)) return false;
  const isNormed = [...inner].some((each) => {
    const entry = flow.norms.get(each);
    return entry?.instance === instance && flow.base(entry.input) === base;
  });
  const others = weightsOf(own);
  return isNormed && weights.size === others.size && [...weights].every((each) => others.has(each));
}

/** The weights of linear layers. */
const weightsOf = (path: ReadonlySet<TensorValue>): ReadonlySet<unknown> =>
  new Set([...path].flatMap(({ op, arguments: given }) => (op === 'linear' || /^conv\d/.test(op) ? [given.get('weight')] : [])));
