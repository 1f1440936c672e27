import * as vscode from 'vscode';
import {
  type FromCalculator,
  isFromCalculator,
  type PageQuestion,
  type PageSide,
  type Side,
  type ToCalculator,
} from '../../webview/calculator/messages.ts';
import { calculatorHtml } from '../../webview/html.ts';
import type { CommandTarget } from '../protocol/languageServer.ts';
import { type ActionHost, runAction } from './calculatorActions.ts';
import { pickBase } from './calculatorBase.ts';
import { makeNonce, nameOf, resourceRoots } from './previewPanel.ts';

const viewType = 'headwise.shapes';

export interface CalculatorPanels {
  /** Opens the panel with a question, or shows it there where it is open. */
  readonly open: (question: PageSide) => void;
}

/** Registers the result panel and its revival after a reload of the window. */
export function registerCalculator(context: vscode.ExtensionContext, host: ActionHost, log: vscode.LogOutputChannel): CalculatorPanels {
  let current: CalculatorPanel | undefined;
  const adopt = (panel: vscode.WebviewPanel, question: PageQuestion | undefined): CalculatorPanel => {
    const made = new CalculatorPanel(context, host, log, panel, question);
    current = made;
    panel.onDidDispose(() => {
      if (current === made) current = undefined;
    });
    return made;
  };
  context.subscriptions.push(
    vscode.window.registerWebviewPanelSerializer(viewType, {
      deserializeWebviewPanel: async (panel) => {
        // The page keeps its own question.
        adopt(panel, undefined);
      },
    }),
  );
  return {
    open: (question) => {
      if (current !== undefined) {
        current.show(question);
        return;
      }
      const options = { enableScripts: true, localResourceRoots: resourceRoots(context) };
      const column = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: false };
      adopt(vscode.window.createWebviewPanel(viewType, vscode.l10n.t('Shapes'), column, options), question);
    },
  };
}

class CalculatorPanel {
  readonly #panel: vscode.WebviewPanel;
  readonly #host: ActionHost;
  /** To be given to the page once it listens. */
  #question: PageQuestion | undefined;
  #ready = false;
  /** Documents that the last question stands on. */
  #bases: ReadonlySet<string> = new Set();
  /** The base whose code was looked at last. */
  #compared = '';

  constructor(
    context: vscode.ExtensionContext,
    host: ActionHost,
    log: vscode.LogOutputChannel,
    panel: vscode.WebviewPanel,
    question: PageQuestion | undefined,
  ) {
    this.#panel = panel;
    this.#host = host;
    this.#question = question;
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: resourceRoots(context) };
    panel.iconPath = vscode.Uri.joinPath(context.extensionUri, 'media', 'icon.png');
    const subscriptions = [
      webview.onDidReceiveMessage((message: unknown) => {
        if (!isFromCalculator(message)) log.warn(`The calculator sent something unknown: ${JSON.stringify(message)?.slice(0, 200)}`);
        else if (message.kind === 'error') log.error(`Calculator: ${message.message}`);
        else void this.#answer(message).catch((error: unknown) => log.error(`Calculator, ${message.kind}: ${String(error)}`));
      }),
      host.server.onDidChangeDesign((uri) => {
        if (!this.#ready || !(uri === '' ? this.#bases.size > 0 : this.#bases.has(uri))) return;
        this.#compared = '';
        void this.#send({ kind: 'outdated' });
      }),
    ];
    panel.onDidDispose(() => {
      for (const subscription of subscriptions) subscription.dispose();
    });
    const resource = (name: string): string =>
      webview.asWebviewUri(vscode.Uri.joinPath(context.extensionUri, 'dist', 'webview', name)).toString();
    webview.html = calculatorHtml({
      nonce: makeNonce(),
      cspSource: webview.cspSource,
      scriptUri: resource('calculator.js'),
      styleUri: resource('calculator.css'),
      ...(vscode.l10n.bundle === undefined ? {} : { translations: vscode.l10n.bundle }),
      language: vscode.env.language,
      debug: context.extensionMode !== vscode.ExtensionMode.Production,
    });
  }

  show(question: PageSide): void {
    this.#question = question;
    this.#panel.reveal();
    if (this.#ready) void this.#give();
  }

  async #give(): Promise<void> {
    const question = this.#question;
    this.#question = undefined;
    if (question !== undefined) await this.#send({ kind: 'open', question });
  }

  async #send(message: ToCalculator): Promise<void> {
    await this.#panel.webview.postMessage(message);
  }

  async #answer(message: Exclude<FromCalculator, { kind: 'error' }>): Promise<void> {
    switch (message.kind) {
      case 'ready':
        this.#ready = true;
        return this.#give();
      case 'ask':
        return this.#report(message.asked, message.question);
      case 'act':
        return runAction(this.#host, message.action, message.question);
      case 'pick':
        return this.#pick(message.side);
      case 'reveal':
        await vscode.window.showTextDocument(vscode.Uri.parse(message.base.uri), { viewColumn: vscode.ViewColumn.One });
    }
  }

  async #report(asked: number, { name: _, second, ...first }: PageQuestion): Promise<void> {
    const bases = [first.base, second?.base].filter((base) => base !== undefined);
    this.#bases = new Set(bases.map(({ uri }) => uri));
    let failure = '';
    for (const base of bases) if (!(await isOpen(base))) failure = vscode.l10n.t('{0} cannot be opened any more.', nameOf(base.uri));
    const params = { ...first, ...(second === undefined ? {} : { second: { query: second.query, base: second.base } }) };
    const result = failure === '' ? await this.#host.server.report(params) : undefined;
    if (result === undefined && failure === '')
      failure =
        bases.length === 0
          ? vscode.l10n.t('The language server does not answer.')
          : vscode.l10n.t('The file is no model config with dimensions at the moment.');
    await this.#send({ kind: 'report', asked, ...(result === undefined ? {} : { result }), failure });
    await this.#compare(first.base);
  }

  /** Has the code of the base's model counted once, after the answer: it may take a while. */
  async #compare(base: CommandTarget | undefined): Promise<void> {
    const key = base === undefined ? '' : `${base.uri}#${base.design}`;
    if (key === this.#compared) return;
    this.#compared = key;
    const found = base === undefined ? undefined : await this.#host.server.compareCode(base);
    if (key === this.#compared) await this.#send({ kind: 'code', text: found?.text ?? '', isProblem: found?.isProblem ?? false });
  }

  async #pick(side: Side): Promise<void> {
    const picked = await pickBase(this.#host.server);
    if (picked !== undefined) await this.#send({ kind: 'picked', side, ...picked });
  }
}

/** After a reload the document may not be open: the server reads open documents only. */
async function isOpen({ uri }: CommandTarget): Promise<boolean> {
  try {
    await vscode.workspace.openTextDocument(vscode.Uri.parse(uri));
    return true;
  } catch {
    return false;
  }
}
