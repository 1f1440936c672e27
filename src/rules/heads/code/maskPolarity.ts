import { alternatives, ancestors } from '../../../interpreter/graph.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { Range } from '../../../text/range.ts';
import { attentionsOf } from '../../code/attention.ts';
import { maskTwins } from '../../code/maskTwins.ts';
import { type MaskUse, madeOf, maskUsesOf, rowMasks } from '../../code/maskUses.ts';
import { rangeIn, shown, textAt } from '../../code/places.ts';
import { asTensor, withCopies } from '../../code/tensors.ts';
import { defineRule } from '../../rule.ts';
import { calledExample, layerExample } from './examples.ts';

const causal = 'causal = torch.tril(torch.ones(T, T, dtype=torch.bool, device=x.device))';

export const maskPolarity = defineRule({
  code: 'HW156',
  name: 'mask-hides-what-it-should-show',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'A mask is passed to a function that reads it the other way round: what it should hide is seen, and the other way about.',
    why: '`scaled_dot_product_attention` keeps the keys where a boolean mask is True. `nn.MultiheadAttention` and the layers of `nn.Transformer` hide the keys where `attn_mask` or `key_padding_mask` is True. Both add a mask of numbers to the scores, so that ones and zeros hide nothing. A mask made for one and given to the other shows each token the future, or only padding, and nothing fails.',
    bad: [
      calledExample('F.scaled_dot_product_attention(q, k, v, attn_mask=~causal)', causal),
      calledExample(
        'F.scaled_dot_product_attention(q, k, v, attn_mask=causal)',
        'causal = torch.triu(torch.ones(T, T, dtype=torch.bool, device=x.device), diagonal=1)',
      ),
      calledExample('F.scaled_dot_product_attention(q, k, v, attn_mask=causal)', 'causal = torch.tril(torch.ones(T, T, device=x.device))'),
      layerExample({ mask: 'torch.tril(torch.ones(T, T, dtype=torch.bool))' }),
      layerExample({ mask: 'tokens != 0', call: 'y, _ = self.attn(y, y, y, key_padding_mask=mask)' }),
    ],
    good: [
      calledExample('F.scaled_dot_product_attention(q, k, v, attn_mask=causal)', causal),
      layerExample(),
      layerExample({ mask: 'tokens == 0', call: 'y, _ = self.attn(y, y, y, key_padding_mask=mask)' }),
      layerExample({ mask: 'nn.Transformer.generate_square_subsequent_mask(T)' }),
    ],
    fixSafety: 'The fix inverts the mask where it is passed. It changes what the model computes, which is the point.',
    references: [
      'https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html',
      'https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html',
    ],
  },
  messages: {
    functionCausal:
      '`{mask}` is False at past keys and True at future ones: `scaled_dot_product_attention` keeps where a mask is True, so each token sees only the future.',
    layerCausal: '`{mask}` is True at past keys: `nn.MultiheadAttention` hides where a mask is True, so each token sees only the future.',
    functionPadding: '`{mask}` is True at padding: `scaled_dot_product_attention` keeps where a mask is True.',
    layerPadding: '`{mask}` is True at real tokens: `nn.MultiheadAttention` hides where a mask is True.',
    fillPadding: 'This hides the real tokens and shows the padding: the mask is to be inverted.',
    added:
      'The mask is one of numbers, {seen} at keys to see and {unseen} at keys to hide: it is added to the scores and hides nothing. Make it boolean.',
    multiplied: 'The scores are multiplied by a mask of large negative numbers: it is to be added.',
    rows: '`{mask}` hides all keys from some queries, where it is to hide some keys from all: their weights become NaN.',
    inverted: 'The mask adds {seen} at keys to see: they are hidden.',
    twins:
      '`{mask}` is read in two ways: masked_fill hides where it is True, and `scaled_dot_product_attention` in the other branch keeps there.',
    takenOff: '`{mask}` is taken off the scores: masks are added to them, with large negative numbers at keys to hide.',
  },
  checkCode({ code, report }) {
    for (const { range, text } of invertedPaddings(code)) {
      report({
        at: range,
        message: 'layerPadding',
        severity: 'warning',
        data: { mask: text },
        related: [],
        fixes: [{ title: `Pass ${text.slice(1)}`, safe: false, edits: [{ range, newText: text.slice(1) }] }],
      });
    }
    for (const { by, node, mask } of maskUsesOf(code)) {
      const at = by === 'multiply' ? rangeIn(code, node.site) : undefined;
      if (at !== undefined)
        report({ at, message: 'multiplied', related: [{ range: rangeIn(code, mask.site), message: 'The mask is made here.' }] });
    }
    for (const { range, text } of takenOff(code)) report({ at: range, message: 'takenOff', severity: 'warning', data: { mask: text } });
    for (const { mask, fill, call } of maskTwins(code)) {
      const [filled, called] = [rangeIn(code, fill.site), rangeIn(code, call.site)];
      const data = { mask: textAt(code, rangeIn(code, mask.site)).split(/[\s:=]/)[0] ?? '' };
      // Either may be the one that is wrong.
      if (filled !== undefined && called !== undefined) {
        report({
          at: filled,
          message: 'twins',
          severity: 'warning',
          data,
          related: [{ range: called, message: 'The other branch is here.' }],
        });
        report({
          at: called,
          message: 'twins',
          severity: 'warning',
          data,
          related: [{ range: filled, message: 'The other branch is here.' }],
        });
      }
    }
    for (const { node, mask } of rowMasks(code)) {
      const at = rangeIn(code, node.site);
      if (at !== undefined)
        report({
          at,
          message: 'rows',
          data: { mask: shown(code, rangeIn(code, mask.site)) },
          related: [{ range: rangeIn(code, mask.site), message: 'The mask has one column, and a row for each query.' }],
        });
    }
    for (const use of maskUsesOf(code)) {
      const found = wrong(use);
      const at = placeOf(code, use);
      if (found === undefined || at === undefined) continue;
      const { made, isNamed } = found.region;
      // What a model hands a part of it may be turned round before, whatever its name there.
      if (isNamed === true && use.study.isPart === true) continue;
      const written = maskText(code, at);
      report({
        at: written?.range ?? at,
        message: found.message,
        ...(isNamed ? { severity: 'warning' as const } : {}),
        data: {
          mask: written?.text ?? shown(code, rangeIn(code, use.mask.site)),
          seen: found.region.seen ?? '?',
          unseen: found.region.unseen ?? '?',
        },
        related: [{ range: rangeIn(code, made.site), message: isNamed ? 'Its name says which keys it marks.' : 'The mask is made here.' }],
        fixes: fixesFor(found.message, written),
      });
      // The mask may have been made the wrong way round rather than passed wrongly.
      const madeAt = rangeIn(code, made.site);
      if (madeAt !== undefined && !isNamed && lines(code, madeAt, at) > 3) {
        report({
          at: madeAt,
          message: found.message,
          data: { mask: shown(code, madeAt), seen: found.region.seen ?? '?', unseen: found.region.unseen ?? '?' },
          related: [{ range: written?.range ?? at, message: 'The mask is passed here.' }],
        });
      }
    }
  },
});

