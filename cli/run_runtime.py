"""run_runtime.py RUNTIME MODEL INPUT OUTPUT N - runs a model over the samples of INPUT in another runtime; isobit verify reads OUTPUT.

RUNTIME is onnxruntime (INPUT: fp32 [N,C,H,W], OUTPUT: fp32), litert or litert-reference (INPUT: int8 codes [N,H,W,C], OUTPUT: int8;
the first with XNNPACK, the second with TensorFlow Lite's reference kernels)."""
import sys

import numpy as np

runtime, model, source, target, n = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])


def onnxruntime(x):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    inside = session.get_inputs()[0]
    x = x.reshape([n] + inside.shape[1:])
    return np.concatenate([session.run(None, {inside.name: x[i : i + 100]})[0].reshape(-1) for i in range(0, n, 100)])


def litert(x):
    from ai_edge_litert import interpreter as lib

    resolver = lib.OpResolverType.BUILTIN_REF if runtime == "litert-reference" else lib.OpResolverType.AUTO
    net = lib.Interpreter(model_path=model, experimental_op_resolver_type=resolver, num_threads=1)
    inside, out = net.get_input_details()[0], net.get_output_details()[0]
    shape = list(inside["shape"][1:])
    x, results, size = x.reshape([n] + shape), [], 0
    for i in range(0, n, 100):
        part = x[i : i + 100]
        if len(part) != size:
            size = len(part)
            net.resize_tensor_input(inside["index"], [size] + shape)
            net.allocate_tensors()
        net.set_tensor(inside["index"], part)
        net.invoke()
        results.append(net.get_tensor(out["index"]).reshape(-1))
    return np.concatenate(results)


if runtime == "onnxruntime":
    result = onnxruntime(np.fromfile(source, np.float32))
else:
    result = litert(np.fromfile(source, np.int8))
result.tofile(target)
