import {
  type CodeAction,
  type CodeLens,
  type CompletionItem,
  CompletionItemKind,
  type Diagnostic,
  DiagnosticSeverity,
  DiagnosticTag,
  type InlayHint,
  InsertTextFormat,
  type Location,
  type Range as LspRange,
  type WorkspaceEdit,
} from 'vscode-languageserver';
import type { TransformerDesign } from '../design/design.ts';
import type { Action } from '../features/codeActions.ts';
import type { Lens } from '../features/codeLens.ts';
import type { Completion } from '../features/completion.ts';
import type { DiagnosticData } from '../features/diagnostics.ts';
import type { Hint } from '../features/inlayHints.ts';
import { sameRange } from '../features/locate.ts';
import type { Translate } from '../features/messages.ts';
import { summarise } from '../features/summary.ts';
import type { CommandTarget, IgnoreTarget, Place, StackSummary } from '../protocol/languageServer.ts';
import type { TextEdit } from '../text/edit.ts';
import type { OtherFile, Severity } from '../text/finding.ts';
import { LineIndex } from '../text/lineIndex.ts';
import type { Range } from '../text/range.ts';
import type { Analysis } from '../workspace/analyse.ts';
import { attentionTraits } from './attentionTraits.ts';
import type { View } from './views.ts';

/** What a client can show and do, as far as answers depend on it. */
export interface ClientAbilities {
  readonly relatedInformation: boolean;
  readonly documentChanges: boolean;
  readonly commands: ReadonlySet<string>;
}

export const toLspRange = (document: View, range: Range): LspRange => ({
  start: document.positionAt(range.start),
  end: document.positionAt(range.end),
});

export const fromLspRange = (document: View, range: LspRange): Range => ({
  start: document.offsetAt(range.start),
  end: document.offsetAt(range.end),
});

const severities: Readonly<Record<Severity, DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  information: DiagnosticSeverity.Information,
  hint: DiagnosticSeverity.Hint,
};

/** Undefined for a finding that another cell of the notebook shows. */
export function toDiagnostic(document: View, data: DiagnosticData, abilities: ClientAbilities): Diagnostic | undefined {
  if (document.showing(data.range) !== document) return undefined;
  const related = data.related.flatMap(({ range, message, file }) => {
    const view = file === undefined ? document.showing(range) : undefined;
    if (file !== undefined) return [{ location: locationIn(file, range), message }];
    return view === undefined ? [] : [{ location: { uri: view.uri, range: toLspRange(view, range) }, message }];
  });
  const inMessage = abilities.relatedInformation ? [] : data.related.map(({ message }) => message);
  return {
    range: toLspRange(document, data.range),
    severity: severities[data.severity],
    code: data.code,
    codeDescription: { href: data.href },
    source: 'headwise',
    message: [data.message, ...inMessage].join('\n'),
    ...(related.length > 0 && abilities.relatedInformation ? { relatedInformation: related } : {}),
    ...(data.tags.length > 0
      ? { tags: data.tags.map((tag) => (tag === 'deprecated' ? DiagnosticTag.Deprecated : DiagnosticTag.Unnecessary)) }
      : {}),
  };
}

function locationIn({ uri, text }: OtherFile, { start, end }: Range): Location {
  const lines = new LineIndex(text);
  return { uri, range: { start: lines.positionAt(start), end: lines.positionAt(end) } };
}

/** Undefined where an edit has no place in any cell. */
function toWorkspaceEdit(document: View, edits: readonly TextEdit[], abilities: ClientAbilities): WorkspaceEdit | undefined {
  const changes = new Map<View, { readonly range: LspRange; readonly newText: string }[]>();
  for (const { range, newText } of edits) {
    const view = document.showing(range);
    if (view === undefined) return undefined;
    const list = changes.get(view);
    const change = { range: toLspRange(view, range), newText };
    if (list === undefined) changes.set(view, [change]);
    else list.push(change);
  }
  return abilities.documentChanges
    ? { documentChanges: [...changes].map(([{ uri, version }, list]) => ({ textDocument: { uri, version }, edits: list })) }
    : { changes: Object.fromEntries([...changes].map(([{ uri }, list]) => [uri, list])) };
}

