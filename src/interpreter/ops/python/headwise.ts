/** What descriptions of libraries ask of the interpreter: they `import headwise`. */
import { type Dim, number } from '../../../dims/dim.ts';
import { linear, openShape, type Shape, shapeOf, unknownShape } from '../../../dims/shape.ts';
import { operations } from '../../define.ts';
import { bool, dict, dimOrUnknown, list, none, openList, sizeTuple, text, tuple, unknown } from '../../make.ts';
import type { Call, Machine, OperationTable } from '../../operation.ts';
import type { InstanceValue, TensorValue, Value } from '../../value.ts';
import { gathered } from './builtins.ts';
import { sequenceOf } from './sequences.ts';

/** The shape that a tuple of sizes states. */
function shapeFrom(value: Value): Shape {
  if (value.kind !== 'tuple') {
    return value.kind === 'list' && value.repeat === undefined && !value.open ? shapeOf(...value.items.map(dimOrUnknown)) : unknownShape;
  }
  const dims: readonly Dim[] = value.items.map(dimOrUnknown);
  const at = value.ellipsis;
  return at === undefined ? shapeOf(...dims) : openShape(dims.slice(0, at), dims.slice(at));
}

/** Modules among the attributes, in the order in which they were set. */
const childrenOf = (self: Value, machine: Machine): readonly (readonly [string, InstanceValue])[] | undefined => {
  if (self.kind !== 'instance' || self.open) return undefined;
  const found: [string, InstanceValue][] = [];
  for (const [name, value] of self.attributes) if (machine.isModule(value)) found.push([name, value]);
  return found;
};

/**
 * Makes the items of a container its attributes, under their numbers. An unknown number of like items is one attribute, `{i}`.
 * The container's own list keeps the order.
 */
function numberItems(call: Call, machine: Machine): Value {
  const self = call.value('self');
  const items = call.value('items');
  if (self.kind !== 'instance' || items.kind !== 'list') return none;
  for (const name of [...self.attributes.keys()]) if (/^\d+$|^\{i\}$/.test(name)) machine.writeEntry(self.attributes, name, undefined);
  if (items.open) machine.write(self, 'open', true);
  if (items.repeat !== undefined && items.repeat.constant === undefined) {
    if (items.items[0] !== undefined) machine.writeEntry(self.attributes, '{i}', items.items[0]);
    return none;
  }
  const each =
    items.repeat === undefined ? items.items : Array.from({ length: Math.min(4096, items.repeat.constant ?? 0) }, () => items.items[0]);
  for (const [i, item] of each.entries()) if (item !== undefined) machine.writeEntry(self.attributes, String(i), item);
  return none;
}

/** A result whose shape the description worked out, computed from the tensors given. */
function result(call: Call, machine: Machine): Value {
  const inputs = (gathered(call) ?? []).filter((value): value is TensorValue => value.kind === 'tensor');
  const dtype = call.text('dtype');
  return machine.tensor(call.text('name') ?? 'unknown', call, shapeFrom(call.value('shape')), {
    inputs,
    ...(dtype === undefined ? {} : { dtype }),
  });
}

/** A tensor like the input whose last axis was `inputs` and becomes `outputs`; another width is a problem at the call. */
function mapLast(call: Call, machine: Machine): Value {
  const name = call.text('name') ?? 'linear';
  const input = call.tensor('input');
  const [inputs, outputs] = [call.dim('inputs'), call.dim('outputs')];
  if (input === undefined) {
    return machine.tensor(name, call, outputs === undefined ? unknownShape : openShape([], [outputs]));
  }
  if (inputs === undefined || outputs === undefined) return machine.tensor(name, call, unknownShape, { inputs: [input] });
  return machine.settle(name, call, linear(input.shape, inputs, outputs, machine.context), { inputs: [input] });
}

export const headwiseOperations: OperationTable = operations({
  'headwise.number_items': ['self, items', numberItems],
  'headwise.children': [
    'self',
    (call, machine) => {
      const found = childrenOf(call.value('self'), machine);
      return found === undefined ? openList() : list(found.map(([name, value]) => tuple([text(name), value])));
    },
  ],
  'headwise.result': ['name, shape, *args, dtype=None', result],
  'headwise.map_last': ['name, input, inputs, outputs', mapLast],
  // The rank as a number, or None where it is not known.
  'headwise.rank': [
    'input',
    (call) => {
      const shape = call.tensor('input')?.shape;
      return shape === undefined || shape.ellipsis !== undefined ? none : { kind: 'int', dim: number(shape.dims.length) };
    },
  ],
  'headwise.shape': [
    'input',
    (call) => {
      const input = call.tensor('input');
      return input === undefined ? tuple([], 0) : sizeTuple(input.shape);
    },
  ],
  /** Items of a list, tuple or other iterable as a list that keeps an unknown number of like items. */
  'headwise.list': [
    'items',
    (call, machine) => {
      const items = call.value('items');
      if (items.kind === 'list') return { ...items };
      const found = sequenceOf(items, machine);
      if (found.items !== undefined) return list(found.items);
      if (items.kind === 'tuple') return { kind: 'list', items: items.items, repeat: undefined, open: true };
      return found.each === undefined || found.count === undefined
        ? openList()
        : { kind: 'list', items: [found.each], repeat: found.count, open: false };
    },
  ],
  'headwise.open_list': ['*args', () => openList()],
  'headwise.open_dict': ['*args', () => dict([], true)],
  'headwise.either': ['', () => bool(undefined)],
  'headwise.unknown': ["reason=''", (call) => unknown(call.text('reason') ?? 'not described')],
  'headwise.nothing': ['*args, **kwargs', () => none],
  'headwise.is_unknown': ['value', (call) => bool(call.value('value').kind === 'unknown')],
  'headwise.open': [
    'self',
    (call, machine) => {
      const self = call.value('self');
      if (self.kind === 'instance') machine.write(self, 'open', true);
      return none;
    },
  ],
});
