import * as vscode from 'vscode';
import { type BaseLanguageClient, LanguageClient, type LanguageClientOptions, TransportKind } from 'vscode-languageclient/node';

/** A client whose server runs as a child process of the extension host. */
export function createNodeClient(context: vscode.ExtensionContext, options: LanguageClientOptions): BaseLanguageClient {
  const module = vscode.Uri.joinPath(context.extensionUri, 'dist', 'server', 'main.js').fsPath;
  const run = { module, transport: TransportKind.ipc };
  return new LanguageClient(
    'headwise',
    'Headwise',
    { run, debug: { ...run, options: { execArgv: ['--nolazy', '--inspect=6009'] } } },
    options,
  );
}
