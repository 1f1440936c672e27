/** Classes of Python's library that models derive their own from. */

/** Members of an enumeration stand for their values. */
const enumerations = `
class Enum:
    def __new__(cls, value):
        return value


class IntEnum(Enum):
    pass


class StrEnum(Enum):
    pass


class Flag(Enum):
    pass


class IntFlag(Enum):
    pass
`;

/** What a class that derives from \`dict\` inherits. The name \`dict\` itself is an operation. */
const builtins = `
import headwise


class dict:
    def __init__(self, *args, **kwargs):
        headwise.entries(self).update(*args, **kwargs)

    def __len__(self):
        return len(headwise.entries(self))

    def __iter__(self):
        return headwise.entries(self).keys()

    def __contains__(self, key):
        return key in headwise.entries(self)

    def __getitem__(self, key):
        return headwise.entries(self)[key]

    def __setitem__(self, key, value):
        headwise.entries(self)[key] = value

    def __delitem__(self, key):
        del headwise.entries(self)[key]

    def keys(self):
        return headwise.entries(self).keys()

    def values(self):
        return headwise.entries(self).values()

    def items(self):
        return headwise.entries(self).items()

    def get(self, key, default=None):
        return headwise.entries(self).get(key, default)

    def pop(self, key, *default):
        return headwise.entries(self).pop(key, *default)

    def setdefault(self, key, default=None):
        return headwise.entries(self).setdefault(key, default)

    def update(self, *args, **kwargs):
        headwise.entries(self).update(*args, **kwargs)

    def clear(self):
        headwise.entries(self).clear()

    def copy(self):
        return headwise.entries(self).copy()
`;

const typing = `
import dataclasses
import headwise


class Generic:
    pass


class Protocol:
    pass


class NamedTuple:
    def __iter__(self):
        return headwise.field_values(self)

    def __len__(self):
        return len(headwise.field_values(self))

    def __getitem__(self, index):
        return headwise.field_values(self)[index]

    def _replace(self, **changes):
        return dataclasses.replace(self, **changes)

    def _asdict(self):
        return dataclasses.asdict(self)


class TypedDict:
    def __getitem__(self, key):
        return getattr(self, key)

    def __setitem__(self, key, value):
        setattr(self, key, value)

    def __contains__(self, key):
        return hasattr(self, key)

    def get(self, key, default=None):
        return getattr(self, key, default)

    def keys(self):
        return dataclasses.asdict(self).keys()

    def values(self):
        return dataclasses.asdict(self).values()

    def items(self):
        return dataclasses.asdict(self).items()
`;

const namespaces = `
class SimpleNamespace:
    def __init__(self, **kwargs):
        self.__dict__.update(kwargs)


class Namespace(SimpleNamespace):
    pass
`;

export const pythonTypes: readonly (readonly [string, string])[] = [
  ['enum', enumerations],
  ['builtins', builtins],
  ['typing', typing],
  ['types', namespaces],
  ['argparse', namespaces],
  ['typing_extensions', 'from typing import Generic, NamedTuple, Protocol, TypedDict\n'],
];
