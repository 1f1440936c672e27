// Plants one bug at a time in the models of this folder and prints, per topic, what the analyser says: caught (a finding within three
// lines of the change), mislocated (a finding, but elsewhere), missed. Then what it says of the models as they stand and of correct but
// unusual code, where every error or warning is a false alarm.
//   npx esbuild test/planted/run.ts --bundle --platform=node --format=cjs --packages=external --outfile=dist/planted.cjs
//   node dist/planted.cjs [--list] [--json] [MODEL or TOPIC...]
//   node dist/planted.cjs [--list] [--json] --wild OUT.json FOLDER: the bugs that wild.py planted in the transformers package in FOLDER,
//     or those of another list of that form; the first folder of each path is a project
// `--list` names every bug that was not caught, with what was said instead. That each bug is one is shown in PyTorch by prove.py.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../../src/text/finding.ts';
import { LineIndex } from '../../src/text/lineIndex.ts';
import { type AnalyseCode, openAnalyser, openPackageAnalyser } from './analyser.ts';
import { type Mutation, type Planted, type Proof, plant, readModels, readMutations, readProof } from './plant.ts';

/** How far from the changed lines a finding may stand. */
const tolerance = 3;

type Verdict = 'caught' | 'related' | 'mislocated' | 'missed';

interface Outcome {
  readonly mutation: Mutation;
  readonly crashes: boolean;
  readonly verdict: Verdict;
  readonly said: readonly string[];
  readonly change: string;
  readonly milliseconds: number;
}

const keyOf = ({ code, message }: Finding): string => `${code} ${message}`;

/** Shown in problems panels and by the command line: hints are not. */
const isShown = ({ severity }: Finding): boolean => severity !== 'hint';
const isAlarm = ({ severity }: Finding): boolean => severity === 'error' || severity === 'warning';

function outcomeOf(
  mutation: Mutation,
  planted: Planted,
  proof: Proof | undefined,
  before: ReadonlySet<string>,
  analyse: AnalyseCode,
): Outcome {
  const lines = new LineIndex(planted.text);
  const isNear = (offset: number): boolean => {
    const { line } = lines.positionAt(offset);
    return planted.changes.some(({ first, last }) => line >= first - tolerance && line <= last + tolerance);
  };
  const started = performance.now();
  const all = analyse(planted.text, `${mutation.model}.py`);
  const milliseconds = performance.now() - started;
  const findings = all.filter((finding) => isShown(finding) && !before.has(keyOf(finding)));
  let verdict: Verdict = findings.length > 0 ? 'mislocated' : 'missed';
  if (findings.some(({ range }) => isNear(range.start))) verdict = 'caught';
  else if (findings.some(({ related }) => related.some(({ range, file }) => file === undefined && isNear(range.start))))
    verdict = 'related';
  return {
    mutation,
    crashes: proof?.result === 'crash',
    verdict,
    said: findings.map((finding) => `${lines.positionAt(finding.range.start).line + 1}: ${finding.severity} ${keyOf(finding)}`),
    change: planted.changes.map(({ first, last }) => (last > first ? `${first + 1}-${last + 1}` : `${first + 1}`)).join(', '),
    milliseconds,
  };
}

