"""Tables as people have them: every one is read as what it says, or refused in one line with its line and column."""
import json

from odd import Case

HEAD = "length,colour,weight,kind"
ROWS = [f"{3 + i % 7 / 4},{('red', 'blue', 'green')[i % 3]},{100 + i * 7 % 40},{('cat', 'dog')[i % 7 % 2]}" for i in range(40)]
NUMBERS = [f"{i % 9 / 2},{i * 5 % 11},{i % 2 + 1}" for i in range(40)]


def text(rows, head=HEAD, end="\n"):
    return end.join(([head] if head else []) + rows) + end


def changed(line, to, rows=None, head=HEAD):
    """The table with the row in that line of the file (its header is line 1) replaced."""
    rows = list(rows or ROWS)
    rows[line - (2 if head else 1)] = to
    return text(rows, head)


def beside(values, name="x"):
    """A table with a column of such values, over and over, before numbers and a label."""
    return text([f"{values[i % len(values)]},{r}" for i, r in enumerate(NUMBERS)], f"{name},a,b,c")


def doubtful(refused, right):
    """Columns that look like one thing and may be another: refused by line, or taken in one way, which is said."""

    def as_names(name, values, inputs):
        return right(f"{name} as names", beside(values), "--categorical", "x", classes=("1", "2"), inputs=inputs + 2)

    def said(name, values, words, inputs=1):
        return right(name, beside(values), classes=("1", "2"), inputs=inputs + 2, said=words)

    no_numbers = {"currencies in front": ["$7", "$12"], "currencies behind": ["7 \u20ac", "12 \u20ac"], "pounds": ["\u00a37", "\u00a312"],
                  "thousands by quotes": ["1'100", "2'100"], "thousands by blanks that do not break": ["1\u00a0100", "2\u00a0100"],
                  "thousands by low lines": ["1_100", "2_100"], "debts in brackets": ["(7)", "(12)"], "a minus of typesetting": ["\u22127", "\u221212"],
                  "shares with a blank": ["7 %", "12 %"], "thousands and decimals of Germany": ['"1.100,5"', '"2.100,5"']}
    days = {"days of ISO 8601": ["2024-01-31", "2024-02-01"], "days of Germany": ["31.01.2024", "01.02.2024"], "days of America": ["1/31/2024", "2/1/2024"],
            "days of two digits": ["31-01-24", "01-02-24"], "moments": ["2024-01-31T08:00:00Z", "2024-02-01T09:30:00Z"], "times": ["8:05", "17:30"],
            "times of noon": ["8:05 AM", "5:30 pm"]}
    return [
        *(refused(f"a column of {name}", beside(values), ["line 2", values[0].strip('"'), "'x'", "number", "--categorical"]) for name, values in no_numbers.items()),
        *(refused(f"a column of {name}", beside(values), ["line 2", f"'{values[0]}'", "'x'", "a day or a time", "--drop"]) for name, values in days.items()),
        as_names("shares", ["7 %", "12 %", "30 %"], 3),
        as_names("days", ["2024-01-31", "2024-02-01"], 2),
        as_names("zip codes", ["01234", "10115", "02139"], 3),
        as_names("numbers", ["1000", "2000", "3000", "2.5"], 4),
        said("zip codes", ["01234", "10115", "02139"], "'x' has '01234'"),
        said("codes of answers", ["1", "2", "3", "9"], "in 'x'"),
        said("years", ["1999.5", "2001", "2003"], ""),
        said("yes and no", ["yes", "no"], "", 2),
        said("truth", ["true", "false"], "", 2),
        said("names that differ by case", ["Yes", "no", "yes"], "'Yes' and 'yes'", 3),
        right("classes that differ by case", text([f"{r[:-1]}{('Cat', 'dog', 'cat')[i % 3]}" for i, r in enumerate(NUMBERS)], "a,b,c"),
              classes=("Cat", "cat", "dog"), inputs=2, said="'Cat' and 'cat'"),
        right("codes as classes", text([f"{r[:-1]}{(1000, 2000, 3000)[i % 3]}" for i, r in enumerate(NUMBERS)], "a,b,c"),
              classes=("1000", "2000", "3000"), inputs=2),
        right("numbers of rows", text([f"{i + 1},{r}" for i, r in enumerate(NUMBERS)], "id,a,b,c"), classes=("1", "2"), inputs=3, said="'id' counts the rows"),
        right("blanks in quotes, filled in", beside(['" "', "7", "8.5"]), "--missing", "mean", classes=("1", "2"), inputs=3),
        refused("blanks in quotes", beside(['" "', "7", "8.5"]), ["line 2", "'x'", "--missing mean"]),
        refused("truth as words and numbers", beside(["true", "false", "1"]), ["line 4", "'1'", "'x'", "--categorical"]),
        refused("a name for each of ten rows", text([f"name {i},{i % 4}.5,{i % 2}" for i in range(10)], "x,a,b"), ["'x'", "10 different", "10 rows", "--drop"]),
        refused("the label as names", beside(["1", "2"]), ["'c'", "label"], "--categorical", "c"),
        refused("a dropped column as names", beside(["1", "2"]), ["'x'", "dropped"], "--categorical", "x", "--drop", "x"),
        refused("a column as names that is not there", beside(["1", "2"]), ["'y'", "4 columns"], "--categorical", "y"),
    ]


