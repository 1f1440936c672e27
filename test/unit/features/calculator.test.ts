import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { parseQuery } from '../../../src/calculator/query.ts';
import { report } from '../../../src/calculator/report.ts';
import { designNameAt, queryOfSelection } from '../../../src/features/calculatorStart.ts';
import { configEdits, configText, resultLatex, resultMarkdown, shapeComment } from '../../../src/features/calculatorTexts.ts';
import { applyEdits } from '../../../src/text/edit.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../python/parser.ts';

const read = (text: string, path: string) => analyse({ text, path }, defaultSettings);

/** A configuration with the query's sizes written into it; the problem where that was not done. */
function edited(text: string, path: string, query: string): string {
  const { reading } = read(text, path);
  const [design] = reading?.designs ?? [];
  ok(reading !== undefined && design !== undefined);
  const written = configEdits(reading, design, query);
  return 'edits' in written ? applyEdits(text, written.edits) : 'problem' in written ? `problem: ${written.problem}` : written.text;
}

describe('where the calculator starts from', () => {
  it('takes a selected text for what it states', () => {
    equal(queryOfSelection('d=4096 h=32'), 'd=4096 h=32');
    equal(queryOfSelection(' d=4096\n  h = 32 '), 'd=4096 h = 32');
    equal(queryOfSelection('llama3-8b T=32k'), 'llama3-8b T=32k');
    equal(
      queryOfSelection('"hidden_size": 4096,\n  "num_attention_heads": 32,\n  "hidden_act": "silu"'),
      'hidden_size=4096 num_attention_heads=32',
    );
    equal(
      queryOfSelection('nn.MultiheadAttention(embed_dim=768, num_heads=12, dropout=0.1, batch_first=True)'),
      'embed_dim=768 num_heads=12',
    );
    equal(queryOfSelection('hidden_size: 512\nnum_heads: 8\n'), 'hidden_size: 512 num_heads: 8');
    equal(queryOfSelection('B, T, C = x.size()\nhead_dim = C // heads'), '');
    equal(queryOfSelection('return self.proj(y)'), '');
    equal(queryOfSelection(''), '');
    equal(queryOfSelection('x'.repeat(100_000)), '');
  });

  it('finds the stack around the cursor', () => {
    const text = JSON.stringify(
      {
        model_type: 'llava',
        text_config: { model_type: 'llama', hidden_size: 4096, num_attention_heads: 32, num_hidden_layers: 32 },
        vision_config: { model_type: 'clip_vision_model', hidden_size: 1024, num_attention_heads: 16, num_hidden_layers: 24 },
      },
      undefined,
      2,
    );
    const analysis = read(text, 'config.json');
    equal(designNameAt(analysis, text.indexOf('1024')), 'vision_config');
    equal(designNameAt(analysis, text.indexOf('4096')), 'text_config');
    equal(designNameAt(analysis, 0), analysis.reading?.designs[0]?.name);
    equal(designNameAt(read('{"a": 1}', 'other.json'), 3), undefined);
  });
});

