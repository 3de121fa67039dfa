#!/usr/bin/env python3
"""order.py ROOT - a folder includes only itself and folders above it; file names are unique; no file is too long or too
wide, no folder too full; the library takes memory, numbers and devices as CONTRIBUTING.md says.

In the folders of HANDS_OFF, not in those within, no code handles what lies in a device's memory: neither memcpy() and
its like, nor [] or * behind a tensor's data, gradient, scale or what is saved, nor behind a local pointer to numbers,
nor a kernel whose result is used. Comments do not count; & before an element is its address and passes, as do arrays of
the caller's, which are the host's, behind attributes: a->labels[i].

In the folders of READ_BY_COPY, which work on files, texts and histograms of copies too, arrays are the host's; no code handles a tensor's data
or gradient there."""
import pathlib, re, sys

ORDER = ["runtime", "base", "arithmetic", "tensor", "files", "backends", "autograd", "text", "data", "layers", "optim", "qat", "lm", "ptq", "program", "import", "export", "train", "cli"]
SOURCES = ("c", "h", "def", "cpp", "cu", "cuh")
NUMBERS = re.compile(r"\b(v?snprintf|v?sprintf|sscanf|strto(d|f|ld)|atof)\(")
# What no standard defines to the last bit, where devices compute: arithmetic/real.h has it. Left are rows of host tables.
LIBM = re.compile(r"\b(expm1|exp2?|log1p|log2|log10|log|tanh|sinh|cosh|erfc?|pow|sin|cos|tan|cbrt|hypot|fma)f?\(")
RAW = re.compile(r"(?<!\w)(malloc|calloc|realloc|aligned_alloc|posix_memalign|strdup|strndup|v?asprintf|getline|open_memstream)\(")
OWN_MEMORY = {"alloc.c"}
# What these free is realpath()'s and utf8proc_map()'s, by way of ib_tokenizer_compose.
OTHERS_MEMORY = {"alloc.c", "file.c", "origin.c", "tokenizer_json.c", "tokenizer_merge.c", "chat.c"}
HANDS_OFF = ("autograd/ops", "autograd/ops/quantized", "optim")
READ_BY_COPY = ("layers", "layers/models", "qat", "qat/observers", "train", "lm", "lm/adapters", "lm/run", "lm/samples", "lm/save", "lm/train")
BEHIND = (
    r"|\bib_(f32|codes|i32)\(([^()]|\([^()]*\))*\)\s*\["  # ib_f32(n->in[0])[
    r"|(->|\.)(data|grad|scale|saved\[\w+\])\)*\["  # ->grad[, ((float *)n->saved[0])[
    r"|\*\s*(ib_(f32|codes|i32)\(|(\w+->)+(data|grad)\b)"  # *n->out->grad
    r"|([-=(+*/?:]|\breturn)\s*K\(g\)->(?!kept_bytes\b)\w+\(")  # its size in bytes is no number
HANDLED = re.compile(r"\bmem(cpy|move|set)\(" + BEHIND)
HANDLED_TENSOR = re.compile(r"\bmem(cpy|move|set)\(.*(\bib_(f32|codes|i32)\(|->(data|grad)\b)" + BEHIND)
POINTER = re.compile(r"\b(?:float|double|u?int(?:8|16|32)_t)\s*\*\s*(?:const\s+)?(\w+)\b(?!\[)|,\s*\*(\w+)\s*=")
def handled(text, copies=False):
    """The lines of C that handle numbers, from 1; copies: those of tensors alone."""
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
    if copies:
        return [i for i, line in enumerate(text.splitlines(), 1) if HANDLED_TENSOR.search(line)]
    names = "|".join({a or b for a, b in POINTER.findall(text)}) or "(?!)"
    own = re.compile(rf"(?<![\w>.&])(?<!float )(?<!double )(?<!_t )({names})\[|^\s*\*({names})\s*[-+*/]?=|[-=+/(]\s*\*({names})\b")
    lines = text.splitlines()
    return [i + 1 for i, line in enumerate(lines)
            if HANDLED.search(line) or (own.search(line) and not (i and lines[i - 1].endswith(",") and line.lstrip()[0] == "*"))]
