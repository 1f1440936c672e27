import { parseQuery } from '../calculator/query.ts';
import type { TransformerDesign } from '../design/design.ts';
import { covers, type Range } from '../text/range.ts';
import type { Analysis } from '../workspace/analyse.ts';
import { blockAt } from './code.ts';

/** A name and what it is set to, as configurations, code and queries write it. */
const setting = /([A-Za-z_]\w*)["']?\s*[:=](?!=)\s*["']?(\w[\w.]*(?:\s*[-+*/]\s*\w[\w.]*)*)/g;

/** Longer selections are no list of sizes. */
const longest = 4000;

/**
 * The sizes that a selected text states, as a query: the text itself where it is one, else each `name=value` or `"name": value` in it
 * that the calculator knows. '' where it states none.
 */
export function queryOfSelection(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ');
  if (line === '' || text.length > longest) return '';
  const whole = parseQuery(line);
  if (whole.problems.length === 0 && (Object.keys(whole.values).length > 0 || whole.preset !== undefined)) return line;
  const found = new Map<string, string>();
  for (const [, name = '', value = ''] of text.matchAll(setting)) {
    const said = `${name}=${value.replace(/\s+/g, '')}`;
    const { problems, values } = parseQuery(said);
    const [quantity] = Object.keys(values);
    if (problems.length === 0 && quantity !== undefined && !found.has(quantity)) found.set(quantity, said);
  }
  return [...found.values()].join(' ');
}

/** The stack of a configuration or the block of model code around an offset; the first of a configuration that has none there. */
export function designNameAt(analysis: Analysis, offset: number): string | undefined {
  const designs = analysis.reading?.designs ?? [];
  const at: Range = { start: offset, end: offset };
  const around = designs.filter(({ section }) => covers(section.mapping.range, at)).sort((a, b) => size(a) - size(b));
  return blockAt(analysis, offset) ?? around[0]?.name ?? designs[0]?.name;
}

const size = ({ section }: TransformerDesign): number => section.mapping.range.end - section.mapping.range.start;
