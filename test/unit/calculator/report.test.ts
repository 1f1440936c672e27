import assert from 'node:assert/strict';
import { compare } from '../../../src/calculator/compare.ts';
import { type Report, report } from '../../../src/calculator/report.ts';
import { readDesign } from '../../../src/design/read.ts';
import { parseJson } from '../../../src/syntax/json.ts';
import { useLayoutsOfSource } from './layouts.ts';

const problemsOf = (query: string): readonly (readonly [string, string])[] =>
  report(query).problems.map(({ start, end, message }) => [query.slice(start, end), message] as const);

describe('a whole result', () => {
  before(useLayoutsOfSource);

  it('is plain data', () => {
    for (const query of ['', 'd=4096', 'llama3-8b T=128k B=64 tp=8 pp=2', 'deepseek-v3 T=1M B=1024', 'kv=? h=32', 'd=7 h=2', 'gpt5-9x'])
      assert.deepEqual(JSON.parse(JSON.stringify(report(query))), report(query), query);
  });

  it('keeps every digit of numbers that a double does not hold', () => {
    const { training } = report('deepseek-v3 T=1M B=1024 bf16');
    const flops = training?.flops.find(({ id }) => id === 'forwardFlops')?.value;
    assert.equal(typeof flops, 'string');
    const rule = training?.flops.find(({ id }) => id === 'sixNd')?.value;
    assert.equal(rule, String(6n * 671_026_404_352n * 2n ** 30n));
  });

  it('adds up: steps to layers, parts to the total', () => {
    for (const query of [
      'llama3-8b T=2k',
      'gemma3-4b T=2k',
      'gpt-oss-20b T=2k',
      'deepseek-v3 T=2k',
      'gpt2 T=1k',
      'whisper-tiny',
      't5-base',
    ]) {
      const { layers, parts, totals, outside, training } = report(query);
      for (const { steps, sum, label } of layers)
        for (const name of ['parameters', 'forwardFlops', 'backwardFlops', 'activationBytes', 'fusedActivationBytes'] as const)
          assert.equal(
            steps.reduce((total, step) => total + BigInt(step[name]), 0n),
            BigInt(sum[name]),
            `${query} ${label} ${name}`,
          );
      assert.equal(
        parts.reduce((total, { value }) => total + BigInt(value), 0n),
        BigInt(totals.parameters ?? -1),
        query,
      );
      if (training === undefined || training.flops.length === 0) continue;
      const forward = [
        ...layers.map(({ count, sum }) => BigInt(count) * BigInt(sum.forwardFlops)),
        ...outside.map(({ forwardFlops }) => BigInt(forwardFlops)),
      ];
      assert.equal(
        forward.reduce((total, flops) => total + flops, 0n),
        BigInt(training.flops.find(({ id }) => id === 'forwardFlops')?.value ?? -1),
        query,
      );
    }
  });

  it('follows the data through a layer from the input to the head', () => {
    const { layers, outside } = report('llama3-8b T=2k');
    const ids = layers[0]?.steps.map(({ id }) => id);
    const wanted = [
      'attentionNorm',
      'queries',
      'keys',
      'values',
      'headSplit',
      'rotary',
      'scores',
      'weights',
      'weightedValues',
      'concatenation',
    ];
    assert.deepEqual(ids?.slice(0, wanted.length), wanted);
    assert.deepEqual(
      outside.map(({ id, shape }) => [id, shape]),
      [
        ['input', [1, 2048, 4096]],
        ['finalNorm', [1, 2048, 4096]],
        ['head', [1, 2048, 128256]],
      ],
    );
    // Learned positions are added to the input: nothing is rotated.
    assert.equal(
      report('gpt2 T=1k').layers[0]?.steps.some(({ id }) => id === 'rotary'),
      false,
    );
  });

  it('counts matrices of an expression as far as it decides them, and says what it leaves out', () => {
    // A plain decoder with the sizes of Llama 3 8B: its parameters but for 65 norms of 4,096.
    const made = report('d=4096 h=32 kv=8 L=32 ff=14336 gated V=128256 untied bf16');
    const weights = made.rows.find(({ id }) => id === 'parameters');
    assert.equal(weights?.label, 'Weights in matrices');
    assert.equal(Number(weights?.value), 8_030_261_248 - 65 * 4096);
    assert.equal(made.totals.parameters, undefined);
    assert.ok(made.notModelled.some((reason) => /biases and norms are not counted/.test(reason)));
    assert.ok(report('d=4096 h=32 L=32 ff=8192 gated V=1000').notModelled.some((reason) => /say tied or untied/.test(reason)));
    // What its heads are is not known: nothing is counted by half.
    assert.equal(report('d=4096 L=32 ff=8192 gated V=1000 untied').training, undefined);
  });

  it('draws the cache against the context as each kind of attention keeps it', () => {
    const curves = (query: string): ReadonlyMap<string, number> =>
      new Map(report(query).cacheCurves.map(({ label, points }) => [label, Number(points.at(-1)?.[1])]));
    const tokens = 131072;
    // 32 layers, heads of 128, keys and values in two bytes.
    assert.deepEqual(
      [...curves('llama3-8b')],
      [
        ['MHA (32)', tokens * 32 * 32 * 512],
        ['GQA (8)', tokens * 32 * 8 * 512],
        ['MQA (1)', tokens * 32 * 512],
        ['MLA (512 + 64)', tokens * 32 * 576 * 2],
      ],
    );
    assert.equal(report('llama3-8b').cacheCurves.find(({ own }) => own)?.label, 'GQA (8)');
    assert.equal(report('deepseek-v3').cacheCurves.find(({ own }) => own)?.label, 'MLA (512 + 64)');
    assert.equal(curves('deepseek-v3').get('MLA (512 + 64)'), tokens * 70272);
    assert.deepEqual(report('bert-base').cacheCurves, []);
  });

  it('says what is wrong at the character that caused it', () => {
    const cases: readonly (readonly [query: string, at: string, message: RegExp])[] = [
      ['llama3-8b T=-5', '-5', /At least 1/],
      ['llama3-8b T=0', '0', /At least 1/],
      ['llama3-8b T=1e400', '1e400', /beyond what can be meant/],
      ['llama3-8b T=NaN', 'NaN', /not a size/],
      ['llama3-8b T=9999999999999999', '9999999999999999', /At most 10\^15/],
      ['llama3-8b tp=0', '0', /number of devices/],
      ['llama3-8b tp=1.5', '1.5', /whole number/],
      ['llama3-8b tp=8 tp=4', 'tp', /set twice/],
      ['llama3-8b zero=4', '4', /zero is one of 0, 1, 2, 3/],
      ['llama3-8b recompute=some', 'some', /recompute is one of none, selective, full/],
      ['llama3-8b optimizer=adamv', 'adamv', /Did you mean adam/],
      ['llama3-8b weights=int5', 'int5', /weights is one of/],
      ['llama3-9b T=4k', 'llama3-9b', /No design or GPU is called llama3-9b\. Did you mean llama3-8b/],
      ['llama3-8b gpt2', 'gpt2', /Only one design can be the base/],
      ['llama3-8b gpu=h101', 'h101', /No GPU is called h101\. Did you mean/],
      ['llama3-8b h=33', '33', /does not split into 33 heads|cannot share/],
      ['llama3-8b kv=5', '5', /cannot share 5 KV heads/],
      ['llama3-8b memory<0 T=?', '0', /At least 1 is needed here \(a limit\)/],
      ['llama3-8b mem<80GX T=?', 'GX', /no unit/],
      ['llama3-8b E=4 topk=x', 'x', /neither a number nor a quantity/],
      ['llama3-8b tp', 'tp', /needs a value/],
      ['llama3-8b sp=? tp=2', '?', /number belongs here/],
      ['llama3-8b gpt5', 'gpt5', /no design, GPU or data type\. Did you mean gpt2/],
    ];
    for (const [query, at, message] of cases) {
      const [problem] = problemsOf(query);
      assert.equal(problem?.[0], at, query);
      assert.match(problem?.[1] ?? '', message, query);
    }
  });

  it('takes names of designs and GPUs for what they are, also between sizes', () => {
    const made = report('T=4k qwen2.5-7b B=2 h100-pcie a100-40gb');
    assert.deepEqual(made.problems, []);
    assert.equal(made.title, 'qwen2.5-7b');
    assert.deepEqual([...new Set(made.serving?.rooflines.map(({ gpu }) => gpu))], ['A100 40GB SXM', 'H100 PCIe']);
    // A minus between names that are set is arithmetic.
    assert.deepEqual(problemsOf('d=4096 h=32 ff=4*d-h'), []);
    assert.deepEqual(report('d=4096 h=32 ff=4*d-h').design.intermediateSize?.value, 4 * 4096 - 32);
  });

  it('gives no totals for a model whose layers are not known', () => {
    const reading = readDesign(
      parseJson(
        JSON.stringify({
          model_type: 'llama',
          architectures: ['LlamaForCausalLM'],
          hidden_size: 64,
          num_attention_heads: 4,
          num_hidden_layers: 2,
          intermediate_size: 128,
          vocab_size: 100,
          mixture_of_depths_capacity: 0.5,
          num_experts: 4,
        }),
      ),
    );
    const made = report('T=128', reading);
    assert.equal(made.totals.parameters, undefined);
    assert.equal(made.training, undefined);
    assert.ok(made.notModelled.some((reason) => /^Parameters: /.test(reason)));
  });
});

