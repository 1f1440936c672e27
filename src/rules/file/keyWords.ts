import { isBaseField } from '../../design/baseFields.ts';
import { fieldNames } from '../../design/families.generated.ts';
import { isFieldOfSomeFamily } from '../../design/families.ts';
import { lexicon, parallelNames } from '../../design/lexicon.ts';
import { normaliseName } from '../../design/section.ts';

let lexiconNames: Set<string> | undefined;
let knownWords: Set<string> | undefined;

/** Names of sizes in any format. */
export function isLexiconName(name: string): boolean {
  lexiconNames ??= new Set([...Object.values(lexicon).flat(), ...Object.values(parallelNames).flat()]);
  return lexiconNames.has(name);
}

/** Whether a key means something to some code that is known here, so that it is not a misspelling. */
export const isKnownName = (key: string): boolean =>
  isFieldOfSomeFamily(key) || isBaseField(key) || isLexiconName(key) || isLexiconName(normaliseName(key));

/** Whether a word is part of any known name: `encoder`, `min`, `query`. */
export function isKnownWord(word: string): boolean {
  knownWords ??= new Set([
    ...fieldNames.split(/[ _]/),
    ...Object.values(lexicon).flat().join('_').split('_'),
    ...Object.values(parallelNames).flat().join('_').split('_'),
  ]);
  return knownWords.has(word);
}
