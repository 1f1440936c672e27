import { deepEqual, equal, match, ok } from 'node:assert/strict';
import {
  CodeLensRequest,
  CompletionRequest,
  DidChangeNotebookDocumentNotification,
  DidCloseNotebookDocumentNotification,
  DidOpenNotebookDocumentNotification,
  HoverRequest,
  InlayHintRequest,
  NotebookCellKind,
  type Range,
} from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { pullCapabilities, type StartOptions, TestClient } from './client.ts';

const imports = '%pip install torch\nimport torch.nn as nn\n!nvidia-smi';

const gate = `class Gate(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.proj = nn.Linear(width, inner)
        self.back = nn.Linear(inner, width)

    def forward(self, x):
        h = self.proj(x)
        return self.back(h)`;

const block = `class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gate = Gate(width, 4 * width)

    def forward(self, x):
        y = x + self.gate(x)
        return y`;

describe('the language server on notebooks', () => {
  const notebook = 'file:///w/train.ipynb';
  const cellUri = (name: string): string => `vscode-notebook-cell:/w/train.ipynb#${name}`;
  let client: TestClient;
  let cells: Map<string, TextDocument>;
  let version = 1;
  afterEach(async () => {
    equal(await client.stop(), 0);
  });

  const start = async (options: Partial<StartOptions> = {}): Promise<void> => {
    const { workspace, ...others } = pullCapabilities;
    const capabilities = {
      ...others,
      workspace: { ...workspace, inlayHint: { refreshSupport: true } },
      notebookDocument: { synchronization: {} },
    };
    client = await TestClient.start({ rootUri: 'file:///w', capabilities, ...options });
  };

  /** Opens the notebook as editors do: every cell is a document of its own. */
  async function open(texts: Readonly<Record<string, string>>): Promise<void> {
    cells = new Map();
    for (const [name, text] of Object.entries(texts)) {
      const languageId = name.startsWith('text') ? 'markdown' : 'python';
      cells.set(name, TextDocument.create(cellUri(name), languageId, 1, text));
    }
    await client.connection.sendNotification(DidOpenNotebookDocumentNotification.type, {
      notebookDocument: {
        uri: notebook,
        notebookType: 'jupyter-notebook',
        version: ++version,
        cells: [...cells].map(([name, { uri }]) => ({
          kind: name.startsWith('text') ? NotebookCellKind.Markup : NotebookCellKind.Code,
          document: uri,
        })),
      },
      // Only cells of the languages that the server asks for are sent.
      cellTextDocuments: [...cells.values()]
        .filter(({ languageId }) => languageId === 'python')
        .map((cell) => ({ uri: cell.uri, languageId: cell.languageId, version: cell.version, text: cell.getText() })),
    });
  }

  const cell = (name: string): TextDocument => {
    const found = cells.get(name);
    ok(found);
    return found;
  };
  const rangeOf = (name: string, part: string): Range => {
    const start = cell(name).getText().indexOf(part);
    ok(start >= 0, part);
    return { start: cell(name).positionAt(start), end: cell(name).positionAt(start + part.length) };
  };
  async function replace(name: string, from: string, to: string): Promise<void> {
    const changes = [{ range: rangeOf(name, from), text: to }];
    const changed = TextDocument.update(cell(name), changes, cell(name).version + 1);
    cells.set(name, changed);
    await client.connection.sendNotification(DidChangeNotebookDocumentNotification.type, {
      notebookDocument: { uri: notebook, version: ++version },
      change: { cells: { textContent: [{ document: { uri: changed.uri, version: changed.version }, changes }] } },
    });
  }
  const found = async (name: string) => (await client.pull(cellUri(name))).map(({ code, range }) => [code, cell(name).getText(range)]);
  const hints = async (name: string): Promise<string[]> => {
    const range = { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } };
    const result = await client.connection.sendRequest(InlayHintRequest.type, { textDocument: { uri: cellUri(name) }, range });
    return (result ?? []).map(({ position, label }) => {
      const line = cell(name).getText().split('\n')[position.line]?.slice(0, position.character).trim();
      return `${line}${String(label)}`;
    });
  };

  it('says so to the client', async () => {
    await start();
    deepEqual(client.initializeResult?.capabilities.notebookDocumentSync, {
      notebookSelector: [{ notebook: '*', cells: [{ language: 'python' }] }],
    });
  });

  it('reads the cells as one module, and says of each cell what is in it', async () => {
    await start();
    await open({ imports, text: '# A block', gate, block });
    deepEqual([await found('imports'), await found('gate'), await found('block')], [[], [], []]);
    deepEqual(await hints('imports'), []);
    deepEqual(await hints('gate'), ['h: (B, T, 4 * width)']);
    deepEqual(await hints('block'), ['y: (B, T, width)']);
    const hover = await client.connection.sendRequest(HoverRequest.type, {
      textDocument: { uri: cellUri('block') },
      position: rangeOf('block', 'y = x').start,
    });
    match((hover?.contents as { value: string } | undefined)?.value ?? '', /\*\*y\*\* `\(B, T, width\)`/);
    deepEqual(hover?.range, rangeOf('block', 'y'));
    await replace('block', 'self, width)', 'self, width=64)');
    deepEqual(await hints('block'), ['y: (B, T, 64)']);
    const lenses = await client.connection.sendRequest(CodeLensRequest.type, { textDocument: { uri: cellUri('block') } });
    ok((lenses ?? []).length > 0);
    ok(
      (lenses ?? []).every(({ range }) => range.start.line === 0),
      JSON.stringify(lenses),
    );
  });

  it('reports what does not fit in the cell where it stands, with what it rests on in others', async () => {
    await start();
    await open({ imports, gate, block });
    await replace('block', 'return y', 'return self.gate(self.out(y))');
    await replace('block', 'self.gate = Gate', 'self.out = nn.Linear(width, 2 * width)\n        self.gate = Gate');
    const diagnostics = await client.pull(cellUri('block'));
    deepEqual(
      diagnostics.map(({ code, severity }) => [code, severity]),
      [['HW211', 1]],
    );
    const places = diagnostics.flatMap(({ relatedInformation }) => relatedInformation ?? []).map(({ location }) => location.uri);
    ok(
      places.every((uri) => uri.startsWith(cellUri(''))),
      places.join(' '),
    );
    deepEqual(await found('imports'), []);
  });

  it('follows edits of one cell in the others', async () => {
    await start();
    await open({ imports, gate, block });
    deepEqual(await hints('block'), ['y: (B, T, width)']);
    client.refreshes.length = 0;
    await replace('gate', 'nn.Linear(inner, width)', 'nn.Linear(inner, 2 * width)');
    // The residual sum in the other cell does not fit any more.
    await client.until('a refresh', () => client.refreshes.includes('workspace/diagnostic/refresh'));
    ok([...(await found('gate')), ...(await found('block'))].length > 0);
    await replace('gate', 'nn.Linear(inner, 2 * width)', 'nn.Linear(inner, width)');
    deepEqual([...(await found('gate')), ...(await found('block'))], []);
  });

  it('completes, suppresses and refactors in the cell itself', async () => {
    await start();
    await open({ imports, gate, block });
    await replace('gate', 'h = self.proj(x)', 'h = self.proj(x)  # ');
    const completion = await client.connection.sendRequest(CompletionRequest.type, {
      textDocument: { uri: cellUri('gate') },
      position: rangeOf('gate', '# ').end,
    });
    const items = Array.isArray(completion) ? completion : (completion?.items ?? []);
    const [item] = items;
    ok(item?.textEdit !== undefined && 'range' in item.textEdit);
    match(TextDocument.applyEdits(cell('gate'), [item.textEdit]), /h = self\.proj\(x\) {2}# \(B, T, .*\)\n/);
    await replace('gate', 'nn.Linear(inner, width)', 'nn.Linear(inner + 1, width)');
    const [finding] = await client.pull(cellUri('gate'));
    ok(finding);
    const actions = await client.codeActions(cellUri('gate'), finding.range, ['quickfix'], [finding]);
    const [change] = actions.find(({ title }) => title.startsWith('Ignore'))?.edit?.documentChanges ?? [];
    ok(change !== undefined && 'textDocument' in change);
    deepEqual(change.textDocument, { uri: cellUri('gate'), version: cell('gate').version });
    const edited = TextDocument.applyEdits(
      cell('gate'),
      change.edits.filter((edit) => 'newText' in edit),
    );
    match(edited, /inner \+ 1, width\) {2}# headwise: ignore\[HW211\]/);
  });

  it('follows cells that are added, removed and moved', async () => {
    await start();
    await open({ imports, block });
    deepEqual(await hints('block'), []);
    const text = TextDocument.create(cellUri('gate'), 'python', 1, gate);
    cells.set('gate', text);
    await client.connection.sendNotification(DidChangeNotebookDocumentNotification.type, {
      notebookDocument: { uri: notebook, version: ++version },
      change: {
        cells: {
          structure: {
            array: { start: 1, deleteCount: 0, cells: [{ kind: NotebookCellKind.Code, document: text.uri }] },
            didOpen: [{ uri: text.uri, languageId: 'python', version: 1, text: gate }],
          },
        },
      },
    });
    deepEqual(await hints('block'), ['y: (B, T, width)']);
    deepEqual(await hints('gate'), ['h: (B, T, 4 * width)']);
    await client.connection.sendNotification(DidChangeNotebookDocumentNotification.type, {
      notebookDocument: { uri: notebook, version: ++version },
      change: { cells: { structure: { array: { start: 1, deleteCount: 1 }, didClose: [{ uri: text.uri }] } } },
    });
    deepEqual(await client.pull(cellUri('gate')), []);
    deepEqual(await hints('block'), []);
  });

  it('pushes findings to clients that do not ask, and takes them back when the notebook closes', async () => {
    await start({
      capabilities: { textDocument: { publishDiagnostics: { relatedInformation: true } }, notebookDocument: { synchronization: {} } },
    });
    await open({ imports, gate: gate.replace('nn.Linear(inner, width)', 'nn.Linear(inner + 1, width)'), block });
    await client.until('findings', () => (client.published.get(cellUri('gate')) ?? []).length > 0);
    deepEqual(
      client.published.get(cellUri('gate'))?.map(({ code }) => code),
      ['HW211'],
    );
    await client.connection.sendNotification(DidCloseNotebookDocumentNotification.type, {
      notebookDocument: { uri: notebook },
      cellTextDocuments: [...cells.values()].map(({ uri }) => ({ uri })),
    });
    await client.until('no findings', () => client.published.get(cellUri('gate'))?.length === 0);
  });
});
