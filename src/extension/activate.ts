import * as vscode from 'vscode';
import { registerCalculator } from './calculatorPanel.ts';
import { registerCommands } from './commands.ts';
import type { ReadRange } from './previewFiles.ts';
import { registerPreview } from './previewPanel.ts';
import { type CreateClient, Server } from './server.ts';
import { showStatus } from './status.ts';

/** What other extensions and the tests may ask. */
export interface HeadwiseApi {
  /** Resolves when the language server answers. */
  readonly ready: Promise<void>;
  /** From the evaluation of the bundle to the end of `activate`, in milliseconds. */
  readonly activationTime: number;
}

/**
 * Registers everything that VS Code may call at once, and starts the language server behind its back:
 * loading the client library costs more than all the rest, and nobody waits for it here.
 */
export function activateHeadwise(
  context: vscode.ExtensionContext,
  loaded: number,
  create: CreateClient,
  readRange?: ReadRange,
): HeadwiseApi {
  const log = vscode.window.createOutputChannel('Headwise', { log: true });
  const server = new Server(create, log);
  const status = showStatus(server);
  context.subscriptions.push(log, server, status);
  const preview = registerPreview(context, server, log, readRange);
  const panels = registerCalculator(context, { server, preview }, log);
  registerCommands(context, server, preview, panels, log);
  const ready = new Promise<void>((resolve) => setTimeout(resolve, 0)).then(() => server.start()).then(() => undefined);
  const activationTime = performance.now() - loaded;
  log.info(`Activated in ${activationTime.toFixed(1)} ms.`);
  return { ready, activationTime };
}
