"""statements.py - loops, macros, assignments, blocks."""

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
