/** What the descriptions of transformers need and Python cannot say: looking into classes, loading by name, masks as nodes of the graph. */
import { number, unknownDim } from '../../dims/dim.ts';
import { type Shape, shapeOf } from '../../dims/shape.ts';
import type { Expression } from '../../syntax/python/ast.ts';
import { operations } from '../define.ts';
import { bool, dict, dimOrUnknown, none, text, unknown } from '../make.ts';
import type { Machine, OperationTable } from '../operation.ts';
import type { ClassValue, DictValue, FunctionValue, InstanceValue, TensorValue, Value } from '../value.ts';
import { decoratorNamed, finishCapture, startCapture } from './transformersCapture.ts';
import { tieParameters } from './transformersTies.ts';

const identitySignature = [{ name: 'value', kind: 'positional', default: undefined }] as const;
const decorator: Value = {
  kind: 'builtin',
  name: '_headwise.identity',
  operation: { signature: identitySignature, run: (call) => call.value('value') },
};

/** A fresh list or dict for every object that a default is given to. */
function fresh(value: Value, machine: Machine): Value {
  if (value.kind === 'list') return { ...value, items: [...value.items] };
  if (value.kind === 'dict') return { ...value, entries: new Map(value.entries) };
  if (
    value.kind === 'partial' &&
    (value.callee.kind === 'opaque' || value.callee.kind === 'builtin') &&
    value.callee.name.endsWith('field')
  ) {
    const factory = value.keywords.get('default_factory');
    return factory === undefined ? (value.keywords.get('default') ?? none) : machine.call(factory, []);
  }
  return value;
}

