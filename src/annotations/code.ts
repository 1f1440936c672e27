/**
 * Contracts at their places: which parameter, result or variable each shape comment, docstring entry and array type of a top-level
 * statement speaks of.
 */
import type {
  ClassDefinition,
  Expression,
  FunctionDefinition,
  Parameter,
  PythonModule,
  Span,
  Statement,
  Unit,
  UnitBody,
} from '../syntax/python/ast.ts';
import { childExpressions, eachChildStatement, eachExpression, statementExpressions } from '../syntax/python/walk.ts';
import { parseBindings } from './bindings.ts';
import { parseShapeComment } from './comment.ts';
import type { Contract } from './contract.ts';
import { parseDocstring } from './docstring.ts';
import type { PlacedBindings, PlacedContract, Subject, UnitAnnotations } from './place.ts';
import { inputsOf, pathOf, resultsOf, subjectOf } from './targets.ts';
import { parseArrayType } from './types.ts';

const none: UnitAnnotations = { functions: new Map(), statements: new Map(), bindings: [] };

/** What was read off a body, with the text of the comment behind it, which is no part of the statement. */
const cache = new WeakMap<UnitBody, { readonly trailing: string; readonly annotations: UnitAnnotations }>();

/**
 * The contracts and bindings of a top-level statement, relative to it. `text` is the whole text. Worked out once per body, so that
 * a unit that an edit did not touch costs nothing. Never throws; linear in the statement but for the depth of nesting.
 */
export function annotationsOf(unit: Unit, text: string): UnitAnnotations {
  const { body, start } = unit;
  const trailing = text.slice(start + body.statement.end, start + Math.max(body.statement.end, body.comments.at(-1)?.end ?? 0));
  const known = cache.get(body);
  if (known !== undefined && known.trailing === trailing) return known.annotations;
  const annotations = mayState(body) ? new Reader(body, text.slice(start, start + body.statement.end) + trailing).read() : none;
  cache.set(body, { trailing, annotations });
  return annotations;
}

/**
 * The statement that a comment of the unit stands at, with the function around it: the one it ends, else the one directly below it, else
 * the one directly above. Linear in the statement.
 */
export function statementAt(
  { body, start }: Unit,
  text: string,
  comment: Span,
): { readonly statement: Statement; readonly function: FunctionDefinition | undefined } | undefined {
  const end = Math.max(body.statement.end, body.comments.at(-1)?.end ?? 0);
  return new Reader(body, text.slice(start, start + end)).statementAt(comment);
}

/** Imports and the like say nothing about shapes. */
const mayState = ({ statement, comments }: UnitBody): boolean =>
  statement.kind === 'function' || statement.kind === 'class' || comments.length > 0 || statement.kind === 'annotatedAssign';

/**
 * The bindings between top-level statements: for the class or function directly below, else for the file. Ranges are those of the
 * text. Linear in the comments.
 */
export function moduleBindings({ comments, units, text }: PythonModule): readonly PlacedBindings[] {
  const placed: PlacedBindings[] = [];
  for (const comment of comments) {
    const written = text.slice(comment.start, comment.end);
    const read = written.includes('eadwise') ? parseBindings(written, comment.start) : undefined;
    if (read === undefined) continue;
    const below = units.find(({ start }) => start > comment.end);
    const gap = below === undefined ? undefined : text.slice(comment.end, below.start);
    const statement = below?.body.statement;
    const direct = gap !== undefined && isOnlyComments(gap) && (statement?.kind === 'class' || statement?.kind === 'function');
    placed.push({
      scope: direct && (statement.kind === 'class' || statement.kind === 'function') ? statement.kind : 'file',
      node: direct ? statement : undefined,
      comment,
      ...read,
    });
  }
  return placed;
}

