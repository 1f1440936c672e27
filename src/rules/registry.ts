import { syntaxError } from './file/syntaxError.ts';
import { unusedSuppression } from './file/unusedSuppression.ts';
import { headsDoNotDivideWidth } from './heads/headsDoNotDivideWidth.ts';
import type { Rule } from './rule.ts';

/** Every rule, by code. Docs pages, settings, the JSON schema and SARIF metadata are generated from this list. */
export const rules: readonly Rule[] = [headsDoNotDivideWidth, syntaxError, unusedSuppression];
