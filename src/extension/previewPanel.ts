import * as vscode from 'vscode';
import { previewHtml } from '../../webview/html.ts';
import { type FromPreview, isDesignOrUnavailable, isFromPreview, type PreviewDesign, type ToPreview } from '../../webview/protocol.ts';
import type { CommandTarget, Place, StackSummary } from '../protocol/languageServer.ts';
import { type LinkTarget, linkQuery, readLink } from './previewLink.ts';
import type { Server } from './server.ts';

const viewType = 'headwise.attentionPreview';

export interface PreviewPanels {
  /** Opens the preview of a document's stack beside the editor, or brings the one that is open to the front. */
  readonly open: (target: CommandTarget | undefined, state?: string) => Promise<void>;
}

/** A link's query: which document, and the page's state. */
const linkPath = '/preview';

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
    vscode.window.registerUriHandler({
      handleUri: async (uri) => {
        if (uri.path !== linkPath) return;
        const link = readLink(uri.query);
        await open(link.uri === undefined ? undefined : { uri: link.uri, design: link.design ?? '' }, link.state);
      },
    }),
    { dispose: () => panels.clear() },
  );
  return { open };

  async function open(target: CommandTarget | undefined, state?: string): Promise<void> {
    if (target !== undefined) {
      try {
        // The server reads open documents only.
        await vscode.workspace.openTextDocument(vscode.Uri.parse(target.uri));
      } catch {
        // The page says that the file cannot be opened.
      }
    }
    const design = target === undefined ? undefined : await server.design(vscode.Uri.parse(target.uri));
    // Any other file is no base: the page shows its sample design.
    const base = design === undefined ? undefined : target;
    const known = panels.get(keyOf(base));
    if (known !== undefined) {
      known.reveal();
      known.restore(state);
      return;
    }
    const panel = vscode.window.createWebviewPanel(
      viewType,
      vscode.l10n.t('Attention preview'),
      { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
      { enableScripts: true, localResourceRoots: resourceRoots(context) },
    );
    adopt(panel, base).restore(state);
  }
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
  return isDesignOrUnavailable(message) && message.source !== '' ? targetOf(message.source) : undefined;
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
  /** State of a link, to be given to the page once it listens. */
  #state: string | undefined;
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
        else void this.#answer(message).catch((error: unknown) => log.error(`Preview, ${message.kind}: ${String(error)}`));
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
      modelUri: webview.asWebviewUri(vscode.Uri.joinPath(context.extensionUri, 'media', 'sample-model.safetensors')).toString(),
      ...(vscode.l10n.bundle === undefined ? {} : { translations: vscode.l10n.bundle }),
      language: vscode.env.language,
      debug: context.extensionMode !== vscode.ExtensionMode.Production,
    });
  }

  reveal(): void {
    this.#panel.reveal(undefined, true);
  }

  /** Has the page show the state of a link. */
  restore(state: string | undefined): void {
    if (state === undefined) return;
    this.#state = state;
    void this.#giveState();
  }

  async #giveState(): Promise<void> {
    const state = this.#state;
    if (!this.#ready || state === undefined || state.length > 10_000) return;
    this.#state = undefined;
    await this.#send({ kind: 'restore', state });
  }

  async #send(message: ToPreview): Promise<void> {
    await this.#panel.webview.postMessage(message);
  }

  async #answer(message: Exclude<FromPreview, { kind: 'error' }>): Promise<void> {
    switch (message.kind) {
      case 'ready':
        this.#ready = true;
        await this.#update();
        return this.#giveState();
      case 'reveal':
        return this.#revealField(message.field);
      case 'export':
        return saveFile(message.name, message.bytes);
      case 'pickFile': {
        const file = await pickArray();
        if (file !== undefined) await this.#send({ kind: 'file', ...file });
        return;
      }
      case 'findTokenizer':
        return this.#send({ kind: 'tokenizer', ...(await findTokenizer(this.#target)) });
      case 'copyLink': {
        const target: LinkTarget = { ...this.#target, state: message.state };
        const text = message.form === 'command' ? commandText(target) : linkText(target);
        await vscode.env.clipboard.writeText(text);
        vscode.window.setStatusBarMessage(vscode.l10n.t('Copied to the clipboard.'), 4000);
        return;
      }
      case 'lint': {
        const result = await this.#server.calculate({ query: message.query });
        return this.#send({ kind: 'findings', query: message.query, findings: (result?.problems ?? []).slice(0, 20) });
      }
    }
  }

  async #update(): Promise<void> {
    if (!this.#ready) return;
    const turn = ++this.#asked;
    const message = await this.#message();
    // A later edit overtook this one, or the panel is gone.
    if (turn === this.#asked && message !== undefined) await this.#send(message);
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

/** What keybindings.json takes, with a key added. */
const commandText = (target: LinkTarget): string => JSON.stringify({ command: 'headwise.previewAttention', args: target });

const linkText = (target: LinkTarget): string =>
  vscode.Uri.from({ scheme: vscode.env.uriScheme, authority: 'headwise.headwise', path: linkPath, query: linkQuery(target) }).toString(
    true,
  );

const folderOf = (target: vscode.Uri | undefined): vscode.Uri | undefined =>
  target !== undefined && target.scheme !== 'untitled' ? vscode.Uri.joinPath(target, '..') : vscode.workspace.workspaceFolders?.[0]?.uri;

async function saveFile(name: string, bytes: Uint8Array): Promise<void> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const ending = /\.(png|svg|csv|json|npy)$/.exec(name)?.[1];
  if (ending === undefined) return;
  const target = await vscode.window.showSaveDialog({
    ...(folder === undefined ? {} : { defaultUri: vscode.Uri.joinPath(folder, `attention.${ending}`) }),
    filters: { [ending.toUpperCase()]: [ending] },
  });
  if (target === undefined) return;
  await vscode.workspace.fs.writeFile(target, bytes);
  vscode.window.setStatusBarMessage(vscode.l10n.t('Saved {0}.', vscode.workspace.asRelativePath(target)), 4000);
}

const mostBytes = 2 ** 28;

/** Lets a file with an array be picked among those of the workspace, or anywhere. */
async function pickArray(): Promise<{ readonly name: string; readonly bytes: Uint8Array } | undefined> {
  const files = await vscode.workspace.findFiles('**/*.{npy,safetensors}', '**/{node_modules,.git,.venv}/**', 200);
  const elsewhere = { label: vscode.l10n.t('Another file…'), uri: undefined };
  const picked = await vscode.window.showQuickPick(
    [...files.map((uri) => ({ label: vscode.workspace.asRelativePath(uri), uri })), elsewhere],
    {
      title: vscode.l10n.t('An array of one row per token'),
    },
  );
  if (picked === undefined) return undefined;
  const [uri] =
    picked.uri !== undefined
      ? [picked.uri]
      : ((await vscode.window.showOpenDialog({ filters: { Arrays: ['npy', 'json', 'safetensors'] } })) ?? []);
  if (uri === undefined) return undefined;
  const { size } = await vscode.workspace.fs.stat(uri);
  if (size > mostBytes) {
    await vscode.window.showWarningMessage(
      vscode.l10n.t('The file has {0} MiB; at most {1} are read.', Math.ceil(size / 2 ** 20), mostBytes / 2 ** 20),
    );
    return undefined;
  }
  // A plain array: Node's own kind of bytes does not pass through messages.
  return { name: vscode.workspace.asRelativePath(uri), bytes: new Uint8Array(await vscode.workspace.fs.readFile(uri)) };
}

/** The tokenizer.json beside the document, or the first of the workspace. */
async function findTokenizer(target: CommandTarget | undefined): Promise<{ readonly name: string; readonly json: string }> {
  const folder = folderOf(target === undefined ? undefined : vscode.Uri.parse(target.uri));
  const beside = folder === undefined ? [] : [vscode.Uri.joinPath(folder, 'tokenizer.json')];
  const others = await vscode.workspace.findFiles('**/tokenizer.json', '**/{node_modules,.git,.venv}/**', 1);
  for (const uri of [...beside, ...others]) {
    try {
      if ((await vscode.workspace.fs.stat(uri)).size > 2 ** 26) continue;
      return { name: vscode.workspace.asRelativePath(uri), json: new TextDecoder().decode(await vscode.workspace.fs.readFile(uri)) };
    } catch {
      // Not there.
    }
  }
  return { name: '', json: '' };
}