const lastName = (expression: Expression): string | undefined => {
  if (expression.kind === 'name') return expression.name;
  if (expression.kind === 'attribute') return expression.name.name;
  if (expression.kind === 'subscript') return lastName(expression.object);
  if (expression.kind === 'call') return lastName(expression.callee);
  if (expression.kind === 'string') return expression.value?.split(/[[.]/)[0];
  return undefined;
};

/** The fields that a configuration class sets itself: those of the classes above the last one that has an `__init__` of its own. */
function configFields(of: ClassValue, machine: Machine): DictValue {
  const base = of.mro.findIndex(({ name, members }) => name === 'PreTrainedConfig' && members.has('__post_init__'));
  let first = 0;
  for (const [i, each] of of.mro.entries()) if (i < base && each.members.has('__init__')) first = i + 1;
  const found = new Map<string, Value>();
  for (const each of of.mro.slice(first).reverse()) {
    for (const { name, annotation, hasDefault } of each.fields) {
      if (lastName(annotation) === 'ClassVar') continue;
      const value = hasDefault ? each.members.get(name) : undefined;
      found.set(name, value === undefined ? unknown(`${of.name}.${name} has no default`) : fresh(value, machine));
    }
  }
  return dict([...found].map(([name, value]) => [text(name), value] as const));
}

/** The fields of an output that are not None, by name; those that may be None end what is known. */
function outputFields(self: InstanceValue): { readonly known: readonly (readonly [string, Value])[]; readonly isOpen: boolean } {
  const known: (readonly [string, Value])[] = [];
  const names = new Set(self.class.mro.toReversed().flatMap(({ fields }) => fields.map(({ name }) => name)));
  for (const name of self.attributes.keys()) names.add(name);
  for (const name of names) {
    const value = self.attributes.get(name);
    if (value === undefined || value.kind === 'none') continue;
    if (value.kind === 'unknown' || (value.kind === 'union' && value.options.some(({ kind }) => kind === 'none' || kind === 'unknown'))) {
      return { known, isOpen: true };
    }
    known.push([name, value]);
  }
  return { known, isOpen: false };
}

const functionOf = (value: Value): FunctionValue | undefined =>
  value.kind === 'bound' ? functionOf(value.callee) : value.kind === 'function' ? value : undefined;

/** Arguments that `merge_with_config_defaults` takes from the configuration where the caller gives none. */
const defaultedArguments = ['use_cache', 'vision_feature_layer', 'vision_feature_select_strategy', 'vision_aspect_ratio'];

function withConfigDefaults(forward: Value, config: Value, positional: number, keywords: DictValue, machine: Machine): DictValue {
  const callee = functionOf(forward);
  const definition = callee?.definition;
  if (callee === undefined || definition?.kind !== 'function') return keywords;
  const entries = new Map(keywords.entries);
  // Backbones build their feature maps from hidden states.
  if (decoratorNamed(callee, 'filter_output_hidden_states') !== undefined) {
    entries.set('output_hidden_states', { key: text('output_hidden_states'), value: bool(true) });
  }
  if (decoratorNamed(callee, 'merge_with_config_defaults') === undefined) return { ...keywords, entries };
  const names = definition.parameters.filter(({ kind }) => kind === 'plain').map(({ name }) => name?.name);
  for (const name of defaultedArguments) {
    const at = names.indexOf(name) - 1;
    if (at >= 0 && at < positional) continue;
    const given = entries.get(name);
    if (given !== undefined && given.value.kind !== 'none') continue;
    const value = machine.attribute(config, name);
    if (value === undefined || value.kind === 'none' || value.kind === 'unknown') continue;
    entries.set(name, { key: text(name), value });
  }
  return { ...keywords, entries };
}

/** The class of configuration that a model class says it takes. */
function configClassOf(model: ClassValue, machine: Machine): Value {
  for (const each of model.mro) {
    const written = each.members.get('config_class');
    if (written !== undefined && written.kind !== 'none') return written;
    const annotation = each.fields.find(({ name }) => name === 'config')?.annotation;
    const name = annotation === undefined ? undefined : lastName(annotation);
    if (name !== undefined && each.file !== undefined) return machine.library(`${each.file.name}.${name}`);
  }
  return none;
}

/** Operations that give ones where their input holds nothing else. */
const keepsOnes: ReadonlySet<string> = new Set(
  'to type bool long int float clone contiguous detach view reshape squeeze unsqueeze expand repeat getitem max_pool1d max_pool2d'.split(
    ' ',
  ),
);

const isAllOnes = (tensor: TensorValue | undefined): boolean =>
  tensor !== undefined && (tensor.content === 'ones' || (keepsOnes.has(tensor.op) && isAllOnes(tensor.inputs[0])));

export const transformersOperations: OperationTable = operations({
  '_headwise.identity': ['value', (call) => call.value('value')],
  '_headwise.identity_factory': ['*args, **kwargs', () => decorator],
  '_headwise.identity_or_factory': [
    '*args, **kwargs',
    (call) => {
      const args = call.value('args');
      const [only] = args.kind === 'tuple' ? args.items : [];
      return only !== undefined && (only.kind === 'function' || only.kind === 'class' || only.kind === 'builtin') ? only : decorator;
    },
  ],
  '_headwise.unknown': ['reason', (call) => unknown(call.text('reason') ?? 'not known')],
  '_headwise.loss': ['*args, **kwargs', (call, machine) => machine.tensor('loss', call, shapeOf(), { inputs: [] })],
  '_headwise.is_known': ['value', (call) => bool(call.number('value') !== undefined)],
  '_headwise.config_fields': [
    'cls',
    (call, machine) => {
      const of = call.value('cls');
      return of.kind === 'class' ? configFields(of, machine) : dict([], true);
    },
  ],
  '_headwise.set_config_attribute': [
    'self, name, value',
    (call, machine) => {
      const self = call.value('self');
      const name = call.text('name');
      if (self.kind !== 'instance' || name === undefined) return none;
      const aliases = self.class.mro.map(({ members }) => members.get('attribute_map')).find((each) => each?.kind === 'dict');
      const entries = aliases?.kind === 'dict' ? [...aliases.entries] : [];
      const mapped = entries.find(([alias]) => alias === name)?.[1].value;
      const target = mapped?.kind === 'string' && mapped.value !== undefined ? mapped.value : name;
      machine.writeEntry(self.attributes, target, call.value('value'));
      for (const [alias, { value }] of entries) {
        // Where the class has the alias too, it would be found before what it stands for.
        const isHidden = value.kind === 'string' && value.value === target && self.class.mro.some(({ members }) => members.has(alias));
        if (isHidden) machine.writeEntry(self.attributes, alias, call.value('value'));
      }
      return none;
    },
  ],
  '_headwise.attributes': [
    'self',
    (call) => {
      const self = call.value('self');
      if (self.kind !== 'instance') return dict([], true);
      return dict(
        [...self.attributes].map(([name, value]) => [text(name), value] as const),
        self.open,
      );
    },
  ],
  '_headwise.published_config': ['cls', () => unknown('a published configuration')],
  '_headwise.load': ['name', (call, machine) => machine.library(call.text('name') ?? '')],
  '_headwise.load_from': [
    'package, kind, name',
    (call, machine) => {
      const [folder, kind, name] = [call.text('package'), call.text('kind'), call.text('name')];
      if (folder === undefined || name === undefined) return unknown('a class that is looked up by an unknown name');
      const file = machine.library(`${folder}.${kind}_${folder.slice(folder.lastIndexOf('.') + 1)}.${name}`);
      return file.kind === 'unknown' ? machine.library(`${folder}.${name}`) : file;
    },
  ],
  '_headwise.model_type_named': [
    'name, types, table, otherwise',
    (call) => {
      const [name, types, table] = [call.text('name'), call.value('types'), call.value('table')];
      if (name === undefined || types.kind !== 'dict' || table.kind !== 'dict') return unknown('a model type');
      let found = call.value('otherwise');
      for (const [key, entry] of types.entries) {
        if (entry.value.kind === 'string' && entry.value.value === name && table.entries.has(key)) found = entry.key;
      }
      return found;
    },
  ],
  '_headwise.config_class_of': [
    'model',
    (call, machine) => {
      const model = call.value('model');
      return model.kind === 'class' ? configClassOf(model, machine) : none;
    },
  ],
  '_headwise.model_output_tuple': [
    'self',
    (call) => {
      const self = call.value('self');
      if (self.kind !== 'instance') return unknown('a model output');
      const { known, isOpen } = outputFields(self);
      const names = known.map(([name]) => name);
      return { kind: 'tuple', items: known.map(([, value]) => value), ellipsis: isOpen ? known.length : undefined, names };
    },
  ],
  '_headwise.model_output_dict': [
    'self',
    (call) => {
      const self = call.value('self');
      if (self.kind !== 'instance') return dict([], true);
      const { known, isOpen } = outputFields(self);
      return dict(
        known.map(([name, value]) => [text(name), value] as const),
        isOpen,
      );
    },
  ],
  '_headwise.with_config_defaults': [
    'forward, config, args, kwargs',
    (call, machine) => {
      const [args, kwargs] = [call.value('args'), call.value('kwargs')];
      if (kwargs.kind !== 'dict') return kwargs;
      return withConfigDefaults(
        call.value('forward'),
        call.value('config'),
        args.kind === 'tuple' ? args.items.length : 0,
        kwargs,
        machine,
      );
    },
  ],
  '_headwise.start_capture': [
    'model, forward, config, kwargs',
    (call, machine) => {
      const [model, forward, kwargs] = [call.value('model'), functionOf(call.value('forward')), call.value('kwargs')];
      if (model.kind !== 'instance' || forward === undefined || kwargs.kind !== 'dict') return none;
      return startCapture(model, forward, call.value('config'), kwargs, machine) ?? none;
    },
  ],
  '_headwise.finish_capture': [
    'handle, outputs, config',
    (call, machine) => {
      finishCapture(call.value('handle'), call.value('outputs'), call.value('config'), machine);
      return none;
    },
  ],
  '_headwise.tie_weights': [
    'model',
    (call, machine) => {
      const model = call.value('model');
      if (model.kind === 'instance') tieParameters(model, machine);
      return none;
    },
  ],
  '_headwise.is_all_ones': [
    'mask',
    (call) => {
      const mask = call.value('mask');
      return bool(mask.kind === 'tensor' && isAllOnes(mask));
    },
  ],
  '_headwise.attention_mask': [
    'batch, queries, keys, content=None',
    (call, machine) => {
      const [batch, queries, keys] = ['batch', 'queries', 'keys'].map((name) => dimOrUnknown(call.value(name)));
      const shape: Shape = shapeOf(batch ?? unknownDim(), number(1), queries ?? unknownDim(), keys ?? unknownDim());
      const content = call.text('content');
      return machine.tensor('attention_mask', call, shape, { dtype: 'float32', ...(content === undefined ? {} : { content }) });
    },
  ],
  '_headwise.grown': [
    'states',
    (call, machine) => {
      const states = call.tensor('states');
      if (states === undefined) return unknown('cached states');
      const { dims, ellipsis } = states.shape;
      const at = dims.length - 2;
      const longer = dims.map((dim, i) => (i === at ? unknownDim('as many keys as the cache holds') : dim));
      return machine.tensor('cache', call, { dims: longer, ellipsis });
    },
  ],
});
