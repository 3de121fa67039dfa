"""Folds of small tables: what is measured, what is kept, and where they have no meaning."""
import json
import random

import numpy as np

from odd import Case

CLASSES = ("ash", "beech", "elm")


def table(rows, numbers=False, seed=5):
    """Classes (or a number to learn) that two columns almost tell; the last class has a fifth of the rows."""
    draw, lines = random.Random(seed), ["length,width,kind"]
    for i in range(rows):
        k = (0, 0, 1, 1, 2)[i % 5]
        x = [k + draw.gauss(0, 0.5), 10 * k + draw.gauss(0, 4)]
        lines.append(f"{x[0]:.4f},{x[1]:.4f},{f'{x[0] * 3 + x[1] + draw.gauss(0, 1):.4f}' if numbers else CLASSES[k]}")
    return "\n".join(lines) + "\n"


def hidden(noise, columns, rows, seed=3):
    """Two classes by a border in the first two columns: a line that is drowned in noise, or (none) a circle."""
    draw, lines = random.Random(seed), [",".join(f"c{j}" for j in range(columns)) + ",kind"]
    for _ in range(rows):
        x = [draw.gauss(0, 1) for _ in range(columns)]
        inside = x[0] + x[1] + draw.gauss(0, noise) > 0 if noise else x[0] ** 2 + x[1] ** 2 > 1.4
        lines.append(",".join(f"{v:.3f}" for v in x) + "," + "ab"[inside])
    return "\n".join(lines) + "\n"


def measured(done, rows, score="accuracy", folds=4, in_float=True):
    """Every row is tested once; means and standard errors are those of the folds."""
    got = json.loads(done.stdout)
    right = len(got["folds"]) == folds and sum(f["rows"] for f in got["folds"]) == rows
    for key in (score, f"float_{score}"):
        values = [f[key] for f in got["folds"]]
        if key.startswith("float") and not in_float:
            right &= values == [None] * folds and got[key] is None
            continue
        right &= abs(got[key] - np.mean(values)) < 1e-9 and abs(got[f"{key}_standard_error"] - np.std(values, ddof=1) / folds**0.5) < 1e-9
        right &= 0.6 < got[key] < 1
    return right


