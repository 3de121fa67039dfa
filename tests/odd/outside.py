"""Odd inputs as somebody meets them who knows the documentation alone: files of all kinds, options against each other.

Broken by: such an input that is read by half, an option that does nothing, a refusal that does not name the thing."""

import gzip
import json
import os
import shutil
import stat
import subprocess
import tempfile

import h5py
import numpy as np
import onnx
from odd import Case
from onnx import TensorProto, helper, numpy_helper

# What is still silent, or told without its name.
NOT_YET = {
    "a training that goes on with another rate",
    "a weight that is not a number, talking",
}

RNG = np.random.default_rng(5)
PIXELS = RNG.random((6, 1, 8, 8), dtype=np.float32)


def weights(*shape):
    return (RNG.random(shape, dtype=np.float32) - 0.5) / 4


def network(nodes, inits, shape=("N", 1, 8, 8), opset=17, outputs=("y",), inputs=("image",), **more):
    """A model of these nodes; initializers by name."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(i, TensorProto.FLOAT, list(shape)) for i in inputs],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs],
        [v if isinstance(v, TensorProto) else numpy_helper.from_array(v, k) for k, v in inits.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, **more)


def behind_flatten(*nodes, inits=None, **more):
    """flatten, fc (64 to 10) and what follows it, from `h` to `y`."""
    return network(
        [
            helper.make_node("Flatten", ["image"], ["f"], name="flat"),
            helper.make_node("Gemm", ["f", "w", "b"], ["h" if nodes else "y"], name="fc", transB=1),
            *nodes,
        ],
        {"w": weights(10, 64), "b": weights(10), **(inits or {})},
        **more,
    )


def before_flatten(node, sizes, inits=None, **more):
    """One node on the image, then flatten and a product that reads all of it."""
    return network(
        [
            node,
            helper.make_node("Flatten", ["c"], ["f"], name="flat"),
            helper.make_node("Gemm", ["f", "w", "b"], ["y"], name="fc", transB=1),
        ],
        {"w": weights(10, int(np.prod(sizes))), "b": weights(10), **(inits or {})},
        **more,
    )


def one_line(done, words):
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return done.returncode in (1, 2) and len(lines) == 1 and all(w in lines[0] for w in words)


def as_onnxruntime(shop, stem, x=PIXELS):
    """The imported network's outputs are ONNX Runtime's."""
    import onnxruntime

    np.save(shop / f"{stem}-x.npy", x)
    shop.make("predict", f"{stem}.h5", "--data", f"npy:{stem}-x.npy", "--raw", "--format", "npy", "-o", f"{stem}-y.npy")
    session = onnxruntime.InferenceSession(str(shop / f"{stem}.onnx"), providers=["CPUExecutionProvider"])
    want = session.run(None, {session.get_inputs()[0].name: x})[0]
    got = np.load(shop / f"{stem}-y.npy")
    return got.shape == want.shape and np.allclose(got, want, atol=1e-5)


def onnx_cases(shop):
    node = helper.make_node
    cases = []

    def refused(stem, model, words, name):
        (shop / f"{stem}.onnx").write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        cases.append(Case(name, ["import", f"{stem}.onnx", "-o", f"{stem}.h5"], refused=[f"{stem}.onnx", *words]))

    def equal(stem, model, name):
        (shop / f"{stem}.onnx").write_bytes(model.SerializeToString())
        cases.append(
            Case(name, ["import", f"{stem}.onnx", "-o", f"{stem}.h5"], right=lambda _: as_onnxruntime(shop, stem))
        )

    def either(stem, model, words, name):
        (shop / f"{stem}.onnx").write_bytes(model.SerializeToString())

        def check(_):
            done = shop.run("import", f"{stem}.onnx", "-o", f"{stem}.h5")
            if done.returncode:
                return one_line(done, [f"{stem}.onnx", *words])
            return as_onnxruntime(shop, stem)

        cases.append(Case(name, ["--version"], right=check))

    conv = {"k": weights(4, 1, 3, 3)}
    refused(
        "dilated",
        before_flatten(node("Conv", ["image", "k"], ["c"], name="conv_a", dilations=[2, 2]), (4, 4, 4), conv),
        ["conv_a", "dilations", "2"],
        "a dilated convolution",
    )
    refused(
        "alpha",
        network(
            [node("Flatten", ["image"], ["f"]), node("Gemm", ["f", "w"], ["y"], name="half", alpha=0.5)],
            {"w": weights(64, 10)},
        ),
        ["half", "alpha", "0.5"],
        "a product with alpha 0.5",
    )
    refused(
        "leaky",
        behind_flatten(node("LeakyRelu", ["h"], ["y"], name="act_7", alpha=0.1)),
        ["act_7", "LeakyRelu"],
        "an activation that is not understood",
    )
    refused(
        "nameless",
        behind_flatten(node("Erf", ["h"], ["erf_out"]), node("Relu", ["erf_out"], ["y"])),
        ["Erf", "erf_out"],
        "a node without a name that is not understood",
    )
    foreign = behind_flatten(node("Relu", ["h"], ["y"], name="mine", domain="my.domain"))
    foreign.opset_import.append(helper.make_opsetid("my.domain", 1))
    refused("foreign", foreign, ["mine", "my.domain"], "an operator of another domain with a standard name")
    refused("future", behind_flatten(opset=99), ["99"], "an operator set of the future")
    refused(
        "reflect",
        before_flatten(
            node("Pad", ["image", "p"], ["c"], name="pad_r", mode="reflect"),
            (1, 10, 10),
            {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64)},
        ),
        ["pad_r", "reflect"],
        "a Pad that mirrors",
    )
    refused(
        "bn-train",
        network(
            [
                node(
                    "BatchNormalization", ["image", "s", "t", "m", "v"], ["c", "rm", "rv"], name="bn_t", training_mode=1
                ),
                node("Flatten", ["c"], ["y"]),
            ],
            {
                "s": np.ones(1, np.float32),
                "t": np.zeros(1, np.float32),
                "m": np.zeros(1, np.float32),
                "v": np.ones(1, np.float32),
            },
        ),
        ["bn_t", "training_mode"],
        "a batch norm in training mode",
    )
    refused(
        "drop-train",
        behind_flatten(
            node("Dropout", ["h", "ratio", "train"], ["y"], name="drop_t"),
            inits={"ratio": np.float32(0.5), "train": np.array(True)},
        ),
        ["drop_t", "training_mode"],
        "a dropout in training mode",
    )
    refused(
        "indices",
        before_flatten(
            node("MaxPool", ["image"], ["c", "where"], name="pool_i", kernel_shape=[2, 2], strides=[2, 2]),
            (1, 4, 4),
            outputs=("y", "where"),
        ),
        ["pool_i"],
        "a maximum pooling that gives places too",
    )
    refused(
        "ghost",
        behind_flatten(node("Add", ["h", "ghost"], ["y"], name="sum")),
        ["sum", "ghost"],
        "a value that nothing makes",
    )
    refused(
        "short-weight",
        behind_flatten(
            node("Relu", ["h"], ["y"]),
            inits={
                "w": TensorProto(
                    name="w", data_type=TensorProto.FLOAT, dims=[10, 64], raw_data=weights(10, 60).tobytes()
                )
            },
        ),
        ["w", "640"],
        "an initializer with less data than its shape says",
    )
    twice = behind_flatten()
    twice.graph.initializer.append(numpy_helper.from_array(weights(10, 64), "w"))
    refused("twice", twice, ["w"], "two initializers of one name")
    refused(
        "two-inputs",
        network(
            [node("Add", ["image", "mask"], ["s"], name="add"), node("Flatten", ["s"], ["y"])],
            {},
            inputs=("image", "mask"),
        ),
        ["mask"],
        "a second input",
    )
    refused(
        "any-size",
        network(
            [node("GlobalAveragePool", ["image"], ["c"]), node("Flatten", ["c"], ["y"])],
            {},
            shape=("N", 3, "height", "width"),
        ),
        ["image"],
        "images of any size",
    )
    refused(
        "quantized",
        behind_flatten(
            node("QuantizeLinear", ["h", "qs", "qz"], ["q"], name="quant"),
            node("DequantizeLinear", ["q", "qs", "qz"], ["y"], name="dequant"),
            inits={"qs": np.float32(0.1), "qz": np.int8(0)},
        ),
        ["quant", "QuantizeLinear"],
        "a network that is quantized already",
    )
    branch = helper.make_graph(
        [node("Relu", ["h"], ["r"])], "t", [], [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)]
    )
    refused(
        "if",
        behind_flatten(
            node("If", ["cond"], ["y"], name="choice", then_branch=branch, else_branch=branch),
            inits={"cond": np.array(True)},
        ),
        ["choice", "If"],
        "a branch",
    )
    sparse = behind_flatten()
    dense = next(t for t in sparse.graph.initializer if t.name == "w")
    sparse.graph.initializer.remove(dense)
    sparse.graph.sparse_initializer.append(
        helper.make_sparse_tensor(
            numpy_helper.from_array(np.ones(1, np.float32), "w"),
            numpy_helper.from_array(np.zeros(1, np.int64), "at"),
            [10, 64],
        )
    )
    refused("sparse", sparse, ["w", "sparse"], "a sparse initializer")
    outside = behind_flatten()
    for t, place in ((outside.graph.initializer[0], "gone.bin"),):
        t.ClearField("raw_data")
        t.data_location = TensorProto.EXTERNAL
        t.external_data.add(key="location", value=place)
    refused("lost-weights", outside, ["w", "gone.bin"], "weights beside the file that are not there")
    outside.graph.initializer[0].external_data[0].value = "../../../../../../etc/passwd"
    refused("escape", outside, ["w", "passwd"], "weights in a file outside of the model's folder")
    (shop / "short.bin").write_bytes(bytes(100))
    outside.graph.initializer[0].external_data[0].value = "short.bin"
    refused("cut-weights", outside, ["w", "short.bin"], "weights beside the file that are cut short")
    refused("empty", b"", [], "an empty file")
    refused(
        "page",
        b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
        [],
        "a web page that was saved as the model",
    )
    refused(
        "pointer",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
        [],
        "a pointer of Git LFS",
    )
    whole = behind_flatten().SerializeToString()
    refused("cut", whole[: len(whole) - 700], [], "a model that is cut short")
    refused("tail", whole + b"\0\0\0\0", [], "bytes behind a model")
    lying = behind_flatten()
    lying.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 11]))
    refused("lying-shape", lying, ["y", "10", "11"], "an output whose shape is not what the file says")

    equal(
        "grouped",
        before_flatten(
            node("Conv", ["image", "k"], ["c"], name="g", group=2, pads=[1, 1, 1, 1]),
            (4, 4, 4),
            {"k": weights(4, 1, 3, 3)},
            shape=("N", 2, 4, 4),
        ),
        "a grouped convolution",
    )
    cases[-1].right = lambda _: as_onnxruntime(shop, "grouped", RNG.random((3, 2, 4, 4), dtype=np.float32))
    either(
        "lopsided",
        before_flatten(
            node("Conv", ["image", "k"], ["c"], name="lop", pads=[0, 0, 1, 1], strides=[2, 2]), (4, 4, 4), conv
        ),
        ["lop", "pads"],
        "a convolution padded at two sides alone",
    )
    either(
        "ceil",
        before_flatten(
            node("MaxPool", ["image"], ["c"], name="up", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), (1, 4, 4)
        ),
        ["up", "ceil_mode"],
        "a pooling whose last window sticks out",
    )
    either(
        "average",
        before_flatten(
            node("AveragePool", ["image"], ["c"], name="mean", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), (1, 8, 8)
        ),
        ["mean", "count_include_pad"],
        "an average that leaves padding out",
    )
    either(
        "crossed",
        behind_flatten(
            node("Clip", ["h", "lo", "hi"], ["y"], name="clip_x"), inits={"lo": np.float32(0.2), "hi": np.float32(-0.2)}
        ),
        ["clip_x"],
        "a Clip with min above max",
    )
    unsorted = behind_flatten(node("Relu", ["h"], ["y"], name="late"))
    nodes = list(unsorted.graph.node)
    del unsorted.graph.node[:]
    unsorted.graph.node.extend(reversed(nodes))

    def unsorted_check(_):
        done = shop.run("import", "unsorted.onnx", "-o", "unsorted.h5")
        return done.returncode == 0 or one_line(done, ["unsorted.onnx", "late", "h"])

    (shop / "unsorted.onnx").write_bytes(unsorted.SerializeToString())
    cases.append(Case("nodes in the wrong order", ["--version"], right=unsorted_check))
    either(
        "doubles",
        network(
            [
                node("Cast", ["image"], ["d"], name="to64", to=TensorProto.DOUBLE),
                node("Flatten", ["d"], ["f"]),
                node("MatMul", ["f", "w"], ["g"], name="mm"),
                node("Cast", ["g"], ["y"], to=TensorProto.FLOAT),
            ],
            {"w": weights(64, 10).astype(np.float64)},
        ),
        ["to64"],
        "products in double precision",
    )
    equal("mein Netz ü", behind_flatten(), "a model whose name has a blank and an umlaut")

    bad = behind_flatten(
        inits={"w": np.where(np.arange(640).reshape(10, 64) == 70, np.nan, weights(10, 64)).astype(np.float32)}
    )
    (shop / "nan.onnx").write_bytes(bad.SerializeToString())

    def nan_check(_):
        done = shop.run("import", "nan.onnx", "-o", "nan.h5")
        return (
            one_line(done, ["nan.onnx", "w"])
            if done.returncode
            else one_line(shop.run("quantize", "nan.h5", "--data", "digits", "-o", "nan-int8.h5"), ["nan", "fc"])
        )

    cases.append(Case("a weight that is not a number never becomes a code", ["--version"], right=nan_check))

    zoo = shop / "zoo"
    (zoo / "test_data_set_0").mkdir(parents=True)
    (zoo / "m.onnx").write_bytes(behind_flatten().SerializeToString())
    (zoo / "test_data_set_0/input_0.pb").write_bytes(numpy_helper.from_array(PIXELS, "image").SerializeToString())
    (zoo / "test_data_set_0/output_0.pb").write_bytes(
        numpy_helper.from_array(np.full((6, 10), 9, np.float32), "y").SerializeToString()
    )
    cases.append(
        Case(
            "samples beside the model that its outputs are not",
            ["import", "zoo/m.onnx", "-o", "zoo.h5"],
            refused=["zoo/m.onnx", "test_data_set_0"],
        )
    )
    (shop / "dir.onnx").mkdir()
    cases.append(Case("a folder in the place of a model", ["import", "dir.onnx", "-o", "x.h5"], refused=["dir.onnx"]))
    os.symlink("nowhere.onnx", shop / "dangling.onnx")
    cases.append(Case("a link to nothing", ["import", "dangling.onnx", "-o", "x.h5"], refused=["dangling.onnx"]))
    (shop / "fine.onnx").write_bytes(behind_flatten().SerializeToString())
    os.symlink("fine.onnx", shop / "link.onnx")
    shutil.copy(shop / "fine.onnx", shop / "own.onnx")
    shutil.copy(shop / "fine.onnx", shop / "own2.onnx")
    cases += [
        Case(
            "a link to a model", ["import", "link.onnx", "-o", "link.h5"], right=lambda _: as_onnxruntime(shop, "link")
        ),
        Case("two models at once", ["import", "fine.onnx", "link.onnx", "-o", "x.h5"], refused=["link.onnx"]),
        Case("the checkpoint onto the model itself", ["import", "own.onnx", "-o", "own.onnx"], refused=["own.onnx"]),
        Case(
            "the checkpoint onto the model by another path",
            ["import", "own2.onnx", "-o", "./zoo/../own2.onnx"],
            refused=["own2.onnx"],
        ),
        Case("a standard deviation of zero", ["import", "fine.onnx", "--std", "0", "-o", "x.h5"], refused=["std", "0"]),
        Case(
            "a mean that is not a number",
            ["import", "fine.onnx", "--mean", "nan", "-o", "x.h5"],
            refused=["mean", "nan"],
        ),
        Case(
            "a mean with a decimal comma",
            ["import", "fine.onnx", "--mean", "0,13", "-o", "x.h5"],
            refused=["mean", "0,13"],
        ),
        Case(
            "an input shape that does not fit",
            ["import", "fine.onnx", "--input", "3x8x8", "-o", "x.h5"],
            refused=["3x8x8"],
        ),
        Case(
            "an input shape with a size of zero",
            ["import", "fine.onnx", "--input", "0x8x8", "-o", "x.h5"],
            refused=["0x8x8"],
        ),
        Case(
            "the list of operators beside a model",
            ["import", "fine.onnx", "--operators", "-o", "x.h5"],
            refused=["operators"],
        ),
    ]
    return cases


def data_cases(shop):
    cases = []

    def refused(name, spec, words, command="predict", *more):
        cases.append(Case(name, [command, "plain.h5", "--data", spec, *more], refused=words))

    (shop / "plain.onnx").write_bytes(behind_flatten().SerializeToString())
    shop.make("import", "plain.onnx", "-o", "plain.h5")
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


def table(rows):
    """Cases of rows (name, command line, words)."""
    return [Case(name, line.split() if isinstance(line, str) else line, refused=words) for name, line, words in rows]


def option_cases(shop):
    shop.make(
        "train", "--model", "mlp", "--epochs", "1", "--qat", "w8a8", "--qat-from", "1", "--limit", "64", "-o", "q.h5"
    )
    shop.make("export", "q.h5", "--to", "hdf5", "-o", "program.h5")
    for copy in ("q2.h5", "q3.h5"):
        shutil.copy(shop / "q.h5", shop / copy)
    shutil.copy(shop / "plain.h5", shop / "plain2.h5")
    train = "train --model mlp --limit 64 --epochs 2 -o t.h5 "
    cases = table(
        [
            ("bits that there are not", train + "--qat w3a8", ["w3a8"]),
            ("a rate that is not a number", train + "--lr nan", ["lr", "nan"]),
            ("a rate below 0", train + "--lr -0.1", ["lr", "-0.1"]),
            ("no epochs", "train --model mlp --epochs 0 -o t.h5", ["epochs", "0"]),
            ("an epoch and a half", "train --model mlp --epochs 1.5 -o t.h5", ["epochs", "1.5"]),
            ("quantized from an epoch that never comes", train + "--qat w8a8 --qat-from 20", ["qat-from", "20", "2"]),
            ("the rate of quantized epochs without any", train + "--qat-lr 1e-3", ["qat-lr"]),
            ("an observer without quantization", train + "--observer kl", ["observer"]),
            ("rules without quantization", train + "--rules fc1=w8a8", ["rules"]),
            ("a rule for a layer that is not there", train + "--qat w4a8 --rules nolayer*=w8a8", ["nolayer"]),
            ("a percentile of another observer", train + "--qat w8a8 --observer mse --percentile 99", ["percentile"]),
            (
                "a percentile above 100",
                train + "--qat w8a8 --observer percentile --percentile 101",
                ["percentile", "101"],
            ),
            ("momentum of an optimizer without", train + "--momentum 0.5", ["momentum"]),
            ("more frozen epochs than quantized ones", train + "--qat w8a8 --freeze 9", ["freeze", "9"]),
            ("an augmentation misspelt", train + "--augment shift=2,rotat=10", ["augment", "rotat"]),
            ("a picture of a kind that is not written", train + "--plot curve.jpg", ["curve.jpg"]),
            ("the best checkpoint and the last in one file", train + "--best t.h5", ["best", "t.h5"]),
            (
                "the picture and the checkpoint in one file",
                "train --model mlp --limit 64 --epochs 2 -o a.svg --plot a.svg",
                ["plot", "a.svg"],
            ),
            ("a model and a checkpoint to begin with", train + "--init q.h5", ["model", "init"]),
            ("a word too many", train + "lenet", ["lenet"]),
            ("a seed below 0", train + "--seed -1", ["seed", "-1"]),
            ("a seed of 65 bits", train + "--seed 18446744073709551616", ["seed", "18446744073709551616"]),
            ("a device that there is not", train + "--device cuda:0", ["cuda:0"]),
            ("threads below 0", train + "--threads -2", ["threads", "-2"]),
            ("a group of no weights", train + "--qat w4a8 --granularity group:0", ["granularity", "group", "0"]),
            ("a limit with a suffix", "train --model mlp --limit 10k -o t.h5", ["limit", "10k"]),
            ("a limit below 0", "eval q.h5 --limit -5", ["limit", "-5"]),
            ("a limit above every number", "eval q.h5 --limit 99999999999999999999", ["limit", "99999999999999999999"]),
            (
                "outputs onto a folder that is not there",
                "train --model mlp --limit 64 --epochs 1 -o gone/t.h5",
                ["gone/t.h5"],
            ),
            ("integers of a float network", "predict plain.h5 --engine integer --data digits", ["plain.h5", "integer"]),
            ("codes of a float network", "predict plain.h5 --codes --data digits", ["plain.h5", "codes"]),
            ("codes from the float engine", "predict q.h5 --codes --engine float --data digits", ["codes", "engine"]),
            (
                "the float engine of a program",
                "predict program.h5 --engine float --data digits",
                ["program.h5", "float"],
            ),
            ("an engine that there is not", "eval q.h5 --engine tpu", ["engine", "tpu"]),
            ("a part of the data that there is not", "predict q.h5 --split val --data digits", ["split", "val"]),
            ("no samples at a time", "predict q.h5 --batch 0 --data digits", ["batch", "0"]),
            ("predictions onto the model", "predict q2.h5 --limit 3 -o q2.h5 --data digits", ["q2.h5"]),
            ("two formats at once", "predict q.h5 --json --format npy --data digits", ["json", "npy"]),
            ("normalized data for raw bytes", "predict q.h5 --normalized --data digits", ["digits"]),
            ("export of a float network", "export plain.h5 --to c -o c-out", ["plain.h5", "float"]),
            ("a name that C cannot have", "export q.h5 --to c --name 9lives -o c-out", ["9lives"]),
            ("C onto a file", "export q.h5 --to c -o plain.onnx", ["plain.onnx"]),
            ("vectors below 0", "export q.h5 --to c --vectors -1 -o c-out", ["vectors", "-1"]),
            ("vectors for a format without", "export q.h5 --to tflite --vectors 9 -o v.tflite", ["vectors"]),
            ("ONNX in a profile that it cannot have", "export q.h5 --to onnx-qop -o q.onnx", ["tflite_double"]),
            ("a format that there is not", "export q.h5 --to coreml -o q.ml", ["coreml"]),
            ("the export onto the checkpoint", "export q3.h5 --to hdf5 -o q3.h5", ["q3.h5"]),
            ("a file onto a folder", "export q.h5 --to hdf5 -o zoo", ["zoo"]),
            ("a program exported again", "export program.h5 --to c -o c-out", ["program.h5"]),
            ("quantized twice", "quantize q.h5 -o qq.h5", ["q.h5"]),
            (
                "more calibration samples than there are",
                "quantize plain.h5 --data digits --samples 999999 -o qq.h5",
                ["samples", "999999"],
            ),
            ("calibration onto its input", "quantize plain2.h5 --data digits -o plain2.h5", ["plain2.h5"]),
            ("a picture of nothing", "inspect q.h5 --of fc1.weight", ["of"]),
            ("a parameter that is not there", "inspect q.h5 --histogram - --of conv9.weight", ["conv9.weight"]),
            ("curves of a network without history", "inspect plain.h5 --curves -", ["plain.h5"]),
            ("the list of models beside a file", "inspect q.h5 --models", ["models"]),
            ("a runtime that there is not", "verify q.h5 --limit 5 --no-compile --with tensorrt", ["with", "tensorrt"]),
            ("a compiler and no compiling", "verify q.h5 --limit 5 --no-compile --cc gcc", ["cc", "no-compile"]),
            ("a compiler that is not there", "verify q.h5 --limit 5 --cc nocc-17", ["nocc-17"]),
            ("a Python and no runtimes", "verify q.h5 --limit 5 --no-compile --python python3", ["python"]),
            ("a model that is a web page", ["eval", "text.h5"], ["text.h5"]),
            ("a command misspelt", "exprot q.h5", ["exprot"]),
            ("an option cut short so that it could be two", train + "--qat w8a8 --weight w", ["weight"]),
        ]
    )

    data = (shop / "q.h5").read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 4
    for name, content in (
        ("a flipped bit", bytes(flipped)),
        ("a checkpoint cut short", data[:-100]),
        ("bytes behind a checkpoint", data + b"more"),
    ):
        stem = name.replace(" ", "-") + ".h5"
        (shop / stem).write_bytes(content)
        cases.append(Case(name, ["eval", stem], refused=[stem]))

    def program(stem, change, name):
        """What another program changed in the file is refused before it is read: its checksum is another."""
        shutil.copy(shop / "program.h5", shop / stem)
        with h5py.File(shop / stem, "a") as f:
            change(f)
        cases.append(Case(name, ["eval", stem], refused=[stem]))

    program(
        "p-more.h5", lambda f: f.create_dataset("surprise", data=[1]), "a program with a data set that nobody knows"
    )
    program("p-attr.h5", lambda f: f.attrs.create("surprise", 1), "a program with an attribute that nobody knows")

    def own(name, argv, words, **how):
        """A run that the harness cannot make: other standard output, another user."""

        def check(_):
            done = subprocess.run(
                [shop.isobit, *argv],
                stderr=subprocess.PIPE,
                text=True,
                **{"cwd": shop.folder, "stdout": subprocess.PIPE, **how},
            )
            return one_line(done, words)

        cases.append(Case(name, ["--version"], right=check))

    own("a full disk", ["predict", "q.h5", "--data", "digits"], ["standard output"], stdout=open("/dev/full", "w"))
    cases.append(
        Case("a file on a full disk", ["predict", "q.h5", "--data", "digits", "-o", "/dev/full"], refused=["/dev/full"])
    )
    own(
        "an environment that chooses no device",
        ["eval", "q.h5"],
        ["ISOBIT_DEVICE", "tpu"],
        env={**os.environ, "ISOBIT_DEVICE": "tpu"},
    )

    def pipe(_):
        """A reader that leaves early: no crash, and no success in silence."""
        head = subprocess.Popen(
            [shop.isobit, "predict", "q.h5", "--data", "digits"],
            cwd=shop.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        head.stdout.close()
        error = head.stderr.read().decode()
        return head.wait() in (-13, 1, 2) and len(error.splitlines()) <= 1

    cases.append(Case("a pipe whose reader leaves", ["--version"], right=pipe))

    if os.geteuid() == 0:  # as somebody who may not
        room = tempfile.mkdtemp(dir=shop.folder)
        os.chmod(shop.folder, 0o755)
        os.chmod(room, 0o755)
        shutil.copy(shop / "q.h5", room + "/secret.h5")
        shutil.copy(shop / "q.h5", room + "/open.h5")
        os.chmod(room + "/secret.h5", stat.S_IRUSR)
        own("a model that one may not read", ["eval", "secret.h5"], ["secret.h5", "ermission"], cwd=room, user=65534)
        own(
            "a folder that one may not write",
            ["export", "open.h5", "--to", "hdf5", "-o", "new.h5"],
            ["new.h5", "ermission"],
            cwd=room,
            user=65534,
        )
    long = "n" * 300 + ".h5"
    cases.append(Case("a name that is too long", ["eval", long], refused=[long[:60]]))

    def linked(_):
        """What a link points at is not replaced by surprise: either it is written through, or the link is refused."""
        (shop / "target.csv").write_text("precious\n")
        os.symlink("target.csv", shop / "out-link.csv")
        done = shop.run("predict", "q.h5", "--data", "digits", "--limit", "3", "-o", "out-link.csv")
        through = (shop / "out-link.csv").is_symlink() and "precious" not in (shop / "target.csv").read_text()
        return one_line(done, ["out-link.csv"]) if done.returncode else through

    cases.append(Case("predictions onto a link", ["--version"], right=linked))

    def blank(_):
        """The model has its file's name: that of C is an identifier, or one says to choose one."""
        shop.make("quantize", "mein Netz ü.h5", "--data", "digits", "--samples", "50", "-o", "mein int ü.h5")
        done = shop.run("export", "mein int ü.h5", "--to", "c", "-o", "c blank")
        if done.returncode:
            return one_line(done, ["name"])
        made = sorted((shop / "c blank").glob("*.c"))
        return len(made) == 1 and made[0].stem.isidentifier() and made[0].stem.isascii()

    cases.append(Case("C of a model whose name has a blank", ["--version"], right=blank))

    def keyword(_):
        """A keyword of C as the name: what is written compiles, or the name is refused."""
        done = shop.run("export", "q.h5", "--to", "c", "--name", "int", "-o", "c-int")
        if done.returncode:
            return one_line(done, ["int"])
        return subprocess.run(["cc", "-std=c99", "-c", "int.c", "-o", "int.o"], cwd=shop / "c-int").returncode == 0

    cases.append(Case("a name that C has taken", ["--version"], right=keyword))
    return cases


