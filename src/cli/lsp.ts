import { startServer } from '../server/node.ts';
import { has, type ParsedOptions, UsageError } from './options.ts';
import type { Output } from './output.ts';

/** `headwise lsp --stdio`: resolves when the server stands; it ends with its client. */
export async function lsp(options: ParsedOptions, _output: Output): Promise<number> {
  if (options.positionals.length > 0) throw new UsageError(`headwise lsp takes no path, not ${JSON.stringify(options.positionals[0])}.`);
  if (!has(options, 'stdio')) throw new UsageError('headwise lsp speaks over standard input and output only: headwise lsp --stdio');
  startServer();
  return 0;
}
