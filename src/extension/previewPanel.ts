import * as vscode from 'vscode';
import type { CommandTarget, DesignResult, StackSummary } from '../protocol/languageServer.ts';
import type { Server } from './server.ts';

const viewType = 'headwise.attentionPreview';

/** Quiet time after an edit before the page is told, in milliseconds. */
const debounce = 150;

export interface PreviewPanels {
  /** Opens the preview of a document's stack beside the editor, or brings the one that is open to the front. */
  readonly open: (target: CommandTarget | undefined) => Promise<void>;
}

/** Registers the preview and its revival after a reload of the window. */
export function registerPreview(context: vscode.ExtensionContext, server: Server, log: vscode.LogOutputChannel): PreviewPanels {
  const panels = new Map<string, PreviewPanel>();
  const adopt = (panel: vscode.WebviewPanel, target: CommandTarget | undefined): PreviewPanel => {
    const key = keyOf(target);
    const preview = new PreviewPanel(context, server, log, panel, target);
    panels.set(key, preview);
    panel.onDidDispose(() => {
      if (panels.get(key) === preview) panels.delete(key);
    });
    return preview;
  };
  context.subscriptions.push(
    vscode.window.registerWebviewPanelSerializer(viewType, {
      deserializeWebviewPanel: async (panel, state: unknown) => {
        adopt(panel, readState(state));
      },
    }),
    { dispose: () => panels.clear() },
  );
  return {
    open: async (target) => {
      const design = target === undefined ? undefined : await server.design(vscode.Uri.parse(target.uri));
      // Any other file is no base: the page shows its sample design.
      const base = design === undefined ? undefined : target;
      const open = panels.get(keyOf(base));
      if (open !== undefined) {
        open.reveal();
        return;
      }
      const panel = vscode.window.createWebviewPanel(
        viewType,
        vscode.l10n.t('Attention preview'),
        { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
        { enableScripts: true, retainContextWhenHidden: true, localResourceRoots: resourceRoots(context) },
      );
      adopt(panel, base);
    },
  };
}

const keyOf = (target: CommandTarget | undefined): string => (target === undefined ? '' : `${target.uri}#${target.design}`);

const resourceRoots = (context: vscode.ExtensionContext): vscode.Uri[] => [
  vscode.Uri.joinPath(context.extensionUri, 'dist'),
  vscode.Uri.joinPath(context.extensionUri, 'media'),
];

/** What the page kept of itself; it may be from another version. */
function readState(state: unknown): CommandTarget | undefined {
  if (typeof state !== 'object' || state === null) return undefined;
  const { uri, design } = state as { uri?: unknown; design?: unknown };
  return typeof uri === 'string' ? { uri, design: typeof design === 'string' ? design : '' } : undefined;
}

class PreviewPanel {
  readonly #panel: vscode.WebviewPanel;
  constructor(
    context: vscode.ExtensionContext,
    server: Server,
    log: vscode.LogOutputChannel,
    panel: vscode.WebviewPanel,
    target: CommandTarget | undefined,
  ) {
    this.#panel = panel;
    void [context, server, log, target, debounce, {} as DesignResult | StackSummary];
  }
  reveal(): void {
    this.#panel.reveal(undefined, true);
  }
}
