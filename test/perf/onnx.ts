// Small ONNX models for the benchmarks, encoded by hand: the few fields of onnx.proto that they need.

type Message = readonly number[];

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

const number = (field: number, value: number): Message => [...varint(field * 8), ...varint(value)];
const bytes = (field: number, value: Iterable<number>): Message => {
  const list = [...value];
  return [...varint(field * 8 + 2), ...varint(list.length), ...list];
};
const text = (field: number, value: string): Message => bytes(field, new TextEncoder().encode(value));
const message = (field: number, ...parts: readonly Message[]): Message => bytes(field, parts.flat());

/** NodeProto of GraphProto. */
function node(type: string, inputs: readonly string[], outputs: readonly string[], ...attributes: readonly Message[]): Message {
  return message(1, ...inputs.map((name) => text(1, name)), ...outputs.map((name) => text(2, name)), text(4, type), ...attributes);
}

/** ValueInfoProto of f32; field 11 is a graph's input, 12 its output. */
function tensor(field: 11 | 12, name: string, shape: readonly number[]): Message {
  const dims = shape.map((size) => message(1, number(1, size)));
  return message(field, text(1, name), message(2, message(1, number(1, 1), message(2, ...dims))));
}

/** TensorProto with one number, as an initializer. */
function scalar(name: string, value: number): Message {
  return message(5, number(2, 1), bytes(9, new Uint8Array(Float32Array.of(value).buffer)), text(8, name));
}

function model(...graph: readonly Message[]): Uint8Array {
  return Uint8Array.from([number(1, 8), message(7, text(2, 'graph'), ...graph), message(8, text(1, ''), number(2, 13))].flat());
}

/** weights = softmax(scale * query key^T (+ mask)), output = weights value; per head, [heads, length, width]. */
export function attentionModel(heads: number, length: number, headDim: number, masked: boolean): Uint8Array {
  const ints = message(5, text(1, 'perm'), number(20, 7), number(8, 0), number(8, 2), number(8, 1));
  const axis = message(5, text(1, 'axis'), number(20, 2), number(3, 2));
  return model(
    node('Mul', ['query', 'scale'], ['scaled']),
    node('Transpose', ['key'], ['transposed'], ints),
    node('MatMul', ['scaled', 'transposed'], ['scores']),
    ...(masked ? [node('Add', ['scores', 'mask'], ['masked'])] : []),
    node('Softmax', [masked ? 'masked' : 'scores'], ['weights'], axis),
    node('MatMul', ['weights', 'value'], ['output']),
    scalar('scale', 1 / Math.sqrt(headDim)),
    ...['query', 'key', 'value'].map((name) => tensor(11, name, [heads, length, headDim])),
    ...(masked ? [tensor(11, 'mask', [length, length])] : []),
    tensor(12, 'weights', [heads, length, length]),
    tensor(12, 'output', [heads, length, headDim]),
  );
}

/** product = left right, [rows, depth] times [depth, columns]. */
export function matrixModel(rows: number, depth: number, columns: number): Uint8Array {
  return model(
    node('MatMul', ['left', 'right'], ['product']),
    tensor(11, 'left', [rows, depth]),
    tensor(11, 'right', [depth, columns]),
    tensor(12, 'product', [rows, columns]),
  );
}
