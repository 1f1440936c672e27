import { classMember } from '../../../interpreter/attributes.ts';
import type { CodeReading, Study } from '../../../interpreter/study.ts';
import type { ClassValue, InstanceValue, ModuleCall, TensorValue, Value } from '../../../interpreter/value.ts';
import type { Expression, PythonModule, Statement } from '../../../syntax/python/ast.ts';
import { eachChildStatement, eachExpression } from '../../../syntax/python/walk.ts';
import { type Attention, attentionsOf } from '../../code/attention.ts';
import { meaningOf } from '../../code/masks.ts';
import { isMentioned } from '../../code/mentions.ts';
import { defineRule } from '../../rule.ts';
import { attentionExample, calledExample } from './examples.ts';

const mask = 'mask = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()';

export const causalMaskNotApplied = defineRule({
  code: 'HW168',
  name: 'causal-mask-not-applied',
  category: 'heads',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A causal mask is made, and nothing reads it.',
    why: 'Nothing fails: each token attends to those that follow it, the training loss falls further than it should, and what the model generates is worthless, as the future is not there then.',
    bad: [attentionExample({ mask: '' }), calledExample('F.scaled_dot_product_attention(q, k, v)', mask)],
    good: [
      attentionExample(),
      calledExample('F.scaled_dot_product_attention(q, k, v, attn_mask=mask)', mask),
      calledExample('F.scaled_dot_product_attention(q, k, v, is_causal=True)'),
    ],
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    variable: '`{name}` is a causal mask, and nothing reads it: attention sees the tokens that follow.',
    attribute: 'No mask is applied here, and nothing reads the causal mask `{name}`: attention sees the tokens that follow.',
  },
  checkCode({ code, rangeOf, report }) {
    if (!makesTriangles(code.file.module)) return;
    const seen = new Set<object>();
    for (const { name, value, site, frame, isArgument } of code.variables) {
      if (isArgument || site.file !== code.file || seen.has(site.node) || !/^[A-Za-z]\w*$/.test(name)) continue;
      const definition = frame.function?.definition;
      if (definition === undefined || !('body' in definition) || !Array.isArray(definition.body) || !isCausal(value)) continue;
      seen.add(site.node);
      const at = rangeOf(site);
      if (at !== undefined && !isRead(definition.body, name, site.node.end))
        report({ at, message: 'variable', data: { name }, tags: ['unnecessary'] });
    }
    for (const study of code.studies)
      for (const { name, made, attention } of idleMasks(code, study)) {
        const at = rangeOf(attention.node.site);
        if (at === undefined || seen.has(attention.node.site?.node ?? attention)) continue;
        seen.add(attention.node.site?.node ?? attention);
        report({ at, message: 'attribute', data: { name }, related: [{ range: rangeOf(made.site), message: 'The mask is made here.' }] });
      }
  },
});

/** How triangles are made. */
const triangles = /\btri[lu]_?\b|subsequent_mask/;

const known = new WeakMap<PythonModule, boolean>();

/** Asked for each study of a file, and worked out once. */
function makesTriangles(module: PythonModule): boolean {
  const found = known.get(module) ?? triangles.test(module.text);
  known.set(module, found);
  return found;
}

const isCausal = (value: Value): value is TensorValue =>
  value.kind === 'tensor' && value.shape.dims.length >= 2 && meaningOf(value)?.regions.some(({ kind }) => kind === 'causal') === true;

/** Whether code of the function, or of functions in it, reads the variable behind a place, or in a loop around the place. */
function isRead(body: readonly Statement[], name: string, place: number): boolean {
  let found = false;
  let from = place;
  let targets: readonly Expression[] = [];
  const see = (expression: Expression): void => {
    if (expression.kind === 'name' && !targets.includes(expression))
      found ||= (expression.name === name && expression.start >= from) || /^(?:locals|eval|exec)$/.test(expression.name);
    else if (expression.kind === 'string') found ||= expression.value?.includes(name) === true;
  };
  const visit = (statement: Statement): void => {
    // `fmask = mask = ...`: the other name stands for the mask, too.
    found ||= statement.kind === 'assign' && statement.targets.length > 1 && statement.start <= place && place <= statement.end;
    if ((statement.kind === 'for' || statement.kind === 'while') && statement.start < place && place <= statement.end)
      from = Math.min(from, statement.start);
    targets = statement.kind === 'assign' ? statement.targets : statement.kind === 'annotatedAssign' ? [statement.target] : [];
    eachExpression(statement, see);
    eachChildStatement(statement, visit);
  };
  body.forEach(visit);
  return found;
}

/** Masks that modules hold and no code mentions, where attention in the module hides nothing. */
function idleMasks(
  code: CodeReading,
  study: Study,
): readonly { readonly name: string; readonly made: TensorValue; readonly attention: Attention }[] {
  const seen = new Set<InstanceValue>();
  const all = attentionsOf(code);
  return study.calls.flatMap((call) => {
    const owner = call.instance;
    if (seen.has(owner) || owner.class.file !== code.file) return [];
    seen.add(owner);
    return [...owner.attributes].flatMap(([name, value]) => {
      if (!/^[A-Za-z_]\w*$/.test(name) || !isCausal(value) || isMentioned(code, owner.class, name) || takesMask(owner)) return [];
      // Other instances of the class may be given a mask.
      const within = all.filter(({ node }) => isWithin(node.call, owner.class));
      const attention = within.find((each) => each.study === study);
      return attention !== undefined && within.every(hidesNothing) ? [{ name, made: value, attention }] : [];
    });
  });
}

function isWithin(call: ModuleCall | undefined, owner: ClassValue): boolean {
  for (let each = call; each !== undefined; each = each.parent) if (each.instance.class === owner) return true;
  return false;
}

/** What is called with a mask hides by that. */
function takesMask({ class: of }: InstanceValue): boolean {
  const forward = classMember(of, 'forward');
  return forward?.kind === 'function' && forward.definition.parameters.some(({ name }) => /mask|bias|causal/i.test(name?.name ?? ''));
}

const hidesNothing = (attention: Attention): boolean =>
  attention.kind === 'called'
    ? (attention.mask === undefined || attention.mask.kind === 'none') &&
      (attention.isCausal === undefined || (attention.isCausal.kind === 'bool' && attention.isCausal.value === false))
    : attention.paths.every((path) => path.every(({ kind }) => kind === 'scale' || kind === 'dropout' || kind === 'cap'));
