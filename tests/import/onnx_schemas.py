#!/usr/bin/env python3
"""onnx_schemas.py ISOBIT IMPORT_OUTPUTS - the importer's table against the schemas of the installed onnx package.

The universe is onnx.defs: of each operator that is imported every version's attributes, inputs, outputs and types are in
the table or on a list here with a reason; a new onnx package that adds one fails the test. Then each schema's
nodes with what the table does not honour (another value, another type, an attribute of another version, a surprise, an
input or output more) are refused by name. Exits 77 (skipped) where the package is missing."""
import json, pathlib, subprocess, sys, tempfile

try:
    import numpy as np, onnx
    from onnx import helper, numpy_helper, TensorProto
except ImportError:
    sys.exit(77)

OLDER = {("Cast", 1): "its type is a text; refused as older than operator set 6"}
TYPES = {  # what the importer does with each: float32 flows, int32 and int64 are shapes, bool is Dropout's switch
    "tensor(float)": "read", "tensor(int64)": "read where shapes are computed", "tensor(int32)": "read where shapes are computed",
    "tensor(bool)": "read as Dropout's training_mode", **{f"tensor({t})": "refused: inputs, outputs and constants of it" for t in
    "double float16 bfloat16 int4 uint4 int2 uint2 int8 uint8 int16 uint16 uint32 uint64 string complex64 complex128 "
    "float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz float8e8m0 float4e2m1 float6e2m3 float6e3m2".split()}}
KINDS = ("seq(", "optional(", "map(", "sparse_tensor(")  # refused: an input, output or value that is no tensor

bad = 0
def complain(*what):
    global bad
    bad += 1
    print(*what)

table = json.loads(subprocess.check_output([sys.argv[1], "import", "--operators", "--json"]))
rows = {o["name"]: o for o in table["operators"]}
schemas = [s for s in onnx.defs.get_all_schemas_with_history() if s.domain == "" and s.name in rows]
missing = set(rows) - {s.name for s in schemas}
if missing:
    complain("operators that no schema has:", missing)
if onnx.defs.onnx_opset_version() > table["newest"]:
    complain("operator set", onnx.defs.onnx_opset_version(), "is newer than the table's", table["newest"])

def of(entries, version):
    return [e for e in entries if e["from"] <= version and (e["until"] is None or version < e["until"])]

seen = {(name, kind, e["name"], e["from"]): 0 for name, o in rows.items() for kind in ("attributes", "inputs", "outputs") for e in o[kind]}
for s in schemas:
    o, v = rows[s.name], s.since_version
    where = f"{s.name}-{v}"
    if (s.name, v) in OLDER:
        continue
    if v not in o["versions"]:
        complain(where, "is a version that the table does not name")
        continue
    known = {a["name"]: a for a in of(o["attributes"], v)}
    if len(known) != len(of(o["attributes"], v)):
        complain(where, "has an attribute twice")
    for name, a in s.attributes.items():
        row = known.get(name)
        if not row:
            complain(where, "attribute", name, "is neither read nor refused")
            continue
        if row["type"] != a.type.name:
            complain(where, "attribute", name, "is of type", a.type.name)
        if a.required and not row["required"] and row["values"] != "of no effect":
            complain(where, "attribute", name, "is required")
        if isinstance(row["values"], list) and a.default_value.type and not row["required"]:
            default = helper.get_attribute_value(a.default_value)
            default = default.decode() if isinstance(default, bytes) else f"{default:g}"
            if default not in row["values"]:
                complain(where, "attribute", name, "has the default", default, "which is not honoured, though it may be missing")
    for name in set(known) - set(s.attributes):
        complain(where, "has no attribute", name)
    for kind, slots in (("inputs", s.inputs), ("outputs", s.outputs)):
        ours, theirs = [e["name"] for e in of(o[kind], v)], [i.name for i in slots]
        if ours != theirs:
            complain(where, kind, theirs, "in the table", ours)
        for row, i in zip(of(o[kind], v), slots):
            if kind == "inputs" and (row["optional"], row["variadic"]) != (i.option.name == "Optional", i.option.name == "Variadic"):
                complain(where, "input", i.name, "is", i.option.name)
    for c in s.type_constraints:
        for t in c.allowed_type_strs:
            if t not in TYPES and not t.startswith(KINDS):
                complain(where, "type", t, "is neither read nor refused")
for name, o in rows.items():
    for v in set(o["versions"]) - {s.since_version for s in schemas if s.name == name}:
        if v <= onnx.defs.onnx_opset_version():
            complain(name, "has no version", v)

# ---- nodes that say more than is understood ----
folder = tempfile.TemporaryDirectory()
models = []