describe('two results side by side', () => {
  before(useLayoutsOfSource);

  const of = (differences: ReturnType<typeof compare>, section: string, id: string) =>
    differences.find((each) => each.section === section && each.id === id);

  it('are compared field by field, exactly', () => {
    const differences = compare(report('llama3-8b T=8k'), report('mistral-7b T=8k'));
    assert.deepEqual(of(differences, 'totals', 'parameters'), {
      section: 'totals',
      id: 'parameters',
      label: 'parameters',
      unit: null,
      first: 8_030_261_248,
      second: 7_241_732_096,
      same: false,
      difference: 7_241_732_096 - 8_030_261_248,
    });
    assert.equal(of(differences, 'design', 'hiddenSize')?.same, true);
    assert.equal(of(differences, 'design', 'slidingWindow')?.first, null);
    assert.equal(of(differences, 'design', 'slidingWindow')?.second, 4096);
    assert.equal(of(differences, 'servingMemory', 'cachePerSequence')?.difference, -(2 ** 29));
    assert.equal(of(differences, 'parameters', 'lm_head.weight')?.same, false);
    assert.equal(of(differences, 'parameters', 'model.layers.{i}.self_attn.q_proj.weight')?.same, true);
  });

  it('have no differences with themselves, and opposite ones the other way', () => {
    const [one, two]: readonly Report[] = [report('gpt2 T=1k tp=2'), report('gpt2-xl T=1k tp=5')];
    assert.ok(one !== undefined && two !== undefined);
    assert.ok(compare(one, one).every(({ same, difference }) => same && (difference === undefined || difference === 0)));
    const there = compare(one, two);
    const back = new Map(compare(two, one).map((each) => [`${each.section} ${each.id}`, each]));
    assert.equal(back.size, there.length);
    for (const { section, id, first, second, difference } of there) {
      const other = back.get(`${section} ${id}`);
      assert.deepEqual([other?.first, other?.second], [second, first], `${section} ${id}`);
      assert.equal(BigInt(other?.difference ?? 0), -BigInt(difference ?? 0));
    }
  });
});
