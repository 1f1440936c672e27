import type { TransformerDesign } from '../design/design.ts';
import type { Severity } from '../text/finding.ts';

/** What Headwise adds to the Language Server Protocol: plain JSON both ways, no part of it needed by other editors. */

/** Sent by a client as `initializationOptions`; every part may be missing. */
export interface InitializationOptions {
  /** Commands that the client carries out itself: only these appear in code lenses and code actions. */
  readonly commands?: readonly string[];
  /** The client answers `headwise/readFile`: settings files are read through it, so that virtual workspaces work. */
  readonly readFile?: boolean;
  /** The client wants `headwise/designChanged`. */
  readonly designChanged?: boolean;
  /** Settings for clients without `workspace/configuration`. */
  readonly settings?: unknown;
  /** Translations of the server's own sentences, by English text. */
  readonly bundle?: Readonly<Record<string, string>>;
}

/** Request, client to server: what a document says about a model. */
export const designRequest = 'headwise/design';

export interface DesignParams {
  readonly uri: string;
}

/** Null where the document is not a model config or not open. */
export interface DesignResult {
  readonly uri: string;
  readonly version: number;
  /** The main stack in one line. */
  readonly summary: string;
  readonly dialect: string;
  readonly designs: readonly TransformerDesign[];
  /** How many findings of each severity the document has. */
  readonly findings: Readonly<Record<Severity, number>>;
}

/** Notification, server to client: the answer to `headwise/design` may be another one now. */
export const designChangedNotification = 'headwise/designChanged';

export interface DesignChangedParams {
  readonly uri: string;
  readonly version: number;
}

/** Request, server to client: the text of a file in the workspace, null where it cannot be read. */
export const readFileRequest = 'headwise/readFile';

export interface ReadFileParams {
  readonly uri: string;
}

/** Arguments of the client's commands in code lenses and code actions. */
export interface CommandTarget {
  readonly uri: string;
  /** Path of the stack in the file, as `TransformerDesign.name`. */
  readonly design: string;
}

export interface IgnoreTarget {
  readonly uri: string;
  /** Path relative to the workspace folder. */
  readonly path: string;
  readonly code: string;
}
