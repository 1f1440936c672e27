import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { baseOf, compareCode } from '../../../src/server/calculator.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { differingTensors } from '../../../src/workspace/code/compare.ts';
import { folderLoaders } from '../../../src/workspace/code/node.ts';
import { useLayouts } from '../../../src/workspace/node.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../python/parser.ts';

/** Llama's parameters, written anew: what the library's class is to be held against. */
const code = `import torch
import torch.nn as nn


class Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        d, e = config.hidden_size, config.hidden_size // config.num_attention_heads
        self.q_proj = nn.Linear(d, config.num_attention_heads * e, bias=False)
        self.k_proj = nn.Linear(d, config.num_key_value_heads * e, bias=False)
        self.v_proj = nn.Linear(d, config.num_key_value_heads * e, bias=False)
        self.o_proj = nn.Linear(config.num_attention_heads * e, d, bias=False)


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = FeedForward(config)
        self.input_layernorm = Norm(config.hidden_size)
        self.post_attention_layernorm = Norm(config.hidden_size)


class Stack(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList([Layer(config) for _ in range(config.num_hidden_layers)])
        self.norm = Norm(config.hidden_size)


class LlamaForCausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.model = Stack(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
`;

const sizes = {
  hidden_size: 64,
  intermediate_size: 160,
  num_attention_heads: 8,
  num_key_value_heads: 2,
  num_hidden_layers: 3,
  vocab_size: 100,
};
const config = JSON.stringify(
  { architectures: ['LlamaForCausalLM'], model_type: 'llama', tie_word_embeddings: false, ...sizes },
  undefined,
  2,
);
/** Embedding and head, layers of attention, feed-forward and two norms, and the last norm. */
const total = 2 * 100 * 64 + 3 * (2 * 64 * 64 + 2 * 64 * 16 + 3 * 64 * 160 + 2 * 64) + 64;

describe('a model’s code and its family', () => {
  let folder: string;
  let python: PythonReader;
  before(async () => {
    python = pythonReader(await pythonParser());
    useLayouts();
    folder = mkdtempSync(join(tmpdir(), 'headwise-code-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function compared(source: string, text = config, isOpen = false) {
    const path = join(folder, isOpen ? 'other.py' : 'modeling_llama.py');
    writeFileSync(path, source);
    const analysis = analyse({ text, path: 'config.json' }, defaultSettings);
    const base = baseOf(analysis, analysis.reading?.designs ?? [], { uri: 'file:///config.json', design: '' });
    ok(base !== undefined);
    const loader = folderLoaders(python.parse).of(join(folder, 'config.json'));
    const found = compareCode(
      base,
      { folder, loader, parse: python.parse, open: isOpen ? [{ path, text: source }] : [] },
      (line, data = {}) => line.replace(/\{(\w+)\}/g, (_, name: string) => String(data[name])),
    );
    rmSync(path);
    return found;
  }

  it('agree where the code makes what the family lays out', async () => {
    const text = `LlamaForCausalLM in modeling_llama.py makes the same ${total.toLocaleString('en')} parameters.`;
    deepEqual(await compared(code), { text, isProblem: false });
    equal((await compared(code, config, true))?.isProblem, false);
  });

  it('disagree where the code makes other tensors, by their names', async () => {
    const renamed = await compared(code.replaceAll('o_proj', 'out_proj'));
    equal(renamed?.isProblem, true);
    match(renamed?.text ?? '', /: model\.layers\.\{i\}\.self_attn\.out_proj\.weight\.$/);
    const wide = await compared(code.replace('config.num_key_value_heads * e, bias=False)', 'config.num_attention_heads * e, bias=False)'));
    match(wide?.text ?? '', /: model\.layers\.\{i\}\.self_attn\.k_proj\.weight\.$/);
    const biased = await compared(code.replace('config.vocab_size, bias=False', 'config.vocab_size'));
    match(biased?.text ?? '', /: lm_head\.bias\.$/);
    const longer = await compared(code.replace('range(config.num_hidden_layers)', 'range(config.num_hidden_layers + 1)'));
    equal(longer?.isProblem, true);
  });

  it('say nothing where there is no code, or it cannot be followed whole', async () => {
    equal(await compared('class Other: pass\n'), undefined);
    const elsewhere = code.replace('nn.Linear(config.hidden_size, config.vocab_size, bias=False)', 'make_head(config)');
    equal(await compared(`from somewhere import make_head\n${elsewhere}`), undefined);
    equal(await compared(code, config.replace('"llama"', '"no_such_family"')), undefined);
    const listed = [{ name: 'w', count: 1, shapes: [[2, 2]] }];
    equal(
      differingTensors({ parameters: [{ name: 'w', shape: [2, undefined] }], unknown: [], variables: [], failures: [] }, listed),
      undefined,
    );
    equal(differingTensors({ parameters: [{ name: 'w', shape: [2, 2] }], unknown: ['x'], variables: [], failures: [] }, listed), undefined);
  });
});
