"""Odd inputs as somebody meets them who knows the documentation alone:
what no network in ONNX may say.

Broken by: such an input that is read by half; a refusal that does not name the thing.
"""

import numpy as np
from made.inputs import as_onnxruntime, before_flatten, behind_flatten, network, one_line, PIXELS, weights
from odd import Case
from onnx import TensorProto, helper, numpy_helper


def cases(shop):
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
    channels = before_flatten(node("Conv", ["q", "k"], ["c"], name="cv"), (4, 6, 6), {"k": weights(4, 2, 3, 3)})
    channels.graph.node.insert(0, node("Pad", ["image", "p"], ["q"], name="pad_c"))
    channels.graph.initializer.append(numpy_helper.from_array(np.array([0, 1, 0, 0, 0, 0, 0, 0], np.int64), "p"))
    refused("padchannels", channels, ["pad_c", "around an image"], "zeroes beside the channels")
    twosets = behind_flatten()
    twosets.opset_import.append(helper.make_opsetid("", 11))
    refused("twosets", twosets, ["17", "11"], "two operator sets")
    for stem, dims, word in (
        ("overflow", [1 << 40, 1 << 40], str(1 << 40)),
        ("minusdims", [-10, -64], "constant 'w' has a dimension of -10"),
    ):
        refused(
            stem,
            behind_flatten(
                inits={"w": TensorProto(name="w", data_type=1, dims=dims, raw_data=weights(10, 64).tobytes())}
            ),
            [word],
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
    return cases
