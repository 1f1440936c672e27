/**
 * Makes src/calculator/derived/layouts.generated.txt: how the tensors of each class of transformers follow from its configuration.
 *
 *   node layouts.cjs derive FOLDER PART [TYPE...]
 *   node layouts.cjs assemble OUTPUT PART...
 *
 * FOLDER is that of the package transformers 5.18.0, PART a file that takes what is derived, a class a line; bundle this file for Node
 * with esbuild first. Nothing of the library is executed or
 * copied: its constructors are followed with symbols for sizes (`derive.ts`), and what results is held against the same class evaluated
 * with numbers, at the defaults and at others. A layout that does not agree is left out.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { Settings } from '../../src/calculator/architectures/settings.ts';
import { NotModelled, type Parameter, Scope, Sheet } from '../../src/calculator/architectures/sheet.ts';
import { layOutDerived } from '../../src/calculator/derived/evaluate.ts';
import type { Leaf } from '../../src/calculator/derived/record.ts';
import { NodeWriter } from '../../src/calculator/derived/text.ts';
import { familyOf } from '../../src/design/families.ts';
import { readDesign } from '../../src/design/read.ts';
import type { PythonModule } from '../../src/syntax/python/ast.ts';
import { parseConfig } from '../../src/syntax/read.ts';
import { type ConfigObject, type ConfigValue, evaluateModel } from '../../src/workspace/code/model.ts';
import { folderLoader } from '../../src/workspace/code/node.ts';
import { pythonParser } from '../../test/unit/python/parser.ts';
import { type ModelClass, modelClasses } from './classes.ts';
import { type Derived, derive, NotDerived, put } from './derive.ts';

const listed = (tensors: readonly Parameter[]): string =>
  JSON.stringify(tensors.map(({ name, count, shapes, own }) => [name, count, shapes, String(own)]).sort());

interface Line {
  readonly modelType: string;
  readonly usual: boolean;
  readonly className: string;
  readonly leaves: readonly Leaf[];
}

async function deriveAll(folder: string, part: string, only: readonly string[]): Promise<void> {
  const parser = await pythonParser();
  const parsed = new Map<string, PythonModule>();
  const parse = (text: string): PythonModule => {
    const known = parsed.get(text);
    if (known !== undefined) return known;
    const module = parser.parse(text);
    parsed.set(text, module);
    return module;
  };
  const loader = folderLoader(parse, new Map([['transformers', folder]]));
  const sources = { loader, parse };
  writeFileSync(part, '');
  const counts = { classes: 0, leaves: 0, refuted: 0 };

  /** What the class really holds, under a configuration; undefined where that is not known. */
  const real = ({ className, path }: ModelClass, config: ConfigObject): string | undefined => {
    const file = loader.open(path);
    if (file === undefined) return undefined;
    const answer = evaluateModel({ loader, parse, file, className, config });
    if (answer.problem !== undefined || answer.unknown.length > 0) return undefined;
    const sheet = new Sheet();
    for (const { name, shape, tied } of answer.parameters) {
      if (shape === undefined || shape.some((size) => typeof size !== 'number')) return undefined;
      new Scope(sheet).weight(name, shape as readonly number[], { tied: tied === true, mayBeEmpty: true });
    }
    return listed(sheet.list());
  };
  /** What the layout says of it; undefined where it says nothing. */
  const said = (leaf: Leaf, modelType: string, config: ConfigObject): string | undefined => {
    const family = familyOf(modelType);
    const reading = readDesign(
      parseConfig(
        JSON.stringify({ model_type: modelType, ...config }, (_, value: ConfigValue) =>
          typeof value === 'object' && value !== null && '$float' in value ? value.$float : value,
        ),
        { path: 'config.json' },
      ),
    );
    if (family === undefined || reading === undefined) return undefined;
    const sheet = new Sheet();
    try {
      layOutDerived([leaf], new Scope(sheet), new Settings(reading.root, family));
    } catch (error) {
      if (error instanceof NotModelled) return undefined;
      throw error;
    }
    return listed(sheet.list());
  };

  const attempt = (of: ModelClass, explicit: boolean, turned: ReadonlySet<string>): Leaf | undefined => {
    const file = loader.open(of.path);
    if (file === undefined) return undefined;
    let derived: Derived;
    try {
      derived = derive(sources, file, of.className, { explicit, turned });
    } catch (error) {
      if (error instanceof NotDerived) {
        if (turned.size === 0) console.log(`${of.modelType} ${of.className}: ${error.message}`);
        return undefined;
      }
      throw error;
    }
    const { leaf, config: values } = derived;
    const configs = [values, ...(turned.size === 0 && of.usual ? [scaled(leaf, values)] : [])];
    let agreed = false;
    for (const config of configs) {
      const claim = said(leaf, of.modelType, config);
      if (claim === undefined) continue;
      const truth = real(of, config);
      if (truth === undefined) continue;
      if (truth !== claim) {
        counts.refuted++;
        console.log(
          `${of.modelType} ${of.className}: refuted${turned.size === 0 ? '' : ` with ${[...turned].join(', ')} turned`}${config === values ? '' : ' at other sizes'}`,
        );
        return undefined;
      }
      agreed ||= config === values;
    }
    if (!agreed && turned.size === 0)
      console.log(`${of.modelType} ${of.className}: not held against numbers${explicit ? '' : ' at its defaults'}`);
    return agreed ? leaf : undefined;
  };

  for (const of of modelClasses(folder)) {
    if (familyOf(of.modelType) === undefined || (only.length > 0 && !only.includes(of.modelType))) continue;
    const leaves: Leaf[] = [];
    for (const explicit of [true, false]) {
      const leaf = attempt(of, explicit, new Set());
      if (leaf === undefined) continue;
      if (!leaves.some((each) => JSON.stringify(each) === JSON.stringify(leaf))) leaves.push(leaf);
      if (!of.usual) continue;
      for (const [kind, path, value] of leaf.premises) {
        if (kind !== 'is' || typeof value !== 'boolean' || /__\d+|\.i\d/.test(path)) continue;
        const other = attempt(of, explicit, new Set([path]));
        if (other !== undefined) leaves.push(other);
      }
    }
    if (leaves.length === 0) continue;
    counts.classes++;
    counts.leaves += leaves.length;
    const line: Line = { modelType: of.modelType, usual: of.usual, className: of.className, leaves };
    appendFileSync(part, `${JSON.stringify(line)}\n`);
  }
  console.log(`${counts.classes} classes, ${counts.leaves} leaves, ${counts.refuted} refuted`);
}

