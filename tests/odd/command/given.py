"""Options given twice, given nothing, given more than there is, or files that cannot be: all of it told before the work."""

import os

from odd import Case

TRAIN = "train --model mlp --limit 100 --epochs 1 -o x.h5 "
QUANT = TRAIN + "--qat w8a8 "


def cases(shop):
    shop.make("train", "--model", "lenet", "--epochs", 1, "--limit", 200, "-o", "float.h5")
    shop.make("quantize", "float.h5", "--samples", 100, "-o", "int8.h5")
    (shop / "shaped.csv").write_text("".join(",".join("0.5" for _ in range(64)) + "\n" for _ in range(5)))
    (shop / "shaped.f32").write_bytes(bytes(64 * 4 * 5))
    (shop / "mnist").mkdir()
    (shop / "mnist/t10k-images-idx3-ubyte").write_bytes(b"precious")
    os.symlink("nothing.csv", shop / "to-nothing.csv")
    os.symlink("shaped.csv", shop / "to-shaped.csv")

    def refused(name, argv, *words):
        """Refused before anything is computed: nothing is said on standard output, nothing is left behind."""
        argv = argv.split() if isinstance(argv, str) else argv

        def check(_):
            before = set(os.listdir(shop.folder))
            done = shop.run(*argv)
            lines = done.stderr.splitlines()
            good = done.returncode in (1, 2) and len(lines) == 1 and all(word in lines[0] for word in words)
            return good and not done.stdout and set(os.listdir(shop.folder)) == before

        return Case(f"{name}: {' '.join(argv)}", ["--version"], right=check)

    return [
        refused("by its letter and by its name", "eval int8.h5 -e qat --engine integer", "engine", "qat", "integer"),
        refused("by its name cut short", TRAIN + "--batch 8 --bat 9", "batch", "8", "9"),
        Case(
            "a switch twice says the same",
            ["eval", "int8.h5", "--json", "--json"],
            right=lambda done: '"accuracy"' in done.stdout,
        ),
        refused("an augmentation twice", TRAIN + "--augment shift=1,rotate=2,shift=3", "--augment", "shift=1", "=3"),
        refused("a rule twice", [*QUANT.split(), "--rules", "fc1=w8a8 fc2=w8a8 fc1=w4a8"], "--rules", "fc1=w4a8"),
        refused("no data", ["eval", "int8.h5", "--data", ""], "data"),
        refused("small again in 32 bits", TRAIN + "--qat w4294967304a8", "w4294967304a8"),
        refused("a sign", TRAIN + "--qat w+8a8", "w+8a8"),
        refused("small again in 32 bits", "import f.onnx --input 4294967297x8x8 -o y.h5", "4294967297x8x8"),
        refused("more than there is", "export int8.h5 --vectors 9999 -o y", "--vectors", "9999", "359"),
        refused("more than there is", TRAIN + "--batch 5000", "--batch", "5000", "100"),
        refused("more than there is", QUANT + "--calibrate 500", "--calibrate", "500", "1"),
        refused("more than there is", "quantize float.h5 --samples 10 --batch 20 -o y.h5", "--batch", "20", "10"),
        refused("more than there is", "quantize float.h5 --limit 50 --samples 60 -o y.h5", "--samples", "60", "50"),
        refused("onto the data", "predict int8.h5 --data csv:shaped.csv:1x8x8 -o shaped.csv", "shaped.csv", "data"),
        refused("onto the data", "predict int8.h5 --data f32:shaped.f32:1x8x8 -o ./shaped.f32", "shaped.f32", "data"),
        refused("onto the data", "predict int8.h5 --data csv:shaped.csv -o to-shaped.csv", "to-shaped.csv", "data"),
        refused("onto the data", "predict int8.h5 --data idx:mnist -o mnist/t10k-images-idx3-ubyte", "t10k-im", "data"),
        refused("onto the data", "quantize float.h5 --data csv:shaped.csv:1x8x8 -o shaped.csv", "shaped.csv", "data"),
        refused("onto the data", TRAIN + "--data csv:shaped.csv:1x8x8 --best shaped.csv", "shaped.csv", "data"),
        refused("one new file by two paths", TRAIN + "--best ./mnist/../x.h5", "--best", "x.h5"),
        refused("a link to nothing", "predict int8.h5 --data digits -o to-nothing.csv", "to-nothing.csv", "link"),
        refused("without effect", "inspect --models --json", "--models"),
        refused("without effect", "inspect float.h5 --curves - --json", "--json"),
        refused("without effect", "export int8.h5 --limit 5 -o y", "--limit", "--data"),
        refused("one of two", "verify int8.h5 --limit 5 --with onnxruntime,tensorrt", "--with", "tensorrt"),
        refused("onto a folder", TRAIN.replace("x.h5", "mnist"), "mnist"),
        refused("no folder", "quantize float.h5 -o gone/y.h5", "gone/y.h5"),
        refused("no folder", "predict int8.h5 --data digits -o gone/y.csv", "gone/y.csv"),
        refused("no folder", "export int8.h5 --to hdf5 -o gone/y.h5", "gone/y.h5"),
        refused("no folder", "import f.onnx -o gone/y.h5", "gone/y.h5"),
        refused("no such picture", "inspect float.h5 --histogram h.bmp", "h.bmp"),
        refused("no such layer", QUANT + "--rules fc1=w8a8,conv9*=w4a8", "conv9*=w4a8"),
        refused("no such observer", QUANT + "--observer magic", "magic"),
        refused("a contradiction", QUANT + "--granularity group:8 --weight-observer lsq", "group", "lsq"),
    ]
