"""Odd inputs as somebody meets them who knows the documentation alone:
networks in ONNX.

Broken by: such an input that is read by half; a refusal that does not name the thing.
"""

import os
import shutil

import numpy as np
from made.inputs import as_onnxruntime, before_flatten, behind_flatten, network, one_line, PIXELS, RNG, weights
from odd import Case
from onnx import TensorProto, helper, numpy_helper


def cases(shop):
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

    # A channel that one scale makes 0 at 8 bits: it is named, and what can be done is said.
    hidden = np.abs(weights(64, 4)) * np.float32([1, 1e-4, 0.5, 0.25])
    weak = [node("Flatten", ["image"], ["f"]), node("Gemm", ["f", "v"], ["h"], name="hidden"), node("Gemm", ["h", "w"], ["y"], name="last")]
    (shop / "weak.onnx").write_bytes(network(weak, {"v": hidden, "w": weights(4, 3)}).SerializeToString())
    np.save(shop / "weak.npy", PIXELS)

    def says_what_to_do(_):
        shop.make("import", "weak.onnx", "-o", "weak.h5")
        done = shop.run("quantize", "weak.h5", "--data", "npy:weak.npy", "-o", "weak8.h5")
        return done.returncode == 0 and "1 of 4 channels are 0 in 8 bits" in done.stderr and "--observer percentile --percentile 99" in done.stderr

    cases.append(Case("a channel too weak for 8 bits", ["--version"], right=says_what_to_do))
    return cases
