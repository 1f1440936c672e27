import { parametersOf } from '../calculator/parameters.ts';
import type { ConfigReading, FieldName, TransformerDesign } from '../design/design.ts';
import { isScalar } from '../syntax/node.ts';
import { LineIndex } from '../text/lineIndex.ts';
import type { Range } from '../text/range.ts';
import type { Analysis } from '../workspace/analyse.ts';
import { fieldInfo } from './fieldInfo.ts';
import { keysOf } from './knowledge.ts';
import { designAround, fieldsOf, fieldsWrittenAt, locate, type OwnedField } from './locate.ts';
import { english, type Translate } from './messages.ts';
import { shapesTable } from './shapes.ts';
import { summarise } from './summary.ts';

export interface HoverText {
  readonly markdown: string;
  readonly range: Range;
}

/** Keys that stand for the whole model; hovering them shows every stack. */
const modelKeys: ReadonlySet<string> = new Set(['model_type', 'architectures', 'architecture', '_name_or_path', 'model']);

/** What the key or value at an offset means, where its number comes from, and the shapes it leads to. */
export function hover(analysis: Analysis, offset: number, t: Translate = english): HoverText | undefined {
  const { reading, parsed } = analysis;
  if (reading === undefined) return undefined;
  const at = locate(parsed.root, offset);
  if (at === undefined) return undefined;
  const { entry, mappings } = at;
  // The quote and the colon after a key belong to it.
  const onKey = entry.value === undefined || offset < entry.value.range.start;
  const target = onKey ? entry.keyRange : isScalar(entry.value) ? entry.value.range : entry.keyRange;
  const owned = fieldsWrittenAt(reading, entry);
  const lines = new LineIndex(parsed.text);
  if (owned.length > 0) return { markdown: describeFields(owned, lines, t), range: target };

  const mapping = mappings.at(-1);
  const design = mapping === undefined ? undefined : designAround(reading, mapping);
  if (onKey && mapping === mappings[0] && modelKeys.has(entry.key) && reading.designs.length > 0) {
    const stacks = reading.designs.map((stack) => stackText(stack, t)).join('\n\n---\n\n');
    return { markdown: [stacks, parametersText(reading, t)].filter((part) => part !== '').join('\n\n---\n\n'), range: target };
  }
  const nested = reading.designs.filter((stack) => stack.section.mapping === entry.value);
  if (onKey && nested.length > 0) return { markdown: nested.map((stack) => stackText(stack, t)).join('\n\n---\n\n'), range: target };
  if (design === undefined) return undefined;
  const known = keysOf(reading, design).find((key) => key.key === entry.key);
  if (known === undefined) return undefined;
  const text = [
    known.doc ?? (known.concept === undefined ? undefined : fieldInfo[known.concept].doc),
    known.default === undefined ? undefined : t('Default: `{value}`', { value: String(known.default) }),
  ].filter((line) => line !== undefined);
  return text.length === 0 ? undefined : { markdown: [`**${code(entry.key)}**`, ...text].join('\n\n'), range: target };
}

/** The whole model's parameters, where every layer of its class is understood; nothing otherwise. */
function parametersText(reading: ConfigReading, t: Translate): string {
  const parameters = parametersOf(reading);
  if (!parameters.known) return '';
  return t('{class}: {count} parameters', { class: code(parameters.className), count: parameters.total.toLocaleString('en') });
}

function describeFields(owned: readonly OwnedField[], lines: LineIndex, t: Translate): string {
  const sections: string[] = [];
  const told = new Set<FieldName>();
  for (const { name, design, field } of owned) {
    if (!told.has(name)) {
      told.add(name);
      sections.push(`**${capital(t(fieldInfo[name].title))}** = ${valueText(field.value)}\n\n${t(fieldInfo[name].doc)}`);
      sections.push(provenance({ design, name, field }, lines, t));
    }
  }
  const stacks = new Set(owned.map((one) => one.design));
  for (const design of [...stacks].slice(0, 3)) sections.push(stackText(design, t, owned));
  return sections.filter((section) => section !== '').join('\n\n');
}

