import type { TransformerDesign } from '../../design/design.ts';
import { lexicon } from '../../design/lexicon.ts';

const concepts = [
  'hiddenSize',
  'queryHeads',
  'keyValueHeads',
  'headDim',
  'layers',
  'intermediateSize',
  'vocabularySize',
  'maxPositions',
] as const;

export type SizeConcept = (typeof concepts)[number];

let byLexicon: ReadonlyMap<string, SizeConcept> | undefined;

/** Names of a stack's sizes: those of its family, or of any format where the family's are not in use. */
export function sizeNames(design: TransformerDesign): ReadonlyMap<string, SizeConcept> {
  const { knowledge } = design;
  if (knowledge !== undefined) {
    const names = new Map<string, SizeConcept>();
    for (const concept of concepts)
      for (const prefix of ['', 'encoder.', 'decoder.']) {
        const key = knowledge.keys[`${prefix}${concept}`];
        if (key !== undefined && !/ratio|config|multi_query/.test(key)) names.set(key, concept);
      }
    for (const [alias, target] of Object.entries(knowledge.aliases)) {
      const concept = names.get(target);
      if (concept !== undefined) names.set(alias, concept);
    }
    return names;
  }
  byLexicon ??= new Map(concepts.flatMap((concept) => lexicon[concept].map((name) => [name, concept] as const)).reverse());
  return byLexicon;
}
