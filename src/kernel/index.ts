export { createDecoder, type DecodeProblem, type Decoder } from './decode.ts';
export type * from './interface.ts';
export { type KernelBinaries, loadKernel } from './load.ts';
export { alibiBias, alibiSlopes, rotaryFrequencies, t5Bias, t5Bucket } from './positions.ts';
export { createReferenceKernel } from './reference.ts';
