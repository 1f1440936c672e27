import type { Architecture, Architectures } from './architecture.ts';
import { decoders } from './decoders.ts';
import { encoderDecoders } from './encoderDecoders.ts';
import { encoders } from './encoders.ts';
import { furtherEncoders } from './furtherEncoders.ts';
import { hybrids } from './hybrids.ts';

const all: readonly Architectures[] = [decoders, encoders, encoderDecoders, furtherEncoders, hybrids];

/** How a model type is laid out; undefined where it is not described. */
export function architectureOf(modelType: string): Architecture | undefined {
  for (const group of all) if (Object.hasOwn(group, modelType)) return group[modelType];
  return undefined;
}

export const modelledTypes = (): readonly string[] => all.flatMap((group) => Object.keys(group));
