import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { rules } from '../../../src/rules/registry.ts';
import { badConfig, buildCli, folder, goodConfig, headwise, program } from './cli.ts';

describe('headwise', function () {
  this.timeout(30_000);
  let made: ReturnType<typeof folder>;
  let cwd: string;
  before(async () => {
    await buildCli();
    made = folder({
      'config.json': goodConfig.replace('\n}', ',\n  "num_key_value_heads": 4,\n  "torch_dtype": "bfloat16"\n}'),
      'bad.json': badConfig,
      'package.json': '{"name": "x", "version": "1.0.0"}',
    });
    cwd = made.path;
  });
  after(() => made.remove());
  const run = (...args: string[]) => headwise({ cwd }, ...args);

  it('says what it can do', async () => {
    const help = await run('--help');
    assert.equal(help.status, 0);
    for (const command of ['check', 'shapes', 'explain', 'rules', 'lsp']) {
      assert.match(help.stdout, new RegExp(`^ {2}${command} `, 'm'));
      const own = await run(command, '--help');
      assert.equal(own.status, 0);
      assert.match(own.stdout, new RegExp(`^Usage: headwise ${command}`, 'm'));
      assert.ok(Math.max(...own.stdout.split('\n').map((line) => line.length)) <= 100);
      assert.equal((await run('help', command)).stdout, own.stdout);
    }
    assert.match((await run('--version')).stdout, /^headwise \d+\.\d+\.\d+\n$/);
    assert.equal((await run()).status, 2);
  });

  it('answers mistakes with what was meant', async () => {
    const said = async (...args: string[]): Promise<string> => {
      const { status, stderr, stdout } = await run(...args);
      assert.equal(status, 2);
      assert.equal(stdout, '');
      return stderr;
    };
    assert.match(await said('chekc'), /Did you mean check\?/);
    assert.match(await said('config.json'), /headwise check config\.json/);
    assert.match(await said('check', '--fial-on', 'error'), /Did you mean --fail-on\?/);
    assert.match(await said('check', '--format', 'jsno'), /Did you mean json\?/);
    assert.match(await said('check', '--format'), /needs a value/);
    assert.match(await said('check', '--quiet=yes'), /takes no value/);
    assert.match(await said('check', '--tensor-parallel', '0'), /whole number of at least 1/);
    assert.match(await said('check', '--config', 'none.json'), /There is no such file/);
    assert.match(await said('explain', 'HW1O1'), /Did you mean HW101/);
    assert.match(await said('shapes', 'nothing-here'), /neither a file nor an expression/);
    assert.match(await said('lsp'), /--stdio/);
  });

  it('explains every rule', async () => {
    const list = JSON.parse((await run('rules', '--format', 'json')).stdout) as readonly { readonly code: string }[];
    assert.deepEqual(
      list.map(({ code }) => code),
      rules.map(({ code }) => code),
    );
    const text = await run('explain', 'hw101');
    assert.equal(text.status, 0);
    assert.match(text.stdout, /^HW101 heads-do-not-divide-width\n/);
    assert.match(
      (await run('explain', 'heads-do-not-divide-width', '--format', 'markdown')).stdout,
      /^# HW101: heads-do-not-divide-width\n/,
    );
    assert.equal(
      (JSON.parse((await run('explain', 'HW101', '--format', 'json')).stdout) as { readonly name: string }).name,
      'heads-do-not-divide-width',
    );
  });

  it('prints a design with every number, where it stands and where it came from', async () => {
    const { stdout, status } = await run('shapes', 'config.json', '--format', 'json');
    assert.equal(status, 0);
    interface Shown {
      readonly value: unknown;
      readonly source: string;
      readonly range: { readonly line: number; readonly column: number; readonly endLine: number; readonly endColumn: number } | null;
      readonly key?: string;
      readonly formula?: string;
    }
    const shapes = JSON.parse(stdout) as {
      readonly family: string;
      readonly dialect: string;
      readonly design: Readonly<Record<string, Shown>>;
      readonly designs: readonly { readonly name: string; readonly role: string; readonly fields: Readonly<Record<string, Shown>> }[];
      readonly shapes: readonly { readonly id: string; readonly value: unknown }[];
      readonly totals: { readonly cacheBytesPerToken?: number };
      readonly notModelled: readonly string[];
    };
    assert.equal(shapes.family, 'llama');
    assert.deepEqual(shapes.design.hiddenSize, {
      value: 768,
      source: 'written',
      range: { line: 3, column: 18, endLine: 3, endColumn: 21 },
      key: 'hidden_size',
    });
    assert.equal(shapes.design.headDim?.value, 64);
    assert.equal(shapes.design.headDim?.source, 'derived');
    assert.equal(shapes.design.keyValueHeads?.value, 4);
    assert.deepEqual(shapes.designs[0]?.fields, shapes.design);
    assert.deepEqual(shapes.shapes.find(({ id }) => id === 'keyProjection')?.value, ['256', '768']);
    // 12 layers of 4 KV heads with 64 features, keys and values, 2 bytes each.
    assert.equal(shapes.totals.cacheBytesPerToken, 12 * 4 * 64 * 2 * 2);
    assert.ok(Array.isArray(shapes.notModelled));
  });

  it('prints shapes for people, and over a file for a changed size', async () => {
    assert.match((await run('shapes', 'config.json')).stdout, /^ {2}hiddenSize +768 +hidden_size, line 3$/m);
    assert.match((await run('shapes', 'config.json', 'kv=2', 'T=1k')).stdout, /^ {2}K projection +\[128, 768\]/m);
    assert.match(
      (await run('shapes', 'config.json', '--format', 'markdown')).stdout,
      /^\| hiddenSize \| 768 \| hidden\\_size, line 3 \|$/m,
    );
  });

  it('prints what an expression gives', async () => {
    const { stdout, status } = await run('shapes', 'd=4096 h=32', 'kv=8', 'bf16', 'L=32');
    assert.equal(status, 0);
    assert.match(stdout, /^ {2}KV cache per token +131,072 bytes \(128 KiB\)/m);
    const wrong = await run('shapes', 'd=4096 h=33');
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /d=4096 h=33\n {11}\^\^\n$/);
  });

  it('says so where a file is no model configuration', async () => {
    const { stdout, stderr, status } = await run('shapes', 'package.json', '--format', 'json');
    assert.equal(status, 2);
    assert.match(stderr, /package\.json is not a model configuration\./);
    assert.deepEqual((JSON.parse(stdout) as { readonly design: unknown }).design, {});
    assert.match((await run('check', 'package.json')).stderr, /is not a model configuration; nothing was checked/);
  });

  it('serves an editor over standard input and output', async () => {
    const message = (body: object): string => {
      const text = JSON.stringify({ jsonrpc: '2.0', ...body });
      return `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
    };
    const child = spawn(process.execPath, [program, 'lsp', '--stdio'], { cwd, timeout: 20_000 });
    let stdout = '';
    /** Resolves when the server has written this. */
    const until = (text: string): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!stdout.includes(text)) return;
          child.stdout.off('data', look);
          resolve();
        };
        child.stdout.on('data', look);
        look();
      });
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
    child.stdin.write(message({ id: 1, method: 'initialize', params: { processId: process.pid, rootUri: null, capabilities: {} } }));
    await until('"id":1,"result":{');
    child.stdin.write(message({ method: 'initialized', params: {} }));
    child.stdin.write(message({ id: 2, method: 'shutdown' }));
    await until('"id":2');
    child.stdin.write(message({ method: 'exit' }));
    assert.equal(await closed, 0);
  });
});
