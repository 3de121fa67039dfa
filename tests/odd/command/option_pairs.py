"""Odd inputs as somebody meets them who knows the documentation alone:
options against each other, against files and before long work.

Broken by: such an input that is read by half; a refusal that does not name the thing.
"""

import os
import shutil
import stat
import subprocess
import tempfile

import h5py
from made.inputs import make_language, make_plain, make_quantized, network, one_line, table, weights
from odd import Case


def option_cases(shop):
    make_plain(shop)
    make_quantized(shop)
    (shop / "zoo").mkdir()
    (shop / "void.csv").write_text("")
    (shop / "shaped.csv").write_text("0," * 64 + "1\n")
    shop.make("export", "q.h5", "--to", "hdf5", "-o", "program.h5")
    for copy in ("q2.h5", "q3.h5"):
        shutil.copy(shop / "q.h5", shop / copy)
    for copy in ("plain2.h5", "mein Netz ü.h5"):
        shutil.copy(shop / "plain.h5", shop / copy)
    train = "train --model mlp --limit 64 --epochs 2 -o t.h5 "
    cases = table(
        [
            ("bits that there are not", train + "--qat w3a8", ["w3a8"]),
            ("a rate that is not a number", train + "--lr nan", ["lr", "nan"]),
            ("a rate below 0", train + "--lr -0.1", ["lr", "-0.1"]),
            ("no epochs", "train --model mlp --epochs 0 -o t.h5", ["epochs", "0"]),
            ("an epoch and a half", "train --model mlp --epochs 1.5 -o t.h5", ["epochs", "1.5"]),
            ("quantized from an epoch that never comes", train + "--qat w8a8 --qat-from 20", ["qat-from", "20", "2"]),
            ("the rate of quantized epochs without any", train + "--qat-lr 1e-3", ["qat-lr"]),
            ("an observer without quantization", train + "--observer kl", ["observer"]),
            ("rules without quantization", train + "--rules fc1=w8a8", ["rules"]),
            ("a rule for a layer that is not there", train + "--qat w4a8 --rules nolayer*=w8a8", ["nolayer"]),
            ("a percentile of another observer", train + "--qat w8a8 --observer mse --percentile 99", ["percentile"]),
            (
                "a percentile above 100",
                train + "--qat w8a8 --observer percentile --percentile 101",
                ["percentile", "101"],
            ),
            ("momentum of an optimizer without", train + "--momentum 0.5", ["momentum"]),
            ("more frozen epochs than quantized ones", train + "--qat w8a8 --freeze 9", ["freeze", "9"]),
            ("an augmentation misspelt", train + "--augment shift=2,rotat=10", ["augment", "rotat"]),
            ("a picture of a kind that is not written", train + "--plot curve.jpg", ["curve.jpg"]),
            ("the best checkpoint and the last in one file", train + "--best t.h5", ["best", "t.h5"]),
            (
                "the picture and the checkpoint in one file",
                "train --model mlp --limit 64 --epochs 2 -o a.svg --plot a.svg",
                ["plot", "a.svg"],
            ),
            ("a model and a checkpoint to begin with", train + "--init q.h5", ["model", "init"]),
            ("a word too many", train + "lenet", ["lenet"]),
            ("a seed below 0", train + "--seed -1", ["seed", "-1"]),
            ("a seed of 65 bits", train + "--seed 18446744073709551616", ["seed", "18446744073709551616"]),
            ("a device that there is not", train + "--device cuda:0", ["cuda:0"]),
            ("threads below 0", train + "--threads -2", ["threads", "-2"]),
            ("a group of no weights", train + "--qat w4a8 --granularity group:0", ["granularity", "group", "0"]),
            ("a limit with a suffix", "train --model mlp --limit 10k -o t.h5", ["limit", "10k"]),
            ("a limit below 0", "eval q.h5 --limit -5", ["limit", "-5"]),
            ("a limit above every number", "eval q.h5 --limit 99999999999999999999", ["limit", "99999999999999999999"]),
            (
                "outputs onto a folder that is not there",
                "train --model mlp --limit 64 --epochs 1 -o gone/t.h5",
                ["gone/t.h5"],
            ),
            ("integers of a float network", "predict plain.h5 --engine integer --data digits", ["plain.h5", "integer"]),
            ("codes of a float network", "predict plain.h5 --codes --data digits", ["plain.h5", "codes"]),
            ("codes from the float engine", "predict q.h5 --codes --engine float --data digits", ["codes", "engine"]),
            (
                "the float engine of a program",
                "predict program.h5 --engine float --data digits",
                ["program.h5", "float"],
            ),
            ("an engine that there is not", "eval q.h5 --engine tpu", ["engine", "tpu"]),
            ("a part of the data that there is not", "predict q.h5 --split val --data digits", ["split", "val"]),
            ("no samples at a time", "predict q.h5 --batch 0 --data digits", ["batch", "0"]),
            ("predictions onto the model", "predict q2.h5 --limit 3 -o q2.h5 --data digits", ["q2.h5"]),
            ("two formats at once", "predict q.h5 --json --format npy --data digits", ["json", "npy"]),
            ("normalized data for raw bytes", "predict q.h5 --normalized --data digits", ["digits"]),
            ("export of a float network", "export plain.h5 --to c -o c-out", ["plain.h5", "float"]),
            ("a name that C cannot have", "export q.h5 --to c --name 9lives -o c-out", ["9lives"]),
            ("C onto a file", "export q.h5 --to c -o plain.onnx", ["plain.onnx"]),
            ("vectors below 0", "export q.h5 --to c --vectors -1 -o c-out", ["vectors", "-1"]),
            ("vectors for a format without", "export q.h5 --to tflite --vectors 9 -o v.tflite", ["vectors"]),
            ("ONNX in a profile that it cannot have", "export q.h5 --to onnx-qop -o q.onnx", ["tflite_double"]),
            ("a format that there is not", "export q.h5 --to coreml -o q.ml", ["coreml"]),
            ("the export onto the checkpoint", "export q3.h5 --to hdf5 -o q3.h5", ["q3.h5"]),
            ("a file onto a folder", "export q.h5 --to hdf5 -o zoo", ["zoo"]),
            ("a program exported again", "export program.h5 --to c -o c-out", ["program.h5"]),
            ("quantized twice", "quantize q.h5 -o qq.h5", ["q.h5"]),
            (
                "more calibration samples than there are",
                "quantize plain.h5 --data digits --samples 999999 -o qq.h5",
                ["samples", "999999"],
            ),
            (
                "rules for no layer, told before the data are read",
                "quantize plain.h5 --data csv:nowhere.csv --rules nobody=w8a8 -o qq.h5",
                ["nobody"],
            ),
            ("calibration onto its input", "quantize plain2.h5 --data digits -o plain2.h5", ["plain2.h5"]),
            ("a picture of nothing", "inspect q.h5 --of fc1.weight", ["of"]),
            ("a parameter that is not there", "inspect q.h5 --histogram - --of conv9.weight", ["conv9.weight"]),
            ("curves of a network without history", "inspect plain.h5 --curves -", ["plain.h5"]),
            ("the list of models beside a file", "inspect q.h5 --models", ["models"]),
            ("a runtime that there is not", "verify q.h5 --limit 5 --no-compile --with tensorrt", ["with", "tensorrt"]),
            ("a compiler and no compiling", "verify q.h5 --limit 5 --no-compile --cc gcc", ["cc", "no-compile"]),
            ("a compiler that is not there", "verify q.h5 --limit 5 --cc nocc-17", ["nocc-17"]),
            ("a Python and no runtimes", "verify q.h5 --limit 5 --no-compile --python python3", ["python"]),
            ("a model that is a web page", ["eval", "text.h5"], ["text.h5"]),
            ("a command misspelt", "exprot q.h5", ["exprot"]),
            ("an option cut short so that it could be two", train + "--qat w8a8 --weight w", ["weight"]),
        ]
    )

    data = (shop / "q.h5").read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 4
    for name, content in (
        ("a flipped bit", bytes(flipped)),
        ("a checkpoint cut short", data[:-100]),
        ("bytes behind a checkpoint", data + b"more"),
    ):
        stem = name.replace(" ", "-") + ".h5"
        (shop / stem).write_bytes(content)
        cases.append(Case(name, ["eval", stem], refused=[stem]))

    def program(stem, change, name):
        """What another program changed in the file is refused before it is read: its checksum is another."""
        shutil.copy(shop / "program.h5", shop / stem)
        with h5py.File(shop / stem, "a") as f:
            change(f)
        cases.append(Case(name, ["eval", stem], refused=[stem]))

    program(
        "p-more.h5", lambda f: f.create_dataset("surprise", data=[1]), "a program with a data set that nobody knows"
    )
    program("p-attr.h5", lambda f: f.attrs.create("surprise", 1), "a program with an attribute that nobody knows")

    def own(name, argv, words, **how):
        """A run that the harness cannot make: other standard output, another user."""

        def check(_):
            done = subprocess.run(
                [shop.isobit, *argv],
                stderr=subprocess.PIPE,
                text=True,
                **{"cwd": shop.folder, "stdout": subprocess.PIPE, **how},
            )
            return one_line(done, words)

        cases.append(Case(name, ["--version"], right=check))

    own("a full disk", ["predict", "q.h5", "--data", "digits"], ["standard output"], stdout=open("/dev/full", "w"))
    cases.append(
        Case("a file on a full disk", ["predict", "q.h5", "--data", "digits", "-o", "/dev/full"], refused=["/dev/full"])
    )
    own(
        "an environment that chooses no device",
        ["eval", "q.h5"],
        ["ISOBIT_DEVICE", "tpu"],
        env={**os.environ, "ISOBIT_DEVICE": "tpu"},
    )

    def pipe(_):
        """A reader that leaves early: no crash, and no success in silence."""
        head = subprocess.Popen(
            [shop.isobit, "predict", "q.h5", "--data", "digits"],
            cwd=shop.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        head.stdout.close()
        error = head.stderr.read().decode()
        return head.wait() in (-13, 1, 2) and len(error.splitlines()) <= 1

    cases.append(Case("a pipe whose reader leaves", ["--version"], right=pipe))

    if os.geteuid() == 0:  # as somebody who may not
        room = tempfile.mkdtemp(dir=shop.folder)
        os.chmod(shop.folder, 0o755)
        os.chmod(room, 0o755)
        shutil.copy(shop / "q.h5", room + "/secret.h5")
        shutil.copy(shop / "q.h5", room + "/open.h5")
        os.chmod(room + "/secret.h5", stat.S_IRUSR)
        own("a model that one may not read", ["eval", "secret.h5"], ["secret.h5", "ermission"], cwd=room, user=65534)
        own(
            "a folder that one may not write",
            ["export", "open.h5", "--to", "hdf5", "-o", "new.h5"],
            ["new.h5", "ermission"],
            cwd=room,
            user=65534,
        )
    long = "n" * 300 + ".h5"
    cases.append(Case("a name that is too long", ["eval", long], refused=[long[:60]]))

    def linked(_):
        """What a link points at is not replaced by surprise: either it is written through, or the link is refused."""
        (shop / "target.csv").write_text("precious\n")
        os.symlink("target.csv", shop / "out-link.csv")
        done = shop.run("predict", "q.h5", "--data", "digits", "--limit", "3", "-o", "out-link.csv")
        through = (shop / "out-link.csv").is_symlink() and "precious" not in (shop / "target.csv").read_text()
        return one_line(done, ["out-link.csv"]) if done.returncode else through

    cases.append(Case("predictions onto a link", ["--version"], right=linked))

    def blank(_):
        """The model has its file's name: that of C is an identifier, or one says to choose one."""
        shop.make("quantize", "mein Netz ü.h5", "--data", "digits", "--samples", "50", "-o", "mein int ü.h5")
        done = shop.run("export", "mein int ü.h5", "--to", "c", "-o", "c blank")
        if done.returncode:
            return one_line(done, ["name"])
        made = sorted((shop / "c blank").glob("*.c"))
        return len(made) == 1 and made[0].stem.isidentifier() and made[0].stem.isascii()

    cases.append(Case("C of a model whose name has a blank", ["--version"], right=blank))

    def keyword(_):
        """A keyword of C as the name: what is written compiles, or the name is refused."""
        done = shop.run("export", "q.h5", "--to", "c", "--name", "int", "-o", "c-int")
        if done.returncode:
            return one_line(done, ["int"])
        return subprocess.run(["cc", "-std=c99", "-c", "int.c", "-o", "int.o"], cwd=shop / "c-int").returncode == 0

    cases.append(Case("a name that C has taken", ["--version"], right=keyword))
    return cases


def early_cases(shop):
    make_language(shop)
    cases = []
    cases += table(
        [
            ("two data sets at once", "eval q.h5 --data digits --data csv:shaped.csv", ["data"]),
            ("an empty name to write", ["export", "q.h5", "--to", "hdf5", "-o", ""], ["output"]),
            ("an empty name to read", ["eval", ""], ["file"]),
            ("an empty name of a model", ["train", "--model", "", "--epochs", "1", "-o", "t.h5"], ["model"]),
            ("a device of nothing", "eval /dev/null", ["/dev/null"]),
            ("data for a look that needs none", "inspect q.h5 --data csv:shaped.csv", ["data"]),
            ("a limit for a look that needs none", "inspect q.h5 --limit 5", ["limit"]),
            ("a histogram and curves in one file", "inspect q.h5 --histogram a.png --curves a.png", ["a.png"]),
            ("a picture onto the model", "inspect q.h5 --histogram q.h5", ["q.h5"]),
            ("outputs of a layer that is not there", "inspect q.h5 --histogram - --of act:conv9", ["conv9"]),
            (
                "two data files for a training",
                "finetune chat --data one.jsonl --data text.txt --seq 32 --steps 1 --lora r=2 -o two",
                ["data"],
            ),
            (
                "an exception of ranks that nothing matches",
                "finetune chat --data one.jsonl --steps 1 --lora r=2,ranks=zz_proj:4 -o two",
                ["zz_proj"],
            ),
            ("a norm below 0", "finetune chat --data one.jsonl --steps 1 --clip -1 -o two", ["clip", "-1"]),
            ("no passes over the data", "finetune chat --data one.jsonl --epochs 0 -o two", ["epochs", "0"]),
            ("endless passes", "finetune chat --data one.jsonl --epochs inf -o two", ["epochs", "inf"]),
            (
                "steps of very many digits",
                "finetune chat --data one.jsonl --steps 99999999999999999999 -o two",
                ["steps", "99999999999999999999"],
            ),
            ("text that is a folder", "perplexity chat --text zoo --ctx 32", ["zoo"]),
            ("text of no letters", "perplexity chat --text void.csv --ctx 32", ["void.csv"]),
            ("a tokenizer of nothing", "perplexity chat --text text.txt --ctx 32 --tokenizer void.csv", ["void.csv"]),
            (
                "a template and running text",
                "finetune chat --data text.txt --seq 32 --steps 1 --template chatml -o two",
                ["template"],
            ),
            (
                "columns to set aside of running text",
                "finetune chat --data text.txt --seq 32 --steps 1 --ignore-columns a -o two",
                ["ignore-columns"],
            ),
            (
                "prompts to learn of running text",
                "finetune chat --data text.txt --seq 32 --steps 1 --train-on-prompts -o two",
                ["train-on-prompts"],
            ),
        ]
    )

    def found_early(name, argv, words):
        """Refused before hours of training, not behind them."""

        def check(_):
            done = shop.run(*argv.split())
            return one_line(done, words) and not done.stdout.strip()

        cases.append(Case(f"{name}, told before training", ["--version"], right=check))

    found_early("a folder that is not there", "train --model mlp --limit 64 --epochs 1 -o gone/t.h5", ["gone/t.h5"])
    found_early(
        "a folder that is not there for the best",
        "train --model mlp --limit 64 --epochs 1 -o t.h5 --best gone/b.h5",
        ["gone/b.h5"],
    )
    found_early(
        "a folder that is not there for the curves",
        "train --model mlp --limit 64 --epochs 1 -o t.h5 --plot gone/b.svg",
        ["gone/b.svg"],
    )
    found_early("a kind of picture", "train --model mlp --limit 64 --epochs 1 -o t.h5 --plot curve.jpg", ["curve.jpg"])
    found_early(
        "a rule for no layer",
        "train --model mlp --limit 64 --epochs 2 --qat w4a8 --rules nolayer*=w8a8 -o t.h5",
        ["nolayer"],
    )
    found_early(
        "a folder for an adapter that is a file",
        "finetune chat --data one.jsonl --steps 1 --lora r=2 -o text.txt",
        ["text.txt"],
    )
    found_early("a folder that a model onto a file makes", "convert m.gguf --format f16 -o text.txt", ["text.txt"])

    def resumed(_):
        """Of the settings only the one that differs is told."""
        done = shop.run(
            "finetune",
            "chat",
            "--data",
            "one.jsonl",
            "--steps",
            "1",
            "--lora",
            "r=4,alpha=8",
            "--lr",
            "1",
            "--resume",
            "-o",
            "ad",
        )
        lines = [x for x in done.stderr.splitlines() if x.startswith("isobit")]
        return done.returncode in (1, 2) and len(lines) == 1 and "lr" in lines[0] and "optim=" not in lines[0]

    cases.append(Case("a training that goes on with another rate", ["--version"], right=resumed))
    return cases


def cases(shop):
    return option_cases(shop) + early_cases(shop)
