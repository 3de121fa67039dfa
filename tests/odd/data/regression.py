"""Numbers as labels: tables of regression."""
import csv
import io
import json
import re

import h5py
import numpy as np

from odd import Case

rng = np.random.default_rng(11)
x = rng.normal(size=(120, 3)) * [1, 10, 100] + [0, 5, -300]
y = np.stack([x[:, 0] * 40 + x[:, 1] * 3 + 900, x[:, 2] / 1000 - x[:, 0] / 10], 1) + rng.normal(size=(120, 2)) * [5, 0.02]


def table(change=None, columns="a,b,c,price,grade", values=None):
    """A header and a line a row; `change` may replace one by its number."""
    lines = [",".join(f"{v:.6g}" for v in row) for row in (np.concatenate([x, y], 1) if values is None else values)]
    return "\n".join([columns, *((change or {}).get(i, line) for i, line in enumerate(lines))]) + "\n"


def array_cases(shop):
    """Numbers as labels in arrays, one of a sample or several, however they are stored."""
    small, one = x.astype(np.float32), np.rint(y[:, 0])
    np.save(shop / "X.npy", small)
    np.save(shop / "Y.npy", y)
    np.save(shop / "fortran.npy", np.asfortranarray(y))
    np.save(shop / "whole.npy", one.astype(np.int64))
    np.save(shop / "few.npy", y[:119])
    np.save(shop / "three.npy", y[:, None])
    np.save(shop / "large.npy", y * 1e300)
    np.save(shop / "holes.npy", np.where(np.arange(120) == 7, np.nan, y[:, 0]))
    np.save(shop / "same.npy", y[:, 0] * 0 + 3)
    np.savez(shop / "every.npz", x=small, y=y)
    np.savez(shop / "parts.npz", x_train=small[:96], y_train=y[:96], x_test=small[96:], y_test=y[96:])
    np.savez(shop / "uneven.npz", x_train=small[:96], y_train=y[:96], x_test=small[96:], y_test=y[96:, :1])
    for name, parts in (("every.hdf5", {"": slice(None)}), ("parts.hdf5", {"train/": slice(96), "test/": slice(96, None)})):
        with h5py.File(shop / name, "w") as f:
            for part, rows in parts.items():
                f[f"{part}images"], f[f"{part}labels"] = small[rows], y[rows]
    with h5py.File(shop / "words.hdf5", "w") as f:
        f["images"], f["labels"] = small, np.array([b"a"] * 120)
    train = ["train", "--epochs", 20, "--seed", 2, "--task", "regression", "--qat", "w8a8"]

    def right(data, truth, tested):
        """What is measured is what the predictions of the test part say, in the labels' own units; every engine gives the same codes."""
        model = f"{data.replace(':', '_').replace(',', '_')}.h5"

        def check(done):
            eval_of = json.loads(shop.make("eval", model, "--json").stdout)
            rows = list(csv.reader(io.StringIO(shop.make("predict", model, "--data", data).stdout)))
            error = np.array(rows[1:], float)[tested, 1:] - truth[tested]
            spread = ((truth[tested] - truth[tested].mean(0)) ** 2).sum(0)
            return (rows[0][1:] == (["target"] if truth.shape[1] == 1 else ["target 1", "target 2"]) and eval_of["samples"] == tested.sum()
                    and np.allclose([t["r2"] for t in eval_of["targets"]], 1 - (error**2).sum(0) / spread, atol=1e-4)
                    and np.allclose([t["rmse"] for t in eval_of["targets"]], np.sqrt((error**2).mean(0)), rtol=1e-3)
                    and "0 codes differ" in shop.make("verify", model).stdout)

        return Case(f"numbers in arrays: {data}", [*train, "--data", data, "-o", model], right=check)

    def refused(data, words, *args):
        return Case(f"numbers in arrays: {data}", [*train, "--data", data, "-o", "x.h5", *args], refused=words)

    fifth, behind = np.arange(120) % 5 == 4, np.arange(120) >= 96
    shop.make(*train, "--data", "npy:X.npy,Y.npy", "-o", "arrays.h5")
    return [
        right("npy:X.npy,Y.npy", y, fifth), right("npy:X.npy,fortran.npy", y, fifth), right("npy:X.npy,whole.npy", one[:, None], fifth),
        right("npz:every.npz", y, fifth), right("npz:parts.npz", y, behind), right("hdf5:every.hdf5", y, fifth), right("hdf5:parts.hdf5", y, behind),
        refused("npy:X.npy,few.npy", ["few.npy", "119", "120"]), refused("npy:X.npy,three.npy", ["three.npy", "3 dimensions"]),
        refused("npy:X.npy,large.npy", ["large.npy", "sample 0", "single precision"]), refused("npy:X.npy,holes.npy", ["X.npy", "sample 7", "nan"]),
        refused("npy:X.npy,same.npy", ["X.npy", "'target'", "3"]), refused("npz:uneven.npz", ["uneven.npz", "1 numbers", "2"]),
        refused("hdf5:words.hdf5", ["words.hdf5", "labels", "numbers"]), refused("npy:X.npy", ["X.npy", "labels"]),
        refused("f32:X.npy", ["f32:X.npy", "--task"]), refused("npy:X.npy,Y.npy", ["--label", "csv:"], "--label", "a"),
        Case("numbers in arrays: without the task", ["train", "--data", "npy:X.npy,Y.npy", "-o", "x.h5"], refused=["Y.npy", "--task regression"]),
        Case("numbers in HDF5: without the task", ["train", "--data", "hdf5:words.hdf5", "-o", "x.h5"], refused=["words.hdf5", "labels"]),
        Case("numbers in arrays: one of two", ["eval", "arrays.h5", "--data", "npy:X.npy,whole.npy"], refused=["X.npy", "1 numbers", "2"]),
    ]


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

    def cost(done):
        """Float and quantized measures are those of eval."""
        got, now = json.loads(done.stdout), json.loads(shop.make("eval", "y.h5", "--data", "csv:one.csv", "--json").stdout)
        before = json.loads(shop.make("eval", "one.h5", "--data", "csv:one.csv", "--json").stdout)
        return all(abs(a[k] - b[k]) < 1e-5 * b[k] for a, b in ((got["targets"][0], now["targets"][0]), (got["float"]["targets"][0], before["targets"][0]))
                   for k in ("r2", "rmse", "mae"))

    turned = np.concatenate([y[:, 1:], x[:, ::-1], y[:, :1]], 1)
    (shop / "turned.csv").write_text(table(columns="grade,c,b,a,price", values=turned))
    return [
        case("measures in the table's units", "eval", "two.h5", "--data", "csv:good.csv", "--test-share", 1, "--json", right=in_units),
        case("every code of every engine", "verify", "two.h5", "--data", "csv:good.csv", right=lambda done: "0 codes differ" in done.stdout),
        case("without labels", "predict", "two.h5", "--data", "csv:inputs.csv", right=alike("predict", "two.h5", "--data", "csv:good.csv")),
        case("quantized afterwards", "quantize", "one.h5", "--data", "csv:one.csv", "-o", "y.h5",
             right=lambda done: "SQNR" in done.stdout and "RMSE" in done.stdout and "accuracy" not in done.stdout),
        case("what that costs", "quantize", "one.h5", "--data", "csv:one.csv", "-o", "y.h5", "--json", right=cost),
        *array_cases(shop),
        case("trained on", "train", "--init", "one.h5", "--data", "csv:one.csv", "--epochs", 2, "--qat", "w8a8", "-o", "z.h5", right=lambda done: "R^2" in done.stdout),
        case("an evaluation without labels", "eval", "two.h5", "--data", "csv:inputs.csv", refused=["inputs.csv", "'price'", "label"]),
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
