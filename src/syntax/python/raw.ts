import type { Language, TreeCursor } from 'web-tree-sitter';

/** A node of the parser's tree as plain data: only what the conversion asks for. */
export interface Raw {
  readonly type: string;
  /** Of tokens such as `+`, `async` or `else`, whose type is their text. */
  readonly isToken: boolean;
  readonly field: string | undefined;
  /** Relative to the top-level statement. */
  readonly start: number;
  readonly end: number;
  readonly children: readonly Raw[];
  /** An ERROR node stands directly in it. */
  readonly hasError: boolean;
}

/** Nesting below which nothing is read: no code that people write is near it. */
const maximumDepth = 600;

/** Tokens that decide what a node means; all others follow from its type. */
const tokens = new Set([
  ...'+ - * / // % ** @ << >> & | ^ ~ < <= == != >= > <> in is and or not async from : ,'.split(' '),
  ...'+= -= *= /= //= %= **= @= <<= >>= &= |= ^='.split(' '),
  'is not',
  'not in',
]);

/** Nodes whose text says everything. */
const leaves = new Set(['string', 'identifier', 'integer', 'float', 'true', 'false', 'none', 'ellipsis', 'case_pattern']);

/** Nodes whose children are told apart by their field. */
const withFields = new Set([
  'aliased_import',
  'as_pattern',
  'assignment',
  'attribute',
  'augmented_assignment',
  'binary_operator',
  'boolean_operator',
  'call',
  'case_clause',
  'class_definition',
  'comparison_operator',
  'decorated_definition',
  'default_parameter',
  'delete_statement',
  'dictionary_comprehension',
  'elif_clause',
  'else_clause',
  'except_clause',
  'for_in_clause',
  'for_statement',
  'function_definition',
  'future_import_statement',
  'generator_expression',
  'if_statement',
  'import_from_statement',
  'import_statement',
  'interpolation',
  'keyword_argument',
  'lambda',
  'list_comprehension',
  'match_statement',
  'named_expression',
  'not_operator',
  'pair',
  'raise_statement',
  'set_comprehension',
  'subscript',
  'try_statement',
  'type_alias_statement',
  'typed_default_parameter',
  'typed_parameter',
  'unary_operator',
  'while_statement',
  'with_item',
]);

type Treatment = 'skip' | 'token' | 'leaf' | 'comment' | 'error' | 'plain' | 'fields';

interface NodeType {
  readonly name: string;
  readonly treatment: Treatment;
}

/** What to do with each node type of the grammar, by its number. */
export type NodeTypes = readonly (NodeType | undefined)[];

const errorType: NodeType = { name: 'ERROR', treatment: 'error' };

export function nodeTypes(language: Language): NodeTypes {
  return Array.from({ length: language.nodeTypeCount }, (_, id): NodeType | undefined => {
    const name = language.nodeTypeForId(id);
    if (name === null) return undefined;
    if (!language.nodeTypeIsNamed(id)) return { name, treatment: tokens.has(name) ? 'token' : 'skip' };
    if (name === 'comment') return { name, treatment: 'comment' };
    if (name === 'line_continuation') return { name, treatment: 'skip' };
    return { name, treatment: leaves.has(name) ? 'leaf' : withFields.has(name) ? 'fields' : 'plain' };
  });
}

const none: readonly Raw[] = [];

/** Copies the tree under the cursor. Comments go to `comments`, as offsets relative to `base`. */
export class RawReader {
  readonly #cursor: TreeCursor;
  readonly #types: NodeTypes;
  /** Missing tokens are looked for. */
  readonly #careful: boolean;
  base = 0;
  /** Of the module that is read. */
  text = '';
  /** Something since this was last set to false could not be read. */
  hasErrors = false;
  comments: { readonly start: number; readonly end: number }[] = [];

  constructor(cursor: TreeCursor, types: NodeTypes, careful: boolean) {
    this.#cursor = cursor;
    this.#types = types;
    this.#careful = careful;
  }

  /** The node under the cursor; undefined for punctuation and comments. */
  read(withField: boolean, depth: number): Raw | undefined {
    const cursor = this.#cursor;
    const { name, treatment } = this.#types[cursor.nodeTypeId] ?? errorType;
    const isMissing = this.#careful && cursor.nodeIsMissing;
    if (isMissing) this.hasErrors = true;
    if (treatment === 'skip') return undefined;
    if (treatment === 'comment') {
      this.comments.push({ start: cursor.startIndex - this.base, end: cursor.endIndex - this.base });
      return undefined;
    }
    const field = withField ? (cursor.currentFieldName ?? undefined) : undefined;
    if (treatment === 'token') return { type: name, isToken: true, field, start: 0, end: 0, children: none, hasError: false };
    const start = cursor.startIndex - this.base;
    const end = cursor.endIndex - this.base;
    if (treatment === 'error' || isMissing || depth > maximumDepth) {
      this.hasErrors = true;
      return { type: 'ERROR', isToken: false, field, start, end, children: none, hasError: true };
    }
    if (name === 'string' && /^r?f/i.test(this.text.slice(cursor.startIndex, cursor.startIndex + 2)) && cursor.gotoFirstChild()) {
      const { hasErrors } = this;
      const parts = this.#children(false, depth);
      // What stands inside an f-string does not decide whether the statement could be read.
      this.hasErrors = hasErrors;
      return { type: name, isToken: false, field, start, end, children: parts.children, hasError: parts.hasError };
    }
    if (treatment === 'leaf' || !cursor.gotoFirstChild())
      return { type: name, isToken: false, field, start, end, children: none, hasError: false };
    const { children, hasError } = this.#children(treatment === 'fields', depth);
    return { type: name, isToken: false, field, start, end, children, hasError };
  }

  /** The siblings from the cursor on; afterwards it stands on the node around them. */
  #children(withFields: boolean, depth: number): { readonly children: readonly Raw[]; readonly hasError: boolean } {
    const children: Raw[] = [];
    let hasError = false;
    do {
      const child = this.read(withFields, depth + 1);
      if (child === undefined) continue;
      if (child.type === 'ERROR') hasError = true;
      children.push(child);
    } while (this.#cursor.gotoNextSibling());
    this.#cursor.gotoParent();
    return { children, hasError };
  }
}
