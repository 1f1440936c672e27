import { deepEqual, equal, match, ok } from 'node:assert/strict';
import * as vscode from 'vscode';
import {
  closeAll,
  codeOf,
  eventually,
  everything,
  findings,
  hints,
  lenses,
  openSample,
  positionOf,
  replace,
  sampleUri,
  whole,
  write,
} from './workspace.ts';

const tabs = (): string[] => vscode.window.tabGroups.all.flatMap((group) => group.tabs.map(({ label }) => label));

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

describe('model code in the editor', () => {
  afterEach(closeAll);

  it('has shapes, findings and fixes in the cells of a notebook, and follows their edits', async () => {
    const notebook = await vscode.workspace.openNotebookDocument(sampleUri('notebook/experiment.ipynb'));
    await vscode.window.showNotebookDocument(notebook);
    const [, , feedForward, block] = notebook.getCells().map((cell) => cell.document);
    ok(feedForward !== undefined && block !== undefined);
    const finding = await eventually('HW223 in the cell', () => findings(feedForward.uri).find((entry) => codeOf(entry) === 'HW223'));
    match(feedForward.getText(finding.range), /^nn\.Linear\(2 \* inner, width\)$/);
    deepEqual(findings(block.uri), []);
    ok((await hints(feedForward.uri)).includes(': (B, T, 1536)'), (await hints(feedForward.uri)).join(' '));
    deepEqual(await hints(block.uri), [': (B, T, 512)']);
    await replace(feedForward, '2 * inner, width', 'inner, width');
    await eventually('the finding to go', () => (findings(feedForward.uri).length === 0 ? true : undefined));
    // What another cell changes is told where it shows.
    await replace(feedForward, 'nn.Linear(inner, width)', 'nn.Linear(inner, 2 * width)');
    await eventually('a finding in either cell', () => [...findings(feedForward.uri), ...findings(block.uri)][0]);
  });

  it('takes the numbers of the config beside it, as it is typed', async () => {
    const values = await write('numbers/config.json', '{\n  "hidden_size": 64,\n  "intermediate_size": 172,\n  "ffn_size": 172\n}\n');
    const uri = await write('numbers/modeling.py', mlp);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document);
    await eventually('the numbers', async () => ((await hints(uri)).includes(': (B, T, 172)') ? true : undefined));
    ok((await lenses(uri)).some(({ command }) => command?.title === 'numbers of config.json'));
    const config = await vscode.workspace.openTextDocument(values);
    await vscode.window.showTextDocument(config, vscode.ViewColumn.Beside);
    await replace(config, '"ffn_size": 172', '"ffn_size": 170');
    const finding = await eventually('HW211', () => findings(uri).find((entry) => codeOf(entry) === 'HW211'));
    const [related] = (finding.relatedInformation ?? []).filter(({ location }) => location.uri.path.endsWith('config.json'));
    equal(config.getText(related?.location.range ?? everything), '170');
    await replace(config, '"ffn_size": 170', '"ffn_size": 172');
    await eventually('the finding to go', () => (findings(uri).length === 0 ? true : undefined));
  });

  it('follows imports into other files of the workspace, as they are typed', async () => {
    const sizes = await write('imports/package/sizes.py', 'width = 96\n');
    await write('imports/package/__init__.py', 'from .sizes import width\n');
    const layer = 'class A(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(width, width)\n';
    const forward = '\n    def forward(self, x):\n        y = self.a(x)\n        return y\n';
    const uri = await write('imports/model.py', `import torch.nn as nn\nfrom package import width\n\n${layer}${forward}`);
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
    await eventually('the width', async () => ((await hints(uri)).includes(': (B, T, 96)') ? true : undefined));
    const document = await vscode.workspace.openTextDocument(sizes);
    await vscode.window.showTextDocument(document, vscode.ViewColumn.Beside);
    await replace(document, '96', '48');
    await eventually('the other width', async () => ((await hints(uri)).includes(': (B, T, 48)') ? true : undefined));
  });

  it('completes a shape comment', async () => {
    const document = await openSample('model/attention.py');
    const line = 'k = k.view(B, T, self.heads, C // self.heads).transpose(1, 2)';
    await replace(document, line, `${line}  # `);
    const at = positionOf(document, line).translate(0, line.length + 4);
    const items = await eventually('a completion', async () => {
      const found = await vscode.commands.executeCommand<vscode.CompletionList>(
        'vscode.executeCompletionItemProvider',
        document.uri,
        at,
        ' ',
      );
      const own = found.items.filter(({ label }) => String(typeof label === 'string' ? label : label.label).startsWith('(B, '));
      return own.length > 0 ? own : undefined;
    });
    // The file's other comment calls the heads h and their width d.
    deepEqual(
      items.map(({ label }) => label),
      ['(B, h, T, d)'],
    );
  });

  it('opens the preview and the calculator with the sizes of a block', async () => {
    const content = new TextDecoder().decode(await vscode.workspace.fs.readFile(sampleUri('model/attention.py')));
    const mended = content
      .replace('math.sqrt(C)', 'math.sqrt(k.size(-1))')
      .replace('y.contiguous()', 'y.transpose(1, 2).contiguous()')
      .replace(
        '3 * config.width, config.width)\n\n    def forward(self, x):\n        return self.down',
        '4 * config.width, config.width)\n\n    def forward(self, x):\n        return self.down',
      );
    const uri = await write('model/mended.py', mended);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document);
    const own = (await lenses(uri)).filter(({ range }) => range.start.line === positionOf(document, 'class Block').line);
    match(own[0]?.command?.title ?? '', /^pre-norm, 12 heads x 64, 7\.1M parameters$/);
    deepEqual(
      own.slice(1, 3).map(({ command }) => command?.title),
      ['Preview attention', 'Calculate shapes'],
    );
    const [, preview] = own;
    ok(preview?.command);
    await vscode.commands.executeCommand(preview.command.command, ...(preview.command.arguments ?? []));
    await eventually('the preview', () => (tabs().some((label) => label === 'Attention: model/mended.py') ? true : undefined));
    equal(whole(document).start.line, 0);
  });
});
