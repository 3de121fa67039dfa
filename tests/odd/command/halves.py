"""What could be half read or half written: tables, packed bytes, lost chunks, output that nothing takes."""
import gzip
import json
import struct
import subprocess

import h5py
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from odd import Case

X = np.arange(12, dtype=np.float32).reshape(2, 1, 2, 3) / 4
ROWS = [[0.5, 1.5, 2.5, -3.5, 4.5, 5.25], [0, 1.5, 2, 3, 4, 5]]


def line(row, separator=","):
    return separator.join(map(str, row))


def identity(shop):
    """A network that gives back its six inputs, whatever they are."""
    node = helper.make_node
    graph = helper.make_graph(
        [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w"], ["y"], transB=1)],
        "identity",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 6])],
        [numpy_helper.from_array(np.eye(6, dtype=np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (shop / "identity.onnx").write_bytes(model.SerializeToString())
    shop.make("import", "identity.onnx", "-o", "identity.h5")
    shop.make("import", "identity.onnx", "--raw-max", 255, "-o", "bytes.h5")


def table_cases(shop):
    def case(name, text, words=None, rows=None, end="csv"):
        path, out = shop / f"{name.replace(' ', '_')}.{end}", shop / f"{name.replace(' ', '_')}.f32"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        argv = ["predict", "identity.h5", "--data", f"csv:{path}", "--raw", "--format", "f32", "-o", out]

        def equal(_):
            return np.array_equal(np.fromfile(out, "<f4"), np.array(rows, np.float32).ravel())

        return Case(f"csv, {name}", argv, refused=words and [path.name, *words], right=rows and equal)

    first, second = line(ROWS[0]), line(ROWS[1])
    packed = gzip.compress(f"{first}\n".encode())
    return [
        case("lines that end in returns", f"{first}\r{second}\r", rows=ROWS),
        case("words behind a return", f"{first}\rwords\n", ["line 2", "words"]),
        case("a mark before the first number", f"\ufeff{first}\n{second}\n", rows=ROWS),
        case("numbers in quotes", '"' + line(ROWS[0], '","') + f'"\n{second}\n', rows=ROWS),
        case("names in quotes", f'"a,1",b,"c",d,e,f\n{first}\n{second}\n', rows=ROWS),
        case("names between blanks", f"a b c d e f\n{line(ROWS[0], ' ')}\n{line(ROWS[1], ' ')}\n", rows=ROWS),
        case("decimal commas", line(ROWS[0], ";").replace(".", ",") + "\n", ["line 1"]),
        case("decimal commas between blanks", "0,5 1,5 2,5\n", ["line 1"]),
        case("two tabs", line(ROWS[0], "\t").replace("\t", "\t\t", 1) + "\n", ["line 1"]),
        case("a first sample that is missing", "NA,NA,NA,NA,NA,NA\n" + first, ["line 1", "NA"]),
        case("a first sample of marks", "?,?,?,?,?,?\n" + first, ["line 1", "?"]),
        case("a first sample of another minus", ",".join(f"\u2212{i}" for i in range(6)) + f"\n{first}", ["line 1"]),
        case("a first sample of dollars", "$1,$2,$3,$4,$5,$6\n" + first, ["line 1", "$1"]),
        case("a title", "measured today\n" + first, ["line 1", "6"]),
        case("fewer names than columns", "a,b,c\n" + first, ["line 1", "3", "6"]),
        case("a byte of zero at the end", first.encode() + b"\0garbage\n", ["0x00", "line 1"]),
        case("packed", packed, rows=ROWS[:1], end="csv.gz"),
        case("packed in two pieces", packed + gzip.compress(second.encode()), rows=ROWS, end="csv.gz"),
        case("bytes behind what is packed", packed + b"more", ["gzip"], end="csv.gz"),
        case("packed, cut short", packed[:-5], ["gzip", "short"], end="csv.gz"),
    ]


def hdf5_cases(shop):
    def case(name, words=None, model="identity.h5", change=None, raw_max=None, want=X, **how):
        path, out = shop / f"{name.replace(' ', '_')}.hdf5", shop / f"{name.replace(' ', '_')}.f32"
        with h5py.File(path, "w") as f:
            how.setdefault("data", X)
            f.create_dataset("images", **how)
            if raw_max is not None:
                f.attrs["raw_max"] = raw_max
            if change:
                change(f["images"])
        argv = ["predict", model, "--data", f"hdf5:{path}", "--raw", "--format", "f32", "-o", out]

        def equal(_):
            return np.array_equal(np.fromfile(out, "<f4"), want.ravel())

        return Case(f"hdf5, {name}", argv, refused=words and [path.name, *words], right=None if words else equal)

    def half(images):
        images[:1] = X[:1]

    pixels = (X * 4).astype(np.uint8)
    shown = (pixels / np.float32(255)).astype(np.float32)
    chunks = {"chunks": (1, 1, 1, 2), "compression": "gzip", "shuffle": True, "fletcher32": True}
    return [
        case("packed chunks", **chunks),
        case("chunks never written", ["never"], change=half, data=None, shape=X.shape, dtype="f4", chunks=(1, 1, 2, 3)),
        case("one largest value", model="bytes.h5", data=pixels, raw_max=255, want=shown),
        case("a list of one largest value", model="bytes.h5", data=pixels, raw_max=[255], want=shown),
        case("two largest values", ["raw_max"], model="bytes.h5", data=pixels, raw_max=[255, 255]),
        case("a thousand largest values", ["raw_max"], model="bytes.h5", data=pixels, raw_max=[255] * 1000),
        case("a largest value of halves", ["raw_max", "255.5"], model="bytes.h5", data=pixels, raw_max=255.5),
        case("a largest value that is not a number", ["raw_max", "nan"], model="bytes.h5", data=pixels, raw_max=np.nan),
        case("a largest value beyond an int", ["raw_max", "1.0"], model="bytes.h5", data=pixels, raw_max=2**40),
    ]


def idx_cases(shop):
    def folder(name, images, labels, words, end=""):
        where = shop / f"idx_{name.replace(' ', '_')}"
        where.mkdir()
        for part in ("train", "t10k"):
            (where / f"{part}-images-idx3-ubyte{end}").write_bytes(images)
            (where / f"{part}-labels-idx1-ubyte").write_bytes(labels)
        return Case(f"idx, {name}", ["eval", "bytes.h5", "--data", f"idx:{where}"], refused=words)

    images = struct.pack(">IIII", 0x803, 2, 2, 3) + bytes(12)
    labels = struct.pack(">II", 0x801, 2) + bytes(2)
    return [
        folder("bytes behind what is packed", gzip.compress(images) + b"more", labels, ["t10k-images", "gzip"], ".gz"),
        folder("more labels than the header says", images, labels + b"z", ["t10k-labels-idx1", "2"]),
    ]


def norm(epsilon, variance):
    """A norm of three channels alone."""
    rng = np.random.default_rng(9)
    values = {k: rng.standard_normal(3).astype(np.float32) for k in ("scale", "bias", "mean")}
    values["variance"] = np.array(variance, np.float32)
    node = helper.make_node("BatchNormalization", ["x", *values], ["y"], name="norm", epsilon=epsilon)
    return helper.make_graph(
        [node],
        "norm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v, k) for k, v in values.items()],
    )


def network_cases(shop):
    """Numbers of a network that a default or another copy would replace."""

    def save(name, graph):
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        (shop / f"{name}.onnx").write_bytes(model.SerializeToString())
        return ["import", f"{name}.onnx", "-o", f"{name}.h5"]

    def equal(name):
        def check(_):
            import onnxruntime

            x = np.random.default_rng(1).standard_normal((5, 3, 2, 2)).astype(np.float32)
            np.save(shop / f"{name}.npy", x)
            shop.make("predict", f"{name}.h5", "--data", f"npy:{name}.npy", "--raw", "--format", "f32", "-o", "y.f32")
            session = onnxruntime.InferenceSession(str(shop / f"{name}.onnx"), providers=["CPUExecutionProvider"])
            want = session.run(None, {"x": x})[0].ravel()
            return np.allclose(np.fromfile(shop / "y.f32", "<f4"), want, rtol=1e-5, atol=1e-5)

        return check

    def beside(name, words, change):
        graph = norm(1e-5, [1, 2, 3])
        weight = graph.initializer[0]
        (shop / "weights.bin").write_bytes(bytes(64))
        raw = weight.raw_data
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value="weights.bin")
        weight.external_data.add(key="length", value="12")
        change(weight, raw)
        stem = name.replace(" ", "_")
        return Case(f"weights beside the file, {name}", save(stem, graph), refused=[f"{stem}.onnx", "scale", *words])

    def add(weight, key, value):
        weight.external_data.add(key=key, value=value)

    small = [1e-4, 1e-5, 1]
    return [
        Case("an epsilon of 0", save("none", norm(0.0, small)), right=equal("none")),
        Case("the least epsilon", save("least", norm(1e-45, small)), right=equal("least")),
        Case("an epsilon of 0 over 0", save("zero", norm(0.0, [1, 0, 1])), refused=["norm", "channel 1"]),
        beside("and in it", ["raw_data"], lambda w, raw: setattr(w, "raw_data", raw)),
        beside("at two places", ["offset", "twice"], lambda w, raw: (add(w, "offset", "0"), add(w, "offset", "4"))),
        beside("with a key of another's", ["basepath"], lambda w, raw: add(w, "basepath", "/")),
        beside("and said to be in it", ["data_location"], lambda w, raw: setattr(w, "data_location", 0)),
        beside("at a place that is no number", ["0x10"], lambda w, raw: add(w, "offset", "0x10")),
    ]


def weight_cases(shop):
    """Folders of language models whose index and files differ, and values that a format cannot hold."""
    from pathlib import Path
    from shutil import copytree, ignore_patterns

    source = shop.models / "chat"
    data = (source / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    head, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    names = sorted(k for k in head if k != "__metadata__")

    def write(path, wanted, body=body):
        """A safetensors file of some of the tensors."""
        entries, out = {}, b""
        for k in wanted:
            a, b = head[k]["data_offsets"]
            entries[k] = {**head[k], "data_offsets": [len(out), len(out) + b - a]}
            out += body[a:b]
        text = json.dumps(entries).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + out)

    parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]

    def folder(name, words=None, change=None, second=names[4:]):
        where = Path(shop / name.replace(" ", "_"))
        copytree(source, where, ignore=ignore_patterns("model.safetensors"))
        write(where / parts[0], names[:4])
        write(where / parts[1], second)
        listed = {k: parts[i >= 4] for i, k in enumerate(names)}
        if change:
            change(listed)
        (where / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))
        argv = ["convert", where.name, "-o", f"{where.name}.gguf"]
        return Case(f"an index, {name}", argv, refused=words and ["index.json", *words], right=lambda _: True)

    key = next(k for k in names if k.endswith("down_proj.weight"))
    at = head[key]["data_offsets"][0]
    large = Path(shop / "large")
    copytree(source, large, ignore=ignore_patterns("model.safetensors"))
    write(large / "model.safetensors", names, body[:at] + b"\x4a\x71" + body[at + 2 :])  # bfloat16

    def held(form):
        argv = ["convert", "large", "--format", form, "-o", f"large-{form}.gguf"]
        return Case(f"a weight of 1e30 as {form}", argv, refused=["e+30", "cannot hold", "down"])

    return [
        folder("that says what the files say"),
        folder("of the wrong file", [names[0], parts[1]], lambda m: m.update({names[0]: parts[1]})),
        folder("of a tensor that there is not", ["ghost"], lambda m: m.update(ghost=parts[0])),
        folder("that leaves a tensor out", [names[0]], lambda m: m.pop(names[0])),
        folder("of a file elsewhere", [names[0], "../"], lambda m: m.update({names[0]: f"../{parts[0]}"})),
        folder("of a tensor that lies twice", ["twice"], second=names[3:]),
        held("f16"),
        held("q8_0"),
    ]


