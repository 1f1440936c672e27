import { resolve } from 'node:path';
import { evaluateModel, type ModelAnswer, readConfiguration, type Size } from '../workspace/code/model.ts';
import { folderLoader } from '../workspace/code/node.ts';
import { loadPython } from '../workspace/node.ts';
import { decode } from './encoding.ts';
import { readBytes, slashes } from './files.ts';
import { lastOf, listOf, type ParsedOptions, sizeOf, UsageError } from './options.ts';
import type { Output } from './output.ts';

/**
 * `headwise shapes FILE.py --class NAME [--config FILE]`: the parameters and local tensors of a model, evaluated from its source.
 * Exit status 2 where it cannot be evaluated. Throws UsageError.
 */
export async function shapesOfModel(path: string, options: ParsedOptions, output: Output): Promise<number> {
  const className = lastOf(options, 'class') as string;
  const format = lastOf(options, 'format') ?? 'text';
  const packages = new Map<string, string>();
  for (const each of listOf(options, 'package')) {
    const [, name, folder] = /^([\w.]+)=(.+)$/.exec(each) ?? [];
    if (name === undefined || folder === undefined) throw new UsageError(`--package takes NAME=FOLDER, not ${each}.`);
    packages.set(name, resolve(folder));
  }
  const config = await readConfig(lastOf(options, 'config'));
  const python = await loadPython(output.note);
  if (python === undefined) return 2;
  const loader = folderLoader(python.parse, packages);
  const file = loader.open(path);
  if (file === undefined) throw new UsageError(`${path}: The file cannot be read.`);
  const inputs = { batch: sizeOf(options, 'batch'), sequence: sizeOf(options, 'sequence') };
  const answer = evaluateModel({ loader, parse: python.parse, file, className, config, inputs });
  if (answer.problem !== undefined) {
    if (format === 'json')
      output.write(json({ version: 1, class: className, parameters: [], variables: [], notModelled: [answer.problem] }));
    output.note(`${path}: ${answer.problem}.`);
    return 2;
  }
  if (format === 'json') {
    output.write(
      json({
        version: 1,
        file: slashes(path),
        class: className,
        parameters: answer.parameters.map(({ name, shape }) => ({ name, shape: shape?.map(written) ?? null })),
        variables: answer.variables.map(({ file: from, function: within, line, name, shape }) => ({
          file: slashes(from),
          function: within,
          line,
          name,
          shape: shape?.map(written) ?? null,
        })),
        notModelled: answer.unknown,
      }),
    );
  } else output.write(format === 'markdown' ? markdown(className, answer) : text(className, answer));
  return 0;
}

async function readConfig(path: string | undefined): Promise<NonNullable<ReturnType<typeof readConfiguration>>> {
  if (path === undefined) return {};
  const bytes = await readBytes(path);
  const decoded = Buffer.isBuffer(bytes) ? decode(bytes) : bytes;
  if ('reason' in decoded) throw new UsageError(`${path}: ${decoded.reason}`);
  const config = readConfiguration(decoded.text);
  if (config === undefined) throw new UsageError(`${path} is not a JSON object.`);
  return config;
}

/** What is not known is null. */
const written = (size: Size): number | string | null => size ?? null;
const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
const shapeText = (shape: readonly Size[] | undefined): string =>
  shape === undefined ? '?' : `(${shape.map((size) => size ?? '?').join(', ')}${shape.length === 1 ? ',' : ''})`;

/** Names with their numbers folded to `{i}`, in the order of their first appearance. */
function folded({ parameters }: ModelAnswer): readonly (readonly [string, string, number])[] {
  const groups = new Map<string, { readonly name: string; readonly shape: string; count: number }>();
  for (const { name, shape } of parameters) {
    const key = name.replace(/(?<=^|\.)\d+(?=\.|$)/g, '{i}');
    const group = groups.get(`${key} ${shapeText(shape)}`) ?? { name: key, shape: shapeText(shape), count: 0 };
    group.count += 1;
    groups.set(`${key} ${shapeText(shape)}`, group);
  }
  return [...groups.values()].map(({ name, shape, count }) => [name, shape, count]);
}

function text(className: string, answer: ModelAnswer): string {
  const rows = folded(answer);
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  const lines = [
    className,
    '',
    ...rows.map(([name, shape, count]) => `  ${name.padEnd(width)}  ${shape}${count === 1 ? '' : `  x ${count}`}`),
  ];
  if (answer.variables.length > 0) {
    lines.push('', 'Local tensors');
    for (const { function: within, line, name, shape } of answer.variables) lines.push(`  ${within}:${line}  ${name}  ${shapeText(shape)}`);
  }
  if (answer.unknown.length > 0) lines.push('', 'Not known', ...answer.unknown.map((name) => `  ${name}`));
  return `${lines.join('\n')}\n`;
}

const markdown = (className: string, answer: ModelAnswer): string =>
  [
    `# ${className}`,
    '',
    '| Parameter | Shape | Count |',
    '| --- | --- | ---: |',
    ...folded(answer).map(([name, shape, count]) => `| ${name.replaceAll('_', '\\_')} | ${shape} | ${count} |`),
    '',
  ].join('\n');
