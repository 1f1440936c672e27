import { deepEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { parseQuery } from '../../../src/calculator/query.ts';
import { reportControls } from '../../../src/features/reportControls.ts';
import type { Amount, ReportControl } from '../../../src/protocol/calculator.ts';
import { answerReport } from '../../../src/server/calculator.ts';
import { withControl } from '../../../webview/calculator/expression.ts';
import {
  calculatorActions,
  type FromCalculator,
  isFromCalculator,
  isToCalculator,
  type ToCalculator,
} from '../../../webview/calculator/messages.ts';
import { changeText, exactText, groupedDigits, shortText, thin } from '../../../webview/calculator/numbers.ts';
import { freshQuestion, readState } from '../../../webview/calculator/state.ts';
import { paired } from '../../../webview/calculator/tables.ts';

const bytes = (digits: string | bigint): Amount => ({ unit: 'bytes', digits: String(digits) });
const parameters = (digits: string | bigint): Amount => ({ unit: 'parameters', digits: String(digits) });
const plain = (text: string | undefined): string | undefined => text?.replaceAll(thin, ' ');

describe('numbers of the calculator’s page', () => {
  it('writes few digits with a unit, exact where that is short', () => {
    // Llama 3 8B has 8,030,261,248 parameters; 128 KiB is the cache of a token.
    equal(plain(shortText(parameters('8030261248'))), '8.03 B');
    equal(plain(shortText(bytes('131072'))), '128 KiB');
    equal(plain(shortText({ unit: 'FLOPs', digits: '137438953472' })), '137 G');
    equal(plain(shortText(parameters('9999'))), '9999');
    equal(plain(shortText(bytes('0'))), '0 B');
    equal(plain(exactText(bytes('131072'))), '131 072 B');
    equal(plain(groupedDigits('4096')), '4096');
    equal(plain(groupedDigits('-1234567')), '-1 234 567');
  });

  it('is never further than half a per cent from the number, in a unit in which it is below the next', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 17n }), fc.constantFrom('bytes', 'parameters', 'FLOPs'), (value, unit) => {
        const text = plain(shortText({ unit, digits: String(value) })) ?? '';
        const [, number = '', name = ''] = /^([\d.]+) ?(.*)$/.exec(text) ?? [];
        const base = unit === 'bytes' ? 1024 : 1000;
        const units =
          unit === 'bytes'
            ? ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
            : ['', 'K', 'M', unit === 'FLOPs' ? 'G' : 'B', 'T', unit === 'FLOPs' ? 'P' : 'Q'];
        const step = units.indexOf(name);
        ok(step >= 0, text);
        ok(Math.abs(Number(number) * base ** step - Number(value)) <= Number(value) * 0.0051, text);
        ok(Number(number) < base || step === units.length - 1 || value < 10_000n, text);
      }),
    );
  });

  it('says how much more or less a second number is', () => {
    equal(plain(changeText(bytes('524288'), bytes('131072'))), '×0.25');
    equal(plain(changeText(parameters('100'), parameters('112'))), '+12 %');
    equal(plain(changeText(parameters('112'), parameters('100'))), '−11 %');
    equal(plain(changeText(parameters('3'), parameters('36'))), '×12');
    equal(changeText(parameters('7'), parameters('7')), '');
    equal(changeText(parameters('7'), bytes('7')), undefined);
    equal(changeText(parameters('0'), parameters('7')), undefined);
  });

  it('pairs rows by id', () => {
    deepEqual(paired([{ id: 'a' }, { id: 'b' }], [{ id: 'c' }, { id: 'a' }]), [
      [{ id: 'a' }, { id: 'a' }],
      [{ id: 'b' }, undefined],
      [undefined, { id: 'c' }],
    ]);
  });
});

