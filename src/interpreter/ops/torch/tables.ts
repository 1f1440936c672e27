import type { OperationTable } from '../../operation.ts';
import { arithmeticOperations } from './arithmetic.ts';
import { attributeOperations } from './attributes.ts';
import { creationOperations } from './creation.ts';
import { functionalOperations } from './functional.ts';
import { indexOperations } from './index.ts';
import { miscOperations } from './misc.ts';
import { productOperations } from './products.ts';
import { reduceOperations } from './reduce.ts';
import { shapeOperations } from './shape.ts';

export { torchConstants } from './constants.ts';

/** PyTorch's functions, and the methods and attributes of its tensors. */
export const torchTables: readonly OperationTable[] = [
  attributeOperations,
  indexOperations,
  shapeOperations,
  arithmeticOperations,
  reduceOperations,
  productOperations,
  functionalOperations,
  creationOperations,
  miscOperations,
];
