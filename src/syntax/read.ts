import { range } from '../text/range.ts';
import { parseGin } from './gin.ts';
import { parseJson } from './json.ts';
import type { ConfigFormat, ParsedConfig } from './node.ts';
import { parseShell } from './shell.ts';
import { parseToml } from './toml.ts';
import { parseYaml } from './yaml.ts';

/** Bytes, and characters, beyond which a file is not analysed: no model config is near it. */
export const maximumLength = 5_000_000;

/** The same for formats whose readers take about a second per megabyte; JSON is read ten times as fast. */
const maximumSlowLength = 1_000_000;

export const tooLarge = (length: number, limit: number = maximumLength): string =>
  `The file is too large to be a model config (${(length / 1e6).toFixed(1)} MB; files above ${limit / 1e6} MB are not analysed).`;

export interface FormatHint {
  readonly path?: string;
  readonly languageId?: string;
}

const extensions: Readonly<Record<string, ConfigFormat>> = {
  json: 'json',
  jsonc: 'json',
  json5: 'json',
  yaml: 'yaml',
  yml: 'yaml',
  toml: 'toml',
  sh: 'shell',
  bash: 'shell',
  zsh: 'shell',
  ksh: 'shell',
  slurm: 'shell',
  sbatch: 'shell',
  pbs: 'shell',
  gin: 'gin',
  py: 'python',
};

const languages: Readonly<Record<string, ConfigFormat>> = {
  json: 'json',
  jsonc: 'json',
  json5: 'json',
  yaml: 'yaml',
  dockercompose: 'yaml',
  toml: 'toml',
  shellscript: 'shell',
  gin: 'gin',
  python: 'python',
};

/** Python needs a parser that is loaded first: see AnalysisInput.python. Without it there is nothing to read. */
const parseNothing = (text: string): ParsedConfig => ({ format: 'python', text, root: undefined, problems: [], comments: [] });

const readers: Readonly<Record<ConfigFormat, (text: string) => ParsedConfig>> = {
  json: parseJson,
  yaml: parseYaml,
  toml: parseToml,
  shell: parseShell,
  gin: parseGin,
  python: parseNothing,
};

/** The format that the name says, else what the first lines look like; JSON for an empty text. */
export function formatOf(text: string, hint: FormatHint): ConfigFormat {
  const extension = /\.([A-Za-z0-9]+)$/.exec(hint.path ?? '')?.[1]?.toLowerCase() ?? '';
  const named = Object.hasOwn(extensions, extension) ? extensions[extension] : undefined;
  if (named !== undefined) return named;
  const language = hint.languageId ?? '';
  return (Object.hasOwn(languages, language) ? languages[language] : undefined) ?? formatOfContent(text);
}

