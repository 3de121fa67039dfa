"""Tables as spreadsheets, data frames and databases write them, and arrays: what a reader of the documents expects."""
import csv
import gzip
import io
import json
import struct

import h5py
import numpy as np

from odd import Case

HEAD = "length,colour,weight,kind"
KINDS = [("cat", "dog")[i % 7 % 2] for i in range(40)]
ROWS = [f"{3 + i % 7 / 4},{('red', 'blue', 'green')[i % 3]},{100 + i * 7 % 40},{k}" for i, k in enumerate(KINDS)]
CELLS = [r.split(",") for r in ROWS]


def text(rows=None, head=HEAD, end="\n"):
    return end.join(([head] if head else []) + list(rows or ROWS)) + end


def column(at, value, head=HEAD, to=","):
    """The table with the values of a column replaced: value(i, old)."""
    return text([to.join(value(i, v) if k == at else v for k, v in enumerate(c)) for i, c in enumerate(CELLS)], head)


def changed(line, to, rows=None):
    rows = list(rows or ROWS)
    rows[line - 2] = to
    return text(rows)


def put(shop, name, content):
    path = shop / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def exports(shop):
    """Files for `train`."""
    made = [0]

    def train(content, args, name):
        made[0] += 1
        path = content if isinstance(content, str) and content.startswith("csv:") else put(shop,
                                                                                           name or f"t{made[0]}.csv",
                                                                                           content)
        out = shop / f"t{made[0]}.h5"
        spec = path if isinstance(path, str) else f"csv:{path.relative_to(shop.folder)}"
        return path, out, ["train", "--data", spec, "--epochs", 1, "-o", out, "--json", *args]

    def refused(name, content, words, *args, file=None):
        path, _, argv = train(content, args, file)
        return Case(name, argv, refused=([] if isinstance(path, str) else [path.name]) + words)

    def right(name, content, *args, classes=("cat", "dog"), inputs=5, names=None, label=None, said="", file=None):
        _, out, argv = train(content, args, file)

        def check(done):
            schema = json.loads(shop.make("inspect", out, "--json").stdout)["schema"]
            sizes = sum(len(c.get("names", "x")) for c in schema["columns"])
            return (schema["classes"] == list(classes) and sizes == inputs and said in done.stderr
                    and (label is None or schema["label"] == label)
                    and (names is None or [c["name"] for c in schema["columns"]] == names)
                    and all(np.isfinite([c.get("mean", 0), c.get("std", 1)]).all() for c in schema["columns"]))

        return Case(name, argv, right=check)

    indexed = text([f"{i},{r}" for i, r in enumerate(ROWS)], "," + HEAD)
    good = text()
    odd = [KINDS[i] if i % 5 else KINDS[i] + " " for i in range(40)]
    wide = text([",".join(str((i * j) % 7 - 3) for j in range(3000)) + "," + KINDS[i] for i in range(40)],
                ",".join(f"f{j}" for j in range(3000)) + ",kind")
    pixels = [[(i * j) % 17 for j in range(64)] for i in range(40)]
    yield from (
        # who writes them
        right("an index of pandas, dropped", indexed, "--drop", "1"),
        refused("an index of pandas", indexed, ["line 1", "column 1", "--drop"]),
        refused("row names of R under an empty quoted name",
                text([f'"{i}",{r}' for i, r in enumerate(ROWS)], '"","length","colour","weight","kind"'),
                ["line 1", "column 1", "--drop"]),
        refused("row names of R without a name at all", text([f'"{i}",{r}' for i, r in enumerate(ROWS)]),
                ["line 2", "5 values", "4"]),
        refused("Excel's line sep=;", "sep=;\n" + good.replace(",", ";"), ["line 1", "sep="]),
        refused("delimiters behind every line", text([r + "," for r in ROWS], HEAD + ","), ["line 1", "column 5"]),
        refused("delimiters behind every line but the first", text([r + "," for r in ROWS]), ["line 2", "5 values", "4"]),
        refused("Excel's empty rows below", good + ",,,\n,,,\n", ["line 42", "'kind'"]),
        refused("Excel's empty rows below, filled in", good + ",,,\n,,,\n", ["line 42", "'kind'"], "--missing", "mean"),
        refused("a row of totals", good + "Total,,4800,\n", ["line 42"]),
        refused("a row of units below the header", text(["cm,name,g,animal", *ROWS]), ["line 2", "'cm'", "'length'"]),
        refused("files joined with their headers", good + good, ["line 42", "'length'"]),
        refused("a comment before the header", "# exported 2024-05-01\n" + good, ["line 1"]),
        refused("a comment among the rows", changed(9, "# 3,red,100,cat"), ["line 9", "'# 3'", "'length'"]),
        right("numpy.savetxt's header", text(None, "# " + HEAD), names=["# length", "colour", "weight"]),
        refused("numbers as a header over words", text(None, "0,1,2,3"), ["line 1"]),
        right("a year as the name of a column", text(None, "length,colour,2020,kind"),
              names=["length", "colour", "2020"]),
        refused("pipes", good.replace(",", "|"), ["'|'"]),
        refused("a header of commas over semicolons", text([r.replace(",", ";") for r in ROWS]),
                ["line 2", "1 value", "4"]),
        refused("a header of semicolons over commas", text(None, HEAD.replace(",", ";")), ["line 2", "1 value", "4"]),
        right("commas in the quoted names of semicolons",
              text([r.replace(",", ";") for r in ROWS], '"length, a, b, c, d";colour;weight;kind'),
              names=["length, a, b, c, d", "colour", "weight"]),
        right("line ends of both kinds", "\r\n".join([HEAD, *ROWS[:20]]) + "\r\n" + "\n".join(ROWS[20:])),
        right("a line of blanks", good + "   \n"),
        refused("Ctrl-Z at the end, as DOS has it", good + "\x1a", ["line 42"]),
        refused("UTF-16 without a mark", good.encode("utf-16-le"), ["UTF-16"]),
        refused("UTF-32", good.encode("utf-32"), ["UTF-"]),
        right("two byte-order marks", "\ufeff\ufeff" + good, names=["length", "colour", "weight"]),
        refused("a zip archive as Excel's workbooks are", b"PK\x03\x04" + bytes(60) + good.encode(), ["no text"],
                file="book.csv"),
        refused("Parquet", b"PAR1\x15\x04" + bytes(40) + b"PAR1", ["no text"], file="p.csv"),
        refused("a page of HTML", "<!DOCTYPE html>\n<html><head><title>404</title></head>\n<body>Not found</body></html>\n",
                ["line 2"], file="h.csv"),
        refused("JSON", json.dumps([{"length": i, "kind": k} for i, k in enumerate(KINDS)]), ["line 1"], file="j.csv"),
        refused("rows of JSON", "".join(json.dumps({"length": i, "kind": k}) + "\n" for i, k in enumerate(KINDS)),
                ["line 1"], file="jl.csv"),
        right("gzip", gzip.compress(good.encode()), file="z.csv.gz"),
        right("gzip of two members", gzip.compress(good[:500].encode()) + gzip.compress(good[500:].encode()),
              file="zz.csv.gz"),
        refused("gzip, cut", gzip.compress(good.encode())[:-20], [], file="cut.csv.gz"),
        right("gzip without its name", gzip.compress(good.encode()), file="zip.csv"),
        refused("gzip with rubbish behind", gzip.compress(good.encode()) + b"rubbish", [], file="rub.csv.gz"),
        # numbers as they are written
        refused("decimal commas in quotes", column(0, lambda i, v: f'"{v.replace(".", ",")}"'),
                ["line 2", "'3,0'", "'length'"]),
        refused("thousands in quotes, all of them", column(2, lambda i, v: f'"1,{v}"'),
                ["line 2", "'1,100'", "'weight'"]),
        refused("thousands with blanks", column(2, lambda i, v: f"1 {v}"), ["line 2", "'1 100'", "'weight'"]),
        refused("thousands with hard blanks", column(2, lambda i, v: f"1\u00a0{i % 5}00"), ["'weight'"]),
        refused("thousands with apostrophes", column(2, lambda i, v: f"1'{v}"), ["line 2", "'weight'"]),
        refused("dollars", column(2, lambda i, v: f"${v}"), ["line 2", "'$100'", "'weight'"]),
        refused("euros behind", column(2, lambda i, v: f"{i % 5} \u20ac"), ["'weight'"]),
        refused("units", column(2, lambda i, v: f"{v}kg"), ["'100kg'", "'weight'"]),
        right("units that repeat are words", column(2, lambda i, v: f"{i % 5} GB"), inputs=9),
        refused("negative numbers of accountants", changed(9, "3,red,(100),cat"), ["line 9", "'(100)'", "'weight'"]),
        refused("a minus of Unicode", changed(9, "3,red,\u2212100,cat"), ["line 9", "'weight'"]),
        refused("digits of Arabic", changed(9, "3,red,\u0661\u0662,cat"), ["line 9", "'weight'"]),
        refused("Fortran's exponent", changed(9, "3,red,1d2,cat"), ["line 9", "'1d2'"]),
        refused("Python's underscores", changed(9, "3,red,1_000,cat"), ["line 9", "'1_000'"]),
        right("forms of numbers", text([*ROWS, "+3,red,.5e2,cat", "3.,red,1E+02,dog", "-0,red,00100,cat"])),
        right("blanks around numbers and words", text([r.replace(",", " , ") for r in ROWS],
                                                      "length , colour , weight , kind"),
              names=["length", "colour", "weight"]),
        right("blanks between, and before", "\n".join("  " + "   ".join(c) for c in [HEAD.split(","), *CELLS]) + "\n"),
        refused("R's write.table", "\n".join([HEAD.replace(",", " "),
                                              *(f'"{i}" ' + " ".join(c) for i, c in enumerate(CELLS))]) + "\n",
                                              ["line 2", "5 values"]),
        right("blanks before quotes", column(1, lambda i, v: f' "{v}"')),
        refused("Excel's formulas for texts", column(2, lambda i, v: f'="{v}"'), ["line 2", "quote"]),
        refused("thousands with points", column(2, lambda i, v: f"1.{i % 5}00.000"),
                ["line 2", "'1.000.000'", "'weight'"]),
        refused("a number below double", changed(9, "3,red,1e-400,cat"), ["line 9", "'1e-400'", "'weight'"]),
        refused("infinity", changed(9, "3,red,inf,cat"), ["line 9", "'inf'", "'weight'"]),
        refused("minus infinity", changed(9, "3,red,-Infinity,cat"), ["line 9", "'-Infinity'", "'weight'"]),
        refused("a number beyond fp32", changed(9, "3,red,1e39,cat"), ["line 9", "'1e39'", "'weight'"]),
        right("numbers near fp32's end", column(2, lambda i, v: f"{'-' if i % 2 else ''}3e38")),
        refused("differences below fp32's normal numbers", column(2, lambda i, v: f"{v}e-45"), ["'weight'"]),
        refused("numbers of 2^53 and above", column(2, lambda i, v: str(2**53 + i)), ["'weight'"]),
        refused("true among numbers", changed(9, "3,red,TRUE,cat"), ["line 9", "'TRUE'", "'weight'"]),
        right("booleans", column(2, lambda i, v: ("True", "False")[i % 2]), inputs=6),
        refused("dates, one a row", column(2, lambda i, v: f"2024-{1 + i // 28:02}-{1 + i % 28:02}"),
                ["'weight'", "40 different", "--drop"]),
        # missing values as they are spelled
        *(refused(f"a number of {s}", changed(9, f"3,red,{s},cat"), ["line 9", "'weight'"])
          for s in ("nan", "NULL", "None", "#N/A", "#DIV/0!", "\\N", "<NA>", "NaT", "-", ".", "n/a")),
        *(refused(f"a category of {s}", changed(9, f"3,{s},100,cat"), ["line 9", "'colour'"])
          for s in ("nan", "NULL", "n/a", "Null", "#N/A", "#DIV/0!", "\\N", "<NA>", "NaT")),
        right("NULL of SQL, filled in", changed(9, "3,red,NULL,cat"), "--missing", "mean"),
        refused("a label of nan", changed(9, "3,red,100,nan"), ["line 9", "'kind'"]),
        refused("a missing label, filled in", changed(9, "3,red,100,"), ["line 9", "'kind'"], "--missing", "mean"),
        refused("a column of nothing, filled in", column(2, lambda i, v: ""), ["'weight'", "--drop"], "--missing",
                "mean"),
        refused("blanks as a value", changed(9, "3,red,  ,cat"), ["line 9", "'weight'"]),
        refused("quoted nothing", changed(9, '3,red,"",cat'), ["line 9", "'weight'"]),
        refused("a category of blanks", changed(9, "3,  ,100,cat"), ["line 9", "'colour'"]),
        right("no header, and a first row that lacks numbers, filled in", "NA,red,NA,cat\n" + text(ROWS[1:], ""),
              "--missing", "mean",
              said="32 training and 8 test"),
        right("a column that is called NA", text(None, "length,NA,weight,kind"), names=["length", "NA", "weight"]),
        # labels
        right("labels that differ by case", column(3, lambda i, v: v if i % 3 else v.title()),
              classes=("Cat", "Dog", "cat", "dog")),
        right("labels with blanks behind", text([",".join(c[:3]) + "," + odd[i] for i, c in enumerate(CELLS)])),
        right("labels of other alphabets", column(3, lambda i, v: {"cat": "\u732b", "dog": "H\u00fcndin"}[v]),
              classes=("H\u00fcndin", "\u732b")),
        right("labels with commas, quotes and line ends", column(3, lambda i, v: {"cat": '"a, ""b"""', "dog": '"c\nd"'}[v]),
              classes=('a, "b"', "c\nd")),
        Case("labels with the escape of a terminal", train(column(3, lambda i, v: v.replace("c", "c\x1b[31m")), (), None)[2],
             right=lambda d: "\x1b" not in d.stderr),
        right("labels -1 and 1", column(3, lambda i, v: {"cat": "-1", "dog": "1"}[v]), classes=("-1", "1")),
        right("labels of booleans", column(3, lambda i, v: {"cat": "FALSE", "dog": "TRUE"}[v]),
              classes=("FALSE", "TRUE")),
        right("labels that double cannot tell apart", column(3, lambda i,
                                                             v: {"cat": "9007199254740992", "dog": "9007199254740993"}[v]),
              classes=("9007199254740992", "9007199254740993")),
        refused("labels 01 and 1", column(3, lambda i, v: ("01", "1", "2")[i % 3]), ["'01'", "'kind'"]),
        refused("prices as classes", column(3, lambda i, v: str(100 + i * 37 % 35)),
                ["'kind'", "35 different", "--task regression"]),
        refused("labels of reals and words", changed(9, "3,red,100,0.5"), ["line 9", "'0.5'", "'kind'"]),
        refused("an infinite label", text([r[:-3] + str(i % 2) for i, r in enumerate(ROWS)][:-1] + ["3,red,100,inf"]),
                ["line 41", "'inf'", "'kind'"]),
        right("the label once more as a column", text([r + "," + KINDS[i] for i, r in enumerate(ROWS)], HEAD + ",copy"),
              inputs=7),
        refused("two rows", text(ROWS[:2]), ["2"]),
        refused("one row", text(ROWS[:1]), ["'kind'"]),
        refused("the label alone", text(KINDS, "kind"), ["'kind'"]),
        refused("--label -1", good, ["'-1'", "'kind'"], "--label=-1"),
        refused("--label 0", good, ["'0'"], "--label", "0"),
        Case("--label of nothing", ["train", "--data", "csv:t1.csv", "--label", "", "-o", "x.h5"], refused=["--label"]),
        refused("--label in another case", good, ["'Kind'", "'kind'"], "--label", "Kind"),
        right("--label 2 where a column has that name", column(2, lambda i, v: str(i % 3), "length,colour,2,kind"),
              "--label", "2", label="2",
              classes=("0", "1", "2"), inputs=6),
        refused("two labels without regression", good, ["length,weight"], "--label", "length,weight"),
        refused("--drop of what is not there", good, ["'size'"], "--drop", "size"),
        refused("--drop of nothing between commas", good, ["--drop"], "--drop", "length,,weight"),
        Case("a share of 1.5", ["train", "--data", "csv:t1.csv", "--test-share", "1.5", "-o", "x.h5"],
             refused=["--test-share", "1.5"]),
        refused("no row to train on", good, ["--test-share"], "--test-share", "1"),
        refused("a test part of nothing", good, ["0.001"], "--test-share", "0.001"),
        refused("no header, and the first row lacks a number",
                text([f"{'NA' if i == 0 else i % 9},{k}" for i, k in enumerate(KINDS)], ""), ["line 1"]),
        refused("numbers to learn that are words", good, ["'kind'", "line 2", "'cat'"], "--task", "regression"),
        refused("numbers to learn that are missing", changed(9, "3,red,,cat"), ["line 9", "'weight'"], "--task",
                "regression", "--label", "weight",
                "--missing", "mean"),
        refused("numbers to learn that never change", column(2, lambda i, v: "7"), ["'weight'", "7"], "--task",
                "regression", "--label", "weight"),
        refused("a number to learn, twice", good, ["weight"], "--task", "regression", "--label", "weight,weight"),
        # shapes
        right("3000 columns", wide, inputs=3000),
        right("words of 100000 letters", column(1, lambda i, v: v * 20000), inputs=5),
        right("64 columns of integers and a label of words",
              text([",".join(map(str, p)) + "," + KINDS[i] for i, p in enumerate(pixels)], ""), inputs=64),
        # files that are none
        refused("a file that is not there", "csv:nowhere.csv", ["nowhere.csv"]),
        refused("no name of a file", "csv:", ["csv:"]),
        refused("a folder", f"csv:{shop.folder}", [str(shop.folder)]),
        Case("a file without csv:", ["train", "--data", "t1.csv", "-o", "x.h5"], refused=["t1.csv", "csv:"]),
        Case("CSV in capitals", ["train", "--data", "CSV:t1.csv", "-o", "x.h5"], refused=["CSV:t1.csv", "csv:"]),
        Case("a line end in the name of a file", ["train", "--data", "csv:no\nwhere.csv", "-o", "x.h5"],
             refused=["where.csv", "opened"]),
        right("a name with blanks, a colon and umlauts", good, file="M\u00e4rz: 2 (copy).csv"),
        refused("a shape for words", "csv:t1.csv:1x2x2", ["t1.csv", "line 1"]),
    )



