"""calls.py - methods of texts, drawn at random."""
import random


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
