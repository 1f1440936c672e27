import type { Architecture, Architectures } from './architecture.ts';

/** How a model type is laid out, where one of the groups describes it. */
export function architectureIn(groups: readonly Architectures[], modelType: string): Architecture | undefined {
  for (const group of groups) if (Object.hasOwn(group, modelType)) return group[modelType];
  return undefined;
}
