import { isBetween, isBoolean, isListOf, isString } from '../guards.ts';
import { isPageQuestion, type PageQuestion } from './messages.ts';

/** All that survives hiding and reloading the panel. */
export interface PageState {
  question: PageQuestion;
  /** Whether numbers are written with all their digits. */
  exact: boolean;
  /** Tables that are unfolded, by id. */
  unfolded: readonly string[];
  /** How far the page is scrolled, in CSS pixels. */
  scroll: number;
}

export const freshQuestion: PageQuestion = { query: '', name: '' };

/** What was kept; whatever does not fit is as at first. */
export function readState(found: unknown): PageState {
  const parts: Partial<Record<keyof PageState, unknown>> = typeof found === 'object' && found !== null ? found : {};
  return {
    question: isPageQuestion(parts.question) ? parts.question : freshQuestion,
    exact: isBoolean(parts.exact) && parts.exact,
    unfolded: isListOf(isString, 100)(parts.unfolded) ? parts.unfolded : [],
    scroll: isBetween(0, 1e6)(parts.scroll) ? parts.scroll : 0,
  };
}
