#!/usr/bin/env python3
"""make_codes.py [NAME...] - tiny random models whose linear layers lie in codes, as the libraries that invented the layouts write them, into
tests/golden/codes, and what the libraries make of the codes: golden_codes.h, FNV-1a of each layer's weights in the type of the scales.
needs: pip install torch transformers safetensors numpy gptqmodel compressed-tensors bitsandbytes
GPTQ, AWQ: packed and unpacked by GPTQModel's layers for PyTorch (GEMV: packed by its layer; that one runs on CUDA alone, so its weights are
(q - zero) scale in NumPy). compressed-tensors, bitsandbytes: packed and unpacked by themselves."""
import json, pathlib, shutil, sys
import numpy as np, torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

HERE = pathlib.Path(__file__).parent
OUT = HERE / "codes"
CONFIG = dict(vocab_size=33, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
              max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=True)
ROLES = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]


def grid(w, bits, group, sym, order=None):
    """Scales, zeros [out, groups], of groups of columns; order: of each column its group."""
    out, cols = w.shape
    groups = cols // group
    idx = order if order is not None else torch.arange(cols) // group
    scale, zero = torch.zeros(out, groups), torch.zeros(out, groups)
    for g in range(groups):
        v = w[:, idx == g]
        low, high = v.min(1).values.clamp(max=0), v.max(1).values.clamp(min=0)
        if sym:
            high = torch.maximum(high, -low)
            low = -high
        scale[:, g] = ((high - low) / (2**bits - 1)).half().float()
        zero[:, g] = torch.full((out,), 2.0**(bits - 1)) if sym else torch.round(-low / scale[:, g]).clamp(0, 2**bits - 1)
    return scale, zero, idx.int()


def gptq(bits, v2, sym, order=False, positive=False, group=16):
    from gptqmodel.nn_modules.qlinear import PackableQuantLinear
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from gptqmodel.utils.model import convert_gptq_v2_to_v1_format_module
    from gptqmodel import QuantizeConfig

    def make(w):
        if positive: # zeros of 0, which v1 borrows for
            w = torch.where((torch.arange(w.shape[0]) % 3 == 0)[:, None], w.abs(), w)
        cols, g = w.shape[1], group if group > 0 else w.shape[1]
        idx = torch.arange(cols).flip(0) * 7 % cols // g if order else None
        scale, zero, idx = grid(w, bits, g, sym, idx)
        linear = torch.nn.Linear(cols, w.shape[0], bias=False)
        linear.weight.data = w.clone()
        q = TorchLinear(bits=bits, group_size=group, sym=sym, desc_act=order, in_features=cols, out_features=w.shape[0], register_buffers=True)
        q.pack_original(linear, scale, zero, idx)
        weight = PackableQuantLinear.dequantize_weight(q).T.contiguous()
        q.qzero_format(format=2)
        if not v2:
            convert_gptq_v2_to_v1_format_module(q, QuantizeConfig(bits=bits, group_size=group))
        return {"qweight": q.qweight, "qzeros": q.qzeros, "scales": q.scales, "g_idx": q.g_idx.int()}, weight

    return make, {"quant_method": "gptq", "bits": bits, "group_size": group, "sym": sym, "desc_act": order,
                  "checkpoint_format": "gptq_v2" if v2 else "gptq", "pack_dtype": "int32", "lm_head": False}


def awq(gemv, group):
    from gptqmodel.nn_modules.qlinear.torch_awq import AwqTorchLinear
    from gptqmodel.nn_modules.qlinear.gemv_awq import AwqGEMVLinear
    from gptqmodel.quantization.awq.utils.packing_utils import dequantize_gemm

    def make(w):
        scale, zero, idx = grid(w, 4, group, False)
        linear = torch.nn.Linear(w.shape[1], w.shape[0], bias=False)
        linear.weight.data = w.clone()
        kind = dict(bits=4, group_size=group, sym=False, desc_act=False, in_features=w.shape[1], out_features=w.shape[0])
        if not gemv:
            q = AwqTorchLinear(**kind)
            q.pack(linear, scale.half(), zero)
            return ({"qweight": q.qweight, "qzeros": q.qzeros, "scales": q.scales},
                    dequantize_gemm(q.qweight, q.qzeros, q.scales, 4, group).T.contiguous())
        q = AwqGEMVLinear.__new__(AwqGEMVLinear)
        torch.nn.Module.__init__(q)
        q.bits, q.group_size, q.in_features, q.out_features = 4, group, w.shape[1], w.shape[0]
        code = torch.round((w + (zero * scale)[:, idx.long()]) / scale[:, idx.long()]).clamp(0, 15)
        linear.weight.data = (code - zero[:, idx.long()]) * scale[:, idx.long()] # it clamps nothing
        q.pack(linear, scale.half().float(), zero)
        return ({"qweight": q.qweight, "qzeros": q.qzeros, "scales": q.scales},
                ((code - zero[:, idx.long()]) * scale[:, idx.long()]).half())

    return make, {"quant_method": "awq", "bits": 4, "group_size": group, "zero_point": True, "version": "gemv" if gemv else "gemm",
                  "modules_to_not_convert": None}


