import { statedAxes } from '../annotations/stated.ts';
import { readPythonConfigs } from '../design/python/configs.ts';
import type { SourceLoader } from '../interpreter/program.ts';
import { type IsOver, Student } from '../interpreter/student.ts';
import type { CodeReading } from '../interpreter/study.ts';
import type { SourceFile } from '../interpreter/value.ts';
import type { ParsedConfig } from '../syntax/node.ts';
import type { PythonModule } from '../syntax/python/ast.ts';
import type { PythonDocument, PythonParser } from '../syntax/python/parse.ts';
import { release } from './code/facts.ts';
import { type Given, givenTo, noteGiven, type ValuesFile } from './code/given.ts';

/** Reads Python code; never throws. Texts of one `path` are taken for versions of one file. */
export interface PythonReader {
  /** The configurations in it. */
  config(text: string, path: string): ParsedConfig;
  /** The tree of a file that another imports. */
  parse(text: string): PythonModule;
  /**
   * The model code in it, followed with what it imports; undefined where it could not be. Once time `isOver`, what is left is put off
   * to the next time that this is asked.
   */
  code(text: string, path: string, imports?: Imports, values?: ValuesFile, isOver?: IsOver): CodeReading | undefined;
}

/** Where the names come from that a file imports. */
export interface Imports {
  /** The file's own dotted name: relative imports start from it. */
  readonly name: string;
  readonly loader: SourceLoader;
  /** How findings call the file at a path. */
  readonly shown?: (path: string) => string;
}

/** Files whose dataflow is kept, some 10 MB each: an edit in one of them follows only what it touched. */
const keptStudies = 2;

interface Studied {
  readonly loader: SourceLoader;
  readonly given: Given | undefined;
  readonly file: { -readonly [K in keyof SourceFile]: SourceFile[K] };
  readonly student: Student;
  reading: CodeReading | undefined;
}

const noImports: SourceLoader = { load: () => undefined };

/** `keep` files' trees are kept, so that the next version of one of them costs less; 0 where each file is read once. */
export function pythonReader(parser: PythonParser, keep = 0): PythonReader {
  /** Least recently read first. */
  const open = new Map<string, PythonDocument>();
  /** A file stays the same object from version to version. */
  const students = new Map<string, Studied>();
  let last: { readonly text: string; readonly path: string; readonly module: PythonModule } | undefined;
  const parse = (text: string, path: string): PythonModule => {
    if (last?.text === text && last.path === path) return last.module;
    last = { text, path, module: read(text, path) };
    return last.module;
  };
  const read = (text: string, path: string): PythonModule => {
    if (keep === 0) return parser.parse(text);
    const known = open.get(path);
    open.delete(path);
    const document = known === undefined ? parser.open(text) : known.update(text);
    open.set(path, document);
    for (const [oldest, spent] of open) {
      if (open.size <= keep) break;
      spent.dispose();
      open.delete(oldest);
    }
    return document.module;
  };
  return {
    parse: (text) => parser.parse(text),
    config: (text, path) => {
      try {
        return readPythonConfigs(parse(text, path));
      } catch {
        // A parser that ran out of memory, say: the next file may fit again.
        return { format: 'python', text, root: undefined, problems: [], comments: [] };
      }
    },
    code: (text, path, imports, values, isOver) => {
      try {
        const module = parse(text, path);
        const name =
          imports?.name ??
          path
            .replace(/\.py$/, '')
            .replace(/\/__init__$/, '')
            .replaceAll('/', '.');
        const loader = imports?.loader ?? noImports;
        const given = givenTo(module, values);
        let known = students.get(path);
        students.delete(path);
        if (known === undefined || known.loader !== loader || known.given?.key !== given?.key) {
          const file = { path, name, isPackage: path.endsWith('__init__.py'), module, isPrelude: false };
          known = {
            loader,
            given,
            file,
            student: new Student({
              loader,
              parse: (source) => parser.parse(source),
              stated: statedAxes,
              ...(given === undefined ? {} : { given: (symbol) => given.numberOf(symbol)?.value }),
              ...(given?.settings === undefined ? {} : { settings: given.settings }),
            }),
            reading: undefined,
          };
        }
        known.file.module = module;
        if (keep > 0) students.set(path, known);
        for (const [oldest, { reading, student }] of students) {
          if (students.size <= Math.min(keep, keptStudies)) break;
          students.delete(oldest);
          if (reading !== undefined) release(reading);
          student.dispose();
        }
        known.reading = noteGiven(known.student.read(known.file, [], isOver), known.given);
        return known.reading;
      } catch {
        return undefined;
      }
    },
  };
}
