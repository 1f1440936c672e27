import type {
  Argument,
  Comprehension,
  Expression,
  Handler,
  ImportedName,
  Name,
  Parameter,
  Span,
  Statement,
  StringLiteral,
  Unknown,
  WithItem,
} from './ast.ts';
import { stringValue } from './literals.ts';
import type { Raw } from './raw.ts';

/**
 * Turns one top-level statement of the parser's tree into ours. `text` is the whole text and `base` the statement's offset.
 * What does not have the shape that the grammar promises becomes `unknown`; nothing is guessed.
 */
export function convertStatement(raw: Raw, text: string, base: number): { readonly statement: Statement; readonly hasErrors: boolean } {
  const converter = new Converter(text, base);
  const statement = converter.statement(raw);
  return { statement, hasErrors: converter.hasErrors };
}

class Converter {
  readonly #text: string;
  readonly #base: number;
  hasErrors = false;

  constructor(text: string, base: number) {
    this.#text = text;
    this.#base = base;
  }

  #slice({ start, end }: Span): string {
    return this.#text.slice(this.#base + start, this.#base + end);
  }

  #unknown({ start, end }: Span): Unknown {
    this.hasErrors = true;
    return { kind: 'unknown', start, end };
  }

  #name(raw: Raw | undefined, parent: Span): Name {
    if (raw === undefined || raw.type === 'ERROR') {
      this.hasErrors = true;
      const at = raw ?? { start: parent.end, end: parent.end };
      return { kind: 'name', start: at.start, end: at.end, name: '' };
    }
    return { kind: 'name', start: raw.start, end: raw.end, name: this.#slice(raw) };
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Statements

  #block(raw: Raw | undefined): readonly Statement[] {
    return raw === undefined ? [] : raw.children.filter((child) => !child.isToken).map((child) => this.statement(child));
  }

  /** The block below a clause, with or without the field that names it. */
  #body(raw: Raw): readonly Statement[] {
    return this.#block(raw.children.find((child) => child.type === 'block'));
  }

  #else(raw: Raw): readonly Statement[] {
    const clause = raw.children.find((child) => child.type === 'else_clause');
    return clause === undefined ? [] : this.#body(clause);
  }

  statement(raw: Raw): Statement {
    const { start, end } = raw;
    switch (raw.type) {
      case 'function_definition':
      case 'class_definition':
        return this.#definition(raw, raw, []);
      case 'decorated_definition': {
        const decorators = raw.children
          .filter((child) => child.type === 'decorator')
          .map((child) =>
            this.#expression(
              child.children.find((part) => !part.isToken),
              child,
            ),
          );
        const definition = field(raw, 'definition');
        return definition === undefined ? this.#unknown(raw) : this.#definition(definition, raw, decorators);
      }
      case 'if_statement': {
        const branches = [raw, ...raw.children.filter((child) => child.type === 'elif_clause')].map((branch) => ({
          test: this.#expression(field(branch, 'condition'), branch),
          body: this.#body(branch),
        }));
        return { kind: 'if', start, end, branches, otherwise: this.#else(raw) };
      }
      case 'for_statement':
        return {
          kind: 'for',
          start,
          end,
          target: this.#expression(field(raw, 'left'), raw),
          iterable: this.#expression(field(raw, 'right'), raw),
          body: this.#body(raw),
          otherwise: this.#else(raw),
          isAsync: hasToken(raw, 'async'),
        };
      case 'while_statement':
        return {
          kind: 'while',
          start,
          end,
          test: this.#expression(field(raw, 'condition'), raw),
          body: this.#body(raw),
          otherwise: this.#else(raw),
        };
      case 'try_statement': {
        const final = raw.children.find((child) => child.type === 'finally_clause');
        const handlers = raw.children
          .filter((child) => child.type === 'except_clause' || child.type === 'except_group_clause')
          .map((child) => this.#handler(child));
        return {
          kind: 'try',
          start,
          end,
          body: this.#body(raw),
          handlers,
          otherwise: this.#else(raw),
          finally: final === undefined ? [] : this.#body(final),
        };
      }
      case 'with_statement': {
        const clause = raw.children.find((child) => child.type === 'with_clause');
        const items = (clause?.children ?? []).filter((child) => child.type === 'with_item').map((child) => this.#withItem(child));
        return { kind: 'with', start, end, items, body: this.#body(raw), isAsync: hasToken(raw, 'async') };
      }
      case 'match_statement':
        return this.#match(raw);
    }
    return raw.hasError ? this.#unknown(raw) : this.#simpleStatement(raw);
  }

  #simpleStatement(raw: Raw): Statement {
    const { start, end } = raw;
    const parts = raw.children.filter((child) => !child.isToken);
    switch (raw.type) {
      case 'expression_statement': {
        const only = parts[0];
        if (only === undefined) return this.#unknown(raw);
        if (parts.length === 1 && !hasToken(raw, ',')) {
          if (only.type === 'assignment') return this.#assignment(only);
          if (only.type === 'augmented_assignment') return this.#augmented(only);
          return { kind: 'expression', start, end, value: this.expression(only) };
        }
        return { kind: 'expression', start, end, value: { kind: 'tuple', start, end, items: this.#items(raw) } };
      }
      case 'return_statement':
        return { kind: 'return', start, end, value: parts[0] === undefined ? undefined : this.expression(parts[0]) };
      case 'pass_statement':
        return { kind: 'pass', start, end };
      case 'break_statement':
        return { kind: 'break', start, end };
      case 'continue_statement':
        return { kind: 'continue', start, end };
      case 'raise_statement': {
        const cause = field(raw, 'cause');
        const value = parts.find((part) => part !== cause);
        return {
          kind: 'raise',
          start,
          end,
          value: value === undefined ? undefined : this.expression(value),
          cause: cause === undefined ? undefined : this.expression(cause),
        };
      }
      case 'assert_statement':
        return {
          kind: 'assert',
          start,
          end,
          test: this.#expression(parts[0], raw),
          message: parts[1] === undefined ? undefined : this.expression(parts[1]),
        };
      case 'delete_statement':
        return {
          kind: 'delete',
          start,
          end,
          targets: parts.flatMap((part) => (part.type === 'expression_list' ? this.#items(part) : [this.expression(part)])),
        };
      case 'global_statement':
      case 'nonlocal_statement':
        return {
          kind: raw.type === 'global_statement' ? 'global' : 'nonlocal',
          start,
          end,
          names: parts.map((part) => this.#name(part, raw)),
        };
      case 'import_statement':
        return { kind: 'import', start, end, names: parts.map((part) => this.#imported(part)) };
      case 'import_from_statement':
      case 'future_import_statement': {
        const from = field(raw, 'module_name');
        const dotted = from === undefined ? '__future__' : this.#slice(from).replace(/\s+/g, '');
        const level = /^\.*/.exec(dotted)?.[0].length ?? 0;
        const names = parts.filter((part) => part !== from).map((part) => this.#imported(part));
        return { kind: 'importFrom', start, end, module: dotted.slice(level), level, names };
      }
      case 'type_alias_statement':
        return {
          kind: 'typeAlias',
          start,
          end,
          name: this.#expression(field(raw, 'left'), raw),
          value: this.#expression(field(raw, 'right'), raw),
        };
    }
    // Python 2's print and exec, and what the parser could not read.
    return this.#unknown(raw);
  }

  #definition(raw: Raw, whole: Span, decorators: readonly Expression[]): Statement {
    const { start, end } = whole;
    const name = this.#name(field(raw, 'name'), raw);
    const body = this.#body(raw);
    if (raw.hasError) this.hasErrors = true;
    if (raw.type === 'class_definition') {
      const list = field(raw, 'superclasses');
      return { kind: 'class', start, end, name, arguments: list === undefined ? [] : this.#arguments(list), decorators, body };
    }
    const parameters = field(raw, 'parameters');
    const returns = field(raw, 'return_type');
    return {
      kind: 'function',
      start,
      end,
      name,
      parameters: parameters === undefined ? [] : this.#parameters(parameters),
      returns: returns === undefined ? undefined : this.expression(returns),
      decorators,
      body,
      isAsync: hasToken(raw, 'async'),
    };
  }

  #assignment(raw: Raw): Statement {
    const { start, end } = raw;
    const annotation = field(raw, 'type');
    const right = field(raw, 'right');
    if (raw.hasError) return this.#unknown(raw);
    if (annotation !== undefined)
      return {
        kind: 'annotatedAssign',
        start,
        end,
        target: this.#expression(field(raw, 'left'), raw),
        annotation: this.expression(annotation),
        value: right === undefined ? undefined : this.expression(right),
      };
    const targets: Expression[] = [this.#expression(field(raw, 'left'), raw)];
    let value = right;
    while (value?.type === 'assignment' && field(value, 'type') === undefined && !value.hasError) {
      targets.push(this.#expression(field(value, 'left'), value));
      value = field(value, 'right');
    }
    if (value?.type === 'assignment' || value?.type === 'augmented_assignment') return this.#unknown(raw);
    return { kind: 'assign', start, end, targets, value: this.#expression(value, raw) };
  }

  #augmented(raw: Raw): Statement {
    const { start, end } = raw;
    if (raw.hasError) return this.#unknown(raw);
    return {
      kind: 'augmentedAssign',
      start,
      end,
      target: this.#expression(field(raw, 'left'), raw),
      operator: (field(raw, 'operator')?.type ?? '').replace(/=$/, ''),
      value: this.#expression(field(raw, 'right'), raw),
    };
  }

  #imported(raw: Raw): ImportedName {
    const { start, end } = raw;
    if (raw.type === 'wildcard_import') return { start, end, name: '*', alias: undefined };
    const alias = field(raw, 'alias');
    const name = raw.type === 'aliased_import' ? field(raw, 'name') : raw;
    return {
      start,
      end,
      name: name === undefined ? '' : this.#slice(name).replace(/\s+/g, ''),
      alias: alias === undefined ? undefined : this.#name(alias, raw),
    };
  }

  #handler(raw: Raw): Handler {
    const { start, end } = raw;
    const values = raw.children.filter((child) => !child.isToken && child.type !== 'block');
    const pattern = values[0];
    let type: Expression | undefined;
    let alias: Expression | undefined;
    if (pattern?.type === 'as_pattern') [type, alias] = this.#asPattern(pattern);
    else if (pattern !== undefined) {
      type = this.expression(pattern);
      if (values[1] !== undefined) alias = this.expression(values[1]);
    }
    return { start, end, type, alias, isGroup: hasToken(raw, '*'), body: this.#body(raw) };
  }

  #asPattern(raw: Raw): [Expression, Expression | undefined] {
    const target = field(raw, 'alias');
    const value = raw.children.find((child) => !child.isToken && child !== target);
    const inner = target?.type === 'as_pattern_target' ? target.children.find((child) => !child.isToken) : target;
    return [this.#expression(value, raw), inner === undefined ? undefined : this.expression(inner)];
  }

  #withItem(raw: Raw): WithItem {
    const { start, end } = raw;
    const value = field(raw, 'value');
    if (value?.type !== 'as_pattern') return { start, end, value: this.#expression(value, raw), target: undefined };
    const [expression, target] = this.#asPattern(value);
    return { start, end, value: expression, target };
  }

  #match(raw: Raw): Statement {
    const { start, end } = raw;
    const subjects = raw.children.filter((child) => child.field === 'subject');
    const subject: Expression =
      subjects.length > 1
        ? {
            kind: 'tuple',
            start: subjects[0]?.start ?? start,
            end: subjects.at(-1)?.end ?? end,
            items: subjects.map((part) => this.expression(part)),
          }
        : this.#expression(subjects[0], raw);
    const clauses = (raw.children.find((child) => child.type === 'block')?.children ?? []).filter((child) => child.type === 'case_clause');
    const cases = clauses.map((clause) => {
      const patterns = clause.children.filter((child) => child.type === 'case_pattern' || child.type === 'pattern');
      const pattern = { start: patterns[0]?.start ?? clause.start, end: patterns.at(-1)?.end ?? clause.start };
      const guard = field(clause, 'guard')?.children.find((child) => !child.isToken);
      return {
        pattern,
        binds: this.#bound(pattern),
        guard: guard === undefined ? undefined : this.expression(guard),
        body: this.#body(clause),
      };
    });
    return { kind: 'match', start, end, subject, cases };
  }

  /** The names that a pattern may bind: those that are neither dotted, called, a keyword nor an underscore. */
  #bound(pattern: Span): readonly Name[] {
    const text = this.#slice(pattern);
    const names: Name[] = [];
    // Strings and comments are passed over; `x.y`, `x(` and `x=` name what is matched against.
    for (const match of text.matchAll(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|#[^\n]*|(\.\s*)?\b([A-Za-z_]\w*)\b(?!\s*[.(=]|["'])/g)) {
      const name = match[2];
      if (name === undefined || match[1] !== undefined || /^(_|as|if|or|None|True|False)$/.test(name)) continue;
      const at = pattern.start + match.index + match[0].length - name.length;
      names.push({ kind: 'name', start: at, end: at + name.length, name });
    }
    return names;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Expressions

  #expression(raw: Raw | undefined, parent: Span): Expression {
    return raw === undefined ? this.#unknown({ start: parent.end, end: parent.end }) : this.expression(raw);
  }

  #items(raw: Raw): Expression[] {
    return raw.children.filter((child) => !child.isToken).map((child) => this.expression(child));
  }

  #string(raw: Raw): StringLiteral {
    const { start, end } = raw;
    const literal = this.#slice(raw);
    const value = stringValue(literal);
    const parts: (string | Expression)[] = [];
    const isRaw = /^[a-z]*r/i.test(literal);
    for (const part of raw.children) {
      if (part.type === 'string_content') {
        const written = stringValue(`${isRaw ? 'r' : ''}"""${this.#slice(part)}"""`);
        if (written === undefined) return { kind: 'string', start, end, value };
        parts.push(written.replaceAll('{{', '{').replaceAll('}}', '}'));
      } else if (part.type === 'interpolation') {
        const inner = part.children.find(({ isToken }) => !isToken);
        const [before, after] = inner === undefined ? ['', ''] : [inner.start - part.start, part.end - inner.end];
        if (inner === undefined || before !== 1 || after !== 1) return { kind: 'string', start, end, value };
        parts.push(this.expression(inner));
      } else if (part.type !== 'string_start' && part.type !== 'string_end') return { kind: 'string', start, end, value };
    }
    return { kind: 'string', start, end, value, ...(value === undefined && parts.length > 0 ? { parts } : {}) };
  }

  expression(raw: Raw): Expression {
    const { start, end } = raw;
    switch (raw.type) {
      case 'identifier':
      case 'dotted_name':
        return this.#identifier(raw);
      case 'integer':
      case 'float':
        return this.#number(raw);
      case 'true':
        return { kind: 'constant', start, end, value: true };
      case 'false':
        return { kind: 'constant', start, end, value: false };
      case 'none':
        return { kind: 'constant', start, end, value: null };
      case 'ellipsis':
        return { kind: 'constant', start, end, value: '...' };
      case 'string':
        return this.#string(raw);
      case 'tuple_pattern': {
        // `(x)` as a target is x itself; `(x,)` is a tuple.
        const [only] = raw.children;
        if (raw.children.length === 1 && only !== undefined && !this.#slice({ start: only.end, end }).includes(','))
          return this.expression(only);
        return { kind: 'tuple', start, end, items: this.#items(raw) };
      }
      case 'tuple':
      case 'expression_list':
      case 'pattern_list':
        return { kind: 'tuple', start, end, items: this.#items(raw) };
      case 'list':
      case 'list_pattern':
        return { kind: 'list', start, end, items: this.#items(raw) };
      case 'set':
        return { kind: 'set', start, end, items: this.#items(raw) };
      case 'dictionary':
        return {
          kind: 'dict',
          start,
          end,
          items: raw.children.filter((child) => !child.isToken).map((child) => this.#dictionaryItem(child)),
        };
      case 'call':
        return starOutside(this.#call(raw));
    }
    if (raw.hasError) return this.#unknown(raw);
    return starOutside(this.#operation(raw));
  }

  #identifier(raw: Raw): Expression {
    const text = this.#slice(raw);
    if (raw.type === 'identifier' || !text.includes('.')) return { kind: 'name', start: raw.start, end: raw.end, name: text };
    return this.#unknown(raw);
  }

  #number(raw: Raw): Expression {
    const text = this.#slice(raw).replace(/_/g, '');
    const isInteger = raw.type === 'integer';
    const plain = text.replace(/[lL]$/, '');
    const value = /[jJ]$/.test(text) ? Number.NaN : isInteger && /^0\d/.test(plain) ? Number.parseInt(plain, 8) : Number(plain);
    return { kind: 'number', start: raw.start, end: raw.end, value, isInteger: isInteger && !Number.isNaN(value) };
  }

  #dictionaryItem(raw: Raw): { start: number; end: number; key: Expression | undefined; value: Expression } {
    const { start, end } = raw;
    if (raw.type === 'pair' && !raw.hasError)
      return { start, end, key: this.#expression(field(raw, 'key'), raw), value: this.#expression(field(raw, 'value'), raw) };
    if (raw.type === 'dictionary_splat' && !raw.hasError)
      return {
        start,
        end,
        key: undefined,
        value: this.#expression(
          raw.children.find((child) => !child.isToken),
          raw,
        ),
      };
    return { start, end, key: undefined, value: this.#unknown(raw) };
  }

  #call(raw: Raw): Expression {
    const { start, end } = raw;
    const list = field(raw, 'arguments');
    const callee = this.#expression(field(raw, 'function'), raw);
    if (list === undefined || raw.hasError) return this.#unknown(raw);
    if (list.type !== 'generator_expression') return { kind: 'call', start, end, callee, arguments: this.#arguments(list) };
    const value = this.expression(list);
    return {
      kind: 'call',
      start,
      end,
      callee,
      arguments: [{ kind: 'positional', start: value.start, end: value.end, name: undefined, value }],
    };
  }

  #arguments(list: Raw): Argument[] {
    return list.children
      .filter((child) => !child.isToken)
      .map((child): Argument => {
        const { start, end } = child;
        const inner = child.children.find((part) => !part.isToken);
        if (child.type === 'keyword_argument' && !child.hasError)
          return {
            kind: 'keyword',
            start,
            end,
            name: this.#name(field(child, 'name'), child),
            value: this.#expression(field(child, 'value'), child),
          };
        if (child.type === 'list_splat') return { kind: 'args', start, end, name: undefined, value: this.#expression(inner, child) };
        if (child.type === 'dictionary_splat')
          return { kind: 'kwargs', start, end, name: undefined, value: this.#expression(inner, child) };
        return { kind: 'positional', start, end, name: undefined, value: this.expression(child) };
      });
  }

  #parameters(raw: Raw): Parameter[] {
    return raw.children.filter((child) => !child.isToken).map((child) => this.#parameter(child));
  }

  #parameter(raw: Raw): Parameter {
    const { start, end } = raw;
    const plain = (target: Raw | undefined, annotation: Raw | undefined, value: Raw | undefined): Parameter => {
      const kind = target?.type === 'list_splat_pattern' ? 'args' : target?.type === 'dictionary_splat_pattern' ? 'kwargs' : 'plain';
      const named = kind === 'plain' ? target : target?.children.find((child) => !child.isToken);
      const isName = named?.type === 'identifier';
      if (!isName) this.hasErrors ||= named === undefined || named.type === 'ERROR';
      return {
        kind,
        start,
        end,
        name: isName && named !== undefined ? this.#name(named, raw) : undefined,
        annotation: annotation === undefined ? undefined : this.expression(annotation),
        default: value === undefined ? undefined : this.expression(value),
      };
    };
    switch (raw.type) {
      case 'positional_separator':
        return { kind: 'slash', start, end, name: undefined, annotation: undefined, default: undefined };
      case 'keyword_separator':
        return { kind: 'star', start, end, name: undefined, annotation: undefined, default: undefined };
      case 'typed_parameter':
        return plain(
          raw.children.find((child) => !child.isToken && child.field !== 'type'),
          field(raw, 'type'),
          undefined,
        );
      case 'default_parameter':
        return plain(field(raw, 'name'), undefined, field(raw, 'value'));
      case 'typed_default_parameter':
        return plain(field(raw, 'name'), field(raw, 'type'), field(raw, 'value'));
    }
    return plain(raw, undefined, undefined);
  }

  #operation(raw: Raw): Expression {
    const { start, end } = raw;
    const parts = raw.children.filter((child) => !child.isToken);
    switch (raw.type) {
      case 'parenthesized_expression':
      case 'type':
      case 'as_pattern_target':
        if (parts.length !== 1) break;
        return this.#expression(parts[0], raw);
      case 'constrained_type':
        // `dict[A : B]` in an annotation: to Python a slice like any other.
        return {
          kind: 'slice',
          start,
          end,
          lower: this.#expression(parts[0], raw),
          upper: this.#expression(parts[1], raw),
          step: undefined,
        };
      case 'concatenated_string': {
        const pieces: (string | Expression)[] = [];
        let isKnown = true;
        for (const part of parts) {
          const string = part.type === 'string' ? this.#string(part) : undefined;
          if (string?.value !== undefined) pieces.push(string.value);
          else if (string?.parts !== undefined) pieces.push(...string.parts);
          else isKnown = false;
        }
        const isPlain = isKnown && pieces.every((piece) => typeof piece === 'string');
        return {
          kind: 'string',
          start,
          end,
          value: isPlain ? pieces.join('') : undefined,
          ...(isKnown && !isPlain ? { parts: pieces } : {}),
        };
      }
      case 'parenthesized_list_splat':
        return this.#expression(parts[0], raw);
      case 'list_splat':
      case 'list_splat_pattern':
      case 'splat_type':
        return { kind: 'starred', start, end, value: this.#expression(parts[0], raw) };
      case 'attribute':
        return {
          kind: 'attribute',
          start,
          end,
          object: this.#expression(field(raw, 'object'), raw),
          name: this.#name(field(raw, 'attribute'), raw),
        };
      case 'member_type':
        return { kind: 'attribute', start, end, object: this.#expression(parts[0], raw), name: this.#name(parts[1], raw) };
      case 'subscript': {
        const indices = raw.children
          .filter((child) => child.field === 'subscript' && !child.isToken)
          .map((child) => this.expression(child));
        return { kind: 'subscript', start, end, object: this.#expression(field(raw, 'value'), raw), indices, isTuple: hasToken(raw, ',') };
      }
      case 'generic_type': {
        const list = parts[1];
        const indices = list === undefined ? [] : this.#items(list);
        return { kind: 'subscript', start, end, object: this.#expression(parts[0], raw), indices, isTuple: indices.length > 1 };
      }
      case 'slice':
        return this.#slicePart(raw);
      case 'unary_operator': {
        const operator = field(raw, 'operator')?.type;
        if (operator !== '-' && operator !== '+' && operator !== '~') break;
        return { kind: 'unary', start, end, operator, operand: this.#expression(field(raw, 'argument'), raw) };
      }
      case 'not_operator':
        return { kind: 'unary', start, end, operator: 'not', operand: this.#expression(field(raw, 'argument'), raw) };
      case 'binary_operator':
      case 'union_type': {
        const left = field(raw, 'left') ?? parts[0];
        const right = field(raw, 'right') ?? parts[1];
        const operator = raw.type === 'union_type' ? '|' : (field(raw, 'operator')?.type ?? '');
        return { kind: 'binary', start, end, operator, left: this.#expression(left, raw), right: this.#expression(right, raw) };
      }
      case 'boolean_operator': {
        const operator = field(raw, 'operator')?.type === 'and' ? 'and' : 'or';
        return {
          kind: 'boolean',
          start,
          end,
          operator,
          left: this.#expression(field(raw, 'left'), raw),
          right: this.#expression(field(raw, 'right'), raw),
        };
      }
      case 'comparison_operator': {
        const operators = raw.children.filter((child) => child.field === 'operators').map((child) => child.type);
        const operands = parts.filter((part) => part.field !== 'operators').map((part) => this.expression(part));
        if (operators.length + 1 !== operands.length) break;
        return { kind: 'compare', start, end, operands, operators };
      }
      case 'conditional_expression':
        return {
          kind: 'conditional',
          start,
          end,
          value: this.#expression(parts[0], raw),
          test: this.#expression(parts[1], raw),
          otherwise: this.#expression(parts[2], raw),
        };
      case 'lambda': {
        const parameters = field(raw, 'parameters');
        return {
          kind: 'lambda',
          start,
          end,
          parameters: parameters === undefined ? [] : this.#parameters(parameters),
          body: this.#expression(field(raw, 'body'), raw),
        };
      }
      case 'named_expression':
        return {
          kind: 'named',
          start,
          end,
          target: this.#expression(field(raw, 'name'), raw),
          value: this.#expression(field(raw, 'value'), raw),
        };
      case 'await':
        return { kind: 'await', start, end, value: this.#expression(parts[0], raw) };
      case 'yield':
        return {
          kind: 'yield',
          start,
          end,
          value: parts[0] === undefined ? undefined : this.expression(parts[0]),
          isFrom: hasToken(raw, 'from'),
        };
      case 'list_comprehension':
        return this.#comprehension(raw, 'list');
      case 'set_comprehension':
        return this.#comprehension(raw, 'set');
      case 'dictionary_comprehension':
        return this.#comprehension(raw, 'dict');
      case 'generator_expression':
        return this.#comprehension(raw, 'generator');
    }
    return this.#unknown(raw);
  }

  #slicePart(raw: Raw): Expression {
    const places: (Expression | undefined)[] = [undefined, undefined, undefined];
    let at = 0;
    for (const child of raw.children) {
      if (child.isToken) at += child.type === ':' ? 1 : 0;
      else if (at < 3) places[at] = this.expression(child);
    }
    return { kind: 'slice', start: raw.start, end: raw.end, lower: places[0], upper: places[1], step: places[2] };
  }

  #comprehension(raw: Raw, type: Comprehension['type']): Expression {
    const { start, end } = raw;
    const body = field(raw, 'body');
    if (body === undefined) return this.#unknown(raw);
    const clauses: { target: Expression; iterable: Expression; conditions: Expression[]; isAsync: boolean }[] = [];
    for (const child of raw.children) {
      if (child.type === 'for_in_clause') {
        const sources = child.children.filter((part) => part.field === 'right' && !part.isToken);
        const first = sources[0];
        const iterable: Expression =
          first !== undefined && sources.length > 1
            ? { kind: 'tuple', start: first.start, end: child.end, items: sources.map((part) => this.expression(part)) }
            : this.#expression(first, child);
        clauses.push({
          target: this.#expression(field(child, 'left'), child),
          iterable,
          conditions: [],
          isAsync: hasToken(child, 'async'),
        });
      } else if (child.type === 'if_clause')
        clauses.at(-1)?.conditions.push(
          this.#expression(
            child.children.find((part) => !part.isToken),
            child,
          ),
        );
    }
    const pair = body.type === 'pair';
    const element = pair ? this.#expression(field(body, 'value'), body) : this.expression(body);
    return {
      kind: 'comprehension',
      start,
      end,
      type,
      key: pair ? this.#expression(field(body, 'key'), body) : undefined,
      element,
      clauses,
    };
  }
}

const field = (raw: Raw, name: string): Raw | undefined => raw.children.find((child) => child.field === name);

const hasToken = (raw: Raw, text: string): boolean => raw.children.some((child) => child.isToken && child.type === text);

/** In `*x.shape[:2], d` the grammar takes the star for part of `x`; in Python it spreads all of `x.shape[:2]`. */
function starOutside(node: Expression): Expression {
  const inner = (star: Expression, rebuild: (value: Expression) => Expression): Expression =>
    star.kind === 'starred' ? { kind: 'starred', start: node.start, end: node.end, value: rebuild(star.value) } : node;
  switch (node.kind) {
    case 'attribute':
    case 'subscript':
      return inner(node.object, (object) => ({ ...node, start: object.start, object }));
    case 'call':
      return inner(node.callee, (callee) => ({ ...node, start: callee.start, callee }));
    case 'binary':
    case 'boolean':
      return inner(node.left, (left) => ({ ...node, start: left.start, left }));
    case 'conditional':
      return inner(node.value, (value) => ({ ...node, start: value.start, value }));
    default:
      return node;
  }
}
