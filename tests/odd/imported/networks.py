"""ONNX files that say something which is easily passed over."""
import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

from odd import Case

rng = np.random.default_rng(7)


def constant(name, shape, scale=0.3):
    return nh.from_array((rng.standard_normal(shape) * scale).astype(np.float32), name)


def save(shop, name, nodes, inputs, outputs, constants, opset=17, domains=(), **more):
    def info(n, s):
        return h.make_tensor_value_info(n, T.FLOAT, s)
    graph = h.make_graph(nodes, name, [info(n, s) for n, s in inputs], [info(n, s) for n, s in outputs], constants, **more)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset), *(h.make_opsetid(d, 1) for d in domains)])
    model.ir_version = 8
    path = shop / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def image(shop, name, nodes, out, constants=(), opset=17, in_shape=("N", 3, 8, 8), **more):
    return save(shop, name, nodes, [("x", in_shape)], [("y", out)], list(constants), opset, **more)


def cases(shop):
    n = h.make_node
    conv = n("Conv", ["x", "w"], ["c"], "first", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    w = constant("w", (4, 3, 3, 3))

    def after(name, node, out=("N", 4, 8, 8), extra=(), **more):
        return image(shop, name, [conv, node], out, [w, *extra], **more)

    files = [
        ("a dilated average pool", after("dilated", n("AveragePool", ["c"], ["y"], "pool", kernel_shape=[2, 2], dilations=[2, 2]), ("N", 4, 6, 6), opset=19), ["pool", "dilations"]),
        ("kernel_shape that contradicts the weight", image(shop, "kernel", [n("Conv", ["x", "w"], ["y"], "first", kernel_shape=[5, 5], pads=[2, 2, 2, 2])], ("N", 4, 8, 8), [w]), ["first", "kernel_shape"]),
        ("an attribute of another type", after("typed", n("Flatten", ["c"], ["y"], "flat", axis="1"), ("N", 256)), ["flat", "axis"]),
        ("an attribute that no operator has", after("unknown", n("Relu", ["c"], ["y"], "act", slope=0.1)), ["act", "slope"]),
        ("auto_pad spelled wrong", image(shop, "auto", [n("Conv", ["x", "w"], ["y"], "first", auto_pad="SAME")], ("N", 4, 6, 6), [w]), ["first", "auto_pad"]),
        ("a mask of Dropout that is used", after("mask", n("Dropout", ["c"], ["d", "y"], "drop")), ["drop"]),
        ("BatchNormalization that trains", after("trains", n("BatchNormalization", ["c", "g", "b", "m", "v"], ["y", "m2", "v2"], "norm", training_mode=1),
                                                 extra=[nh.from_array(np.ones(4, np.float32), k) for k in "gbmv"]), ["norm", "training_mode"]),
        ("a negative variance", after("variance", n("BatchNormalization", ["c", "g", "b", "m", "v"], ["y"], "norm"),
                                      extra=[nh.from_array(np.ones(4, np.float32), k) for k in "gbm"] + [nh.from_array(-np.ones(4, np.float32), "v")]), ["norm"]),
        ("softmax over channels in opset 11", after("softmax", n("Softmax", ["c"], ["y"], "soft")), ["soft"]),
        ("a weight that is not finite", image(shop, "nan", [conv], ("N", 4, 8, 8), [nh.from_array(np.full((4, 3, 3, 3), np.nan, np.float32), "w")]), ["w"]),
        ("a declared shape that is not the network's", after("declared", n("Relu", ["c"], ["y"], "act"), ("N", 4, 9, 9)), ["y", "9"]),
        ("an operator of another domain", after("domain", n("Gelu", ["c"], ["y"], "gelu", domain="com.microsoft"), domains=["com.microsoft"]), ["gelu"]),
        ("two outputs", save(shop, "two", [conv, n("Relu", ["c"], ["y"])], [("x", ("N", 3, 8, 8))], [("y", ("N", 4, 8, 8)), ("c", ("N", 4, 8, 8))], [w]), ["output"]),
        ("a graph of opset 99", after("opset", n("Relu", ["c"], ["y"], "act"), opset=99), ["99"]),
        ("values twice of one name", image(shop, "twice", [conv, n("Relu", ["c"], ["c"]), n("Relu", ["c"], ["y"])], ("N", 4, 8, 8), [w]), ["c"]),
        ("a cycle", image(shop, "cycle", [n("Add", ["x", "b"], ["a"]), n("Relu", ["a"], ["b"]), n("Relu", ["b"], ["y"])], ("N", 3, 8, 8)), ["b"]),
    ]
    table = [Case(what, ["import", path, "-o", "out.h5"], refused=[path.name, *words]) for what, path, words in files]
    cut = shop / "cut.onnx"
    cut.write_bytes((shop / "dilated.onnx").read_bytes()[:-40])
    table.append(Case("cut short", ["import", cut, "-o", "out.h5"], refused=["cut.onnx"]))
    return table