def use(shop):
    """Files for `predict` and `eval` with networks that know a table."""
    put(shop, "known.csv", text())
    put(shop, "headless.csv", text(None, ""))
    put(shop, "words.csv", text([f"{'ab'[i % 2]},{'xyz'[i % 3]},{'pq'[i // 3 % 2]}" for i in range(60)], "u,v,w"))
    put(shop, "holes.csv", changed(9, "NA,red,100,cat"))
    put(shop, "quoted.csv", column(3, lambda i, v: {"cat": '"a, ""b"""', "dog": '"c\nd"'}[v]))
    for name in ("known", "headless", "words", "quoted"):
        shop.make("train", "--data", f"csv:{name}.csv", "--epochs", 3, "-o", f"{name}.h5")
    shop.make("train", "--data", "csv:holes.csv", "--missing", "mean", "--epochs", 1, "-o", "holes.h5")
    want = shop.make("predict", "known.h5", "--data", "csv:known.csv").stdout.splitlines()
    for name, rows in (("grown", ROWS + ROWS), ("other", ROWS[::-1])):
        put(shop, f"{name}.csv", text())
        shop.make("train", "--data", f"csv:{name}.csv", "--epochs", 1, "-o", f"{name}.h5")
        put(shop, f"{name}.csv", text(rows))
    bare = [",".join(c[:3]) for c in CELLS]
    new = HEAD[:-5]

    def same(name, content, rows=range(40), said="", model="known.h5"):
        def check(done):
            got = [line.split(",") for line in done.stdout.splitlines()[1:]]
            return len(got) == len(rows) and said in done.stderr and all(
                g[1] == want[i + 1].split(",")[1] and abs(float(g[2]) - float(want[i + 1].split(",")[2])) < 1e-5 for g,
                i in zip(got, rows))

        return Case(name, ["predict", model, "--data", "csv:-"], right=check, stdin=content)

    def refused(name, content, words, *args, model="known.h5"):
        return Case(name, ["predict", model, "--data", "csv:-", *args], refused=["standard input", *words], stdin=content)

    def counted(name, content, samples, model):
        return Case(name, ["predict", model, "--data", "csv:-"],
                    right=lambda d: len(d.stdout.splitlines()) == samples + 1, stdin=content)

    def measured(name, content, check, *args, said=""):
        path = put(shop, f"{name[6:].replace(' ', '_')}.csv", content)
        return Case(name, ["eval", "known.h5", "--data", f"csv:{path.name}", "--json", *args],
                    right=lambda d: check(json.loads(d.stdout)) and said in d.stderr)

    def unmeasured(name, content, words, *args):
        path = put(shop, f"{name[6:].replace(' ', '_')}.csv", content)
        return Case(name, ["eval", "known.h5", "--data", f"csv:{path.name}", *args], refused=[path.name, *words])

    yield from (
        Case("classes of commas, quotes and line ends, written", ["predict", "quoted.h5", "--data", "csv:quoted.csv"],
             right=lambda d: [r[3:] if i == 0 else len(r) for i, r in enumerate(csv.reader(io.StringIO(d.stdout)))]
             == [['a, "b"', "c\nd"], *[5] * 40]),
        same("new: one row", text(bare[:1], new), range(1)),
        same("new: one row without a header", text(bare[:1], ""), range(1)),
        same("new: rows without a header and a label", text(bare[:5], ""), range(5)),
        same("new: semicolons and quotes", text([";".join(f'"{v}"' for v in r.split(",")) for r in bare],
                                                new.replace(",", ";"))),
        same("new: an index of pandas beside the known columns",
             text([f"{i},{r}" for i, r in enumerate(bare)], "Unnamed: 0," + new), said="'Unnamed: 0'"),
        refused("new: an index of pandas without a name", text([f"{i},{r}" for i, r in enumerate(bare)], "," + new),
                ["line 1", "column 1"]),
        refused("new: names in another case", text(bare, "Length,Colour,Weight"), ["'length'"]),
        same("new: blanks around names", text(bare, "length, colour , weight")),
        refused("new: a known name twice", text([f"9,{r}" for r in bare], "length," + new), ["line 1", "'length'"]),
        refused("new: a column more, without a header", text([f"{r},1,1" for r in bare], ""), ["5 columns"]),
        refused("new: columns in another order, without a header",
                text([",".join(r.split(",")[i] for i in (1, 0, 2)) for r in bare], ""), ["line 1", "'red'"]),
        same("new: blanks behind a category", changed(3, "3.25,blue ,107,dog")),
        refused("new: a category in another case", changed(3, "3,Red,100,cat"), ["line 3", "'Red'", "'colour'"]),
        refused("new: a number as a category", changed(3, "3,1,100,cat"), ["line 3", "'1'", "'colour'"]),
        refused("new: a word as a number", changed(3, "3,red,heavy,cat"), ["line 3", "'heavy'", "'weight'"]),
        refused("new: a decimal comma", changed(3, '"3,5",red,100,cat'), ["line 3", "'3,5'", "'length'"]),
        refused("new: infinity", changed(3, "3,red,inf,cat"), ["line 3", "'inf'", "'weight'"]),
        refused("new: nothing", "", ["no sample"]),
        refused("new: a header alone", new + "\n", []),
        refused("new: a class with a blank in front of its letters", changed(3, "3,red,100,c at"), ["line 3", "'c at'"]),
        refused("new: a missing value where none was trained", changed(3, "3,NA,100,cat"), ["line 3", "'colour'"]),
        Case("new: a missing value where they were filled in", ["predict", "holes.h5", "--data", "csv:holes.csv"],
             right=lambda d: len(d.stdout.splitlines()) == 41),
        counted("new: words without a header, one row", "a,x\n", 1, "words.h5"),
        counted("new: words without a header, the first never again", "a,x\nb,y\nb,y\n", 3, "words.h5"),
        counted("new: a header for who learned without one", "column 1,column 2,column 3\n3,red,100\n", 1, "headless.h5"),
        refused("new: other names for who learned without any", text(None), ["line 1"], model="headless.h5"),
        refused("new: another label", text(), ["'colour'"], "--label", "colour"),
        refused("new: a known column dropped", text(), ["'weight'"], "--drop", "weight"),
        measured("eval: a class is missing in the test part", text([r for r in ROWS if r.endswith("cat")]),
                 lambda j: [c["samples"] for c in j["by_class"]] == [KINDS.count("cat"),
                                                                     0] and j["by_class"][1]["recall"] is None,
                 "--test-share", "1"),
        measured("eval: one row", text(ROWS[:1]), lambda j: j["samples"] == 1, "--test-share", "1"),
        Case("eval: the remembered table has got more rows, some of them trained on", ["eval", "grown.h5"],
             refused=["grown.csv", "--data"]),
        Case("a training to be resumed with another table",
             ["train", "--data", "csv:other.csv", "--epochs", 1, "--resume", "-o", "other.h5"],
             refused=["other.h5", "csv:other.csv"]),
        unmeasured("eval: a class more", changed(5, "3,red,100,emu"), ["line 5", "'emu'"], "--test-share", "1"),
        unmeasured("eval: no label", text(bare, new), ["'kind'"], "--test-share", "1"),
        unmeasured("eval: an empty label", changed(5, "3,red,100,"), ["line 5", "'kind'"], "--test-share", "1"),
        unmeasured("eval: the label in another case of its name", text(None, new + ",Kind"), ["'kind'"], "--test-share",
                   "1"),
    )


