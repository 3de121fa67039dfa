#!/usr/bin/env python3
"""template_jinja.py PROBE [RECORD] - templates with every construct that chat templates use, rendered by isobit and by Jinja set up as transformers
does (utils/chat_template_utils.py): equal texts, equal spans of {% generation %}, or both refuse. RECORD is a file that what Jinja
says goes to: tests/golden/templates.json, which tests/text/test_template.c reads.

Needs jinja2 3.1 (scripts/transformers); exits with 77 without it. Broken by: a rule of white space, a scope that leaks, a value that is printed
or compared otherwise than in Python, a filter or method that differs."""
import json
import random
import subprocess
import sys

try:
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)


class Generation(jinja2.ext.Extension):
    """{% generation %}: what it holds is printed, and where it stands is noted."""
    tags = {"generation"}
    printed, spans = [], []

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("note"), [], [], body).set_lineno(line)

    def note(self, caller):
        text = caller()
        start = len("".join(Generation.printed))
        Generation.spans.extend([start, start + len(text)])
        return text


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


# ---- the variables that all templates are given ----
VARIABLES = {
    "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "  Hi there\n"},
                 {"role": "assistant", "content": "Gr\u00fc\u00dfe, it's \"me\" \u2603", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1, "b": [None, True, 2.5]}}}]},
                 {"role": "user", "content": [{"type": "text", "text": "part"}, {"type": "image"}]}],
    "tools": [{"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}}],
    "name": "isobit", "text": " a,b,,c \n", "empty": "", "n": 7, "zero": 0, "neg": -3, "pi": 3.25, "big": 1e22, "small": 1e-7, "yes": True, "no": False, "nothing": None,
    "list": [3, 1, 2], "words": ["b", "A", "c"], "d": {"b": 1, "a": 2, "items": 3}, "nested": {"x": {"y": [10, 20, 30]}}, "bos_token": "<s>",
    "rows": [{"k": "x", "v": 2}, {"k": "y", "v": 1}, {"k": "x", "v": 3}, {"v": 0}], "unicode": "\u00e9\u0130\u03a3 \u01c6 \U0001f600", "html": "<a href='x'>&\"</a>",
}

# ---- white space, comments, raw text ----
SPACE = """
a  {%- if yes %} b {%- endif -%}  c
---
  {% if yes %}
    in
  {% endif %}
out
---
x {{- 1 -}} y {{ 2 }} z
---
{# a comment #}
{#- another -#}   text {#+ third +#}
 end
---
{% raw %} {{ not }} {% this %} {% endraw %}|{%- raw -%}  q  {%- endraw -%} |
---
   {%+ if yes %} kept{% endif +%}
line
---
a
  {%- for i in list %}

  {{ i }}
  {%- endfor %}

b
---
text{% set x = 1 %}
  {% set y = 2 %}  
{{ x }}{{ y }}

---
{{ "a" }}
{{ "b" }}

---
  {{ 1 }}
\t{% if yes %}t{% endif %}
---
{% if yes -%}
   trimmed
{%- else -%}
   never
{%- endif %} .
---
a{#
 b
#}c
---
{% if yes %}
{% if no %}
{% endif %}
{% endif %}.
---
\u00a0{%- if yes -%}\u2003x\u3000{%- endif -%}\u00a0y
---
{{ '{{ }}' }}{{ "{% %}" }}{{ {'a': {'b': 1}}['a']['b'] }}
---
{{ [1,
2
] }}
""".strip("\n").split("\n---\n")

# ---- expressions: each is printed ----
EXPRESSIONS = r"""
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
""", r"""
name|replace('i')
loop.index
varargs
caller
""".strip("\n")

# ---- statements ----
STATEMENTS = r"""
{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }};{% endfor %}
---
{% for x in list %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{{ loop.previtem is defined }} {% endfor %}
---
{% for x in [] %}never{% else %}empty{% endfor %}{% for x in [1] %}{% else %}never{% endfor %}
---
{% for x in list if x > 1 %}{{ loop.index }}:{{ x }}/{{ loop.length }}{{ loop.last }} {% endfor %}
---
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}
---
{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}
---
{% for x in 'ab\u00e9' %}{{ x }}-{% endfor %}{% for x in undefined_thing %}n{% endfor %}{% for x in (1, 2) %}{{ x }}{% endfor %}
---
{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}
---
{% for x in [1, 2] %}{% for y in [1, 2, 3] %}{% if y == 2 %}{% break %}{% endif %}{{ x }}{{ y }}{{ loop.index }} {% endfor %}{{ loop.index }}{% endfor %}
---
{% for x in list %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}
---
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}
---
{% for i in [1, 2] %}{% if i == 1 %}{% set y = 5 %}{% endif %}{{ y }}{% endfor %}
---
{% set ns = namespace(found=false, n=0) %}{% for i in list %}{% set ns.n = ns.n + i %}{% if i == 1 %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.n }}{{ ns.found }}
---
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a, b = b, a %}{{ a }}{{ b }}{% set (c, e) = [3, 4] %}{{ c }}{{ e }}
---
{% set t = 1, 2 %}{{ t }}{% set u = 1, %}{{ u }}
---
{% set x %} block {{ name }} {% endset %}[{{ x }}]{% set y | upper | trim %} b {% endset %}[{{ y }}]
---
{% set x %}{% set inner = 1 %}{{ inner }}{% endset %}{{ x }}{{ inner is defined }}
---
{% if no %}a{% elif n == 7 %}b{% elif yes %}c{% else %}d{% endif %}{% if no %}a{% else %}e{% endif %}{% if no %}x{% endif %}
---
{% if yes %}{% set z = 1 %}{% endif %}{{ z }}{% if no %}{% set q = 1 %}{% endif %}{{ q is defined }}
---
{% macro greet(who, mark='!', many=2) %}Hi {{ who }}{{ mark * many }}{% endmacro %}{{ greet('a') }}|{{ greet('b', many=1) }}|{{ greet(mark='?', who='c') }}|{{ greet() }}
---
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}
---
{% macro count(n) %}{{ n }}{% if n > 0 %}{{ count(n - 1) }}{% endif %}{% endmacro %}{{ count(3) }}
---
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}
---
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
---
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}
---
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}
---
{% macro box() %}[{{ caller() }}]{% endmacro %}{% call box() %}in{{ name }}{% endcall %}
---
{% macro each(xs) %}{% for x in xs %}{{ caller(x) }},{% endfor %}{% endmacro %}{% call(x) each(list) %}<{{ x }}>{% endcall %}
---
{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}
---
{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}
---
{% macro m() %}{% set q = 1 %}{{ q }}{{ name }}{% endmacro %}{{ m() }}{{ q is defined }}{{ m()|length }}{{ m() ~ m() }}
---
{% set x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}
---
{% macro m(x) %}{{ x|upper }}{% endmacro %}{{ m(m('a') + 'b') }}
---
{% filter upper %}a{{ name }}{% endfilter %}{% filter replace('a', 'b') | trim %} aa {% endfilter %}
---
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}{% with %}{% set c = 1 %}{% endwith %}{{ c is defined }}
---
{% set a = 5 %}{% with a = 1, b = a %}{{ b }}{% endwith %}
---
{% generation %}said{% endgeneration %} and {% generation %}{{ unicode }}{% endgeneration %}
---
{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}{% generation %}{{ m.content }}<end>{% endgeneration %}{% endif %}
{% endfor %}
---
{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}
---
{% print 1, 'a' %}
---
{% for m in messages %}{% if loop.first and m['role'] == 'system' %}{{ bos_token + m['content'] }}{% else %}{{ '<|' ~ m['role'] ~ '|>' }}{% if m.content is string %}{{ m.content|trim }}{% else %}{% for p in m.content %}{{ p.text if p.type == 'text' else '<image>' }}{% endfor %}{% endif %}{% endif %}{% endfor %}
---
{% for x in list %}{% set outer = loop %}{% for y in [1] %}{{ outer.index }}{{ loop.index }}{% endfor %}{% endfor %}
---
{% set it = list|map('string') %}{{ it|first }}{{ it|list }}{{ it|list }}
---
{% set it = list|select('odd') %}{% for x in it %}{{ x }}{% break %}{% endfor %}{{ it|list }}
---
{% for x in list %}{{ name }}{% endfor %}{% set name = 'new' %}{{ name }}
---
{% for x in [1] %}{{ tools is defined }}{% endfor %}{% set tools = 3 %}{{ tools }}
---
{{ tools is defined }}{% for x in [1] %}{{ tools is defined }}{% endfor %}{% set tools = 3 %}
---
{% macro m() %}{{ tools is defined }}{% endmacro %}{{ m() }}{% set tools = 3 %}{{ m() }}
---
{% if no %}{% set tools = 3 %}{% endif %}{{ tools is defined }}
---
{% if no %}{% set tools = 3 %}{% elif no %}{% set tools = 4 %}{% else %}{% set tools = 5 %}{% endif %}{{ tools }}
---
{% for x in [1, 2] %}{{ tools is defined }}{% set tools = x %}{{ tools }}{% endfor %}
---
{% for x in [1, 2] %}{% if x == 2 %}{{ tools is defined }}{% endif %}{% set tools = x %}{% endfor %}
---
{% for x in [1, 2] %}{% set tools = x %}{% endfor %}{{ tools is defined }}
---
{% for tools in [1] %}{{ tools }}{% endfor %}{{ tools is iterable }}
---
{% set ns = namespace(a=[]) %}{% set ns.a = ns.a + [1] %}{{ ns.a }}{{ ns.b is defined }}
---
{% set ns.a = 1 %}
---
{% set d.a = 1 %}
---
{% set a, b = 1 %}
---
{% set a, b = [1, 2, 3] %}
---
{% for a, b in [1] %}{% endfor %}
---
{% for x in 5 %}{% endfor %}
---
{% for x in none %}{% endfor %}
---
{% if %}{% endif %}
---
{% if yes %}
---
{% endif %}
---
{% for x in list %}{% endif %}
---
{% frobnicate %}
---
{% break %}
---
{% set true = 1 %}
---
{% macro m(a=1, b) %}{% endmacro %}
---
{% else %}
---
{{ name
---
{% if yes
---
{# open
---
{% raw %} open
---
{{ ) }}
---
{{ (] }}
---
{% for x in list -%} {{ x }} {%- endfor %}
---
{% for x in list|sort %}{% for y in list if y > x %}{{ x }}{{ y }} {% endfor %}{% endfor %}
---
{% set ns = namespace(stop=false) %}{% for x in list if not ns.stop %}{{ x }}{% set ns.stop = x == 1 %}{% endfor %}
---
{%- set loop_messages = messages -%}{%- for m in loop_messages[1:] -%}{%- set content = m.content if m.content is string else 'parts' -%}{{ content | trim }}{{ '\n' }}{%- endfor -%}
---
{{ name }}{% set name = name ~ '!' %}{{ name }}{% set name = name|replace('!', '?') %}{{ name }}
---
{% set items = d.items()|list %}{{ items[0][1] }}{{ items|length }}
---
{% if messages[0].role == 'system' and messages[1:]|length > 0 %}{% set system, rest = messages[0].content, messages[1:] %}{{ system }}{{ rest|length }}{% endif %}
---
{% set x = {'a': 1} %}{% set x = dict(x, **{'b': 2}) %}{{ x }}{{ dict(*[[('c', 3)]]) }}
---
{%- macro json(x) -%}{%- if x is mapping -%}{ {%- for k, v in x.items() -%}{{ k }}:{{ json(v) }}{{ ',' if not loop.last }}{%- endfor -%} }{%- elif x is string -%}"{{ x }}"{%- else -%}{{ x }}{%- endif -%}{%- endmacro -%}{{ json(tools[0]) }}
""".strip("\n").split("\n---\n")

# What is refused here on purpose, though Jinja does it: recursive loops, other templates, what prints a place in memory.
REFUSED = """
{% for x in list recursive %}{% endfor %}
---
{% include 'a' %}
---
{% block a %}{% endblock %}
---
{% extends 'a' %}
---
{% import 'a' as b %}
---
{{ list|map('string') }}
---
{{ range }}
---
{{ 10 ** 30 }}
---
{{ 9223372036854775807 + 1 }}
---
{{ '{:>5}'.format(1) }}
---
{{ name|wordcount }}
---
{{ name.center(20) }}
---
{{ none[1:] }}
---
{{ d.items }}
---
{{ d.items() }}
---
{{ 5.real }}
---
{% set x = namespace(_a=1) %}
""".strip("\n").split("\n---\n")

# What Jinja says while it reads a template, and isobit where it is reached: an unknown filter. And what Jinja misreads or lets pass.
LATER = ["{% if no %}{{ name|nofilter }}{% endif %}{{ name }}"]


def method_calls(n):
    """Methods and filters of texts over random texts in which spaces of several bytes, ends and overlaps are frequent."""
    pick = random.Random(7)
    spaces, letters = " \t\u00a0\u2003\u3000\u2028", "ab,\u00e9\u2603\U0001f600\u00df\u0130"

    def text(most, alphabet=letters + spaces):
        return "".join(pick.choice(alphabet) for _ in range(pick.randrange(most + 1)))

    def number(low=-4):
        return pick.randrange(low, 5)

    calls = {
        "split": lambda: f"({text(2, 'ab')!r}, {number(-1)})", "rsplit": lambda: f"({text(2, 'ab')!r}, {number(-1)})",
        "split ": lambda: f"(none, {number(-1)})", "rsplit ": lambda: f"(none, {number(-1)})", "rsplit  ": lambda: "()",
        "find": lambda: f"({text(2)!r}, {number()}, {number()})", "rfind": lambda: f"({text(2)!r}, {number()}, {number()})", "rfind ": lambda: f"({text(2)!r})",
        "count": lambda: f"({text(2)!r}, {number()})", "strip": lambda: f"({text(3)!r})", "lstrip": lambda: "()", "rstrip": lambda: "()",
        "replace": lambda: f"({text(2)!r}, {text(2)!r}, {number(-1)})", "partition": lambda: f"({text(2)!r})", "startswith": lambda: f"({text(2)!r}, {number()})",
        "endswith": lambda: f"({text(2)!r}, {number()}, {number()})", "splitlines": lambda: "()", "title": lambda: "()", "isspace": lambda: "()",
        "removesuffix": lambda: f"({text(2)!r})"}
    for _ in range(n):
        name = pick.choice(list(calls))
        of = text(12, pick.choice([letters + spaces, "ab", "a "]))
        yield "{{ " + f"{of!r}.{name.strip()}{calls[name]()}" + " }}"
        yield "{{ " + f"{of!r}[{number()}:{number()}:{pick.choice([-2, -1, 1, 2])}]" + " }}"


def main(probe, record=None):
    env, failed, refused, recorded = environment(), 0, 0, []
    templates = SPACE + ["{{ " + e + " }}" for part in EXPRESSIONS for e in part.strip("\n").split("\n")] + STATEMENTS + LATER
    listed = len(templates)
    templates += method_calls(2000)
    isobit = subprocess.Popen([probe], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def ours(template):
        isobit.stdin.write(json.dumps({"template": template, "variables": VARIABLES}) + "\n")
        isobit.stdin.flush()
        return json.loads(isobit.stdout.readline())

    for template in templates:
        Generation.printed, Generation.spans = [], []
        try:
            for piece in env.from_string(template).generate(**VARIABLES):
                Generation.printed.append(piece)
            want = {"text": "".join(Generation.printed), "spans": Generation.spans}
        except Exception as e:  # noqa: BLE001  any refusal of Jinja's or Python's
            want, why = None, f"{type(e).__name__}: {e}"
        got = ours(template)
        refused += want is None
        recorded.append({"template": template, **(want or {})})
        if want is None and "error" in got:
            if "\n" not in got["error"] and ": line " in got["error"]:
                continue
            print(f"FAILED: {template!r}: the line is {got['error']!r}")
        elif got == want:
            continue
        else:
            print(f"FAILED: {template!r}\n    Jinja: {want['text']!r} {want['spans']}" if want else f"FAILED: {template!r}\n    Jinja: {why}")
            print(f"    isobit: {got}")
        failed += 1
    for template in REFUSED:
        got = ours(template)
        if "error" not in got or ": line 1: " not in got["error"]:
            print(f"FAILED: {template!r} is not refused: {got}")
            failed += 1
    if record:
        with open(record, "w") as f:
            rows = recorded + [{"template": t} for t in REFUSED]
            f.write('{"variables": ' + json.dumps(VARIABLES) + ',\n"cases": [\n' + ",\n".join(map(json.dumps, rows)) + "\n]}\n")
    isobit.stdin.close()
    print(f"{len(templates) - failed} of {len(templates)} templates as Jinja {jinja2.__version__} has them, {refused} refused by both; {len(REFUSED)} more refused; {failed} failed")
    return failed != 0 or isobit.wait() != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
