"""Values of expressions over Python's built-ins and standard library, recorded once from CPython.

Remake:  python3 test/golden/make_python.py
It rewrites python.generated.json beside itself. A case is statements and the names of what they bind that is compared.
"""

import collections
import json
import pathlib

PREAMBLE = """
import collections, copy, dataclasses, functools, itertools, math, operator
from functools import partial, reduce
from collections import OrderedDict, namedtuple
"""

CASES = """
len([1, 2, 3]), len('abc'), len({'a': 1}), len((1,)), len(range(3, 10, 2)), len({1, 2, 2})
list(range(5)), list(range(2, 9, 3)), list(range(5, 0, -2)), list(range(3, 3))
min(3, 1, 2), max([3, 1, 2]), min([], default=4), max('b', 'a'), max(1, 2.5), min(0.5, 3)
sum([1, 2, 3]), sum([], 5), sum([0.5, 0.25]), sum((i for i in range(4)), 10), sum([[1], [2]], [])
abs(-3), abs(2.5), abs(-0.5), abs(0)
int(3.9), int(-3.9), int('42'), int(True), int(), int(7 / 2), int(768 * 4.0), int(2 * 768 / 3), int(' 12 ')
float(3), float('1e-5'), float('inf'), float(True), float()
bool([]), bool([0]), bool(''), bool('a'), bool(0.0), bool({}), bool(None)
str(12), str('a'), str(None), str(True), 'n' + str(3)
round(2.5), round(3.5), round(2.4), round(-1.5), round(7), round(2.6)
divmod(17, 5), divmod(-17, 5), pow(2, 10), pow(2, -1), 7 // 2, -7 // 2, 7 % 3, -7 % 3, 2 ** 0.5, 64 ** -0.5, 1 / 4
list(zip([1, 2, 3], 'ab')), list(zip()), dict(zip(['a', 'b'], [1, 2])), [x + y for x, y in zip(range(3), range(1, 4))]
list(enumerate('ab')), list(enumerate([5, 6], 1)), list(enumerate([5, 6], start=2))
list(map(lambda x: x * 2, [1, 2])), list(map(lambda x, y: x - y, [5, 6], [1, 2])), list(map(str, [1, 2])), list(map(int, ['1', '2']))
list(filter(lambda x: x > 1, [1, 2, 3])), list(filter(None, [0, 1, '', 'a']))
list(reversed([1, 2, 3])), list(reversed((1, 2))), list(reversed(range(3))), [1, 2, 3][::-1]
sorted([3, 1, 2]), sorted(['b', 'a']), sorted([3, 1, 2], reverse=True), sorted(['bb', 'a'], key=len), sorted({'b': 1, 'a': 2})
list('abc'), tuple([1, 2]), list({'a': 1, 'b': 2}), list((1, 2)), tuple('ab'), tuple(range(2))
dict(a=1, b=2), dict([('a', 1)], b=2), dict({'a': 1}), {**{'a': 1}, 'b': 2}, dict()
any([0, 1]), all([1, 0]), any([]), all([]), any(x > 2 for x in [1, 3])
isinstance(1, int), isinstance(True, int), isinstance('a', (int, str)), isinstance([1], (list, tuple)), isinstance(None, int), isinstance(1.0, int), isinstance({}, dict), isinstance((1,), tuple), isinstance(lambda: 0, str)
callable(len), callable(3), callable(lambda: 1)
'a-b'.split('-'), 'a b  c'.split(), 'a.b.c'.split('.', 1), 'a.b.c'.rsplit('.', 1), 'x'.join(['a', 'b']), ','.join(str(i) for i in range(3))
'AbC'.lower(), 'abc'.upper(), 'abc'.capitalize(), ' a '.strip(), 'xxaxx'.strip('x'), 'abc'.replace('b', 'd'), 'layers.3'.startswith('layers'), 'ab'.endswith(('a', 'b'))
'{} {}'.format(1, 'a'), '{1}{0}'.format('a', 'b'), '{x}.weight'.format(x='h'), 'a{{}}'.format()
'a.b.c'.partition('.'), 'a.b.c'.rpartition('.'), 'abc'.partition('.'), 'abcabc'.find('c'), 'abcabc'.count('bc'), '12'.isdigit(), 'abc'.removeprefix('a'), 'abc'.removesuffix('bc')
[1, 2, 1].count(1), [1, 2, 3].index(2), (1, 2).index(2), 2 in [1, 2], 3 not in (1, 2), 'a' in {'a': 1}, 'b' in 'abc'
a = [1, 2]; a.append(3); a.extend((4, 5)); a.insert(0, 0); b = a.pop(); c = a.pop(0); a.remove(2); d = a.copy(); d.reverse()
a = [3, 1, 2]; a.sort(); b = a[-1]; a[0] = 9; c = a + [1]; a *= 2; d = [0] * 3; e = a[1:3]; a += [7]
a = [1]; b = a; b.append(2); c = list(a); c.append(3); a.clear()
d = {'a': 1}; x = d.get('a'); y = d.get('b'); z = d.get('b', 5); d['c'] = 3; k = list(d.keys()); v = list(d.values()); i = list(d.items())
d = {'a': 1, 'b': 2}; x = d.pop('a'); y = d.pop('z', 9); d.update({'q': 1}, r=2); z = d.setdefault('q', 7); w = d.setdefault('s', 8)
d = {1: 'x', (2, 3): 'y', None: 'z'}; x = d[1]; y = d[(2, 3)]; z = d[None]; e = d.copy(); e[1] = 'w'; del e[None]
s = {1, 2}; s.add(3); s.add(1); n = len(s); u = sorted(s | {9}) if False else 0; t = sorted(s.union([4])); w = sorted(s.difference({1})); v = sorted(s.intersection({1, 7}))
x, *y = [1, 2, 3]; a, (b, c) = 1, (2, 3); *p, q = 'abc'; m = n = 4
f = partial(lambda a, b, c=0: (a, b, c), 1, c=5); x = f(2); y = partial(f, c=6)(3)
x = reduce(lambda a, b: a * b, [2, 3, 4]); y = reduce(operator.mul, (2, 3), 10); z = functools.reduce(operator.add, [[1], [2]])
x = list(itertools.chain([1], (2, 3))); y = list(itertools.chain.from_iterable([[1], [2, 3]])); z = list(itertools.repeat('a', 2)); w = list(itertools.accumulate([1, 2, 3])); p = list(itertools.product('ab', [1, 2]))
x = list(itertools.islice([1, 2, 3, 4], 2)); y = list(itertools.islice([1, 2, 3, 4], 1, 4, 2)); z = list(itertools.starmap(pow, [(2, 3), (3, 2)])); w = list(itertools.zip_longest([1, 2], [3])); c = list(itertools.combinations([1, 2, 3], 2)); p = list(itertools.pairwise([1, 2, 3]))
x = [0] + list(itertools.accumulate([2, 2, 6]))
d = OrderedDict([('b', 1), ('a', 2)]); k = list(d); e = OrderedDict(a=1); d.move_to_end('b') if False else None
P = namedtuple('P', 'x y'); p = P(1, y=2); a = p.x + p.y; b, c = p; q = p._replace(x=5); e = q.x
P = namedtuple('P', ['x', 'y'], defaults=[3]); p = P(1); a = p.y; b = p[1]
d = collections.deque([1, 2]); d.append(3); x = d.popleft(); y = list(d)
it = iter([1, 2]); a = next(it); b = next(it); c = next(it, 'end'); d = next(iter({'k': 1}))
math.sqrt(64), math.pow(2, 3), math.floor(2.7), math.ceil(2.1), math.floor(-2.5), math.log(1.0), math.log2(8), math.prod([2, 3, 4]), math.gcd(12, 18), math.isqrt(17), math.lcm(4, 6), math.trunc(-2.5)
math.exp(0), math.cos(0), math.sin(0), math.log(8, 2), math.log10(1000), math.isinf(math.inf), 3 < math.pi < 4, math.prod((), start=2)
operator.add(1, 2), operator.itemgetter(1)([4, 5]), operator.attrgetter('real') is None, operator.getitem([1, 2], 0), operator.floordiv(7, 2)
getattr('a', 'nothing', 3), hasattr([], 'append'), hasattr([], 'nothing'), getattr([1, 2], 'copy')()
a = [[1], {'k': [2]}]; b = copy.deepcopy(a); b[0].append(5); b[1]['k'].append(6); c = copy.copy(a); c[0].append(7)
slice(1, 3), [1, 2, 3, 4][slice(1, 3)], [1, 2, 3, 4][slice(None, None, 2)], (1, 2, 3)[-2:]
[i * j for i in range(3) for j in range(i)], {i: i * i for i in range(3)}, [i for i in range(6) if i % 2], (1, 2) + (3,), (1,) * 3
1 if [] else 2, None or 3, 0 and 1, not [], 1 < 2 < 3, 1 == 1.0, 'a' != 'b', [1, 2] == [1, 2], None is None
(5).bit_length(), 5 & 3, 5 | 3, 1 << 4, 17 >> 2, -(-3), +2, 10 ** 3, 2 ** 3 ** 2
'abcdef'[2:], 'abcdef'[:-1], 'abc'[::-1], 'abc'[1], list(dict.fromkeys(['b', 'a', 'b'])), partial(max, 1, key=None).args, partial(max, default=3).keywords, isinstance(partial(max, 1), partial)
q = 2; v = locals()['q']; n = [k for k in locals() if k == 'q']
type(1) == int, type('a') is str, type([]) == list
""".strip().split("\n")


def plain(value):
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, slice):
        return {"slice": [plain(value.start), plain(value.stop), plain(value.step)]}
    if isinstance(value, tuple):
        return {"tuple": [plain(item) for item in value]}
    if isinstance(value, (list, collections.deque)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {"dict": [[plain(key), plain(item)] for key, item in value.items()]}
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(value)}
    return {"other": True}

cases = []
for line in CASES:
    namespace = {}
    exec(PREAMBLE, namespace)
    known = set(namespace)
    try:
        compile(line, "case", "eval")
        source = f"result = {line}"
    except SyntaxError:
        source = line.replace("; ", "\n")
    exec(source, namespace)
    bound = {name: plain(value) for name, value in namespace.items() if name not in known and name != "__builtins__"}
    cases.append({"source": source, "bound": {name: value for name, value in bound.items() if value != {"other": True}}})

text = json.dumps(PREAMBLE.strip()) + ",\n" + ",\n".join(json.dumps(case) for case in cases)
pathlib.Path(__file__).with_name("python.generated.json").write_text(f"[\n{text}\n]\n")
