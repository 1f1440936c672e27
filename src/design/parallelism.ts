import type { Parallelism } from './design.ts';
import { parallelNames } from './lexicon.ts';
import type { Section } from './section.ts';

export function readParallelism(sections: readonly Section[]): Parallelism {
  const found: { -readonly [K in keyof Parallelism]?: Parallelism[K] } = {};
  for (const kind of ['tensor', 'pipeline', 'context', 'expert'] as const) {
    search: for (const section of sections)
      for (const name of parallelNames[kind]) {
        const value = section.number(name);
        const entry = section.entry(name);
        if (value === undefined || entry === undefined || !Number.isInteger(value) || value < 1) continue;
        found[kind] = { value, source: 'written', range: entry.value?.range, keyRange: entry.keyRange, key: entry.key };
        break search;
      }
  }
  return found;
}
