import { formatDim } from '../../dims/format.ts';
import { isLayout } from '../../interpreter/graph.ts';
import type { CodeReading } from '../../interpreter/study.ts';
import type { SoftmaxAttention } from './attention.ts';
import { isMatrixProduct, productOperands } from './axes.ts';
import { isLength } from './layouts.ts';
import type { Step } from './scores.ts';
import { readDim } from './sizes.ts';
import { dimFromEnd } from './tensors.ts';

/** What of the product says that its keys have their features last, as its queries have: their width, or the root of it by which it is scaled. */
export function untransposed(
  code: CodeReading,
  { product, paths }: SoftmaxAttention,
): { readonly message: 'fact' | 'scaled'; readonly width: string } | undefined {
  const [left, right] = isMatrixProduct(product.op) ? (productOperands(product) ?? []) : [];
  const [own, rows, last] = [
    left === undefined ? undefined : dimFromEnd(left, -1),
    right === undefined ? undefined : dimFromEnd(right, -2),
    right === undefined ? undefined : dimFromEnd(right, -1),
  ];
  if (right === undefined || last === undefined || last.unknown) return undefined;
  const [width, features] = [own, last].map((dim) => (dim === undefined ? undefined : readDim(code, dim)));
  const tokens = rows === undefined ? undefined : readDim(code, rows);
  if (features === undefined || tokens?.key === features.key) return undefined;
  const isOpen = tokens === undefined || tokens.unknown || isLength(tokens);
  if (isOpen && !isLength(features) && width?.key === features.key) return { message: 'fact', width: formatDim(last) };
  // As the code calls them, before the values say how many keys there are.
  const isScaledBy = ({ kind, factor }: Step): boolean =>
    kind === 'scale' &&
    factor?.kind === 'powers' &&
    factor.powers.factors.some(({ base, exponent }) => exponent === -0.5 && base.key === last.key);
  const isScaled = !isLayout(right) && tokens !== undefined && paths.length > 0 && paths.every((path) => path.some(isScaledBy));
  return isScaled ? { message: 'scaled', width: formatDim(last) } : undefined;
}
