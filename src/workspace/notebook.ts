/** Findings in notebooks, from the text of all cells to single cells and to the `.ipynb` file. */
import { type NotebookFile, parseNotebook } from '../syntax/notebook.ts';
import type { Finding, Fix, Related } from '../text/finding.ts';
import type { Range } from '../text/range.ts';
import { type Analysis, type AnalysisInput, analyse } from './analyse.ts';
import type { Settings } from './settings.ts';

export const isNotebook = (path: string): boolean => /\.ipynb$/i.test(path);

/** A finding with its ranges in the source of its cell. */
export interface CellFinding {
  /** From 1, cells of text counted too, as editors and Ruff number them. */
  readonly cell: number;
  readonly source: string;
  readonly finding: Finding;
}

/** What is known of a notebook: findings have their ranges and edits in the text of the file. */
export interface NotebookAnalysis extends Analysis {
  /** Each of the findings in its cell. */
  readonly cells: ReadonlyMap<Finding, CellFinding>;
  /** Why there is nothing to read in it; undefined where there is. */
  readonly unread: string | undefined;
}

export const isOfNotebook = (analysis: Analysis): analysis is NotebookAnalysis => 'cells' in analysis;

/** Reads the code cells of an `.ipynb` file as one module. `name` is how the file is called. Never throws. */
export function analyseNotebook(input: AnalysisInput, settings: Settings, name: string): NotebookAnalysis {
  const notebook = parseNotebook(input.text);
  const analysis = analyse({ ...input, text: notebook.text, languageId: 'python' }, settings);
  const [problem] = notebook.problems;
  const cells = new Map<Finding, CellFinding>();
  for (const finding of analysis.findings) {
    const place = notebook.rangeIn(finding.range);
    const [whole, local] = [inFile(notebook, finding), place === undefined ? undefined : inCell(notebook, finding, place.cell, name)];
    if (place === undefined || whole === undefined || local === undefined) continue;
    cells.set(whole, { cell: place.cell + 1, source: notebook.sourceOf(place.cell) ?? '', finding: local });
  }
  return {
    ...analysis,
    findings: [...cells.keys()],
    cells,
    unread: problem !== undefined && notebook.text === '' ? problem.message : undefined,
  };
}

/** The finding in the text of the file; undefined where it stands in no cell. */
function inFile(notebook: NotebookFile, finding: Finding): Finding | undefined {
  const range = notebook.rangeInFile(finding.range);
  if (range === undefined) return undefined;
  const related = finding.related.flatMap((each): Related[] => {
    if (each.file !== undefined) return [each];
    const at = notebook.rangeInFile(each.range);
    return at === undefined ? [] : [{ ...each, range: at }];
  });
  return { ...finding, range, related, fixes: fixes(finding, (edit) => notebook.editOfFile(edit)) };
}

/** The finding in the source of its cell; what it points at in other cells is in files of their names. */
function inCell(notebook: NotebookFile, finding: Finding, cell: number, name: string): Finding | undefined {
  const here = (range: Range): Range | undefined => {
    const place = notebook.rangeIn(range);
    return place?.cell === cell ? place.range : undefined;
  };
  const range = here(finding.range);
  if (range === undefined) return undefined;
  const related = finding.related.flatMap((each): Related[] => {
    if (each.file !== undefined) return [each];
    const place = notebook.rangeIn(each.range);
    if (place === undefined) return [];
    if (place.cell === cell) return [{ ...each, range: place.range }];
    const file = { uri: `${name}:cell ${place.cell + 1}`, text: notebook.sourceOf(place.cell) ?? '' };
    return [{ ...each, range: place.range, file }];
  });
  const moved = fixes(finding, (edit) => {
    const at = here(edit.range);
    return at === undefined ? undefined : { range: at, newText: edit.newText };
  });
  return { ...finding, range, related, fixes: moved };
}

/** The fixes of which every edit has a place. */
const fixes = (finding: Finding, place: (edit: Fix['edits'][number]) => Fix['edits'][number] | undefined): readonly Fix[] =>
  finding.fixes.flatMap((fix) => {
    const edits = fix.edits.map(place);
    return edits.every((edit) => edit !== undefined) ? [{ ...fix, edits }] : [];
  });