def value_for(kind, odd):
    return {"FLOAT": 0.375 if odd else 1.0, "INT": 7 if odd else 1, "STRING": "odd", "INTS": [7, 7], "FLOATS": [0.5], "STRINGS": ["odd"],
            "TENSOR": numpy_helper.from_array(np.zeros(1, np.float32))}[kind]

def model(s, version, attributes, why, word, more_inputs=0, more_outputs=0):
    """A model of one node; it must be refused by a line that holds `word`."""
    row, constants, names = rows[s.name], [], []
    for i, e in enumerate(of(row["inputs"], version)):
        if e["optional"]:
            break
        if e["is"] == "constant":
            shape = [2, 3, 1, 1] if e["name"] in "WB" and s.name == "Conv" else [3]
            integers = e["name"] in ("shape", "axes", "pads", "starts", "ends", "indices", "data", "input")
            constants.append(numpy_helper.from_array(np.ones(shape, np.int64 if integers else np.float32), f"c{i}"))
            names.append(f"c{i}")
        else:
            names.append("x")
    names += [""] * (len(of(row["inputs"], version)) - len(names)) if more_inputs else []
    names += ["x"] * more_inputs
    outputs = ["y"] + ([""] * (len(of(row["outputs"], version)) - 1) + ["more"] if more_outputs else [])
    node = helper.make_node(s.name, names, outputs, "the node")
    node.attribute.extend(attributes)
    g = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", 1, ["N", 3, 8, 8])],
                          [helper.make_tensor_value_info("y", 1, None)], constants)
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", version)])
    m.ir_version = 10
    stem = f"{folder.name}/{len(models)}"
    pathlib.Path(stem + ".onnx").write_bytes(m.SerializeToString())
    models.append((stem, f"{s.name}-{version} {why}", word))

def attribute(name, kind, value):
    return helper.make_attribute(name, value, attr_type=getattr(onnx.AttributeProto, kind)) if kind != "SPARSE_TENSOR" else None

everywhere = {name: {a["name"]: a for a in o["attributes"]} for name, o in rows.items()}
for s in schemas:
    v = s.since_version
    if (s.name, v) in OLDER:
        continue
    known = {a["name"]: a for a in of(rows[s.name]["attributes"], v)}
    def required_but(name):
        """The required attributes, but for one."""
        out = []
        for a in known.values():
            if a["required"] and a["name"] != name:
                value = value_for(a["type"], 0) if isinstance(a["values"], str) else int(a["values"][0]) if a["type"] == "INT" else a["values"][0]
                out.append(attribute(a["name"], a["type"], value))
        return out
    for name, a in known.items():
        if a["type"] == "SPARSE_TENSOR":
            continue
        if isinstance(a["values"], list) or a["values"] == "none":
            model(s, v, required_but(name) + [attribute(name, a["type"], value_for(a["type"], 1))], f"{name} odd", name)
        for kind in ("FLOAT", "INT", "STRING", "INTS", "TENSOR"):
            if kind != a["type"]:
                model(s, v, required_but(name) + [attribute(name, kind, value_for(kind, 0))], f"{name} as {kind}", name)
        good = value_for(a["type"], 0) if isinstance(a["values"], str) else {"FLOAT": float, "INT": int}.get(a["type"], str)(a["values"][0]) if a["type"] != "INTS" else [int(a["values"][0])]
        if a["values"] != "none":
            model(s, v, required_but(name) + 2 * [attribute(name, a["type"], good)], f"{name} twice", name)
            reference = attribute(name, a["type"], good)
            reference.ref_attr_name = "outer"
            model(s, v, required_but(name) + [reference], f"{name} by reference", name)
    for name, a in everywhere[s.name].items():
        if name not in known and a["type"] != "SPARSE_TENSOR":
            model(s, v, required_but("") + [attribute(name, a["type"], value_for(a["type"], 0))], f"{name} of another version", name)
    model(s, v, required_but("") + [attribute("surprise", "INT", 0)], "surprise", "surprise")
    if not any(e["variadic"] for e in of(rows[s.name]["inputs"], v)):
        model(s, v, required_but(""), "one input more", "has an input", more_inputs=1)
    model(s, v, required_but(""), "one output more", "has an output", more_outputs=1)

for first in range(0, len(models), 200):
    subprocess.run([sys.argv[2]] + [stem for stem, _, _ in models[first:first + 200]], check=True)
for stem, what, word in models:
    refused = pathlib.Path(stem + ".refused")
    line = refused.read_text() if refused.exists() else ""
    if not line:
        complain(what, "was imported")
    elif word not in line or "the node" not in line or "\n" in line:
        complain(what, "is refused by", line)
print(f"{len(schemas)} schemas of {len(rows)} operators, {len(models)} odd nodes, {bad} complaints")
sys.exit(bad > 0)
