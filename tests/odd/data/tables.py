"""Data sets that can be misread: CSV, HDF5, MNIST's files, NumPy arrays."""
import struct

import h5py
import numpy as np

from odd import Case

rng = np.random.default_rng(3)
labels = np.arange(40) % 3
images = rng.integers(0, 17, (40, 1, 8, 8)).astype(np.uint8)


def rows(change=None, end="\n", count=30, separator=","):
    """Lines of nine values and a label; `change` may replace one by its number."""
    change = change or {}
    lines = [separator.join([*(f"{(i * j) % 7}.5" for j in range(9)), str(i % 3)]) for i in range(count)]
    return end.join(change.get(i, line) for i, line in enumerate(lines)) + end


def csv_cases(shop):
    def case(name, text, words=None, right=None):
        path = shop / f"{name.replace(' ', '_')}.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        argv = ["train", "--data", f"csv:{path}", "--model", "mlp", "--epochs", 1, "-o", shop / "out.h5", "--json"]
        return Case(f"csv, {name}", argv, refused=words and [path.name, *words], right=right)

    def samples(n):
        return lambda done: f'"samples": {n}' in done.stdout or done.returncode == 0

    return [
        case("a short row", rows({4: "1,2,3"}), ["line 5"]),
        case("a long row", rows({4: "1,2,3,4,5,6,7,8,9,10,2"}), ["line 5"]),
        case("a missing value", rows({6: "1,2,,4,5,6,7,8,9,1"}), ["line 7"]),
        case("a label of 1.5", rows({6: "1,2,3,4,5,6,7,8,9,1.5"}), ["line 7", "1.5"]),
        case("a negative label", rows({6: "1,2,3,4,5,6,7,8,9,-1"}), right=lambda done: "class '-1' has one row" in done.stderr),
        case("infinity", rows({2: "1,2,inf,4,5,6,7,8,9,1"}), ["line 3"]),
        case("too large for fp32", rows({2: "1,2,1e300,4,5,6,7,8,9,1"}), ["line 3", "'column 3'"]),
        case("a decimal comma", rows({2: "1,5,2,3,4,5,6,7,8,9,1"}), ["line 3"]),
        case("a trailing comma", rows({2: "1,2,3,4,5,6,7,8,9,1,"}), ["line 3"]),
        case("a wrong value in the first line", rows({0: "1,2,x,4,5,6,7,8,9,1"}), ["line 1", "'x'"]),
        case("a byte of zero", rows().encode().replace(b"2.5", b"2\x005", 1), ["line"]),
        case("a header alone", "a,b,c,d,label\n", ["sample"]),
        case("nothing", "", ["csv"]),
        case("UTF-16", rows().encode("utf-16"), ["csv"]),
        case("carriage returns", rows(end="\r\n"), right=samples(24)),
        case("empty lines at the end", rows() + "\n\n", right=samples(24)),
    ]


def hdf5_cases(shop):
    def case(name, words=None, right=None, attributes=None, **sets):
        path = shop / f"{name.replace(' ', '_')}.h5"
        with h5py.File(path, "w") as f:
            for key, value in sets.items():
                f[key] = value
            for key, value in (attributes or {}).items():
                f.attrs[key] = value
        argv = ["train", "--data", f"hdf5:{path}", "--model", "mlp", "--epochs", 1, "-o", shop / "out.h5"]
        return Case(f"hdf5, {name}", argv, refused=words and [path.name, *words], right=right)

    poisoned = images.astype(np.float32)
    poisoned[7, 0, 3, 3] = np.nan
    return [
        case("fewer labels than images", ["40", "39"], images=images, labels=labels[:39]),
        case("labels that are no integers", ["label"], images=images, labels=labels + 0.5),
        case("one label below zero", ["-1"], images=images, labels=np.where(np.arange(40) == 5, -1, labels)),
        case("labels as columns", ["label"], images=images, labels=np.eye(3)[labels]),
        case("a NaN among the images", ["nan"], images=poisoned, labels=labels),
        case("images of five dimensions", ["images"], images=images[:, None], labels=labels),
        case("images of one dimension", ["images"], images=images[:, 0, 0, 0], labels=labels),
        case("no images at all", ["images"], images=images[:0], labels=labels[:0]),
        case("images as text", ["images"], images=np.array([b"abc"] * 40), labels=labels),
        case("complex images", ["images"], images=images.astype(np.complex64), labels=labels),
        case("raw_max below a value", ["raw_max"], images=images, labels=labels, attributes={"raw_max": 9}),
        case("raw_max as text", ["raw_max"], images=images, labels=labels, attributes={"raw_max": "many"}),
        case("other names", ["data"], data=images, target=labels),
        case("samples that are too wide", ["70000", "65536"], images=np.zeros((5, 70000), np.uint8), labels=labels[:5]),
        case("labels by another name", ["'label'"], images=images, label=labels),
        case("a dataset that nothing reads", ["'mask'"], images=images, labels=labels, mask=images),
        case("a set of neither part", ["'valid'"], **{f"{part}/images": images for part in ("train", "test", "valid")}),
        case("a mask of one part", ["'mask'"], **{f"train/{k}": v for k, v in dict(images=images, labels=labels, mask=labels).items()}),
        case("wider integers without an end", ["images", "32", "raw_max"], images=images.astype(np.int32), labels=labels),
        case("wider integers with one", right=lambda done: done.returncode == 0, images=images.astype(np.int32), labels=labels, attributes={"raw_max": 255}),
        case("reals with an end of integers", ["raw_max"], images=images / np.float32(255), labels=labels, attributes={"raw_max": 255}),
    ]


def idx_cases(shop):
    def folder(name, image_head, image_bytes, label_head, label_bytes, words):
        where = shop / name
        where.mkdir()
        for part in ("train", "t10k"):
            (where / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", *image_head) + image_bytes)
            (where / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", *label_head) + label_bytes)
        return Case(f"idx, {name}", ["train", "--data", f"idx:{where}", "--epochs", 1, "-o", shop / "out.h5"], refused=["idx", *words])

    pixels, ten = bytes(10 * 64), bytes(i % 3 for i in range(10))
    return [
        folder("more bytes than the header says", (0x803, 10, 8, 8), pixels + b"more", (0x801, 10), ten, ["images"]),
        folder("real numbers", (0xD03, 10, 8, 8), pixels * 4, (0x801, 10), ten, ["images"]),
        folder("fewer labels", (0x803, 10, 8, 8), pixels, (0x801, 9), ten[:9], ["9", "10"]),
        folder("absurd counts", (0x803, 0xFFFFFFFF, 0xFFFF, 0xFFFF), pixels, (0x801, 10), ten, ["images"]),
    ]


def cases(shop):
    return csv_cases(shop) + hdf5_cases(shop) + idx_cases(shop)
