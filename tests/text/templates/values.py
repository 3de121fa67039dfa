"""values.py - expressions, a line each: literals, operators, indices."""

VALUES = r"""
1
-1
+n
- n + 3
1_000
0x1f
0b101
0o17
1.5
1e3
1.0e-5
1_0.5
'it\'s'
"\n\t\\\x41\u00e9\U0001f600\101\q"
'a' 'b' "c"
true
True
false
none
None
nothing
yes
big
small
pi
1/3
10/2
1e15
1e16
123456789.125
0.1 + 0.2
100.0
-0.0
5e-324
1.7976931348623157e308
[1, 2.0, 'a', none, true, [], {}, {'k': "it's"}, (1,), (1, 2), ()]
[1, 2,]
(1, 2)
()
{'a': 1, 'b': [1], 3: none, 1.5: true}
{'a': 'say "it\'s"', 'b': '\n\u200b\\'}
d
messages
unicode
[unicode]
["\x7f\x00\u2028\U0001f600\u0378"]
undefined_thing
[undefined_thing]
1 + 2 * 3 - 4
(1 + 2) * 3
7 // 2
-7 // 2
7 % 3
-7 % 3
7 % -3
7.5 % 2
-7.5 // 2
2 ** 10
2 ** -1
2 ** 3 ** 2
-2 ** 2
2 ** 0.5
7 / 2
true + true
true * 3
'a' + 'b'
'a' * 3
3 * 'ab'
[1] + [2]
[1, 2] * 2
(1,) + (2,)
'a' ~ 1 ~ none ~ true ~ 1.5 ~ undefined_thing ~ [1]
1 ~ 2 + 3
'%s and %d and %5.2f|%-5s|%05d|%x|%r' % ('a', 3, 2.5, 'b', 42, 255, 'q')
'%(a)s' % {'a': 1}
'%s' % 'x'
'%s' % 5
'100%%' % ()
'%c%c' % ('x', 65)
'%e %g %G' % (12345.678, 0.00001, 1e20)
'%+d % d' % (5, 5)
'%.3s|' % 'abcdef'
'%*d|' % (5, 3)
1 == 1.0
1 == true
'a' == 'a'
[1, 2] == [1, 2]
[1] == (1,)
{'a': 1} == {'a': 1.0}
none == none
none == false
undefined_thing == undefined_thing
undefined_thing == none
1 != 2
1 < 2
1 < 2 < 3
1 < 3 < 2
'a' < 'b'
'\u00e9' > 'z'
[1, 2] < [1, 3]
2 >= 2.0
n > 5 and n < 10
not n
not not n
no or 'x'
yes and 'y'
'' or none
0 and 1
not 1 == 2
'i' in name
'x' not in name
3 in list
'a' in d
'items' in d
1 in {1: 2}
'' in ''
2 in range(3)
'a' in undefined_thing
not 'a' in 'abc'
'yes' if yes else 'no'
'yes' if no
('yes' if no else 'maybe') if yes
1 if no else 2 if no else 3
name[0]
name[-1]
name[1:3]
name[::-1]
name[-3:]
name[:-3]
name[::2]
name[10:2:-2]
unicode[1:4]
unicode[::-1]
list[0]
list[-1]
list[1:]
list[::-1]
list[5]
list[-5]
list['x']
list[true]
messages[0].role
messages[-1]['content'][0].text
messages[1:]|length
messages[0]['nope']
messages[0].nope
d['items']
d['a']
d.b
d.nope
nested.x.y[1]
nested['x']['y'][-1]
nested.x.y.2
range(5)
range(2, 8, 3)
range(5)[1]
range(5)[1:3]|list
range(10)[::3]
range(5, 0, -2)|list
(1, 2, 3)[1:]
""".strip("\n").split("\n")
