/** Headwise's description of Hugging Face transformers: what stands between a modeling file and torch. */
import { activationsPrelude } from './transformersActivations.ts';
import { autoPrelude } from './transformersAuto.ts';
import { cachePrelude } from './transformersCache.ts';
import { configurationPrelude } from './transformersConfig.ts';
import { modelPrelude } from './transformersModel.ts';
import { outputsPrelude } from './transformersOutputs.ts';
import { utilsPrelude } from './transformersUtils.ts';

export const transformersPrelude: ReadonlyMap<string, string> = new Map([
  ...activationsPrelude,
  ...autoPrelude,
  ...cachePrelude,
  ...configurationPrelude,
  ...modelPrelude,
  ...outputsPrelude,
  ...utilsPrelude,
]);
