import { deepEqual, equal, ok } from 'node:assert/strict';
import { mentionsHeads } from '../../../src/design/python/mention.ts';
import { inlayHints } from '../../../src/features/inlayHints.ts';
import { applyEdits } from '../../../src/text/edit.ts';
import { LineIndex } from '../../../src/text/lineIndex.ts';
import { type Analysis, analyse, needsPython } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from './parser.ts';

describe('Python configurations', () => {
  let python: PythonReader;
  before(async () => {
    python = pythonReader(await pythonParser());
  });

  const read = (text: string): Analysis => analyse({ text, path: 'model.py', python }, defaultSettings);

  /** `line:code` of every error and warning. */
  const found = (text: string): string[] => {
    const lines = new LineIndex(text);
    return read(text)
      .findings.filter(({ severity }) => severity === 'error' || severity === 'warning')
      .map(({ code, range }) => `${lines.positionAt(range.start).line + 1}:${code}`);
  };

  /** Width, heads, KV heads and layers of each stack, by name; null where unknown. */
  const designs = (text: string): Record<string, readonly (number | null)[]> =>
    Object.fromEntries(
      (read(text).reading?.designs ?? []).map(({ name, fields }) => [
        name,
        [fields.hiddenSize, fields.queryHeads, fields.keyValueHeads, fields.layers].map((field) => field?.value ?? null),
      ]),
    );

  it('reads flat assignments', () => {
    deepEqual(designs('n_layer = 12\nn_head = 12\nn_embd = 768\nblock_size = 1024\n'), { '': [768, 12, 12, 12] });
    deepEqual(found('n_layer = 12\nn_head = 12\nn_embd = 770\n'), ['2:HW101']);
  });

  it('reads dataclasses, config classes and pydantic models', () => {
    deepEqual(found('@dataclass\nclass GPTConfig:\n    n_layer: int = 12\n    n_head: int = 12\n    n_embd: int = 770\n'), ['4:HW101']);
    deepEqual(found('class ModelArgs:\n    dim: int = 4096\n    n_heads: int = 32\n    n_kv_heads: int = 5\n'), ['4:HW102']);
    deepEqual(found('class C(BaseModel):\n    d_model: int = Field(512, gt=0)\n    num_heads: int = Field(default=7)\n'), ['3:HW101']);
    deepEqual(found('class C(NamedTuple):\n    d_model: int = 512\n    num_heads: int = 7\n'), ['3:HW101']);
    const init = 'class MyConfig(PretrainedConfig):\n    def __init__(self, hidden_size=512, num_attention_heads=7, **kwargs):\n';
    deepEqual(found(`${init}        self.hidden_size = hidden_size\n        self.num_attention_heads = num_attention_heads\n`), [
      '2:HW101',
    ]);
  });

  it('reads dict literals and dict calls', () => {
    deepEqual(found('GPT_CONFIG = {\n    "emb_dim": 768,\n    "n_heads": 11,\n}\n'), ['3:HW101']);
    deepEqual(found('def f():\n    return dict(d_model=512, nhead=7)\n'), ['2:HW101']);
    deepEqual(designs('sizes = {\n    "small": {"n_embd": 768, "n_head": 12},\n    "large": dict(n_embd=1024, n_head=16),\n}\n'), {
      'sizes.small': [768, 12, 12, null],
      'sizes.large': [1024, 16, 16, null],
    });
    deepEqual(found('BASE = {"emb_dim": 768}\nC = {**BASE, "n_heads": 11}\n'), ['2:HW101']);
  });

  it("knows a library's config class by its import", () => {
    const call = 'c = LlamaConfig(hidden_size=4096, num_attention_heads=30)\n';
    deepEqual(found(`from transformers import LlamaConfig\n${call}`), ['2:HW101']);
    const [design] = read(`from transformers import LlamaConfig\n${call}`).reading?.designs ?? [];
    equal(design?.family, 'llama');
    deepEqual([design?.fields.layers?.value, design?.fields.layers?.source], [32, 'default']);
    // A class of the same name from elsewhere may have a head dim of its own.
    deepEqual(found(`from mymodels import LlamaConfig\n${call}`), []);
  });

  it("reads PyTorch's layers, by keyword and by position", () => {
    const torch = 'import torch\nimport torch.nn as nn\nfrom torch.nn import MultiheadAttention as MHA\n';
    deepEqual(found(`${torch}a = nn.TransformerEncoderLayer(d_model=512, nhead=7)\n`), ['4:HW101']);
    deepEqual(
      found(`${torch}a = nn.TransformerEncoderLayer(512, 8, 2048)\nb = MHA(512, 7)\nc = torch.nn.MultiheadAttention(512, num_heads=9)\n`),
      ['5:HW101', '6:HW101'],
    );
    deepEqual(found(`${torch}class A(nn.Module):\n    def __init__(self, d):\n        self.attn = nn.MultiheadAttention(d, 7)\n`), []);
    deepEqual(found('from mine import MultiheadAttention\na = MultiheadAttention(512, 7)\n'), []);
  });

  it('gives x-transformers heads their own width', () => {
    const text = 'from x_transformers import Decoder\nd = Decoder(dim=500, depth=12, heads=8, attn_kv_heads=3)\n';
    deepEqual(found(text), ['2:HW102']);
  });

  it('lays the arguments of a call over the defaults of the class in the same file', () => {
    const config = '@dataclass\nclass GPTConfig:\n    n_head: int = 12\n    n_embd: int = 768\n    n_layer: int = 12\n\n';
    deepEqual(designs(`${config}c = GPTConfig(n_layer=24, n_embd=1024, n_head=16)\n`), { c: [1024, 16, 16, 24] });
    deepEqual(found(`${config}c = GPTConfig(n_embd=770)\n`).length, 1);
    deepEqual(designs(`${config}c = GPTConfig(16, 1024)\n`), { c: [1024, 16, 16, 12] });
  });

  it('says once what a class and its instances share', () => {
    const config = '@dataclass\nclass GPTConfig:\n    n_head: int = 12\n    n_embd: int = 770\n    bias: bool = True\n\n';
    deepEqual(found(`${config}a = GPTConfig(bias=False)\nb = GPTConfig(bias=True)\n`), ['3:HW101']);
  });

  it('folds arithmetic and names that are assigned once', () => {
    const text =
      'import torch.nn as nn\nd_model = 2 ** 9\nheads = d_model // 64\nlayer = nn.TransformerDecoderLayer(d_model, heads, dim_feedforward=4 * d_model)\n';
    const [design] = read(text).reading?.designs ?? [];
    deepEqual([design?.fields.hiddenSize?.value, design?.fields.queryHeads?.value, design?.fields.intermediateSize?.value], [512, 8, 2048]);
  });

  it('says nothing where a value is not certain', () => {
    for (const text of [
      'n_embd = 768\nn_head = 11\nif big:\n    n_head = 16\n',
      'n_embd = 768\nn_head = 11\nfor n_head in (8, 12): pass\n',
      'n_embd = 768\nn_head = 11\ndef f():\n    global n_head\n    n_head = 12\n',
      'n_embd = 768\nn_head = int(sys.argv[1])\n',
      'def f(n):\n    return dict(d_model=512, nhead=n)\n',
      'nhead = 7\ndef f(nhead):\n    return dict(d_model=512, nhead=nhead)\n',
      'c = {"d_model": 512, "nhead": 7}\nc["nhead"] = 8\n',
      'c = {"d_model": 512, "nhead": 7}\nc.update(overrides)\n',
      'c = {"d_model": 512, "nhead": 7, **other}\n',
      'c = dict(d_model=512, nhead=7)\nm = Model(**c)\n',
      'from transformers import LlamaConfig\nc = LlamaConfig(hidden_size=512, num_attention_heads=7, **extra)\n',
      'class C(Base):\n    d_model: int = 512\n    num_heads: int = 7\n',
      'class CConfig(ABC):\n    d_model: int = 512\n    num_heads: int = 7\n',
      'class CConfig:\n    d_model: int = 512\n    num_heads: int = 7\n    @property\n    def head_dim(self): return 64\n',
      'class CConfig:\n    d_model: int = 512\n    num_heads: int = 7\n    def __post_init__(self): self.d_model = 64 * self.num_heads\n',
      'class ACfgConfig:\n    d_model: int = 512\n    num_heads: int = 7\nclass BConfig(ACfgConfig):\n    num_heads: int = 8\n',
      'class CConfig:\n    d_model: int = 512\n    num_heads: int = None\n    vocab_size: int = -1\n',
      'class Block(nn.Module):\n    d_model: int = 512\n    num_heads: int = 7\n',
      'class Block(nn.Module):\n    def __init__(self, d_model=512, num_heads=7): pass\n',
      'layers = [dict(d_model=d, nhead=7) for d in (512, 1024)]\n',
    ])
      deepEqual(found(text), [], text);
  });

  it('takes no ordinary file for a configuration', () => {
    for (const text of [
      'width = 3\nheads = 2\n',
      'num_layers = 3\nhidden = 10\nprint(num_layers)\n',
      'dim = 512\nheads = 7\nx = torch.zeros(dim, heads)\n',
      'coins = {"heads": 3, "tails": 4}\n',
      'def test(num_heads=7, embed_dim=512):\n    assert num_heads\n',
      'd_model = 512\nembed_dim = 768\nnum_heads = 7\n',
      '',
    ])
      equal(read(text).reading, undefined, text);
  });

  it('mends, suppresses and annotates as in other formats', () => {
    const bad = 'GPT = {\n    "emb_dim": 768,\n    "n_heads": 11,\n}\n';
    const [finding] = read(bad).findings;
    const [fix] = finding?.fixes ?? [];
    ok(fix !== undefined);
    const mended = applyEdits(bad, fix.edits);
    deepEqual(found(mended), []);
    deepEqual(found(bad.replace('11,', '11,  # headwise: ignore[HW101]')), []);
    deepEqual(found(`# headwise: file-ignore[HW101]\n${bad}`), []);
    ok(inlayHints(read(mended), { start: 0, end: mended.length }, (text) => text).length > 0);
    const library = 'from transformers import LlamaConfig\nc = LlamaConfig(hidden_size=4096, num_attention_heads=30)\n';
    for (const each of read(library).findings[0]?.fixes ?? []) deepEqual(found(applyEdits(library, each.edits)), [], each.title);
  });

  it('parses only what mentions heads', () => {
    for (const text of [
      'n_head = 3',
      'x.encoder_attention_heads',
      'Decoder(heads=8)',
      '{"heads": 8}',
      'nn.MultiheadAttention(1, 1)',
      'num_kv_heads',
    ])
      ok(mentionsHeads(text), text);
    for (const text of ['headers = {}', 'overheads', 'width = 3', 'def head(): pass']) ok(!mentionsHeads(text), text);
    ok(!needsPython({ text: 'n_head = 3', path: 'a.yaml' }));
    ok(needsPython({ text: 'n_head = 3', path: 'untitled', languageId: 'python' }));
  });
});
