import type { NotebookDocument, NotebookDocuments, Position } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { joinCells, type NotebookText } from '../syntax/notebook.ts';
import type { Range } from '../text/range.ts';

/**
 * A document as a client shows it, over a text that may be longer: a notebook is read as one text and shown as cells. Offsets are
 * those of the whole text, positions those of the document.
 */
export interface View {
  readonly uri: string;
  readonly version: number;
  readonly languageId: string;
  getText(): string;
  positionAt(offset: number): Position;
  offsetAt(position: Position): number;
  /** The view that shows all of a range: this one, another cell's, or none. */
  showing(range: Range): View | undefined;
}

/** What is analysed as one: a text document, or a notebook. */
export interface Source {
  /** The URI of the document or notebook. */
  readonly id: string;
  /** Changes with every edit of any part. */
  readonly version: string;
  readonly languageId: string;
  readonly text: string;
  readonly view: View;
}

export function documentSource(document: TextDocument): Source {
  const { uri, version, languageId } = document;
  const view: View = {
    uri,
    version,
    languageId,
    getText: () => document.getText(),
    positionAt: (offset) => document.positionAt(offset),
    offsetAt: (position) => document.offsetAt(position),
    showing: () => view,
  };
  return { id: uri, version: String(version), languageId, text: document.getText(), view };
}

interface Joined {
  readonly version: string;
  readonly text: NotebookText;
  readonly cells: ReadonlyMap<string, View>;
}

/** Notebooks as texts: their Python cells, one after the other. A notebook is joined anew when one of its cells has changed. */
export class NotebookSources {
  readonly #notebooks: NotebookDocuments<TextDocument>;
  readonly #joined = new Map<string, Joined>();

  constructor(notebooks: NotebookDocuments<TextDocument>) {
    this.#notebooks = notebooks;
  }

  /** The notebook that a cell belongs to. */
  of(uri: string): NotebookDocument | undefined {
    return this.#notebooks.findNotebookDocumentForCell(uri);
  }

  /** The Python cells of a notebook, in order. */
  cellsOf(notebook: NotebookDocument): readonly TextDocument[] {
    return notebook.cells
      .flatMap((cell) => this.#notebooks.getCellTextDocument(cell) ?? [])
      .filter(({ languageId }) => languageId === 'python');
  }

  /** What is analysed for a cell; undefined where it is no Python cell of an open notebook. */
  source(uri: string): Source | undefined {
    const notebook = this.of(uri);
    if (notebook === undefined) return undefined;
    const { text, version, cells } = this.#join(notebook);
    const view = cells.get(uri);
    return view === undefined ? undefined : { id: notebook.uri, version, languageId: 'python', text: text.text, view };
  }

  forget(notebook: NotebookDocument): void {
    this.#joined.delete(notebook.uri);
  }

  #join(notebook: NotebookDocument): Joined {
    const documents = this.cellsOf(notebook);
    const version = documents.map((document) => `${document.uri} ${document.version}`).join('\n');
    const known = this.#joined.get(notebook.uri);
    if (known?.version === version) return known;
    const text = joinCells(documents.map((document, index) => ({ index, source: document.getText() })));
    const cells = new Map<string, View>();
    const views = documents.map((document, index): View => {
      const start = text.offsetOf({ cell: index, offset: 0 }) ?? 0;
      const view: View = {
        uri: document.uri,
        version: document.version,
        languageId: document.languageId,
        getText: () => text.text,
        positionAt: (offset) => document.positionAt(offset - start),
        offsetAt: (position) => start + document.offsetAt(position),
        showing: (range) => {
          const place = text.rangeIn(range);
          return place === undefined ? undefined : views[place.cell];
        },
      };
      cells.set(document.uri, view);
      return view;
    });
    const joined = { version, text, cells };
    this.#joined.set(notebook.uri, joined);
    return joined;
  }
}