def compressed(bits, group, sym, dtype=torch.float16, packed=True, order=False):
    """order: as compressed-tensors before 0.20 wrote it, whose g_idx this one does not know: weights are (q - zero) scale in NumPy."""
    from compressed_tensors.compressors import IntQuantizationCompressor as Int, PackedQuantizationCompressor as Packed
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    args = dict(num_bits=bits, type="int", symmetric=sym, strategy="group" if group else "channel", group_size=group or None)

    def make(w):
        cols, g = w.shape[1], group or w.shape[1]
        idx = torch.arange(cols).flip(0) * 7 % cols // g if order else None
        scale, zero, idx = grid(w, bits, g, sym, idx)
        scheme = QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**args))
        zero = (zero - 2**(bits - 1)).to(torch.int8)
        by = torch.argsort(idx, stable=True) # so that groups lie in order
        state = {"weight": w[:, by].to(dtype), "weight_scale": scale.to(dtype), "weight_zero_point": zero}
        kind = Packed if packed else Int
        state = kind.compress(state, scheme)
        weight = kind.decompress(dict(state), scheme)["weight"]
        if order:
            from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32, unpack_from_int32
            code = unpack_from_int32(state["weight_packed"], bits, torch.Size(w.shape))[:, torch.argsort(by)]
            state["weight_packed"] = pack_to_int32(code, bits)
            state["weight_g_idx"] = idx
            weight = weight[:, torch.argsort(by)]
        return state, weight

    kind = "pack-quantized" if packed else "int-quantized"
    return make, {"quant_method": "compressed-tensors", "format": kind, "quantization_status": "compressed", "ignore": ["lm_head"], "config_groups": {
        "group_0": {"targets": ["Linear"], "format": kind, "input_activations": None if packed else
                    dict(num_bits=8, type="int", symmetric=True, strategy="token", dynamic=True), "output_activations": None,
                    "weights": args | dict(dynamic=False, actorder="group" if order else None)}}}


def llm_int8():
    import bitsandbytes.functional as F

    def make(w):
        code, most, _ = F.int8_vectorwise_quant(w.half())
        return {"weight": code, "SCB": most.float(), "weight_format": torch.tensor(0, dtype=torch.uint8)}, F.int8_vectorwise_dequant(code, most.float())

    return make, {"quant_method": "bitsandbytes", "load_in_8bit": True, "load_in_4bit": False, "llm_int8_threshold": 6.0,
                  "llm_int8_skip_modules": None, "llm_int8_has_fp16_weight": False}


CASES = {
    "gptq-2": lambda: gptq(2, False, True), "gptq-3": lambda: gptq(3, False, True), "gptq-4": lambda: gptq(4, False, True, group=32),
    "gptq-8": lambda: gptq(8, False, True), "gptq-4-order": lambda: gptq(4, False, True, order=True),
    "gptq-2-borrowed": lambda: gptq(2, False, False, positive=True), "gptq-3-borrowed": lambda: gptq(3, False, False, positive=True),
    "gptq-4-borrowed": lambda: gptq(4, False, False, positive=True), "gptq-8-borrowed": lambda: gptq(8, False, False, positive=True),
    "gptq_v2-3-rows": lambda: gptq(3, True, False, group=-1), "gptq_v2-4": lambda: gptq(4, True, False, order=True, positive=True),
    "awq-gemm": lambda: awq(False, 16), "awq-gemv": lambda: awq(True, 32),
    "packed-4": lambda: compressed(4, 32, True), "packed-4-bf16": lambda: compressed(4, 16, True, torch.bfloat16),
    "packed-4-zeros": lambda: compressed(4, 16, False), "packed-3-rows": lambda: compressed(3, 0, False, torch.float32),
    "packed-8": lambda: compressed(8, 16, False, torch.float32), "packed-4-order": lambda: compressed(4, 16, True, order=True),
    "int8-rows": lambda: compressed(8, 0, True, torch.float32, packed=False),
    "int8-groups": lambda: compressed(8, 16, False, torch.float32, packed=False),
    "llm-int8": llm_int8,
}


def fnv(data):
    h = 0xcbf29ce484222325
    for b in data:
        h = (h ^ b) * 0x100000001b3 & (1 << 64) - 1
    return h


def bytes_of(t):
    return (t.view(torch.int16) if t.dtype == torch.bfloat16 else t).contiguous().numpy().tobytes()


def make(name):
    torch.manual_seed(5)
    model = LlamaForCausalLM(LlamaConfig(**CONFIG)).float()
    with torch.no_grad():
        for k, p in model.named_parameters():
            p.copy_((torch.randn_like(p) * 0.15 + (1.0 if "norm" in k else 0.0)).half().float())
    layer, quantization = CASES[name]()
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    state = {k: v for k, v in model.state_dict().items() if k != "lm_head.weight"}
    kept = {k: v.half().contiguous() for k, v in state.items() if not any(r in k for r in ROLES)}
    hashes = []
    for role in ROLES:
        base = "model.layers.0." + role
        with torch.no_grad():
            tensors, weight = layer(state[base + ".weight"])
        kept |= {f"{base}.{k}": v.detach().contiguous() for k, v in tensors.items()}
        dtype = {torch.float16: "f16", torch.bfloat16: "bf16", torch.float32: "f32"}[weight.dtype]
        hashes.append(fnv(bytes_of(weight.detach())))
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **CONFIG, "torch_dtype": "float16", "quantization_config": quantization}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    return f'    {{"{name}", "{dtype}", {{{", ".join(f"0x{h:016x}u" for h in hashes)}}}}},\n'


if __name__ == "__main__":
    header = HERE / "golden_codes.h"
    rows = {}
    if header.exists():
        rows = {line.split('"')[1]: line + "\n" for line in header.read_text().splitlines() if line.startswith('    {"')}
    for name in sys.argv[1:] or CASES:
        rows[name] = make(name)
    header.write_text("/* golden_codes.h - written by make_codes.py: of each model in tests/golden/codes the type of its scales, and 64-bit FNV-1a of the\n"
                      " * weights of q, k, v, o, gate, up, down in that type. */\n"
                      "static const struct golden_codes {\n    const char *name, *type;\n    uint64_t weights[7];\n} golden_codes[] = {\n"
                      + "".join(rows[n] for n in CASES if n in rows) + "};\n")
