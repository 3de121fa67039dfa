#!/usr/bin/env python3
"""names.py SOURCE libisobit.a libisobit.so - the static library defines no global name without ib_ or isobit, the shared one shows the functions
of the public headers and nothing else, and nothing in the library can be written but what is the thread's own or named here.

Broken by: a function that is neither static nor called ib_..., classes of a generator under another's name, a public header without IB_BEGIN_API,
a function that a header declares and nobody defines, no version script, a variable that threads share without its reason here."""
import pathlib
import re
import subprocess
import sys


# Writable and shared among threads, and why it may be.
SHARED = {
    r"allocations|held|fail_at|steps": "atomic counters",
    r"once": "pthread_once_t",
    r"c_locale": "number.c: made once, read afterwards",
    r"lines": "trace.c: opened once, each line written by one call",
    r"lock|given|taken": "pictures.c: what all data sets keep of pictures, behind the lock",
    r"ib_kernels_\w+": "a level's table, made once",
    r"known_\w+": "atomic: whether a level is there, the same whoever asks",
    r"got": "company.c: atomic, what the last look saw",
}
COMPILERS = r"\.gomp_critical_user_" # clang's locks of reductions, which all libraries of a program share


def writable(library):
    lines = subprocess.run(["nm", "--defined-only", "-f", "sysv", library], capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [[part.strip() for part in line.split("|")] for line in lines if line.count("|") == 6]
    # a static of a function is name.3 with gcc, function.name with clang
    return {[part for part in row[0].split(".") if not part.isdigit()][-1] for row in rows if row[2] in "bBdDcC" and row[3] != "TLS"
            and not row[6].startswith(".data.rel.ro") and not row[0].startswith("__") and not re.match(COMPILERS, row[0])}


def defined(library, *options):
    lines = subprocess.run(["nm", "--defined-only", *options, library], capture_output=True, text=True, check=True).stdout.splitlines()
    return {parts[2] for parts in map(str.split, lines) if len(parts) == 3 and not re.match(COMPILERS, parts[2])}


def declared(include):
    names = set()
    for header in include.glob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        text = re.sub(r"^\s*#.*?(?<!\\)$", "", text, flags=re.S | re.M) # macros
        text = re.sub(r"\{[^{}]*\}", "", text) # fields, bodies
        names |= {name for before, name in re.findall(r"([\w \*]*?)\b(ib_\w+)\(", text) if "static" not in before and "typedef" not in before}
    return names


def main(source, static, shared):
    foreign = sorted(n for n in defined(static, "-g") if not re.match(r"_?(ib|isobit)_", n) and not n.startswith("__")) # __: the sanitizers' own
    public, shown = declared(pathlib.Path(source) / "include/isobit"), {n for n in defined(shared, "-D") if not n.startswith("_")}
    wrong = [f"{static} defines {n}" for n in foreign] + [f"{shared} shows {n}, which no public header declares" for n in sorted(shown - public)]
    wrong += [f"{shared} does not show {n}, which a public header declares" for n in sorted(public - shown)]
    wrong += [f"{static} can write {n}, which threads share: const, _Thread_local, or with its reason in names.py"
              for n in sorted(writable(static)) if not any(re.fullmatch(known, n) for known in SHARED)]
    print("\n".join(wrong) or f"{len(shown)} functions are shown, as the headers declare them")
    return bool(wrong) or len(public) < 200


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
