/** What descriptions of libraries ask of the interpreter: they `import headwise`. */
import { type Dim, number } from '../../../dims/dim.ts';
import { formatShape, Judgement, linear, openShape, type Shape, shapeOf, unknownShape } from '../../../dims/shape.ts';
import { operations } from '../../define.ts';
import { bool, dict, dimOf, dimOrUnknown, int, list, none, openList, sizeTuple, text, tuple, unknown } from '../../make.ts';
import type { Call, Machine, OperationTable } from '../../operation.ts';
import type { ListValue, TensorValue, Value } from '../../value.ts';
import { gathered } from './builtins.ts';
import { listOf, mapSequence, sequenceOf } from './sequences.ts';

const maximumItems = 4096;

/** The shape that a tuple of sizes states. */
function shapeFrom(value: Value): Shape {
  if (value.kind !== 'tuple') {
    return value.kind === 'list' && value.repeat === undefined && !value.open ? shapeOf(...value.items.map(dimOrUnknown)) : unknownShape;
  }
  const dims: readonly Dim[] = value.items.map(dimOrUnknown);
  const at = value.ellipsis;
  return at === undefined ? shapeOf(...dims) : openShape(dims.slice(0, at), dims.slice(at));
}

/** Parts of a tensor are given to names: there must be as many. */
const takeParts = (call: Call, machine: Machine): Value => {
  const [parts, names] = [call.dim('parts'), call.dim('names')];
  if (parts === undefined || names === undefined) return none;
  const judgement = new Judgement(machine.context);
  judgement.same(parts, names, (x, y) => `there are ${x} parts, and ${y} names take them`);
  machine.judge('unpack', call, judgement.result(unknownShape));
  return none;
};

/**
 * Modules among the attributes, in the order in which they were set. One of several modules is a child as well, and so is what nothing is
 * known of in a container: a chain that left it out would hand what comes before it to what comes behind it.
 */
const childrenOf = (self: Value, machine: Machine): readonly (readonly [string, Value])[] | undefined => {
  if (self.kind !== 'instance' || self.open) return undefined;
  const isChain = self.class.mro.some(({ qualifiedName }) => chains.test(qualifiedName));
  return [...self.attributes].filter(
    ([name, value]) =>
      (value.kind === 'union' ? value.options : [value]).some((option) => machine.isModule(option)) ||
      (isChain && (value.kind === 'unknown' || value.kind === 'opaque') && !name.startsWith('_')),
  );
};

const chains = /^torch\.nn\.(?:Sequential|ModuleDict)$|^torch\.nn\.modules\.container\./;

/** The children in order as a list; like ones of unknown number stay a list of that many. */
function childList(call: Call, machine: Machine): ListValue {
  const self = call.value('self');
  const found = childrenOf(self, machine);
  if (self.kind !== 'instance') return openList();
  const items = self.attributes.get('_items');
  if (items?.kind === 'list' && (items.repeat !== undefined || items.open)) return { ...items };
  return found === undefined ? openList() : list(found.map(([, value]) => value));
}

/**
 * Makes the items of a container its attributes, under their numbers. An unknown number of like items is one attribute, `{i}`.
 * The container's own list keeps the order.
 */
function numberItems(call: Call, machine: Machine): Value {
  const self = call.value('self');
  const items = call.value('items');
  if (self.kind !== 'instance' || items.kind !== 'list') return none;
  const wanted = new Map<string, Value>();
  const { repeat } = items;
  const [first] = items.items;
  if (repeat === undefined || (repeat.constant !== undefined && repeat.constant <= maximumItems)) {
    const each = repeat === undefined ? items.items : Array.from({ length: repeat.constant ?? 0 }, () => first);
    for (const [i, item] of each.entries()) if (item !== undefined) wanted.set(String(i), item);
  } else if (first !== undefined) wanted.set('{i}', first);
  for (const [name, value] of self.attributes) {
    if (/^\d+$|^\{i\}$/.test(name) && wanted.get(name) !== value) machine.writeEntry(self.attributes, name, undefined);
  }
  for (const [name, value] of wanted) if (self.attributes.get(name) !== value) machine.writeEntry(self.attributes, name, value);
  if (items.open) machine.write(self, 'open', true);
  return none;
}

function asParameter(value: Value, machine: Machine): Value {
  if (value.kind !== 'tensor' || value.isParameter === true) return value;
  return machine.call(machine.library('torch.nn.parameter.Parameter'), [value]);
}