def training(shop):
    """What training makes of a table; `args` are further options."""

    def write(name, content):
        path = shop / f"{name.replace(' ', '_').replace('/', '_')}.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def refused(name, content, words, *args):
        path = write(name, content)
        argv = ["train", "--data", f"csv:{path}", "--epochs", 1, "-o", shop / "out.h5", "--json", *args]
        return Case(name, argv, refused=[path.name, *words])

    def right(name, content, *args, classes=("cat", "dog"), inputs=5, said=""):
        path, out = write(name, content), shop / f"{name.replace(' ', '_')}.h5"
        argv = ["train", "--data", f"csv:{path}", "--epochs", 1, "-o", out, "--json", *args]

        def check(done):
            schema = json.loads(shop.make("inspect", out, "--json").stdout)["schema"]
            made = sum(len(c.get("names", "x")) for c in schema["columns"])
            return schema["classes"] == list(classes) and made == inputs and said in done.stderr

        return Case(name, argv, right=check)

    word, good = "x" * 9, text(ROWS)
    quoted = [",".join(f'"{v}"' for v in r.split(",")) for r in ROWS]
    marks = [r.replace("red", '"red, ""dark""\nand deep"') for r in ROWS]
    holes = [r.replace(f",{100 + 21 % 40},", ",NA,") for r in ROWS]
    return [
        right("a plain table", good),
        right("line ends of CR LF", text(ROWS, end="\r\n")),
        right("line ends of CR", text(ROWS, end="\r")),
        right("a byte-order mark", b"\xef\xbb\xbf" + good.encode()),
        right("semicolons", good.replace(",", ";")),
        right("tabs", good.replace(",", "\t")),
        right("everything in quotes", text(quoted, '"length","colour","weight","kind"')),
        right("quotes, separators and line ends within quotes", text(marks)),
        right("empty lines", good.replace("\n", "\n\n")),
        right("no header", text(NUMBERS, ""), classes=("1", "2"), inputs=2),
        right("a mark and empty lines before numbers", "\ufeff\n\n" + text(NUMBERS, ""), classes=("1", "2"), inputs=2),
        right("names alone, with a header", text([f"{'ab'[i % 2]},{'pqr'[i % 3]}" for i in range(40)], "u,v"), classes=("p", "q", "r"), inputs=2),
        right("names alone, without a header", text([f"{'ab'[i % 2]},{'pqr'[i % 3]}" for i in range(40)], ""), classes=("p", "q", "r"), inputs=2),
        right("a label by name", good, "--label", "colour", classes=("blue", "green", "red"), inputs=4),
        right("a label by number", good, "--label", 2, classes=("blue", "green", "red"), inputs=4),
        right("a column dropped", good, "--drop", "colour", inputs=2),
        right("classes 1.0 and 2.0", text([r + ".0" for r in NUMBERS], "a,b,c"), classes=("1", "2"), inputs=2),
        refused("classes 1.0 and 1", changed(3, "1,2,1.0", NUMBERS, "a,b,c"), ["'c'", "'1'", "'1.0'", "two ways"]),
        right("classes 10 and 9", text([r[:-1] + ("9", "10")[i % 2] for i, r in enumerate(NUMBERS)], "a,b,c"), classes=("9", "10"), inputs=2),
        right("a class of one row", changed(5, "3,red,100,emu"), classes=("cat", "dog", "emu"), said="'emu' has one row"),
        right("a constant column", text([r + ",4,x" if i % 2 else r + ",4,y" for i, r in enumerate(NUMBERS)], "a,b,c,d,e"),
              classes=("x", "y"), inputs=4, said="column 'd' is 4"),
        right("missing values filled in", text(holes), "--missing", "mean"),
        refused("a short row", changed(7, "3,red,100"), ["line 7", "3 values", "4"]),
        refused("a long row", changed(7, "3,red,100,cat,cat"), ["line 7", "5 values", "4"]),
        refused("two columns of one name", text(ROWS, "a,b,a,kind"), ["line 1", "'a'", "1", "3"]),
        refused("a column without a name", text(ROWS, ",b,c,kind"), ["line 1", "column 1", "--drop"]),
        refused("a header alone", HEAD + "\n", ["header"]),
        refused("nothing at all", "", ["no sample"]),
        refused("one class", text([r.replace("dog", "cat") for r in ROWS]), ["'kind'", "one value", "'cat'"]),
        refused("real labels", text([r + ".5" for r in NUMBERS], "a,b,c"), ["line 2", "'1.5'", "'c'", "real numbers"]),
        refused("a label a row", text([f"{r[:-1]}id{i}" for i, r in enumerate(NUMBERS)], "a,b,c"), ["'c'", "40 different"]),
        refused("a missing label", changed(4, "3,red,100,"), ["line 4", "'kind'"]),
        refused("a label of a number among names", changed(4, "3,red,100,7"), ["line 4", "'7'", "'kind'"]),
        refused("an empty value", changed(9, "3,red,,cat"), ["line 9", "'weight'", "--missing mean"]),
        refused("a value of NA", changed(9, "NA,red,100,cat"), ["line 9", "'length'", "'NA'"]),
        refused("a category of ?", changed(9, "3,?,100,cat"), ["line 9", "'colour'", "'?'"]),
        refused("a word among numbers", changed(9, f"3,red,{word},cat"), ["line 9", f"'{word}'", "'weight'"]),
        refused("a number among words", changed(9, "3,17,100,cat"), ["line 9", "'17'", "'colour'"]),
        Case("a note, and then a refusal", ["train", "--data", f"csv:{write('seven', text(['7,' + r for r in ROWS], 'seven,' + HEAD))}", "-o", "x.h5", "--class-weights", "cat=2"],
             refused=["--class-weights", "'dog'"]),
        refused("a number beyond double", changed(9, "1e400,red,100,cat"), ["line 9", "'1e400'", "'length'"]),
        refused("a number in hexadecimal", changed(9, "0x1F,red,100,cat"), ["line 9", "'0x1F'", "'length'"]),
        refused("thousands in quotes", changed(9, '3,red,"1,100",cat'), ["line 9", "'1,100'", "'weight'"]),
        refused("decimal commas", text([r.replace(",", ";").replace(".", ",") for r in ROWS], HEAD.replace(",", ";")), ["'length'", "','"[1]]),
        refused("percent signs", text([f"{i % 9}%,{r}" for i, r in enumerate(NUMBERS)], "p,a,b,c"), ["line 2", "'0%'", "'p'"]),
        refused("a byte of zero", changed(9, "3,re\0d,100,cat"), ["0x00", "line 9"]),
        refused("bytes of Latin-1", changed(9, "3,gr\u00fcn,100,cat").encode("latin-1"), ["line 9", "value 2", "UTF-8"]),
        refused("text in UTF-16", good.encode("utf-16"), ["UTF-16"]),
        refused("a quote that is not closed", changed(9, '3,"red,100,cat'), ["line 9", "quote"]),
        refused("a quote within a value", changed(9, '3,re"d,100,cat'), ["line 9", "quote"]),
        refused("free text as a column", text([f"{r[:-1]}note {i},{i % 2}" for i, r in enumerate(NUMBERS)], "a,b,c,d"), ["'c'", "40 different", "--drop"]),
        refused("numbers that fp32 cannot tell apart", text([f"{1700000000 + i},{r}" for i, r in enumerate(NUMBERS)], "t,a,b,c"), ["'t'"]),
        *doubtful(refused, right),
        refused("a label that is not there", good, ["'species'", "'length'", "'kind'"], "--label", "species"),
        refused("a label of number 5", good, ["'5'", "4 columns"], "--label", 5),
        refused("the label dropped", good, ["'kind'"], "--label", "kind", "--drop", "kind"),
        refused("all but the label dropped", good, ["'kind'"], "--drop", "1,2,3"),
    ]