/** Where one number comes from, as a sentence. */
function provenance({ design, field }: OwnedField, lines: LineIndex, t: Translate): string {
  if (field.source === 'default') {
    return field.origin === undefined ? t('Default of the family.') : t('Default of {origin}.', { origin: code(field.origin) });
  }
  if (field.source === 'derived') {
    return field.formula === undefined ? t('Derived.') : t('Derived: {formula}.', { formula: formulaText(field.formula, design) });
  }
  if (field.range === undefined) return '';
  // A reader that computes on what is written (halving, rounding up) names its formula; only then is there more to say than the line shows.
  if (field.formula !== undefined)
    return t('Line {line}: {formula}.', {
      line: lines.positionAt(field.range.start).line + 1,
      formula: formulaText(field.formula, design),
    });
  return '';
}

/** A quantity that the file does not write, with where it comes from: `head dimension 128 = model width / query heads = 4096 / 32`. */
function originText({ design, name, field }: OwnedField, t: Translate): string {
  const what = `${t(fieldInfo[name].title)} ${valueText(field.value)}`;
  if (field.source === 'default')
    return field.origin === undefined ? what : t('{what}, default of {origin}', { what, origin: code(field.origin) });
  if (field.formula === undefined) return what;
  const formula = formulaText(field.formula, design);
  // A formula in field names is an equation; anything else is a remark.
  return formulaNames(field.formula) ? `${what} = ${formula}` : `${what} (${formula})`;
}

const formulaNames = (formula: string): boolean => (formula.match(/[A-Za-z]\w*/g) ?? []).every((word) => word in fieldInfo);

/** `hiddenSize / queryHeads` -> `width / query heads = 4096 / 32`. */
function formulaText(formula: string, design: TransformerDesign): string {
  const known = new Map<string, string>();
  for (const [name, field] of fieldsOf(design)) if (typeof field.value === 'number') known.set(name, String(field.value));
  const words = formula.replace(/[A-Za-z]\w*/g, (word) => (word in fieldInfo ? fieldInfo[word as FieldName].title : word));
  const numbers = formula.replace(/[A-Za-z]\w*/g, (word) => known.get(word) ?? word);
  // A formula that is one name alone has its number said already.
  return numbers === formula || known.has(formula) ? words : `${words} = ${numbers}`;
}

/** One stack: its line, its shapes, and where what is not written in the file comes from. */
function stackText(design: TransformerDesign, t: Translate, without?: readonly OwnedField[]): string {
  const heading = [design.family, design.name].filter((part) => part !== undefined && part !== '').map((part) => code(part ?? ''));
  const line = summarise(design, t);
  const sections = [[...heading, line].filter((part) => part !== '').join(' · '), shapesTable(design, t)];
  const origins: string[] = [];
  for (const [name, field] of fieldsOf(design)) {
    if (field.source === 'written' && field.formula === undefined) continue;
    if (without?.some((one) => one.name === name && one.design === design)) continue;
    if (!worthTelling.has(name) || (name === 'valueDim' && field.value === design.fields.headDim?.value)) continue;
    origins.push(`- ${originText({ design, name, field }, t)}`);
  }
  if (origins.length > 0) sections.push(`${t('Not written here:')}\n\n${origins.join('\n')}`);
  return sections.filter((section) => section !== '').join('\n\n');
}

/** Quantities that shape the tables above; a list of every default would bury them. */
const worthTelling: ReadonlySet<FieldName> = new Set<FieldName>([
  'hiddenSize',
  'queryHeads',
  'keyValueHeads',
  'headDim',
  'valueDim',
  'layers',
  'intermediateSize',
  'rotaryDim',
  'normPlacement',
  'queryLoraRank',
  'keyValueLoraRank',
  'ropeHeadDim',
  'nopeHeadDim',
  'experts',
  'expertsPerToken',
  'expertIntermediateSize',
]);

/** Inline code that survives a backtick in the text. */
const code = (text: string): string => `\`${text.replaceAll('`', "'").replaceAll('\n', ' ').slice(0, 120)}\``;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function valueText(value: unknown): string {
  if (Array.isArray(value)) {
    const kinds = new Map<string, number>();
    for (const item of value) kinds.set(String(item), (kinds.get(String(item)) ?? 0) + 1);
    return [...kinds].map(([kind, count]) => `${count} x ${code(kind)}`).join(', ');
  }
  return typeof value === 'string' ? code(value) : String(value);
}
