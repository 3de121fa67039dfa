#!/usr/bin/env python3
"""bench.py ISOBIT SOURCE - isobit bench as a user meets it: every row with its limit and its share, devices in turns, language models, llama-bench
beside them. No number is known beforehand, but with one measurement each, shares and ratios follow from the rates. Broken by: a limit of another
kind, work that is counted twice, a ratio upside down, an argument that is ignored."""
import json
import math
import os
import pathlib
import stat
import subprocess
import sys
import tempfile

from checks import check, finish

isobit, source = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
chat = source / "tests/golden/models/chat"
folder = tempfile.TemporaryDirectory(prefix="isobit-bench-")
here = pathlib.Path(folder.name)


def run(*argv):
    return subprocess.run([isobit, *map(str, argv)], capture_output=True, text=True, timeout=500, cwd=here)


def report(*argv):
    r = run("bench", "--json", *argv)
    check(" ".join(map(str, argv)), r.returncode == 0, r.stderr[-500:])
    return json.loads(r.stdout), r.stderr


def near(name, got, want):
    check(name, math.isclose(got, want, rel_tol=1e-6), f"{got}, not {want}")


def refused(status, text, *argv):
    r = run("bench", *argv)
    line = r.stderr.strip()
    check(" ".join(map(str, argv)), r.returncode == status and text in line and "\n" not in line and not r.stdout, (r.returncode, r.stdout, r.stderr))


def has(level):
    return run("bench", "--device", level, "--only", "steps", "--model", "tfc", "--qat", "w0a0").stderr.find("device '") < 0


# ---- refusals, before anything is timed ----
refused(1, "device 'cpu:parrot': ", "--device", "cpu:base,cpu:parrot")
refused(2, "--device 'cpu:base,,cpu:ref' says nothing at one of its commas", "--device", "cpu:base,,cpu:ref")
refused(2, "--device says cpu:ref twice", "--device", "cpu:ref,cpu:base,cpu:ref")
r = run("bench", chat)
check("a path is an option's", r.returncode == 2 and "--model-file PATH" in r.stderr and not r.stdout, r.stderr)
refused(1, "no model is named 'parrot'", "--model", "parrot")
refused(1, "'w0a0'", "--only", "steps", "--qat", "w0a0")
refused(2, "--only 'kernel': steps, kernels and inference are possible", "--only", "steps,kernel")
refused(2, "--only says steps twice", "--only", "steps,steps")
refused(2, "--model has no effect without steps or inference in --only", "--only", "kernels", "--model", "mlp")
refused(2, "--tokens has no effect without --model-file", "--tokens", 8)
refused(2, "--llama-bench has no effect without --model-file", "--llama-bench", "true")
refused(2, "--qat has no effect without", "--model-file", chat, "--qat", "w4a4")
refused(2, "--peers has no effect without steps or inference in --only, or --model-file", "--only", "kernels", "--peers")
refused(2, "--python has no effect without --peers", "--python", "true")
refused(2, "--repeats '0' is not an integer from 1 to 1000", "--repeats", 0)
refused(2, "--tokens '3' is not an integer from 4 to", "--model-file", chat, "--tokens", 3)
refused(2, "--path has no effect without --model-file", "--path", "exact")
refused(2, "--path 'fast': exact, integer and both are possible", "--model-file", chat, "--path", "fast")
refused(1, "--path integer: " + str(chat) + ": none of 15 matrices has products in integers: 15 of bf16", "--model-file", chat, "--path", "integer")
refused(1, "--tokens 257: the context of", "--model-file", chat, "--tokens", 257)
refused(1, "/nowhere: cannot be opened", "--model-file", "/nowhere")

# ---- kernels: limits, shares ----
best = report("--only", "steps", "--model", "mlp", "--repeats", 1)[0]["devices"][0]
levels = [f"cpu:{name}" for name in ("avx2", "vnni", "amx") if f"cpu:{name}" != best and has(f"cpu:{name}")][:1] or ["cpu:base"]
KERNELS = {"fp32_gemm_1024": "fp32", "gemm_1024": "int8", "gemm_64": "int8", "gemm_1024_int4": "int4", "int4_row": "read"}
devices = [best, *levels]
one, _ = report("--only", "kernels", "--threads", 1, "--repeats", 1, "--device", ",".join(devices))
check("devices in order", one["devices"] == devices and one["threads"] == 1 and one["repeats"] == 1, one)
check("reading is measured on 256 MB at least", one["read_bytes"] >= 1 << 28)
check("a row for each kernel and device", [(r["row"], r["device"]) for r in one["kernels"]] == [(k, d) for k in KERNELS for d in devices], one)
rows = {(r["row"], r["device"]): r for r in one["kernels"]}
for (name, device), r in rows.items():
    check(f"{name} on {device}: a rate", r["rate"] > 0 and math.isfinite(r["rate"]), r)
    near(f"{name} on {device}: beside the first", r["speed"], r["rate"] / rows[name, best]["rate"])
    if device == "cpu:base" and KERNELS[name].startswith("int"):
        check(f"{name} on {device}: plain C has no such instruction", "share" not in r, r)
        continue
    if name == "int4_row" or device != "cpu:base":
        check(f"{name} on {device}: its limit", r["limit"] == KERNELS[name] and r["limit_rate"] > 0, r)
        near(f"{name} on {device}: its share", r["share"], r["rate"] / r["limit_rate"])
