import { deepEqual, ok } from 'node:assert/strict';
import * as vscode from 'vscode';
import { closeAll, eventually, findings, hints, replace, write } from '../workspace.ts';

const layers = `import torch.nn as nn

class MLP(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x):
        h = self.up(x)
        return self.down(h)
`;

const model = `import torch.nn as nn
from layers import MLP

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mlp = MLP(width)

    def forward(self, x):
        h = self.mlp(x)
        return x + h
`;

// A worker cannot read a file at once, so that in a browser imports are not followed.
describe('imports of model code in the editor', () => {
  afterEach(closeAll);

  it('are told again when the imported module is edited', async () => {
    const from = await write('package/layers.py', layers);
    const uri = await write('package/model.py', model);
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
    await eventually('a shape', async () => ((await hints(uri)).length > 0 ? true : undefined));
    deepEqual(findings(uri), []);
    const document = await vscode.workspace.openTextDocument(from);
    await vscode.window.showTextDocument(document, vscode.ViewColumn.Beside);
    await replace(document, '2 * width, width', '3 * width, width');
    const finding = await eventually('a finding at the call', () => findings(uri)[0]);
    ok((finding.relatedInformation ?? []).some(({ location }) => location.uri.path.endsWith('layers.py')));
    await replace(document, '3 * width, width', '2 * width, width');
    await eventually('the finding to go', () => (findings(uri).length === 0 ? true : undefined));
  });
});
