/** The classes of a library's models: which class its auto classes build for which type. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ModelClass {
  readonly modelType: string;
  readonly className: string;
  /** The modeling file that defines it. */
  readonly path: string;
  /** It is what a configuration that names no class is taken for. */
  readonly usual: boolean;
}

/**
 * What a configuration that names no class stands for: the model that writes or fills in text where the type has one, else the bare
 * model.
 */
const order = [
  'MODEL_FOR_IMAGE_TEXT_TO_TEXT',
  'MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM',
  'MODEL_FOR_SPEECH_SEQ_2_SEQ',
  'MODEL_FOR_MASKED_LM',
  'MODEL_FOR_CAUSAL_LM',
  'MODEL',
];

/** Every class that the auto classes of the library in `folder` build, each type's usual one first. */
export function modelClasses(folder: string): readonly ModelClass[] {
  const source = readFileSync(join(folder, 'models', 'auto', 'modeling_auto.py'), 'utf8');
  const files = new Map<string, string[]>();
  const models = join(folder, 'models');
  for (const name of readdirSync(models)) {
    if (!existsSync(join(models, name, '__init__.py'))) continue;
    for (const each of readdirSync(join(models, name))) {
      if (!/^modeling_\w+\.py$/.test(each) || /_(?:tf|flax)_/.test(each)) continue;
      const path = join(models, name, each);
      for (const [, className = ''] of readFileSync(path, 'utf8').matchAll(/^class (\w+)/gm))
        files.set(className, [...(files.get(className) ?? []), path]);
    }
  }
  const mappings = new Map<string, ReadonlyMap<string, string>>();
  for (const [, name = '', body = ''] of source.matchAll(/^(\w+)_MAPPING_NAMES = OrderedDict\(\s*\[([\s\S]*?)^\s*\]\s*\)/gm)) {
    const classes = new Map<string, string>();
    for (const [, type = '', one, several] of body.matchAll(/\(\s*"([^"]+)",\s*(?:"(\w+)"|\(\s*"(\w+)")/g))
      classes.set(type, one ?? several ?? '');
    mappings.set(name, classes);
  }
  const types = new Set([...mappings.values()].flatMap((classes) => [...classes.keys()]));
  const found: ModelClass[] = [];
  for (const modelType of [...types].sort()) {
    const names = new Set([...order, ...mappings.keys()].flatMap((name) => mappings.get(name)?.get(modelType) ?? []));
    let usual = true;
    for (const className of names) {
      const paths = files.get(className) ?? [];
      const own = paths.find((path) => path.includes(`/${modelType.replaceAll('-', '_')}/`)) ?? paths[0];
      if (own === undefined) continue;
      found.push({ modelType, className, path: own, usual });
      usual = false;
    }
  }
  return found;
}
