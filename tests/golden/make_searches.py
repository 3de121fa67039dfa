#!/usr/bin/env python3
"""make_searches.py [LIBGGML-BASE.so] - writes searches.h: what ggml_quantize_chunk makes of several kinds of weights, with
and without importances. The pin: llama-cpp-python 0.3.36, whose package is taken without an argument; with one a
library that was built from that version's sources.
needs: pip install numpy llama-cpp-python==0.3.36"""
import ctypes, glob, os, pathlib, sys
import numpy as np

PIN = "0.3.36"
ROWS, COLS = 12, 768
F = np.float32


def uniform(seed, n):
    out = np.empty(n, F)
    for i in range(n):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = F((seed >> 8) - 8388608) * F(2.0**-23)
    return out


U = [uniform(s, ROWS * COLS) for s in (1, 22, 333, 4444)]
N = np.arange(ROWS * COLS)
BELL = U[0] + U[1] + U[2] + U[3]
KINDS = {
    "bell": BELL,
    "heavy": U[0] * U[0] * U[0] * U[0] * U[0] * F(8),
    "one_sign": np.where(N // COLS % 2, -np.abs(BELL), np.abs(BELL)).astype(F),
    "constant": np.where(N // 32 % 5 == 3, F(0), U[0][N // 32 * 32]),
    "steps": np.floor(U[1] * F(6) + F(0.5)) * F(0.0371),
    "tiny": BELL * (F(2) ** (-7 * (N // COLS)).astype(F)),
    "large": U[2] * F(20000),
}
V = [uniform(s, COLS) for s in (55555, 666666)]
C = np.arange(COLS)
IMPORTANCES = {
    "none": None,
    "even": V[0] * V[0] + F(0.01),
    "gaps": np.where((C >= 256) & (C < 512) | (C >= 528) & (C < 544), F(0), V[1] * V[1]).astype(F),
    "steep": V[0] * V[0] * V[0] * V[0] * V[1] * V[1] * F(1000),
}
GGML = dict(q4_0=2, q4_1=3, q5_0=6, q5_1=7, q8_0=8, q2_k=10, q3_k=11, q4_k=12, q5_k=13, q6_k=14, iq4_nl=20,
            iq4_xs=23, tq1_0=34, tq2_0=35, mxfp4=39, nvfp4=40, q1_0=41, q2_0=42)


def fnv(b):
    h = 0xCBF29CE484222325
    for c in bytes(b):
        h = ((h ^ c) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def library():
    if len(sys.argv) > 1:
        return sys.argv[1]
    import llama_cpp

    assert llama_cpp.__version__ == PIN, llama_cpp.__version__
    return glob.glob(os.path.join(os.path.dirname(llama_cpp.__file__), "lib", "libggml-base.so*"))[0]


lib = ctypes.CDLL(library())
lib.ggml_quantize_chunk.restype = ctypes.c_size_t
lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
lines = []
for name, t in GGML.items():
    for kind, x in KINDS.items():
        hashes = []
        x = np.ascontiguousarray(x, F)
        for importance in IMPORTANCES.values():
            out = np.zeros(x.size * 4, np.uint8)
            given = None if importance is None else importance.ctypes.data
            n = lib.ggml_quantize_chunk(t, x.ctypes.data, out.ctypes.data, 0, ROWS, COLS, given)
            hashes.append(f"0x{fnv(out[:n]):016x}u")
            if len(hashes) == 2:
                begins = ", ".join(str(b) for b in out[:6])
        lines.append(f'    {{"{name}", "{kind}", {{{hashes[0]}, {hashes[1]},\n      {hashes[2]}, {hashes[3]}}}, {{{begins}}}}},')
pathlib.Path(__file__).with_name("searches.h").write_text(
    f"/* searches.h - written by make_searches.py with ggml of llama-cpp-python {PIN}: 64-bit FNV-1a of all bytes of\n"
    f" * {ROWS} x {COLS} weights, without importances and with three kinds of them ({', '.join(list(IMPORTANCES)[1:])}),\n"
    " * and the first bytes with the first of these. */\n"
    "static const struct golden_search {\n    const char *name, *kind;\n    uint64_t bytes[4];\n    uint8_t begins[6];\n"
    "} golden_searches[] = {\n" + "\n".join(lines) + "\n};\n")
