/** Which values of a statement a shape beside it can be the shape of. */
import type { Call, Expression, Statement } from '../syntax/python/ast.ts';
import type { Subject } from './place.ts';

/** `x`, `self.weight`: undefined for anything that runs code. */
export function pathOf(expression: Expression): string | undefined {
  if (expression.kind === 'name') return expression.name;
  if (expression.kind !== 'attribute') return undefined;
  const object = pathOf(expression.object);
  return object === undefined ? undefined : `${object}.${expression.name.name}`;
}

/** Attributes that compute something, so that their path is no variable. */
const computed = /\.(?:T|mT|H|mH|shape|data|grad|real|imag|ndim|dtype|device)$/;

/** The expression as a subject: a variable before the statement, or what it gives. */
export function subjectOf(node: Expression, statement: Statement): Subject {
  const path = pathOf(node);
  return path === undefined || computed.test(path)
    ? { kind: 'expression', node, statement }
    : { kind: 'variable', name: path, node, when: 'before', statement };
}

const after = (node: Expression, statement: Statement): Subject | undefined => {
  const name = pathOf(node);
  return name === undefined ? undefined : { kind: 'variable', name, node, when: 'after', statement };
};

/** `x.shape`, `x.size()`: the tensor whose sizes are read. */
export function measured(value: Expression): Expression | undefined {
  if (value.kind === 'attribute' && value.name.name === 'shape') return value.object;
  if (value.kind === 'call' && value.arguments.length === 0 && value.callee.kind === 'attribute' && value.callee.name.name === 'size')
    return value.callee.object;
  return undefined;
}

/** Functions whose results are alike, so that one shape may be said of each. */
const alike = /^(?:chunk|split|tensor_split|unbind|hsplit|vsplit|dsplit|map|meshgrid|broadcast_tensors)$/;

const calledName = ({ callee }: Call): string | undefined =>
  callee.kind === 'name' ? callee.name : callee.kind === 'attribute' ? callee.name.name : undefined;

/** The call that an expression comes down to behind method calls that keep the number of its results. */
function givesAlike(value: Expression): boolean {
  if (value.kind === 'comprehension') return true;
  return value.kind === 'call' && alike.test(calledName(value) ?? '');
}

/**
 * What a bare shape beside the statement may describe: each inner list is one thing with its alternatives. Empty where nothing
 * in it has one shape.
 */
export function resultsOf(statement: Statement): readonly (readonly Subject[])[] {
  switch (statement.kind) {
    case 'assign': {
      const [target] = statement.targets;
      return target === undefined ? [] : assigned(target, statement.value, statement);
    }
    case 'annotatedAssign':
      return statement.target.kind === 'name' || statement.target.kind === 'attribute' ? one(after(statement.target, statement)) : [];
    case 'augmentedAssign':
      return one(after(statement.target, statement) ?? subjectOf(statement.target, statement));
    case 'return':
      return statement.value === undefined || statement.value.kind === 'tuple' ? [] : [[subjectOf(statement.value, statement)]];
    case 'expression':
      return expressed(statement.value, statement);
    default:
      return [];
  }
}

const one = (subject: Subject | undefined): readonly (readonly Subject[])[] => (subject === undefined ? [] : [[subject]]);

function assigned(target: Expression, value: Expression, statement: Statement): readonly (readonly Subject[])[] {
  const tensor = measured(value);
  if (target.kind !== 'tuple' && target.kind !== 'list') {
    // `shape = x.shape  # (B, T, C)` speaks of x.
    if (tensor !== undefined) return [[subjectOf(tensor, statement)]];
    const variable = after(target, statement);
    if (variable === undefined) return [[{ kind: 'expression', node: value, statement }]];
    return [[variable, ...earlier(variable, value)]];
  }
  if (tensor !== undefined) return [[subjectOf(tensor, statement)]];
  const meant = target.items.filter((item) => !(item.kind === 'name' && /^_+$/.test(item.name)));
  const variables = meant.map((item) => after(item, statement));
  if (variables.some((variable) => variable === undefined)) return [];
  const named = variables as readonly Subject[];
  // `q, k = f(q), f(k)`
  if (value.kind === 'tuple' && value.items.length === target.items.length) {
    // Sizes and other things that are no tensors are told apart only by running.
    return named.map((variable) => [variable]);
  }
  if (named.length === 1 || givesAlike(value)) return named.map((variable) => [variable]);
  return named.length === 0 ? [] : [named];
}

const reshaping =
  /^(?:view|reshape|permute|transpose|transpose_|swapaxes|swapdims|movedim|moveaxis|unsqueeze|unsqueeze_|squeeze|squeeze_|flatten|unflatten|expand|repeat|repeat_interleave|rearrange|t|mean|sum|max|min|chunk|split|unbind|view_as|expand_as|tile|broadcast_to)$/;