def prediction(shop):
    """Other tables for a network that knows one."""
    (shop / "known.csv").write_text(text(ROWS))
    shop.make("train", "--data", "csv:known.csv", "--epochs", 3, "--qat", "w8a8", "-o", "known.h5")
    want, good = shop.make("predict", "known.h5", "--data", "csv:known.csv").stdout, text(ROWS)
    cells = [r.split(",") for r in ROWS]

    def answers(csv):
        """Without the lines of the rows, which another header moves."""
        return [row.partition(",")[2] for row in csv.splitlines()]

    def same(name, content, said=""):
        argv = ["predict", "known.h5", "--data", "csv:-"]
        return Case(name, argv, right=lambda done: answers(done.stdout) == answers(want) and said in done.stderr, stdin=content)

    (shop / "coded.csv").write_text(beside(["01234", "10115", "02139"], "zip"))
    shop.make("train", "--data", "csv:coded.csv", "--categorical", "zip", "--epochs", 3, "--qat", "w8a8", "-o", "coded.h5")

    def refused(name, content, words, *args):
        argv = ["predict", "known.h5", "--data", "csv:-", *args]
        return Case(name, argv, refused=["standard input", *words], stdin=content)

    return [
        same("columns in another order", text([",".join(r[i] for i in (3, 1, 0, 2)) for r in cells], "kind,colour,length,weight")),
        same("no label", text([",".join(r[:3]) for r in cells], "length,colour,weight")),
        same("no header, in the same order", text(ROWS, "")),
        same("a column more", text([r + ",1" for r in ROWS], HEAD + ",extra"), "'extra'"),
        Case("codes as names are remembered", ["eval", "coded.h5", "--json"], right=lambda done: json.loads(done.stdout)["samples"] == 8),
        Case("codes as names are names elsewhere", ["predict", "coded.h5", "--data", "csv:-"], stdin="zip,a,b\n02139,1,2\n", right=lambda done: len(done.stdout.splitlines()) == 2),
        Case("another code", ["predict", "coded.h5", "--data", "csv:-"], stdin="zip,a,b\n02140,1,2\n", refused=["line 2", "'02140'", "'zip'"]),
        Case("codes that have lost a digit", ["predict", "coded.h5", "--data", "csv:-"], stdin="zip,a,b\n2139,1,2\n", refused=["line 2", "'2139'", "'zip'"]),
        refused("a number to the model as names", good, ["'weight'", "numbers"], "--categorical", "weight"),
        refused("a column less", text([",".join(r[1:]) for r in cells], "colour,weight,kind"), ["'length'"]),
        refused("an unknown category", changed(3, "3,pink,100,cat"), ["line 3", "'pink'", "'colour'"]),
        refused("an unknown class", changed(3, "3,red,100,cow"), ["line 3", "'cow'", "'cat', 'dog'"]),
        refused("a missing value", changed(3, ",red,100,cat"), ["line 3", "'length'"]),
        refused("other numbers of columns without a header", text([r[:-2] for r in NUMBERS[:5]], ""), ["2 columns", "'kind'"]),
        Case("an evaluation of the rows that were not trained", ["eval", "known.h5", "--data", "csv:known.csv", "--json"],
             right=lambda done: json.loads(done.stdout)["samples"] == 8 and json.loads(done.stdout)["classes"] == ["cat", "dog"]),
        Case("a label of pictures", ["eval", "known.h5", "--data", "digits", "--label", "kind"], refused=["digits", "--label"]),
        Case("a test share of pictures", ["train", "--data", "digits", "--test-share", "0.5", "-o", "x.h5"], refused=["digits", "--test-share"]),
        Case("a label without data", ["inspect", "known.h5", "--label", "kind"], refused=["--label", "--data"]),
    ]


def cases(shop):
    return training(shop) + prediction(shop)