/** Lines of comments, none of them blank. */
const isOnlyComments = (gap: string): boolean => /^[^\S\r\n]*(?:\r\n|\r|\n)(?:[^\S\r\n]*#[^\r\n]*(?:\r\n|\r|\n))*[^\S\r\n]*$/.test(gap);

/** One comment that is read, with the lines around it. */
interface Spot {
  readonly comment: Span;
  readonly ownLine: boolean;
  /** The function and class around it. */
  readonly function: FunctionDefinition | undefined;
  readonly class: ClassDefinition | undefined;
  /** The simple statement that it stands in or behind. */
  readonly within?: Statement;
  /** The compound statement in whose header it stands. */
  readonly header?: Statement;
  /** On a line of its own, at the same indentation: the simple statement before it, and the statement after it. */
  readonly previous?: Statement | undefined;
  readonly next?: Statement;
}

/** The run of comment lines that a comment stands in. */
interface Block {
  /** Offset of its first line. */
  readonly before: number;
  /** Offset of the line behind its last. */
  readonly after: number;
  /** The lines around the comment run on in it. */
  readonly isSentence: boolean;
  /** Another line of the block says what the result is, or may. */
  readonly isStep: boolean;
  /** It gives the lines below it a title. */
  readonly isHeading: boolean;
}

interface Entry {
  readonly statement: Statement;
  readonly function: FunctionDefinition | undefined;
  readonly class: ClassDefinition | undefined;
}

/** What other tools read, behind the comment proper. */
const directive = /\s*#\s*(?:headwise|noqa|type|pylint|ruff|mypy|pyright|fmt|yapf|isort|pragma)\b.*$/;

/** Lines of a run of comments that are read together. */
const maxBlock = 50;

class Reader {
  readonly #body: UnitBody;
  /** The statement and the comment behind it. */
  readonly #source: string;
  readonly #functions = new Map<FunctionDefinition, PlacedContract[]>();
  readonly #statements = new Map<Statement, PlacedContract[]>();
  readonly #bindings: PlacedBindings[] = [];
  readonly #names = new Map<FunctionDefinition | undefined, ReadonlySet<string>>();
  readonly #commentAt = new Map<number, Span>();
  readonly #parsed = new Map<Span, Contract | undefined>();
  #entries: readonly Entry[] | undefined;

  constructor(body: UnitBody, source: string) {
    this.#body = body;
    this.#source = source;
  }

  read(): UnitAnnotations {
    this.#readDefinitions(this.#body.statement, undefined, 0);
    for (const comment of this.#body.comments) this.#commentAt.set(this.#lineStart(comment.start), comment);
    for (const comment of this.#body.comments) this.#readComment(comment);
    return { functions: this.#functions, statements: this.#statements, bindings: this.#bindings };
  }

  statementAt(comment: Span): { readonly statement: Statement; readonly function: FunctionDefinition | undefined } | undefined {
    for (const each of this.#body.comments) this.#commentAt.set(this.#lineStart(each.start), each);
    const { within, previous, next, ownLine, function: around } = this.#spotOf(comment);
    if (!ownLine) return within === undefined ? undefined : { statement: within, function: around };
    const { before, after } = this.#blockAround(comment);
    if (next !== undefined && this.#lineStart(next.start) === after) return { statement: next, function: around };
    return previous !== undefined && this.#nextLine(previous.end) === before ? { statement: previous, function: around } : undefined;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Docstrings and types

  #readDefinitions(statement: Statement, outer: FunctionDefinition | undefined, depth: number): void {
    if (depth > 100) return;
    if (statement.kind === 'function') this.#readFunction(statement);
    else if (statement.kind === 'annotatedAssign') this.#readAnnotated(statement, outer);
    const inner = statement.kind === 'function' ? statement : outer;
    eachChildStatement(statement, (child) => this.#readDefinitions(child, inner, depth + 1));
  }

  #readFunction(definition: FunctionDefinition): void {
    for (const parameter of definition.parameters) {
      const name = parameter.name?.name;
      if (name === undefined || parameter.annotation === undefined || parameter.kind !== 'plain') continue;
      const contract = this.#typeOf(parameter.annotation, 'parameter');
      if (contract !== undefined) this.#addToFunction(definition, contract, [{ kind: 'parameter', name, parameter }], 'type');
    }
    if (definition.returns !== undefined) this.#readReturns(definition, definition.returns);
    const doc = definition.body[0];
    if (doc?.kind !== 'expression' || doc.value.kind !== 'string') return;
    const [text, offset] = this.#contentOf(doc.value);
    for (const contract of parseDocstring(text, offset)) {
      if (contract.subject === 'return') {
        // Names of results say which of several is meant, and only the code knows their order.
        if (contract.names.length === 0 && !contract.each) this.#addToFunction(definition, contract, [{ kind: 'return' }], 'docstring');
        continue;
      }
      if (contract.each) continue;
      for (const { text: name } of contract.names) {
        const parameter = definition.parameters.find((each) => each.kind === 'plain' && each.name?.name === name);
        if (parameter !== undefined) this.#addToFunction(definition, contract, [{ kind: 'parameter', name, parameter }], 'docstring');
      }
    }
  }

  #readReturns(definition: FunctionDefinition, returns: Expression): void {
    const whole = this.#typeOf(returns, 'return');
    if (whole !== undefined) {
      this.#addToFunction(definition, whole, [{ kind: 'return' }], 'type');
      return;
    }
    // `tuple[Float[Tensor, "b t d"], ...]`
    if (returns.kind !== 'subscript' || !/(?:^|\.)[Tt]uple$/.test(pathOf(returns.object) ?? '')) return;
    if (returns.indices.some((index) => index.kind === 'constant' && index.value === '...')) return;
    for (const [item, index] of returns.indices.entries()) {
      const contract = this.#typeOf(index, 'return');
      if (contract !== undefined) this.#addToFunction(definition, contract, [{ kind: 'return', item }], 'type');
    }
  }

  #readAnnotated(statement: Statement & { kind: 'annotatedAssign' }, within: FunctionDefinition | undefined): void {
    const name = pathOf(statement.target);
    const contract = name === undefined ? undefined : this.#typeOf(statement.annotation, 'value');
    if (name === undefined || contract === undefined) return;
    this.#addToStatement(
      statement,
      contract,
      contract.to,
      [{ kind: 'variable', name, node: statement.target, when: 'after', statement }],
      within,
      'type',
    );
  }

  #typeOf(annotation: Expression, subject: Contract['subject']): Contract | undefined {
    // Only what may be an array type is sliced and matched.
    const [text, start] =
      annotation.kind === 'string'
        ? this.#contentOf(annotation)
        : annotation.kind === 'subscript' || annotation.kind === 'binary'
          ? [this.#source.slice(annotation.start, annotation.end), annotation.start]
          : ['', 0];
    if (!text.includes('[') || !/['"]|TensorType/.test(text)) return undefined;
    const read = parseArrayType(text, start);
    if (read === undefined) return undefined;
    const place = { start, end: start + text.length };
    return {
      provenance: read.provenance,
      subject,
      names: [],
      from: [],
      via: [],
      to: read.shape,
      each: false,
      stated: 'named',
      range: place,
    };
  }

  /** What stands between the quotes, as written, and where. Escapes are left as they are, so that offsets stay true. */
  #contentOf({ start, end }: Span): readonly [text: string, offset: number] {
    const literal = this.#source.slice(start, end);
    const [opening = '', quote = ''] = /^[A-Za-z]*("""|'''|"|')/.exec(literal) ?? [];
    const closed = quote !== '' && literal.endsWith(quote) && literal.length >= opening.length + quote.length;
    return [literal.slice(opening.length, closed ? literal.length - quote.length : literal.length), start + opening.length];
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Comments

  #readComment(comment: Span): void {
    const written = this.#source.slice(comment.start, comment.end);
    if (written.includes('eadwise')) {
      const read = parseBindings(written, comment.start);
      if (read !== undefined) {
        this.#bindings.push({ ...this.#bindingScope(this.#spotOf(comment)), comment, ...read });
        return;
      }
    }
    const contract = this.#contractOf(comment);
    if (contract === undefined) return;
    const spot = this.#spotOf(comment);
    if (spot.header !== undefined) this.#placeInHeader(contract, spot, spot.header);
    else if (spot.ownLine) this.#placeOnLine(contract, spot);
    else if (spot.within !== undefined) this.#placeTrailing(contract, spot, spot.within);
  }

  #contractOf(comment: Span): Contract | undefined {
    if (this.#parsed.has(comment)) return this.#parsed.get(comment);
    // A suppression behind the shape says nothing about it.
    const written = this.#source.slice(comment.start, comment.end).replace(directive, '');
    const contract = parseShapeComment(written, comment.start);
    this.#parsed.set(comment, contract);
    return contract;
  }

  #bindingScope(spot: Spot): Pick<PlacedBindings, 'scope' | 'node'> {
    const { header, next } = spot;
    if (header?.kind === 'class' || header?.kind === 'function') return { scope: header.kind, node: header };
    const owner = spot.function ?? spot.class;
    const first = spot.ownLine && next !== undefined && !isFirst(owner, next);
    if (first && (next.kind === 'function' || next.kind === 'class') && isOnlyComments(this.#source.slice(spot.comment.end, next.start)))
      return { scope: next.kind, node: next };
    return owner === undefined
      ? { scope: 'file', node: undefined }
      : { scope: owner.kind === 'function' ? 'function' : 'class', node: owner };
  }

  /** Every statement inside this one in source order, with what is around it. */
  #entriesOf(): readonly Entry[] {
    if (this.#entries !== undefined) return this.#entries;
    const entries: Entry[] = [];
    const visit = (statement: Statement, around: Pick<Entry, 'function' | 'class'>, depth: number): void => {
      if (depth > 200) return;
      entries.push({ statement, ...around });
      const inner: Pick<Entry, 'function' | 'class'> =
        statement.kind === 'function'
          ? { function: statement, class: around.class }
          : statement.kind === 'class'
            ? { function: undefined, class: statement }
            : around;
      eachChildStatement(statement, (child) => visit(child, inner, depth + 1));
    };
    visit(this.#body.statement, { function: undefined, class: undefined }, 0);
    this.#entries = entries;
    return entries;
  }

  #spotOf(comment: Span): Spot {
    const at = comment.start;
    const entries = this.#entriesOf();
    let low = 0;
    let high = entries.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((entries[middle]?.statement.start ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    const entry = entries[low] as Entry;
    const ownLine = this.#column(at) !== undefined;
    const { statement } = entry;
    const spot = { comment, ownLine, function: entry.function, class: entry.class };
    if (!isCompound(statement)) {
      if (at < statement.end || (!ownLine && this.#lineStart(at) <= statement.end)) return { ...spot, within: statement };
      if (!ownLine) return spot;
    } else if (!ownLine || this.#isInParameters(statement, at)) return { ...spot, header: statement };
    // Indentation says to which block a line between two statements belongs.
    const column = this.#column(at);
    const following = entries[low + 1];
    if (following !== undefined && this.#column(following.statement.start) === column) {
      const previous = this.#column(statement.start) === column && !isCompound(statement) ? statement : undefined;
      return { ...spot, function: following.function, class: following.class, previous, next: following.statement };
    }
    let last = low;
    while (last > 0 && this.#column((entries[last] as Entry).statement.start) !== column) last--;
    const around = entries[last] as Entry;
    const isLast = last === low && !isCompound(statement);
    return { ...spot, function: around.function, class: around.class, ...(isLast ? { previous: statement } : {}) };
  }

  /** Whether the offset lies between the brackets of the parameters. */
  #isInParameters(statement: Statement, at: number): boolean {
    if (statement.kind !== 'function') return false;
    const last = statement.parameters.at(-1);
    return last !== undefined && at > statement.name.end && at < last.end;
  }

  #placeInHeader(contract: Contract, spot: Spot, header: Statement): void {
    if (header.kind === 'for') {
      const target = pathOf(header.target);
      if (target !== undefined && contract.from.length === 0 && !this.#isOnOwnLine(header, spot.comment)) {
        const subject: Subject = { kind: 'variable', name: target, node: header.target, when: 'after', statement: header };
        if (contract.names.length === 0 || contract.names.some(({ text }) => text === target))
          this.#addToStatement(header, contract, contract.to, [subject], spot.function, 'trailing');
      }
      return;
    }
    if (header.kind !== 'function') return;
    const parameters = header.parameters.filter((parameter) => parameter.kind === 'plain' && parameter.name !== undefined);
    const lineStart = this.#lineStart(spot.comment.start);
    const onLine = parameters.filter(({ start, end }) => end <= spot.comment.start && (start >= lineStart || end > lineStart));
    const first = this.#lineStart(header.name.start) === lineStart;
    const last = (parameters.at(-1)?.end ?? header.name.end) <= spot.comment.start;
    this.#placeOnParameters(contract, header, first || last ? withoutSelf(parameters) : onLine, (first || last) && onLine.length !== 1);
  }

  #isOnOwnLine(header: Statement, { start }: Span): boolean {
    return this.#lineStart(start) > header.start && this.#source.slice(this.#lineStart(start), start).trim() === '';
  }

  /** A comment in a function's header or above its first statement. */
  #placeOnParameters(
    contract: Contract,
    definition: FunctionDefinition,
    parameters: readonly Parameter[],
    whole: boolean,
    first?: Statement,
  ): boolean {
    const rebound = first === undefined ? undefined : assignedNames(first);
    /** `x, size = self.embed(x)` as the first statement: above it, x may be meant as it will be. */
    const next = (name: string): readonly Subject[] => {
      const node = rebound?.get(name);
      return node === undefined || first === undefined ? [] : [{ kind: 'variable', name, node, when: 'after', statement: first }];
    };
    const subject = (parameter: Parameter): Subject => ({ kind: 'parameter', name: parameter.name?.name ?? '', parameter });
    if (contract.stated === 'named') {
      const found = contract.names.map(({ text }) => definition.parameters.find((each) => each.name?.name === text));
      if (found.some((parameter) => parameter === undefined)) return false;
      if (contract.from.length === 0) {
        for (const parameter of found)
          if (parameter !== undefined)
            this.#addToFunction(definition, contract, [subject(parameter), ...next(parameter.name?.name ?? '')], 'trailing');
        return true;
      }
    }
    const [only] = parameters;
    if (contract.from.length > 0 && contract.via.length === 0 && whole) {
      // `def forward(self, x):  # (B, T, C) -> (B, T, D)`
      const [from] = contract.from;
      if (parameters.length === contract.from.length && from !== undefined && only !== undefined && parameters.length === 1)
        this.#addToFunction(definition, contract, [subject(only)], 'trailing', from);
      this.#addToFunction(definition, contract, [{ kind: 'return' }], 'trailing');
      return true;
    }
    if (contract.from.length > 0 || parameters.length !== 1 || only === undefined) return false;
    this.#addToFunction(definition, contract, [subject(only)], 'trailing');
    return true;
  }

  #placeTrailing(contract: Contract, spot: Spot, statement: Statement): void {
    const { comment } = spot;
    const inside = comment.start < statement.end;
    const lineStart = this.#lineStart(comment.start);
    if (inside) {
      const opening = this.#source.slice(lineStart, comment.start).trimEnd();
      const isFirst = lineStart <= statement.start;
      if (!(isFirst && /[([{]$/.test(opening))) {
        const part = this.#partBefore(statement, lineStart, comment.start);
        if (part !== undefined && contract.from.length === 0) this.#placeOnPart(contract, spot, statement, part);
        return;
      }
    } else if (lineStart > statement.start && !isClosing(this.#source.slice(lineStart, statement.end))) {
      // On the last line of several, behind an argument or a call of the chain: `.transpose(1, 2)  # (B, nh, T, hs)`.
      const text = this.#source.slice(lineStart, statement.end).trim();
      if (!text.startsWith('.') && !/^[)\]}]/.test(text)) {
        const part = this.#partBefore(statement, lineStart, comment.start);
        if (part !== undefined && contract.from.length === 0) this.#placeOnPart(contract, spot, statement, part);
        return;
      }
    }
    const neighbours = this.#onSameLine(spot, statement);
    if (contract.stated === 'named') {
      if (this.#placeNamed(contract, spot, statement, undefined, 'trailing')) return;
      this.#placeResults({ ...contract, stated: 'prose' }, spot, [statement, ...neighbours], 'trailing');
      return;
    }
    this.#placeResults(contract, spot, [statement, ...neighbours], 'trailing');
  }

  /** A shape beside one argument, item or step of a statement over several lines. */
  #placeOnPart(contract: Contract, spot: Spot, statement: Statement, part: Expression): void {
    const path = pathOf(part);
    if (contract.stated === 'named') {
      // `key_states,  # k: (B, T, C)` names something else.
      if (contract.names.length !== 1 || contract.names[0]?.text !== path) return;
    }
    this.#addToStatement(statement, contract, contract.to, [subjectOf(part, statement)], spot.function, 'trailing');
  }

  /** The one expression that ends before the comment and has its line to itself (the last call of a chain counts as the chain). */
  #partBefore(statement: Statement, lineStart: number, at: number): Expression | undefined {
    const line = this.#source.slice(lineStart, at);
    const code = line.trimEnd().replace(/,$/, '').trimEnd();
    const end = lineStart + code.length;
    const start = lineStart + (code.length - code.trimStart().length);
    const chained = code.trimStart().startsWith('.');
    let best: Expression | undefined;
    const waiting: Expression[] = [...statementExpressions(statement)];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (next.start >= end || next.end < end) continue;
      if (next.end === end && (best === undefined || next.end - next.start > best.end - best.start)) {
        const starts = chained ? next.kind === 'call' && next.start < start : this.#startsLine(next, start, lineStart);
        if (starts) best = next;
      }
      waiting.push(...childExpressions(next));
    }
    return best !== undefined && /^(?:tuple|number|string|constant|lambda)$/.test(best.kind) ? undefined : best;
  }

  /** `x,`, `key=x,` and `"key": x,` at the start of the line. */
  #startsLine({ start }: Span, lineCode: number, lineStart: number): boolean {
    if (start === lineCode) return true;
    const before = this.#source.slice(lineStart, start).trim();
    return start > lineCode && /^(?:[A-Za-z_]\w*\s*=|(['"])[^'"]*\1\s*:)$/.test(before);
  }

  /** Other statements on the line of this one: `q = f(x); k = g(x)`. */
  #onSameLine(spot: Spot, statement: Statement): readonly Statement[] {
    const lineStart = this.#lineStart(spot.comment.start);
    if (!this.#source.slice(lineStart, statement.start).includes(';')) return [];
    const found: Statement[] = [];
    const visit = (other: Statement): void => {
      if (other !== statement && other.start >= lineStart && other.end <= statement.start && !isCompound(other)) found.push(other);
      if (other.end > lineStart) eachChildStatement(other, visit);
    };
    visit(spot.function ?? spot.class ?? this.#body.statement);
    return found;
  }

  #placeResults(contract: Contract, spot: Spot, statements: readonly Statement[], place: PlacedContract['place']): void {
    const [statement] = statements;
    if (statement === undefined) return;
    const alternatives = statements.slice(1).flatMap((other) => resultsOf(other).flat());
    for (const subjects of resultsOf(statement)) {
      const meant = made(contract, subjects);
      this.#addToStatement(statement, contract, contract.to, meant.length === 0 ? [] : [...meant, ...alternatives], spot.function, place);
    }
    if (contract.from.length === 0) return;
    const inputs = inputsOf(statement, contract.from.length);
    for (const [i, subject] of inputs.entries()) {
      const from = contract.from[i];
      if (from !== undefined) this.#addToStatement(statement, contract, from, [subject], spot.function, place);
    }
  }

  /** False where the names are none of the code's. */
  #placeNamed(
    contract: Contract,
    spot: Spot,
    statement: Statement,
    previous: Statement | undefined,
    place: PlacedContract['place'],
  ): boolean {
    const known = this.#namesOf(spot.function);
    const made = assignedNames(statement);
    const used = usedPaths(statement);
    const names = contract.names.map(({ text }) => text);
    if (!names.every((name) => made.has(name) || known.has(name.split('.')[0] ?? ''))) return false;
    for (const name of names) {
      const node = made.get(name);
      const reading = used.get(name);
      const as = (when: 'before' | 'after'): Subject => ({
        kind: 'variable',
        name,
        node: when === 'after' ? node : reading,
        when,
        statement,
      });
      const [from] = contract.from;
      if (from !== undefined) {
        // `x: (B, T, C) -> (B, C, T)`
        if (node === undefined || contract.from.length !== 1 || names.length !== 1) continue;
        this.#addToStatement(statement, contract, contract.to, [as('after')], spot.function, place);
        if (reading !== undefined) this.#addToStatement(statement, contract, from, [as('before')], spot.function, place);
        continue;
      }
      const subjects: Subject[] = node === undefined ? [as('before')] : [as('after')];
      // At the end of a line that binds another name, it may have been copied from where it was this one.
      if (node === undefined && place === 'trailing') subjects.push(...resultsOf(statement).flat());
      // Above a statement that reads and binds it, the name may be meant as it was or as it will be.
      const wasMade = previous !== undefined && assignedNames(previous).has(name);
      if (node !== undefined && place === 'above' && (reading !== undefined || wasMade)) subjects.push(as('before'));
      // Above lines that make it step by step, it is meant as the last of them leaves it.
      if (node !== undefined && place === 'above') subjects.push(...flowing([as('after')], this.#paragraph(statement)));
      this.#addToStatement(statement, contract, contract.to, subjects, spot.function, place);
    }
    return true;
  }

  #placeOnLine(contract: Contract, spot: Spot): void {
    const { comment, previous, next } = spot;
    const lines = this.#blockAround(comment);
    const below = next !== undefined && this.#lineStart(next.start) === lines.after ? next : undefined;
    const touches = previous !== undefined && this.#nextLine(previous.end) === lines.before && !isDocstring(previous);
    const above = touches ? previous : undefined;
    const definition = spot.function;
    const isHead = definition !== undefined && next !== undefined && leads(definition, next);
    // What the line below says of itself at its end holds there: above it stands what its steps make, or what comes in.
    if (below !== undefined && !isCompound(below) && this.#saysItself(below)) return;
    if (contract.stated === 'named') {
      if (isHead && this.#placeOnParameters(contract, definition, withoutSelf(definition.parameters), false, below)) return;
      if (below !== undefined && this.#placeNamed(contract, spot, below, above, 'above')) return;
      if (below === undefined && above !== undefined && this.#placeNamed(contract, spot, above, undefined, 'trailing')) return;
    }
    const stated: Contract = contract.stated === 'named' ? { ...contract, stated: 'prose' } : contract;
    if (lines.isSentence || lines.isStep) return;
    // `Transformer: (B, T, C)` over lines of other things heads a section.
    if (lines.isHeading) return;
    const simple = below !== undefined && !isCompound(below) ? below : undefined;
    if (simple === undefined) {
      // Above an `if` or a `for`, only what was just made can be meant.
      const after = below === undefined && next !== undefined && !isCompound(next) ? [next] : [];
      if (above !== undefined && below === undefined && stated.from.length === 0)
        this.#placeResults(stated, spot, [above, ...after], 'above');
      return;
    }
    const later = this.#paragraph(simple);
    const before =
      above === undefined || stated.from.length > 0
        ? []
        : resultsOf(above)
            .flat()
            .map((subject) => lasting(subject, simple));
    const parameters = isHead && definition !== undefined && stated.from.length === 0 ? parameterSubjects(definition) : [];
    for (const subjects of resultsOf(simple)) {
      const reads = above !== undefined || stated.from.length > 0 ? [] : rebinding(simple, subjects);
      const all = distinct([...made(stated, subjects), ...reads, ...before, ...parameters, ...flowing(subjects, later)]);
      this.#addToStatement(simple, stated, stated.to, all, spot.function, 'above');
    }
    for (const [i, subject] of inputsOf(simple, stated.from.length).entries()) {
      const from = stated.from[i];
      // What goes in may go into a later line of those that lead to the result.
      const between = resultsOf(simple).flatMap((subjects) => [...subjects, ...flowing(subjects, later)].slice(0, -1));
      if (from !== undefined) this.#addToStatement(simple, stated, from, distinct([subject, ...between]), spot.function, 'above');
    }
  }

  #saysItself(statement: Statement): boolean {
    const comment = this.#commentAt.get(this.#lineStart(statement.end));
    return comment !== undefined && comment.start >= statement.end && this.#contractOf(comment) !== undefined;
  }

  /** The simple statements that follow on the next lines, without a blank line or a comment between them. */
  #paragraph(statement: Statement): readonly Statement[] {
    const entries = this.#entriesOf();
    const found: Statement[] = [];
    let last = statement;
    for (let i = entries.findIndex((entry) => entry.statement === statement) + 1; i < entries.length && found.length < 12; i++) {
      const { statement: next } = entries[i] as Entry;
      if (isCompound(next) || this.#column(next.start) !== this.#column(statement.start)) break;
      if (this.#lineStart(next.start) !== this.#nextLine(last.end)) break;
      found.push(next);
      last = next;
    }
    return found;
  }

  /** The run of comment lines around a comment: the offset of the first line, and of the line behind the last. */
  #blockAround(comment: Span): Block {
    const isOwn = (line: number): Span | undefined => {
      const found = this.#commentAt.get(line);
      return found !== undefined && this.#source.slice(line, found.start).trim() === '' ? found : undefined;
    };
    let before = this.#lineStart(comment.start);
    const others: Span[] = [];
    const textOf = ({ start, end }: Span): string => this.#source.slice(start, end);
    const text = (span: Span | undefined): string =>
      span === undefined
        ? ''
        : textOf(span)
            .replace(/^#+\s*/, '')
            .trim();
    let above: Span | undefined;
    for (let steps = 0; steps < maxBlock && before > 0; steps++) {
      const line = this.#lineStart(before - 1);
      const other = isOwn(line);
      if (other === undefined) break;
      above ??= other;
      others.push(other);
      before = line;
    }
    let after = this.#nextLine(comment.end);
    let below: Span | undefined;
    for (let steps = 0; steps < maxBlock; steps++) {
      const other = isOwn(after);
      if (other === undefined) break;
      below ??= other;
      others.push(other);
      after = this.#nextLine(other.end);
    }
    // A line between others that run on is a part of their sentence.
    const runsOn = above !== undefined && /[\w,]$/.test(text(above)) && this.#contractOf(above) === undefined;
    const goesOn =
      /^(?:or|and|if|when|to|into|so|with|for|where|but|because|which|that|in|as|is|are|instead|rather|since|else|otherwise|depending|e\.g|i\.e|due|while|from)\b/i.test(
        text(below),
      );
    const arrow = /^(?:-+>|=+>|→)/;
    // Of steps on lines of their own, the last is the result; of several shapes nobody says which it is.
    const isStep = arrow.test(text(below));
    const isChain = arrow.test(text(comment));
    const rivals = isChain ? [] : others.filter((other) => this.#contractOf(other)?.stated === 'alone');
    return {
      before,
      after,
      isSentence: runsOn || goesOn,
      isStep: isStep || rivals.length > 0,
      isHeading: below !== undefined && /^[A-Z]\w*(?: \w+)*:/.test(text(comment)),
    };
  }

  // -------------------------------------------------------------------------------------------------------------------

  #addToFunction(
    definition: FunctionDefinition,
    contract: Contract,
    subjects: readonly Subject[],
    place: PlacedContract['place'],
    shape = contract.to,
  ): void {
    const list = this.#functions.get(definition);
    const placed: PlacedContract = { contract, shape, subjects, function: definition, statement: undefined, place };
    if (list === undefined) this.#functions.set(definition, [placed]);
    else list.push(placed);
  }

  #addToStatement(
    statement: Statement,
    contract: Contract,
    shape: PlacedContract['shape'],
    subjects: readonly Subject[],
    within: FunctionDefinition | undefined,
    place: PlacedContract['place'],
  ): void {
    if (subjects.length === 0) return;
    const placed: PlacedContract = { contract, shape, subjects, function: within, statement, place };
    const list = this.#statements.get(statement);
    if (list === undefined) this.#statements.set(statement, [placed]);
    else list.push(placed);
  }

  /** Parameters and assigned names of a function. */
  #namesOf(definition: FunctionDefinition | undefined): ReadonlySet<string> {
    const known = this.#names.get(definition);
    if (known !== undefined) return known;
    const names = new Set<string>(['self']);
    if (definition !== undefined) {
      for (const { name } of definition.parameters) if (name !== undefined) names.add(name.name);
      const visit = (statement: Statement): void => {
        for (const name of assignedNames(statement).keys()) names.add(name);
        eachChildStatement(statement, visit);
      };
      definition.body.forEach(visit);
    }
    this.#names.set(definition, names);
    return names;
  }

  #lineStart(offset: number): number {
    return this.#source.lastIndexOf('\n', offset - 1) + 1;
  }

  /** The offset of the line behind the one that holds the offset. */
  #nextLine(offset: number): number {
    const end = this.#source.indexOf('\n', offset);
    return end < 0 ? this.#source.length : end + 1;
  }

  /** The white space that the line of the offset starts with, or undefined where code stands before the offset. */
  #column(offset: number): string | undefined {
    const before = this.#source.slice(this.#lineStart(offset), offset);
    return before.trim() === '' ? before : undefined;
  }
}

const isDocstring = (statement: Statement): boolean => statement.kind === 'expression' && statement.value.kind === 'string';

const isFirst = (owner: FunctionDefinition | ClassDefinition | undefined, statement: Statement): boolean =>
  owner !== undefined && leads(owner, statement);

/** Whether the statement is the first of the definition's body but for the docstring. */
const leads = ({ body }: FunctionDefinition | ClassDefinition, statement: Statement): boolean =>
  body[0] === statement || (body[1] === statement && body[0] !== undefined && isDocstring(body[0]));

const withoutSelf = (parameters: readonly Parameter[]): readonly Parameter[] =>
  parameters.filter(({ kind, name }) => kind === 'plain' && name !== undefined && name.name !== 'self' && name.name !== 'cls');

/** Where nothing says whose shape a comment at the head of a body is, it may be that of any parameter. */
const parameterSubjects = (definition: FunctionDefinition): readonly Subject[] =>
  withoutSelf(definition.parameters).map((parameter) => ({ kind: 'parameter', name: parameter.name?.name ?? '', parameter }));

/** Behind the arrow of a comment on an assignment only what it makes can stand, not what it reads. */
const made = ({ from }: Contract, subjects: readonly Subject[]): readonly Subject[] =>
  from.length === 0
    ? subjects
    : subjects.filter((subject) => subject.kind !== 'variable' || subject.when === 'after' || subject.statement.kind !== 'assign');

/** A result of the statement above, as the statement below finds it. */
const lasting = (subject: Subject, statement: Statement): Subject =>
  subject.kind === 'variable' ? { ...subject, when: 'before', statement } : subject;

/** A comment above `x = f(x)` may speak of the x that goes in. */
function rebinding(statement: Statement, subjects: readonly Subject[]): readonly Subject[] {
  const used = usedPaths(statement);
  return subjects.flatMap((subject): readonly Subject[] => {
    if (subject.kind !== 'variable' || subject.when !== 'after') return [];
    const node = used.get(subject.name);
    return node === undefined ? [] : [{ ...subject, node, when: 'before' }];
  });
}

/** What the statements below make of the subjects: a comment may stand above all the lines that lead to its shape. */
function flowing(subjects: readonly Subject[], later: readonly Statement[]): readonly Subject[] {
  const names = new Set(subjects.flatMap((subject) => (subject.kind === 'variable' ? [subject.name] : [])));
  const found: Subject[] = [];
  for (const statement of later) {
    const used = usedPaths(statement);
    if (![...names].some((name) => used.has(name))) continue;
    const results = resultsOf(statement).flat();
    found.push(...results);
    for (const result of results) if (result.kind === 'variable') names.add(result.name);
  }
  return found;
}

function distinct(subjects: readonly Subject[]): readonly Subject[] {
  const seen = new Set<string>();
  return subjects.filter((subject) => {
    const key =
      subject.kind === 'variable'
        ? `${subject.name} ${subject.when} ${subject.statement.start}`
        : subject.kind === 'expression'
          ? `${subject.node.start} ${subject.node.end}`
          : `${subject.kind} ${subject.kind === 'parameter' ? subject.name : ''}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** Nothing but closing brackets. */
const isClosing = (text: string): boolean => /^[\s)\]},]*$/.test(text);

const isCompound = ({ kind }: Statement): boolean => /^(?:if|for|while|try|with|function|class|match)$/.test(kind);

/** The names and paths that a statement itself binds, with their nodes. */
function assignedNames(statement: Statement): ReadonlyMap<string, Expression> {
  const names = new Map<string, Expression>();
  const add = (target: Expression): void => {
    if (target.kind === 'tuple' || target.kind === 'list') target.items.forEach(add);
    else if (target.kind === 'starred') add(target.value);
    else {
      const path = pathOf(target);
      if (path !== undefined) names.set(path, target);
    }
  };
  if (statement.kind === 'assign') statement.targets.forEach(add);
  else if (statement.kind === 'annotatedAssign' || statement.kind === 'augmentedAssign') add(statement.target);
  else if (statement.kind === 'for') add(statement.target);
  else if (statement.kind === 'with') for (const { target } of statement.items) if (target !== undefined) add(target);
  return names;
}

/** The names and paths that a statement itself reads, with a node of each. */
function usedPaths(statement: Statement): ReadonlyMap<string, Expression> {
  const paths = new Map<string, Expression>();
  const made = new Set([...assignedNames(statement).values()]);
  eachExpression(statement, (expression) => {
    if (made.has(expression) && statement.kind !== 'augmentedAssign') return;
    const path = pathOf(expression);
    if (path !== undefined && !paths.has(path)) paths.set(path, expression);
  });
  return paths;
}
