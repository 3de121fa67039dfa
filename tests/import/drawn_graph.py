"""drawn_graph.py - an ONNX graph drawn at random: operators that are imported, with attributes drawn within their schemas, on values of shapes that
are known."""
import random

import numpy as np
import onnx
from onnx import helper, numpy_helper

N = 3  # samples


class Graph:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.np = np.random.default_rng(seed)
        self.opset = self.r.choice([7, 9, 10, 11, 12, 13, 14, 17, 18, 19, 21])
        self.nodes, self.constants, self.values, self.ops, self.infos = [], [], [], set(), []
        self.batch = self.r.choice(["N", "N", "N", N])

    def maybe(self, p):
        return self.r.random() < p

    def name(self):
        return f"v{len(self.nodes)}"

    def constant(self, x):
        x = np.asarray(x)
        name = f"c{len(self.constants) + len(self.nodes)}_{len(self.constants)}"
        if self.maybe(0.85) or x.dtype == np.bool_:
            self.constants.append(numpy_helper.from_array(x, name))
        else:
            a = {"value": numpy_helper.from_array(x)}
            if self.opset >= 12 and x.ndim < 2 and x.dtype in (np.float32, np.int64):
                a = {"value_" + ("float" if x.dtype == np.float32 else "int") + "s" * x.ndim: x.tolist()}
            self.nodes.append(helper.make_node("Constant", [], [name], **a))
            self.ops.add("Constant")
        return name

    def real(self, *shape, scale=1.0):
        return self.constant((self.np.normal(size=shape) * scale).astype(np.float32))

    def integers(self, *v):
        return self.constant(np.array(v, np.int64))

    def add(self, op, inputs, shape, outputs=1, **attributes):
        name = self.name()
        node = helper.make_node(op, inputs, [name] + [f"{name}_{i}" for i in range(1, outputs)], name=f"{op}_{name}" if self.maybe(0.5) else "", **attributes)
        self.nodes.append(node)
        self.ops.add(op)
        if shape is not None:
            self.values.append((name, shape))
        return name

    # ---- operators: of a value x of shape s ----
    def Conv(self, x, s):
        g = self.r.choice([1, 1, 1, s[1]])
        k = [self.r.choice([1, 1, 2, 3]) for _ in range(2)]
        oc = g * self.r.choice([1, 2, 3])
        a = self.window(k, dilations=0.05)
        if self.maybe(0.7):
            a["kernel_shape"] = k
        if g > 1 or self.maybe(0.2):
            a["group"] = g
        w = self.real(oc, s[1] // g, *k, scale=0.4)
        return self.add("Conv", [x, w] + ([self.real(oc)] if self.maybe(0.6) else []), [0, oc] + self.size(s, k, a), **a)

    def window(self, k, dilations):
        a = {}
        if self.maybe(0.5):
            a["strides"] = [self.r.choice([1, 1, 2]) for _ in range(2)]
        kind = self.r.choice(["pads", "pads", "same", "none"])
        if kind == "pads":
            a["pads"] = [self.r.randrange(k[i % 2]) for i in range(4)]
            if self.maybe(0.5):
                a["pads"][2:] = a["pads"][:2]
        elif kind == "same":
            a["auto_pad"] = self.r.choice(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
        if self.maybe(dilations):
            a["dilations"] = [self.r.choice([1, 2]) for _ in range(2)]
        return a

    def size(self, s, k, a):
        out = []
        for d in range(2):
            stride, dil = a.get("strides", [1, 1])[d], a.get("dilations", [1, 1])[d]
            if a.get("auto_pad", "NOTSET").startswith("SAME"):
                out.append(-(-s[2 + d] // stride))
            else:
                pads = a.get("pads", [0] * 4)
                span = s[2 + d] + pads[d] + pads[d + 2] - (k[d] - 1) * dil - 1
                out.append((-(-span // stride) if a.get("ceil_mode") else span // stride) + 1)
        return out

    def pool(self, op, x, s, **more):
        k = [self.r.choice([1, 2, 2, 3]) for _ in range(2)]
        a = self.window(k, dilations=0.1 if self.opset >= (10 if op == "MaxPool" else 19) else 0)
        if self.opset >= 10 and self.maybe(0.3):
            a["ceil_mode"] = self.r.choice([0, 1])
        return self.add(op, [x], [0, s[1]] + self.size(s, k, a), kernel_shape=k, **a, **more)

    def MaxPool(self, x, s):
        return self.pool("MaxPool", x, s, **({"storage_order": 1} if self.opset >= 8 and self.maybe(0.1) else {}))

    def AveragePool(self, x, s):
        return self.pool("AveragePool", x, s, **({"count_include_pad": self.r.choice([0, 1, 1])} if self.maybe(0.7) else {}))

    def GlobalAveragePool(self, x, s):
        return self.add("GlobalAveragePool", [x], [0, s[1], 1, 1])

    def BatchNormalization(self, x, s):
        a = {"epsilon": self.r.choice([1e-3, 1e-5])} if self.maybe(0.5) else {}
        if self.maybe(0.2):
            a["momentum"] = 0.5
        if self.opset < 9 and self.maybe(0.2):
            a["spatial"] = 1
        if self.opset >= 14 and self.maybe(0.1):
            a["training_mode"] = 0
        p = [self.real(s[1]) for _ in range(3)] + [self.constant((self.np.random(s[1]) + 0.5).astype(np.float32))]
        return self.add("BatchNormalization", [x] + p, s, **a)

    def ReduceMean(self, x, s):
        axes = self.r.choice([[2, 3], [2, 3], [1, 2], [3, 2], [-2, -1], [-3, -2], [1], [0, 2]])
        if any(a >= len(s) or a < -len(s) for a in axes):
            axes = [1]
        keep = self.r.choice([0, 1])
        shape = [d if i not in [a % len(s) for a in axes] else 1 for i, d in enumerate(s)]
        if not keep:
            shape = [d for i, d in enumerate(s) if i not in [a % len(s) for a in axes]]
        a = {"keepdims": keep} if not keep or self.maybe(0.5) else {}
        if self.opset < 18:
            return self.add("ReduceMean", [x], shape, axes=axes, **a)
        return self.add("ReduceMean", [x, self.integers(*axes)], shape, **a)

    def Gemm(self, x, s):
        k, n, t = s[1], self.r.choice([1, 3, 4]), self.r.choice([0, 1])
        w = self.real(*([n, k] if t else [k, n]), scale=0.4)
        c = self.r.choice([[n], [n], [1, n], [1], None])
        a = {"transB": t} if t else {}
        for key, values in (("alpha", [1.0, 1.0, 0.5]), ("beta", [1.0, 1.0, 2.0]), ("transA", [0])):
            if self.maybe(0.15):
                a[key] = self.r.choice(values)
        return self.add("Gemm", [x, w] + ([self.real(*c)] if c or self.opset < 11 else []) if c else [x, w] + ([self.real(n)] if self.opset < 11 else []), [0, n], **a)

    def MatMul(self, x, s):
        n = self.r.choice([1, 3, 4])
        y = self.add("MatMul", [x, self.real(s[-1], n, scale=0.4)], [0] + s[1:-1] + [n])
        if self.maybe(0.6):
            b = self.real(*self.r.choice([[n], [n], [1, n], [1]]))
            self.add("Add", [y, b] if self.maybe(0.7) else [b, y], [0] + s[1:-1] + [n])

    def unary(self, op, x, s, **a):
        return self.add(op, [x], s, **a)
    def Relu(self, x, s):
        return self.unary("Relu", x, s)
    def Sigmoid(self, x, s):
        return self.unary("Sigmoid", x, s)
    def Tanh(self, x, s):
        return self.unary("Tanh", x, s)
    def Identity(self, x, s):
        return self.unary("Identity", x, s)

    def Softmax(self, x, s):
        return self.unary("Softmax", x, s, **({"axis": self.r.choice([1, -1, len(s) - 1])} if self.maybe(0.6) else {}))

    def Clip(self, x, s):
        lo, hi = self.r.choice([(0.0, 6.0), (0.0, 6.0), (0.0, 6.0), (0.0, None), (0.0, None), (None, 6.0), (-1.0, 1.0), (0.0, 3.4028234663852886e38)])
        if self.opset < 11:
            return self.unary("Clip", x, s, **{k: v for k, v in (("min", lo), ("max", hi)) if v is not None})
        scalar = lambda v: "" if v is None else self.constant(np.float32(v))
        return self.add("Clip", [x, scalar(lo)] + ([scalar(hi)] if hi is not None else []), s)

    def Dropout(self, x, s):
        if self.opset < 12:
            return self.unary("Dropout", x, s, **({"ratio": 0.3} if self.maybe(0.5) else {}))
        more = [self.constant(np.float32(0.3))] + ([self.constant(np.bool_(False))] if self.maybe(0.5) else []) if self.maybe(0.5) else []
        return self.add("Dropout", [x] + more, s, outputs=self.r.choice([1, 2]))

    def Cast(self, x, s):
        if self.maybe(0.2):
            x = self.add("Cast", [x], None, to=self.r.choice([6, 7, 10, 11]))
            s = s
        return self.add("Cast", [x], s, to=1)

    def partner(self, x, s):
        """Another value of the shape, or a constant that broadcasts."""
        same = [n for n, t in self.values if t == s]
        if self.maybe(0.5):
            return self.r.choice(same)
        shapes = [[1], [], [s[1]], [s[-1]], [s[1]] + [1] * (len(s) - 2), [1, s[1]] + [1] * (len(s) - 2), [1] * len(s)]
        return self.real(*self.r.choice(shapes))

    def binary(self, op, x, s):
        y = self.partner(x, s)
        shape = list(np.broadcast_shapes([1] + s[1:], self.shape_of(y)))
        return self.add(op, [x, y] if self.maybe(0.7) else [y, x], [0] + shape[1:] if len(shape) == len(s) else shape)
    def shape_of(self, name):
        for n, s in self.values:
            if n == name:
                return [1] + s[1:]
        for t in self.constants:
            if t.name == name:
                return list(t.dims)
        for n in self.nodes:
            if n.output[0] == name and n.op_type == "Constant":
                v = helper.get_attribute_value(n.attribute[0])
                return list(v.dims) if isinstance(v, onnx.TensorProto) else list(np.shape(v))
        return []
    def Add(self, x, s):
        return self.binary("Add", x, s)
    def Sub(self, x, s):
        return self.binary("Sub", x, s)
    def Mul(self, x, s):
        return self.binary("Mul", x, s)

    def Concat(self, x, s):
        axis = self.r.choice([1, 1, -1, len(s) - 1])
        fits = [(n, t) for n, t in self.values if len(t) == len(s) and all(i == axis % len(s) or a == b for i, (a, b) in enumerate(zip(s, t)))]
        others = [self.r.choice(fits) for _ in range(self.r.choice([1, 1, 2]))]
        shape = list(s)
        shape[axis % len(s)] += sum(t[axis % len(s)] for _, t in others)
        return self.add("Concat", [x] + [n for n, _ in others], shape, axis=axis)

    def Transpose(self, x, s):
        p = [0, 1] if len(s) == 2 else [0] + self.r.choice([[2, 3, 1], [2, 3, 1], [3, 1, 2], [3, 1, 2], [1, 2, 3], [1, 3, 2]])
        return self.add("Transpose", [x], [s[i] for i in p], perm=p)

    def Flatten(self, x, s):
        axis = self.r.choice([1, 1, 1, 1 - len(s), 2]) if self.opset >= 11 else self.r.choice([1, 1, 2])
        return self.add("Flatten", [x], [0, int(np.prod(s[1:]))] if axis != 2 else None, **({"axis": axis} if axis != 1 or self.maybe(0.3) else {}))

    def computed(self, x, s, rest):
        """A shape [batch] + rest, computed as exporters do."""
        b = self.add("Shape", [x], None)
        if self.maybe(0.5):
            axes = [self.integers(0)] if self.maybe(0.5) else []
            if self.opset < 10:
                b = self.add("Slice", [b], None, starts=[0], ends=[1])
            else:
                b = self.add("Slice", [b, self.integers(0), self.integers(1)] + axes, None)
        else:
            b = self.add("Gather", [b, self.constant(np.int64(0))], None, **({"axis": 0} if self.maybe(0.5) else {}))
            b = self.add("Unsqueeze", [b], None, axes=[0]) if self.opset < 13 else self.add("Unsqueeze", [b, self.integers(0)], None)
        if self.maybe(0.3):
            b = self.add("Cast", [self.add("Cast", [b], None, to=6)], None, to=7)
        if self.maybe(0.5) and len(rest) == 1:
            dims = self.add("Shape", [x], None)
            dims = self.add("Slice", [dims], None, starts=[1], ends=[99]) if self.opset < 10 else self.add("Slice", [dims, self.integers(1), self.integers(99)], None)
            tail = self.add("ReduceProd", [dims], None, keepdims=1)
            if self.maybe(0.5):
                tail = self.add("Div", [self.add("Mul", [tail, self.integers(2)], None), self.integers(2)], None)
        else:
            tail = self.integers(*rest)
        return self.add("Concat", [b, tail], None, axis=0)

    def Reshape(self, x, s):
        k = int(np.prod(s[1:]))
        kinds = [[k], [k], [k], [-1]]
        if len(s) == 4:
            kinds += [[s[3], s[1], s[2]], [s[2], s[3], s[1]], [s[1], s[3], s[2]], s[1:]]
        if k % 2 == 0:
            kinds += [[k // 2]]
        rest = self.r.choice(kinds)
        shape = [0] + [k if d == -1 else d for d in rest]
        first = self.r.choice([-1, 0, N, 1]) if -1 not in rest else self.r.choice([0, N, 1])
        a = {"allowzero": self.r.choice([0, 0, 1])} if self.opset >= 14 and self.maybe(0.2) else {}
        how = self.computed(x, s, rest) if self.maybe(0.3) else self.integers(first, *rest)
        return self.add("Reshape", [x, how], shape if np.prod(shape[1:]) == k else None, **a)

    def Squeeze(self, x, s):
        ones = [i for i, d in enumerate(s) if d == 1 and i]
        if not ones:
            return None
        axes = self.r.choice([ones, ones, ones[:1], [i - len(s) for i in ones], None])
        gone = ones if axes is None else [a % len(s) for a in axes]
        shape = [d for i, d in enumerate(s) if i not in gone]
        if axes is None or self.opset < 13:
            return self.add("Squeeze", [x], shape, **({"axes": axes} if axes else {}))
        return self.add("Squeeze", [x, self.integers(*axes)], shape)

    def Pad(self, x, s):
        n = len(s)
        p = [0] * (2 * n)
        for i in (range(1, n) if self.maybe(0.1) else [1, 2] if self.maybe(0.2) else [2, 3]):
            if i < n:
                p[i], p[n + i] = self.r.choice([0, 1, 1, 2]), self.r.choice([0, 1, 1])
        shape = [d + p[i] + p[n + i] for i, d in enumerate(s)]
        a = {"mode": self.r.choice(["constant", "constant", "reflect", "edge"])} if self.maybe(0.2) else {}
        if self.opset < 11:
            return self.add("Pad", [x], shape, pads=p, **({"value": self.r.choice([0.0, 0.0, 1.0])} if self.maybe(0.3) else {}), **a)
        inputs = [x, self.integers(*p)]
        if self.maybe(0.3):
            inputs.append(self.constant(np.float32(self.r.choice([0, 0, 0, 1]))))
        if self.opset >= 18 and self.maybe(0.5):
            axes = self.r.sample(range(n), n) if self.maybe(0.3) else [i for i in range(n) if p[i] or p[n + i]] or [n - 1]
            inputs[1] = self.integers(*[p[i] for i in axes], *[p[n + i] for i in axes])
            inputs += [""] * (3 - len(inputs)) + [self.integers(*[i - n if self.maybe(0.3) else i for i in axes])]
        return self.add("Pad", inputs, shape, **a)

    def ConstantOfShape(self, x, s):
        """Zeroes for a Pad, as PyTorch's F.pad writes them."""
        if self.opset < 11 or len(s) != 4:
            return None
        zeroes = self.add("ConstantOfShape", [self.integers(4)], None, value=numpy_helper.from_array(np.zeros(1, np.int64)))
        pads = self.add("Concat", [self.integers(1, 0, 1, 1), zeroes], None, axis=0)  # last dimension first, as F.pad has them
        pads = self.add("Reshape", [pads, self.integers(-1, 2)], None)
        step = self.add("Slice", [pads, self.integers(-1), self.integers(-9223372036854775807), self.integers(0), self.integers(-1)], None)
        turned = self.add("Transpose", [step], None, perm=[1, 0])
        pads = self.add("Reshape", [turned, self.integers(-1)], None)
        return self.add("Pad", [x, pads], [s[0], s[1], s[2] + 2, s[3] + 1])

IMAGES = ["Conv", "Conv", "Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "BatchNormalization", "Pad", "Pad", "Transpose", "Transpose",
          "Flatten", "Reshape", "Squeeze", "ConstantOfShape"]
ROWS = ["Gemm", "Gemm", "MatMul", "Softmax", "BatchNormalization", "Flatten", "Reshape"]
ANY = ["Relu", "Clip", "Sigmoid", "Tanh", "Identity", "Dropout", "Cast", "Add", "Sub", "Mul", "Concat"]

def draw(seed):
    """A graph, its input's shape; None: it came to nothing."""
    g = Graph(seed)
    c, h, w = g.r.choice([1, 2, 3]), g.r.choice([4, 5, 6, 7]), g.r.choice([1, 4, 5, 6])
    shape = g.r.choice([[0, c, h, w], [0, c, h, w], [0, h, w, c], [0, g.r.choice([4, 6])]])
    g.values.append(("x", shape))
    for _ in range(g.r.randrange(2, 9)):
        x, s = g.values[-1] if g.maybe(0.8) else g.r.choice(g.values)
        op = g.r.choice(ANY if g.maybe(0.35) or len(s) not in (2, 4) else IMAGES if len(s) == 4 else ROWS)
        if len(s) == 4 and min(s[1:]) >= 1:
            if any(d > 40 for d in s[1:]):
                break
        before = len(g.values)
        try:
            getattr(g, op)(x, s)
        except (ValueError, IndexError):  # no such node on a value of this shape
            return None
        if len(g.values) > before and any(d < 1 for d in g.values[-1][1][1:]):
            return None
    if not g.nodes or not any(n.output[0] == g.values[-1][0] for n in g.nodes):
        return None
    g.input, g.output = shape, g.values[-1][0]
    # what nothing reads is left out, as exporters do
    wanted = {g.output}
    kept = []
    for n in reversed(g.nodes):
        if wanted & set(n.output):
            kept.append(n)
            wanted |= set(n.input)
    g.nodes = kept[::-1]
    g.ops = {n.op_type for n in g.nodes}
    if "x" not in wanted:
        return None
    g.constants = [t for t in g.constants if t.name in wanted]
    return g
