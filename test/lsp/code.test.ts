import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  CodeLensRequest,
  type CompletionItem,
  CompletionRequest,
  CompletionTriggerKind,
  type Diagnostic,
  InlayHintRequest,
  type Position,
} from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { CalculateResult, DesignResult } from '../../src/protocol/languageServer.ts';
import { messageOf, pullCapabilities, TestClient } from './client.ts';

/** Fused query, key and value projection, with a place for one more line. */
const attention = (line: string): string => `import torch.nn as nn

class Attention(nn.Module):
    def __init__(self, width: int = 768, heads: int = 12):
        super().__init__()
        self.heads = heads
        self.proj = nn.Linear(width, 3 * width)

    def forward(self, x):
        B, T, C = x.size()  # (B, T, C)
        q, k, v = self.proj(x).split(C, dim=2)
        ${line}
        return q
`;

describe('the language server on model code', () => {
  let client: TestClient;
  let opened = 0;
  beforeEach(async () => {
    client = await TestClient.start({ rootUri: 'file:///w' });
  });
  afterEach(async () => {
    equal(await client.stop(), 0);
  });

  /** Opens a text whose `¦` is the cursor. */
  async function openAt(marked: string, languageId = 'python'): Promise<{ readonly uri: string; readonly position: Position }> {
    const uri = `file:///w/model${++opened}.py`;
    const offset = marked.indexOf('¦');
    await client.open(uri, languageId, marked.replace('¦', ''));
    return { uri, position: client.document(uri).positionAt(offset) };
  }

  async function complete({ uri, position }: Awaited<ReturnType<typeof openAt>>, triggerCharacter?: string): Promise<CompletionItem[]> {
    const context = triggerCharacter === undefined ? undefined : { triggerKind: CompletionTriggerKind.TriggerCharacter, triggerCharacter };
    const found = await client.connection.sendRequest(CompletionRequest.type, { textDocument: { uri }, position, context });
    return Array.isArray(found) ? found : (found?.items ?? []);
  }

  describe('completes shape comments', () => {
    const taken = ({ uri }: { readonly uri: string }, item: CompletionItem | undefined): string => {
      ok(item?.textEdit !== undefined && 'range' in item.textEdit);
      return TextDocument.applyEdits(client.document(uri), [item.textEdit]).split('\n')[11]?.trim() ?? '';
    };

    it('with what the statement assigns, in the names of the comments around', async () => {
      for (const [typed, trigger] of [
        ['#¦', '#'],
        ['# ¦', ' '],
        ['# (¦)', undefined],
        ['# [B¦', undefined],
      ] as const) {
        const place = await openAt(attention(`q = q.view(B, T, self.heads, C // self.heads).transpose(1, 2)  ${typed}`));
        const [item, ...others] = await complete(place, trigger);
        deepEqual(others, []);
        const line = taken(place, item);
        match(line, /# \(B, \w+, T, .+\)$/, line);
        equal(item?.label, /\(B.*\)$/.exec(line.slice(line.indexOf('#')))?.[0]);
        // What is typed leads to the item, or the editor would hide it.
        ok(item?.filterText?.startsWith(typed.slice(1, typed.indexOf('¦')).trim()), item?.filterText);
      }
    });

    it('and stays silent elsewhere', async () => {
      const line = 'q = q.view(B, T, self.heads, C // self.heads)';
      for (const [typed, trigger] of [
        [`${line} ¦`, ' '],
        [`${line}  # what is ¦`, ' '],
        [`${line}  # heads first, then ¦`, undefined],
        ['name = "# ¦"', ' '],
      ] as const)
        deepEqual(await complete(await openAt(attention(typed)), trigger), [], typed);
      deepEqual(await complete(await openAt('# ¦\nhidden_size: 4\n', 'yaml'), '#'), []);
    });
  });
});

/** A causal block with grouped queries, pre-norm. */
const block = `import math
import torch
import torch.nn as nn
import torch.nn.functional as F
from dataclasses import dataclass

@dataclass
class ModelArgs:
    dim: int = 512
    n_heads: int = 8
    n_kv_heads: int = 2
    head_dim: int = 64

class Attention(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.args = args
        self.wq = nn.Linear(args.dim, args.n_heads * args.head_dim, bias=False)
        self.wk = nn.Linear(args.dim, args.n_kv_heads * args.head_dim, bias=False)
        self.wv = nn.Linear(args.dim, args.n_kv_heads * args.head_dim, bias=False)
        self.wo = nn.Linear(args.n_heads * args.head_dim, args.dim, bias=False)

    def forward(self, x):
        B, T, C = x.shape
        q = self.wq(x).view(B, T, self.args.n_heads, self.args.head_dim).transpose(1, 2)
        k = self.wk(x).view(B, T, self.args.n_kv_heads, self.args.head_dim).transpose(1, 2)
        v = self.wv(x).view(B, T, self.args.n_kv_heads, self.args.head_dim).transpose(1, 2)
        k = k.repeat_interleave(self.args.n_heads // self.args.n_kv_heads, dim=1)
        v = v.repeat_interleave(self.args.n_heads // self.args.n_kv_heads, dim=1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.wo(y.transpose(1, 2).reshape(B, T, -1))

class Block(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.norm1 = nn.LayerNorm(args.dim)
        self.attention = Attention(args)
        self.norm2 = nn.LayerNorm(args.dim)
        self.ffn = nn.Sequential(nn.Linear(args.dim, 4 * args.dim), nn.GELU(), nn.Linear(4 * args.dim, args.dim))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.ffn(self.norm2(x))
`;

describe('the language server on model code that rests on other files', () => {
  let directory: string;
  let client: TestClient;
  const uriOf = (path: string): string => pathToFileURL(join(directory, path)).href;
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  };
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'headwise-code-'));
    mkdirSync(join(directory, '.git'));
  });
  afterEach(async () => {
    equal(await client.stop(), 0);
    rmSync(directory, { recursive: true });
  });

  const start = async (settings: Readonly<Record<string, unknown>> = {}): Promise<void> => {
    const { workspace, ...others } = pullCapabilities;
    const capabilities = { ...others, workspace: { ...workspace, inlayHint: { refreshSupport: true } } };
    client = await TestClient.start({ rootUri: pathToFileURL(directory).href, settings, capabilities });
  };
  const open = async (path: string, text: string, languageId = 'python'): Promise<string> => {
    await client.open(uriOf(path), languageId, text);
    return uriOf(path);
  };
  const hints = async (uri: string): Promise<string[]> => {
    const range = { start: { line: 0, character: 0 }, end: { line: 999, character: 0 } };
    const found = await client.connection.sendRequest(InlayHintRequest.type, { textDocument: { uri }, range });
    return (found ?? []).map(({ label }) => String(label));
  };
  /** `HW211 config.json 3` for each place in another file that a finding points at, lines from 1. */
  const elsewhere = (found: readonly Diagnostic[], own: string): string[] =>
    found.flatMap(({ code, relatedInformation }) =>
      (relatedInformation ?? [])
        .filter(({ location }) => location.uri !== own)
        .map(({ location }) => `${code} ${location.uri.slice(uriOf('').length).replace(/^\//, '')} ${location.range.start.line + 1}`),
    );
  const refreshed = async (work: () => Promise<void>): Promise<void> => {
    client.refreshes.length = 0;
    await work();
    for (const method of ['workspace/diagnostic/refresh', 'workspace/inlayHint/refresh'])
      await client.until(method, () => client.refreshes.includes(method));
  };

  const mlp = `import torch.nn as nn

class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down = nn.Linear(config.ffn_size, config.hidden_size)

    def forward(self, x):
        h = self.up(x)
        return self.down(h)
`;
  const config = (ffn: number): string =>
    JSON.stringify({ model_type: 'custom', hidden_size: 64, intermediate_size: 172, ffn_size: ffn }, undefined, 2);

  it('takes the numbers of the config beside it, as it is on disk and as it is being edited', async () => {
    await start();
    write('model/config.json', config(172));
    const uri = await open('model/modeling.py', mlp);
    deepEqual(await hints(uri), [': (B, T, 172)']);
    deepEqual(await client.pull(uri), []);
    const values = await open('model/config.json', config(172), 'json');
    await refreshed(() => client.replace(values, '"ffn_size": 172', '"ffn_size": 170'));
    const found = await client.pull(uri);
    deepEqual(
      found.map(({ code }) => code),
      ['HW211'],
    );
    // The sizes that disagree stand in lines 4 and 5 of the config.
    deepEqual(elsewhere(found, uri).sort(), ['HW211 model/config.json 4', 'HW211 model/config.json 5']);
    const related = found[0]?.relatedInformation?.find(({ message }) => message.includes('170'));
    deepEqual(related?.location.range, client.rangeOf(values, '170'));
    await refreshed(() => client.replace(values, '"ffn_size": 170', '"ffn_size": 172'));
    deepEqual(await client.pull(uri), []);
    // Closed without being saved, it is what the disk holds.
    await refreshed(() => client.replace(values, '"intermediate_size": 172', '"intermediate_size": 96'));
    deepEqual(await hints(uri), [': (B, T, 96)']);
    await refreshed(() => client.close(values));
    deepEqual(await hints(uri), [': (B, T, 172)']);
    write('model/config.json', config(172).replace('"intermediate_size": 172', '"intermediate_size": 32'));
    await refreshed(() => client.fileChanged(values));
    deepEqual(await hints(uri), [': (B, T, 32)']);
  });

  it('takes the numbers of the config that a setting chooses, of any format', async () => {
    write('model/config.json', config(172));
    write('configs/small.yaml', 'hidden_size: 8\nintermediate_size: 24\nffn_size: 24\n');
    await start({ configs: { 'model/*.py': 'configs/small.yaml', 'model/none.py': '' } });
    deepEqual(await hints(await open('model/modeling.py', mlp)), [': (B, T, 24)']);
    deepEqual(await hints(await open('model/none.py', mlp)), [': (B, T, intermediate_size)']);
    await refreshed(() => client.configure({ configs: {} }));
    deepEqual(await hints(uriOf('model/modeling.py')), [': (B, T, 172)']);
    write('model/headwise.json', '{"configs": {"*.py": "../configs/small.yaml"}}');
    await refreshed(() => client.fileChanged(uriOf('model/headwise.json')));
    deepEqual(await hints(uriOf('model/modeling.py')), [': (B, T, 24)']);
  });

  it('points at the class of settings in another file, and follows edits there', async () => {
    await start();
    const settings = 'class FfnConfig:\n    hidden_size: int = 64\n    intermediate_size: int = 172\n    ffn_size: int = 172\n';
    write('package/__init__.py', '');
    write('package/configuration.py', `from dataclasses import dataclass\n\n@dataclass\n${settings}`);
    const text = mlp
      .replace('config)', 'config: FfnConfig)')
      .replace('import torch.nn as nn', 'import torch.nn as nn\nfrom .configuration import FfnConfig');
    const uri = await open('package/modeling.py', text);
    deepEqual(await hints(uri), [': (B, T, 172)']);
    const other = await open('package/configuration.py', `from dataclasses import dataclass\n\n@dataclass\n${settings}`);
    await refreshed(() => client.replace(other, 'ffn_size: int = 172', 'ffn_size: int = 86'));
    const found = await client.pull(uri);
    deepEqual(
      found.map(({ code }) => code),
      ['HW211'],
    );
    deepEqual(elsewhere(found, uri).sort(), ['HW211 package/configuration.py 6', 'HW211 package/configuration.py 7']);
    ok(messageOf(found[0]).length > 0);
  });

  it('renews what is said of a file when another that it imports is edited, saved or not', async () => {
    await start();
    const layers = `import torch.nn as nn

class Gate(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Linear(dim, 2 * dim)

    def forward(self, x):
        return self.proj(x)
`;
    const model = `import torch.nn as nn
from layers import Gate

class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gate = Gate(dim)
        self.out = nn.Linear(2 * dim, dim)

    def forward(self, x):
        h = self.gate(x)
        return x + self.out(h)
`;
    write('layers.py', layers);
    const uri = await open('model.py', model);
    deepEqual(await client.pull(uri), []);
    const other = await open('layers.py', layers);
    await refreshed(() => client.replace(other, '2 * dim', '3 * dim'));
    deepEqual(
      (await client.pull(uri)).map(({ code }) => code),
      ['HW211'],
    );
    deepEqual(await hints(uri), [': (B, T, 3 * dim)']);
    // A fault inside the other file is told here at the call, and points there.
    await refreshed(() => client.replace(other, 'return self.proj(x)', 'return self.proj(self.proj(x))'));
    deepEqual(elsewhere(await client.pull(uri), uri), ['HW211 layers.py 9']);
    await refreshed(() => client.close(other));
    deepEqual(await client.pull(uri), []);
    write('layers.py', layers.replace('2 * dim', '4 * dim'));
    await refreshed(() => client.fileChanged(other));
    deepEqual(await hints(uri), [': (B, T, 4 * dim)']);
    // What imports nothing of it is left alone.
    const alone = await open('alone.py', layers);
    await client.pull(alone);
    client.refreshes.length = 0;
    await client.replace(uri, 'h = self', 'g = self');
    await client.pull(alone);
    await new Promise((resolve) => setTimeout(resolve, 700));
    deepEqual(client.refreshes, []);
  });

  it('looks for modules beside the file that imports them, then in the repository', async () => {
    const sized = (width: number): string => `width = ${width}\n`;
    const model = `import torch.nn as nn
from sizes import width
from shared.sizes import depth

class A(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(width, depth)

    def forward(self, x):
        y = self.a(x)
        return y
`;
    write('one/sizes.py', sized(16));
    write('two/sizes.py', sized(32));
    write('src/shared/sizes.py', 'depth = 5\n');
    write('src/shared/__init__.py', '');
    await start();
    for (const [folder, width] of [
      ['one', 16],
      ['two', 32],
      ['three', 48],
    ] as const) {
      if (folder === 'three') write('sizes.py', sized(48));
      const uri = await open(`${folder}/model.py`, model.replace('width, depth', 'depth, width'));
      deepEqual(await hints(uri), [`: (B, T, ${width})`]);
    }
  });

  it('finds a module once there is one', async () => {
    await start();
    const uri = await open(
      'model.py',
      'import torch.nn as nn\nfrom sizes import width\n\nclass A(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(width, width)\n\n    def forward(self, x):\n        y = self.a(x)\n        return y\n',
    );
    deepEqual(await hints(uri), [': (B, T, ?)']);
    write('sizes.py', 'width = 48\n');
    await refreshed(() => client.fileChanged(uriOf('sizes.py')));
    deepEqual(await hints(uri), [': (B, T, 48)']);
  });

  it('says in a lens what a block is, and previews and calculates with its sizes', async () => {
    await start();
    await client.stop();
    const initializationOptions = { commands: ['headwise.previewAttention', 'headwise.calculateShapes', 'headwise.chooseConfig'] };
    client = await TestClient.start({ rootUri: pathToFileURL(directory).href, initializationOptions });
    const uri = await open('model/block.py', block);
    const lenses = async (): Promise<readonly (readonly [number, string | undefined, unknown])[]> =>
      ((await client.connection.sendRequest(CodeLensRequest.type, { textDocument: { uri } })) ?? []).map(({ range, command }) => [
        range.start.line,
        command?.title,
        command?.arguments?.[0],
      ]);
    const line = block.slice(0, block.indexOf('class Block')).split('\n').length - 1;
    const target = { uri, design: 'class Block' };
    // Two LayerNorms of 2 x 512, 512 x (512 + 2 x 128) + 512 x 512 for attention, 2 x 512 x 2048 + 2048 + 512 for the FFN.
    equal(2 * 1024 + 512 * 768 + 512 * 512 + 2 * 512 * 2048 + 2560, 2_757_120);
    deepEqual(
      (await lenses()).filter(([at, title]) => at === line && title !== 'Choose a config'),
      [
        [line, 'pre-norm, 8 heads x 64, 2.8M parameters', undefined],
        [line, 'Preview attention', target],
        [line, 'Calculate shapes', target],
      ],
    );
    deepEqual((await lenses()).filter(([, title]) => title === 'Choose a config').length, 1);
    const design = await client.connection.sendRequest<DesignResult>('headwise/design', { uri });
    const { hiddenSize, queryHeads, keyValueHeads, headDim, causal, summary } =
      design.stacks.find(({ name }) => name === 'class Block') ?? {};
    deepEqual([hiddenSize, queryHeads, keyValueHeads, headDim, causal], [512, 8, 2, 64, true]);
    match(summary ?? '', /pre-norm, 8 heads x 64 over 2 KV heads/);
    const calculated = async (query: string): Promise<string[]> =>
      (await client.connection.sendRequest<CalculateResult>('headwise/calculate', { query, base: target })).rows.map(
        ({ label, value }) => `${label}: ${value}`,
      );
    // K maps 512 features to 2 heads x 64.
    ok((await calculated('')).includes('K projection: [128, 512]'), (await calculated('')).join('\n'));
    ok((await calculated('kv=4')).includes('K projection: [256, 512]'));
    // The numbers of a config take the place of the defaults.
    write('model/config.json', '{"dim": 1024, "n_heads": 16, "n_kv_heads": 4}');
    await client.fileChanged(uriOf('model/config.json'));
    deepEqual(
      (await lenses()).filter(([at]) => at === line).map(([, title]) => title),
      ['pre-norm, 16 heads x 64, 11.0M parameters', 'Preview attention', 'Calculate shapes'],
    );
    ok((await lenses()).some(([, title]) => title === 'numbers of config.json'));
  });
});