/** Judges by the first 4 KB, so that the choice costs nothing on a large file. */
function formatOfContent(text: string): ConfigFormat {
  const head = text.slice(0, 4096).replace(/^\uFEFF/, '');
  if (/^#!.*\b(?:ba|z|k|da)?sh\b/.test(head)) return 'shell';
  const lines = head.split(/\r?\n|\r/).filter((line) => line.trim() !== '' && !/^\s*(?:#|\/\/)/.test(line));
  const first = lines[0]?.trim() ?? '';
  if (/^[{[]/.test(first) && !/^\[\[?[A-Za-z_][\w. "'-]*\]\]?\s*(?:#.*)?$/.test(first)) {
    // JSON with `#` comments is YAML's business.
    return /^\s*#/m.test(head) ? 'yaml' : 'json';
  }
  const count = (pattern: RegExp): number => lines.reduce((sum, line) => sum + (pattern.test(line) ? 1 : 0), 0);
  const tables = count(/^\s*\[\[?[A-Za-z_][\w. "'-]*\]\]?\s*(?:#.*)?$/);
  const gin = count(/^(?:include|import)\s+['"\w]|=\s*[@%][\w./]+(?:\(\))?\s*$|^[A-Za-z_]\w*(?:\.\w+)*\.[A-Z]\w*(?:\.\w+)?\s*[:=]/);
  const bound = count(/^\s*[\w.-]+\s+=\s|^\s*[\w.-]+\s*=\s*(?:["'[{]|true|false)/);
  const options = count(/(?:^|\s)--?[A-Za-z][\w-]*(?:[ =]\S+)?\s*\\$|^\s*(?:torchrun|python3?|deepspeed|vllm|srun)\s/);
  const scores: readonly (readonly [ConfigFormat, number])[] = [
    ['shell', options + count(/^\s*(?:export\s+)?[A-Za-z_]\w*=\S/)],
    // Plain bindings look the same in both; one line that only gin has, and no table, decides.
    ['gin', gin > 0 && tables === 0 ? gin + bound : 0],
    ['toml', tables + bound],
    ['yaml', count(/^\s*(?:- +)?["']?[\w./ -]+["']?\s*:(?:\s|$)|^---\s*$|^\s*- /)],
  ];
  let best: ConfigFormat = first === '' ? 'json' : 'yaml';
  let most = 0;
  for (const [format, score] of scores) {
    if (score > most) {
      best = format;
      most = score;
    }
  }
  return best;
}

/** Reads a config in any format; never throws. A text that is too large has no root and one problem that says so. */
export function parseConfig(text: string, hint: FormatHint): ParsedConfig {
  const format = formatOf(text, hint);
  const unread = (message: string): ParsedConfig => ({
    format,
    text,
    root: undefined,
    problems: [{ range: range(0, 0), message }],
    comments: [],
  });
  const limit = format === 'json' ? maximumLength : maximumSlowLength;
  if (text.length > limit) return unread(tooLarge(text.length, limit));
  try {
    return readers[format](text);
  } catch {
    // The libraries below were not written for hostile text; one file must not take the rest down.
    return unread('The file cannot be read.');
  }
}

export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

export type Decoded =
  | {
      readonly text: string;
      readonly encoding: Encoding;
      /** A byte order mark came first; it is not in `text`. */
      readonly bom: boolean;
    }
  | { readonly unreadable: string };

/** Text of a file's bytes, or a sentence that says why there is none. */
export function decodeBytes(bytes: Uint8Array, limit: number = maximumLength): Decoded {
  if (bytes.length > limit) return { unreadable: tooLarge(bytes.length, limit) };
  const [a, b, c] = bytes;
  if (a === 0xef && b === 0xbb && c === 0xbf) return decode(bytes.subarray(3), 'utf-8', true);
  if (a === 0xff && b === 0xfe) return decode(bytes.subarray(2), 'utf-16le', true);
  if (a === 0xfe && b === 0xff) return decode(bytes.subarray(2), 'utf-16be', true);
  const zero = bytes.indexOf(0);
  if (zero < 0) return decode(bytes, 'utf-8', false);
  const wide = evidentUtf16(bytes);
  if (wide !== undefined) return decode(bytes, wide, false);
  return { unreadable: `Binary data, not text: ${binaryKind(bytes) ?? `a zero byte at offset ${zero}`}.` };
}

function decode(bytes: Uint8Array, encoding: Encoding, bom: boolean): Decoded {
  if (encoding !== 'utf-8' && bytes.length % 2 !== 0) return { unreadable: 'The UTF-16 text ends in the middle of a character.' };
  try {
    const text = new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
    const zero = text.indexOf('\0');
    if (zero >= 0) return { unreadable: `Binary data, not text: a zero character at position ${zero}.` };
    return { text, encoding, bom };
  } catch {
    const kind = binaryKind(bytes);
    if (kind !== undefined) return { unreadable: `Binary data, not text: ${kind}.` };
    return { unreadable: encoding === 'utf-8' ? 'The file is not valid UTF-8 text.' : 'The file is not valid UTF-16 text.' };
  }
}

/** Mostly ASCII text in UTF-16 has a zero in every other byte and none in the rest. */
function evidentUtf16(bytes: Uint8Array): Encoding | undefined {
  if (bytes.length % 2 !== 0 || bytes.length < 4) return undefined;
  const sample = Math.min(bytes.length, 1024);
  let even = 0;
  let odd = 0;
  for (let i = 0; i < sample; i++) {
    if (bytes[i] !== 0) continue;
    if (i % 2 === 0) even++;
    else odd++;
  }
  const enough = sample * 0.4;
  if (even === 0 && odd >= enough) return 'utf-16le';
  if (odd === 0 && even >= enough) return 'utf-16be';
  return undefined;
}

const signatures: readonly (readonly [string, readonly number[]])[] = [
  ['a GGUF checkpoint', [0x47, 0x47, 0x55, 0x46]],
  ['a zip archive or PyTorch checkpoint', [0x50, 0x4b, 0x03, 0x04]],
  ['a Python pickle', [0x80, 0x02]],
  ['gzip data', [0x1f, 0x8b]],
  ['a PNG picture', [0x89, 0x50, 0x4e, 0x47]],
  ['a PDF document', [0x25, 0x50, 0x44, 0x46]],
];

function binaryKind(bytes: Uint8Array): string | undefined {
  for (const [kind, start] of signatures) if (start.every((byte, index) => bytes[index] === byte)) return kind;
  // Safetensors: header length in eight little-endian bytes, then its JSON.
  if (bytes[8] === 0x7b && bytes[5] === 0 && bytes[6] === 0 && bytes[7] === 0) return 'a safetensors checkpoint';
  return undefined;
}
