"""inputs.py - what the areas of odd inputs make alike: networks, models with their files, tables of options."""

import shutil

import numpy as np
from odd import Case
from onnx import TensorProto, helper, numpy_helper

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

def table(rows):
    """Cases of rows (name, command line, words)."""
    return [Case(name, line.split() if isinstance(line, str) else line, refused=words) for name, line, words in rows]


def make_plain(shop):
    """plain.h5, a float network of images of 1x8x8."""
    (shop / "plain.onnx").write_bytes(behind_flatten().SerializeToString())
    shop.make("import", "plain.onnx", "-o", "plain.h5")


def make_quantized(shop):
    """q.h5, a quantized network of the digits."""
    shop.make(
        "train", "--model", "mlp", "--epochs", "1", "--qat", "w8a8", "--qat-from", "1", "--limit", "64", "-o", "q.h5"
    )


def make_language(shop):
    """chat and m.gguf, a model with its copies; ad, its adapter; text.txt and one.jsonl."""
    chat = shop.models / "chat"
    (shop / "text.txt").write_text("It is a truth universally acknowledged. " * 60)
    (shop / "one.jsonl").write_text('{"prompt": "Hello", "completion": " there"}\n')
    shutil.copytree(chat, shop / "chat")
    shop.make("convert", "chat", "-o", "m.gguf")
    shutil.copy(shop / "m.gguf", shop / "m2.gguf")
    for copy in ("chat2", "chat3"):
        shutil.copytree(chat, shop / copy)
    shop.make("finetune", "chat", "--data", "one.jsonl", "--steps", "1", "--lora", "r=4,alpha=8", "-o", "ad")
