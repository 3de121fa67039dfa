"""space.py - white space, comments, raw text."""

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
