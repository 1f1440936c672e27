// Evaluates the classes of hf-shapes.json from source and compares every parameter: `modelParameters.cjs FOLDER [NAME...]`, where FOLDER
// is that of the package transformers 5.18.0. `--facts=FILE` names another file of the same form. Bundle this file for Node with esbuild (packages external) and run it in the checkout.
import type { ConfigObject } from '../../src/interpreter/configs.ts';
import type { ModelAnswer } from '../../src/workspace/code/model.ts';
import { pythonParser } from '../unit/python/parser.ts';
import { corpusFile, foldName, Models, percent } from './models.ts';

/** `{ name: [count, shape] }`, or a list of shapes where layers differ. */
export type Folded = Readonly<Record<string, readonly [number, readonly number[] | readonly (readonly number[])[]]>>;

export interface Comparison {
  readonly verdict: 'exact' | 'differing' | 'incomplete' | 'unknown';
  /** Parameters with a shape of numbers. */
  readonly reported: number;
  readonly wrong: number;
  /** Parameters of the real model that were not reported. */
  readonly missing: number;
  readonly notes: readonly string[];
}

/** What was evaluated against what the real model has. */
export function compareParameters(answer: ModelAnswer, real: Folded): Comparison {
  const notes: string[] = [];
  if (answer.problem !== undefined) notes.push(answer.problem);
  const found = new Map<string, { count: number; readonly shapes: Set<string> }>();
  let reported = 0;
  let wrong = 0;
  let vague = 0;
  for (const { name, shape } of answer.parameters) {
    const folded = foldName(name);
    if (shape === undefined || !shape.every((size) => typeof size === 'number')) {
      vague++;
      if (notes.length < 6) notes.push(`${folded}: not known (${shape?.join(', ') ?? '...'})`);
      continue;
    }
    reported++;
    const entry = found.get(folded) ?? { count: 0, shapes: new Set<string>() };
    entry.count++;
    const key = JSON.stringify(shape);
    entry.shapes.add(key);
    found.set(folded, entry);
    const known = real[folded];
    if (known === undefined || entry.count > known[0] || !shapesOf(known[1]).has(key)) {
      wrong++;
      if (notes.length < 6) notes.push(`${folded}: ${key}, really ${known === undefined ? 'absent' : JSON.stringify(known)}`);
    }
  }
  let missing = 0;
  for (const [name, [count, shapes]] of Object.entries(real)) {
    const entry = found.get(name);
    missing += Math.max(0, count - (entry?.count ?? 0));
    if ((entry?.count ?? 0) < count && notes.length < 6) notes.push(`${name}: ${entry?.count ?? 0} of ${count}`);
    else if (entry !== undefined && entry.shapes.size !== shapesOf(shapes).size && notes.length < 6) notes.push(`${name}: other shapes`);
  }
  const same =
    missing === 0 &&
    wrong === 0 &&
    vague === 0 &&
    Object.entries(real).every(([name, [, shapes]]) => found.get(name)?.shapes.size === shapesOf(shapes).size);
  const verdict = same ? 'exact' : wrong > 0 ? 'differing' : reported > 0 ? 'incomplete' : 'unknown';
  if (answer.unknown.length > 0 && !same && notes.length < 8) notes.push(`not known: ${answer.unknown.slice(0, 4).join(', ')}`);
  return { verdict, reported, wrong, missing, notes };
}

function shapesOf(shapes: Folded[string][1]): ReadonlySet<string> {
  const [first] = shapes;
  return new Set(
    Array.isArray(first) ? (shapes as readonly (readonly number[])[]).map((shape) => JSON.stringify(shape)) : [JSON.stringify(shapes)],
  );
}

export interface Totals {
  readonly architectures: number;
  readonly exact: number;
  readonly reported: number;
  readonly wrong: number;
  readonly missing: number;
  readonly verdicts: ReadonlyMap<string, number>;
}

interface Entry {
  readonly class: string;
  readonly model_type: string;
  readonly config: ConfigObject;
  readonly shapes: Folded;
}

/** Evaluates every entry of the facts; `report` hears of each as it comes. */
export function examineParameters(
  models: Models,
  facts: ConfigObject,
  only: readonly string[],
  report: (name: string, entry: Entry, result: Comparison, milliseconds: number) => void,
): Totals {
  const verdicts = new Map<string, number>();
  let [architectures, reported, wrong, missing] = [0, 0, 0, 0];
  for (const [name, value] of Object.entries(facts)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const entry = value as unknown as Entry;
    const started = performance.now();
    let result: Comparison;
    try {
      result = compareParameters(models.evaluate(entry.class, entry.model_type, entry.config), entry.shapes);
    } catch (error) {
      const note = `failed: ${error instanceof Error ? error.stack : String(error)}`;
      result = { verdict: 'unknown', reported: 0, wrong: 0, missing: 0, notes: [note] };
    }
    architectures++;
    reported += result.reported;
    wrong += result.wrong;
    missing += result.missing;
    verdicts.set(result.verdict, (verdicts.get(result.verdict) ?? 0) + 1);
    report(name, entry, result, performance.now() - started);
  }
  return { architectures, exact: verdicts.get('exact') ?? 0, reported, wrong, missing, verdicts };
}

async function main(folder: string, only: readonly string[], facts: string): Promise<void> {
  const parser = await pythonParser();
  const models = new Models(folder, (text) => parser.parse(text));
  const totals = examineParameters(models, corpusFile(facts), only, (name, entry, result, milliseconds) => {
    if (result.verdict === 'exact' && only.length === 0) return;
    const { verdict, reported, wrong, missing, notes } = result;
    console.log(
      `${name} ${entry.class}: ${verdict}, ${reported} reported, ${wrong} wrong, ${missing} missing, ${milliseconds.toFixed(0)} ms`,
    );
    for (const note of notes) console.log(`    ${note}`);
  });
  const { architectures, exact, reported, wrong, missing, verdicts } = totals;
  const counts = [...verdicts].map(([verdict, count]) => `${count} ${verdict}`).join(', ');
  console.log(`${architectures} architectures: ${counts}; exact ${percent(exact, architectures)}`);
  console.log(`${reported} parameters reported, ${wrong} wrong (${percent(wrong, reported)}), ${missing} missing`);
}

if (process.argv[1]?.endsWith('modelParameters.cjs') === true) {
  const [folder, ...rest] = process.argv.slice(2);
  const only = rest.filter((each) => !each.startsWith('--'));
  const facts = rest.find((each) => each.startsWith('--facts='))?.slice(8) ?? 'hf-shapes.json';
  if (folder === undefined) console.log('usage: modelParameters.cjs FOLDER [--facts=FILE] [NAME...]');
  else void main(folder, only, facts);
}
