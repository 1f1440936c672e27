import type { Architecture, Architectures } from './architecture.ts';
import { audio } from './audio.ts';
import { composites } from './composites.ts';
import { decoders, nestedDecoders } from './decoders.ts';
import { encoderDecoders } from './encoderDecoders.ts';
import { encoders } from './encoders.ts';
import { furtherEncoders } from './furtherEncoders.ts';
import { hybrids } from './hybrids.ts';
import { architectureIn } from './lookup.ts';
import { olderText } from './olderText.ts';
import { qwenVision } from './qwenVision.ts';
import { recurrent } from './recurrent.ts';
import { segmentation } from './segmentation.ts';
import { vision } from './vision.ts';

const parts: readonly Architectures[] = [
  decoders,
  nestedDecoders,
  encoders,
  encoderDecoders,
  furtherEncoders,
  hybrids,
  vision,
  audio,
  segmentation,
  olderText,
  recurrent,
  qwenVision,
];
const all: readonly Architectures[] = [...parts, composites(parts)];

/** How a model type is laid out; undefined where it is not described. */
export const architectureOf = (modelType: string): Architecture | undefined => architectureIn(all, modelType);