function assemble(output: string, parts: readonly string[]): void {
  const writer = new NodeWriter();
  const lines = parts
    .flatMap((part) => readFileSync(part, 'utf8').split('\n').filter(Boolean))
    .map((line) => JSON.parse(line) as Line)
    .sort((a, b) => (a.modelType < b.modelType ? -1 : a.modelType > b.modelType ? 1 : Number(b.usual) - Number(a.usual)))
    .map(({ modelType, usual, className, leaves }) =>
      [modelType, usual ? '*' : '', className, ...new Set(leaves.map((leaf) => writer.leaf(leaf)))].join('\t'),
    );
  // Read by `src/calculator/derived/index.ts`: modules, premises and classes, each part ended by an empty line.
  writeFileSync(output, `${[writer.lines, writer.premises, lines].map((part) => part.join('\n')).join('\n\n')}\n`);
  console.log(`${lines.length} classes, ${writer.lines.length} modules`);
}

/** The same with every size twice as large that tensors have. */
function scaled(leaf: Leaf, config: ConfigObject): ConfigObject {
  const names = new Set<string>();
  const visit = (node: Leaf['node']): void => {
    for (const member of node) {
      if ('t' in member) for (const size of member.t[1]) for (const [name] of size.matchAll(/[a-z_][\w.]*/gi)) names.add(name);
      else if ('m' in member) visit(member.n);
      else {
        for (const [name] of member.count.matchAll(/[a-z_][\w.]*/gi)) names.add(name);
        for (const { n } of member.v) visit(n);
      }
    }
  };
  visit(leaf.node);
  const copy = structuredClone(config) as Record<string, ConfigValue>;
  for (const name of names) {
    const value = name
      .split('.')
      .reduce<ConfigValue | undefined>(
        (at, part) => (typeof at === 'object' && at !== null && !Array.isArray(at) ? (at as ConfigObject)[part] : undefined),
        copy,
      );
    if (typeof value === 'number' && Number.isInteger(value)) put(copy, name, value * 2);
  }
  return copy;
}

const [command, first, second, ...rest] = process.argv.slice(2);
if (command === 'derive' && first !== undefined && second !== undefined) void deriveAll(first, second, rest);
else if (command === 'assemble' && first !== undefined && second !== undefined) assemble(first, [second, ...rest]);
else console.log('usage: layouts.cjs derive FOLDER PART [TYPE...] | assemble OUTPUT PART...');