/** A tuple of `count` numbers from one number or several: a kernel size. A name stands for one number. */
function tupleFrom(value: Value, count: number): Value {
  if (value.kind === 'tuple') return value.ellipsis === undefined ? tuple(value.items) : value;
  if (value.kind === 'list') return value.repeat === undefined && !value.open ? tuple(value.items) : tuple([], 0);
  const dim = dimOf(value);
  return tuple(Array.from({ length: count }, () => (value.kind === 'none' ? none : dim === undefined ? unknown('a size') : int(dim))));
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

/** A problem at the call where a mask has none of the shapes that it may have; one of an unknown number of axes may have any. */
function fitMask(call: Call, machine: Machine): Value {
  const mask = call.tensor('mask');
  const shapes = (gathered(call) ?? []).map(shapeFrom);
  if (mask === undefined || mask.shape.ellipsis !== undefined) return none;
  const { dims } = mask.shape;
  const wanted = shapes.find((shape) => shape.ellipsis === undefined && shape.dims.length === dims.length);
  const judgement = new Judgement(machine.context);
  if (wanted === undefined) judgement.failOfAxes(`a mask of ${dims.length} axes`);
  else
    for (const [i, dim] of dims.entries())
      judgement.same(dim, wanted.dims[i] as Dim, (x, y) => `the mask is ${formatShape(mask.shape)}, with ${x} where it takes ${y}`);
  return machine.settle('masked_fill', call, judgement.result(mask.shape), { inputs: [mask] });
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

/** What a method does about an argument by its name, when it gets so many without one. */
function demandOf(call: Call): 'none' | 'takes' | 'needs' | undefined {
  const callee = call.value('callee');
  const method = callee.kind === 'bound' ? callee.callee : callee;
  const name = call.text('name');
  if (method.kind !== 'function' || method.definition.kind !== 'function') return undefined;
  const { parameters } = method.definition;
  const at = parameters.findIndex((parameter) => parameter.kind === 'plain' && parameter.name?.name === name);
  if (at < 0) return parameters.some(({ kind }) => kind === 'kwargs') ? 'takes' : 'none';
  const isGiven = at - (callee.kind === 'bound' ? 1 : 0) < (call.number('count') ?? 0);
  return isGiven || parameters[at]?.default !== undefined ? 'takes' : 'needs';
}

export const headwiseOperations: OperationTable = operations({
  'headwise.takes': ['callee, name, count=0', (call) => bool(demandOf(call) !== 'none')],
  'headwise.needs': ['callee, name, count=0', (call) => bool(demandOf(call) === 'needs')],
  'headwise.take_parts': ['input, parts, names', takeParts],
  'headwise.number_items': ['self, items', numberItems],
  'headwise.children': [
    'self',
    (call, machine) => {
      const found = childrenOf(call.value('self'), machine);
      return found === undefined ? openList() : list(found.map(([name, value]) => tuple([text(name), value])));
    },
  ],
  'headwise.child_list': ['self', childList],
  'headwise.child_dict': [
    'self',
    (call, machine) => {
      const found = childrenOf(call.value('self'), machine);
      return found === undefined ? dict([], true) : dict(found.map(([name, value]) => [text(name), value] as const));
    },
  ],
  'headwise.as_parameter': ['value', (call, machine) => asParameter(call.value('value'), machine)],
  'headwise.as_parameters': [
    'values',
    (call, machine) => listOf(mapSequence(sequenceOf(call.value('values'), machine), (value) => asParameter(value, machine))),
  ],
  'headwise.ntuple': ['value, count', (call) => tupleFrom(call.value('value'), call.number('count') ?? 1)],
  'headwise.is_open': [
    'value',
    (call) => {
      const value = call.value('value');
      return bool('open' in value ? value.open : undefined);
    },
  ],
  // The shape of the norms that weight normalisation takes: 1 on every axis but one.
  'headwise.norm_shape': [
    'weight, dim',
    (call) => {
      const shape = call.tensor('weight')?.shape;
      const axis = call.number('dim');
      if (call.isNone('dim') || axis === -1) return tuple([]);
      if (shape === undefined || shape.ellipsis !== undefined || axis === undefined) return tuple([], 0);
      return tuple(shape.dims.map((dim, i) => int(i === axis ? dim : 1)));
    },
  ],
  'headwise.result': ['name, shape, *args, dtype=None', result],
  // What keeps the shape of a tensor; of what is no tensor, nothing is said.
  'headwise.through': [
    'name, input',
    (call, machine) => {
      const input = call.value('input');
      return input.kind === 'tensor' ? machine.tensor(call.text('name') ?? 'through', call, input.shape, { inputs: [input] }) : input;
    },
  ],
  'headwise.masked_fill': ['input, mask, *args', fitMask],
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
  // What an instance of a class that derives from dict holds.
  'headwise.entries': [
    'self',
    (call, machine) => {
      const self = call.value('self');
      if (self.kind !== 'instance') return dict([], true);
      const known = self.attributes.get('_entries');
      if (known?.kind === 'dict') return known;
      const made = dict();
      machine.writeEntry(self.attributes, '_entries', made);
      return made;
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