/** `reported` are the client's diagnostics at the place: those that the action answers are attached to it. Undefined where it cannot be carried out. */
export function toCodeAction(
  document: View,
  action: Action,
  path: string,
  reported: readonly Diagnostic[],
  abilities: ClientAbilities,
): CodeAction | undefined {
  const answered = reported.filter(
    (diagnostic) =>
      diagnostic.source === 'headwise' &&
      action.findings.some(
        (finding) => finding.code === diagnostic.code && document.offsetAt(diagnostic.range.start) === finding.range.start,
      ),
  );
  const base: CodeAction = {
    title: action.title,
    kind: action.kind,
    ...(answered.length > 0 ? { diagnostics: answered } : {}),
    ...(action.preferred ? { isPreferred: true } : {}),
  };
  if (action.ignore === undefined) {
    const edit = toWorkspaceEdit(document, action.edits, abilities);
    return edit === undefined ? undefined : { ...base, edit };
  }
  const target: IgnoreTarget = { uri: document.uri, path, code: action.ignore.code };
  return { ...base, command: { title: action.title, command: 'headwise.ignoreInFile', arguments: [target] } };
}

/** Undefined for a lens of another cell, or whose command the client does not have. */
export function toCodeLens(document: View, lens: Lens, abilities: ClientAbilities): CodeLens | undefined {
  if (!showsOffset(document, lens.offset)) return undefined;
  const position = document.positionAt(lens.offset);
  const range = { start: position, end: position };
  if (lens.command === undefined) return { range, command: { title: lens.title, command: '' } };
  if (!abilities.commands.has(lens.command)) return undefined;
  const target: CommandTarget = { uri: document.uri, design: lens.design };
  return { range, command: { title: lens.title, command: lens.command, arguments: [target] } };
}

/** Undefined for a hint of another cell. */
export const toInlayHint = (document: View, hint: Hint): InlayHint | undefined =>
  showsOffset(document, hint.offset)
    ? { position: document.positionAt(hint.offset), label: hint.label, tooltip: hint.tooltip, paddingLeft: true }
    : undefined;

const showsOffset = (document: View, offset: number): boolean => document.showing({ start: offset, end: offset }) === document;

/** Fields that a client may show, and whose findings belong to them. */
const shownFields = ['hiddenSize', 'queryHeads', 'keyValueHeads', 'headDim', 'valueDim', 'layers', 'slidingWindow', 'positions'] as const;

export function toStackSummary(document: View, analysis: Analysis, design: TransformerDesign, t: Translate): StackSummary {
  const { name, role, family, fields } = design;
  const places: Record<string, Place> = {};
  for (const field of shownFields) {
    const range = fields[field]?.source === 'written' ? fields[field].range : undefined;
    if (range !== undefined && document.showing(range) === document)
      places[field] = { ...document.positionAt(range.start), length: range.end - range.start };
  }
  const about = shownFields.flatMap((field) => (fields[field]?.source === 'written' ? [fields[field].range, fields[field].keyRange] : []));
  const warnings = analysis.findings
    .filter(({ severity, range }) => severity !== 'hint' && severity !== 'information' && about.some((place) => sameRange(place, range)))
    .map(({ message }) => message);
  return {
    name,
    role,
    family,
    summary: summarise(design, t),
    hiddenSize: fields.hiddenSize?.value,
    queryHeads: fields.queryHeads?.value,
    keyValueHeads: fields.keyValueHeads?.value,
    headDim: fields.headDim?.value,
    valueDim: fields.valueDim?.value,
    layers: fields.layers?.value,
    causal: fields.causal?.value,
    slidingWindow: fields.slidingWindow?.value,
    positions: fields.positions?.value,
    rotaryDim: fields.rotaryDim?.value,
    ...attentionTraits(design),
    places,
    warnings,
  };
}

/** What `completionItem/resolve` needs to find the documentation again. */
export interface CompletionData {
  readonly uri: string;
  readonly key: string;
  readonly design: string;
}

export function toCompletionItem(document: View, completion: Completion): CompletionItem {
  const data: CompletionData = { uri: document.uri, key: completion.key, design: completion.design };
  return {
    label: completion.label,
    kind: completion.kind === 'key' ? CompletionItemKind.Property : CompletionItemKind.Value,
    ...(completion.detail === '' ? {} : { detail: completion.detail }),
    filterText: completion.filterText,
    sortText: completion.sortText,
    insertTextFormat: InsertTextFormat.PlainText,
    textEdit: { range: toLspRange(document, completion.range), newText: completion.newText },
    data,
  };
}
