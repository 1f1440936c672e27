import * as vscode from 'vscode';
import type { CheckpointFile, CheckpointFolder } from '../checkpoint/layers.ts';
import type { CommandTarget } from '../protocol/languageServer.ts';

/** Reads a part of a file, where the host can: VS Code itself reads whole files alone. */
export type ReadRange = (path: string, first: number, end: number) => Promise<Uint8Array>;

/** A file that was picked as input, with what the page asks for it by. */
export interface PickedFile {
  readonly name: string;
  readonly uri: string;
  readonly bytes: Uint8Array;
}

/** Bytes that an input, and a file that can only be read whole, may have. */
const mostBytes = 2 ** 28;
const pickedKey = 'headwise.pickedFiles';
const mostPicked = 50;
const leftOut = '**/{node_modules,.git,.venv}/**';

/** Files that were picked by hand, so that a page may ask for them again after a reload. */
const pickedOf = (context: vscode.ExtensionContext): readonly string[] => context.workspaceState.get<string[]>(pickedKey, []);

/** Lets a file with an array be picked among those of the workspace, or anywhere. */
export async function pickArray(context: vscode.ExtensionContext): Promise<PickedFile | undefined> {
  const files = await vscode.workspace.findFiles('**/*.{npy,safetensors}', leftOut, 200);
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
  const file = await readArray(uri);
  if (typeof file === 'string') {
    await vscode.window.showWarningMessage(file);
    return undefined;
  }
  const others = pickedOf(context).filter((each) => each !== file.uri);
  await context.workspaceState.update(pickedKey, [file.uri, ...others].slice(0, mostPicked));
  return file;
}

/** A file that was picked before, or why it is not given: a link may name any file, so only those of the workspace are read unasked. */
export async function readPicked(context: vscode.ExtensionContext, text: string): Promise<PickedFile | string> {
  const uri = vscode.Uri.parse(text);
  const known = pickedOf(context).includes(uri.toString());
  const inside = /\.(npy|json|safetensors)$/i.test(uri.path) && vscode.workspace.getWorkspaceFolder(uri) !== undefined;
  if (!known && !inside) return vscode.l10n.t('The file with the rows is outside the workspace: pick it again.');
  try {
    return await readArray(uri);
  } catch {
    return vscode.l10n.t('{0} cannot be read any more: pick another file.', vscode.workspace.asRelativePath(uri));
  }
}

async function readArray(uri: vscode.Uri): Promise<PickedFile | string> {
  const { size } = await vscode.workspace.fs.stat(uri);
  if (size > mostBytes) return vscode.l10n.t('The file has {0} MiB; at most {1} are read.', Math.ceil(size / 2 ** 20), mostBytes / 2 ** 20);
  // A plain array: Node's own kind of bytes does not pass through messages.
  const bytes = new Uint8Array(await vscode.workspace.fs.readFile(uri));
  return { name: vscode.workspace.asRelativePath(uri), uri: uri.toString(), bytes };
}

const folderOf = (target: CommandTarget | undefined): vscode.Uri | undefined => {
  const uri = target === undefined ? undefined : vscode.Uri.parse(target.uri);
  return uri !== undefined && uri.scheme !== 'untitled' ? vscode.Uri.joinPath(uri, '..') : vscode.workspace.workspaceFolders?.[0]?.uri;
};

/** The tokenizer.json beside the document, or the first of the workspace. */
export async function findTokenizer(target: CommandTarget | undefined): Promise<{ readonly name: string; readonly json: string }> {
  const folder = folderOf(target);
  const beside = folder === undefined ? [] : [vscode.Uri.joinPath(folder, 'tokenizer.json')];
  const others = await vscode.workspace.findFiles('**/tokenizer.json', leftOut, 1);
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

/** The folder of a document, for its checkpoint. */
export function checkpointFolder(target: CommandTarget | undefined, readRange: ReadRange | undefined): CheckpointFolder | undefined {
  const folder = target === undefined ? undefined : folderOf(target);
  if (folder === undefined) return undefined;
  return {
    names: async () =>
      (await vscode.workspace.fs.readDirectory(folder)).flatMap(([name, type]) => ((type & vscode.FileType.File) !== 0 ? [name] : [])),
    async open(name): Promise<CheckpointFile | undefined> {
      const uri = vscode.Uri.joinPath(folder, name);
      let size: number;
      try {
        size = (await vscode.workspace.fs.stat(uri)).size;
      } catch {
        return undefined;
      }
      if (uri.scheme === 'file' && readRange !== undefined) return { name, size, read: (first, end) => readRange(uri.fsPath, first, end) };
      if (size > mostBytes)
        throw new RangeError(
          vscode.l10n.t('{0} has {1} MiB; at most {2} are read here.', name, Math.ceil(size / 2 ** 20), mostBytes / 2 ** 20),
        );
      let whole: Uint8Array | undefined;
      return {
        name,
        size,
        async read(first, end) {
          whole ??= await vscode.workspace.fs.readFile(uri);
          return whole.slice(first, end);
        },
      };
    },
  };
}
