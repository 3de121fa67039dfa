"""run_runtime.py RUNTIME {MODEL INPUT OUTPUT N}... - runs models over the first N samples of INPUT in another runtime; isobit verify reads OUTPUT.

RUNTIME is a row of RUNTIMES below. Prints what ran and on which kind of processor."""
import importlib.metadata
import platform
import sys

import numpy as np


def processor():
    """The instructions that decide how a runtime multiplies codes, as this process is shown them (an emulator may show fewer)."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return platform.machine()
    try:
        from numpy._core._multiarray_umath import __cpu_features__ as has
    except ImportError:
        from numpy.core._multiarray_umath import __cpu_features__ as has
    vnni = has.get("AVX512VNNI")
    if not vnni and has.get("VPCLMULQDQ"):  # NumPy does not know AVX-VNNI; processors that have it have this one
        try:
            vnni = " avx_vnni" in open("/proc/cpuinfo").read()
        except OSError:
            pass
    level = "AVX-512" if has.get("AVX512BW") else "AVX2" if has.get("AVX2") else "SSE"
    return level if level == "SSE" else level + (" with VNNI" if vnni else " without VNNI")


def onnxruntime(model, x, n):
    """fp32 [N,C,H,W] to fp32"""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    inside = session.get_inputs()[0]
    x = x.reshape([-1] + inside.shape[1:])[:n]
    return np.concatenate([session.run(None, {inside.name: x[i : i + 100]})[0].reshape(-1) for i in range(0, n, 100)])


def litert(model, x, n, resolver="AUTO"):
    """int8 codes [N,H,W,C] to int8, images [N,C,H,W]; with XNNPACK"""
    from ai_edge_litert import interpreter as lib

    resolver = getattr(lib.OpResolverType, resolver)
    net = lib.Interpreter(model_path=model, experimental_op_resolver_type=resolver, num_threads=1)
    inside, out = net.get_input_details()[0], net.get_output_details()[0]
    shape = list(inside["shape"][1:])
    x, results, size = x.reshape([-1] + shape)[:n], [], 0
    for i in range(0, n, 100):
        part = x[i : i + 100]
        if len(part) != size:
            size = len(part)
            net.resize_tensor_input(inside["index"], [size] + shape)
            net.allocate_tensors()
        net.set_tensor(inside["index"], part)
        net.invoke()
        y = net.get_tensor(out["index"])
        results.append((np.moveaxis(y, 3, 1) if y.ndim == 4 else y).reshape(-1))
    return np.concatenate(results)


def litert_reference(model, x, n):
    """The same by TensorFlow Lite's reference kernels."""
    return litert(model, x, n, "BUILTIN_REF")


# engine of runtimes.def: function, type of what goes in, Python package
RUNTIMES = {
    "onnxruntime": (onnxruntime, np.float32, "onnxruntime"),
    "litert": (litert, np.int8, "ai-edge-litert"),
    "litert-reference": (litert_reference, np.int8, "ai-edge-litert"),
}

run, kind, package = RUNTIMES[sys.argv[1]]
for model, source, target, n in zip(*[iter(sys.argv[2:])] * 4):
    run(model, np.fromfile(source, kind), int(n)).tofile(target)
print(package, importlib.metadata.version(package), "on", processor())