const percent = (part: number, whole: number): string => (whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`);
const count = (outcomes: readonly Outcome[], ...verdicts: readonly Verdict[]): number =>
  outcomes.filter(({ verdict }) => verdicts.includes(verdict)).length;

function row(name: string, outcomes: readonly Outcome[]): string {
  const crashing = outcomes.filter(({ crashes }) => crashes);
  const silent = outcomes.filter(({ crashes }) => !crashes);
  const cells = [
    `${outcomes.length}`,
    `${count(outcomes, 'caught')}`,
    `${count(outcomes, 'related')}`,
    `${count(outcomes, 'mislocated')}`,
    `${count(outcomes, 'missed')}`,
    `${count(crashing, 'caught')}/${crashing.length}`,
    `${count(silent, 'caught')}/${silent.length}`,
  ];
  return `${name.padEnd(28)}${cells.map((cell) => cell.padStart(11)).join('')}`;
}

const headings = ['planted', 'caught', 'by related', 'mislocated', 'missed', 'crashing', 'silent'];

function printTable(title: string, outcomes: readonly Outcome[], keyFor: (outcome: Outcome) => string): void {
  console.log(`\n${title.padEnd(28)}${headings.map((heading) => heading.padStart(11)).join('')}`);
  const groups = new Map<string, Outcome[]>();
  for (const outcome of outcomes) groups.set(keyFor(outcome), [...(groups.get(keyFor(outcome)) ?? []), outcome]);
  for (const [name, group] of [...groups].sort(([left], [right]) => left.localeCompare(right))) console.log(row(name, group));
  console.log(row('all', outcomes));
}

/** What wild.py writes for each bug. */
interface WildBug {
  readonly file: string;
  readonly topic: string;
  /** The first line that goes, from 0, and how many go. */
  readonly line: number;
  readonly gone: number;
  readonly new: readonly string[];
  readonly result: Proof['result'];
  readonly detail: string;
}

async function runWild(list: string, packageFolder: string, options: readonly string[]): Promise<void> {
  const bugs = JSON.parse(readFileSync(list, 'utf8')) as readonly WildBug[];
  // Packages of different projects may have one name: each project is read by itself.
  const analysers = new Map<string, AnalyseCode>();
  const texts = new Map<string, { readonly text: string; readonly before: ReadonlySet<string> }>();
  const falseAlarms: string[] = [];
  const outcomes: Outcome[] = [];
  for (const bug of bugs) {
    const [project = ''] = bug.file.split('/');
    const analyse = analysers.get(project) ?? (await openPackageAnalyser());
    analysers.set(project, analyse);
    const path = join(packageFolder, bug.file);
    let known = texts.get(path);
    if (known === undefined) {
      const text = readFileSync(path, 'utf8');
      const lines = new LineIndex(text);
      const findings = analyse(text, path);
      for (const finding of findings.filter(isAlarm)) {
        falseAlarms.push(`${bug.file}:${lines.positionAt(finding.range.start).line + 1}: ${finding.severity} ${keyOf(finding)}`);
      }
      known = { text, before: new Set(findings.map(keyOf)) };
      texts.set(path, known);
    }
    const lines = known.text.split('\n');
    lines.splice(bug.line, bug.gone, ...bug.new);
    const planted = { text: lines.join('\n'), changes: [{ first: bug.line, last: bug.line + bug.new.length - 1 }] };
    const model = /modeling_(\w+)\.py$/.exec(bug.file)?.[1] ?? bug.file;
    const name = bug.new.map((line) => line.trim()).join(' / ');
    const mutation = { id: `${model}:${bug.line + 1} ${name}`, model: path, topic: bug.topic, hunks: [] };
    const proof = { result: bug.result, run: '', detail: bug.detail };
    outcomes.push(outcomeOf(mutation, planted, proof, known.before, (text) => analyse(text, path)));
  }
  report(outcomes, falseAlarms, [], options);
}

async function main(options: readonly string[]): Promise<void> {
  const wild = options.indexOf('--wild');
  if (wild >= 0) return runWild(options[wild + 1] ?? '', options[wild + 2] ?? '', options);
  const wanted = options.filter((option) => !option.startsWith('--'));
  const isWanted = (...names: readonly string[]): boolean => wanted.length === 0 || names.some((name) => wanted.includes(name));
  const proof = readProof();
  const analyse = await openAnalyser();
  const texts = new Map(readModels('models').map((model) => [model.name, model]));
  const before = new Map<string, ReadonlySet<string>>();
  const falseAlarms: string[] = [];
  const remarks: string[] = [];
  for (const model of [...texts.values(), ...readModels('variants')]) {
    const lines = new LineIndex(model.text);
    const findings = analyse(model.text, model.path);
    before.set(model.name, new Set(findings.map(keyOf)));
    for (const finding of findings.filter(isShown)) {
      const place = `${model.path}:${lines.positionAt(finding.range.start).line + 1}`;
      (isAlarm(finding) ? falseAlarms : remarks).push(`${place}: ${finding.severity} ${keyOf(finding)}`);
    }
  }

  const outcomes: Outcome[] = [];
  for (const mutation of readMutations().filter(({ model, topic }) => isWanted(model, topic))) {
    const model = texts.get(mutation.model);
    if (model === undefined) throw new Error(`${mutation.id}: there is no such model`);
    if (proof[mutation.id] === undefined) console.log(`${mutation.id}: not proven yet; run prove.py --write`);
    outcomes.push(outcomeOf(mutation, plant(model.text, mutation), proof[mutation.id], before.get(mutation.model) ?? new Set(), analyse));
  }

  report(outcomes, falseAlarms, remarks, options);
}

function report(
  outcomes: readonly Outcome[],
  falseAlarms: readonly string[],
  remarks: readonly string[],
  options: readonly string[],
): void {
  if (options.includes('--json')) {
    const record = outcomes.map(({ mutation, ...rest }) => ({ id: mutation.id, topic: mutation.topic, ...rest }));
    console.log(JSON.stringify({ falseAlarms, remarks, outcomes: record }, null, 1));
    return;
  }
  printTable('topic', outcomes, ({ mutation }) => mutation.topic);
  printTable('model', outcomes, ({ mutation }) => mutation.id.split(/[/:]/)[0] ?? '');
  const crashing = outcomes.filter(({ crashes }) => crashes);
  const silent = outcomes.filter(({ crashes }) => !crashes);
  console.log(
    `\ncrashing: ${count(crashing, 'caught')} of ${crashing.length} caught, ${percent(count(crashing, 'caught'), crashing.length)}`,
  );
  console.log(
    `silent, of topics that a rule names: ${count(silent, 'caught')} of ${silent.length} caught, ${percent(count(silent, 'caught'), silent.length)}`,
  );
  const times = outcomes.map(({ milliseconds }) => milliseconds).sort((left, right) => left - right);
  console.log(`one file: median ${(times[times.length >> 1] ?? 0).toFixed(1)} ms, slowest ${(times.at(-1) ?? 0).toFixed(1)} ms`);
  console.log(`\nfalse alarms on correct models: ${falseAlarms.length}; information: ${remarks.length}`);
  for (const line of [...falseAlarms, ...remarks]) console.log(`  ${line}`);
  if (!options.includes('--list')) return;
  for (const verdict of ['missed', 'mislocated', 'related'] as const) {
    console.log(`\n${verdict}`);
    for (const outcome of outcomes.filter((one) => one.verdict === verdict)) {
      const { mutation, crashes, change, said } = outcome;
      console.log(`  ${mutation.topic.padEnd(24)} ${crashes ? 'crash ' : 'silent'} ${mutation.id} (line ${change})`);
      for (const line of said.slice(0, 4)) console.log(`      said ${line}`);
    }
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
