import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { presetNames } from '../../../src/calculator/presets.ts';
import { buildCli, folder, headwise, type Ran } from './cli.ts';

describe('headwise shapes', function () {
  this.timeout(60_000);
  let made: ReturnType<typeof folder>;
  before(async () => {
    await buildCli();
    made = folder({
      'config.json': JSON.stringify({
        model_type: 'llama',
        architectures: ['LlamaForCausalLM'],
        hidden_size: 4096,
        num_attention_heads: 32,
        num_key_value_heads: 8,
        num_hidden_layers: 32,
        intermediate_size: 14336,
        vocab_size: 128256,
        tie_word_embeddings: false,
        torch_dtype: 'bfloat16',
      }),
    });
  });
  after(() => made.remove());

  const run = (...args: string[]): Promise<Ran> => headwise({ cwd: made.path }, 'shapes', ...args);
  interface Result {
    readonly title?: string;
    readonly class: string | null;
    readonly design: Readonly<Record<string, { readonly value: unknown; readonly source: string; readonly range: unknown }>>;
    readonly parameters: Readonly<Record<string, readonly [number, readonly number[]]>>;
    readonly totals: { readonly parameters?: number; readonly cacheBytesPerToken?: number };
    readonly devices?: { readonly devices: number };
    readonly training?: { readonly memory: readonly { readonly id: string; readonly value: number }[] };
    readonly serving?: { readonly rooflines: readonly { readonly gpu: string }[] };
    readonly notModelled: readonly string[];
    readonly problems: readonly unknown[];
  }
  const json = async (...args: string[]): Promise<Result> => JSON.parse((await run(...args, '--format', 'json')).stdout) as Result;

  it('prints a published design by its name', async () => {
    const result = await json('llama3-8b', 'T=8k', 'tp=8', 'h100');
    assert.equal(result.class, 'LlamaForCausalLM');
    assert.equal(result.totals.parameters, 8_030_261_248);
    assert.deepEqual(result.parameters['model.layers.{i}.self_attn.k_proj.weight'], [32, [1024, 4096]]);
    assert.equal(result.devices?.devices, 8);
    assert.deepEqual([...new Set(result.serving?.rooflines.map(({ gpu }) => gpu))], ['H100 SXM']);
    assert.deepEqual(result.problems, []);
  });

  it('gives a file and the same design by its name the same numbers', async () => {
    const [file, preset] = await Promise.all([json('config.json', 'T=2k', 'tp=2'), json('llama3-8b T=2k tp=2')]);
    for (const key of ['parameters', 'totals', 'devices', 'training', 'serving'] as const) assert.deepEqual(file[key], preset[key], key);
  });

  it('replaces sizes of a file, and says where they came from', async () => {
    const result = await json('config.json', 'L=40', 'kv=4');
    assert.deepEqual(result.design.layers, { value: 40, source: 'written', range: { start: 2, end: 4 }, of: 'query' });
    // Eight layers more, and half the keys and values: 32 x 4096 x 1024 less, 8 layers of the new kind more.
    const layer = 4096 * (2 * 4096 + 2 * 512 + 3 * 14336) + 2 * 4096;
    assert.equal(result.totals.parameters, 40 * layer + 2 * 128256 * 4096 + 4096);
    assert.deepEqual(result.parameters['model.layers.{i}.self_attn.k_proj.weight'], [40, [512, 4096]]);
  });

  it('prints tables for people and for documents', async () => {
    const { stdout, status } = await run('llama3-8b', 'T=8k', 'tp=8', 'h100');
    assert.equal(status, 0);
    assert.match(stdout, /^ {2}Parameters +8,030,261,248 /m);
    assert.match(stdout, /^ {2}Softmax +\[1, 32, 8192, 8192\] /m);
    assert.match(stdout, /^ {2}8 x H100 SXM .*\(bandwidth\) +fits/m);
    const markdown = (await run('llama3-8b', 'T=8k', '--format', 'markdown')).stdout;
    assert.match(markdown, /^\| Query projection \| `\[B, T, h \* d_h\]` \| \[1, 8192, 4096\] \| 16,777,216 \|/m);
  });

  it('puts a second design beside the first', async () => {
    const { stdout, status } = await run('config.json', 'T=8k', '--compare', 'mistral-7b');
    assert.equal(status, 0);
    // The question goes to both: 1 GiB of cache against the half that the window leaves.
    assert.match(stdout, /KV cache of a sequence +1,073,741,824 +536,870,912 +-536,870,912$/m);
    assert.match(stdout, /^ +config\.json +mistral-7b +T=8k +difference$/m);
    const { differences } = JSON.parse((await run('llama3-8b', '--compare', 'llama3-8b', '--format', 'json')).stdout) as {
      readonly differences: readonly { readonly same: boolean }[];
    };
    assert.ok(differences.length > 20 && differences.every(({ same }) => same));
    assert.equal((await run('gpt2', '--compare', 'gpt2')).stdout, 'No differences.\n');
    assert.match(
      (await run('gpt2', '--compare', 'gpt2-xl', '--format', 'markdown')).stdout,
      /^\| totals \| parameters \| 124,439,808 \| 1,557,611,200 \| \+/m,
    );
  });

  it('points at what is wrong', async () => {
    const wrong = await run('llama3-8b', 'tp=3');
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /3 devices cannot share 32 heads/);
    assert.match(wrong.stderr, /llama3-8b tp=3\n {15}\^\n$/);
    const unknown = await run('llama3-9b');
    assert.equal(unknown.status, 2);
    assert.match(unknown.stderr, /neither a file nor an expression.*Did you mean llama3-8b\?/);
  });

  it('documents every option and every preset', () => {
    const docs = readFileSync(join(process.cwd(), 'docs', 'calculator.md'), 'utf8');
    for (const name of presetNames) assert.ok(docs.includes(`\`${name}\``), name);
    assert.match(docs, /--compare/);
  });
});
