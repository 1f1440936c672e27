import { nearest } from '../text/nearest.ts';

export interface OptionSpec {
  /** Without the dashes. */
  readonly name: string;
  readonly short?: string;
  /** Placeholder of its value in the help (`FILE`); absent for a switch. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly help: string;
}

export interface OptionGroup {
  readonly title: string;
  readonly options: readonly OptionSpec[];
}

export interface CommandSpec {
  readonly name: string;
  readonly usage: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  readonly description: string;
  readonly groups: readonly OptionGroup[];
  /** Text after the options: exit statuses, examples. */
  readonly footer?: string;
}

export interface ParsedOptions {
  /** Values by option name, in the order written; a switch holds empty strings. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly positionals: readonly string[];
}

/** A mistake in how the program was called. Exit status 2. */
export class UsageError extends Error {}

export const generalOptions: OptionGroup = {
  title: 'General',
  options: [
    { name: 'help', short: 'h', help: 'Print this help.' },
    { name: 'version', short: 'V', help: 'Print the version.' },
  ],
};

/** Reads `--name value`, `--name=value`, `-n`, `--` and positionals. Throws UsageError. */
export function parseOptions(tokens: readonly string[], command: CommandSpec): ParsedOptions {
  const specs = [...command.groups, generalOptions].flatMap((group) => group.options);
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] ?? '';
    if (token === '--') {
      positionals.push(...tokens.slice(i + 1));
      break;
    }
    if (token === '-' || !token.startsWith('-')) {
      positionals.push(token);
      continue;
    }
    const long = token.startsWith('--');
    const equals = token.indexOf('=');
    const name = equals < 0 ? token : token.slice(0, equals);
    const spec = specs.find((candidate) => (long ? `--${candidate.name}` === name : `-${candidate.short}` === name));
    if (spec === undefined) throw new UsageError(unknownOption(name, specs, command));
    let value = equals < 0 ? undefined : token.slice(equals + 1);
    if (spec.value === undefined) {
      if (value !== undefined) throw new UsageError(`--${spec.name} takes no value.`);
      value = '';
    } else if (value === undefined) {
      value = tokens[++i];
      if (value === undefined) throw new UsageError(`--${spec.name} needs a value: --${spec.name} ${spec.value}.`);
    }
    if (spec.choices !== undefined && !spec.choices.includes(value)) {
      const [near] = nearest(value, spec.choices, 1);
      const hint = near === undefined ? '' : ` Did you mean ${near}?`;
      throw new UsageError(`--${spec.name} is one of ${spec.choices.join(', ')}, not ${JSON.stringify(value)}.${hint}`);
    }
    values.set(spec.name, [...(values.get(spec.name) ?? []), value]);
  }
  return { values, positionals };
}

function unknownOption(name: string, specs: readonly OptionSpec[], command: CommandSpec): string {
  const [near] = nearest(
    name,
    specs.map((spec) => `--${spec.name}`),
    1,
  );
  const hint = near === undefined ? `See headwise ${command.name} --help.` : `Did you mean ${near}?`;
  return `headwise ${command.name} has no option ${name}. ${hint}`;
}

export const has = (options: ParsedOptions, name: string): boolean => options.values.has(name);

/** The last value given; undefined when the option was not given. */
export const lastOf = (options: ParsedOptions, name: string): string | undefined => options.values.get(name)?.at(-1);

/** All values of a repeatable option, each split at commas. */
export const listOf = (options: ParsedOptions, name: string): string[] =>
  (options.values.get(name) ?? [])
    .flatMap((value) => value.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '');

/** A count of at least 1. Throws UsageError. */
export function sizeOf(options: ParsedOptions, name: string): number | undefined {
  const value = lastOf(options, name);
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value) || Number(value) < 1) {
    throw new UsageError(`--${name} is a whole number of at least 1, not ${JSON.stringify(value)}.`);
  }
  return Number(value);
}

const lineWidth = 92;

export function renderHelp(command: CommandSpec): string {
  const lines = [...wrap(command.description, ''), '', `Usage: ${command.usage}`];
  for (const group of [...command.groups, generalOptions]) {
    lines.push('', `${group.title}:`);
    for (const option of group.options) {
      const short = option.short === undefined ? '    ' : `-${option.short}, `;
      const head = `  ${short}--${option.name}${option.value === undefined ? '' : ` ${option.value}`}`;
      const choices = option.choices === undefined ? '' : ` [${option.choices.join(', ')}]`;
      lines.push(...column(head, option.help + choices));
    }
  }
  if (command.footer !== undefined) lines.push('', command.footer.trimEnd());
  return `${lines.join('\n')}\n`;
}

/** A term with its explanation beside it, wrapped at its own column. */
export function column(head: string, text: string, indent = 32): string[] {
  const lines = wrap(text, ' '.repeat(indent));
  if (head.length + 2 > indent) return [head, ...lines];
  return lines.map((line, index) => (index === 0 ? head.padEnd(indent) + line.slice(indent) : line));
}

export function wrap(text: string, indent: string): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = indent;
    for (const word of paragraph.split(' ')) {
      if (line.length > indent.length && line.length + 1 + word.length > lineWidth) {
        lines.push(line);
        line = indent + word;
      } else line += line.length > indent.length ? ` ${word}` : word;
    }
    lines.push(line.trimEnd());
  }
  return lines;
}