def language_cases(shop):
    chat = shop.models / "chat"
    cases = []
    config = json.loads((chat / "config.json").read_text())
    weights_file = (chat / "model.safetensors").read_bytes()
    (shop / "text.txt").write_text("It is a truth universally acknowledged. " * 60)
    (shop / "one.jsonl").write_text('{"prompt": "Hello", "completion": " there"}\n')
    shutil.copytree(chat, shop / "chat")
    shop.make("convert", "chat", "-o", "m.gguf")
    shutil.copy(shop / "m.gguf", shop / "m2.gguf")
    for copy in ("chat2", "chat3"):
        shutil.copytree(chat, shop / copy)
    shop.make("finetune", "chat", "--data", "one.jsonl", "--steps", "1", "--lora", "r=4,alpha=8", "-o", "ad")

    def model(stem, words, name, files=None, **fields):
        """A copy of the folder with other fields of config.json (None: left out) or other files (None: taken away)."""
        shutil.copytree(chat, shop / stem)
        new = {**config, **fields}
        (shop / stem / "config.json").write_text(json.dumps({k: v for k, v in new.items() if v != "left out"}))
        for file, content in (files or {}).items():
            (shop / stem / file).unlink(missing_ok=True)
            if content is not None:
                (shop / stem / file).write_bytes(content)
        cases.append(
            Case(
                name,
                ["perplexity", stem, "--text", "text.txt", "--ctx", "32", "--windows", "1"],
                refused=[stem, *words],
            )
        )

    model("f-unknown", ["use_fancy_attention"], "a field that nobody knows", use_fancy_attention=True)
    model("f-act", ["hidden_act", "tanh"], "an activation that is not supported", hidden_act="tanh")
    model(
        "f-type",
        ["phi3"],
        "an architecture that is not supported",
        model_type="phi3",
        architectures=["Phi3ForCausalLM"],
    )
    model(
        "f-rope",
        ["rope", "ntk_by_hand"],
        "a rope that nobody knows",
        rope_parameters={"rope_theta": 1e4, "rope_type": "ntk_by_hand"},
    )
    model("f-heads", ["num_attention_heads"], "heads in words", num_attention_heads="4")
    model("f-half", ["num_hidden_layers", "2.5"], "two and a half layers", num_hidden_layers=2.5)
    model("f-one", ["model.layers.1"], "a layer more than the configuration says", num_hidden_layers=1)
    model("f-three", ["model.layers.2"], "a layer less than the configuration says", num_hidden_layers=3)
    model("f-groups", ["num_key_value_heads"], "heads of keys that do not divide the heads", num_key_value_heads=3)
    model("f-vocab", ["embed_tokens", "420", "500"], "a vocabulary of another size", vocab_size=500)
    model("f-head", ["lm_head"], "a head that is not there", tie_word_embeddings=False)
    model(
        "f-quant",
        ["quant_method", "gptq"],
        "weights quantized in a way that is not supported",
        quantization_config={"quant_method": "gptq", "bits": 4},
    )
    model("f-eos", ["eos_token_id", "9999"], "an end token that is outside of the vocabulary", eos_token_id=9999)
    model("f-eps", ["rms_norm_eps"], "no epsilon", rms_norm_eps="left out")
    model("f-huge", ["hidden_size"], "a width beyond every number", hidden_size=10**18)
    model("f-nan", ["epsilon", "-1e-05"], "an epsilon below 0", rms_norm_eps=-1e-5)
    text = json.dumps(config)
    model("f-comma", ["config.json"], "a comma too many", files={"config.json": (text[:-1] + ",}").encode()})
    model(
        "f-twice",
        ["config.json", "hidden_act"],
        "a field twice",
        files={"config.json": (text[:-1] + ', "hidden_act": "gelu"}').encode()},
    )
    model("f-tok", ["tokenizer"], "no tokenizer", files={"tokenizer.json": None})
    model("f-none", ["safetensors"], "no weights", files={"model.safetensors": None})
    model(
        "f-bin",
        ["safetensors"],
        "weights of pickle alone",
        files={"model.safetensors": None, "pytorch_model.bin": b"PK\3\4junk"},
    )
    model("f-cut", ["model.safetensors"], "weights cut short", files={"model.safetensors": weights_file[:-500]})
    model(
        "f-more", ["model.safetensors"], "bytes behind the weights", files={"model.safetensors": weights_file + b"tail"}
    )
    model(
        "f-long",
        ["model.safetensors"],
        "a header longer than the file",
        files={"model.safetensors": b"\xff" * 7 + b"\x7f" + weights_file[8:]},
    )
    n = int.from_bytes(weights_file[:8], "little")
    head = json.loads(weights_file[8 : 8 + n])

    def safetensors(change):
        new = json.loads(json.dumps(head))
        change(new)
        block = json.dumps(new).encode()
        return {"model.safetensors": len(block).to_bytes(8, "little") + block + weights_file[8 + n :]}

    q = "model.layers.0.self_attn.q_proj.weight"
    model(
        "f-f8",
        [q, "F8_E4M3"],
        "a type that is not supported",
        files=safetensors(lambda h: h[q].update(dtype="F8_E4M3", shape=[32, 64])),
    )
    more = safetensors(
        lambda h: h.update(
            {
                q.replace("q_proj", "mystery"): {
                    "dtype": "BF16",
                    "shape": [2, 2],
                    "data_offsets": [len(weights_file) - 8 - n, len(weights_file) - n],
                }
            }
        )
    )
    more["model.safetensors"] += bytes(8)
    model("f-name", ["mystery"], "a tensor that has no place", files=more)
    model(
        "f-over",
        ["model.safetensors"],
        "tensors that share bytes",
        files=safetensors(lambda h: h[q].update(data_offsets=h[q.replace("q_proj", "o_proj")]["data_offsets"])),
    )
    model("f-shape", [q, "32"], "a tensor of another shape", files=safetensors(lambda h: h[q].update(shape=[16, 64])))
    index = {"metadata": {}, "weight_map": {k: "model-00001-of-00002.safetensors" for k in head if k != "__metadata__"}}
    index["weight_map"][q] = "model-00002-of-00002.safetensors"
    model(
        "f-shard",
        ["model-00002-of-00002.safetensors"],
        "a part of the weights that is not there",
        files={
            "model.safetensors": None,
            "model-00001-of-00002.safetensors": weights_file,
            "model.safetensors.index.json": json.dumps(index).encode(),
        },
    )
    token = json.loads((chat / "tokenizer.json").read_text())

    def tokenizer(stem, words, name, **fields):
        model(stem, words, name, files={"tokenizer.json": json.dumps({**token, **fields}).encode()})

    tokenizer(
        "k-norm",
        ["tokenizer.json", "Lowercase"],
        "a normalizer that is not supported",
        normalizer={"type": "Lowercase"},
    )
    tokenizer(
        "k-model",
        ["tokenizer.json", "WordPiece"],
        "a kind of tokenizer that is not supported",
        model={
            "type": "WordPiece",
            "vocab": {},
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 9,
        },
    )
    tokenizer(
        "k-drop", ["tokenizer.json", "dropout"], "a tokenizer that draws lots", model={**token["model"], "dropout": 0.1}
    )
    tokenizer("k-field", ["tokenizer.json", "surprise"], "a field of the tokenizer that nobody knows", surprise=1)

    gguf = (shop / "m.gguf").read_bytes()

    def file(name, words, content):
        stem = name.replace(" ", "-") + ".gguf"
        (shop / stem).write_bytes(content)
        cases.append(Case(name, ["perplexity", stem, "--text", "text.txt", "--ctx", "32"], refused=[stem, *words]))

    file("gguf of the first version", ["1"], gguf[:4] + (1).to_bytes(4, "little") + gguf[8:])
    file("gguf of big-endian machines", ["endian"], gguf[:4] + (3).to_bytes(4, "big") + gguf[8:])
    file("ggml without uf", [], b"lmgg" + gguf[4:])
    file("gguf cut in its tensors", [], gguf[:-3000])
    file("gguf cut in its metadata", [], gguf[:500])
    file("gguf of very many tensors", [], gguf[:8] + (1 << 60).to_bytes(8, "little") + gguf[16:])
    file("gguf with bytes behind", [], gguf + b"tail" * 20)
    file("gguf without layers", ["block_tount"], gguf.replace(b"llama.block_count", b"llama.block_tount"))
    file(
        "gguf with an unknown key",
        ["llama.rope.freq_bass"],
        gguf.replace(b"llama.rope.freq_base", b"llama.rope.freq_bass"),
    )
    file("gguf with an unknown tensor", ["attn_q"], gguf.replace(b"blk.1.attn_q.weight", b"blk.1.attn_z.weight"))
    file("gguf with a tensor twice", ["attn_q"], gguf.replace(b"blk.1.attn_q.weight", b"blk.0.attn_q.weight"))
    file("gguf of another split", ["smollx"], gguf.replace(b"smollm", b"smollx"))

    def adapter(stem, words, name, tensors=None, **fields):
        shutil.copytree(shop / "ad", shop / stem)
        conf = {**json.loads((shop / "ad/adapter_config.json").read_text()), **fields}
        (shop / stem / "adapter_config.json").write_text(json.dumps({k: v for k, v in conf.items() if v != "left out"}))
        if tensors:
            (shop / stem / "adapter_model.safetensors").write_bytes(tensors)
        cases.append(
            Case(
                name,
                ["perplexity", "chat", "--adapter", stem, "--text", "text.txt", "--ctx", "32", "--windows", "1"],
                refused=[stem, *words],
            )
        )

    adapter("a-rank", ["8", "4"], "an adapter of another rank", r=8)
    adapter("a-bias", ["bias", "all"], "an adapter with trained biases", bias="all")
    adapter("a-mod", ["modules_to_save", "lm_head"], "an adapter with whole modules", modules_to_save=["lm_head"])
    adapter("a-dora", ["magnitude"], "an adapter that says DoRA and holds none", use_dora=True)
    adapter("a-type", ["peft_type", "IA3"], "an adapter of another kind", peft_type="IA3")
    adapter("a-alpha", ["lora_alpha"], "an alpha in words", lora_alpha="8")
    adapter("a-noalpha", [], "no alpha is PEFT's 8", lora_alpha="left out")
    adapted = shop.make("perplexity", "chat", "--adapter", "ad", "--text", "text.txt", "--ctx", "32", "--windows", "1")
    cases[-1].refused, cases[-1].right = None, lambda done: done.stdout.split()[1] == adapted.stdout.split()[1]
    adapter("a-field", ["mixture"], "a field of an adapter that nobody knows", mixture=3)
    adapter(
        "a-target",
        ["mlp"],
        "tensors of modules that are no targets",
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
    )
    adapter("a-fan", ["fan_in_fan_out"], "an adapter written the other way round", fan_in_fan_out=True)
    adapter(
        "a-cut",
        ["adapter_model.safetensors"],
        "an adapter cut short",
        tensors=(shop / "ad/adapter_model.safetensors").read_bytes()[:-99],
    )
    (shop / "a-none").mkdir()
    cases += table(
        [
            ("a folder without an adapter", "perplexity chat --adapter a-none --text text.txt --ctx 32", ["a-none"]),
            (
                "a model in the place of an adapter",
                "perplexity chat --adapter m.gguf --text text.txt --ctx 32",
                ["m.gguf"],
            ),
            ("an adapter in the place of a model", "perplexity ad --text text.txt --ctx 32", ["ad"]),
        ]
    )

    def rows(name, words, content, ending=".jsonl", *more):
        stem = name.replace(" ", "-") + ending
        (shop / stem).write_bytes(content.encode() if isinstance(content, str) else content)
        cases.append(
            Case(
                name,
                ["finetune", "chat", "--data", stem, "--steps", "1", "--lora", "r=2", "-o", f"o{len(cases)}", *more],
                refused=[stem, *words],
            )
        )

    ok = '{"prompt": "Hello", "completion": " there"}\n'
    rows("row with a comma too many", ["2"], ok + '{"text": "a",}\n')
    rows("row in single quotes", ["2"], ok + "{'text': 'a'}\n")
    rows("row with a key twice", ["2", "text"], ok + '{"text": "a", "text": "b"}\n')
    rows("row with a key that nobody knows", ["2", "flavour"], ok + '{"text": "a", "flavour": "web"}\n')
    rows(
        "row of text and messages",
        ["2", "text", "messages"],
        ok + '{"text": "a", "messages": [{"role": "assistant", "content": "b"}]}\n',
    )
    rows("row without a completion", ["2", "completion"], ok + '{"prompt": "a"}\n')
    rows(
        "row without content",
        ["2", "content"],
        ok + '{"messages": [{"role": "user", "content": null}, {"role": "assistant", "content": "b"}]}\n',
    )
    rows(
        "row of a role that nobody knows",
        ["2", "narrator"],
        ok + '{"messages": [{"role": "narrator", "content": "b"}]}\n',
    )
    rows("row of no messages", ["2", "messages"], ok + '{"messages": []}\n')
    rows(
        "row of a weight of two",
        ["2", "weight"],
        ok + '{"messages": [{"role": "user", "content": "a"}, '
        '{"role": "assistant", "content": "b", "weight": 2}]}\n',
    )
    rows("row with half a character", ["2"], ok + '{"text": "\\ud83d oh"}\n')
    rows("row in Latin 1", ["2"], ok.encode() + '{"text": "Müller"}\n'.encode("latin-1"))
    rows("rows in UTF-16", ["UTF-16"], ok.encode("utf-16"))
    rows("rows that are none", [], "")
    rows("rows of blank lines", [], "\n\n  \n")
    rows("row that ends early", ["2"], ok + '{"text": "a')
    rows("row of deep lists", ["2"], ok + "[" * 100000 + "]" * 100000 + "\n")
    rows("row of a number", ["2"], ok + "17\n")
    rows("row of text that is a number", ["2", "text"], ok + '{"text": 17}\n')
    rows("table as rows", ["1"], "prompt,completion\nHello, there\n")
    rows("packed rows cut short", [], gzip.compress(ok.encode() * 50)[:-12], ".jsonl.gz")
    rows("packed rows with a tail", [], gzip.compress(ok.encode() * 50) + b"tail", ".jsonl.gz")
    rows("parquet", [], b"PAR1" + bytes(range(256)) * 8 + b"PAR1", ".parquet")
    rows("only what the user says", [], '{"messages": [{"role": "user", "content": "a"}]}\n')
    tune = "finetune chat --data one.jsonl --lora r=2 -o tuned "
    cases += table(
        [
            ("a share of rows above 1", tune + "--steps 1 --eval-fraction 1.5", ["eval-fraction", "1.5"]),
            ("a share of rows that leaves none", tune + "--steps 1 --eval-fraction 0.9", ["eval-fraction"]),
            ("two evaluation sets", tune + "--steps 1 --eval one.jsonl --eval-fraction 0.5", ["eval", "eval-fraction"]),
            ("steps and epochs", tune + "--steps 1 --epochs 2", ["steps", "epochs"]),
            ("last steps of nothing", tune + "--steps 1 --deploy-steps 1", ["deploy-steps", "deploy"]),
            ("more last steps than steps", tune + "--steps 1 --deploy q8_0 --deploy-steps 5", ["deploy-steps", "5"]),
            ("a template that there is not", tune + "--steps 1 --template vicuna", ["template", "vicuna"]),
            ("a rank of 0", "finetune chat --data one.jsonl --steps 1 --lora r=0 -o tuned", ["lora", "r", "0"]),
            ("a rank below 0", "finetune chat --data one.jsonl --steps 1 --lora r=-4 -o tuned", ["lora", "r", "-4"]),
            (
                "a word of LoRA that there is not",
                "finetune chat --data one.jsonl --steps 1 --lora rank=4 -o tuned",
                ["lora", "rank"],
            ),
            ("a rank twice", "finetune chat --data one.jsonl --steps 1 --lora r=4,r=8 -o tuned", ["lora", "r"]),
            (
                "targets that are none",
                "finetune chat --data one.jsonl --steps 1 --lora targets=q_porj -o tuned",
                ["q_porj"],
            ),
            ("a base that there is not", tune + "--steps 1 --base q9_9", ["q9_9"]),
            ("a memory in no unit", tune + "--steps 1 --memory 480Q", ["memory", "480Q"]),
            ("a memory of ten bytes", tune + "--steps 1 --memory 10", ["10"]),
            ("rows longer than the context", tune + "--steps 1 --seq 100000", ["seq", "100000", "256"]),
            ("more checkpointed layers than there are", tune + "--steps 1 --checkpoint 7", ["checkpoint", "7", "2"]),
            ("a warmup longer than the training", tune + "--steps 1 --warmup 50", ["warmup", "50"]),
            (
                "a dropout of all",
                "finetune chat --data one.jsonl --steps 1 --lora r=2,dropout=1 -o tuned",
                ["dropout", "1"],
            ),
            (
                "columns set aside that are not there",
                tune + "--steps 1 --ignore-columns sorce",
                ["ignore-columns", "sorce"],
            ),
            (
                "an adapter onto the model's folder",
                "finetune chat2 --data one.jsonl --steps 1 --lora r=2 -o chat2",
                ["chat2"],
            ),
            ("nowhere to write", "finetune chat --data one.jsonl --steps 1", ["-o"]),
            (
                "a system message without a conversation",
                "generate chat --prompt a -n 2 --system be",
                ["system", "chat"],
            ),
            (
                "a template without a conversation",
                "generate chat --prompt a -n 2 --template chatml",
                ["template", "chat"],
            ),
            ("a probability above 1", "generate chat --prompt a -n 2 --top-p 2", ["top-p", "2"]),
            ("a temperature below 0", "generate chat --prompt a -n 2 -t -1", ["temperature", "-1"]),
            ("tokens below 0", "generate chat --prompt a -n -3", ["tokens", "-3"]),
            ("a context above the model's", "generate chat --prompt a -n 2 --ctx 1000", ["ctx", "1000", "256"]),
            ("a cache that there is not", "generate chat --prompt a -n 2 --kv int4", ["kv", "int4"]),
            ("a prompt longer than the context", ["generate", "chat", "--prompt", "xyz " * 400, "-n", "2"], ["256"]),
            (
                "a prompt that is not UTF-8",
                ["generate", "chat", "--prompt", "M\udcfcller", "-n", "2"],
                ["prompt", "UTF-8"],
            ),
            ("a text shorter than a window", "perplexity chat --text one.jsonl --ctx 200", ["one.jsonl", "200"]),
            ("a window of one token", "perplexity chat --text text.txt --ctx 1", ["ctx", "1"]),
            ("windows below 0", "perplexity chat --text text.txt --ctx 32 --windows -1", ["windows", "-1"]),
            ("a merge without an adapter", "merge chat -o merged.gguf", ["adapter"]),
            ("an adapter alone that is none", "convert chat --adapter-only -o alone.gguf", ["adapter"]),
            ("a format that GGUF has not", "convert chat --format nf4 -o nf4.gguf", ["nf4"]),
            ("a format that folders have not", "convert m.gguf --format q4_0 -o q40", ["q4_0"]),
            ("windows of no text", "convert chat --windows 3 -o w.gguf", ["windows", "text"]),
            ("a model onto itself", "convert m2.gguf --format q8_0 -o m2.gguf", ["m2.gguf"]),
            ("a model onto its own folder", "convert chat3 --format f32 -o chat3", ["chat3"]),
            ("a folder onto a file", "convert m.gguf --format f16 -o text.txt", ["text.txt"]),
            ("a file onto a folder of that name", "convert chat -o dir.gguf", ["dir.gguf"]),
            (
                "a format for an adapter alone",
                "convert chat --adapter ad --adapter-only --format q4_0 -o ad.gguf",
                ["format", "adapter-only"],
            ),
        ]
    )
    (shop / "dir.gguf").mkdir()

    def stale(name, file, content):
        """What another model left in a folder is refused, replaced or taken away, never part of the new one."""
        folder = "full-" + name.split()[-1]
        (shop / folder).mkdir()
        (shop / folder / file).write_text(content)

        def check(_):
            done = shop.run("convert", "m.gguf", "-o", folder)
            if done.returncode:
                return one_line(done, [folder])
            left = shop / folder / file
            return not left.exists() or left.read_text() != content

        cases.append(Case(name, ["--version"], right=check))

    stale("a folder that holds another model's ends", "generation_config.json", '{"eos_token_id": 7}')
    stale("a folder that holds another model's template", "chat_template.jinja", "{{ 'another' }}")
    stale("a folder that holds another model's adapter", "adapter_config.json", '{"peft_type": "LORA", "r": 8}')
    stale(
        "a folder that holds another model's index",
        "model.safetensors.index.json",
        '{"weight_map": {"a": "b.safetensors"}}',
    )
    cases.append(
        Case(
            "windows above the context are told",
            ["perplexity", "chat", "--text", "text.txt", "--ctx", "512"],
            right=lambda done: len(done.stderr.splitlines()) == 1
            and all(w in done.stderr for w in ("512", "256", "chat")),
        )
    )

    def whole(_):
        """After all this the model is as it was."""
        return (
            all((shop / "chat" / f).read_bytes() == (chat / f).read_bytes() for f in os.listdir(chat))
            and (shop / "m.gguf").read_bytes() == gguf
        )

    cases.append(Case("the models are as they were", ["--version"], right=whole))
    return cases


