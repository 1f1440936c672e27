/** Of numpy, what constructors do with lists of known whole numbers. */
export const numpyLists: ReadonlyMap<string, string> = new Map([
  [
    'numpy',
    `
import headwise


class _Numbers:
    def __init__(self, items):
        self.items = items

    def tolist(self):
        return self.items

    def astype(self, dtype):
        return self

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        return iter(self.items)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return _Numbers(self.items[index])
        return self.items[index]

    def __add__(self, other):
        return _Numbers([each + other for each in self.items])

    def __sub__(self, other):
        return _Numbers([each - other for each in self.items])

    def __mul__(self, other):
        return _Numbers([each * other for each in self.items])

    def __floordiv__(self, other):
        return _Numbers([each // other for each in self.items])


def cumsum(a, axis=None, dtype=None, out=None):
    if not isinstance(a, (list, tuple)):
        return headwise.unknown('sums of an array')
    items = []
    total = 0
    for each in a:
        total = total + each
        items.append(total)
    return _Numbers(items)


def argsort(a, axis=-1, kind=None, order=None):
    if not isinstance(a, (list, tuple)):
        return headwise.unknown('the order of an array')
    pairs = sorted([(a[i], i) for i in range(len(a))])
    return _Numbers([i for _, i in pairs])
`,
  ],
]);