describe('the expression’s controls', () => {
  const controlOf = (query: string, id: string): ReportControl => {
    const found = reportControls(query).find((control) => control.id === id);
    ok(found !== undefined, id);
    return found;
  };
  const set = (query: string, id: string, value: string): string => withControl(query, controlOf(query, id), value);

  it('change their own part of the query', () => {
    equal(set('d=4096 h=32', 'sequenceLength', '8k'), 'd=4096 h=32 T=8k');
    equal(set('d=4096 seq_len = 4 * 1024 h=32', 'sequenceLength', '8k'), 'd=4096 T=8k h=32');
    equal(set('d=4096 T=8k h=32', 'sequenceLength', ''), 'd=4096 h=32');
    equal(set('T=8k bf16', 'dtype', 'fp8'), 'T=8k fp8');
    equal(set('dtype=float16 T=8k', 'dtype', 'fp32'), 'fp32 T=8k');
    equal(set('T=8k sp tp=8', 'sequence', ''), 'T=8k tp=8');
    equal(set('T=8k', 'sequence', 'sp'), 'T=8k sp');
    equal(set('llama3-8b T=8k h100', 'preset', 'mistral-7b'), 'mistral-7b T=8k h100');
    equal(set('llama3-8b T=8k h100', 'gpu', ''), 'llama3-8b T=8k');
    equal(set('', 'tensor', '8'), 'tp=8');
    equal(controlOf('T=8k adamw', 'optimizer').value, 'adamw');
    equal(controlOf('optimizer=lion', 'optimizer').value, 'lion');
    equal(controlOf('tensor_parallel_size=4', 'tensor').value, '4');
    equal(controlOf('half', 'dtype').value, 'fp16');
  });

  it('leave everything else as it was, and are understood', () => {
    const word = fc.constantFrom(
      'd=4096',
      'h=32',
      'kv=8',
      'T=8k',
      'B = 2 * 2',
      'bf16',
      'tp=8',
      'pp=2',
      'sp',
      'gated',
      'ff=4*d',
      'h100',
      'llama3-8b',
      'adamw',
      'zero=3',
      'recompute=full',
    );
    const queries = fc.uniqueArray(word, { maxLength: 12 }).map((words) => words.join(' '));
    const change = fc.constantFrom(
      ['sequenceLength', '4096'],
      ['batch', '3'],
      ['tensor', '4'],
      ['pipeline', ''],
      ['dtype', 'fp32'],
      ['gpu', 'a100'],
      ['preset', 'gpt2'],
      ['optimizer', 'sgd'],
      ['sequence', ''],
      ['recomputation', 'none'],
    );
    fc.assert(
      fc.property(queries, change, (query, [id = '', value = '']) => {
        const changed = set(query, id, value);
        const [before, after] = [parseQuery(query), parseQuery(changed)];
        equal(after.problems.length, before.problems.length, changed);
        equal(controlOf(changed, id).value, value);
        for (const other of reportControls(query))
          if (other.id !== id) equal(controlOf(changed, other.id).value, other.value, `${other.id} in ${changed}`);
        for (const [name, assigned] of Object.entries(before.values))
          if (name !== id)
            equal((after.values as Record<string, { value: bigint }>)[name]?.value, assigned?.value, `${name} in ${changed}`);
      }),
    );
  });

  it('write every option in words that the calculator understands', () => {
    for (const { id, options = [], prefix } of reportControls(''))
      for (const [value] of options) deepEqual(parseQuery(`${prefix}${value}`).problems, [], `${id}: ${prefix}${value}`);
  });
});

describe('messages of the calculator', () => {
  const question = { query: 'T=8k', base: { uri: 'file:///config.json', design: '' }, name: 'config.json' };
  const fromPage: readonly FromCalculator[] = [
    { kind: 'ready' },
    { kind: 'ask', asked: 1, question: { ...question, second: { query: '', name: '' } } },
    ...calculatorActions.map((action) => ({ kind: 'act', action, question }) as const),
    { kind: 'pick', side: 'second' },
    { kind: 'reveal', base: question.base },
    { kind: 'error', message: 'm' },
  ];
  const toPage: readonly ToCalculator[] = [
    { kind: 'open', question },
    { kind: 'picked', side: 'first', name: '', preset: 'gpt2' },
    { kind: 'report', asked: 3, failure: 'gone' },
    { kind: 'code', text: 'the same', isProblem: false },
    { kind: 'outdated' },
  ];

  it('are those of each end, and nothing else', () => {
    for (const message of fromPage) ok(isFromCalculator(message) && !isToCalculator(message), JSON.stringify(message));
    for (const message of toPage) ok(isToCalculator(message) && !isFromCalculator(message), JSON.stringify(message));
    for (const message of [...fromPage, ...toPage]) {
      const accepts = isFromCalculator(message) ? isFromCalculator : isToCalculator;
      ok(!accepts({ ...message, more: 1 }));
      for (const wrong of [null, Number.NaN, [], true]) ok(!accepts({ ...message, kind: wrong }));
    }
    ok(!isFromCalculator({ kind: 'act', action: 'constructor', question }));
    ok(!isFromCalculator({ kind: 'ask', asked: -1, question }));
    ok(!isFromCalculator({ kind: 'ask', asked: 1, question: { ...question, query: 'x'.repeat(10_001) } }));
    ok(!isToCalculator({ kind: 'open', question: { ...question, base: { uri: 1, design: '' } } }));
    fc.assert(fc.property(fc.anything(), (value) => !isFromCalculator(value) && !isToCalculator(value)));
  });

  it('let every answer of the server through', async () => {
    const queries = [
      '',
      'd=4096 h=32 kv=8 T=8k B=4 bf16 ff=14336 gated L=32',
      'llama3-8b T=128k B=8 tp=4 pp=2 sp h100 adamw',
      'deepseek-v3 T=32k ep=8',
      'd=5120 h=? tp=8 hd%64',
      'd=4096 h=33',
      '1e400 NaN -3',
      'd=1e15 h=1 T=1e15 B=1e15',
      't5-base T=512',
      'whisper-small',
      'bert-base B=8 T=512',
      'vit-base',
    ];
    for (const query of queries) {
      const result = await answerReport({ query, second: { query: 'gpt2 T=1k' } }, async () => undefined);
      const message: unknown = JSON.parse(JSON.stringify({ kind: 'report', asked: 1, result, failure: '' }));
      ok(isToCalculator(message), query);
    }
  });

  it('keep a state that fits, and nothing else', () => {
    deepEqual(readState(undefined), { question: freshQuestion, exact: false, unfolded: [], scroll: 0 });
    const state = { question, exact: true, unfolded: ['design'], scroll: 120 };
    deepEqual(readState(JSON.parse(JSON.stringify(state))), state);
    deepEqual(readState({ question: { query: 1 }, exact: 'yes', unfolded: [1], scroll: -1 }), readState(undefined));
    fc.assert(fc.property(fc.anything(), (value) => JSON.stringify(readState(readState(value))) === JSON.stringify(readState(value))));
  });
});
