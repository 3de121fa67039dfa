#!/usr/bin/env python3
"""make_recipes.py LLAMA-QUANTIZE - writes recipes.h: the type that each file type of llama.cpp gives each matrix of small
models, by `llama-quantize --dry-run` built from the sources of llama-cpp-python 0.3.36.
needs: pip install numpy gguf"""
import pathlib, re, struct, subprocess, sys, tempfile
import numpy as np, gguf

LAYERS = (2, 9, 16, 33)
SHAPES = {"whole": (256, 512), "part": (288, 512), "none": (288, 576)}  # columns of the model, of ffn_down
RECIPES = ("Q2_K Q2_K_S Q3_K_S Q3_K_M Q3_K_L Q4_0 Q4_K_S Q4_K_M Q5_0 Q5_K_S Q5_K_M Q6_K Q8_0 IQ4_NL").split()
LINEAR = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
folder = pathlib.Path(tempfile.mkdtemp())


def names(layers, tied):
    return ["token_embd.weight"] + [f"blk.{i}.{l}.weight" for i in range(layers) for l in LINEAR] + ([] if tied else ["output.weight"])


def model(layers, shape, sharing, tied):
    path = folder / f"{layers}-{shape}-{sharing}-{tied}.gguf"
    n, ff = SHAPES[shape]
    kv = n // sharing
    rows = dict(attn_q=n, attn_k=kv, attn_v=kv, attn_output=n, ffn_gate=ff, ffn_up=ff, ffn_down=n)
    w = gguf.GGUFWriter(path, "llama")
    w.add_block_count(layers), w.add_context_length(64), w.add_embedding_length(n), w.add_feed_forward_length(ff)
    w.add_head_count(4), w.add_head_count_kv(4 // sharing), w.add_layer_norm_rms_eps(1e-5), w.add_vocab_size(64)
    w.add_tokenizer_model("no_vocab")
    for name in names(layers, tied):
        part = name.split(".")[-2]
        shape_of = (rows[part], ff if part == "ffn_down" else n) if part in rows else (64, n)
        w.add_tensor(name, np.zeros(shape_of, np.float16))
    for i in range(layers):
        for norm in ("attn_norm", "ffn_norm"):
            w.add_tensor(f"blk.{i}.{norm}.weight", np.ones(n, np.float32))
    w.add_tensor("output_norm.weight", np.ones(n, np.float32))
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()
    return path


def importance():
    path, name = folder / "imatrix.dat", b"blk.0.attn_q.weight"
    path.write_bytes(struct.pack("<ii", 1, len(name)) + name + struct.pack("<ii", 1, 1) + struct.pack("<f", 1) + struct.pack("<ii", 1, 1) + b"x")
    return path


def types(path, recipe, weighed, order):
    given = ["--imatrix", importance()] if weighed else []
    out = subprocess.run([sys.argv[1], *given, "--dry-run", path, recipe], capture_output=True, text=True, check=True)
    found = dict(re.findall(r"\] +(\S+) +- \[.*MiB -> .*MiB \((\w+)\)", out.stdout + out.stderr))
    return ",".join(found[name].lower() for name in order)


def fnv(s):
    h = 0xCBF29CE484222325
    for c in s.encode():
        h = ((h ^ c) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


models = {}
lines = []
for recipe in RECIPES:
    for shape in SHAPES:
        hashes = []
        for sharing in (1, 4):
            for tied in (0, 1):
                for weighed in (0, 1):
                    said = ""
                    for layers in LAYERS:
                        key = (layers, shape, sharing, tied)
                        if key not in models:
                            models[key] = model(*key)
                        said += types(models[key], recipe, weighed, names(layers, tied)) + ";"
                    hashes.append(f"0x{fnv(said):016x}u")
        rows = ",\n      ".join(", ".join(hashes[i : i + 4]) for i in (0, 4))
        lines.append(f'    {{"{recipe.lower()}", {SHAPES[shape][0]}, {SHAPES[shape][1]},\n     {{{rows}}}}},')
pathlib.Path(__file__).with_name("recipes.h").write_text(
    "/* recipes.h - written by make_recipes.py with llama.cpp of llama-cpp-python 0.3.36: 64-bit FNV-1a of the types of all\n"
    " * matrices of models of 2, 9, 16 and 33 layers, embedding first, head last, by the columns of the model and of ffn_down;\n"
    " * of them without and with keys and values that four heads share, untied and tied, without and with importances. */\n"
    "static const struct golden_recipe {\n    const char *recipe;\n    int cols, inner;\n    uint64_t types[8];\n"
    "} golden_recipes[] = {\n" + "\n".join(lines) + "\n};\n")
