// Rates of the symbolic sizes. Bundle this file for Node with esbuild and run it; `--json` prints the rows. Medians, one thread.
import { Bench } from 'tinybench';
import { add, type Dim, flexible, floorDiv, multiply, number, rigid } from '../../src/dims/dim.ts';
import { compare, Facts, simplify } from '../../src/dims/facts.ts';
import { formatDim } from '../../src/dims/format.ts';
import { parseDim } from '../../src/dims/parse.ts';
import { reshape } from '../../src/dims/reshape.ts';
import { type Context, linear, matmul, shapeOf } from '../../src/dims/shape.ts';
import { Substitution, unify } from '../../src/dims/unify.ts';

const [B, T, C] = ['B', 'T', 'C'].map((name) => flexible(name)) as [Dim, Dim, Dim];
const [width, heads, keyValueHeads] = ['n_embd', 'n_head', 'n_kv'].map((name) => rigid(name)) as [Dim, Dim, Dim];
const headDim = floorDiv(width, heads);
const three = number(3);
const facts = Facts.none.assumeDivides(heads, width).assumeDivides(keyValueHeads, heads);
const config = Facts.none.assume(
  Array.from({ length: 50 }, (_, i) => ({ kind: 'equal' as const, left: rigid(`config.field${i}`), right: number(i + 1) })),
);
const context: Context = { facts, substitution: Substitution.empty };
const hidden = shapeOf(B, T, width);
const queries = shapeOf(B, heads, T, headDim);
const keys = shapeOf(B, heads, headDim, T);
const table = new Map([
  ['n_embd', width],
  ['n_head', heads],
]);
let fresh = 2;

/** A size that no earlier round has seen, so that nothing is remembered about it. */
const unseen = (): Dim => number(++fresh);

async function main(): Promise<void> {
  const bench = new Bench({ time: Number(process.env.HEADWISE_BENCH_MS ?? 250), warmupTime: 50 });
  bench
    .add('construct: symbol', () => rigid('n_embd'))
    .add('construct: 3 * n_embd', () => multiply(three, width))
    .add('construct: B * T', () => multiply(B, T))
    .add('construct: n_embd // n_head', () => floorDiv(width, heads))
    .add('construct: n_head * (n_embd // n_head)', () => multiply(heads, headDim))
    .add('construct: unseen k * n_embd + n_head', () => add(multiply(unseen(), width), heads))
    .add('compare: same form', () => compare(headDim, headDim, facts))
    .add('compare: n_head * (n_embd // n_head), n_embd', () => compare(multiply(heads, headDim), width, facts))
    .add('compare: 3 * n_embd, n_embd', () => compare(multiply(three, width), width, facts))
    .add('compare: n_embd, n_head (unknown)', () => compare(width, heads, facts))
    .add('compare: unseen', () => compare(multiply(unseen(), width), multiply(heads, headDim), facts))
    .add('simplify: n_head * (n_embd // n_head)', () => simplify(multiply(heads, headDim), facts))
    .add('unify: C, n_embd', () => unify(C, width, Substitution.empty, facts))
    .add('facts: two divisions, first question', () =>
      compare(multiply(heads, headDim), width, Facts.none.assumeDivides(heads, width).assumeDivides(keyValueHeads, heads)),
    )
    .add('facts: one more beside 50 config values', () => compare(multiply(heads, headDim), width, config.assumeDivides(heads, width)))
    .add('shape: linear', () => linear(hidden, width, multiply(three, width), context))
    .add('shape: view (B, T, n_head, head_dim)', () => reshape(hidden, [B, T, heads, headDim], context))
    .add('shape: view (B, T, n_head, -1)', () => reshape(hidden, [B, T, heads, 'infer'], context))
    .add('shape: matmul', () => matmul(queries, keys, context))
    .add('format: n_head * (n_embd // n_head)', () => formatDim(multiply(heads, headDim)))
    .add('parse: n_head * (n_embd // n_head)', () => parseDim('n_head * (n_embd // n_head)', (name) => table.get(name)));
  await bench.run();
  const rows = bench.tasks.map((task) => {
    const { result } = task;
    if (!('latency' in result)) throw new Error(`${task.name} did not run`);
    return { name: task.name, medianNs: Math.round(result.latency.p50 * 1e6), perSecond: Math.round(result.throughput.mean) };
  });
  if (process.argv.includes('--json')) console.log(JSON.stringify(rows, undefined, 2));
  else console.table(rows);
}

await main();
