"""tests.py - expressions, a line each: tests (`is`), and what is refused or nearly so."""

TESTS = r"""
name is defined
undefined_thing is defined
undefined_thing is undefined
nested.zz is defined
nothing is none
nothing is not none
name is string
n is number
yes is number
n is integer
yes is integer
pi is float
yes is boolean
yes is true
no is false
1 is true
d is mapping
list is mapping
list is sequence
name is sequence
d is sequence
n is sequence
undefined_thing is sequence
list is iterable
n is iterable
undefined_thing is iterable
d.items() is sequence
d.items() is iterable
(list|map('string')) is sequence
(list|map('string')) is iterable
n is odd
n is even
n is divisibleby 7
n is divisibleby(2)
n is eq 7
n is equalto 7
n is ne 7
n is gt 5
n is lt 5
n is ge 7
n is le 7
n is in [7, 8]
n is not in [7]
'a' is in 'abc'
name is lower
name is upper
none is sameas none
yes is sameas true
range is callable
name is callable
'upper' is filter
'zzz' is filter
'odd' is test
n is defined and n is odd
not n is odd
n is not odd
-n|abs
-5 is number
n|string is string
'a' in ['a'] and 'b' not in ['a']
(list|map('string')) and 'true'
[]|map('string') and 'true'
namespace(a=1).a
namespace({'x': 2}).x
dict(a=1, b=2)
dict({'a': 1}, b=2)
dict([('a', 1)])
loop is defined
namespace is defined
messages[0].items()|list
messages[0].get('role') == 'system'
"a" if "b" in "abc" else "c"
{'a': 1}.a
[1, 2, 3][1]
'abc'[1]
(1 if yes else 2) + 1
name|upper|lower|title
'a' if not no and yes or no else 'b'
1 if 1 in [1] else 2
[x for x in list]
1 +
name.
d.items(
'abc
name ! 2
{{ 1 }}
1 2
undefined_thing.x
undefined_thing['x']
undefined_thing()
undefined_thing + 1
undefined_thing < 1
undefined_thing[1:]
undefined_thing|tojson
undefined_thing|int
undefined_thing|first
undefined_thing|last
undefined_thing|upper
none.x
none['x']
nothing[1:]
n[:2]
d[::-1]
name['x':]
d.items()[1:]
'x' % (list|map('string'))
'x' % list
none + 1
'a' + 1
1 + 'a'
1 / 0
1 % 0
1 // 0
'a' < 1
none < 1
1 in 5
1 in 'abc'
5[0]
n()
name.nope()
d.nope()
list.append(1)
d.update({})
d.pop('a')
{[1]: 2}
{}[[]]
d[[1]]
range(0, 5, 0)
range(1000000)
'%d' % 'x'
'%s %s' % 'x'
'%s' % ('a', 'b')
'{} {}'.format(1)
name|nofilter
name is notest
5|length
none|length
none|list
5|join
d|dictsort(by='zz')
list|tojson(nope=1)
name|upper(1)
raise_exception('it was\nsaid')
name.__class__
name._x is defined
namespace(a=1).b
'' .join([1])
1 is divisibleby 0
[3, 'a']|sort
""".strip("\n").split("\n")

# Beside them: an argument too few, names that stand in some places only.
LOOSE = r"""
name|replace('i')
loop.index
varargs
caller
""".strip("\n").split("\n")
