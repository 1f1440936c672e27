import * as vscode from 'vscode';
import type { CalculatorAction, PageSide } from '../../webview/calculator/messages.ts';
import type { WriteResult } from '../protocol/calculator.ts';
import type { PreviewPanels } from './previewPanel.ts';
import type { Server } from './server.ts';

/** What the actions act through. */
export interface ActionHost {
  readonly server: Server;
  readonly preview: PreviewPanels;
}

/** Actions in the order in which they are offered, with their names and icons. */
export const offeredActions = (): readonly (readonly [action: CalculatorAction, name: string, icon: string])[] => [
  ['markdown', vscode.l10n.t('Copy as Markdown'), 'markdown'],
  ['latex', vscode.l10n.t('Copy as LaTeX'), 'symbol-operator'],
  ['comment', vscode.l10n.t('Insert as a shape comment'), 'comment'],
  ['keys', vscode.l10n.t('Insert as config keys'), 'symbol-key'],
  ['preview', vscode.l10n.t('Open the attention preview'), 'eye'],
];

/** Does with a result what was chosen. */
export async function runAction({ server, preview }: ActionHost, action: CalculatorAction, { query, base }: PageSide): Promise<void> {
  const side = { query, ...(base === undefined ? {} : { base }) };
  if (action === 'preview') return openPreview(server, preview, { query, base });
  if (action === 'markdown' || action === 'latex') {
    const written = await server.write({ ...side, form: action });
    if (written?.text === undefined) return complain(written);
    await vscode.env.clipboard.writeText(written.text);
    vscode.window.setStatusBarMessage(
      action === 'markdown' ? vscode.l10n.t('Headwise: shapes copied as Markdown') : vscode.l10n.t('Headwise: shapes copied as LaTeX'),
      4000,
    );
    return;
  }
  const editor = targetEditor(action === 'keys' ? base?.uri : undefined);
  if (editor === undefined) {
    await vscode.window.showInformationMessage(vscode.l10n.t('Open the file to write into beside the result.'));
    return;
  }
  const { document } = editor;
  const target = { uri: document.uri.toString(), languageId: document.languageId, isEmpty: document.getText().trim() === '' };
  const written = await server.write({ ...side, form: action, target });
  if (written?.edits !== undefined) await applyEdits(document, written.edits);
  else if (written?.text !== undefined) await insertText(editor, written.text, action === 'comment');
  else return complain(written);
  await vscode.window.showTextDocument(document, { viewColumn: editor.viewColumn ?? vscode.ViewColumn.One });
}

/** The editor of a document, else the active one, else the one beside the result. */
function targetEditor(uri: string | undefined): vscode.TextEditor | undefined {
  const { activeTextEditor, visibleTextEditors } = vscode.window;
  const files = visibleTextEditors.filter(({ document }) => document.uri.scheme !== 'output');
  return files.find(({ document }) => document.uri.toString() === uri) ?? activeTextEditor ?? files[0];
}

async function complain(written: WriteResult | undefined): Promise<void> {
  const problem = written?.problem ?? '';
  await vscode.window.showWarningMessage(problem === '' ? vscode.l10n.t('The language server does not answer.') : problem);
}

async function applyEdits(document: vscode.TextDocument, edits: NonNullable<WriteResult['edits']>): Promise<void> {
  const change = new vscode.WorkspaceEdit();
  for (const { range, newText } of edits) {
    const { start, end } = range;
    change.replace(document.uri, new vscode.Range(start.line, start.character, end.line, end.character), newText);
  }
  await vscode.workspace.applyEdit(change);
}

/** Lines above the cursor's, in its indentation; or a text at the cursor, in place of what is selected. */
async function insertText(editor: vscode.TextEditor, text: string, asLines: boolean): Promise<void> {
  const { document, selection } = editor;
  const line = document.lineAt(selection.active.line);
  const indent = /^[ \t]*/.exec(line.text)?.[0] ?? '';
  await editor.edit((edit) => {
    if (asLines) edit.insert(line.range.start, text.replace(/^(?=.)/gm, indent));
    else edit.replace(selection, text.replace(/\n(?=.)/g, `\n${indent}`));
  });
}

/** The preview of the base with the sizes that hold, as if they had been set by hand there. */
async function openPreview(server: Server, preview: PreviewPanels, { query, base }: Pick<PageSide, 'query' | 'base'>): Promise<void> {
  const result = await server.report({ query, ...(base === undefined ? {} : { base }) });
  const design = result?.first.tables.find(({ id }) => id === 'design');
  const size = (name: string): number | undefined => {
    const cell = design?.rows.find(({ id }) => id === name)?.cells[0];
    return typeof cell === 'object' ? Number(cell.digits) : undefined;
  };
  const names = ['queryHeads', 'keyValueHeads', 'headDim'] as const;
  const overrides = Object.fromEntries(names.flatMap((name) => (size(name) === undefined ? [] : [[name, size(name)]])));
  await preview.open(base, JSON.stringify({ settings: { model: 'design', overrides } }));
}