least = {}
for attempt in range(4):  # neighbours may slow down a limit and not what is held against it, but not each time
    for r in report("--only", "kernels", "--threads", 1, "--repeats", 5)[0]["kernels"]:
        least[r["row"]] = min(r.get("share", 0), least.get(r["row"], math.inf))
    if max(least.values()) <= 1.2:
        break
for name, share in least.items():
    check(f"{name}: no more than its limit", 0 <= share <= 1.2, share)

# ---- networks on two devices ----
nets, _ = report("--model", "mlp", "--repeats", 1, "--threads", 2, "--device", ",".join(devices))
check("one network has no products", "kernels" not in nets, nets.keys())
check("a step on each device", [(s["device"], s["model"]) for s in nets["steps"]] == [(d, "mlp") for d in devices], nets)
for s in nets["steps"]:
    near("its ratio", s["ratio"], s["qat_ms"] / s["float_ms"])
    near("float beside the first", s["float_speed"], nets["steps"][0]["float_ms"] / s["float_ms"])
    near("quantized beside the first", s["qat_speed"], nets["steps"][0]["qat_ms"] / s["qat_ms"])
keys = [(i["threads"], i["batch"], i["device"]) for i in nets["inference"]]
check("one and two threads, both batches, each device", keys == [(t, b, d) for t in (1, 2) for b in (1, 64) for d in devices], keys)
calls = dict(zip(keys, nets["inference"]))
for (threads, batch, _), i in calls.items():
    near("inference beside the first", i["speed"], calls[threads, batch, best]["us"] / i["us"])
text = run("bench", "--only", "inference", "--model", "mlp", "--repeats", 1, "--threads", 1, "--device", ",".join(devices)).stdout
check("each device has its lines", all(text.count(d + " ") == 2 for d in devices) and "medians of 1 turn(s)" in text, text)

# ---- language models ----
for name, format in (("chat.gguf", "keep"), ("four.gguf", "q4_0"), ("eight.gguf", "q8_0")):
    r = run("convert", chat, "-o", name, "--format", format)
    check(name, r.returncode == 0, r.stderr)
ROWS = ("prompt", "generation", "perplexity")
BOTH = ("exact", "integer")
config = json.loads((chat / "config.json").read_text())
width, inner, kept = config["hidden_size"], config["intermediate_size"], config["num_key_value_heads"] * config["head_dim"]
head = width * config["vocab_size"]
# rows of `inner` columns are no whole blocks of 32: those matrices stay exact, and are not counted in integers
in_integers = config["num_hidden_layers"] * width * (2 * width + 2 * kept + 2 * inner)
check("the shapes that are counted below", width == 32 and inner == 48, config)
fake = here / "llama-bench"
fake.write_text(f"""#!{sys.executable}
import json, sys
said = dict(zip(sys.argv[1::2], sys.argv[2::2]))
open("said.jsonl", "a").write(json.dumps(said) + "\\n")
row = {{"n_prompt": int(said["-p"]), "n_gen": int(said["-n"]), "n_depth": int(said.get("-d", 0))}}
print(json.dumps([dict(row, n_prompt=7, avg_ts=1.0), dict(row, avg_ts=999.0, samples_ts=[100.0, 400.0, 200.0])]))
""")
fake.chmod(fake.stat().st_mode | stat.S_IXUSR)


def language(model, *argv, tokens=48, turns=1, paths=BOTH, codes="int4"):
    """paths: those that the report has rows of; codes: what the weights of the integer one are."""
    j, err = report("--model-file", model, "--tokens", tokens, "--repeats", turns, *argv)
    l = j["language"]
    n = len(j["devices"])
    check("language models alone", not {"steps", "kernels", "inference"} & j.keys(), j.keys())
    want = [(name, path) for path in paths for name in ROWS] + [("training", "exact")] * ("exact" in paths)
    check("its rows", [(r["row"], r["path"]) for r in l["rows"]] == [w for w in want for _ in range(n)], l)
    counted = {"exact": l["linear_weights"], "integer": in_integers}
    for r in l["rows"]:
        name, path, linear = f"{r['row']}, {r['path']}, on {r['device']}", r["path"], counted[r["path"]]
        work = {"prompt": 2 * (linear + head / tokens), "generation": l["bytes_per_token"], "perplexity": 2 * (linear + head / 2),
                "training": 4 * (linear + head)}
        limits = ("read",) if r["row"] == "generation" else (codes,) if path == "integer" else ("fp32", "bf16")
        check(f"{name}: a rate", r["rate"] > 0 and r["unit"] == "tokens/s", r)
        if r["device"] == "cpu:base" and limits == (codes,):
            check(f"{name}: plain C has no such instruction", "share" not in r, r)
            continue
        check(f"{name}: its limit", r["limit"] in limits and 0 < r["share"] <= 1.2, r)
        if turns == 1:
            near(f"{name}: what a token takes", r["share"] * r["limit_rate"] * 1e9, work[r["row"]] * r["rate"])
    return j, l, err


