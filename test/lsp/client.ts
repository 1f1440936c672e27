import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ClientCapabilities,
  type CodeAction,
  CodeActionRequest,
  createProtocolConnection,
  type Diagnostic,
  DidChangeConfigurationNotification,
  DidChangeTextDocumentNotification,
  DidChangeWatchedFilesNotification,
  DidCloseTextDocumentNotification,
  DidOpenTextDocumentNotification,
  DocumentDiagnosticRequest,
  ExitNotification,
  FileChangeType,
  InitializedNotification,
  InitializeRequest,
  type InitializeResult,
  LogMessageNotification,
  type ProtocolConnection,
  PublishDiagnosticsNotification,
  type Range,
  RegistrationRequest,
  ShutdownRequest,
  StreamMessageReader,
  StreamMessageWriter,
  type TextDocumentContentChangeEvent,
  type TextEdit,
} from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';

/** The built server, as any editor would start it. */
export const serverPath = join(process.cwd(), 'dist', 'server', 'main.js');

export interface StartOptions {
  readonly capabilities?: ClientCapabilities;
  readonly initializationOptions?: unknown;
  readonly rootUri?: string;
  /** What `workspace/configuration` is answered with. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly command?: readonly string[];
}

export const pullCapabilities: ClientCapabilities = {
  textDocument: {
    diagnostic: { dynamicRegistration: false, relatedDocumentSupport: false },
    publishDiagnostics: { relatedInformation: true },
    codeAction: { codeActionLiteralSupport: { codeActionKind: { valueSet: ['quickfix', 'source.fixAll'] } } },
  },
  workspace: {
    configuration: true,
    didChangeConfiguration: { dynamicRegistration: true },
    didChangeWatchedFiles: { dynamicRegistration: true },
    workspaceEdit: { documentChanges: true },
    diagnostics: { refreshSupport: true },
    workspaceFolders: true,
  },
};

/** A diagnostic's message, which the protocol lets be Markdown too. */
export const messageOf = (diagnostic: Diagnostic | undefined): string => {
  const message = diagnostic?.message ?? '';
  return typeof message === 'string' ? message : message.value;
};

/** A client over real stdio. Holds the documents' text as an editor does, so that edits can be applied to it. */
export class TestClient {
  readonly process: ChildProcess;
  readonly connection: ProtocolConnection;
  readonly log: string[] = [];
  readonly published = new Map<string, Diagnostic[]>();
  readonly refreshes: string[] = [];
  readonly registered: string[] = [];
  settings: Readonly<Record<string, unknown>>;
  initializeResult: InitializeResult | undefined;
  readonly #documents = new Map<string, TextDocument>();
  readonly #exit: Promise<number | null>;

  private constructor(options: StartOptions) {
    const [command = process.execPath, ...args] = options.command ?? [process.execPath, serverPath, '--stdio'];
    if (options.command === undefined && !existsSync(serverPath))
      throw new Error('dist/server/main.js is missing: run `npm run build` first');
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.process = child;
    this.settings = options.settings ?? {};
    child.stderr.on('data', (data: Buffer) => this.log.push(`stderr: ${data.toString()}`));
    this.#exit = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    this.connection = createProtocolConnection(new StreamMessageReader(child.stdout), new StreamMessageWriter(child.stdin));
    this.connection.onNotification(LogMessageNotification.type, ({ message }) => {
      this.log.push(message);
    });
    this.connection.onNotification(PublishDiagnosticsNotification.type, ({ uri, diagnostics }) => {
      this.published.set(uri, diagnostics);
    });
    this.connection.onRequest('workspace/configuration', ({ items }: { items: { section?: string }[] }) => items.map(() => this.settings));
    this.connection.onRequest(RegistrationRequest.type, ({ registrations }) => {
      this.registered.push(...registrations.map(({ method }) => method));
    });
    for (const method of ['workspace/diagnostic/refresh', 'workspace/inlayHint/refresh', 'workspace/codeLens/refresh'])
      this.connection.onRequest(method, () => {
        this.refreshes.push(method);
        return null;
      });
    this.connection.listen();
  }

  static async start(options: StartOptions = {}): Promise<TestClient> {
    const client = new TestClient(options);
    client.initializeResult = await client.connection.sendRequest(InitializeRequest.type, {
      processId: process.pid,
      rootUri: options.rootUri ?? null,
      workspaceFolders: options.rootUri === undefined ? null : [{ uri: options.rootUri, name: 'test' }],
      capabilities: options.capabilities ?? pullCapabilities,
      initializationOptions: options.initializationOptions,
    });
    await client.connection.sendNotification(InitializedNotification.type, {});
    return client;
  }