describe('what the calculator writes', () => {
  const llama = `{
  "model_type": "llama",
  "hidden_size": 4096,
  "intermediate_size": 14336,
  "num_attention_heads": 32,
  "num_hidden_layers": 32,
  "vocab_size": 128256
}
`;

  it('sets the values of keys that stand in a configuration, and adds those that do not', () => {
    equal(
      edited(llama, 'config.json', 'd=5120 h=40 L=32'),
      llama.replace('4096', '5120').replace('"num_attention_heads": 32', '"num_attention_heads": 40'),
    );
    equal(edited(llama, 'config.json', 'kv=8 T=8k tp=8'), llama.replace('128256\n', '128256,\n  "num_key_value_heads": 8\n'));
    equal(edited(llama, 'config.json', 'd=4096'), 'problem: The file says all of this already.');
    const yaml = 'model_type: llama\nhidden_size: 4096 # wide\nnum_attention_heads: 32\nnum_hidden_layers: 32\n';
    equal(
      edited(yaml, 'model.yaml', 'd=2048 kv=8'),
      yaml.replace('4096', '2048').replace('layers: 32\n', 'layers: 32\nnum_key_value_heads: 8\n'),
    );
  });

  it('writes keys of the file’s own dialect', () => {
    const params = '{"dim": 4096, "n_layers": 32, "n_heads": 32, "vocab_size": 128256, "multiple_of": 1024, "norm_eps": 1e-05}';
    const wanted = params.replace('4096', '2048').replace('"n_heads": 32', '"n_heads": 16').replace('}', ', "n_kv_heads": 8}');
    equal(edited(params, 'params.json', 'd=2048 h=16 kv=8'), wanted);
  });

  it('writes nothing where what was written would not mean what was asked for', () => {
    // GPT-2 has as many KV heads as query heads: no key says otherwise.
    const gpt2 = '{"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12}';
    match(edited(gpt2, 'config.json', 'kv=4'), /^problem: /);
    equal(edited(gpt2, 'config.json', 'h=16'), gpt2.replace('12', '16'));
  });

  it('writes keys into a new file in its language', () => {
    const found = report('d=4096 h=32 kv=8 L=32');
    const text = (language: string, isEmpty = false): string => {
      const written = configText(found, language, isEmpty);
      return 'text' in written ? written.text : '';
    };
    for (const [language, path] of [
      ['json', 'config.json'],
      ['yaml', 'model.yaml'],
      ['toml', 'model.toml'],
    ] as const) {
      const fields = read(text(language, true), path).reading?.designs[0]?.fields;
      deepEqual(
        [fields?.hiddenSize?.value, fields?.queryHeads?.value, fields?.keyValueHeads?.value, fields?.layers?.value],
        [4096, 32, 8, 32],
        language,
      );
    }
    match(text('python'), /^hidden_size=4096,\nnum_attention_heads=32,\nnum_key_value_heads=8,\n/);
    match(text('json'), /^"hidden_size": 4096,\n"num_attention_heads": 32/);
  });

  it('writes shapes as comments where the language has any', () => {
    const found = report('d=4096 h=32 kv=8 T=8k B=4');
    deepEqual(shapeComment(found, 'python'), {
      text: '# x: (4, 8192, 4096)\n# q: (4, 32, 8192, 128), k: (4, 8, 8192, 128), v: (4, 8, 8192, 128)\n# scores: (4, 32, 8192, 8192), concatenated: (4, 8192, 4096)\n',
    });
    match(JSON.stringify(shapeComment(report('d=4096 h=32'), 'jsonc')), /\/\/ q: \(B, 32, T, 128\)/);
    deepEqual(shapeComment(found, 'json'), { problem: 'Plain JSON has no comments.' });
    deepEqual(shapeComment(report('d=4096'), 'python'), { problem: 'The width, the heads or the head dim are not known.' });
  });

  it('copies exact numbers as Markdown and LaTeX', () => {
    const found = report('llama3-8b T=8k');
    const markdown = resultMarkdown(found);
    // Published: 8,030,261,248 parameters; the cache of a token is 2 x 32 layers x 8 x 128 x 2 bytes.
    match(markdown, /\| Parameters \| 8,030,261,248 \|/);
    match(markdown, /\| 131,072 B \|/);
    match(markdown, /\| Scores \| `\[B, h, T, T\]` \| \[1, 32, 8192, 8192\] \|/);
    for (const line of markdown.split('\n').filter((each) => each.startsWith('|')))
      ok(line.replaceAll('\\|', '').split('|').length >= 4, line);
    const latex = resultLatex(found);
    match(latex, /Parameters & 8\\,030\\,261\\,248 \\\\/);
    match(latex, /\$\[B, h, T, d_\{\\mathrm\{h\}\}\]\$/);
    equal(latex.match(/\\begin\{tabular\}/g)?.length, latex.match(/\\end\{tabular\}/g)?.length);
    // No sign stands bare that LaTeX takes for its own.
    ok(!/(?<!\\)[%#](?! \\usepackage)/.test(latex), latex);
    ok(!/^[^$]*(?<!\\)_[^$]*$/m.test(latex.replaceAll(/\$[^$]*\$/g, '')));
  });

  it('leaves queries that it writes understood', () => {
    for (const text of ['"hidden_size": 4096, "num_key_value_heads": 8', 'embed_dim=768, num_heads=12'])
      deepEqual(parseQuery(queryOfSelection(text)).problems, []);
  });
});

describe('sizes written into code and gin files', () => {
  let python: PythonReader;
  before(async () => {
    python = pythonReader(await pythonParser());
  });

  /** The file with a query's sizes in it, which the reader then finds there; the problem where there is no place for one. */
  function written(text: string, path: string, query: string): string {
    const again = (source: string) => analyse({ text: source, path, python }, defaultSettings).reading;
    const reading = again(text);
    const [design] = reading?.designs ?? [];
    ok(reading !== undefined && design !== undefined, path);
    const found = configEdits(reading, design, query);
    if (!('edits' in found)) return 'problem' in found ? found.problem : found.text;
    const after = applyEdits(text, found.edits);
    const fields: Readonly<Record<string, { readonly value: unknown } | undefined>> = again(after)?.designs[0]?.fields ?? {};
    for (const [name, { value }] of Object.entries(parseQuery(query).values) as [string, { value: bigint }][])
      equal(fields[name]?.value, Number(value), name);
    return after;
  }

  it('replaces numbers of a call and adds arguments behind the last', () => {
    const lines = (heads: string, layers: string): string =>
      `from transformers import LlamaConfig

config = LlamaConfig(
    hidden_size=4096,
    ${heads}
    ${layers}
)
`;
    const text = lines('num_attention_heads=32,  # heads', 'num_hidden_layers=32,  # layers');
    equal(written(text, 'train.py', 'h=16'), lines('num_attention_heads=16,  # heads', 'num_hidden_layers=32,  # layers'));
    equal(
      written(text, 'train.py', 'kv=8 L=24'),
      lines('num_attention_heads=32,  # heads', 'num_hidden_layers=24, num_key_value_heads=8,  # layers'),
    );
    equal(
      written('from transformers import LlamaConfig\nc = LlamaConfig(hidden_size=64, num_attention_heads=4)\n', 'c.py', 'ff=100 h=2'),
      'from transformers import LlamaConfig\nc = LlamaConfig(hidden_size=64, num_attention_heads=2, intermediate_size=100)\n',
    );
  });

  it('replaces assignments of a training script', () => {
    const script = (layers: number, width: number): string => `n_layer = ${layers}\nn_head = 12\nn_embd = ${width}\nblock_size = 1024\n`;
    equal(written(script(12, 768), 'config/train.py', 'L=24 d=1536'), script(24, 1536));
  });

  it('adds nothing to a call that unseen code may add to', () => {
    const text = 'from transformers import LlamaConfig\nc = LlamaConfig(hidden_size=64, num_attention_heads=4, **extra)\n';
    equal(written(text, 'c.py', 'kv=2'), 'The file has no safe place for num_key_value_heads.');
  });

  it('replaces macros and bindings of a gin file', () => {
    const macros = (layers: number, inner: number): string =>
      `d_model = 512\nd_ff = ${inner}\nnum_layers = ${layers}\nnum_heads = 8\nd_kv = 64\nencoder/transformer.make_layer_stack.num_layers = %num_layers\n`;
    equal(written(macros(6, 2048), 't5.gin', 'L=24 ff=1024'), macros(24, 1024));
    const bindings = (heads: number): string =>
      `T5Config.vocab_size = 32128\nT5Config.emb_dim = 512\nT5Config.num_heads = ${heads}\nT5Config.num_encoder_layers = 8\nT5Config.num_decoder_layers = 8\nT5Config.head_dim = 64\nT5Config.mlp_dim = 1024\n`;
    equal(written(bindings(6), 'small.gin', 'h=8'), bindings(8));
    equal(written(bindings(6), 'small.gin', 'kv=2'), 'The file has no safe place for num_key_value_heads.');
  });
});
