"""Chat templates that have no end, nest too deeply, are cut, use what nobody knows, or refuse a conversation; and what rows pass to them."""
import json
import shutil

from odd import Case

TURN = "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
REPLY = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
CHATML = "{% for m in messages %}" + TURN + "{% endfor %}" + REPLY


def cases(shop):
    chat = shop.models / "chat"

    def folder(name, template, **config):
        path = shop / name.replace(" ", "_").replace(",", "")
        if not path.exists():
            shutil.copytree(chat, path)
            own = json.loads((chat / "tokenizer_config.json").read_text())
            own.pop("chat_template")
            (path / "tokenizer_config.json").write_text(json.dumps({**own, **config}))
            if template is not None:
                (path / "chat_template.jinja").write_bytes(template if isinstance(template, bytes) else template.encode())
        return path

    def talk(name, template, words=None, right=None, options=(), **config):
        path = folder(name, template, **config)
        argv = ["generate", path, "--chat", "--prompt", "hi", "-n", "2", "-t", "0", "--json", *options]
        return Case(f"talking, {name}", argv, refused=words and [path.name, *words], right=right)

    def prompted(n):
        """The prompt has n tokens."""
        return lambda run: json.loads(run.stdout)["prompt_tokens"] == n

    def learn(name, template, row, words=None, right=None, options=(), **config):
        path = folder(name, template, **config)
        data = path.with_suffix(".jsonl")
        data.write_text(json.dumps(row) + "\n")
        argv = ["finetune", path, "--data", data, "--seq", 200, "--steps", 1, "--accumulate", 1, "-o", shop / f"out_{path.name}", *options]
        return Case(f"rows, {name}", argv, refused=words and [data.name, "line 1", *words], right=right)

    done = lambda run: True  # noqa: E731
    hi, yes = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    call = {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {}}}]}
    with_tools = "{% if tools %}{{ tools|tojson }}{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}\n" \
                 "{{ m.content }}{% for c in m.tool_calls %}{{ c|tojson }}{% endfor %}<|im_end|>\n{% endfor %}" + REPLY
    # as many tokens as the chat model's own template gives
    usual = json.loads(shop.make("generate", chat, "--chat", "--prompt", "hi", "-n", "2", "-t", "0", "--json").stdout)["prompt_tokens"]
    named = [{"name": "default", "template": CHATML}, {"name": "tool_use", "template": "{{ raise_exception('tools') }}"}]
    return [
        # ---- no end ----
        talk("loops within loops", "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}", ["line 1"]),
        talk("a macro that calls itself", "\n{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", ["line 2", "levels"]),
        talk("a text that doubles", "{% set n = namespace(t='x') %}{% for i in range(99) %}{% set n.t = n.t ~ n.t %}{% endfor %}", ["MiB"]),
        talk("a range beyond any", "{% for i in range(1000000000) %}{% endfor %}", ["line 1", "range"]),
        talk("a repeated text beyond any", "{{ 'ab' * 1000000000 }}", ["line 1"]),
        talk("deep brackets", "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", ["line 1", "nest"]),
        talk("deep conditions", "{% if 1 %}" * 5000, ["nest"]),
        # ---- cut or wrong ----
        talk("a loop without end", "a\n{% for m in messages %}\n", ["line 2", "{% for %}", "no end"]),
        talk("a tag without end", "\n\n{{ messages", ["line 3", "{{"]),
        talk("a text without end", "{{ 'abc }}", ["line 1", "text"]),
        talk("an end of nothing", "x{% endfor %}", ["line 1", "endfor"]),
        talk("crossed ends", "{% if 1 %}\n{% for a in b %}\n{% endif %}{% endfor %}", ["line 3", "{% endif %}", "line 2"]),
        talk("bytes that are no UTF-8", b"{{ 'caf\xe9' }}", ["UTF-8"]),
        talk("a byte of zero", b"a\0b", ["zero"]),
        # ---- unknown ----
        talk("an unknown filter", "\n{{ messages|sparkle }}", ["line 2", "sparkle"]),
        talk("an unknown test", "{{ messages is shiny }}", ["shiny"]),
        talk("an unknown method", "{{ 'a'.wobble() }}", ["wobble"]),
        talk("an unknown tag", "{% do x %}", ["line 1", "do"]),
        talk("another template", "{% include 'other' %}", ["include"]),
        talk("an unknown variable's member", "{{ conversation.turns }}", ["conversation"]),
        talk("a number with a text", "{{ 1 + 'a' }}", ["int", "str"]),
        talk("an unknown filter that is not reached", CHATML + "{% if no_such_thing %}{{ 1|sparkle }}{% endif %}", right=prompted(usual)),
        # ---- the template's own words ----
        talk("a refusal of its own", "{{ raise_exception('Speak first.') }}", ["line 1", "Speak first."]),
        talk("a system message refused", "{% if messages[0].role == 'system' %}{{ raise_exception('No system') }}{% endif %}" + CHATML,
             ["No system"], options=("--system", "be")),
        talk("no system message", "{% if messages[0].role == 'system' %}{{ raise_exception('No system') }}{% endif %}" + CHATML, right=prompted(usual)),
        # ---- where it stands ----
        talk("the usual one", CHATML, right=prompted(usual)),
        talk("none at all", None, ["--template"]),
        talk("none at all, one is named", None, right=prompted(usual), options=("--template", "chatml")),
        talk("a broken one, another is named", "{% for", right=prompted(usual), options=("--template", "chatml")),
        talk("several with names", None, right=prompted(usual), chat_template=named),
        talk("several, none the default", None, ["--template"], chat_template=named[1:]),
        talk("one that is a number", None, ["chat_template"], chat_template=7),
        # ---- rows ----
        learn("the usual one", CHATML, {"messages": [hi, yes]}, right=done),
        learn("tools that the template shows", with_tools, {"messages": [hi, call, {"role": "tool", "content": "1"}, yes], "tools": [tool]}, right=done),
        learn("tools that the template does not show", CHATML, {"messages": [hi, yes], "tools": [tool]}, ["'tools'"]),
        learn("a call that the template does not show", CHATML, {"messages": [hi, call]}, ["message 2", "tool_calls"]),
        learn("thoughts that the template does not show", CHATML, {"messages": [hi, {**yes, "reasoning_content": "hm"}]}, ["message 2", "reasoning_content"]),
        learn("an argument that the template does not know", CHATML, {"messages": [hi, yes], "chat_template_kwargs": {"mood": 1}}, ["mood"]),
        learn("an argument that the template knows", "{{ mood }}" + CHATML, {"messages": [hi, yes], "chat_template_kwargs": {"mood": "good"}}, right=done),
        learn("tools in the template for tools", None, {"messages": [hi, yes], "tools": [tool]}, ["the template says: tools"], chat_template=named),
        learn("a template that refuses the row", "{{ raise_exception('Not so.') }}", {"messages": [hi, yes]}, ["Not so."]),
        learn("a reply that opens otherwise", CHATML + "{% if add_generation_prompt %}<think>{% endif %}", {"messages": [hi, yes]}, ["message 2", "opens"]),
        learn("what it says of the day", "{{ strftime_now('%Y') }}" + CHATML, {"messages": [hi, yes]}, ["strftime_now"]),
        learn("a day where it is asked for", "{{ strftime_now('%Y') if strftime_now is defined else '2000' }}" + CHATML, {"messages": [hi, yes]}, right=done),
    ]
