import { match, ok } from 'node:assert/strict';
import * as vscode from 'vscode';
import { closeAll, eventually, openSample, write } from './workspace.ts';

const tabs = (): readonly string[] => vscode.window.tabGroups.all.flatMap((group) => group.tabs.map(({ label }) => label));

/** Accepts the row that is `up` above the first: the actions stand at the end of the palette's list. */
async function accept(up: number): Promise<void> {
  for (let i = 0; i < up; i++) await vscode.commands.executeCommand('workbench.action.quickOpenSelectPrevious');
  await vscode.commands.executeCommand('workbench.action.acceptSelectedQuickOpenItem');
}

describe('the shape calculator', () => {
  before(async () => {
    const extension = vscode.extensions.getExtension<{ ready: Promise<void> }>('headwise.headwise');
    await (await extension?.activate())?.ready;
  });
  afterEach(closeAll);

  it('opens the result of the config that is open', async () => {
    const document = await openSample('qwen-good/config.json');
    await eventually('the lens', async () => {
      const found = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', document.uri);
      return found.some(({ command }) => command?.command === 'headwise.calculateShapes') ? true : undefined;
    });
    void vscode.commands.executeCommand('headwise.calculateShapes');
    await eventually('the result', async () => {
      await accept(0);
      return tabs().includes('Shapes') ? true : undefined;
    });
  });

  it('starts from what is selected, and inserts it as a comment', async () => {
    const uri = await write('model/selected.py', 'import torch\n\n\nclass Block:\n    # d=768 h=12 T=1024\n    pass\n');
    const document = await vscode.workspace.openTextDocument(uri);
    await eventually(
      'the comment',
      async () => {
        const editor = await vscode.window.showTextDocument(document);
        editor.selection = new vscode.Selection(4, 6, 4, 23);
        void vscode.commands.executeCommand('headwise.calculateShapes');
        // Until the answer is there, the list is empty.
        await new Promise((resolve) => setTimeout(resolve, 2500));
        // From the last action: preview, keys, comment.
        await accept(3);
        await new Promise((resolve) => setTimeout(resolve, 500));
        await vscode.commands.executeCommand('workbench.action.closeQuickOpen');
        return document.getText().includes('# q: ') ? true : undefined;
      },
      18,
    );
    match(document.lineAt(4).text, /^ {4}# x: \(B, 1024, 768\)$/);
    match(document.lineAt(5).text, /^ {4}# q: \(B, 12, 1024, 64\), k: \(B, 12, 1024, 64\), v: \(B, 12, 1024, 64\)$/);
    ok(document.getText().endsWith('    # d=768 h=12 T=1024\n    pass\n'));
  });
});
