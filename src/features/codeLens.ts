import type { Analysis } from '../workspace/analyse.ts';
import { entryOfDesign, fieldsOf } from './locate.ts';
import { english, type Translate } from './messages.ts';
import { summarise } from './summary.ts';

/** A line above the text. `command` is what a click does; undefined is a plain line. */
export interface Lens {
  readonly offset: number;
  readonly title: string;
  readonly command?: 'headwise.previewAttention' | 'headwise.calculateShapes' | 'headwise.chooseConfig';
  /** Path of the stack in the file, or the class that is meant, as `TransformerDesign.name`. */
  readonly design: string;
}

/** Each stack in one line, followed by what can be done with it: above its mapping, or at the top of the file. */
export function codeLenses(analysis: Analysis, t: Translate = english): Lens[] {
  const lenses: Lens[] = [];
  for (const design of analysis.reading?.designs ?? []) {
    const title = summarise(design, t);
    if (title === '') continue;
    // A stack made of defaults alone is real, but a line about it would say nothing of this file.
    if (![...fieldsOf(design)].some(([, field]) => field.source === 'written')) continue;
    const offset = entryOfDesign(analysis.parsed.root, design)?.keyRange.start ?? 0;
    lenses.push({ offset, title, design: design.name });
    if (design.fields.queryHeads !== undefined && design.fields.headDim !== undefined)
      lenses.push({ offset, title: t('Preview attention'), command: 'headwise.previewAttention', design: design.name });
    lenses.push({ offset, title: t('Calculate shapes'), command: 'headwise.calculateShapes', design: design.name });
  }
  return lenses;
}
