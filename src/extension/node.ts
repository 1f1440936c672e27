import type * as vscode from 'vscode';
import { activateHeadwise, type HeadwiseApi } from './activate.ts';

const loaded = performance.now();

export function activate(context: vscode.ExtensionContext): HeadwiseApi {
  return activateHeadwise(context, loaded, async (options) => (await import('./clientNode.ts')).createNodeClient(context, options));
}
