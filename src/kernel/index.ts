export { createDecoder, type DecodeProblem, type Decoder } from './decode.ts';
export type * from './interface.ts';
export { latentAttentionSteps } from './latent.ts';
export { type KernelBinaries, loadKernel } from './load.ts';
export {
  createKernelPool,
  type KernelPool,
  ownerPort,
  type PoolOptions,
  type PoolPart,
  type PoolResult,
  type Port,
  serveKernel,
  workerPort,
} from './pool.ts';
export {
  alibiBias,
  alibiSlopes,
  type RotaryScaling,
  rotaryFrequencies,
  scaledRotary,
  sinusoidalPositions,
  t5Bias,
  t5Bucket,
} from './positions.ts';
export { createReferenceKernel } from './reference.ts';
export { headSimilarity } from './statistics.ts';
export { finish, type RunOptions, run } from './steps.ts';