def pictures(shop):
    """Pictures a line each, and arrays."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 17, (40, 64))
    x[:, 63] = np.arange(40) % 5
    y = 7 + np.arange(40) % 2
    names = ",".join(f"pixel{j}" for j in range(64))
    first = "".join(f"{k},{','.join(map(str, p))}\n" for k, p in zip(y, x))
    last = "".join(f"{','.join(map(str, p))},{k}\n" for k, p in zip(y, x))
    put(shop, "label_last.csv", names + ",label\n" + last)
    put(shop, "label_first.csv", "label," + names + "\n" + first)
    put(shop, "label_first_bare.csv", first)
    shop.make("train", "--data", "csv:label_last.csv", "--epochs", 1, "-o", "pixels.h5")
    want = shop.make("predict", "pixels.h5", "--data", "csv:label_last.csv").stdout

    def classes(path):
        """How many samples each label has."""
        counts = json.loads(shop.make("eval", path, "--json").stdout)["by_class"]
        return {c["class"]: c["samples"] for c in counts if c["samples"]}

    def trained(name, spec, labels=None, *args):
        argv = ["train", "--data", spec, "--epochs", 1, "-o", shop / "p.h5", *args]
        return Case(name, argv, right=lambda d: labels is None or set(map(int, classes(shop / "p.h5"))) == set(labels))

    def refused(name, spec, words, *args):
        return Case(name, ["train", "--data", spec, "--epochs", 1, "-o", shop / "q.h5", *args], refused=words)

    def npy(name, array, version=None):
        held = io.BytesIO()
        np.lib.format.write_array(held, array, version=version)
        put(shop, name, held.getvalue())
        return name

    def npz(name, **arrays):
        np.savez_compressed(shop / name, **arrays)
        return f"npz:{name}"

    def hdf5(name, **arrays):
        with h5py.File(shop / name, "w") as f:
            for key, value in arrays.items():
                f[key.replace("__", "/")] = value
        return f"hdf5:{name}"

    def idx(name, images, labels, counts=None):
        for part in ("train", "t10k"):
            n, h, w = images.shape
            put(shop, f"{name}/{part}-images-idx3-ubyte",
                struct.pack(">4i", 0x803, counts or n, h, w) + images.astype("u1").tobytes())
            put(shop, f"{name}/{part}-labels-idx1-ubyte",
                struct.pack(">2i", 0x801, len(labels)) + labels.astype("u1").tobytes())
        return f"idx:{name}"

    u, t = x.astype("u1").reshape(40, 8, 8), y - 7
    for name, array in {
        "x": u, "t": t, "real": u / 16, "nan": np.where(u == 3, np.nan, u / 16), "x_grey": u[..., None], "none": u[:0],
        "line": x[:, 0],
        "x_last": rng.integers(0, 256, (40, 16, 16, 3)).astype("u1"), "fortran": np.asfortranarray(u), "big": u.astype(">i4"),
        "half": (u / 16).astype("f2"), "complex": u + 0j, "scalar": np.array(3), "five": np.zeros((4, 1, 2, 2, 2)),
        "object": np.array([1, "a", None], object), "table": np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
        "y_short": t[:39], "y_real": t + 0.5, "y_hot": np.eye(2)[t].astype(int), "y_column": t[:, None], "y_bool": t == 1,
        "y_minus": t * 2 - 1,
        "y_text": np.array(["cat", "dog"])[t], "y_huge": t + 2**40, "y_one": t * 0, "y_from_1": t + 1,
        "y_whole": t.astype(float),
    }.items():
        npy(f"{name}.npy", array)
    npy("v2.npy", u, (2, 0))
    npy("more.npy", np.concatenate([u, u[:10]]))
    npy("more_t.npy", np.concatenate([t, t[:10]]))
    for name in ("x", "t"):  # what stands there when training begins, for a moment
        (shop / f"{name}.npy").rename(shop / f"{name}.kept")
        (shop / {"x": "more.npy", "t": "more_t.npy"}[name]).rename(shop / f"{name}.npy")
    shop.make("train", "--data", "npy:x.npy,t.npy", "--epochs", 1, "-o", "begun.h5")
    for name in ("x", "t"):
        (shop / f"{name}.kept").replace(shop / f"{name}.npy")
    put(shop, "cut.npy", (shop / "x.npy").read_bytes()[:-9])
    put(shop, "longer.npy", (shop / "x.npy").read_bytes() + b"123456789")
    put(shop, "cut.npz", b"")
    whole = shop.make("predict", "pixels.h5", "--data", "npy:x.npy").stdout

    def equal(name, spec, output=whole):
        return Case(name, ["predict", "pixels.h5", "--data", spec], right=lambda d: d.stdout == output)

    yield from (
        trained("pictures of CSV with the label last", "csv:label_last.csv", (7, 8)),
        trained("pictures as Kaggle has them: the label first, and named", "csv:label_first.csv", (7, 8)),
        trained("pictures with the label first, by --label", "csv:label_first.csv", (7, 8), "--label", "label"),
        equal("new pictures as Kaggle has them", "csv:label_first.csv", want),
        equal("npy in Fortran's order", "npy:fortran.npy"),
        equal("npy of big-endian integers", "npy:big.npy"),
        equal("npy of version 2", "npy:v2.npy"),
        equal("npy of reals in halves", "npy:half.npy"),
        trained("npy with labels in a column", "npy:x.npy,y_column.npy", (0, 1)),
        trained("npy of reals, with labels beside it", "npy:real.npy,t.npy", (0, 1)),
        refused("npy with labels of reals that are whole", "npy:x.npy,y_whole.npy", ["y_whole.npy"]),
        refused("npy of one axis", "npy:line.npy,t.npy", ["line.npy"]),
        refused("npy without labels", "npy:x.npy", ["x.npy", "label"]),
        refused("npy with a label too few", "npy:x.npy,y_short.npy", ["y_short.npy", "39", "40"]),
        refused("npy with labels that are real", "npy:x.npy,y_real.npy", ["y_real.npy"]),
        refused("npy with one-hot labels", "npy:x.npy,y_hot.npy", ["y_hot.npy", "2 dimensions"]),
        refused("npy with negative labels", "npy:x.npy,y_minus.npy", ["y_minus.npy", "-1"]),
        refused("npy with labels of text", "npy:x.npy,y_text.npy", ["y_text.npy"]),
        refused("npy with huge labels", "npy:x.npy,y_huge.npy", ["y_huge.npy", str(2**40)]),
        refused("npy with one class", "npy:x.npy,y_one.npy", ["y_one.npy"]),
        refused("npy with labels in the place of samples", "npy:t.npy,x.npy", ["t.npy"]),
        refused("npy with channels last", "npy:x_last.npy,t.npy", ["x_last.npy", "16,16,3"]),
        refused("npy of grey with a last axis of 1", "npy:x_grey.npy,t.npy", ["x_grey.npy", "8,8,1"]),
        equal("new npy of grey with a last axis of 1", "npy:x_grey.npy"),
        Case("npy with labels from 1", ["train", "--data", "npy:x.npy,y_from_1.npy", "--epochs", 1, "-o", "from_1.h5"],
             right=lambda d: ", 2 classes" in shop.make("inspect", "from_1.h5").stdout or "class" in d.stderr),
        refused("npy of booleans", "npy:y_bool.npy,t.npy", ["y_bool.npy", "b1"]),
        refused("npy with labels of booleans", "npy:x.npy,y_bool.npy", ["y_bool.npy", "b1"]),
        refused("npz with a class that training lacks", npz("lacks.npz", x_train=u, y_train=t, x_test=u, y_test=t + 1),
                ["lacks.npz", "y_test", "2"]),
        Case("a training to be resumed, with fewer samples than it began with",
             ["train", "--data", "npy:x.npy,t.npy", "--epochs", 1, "--resume", "-o", "begun.h5"],
             refused=["begun.h5", "npy:x.npy,t.npy"]),
        refused("npy with NaN", "npy:nan.npy,t.npy", ["nan.npy"]),
        refused("npy of complex numbers", "npy:complex.npy,t.npy", ["complex.npy"]),
        refused("npy of no samples", "npy:none.npy,t.npy", ["none.npy"]),
        refused("npy of a number", "npy:scalar.npy,t.npy", ["scalar.npy"]),
        refused("npy of five axes", "npy:five.npy,t.npy", ["five.npy"]),
        refused("npy of objects", "npy:object.npy,t.npy", ["object.npy"]),
        refused("npy of records", "npy:table.npy,t.npy", ["table.npy"]),
        refused("npy, cut", "npy:cut.npy,t.npy", ["cut.npy"]),
        refused("npy with bytes behind", "npy:longer.npy,t.npy", ["longer.npy"]),
        trained("npz of x and y", npz("xy.npz", x=u, y=t), (0, 1)),
        refused("npz of X and y", npz("upper.npz", X=u, y=t), ["upper.npz", "X"]),
        refused("npz without names", npz("arr.npz", arr_0=u, arr_1=t), ["arr.npz", "arr_0"]),
        refused("npz with an array more", npz("more.npz", x=u, y=t, names=np.array(["a", "b"])), ["more.npz", "names"]),
        refused("npz of training alone", npz("half.npz", x_train=u, y_train=t), ["half.npz", "x_test"]),
        refused("npz of parts of other sizes", npz("sizes.npz", x_train=u, y_train=t, x_test=u[:, :4], y_test=t),
                ["sizes.npz", "x_test"]),
        refused("npz with a validation part", npz("val.npz", x_train=u, y_train=t, x_test=u, y_test=t, x_val=u, y_val=t),
                ["val.npz", "x_val"]),
        refused("npz of nothing", "npz:cut.npz", ["cut.npz"]),
        refused("npy under npz", "npz:x.npy", ["x.npy"]),
        trained("hdf5 of both parts", hdf5("both.hdf5", train__images=u, train__labels=t, test__images=u, test__labels=t),
                (0, 1)),
        refused("hdf5 without labels", hdf5("bare.hdf5", images=u), ["bare.hdf5", "label"]),
        refused("hdf5 with a dataset more", hdf5("more.hdf5", images=u, labels=t, weights=t), ["more.hdf5", "weights"]),
        refused("hdf5 of other names", hdf5("xy.hdf5", x=u, y=t), ["xy.hdf5", "images"]),
        refused("hdf5 with labels too few", hdf5("few.hdf5", images=u, labels=t[:39]), ["few.hdf5", "39", "40"]),
        refused("hdf5 with labels of text", hdf5("text.hdf5", images=u, labels=[b"cat", b"dog"] * 20),
                ["text.hdf5", "labels"]),
        refused("hdf5 with training alone", hdf5("alone.hdf5", train__images=u, train__labels=t), ["alone.hdf5", "test"]),
        refused("hdf5 with both ways of parts", hdf5("ways.hdf5", images=u, labels=t, train__images=u, train__labels=t),
                ["ways.hdf5"]),
        refused("a network as data", "hdf5:pixels.h5", ["pixels.h5"]),
        trained("idx", idx("idx", u, t), (0, 1)),
        refused("idx with labels too few", idx("idx_few", u, t[:39]), ["idx_few", "39", "40"]),
        refused("idx with pictures too few", idx("idx_cut", u, t, 41), ["idx_cut/train-", "40", "41"]),
        refused("idx with pictures left", idx("idx_left", u, t, 39), ["idx_left/train-", "40", "39"]),
        refused("idx of no folder", "idx:nowhere", ["nowhere"]),
        refused("idx of a file", "idx:x.npy", ["x.npy"]),
        refused("a kind that is not known", "parquet:x.parquet", ["parquet:x.parquet"]),
    )


def cases(shop):
    return [*exports(shop), *use(shop), *pictures(shop)]
