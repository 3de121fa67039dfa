#!/usr/bin/env python3
"""make_fused.py > fused.h - gradients by PyTorch through quantized layers whose ReLU is fused with their quantizer, as C literals.

Everything is PyTorch's own: fake_quantize_per_tensor_affine and its learnable form (LSQ), relu, hardtanh(0, 6), conv2d, linear,
batch norm folded by hand. PACT is relu(x) - relu(x - alpha). The C test builds the same layers of codes from the same numbers,
which both compute for themselves: grid(i) = ((37 i + 101 seed) mod 127 - 63) / 64, exact in fp32. Needs torch."""
import math, torch
import torch.nn.functional as F

def grid(seed, scale, *shape, grad=True):
    n = math.prod(shape)
    t = torch.tensor([((37 * i + 101 * seed) % 127 - 63) / 64 for i in range(n)], dtype=torch.float32) * scale
    return t.reshape(shape).requires_grad_(grad)

def put(name, t):
    v = t.detach().double().flatten().tolist()
    print(f"static const float {name}[] = {{" + ", ".join(f"{x:.9e}f" for x in v) + "};")

def clear(v, what):
    """No value so near to where the gradient or a code changes that a last bit could decide."""
    assert (v - v.floor() - 0.5).abs().min() > 1e-4, what
    return v

def quantize(kind, x, act, how, bits, scale, zero):
    """The result, its learned parameter (or None): act, then codes of so many bits."""
    lo, hi = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    assert ((x == 0) | (x.abs() > 1e-6)).all() and ((x == 6) | ((x - 6).abs() > 1e-4)).all()
    assert act == "none" or scale < 0.1 or ((x < 0) & (x > -scale / 2)).sum() > 1 or kind in ("add", "mul"), "no x in (-s/2, 0)"
    assert act != "relu6" or (x >= 6).sum() > 1, "no x from 6 on"
    assert how != "pact" or (x > scale * (hi - lo)).sum() > 1, "no x above alpha"
    x = {"none": lambda t: t, "relu": F.relu, "relu6": lambda t: F.hardtanh(t, 0.0, 6.0)}[act](x)
    clear(x / scale, (act, how, bits))
    if how == "lsq":
        per_sample, positive = x.numel() // x.shape[0], max(hi - zero, 1)
        s = torch.tensor([scale], dtype=torch.float32, requires_grad=True)
        z = torch.tensor([float(zero - lo)], requires_grad=True) # its backward rounds zero points below 0 to another number
        y = torch._fake_quantize_learnable_per_tensor_affine(x, s, z, 0, hi - lo, 1 / math.sqrt(per_sample * positive))
        return y, s
    if how == "pact":
        alpha = torch.tensor([scale * (hi - lo)], dtype=torch.float32, requires_grad=True)
        assert (x - alpha).abs().min() > 1e-4
        c = F.relu(x) - F.relu(x - alpha)
        return c + (torch.fake_quantize_per_tensor_affine(c, scale, zero, lo, hi) - c).detach(), alpha
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, lo, hi), None

X_SCALE, X_ZERO = 0.013, 5
def codes(x):
    clear(x / X_SCALE, "x")
    return torch.fake_quantize_per_tensor_affine(x, X_SCALE, X_ZERO, -128, 127)

def weights(w, qmax):
    s = w.detach().abs().flatten(1).amax(1) / qmax
    return torch.fake_quantize_per_channel_affine(w, s, torch.zeros_like(s, dtype=torch.int32), 0, -qmax, qmax), s

def bias(b, s_w):
    step = (s_w * torch.tensor(X_SCALE)).detach()
    return b + (torch.round(b / step) * step - b).detach()

def case(name, kind, act, how, w_bits, bits, scale, zero):
    qmax = (1 << (w_bits - 1)) - 1
    out = {}
    if kind in ("linear", "conv", "folded"):
        x = grid(1, 1.5, 40, 8) if kind == "linear" else grid(1, 1.5, 2, 3, 5, 5)
        w = grid(2, 2, 5, 8) if kind == "linear" else grid(2, 2, 4, 3, 3, 3)
        b = grid(3, 0.5, w.shape[0])
        d = grid(4, 1, 40, 5, grad=False) if kind == "linear" else grid(4, 1, 2, 4, 5, 5, grad=False)
        if kind == "folded":
            gamma, var = (grid(5, 0.4, 4) + 1).detach().requires_grad_(), (grid(6, 0.4, 4) + 1).detach()
            gain = gamma / torch.sqrt(var + 1e-3)
            fw, fb = w * gain.reshape(4, 1, 1, 1), b + (0 - var) * gain # the mean is the variance
            out["dgamma"] = gamma
        else:
            fw, fb = w, b
        wq, s_w = weights(fw, qmax)
        bq = bias(fb, s_w)
        z = F.linear(codes(x), wq, bq) if kind == "linear" else F.conv2d(codes(x), wq, bq, padding=1)
        out |= {"dx": x, "dw": w, "db": b}
    else:
        a, b, d = grid(1, 1.5, 2, 3, 4, 4), grid(2, 1.5, 2, 3, 4, 4), grid(4, 1, 2, 3, 4, 4, grad=False)
        z = codes(a) + codes(b) if kind == "add" else codes(a) * codes(b)
        out |= {"dx": a, "dw": b}
    y, learned = quantize(kind, z, act, how, bits, scale, zero)
    (y * d).sum().backward()
    for n, t in out.items():
        put(f"{name}_{n}", t.grad)
    if learned is not None: # the engine learns ln(scale): d/d ln(s) = s d/ds
        put(f"{name}_dq", learned.grad * (scale if how == "lsq" else 1))

print("/* fused.h - written by make_fused.py with torch", torch.__version__, "*/")
for row in open(__file__.replace("make_fused.py", "fused.def")):
    if row.startswith("FUSED("):
        f = [v.strip() for v in row[6:row.rindex(")")].split(",")]
        case(f[0], *f[1:4], int(f[4]), int(f[5]), float(f[6].rstrip("f")), int(f[7]))
