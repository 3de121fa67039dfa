#!/usr/bin/env python3
"""columns.py ISOBIT CC - what exported C makes of a table's rows as they stand there: the codes of predict --engine integer, every one of them.

Broken by: a mean or a deviation that is rounded on the way, a contraction by the compiler, a category at another place, a missing value that is
read as a number, a label among the columns, an output that is scaled with another target's factors."""
import csv
import ctypes
import math
import pathlib
import random
import re
import subprocess
import sys
import tempfile

isobit, cc = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
FLAGS = ("-O0 -std=c99", "-O3 -std=gnu11 -march=native -ffp-contract=fast")
draw = random.Random(7)
failed = 0


def run(*argv):
    done = subprocess.run([isobit, *map(str, argv)], capture_output=True, text=True, timeout=300)
    if done.returncode:
        sys.exit(f"isobit {' '.join(map(str, argv))}: {done.stderr}")
    return done.stdout


def write(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows(rows)


def rows_of(n, numbers, missing):
    """Columns of every kind: of large mean, small spread, few values, codes as names, words; with a class or two numbers behind them."""
    for _ in range(n):
        k = draw.randrange(3)
        row = [f"{draw.gauss(1000 + 3 * k, 2):.3f}", f"{draw.gauss(1e-6 * k, 2e-6):.4g}", f"{draw.choice([0, 1, 5, 40])}",
               draw.choice(["10115", "01067", "20095"][: k + 1]), draw.choice(["r\u00f6tlich", "blue, dark", 'so "green"'][k:]), f"{-(draw.random() + k) * 1e5:.2f}"]
        x = float(row[0]) - 1000
        behind = [f"{100 + 5 * x + draw.gauss(0, 2):.2f}", f"{k / 1000 + draw.gauss(0, 2e-4):.6f}"] if numbers else [("ash", "beech", "elm")[k]]
        yield [draw.choice(["", "NA", "?"]) if missing and draw.random() < 0.1 else value for value in row] + behind


def library(c, flags):
    out = c.with_name(f"net{len(flags)}.so")
    subprocess.run([cc, *flags.split(), "-shared", "-fPIC", c, "-o", out], check=True)
    return ctypes.CDLL(str(out))


def names(lib, symbol, n):
    return [text.decode() for text in (ctypes.c_char_p * n).in_dll(lib, symbol)]


def compare(what, table, model, folder):
    """Every row of the table through the exported C, and through the integer engine."""
    global failed
    text = run("predict", model, "--data", f"csv:{table}", "--engine", "integer", "--codes")
    want = [[int(v) for v in line[1:]] for line in list(csv.reader(text.splitlines()))[1:]]
    run("export", model, "--to", "c", "-o", folder, "--name", "net")
    header = (folder / "net.h").read_text(encoding="utf-8")
    size = {key: int(re.search(rf"#define NET_{key} (\d+)", header)[1]) for key in ("COLUMNS", "INPUT_SIZE", "OUTPUT_SIZE")}
    with open(table, newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    for flags in FLAGS:
        lib = library(folder / "net.c", flags)
        columns = names(lib, "net_column_names", size["COLUMNS"])
        categories = {int(i): names(lib, f"net_column_{i}_names", int(n)) for i, n in re.findall(r"net_column_(\d+)_names\[(\d+)\]", header)}
        wrong = 0
        for row, codes in zip(rows, want):
            raw = (ctypes.c_float * len(columns))()
            for i, column in enumerate(columns):
                value = row[column]
                raw[i] = math.nan if value in ("", "NA", "?") else categories[i].index(value) if i in categories else float(value)
            inputs, out = (ctypes.c_int8 * size["INPUT_SIZE"])(), (ctypes.c_int8 * size["OUTPUT_SIZE"])()
            lib.net_quantize_columns(raw, inputs)
            lib.net_run(inputs, out)
            wrong += sum(a != b for a, b in zip(out, codes)) + (len(codes) != len(out))
        distinct = len({tuple(codes) for codes in want})
        right = not wrong and len(want) == len(rows) and distinct > len(rows) // 3 and len(categories) == 2 and not lib.net_self_test()
        failed += not right
        print(f"{'' if right else 'FAILED: '}{what}: {len(rows)} rows, {distinct} different, {wrong} codes differ with {flags}")


def main():
    head = ["mass", "length", "count", "code", "colour", "depth"]
    with tempfile.TemporaryDirectory(prefix="isobit-columns-") as made:
        for what, labels, missing, qat in (("classes", ["kind"], False, "w8a8"), ("classes, values missing", ["kind"], True, "w4a8"),
                                           ("numbers", ["price", "grade"], False, "w8a8"), ("numbers, values missing", ["price", "grade"], True, "w8a8")):
            numbers, folder = len(labels) > 1, pathlib.Path(made, what.replace(" ", "-")) # a library is loaded once by its path
            folder.mkdir()
            write(folder / "table.csv", [head + labels, *rows_of(150, numbers, missing)])
            options = ["--categorical", "code", "--epochs", 12, "--qat", qat, *(["--task", "regression", "--label", "price,grade"] if numbers else []),
                       *(["--missing", "mean"] if missing else [])]
            run("train", "--data", f"csv:{folder / 'table.csv'}", *options, "-o", folder / "net.h5")
            compare(what, folder / "table.csv", folder / "net.h5", folder)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
