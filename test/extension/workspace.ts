import * as vscode from 'vscode';

export const everything = new vscode.Range(0, 0, 9999, 0);

/** The address of a file of the opened samples. */
export function sampleUri(path: string): vscode.Uri {
  const folder = vscode.workspace.workspaceFolders?.[0];
  if (folder === undefined) throw new Error('no workspace folder is open');
  return vscode.Uri.joinPath(folder.uri, path);
}

/** Texts of the opened samples as they were found. */
const originals = new Map<string, string>();

export async function openSample(path: string): Promise<vscode.TextDocument> {
  const document = await vscode.workspace.openTextDocument(sampleUri(path));
  originals.set(document.uri.toString(), document.getText());
  await vscode.window.showTextDocument(document);
  return document;
}

/** Files that are no samples. */
const written = new Set<vscode.Uri>();

/** Writes a file into the workspace, until `closeAll`. */
export async function write(path: string, text: string): Promise<vscode.Uri> {
  const uri = sampleUri(path);
  await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));
  written.add(uri);
  return uri;
}

export async function replace(document: vscode.TextDocument, from: string, to: string): Promise<void> {
  const edit = new vscode.WorkspaceEdit();
  const start = positionOf(document, from);
  edit.replace(document.uri, new vscode.Range(start, document.positionAt(document.offsetAt(start) + from.length)), to);
  if (!(await vscode.workspace.applyEdit(edit))) throw new Error(`${document.uri.path} could not be edited`);
}

/** Puts every opened sample back as it was, on disk too (VS Code in a browser saves by itself), closes all editors and removes what was written. */
export async function closeAll(): Promise<void> {
  for (const document of vscode.workspace.textDocuments) {
    const original = originals.get(document.uri.toString());
    if (original === undefined || original === document.getText()) continue;
    const edit = new vscode.WorkspaceEdit();
    edit.replace(document.uri, whole(document), original);
    await vscode.workspace.applyEdit(edit);
    await document.save();
  }
  originals.clear();
  await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  for (const uri of written) await vscode.workspace.fs.delete(uri);
  written.clear();
}

/** Asks again until `probe` answers, at most `seconds`. */
export async function eventually<T>(what: string, probe: () => Thenable<T | undefined> | T | undefined, seconds = 15): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function findings(uri: vscode.Uri): readonly vscode.Diagnostic[] {
  return vscode.languages.getDiagnostics(uri).filter(({ source }) => source === 'headwise');
}

export async function hints(uri: vscode.Uri): Promise<string[]> {
  const found = await vscode.commands.executeCommand<vscode.InlayHint[]>('vscode.executeInlayHintProvider', uri, everything);
  return found.map(({ label }) => (typeof label === 'string' ? label : label.map(({ value }) => value).join('')));
}

/** `HW101`, whether or not the code carries a link. */
export function codeOf({ code }: vscode.Diagnostic): string {
  return String(typeof code === 'object' ? code.value : code);
}

/** The lenses with their commands, once the server has some: a sign that it has analysed the file. */
export function lenses(uri: vscode.Uri): Promise<vscode.CodeLens[]> {
  return eventually(`code lenses of ${uri.path}`, async () => {
    const found = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', uri, 10);
    const own = found.filter(({ command }) => command !== undefined);
    return own.length > 0 ? own : undefined;
  });
}

export function positionOf(document: vscode.TextDocument, text: string): vscode.Position {
  const offset = document.getText().indexOf(text);
  if (offset < 0) throw new Error(`${document.uri.path} does not hold ${text}`);
  return document.positionAt(offset);
}

export function whole(document: vscode.TextDocument): vscode.Range {
  return new vscode.Range(new vscode.Position(0, 0), document.lineAt(document.lineCount - 1).range.end);
}
