import { rangeIn, textAt } from '../../code/places.ts';
import { tablesOfRotation } from '../../code/rotary.ts';
import { withCopies } from '../../code/tensors.ts';
import { defineRule } from '../../rule.ts';
import { rotaryExample } from './examples.ts';

export const rotaryTablesSwapped = defineRule({
  code: 'HW422',
  name: 'rotary-cosine-and-sine-swapped',
  category: 'positions',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'A rotary embedding multiplies the tensor by the sines and its rotated half by the cosines.',
    why: 'A rotation by an angle is `x * cos + rotate(x) * sin`. With the two swapped, position 0 is turned by a quarter instead of not at all, and later positions turn backwards: weights trained with the right one give nonsense. Shapes are the same.',
    bad: [
      rotaryExample({ turn: 'x * sin + rotate_half(x) * cos' }),
      rotaryExample({ apply: 'q = apply_rope(q, sin, cos)\nk = apply_rope(k, sin, cos)' }),
    ],
    good: [rotaryExample()],
    references: ['https://arxiv.org/abs/2104.09864'],
  },
  messages: {
    swapped: 'Here the sines meet the tensor itself and the cosines its rotated half: a rotation is `x * cos + rotate(x) * sin`.',
  },
  checkCode({ code, report }) {
    const seen = new Set<number>();
    for (const study of code.studies) {
      for (const node of withCopies(study)) {
        if (node.op !== 'add' && node.op !== 'sub') continue;
        const at = rangeIn(code, node.site);
        if (at === undefined || seen.has(at.start)) continue;
        const tables = tablesOfRotation(node);
        if (tables?.plain !== 'sin' || tables.rotated !== 'cos') continue;
        seen.add(at.start);
        report({ at, message: 'swapped' });
        // Arguments may have changed places where the function is called.
        if (/\bcos\b/.test(textAt(code, at)) && !/sin[\s\S]*cos/.test(textAt(code, at))) {
          for (const call of code.file.module.text.matchAll(/\(([^()\n]*,\s*)?sin\s*,\s*cos\b[^()\n]*\)/g))
            report({
              at: { start: call.index, end: call.index + call[0].length },
              message: 'swapped',
              related: [{ range: at, message: 'They are used here.' }],
            });
        }
      }
    }
  },
});
