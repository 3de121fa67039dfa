#!/usr/bin/env python3
"""answers.py ISOBIT SOURCE - what isobit eval says of each class, counted again from the predictions; and the data that models remember.

Broken by: a row for a column of the confusions, a class without samples in a mean, classes that are left out in silence, a model that is measured
on other data than it says, a path of the machine in a checkpoint."""
import csv
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

from checks import check, finish

isobit, source = (pathlib.Path(a).resolve() for a in sys.argv[1:3])


def run(*argv, folder=None, stdin=None):
    with open(stdin or os.devnull) as text:
        return subprocess.run([isobit, *map(str, argv)], cwd=folder, stdin=text, capture_output=True, text=True, timeout=300)


def done(*argv, **where):
    r = run(*argv, **where)
    check(" ".join(map(str, argv)), r.returncode == 0, r.stderr)
    return r.stdout


def refused(code, words, *argv, **where):
    r = run(*argv, **where)
    lines = r.stderr.splitlines()
    right = r.returncode == code and len(lines) == 1 and all(w in lines[0] for w in words)
    check(f"{' '.join(map(str, argv))} is refused with {words}", right, f"exit status {r.returncode}: {r.stderr}")


def write_table(path, names, rows, seed, numbers=4):
    """Classes one behind the other, on a line in the space of the columns, near enough to be confused."""
    draw = random.Random(seed)
    with open(path, "w", newline="") as f:
        out = csv.writer(f)
        out.writerow([*(f"column {j}" for j in range(numbers)), "kind"])
        for i in range(rows):
            k = i % len(names)
            out.writerow([*(round(k * (1 + j % 2) * 0.5 + draw.gauss(0, 0.6), 3) for j in range(numbers)), names[k]])


def recount(model, table, names, *options):
    """Labels and answers of all rows: the file's, and the class of most probability that predict gives."""
    with open(table, newline="") as f:
        labels = [row["kind"] for row in csv.DictReader(f)]
    answers = []
    for line in list(csv.reader(done("predict", model, *options).splitlines()))[1:]:
        shares = [float(x) for x in line[3:]]
        answers.append(names[shares.index(max(shares))])
    check("a prediction a row", len(labels) == len(answers))
    return [[sum(a == (x, y) for a in zip(labels, answers)) for y in names] for x in names]


def share(part, whole):
    return None if whole == 0 else part / whole


def same(a, b):
    return a is None and b is None if a is None or b is None else abs(a - b) < 1e-12


def by_class_is_counted(model, table, names, *options):
    """Every engine, against the counts of its own predictions."""
    for engine in [("--engine", e) for e in ("float", "qat", "integer")] + [()]:
        j = json.loads(done("eval", model, *engine, "--test-share", 1, *options, "--confusion", "--json"))
        count = recount(model, table, names, *engine, *options)
        name = f"{model} {' '.join(engine)}"
        check(f"{name}: confusions", j["confusion"] == count, f"{j['confusion']} instead of {count}")
        check(f"{name}: names", [c["class"] for c in j["by_class"]] == names)
        there = []
        for k, c in enumerate(j["by_class"]):
            samples, claimed, hits = sum(count[k]), sum(row[k] for row in count), count[k][k]
            right = c["samples"] == samples and same(c["recall"], share(hits, samples)) and same(c["precision"], share(hits, claimed))
            check(f"{name}: class {k}", right and same(c["f1"], share(2 * hits, samples + claimed)), c)
            there += [hits / samples] if samples else []
        check(f"{name}: accuracy", same(j["accuracy"], sum(count[k][k] for k in range(len(names))) / sum(map(sum, count))))
        check(f"{name}: balanced accuracy", same(j["balanced_accuracy"], sum(there) / len(there)))


