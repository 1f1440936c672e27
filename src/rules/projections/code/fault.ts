import type { Failure } from '../../../interpreter/recording.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import { spanIn } from '../../../syntax/python/ast.ts';
import { inputsOf } from '../../code/failing.ts';
import type { Fault, FaultKind } from '../../code/fault.ts';
import { faultsOf } from '../../code/faults.ts';
import { defineRule, type Report, type Rule, type RuleDocs } from '../../rule.ts';
import { widthFixes } from './widthFix.ts';

/** A rule for operations of model code that cannot work, of one kind. */
export const faultRule = (kind: FaultKind, code: Rule['code'], name: string, docs: RuleDocs): Rule =>
  defineRule({
    code,
    name,
    category: 'projections',
    severity: 'error',
    since: '0.2.0',
    docs: {
      fixSafety:
        'Where the fault is at the constructor of a layer, the fix writes the width that would fit. It is unsafe because the other side may be the one to change.',
      ...docs,
    },
    messages: { fact: '{fact}' },
    checkCode({ code: reading, report }) {
      for (const fault of faultsOf(reading)) {
        if (fault.kind !== kind || isGuess(fault)) continue;
        // What only numbers show, and not algebra, is very likely, and no more.
        const { basis } = fault.failure.problem;
        const severity = fault.isDoubtful
          ? ({ severity: 'information' } as const)
          : basis === 'samples' || basis === 'given' || basis === 'defaults'
            ? ({ severity: 'warning' } as const)
            : {};
        report({
          at: fault.at,
          message: 'fact',
          data: { fact: fault.fact },
          related: [...fault.related, ...elsewhere(reading, fault.failure)],
          fixes: widthFixes(reading, fault),
          ...severity,
        });
      }
    },
  });

/**
 * Sizes that are not known beside others that need not be what they are taken for: tables of angles whose width and length are settings
 * of another part, most of all, which fit in every model that sets both.
 */
const isGuess = ({ kind, isDoubtful, failure }: Fault): boolean =>
  isDoubtful && kind === 'broadcast' && inputsOf(failure).some(({ shape }) => shape.dims.some(({ unknown }) => unknown));

/** Where it fails in a file that this one imports. */
function elsewhere(code: CodeReading, { call, sites }: Failure): NonNullable<Report<string>['related']> {
  const site = call.site ?? sites[0];
  if (site === undefined || site.file === code.file || site.file.isPrelude) return [];
  const { path, module } = site.file;
  return [{ range: spanIn(site.unit, site.node), message: 'It fails here.', file: { uri: path, text: module.text } }];
}
