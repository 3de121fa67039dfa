#!/usr/bin/env python3
"""tables.py ROOT - the tables (*.def) and whoever else lists their names agree: documents, what Python runs, what is installed.
What the documents' commands write into the tree git ignores. And CONTRIBUTING.md: each path in its table of additions is there; where it says that a row's file has the row's name, each row has one."""
import fnmatch, pathlib, re, sys

root, bad = pathlib.Path(sys.argv[1]), 0


def wrong(text):
    global bad
    bad = 1
    print(text)


def rows(path, macro):
    """The arguments of each row, as text; quotes are taken off."""
    text = re.sub(r"/\*.*?\*/", "", (root / path).read_text(), flags=re.S)
    found = [[a.strip().strip('"') for a in re.split(r',\s*(?=(?:[^"]*"[^"]*")*[^"]*$)', r)] for r in re.findall(rf"^{macro}\((.*?)\)$", text, flags=re.M)]
    if not found:
        wrong(f"{path}: no row {macro}(...)")
    return found


def same(what, table, listed):
    """Each name of a table is listed, and no other."""
    for name in sorted(set(table) - set(listed)):
        wrong(f"{what}: '{name}' is missing")
    for name in sorted(set(listed) - set(table)):
        wrong(f"{what}: '{name}' is in no table")


readme, exporting, quantization, contributing = [(root / p).read_text() for p in ("README.md", "docs/exporting.md", "docs/quantization.md", "CONTRIBUTING.md")]

formats = [r[1] for r in rows("export/export_formats.def", "EXPORT_FORMAT")]
same("docs/exporting.md, the table of --to", formats, re.findall(r"^\| `([\w-]+)` \|", exporting.split("| `--to` |", 1)[-1].split("\n\n", 1)[0], flags=re.M))
line = next((l for l in readme.splitlines() if l.startswith("| `export` |")), "")
same("README.md, `export`", formats, [w.split()[-1] for w in re.findall(r"`([^`]+)`", line)[1:]])

words = [r[0] for r in rows("cli/models/runtimes.def", "RUNTIME")]
runs = rows("cli/models/runtimes.def", "RUN")
engine = (root / "cli/models/run_runtime.py").read_text()
same("cli/models/runtimes.def, what RUN stands for", words, [r[0] for r in runs])
same("cli/models/run_runtime.py, RUNTIMES", [r[2] for r in runs], re.findall(r'^    "([\w-]+)": \(', engine.split("RUNTIMES = {", 1)[-1], flags=re.M))
same("docs/exporting.md, verify --with", words, re.search(r"--with ([\w,]+)", exporting).group(1).split(","))
for package in set(re.findall(r'^    "[\w-]+": \(.*"([\w-]+)"\),$', engine, flags=re.M)):
    if package not in (root / "scripts/runtimes").read_text().split():
        wrong(f"scripts/runtimes: installs no {package}")

observers = [r[0] for r in rows("qat/observers.def", "OBSERVER") + rows("qat/observers.def", "LEARNED")]
same("README.md, --observer", observers + ["auto"], re.search(r"`--observer ([\w|]+)`", readme).group(1).split("|"))
for name in observers:
    if not re.search(rf"\b{name}\b", quantization):
        wrong(f"docs/quantization.md: no word about the observer '{name}'")

for name, *rest in rows("qat/forms.def", "FORM"):
    if [name] not in [[r[0]] for r in rows("autograd/ops.def", "OP")]:
        wrong(f"qat/forms.def: '{name}' is no row of autograd/ops.def")

build = "".join(f.read_text() for f in sorted((root / "tests").rglob("CMakeLists.txt")))
tests = {f.stem for f in [*(root / "tests").rglob("test_*.c"), *(root / "tests").rglob("test_*.cpp")]} | set(re.findall(r"add_test\(NAME (\w+) ", build))
for pattern, items in ((r"${name}_ref", r"foreach\(name ([^)]*)\)"), (r"${name}_late", r"foreach\(name (test_language [^)]*)\)"), (r"example_${example}", r"foreach\(example ([^)]*)\)"),
                       (r"test_${suite}_poison", r"set\(ON_POISON ([^)]*)\)"), (r"test_${suite}_poison", r"set\(ON_POISON_AT_NIGHT ([^)]*)\)")):
    tests |= {re.sub(r"\$\{\w+\}", item, pattern) for item in re.search(items, build).group(1).split()}
same("docs/testing.md, the table of tests", tests, re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", (root / "docs/testing.md").read_text().split("## Each test", 1)[-1], flags=re.M))))

# the rows that have a file of their name; others of these tables are made by one file for all (SCALED) or by none (LEARNED)
OWN_FILE = {"tensor/formats.def": "FORMAT", "tensor/storage.def": "STORAGE", "qat/observers.def": "OBSERVER", "layers/models.def": "MODEL", "cli/commands.def": "COMMAND", "ptq/networks/rounding.def": "ROUNDING"}
table = contributing.split("| to add | file | line |", 1)[-1].split("\n\n", 1)[0]
for line in table.splitlines():
    named = re.search(r"`([^` ]*<name>\.c)`", line)
    if named:
        definitions = re.search(r"\| `([^` ]+\.def)`[^|]*\|$", line)
        if not definitions or definitions.group(1) not in OWN_FILE:
            wrong(f"CONTRIBUTING.md: which rows have a {named.group(1)}?")
            continue
        pattern = re.sub(r"<(?!name)\w+>", "*", named.group(1))
        for name, *rest in rows(definitions.group(1), OWN_FILE.pop(definitions.group(1))):
            if len(list(root.glob(pattern.replace("<name>", name)))) != 1:
                wrong(f"{definitions.group(1)}: '{name}' has no file {named.group(1)}")
    before = ""
    for path in re.findall(r"`([^` ]+)`", line):
        if path.startswith("_"):  # the same with another ending
            path = before.rsplit("_", 1)[0] + path
        if "/" not in path and not path.endswith((".def", ".c", ".h", ".py", ".txt")):
            continue
        pattern = re.sub(r"<\w+>", "*", path)
        if "/" not in pattern:
            pattern = f"{pathlib.Path(before).parent}/{pattern}"
        else:
            before = pattern
        if not list(root.glob(pattern)):
            wrong(f"CONTRIBUTING.md: there is no {path}")
for definitions in OWN_FILE:
    wrong(f"CONTRIBUTING.md: no row says which files those of {definitions} have")

# What a reader's first hour leaves in the tree.
ignored = [line.strip("/") for line in (root / ".gitignore").read_text().splitlines() if line and not line.startswith("#")]
written = 0
for page in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
    for made in re.findall(r"build/isobit .* -o +([\w./]+)", page.read_text(encoding="utf-8")):
        written += 1
        if not any(fnmatch.fnmatch(made, pattern) for pattern in ignored):
            wrong(f".gitignore: {page.name} writes {made}, which git would add")
if written < 10:
    wrong(f"README.md and docs: only {written} commands that write were found")
sys.exit(bad)