_, l, err = language("four.gguf", "--device", ",".join(devices))
first = {(r["row"], r["path"]): r["rate"] for r in l["rows"] if r["device"] == best}
for r in l["rows"]:
    near(f"{r['row']}, {r['path']}, on {r['device']}: beside the first", r["speed"], r["rate"] / first[r["row"], r["path"]])
check("what of it is exact", (l["integer_matrices"], l["exact_matrices"], l["exact_formats"]) == (13, 2, "2 of f16"), l)
check("and a line of that", err.count("four.gguf: of 15 matrices 13 run in integers, of which shares are; exact: 2 of f16") == 1, err)
language("eight.gguf", "--path", "integer", "--threads", 1, paths=("integer",), codes="int8")
_, l, err = language("four.gguf", "--path", "exact", "--threads", 1, paths=("exact",))
check("nothing of integers is asked or told", "integer_matrices" not in l and "integers" not in err, (l, err))
_, l, err = language("chat.gguf", "--threads", 1, paths=("exact",))
check("no integers: one line", err.count("note: no rows in integers of chat.gguf: none of 15 matrices has products in integers: 15 of bf16") == 1, err)
text = run("bench", "--model-file", "four.gguf", "--tokens", 8, "--repeats", 1, "--threads", 1).stdout
check("a path in each line", text.count(", exact ") == 3 and text.count(", integer ") == 3 and "(int4)" in text, text)
j, l, err = language("four.gguf", "--llama-bench", fake, "--threads", 1, turns=2)
said = [json.loads(line) for line in (here / "said.jsonl").read_text().splitlines()]
check("llama-bench: the same file, threads, lengths", said == [
    {"-m": "four.gguf", "-o": "json", "-ngl": "0", "-p": "48", "-n": "0", "-r": "2", "-t": "1"},
    {"-m": "four.gguf", "-o": "json", "-ngl": "0", "-p": "0", "-n": "32", "-r": "2", "-t": "1", "-d": "48"}], said)
check("its rows", [r["n_prompt"] for r in j["llama_bench"]] == [48, 0], j.get("llama_bench"))
for r in l["rows"]:
    if r["row"] in ("prompt", "generation"):
        check(f"{r['row']}: the median of its repetitions", r["llama_bench"] == 200, r)
        near(f"{r['row']}: isobit over llama.cpp", r["llama_bench_ratio"], r["rate"] / 200)
    else:
        check(f"{r['row']}: llama-bench has none", "llama_bench" not in r, r)
for program, line in (("false", "false ended with status 1: no row of it"), ("/no-such-program", "/no-such-program cannot be run, status 127: no row of it"),
                      ("true", "true printed no row of 48 prompt and 0 new tokens behind 0"), ("echo", "echo printed no row of 48 prompt")):
    _, l, err = language("chat.gguf", "--llama-bench", program, "--threads", 1, paths=("exact",))
    check(f"{program} is no llama-bench: one line", line in err and err.count("--llama-bench") == 1 and "llama_bench" not in l["rows"][0], err)
_, _, err = language(chat, "--llama-bench", fake, "--threads", 1, paths=("exact",))
check("llama-bench opens no folders", "it opens GGUF files" in err, err)
check("nor was it asked to", len((here / "said.jsonl").read_text().splitlines()) == 2)
peer = here / "python"  # prints what bench_language_peers.py would, once it has seen that it is one
peer.write_text(f"""#!{sys.executable}
import json, sys
compile(open(sys.argv[1]).read(), "script", "exec")
open("asked.json", "w").write(json.dumps(sys.argv[2:]))
print(json.dumps({{"torch": "0", "prompt": 40.0, "generation": 30.0, "perplexity": 20.0, "training": 10.0}}))
""")
peer.chmod(peer.stat().st_mode | stat.S_IXUSR)
j, l, _ = language("four.gguf", "--peers", "--python", peer, "--threads", 1, turns=3)
check("transformers and PEFT: the same lengths", json.loads((here / "asked.json").read_text()) == ["3", "1", "four.gguf", "48", "48", "32"], here)
check("as they say", j["language_peers"]["torch"] == "0" and [r["peer"] for r in l["rows"]] == [40, 30, 20] * 2 + [10], l)
for r in l["rows"]:
    near(f"{r['row']}: isobit over its peer", r["peer_ratio"], r["rate"] / r["peer"])
_, l, err = language(chat, "--peers", "--python", "false", "--threads", 1, paths=("exact",))
check("no PyTorch: one line", err.count("--peers: false has no torch, transformers and peft") == 1 and "peer" not in l["rows"][0], err)
both, _ = report("--model-file", chat, "--model", "tfc", "--only", "steps", "--repeats", 1, "--tokens", 8)
check("a network beside a language model", {"steps", "language"} <= both.keys() and "inference" not in both, both.keys())
check("nothing is left behind", sorted(os.listdir(here)) == ["asked.json", "chat.gguf", "eight.gguf", "four.gguf", "llama-bench", "python", "said.jsonl"], os.listdir(here))
finish()
