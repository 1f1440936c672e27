import { ok } from 'node:assert/strict';
import * as vscode from 'vscode';

describe('activation', () => {
  // How long it takes is read from VS Code's own clock, in the browser tests.
  it('happens without an error', async () => {
    const extension = vscode.extensions.getExtension('headwise.headwise');
    ok(extension, 'headwise.headwise is not installed');
    await extension.activate();
    ok(extension.isActive);
  });

  it('leaves starting the language server for later, and then it answers', async () => {
    const extension = vscode.extensions.getExtension<{ ready: Promise<void> }>('headwise.headwise');
    ok(extension);
    const { ready } = await extension.activate();
    await ready;
    ok(extension.isActive);
  });

  it('registers the commands that the manifest names', async () => {
    const extension = vscode.extensions.getExtension('headwise.headwise');
    const manifest: { contributes?: { commands?: readonly { command: string }[] } } = extension?.packageJSON ?? {};
    const declared = (manifest.contributes?.commands ?? []).map(({ command }) => command);
    for (const command of ['headwise.previewAttention', 'headwise.calculateShapes', 'headwise.showOutput']) {
      ok(declared.includes(command), `${command} is not in package.json`);
    }
    const registered = await vscode.commands.getCommands(true);
    for (const command of declared) ok(registered.includes(command), `${command} is declared but not registered`);
  });
});
