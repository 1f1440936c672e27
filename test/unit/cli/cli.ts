import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as esbuild from 'esbuild';

const root = process.cwd();
/** The built command line. */
export const program = join(root, 'dist/cli/main.js');

/** Builds the command line where it is absent or older than a source. Call in a `before` hook. */
export async function buildCli(): Promise<void> {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const newest = Math.max(
    ...sources.map((name) => statSync(join(root, 'src', name)).mtimeMs),
    statSync(join(root, 'package.json')).mtimeMs,
  );
  if (existsSync(program) && statSync(program).mtimeMs > newest) return;
  // Written aside and renamed: another process may be running the old one.
  const fresh = `${program}.${process.pid}`;
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: ['src/cli/main.ts'],
    outfile: fresh,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    mainFields: ['module', 'main'],
    logLevel: 'silent',
    plugins: [
      {
        // As in the product: the parser is a bundle of its own.
        name: 'python-apart',
        setup: ({ onResolve }) =>
          onResolve({ filter: /\/syntax\/python\/parse\.ts$/ }, ({ kind }) =>
            kind === 'dynamic-import' ? { path: '../python/parse.js', external: true } : undefined,
          ),
      },
    ],
  });
  renameSync(fresh, program);
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the built program as a process of its own; kills it after 20 seconds. */
export function headwise(options: RunOptions, ...args: string[]): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const { PATH, HOME, TMPDIR } = process.env;
    const child = spawn(process.execPath, [program, ...args], {
      cwd: options.cwd,
      env: { PATH, HOME, TMPDIR, ...options.env },
      timeout: 20_000,
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
  });
}

/** A folder with these files (path -> content), and a function that removes it. */
export function folder(files: Readonly<Record<string, string | Buffer>>): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'headwise-cli-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Heads that do not divide the width: one error, HW101. */
export const badConfig = `{
  "model_type": "llama",
  "hidden_size": 770,
  "num_attention_heads": 12,
  "num_hidden_layers": 12,
  "intermediate_size": 2048,
  "vocab_size": 32000
}
`;

export const goodConfig = badConfig.replace('770', '768');

/** One warning with a safe fix, HW901, and nothing else. */
export const fixableConfig =
  'model_type: llama\nhidden_size: 768\nnum_attention_heads: 12  # headwise: ignore[HW101]\nnum_hidden_layers: 12\nintermediate_size: 2048\n';

export const fixedConfig = fixableConfig.replace('  # headwise: ignore[HW101]', '');
