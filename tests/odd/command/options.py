"""Options that contradict each other or the file they meet."""
from odd import Case


def cases(shop):
    shop.make("train", "--model", "lenet", "--epochs", 1, "--limit", 200, "-o", "float.h5")
    shop.make("train", "--hidden", "16,8", "--epochs", 1, "--limit", 200, "-o", "hidden.h5")
    shop.make("quantize", "float.h5", "--samples", 100, "-o", "int8.h5")
    (shop / "t.csv").write_text("a,ax,b\n" + "1,2,x\n2,1,y\n" * 9)
    (shop / "notes.txt").write_text("what somebody wrote\n")

    def case(name, *argv, refused=None, right=None):
        return Case(name, list(argv), refused=refused, right=right)

    train = ["train", "--epochs", 1, "--limit", 100, "-o", "x.h5"]
    return [
        case("a word too many", *train, "lenet", refused=["lenet"]),
        case("a rate that is no number", *train, "--lr", "nan", refused=["--lr", "nan"]),
        case("a rate with a unit", *train, "--lr", "1e-3x", refused=["--lr", "1e-3x"]),
        case("a percentile of 200", *train, "--qat", "w8a8", "--observer", "percentile", "--percentile", 200, refused=["--percentile", "200"]),
        case("a batch below zero", *train, "--batch", -4, refused=["--batch", "-4"]),
        case("more than any integer", *train, "--batch", "99999999999999999999", refused=["--batch"]),
        case("quantization that begins behind the end", *train, "--qat", "w8a8", "--qat-from", 9, refused=["--qat-from", "9"]),
        case("a range option without quantization", *train, "--percentile", 99, refused=["--percentile", "--qat"]),
        case("rules that match nothing", *train, "--qat", "w8a8", "--qat-from", 0, "--rules", "conv9=w4a8", refused=["conv9"]),
        case("a rule without its bits", *train, "--qat", "w8a8", "--qat-from", 0, "--rules", "conv1", refused=["conv1"]),
        case("an augmentation nobody knows", *train, "--augment", "mixup=1", refused=["mixup"]),
        case("a rotation that is not finite", *train, "--augment", "rotate=inf", refused=["rotate", "inf"]),
        case("a hidden layer of nothing", *train, "--hidden", "64,0", refused=["--hidden", "64,0"]),
        case("hidden layers with a comma too many", *train, "--hidden", "64,32,", refused=["--hidden", "64,32,"]),
        case("hidden layers of a convolutional network", *train, "--hidden", 64, "--model", "lenet", refused=["--hidden", "lenet", "mlp"]),
        case("hidden layers larger than any memory", *train, "--hidden", "65536,65536", refused=["--hidden", "65536,65536"]),
        case("hidden layers beside a network", *train, "--hidden", 64, "--init", "float.h5", refused=["--hidden", "--init"]),
        case("resume with other hidden layers", "train", "--epochs", 1, "--hidden", 8, "--resume", "-o", "hidden.h5",
             refused=["hidden.h5", "mlp:16,8", "mlp:8"]),
        case("a weight for one class of ten", *train, "--class-weights", "0=2", refused=["--class-weights", "class 1"]),
        case("a weight for a class that is not there", *train, "--class-weights", "cat=2", refused=["--class-weights", "cat"]),
        case("two weights for a class", *train, "--class-weights", "0=1,0=2", refused=["--class-weights", "'0'"]),
        case("a weight of 0", *train, "--class-weights", "0=0", refused=["--class-weights", "0=0"]),
        case("weights from a file that is not there", *train, "--class-weights", "weights.txt", refused=["--class-weights", "weights.txt"]),
        *(case(f"nothing at a comma of --{option}: {text!r}", *argv, f"--{option}", text, refused=[f"--{option}", f"'{text}'"])
          for option, argv, item in (("augment", train, "flip"), ("class-weights", train, "0=1"), ("drop", [*train, "--data", "csv:t.csv"], "a"),
                                     ("categorical", [*train, "--data", "csv:t.csv"], "a"), ("with", ["verify", "float.h5"], "litert"),
                                     ("lora", ["finetune", "m", "--data", "d.jsonl"], "r=4"), ("columns", ["finetune", "m", "--data", "d.jsonl"], "a=b"),
                                     ("ignore-columns", ["finetune", "m", "--data", "d.jsonl"], "id"))
          for text in (item + ",", "," + item, f"{item},,{item}x", f"{item}, ,{item}x")),
        case("momentum for AdamW", *train, "--momentum", 0.5, refused=["--momentum"]),
        case("resume of a network with another name", "train", "--model", "mlp", "--resume", "-o", "float.h5", refused=["float.h5", "model lenet", "now mlp"]),
        case("a name that is no identifier", "export", "int8.h5", "--name", "a-b", "-o", "y", refused=["a-b"]),
        case("data for a format without samples", "export", "int8.h5", "--to", "hdf5", "--data", "digits", "-o", "y.h5", refused=["--data"]),
        case("rules longer than a checkpoint keeps", *train, "--qat", "w8a8", "--rules", "conv1=w8a8 " * 200, refused=["--rules"]),
        case("a model beside a model of one's own", *train, "--init", "float.h5", "--model", "mlp", refused=["--model"]),
        case("self-test vectors for a format without", "export", "int8.h5", "--to", "tflite", "--profile", "fp32_rne", "--vectors", 9, "-o", "y", refused=["--vectors"]),
        case("two models", "eval", "int8.h5", "float.h5", refused=["float.h5"]),
        case("integers of a float model", "eval", "float.h5", "--engine", "integer", refused=["float.h5"]),
        case("a threads count of words", "eval", "int8.h5", "--threads", "all", refused=["--threads", "all"]),
        case("an empty limit", "eval", "int8.h5", "--limit", "", refused=["--limit"]),
        case("zero samples", "quantize", "float.h5", "--samples", 0, "-o", "y.h5", refused=["--samples", "0"]),
        case("a checkpoint in the place of another file", *train[:-1], "notes.txt", refused=["-o", "notes.txt"]),
        case("the best of a training in the place of another file", *train, "--best", "notes.txt", refused=["--best", "notes.txt"]),
        case("a quantized network in the place of another file", "quantize", "float.h5", "-o", "notes.txt", refused=["-o", "notes.txt"]),
        case("an imported network in the place of another file", "import", shop.source / "tests/golden/onnx/keras.onnx", "-o", "notes.txt", refused=["-o", "notes.txt"]),
        case("a program in the place of another file", "export", "int8.h5", "--to", "hdf5", "-o", "notes.txt", refused=["-o", "notes.txt"]),
        case("a checkpoint as data", "train", "--data", "hdf5:int8.h5", "-o", "x.h5", refused=["int8.h5", "images"]),
    ]