def more_cases(shop):
    """Kinds that are rarer; the files of the functions above are there."""
    cases = []
    node = helper.make_node

    def refused(stem, made, words, name):
        content = made if isinstance(made, bytes) else made.SerializeToString()
        (shop / f"{stem}.onnx").write_bytes(content)
        cases.append(Case(name, ["import", f"{stem}.onnx", "-o", f"{stem}.h5"], refused=[f"{stem}.onnx", *words]))

    def either(stem, made, words, name, x=PIXELS):
        (shop / f"{stem}.onnx").write_bytes(made.SerializeToString())

        def check(_):
            done = shop.run("import", f"{stem}.onnx", "-o", f"{stem}.h5")
            return one_line(done, [f"{stem}.onnx", *words]) if done.returncode else as_onnxruntime(shop, stem, x)

        cases.append(Case(name, ["--version"], right=check))

    kernel = {"k": weights(4, 1, 3, 3)}
    refused(
        "kernel",
        before_flatten(node("Conv", ["image", "k"], ["c"], name="cv", kernel_shape=[5, 5]), (4, 6, 6), kernel),
        ["cv", "kernel_shape", "3"],
        "a kernel_shape that the weights have not",
    )
    refused(
        "stride0",
        before_flatten(node("Conv", ["image", "k"], ["c"], name="cv", strides=[0, 1]), (4, 6, 6), kernel),
        ["cv", "strides", "0"],
        "a stride of 0",
    )
    refused(
        "padminus",
        before_flatten(node("Conv", ["image", "k"], ["c"], name="cv", pads=[-1, 0, 0, 0]), (4, 5, 6), kernel),
        ["cv", "pads", "-1"],
        "padding below 0",
    )
    refused(
        "bothpads",
        before_flatten(
            node("Conv", ["image", "k"], ["c"], name="cv", pads=[2, 2, 2, 2], auto_pad="VALID"), (4, 6, 6), kernel
        ),
        ["cv", "auto_pad"],
        "padding said twice, differently",
    )
    refused(
        "narrow",
        behind_flatten(inits={"w": weights(10, 63)}),
        ["fc", "63", "64"],
        "a product of rows of another length",
    )
    refused(
        "overbatch",
        behind_flatten(node("ReduceMean", ["h"], ["y"], name="rm", axes=[0], keepdims=1)),
        ["rm"],
        "a mean over the samples",
    )
    refused(
        "joinbatch",
        behind_flatten(node("Concat", ["h", "h"], ["y"], name="cc", axis=0)),
        ["cc", "axis", "0"],
        "rows put behind each other as samples",
    )
    refused(
        "mixbatch",
        behind_flatten(node("Reshape", ["h", "s"], ["y"], name="rs"), inits={"s": np.array([-1, 5], np.int64)}),
        ["rs"],
        "a shape that makes two samples of one",
    )
    refused(
        "twounknown",
        behind_flatten(node("Reshape", ["h", "s"], ["y"], name="rs"), inits={"s": np.array([-1, -1], np.int64)}),
        ["rs"],
        "a shape of two unknown sizes",
    )
    refused(
        "attrtype",
        behind_flatten(node("Softmax", ["h"], ["y"], name="sm", axis=1.0)),
        ["sm", "axis"],
        "an axis that is a real number",
    )
    refused(
        "attrnew",
        behind_flatten(node("Relu", ["h"], ["y"], name="rl", negative_slope=0.1)),
        ["rl", "negative_slope"],
        "an attribute that the operator has not",
    )
    refused(
        "attrtwo",
        (lambda m: (m.graph.node[2].attribute.append(helper.make_attribute("axis", 0)), m)[1])(
            behind_flatten(node("Softmax", ["h"], ["y"], name="sm", axis=1))
        ),
        ["sm", "axis"],
        "an attribute twice",
    )
    refused(
        "ssa",
        behind_flatten(node("Relu", ["h"], ["h"], name="again"), node("Relu", ["h"], ["y"])),
        ["h"],
        "a value made twice",
    )
    noset = behind_flatten()
    del noset.opset_import[:]
    refused("noset", noset, ["opset"], "no operator set at all")
    twosets = behind_flatten()
    twosets.opset_import.append(helper.make_opsetid("", 11))
    refused("twosets", twosets, ["17", "11"], "two operator sets")
    for stem, dims in (("overflow", [1 << 40, 1 << 40]), ("minusdims", [-10, -64])):
        refused(
            stem,
            behind_flatten(
                inits={"w": TensorProto(name="w", data_type=1, dims=dims, raw_data=weights(10, 64).tobytes())}
            ),
            [str(dims[1])],
            f"an initializer of {dims[0]} rows",
        )
    refused(
        "bytesin",
        (
            lambda m: (
                m.graph.input[0].CopyFrom(helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 1, 8, 8])),
                m,
            )[1]
        )(behind_flatten()),
        ["image"],
        "an input of bytes",
    )
    refused("noout", (lambda m: (m.graph.output.pop(), m)[1])(behind_flatten()), ["output"], "no output")
    refused("lostout", behind_flatten(outputs=("y", "nobody")), ["2"], "an output more, that nothing makes")
    either(
        "halfnet",
        helper.make_model(
            helper.make_graph(
                [
                    node("Cast", ["image"], ["i16"], name="to16", to=TensorProto.FLOAT16),
                    node("Flatten", ["i16"], ["f"]),
                    node("Gemm", ["f", "w"], ["g"], name="fc16", transB=1),
                    node("Cast", ["g"], ["y"], to=TensorProto.FLOAT),
                ],
                "n",
                [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
                [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                [numpy_helper.from_array(weights(10, 64).astype(np.float16), "w")],
            ),
            opset_imports=[helper.make_opsetid("", 17)],
            ir_version=8,
        ),
        ["to16"],
        "a network in half precision",
    )
    either("onebias", behind_flatten(inits={"b": weights(1)}), ["fc", "b"], "one bias for all rows")
    either(
        "scalar",
        behind_flatten(node("Mul", ["h", "two"], ["y"], name="dbl"), inits={"two": np.float32(2)}),
        ["dbl"],
        "a product with one number",
    )
    either("unused", behind_flatten(inits={"nowhere": weights(3, 3)}), ["nowhere"], "an initializer that nothing reads")
    either(
        "dangling-node",
        behind_flatten(node("Relu", ["h"], ["y"]), node("Erf", ["h"], ["unread"], name="dead")),
        ["dead"],
        "a node that nothing reads",
    )
    batch4 = behind_flatten(shape=(4, 1, 8, 8))
    either("batch4", batch4, ["image", "4"], "a network for four samples at once", x=PIXELS[:4])
    function = helper.make_function(
        "local", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    local = behind_flatten(node("Twice", ["h"], ["y"], name="tw", domain="local"))
    local.opset_import.append(helper.make_opsetid("local", 1))
    local.functions.append(function)
    either("local", local, ["tw", "Twice"], "a function of the model's own")

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

    cases += table(
        [
            ("two data sets at once", "eval q.h5 --data digits --data csv:shaped.csv", ["data"]),
            ("an empty name to write", ["export", "q.h5", "--to", "hdf5", "-o", ""], ["output"]),
            ("an empty name to read", ["eval", ""], ["file"]),
            ("an empty name of a model", ["train", "--model", "", "--epochs", "1", "-o", "t.h5"], ["model"]),
            ("a device of nothing", "eval /dev/null", ["/dev/null"]),
            ("data for a look that needs none", "inspect q.h5 --data csv:shaped.csv", ["data"]),
            ("a limit for a look that needs none", "inspect q.h5 --limit 5", ["limit"]),
            ("a histogram and curves in one file", "inspect q.h5 --histogram a.png --curves a.png", ["a.png"]),
            ("a picture onto the model", "inspect q.h5 --histogram q.h5", ["q.h5"]),
            ("outputs of a layer that is not there", "inspect q.h5 --histogram - --of act:conv9", ["conv9"]),
            (
                "two data files for a training",
                "finetune chat --data one.jsonl --data text.txt --seq 32 --steps 1 --lora r=2 -o two",
                ["data"],
            ),
            (
                "an exception of ranks that nothing matches",
                "finetune chat --data one.jsonl --steps 1 --lora r=2,ranks=zz_proj:4 -o two",
                ["zz_proj"],
            ),
            ("a norm below 0", "finetune chat --data one.jsonl --steps 1 --clip -1 -o two", ["clip", "-1"]),
            ("no passes over the data", "finetune chat --data one.jsonl --epochs 0 -o two", ["epochs", "0"]),
            ("endless passes", "finetune chat --data one.jsonl --epochs inf -o two", ["epochs", "inf"]),
            (
                "steps of very many digits",
                "finetune chat --data one.jsonl --steps 99999999999999999999 -o two",
                ["steps", "99999999999999999999"],
            ),
            ("text that is a folder", "perplexity chat --text zoo --ctx 32", ["zoo"]),
            ("text of no letters", "perplexity chat --text void.csv --ctx 32", ["void.csv"]),
            ("a tokenizer of nothing", "perplexity chat --text text.txt --ctx 32 --tokenizer void.csv", ["void.csv"]),
            (
                "a template and running text",
                "finetune chat --data text.txt --seq 32 --steps 1 --template chatml -o two",
                ["template"],
            ),
            (
                "columns to set aside of running text",
                "finetune chat --data text.txt --seq 32 --steps 1 --ignore-columns a -o two",
                ["ignore-columns"],
            ),
            (
                "prompts to learn of running text",
                "finetune chat --data text.txt --seq 32 --steps 1 --train-on-prompts -o two",
                ["train-on-prompts"],
            ),
        ]
    )

    def found_early(name, argv, words):
        """Refused before hours of training, not behind them."""

        def check(_):
            done = shop.run(*argv.split())
            return one_line(done, words) and not done.stdout.strip()

        cases.append(Case(f"{name}, told before training", ["--version"], right=check))

    found_early("a folder that is not there", "train --model mlp --limit 64 --epochs 1 -o gone/t.h5", ["gone/t.h5"])
    found_early(
        "a folder that is not there for the best",
        "train --model mlp --limit 64 --epochs 1 -o t.h5 --best gone/b.h5",
        ["gone/b.h5"],
    )
    found_early(
        "a folder that is not there for the curves",
        "train --model mlp --limit 64 --epochs 1 -o t.h5 --plot gone/b.svg",
        ["gone/b.svg"],
    )
    found_early("a kind of picture", "train --model mlp --limit 64 --epochs 1 -o t.h5 --plot curve.jpg", ["curve.jpg"])
    found_early(
        "a rule for no layer",
        "train --model mlp --limit 64 --epochs 2 --qat w4a8 --rules nolayer*=w8a8 -o t.h5",
        ["nolayer"],
    )
    found_early(
        "a folder for an adapter that is a file",
        "finetune chat --data one.jsonl --steps 1 --lora r=2 -o text.txt",
        ["text.txt"],
    )
    found_early("a folder that a model onto a file makes", "convert m.gguf --format f16 -o text.txt", ["text.txt"])

    def resumed(_):
        """Of the settings only the one that differs is told."""
        done = shop.run(
            "finetune",
            "chat",
            "--data",
            "one.jsonl",
            "--steps",
            "1",
            "--lora",
            "r=4,alpha=8",
            "--lr",
            "1",
            "--resume",
            "-o",
            "ad",
        )
        lines = [x for x in done.stderr.splitlines() if x.startswith("isobit")]
        return done.returncode in (1, 2) and len(lines) == 1 and "lr" in lines[0] and "optim=" not in lines[0]

    cases.append(Case("a training that goes on with another rate", ["--version"], right=resumed))

    chat = shop.models / "chat"
    whole = (chat / "model.safetensors").read_bytes()
    n = int.from_bytes(whole[:8], "little")
    at = json.loads(whole[8 : 8 + n])["model.layers.0.self_attn.q_proj.weight"]["data_offsets"][0] + 8 + n
    shutil.copytree(chat, shop / "nan-model")
    (shop / "nan-model/model.safetensors").write_bytes(whole[:at] + b"\xc0\x7f" + whole[at + 2 :])
    own = json.loads((chat / "tokenizer_config.json").read_text())
    shutil.copytree(chat, shop / "jinja-other")
    (shop / "jinja-other/chat_template.jinja").write_text(
        "{% for m in messages %}{{ 'SAYS ' + m['content'] }}{% endfor %}"
    )
    shutil.copytree(chat, shop / "jinja-only")
    (shop / "jinja-only/chat_template.jinja").write_text(own.pop("chat_template"))
    (shop / "jinja-only/tokenizer_config.json").write_text(json.dumps(own))
    talk = ["--chat", "--prompt", "hi", "-n", "4", "-t", "0"]
    said = shop.make("generate", "chat", *talk).stdout
    cases += [
        Case(
            "a template in a file of its own, which goes before the other",
            ["generate", "jinja-other", *talk],
            refused=["jinja-other"],
        ),
        Case(
            "a template in a file of its own alone",
            ["generate", "jinja-only", *talk],
            right=lambda done: done.stdout == said,
        ),
    ]
    cases += table(
        [
            (
                "a weight that is not a number",
                "perplexity nan-model --text text.txt --ctx 32 --windows 1",
                ["nan-model"],
            ),
            ("a weight that is not a number, talking", "generate nan-model --prompt a -n 2", ["nan-model"]),
            (
                "a weight that is not a number, in 8 bits",
                "convert nan-model --format int8 -o nan-int8",
                ["model.layers.0.self_attn.q_proj.weight"],
            ),
        ]
    )

    def nothing_left(name, argv, out):
        """What is refused leaves no half of an output behind."""

        def check(_):
            return shop.run(*argv.split()).returncode in (1, 2) and not (shop / out).exists()

        cases.append(Case(name, ["--version"], right=check))

    nothing_left("a refused format leaves no folder", "convert m.gguf --format q4_0 -o left-1", "left-1")
    nothing_left("a refused weight leaves no folder", "convert nan-model --format int8 -o left-2", "left-2")
    nothing_left("a refused weight leaves no file", "convert nan-model --format q8_0 -o left-3.gguf", "left-3.gguf")

    def adapter(stem, name, words=None, same=False, **fields):
        shutil.copytree(shop / "ad", shop / stem)
        conf = {**json.loads((shop / "ad/adapter_config.json").read_text()), **fields}
        (shop / stem / "adapter_config.json").write_text(json.dumps(conf))
        argv = ["perplexity", "chat", "--adapter", stem, "--text", "text.txt", "--ctx", "32", "--windows", "1"]
        if same:
            plain = shop.make(*argv[:3], "ad", *argv[4:]).stdout.split()[1]
            cases.append(Case(name, argv, right=lambda done: done.stdout.split()[1] == plain))
        else:
            cases.append(Case(name, argv, refused=[stem, *words]))

    adapter("t-all", "targets that are all linear layers", same=True, target_modules="all-linear")
    adapter(
        "t-pattern",
        "targets that are a regular expression",
        same=True,
        target_modules=r".*\.(q|k|v|o|gate|up|down)_proj",
    )
    adapter(
        "t-part", "targets of a regular expression that leaves some out", ["mlp"], target_modules=r".*\.(q|k|v|o)_proj"
    )
    adapter("t-pissa", "an adapter that changed its base", ["pissa"], init_lora_weights="pissa")
    adapter("t-r0", "a rank of 0 in an adapter", ["0"], r=0)
    adapter("t-rank", "a pattern of ranks that says another", ["8", "4"], rank_pattern={"q_proj": 8})
    return cases


def cases(shop):
    return onnx_cases(shop) + data_cases(shop) + option_cases(shop) + language_cases(shop) + more_cases(shop)
