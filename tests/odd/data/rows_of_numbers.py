"""Arrays of real numbers [N,K]: tables whose columns are found by their place, as those of a CSV file without a header."""
import json

import numpy as np

from odd import Case

rng = np.random.default_rng(3)
N = 90


def cases(shop):
    label = np.arange(N) % 3
    x = rng.standard_normal((N, 5)) + label[:, None] * [3, 0, -3, 1, 0]
    x = (x * [1, 1e-4, 1e3, 20, 1e5] + [0, 5, 1e4, -70, 0]).astype(np.float32) # each column has its own unit
    constant = x.copy()
    constant[:, 1] = 4
    close = x.astype(np.float64)
    close[:, 2] = 1e9 + 1e3 * rng.standard_normal(N)
    arrays = {"x": x, "y": label, "four": x[:, :4], "ints": np.round(x * [1, 1e5, 1, 1, 1]).astype(np.int64), "bytes": (x[:, :4] > 0).astype(np.uint8),
              "constant": constant, "close": close, "numbers": x @ np.array([1, 1e4, 1e-3, .1, 1e-5], np.float32)}
    for name, a in arrays.items():
        np.save(shop / f"{name}.npy", a)
    np.savez(shop / "both.npz", x=x, y=label)
    with open(shop / "x.csv", "w") as f:
        f.writelines(",".join(repr(float(v)) for v in row) + f",{y}\n" for row, y in zip(x, label))
    with open(shop / "bare.csv", "w") as f:
        f.writelines(",".join(repr(float(v)) for v in row) + "\n" for row in x)

    def trained(name, data, *more, inputs=5, score=90, said=""):
        out = f"{name.replace(' ', '_')}.h5"

        def right(done):
            told = json.loads(done.stdout)
            columns = json.loads(shop.make("inspect", out, "--json").stdout)["schema"]["columns"]
            best = 100 * told["accuracy"] if "accuracy" in told else 100 * told["r2"]
            return len(columns) == inputs and columns[0]["name"] == "column 1" and best >= score and said in done.stderr

        return Case(name, ["train", "--data", data, "-o", out, "--json", *more], right=right)

    def verified(done):
        shop.make("export", "int8.h5", "--to", "c", "--name", "rows", "-o", "c")
        return "0 codes differ" in done.stdout and "rows_quantize_columns(const float *raw" in (shop / "c/rows.h").read_text()

    def as_table(done):
        """What a CSV file of the same rows gives, but for the column that says which line it was."""
        other = shop.make("predict", "int8.h5", "--data", "npy:x.npy", "--engine", "integer").stdout
        first, second = ([line.split(",")[1:] for line in text.splitlines()] for text in (done.stdout, other))
        return first == second and len(first) == N + 1

    shop.make("train", "--data", "npy:x.npy,y.npy", "--qat", "w8a8", "-o", "int8.h5")
    return [
        trained("columns of different units", "npy:x.npy,y.npy"),
        trained("the same in an archive", "npz:both.npz"),
        trained("four columns are no picture of 2x2", "npy:four.npy,y.npy", inputs=4),
        trained("columns of integers", "npy:ints.npy,y.npy"),
        trained("a column of one value", "npy:constant.npy,y.npy", said="column 2 is 4"),
        trained("numbers to learn", "npy:x.npy,numbers.npy", "--task", "regression"),
        Case("a column that single precision does not tell apart", ["train", "--data", "npy:close.npy,y.npy", "-o", "close.h5"],
             refused=["close.npy", "column 3"]),
        Case("bytes are raw values", ["train", "--data", "npy:bytes.npy,y.npy", "--epochs", 1, "-o", "bytes.h5"],
             right=lambda d: "0..255" in shop.make("inspect", "bytes.h5").stdout),
        Case("every code, and C that takes rows as they are", ["verify", "int8.h5"], right=verified),
        Case("the same rows as CSV", ["predict", "int8.h5", "--data", "csv:bare.csv", "--engine", "integer"], right=as_table),
        Case("another number of columns", ["predict", "int8.h5", "--data", "npy:four.npy"], refused=["four.npy", "[90,4]"]),
    ]