root, bad, seen = pathlib.Path(sys.argv[1]), 0, {}
for folder in ORDER:
    for f in sorted(f for ending in SOURCES for f in (root / folder).rglob(f"*.{ending}")):
        if f.suffix in (".c", ".cpp", ".cu") and f.name in seen:
            print(f"{f}: the name is taken by {seen[f.name]}"); bad = 1
        seen[f.name] = f
        lines = f.read_text().splitlines()
        if len(lines) > 420:
            print(f"{f}: {len(lines)} lines"); bad = 1
        for i, line in enumerate(lines, 1):
            m = re.match(r'\s*#\s*include\s+"([^/"]+)/', line)
            if m and m.group(1) in ORDER and ORDER.index(m.group(1)) > ORDER.index(folder):
                print(f"{f}:{i}: {folder} includes {m.group(1)}, which is below it"); bad = 1
            if "tensor/matrix_fields.h" in line and folder not in ("tensor", "backends"):
                print(f"{f}:{i}: what a frozen matrix consists of is for formats and kernels: tensor/matrix.h tells it"); bad = 1
            if re.match(r'\s*#\s*include\s+"\.\.', line):
                print(f"{f}:{i}: includes are rooted at the repository"); bad = 1
            if f.parent == root / "backends/cuda/host": # no part of the library: CUDA's runtime for tests
                continue
            if f.stem != "number" and folder != "runtime" and folder != "cli" and NUMBERS.search(line):
                print(f"{f}:{i}: text and numbers by base/number.h, which no locale changes: {line.strip()}"); bad = 1
            if folder != "cli" and f.name not in OWN_MEMORY and RAW.search(line):
                print(f"{f}:{i}: memory by base/alloc.h, of which the tests let each piece fail: {line.strip()}"); bad = 1
            if folder != "cli" and re.search(r"(?<![\w.>])free\([^)]", line) and f.name not in OTHERS_MEMORY:
                print(f"{f}:{i}: the library's blocks go by ib_free: {line.strip()}"); bad = 1
            if folder in ("arithmetic", "backends", "qat") or (folder == "autograd" and f.suffix == ".c"):
                code = re.sub(r"/\*.*?(\*/|$)|^ \*.*|->\w+\(|\bIB_K\(\w+\)", "", line)
                if LIBM.search(code):
                    print(f"{f}:{i}: functions that a kernel applies are those of arithmetic/real.h: {line.strip()}"); bad = 1
            if re.search(r"reduction\(max ?:[^)]*\b(status|failed)\b", line):
                print(f"{f}:{i}: codes of failures are negative: the largest of them is IB_OK: {line.strip()}"); bad = 1
            if "ib_device_open(" in line and folder not in ("backends", "cli"):
                print(f"{f}:{i}: the device is the caller's, whose it is to open: {line.strip()}"); bad = 1
            if (folder == "layers" or (folder == "lm" and f.parent.name in ("lm", "run"))) and re.search(r"(\bk\.|K\(g\)->)\w+\(", line):
                print(f"{f}:{i}: a forward pass runs kernels in operators, which a trace shows: {line.strip()}"); bad = 1
            if re.search(r"\b(TODO|FIXME|XXX)\b|#if 0", line):
                print(f"{f}:{i}: unfinished: {line.strip()}"); bad = 1
for f, copies in sorted((f, folder in READ_BY_COPY) for folder in (*HANDS_OFF, *READ_BY_COPY) for f in (root / folder).glob("*.c")):
    for i in handled(f.read_text(), copies):
        print(f"{f}:{i}: numbers are the device's, for kernels and verbs: {f.read_text().splitlines()[i - 1].strip()}"); bad = 1
for folder in sorted(f for top in [*ORDER, "include"] for f in [root / top, *(root / top).rglob("*")] if f.is_dir()):
    own = sum(len(f.read_text().splitlines()) for f in folder.iterdir() if f.suffix[1:] in SOURCES)
    if own >= 3000:
        print(f"{folder}: {own} lines beside its folders: it wants rooms"); bad = 1
def is_script(f): # Python or shell, by its end or first line
    return f.suffix in (".py", ".sh") or (not f.suffix and f.read_bytes()[:2] == b"#!")
for f in sorted(f for top in ("tests", "scripts") for f in (root / top).rglob("*") if f.is_file() and is_script(f)):
    if len(f.read_text().splitlines()) > 420:
        print(f"{f}: {len(f.read_text().splitlines())} lines"); bad = 1
for folder in [*ORDER, "include", "examples", "tests"]: # golden headers are rows of numbers, written by scripts
    for f in sorted(f for ending in SOURCES for f in (root / folder).rglob(f"*.{ending}")):
        for i, line in enumerate(f.read_text().splitlines(), 1):
            if len(line) > 120 and f.parent.name != "golden":
                print(f"{f}:{i}: {len(line)} columns, 120 are the most"); bad = 1
for f in (root / "examples").glob("*.c"):
    text = f.read_text()
    if len(text.splitlines()) >= 120:
        print(f"{f}: 120 lines or more"); bad = 1
    for m in re.findall(r'#include "([^"]+)"', text):
        if m not in ("digits.h", "text.h"):
            print(f"{f}: includes {m}: drivers use the public API only"); bad = 1
sys.exit(bad)
