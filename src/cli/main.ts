import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { nearest } from '../text/nearest.ts';
import { type CommandSpec, column, has, type ParsedOptions, parseOptions, renderHelp, UsageError, wrap } from './options.ts';
import { type Output, processOutput } from './output.ts';
import { commands } from './spec.ts';
import { packageInfo } from './version.ts';
import type { WorkerStart } from './workers.ts';

/** Each command's code is loaded when it is run: a check never loads the language server. */
const runners: Readonly<Record<string, (options: ParsedOptions, output: Output) => Promise<number>>> = {
  check: async (options, output) => (await import('./check.ts')).check(options, output),
  shapes: async (options, output) => (await import('./shapes.ts')).shapes(options, output),
  explain: async (options, output) => (await import('./explain.ts')).explain(options, output),
  rules: async (options, output) => (await import('./explain.ts')).listRules(options, output),
  lsp: async (options, output) => (await import('./lsp.ts')).lsp(options, output),
};

async function main(tokens: readonly string[], output: Output): Promise<number> {
  const [name, ...rest] = tokens;
  if (name === undefined) {
    output.writeErr(generalHelp());
    return 2;
  }
  if (name === '--version' || name === '-V') {
    output.write(`headwise ${packageInfo.version}\n`);
    return 0;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    const topic = rest[0];
    const command = commands.find((candidate) => candidate.name === topic);
    if (topic !== undefined && command === undefined) throw new UsageError(unknownCommand(topic));
    output.write(command === undefined ? generalHelp() : renderHelp(command));
    return 0;
  }
  const command = commands.find((candidate) => candidate.name === name);
  const run = runners[name];
  if (command === undefined || run === undefined) throw new UsageError(unknownCommand(name));
  // Help and version answer even where the rest of the line is wrong.
  const asked = rest.slice(0, rest.includes('--') ? rest.indexOf('--') : rest.length);
  if (asked.includes('--help') || asked.includes('-h')) return printed(output, renderHelp(command));
  const options = parseOptions(rest, command);
  if (has(options, 'version')) return printed(output, `headwise ${packageInfo.version}\n`);
  return run(options, output);
}

function printed(output: Output, text: string): number {
  output.write(text);
  return 0;
}

function unknownCommand(name: string): string {
  if (/[./\\]/.test(name)) return `There is no command ${JSON.stringify(name)}. To check a file: headwise check ${name}`;
  const [near] = nearest(
    name,
    commands.map((command) => command.name),
    1,
  );
  return `There is no command ${JSON.stringify(name)}. ${near === undefined ? 'See headwise --help.' : `Did you mean ${near}?`}`;
}

function generalHelp(): string {
  const list = commands.flatMap((command: CommandSpec) => column(`  ${command.name}`, command.summary, 12));
  return `${[
    ...wrap(
      'Headwise finds what is wrong with transformer designs: head dimensions, projection shapes, norms and positions in model configurations.',
      '',
    ),
    '',
    'Usage: headwise COMMAND [OPTIONS] [ARGUMENTS]',
    '',
    'Commands:',
    ...list,
    '',
    'Options:',
    ...column('  -h, --help', 'Print this help, or with COMMAND --help that of a command.', 18),
    ...column('  -V, --version', 'Print the version.', 18),
  ].join('\n')}\n`;
}

/** A worker checks the files that it is sent, one after another. */
async function work({ values }: WorkerStart): Promise<void> {
  const { checkInWorker } = await import('./check.ts');
  const check = checkInWorker(new Map(values.map(([name, list]) => [name, [...list]])));
  // One at a time: each answer belongs to the file before it.
  parentPort?.on('message', (file: Parameters<typeof check>[0]) => {
    check(file).then((outcome) => parentPort?.postMessage(outcome));
  });
}

const output = processOutput();
if (!isMainThread && (workerData as Partial<WorkerStart> | null)?.headwise === 'check') work(workerData as WorkerStart);
else
  main(process.argv.slice(2), output).then(
    (status) => {
      process.exitCode = status;
    },
    (error: unknown) => {
      output.note(error instanceof UsageError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error));
      process.exitCode = 2;
    },
  );