def output_cases(shop):
    """What a command prints is written, or its exit status is 1 and one line says why."""
    (shop / "x.npy").write_bytes(b"")
    np.save(shop / "x.npy", X)

    def run(argv, **streams):
        command = [str(a) for a in (shop.isobit, *argv)]
        streams.update(cwd=shop.folder, stderr=subprocess.PIPE, text=True, timeout=120)
        return subprocess.run(command, stdin=subprocess.DEVNULL, **streams)

    def told(done, of):
        lines = done.stderr.splitlines()
        return done.returncode == of and len(lines) == of and all("standard output" in a for a in lines)

    def full(*argv):
        def check(_):
            with open("/dev/full", "w") as nothing:
                return told(run(argv, stdout=nothing), 1)

        return Case(f"a full disk for {' '.join(map(str, argv[:2]))}", ["--version"], right=check)

    def closed(_):
        line = f"exec '{shop.isobit}' inspect identity.h5 >&-"
        done = subprocess.run(["sh", "-c", line], cwd=shop.folder, stderr=subprocess.PIPE, text=True, timeout=120)
        return told(done, 1)

    def left(_):
        """A reader that has seen enough is no fault."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen([shop.isobit, "import", "--operators"], **pipes) as reader:
            reader.stdout.close()
            return reader.wait(60) == 0 and not reader.stderr.read()

    return [
        full("--help"),
        full("--version"),
        full("predict", "--help"),
        full("inspect", "identity.h5"),
        full("import", "--operators"),
        full("import", "identity.onnx", "-o", "again.h5"),
        full("predict", "identity.h5", "--data", "npy:x.npy", "--raw"),
        Case("no standard output", ["--version"], right=closed),
        Case("a reader that has left", ["--version"], right=left),
    ]


def cases(shop):
    identity(shop)
    kinds = [network_cases, weight_cases, table_cases, hdf5_cases, idx_cases, output_cases]
    return [case for kind in kinds for case in kind(shop)]
