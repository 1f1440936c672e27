import { attributesAsDict } from './attributeView.ts';
import { bindArguments, makeCall } from './define.ts';
import type { Interpreter } from './interpreter.ts';
import { join, unite } from './join.ts';
import { dict, none, opaque, text, tuple, unknown } from './make.ts';
import { operationNamed } from './ops/tables.ts';
import type { BuiltinValue, ClassValue, DictValue, InstanceValue, Value } from './value.ts';

export function attribute(interpreter: Interpreter, object: Value, name: string): Value | undefined {
  switch (object.kind) {
    case 'namespace': {
      const value = interpreter.names.member(object, name);
      return value ?? unknown(`${object.name}.${name}`);
    }
    case 'instance':
      return instanceAttribute(interpreter, object, name);
    case 'super': {
      const { mro } = classOf(object.self) ?? object.after;
      const start = mro.indexOf(object.after) + 1;
      for (const each of mro.slice(start)) {
        const member = each.members.get(name);
        if (member !== undefined) return bind(interpreter, member, object.self);
      }
      if (name === '__init__' || name === '__post_init__' || name === '__init_subclass__')
        return interpreter.names.builtin('headwise.nothing') ?? nothing;
      if (name === '__setattr__') return { kind: 'bound', self: object.self, callee: setAttributeOperation };
      if (name === '__getattribute__' || name === '__getattr__') return { kind: 'bound', self: object.self, callee: getAttributeOperation };
      return unknown(`super().${name}`);
    }
    case 'class': {
      if (name === '__name__' || name === '__qualname__') return text(object.name);
      if (name === '__module__') return text(object.file?.name);
      if (name === '__mro__') return tuple(object.mro);
      if (name === '__bases__') return tuple(object.bases);
      if (name === '__dict__')
        return dict(
          [...object.members].map(([key, value]) => [text(key), value] as const),
          true,
        );
      for (const each of object.mro) {
        const member = each.members.get(name);
        if (member !== undefined) return member.kind === 'function' && member.wraps === 'class' ? bound(object, member) : member;
      }
      return object.isOpen ? unknown(`${object.name}.${name}`) : undefined;
    }
    case 'tensor': {
      const getter = operationNamed(`Tensor.attribute:${name}`);
      if (getter !== undefined) {
        const { bound, given } = bindArguments(getter.signature, [object], new Map());
        return getter.run(makeCall(name, bound, given, interpreter.site), interpreter);
      }
      const method = interpreter.names.builtin(`Tensor.${name}`) ?? interpreter.names.builtin(`torch.${name}`);
      return method?.kind === 'builtin' ? { kind: 'bound', self: object, callee: method } : unknown(`Tensor.${name}`);
    }
    case 'union': {
      const options = object.options.filter(({ kind }) => kind !== 'none');
      const values: Value[] = [];
      for (const option of options) {
        const value = interpreter.attribute(option, name);
        if (value !== undefined) values.push(value);
      }
      return values.length === 0 ? undefined : unite(values);
    }
    case 'unknown':
      return object.path !== undefined
        ? (interpreter.options.assumes?.(`${object.path}.${name}`, object.scope ?? '') ?? {
            kind: 'unknown',
            reason: `${object.path}.${name}`,
            path: `${object.path}.${name}`,
            scope: object.scope ?? '',
          })
        : unknown(`${object.reason}.${name}`);
    case 'function':
    case 'builtin':
    case 'bound':
      if (name === '__name__' || name === '__qualname__') return text(object.kind === 'bound' ? object.callee.name : object.name);
      // `chain.from_iterable`, `dict.fromkeys`.
      return (object.kind === 'builtin' ? interpreter.names.builtin(`${object.name}.${name}`) : undefined) ?? unknown(name);
    case 'partial':
      if (name === 'func') return object.callee;
      if (name === 'args') return tuple(object.positional);
      if (name === 'keywords') return dict([...object.keywords].map(([key, value]) => [text(key), value] as const));
      return unknown(name);
    case 'opaque': {
      const qualified = `${object.name}.${name}`;
      const found =
        interpreter.names.builtin(qualified) ??
        (/(?:^|\.)\w*Tensor$/.test(object.name) ? interpreter.names.builtin(`Tensor.${name}`) : undefined);
      return found ?? opaque(qualified);
    }
    case 'tuple': {
      const at = object.names?.indexOf(name) ?? -1;
      if (at >= 0) return object.items[at];
      break;
    }
    case 'slice':
      return name === 'start' ? object.lower : name === 'stop' ? object.upper : name === 'step' ? object.step : undefined;
    case 'string':
      if (name === 'value' || name === 'name') return object;
      break;
  }
  const type = typeNames[object.kind];
  const method = type === undefined ? undefined : interpreter.names.builtin(`${type}.${name}`);
  if (method?.kind === 'builtin') return { kind: 'bound', self: object, callee: method };
  return undefined;
}

