#!/usr/bin/env python3
"""template_jinja.py PROBE [RECORD] - templates with every construct that chat templates use (templates/), rendered by isobit and by Jinja set up as
transformers does: equal texts, equal spans of {% generation %}, or both refuse. RECORD is a file that what Jinja says goes to:
tests/golden/templates.json, which tests/text/test_template.c reads.

Needs jinja2 3.1 (scripts/transformers); exits with 77 without it. Broken by: a rule of white space, a scope that leaks, a value that is printed
or compared otherwise than in Python, a filter or method that differs."""
import json
import subprocess
import sys

try:
    import jinja2
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

from templates.calls import method_calls
from templates.jinja import environment, Generation, VARIABLES
from templates.functions import FUNCTIONS
from templates.refused import LATER, REFUSED
from templates.space import SPACE
from templates.statements import STATEMENTS
from templates.tests import LOOSE, TESTS
from templates.values import VALUES

EXPRESSIONS = VALUES + FUNCTIONS + TESTS + LOOSE


def main(probe, record=None):
    env, failed, refused, recorded = environment(), 0, 0, []
    templates = SPACE + ["{{ " + e + " }}" for e in EXPRESSIONS] + STATEMENTS + LATER
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
