import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { provideLayouts } from '../../../src/calculator/derived/index.ts';

/** The layouts as they stand in the source, for tests that count parameters. */
export function useLayoutsOfSource(): void {
  provideLayouts(() => readFileSync(join(process.cwd(), 'src', 'calculator', 'derived', 'layouts.generated.txt'), 'utf8'));
}
