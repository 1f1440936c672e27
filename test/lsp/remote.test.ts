import { deepEqual, equal, ok } from 'node:assert/strict';
import { InlayHintRequest } from 'vscode-languageserver/node';
import { grouped } from '../../src/calculator/shapes.ts';
import { messageOf, pullCapabilities, TestClient } from './client.ts';

/** A folder that lies on no disk, as of a repository that is looked at in a browser. */
const root = 'vscode-vfs://github/someone/a%20model';

describe('a workspace whose files only the client can read', () => {
  let client: TestClient;
  const files = new Map<string, string>();
  const asked: string[] = [];
  const uriOf = (path: string): string => `${root}/${path}`;

  beforeEach(async () => {
    files.clear();
    asked.length = 0;
    const capabilities = {
      ...pullCapabilities,
      workspace: { ...pullCapabilities.workspace, inlayHint: { refreshSupport: true } },
    };
    client = await TestClient.start({ rootUri: root, capabilities, initializationOptions: { readFile: true, readFolder: true } });
    client.connection.onRequest('headwise/readFile', ({ uri }: { uri: string }) => {
      asked.push(uri);
      return files.get(uri.slice(root.length + 1)) ?? null;
    });
    client.connection.onRequest('headwise/readFolder', ({ uri }: { uri: string }) => {
      asked.push(`${uri}/`);
      const folder = uri === root ? '' : `${uri.slice(root.length + 1)}/`;
      const below = [...files.keys()].filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length));
      return below.length === 0 ? null : [...new Set(below.map((path) => path.replace(/\/.*/, '')))];
    });
  });
  afterEach(async () => {
    equal(await client.stop(), 0);
  });

  const hints = async (uri: string): Promise<string[]> => {
    const range = { start: { line: 0, character: 0 }, end: { line: 999, character: 0 } };
    const found = await client.connection.sendRequest(InlayHintRequest.type, { textDocument: { uri }, range });
    return (found ?? []).map(({ label }) => String(label));
  };
  const refreshed = async (work: () => Promise<unknown>): Promise<void> => {
    client.refreshes.length = 0;
    await work();
    await client.until('the client to be asked again', () => client.refreshes.includes('workspace/inlayHint/refresh'));
  };

  const layers = `import torch.nn as nn
from .sizes import factor

class Gate(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Linear(dim, factor * dim)

    def forward(self, x):
        return self.proj(x)
`;
  const model = `import torch.nn as nn
from package.parts import Gate

class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gate = Gate(dim)
        self.out = nn.Linear(2 * dim, dim)

    def forward(self, x):
        h = self.gate(x)
        return x + self.out(h)
`;
  const write = (): void => {
    files.set('package/__init__.py', '');
    files.set('package/parts/__init__.py', 'from .layers import Gate\n');
    files.set('package/parts/layers.py', layers);
    files.set('package/parts/sizes.py', 'factor = 2\n');
    files.set('package/parts/unused.py', 'width = 3\n');
    files.set('model.py', model);
  };

  it('follows imports through packages, and renews what it said when they change', async () => {
    write();
    const uri = uriOf('model.py');
    await refreshed(async () => {
      await client.open(uri, 'python', model);
      await client.pull(uri);
    });
    deepEqual(await hints(uri), [': (B, T, 2 * dim)']);
    deepEqual(await client.pull(uri), []);
    files.set('package/parts/sizes.py', 'factor = 3\n');
    await refreshed(async () => {
      await client.fileChanged(uriOf('package/parts/sizes.py'));
      // What is asked for in between may be said without the file that changed.
      await client.pull(uri);
    });
    await client.until('the file to be read again', () => asked.filter((each) => each.endsWith('sizes.py')).length === 2);
    await new Promise((resolve) => setTimeout(resolve, 600));
    deepEqual(await hints(uri), [': (B, T, 3 * dim)']);
    const [finding, ...rest] = await client.pull(uri);
    deepEqual([finding?.code, rest], ['HW211', []]);
    ok(messageOf(finding).includes('3 * dim'), messageOf(finding));
    // An edit of an open file counts before it is saved.
    const sizes = uriOf('package/parts/sizes.py');
    await client.open(sizes, 'python', 'factor = 3\n');
    await refreshed(() => client.replace(sizes, '3', '2'));
    deepEqual(await client.pull(uri), []);
  });

  it('holds the code of a configuration against its family, wherever in the workspace it lies', async () => {
    files.set('src/__init__.py', '');
    files.set(
      'src/parts.py',
      `import torch
import torch.nn as nn

class Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        d = config.hidden_size
        self.q_proj = nn.Linear(d, d, bias=False)
        self.k_proj = nn.Linear(d, d, bias=False)
        self.v_proj = nn.Linear(d, d, bias=False)
        self.o_proj = nn.Linear(d, d, bias=False)

class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)
`,
    );
    const code = `import torch.nn as nn
from .parts import Attention, FeedForward, Norm

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
    files.set('src/modeling_llama.py', code);
    const config = JSON.stringify({
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      tie_word_embeddings: false,
      hidden_size: 64,
      intermediate_size: 160,
      num_attention_heads: 8,
      num_key_value_heads: 8,
      num_hidden_layers: 3,
      vocab_size: 100,
    });
    const uri = uriOf('checkpoints/config.json');
    files.set('checkpoints/config.json', config);
    await client.open(uri, 'json', config);
    const compare = (...modules: readonly string[]): Promise<unknown> =>
      client.connection.sendRequest('headwise/compareCode', { uri, design: '', modules: modules.map(uriOf) });
    // Embedding and head, three layers of four projections, three matrices and two norms, and the last norm.
    const total = 2 * 100 * 64 + 3 * (4 * 64 * 64 + 3 * 64 * 160 + 2 * 64) + 64;
    const agreed = { text: `LlamaForCausalLM in modeling_llama.py makes the same ${grouped(BigInt(total))} parameters.`, isProblem: false };
    deepEqual(await compare('src/modeling_llama.py'), agreed);
    equal(await compare(), null);
    // Named otherwise it may be another project's.
    files.set('src/modeling_other.py', code);
    await client.fileChanged(uriOf('src/modeling_other.py'));
    equal(await compare('src/modeling_other.py'), null);
    // The same twice is the same; of two that differ none is meant.
    files.set('copy/__init__.py', '');
    files.set('copy/parts.py', files.get('src/parts.py') ?? '');
    files.set('copy/modeling_llama.py', code);
    for (const name of ['__init__', 'parts', 'modeling_llama']) await client.fileChanged(uriOf(`copy/${name}.py`));
    deepEqual(await compare('src/modeling_llama.py', 'copy/modeling_llama.py'), agreed);
    files.set('fork/modeling_llama.py', code.replace('bias=False', 'bias=True'));
    await client.fileChanged(uriOf('fork/modeling_llama.py'));
    equal(await compare('src/modeling_llama.py', 'fork/modeling_llama.py'), null);
    files.set('src/parts.py', (files.get('src/parts.py') ?? '').replaceAll('o_proj', 'out_proj'));
    await client.fileChanged(uriOf('src/parts.py'));
    deepEqual(await compare('src/modeling_llama.py'), {
      text: 'LlamaForCausalLM in modeling_llama.py makes other parameters than are counted here: model.layers.{i}.self_attn.out_proj.weight.',
      isProblem: true,
    });
  });

  it('finds a module once there is one, in a folder that was not there', async () => {
    const uri = uriOf('model.py');
    files.set('model.py', model);
    await refreshed(async () => {
      await client.open(uri, 'python', model);
      await client.pull(uri);
    });
    // What calls an unknown module has no shape to show.
    deepEqual(await hints(uri), []);
    write();
    await refreshed(async () => {
      for (const path of files.keys()) await client.fileChanged(uriOf(path));
    });
    await refreshed(() => client.pull(uri));
    deepEqual(await hints(uri), [': (B, T, 2 * dim)']);
  });

  it('asks for nothing outside the folder, for no library, and for no file twice', async () => {
    write();
    const uri = uriOf('model.py');
    await refreshed(async () => {
      await client.open(uri, 'python', model);
      await client.pull(uri);
    });
    await client.replace(uri, 'h = self', 'g = self');
    await client.pull(uri);
    deepEqual(
      asked.filter((each) => !each.startsWith(`${root}/`)),
      [],
    );
    deepEqual([...asked].sort(), [...new Set(asked)].sort());
    deepEqual(asked.filter((each) => /torch|unused/.test(each)).sort(), []);
  });
});