function instanceAttribute(interpreter: Interpreter, object: InstanceValue, name: string): Value | undefined {
  const own = object.attributes.get(name);
  if (own !== undefined) return own;
  if (name === '__class__') return object.class;
  if (name === '__dict__') return attributesAsDict(object);
  for (const each of object.class.mro) {
    const member = each.members.get(name);
    if (member !== undefined) return bind(interpreter, member, object);
  }
  const fallback = classMember(object.class, '__getattr__');
  if (fallback !== undefined && !name.startsWith('__')) {
    const value = interpreter.guard(() => interpreter.call(fallback, [object, text(name)]));
    if (value !== undefined) return value;
  }
  const path = object.attributes.get('__path__');
  if (path?.kind === 'unknown' && path.path !== undefined) return interpreter.attribute(path, name);
  if (object.open || object.class.isOpen) return unknown(`${object.class.name}.${name}`);
  return undefined;
}

/** A member of a class as an attribute of `self`. */
function bind(interpreter: Interpreter, member: Value, self: Value): Value {
  if (member.kind === 'builtin') return { kind: 'bound', self, callee: member };
  if (member.kind !== 'function') return member;
  switch (member.wraps) {
    case 'static':
      return member;
    case 'class':
      return bound(classOf(self) ?? self, member);
    case 'property':
      return interpreter.call(member, [self]);
    default:
      return { kind: 'bound', self, callee: member };
  }
}

function bound(self: Value, callee: Value): Value {
  return callee.kind === 'function' || callee.kind === 'builtin' ? { kind: 'bound', self, callee } : callee;
}

/** The class of an instance, or the class itself. */
function classOf(value: Value): ClassValue | undefined {
  return value.kind === 'instance' ? value.class : value.kind === 'class' ? value : undefined;
}

export function classMember(of: ClassValue, name: string): Value | undefined {
  for (const each of of.mro) {
    const member = each.members.get(name);
    if (member !== undefined) return member;
  }
  return undefined;
}

export function setAttribute(interpreter: Interpreter, object: Value, name: string, value: Value): void {
  if (object.kind === 'instance') {
    const setter = classMember(object.class, '__setattr__');
    if (name === '__dict__') {
      setAll(interpreter, object, value);
      return;
    }
    const property = classMember(object.class, `${name}.setter`);
    if (setter !== undefined && setter.kind === 'function') interpreter.call(setter, [object, text(name), value]);
    else if (property !== undefined) interpreter.call(property, [object, value]);
    else setPlain(interpreter, object, name, value);
  } else if (object.kind === 'class') interpreter.heap.writeEntry(object.members, name, value);
  else if (object.kind === 'union') for (const option of object.options) interpreter.setAttribute(option, name, value);
}

/** `self.__dict__ = value`: what the dict holds becomes attributes. */
function setAll(interpreter: Interpreter, object: InstanceValue, value: Value): void {
  const own = value.kind === 'instance' ? value.attributes.get('_entries') : value;
  const entries = own?.kind === 'dict' ? own : undefined;
  for (const [key, entry] of entries?.entries ?? []) if (!key.startsWith('#')) setPlain(interpreter, object, key, entry.value);
  if (entries === undefined || entries.open || value.kind === 'instance') interpreter.heap.write(object, 'open', true);
}

/** Sets an entry of a dict under a key that is not known: any of them may have been replaced. */
export function putAnywhere(interpreter: Interpreter, object: DictValue, value: Value): void {
  interpreter.heap.write(object, 'open', true);
  for (const [key, entry] of [...object.entries]) {
    interpreter.heap.writeEntry(object.entries, key, { key: entry.key, value: join(entry.value, value) });
  }
}

/** Sets the attribute as `object.__setattr__` does. */
export function setPlain(interpreter: Interpreter, object: InstanceValue, name: string, value: Value): void {
  interpreter.heap.writeEntry(object.attributes, name, value);
}

const typeNames: Readonly<Partial<Record<Value['kind'], string>>> = {
  string: 'str',
  list: 'list',
  dict: 'dict',
  set: 'set',
  tuple: 'tuple',
  int: 'int',
  float: 'float',
  bool: 'int',
  range: 'range',
};

const nothing: BuiltinValue = {
  kind: 'builtin',
  name: 'headwise.nothing',
  operation: {
    signature: [
      { name: 'args', kind: 'args', default: undefined },
      { name: 'kwargs', kind: 'kwargs', default: undefined },
    ],
    run: () => none,
  },
};

const setAttributeOperation: BuiltinValue = {
  kind: 'builtin',
  name: 'object.__setattr__',
  operation: {
    signature: ['self', 'name', 'value'].map((name) => ({ name, kind: 'positional', default: undefined })),
    run: (call, machine) => {
      const self = call.value('self');
      const name = call.text('name');
      if (self.kind === 'instance' && name !== undefined) machine.writeEntry(self.attributes, name, call.value('value'));
      return none;
    },
  },
};

const getAttributeOperation: BuiltinValue = {
  kind: 'builtin',
  name: 'object.__getattribute__',
  operation: {
    signature: ['self', 'name'].map((name) => ({ name, kind: 'positional', default: undefined })),
    run: (call) => {
      const self = call.value('self');
      const name = call.text('name');
      return (self.kind === 'instance' && name !== undefined ? self.attributes.get(name) : undefined) ?? unknown('an attribute');
    },
  },
};
