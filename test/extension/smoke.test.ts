import { ok } from 'node:assert/strict';
import * as vscode from 'vscode';

describe('extension', () => {
  it('is installed and activates', async () => {
    const extension = vscode.extensions.getExtension('headwise.headwise');
    ok(extension, 'headwise.headwise is not installed');
    await extension.activate();
    ok(extension.isActive);
  });
});
