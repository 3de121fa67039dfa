"""Networks whose outputs are no classes, and data without labels: measured where that can be, refused where labels are needed."""
import json
import sys

import h5py
import numpy as np
from networks import constant, image
from onnx import helper as h

from odd import Case

rng = np.random.default_rng(11)


def cases(shop):
    conv = h.make_node("Conv", ["x", "w"], ["y"], "only", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    net = image(shop, "filter", [conv], ("N", 2, 8, 8), [constant("w", (2, 3, 3, 3))])
    shop.make("import", net, "--raw-max", 0, "-o", "filter.h5")
    with h5py.File(shop / "bare.h5", "w") as f:
        f["images"] = rng.standard_normal((50, 3, 8, 8)).astype(np.float32)
    with h5py.File(shop / "labelled.h5", "w") as f:
        f["images"] = rng.standard_normal((50, 3, 8, 8)).astype(np.float32)
        f["labels"] = np.arange(50) % 7
    bare, labelled = ["--data", f"hdf5:{shop / 'bare.h5'}"], ["--data", f"hdf5:{shop / 'labelled.h5'}"]
    shop.make("quantize", "filter.h5", *bare, "-o", "int8.h5")

    def measured(done):
        out = json.loads(done.stdout)
        (y,) = out["outputs"]
        return y["shape"] == [2, 8, 8] and y["sqnr_db"] > 30 and len(y["channels_sqnr_db"]) == 2 and "accuracy" not in out

    def codes(done):
        return json.loads(done.stdout)["mismatches"] == 0

    def elsewhere(done):
        out = json.loads(done.stdout)
        return len(out["runtimes"]) == 4 and all(r["different"] == 0 for r in out["runtimes"]) and "accuracy" not in out

    return [
        Case("quantize images to images", ["quantize", "filter.h5", *bare, "-o", "a.h5", "--json"], right=measured),
        Case("labels that do not fit images", ["quantize", "filter.h5", *labelled, "-o", "b.h5", "--json"], right=measured),
        Case("verify without labels", ["verify", "int8.h5", *bare, "--no-compile", "--json"], right=codes),
        Case("verify images in other runtimes", ["verify", "int8.h5", *labelled, "--no-compile", "--json", "--with", "onnxruntime,litert",
                                                 "--python", sys.executable], right=elsewhere),
        Case("train without labels", ["train", "--model", "mlp", *bare, "--epochs", 1, "-o", "x.h5"], refused=["bare.h5", "labels"]),
        Case("accuracy of images", ["eval", "int8.h5", *labelled], refused=["[N,2,8,8]", "scores of classes"]),
        Case("classes of images", ["predict", "int8.h5", *bare, "-o", "p.csv"], refused=["--raw"]),
        Case("images of another shape", ["predict", "filter.h5", "--data", "digits"], refused=["digits", "1x8x8", "3x8x8"]),
    ]