def table_of(text, head):
    """The lines below the one that begins with `head`."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(head))
    return lines[at + 1:]


def few_classes():
    names = ["Barbera, dolce", "Barolo", "Grüner Veltliner"]
    write_table("wine.csv", names, 90, 1)
    done("train", "--data", "csv:wine.csv", "--epochs", 3, "--qat", "w8a8", "--test-share", 0.3, "--split-seed", 7, "-o", "wine.h5")
    by_class_is_counted("wine.h5", "wine.csv", names)
    # a class without samples and one that is never answered are shares of nothing, and no part of a mean
    with open("wine.csv") as f:
        lines = f.readlines()
    with open("barolo.csv", "w") as f:
        f.writelines([lines[0]] + [line for line in lines if "Barolo" in line])
    j = json.loads(done("eval", "wine.h5", "--data", "csv:barolo.csv", "--test-share", 1, "--json"))
    check("a class without samples has no recall", [c["recall"] is None for c in j["by_class"]] == [True, False, True], j)
    check("nor has the mean", same(j["balanced_accuracy"], j["by_class"][1]["recall"]) and same(j["balanced_accuracy"], j["accuracy"]), j)
    text = done("eval", "wine.h5", "--confusion", "--test-share", 1)
    rows = table_of(text, "class ")
    count = json.loads(done("eval", "wine.h5", "--confusion", "--test-share", 1, "--json"))["confusion"]
    check("a row a class", [row.startswith(n) for row, n in zip(rows, names)] == [True] * 3 and rows[3] == "", text)
    matrix = table_of(text, "label ")[1:]
    got = [[0 if cell == "." else int(cell) for cell in row[len("Grüner Veltliner"):].split()] for row in matrix]
    check("the table of confusions", got == count, text)
    refused(2, ["--output", "--confusion"], "eval", "wine.h5", "-o", "x.svg")
    refused(2, ["'-'", "without -o"], "eval", "wine.h5", "--confusion", "-o", "-")
    if shutil.which("gnuplot"):
        done("eval", "wine.h5", "--confusion", "--test-share", 1, "-o", "x.svg")
        picture = pathlib.Path("x.svg").read_text()
        shown = [n for row in count for n in row if n]
        check("a picture with names and counts", all(n in picture for n in names) and all(f">{n}<" in picture for n in shown))
    done("export", "wine.h5", "--to", "hdf5", "-o", "program.h5")
    j = json.loads(done("eval", "program.h5", "--data", "csv:wine.csv", "--test-share", 1, "--confusion", "--json"))
    check("an exported program", j["confusion"] == count and [c["class"] for c in j["by_class"]] == names and "loss" not in j, j)
    refused(1, ["program.h5 remembers no data", "digits", "--data"], "eval", "program.h5")
    refused(2, ["program.h5", "remembers no data", "--data"], "predict", "program.h5")


def many_classes():
    names = [f"kind of number {k:03d}" for k in range(60)]
    write_table("many.csv", names, 600, 2)
    done("train", "--data", "csv:many.csv", "--epochs", 1, "--qat", "w8a8", "-o", "many.h5")
    by_class_is_counted("many.h5", "many.csv", names)
    j = json.loads(done("eval", "many.h5", "--confusion", "--json"))
    text = done("eval", "many.h5", "--confusion")
    check("no line is wider than 100 columns before its note", all(len(line) <= 100 for line in text.splitlines()[1:] if "most frequent" not in line), text)
    rows = table_of(text, "class ")
    order = sorted(range(60), key=lambda k: (2 if j["by_class"][k]["f1"] is None else j["by_class"][k]["f1"], k))[:20]
    check("the worst classes", [row[:len(names[0])] for row in rows[:20]] == [names[k] for k in order], text)
    check("it is said that there are more", "the 20 classes of least F1, of 60; --json has all" in rows[20], text)
    wrong = sorted(((-n, x, y) for x, row in enumerate(j["confusion"]) for y, n in enumerate(row) if n and x != y))
    pairs = table_of(text, "label ")
    want = [[names[x], names[y], str(-n)] for n, x, y in wrong[:20]]
    width = len(names[0])
    check("the most frequent confusions", [[p[:width], p[width + 2:2 * width + 2], p[2 * width + 2:].split()[0]] for p in pairs[:20]] == want, text)
    check("and how many there are", f"the 20 most frequent of {len(wrong)} confusions: a table of 60 classes is wider than the 100 columns" in text, text)


def models_remember():
    done("train", "--model", "mlp", "--epochs", 1, "--limit", 64, "-o", "digits.h5")
    check("digits that nobody named", json.loads(done("inspect", "digits.h5", "--json"))["data"] == {"data": "digits"})
    check("what is not said is told", "data: csv:wine.csv --test-share 0.3 --split-seed 7" in done("inspect", "wine.h5"))
    j = json.loads(done("eval", "wine.h5", "--json"))
    check("the test part of the training", j["data"] == "csv:wine.csv" and j["samples"] == 27, j)
    check("another share of it", json.loads(done("eval", "wine.h5", "--json", "--test-share", 0.5))["samples"] == 45)
    check("predict", len(done("predict", "wine.h5", "--split", "test").splitlines()) == 28)
    check("verify", "27 samples" in done("verify", "wine.h5", "--no-compile"))
    done("export", "wine.h5", "--vectors", 27, "-o", "out")
    refused(1, ["--vectors 28", "27"], "export", "wine.h5", "--vectors", 28, "-o", "out")
    refused(2, ["--label", "--data"], "export", "wine.h5", "--label", "kind", "-o", "out")
    done("train", "--data", "csv:wine.csv", "--epochs", 2, "-o", "float.h5")
    done("quantize", "float.h5", "-o", "int8.h5")
    done("train", "--init", "float.h5", "--qat", "w4a8", "--epochs", 1, "-o", "init.h5")
    for model in ("int8.h5", "init.h5"):
        check(f"{model} remembers on", json.loads(done("inspect", model, "--json"))["data"] == {"data": "csv:wine.csv"})
    refused(2, ["wine.csv", "is the data"], "predict", "wine.h5", "-o", "wine.csv")
    for argv in (["quantize", "float.h5"], ["train", "--init", "float.h5"]):
        refused(1, ["wine.csv", "a file that is no checkpoint"], *argv, "-o", "wine.csv")
    check("the data are as they were", open("wine.csv").readline().startswith("column 0"))


def data_are_gone():
    os.rename("wine.csv", "moved.csv")
    words = ["remembers --data csv:wine.csv", "wine.csv", "--data names other data", "working directory"]
    for argv in (["eval", "wine.h5"], ["predict", "wine.h5"], ["verify", "wine.h5"], ["export", "wine.h5", "--vectors", 1, "-o", "out"],
                 ["inspect", "wine.h5", "--histogram", "-", "--of", "act:fc1"], ["quantize", "float.h5", "-o", "x.h5"], ["train", "--init", "float.h5", "-o", "x.h5"]):
        if argv[0] != "inspect" or shutil.which("gnuplot"):
            refused(1, [argv[argv.index("--init") + 1] if "--init" in argv else argv[1], *words], *argv)
    done("export", "wine.h5", "-o", "out")  # without vectors that nobody asked for
    check("data that are named instead", json.loads(done("eval", "wine.h5", "--data", "csv:moved.csv", "--json"))["data"] == "csv:moved.csv")
    os.rename("moved.csv", "wine.csv")


def from_standard_input():
    r = run("train", "--data", "csv:-", "--epochs", 1, "-o", "piped.h5", stdin="wine.csv")
    check("a training from standard input says that it is not remembered", r.returncode == 0 and "does not remember its data" in r.stderr, r.stderr)
    check("inspect says it", "data: csv:- (which cannot be read again)" in done("inspect", "piped.h5"))
    for command in ("eval", "predict"):
        refused(1, ["piped.h5", "csv:-", "cannot be read again", "--data"], command, "piped.h5")
    done("eval", "piped.h5", "--data", "csv:wine.csv")
    check("it can be named", json.loads(done("eval", "piped.h5", "--data", "csv:-", "--json", stdin="wine.csv"))["data"] == "csv:-")


def models_of_others():
    """An imported network was trained on nothing that is known; what calibrates it is remembered."""
    done("import", source / "tests/golden/onnx/keras.onnx", "-o", "keras.h5")
    check("an import remembers nothing", json.loads(done("inspect", "keras.h5", "--json"))["data"] is None)
    refused(1, ["keras.h5 remembers no data", "digits were taken", "--data"], "quantize", "keras.h5", "-o", "y.h5")


def one_training_is_one_file():
    """A file does not tell where it was made, and paths with odd characters come back."""
    for folder in ("here", "there"):
        os.mkdir(folder)
        shutil.copy("wine.csv", f'{folder}/wine "of" Österreich.csv')
        done("train", "--data", 'csv:wine "of" Österreich.csv', "--label", "kind", "--epochs", 1, "-o", "m.h5", folder=folder)
    here, there = pathlib.Path("here/m.h5").read_bytes(), pathlib.Path("there/m.h5").read_bytes()
    check("the same file in two folders", here == there)
    check("without the folder in it", os.getcwd().encode() not in here)
    shown = json.loads(done("inspect", "here/m.h5", "--json"))["data"]
    check("as it was given", shown == {"data": 'csv:wine "of" Österreich.csv', "label": "kind"}, shown)
    check("used where it is", json.loads(done("eval", "m.h5", "--json", folder="here"))["data"] == 'csv:wine "of" Österreich.csv')
    refused(1, ["remembers", "Österreich"], "eval", "here/m.h5")


def rows_are_named():
    """A row by the line that it begins in, whichever part is asked for; everything else by its number."""
    with open("wine.csv", newline="") as f:
        rows = list(csv.reader(f))
    long = [[*r[:-1], "two\nlines" if i % 3 else "one", r[-1]] for i, r in enumerate(rows)]
    long[0][-2] = "note"
    lines, line = {}, 2
    for r in long[1:]:
        lines[line] = r
        line += 1 + r[-2].count("\n")
    with open("long.csv", "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows(long)
    for part in ("all", "test", "train"):
        answers = list(csv.DictReader(done("predict", "wine.h5", "--data", "csv:long.csv", "--split", part).splitlines()))
        named = [int(r["line"]) for r in answers]
        check(f"the lines of part {part}", named == (list(lines) if part == "all" else sorted(set(named) & set(lines))), named)
        j = json.loads(done("predict", "wine.h5", "--data", "csv:long.csv", "--split", part, "--json"))
        check("and in JSON", [p["line"] for p in j["predictions"]] == named)
        j = json.loads(done("predict", "wine.h5", "--data", "csv:long.csv", "--split", part, "--raw", "--json"))
        check("beside what is raw", j["lines"] == named)
        one, of_all = answers[-1], lines[named[-1]]
        with open("row.csv", "w", newline="") as f:
            csv.writer(f).writerows([long[0], of_all])
        alone = list(csv.reader(done("predict", "wine.h5", "--data", "csv:row.csv").splitlines()))[1]
        check("the answer is that row's", alone[1:] == list(one.values())[1:], alone)
    check("digits have numbers", done("predict", "digits.h5", "--limit", 2).startswith("sample,class,"))


def headers_speak_of_what_follows():
    """A comment of an exported header, but that of the file, stands above a declaration, and names nothing that is not declared."""
    done("import", source / "tests/golden/onnx/branches_torchscript.onnx", "--raw-max", 0, "--mean", 0, "--std", 1, "-o", "softmax.h5")
    with open("reals.csv", "w") as f:
        f.writelines(",".join(str((i * j) % 7 / 3) for j in range(128)) + "\n" for i in range(1, 41))
    done("quantize", "softmax.h5", "--data", "csv:reals.csv:2x8x8", "-o", "q.h5")
    done("train", "--data", "csv:long.csv", "--label", "kind", "--epochs", 1, "--qat", "w8a8", "-o", "words.h5")
    for model in ("wine.h5", "q.h5", "words.h5"):
        done("export", model, "-n", "net", "-o", f"header-{model}")
        text = pathlib.Path(f"header-{model}/net.h").read_text()
        body = text[text.index("*/") + 2:]
        comments = re.findall(r"^/\*((?:(?!\*/)[\s\S])*)\*/\n([^\n]*)", body, re.M)
        orphans = [c for c, below in comments if not re.match(r"#define|extern|void|int32_t", below)]
        check(f"{model}: comments stand above declarations", comments and not orphans, orphans)
        named = re.findall(r"net_\w+", " ".join(c for c, _ in comments).replace("<i>", "0"))
        code = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
        check(f"{model}: and name what is declared", all(re.search(n.replace("column_0", r"column_\d+"), code) for n in named), named)


with tempfile.TemporaryDirectory(prefix="isobit-answers-") as folder:
    os.chdir(folder)
    for part in (few_classes, many_classes, models_remember, data_are_gone, from_standard_input, models_of_others, one_training_is_one_file,
                 rows_are_named, headers_speak_of_what_follows):
        part()
    os.chdir("/")
finish()
