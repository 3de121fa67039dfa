#!/usr/bin/env python3
"""arguments.py INCLUDE TABLE OUT.c - writes the suite that gives every public function what it cannot use, one argument at a time.

The functions and the fields of option structures are read from the headers, so that a new one without a case fails the suite:
each pointer is NULL once while all others are not, which must be refused by a line with the names of the function and the argument,
unless the table says that NULL is allowed; each number and each enumeration needs a line of the table with a bad value, or one that
says that there is none."""
import pathlib, re, sys

include, table, out = map(pathlib.Path, sys.argv[1:4])
SCALARS = {"int", "int64_t", "int32_t", "uint64_t", "uint32_t", "uint16_t", "uint8_t", "size_t", "float", "double"}


def declarations():
    functions, structs, enums = [], {}, set()
    for header in sorted((include / "isobit").glob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        text = re.sub(r"^\s*#.*?(?<!\\)$", "", text, flags=re.S | re.M)
        text = re.sub(r"\bIB_(BEGIN|END)_API\b", "", text)
        for body, name in re.findall(r"typedef struct \w+ \{(.*?)\}\s*(\w+);", text, flags=re.S):
            structs[name] = [f for line in body.split(";") for f in fields(line)]
        enums |= set(re.findall(r"typedef enum \w+ \{[^}]*\}\s*(\w+);", text))
        text = re.sub(r"typedef struct \w+ \{.*?\}\s*\w+;|(?:typedef )?enum(?: \w+)? \{.*?\}[^;]*;|typedef [^;{]*;", "", text, flags=re.S)
        for result, name, arguments in re.findall(r"([\w \*]+?)\b(ib_\w+)\(((?:[^()]|\([^()]*\))*)\)\s*(?:__attribute__[^;]*)?;", text):
            if " in " not in result:
                functions.append((result.strip(), name, [argument(a) for a in split(arguments) if a.strip() != "void"]))
    return functions, structs, enums


def split(text):
    depth, parts, at = 0, [], ""
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and not depth:
            parts.append(at)
            at = ""
        else:
            at += c
    return parts + [at] if at.strip() else parts


def argument(text):
    """(type, name); a pointer to a function is of type "(*)", an array a pointer."""
    text = " ".join(text.split())
    call = re.match(r".*\(\*(\w+)\)\(.*\)$", text)
    if call:
        return "(*)", call.group(1)
    array = re.match(r"(.*?)(\w+)\[\w*\]$", text)
    if array:
        return array.group(1).strip() + " *", array.group(2)
    kind, name = re.match(r"(.*?)(\w+)$", text).groups()
    return kind.strip(), name


def fields(line):
    line = " ".join(line.split())
    if not line:
        return []
    if "(*" in line:
        return [argument(line)]
    first, *rest = line.split(",")
    kind, name = argument(first)
    base = kind.rstrip("* ")
    more = []
    for r in rest:
        r = r.strip()
        more.append((base + (" *" if r.startswith("*") else ""), r.strip("* ").split("[")[0]))
    return [(kind, name)] + more


functions, structs, enums = declarations()
allowed, bad, anything, wrong = set(), [], set(), []
for number, line in enumerate(table.read_text().splitlines(), 1):
    if not line.strip() or line.startswith("#"):
        continue
    kind, rest = line.split(None, 1)
    if kind == "bad":
        what, call = rest.split(None, 1)
        bad.append((what, call, number))
    elif kind in ("null", "any"):
        names = rest.split(":")[0].split()
        if ":" not in rest or not rest.split(":", 1)[1].strip():
            wrong.append(f"line {number} gives no reason")
        (allowed if kind == "null" else anything).update(f"{names[0]}.{n}" for n in names[1:])
    else:
        wrong.append(f"line {number} begins with '{kind}'")

universe, cases = set(), []
tested = {what for what, _, _ in bad}
OPTIONS = {s for s in structs if re.search(r"_opts$|_config$|^ib_schedule$|^ib_sampling$|^ib_lm_batch$|^ib_input_info$|^ib_vectors$|^ib_layer_class$", s)}
for result, name, arguments in functions:
    for i, (kind, arg) in enumerate(arguments):
        key = f"{name}.{arg}"
        universe.add(key)
        pointer = kind.endswith("*") or kind == "(*)" or kind == "ib_segment_fn"
        if pointer and re.search(r"_free$|_release$|_free_ids$|_close$", name):
            continue  # NULL is fine
        if pointer and key not in allowed:
            given = []
            for j, (k, _) in enumerate(arguments):
                if i == j:
                    given.append("NULL")
                elif k == "(*)" or k == "ib_segment_fn":
                    given.append("(void *)nothing")
                elif re.fullmatch(r"const char \*", k):
                    given.append('"name"')
                elif k == "ib_layer *" and (result == k or name == "ib_layer_add"):
                    given.append("ib_relu_layer()")  # which it takes
                elif k.endswith("*"):
                    given.append(f"({k})blob")
                elif k in structs:
                    given.append(f"({k}){{0}}")
                elif k in ("float", "double"):
                    given.append("0.5f")
                else:
                    given.append("0" if k in enums else "1")
            cases.append((key, result, f"{name}({', '.join(given)})", "NULL"))
        elif not pointer and kind not in structs and key not in tested and key not in anything:
            wrong.append(f"{key} ({kind}) has no bad value in {table.name}")
for struct in sorted(OPTIONS):
    for kind, field in structs[struct]:
        key = f"{struct}.{field}"
        universe.add(key)
        if key not in tested | anything | allowed:
            wrong.append(f"{key} ({kind}) has no bad value in {table.name}")
results = {name: result for result, name, _ in functions}
for what, call, number in bad:
    called = re.search(r"\b(ib_\w+)\(", call).group(1)
    owner = what.split(".")[0]
    called = owner if owner in results else next(n for n in re.findall(r"\b(ib_\w+)\(", call) if n in results)
    cases.append((what, results[called], call, call))
for key in sorted((allowed | anything | tested) - universe):
    wrong.append(f"{table.name} speaks of {key}, which no header declares")

lines = ["/* made by arguments.py */", '#include "arguments.h"', ""]
for i, (key, result, call, _) in enumerate(cases):
    check = "CALL_VOID" if result == "void" else "CALL_STATUS" if result == "ib_status" else "CALL_VALUE" if result == "const char *" else "CALL_POINTER" if result.endswith("*") else "CALL_VALUE"
    lines.append(f"static int case_{i}(world *w) {{ (void)w; {check}({call}); }}")
lines.append("static const test_case cases[] = {")
for i, (key, _, call, _) in enumerate(cases):
    called = re.search(r"\b(ib_\w+)\(", call).group(1) if key.split(".")[0] in structs else key.split(".")[0]
    text = call.replace("\\", "\\\\").replace('"', '\\"')
    lines.append(f'    {{"{called}", "{key.split(".")[1]}", "{text}", {int(key.split(".")[0] in structs)}, case_{i}}},')
lines.append("};")
lines.append("static const char *const missing[] = {")
lines += [f'    "{w}",' for w in wrong] + ["    NULL};", 'int main(void) { return run_cases(cases, (int)(sizeof cases / sizeof *cases), missing); }']
out.write_text("\n".join(lines) + "\n")