const lines = (code: CodeReading, a: Range, b: Range): number =>
  code.file.module.text.slice(Math.min(a.start, b.start), Math.max(a.start, b.start)).split('\n').length - 1;

function wrong({ by, hidings, isCondition }: MaskUse) {
  if (by === 'multiply') return undefined;
  for (const { region, hidesSeen, hidesUnseen } of hidings) {
    const isCausal = region.kind === 'causal';
    if (by === 'add') {
      if (!isCausal && hidesSeen === true && hidesUnseen !== true) return { region, message: 'inverted' as const };
      if (hidesSeen === false && hidesUnseen === false && isSlight(region.seen) && isSlight(region.unseen) && region.seen !== region.unseen)
        return { region, message: 'added' as const };
      continue;
    }
    if (by === 'fill') {
      if (!isCausal && hidesSeen === true && hidesUnseen !== true) return { region, message: 'fillPadding' as const };
      continue;
    }
    if (!isCondition) {
      const isFlag = (cell: number | undefined): boolean => cell === 0 || cell === 1;
      if (isFlag(region.seen) && isFlag(region.unseen)) return { region, message: 'added' as const };
      // Ones are lost where another mask is multiplied in.
      if (by === 'function' && region.unseen === 0 && region.seen === undefined)
        return { region: { ...region, seen: 1 }, message: 'added' as const };
      if (hidesSeen === true && hidesUnseen !== true) return { region, message: 'inverted' as const };
      continue;
    }
    const isInverted = hidesSeen === true ? hidesUnseen !== true : hidesSeen === undefined && hidesUnseen === false;
    if (!isInverted) continue;
    if (by === 'function') return { region, message: isCausal ? ('functionCausal' as const) : ('functionPadding' as const) };
    return { region, message: isCausal ? ('layerCausal' as const) : ('layerPadding' as const) };
  }
  return undefined;
}

