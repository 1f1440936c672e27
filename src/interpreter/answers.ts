/** What flags are taken to be where branches are followed: a flag answers alike wherever one path asks for it. */
import { bool } from './make.ts';
import type { BoolValue, Question, Value } from './value.ts';

/** The answers on a path, by what is asked. */
export type Answers = ReadonlyMap<string, boolean>;

export const noAnswers: Answers = new Map();

const ofSetting = (path: string, scope: string): string => `${path} of ${scope}`;

/** A switch that is not known, under the name of the setting or parameter that it is. */
export const flag = (path: string, scope: string): BoolValue =>
  bool(undefined, { whenTrue: [], whenFalse: [], asks: { what: ofSetting(path, scope), is: true } });

/** What is asked where a value's truth is. */
export function questionOf(value: Value): Question | undefined {
  if (value.kind === 'bool') return value.condition?.asks;
  return value.kind === 'unknown' && value.path !== undefined ? { what: ofSetting(value.path, value.scope ?? ''), is: true } : undefined;
}

/** What is asked where a setting is compared with None. */
export const presenceOf = (value: Value): Question | undefined =>
  value.kind === 'unknown' && value.path !== undefined
    ? { what: `${ofSetting(value.path, value.scope ?? '')} is None`, is: true }
    : undefined;

export function answerTo(question: Question | undefined, answers: Answers): boolean | undefined {
  const answer = question === undefined || answers.size === 0 ? undefined : answers.get(question.what);
  return answer === undefined ? undefined : answer === question?.is;
}

export const withAnswer = (answers: Answers, { what, is }: Question, outcome: boolean): Answers =>
  new Map([...answers, [what, outcome === is]]);

/** Those that hold on every path. */
export function sharedAnswers([first = noAnswers, ...others]: readonly Answers[]): Answers {
  if (others.every((other) => other === first)) return first;
  return new Map([...first].filter(([what, answer]) => others.every((other) => other.get(what) === answer)));
}
