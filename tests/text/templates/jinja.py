"""jinja.py - Jinja set up as transformers sets it up (utils/chat_template_utils.py), with {% generation %}, and the variables that all templates are given."""
import json

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment


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


VARIABLES = {
    "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "  Hi there\n"},
                 {"role": "assistant", "content": "Gr\u00fc\u00dfe, it's \"me\" \u2603", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1, "b": [None, True, 2.5]}}}]},
                 {"role": "user", "content": [{"type": "text", "text": "part"}, {"type": "image"}]}],
    "tools": [{"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}}],
    "name": "isobit", "text": " a,b,,c \n", "empty": "", "n": 7, "zero": 0, "neg": -3, "pi": 3.25, "big": 1e22, "small": 1e-7, "yes": True, "no": False, "nothing": None,
    "list": [3, 1, 2], "words": ["b", "A", "c"], "d": {"b": 1, "a": 2, "items": 3}, "nested": {"x": {"y": [10, 20, 30]}}, "bos_token": "<s>",
    "rows": [{"k": "x", "v": 2}, {"k": "y", "v": 1}, {"k": "x", "v": 3}, {"v": 0}], "unicode": "\u00e9\u0130\u03a3 \u01c6 \U0001f600", "html": "<a href='x'>&\"</a>",
}
