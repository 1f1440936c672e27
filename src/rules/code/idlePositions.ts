/** Embeddings of positions that come to nothing: worked out and not read, or cut along the axis that has one row. */
import type { CodeReading } from '../../interpreter/study.ts';
import type { Site } from '../../interpreter/value.ts';
import type { Expression, Statement } from '../../syntax/python/ast.ts';
import { eachExpressionWithin, mentionsName } from '../../syntax/python/walk.ts';
import { reads } from './idleResidual.ts';
import { functionsThatRan } from './places.ts';

export interface IdlePositions {
  readonly name: string;
  readonly site: Site;
}

const positionNames =
  /^(?:\w+_)?(?:pos(?:ition)?(?:al|s)?|pe)_?(?:emb(?:ed(?:ding)?)?s?|enc(?:od(?:ed|ing))?s?)(?:_\w+)?$|^(?:emb(?:edding)?s?|enc(?:oding)?)_pos(?:ition)?s?$/i;

/** The last of what a function calls its embeddings of positions, made from what the module holds, where nothing reads it. */
export function idlePositions(code: CodeReading): readonly IdlePositions[] {
  const { file } = code;
  const found: IdlePositions[] = [];
  for (const { definition, unit } of functionsThatRan(code)) {
    const { body } = definition;
    const names = new Set<string>();
    for (const each of body) {
      const [target] = each.kind === 'assign' && each.targets.length === 1 ? each.targets : [];
      if (each.kind === 'assign' && target?.kind === 'name' && positionNames.test(target.name) && mentionsName(each.value, 'self'))
        names.add(target.name);
    }
    for (const name of names) {
      const last = body.findLastIndex(
        (each) => each.kind === 'assign' && each.targets[0]?.kind === 'name' && each.targets[0].name === name,
      );
      const node = body[last];
      // One that was read goes on to be something else.
      const others = body.filter((each) => each.kind !== 'assign' || each.targets[0]?.kind !== 'name' || each.targets[0].name !== name);
      if (node === undefined || others.some((each) => reads(each, name)) || takesLocals(body)) continue;
      found.push({ name, site: { file, unit, node } });
    }
  }
  return found;
}

/** `locals()` reads every name; so may a body that could not be read. */
function takesLocals(body: readonly Statement[]): boolean {
  let found = false;
  for (const statement of body)
    eachExpressionWithin(statement, (each) => {
      if (each.kind === 'unknown' || (each.kind === 'name' && /^(?:locals|vars|eval|exec)$/.test(each.name))) found = true;
    });
  return found;
}

/** `self.pe[:x.size(1)]` of a table (1, length, width): one row is there, and all positions stay. */
export function tablesCutAcross(code: CodeReading): readonly Site[] {
  const found = new Map<unknown, Site>();
  for (const { tensors } of code.studies) {
    for (const { op, site, inputs } of tensors) {
      const [table] = inputs;
      if (op !== 'getitem' || site === undefined || site.file !== code.file || table === undefined || found.has(site.node)) continue;
      if (table.isBuffer !== true && table.isParameter !== true) continue;
      const { dims, ellipsis } = table.shape;
      const [rows, length] = dims;
      if (ellipsis !== undefined || dims.length !== 3 || rows?.constant !== 1 || length === undefined || length.constant === 1) continue;
      const node = site.node as Partial<Expression> as Expression;
      const [cut] = node.kind === 'subscript' && node.indices.length === 1 ? node.indices : [];
      if (cut?.kind !== 'slice' || cut.lower !== undefined || cut.step !== undefined || cut.upper === undefined) continue;
      if (isLengthWritten(cut.upper)) found.set(node, site);
    }
  }
  return [...found.values()];
}

/** `x.size(1)`, `x.shape[1]`, `len(x)`, or a name for it. */
function isLengthWritten(expression: Expression): boolean {
  if (expression.kind === 'subscript')
    return expression.object.kind === 'attribute' && expression.object.name.name === 'shape' && expression.indices.length === 1;
  if (expression.kind === 'call') return expression.callee.kind === 'attribute' && expression.callee.name.name === 'size';
  return expression.kind === 'name' && /^(?:[ltns]|seq_?len(?:gth)?|length|seq_length|n_tokens|num_tokens)$/i.test(expression.name);
}
