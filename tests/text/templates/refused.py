"""refused.py - what isobit refuses and Jinja does not."""

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
