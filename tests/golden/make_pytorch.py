#!/usr/bin/env python3
"""make_pytorch.py > pytorch.h - values of operators, gradients and optimizers by PyTorch 2.8, as C literals.

Inputs are x[i] = sin(0.7 i + phase), which C computes for itself; only results are written. Needs torch."""
import math, torch
import torch.nn.functional as F

def wave(phase, *shape):
    n = math.prod(shape)
    return torch.tensor([math.sin(0.7 * i + phase) for i in range(n)], dtype=torch.float32).reshape(shape).requires_grad_()

def put(name, t):
    v = t.detach().double().flatten().tolist()
    print(f"static const float {name}[] = {{" + ", ".join(f"{x:.9e}f" for x in v) + "};")

print("/* pytorch.h - written by make_pytorch.py with torch", torch.__version__, "*/")

x, w, b, d = wave(0, 2, 3, 5, 6), wave(1, 4, 3, 3, 2), wave(2, 4), wave(3, 2, 4, 3, 4)
y = F.conv2d(x, w, b, stride=(2, 2), padding=(1, 1)); (y * d).sum().backward()
for n, t in (("conv_y", y), ("conv_dx", x.grad), ("conv_dw", w.grad), ("conv_db", b.grad)): put(n, t)

x, g, b, d = wave(0, 4, 3, 2, 2), wave(1, 3), wave(2, 3), wave(3, 4, 3, 2, 2)
m, v = torch.zeros(3), torch.ones(3)
y = F.batch_norm(x, m, v, g, b, training=True); (y * d).sum().backward()
for n, t in (("bn_y", y), ("bn_dx", x.grad), ("bn_dgamma", g.grad), ("bn_mean", m), ("bn_var", v)): put(n, t)

x, g, b, d = wave(0, 3, 7), wave(1, 7), wave(2, 7), wave(3, 3, 7)
y = F.layer_norm(x, (7,), g, b); (y * d).sum().backward()
for n, t in (("ln_y", y), ("ln_dx", x.grad), ("ln_dgamma", g.grad)): put(n, t)

x = wave(0, 3, 5); y = F.cross_entropy(x, torch.tensor([2, 0, 4]), label_smoothing=0.1); y.backward()
put("xent_y", y); put("xent_dx", x.grad)

x, d = wave(0, 1, 2, 4, 6), wave(3, 1, 2, 2, 3)
y = F.avg_pool2d(x, 3, 2, 1); (y * d).sum().backward(); put("avg_y", y); put("avg_dx", x.grad)

x = (wave(0, 40) * 3).detach().requires_grad_()
y = torch.fake_quantize_per_tensor_affine(x, 0.25, 1, -8, 7); (y * wave(3, 40)).sum().backward(); put("fq_y", y); put("fq_dx", x.grad)

def run(make, steps=20):
    p = wave(0, 2, 4).detach().requires_grad_(); o = make([p])
    for s in range(steps):
        o.zero_grad(); ((p - wave(0.1 * s, 2, 4).detach() * 2) ** 2).mean().backward(); o.step()
    return p
put("sgd_p", run(lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.01)))
put("nesterov_p", run(lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True)))
put("adamw_p", run(lambda p: torch.optim.AdamW(p, 0.05, weight_decay=0.1)))
