import * as vscode from 'vscode';
import { type BaseLanguageClient, LanguageClient, type LanguageClientOptions } from 'vscode-languageclient/browser';

/** A client whose server runs in a worker of the web extension host. */
export function createBrowserClient(context: vscode.ExtensionContext, options: LanguageClientOptions): BaseLanguageClient {
  const script = vscode.Uri.joinPath(context.extensionUri, 'dist', 'server', 'main.js');
  const pythonParser = vscode.Uri.joinPath(context.extensionUri, 'dist', 'python').toString(true);
  const initializationOptions = { ...(options.initializationOptions as object), pythonParser };
  return new LanguageClient('headwise', 'Headwise', new Worker(script.toString(true)), { ...options, initializationOptions });
}
