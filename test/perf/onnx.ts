// Small ONNX models for the benchmarks, encoded by hand: the few fields of onnx.proto that they need.

type Message = readonly Uint8Array[];

const length = (parts: Message): number => parts.reduce((sum, part) => sum + part.length, 0);

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.from([...bytes, rest]);
}

const number = (field: number, value: number): Message => [varint(field * 8), varint(value)];
const bytes = (field: number, value: Uint8Array): Message => [varint(field * 8 + 2), varint(value.length), value];
const text = (field: number, value: string): Message => bytes(field, new TextEncoder().encode(value));
const message = (field: number, ...parts: readonly Message[]): Message => {
  const flat = parts.flat();
  return [varint(field * 8 + 2), varint(length(flat)), ...flat];
};

/** NodeProto of GraphProto. */
function node(type: string, inputs: readonly string[], outputs: readonly string[], ...attributes: readonly Message[]): Message {
  return message(1, ...inputs.map((name) => text(1, name)), ...outputs.map((name) => text(2, name)), text(4, type), ...attributes);
}

/** AttributeProto of a node: whole numbers are INT, lists INTS. */
function attribute(name: string, value: number | readonly number[]): Message {
  return typeof value === 'number'
    ? message(5, text(1, name), number(20, 2), number(3, value))
    : message(5, text(1, name), number(20, 7), ...value.map((each) => number(8, each)));
}

/** ValueInfoProto of f32; field 11 is a graph's input, 12 its output. */
function tensor(field: 11 | 12, name: string, shape: readonly number[]): Message {
  const dims = shape.map((size) => message(1, number(1, size)));
  return message(field, text(1, name), message(2, message(1, number(1, 1), message(2, ...dims))));
}

/** TensorProto: data type 1 is f32, 7 is i64. */
function initializer(name: string, shape: readonly number[], data: Float32Array | BigInt64Array): Message {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const type = data instanceof Float32Array ? 1 : 7;
  return message(5, ...shape.map((size) => number(1, size)), number(2, type), bytes(9, raw), text(8, name));
}

function model(...graph: readonly Message[]): Uint8Array {
  const parts = [
    number(1, 8),
    message(7, text(2, 'graph'), ...graph),
    message(8, text(1, ''), number(2, 13)),
    message(8, text(1, 'com.microsoft'), number(2, 1)),
  ].flat();
  const whole = new Uint8Array(length(parts));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** weights = softmax(scale * query key^T (+ mask)), output = weights value; per head, [heads, length, width]. */
export function attentionModel(heads: number, length: number, headDim: number, masked: boolean): Uint8Array {
  return model(
    node('Mul', ['query', 'scale'], ['scaled']),
    node('Transpose', ['key'], ['transposed'], attribute('perm', [0, 2, 1])),
    node('MatMul', ['scaled', 'transposed'], ['scores']),
    ...(masked ? [node('Add', ['scores', 'mask'], ['masked'])] : []),
    node('Softmax', [masked ? 'masked' : 'scores'], ['weights'], attribute('axis', 2)),
    node('MatMul', ['weights', 'value'], ['output']),
    initializer('scale', [], Float32Array.of(1 / Math.sqrt(headDim))),
    ...['query', 'key', 'value'].map((name) => tensor(11, name, [heads, length, headDim])),
    ...(masked ? [tensor(11, 'mask', [length, length])] : []),
    tensor(12, 'weights', [heads, length, length]),
    tensor(12, 'output', [heads, length, headDim]),
  );
}

/** MultiHeadAttention of com.microsoft: query, key and value [1, length, heads * headDim], the output likewise; no weights. */
export function multiHeadModel(heads: number, length: number, headDim: number, causal: boolean): Uint8Array {
  const shape = [1, length, heads * headDim];
  return model(
    message(
      1,
      ...['query', 'key', 'value'].map((name) => text(1, name)),
      text(2, 'output'),
      text(4, 'MultiHeadAttention'),
      text(7, 'com.microsoft'),
      attribute('num_heads', heads),
      ...(causal ? [attribute('unidirectional', 1)] : []),
    ),
    ...['query', 'key', 'value'].map((name) => tensor(11, name, shape)),
    tensor(12, 'output', shape),
  );
}

/** The whole function with projections [width, width] that are part of the model. input [length, width], output likewise. */
export function blockModel(
  heads: number,
  length: number,
  headDim: number,
  projections: Readonly<Record<'queryWeight' | 'keyWeight' | 'valueWeight' | 'outputWeight', Float32Array>>,
): Uint8Array {
  const width = heads * headDim;
  const split = (name: string, perm: readonly number[]): Message[] => [
    node('MatMul', ['input', `${name}Weight`], [`${name}Flat`]),
    node('Reshape', [`${name}Flat`, 'split'], [`${name}Split`]),
    node('Transpose', [`${name}Split`], [name], attribute('perm', perm)),
  ];
  return model(
    ...split('query', [1, 0, 2]),
    ...split('key', [1, 2, 0]),
    ...split('value', [1, 0, 2]),
    node('Mul', ['query', 'scale'], ['scaled']),
    node('MatMul', ['scaled', 'key'], ['scores']),
    node('Softmax', ['scores'], ['weights'], attribute('axis', 2)),
    node('MatMul', ['weights', 'value'], ['heads']),
    node('Transpose', ['heads'], ['joined'], attribute('perm', [1, 0, 2])),
    node('Reshape', ['joined', 'flat'], ['concatenated']),
    node('MatMul', ['concatenated', 'outputWeight'], ['output']),
    initializer('scale', [], Float32Array.of(1 / Math.sqrt(headDim))),
    initializer('split', [3], BigInt64Array.of(BigInt(length), BigInt(heads), BigInt(headDim))),
    initializer('flat', [2], BigInt64Array.of(BigInt(length), BigInt(width))),
    ...Object.entries(projections).map(([name, data]) => initializer(name, [width, width], data)),
    tensor(11, 'input', [length, width]),
    tensor(12, 'output', [length, width]),
  );
}

/** product = left right, [rows, depth] times [depth, columns]; the right one is part of the model where it is given. */
export function matrixModel(rows: number, depth: number, columns: number, right?: Float32Array): Uint8Array {
  return model(
    node('MatMul', ['left', 'right'], ['product']),
    ...(right === undefined ? [] : [initializer('right', [depth, columns], right)]),
    tensor(11, 'left', [rows, depth]),
    ...(right === undefined ? [tensor(11, 'right', [depth, columns])] : []),
    tensor(12, 'product', [rows, columns]),
  );
}
