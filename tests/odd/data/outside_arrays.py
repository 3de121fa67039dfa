"""Pictures a line each, and arrays: what a reader of the documents expects."""
import io
import json
import struct

import h5py
import numpy as np

from odd import Case
from outside_tables import put


def cases(shop):
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

    return [
        trained("pictures of CSV with the label last", "csv:label_last.csv", (7, 8)),
        trained("pictures with the label first, by --label", "csv:label_first.csv", (7, 8), "--label", "label"),
        equal("npy in Fortran's order", "npy:fortran.npy"),
        equal("npy of big-endian integers", "npy:big.npy"),
        equal("npy of version 2", "npy:v2.npy"),
        equal("npy of reals in halves", "npy:half.npy"),
        trained("pictures as Kaggle has them: the label first, and named", "csv:label_first.csv", (7, 8)),
        equal("new pictures as Kaggle has them", "csv:label_first.csv", want),
        trained("npy with labels in a column", "npy:x.npy,y_column.npy", (0, 1)),
        trained("npy of reals, with labels beside it", "npy:real.npy,t.npy", (0, 1)),
        refused("npy with labels of reals that are whole", "npy:x.npy,y_whole.npy", ["y_whole.npy"]),
        refused("npy of one axis", "npy:line.npy,t.npy", ["line.npy"]),
        refused("npy without labels", "npy:x.npy", ["x.npy", "label"]),
        refused("npy with a label too few", "npy:x.npy,y_short.npy", ["y_short.npy", "39", "40"]),
        refused("npy with one class", "npy:x.npy,y_one.npy", ["y_one.npy", "class 0"]),
        refused("npy with channels last", "npy:x_last.npy,t.npy", ["x_last.npy", "16,16,3"]),
        refused("npy of grey with a last axis of 1", "npy:x_grey.npy,t.npy", ["x_grey.npy", "8,8,1"]),
        Case("npy with labels from 1", ["train", "--data", "npy:x.npy,y_from_1.npy", "--epochs", 1, "-o", "from_1.h5"],
             right=lambda d: "of 3 classes, counted from 0, no training sample is of 0" in d.stderr),
        refused("npz with a class that training lacks", npz("lacks.npz", x_train=u, y_train=t, x_test=u, y_test=t + 1),
                ["lacks.npz", "y_test", "2"]),
        Case("a training to be resumed, with fewer samples than it began with",
             ["train", "--data", "npy:x.npy,t.npy", "--epochs", 1, "--resume", "-o", "begun.h5"],
             refused=["begun.h5", "npy:x.npy,t.npy", "40", "32"]),
        refused("npy with labels that are real", "npy:x.npy,y_real.npy", ["y_real.npy"]),
        refused("npy with one-hot labels", "npy:x.npy,y_hot.npy", ["y_hot.npy", "2 dimensions"]),
        refused("npy with negative labels", "npy:x.npy,y_minus.npy", ["y_minus.npy", "-1"]),
        refused("npy with labels of text", "npy:x.npy,y_text.npy", ["y_text.npy"]),
        refused("npy with huge labels", "npy:x.npy,y_huge.npy", ["y_huge.npy", str(2**40)]),
        refused("npy with labels in the place of samples", "npy:t.npy,x.npy", ["t.npy"]),
        equal("new npy of grey with a last axis of 1", "npy:x_grey.npy"),
        refused("npy of booleans", "npy:y_bool.npy,t.npy", ["y_bool.npy", "b1"]),
        refused("npy with labels of booleans", "npy:x.npy,y_bool.npy", ["y_bool.npy", "b1"]),
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
    ]
