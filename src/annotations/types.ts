/** jaxtyping's and torchtyping's array types, as they stand in a signature. */
import { rigid } from '../dims/dim.ts';
import { parseDim } from '../dims/parse.ts';
import { range } from '../text/range.ts';
import type { Provenance, WrittenDim, WrittenShape } from './contract.ts';

export interface WrittenType {
  readonly provenance: Provenance & ('jaxtyping' | 'torchtyping');
  /** jaxtyping's `Float`, `Int`, ...; absent in torchtyping. */
  readonly dtype?: string;
  readonly shape: WrittenShape;
  /** True for `Optional[...]` and `... | None`. */
  readonly optional: boolean;
}

const maxLength = 1000;
const dtypes =
  /^(?:Shaped|Bool|Key|Num|Inexact|Real|Float|Complex|Integer|UInt|Int|Float(?:8\w*|16|32|64)|BFloat16|Complex(?:64|128)|U?Int(?:2|4|8|16|32|64)|PRNGKeyArray)$/;

/**
 * The axes of a jaxtyping string: sizes parted by spaces, `n+1`, `*batch`, `...`, `_`, `#d` (this size or 1), `?n` (differs
 * per leaf: unknown), `rows=4`, `{expr}` (known only when the code runs: unknown). `offset` is that of the text's first
 * character. Undefined where jaxtyping itself would refuse the text, or an expression cannot be read. Linear in the text.
 */
export function parseJaxtypingAxes(text: string, offset = 0): WrittenShape | undefined {
  if (text.length > maxLength) return undefined;
  const dims: WrittenDim[] = [];
  for (const found of text.matchAll(/\S+/g)) {
    const dim = jaxtypingAxis(found[0], offset + found.index);
    if (dim === undefined) return undefined;
    dims.push(dim);
  }
  if (dims.filter(({ kind }) => kind === 'rest').length > 1) return undefined;
  return { dims, range: range(offset, offset + text.length) };
}

function jaxtypingAxis(text: string, start: number): WrittenDim | undefined {
  const place = range(start, start + text.length);
  if (text === '...') return { kind: 'rest', text, range: place };
  const [, modifiers = '', label, body = ''] = /^([#*?_]*)(?:([A-Za-z_]\w*)=)?(.*)$/.exec(text) ?? [];
  const has = (sign: string): boolean => modifiers.includes(sign);
  if (new Set(modifiers).size !== modifiers.length) return undefined;
  const named = label === undefined ? {} : { label };
  const isName = /^[A-Za-z]\w*$/.test(body);
  if (has('*')) {
    if (body !== '' ? !isName : !has('_')) return undefined;
    return { kind: 'rest', text, range: place, ...(isName && !has('_') ? { label: body } : {}) };
  }
  if (body === '') return modifiers === '_' ? { kind: 'unknown', text, range: place, ...named } : undefined;
  if (has('_') && has('#')) return undefined;
  if (has('_') || has('?')) return isName ? { kind: 'unknown', text, range: place } : undefined;
  if (/^[^{}]*(?:\{[^{}]*\}[^{}]*)+$/.test(body)) return { kind: 'unknown', text, range: place, ...named };
  const parsed = parseDim(body, (name) => rigid(name));
  if (!parsed.ok || body.includes('?') || (parsed.dim.constant ?? 0) < 0) return undefined;
  return { kind: 'size', text: body, range: place, ...named, ...(has('#') ? { broadcast: true } : {}) };
}

/** The axes between the brackets of `TensorType["b", "t": 5, 512, ..., torch.float32]`. Undefined where torchtyping would refuse them. */
export function parseTorchtypingAxes(text: string, offset = 0): WrittenShape | undefined {
  if (text.length > maxLength) return undefined;
  const dims: WrittenDim[] = [];
  for (const found of text.matchAll(/[^,]+/g)) {
    const part = found[0].trim();
    if (part === '') continue;
    const start = offset + found.index + found[0].indexOf(part);
    const place = range(start, start + part.length);
    const [, single, double, size] = /^(?:'(\w+)'|"(\w+)")(?:\s*:\s*(-?\d+|\.\.\.))?$/.exec(part) ?? [];
    const name = single ?? double;
    if (name !== undefined) {
      if (/^\d/.test(name)) return undefined;
      if (size === '...') dims.push({ kind: 'rest', text: part, range: place, label: name });
      else if (size === '-1') dims.push({ kind: 'size', text: name, range: place });
      else if (size?.startsWith('-') === true) return undefined;
      else dims.push({ kind: 'size', text: size ?? name, range: place, ...(size === undefined ? {} : { label: name }) });
    } else if (part === '...') dims.push({ kind: 'rest', text: part, range: place });
    else if (part === '-1') dims.push({ kind: 'unknown', text: part, range: place });
    else if (/^\d+$/.test(part)) dims.push({ kind: 'size', text: part, range: place });
    else if (/^(?:float|int|bool|complex|(?:torch|torchtyping)\.\w+|is_\w+)$/.test(part)) continue;
    else return undefined;
  }
  if (dims.length === 0 || dims.filter(({ kind }) => kind === 'rest').length > 1) return undefined;
  return { dims, range: range(offset, offset + text.length) };
}

/**
 * The shape an annotation states: `Float[Tensor, "b t d"]`, `TensorType["b", "t", 512]`, either within `Optional[...]` or with
 * `| None`. Undefined for every other type, for f-strings and for strings with escapes. Linear in the text.
 */
export function parseArrayType(text: string, offset = 0): WrittenType | undefined {
  if (text.length > maxLength) return undefined;
  let at = text.length - text.trimStart().length;
  let body = text.trim();
  let optional = false;
  const wrapped = /^(?:\w+\.)?Optional\[\s*/.exec(body)?.[0];
  if (wrapped !== undefined && body.endsWith(']')) {
    optional = true;
    body = body.slice(wrapped.length, -1).trimEnd();
    at += wrapped.length;
  }
  const none = /\s*\|\s*None$/.exec(body);
  if (none !== null) {
    optional = true;
    body = body.slice(0, none.index);
  }
  const jax = /^(?:\w+\.)*(\w+)\[\s*[\w.|[\] ]+,\s*([rR]?)(['"])([^'"\\\n]*)\3\s*,?\s*\]$/.exec(body);
  if (jax?.[1] !== undefined && jax[4] !== undefined && dtypes.test(jax[1])) {
    const quote = body.lastIndexOf(jax[3] ?? '"', body.lastIndexOf(jax[3] ?? '"') - 1);
    const shape = parseJaxtypingAxes(jax[4], offset + at + quote + 1);
    return shape === undefined ? undefined : { provenance: 'jaxtyping', dtype: jax[1], shape, optional };
  }
  const torch = /^(?:\w+\.)*TensorType\[([^[\]]*)\]$/.exec(body);
  if (torch?.[1] !== undefined) {
    const shape = parseTorchtypingAxes(torch[1], offset + at + body.indexOf('[') + 1);
    return shape === undefined ? undefined : { provenance: 'torchtyping', shape, optional };
  }
  return undefined;
}
