// What the exams over transformers' own models share: its modeling files, the evaluation of a class, folded names.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { ConfigObject } from '../../src/interpreter/configs.ts';
import { readConfiguration } from '../../src/interpreter/configs.ts';
import type { PythonModule } from '../../src/syntax/python/ast.ts';
import type { FolderLoader } from '../../src/workspace/code/loader.ts';
import { evaluateModel, type ModelAnswer, type ModelQuestion } from '../../src/workspace/code/model.ts';
import { folderLoader } from '../../src/workspace/code/node.ts';

export const corpusFolder = join(process.cwd(), '..', 'shared', 'corpus');

/** A JSON file, of the corpus unless it is a path, gzipped or not, with numbers written as floats kept apart. */
export function corpusFile(name: string): ConfigObject {
  const bytes = readFileSync(resolve(corpusFolder, name));
  const value = readConfiguration((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'));
  if (value === undefined) throw new Error(`${name} is no JSON object`);
  return value;
}

/** The classes of the modeling files below `transformers/models`, and how to evaluate them. */
export class Models {
  readonly #files = new Map<string, string[]>();
  readonly #parsed = new Map<string, PythonModule>();
  readonly #loader: FolderLoader;
  readonly #parse: (text: string) => PythonModule;

  /** `folder` is that of the package `transformers`. */
  constructor(folder: string, parse: (text: string) => PythonModule) {
    const models = join(folder, 'models');
    if (!existsSync(models)) throw new Error(`${folder} is not the folder of transformers`);
    for (const name of readdirSync(models).sort()) {
      const inside = join(models, name);
      let listed: readonly string[] = [];
      try {
        listed = readdirSync(inside).filter((file) => /^modeling_\w+\.py$/.test(file));
      } catch {
        continue;
      }
      for (const file of listed) {
        const path = join(inside, file);
        for (const [, className = ''] of readFileSync(path, 'utf8').matchAll(/^class (\w+)/gm)) {
          const known = this.#files.get(className);
          if (known === undefined) this.#files.set(className, [path]);
          else known.push(path);
        }
      }
    }
    this.#parse = (text) => {
      const known = this.#parsed.get(text);
      if (known !== undefined) return known;
      const module = parse(text);
      this.#parsed.set(text, module);
      return module;
    };
    this.#loader = folderLoader(this.#parse, new Map([['transformers', folder]]));
  }

  evaluate(className: string, modelType: string, config: ConfigObject, inputs?: ModelQuestion['inputs']): ModelAnswer {
    const paths = this.#files.get(className) ?? [];
    const folder = modelType.replaceAll('-', '_');
    const path = paths.find((each) => basename(join(each, '..')) === folder) ?? paths[0];
    const file = path === undefined ? undefined : this.#loader.open(path);
    if (file === undefined) return { parameters: [], unknown: ['*'], variables: [], failures: [], problem: `no file defines ${className}` };
    return evaluateModel({
      loader: this.#loader,
      parse: this.#parse,
      file,
      className,
      config,
      ...(inputs === undefined ? {} : { inputs }),
    });
  }
}

/** Indices in a parameter's name as `{i}`. */
export const foldName = (name: string): string => name.replace(/(^|\.)\d+(?=\.|$)/g, '$1{i}');

export const percent = (part: number, whole: number): string => (whole === 0 ? '-' : `${((100 * part) / whole).toFixed(2)} %`);
