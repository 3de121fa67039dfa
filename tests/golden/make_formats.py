#!/usr/bin/env python3
"""make_formats.py - writes formats.h: what ggml (through llama-cpp-python) and bitsandbytes make of one fixed input, and
what ggml reads from blocks of any bytes.
needs: pip install llama-cpp-python==0.3.36 bitsandbytes torch numpy"""
import ctypes, glob, os, pathlib
import numpy as np, torch
import llama_cpp, bitsandbytes.functional as bnb

ROWS, COLS = 24, 1024
def values():
    s, out = 12345, np.empty(ROWS * COLS, np.float32)
    for i in range(out.size):
        s = (s * 1664525 + 1013904223) & 0xFFFFFFFF
        u = np.float32((s >> 8) - 8388608) * np.float32(2.0 ** -23)
        out[i] = u * u * u
    x = out.reshape(ROWS, COLS)
    x[0, :256] = 0; x[0, 256:512] = np.float32(0.25); x[1, :512] *= np.float32(2.0 ** -20); x[2] = -abs(x[2])
    x[3] = abs(x[3]); x[4, ::7] = 0; x[5, ::32] *= np.float32(64); x[6, 300] = np.float32(1e-30)
    return x

def fnv(b):
    h = 0xcbf29ce484222325
    for c in bytes(b):
        h = ((h ^ c) * 0x100000001b3) & 0xFFFFFFFFFFFFFFFF
    return h

lib = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(llama_cpp.__file__), "lib", "libggml-base.so*"))[0])
lib.ggml_quantize_chunk.restype = ctypes.c_size_t
lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
GGML = dict(f16=1, bf16=30, q4_0=2, q4_1=3, q5_0=6, q5_1=7, q8_0=8, q2_k=10, q3_k=11, q4_k=12, q5_k=13, q6_k=14, iq4_nl=20,
            iq4_xs=23, tq1_0=34, tq2_0=35, mxfp4=39, nvfp4=40, q1_0=41, q2_0=42)
# elements and bytes of a block, and its bytes that hold the exponents of half precision
BLOCKS = dict(q4_0=(32, 18, [1]), q4_1=(32, 20, [1, 3]), q5_0=(32, 22, [1]), q5_1=(32, 24, [1, 3]), q8_0=(32, 34, [1]),
              q2_k=(256, 84, [81, 83]), q3_k=(256, 110, [109]), q4_k=(256, 144, [1, 3]), q5_k=(256, 176, [1, 3]),
              q6_k=(256, 210, [209]), iq4_nl=(32, 18, [1]), iq4_xs=(256, 136, [1]), tq1_0=(256, 54, [53]), tq2_0=(256, 66, [65]),
              mxfp4=(32, 17, []), nvfp4=(64, 36, []), q1_0=(128, 18, [1]), q2_0=(64, 18, [1]),
              iq1_s=(256, 50, [1]), iq1_m=(256, 56, [55]), iq2_xxs=(256, 66, [1]), iq2_xs=(256, 74, [1]), iq2_s=(256, 82, [1]),
              iq3_xxs=(256, 98, [1]), iq3_s=(256, 110, [1]))
def decode(name, data, n):
    y = np.empty(n, np.float32)
    getattr(lib, f"dequantize_row_{name.replace('_k', '_K')}")(ctypes.c_void_p(data.ctypes.data), ctypes.c_void_p(y.ctypes.data), ctypes.c_int64(n))
    return y

def any_blocks(block, size, exponents, of_two):
    """1024 times 256 elements in blocks of random bytes whose scales are below 2."""
    s, out = 2024, np.empty(1024 * 256 // block * size, np.uint8)
    for i in range(out.size):
        s = (s * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = s >> 24
    rows = out.reshape(-1, size)
    for at in exponents:
        rows[:, at] &= 0xBF
    if of_two:
        rows[:, 0] = 96 + (rows[:, 0] & 31)
    return out
x, lines = values(), []
for name, t in GGML.items():
    out = np.zeros(x.size * 4, np.uint8)
    n = lib.ggml_quantize_chunk(t, x.ctypes.data, out.ctypes.data, 0, ROWS, COLS, None)
    if name in BLOCKS:
        y = decode(name, out, x.size)
    else:
        y = out[:n].view(np.float16).astype(np.float32) if name == "f16" else torch.from_numpy(out[:n].view(np.int16)).view(torch.bfloat16).float().numpy()
    lines.append(f'    {{"{name}", 0x{fnv(out[:n]):016x}u, 0x{fnv(y.tobytes()):016x}u}},')
for kind in ("nf4", "fp4"):
    for nested in (False, True):
        q, state = bnb.quantize_4bit(torch.from_numpy(x), blocksize=64, quant_type=kind, compress_statistics=nested)
        y = bnb.dequantize_4bit(q, state)
        lines.append(f'    {{"{kind}{"_dq" if nested else ""}", 0x{fnv(q.numpy().tobytes()):016x}u, 0x{fnv(y.numpy().tobytes()):016x}u}}, /* codes alone */')
        if nested:
            np.save(f"/tmp/{kind}_absmax.npy", state.absmax.numpy()); np.save("/tmp/dq_map.npy", state.state2.code.numpy()); np.save(f"/tmp/{kind}_off.npy", np.array([state.offset.item()])); np.save(f"/tmp/{kind}_y.npy", y.numpy())
blocks = []
for name, (block, size, exponents) in BLOCKS.items():
    data = any_blocks(block, size, exponents, name == "mxfp4")
    y = decode(name, data, 1024 * 256)
    blocks.append(f'    {{"{name}", 0x{fnv(y.tobytes()):016x}u, {{{", ".join(float(v).hex() + "f" for v in y[[3, 5000, -1]])}}}}},')
pathlib.Path(__file__).with_name("formats.h").write_text(
    "/* formats.h - written by make_formats.py: 64-bit FNV-1a of the bytes and of the decoded fp32 values. */\n"
    "static const struct golden_format {\n    const char *name;\n    uint64_t bytes, values;\n} golden_formats[] = {\n" + "\n".join(lines) + "\n};\n\n"
    "/* Blocks of random bytes, 1024 x 256 elements: of the decoded values, and values 3, 5000 and the last. */\n"
    "static const struct golden_blocks {\n    const char *name;\n    uint64_t values;\n    float some[3];\n} golden_blocks[] = {\n" + "\n".join(blocks) + "\n};\n")
