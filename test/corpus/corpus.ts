import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The shared corpus beside the checkout; undefined where it is absent (then corpus tests are not run, and say so). */
export function findCorpus(): string | undefined {
  const folder = process.env.HEADWISE_CORPUS ?? resolve(process.cwd(), '..', 'shared', 'corpus');
  if (existsSync(join(folder, 'SOURCES.tsv'))) return folder;
  console.log(`    corpus tests are not run: no corpus at ${folder}`);
  return undefined;
}

// Python writes Infinity and NaN, which JSON has not; both only occur as values that are not sizes.
export const readJson = (file: string): unknown =>
  JSON.parse(readFileSync(file, 'utf8').replace(/(?<=[[:,\s])-?(?:Infinity|NaN)(?=[\],}\s])/g, 'null'));

export interface CorpusFile {
  readonly slug: string;
  readonly path: string;
  readonly text: string;
}

/** Every published config, as text. */
export const corpusFiles = (corpus: string): CorpusFile[] =>
  readdirSync(join(corpus, 'configs')).flatMap((slug) =>
    readdirSync(join(corpus, 'configs', slug)).map((name) => {
      const path = join(corpus, 'configs', slug, name);
      return { slug, path, text: readFileSync(path, 'utf8') };
    }),
  );
