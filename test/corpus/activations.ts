// Evaluates the models of hf-activations.json.gz from source and compares the shape of every local tensor with what it really was:
// `activations.cjs FOLDER [NAME...]`, where FOLDER is that of the package transformers 5.18.0. `--missing` lists what was not inferred,
// `--facts=FILE` names another file of the same form.
// Bundle this file for Node with esbuild (packages external) and run it in the checkout.
import type { ConfigObject } from '../../src/interpreter/configs.ts';
import type { ModelAnswer } from '../../src/workspace/code/model.ts';
import { pythonParser } from '../unit/python/parser.ts';
import { corpusFile, Models, percent } from './models.ts';

export interface RealVariable {
  readonly file: string;
  readonly function: string;
  readonly def_line: number;
  readonly line: number;
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
}

export interface Verdict {
  readonly variable: RealVariable;
  /** 'right': all the real shapes and no others; 'partly': some of them and no others. */
  readonly verdict: 'right' | 'partly' | 'wrong' | 'missing';
  readonly inferred: readonly string[];
}

/** Judges every real variable by what was inferred at its line. */
export function compareVariables(answer: ModelAnswer, real: readonly RealVariable[]): readonly Verdict[] {
  const at = new Map<string, { readonly first: number; readonly last: number; readonly shapes: Map<string, boolean> }[]>();
  for (const { file, line, lastLine, name, shape } of answer.variables) {
    const path = /transformers\/models\/(.*)$/.exec(file.replaceAll('\\', '/'))?.[1] ?? file;
    const key = `${path} ${name}`;
    const places = at.get(key) ?? [];
    if (places.length === 0) at.set(key, places);
    let place = places.find(({ first }) => first === line);
    if (place === undefined) {
      place = { first: line, last: lastLine, shapes: new Map() };
      places.push(place);
    }
    const isKnown = shape?.every((size) => typeof size === 'number') === true;
    place.shapes.set(shape === undefined ? '?' : JSON.stringify(shape), isKnown);
  }
  return real.map((variable) => {
    const places = at.get(`${variable.file} ${variable.name}`) ?? [];
    const holding = places.filter(({ first, last }) => variable.line >= first && variable.line <= last);
    const place = holding.sort((a, b) => a.last - a.first - (b.last - b.first))[0];
    if (place === undefined) return { variable, verdict: 'missing', inferred: [] };
    const known = [...place.shapes].filter(([, isKnown]) => isKnown).map(([shape]) => shape);
    const expected = new Set(variable.shapes.map((shape) => JSON.stringify(shape)));
    const inferred = [...place.shapes.keys()];
    if (known.some((shape) => !expected.has(shape))) return { variable, verdict: 'wrong', inferred };
    if (known.length === 0) return { variable, verdict: 'missing', inferred };
    return { variable, verdict: known.length === expected.size ? 'right' : 'partly', inferred };
  });
}

export type Counts = Readonly<Record<Verdict['verdict'], number>>;

interface Entry {
  readonly class: string;
  readonly config: ConfigObject;
  readonly batch: number;
  readonly sequence: number;
  readonly variables: readonly RealVariable[];
}

const countsOf = (verdicts: readonly Verdict[]): Counts => {
  const counts = { right: 0, partly: 0, wrong: 0, missing: 0 };
  for (const { verdict } of verdicts) counts[verdict]++;
  return counts;
};

/** Evaluates every model of the facts; `report` hears of each as it comes. */
export function examineActivations(
  models: Models,
  facts: ConfigObject,
  only: readonly string[],
  report: (name: string, entry: Entry, verdicts: readonly Verdict[], answer: ModelAnswer | undefined, milliseconds: number) => void,
): Counts {
  const all: Verdict[] = [];
  for (const [name, value] of Object.entries(facts.models as ConfigObject)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const entry = value as unknown as Entry;
    const { class: className, config, batch, sequence, variables } = entry;
    const started = performance.now();
    let answer: ModelAnswer | undefined;
    try {
      answer = models.evaluate(className, String(config.model_type ?? name), config, { batch, sequence });
    } catch (error) {
      console.error(`${name}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    const verdicts = compareVariables(answer ?? { parameters: [], unknown: [], variables: [], failures: [] }, variables);
    all.push(...verdicts);
    report(name, entry, verdicts, answer, performance.now() - started);
  }
  return countsOf(all);
}

async function main(folder: string, only: readonly string[], details: boolean, facts: string): Promise<void> {
  const parser = await pythonParser();
  const models = new Models(folder, (text) => parser.parse(text));
  const counts = examineActivations(models, corpusFile(facts), only, (name, entry, verdicts, answer, milliseconds) => {
    const { right, partly, wrong, missing } = countsOf(verdicts);
    const problem = answer?.problem === undefined ? '' : `, ${answer.problem}`;
    console.log(
      `${name} ${entry.class}: ${right} right, ${partly} partly, ${wrong} wrong, ${missing} missing, ${milliseconds.toFixed(0)} ms${problem}`,
    );
    if (details)
      for (const { problem: what } of answer?.failures.slice(0, 5) ?? []) console.log(`    failure: ${what.kind}: ${what.message}`);
    for (const { variable, verdict, inferred } of verdicts) {
      if (verdict === 'right' || (verdict !== 'wrong' && !details)) continue;
      const { file, line, function: where, name: variableName, shapes } = variable;
      const real = shapes.map((shape) => JSON.stringify(shape)).join(' ');
      console.log(`    ${verdict} ${file}:${line} ${where} ${variableName}: ${inferred.join(' ')}; really ${real}`);
    }
  });
  const stated = counts.right + counts.partly + counts.wrong;
  const all = stated + counts.missing;
  const some = percent(counts.right + counts.partly, all);
  console.log(
    `${all} variables: ${percent(counts.right, all)} inferred in all their shapes, ${some} in some, ${percent(counts.missing, all)} not`,
  );
  console.log(`${counts.wrong} wrong: ${percent(counts.wrong, all)} of all, ${percent(counts.wrong, stated)} of those stated`);
}

if (process.argv[1]?.endsWith('activations.cjs') === true) {
  const [folder, ...rest] = process.argv.slice(2);
  const only = rest.filter((each) => !each.startsWith('--'));
  if (folder === undefined) console.log('usage: activations.cjs FOLDER [--missing] [NAME...]');
  else
    void main(
      folder,
      only,
      rest.includes('--missing'),
      rest.find((each) => each.startsWith('--facts='))?.slice(8) ?? 'hf-activations.json.gz',
    );
}