/** `x = x.transpose(1, 2)`: a shape beside it may be that of either x. */
function earlier(variable: Subject, value: Expression): readonly Subject[] {
  if (variable.kind !== 'variable') return [];
  let at = value;
  let shaped = false;
  for (;;) {
    if (at.kind === 'call' && at.callee.kind === 'attribute') {
      if (reshaping.test(at.callee.name.name)) {
        shaped = true;
        // `torch.transpose(x, 1, 2)`, `rearrange(x, ...)`
        const first = at.arguments[0]?.value;
        if (first !== undefined && pathOf(first) === variable.name) {
          at = first;
          continue;
        }
      }
      at = at.callee.object;
    } else if (at.kind === 'call' && at.callee.kind === 'name' && reshaping.test(at.callee.name) && at.arguments[0] !== undefined) {
      shaped = true;
      at = at.arguments[0].value;
    } else if (at.kind === 'subscript') {
      shaped = true;
      at = at.object;
    } else if (at.kind === 'attribute' && /^m?[TH]$/.test(at.name.name)) {
      shaped = true;
      at = at.object;
    } else break;
  }
  return shaped && pathOf(at) === variable.name
    ? [{ kind: 'variable', name: variable.name, node: at, when: 'before', statement: variable.statement }]
    : [];
}

function expressed(value: Expression, statement: Statement): readonly (readonly Subject[])[] {
  const tensor = measured(value);
  if (tensor !== undefined) return [[subjectOf(tensor, statement)]];
  if (value.kind !== 'call') return [];
  const name = calledName(value) ?? '';
  const last = value.arguments.at(-1);
  // `print(x.shape)  # (B, T, C)`
  if (name === 'print') {
    const shown = value.arguments.map((argument) => measured(argument.value)).filter((item) => item !== undefined);
    return shown.length === 1 ? shown.map((item) => [subjectOf(item, statement)]) : [];
  }
  if (name === 'append' && value.arguments.length === 1 && last !== undefined) return [[subjectOf(last.value, statement)]];
  if (name === 'register_buffer') {
    const buffer = value.arguments.find((argument) => argument.name?.name === 'tensor') ?? value.arguments[1];
    return buffer === undefined || buffer.kind === 'args' ? [] : [[subjectOf(buffer.value, statement)]];
  }
  if (/_$/.test(name) && !/__$/.test(name) && value.callee.kind === 'attribute') {
    const changed = after(value.callee.object, statement);
    return changed === undefined ? [] : [[changed, ...earlier(changed, value)]];
  }
  return [];
}

/** What goes into the statement, for `(A) -> (B)` and `(A) x (B) -> (C)`: as many as are written, or none. */
export function inputsOf(statement: Statement, count: number): readonly Subject[] {
  const value =
    statement.kind === 'assign' || statement.kind === 'augmentedAssign'
      ? statement.value
      : statement.kind === 'return' || statement.kind === 'expression' || statement.kind === 'annotatedAssign'
        ? statement.value
        : undefined;
  if (value === undefined) return [];
  const tensor = measured(value);
  if (tensor !== undefined) return count === 1 ? [subjectOf(tensor, statement)] : [];
  if (count === 2) {
    const product = productOf(value);
    return product === undefined ? [] : product.map((operand) => subjectOf(operand, statement));
  }
  if (count !== 1) return [];
  const source = sourceOf(value);
  return source === undefined ? [] : [subjectOf(source, statement)];
}

/** The operands of the matrix product that the value is. */
function productOf(value: Expression): readonly [Expression, Expression] | undefined {
  if (value.kind === 'binary') {
    if (value.operator === '@') return [value.left, value.right];
    // A scale before or behind the product leaves its shape.
    if (value.operator === '*' || value.operator === '/') return productOf(value.left) ?? productOf(value.right);
    return undefined;
  }
  if (value.kind !== 'call' || !/^(?:matmul|bmm|mm)$/.test(calledName(value) ?? '')) return undefined;
  const [first, second] = value.arguments.map((argument) => argument.value);
  if (first === undefined) return undefined;
  if (second !== undefined) return [first, second];
  return value.callee.kind === 'attribute' ? [value.callee.object, first] : undefined;
}

const library = /^(?:torch|F|nn|np|jnp|jax|einops|tf|keras|mx|functional|math|self|cls|super)$/;

/** The one value that a chain of calls starts from: x in `self.drop(self.proj(x.transpose(1, 2)))`. */
function sourceOf(value: Expression): Expression | undefined {
  if (value.kind === 'name') return library.test(value.name) ? undefined : value;
  if (value.kind === 'attribute') return pathOf(value) === undefined ? sourceOf(value.object) : value;
  if (value.kind === 'subscript') return undefined;
  if (value.kind !== 'call') return undefined;
  const { callee } = value;
  const tensors = value.arguments.filter(
    ({ kind, value: each }) => kind === 'positional' && (each.kind === 'name' || each.kind === 'call' || each.kind === 'attribute'),
  );
  if (callee.kind === 'attribute') {
    const root = rootOf(callee.object);
    // A method of the tensor, not a layer: layers hang on self.
    if (root !== undefined && !library.test(root))
      return value.arguments.every(({ value: each }) => isPlain(each)) ? sourceOf(callee.object) : undefined;
  }
  const first = value.arguments[0];
  if (first === undefined || first.kind !== 'positional') return undefined;
  return tensors.length === 1 && tensors[0] === first ? sourceOf(first.value) : undefined;
}

const rootOf = (expression: Expression): string | undefined =>
  expression.kind === 'name'
    ? expression.name
    : expression.kind === 'attribute'
      ? rootOf(expression.object)
      : expression.kind === 'call'
        ? rootOf(expression.callee)
        : undefined;

/** Numbers, and names that are likely sizes: nothing that could be a second tensor of weight. */
const isPlain = (expression: Expression): boolean => expression.kind !== 'call' || calledName(expression) === 'size';
