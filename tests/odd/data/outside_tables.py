"""Tables as spreadsheets, data frames and databases write them: what a reader of the documents expects."""
import csv
import gzip
import io
import json

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
        right("Excel's line sep=;", "sep=;\n" + good.replace(",", ";")),
        refused("Excel's line sep=;, and a line that is short", "sep=;\n" + changed(7, "3,red").replace(",", ";"), ["line 8", "2 values", "4"]),
        refused("Excel's line sep=|", "sep=|\n" + good.replace(",", "|"), ["'|'"]),
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
        right("years in a row as names of columns", text([f"{i * 3 % 7}.5,{i * 5 % 11}.25,{k}" for i, k in enumerate(KINDS)],
                                                         '"2019","2020",kind'), inputs=2, names=["2019", "2020"],
              said="'2019' among them"),
        right("numbers alone above numbers", text([f"{i * 3 % 7}.5,{i * 5 % 11}.25,{i % 2}" for i in range(40)],
                                                  '"2019","2020","2021"'), classes=("0", "1", "2021"), inputs=2,
              said="line 1, '2019' and so on, is taken as a sample"),
        refused("a first sample with a word where numbers stand below", text(["heavy,7.5,cat", *(f"{i},{i % 9},{k}" for i, k in enumerate(KINDS))],
                                                                             ""), ["line 1", "'heavy'"]),
        refused("currencies of full width, all of them", column(2, lambda i, v: f"\uffe5{v}"), ["line 2", "'weight'"]),
        refused("digits of Arabic, all of them", column(2, lambda i, v: "\u0661\u0662"[i % 2]), ["line 2", "'weight'"]),
        refused("units right behind, all of them", column(2, lambda i, v: f"{i % 5}GB"), ["line 2", "'0GB'", "'weight'"]),
        right("names that begin with digits", column(2, lambda i, v: ("1st", "2nd", "3D", "4x4", "2B")[i % 5]), inputs=9),
        refused("an error in a column of names by --categorical", column(2, lambda i, v: "#REF!" if i == 3 else v),
                ["line 5", "'#REF!'", "'weight'"], "--categorical", "weight"),
        refused("an error as label", changed(9, "3,red,100,#VALUE!"), ["line 9", "'#VALUE!'", "'kind'"]),
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
                ["line 2", "'weight'", "--drop"]),
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
        *(refused(f"labels with the control character U+{ord(c):04X}", column(3, lambda i, v: v.replace("c", f"c{c}")),
                  ["line 2", "'kind'", "control"]) for c in "\x1b\x01\x7f\x9b"),
        refused("names with the escape of a terminal", column(1, lambda i, v: v.replace("d", "\x1bd")),
                ["'colour'", "control"]),
        refused("a column's name with the escape of a terminal", text(None, HEAD.replace("our", "\x1b[0m")),
                ["line 1", "column 2", "control"]),
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
        Case("eval: the same, named", ["eval", "grown.h5", "--data", "csv:grown.csv"], right=lambda d: "16 samples" in d.stdout),
        Case("a training to be resumed with another table",
             ["train", "--data", "csv:other.csv", "--epochs", 1, "--resume", "-o", "other.h5"],
             refused=["other.h5", "csv:other.csv"]),
        unmeasured("eval: a class more", changed(5, "3,red,100,emu"), ["line 5", "'emu'"], "--test-share", "1"),
        unmeasured("eval: no label", text(bare, new), ["'kind'"], "--test-share", "1"),
        unmeasured("eval: an empty label", changed(5, "3,red,100,"), ["line 5", "'kind'"], "--test-share", "1"),
        unmeasured("eval: the label in another case of its name", text(None, new + ",Kind"), ["'kind'"], "--test-share",
                   "1"),
    )


def cases(shop):
    return [*exports(shop), *use(shop)]
