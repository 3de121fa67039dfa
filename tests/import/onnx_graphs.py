#!/usr/bin/env python3
"""onnx_graphs.py IMPORT_OUTPUTS [COUNT [SEED]] - small graphs drawn at random of all operators that are imported, with attributes drawn
within the schemas: what the importer makes of each equals ONNX Runtime's outputs (without optimizations) within 1e-5 of the
largest, or it refuses the file in one line. Graphs that ONNX Runtime itself refuses are passed by. So that refusing everything
is no way to pass, each operator must come out equal in some graph. Exits 77 (skipped) where the packages are missing."""
import pathlib, subprocess, sys, tempfile

try:
    import numpy as np, onnx, onnxruntime
    from onnx import helper
except ImportError:
    sys.exit(77)

from drawn_graph import draw, N

tool, count, seed = sys.argv[1], int((sys.argv[2:] + [500])[0]), int((sys.argv[3:] + [1])[0])
folder = tempfile.TemporaryDirectory()
drawn, invalid, at = [], 0, 0
session_options = onnxruntime.SessionOptions()
session_options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
session_options.intra_op_num_threads = session_options.inter_op_num_threads = 1
session_options.log_severity_level = 4
while len(drawn) < count:
    at += 1
    g = draw(seed * 1000003 + at)
    if not g:
        continue
    graph = helper.make_graph(g.nodes, "g", [helper.make_tensor_value_info("x", 1, [g.batch] + g.input[1:])],
                              [helper.make_tensor_value_info(g.output, 1, None)], g.constants)
    m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", g.opset)])
    m.ir_version = 8
    try:
        if g.maybe(0.5):
            m = onnx.shape_inference.infer_shapes(m)
        x = g.np.normal(size=[N] + g.input[1:]).astype(np.float32)
        y = onnxruntime.InferenceSession(m.SerializeToString(), session_options, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    except Exception:
        invalid += 1
        continue
    if y.dtype != np.float32:
        continue
    stem = f"{folder.name}/{len(drawn)}"
    pathlib.Path(stem + ".onnx").write_bytes(m.SerializeToString())
    x.tofile(stem + ".in.f32")
    if x.ndim == 4:
        x.transpose(0, 3, 1, 2).tofile(stem + ".turned.f32")
    drawn.append((stem, g, y, seed * 1000003 + at, g.ops))

for first in range(0, count, 100):
    subprocess.run([tool] + [d[0] for d in drawn[first:first + 100]], check=True)
equal, refused, bad, came_out, whys = 0, 0, 0, {}, {}
for stem, g, y, number, ops in drawn:
    def complain(what):
        global bad
        bad += 1
        kept = pathlib.Path(tempfile.gettempdir()) / f"onnx_graph_{number}.onnx"
        kept.write_bytes(pathlib.Path(stem + ".onnx").read_bytes())
        print(f"graph {number} ({' '.join(n.op_type for n in g.nodes)}): {what}; kept as {kept}")
    line = pathlib.Path(stem + ".refused")
    if line.exists():
        refused += 1
        text = line.read_text().replace(stem, "")
        if "\n" in text or not text:
            complain("refused by " + repr(text))
        why = text.split("): ")[-1]
        why = " ".join(w for w in why.split() if not any(c.isdigit() or c == "'" for c in w))
        whys[why] = whys.get(why, 0) + 1
        continue
    size = [int(d) for d in pathlib.Path(stem + ".input").read_text().split()]
    given = g.input[1:] + [1] * (4 - len(g.input))
    turned = size != given
    if turned and size != [given[2], given[0], given[1]]:
        complain(f"input {size} for {given}")
        continue
    out = pathlib.Path(stem + (".turned.out.f32" if turned else ".out.f32"))
    if not out.exists():
        complain("did not run")
        continue
    z = np.fromfile(out, np.float32)
    if z.size != y.size:
        complain(f"{z.size} outputs for {y.size}")
    elif not np.all(np.abs(z - y.reshape(-1)) <= 1e-5 * np.abs(y).max() + 1e-7):
        complain(f"differs by {np.abs(z - y.reshape(-1)).max():.3g} of {np.abs(y).max():.3g}")
    else:
        equal += 1
        for op in ops:
            came_out[op] = came_out.get(op, 0) + 1
print(f"{count} graphs: {equal} equal, {refused} refused, {bad} wrong ({invalid} that ONNX Runtime refuses left out)")
if "-v" in sys.argv:
    for why, n in sorted(whys.items(), key=lambda w: -w[1]):
        print(f"{n:6d} {why}")
    print(came_out)
wanted = {"Conv", "Gemm", "MatMul", "BatchNormalization", "Relu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "Add", "Sub", "Mul",
          "Flatten", "Reshape", "Squeeze", "Transpose", "Softmax", "Sigmoid", "Tanh", "Concat", "Pad", "Constant", "Identity", "Dropout", "Cast", "Shape",
          "ConstantOfShape", "Gather", "Slice", "Unsqueeze", "Div", "ReduceProd"}
if count >= 400 and wanted - set(came_out):
    print("never came out equal:", sorted(wanted - set(came_out)))
    bad += 1
sys.exit(bad > 0)
