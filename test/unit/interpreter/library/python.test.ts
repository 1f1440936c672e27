import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Interpreter } from '../../../../src/interpreter/interpreter.ts';
import type { SourceFile, Value } from '../../../../src/interpreter/value.ts';
import type { PythonParser } from '../../../../src/syntax/python/parse.ts';
import { pythonParser } from '../../python/parser.ts';

interface Case {
  readonly source: string;
  readonly bound: Readonly<Record<string, unknown>>;
}

const [preamble, ...cases]: readonly [string, ...Case[]] = JSON.parse(
  readFileSync(join(process.cwd(), 'test/golden/python.generated.json'), 'utf8'),
);

/** As the golden file states values; text where something is not known. */
function plain(value: Value): unknown {
  switch (value.kind) {
    case 'none':
      return null;
    case 'bool':
    case 'string':
      return value.value;
    case 'int':
      return value.dim.constant;
    case 'float':
      return { float: value.value };
    case 'tuple':
      return value.ellipsis === undefined ? { tuple: value.items.map(plain) } : 'a tuple of unknown length';
    case 'list':
      return value.open || value.repeat !== undefined ? 'a list of unknown length' : value.items.map(plain);
    case 'set':
      return value.open ? 'an open set' : { set: value.items.map(plain).sort() };
    case 'dict':
      return value.open ? 'an open dict' : { dict: [...value.entries.values()].map((entry) => [plain(entry.key), plain(entry.value)]) };
    case 'slice':
      return { slice: [value.lower, value.upper, value.step].map(plain) };
    default:
      return value.kind === 'unknown' ? `unknown: ${value.reason}` : value.kind;
  }
}

/** Floats as numbers, so that both sides compare by value. */
const parsed = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(parsed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, key === 'float' ? Number(part === 'inf' ? Infinity : part) : parsed(part)]),
  );
};

describe("Python's built-ins and standard library, as CPython answers", () => {
  let parser: PythonParser;
  before(async () => {
    parser = await pythonParser();
  });

  for (const { source, bound } of cases) {
    it(source.replace(/\n/g, '; '), () => {
      const names = Object.keys(bound);
      const body = source.split('\n').map((line) => `    ${line}`);
      const text = `${preamble}\n\ndef run():\n${body.join('\n')}\n    return (${names.join(', ')},)\n`;
      const parse = (each: string): SourceFile['module'] => parser.parse(each);
      const file: SourceFile = { path: 'case.py', name: 'case', isPackage: false, module: parse(text), isPrelude: false };
      const interpreter = new Interpreter({ loader: { load: () => undefined }, parse });
      const run = interpreter.names.global(interpreter.names.globalsOf(file), 'run');
      assert.ok(run);
      const result = interpreter.call(run, []);
      assert.equal(result.kind, 'tuple');
      const actual = result.kind === 'tuple' ? Object.fromEntries(names.map((name, i) => [name, plain(result.items[i] as Value)])) : {};
      assert.deepEqual(actual, parsed(bound));
    });
  }
});