  /** Exit code of the server after an orderly shutdown. */
  async stop(): Promise<number | null> {
    await this.connection.sendRequest(ShutdownRequest.type);
    await this.connection.sendNotification(ExitNotification.type);
    const code = await this.#exit;
    this.connection.dispose();
    return code;
  }

  async open(uri: string, languageId: string, text: string): Promise<void> {
    this.#documents.set(uri, TextDocument.create(uri, languageId, 1, text));
    await this.connection.sendNotification(DidOpenTextDocumentNotification.type, { textDocument: { uri, languageId, version: 1, text } });
  }

  async close(uri: string): Promise<void> {
    this.#documents.delete(uri);
    await this.connection.sendNotification(DidCloseTextDocumentNotification.type, { textDocument: { uri } });
  }

  document(uri: string): TextDocument {
    const document = this.#documents.get(uri);
    if (document === undefined) throw new Error(`${uri} is not open`);
    return document;
  }

  text(uri: string): string {
    return this.document(uri).getText();
  }

  async change(uri: string, changes: TextDocumentContentChangeEvent[]): Promise<void> {
    const version = this.document(uri).version + 1;
    this.#documents.set(uri, TextDocument.update(this.document(uri), changes, version));
    await this.connection.sendNotification(DidChangeTextDocumentNotification.type, {
      textDocument: { uri, version },
      contentChanges: changes,
    });
  }

  /** Replaces the first occurrence of a text, as an incremental change. */
  async replace(uri: string, from: string, to: string): Promise<void> {
    const document = this.document(uri);
    const start = document.getText().indexOf(from);
    if (start < 0) throw new Error(`${JSON.stringify(from)} is not in ${uri}`);
    await this.change(uri, [{ range: { start: document.positionAt(start), end: document.positionAt(start + from.length) }, text: to }]);
  }

  /** Range of the first occurrence of a text. */
  rangeOf(uri: string, part: string): Range {
    const document = this.document(uri);
    const start = document.getText().indexOf(part);
    if (start < 0) throw new Error(`${JSON.stringify(part)} is not in ${uri}`);
    return { start: document.positionAt(start), end: document.positionAt(start + part.length) };
  }

  async pull(uri: string): Promise<Diagnostic[]> {
    const report = await this.connection.sendRequest(DocumentDiagnosticRequest.type, { textDocument: { uri } });
    if (report.kind !== 'full') throw new Error('a pull without previous result gave an unchanged report');
    return report.items;
  }

  async codeActions(uri: string, range: Range, only?: string[], diagnostics: Diagnostic[] = []): Promise<CodeAction[]> {
    const actions = await this.connection.sendRequest(CodeActionRequest.type, {
      textDocument: { uri },
      range,
      context: { diagnostics, only },
    });
    return (actions ?? []).filter((action): action is CodeAction => 'title' in action && typeof action.command !== 'string');
  }

  /** Applies an action's edit as an editor would, refusing one made for another version. */
  async apply(action: CodeAction): Promise<void> {
    for (const change of action.edit?.documentChanges ?? []) {
      if (!('textDocument' in change)) throw new Error('not a text edit');
      const { uri, version } = change.textDocument;
      if (version !== this.document(uri).version) throw new Error(`edit is for version ${version}, not ${this.document(uri).version}`);
      const edits = change.edits.filter((edit): edit is TextEdit => 'newText' in edit);
      const text = TextDocument.applyEdits(this.document(uri), edits);
      await this.change(uri, [{ text }]);
    }
  }

  async configure(settings: Readonly<Record<string, unknown>>): Promise<void> {
    this.settings = settings;
    await this.connection.sendNotification(DidChangeConfigurationNotification.type, { settings: null });
  }

  async fileChanged(uri: string): Promise<void> {
    await this.connection.sendNotification(DidChangeWatchedFilesNotification.type, { changes: [{ uri, type: FileChangeType.Changed }] });
  }

  /** Waits until something is true, at most a few seconds. */
  async until<T>(what: string, check: () => T | undefined | false): Promise<T> {
    const end = Date.now() + 4000;
    for (;;) {
      const value = check();
      if (value !== undefined && value !== false) return value;
      if (Date.now() > end) throw new Error(`did not happen: ${what}\n${this.log.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
