"""NumPy arrays and bare numbers for isobit predict: every layout that numpy writes gives onnxruntime's outputs, or one line."""
import io

import numpy as np
import onnxruntime
from networks import constant, image
from numpy.lib import format as npy
from onnx import helper as h

from odd import Case

rng = np.random.default_rng(5)
x = rng.standard_normal((7, 3, 8, 8)).astype(np.float32)


def stored(array, version=(1, 0)):
    out = io.BytesIO()
    npy.write_array(out, array, version=version, allow_pickle=True)
    return out.getvalue()


def header(text):
    """The magic of version 1.0 around a header of one's own."""
    line = text.encode().ljust(118 - 10 + 9) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line


def cases(shop):
    conv = h.make_node("Conv", ["x", "w"], ["y"], "only", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    net = image(shop, "filter", [conv], ("N", 2, 8, 8), [constant("w", (2, 3, 3, 3))])
    shop.make("import", net, "--raw-max", 0, "-o", "filter.h5")
    want = onnxruntime.InferenceSession(str(net), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]

    def case(name, data, words=None, of="npy", tolerance=1e-5, extra=(), first=7):
        path, out = shop / f"{name.replace(' ', '_')}.{of}", shop / f"{name.replace(' ', '_')}.out"
        path.write_bytes(data)

        def equal(_):
            y = np.load(out)
            return y.shape == (first, 2, 8, 8) and y.dtype == np.float32 and np.abs(y - want[:first]).max() < tolerance

        argv = ["predict", "filter.h5", "--data", f"{of}:{path}", "--engine", "float", "--raw", "--format", "npy", "-o", out, *extra]
        return Case(f"{of}, {name}", argv, refused=words and [path.name, *words], right=equal)

    plain = stored(x)
    return [
        case("as it is", plain),
        case("columns first", stored(np.asfortranarray(x))),
        case("big-endian doubles", stored(x.astype(">f8"))),
        case("halves", stored(x.astype(np.float16)), tolerance=2e-2),
        case("version 2", stored(x, (2, 0))),
        case("version 3", stored(x, (3, 0))),
        case("batches that do not divide", plain, extra=("--batch", 3)),
        case("a limit", plain, extra=("--limit", 4), first=4),
        case("cut by a byte", plain[:-1], ["ends before"]),
        case("a byte more", plain + b"x", ["bytes"]),
        case("a head alone", plain[:40], ["npy"]),
        case("nothing", b"", ["npy"]),
        case("another shape", stored(x[:, :, :4]), ["[7,3,4,8]", "[N,3,8,8]"]),
        case("no samples", stored(x[:0]), ["0"]),
        case("complex numbers", stored(x.astype(np.complex64)), ["c8"]),
        case("objects", stored(np.array([{}], dtype=object)), ["O"]),
        case("not a number", stored(np.where(x == x[3, 1, 2, 2], np.float32(np.nan), x)), ["sample 3", "nan"]),
        case("version 9", b"\x93NUMPY\x09" + plain[7:], ["9"]),
        case("sizes beyond memory", header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 3, 8, 8), }"), ["npy"]),
        case("a negative size", header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3, 8, 8), }"), ["npy"]),
        case("as they are", x.tobytes(), of="f32"),
        case("cut within a sample", x.tobytes()[:-4], ["768"], of="f32"),
    ]
