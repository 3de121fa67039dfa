"""Odd inputs as somebody meets them who knows the documentation alone:
data of every kind.

Broken by: such an input that is read by half; a refusal that does not name the thing.
"""

import gzip
import warnings
import zipfile

import h5py
import numpy as np
from made.inputs import behind_flatten, make_plain, network, PIXELS, RNG, table
from odd import Case


def data_cases(shop):
    cases = []

    def refused(name, spec, words, command="predict", *more):
        cases.append(Case(name, [command, "plain.h5", "--data", spec, *more], refused=words))

    make_plain(shop)
    (shop / "bytes.onnx").write_bytes(behind_flatten().SerializeToString())
    shop.make("import", "bytes.onnx", "--raw-max", "255", "--mean", "0.5", "--std", "0.25", "-o", "bytes.h5")

    def outputs(array, spec, model="plain"):
        """The outputs for data written some odd way are those for the same numbers written plainly."""

        def check(done):
            np.save(shop / "plainly.npy", array)
            plainly = shop.make("predict", f"{model}.h5", "--data", "npy:plainly.npy", "--raw")
            return done.stdout == plainly.stdout and done.stdout.count("\n") >= len(array)

        return Case(f"the same numbers: {spec}", ["predict", f"{model}.h5", "--data", spec, "--raw"], right=check)

    np.save(shop / "fortran.npy", np.asfortranarray(PIXELS))
    np.save(shop / "big.npy", PIXELS.astype(">f4"))
    cases += [outputs(PIXELS, "npy:fortran.npy"), outputs(PIXELS, "npy:big.npy")]
    np.save(shop / "complex.npy", PIXELS.astype(np.complex64))
    refused("complex numbers", "npy:complex.npy", ["complex.npy", "c8"])
    np.save(shop / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused("pickled objects", "npy:objects.npy", ["objects.npy", "O"])
    np.savez(shop / "several.npz", a=PIXELS)
    refused("an archive of arrays", "npy:several.npz", ["several.npz"])
    labels = np.arange(len(PIXELS)) % 3
    np.savez(shop / "plain.npz", x=PIXELS)
    np.savez_compressed(shop / "parts.npz", x_train=PIXELS[:4], y_train=labels[:4], x_test=PIXELS[4:], y_test=labels[4:])
    np.save(shop / "labels.npy", labels)
    cases += [outputs(PIXELS, "npz:plain.npz"), outputs(PIXELS, "npz:parts.npz"), outputs(PIXELS, "npy:big.npy,labels.npy")]
    refused("an archive of other arrays", "npz:several.npz", ["several.npz", "a.npy", "x_train"])
    np.savez(shop / "more.npz", x=PIXELS, y=labels, z=labels)
    refused("an array too many in an archive", "npz:more.npz", ["more.npz", "z.npy"])
    np.savez(shop / "fewer.npz", x=PIXELS, y=labels[:-1])
    refused("fewer labels than samples", "npz:fewer.npz", ["fewer.npz", "y.npy", str(len(PIXELS) - 1)])
    np.savez(shop / "real.npz", x=PIXELS, y=labels + 0.5)
    refused("labels that are no integers", "npz:real.npz", ["real.npz", "y.npy", "f8"])
    np.savez(shop / "half.npz", x_train=PIXELS, y_train=labels)
    refused("an archive without a test part", "npz:half.npz", ["half.npz", "x_test.npy"])
    np.savez(shop / "pickled.npz", x=np.array([{"a": 1}], dtype=object))
    refused("pickled objects in an archive", "npz:pickled.npz", ["pickled.npz", "x.npy", "O"])
    whole = (shop / "parts.npz").read_bytes()
    (shop / "cut.npz").write_bytes(whole[: len(whole) // 2])
    refused("an archive that is cut short", "npz:cut.npz", ["cut.npz"])
    at = whole.index(b"x_train.npy") + 200
    (shop / "flipped.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    refused("a flipped bit in an archive", "npz:flipped.npz", ["flipped.npz", "x_train.npy"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(shop / "twice.npz", "w") as z:
            for _ in range(2):
                z.write(shop / "big.npy", "x.npy")
    refused("an array that stands twice in an archive", "npz:twice.npz", ["twice.npz", "x.npy"])
    refused("a file that is no archive", "npz:big.npy", ["big.npy", "zip"])
    refused("labels that are not there", "npy:big.npy,nowhere.npy", ["nowhere.npy"])
    np.save(shop / "none.npy", PIXELS[:0])
    refused("an array of no samples", "npy:none.npy", ["none.npy", "0"])
    np.save(shop / "flat.npy", PIXELS[0].ravel())
    refused("an array of one dimension", "npy:flat.npy", ["flat.npy", "64"])
    raw = (shop / "fortran.npy").read_bytes()
    (shop / "cut.npy").write_bytes(raw[:-10])
    refused("an array that is cut short", "npy:cut.npy", ["cut.npy"])
    (shop / "longer.npy").write_bytes(raw + b"1234")
    refused("bytes behind an array", "npy:longer.npy", ["longer.npy", "4"])
    strange = PIXELS.copy()
    strange[2, 0, 3, 3] = np.nan
    np.save(shop / "nan.npy", strange)
    refused("a pixel that is not a number", "npy:nan.npy", ["nan.npy", "nan"])
    np.save(shop / "wide.npy", RNG.random((6, 1, 9, 9), dtype=np.float32))
    refused("images of another size", "npy:wide.npy", ["wide.npy", "9", "8"])
    np.save(shop / "minus.npy", np.full((4, 1, 8, 8), -3, np.int16))
    cases.append(
        Case("raw values below 0", ["predict", "bytes.h5", "--data", "npy:minus.npy"], refused=["minus.npy", "-3"])
    )
    np.save(shop / "deep.npy", np.full((4, 1, 8, 8), 4095, np.uint16))
    cases.append(
        Case(
            "12-bit images for a network of bytes",
            ["predict", "bytes.h5", "--data", "npy:deep.npy"],
            refused=["deep.npy", "4095", "255"],
        )
    )

    def h5(name, **sets):
        with h5py.File(shop / name, "w") as f:
            for key, value in sets.items():
                f[key.replace("__", "/")] = value
        return f"hdf5:{name}"

    some = RNG.integers(0, 255, (10, 1, 8, 8), dtype=np.uint8)
    labels = np.arange(10)
    refused("no data set of that name", h5("named.h5", X=some, y=labels), ["named.h5", "images"])
    refused("fewer labels than images", h5("fewer.h5", images=some, labels=labels[:7]), ["fewer.h5", "10", "7"], "eval")
    refused("labels one-hot", h5("onehot.h5", images=some, labels=np.eye(10)), ["onehot.h5", "labels"], "eval")
    refused(
        "labels of halves", h5("halves.h5", images=some, labels=labels + 0.5), ["halves.h5", "labels", "0.5"], "eval"
    )
    refused("a label below 0", h5("below.h5", images=some, labels=labels - 1), ["below.h5", "-1"], "eval")
    refused(
        "labels of words", h5("words.h5", images=some, labels=np.array([b"cat"] * 10)), ["words.h5", "labels"], "eval"
    )
    refused(
        "a test set without a training set's size",
        h5("mixed.h5", train__images=some, train__labels=labels, test__images=some[:, :, :7], test__labels=labels),
        ["mixed.h5", "7", "8"],
        "eval",
    )
    with h5py.File(shop / "raw100.h5", "w") as f:
        f["images"], f["labels"], f.attrs["raw_max"] = some, labels, 100
    refused("a raw value above the file's own raw_max", "hdf5:raw100.h5", ["raw100.h5", "100"])
    with h5py.File(shop / "rawminus.h5", "w") as f:
        f["images"], f["labels"], f.attrs["raw_max"] = some, labels, -5
    refused("a raw_max below 0", "hdf5:rawminus.h5", ["rawminus.h5", "raw_max", "-5"])
    (shop / "text.h5").write_text("no HDF5 at all\n")
    refused("text in the place of HDF5", "hdf5:text.h5", ["text.h5"])

    def csv(name, text, encoding="utf-8"):
        (shop / name).write_bytes(text.encode(encoding))
        return f"csv:{name}"

    good = [",".join(f"{v:.3f}" for v in PIXELS[i].ravel()) for i in range(6)]
    rows = [f"{line},{i}" for i, line in enumerate(good)]
    refused(
        "a line with a value less",
        csv("ragged.csv", "\n".join(rows[:2] + [rows[2].split(",", 1)[1]] + rows[3:]) + "\n"),
        ["ragged.csv", "3"],
    )
    refused(
        "semicolons and decimal commas",
        csv("german.csv", "\n".join(r.replace(",", ";").replace(".", ",") for r in rows) + "\n"),
        ["german.csv"],
    )
    refused(
        "a word among the numbers",
        csv("na.csv", "\n".join(rows[:3] + ["N/A" + rows[3][5:]] + rows[4:]) + "\n"),
        ["na.csv", "4"],
    )
    refused("an empty cell", csv("hole.csv", "\n".join(rows[:1] + [rows[1][5:]] + rows[2:]) + "\n"), ["hole.csv", "2"])
    refused(
        "a number in hexadecimal",
        csv("hex.csv", "\n".join(rows[:1] + ["0x1" + rows[1][5:]] + rows[2:]) + "\n"),
        ["hex.csv", "2"],
    )
    refused(
        "a number too large",
        csv("huge.csv", "\n".join(rows[:1] + ["1e999" + rows[1][5:]] + rows[2:]) + "\n"),
        ["huge.csv", "2"],
    )
    refused(
        "a label of one and a half",
        csv("half.csv", "\n".join(f"{g},1.5" for g in good) + "\n"),
        ["half.csv", "1.5"],
        "eval",
    )
    refused("a table in UTF-16", csv("wide.csv", "\n".join(rows) + "\n", "utf-16"), ["wide.csv"])
    header = ",".join(f"p{i}" for i in range(64)) + ",label"
    refused(
        "a second header, of two files put together",
        csv("joined.csv", "\n".join([header, *rows, header, *rows]) + "\n"),
        ["joined.csv", "8"],
    )
    refused("a file of a header alone", csv("header.csv", header + "\n"), ["header.csv"])
    refused("an empty table", csv("void.csv", ""), ["void.csv"])
    refused(
        "a shape that the values are not", csv("shaped.csv", "\n".join(rows) + "\n") + ":1x9x9", ["shaped.csv", "81"]
    )
    refused("a shape that is none", "csv:shaped.csv:8x", ["shaped.csv", "8x"])
    numbers = np.array([[float(v) for v in g.split(",")] for g in good], np.float32).reshape(6, 1, 8, 8)
    csv("odd line ends.csv", "\ufeff" + header + "\r\n" + "\r\n".join(rows) + "\r\n\r\n")
    cases.append(outputs(numbers, "csv:odd line ends.csv"))
    (shop / "packed.csv.gz").write_bytes(gzip.compress(("\n".join(rows) + "\n").encode()))
    cases.append(outputs(numbers, "csv:packed.csv.gz"))
    (shop / "torn.csv.gz").write_bytes(gzip.compress(("\n".join(rows) + "\n").encode())[:-20])
    refused("a compressed table that is cut short", "csv:torn.csv.gz", ["torn.csv.gz"])

    def idx(folder, n_labels=10, magic=2051, last=9, cut=0):
        (shop / folder).mkdir()
        for part in ("train", "t10k"):
            image = magic.to_bytes(4, "big") + b"".join(n.to_bytes(4, "big") for n in (10, 8, 8)) + some.tobytes()
            (shop / folder / f"{part}-images-idx3-ubyte").write_bytes(image[: len(image) - cut])
            values = bytes([*range(n_labels - 1), last])
            (shop / folder / f"{part}-labels-idx1-ubyte").write_bytes(
                (2049).to_bytes(4, "big") + n_labels.to_bytes(4, "big") + values
            )
        return f"idx:{folder}"

    cases.append(
        Case(
            "MNIST's files with fewer labels",
            ["eval", "bytes.h5", "--data", idx("i-fewer", 8)],
            refused=["i-fewer", "8", "10"],
        )
    )
    cases.append(
        Case(
            "MNIST's files with another magic number",
            ["eval", "bytes.h5", "--data", idx("i-magic", magic=2050)],
            refused=["i-magic", "images-idx3-ubyte"],
        )
    )
    cases.append(
        Case(
            "MNIST's files cut short",
            ["eval", "bytes.h5", "--data", idx("i-cut", cut=5)],
            refused=["i-cut", "images-idx3-ubyte"],
        )
    )
    cases.append(
        Case(
            "a label that is no class",
            ["eval", "bytes.h5", "--data", idx("i-label", last=77)],
            refused=["i-label", "77", "10"],
        )
    )
    cases.append(Case("a folder that is not there", ["eval", "bytes.h5", "--data", "idx:i-none"], refused=["i-none"]))
    (shop / "odd.f32").write_bytes(bytes(64 * 4 * 3 + 7))
    refused("numbers that are no whole samples", "f32:odd.f32", ["odd.f32", "775"])
    refused("a kind of data that there is not", "parquet:x.parquet", ["parquet"])
    refused("the digits with something behind them", "digits:5", ["digits:5"])
    refused("no data at all", "", ["data"])
    refused("accuracy without labels", "npy:big.npy", ["big.npy", "label"], "eval")
    return cases


def rare_cases(shop):
    cases = []

    def data(name, spec, words, command="predict"):
        cases.append(Case(name, [command, "plain.h5", "--data", spec], refused=words))

    layout = h5py.VirtualLayout(shape=(10, 1, 8, 8), dtype="f4")
    layout[:] = h5py.VirtualSource("lost-source.h5", "images", shape=(10, 1, 8, 8))
    with h5py.File(shop / "virtual.h5", "w") as f:
        f.create_virtual_dataset("images", layout, fillvalue=0)
        f["labels"] = np.arange(10)
    data("images in another file that is not there", "hdf5:virtual.h5", ["virtual.h5", "images"])
    with h5py.File(shop / "softly.h5", "w") as f:
        f["images"], f["labels"] = h5py.SoftLink("/nowhere"), np.arange(10)
    data("images that are a link to nothing", "hdf5:softly.h5", ["softly.h5", "images"])
    with h5py.File(shop / "filter.h5", "w") as f:
        f.create_dataset("images", data=np.full((10, 1, 8, 8), 0.5), compression="lzf")
        f["labels"] = np.arange(10)
    data("a compression that needs a filter of its own", "hdf5:filter.h5", ["filter.h5", "images"])
    with h5py.File(shop / "group.h5", "w") as f:
        f.create_group("images")
        f["labels"] = np.arange(10)
    data("a group in the place of images", "hdf5:group.h5", ["group.h5", "images"])
    with h5py.File(shop / "biglabel.h5", "w") as f:
        f["images"], f["labels"] = RNG.random((10, 1, 8, 8), dtype=np.float32), np.full(10, (1 << 32) + 3, np.int64)
    data("labels that are small again in 32 bits", "hdf5:biglabel.h5", ["biglabel.h5", str((1 << 32) + 3)], "eval")
    with h5py.File(shop / "shortlabel.h5", "w") as f:
        f["train/images"], f["train/labels"], f["test/images"] = PIXELS, np.arange(6), PIXELS
    data("labels of the training set alone", "hdf5:shortlabel.h5", ["shortlabel.h5", "label"], "eval")
    np.save(shop / "huge64.npy", np.full((2, 1, 8, 8), 1e300))
    data("numbers beyond single precision", "npy:huge64.npy", ["huge64.npy", "1e+300"])
    np.save(shop / "dates.npy", np.zeros((2, 1, 8, 8), "M8[s]"))
    data("an array of dates", "npy:dates.npy", ["dates.npy", "M8"])

    def header(name, text, words):
        stem = name.replace(" ", "-") + ".npy"
        block = text.encode().ljust(117) + b"\n"
        (shop / stem).write_bytes(b"\x93NUMPY\x01\x00" + len(block).to_bytes(2, "little") + block + PIXELS.tobytes())
        data(name, f"npy:{stem}", [stem, *words])

    header(
        "array of sizes beyond everything",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
        [],
    )
    header("array of a size below 0", "{'descr': '<f4', 'fortran_order': False, 'shape': (-6, 1, 8, 8), }", ["shape"])
    header(
        "array that says more",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 1, 8, 8), 'scale': 2, }",
        ["header"],
    )
    header("array that says less", "{'descr': '<f4', 'shape': (6, 1, 8, 8), }", ["fortran_order"])
    good = [",".join(f"{v:.3f}" for v in PIXELS[i].ravel()) + f",{i}" for i in range(6)]

    def csv(name, content, words, command="predict"):
        stem = name.replace(" ", "-") + ".csv"
        (shop / stem).write_bytes(content if isinstance(content, bytes) else content.encode())
        data(name, f"csv:{stem}", [stem, *words], command)

    lines = "\n".join(good) + "\n"
    csv("table of commas", lines, [])
    commas = cases.pop()
    csv("table of tabs", lines.replace(",", "\t"), [])
    cases[-1].refused, cases[-1].right = None, lambda done: done.stdout == shop.make(*commas.argv).stdout
    csv("table with a byte of zero", lines.encode().replace(b"\n", b"\0\n", 1), ["1"])
    csv("table with infinity", lines.replace(good[2], "inf" + good[2][5:]), ["3", "inf"])
    csv("table with nan", lines.replace(good[2], "nan" + good[2][5:]), ["3", "nan"])
    csv("table beyond single precision", lines.replace(good[2], "1e39" + good[2][5:]), ["3", "1e39"])
    csv("table with a word behind a number", lines.replace(good[2], "0.5px" + good[2][5:]), ["3", "px"])
    csv("table with a comment", lines.replace(good[2], "# the third\n" + good[2]), ["3"])
    csv("table with a comma at each end", lines.replace("\n", ",\n"), ["1"])
    csv("table with a huge label", "\n".join(g[:-1] + "4294967299" for g in good) + "\n", ["label"], "eval")
    csv("table whose last line is cut", lines[:-30], ["6"])
    csv("table of numbers with two points", lines.replace(good[1], "0.1.2" + good[1][5:]), ["2", ".2"])
    return cases


def cases(shop):
    return data_cases(shop) + rare_cases(shop)
