import { open } from 'node:fs/promises';
import type * as vscode from 'vscode';
import { activateHeadwise, type HeadwiseApi } from './activate.ts';

const loaded = performance.now();

export function activate(context: vscode.ExtensionContext): HeadwiseApi {
  return activateHeadwise(
    context,
    loaded,
    async (options) => (await import('./clientNode.ts')).createNodeClient(context, options),
    readRange,
  );
}

/** Bytes of a file, without reading the rest of it. */
async function readRange(path: string, first: number, end: number): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const bytes = new Uint8Array(end - first);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, first);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
