import * as vscode from 'vscode';
import { previewHtml } from '../../webview/html.ts';
import { isFromPreview, isToPreview, type PreviewDesign, type ToPreview } from '../../webview/protocol.ts';
import type { CommandTarget, Place, StackSummary } from '../protocol/languageServer.ts';
import type { Server } from './server.ts';

const viewType = 'headwise.attentionPreview';

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
        { enableScripts: true, localResourceRoots: resourceRoots(context) },
      );
      adopt(panel, base);
    },
  };
}

const keyOf = (target: CommandTarget | undefined): string => (target === undefined ? '' : sourceOf(target));

/** A target as one string, as the page keeps it: the document's URI, with the stack's path as fragment where there are several. */
const sourceOf = (target: CommandTarget): string =>
  target.design === '' ? target.uri : `${target.uri}#${encodeURIComponent(target.design)}`;

function targetOf(source: string): CommandTarget {
  const [uri = '', design = ''] = source.split('#', 2);
  try {
    return { uri, design: decodeURIComponent(design) };
  } catch {
    return { uri, design: '' };
  }
}

const resourceRoots = (context: vscode.ExtensionContext): vscode.Uri[] => [
  vscode.Uri.joinPath(context.extensionUri, 'dist'),
  vscode.Uri.joinPath(context.extensionUri, 'media'),
];

/** The design that the page kept of itself, as its last message; it may be from another version. */
function readState(state: unknown): CommandTarget | undefined {
  const message: unknown = typeof state === 'object' && state !== null ? (state as { message?: unknown }).message : undefined;
  return isToPreview(message) && message.source !== '' ? targetOf(message.source) : undefined;
}

/** Shown where no config is open: a small grouped-query design. */
const sampleDesign: PreviewDesign = { queryHeads: 8, keyValueHeads: 2, headDim: 64, valueDim: 64, causal: true, positions: 'rope' };

class PreviewPanel {
  readonly #panel: vscode.WebviewPanel;
  readonly #server: Server;
  readonly #target: CommandTarget | undefined;
  /** Where the last design sent writes its fields. */
  #places: Readonly<Record<string, Place>> = {};
  #ready = false;
  #asked = 0;

  constructor(
    context: vscode.ExtensionContext,
    server: Server,
    log: vscode.LogOutputChannel,
    panel: vscode.WebviewPanel,
    target: CommandTarget | undefined,
  ) {
    this.#panel = panel;
    this.#server = server;
    this.#target = target;
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: resourceRoots(context) };
    panel.iconPath = vscode.Uri.joinPath(context.extensionUri, 'media', 'icon.png');
    if (target !== undefined) panel.title = vscode.l10n.t('Attention: {0}', nameOf(target.uri));
    const subscriptions = [
      webview.onDidReceiveMessage((message: unknown) => {
        if (!isFromPreview(message)) log.warn(`The preview sent something unknown: ${JSON.stringify(message)?.slice(0, 200)}`);
        else if (message.kind === 'error') log.error(`Preview: ${message.message}`);
        else if (message.kind === 'reveal') void this.#revealField(message.field);
        else {
          this.#ready = true;
          void this.#update();
        }
      }),
      server.onDidChangeDesign((uri) => {
        if (target !== undefined && (uri === '' || uri === target.uri)) void this.#update();
      }),
    ];
    panel.onDidDispose(() => {
      for (const subscription of subscriptions) subscription.dispose();
    });
    const resource = (...path: string[]): string =>
      webview.asWebviewUri(vscode.Uri.joinPath(context.extensionUri, 'dist', ...path)).toString();
    webview.html = previewHtml({
      nonce: makeNonce(),
      cspSource: webview.cspSource,
      scriptUri: resource('webview', 'preview.js'),
      styleUri: resource('webview', 'preview.css'),
      workerUri: resource('webview', 'worker.js'),
      wasmUri: resource('kernel', 'attention.wasm'),
      relaxedWasmUri: resource('kernel', 'attention-relaxed.wasm'),
      language: vscode.env.language,
      debug: context.extensionMode !== vscode.ExtensionMode.Production,
    });
  }

  reveal(): void {
    this.#panel.reveal(undefined, true);
  }

  async #update(): Promise<void> {
    if (!this.#ready) return;
    const turn = ++this.#asked;
    const message = await this.#message();
    // A later edit overtook this one, or the panel is gone.
    if (turn === this.#asked && message !== undefined) await this.#panel.webview.postMessage(message);
  }

  async #message(): Promise<ToPreview | undefined> {
    const target = this.#target;
    if (target === undefined) {
      return { kind: 'design', title: vscode.l10n.t('Sample design'), source: '', design: sampleDesign, warnings: [] };
    }
    const title = nameOf(target.uri);
    const source = sourceOf(target);
    const unavailable = (reason: string): ToPreview => ({ kind: 'unavailable', title, source, reason });
    const uri = vscode.Uri.parse(target.uri);
    try {
      // After a reload the document may not be open: the server reads open documents only.
      await vscode.workspace.openTextDocument(uri);
    } catch {
      return unavailable(vscode.l10n.t('The file cannot be opened any more.'));
    }
    const result = await this.#server.design(uri);
    const stack = result?.stacks.find(({ name }) => name === target.design) ?? result?.stacks[0];
    if (stack === undefined) return unavailable(vscode.l10n.t('The file is no model config with dimensions at the moment.'));
    this.#places = stack.places;
    const design = toPreviewDesign(stack);
    if (design === undefined) {
      return unavailable(stack.warnings[0] ?? vscode.l10n.t('The file does not say how many heads there are, or how wide they are.'));
    }
    return {
      kind: 'design',
      title: stack.name === '' ? title : `${title}: ${stack.name}`,
      source,
      design,
      warnings: stack.warnings.slice(0, 20),
    };
  }

  async #revealField(field: string): Promise<void> {
    const place = this.#places[field];
    if (this.#target === undefined || place === undefined) return;
    const uri = vscode.Uri.parse(this.#target.uri);
    const range = new vscode.Range(place.line, place.character, place.line, place.character + place.length);
    const shown = vscode.window.visibleTextEditors.find((editor) => editor.document.uri.toString() === uri.toString());
    await vscode.window.showTextDocument(uri, { selection: range, viewColumn: shown?.viewColumn ?? vscode.ViewColumn.One });
  }
}

function toPreviewDesign(stack: StackSummary): PreviewDesign | undefined {
  const { queryHeads, headDim, keyValueHeads, valueDim, causal, layers, slidingWindow, positions, rotaryDim, ropeTheta } = stack;
  if (queryHeads === undefined || headDim === undefined) return undefined;
  return {
    queryHeads,
    keyValueHeads: keyValueHeads ?? queryHeads,
    headDim,
    valueDim: valueDim ?? headDim,
    causal: causal ?? (stack.role === 'decoder' || stack.role === 'text'),
    ...(layers === undefined ? {} : { layers }),
    ...(slidingWindow === undefined ? {} : { slidingWindow }),
    ...(positions === undefined ? {} : { positions }),
    ...(rotaryDim === undefined ? {} : { rotaryDim }),
    ...(ropeTheta === undefined ? {} : { ropeTheta }),
  };
}

const nameOf = (uri: string): string => {
  const { path } = vscode.Uri.parse(uri);
  const parts = path.split('/').filter((part) => part !== '');
  // Nearly every config is called config.json: its folder tells them apart.
  return parts.slice(-2).join('/');
};

/** 128 random bits. */
function makeNonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
