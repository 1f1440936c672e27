/** Tensors whose elements are known: the short ones that constructors compute settings with. */
import { numberOf } from '../../make.ts';
import type { TensorValue, Value } from '../../value.ts';
import { itemsOf } from './support.ts';

const maximumLength = 4096;
const maximumSteps = 32;

/** Operations that keep every element. */
const keeps: ReadonlySet<string> = new Set(['to', 'float', 'double', 'contiguous', 'clone', 'detach', 'cpu']);

const numbersIn = (value: Value | undefined): readonly number[] | undefined => {
  const items = itemsOf(value);
  if (items === undefined || items.length > maximumLength) return undefined;
  const numbers = items.map(numberOf);
  return numbers.includes(undefined) ? undefined : (numbers as number[]);
};

/** The elements of a tensor with one axis; undefined where they are not all known. */
export function elementsKnown(tensor: TensorValue | undefined, steps = maximumSteps): readonly number[] | undefined {
  if (tensor === undefined || steps === 0) return undefined;
  const argument = (name: string): number | undefined => {
    const value = tensor.arguments.get(name);
    return value === undefined ? undefined : numberOf(value);
  };
  const before = (): readonly number[] | undefined => elementsKnown(tensor.inputs[0], steps - 1);
  if (keeps.has(tensor.op)) return before();
  switch (tensor.op) {
    case 'tensor':
    case 'as_tensor':
      return numbersIn(tensor.arguments.get('data'));
    case 'linspace': {
      const [start, end, count] = [argument('start'), argument('end'), argument('steps')];
      if (start === undefined || end === undefined || count === undefined || count > maximumLength) return undefined;
      return Array.from({ length: count }, (_, i) => (count === 1 ? start : start + ((end - start) * i) / (count - 1)));
    }
    case 'cumsum': {
      let total = 0;
      return before()?.map((each) => {
        total += each;
        return total;
      });
    }
    default:
      return undefined;
  }
}

/** The element of a tensor without axes that was picked from one whose elements are known. */
export function elementKnown(tensor: TensorValue | undefined): number | undefined {
  if (tensor === undefined || tensor.shape.ellipsis !== undefined || tensor.shape.dims.length > 0) return undefined;
  if (keeps.has(tensor.op)) return elementKnown(tensor.inputs[0]);
  if (tensor.op !== 'getitem') return undefined;
  const index = tensor.arguments.get('index');
  const at = index === undefined ? undefined : numberOf(index);
  return at === undefined || !Number.isInteger(at) ? undefined : elementsKnown(tensor.inputs[0])?.at(at);
}