describe('the language server on an edit of much code', () => {
  /** Models that share a layer: an edit in it touches all of them. */
  const many = (line: string): string =>
    [
      'import torch\nimport torch.nn as nn\n',
      'class Layer(nn.Module):\n    def __init__(self, width: int = 64):\n        super().__init__()\n        self.proj = nn.Linear(width, width)\n',
      `    def forward(self, x: torch.Tensor):\n        B, T, C = x.shape\n        ${line}\n        return self.proj(x)\n`,
      ...Array.from(
        { length: 12 },
        (_, i) =>
          `class Model${i}(nn.Module):\n    def __init__(self, width: int = 64):\n        super().__init__()\n        self.layer = Layer(width)\n        self.out${i} = nn.Linear(width, ${i === 0 ? 'width' : `${i} * width`})\n${Array.from({ length: 60 }, (_, j) => `        self.a${j} = nn.Linear(${i + 1} * width, width)\n`).join('')}\n    def forward(self, x: torch.Tensor):\n        B, T, C = x.shape\n        x = self.layer(x)\n        return self.out${i}(x)${i === 11 ? '.view(B, C, T).view(B, C, T + 1)' : ''}\n`,
      ),
    ].join('\n');

  it('answers soon, and says the rest when it asks the client to ask again', async () => {
    const client = await TestClient.start({ rootUri: 'file:///w' });
    try {
      const uri = 'file:///w/many.py';
      await client.open(uri, 'python', many('x = x.transpose(1, 2).transpose(1, 2)'));
      const first = (await client.pull(uri)).map(messageOf);
      ok(first.length > 0);
      await client.replace(uri, '.transpose(1, 2)\n', '.transpose(1, 2).contiguous()\n');
      const soon = (await client.pull(uri)).map(messageOf);
      // What was known of the code that the edit did not touch stays while it is followed again.
      deepEqual(soon, first);
      const before = client.refreshes.length;
      await client.replace(uri, 'x = x.transpose(1, 2).transpose(1, 2).contiguous()', 'x = x.view(B, T, C + 1)');
      ok((await client.pull(uri)).length > 0);
      await client.until('a request to ask again', () => client.refreshes.length > before);
      const whole = (await client.pull(uri)).map(messageOf);
      await client.open('file:///w/fresh.py', 'python', many('x = x.view(B, T, C + 1)'));
      deepEqual(whole, (await client.pull('file:///w/fresh.py')).map(messageOf));
    } finally {
      await client.stop();
    }
  });
});