def cases(shop):
    (shop / "trees.csv").write_text(table(100))
    (shop / "sizes.csv").write_text(table(60, numbers=True))
    (shop / "rare.csv").write_text(table(50) + "1,2,oak\n3,4,oak\n")
    (shop / "single.csv").write_text(table(50) + "1,2,oak\n")
    (shop / "few.csv").write_text(table(7, numbers=True))
    train = ["train", "--data", "csv:trees.csv", "--epochs", 12, "--folds", 4]

    (shop / "noise.csv").write_text(hidden(2, 20, 150))
    (shop / "circle.csv").write_text(hidden(0, 2, 300))

    def decay(value):
        return lambda done: f"weight decay {value}," in done.stdout

    def kept(done):
        """The network of all rows: its means are theirs, and all of them are measured, which is said."""
        shop.make(*train, "--qat", "w8a8", "-o", "all.h5")
        columns = json.loads(shop.make("inspect", "all.h5", "--json").stdout)["schema"]["columns"]
        values = np.loadtxt(shop / "trees.csv", delimiter=",", skiprows=1, usecols=(0, 1))
        own = shop.make("eval", "all.h5", "--json")
        return (measured(done, 100) and json.loads(done.stdout)["checkpoint"] == "all.h5" and json.loads(own.stdout)["samples"] == 100
                and "trained on all rows" in own.stderr and np.allclose([c["mean"] for c in columns], values.mean(0), rtol=1e-5))

    def lines(done):
        out = done.stdout.splitlines()
        return [line[:8] for line in out[1:5]] == [f"fold {i}/4" for i in range(1, 5)] and "+-" in out[-1] and "epoch" not in done.stdout.split("\n", 1)[1]

    def again(*argv):
        return lambda done: json.loads(done.stdout)["folds"] == json.loads(shop.make(*argv, "--json").stdout)["folds"]

    def other(done):
        return json.loads(done.stdout)["folds"] != json.loads(shop.make(*train, "--json").stdout)["folds"]

    def case(name, *argv, refused=None, right=None):
        return Case(f"folds: {name}", list(argv), refused=refused, right=right)

    return [
        case("classes, in float", *train, "--json", right=lambda done: measured(done, 100, in_float=False)),
        case("classes, in float and integers, and a network of all rows", *train, "--qat", "w8a8", "-o", "all.h5", "--json", right=kept),
        Case("a weight decay for noise", ["train", "--data", "csv:noise.csv", "-o", "n.h5"], right=decay("4 (by the training rows)")),
        Case("a weight decay for a curved border", ["train", "--data", "csv:circle.csv", "-o", "x.h5"], right=decay("0.25 (by the training rows)")),
        Case("a weight decay that is said", ["train", "--data", "csv:noise.csv", "--weight-decay", 2, "-o", "x.h5"], right=decay("2")),
        Case("a chosen weight decay is kept on the way", ["train", "--data", "csv:noise.csv", "-o", "n.h5", "--resume"], right=decay("4 (by the training rows)")),
        case("a line each", *train, "--qat", "w8a8", right=lines),
        case("the same again, whatever the threads", *train, "--json", "--threads", 1, right=again(*train, "--threads", 2)),
        case("another draw", *train, "--split-seed", 9, "--json", right=other),
        case("numbers to learn", "train", "--data", "csv:sizes.csv", "--task", "regression", "--folds", 4, "--qat", "w8a8", "--json",
             right=lambda done: measured(done, 60, "r2")),
        case("as many as the smallest class has rows", "train", "--data", "csv:rare.csv", "--epochs", 2, "--folds", 2, "--json",
             right=lambda done: sum(f["rows"] for f in json.loads(done.stdout)["folds"]) == 52),
        case("more than that", "train", "--data", "csv:rare.csv", "--folds", 3, refused=["rare.csv", "'oak'", "2 rows", "--folds 2"]),
        case("a class of one row", "train", "--data", "csv:single.csv", "--folds", 2, refused=["single.csv", "'oak'", "1 row"]),
        case("too few numbers", "train", "--data", "csv:few.csv", "--task", "regression", "--folds", 4, refused=["few.csv", "7 rows", "--folds 3"]),
        case("one", *train[:-1], 1, refused=["--folds", "'1'", "2"]),
        case("data with a test part of their own", "train", "--data", "digits", "--folds", 4, refused=["digits", "--folds"]),
        case("pictures as CSV", "train", "--data", "csv:trees.csv:1x1x2", "--folds", 4, refused=["trees.csv", "--folds"]),
        case("a test share", *train, "--test-share", 0.3, refused=["--test-share", "--folds"]),
        case("a limit", *train, "--limit", 30, refused=["--limit", "--folds"]),
        case("the best epoch", *train, "--best", "b.h5", "-o", "x.h5", refused=["--best", "--folds"]),
        case("curves", *train, "--plot", "c.svg", refused=["--plot", "--folds"]),
        case("a resumed training", *train, "--resume", "-o", "all.h5", refused=["--resume", "--folds"]),
        case("a network that has learned already", *train, "--init", "all.h5", refused=["--init", "--folds"]),
        case("a table that is read once", "train", "--data", "csv:-", "--folds", 4, refused=["csv:-", "--folds"]),
        case("an output onto the table", *train, "-o", "trees.csv", refused=["-o", "trees.csv"]),
        case("neither an output nor folds", "train", "--data", "csv:trees.csv", refused=["-o"]),
        case("a training that goes on from one of all rows", "train", "--data", "csv:trees.csv", "--epochs", 12, "--qat", "w8a8", "--resume", "-o", "all.h5",
             refused=["all.h5", "rows"]),
    ]
