"""Numbers as labels: tables of regression."""
import csv
import io
import json
import re

import numpy as np

from odd import Case

rng = np.random.default_rng(11)
x = rng.normal(size=(120, 3)) * [1, 10, 100] + [0, 5, -300]
y = np.stack([x[:, 0] * 40 + x[:, 1] * 3 + 900, x[:, 2] / 1000 - x[:, 0] / 10], 1) + rng.normal(size=(120, 2)) * [5, 0.02]


def table(change=None, columns="a,b,c,price,grade", values=None):
    """A header and a line a row; `change` may replace one by its number."""
    lines = [",".join(f"{v:.6g}" for v in row) for row in (np.concatenate([x, y], 1) if values is None else values)]
    return "\n".join([columns, *((change or {}).get(i, line) for i, line in enumerate(lines))]) + "\n"


def cases(shop):
    (shop / "good.csv").write_text(table())
    (shop / "inputs.csv").write_text(table(columns="a,b,c", values=x))
    (shop / "one.csv").write_text(table(columns="a,b,c,price", values=np.concatenate([x, y[:, :1]], 1)))
    train = ["train", "--epochs", 20, "--seed", 2, "--task", "regression"]
    shop.make(*train, "--data", "csv:good.csv", "--label", "price,grade", "--qat", "w8a8", "-o", "two.h5")
    shop.make(*train, "--data", "csv:one.csv", "-o", "one.h5")
    shop.make("export", "two.h5", "--to", "c", "--data", "csv:good.csv", "-o", "two_c")

    def case(name, *argv, refused=None, right=None):
        return Case(f"numbers to learn: {name}", list(argv), refused=refused, right=right)

    def refused(name, text, words, *more):
        path = shop / f"{name.replace(' ', '_')}.csv"
        path.write_text(text)
        return case(name, *train, "--data", f"csv:{path.name}", "-o", "x.h5", *more, refused=words)

    def predicted(*argv):
        text = shop.make("predict", "two.h5", "--data", *argv).stdout
        rows = list(csv.reader(io.StringIO(text)))
        return rows[0], np.array(rows[1:], float)[:, 1:]

    def in_units(done):
        """The measures are those of the predictions, in the table's units, and these are the outputs times std plus mean."""
        head, values = predicted("csv:good.csv")
        got = json.loads(done.stdout)
        header = next((shop / "two_c").glob("*.h")).read_text()
        factors = [np.array(re.search(rf"TARGET_{w} {{(.*)}}", header)[1].replace("f", "").split(","), float) for w in ("MEANS", "STDS")]
        raw = predicted("csv:good.csv", "--raw")[1]
        error = values - np.array([[float(f"{v:.6g}") for v in row] for row in y])
        return (head == ["line", "price", "grade"] and np.allclose(values, raw * factors[1] + factors[0], rtol=1e-5)
                and all(abs(t["rmse"] - np.sqrt((e**2).mean())) < 1e-3 * t["rmse"] and abs(t["mae"] - abs(e).mean()) < 1e-3 * t["mae"]
                        and abs(t["r2"] - (1 - (e**2).sum() / ((v - v.mean()) ** 2).sum())) < 1e-3 for t, e, v in zip(got["targets"], error.T, y.T))
                and abs(got["r2"] - np.mean([t["r2"] for t in got["targets"]])) < 1e-6 and got["r2"] > 0.5)

    def alike(*argv):
        return lambda done: done.stdout == shop.make(*argv).stdout

    turned = np.concatenate([y[:, 1:], x[:, ::-1], y[:, :1]], 1)
    (shop / "turned.csv").write_text(table(columns="grade,c,b,a,price", values=turned))
    return [
        case("measures in the table's units", "eval", "two.h5", "--data", "csv:good.csv", "--test-share", 1, "--json", right=in_units),
        case("every code of every engine", "verify", "two.h5", "--data", "csv:good.csv", right=lambda done: "0 codes differ" in done.stdout),
        case("without labels", "predict", "two.h5", "--data", "csv:inputs.csv", right=alike("predict", "two.h5", "--data", "csv:good.csv")),
        case("quantized afterwards", "quantize", "one.h5", "--data", "csv:one.csv", "-o", "y.h5", right=lambda done: "SQNR" in done.stdout),
        case("trained on", "train", "--init", "one.h5", "--data", "csv:one.csv", "--epochs", 2, "--qat", "w8a8", "-o", "z.h5", right=lambda done: "R^2" in done.stdout),
        case("an evaluation without labels", "eval", "two.h5", "--data", "csv:inputs.csv", refused=["inputs.csv", "labels"]),
        case("one label of two", "eval", "two.h5", "--data", "csv:one.csv", refused=["one.csv", "grade"]),
        case("real labels without the task", "train", "--data", "csv:good.csv", "-o", "x.h5", refused=["good.csv", "grade", "--task regression"]),
        case("a task nobody knows", *train[:-1], "ranking", "--data", "csv:good.csv", "-o", "x.h5", refused=["--task", "ranking", "regression"]),
        case("pictures", *train, "--data", "digits", "-o", "x.h5", refused=["digits", "--task"]),
        case("weights of classes", *train, "--data", "csv:good.csv", "--class-weights", "auto", "-o", "x.h5", refused=["--class-weights", "regression"]),
        case("smooth labels", *train, "--data", "csv:good.csv", "--label-smoothing", 0.1, "-o", "x.h5", refused=["--label-smoothing", "regression"]),
        case("a label twice", *train, "--data", "csv:good.csv", "--label", "price,price", "-o", "x.h5", refused=["price", "twice"]),
        case("a label that is not there", *train, "--data", "csv:good.csv", "--label", "price,weight", "-o", "x.h5", refused=["weight"]),
        case("a label that is dropped", *train, "--data", "csv:good.csv", "--label", "price", "--drop", "price", "-o", "x.h5", refused=["price", "dropped"]),
        case("resume as classes", "train", "--data", "csv:good.csv", "--resume", "-o", "two.h5", refused=["good.csv", "--task regression"]),
        refused("a word among numbers", table({6: "1,2,3,4,cheap"}), ["line 8", "cheap", "grade"]),
        refused("a label that is missing", table({6: "1,2,3,4,"}), ["line 8", "grade"]),
        refused("a label beyond single precision", table({6: "1,2,3,4,1e39"}), ["line 8", "1e39"]),
        refused("a label that never changes", table(values=np.concatenate([x, y[:, :1], y[:, 1:] * 0 + 7], 1)), ["grade", "7"]),
        refused("labels that hardly change", table(columns="a,b,c,year", values=np.concatenate([x, 1e9 + y[:, :1]], 1)).replace("1e+09", "1000000000"), ["year"]),
        refused("no column besides the labels", "a,b\n1,2.5\n2,3.5\n3,4.5\n4,5.5\n5,6.5\n", ["label"], "--label", "a,b"),
        case("columns in another order", "predict", "two.h5", "--data", "csv:turned.csv", right=alike("predict", "two.h5", "--data", "csv:good.csv")),
    ]
