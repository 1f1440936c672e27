/** einops patterns, as contracts read them. */
export { einopsShape } from '../interpreter/ops/einopsShape.ts';
export {
  checkEinops,
  type EinopsAxis,
  type EinopsGroup,
  type EinopsOperation,
  type EinopsPattern,
  type EinopsProblem,
  parseEinops,
} from '../syntax/einops.ts';
