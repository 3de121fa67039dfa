"""functions.py - expressions, a line each: methods and filters."""

FUNCTIONS = r"""
name.upper()
name.title()
'hello wORLD it\'s'.title()
'hello world'.capitalize()
text.strip()
text.strip(' \n,')
text.split(',')
text.split()
' a  b '.split()
'a b c d'.split(' ', 2)
'a  b'.split(' ')
'a b c d'.split(None, 1)
'a,b,c'.rsplit(',', 1)
' a b  c '.rsplit()
' a b  c '.rsplit(none, 1)
'a--b--c'.split('--')[-1]
'abc'.split('')
text.lstrip()
text.rstrip()
'xxaxx'.lstrip('x')
'xxaxx'.rstrip('x')
name.startswith('iso')
name.startswith(('x', 'is'))
name.endswith('bit')
name.startswith('o', 2)
name.replace('i', 'I')
name.replace('i', 'I', 1)
'abc'.replace('', '-')
name.find('b')
name.find('z')
name.rfind('i')
name.find('i', 1)
name.index('o')
name.count('i')
'aaa'.count('aa')
'aaa'.count('')
','.join(words)
''.join(['a'])
'-'.join('abc')
'{} {1}'.format(1, 2)
'{} {}'.format('a', 2.5)
'{0}{1}{0} {{}} {x!r}'.format('a', 'b', x='q')
'a\nb\r\nc\u2028d'.splitlines()
'abc'.isalpha()
'ab1'.isalnum()
'12'.isdigit()
' \t'.isspace()
'abc'.islower()
'ABC1'.isupper()
'Abc Def'.istitle()
'aBc'.swapcase()
'a=b=c'.partition('=')
'prefix-x'.removeprefix('prefix-')
'x.py'.removesuffix('.py')
unicode.upper()
unicode.lower()
'\u00dfa \ufb01'.upper()
'\u039f\u03a3 \u03a3\u03a3'.lower()
'\u00df\u01c6'.title()
'\u01c6abc'.capitalize()
d.keys()|list
d.values()|list
d.get('b')
d.get('zz')
d.get('zz', 5)
d.items()|list
messages[2].tool_calls[0].function.arguments.items()|list
list.index(2)
list.count(1)
name|upper
name|lower
'hELLO wORLD'|capitalize
'hello wORLD-foo (bar) it\'s'|title
text|trim
'xxaxx'|trim('x')
undefined_thing|trim
5|trim
none|trim
name|length
list|length
d|length
undefined_thing|length
name|count
list|first
list|last
[]|first
[]|last
''|first
name|first
name|last
d|first
undefined_thing|default('x')
undefined_thing|d('x')
empty|default('x')
empty|default('x', true)
none|default('x')
none|default('x', boolean=true)
undefined_thing|default
nested.zz|default('q')
name|replace('i', 'x')
name|replace('i', 'x', 1)
5|replace('5', '6')
list|join(', ')
list|join
words|join('-')|upper
rows|join(',', attribute='v')
'abc'|join('.')
d|join
undefined_thing|join(',')
list|list
name|list
d|list
undefined_thing|list
(1, 2)|list
list|sort
words|sort
words|sort(case_sensitive=true)
list|sort(reverse=true)
rows[:3]|sort(attribute='v')
rows[:3]|sort(attribute='k,v')
list|reverse|list
name|reverse
list|max
list|min
words|min
list|sum
rows|sum(attribute='v')
[]|sum
[]|max
[1, 1.0, 2, 'a', 'A']|unique|list
rows|map(attribute='v')|list
rows|map(attribute='k', default='none')|list
words|map('upper')|list
words|map('replace', 'b', 'z')|join
messages|map(attribute='role')|unique|list
list|select('odd')|list
list|select('greaterthan', 1)|list
list|reject('even')|list
[0, 1, '', 'a']|select|list
rows|selectattr('k')|list
rows|selectattr('k', 'defined')|map(attribute='v')|list
rows|selectattr('k', 'equalto', 'x')|map(attribute='v')|list
rows|selectattr('k', '==', 'x')|list|length
rows|rejectattr('k', 'undefined')|list|length
messages|selectattr('role', 'in', ['user', 'system'])|list|length
none|selectattr('a')|list
none|map('upper')|list
undefined_thing|selectattr('a')|list
d|dictsort
d|dictsort(false, 'value')
d|dictsort(reverse=true)
d|items|list
undefined_thing|items|list
d|tojson
messages|tojson
messages|tojson(indent=2)
nested|tojson(indent=4)
[]|tojson(indent=2)
{}|tojson(indent=2)
[[], {}]|tojson(indent=2)
unicode|tojson
unicode|tojson(ensure_ascii=true)
"\u007f\x01\b\f\n\r\t\"\\/"|tojson
"\u007f\x01"|tojson(ensure_ascii=true)
d|tojson(sort_keys=true)
d|tojson(separators=(',', ':'))
d|tojson(indent='->')
d|tojson(indent=0)
{'a': 1, 2: 3, none: 4, true: 5, 1.5: 6}|tojson
html|tojson
(1, 2)|tojson
1.0|tojson
1e100|tojson
none|tojson
'a\nb\n\nc'|indent
'a\nb\n\nc'|indent(2, true)
'a\nb\n\nc'|indent(2, blank=true)
'a\nb'|indent('> ')
'a\n'|indent
''|indent
'42'|int
'42.9'|int
'x'|int
'x'|int(5)
' 4_2 '|int
3.9|int
-3.9|int
none|int
true|int
'-7'|int
'1.5'|float
'x'|float
'x'|float(2.5)
3|float
'1e3'|float
'inf'|float
3.14159|round(2)
2.5|round
3.5|round
2|round
1.25|round(1, 'ceil')
1.25|round(1, 'floor')
-3|abs
-3.5|abs
5|string
none|string
list|string
1.50|string
html|escape
html|e|e
html|safe
'<' + ('>'|safe)
('<'|safe) + '>'
('<'|escape) + '>'
'<' ~ ('>'|e)
('<b>'|safe)|trim|upper
'%s=%d'|format('a', 5)
""".strip("\n").split("\n")
