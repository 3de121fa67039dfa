"""Numbers that lose their value where they are stored in fewer bits: beyond fp32, labels that are no classes, cut weights."""

import h5py
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from odd import Case

RNG = np.random.default_rng(9)
PIXELS = RNG.random((6, 1, 8, 8))


def network(weight, *nodes, inits=()):
    return helper.make_model(
        helper.make_graph(
            [helper.make_node("Flatten", ["x"], ["f"]), *nodes, helper.make_node("MatMul", ["f", "w"], ["y"], name="mm")],
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [*inits, *([weight] if weight else [])],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def cases(shop):
    made = []
    plain = RNG.random((64, 10)).astype(np.float32)
    (shop / "net.onnx").write_bytes(network(numpy_helper.from_array(plain, "w")).SerializeToString())
    shop.make("import", "net.onnx", "-o", "net.h5")

    def data(name, spec, words, command="predict"):
        made.append(Case(name, [command, "net.h5", "--data", spec], refused=words))

    def h5(stem, images, labels):
        with h5py.File(shop / stem, "w") as f:
            f["images"], f["labels"] = images, labels
        return f"hdf5:{stem}"

    def changed(value, at=(4, 0, 1, 1)):
        x = PIXELS.copy()
        x[at] = value
        return x

    labels = np.arange(6)
    for value in (1e300, -1e39):
        data(f"doubles of HDF5, {value}", h5(f"h{value}.h5", changed(value), labels), ["images", f"{value:g}", "sample 4"])
        np.save(shop / f"n{value}.npy", changed(value))
        data(f"doubles of NumPy, {value}", f"npy:n{value}.npy", [f"{value:g}", "sample 4"])
    data("infinity of HDF5", h5("inf.h5", changed(np.inf), labels), ["inf.h5", "inf", "sample 4"])
    for value in (1 << 32, (1 << 63) - 1, -(1 << 40), 65536):
        wrong = labels.astype(np.int64)
        wrong[3] = value
        data(f"the label {value}", h5(f"l{value}.h5", PIXELS, wrong), ["labels", str(value)[:9], "sample 3"], "eval")
    huge = labels.astype(np.uint64)
    huge[3] = (1 << 64) - 1
    data("the label 2^64 - 1", h5("u64.h5", PIXELS, huge), ["labels", "1.844674407", "sample 3"], "eval")
    for value in (2.25, np.nan, 1e300):
        wrong = labels.astype(float)
        wrong[3] = value
        data(f"the label {value}", h5(f"f{value}.h5", PIXELS, wrong), ["labels", f"{value:g}", "sample 3"], "eval")
    whole = ["eval", "net.h5", "--data", h5("whole.h5", PIXELS, labels.astype(float))]
    made.append(Case("labels that are whole doubles", whole, right=lambda done: "of 1 samples" in done.stdout))
    good = [",".join(f"{v:.3f}" for v in p.ravel()) + f",{i}" for i, p in enumerate(PIXELS)]
    for i, text in enumerate(("1e39", "-4e38", '"1e50"', "340282400000000000000000000000000000000000")):
        for line in (0, 2):
            rows = [g if k != line else text + g[5:] for k, g in enumerate(good)]
            (shop / f"t{i}{line}.csv").write_text("\n".join(rows) + "\n")
            words = [f"t{i}{line}.csv", f"line {line + 1}", text.strip('"')[:20], "single precision"]
            data(f"{text} in line {line + 1}", f"csv:t{i}{line}.csv", words)

    def imported(stem, model, words):
        (shop / f"{stem}.onnx").write_bytes(model.SerializeToString())
        made.append(Case(f"constants: {stem}", ["import", f"{stem}.onnx", "-o", f"{stem}.h5"], refused=words))

    cast = helper.make_node("Cast", ["w64"], ["w"], to=TensorProto.FLOAT)
    doubles = plain.astype(np.float64)
    doubles[5, 5] = 1e200
    imported("doubles", network(None, cast, inits=[numpy_helper.from_array(doubles, "w64")]), ["w", "1e+200"])
    (shop / "weights.bin").write_bytes(plain.tobytes() + b"more")
    for stem, more in (("with-more", {}), ("with-less", {"length": "2556"}), ("shifted", {"offset": "8"})):
        w = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[64, 10], data_location=TensorProto.EXTERNAL)
        for key, value in {"location": "weights.bin", **more}.items():
            w.external_data.add(key=key, value=value)
        imported(stem, network(w), ["'w'", "weights.bin", "640"])
    return made
