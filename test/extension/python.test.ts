import { deepEqual, match } from 'node:assert/strict';
import * as vscode from 'vscode';
import { closeAll, codeOf, eventually, findings, whole } from './workspace.ts';

describe('a Python configuration in the editor', () => {
  afterEach(closeAll);

  it('is read by the parser that comes with the extension', async () => {
    const content = '@dataclass\nclass GPTConfig:\n    n_layer: int = 12\n    n_head: int = 12\n    n_embd: int = 770\n';
    const document = await vscode.workspace.openTextDocument({ language: 'python', content });
    await vscode.window.showTextDocument(document);
    const finding = await eventually('HW101', () => findings(document.uri).find((entry) => codeOf(entry) === 'HW101'));
    match(finding.message, /770/);
    const edit = new vscode.WorkspaceEdit();
    edit.replace(document.uri, whole(document), content.replace('770', '768'));
    await vscode.workspace.applyEdit(edit);
    await eventually('the finding to go', () => (findings(document.uri).length === 0 ? true : undefined));
    deepEqual(findings(document.uri), []);
  });
});