/** Too little to hide anything when it is added to scores. */
const isSlight = (cell: number | undefined): boolean => cell !== undefined && Math.abs(cell) <= 10;

/** Where the mask is used; one that only a name explains, where it got its values. */
function placeOf(code: CodeReading, { node, mask, by, meaning }: MaskUse): Range | undefined {
  const isNamed = (by === 'add' || by === 'function') && meaning.regions.some((region) => region.isNamed);
  return (isNamed ? rangeIn(code, madeOf(mask).site) : undefined) ?? rangeIn(code, node.site);
}

/** The mask among the arguments of the call. */
function maskText(code: CodeReading, call: Range): { readonly range: Range; readonly text: string } | undefined {
  const found =
    /\b(?:attn_mask|key_padding_mask|src_key_padding_mask|memory_key_padding_mask|src_mask|tgt_mask|mask)\s*=\s*(~?[A-Za-z_][\w.]*)(?=\s*[,)])/.exec(
      textAt(code, call),
    );
  const name = found?.[1];
  if (found === null || name === undefined) return undefined;
  const start = call.start + found.index + found[0].length - name.length;
  return { range: { start, end: start + name.length }, text: name };
}

function fixesFor(message: string, written: { readonly range: Range; readonly text: string } | undefined) {
  if (written === undefined || message === 'added' || message === 'inverted') return [];
  const newText = written.text.startsWith('~') ? written.text.slice(1) : `~${written.text}`;
  return [{ title: `Pass ${newText}`, safe: false, edits: [{ range: written.range, newText }] }];
}

/** `scores - mask`, of a mask as it came in: one of ones and zeros, or of penalties, would be multiplied by something first. */
function takenOff(code: CodeReading): readonly { readonly range: Range; readonly text: string }[] {
  const found = new Map<number, { readonly range: Range; readonly text: string }>();
  for (const attention of attentionsOf(code)) {
    for (const { kind, sign, node, operand } of attention.kind === 'softmax' ? attention.paths.flat() : []) {
      const range = rangeIn(code, node.site);
      if (kind !== 'add' || sign !== -1 || range === undefined || operand === undefined) continue;
      const name = /-=?\s*((?:\w+\.)*\w*mask)(?:\[[^\]]*\])?$/.exec(textAt(code, range))?.[1];
      const tensor = asTensor(operand);
      const isMade = (tensor === undefined ? [] : alternatives(tensor)).some((each) =>
        ancestors(each).some(({ op }) => makesPenalties.test(op)),
      );
      if (name !== undefined && !isMade) found.set(range.start, { range, text: name });
    }
  }
  return [...found.values()];
}

const makesPenalties = /^(?:mul|sub|rsub|div|neg|where|masked_fill|full|full_like|log|log_softmax)$/;

/** `key_padding_mask=~padding`: by its name it is true at padding, and inverted it is true at real tokens. */
function invertedPaddings(code: CodeReading): readonly { readonly range: Range; readonly text: string }[] {
  const found = new Map<number, { readonly range: Range; readonly text: string }>();
  for (const study of code.studies) {
    for (const node of withCopies(study)) {
      const at = node.op === 'attention_mask' || node.op === 'multi_head_attention' ? rangeIn(code, node.site) : undefined;
      if (at === undefined) continue;
      const match = /\bkey_padding_mask\s*=\s*(~\s*[\w.]*(?:^|_|\b)(?:padding|is_pad|is_padding))(?=\s*[,)])/.exec(
        textAt(code, at).replace(/\w+_key_padding_mask/g, (name) => 'key_padding_mask'.padStart(name.length)),
      );
      const text = match?.[1];
      if (match === null || text === undefined || /non|not_|valid/.test(text)) continue;
      const start = at.start + match.index + match[0].length - text.length;
      found.set(start, { range: { start, end: start + text.length }, text });
    }
  }
  return [...found.values()];
}
