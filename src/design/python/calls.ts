import type { PythonModule, UnitBody } from '../../syntax/python/ast.ts';
import { eachChildStatement } from '../../syntax/python/walk.ts';
import { familyOfConfigClass } from '../families.ts';

/** A library's class or function whose arguments describe a transformer. */
export interface KnownCallee {
  /** Full name: `torch.nn.MultiheadAttention`. */
  readonly name: string;
  /** Names of the arguments that may be given by position. */
  readonly positional: readonly string[];
  /** Arguments that are not seen may set sizes too. */
  readonly partial: boolean;
  /** Transformers model type, where its configuration class is what is called. */
  readonly modelType?: string;
}

const layer = ['d_model', 'nhead', 'dim_feedforward'];

/** Signatures as PyTorch 2 has them: https://docs.pytorch.org/docs/stable/nn.html#transformer-layers */
const torch: Readonly<Record<string, readonly string[]>> = {
  MultiheadAttention: ['embed_dim', 'num_heads', 'dropout', 'bias', 'add_bias_kv', 'add_zero_attn', 'kdim', 'vdim', 'batch_first'],
  TransformerEncoderLayer: layer,
  TransformerDecoderLayer: layer,
  Transformer: ['d_model', 'nhead', 'num_encoder_layers', 'num_decoder_layers', 'dim_feedforward'],
};

const imports = new WeakMap<UnitBody, readonly (readonly [name: string, full: string])[]>();

/** What a top-level statement imports. Worked out once. */
function importsIn(body: UnitBody): readonly (readonly [name: string, full: string])[] {
  const known = imports.get(body);
  if (known !== undefined) return known;
  const found: (readonly [string, string])[] = [];
  const waiting = [body.statement];
  for (let statement = waiting.pop(); statement !== undefined; statement = waiting.pop()) {
    if (statement.kind === 'import')
      for (const { name, alias } of statement.names)
        found.push([alias?.name ?? name.split('.')[0] ?? name, alias === undefined ? (name.split('.')[0] ?? name) : name]);
    else if (statement.kind === 'importFrom') {
      const from = `${'.'.repeat(statement.level)}${statement.module}`;
      for (const { name, alias } of statement.names) if (name !== '*') found.push([alias?.name ?? name, `${from}.${name}`]);
    } else eachChildStatement(statement, (child) => waiting.push(child));
  }
  imports.set(body, found);
  return found;
}

/** Full name of what each imported name stands for: `nn` -> `torch.nn`. Imports below the top level count too. */
export function importedNames(module: PythonModule): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const add = (name: string, full: string): void => {
    // A name that two imports give means either.
    names.set(name, names.has(name) && names.get(name) !== full ? '' : full);
  };
  for (const { body } of module.units) for (const [name, full] of importsIn(body)) add(name, full);
  return names;
}

/** What is known of a callable by its full name. */
export function knownCallee(full: string): KnownCallee | undefined {
  const dot = full.lastIndexOf('.');
  const name = full.slice(dot + 1);
  const from = full.slice(0, Math.max(dot, 0));
  if (/^torch\.nn(\.modules\.(activation|transformer))?$/.test(from)) {
    const positional = Object.hasOwn(torch, name) ? torch[name] : undefined;
    return positional === undefined ? undefined : { name: full, positional, partial: false };
  }
  if (/^transformers(\.|$)/.test(from) && name.endsWith('Config')) {
    const family = familyOfConfigClass(name);
    return family === undefined ? undefined : { name: full, positional: [], partial: false, modelType: family.modelType };
  }
  // lucidrains' libraries give each head `dim_head` features whatever the width.
  if (/^x_transformers(\.|$)/.test(from) && /^(Encoder|Decoder|CrossAttender|PrefixDecoder|AttentionLayers|Attention)$/.test(name))
    return { name: full, positional: [], partial: true };
  if (/^vit_pytorch(\.|$)/.test(from) && /^[A-Z]/.test(name)) return { name: full, positional: [], partial: true };
  return undefined;
}

/** Names that people give to the classes that hold a model's sizes. */
export const isConfigName = (name: string): boolean =>
  /(Config|Configuration|Args|Arguments|Params|Hparams|HParams|HyperParameters|Hyperparameters|Dimensions)$/.test(name);
