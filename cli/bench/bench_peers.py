"""bench_peers.py REPEATS THREADS... - PyTorch's training steps and ONNX Runtime's inference of the networks that isobit bench times, one JSON
object on standard output; isobit bench --peers reads it. Networks as in isobit: batch norm behind each convolution, random data."""
import json, statistics, sys, tempfile, time, warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch
import torch.ao.quantization as tq
import torch.nn as nn
from torch.nn.functional import cross_entropy

REPEATS, THREADS = int(sys.argv[1]), [int(t) for t in sys.argv[2:]]
torch.set_num_threads(max(THREADS))
torch.backends.quantized.engine = "qnnpack"


def conv_bn(i, o, k, stride=1, relu=True):
    parts = [nn.Conv2d(i, o, k, stride, k // 2, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*parts, nn.ReLU()) if relu else nn.Sequential(*parts)


class Framed(nn.Module):
    """Quantization stubs around a network."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()

    def forward(self, x):
        return self.dequant(self.network(self.quant(x)))

    def fuse(self):
        for m in list(self.modules()):
            if type(m) is nn.Sequential:
                names = [type(c) for c in m]
                i = 0
                while i < len(names):
                    for pattern in ([nn.Conv2d, nn.BatchNorm2d, nn.ReLU], [nn.Conv2d, nn.BatchNorm2d], [nn.Linear, nn.ReLU]):
                        if names[i : i + len(pattern)] == pattern:
                            tq.fuse_modules_qat(m, [str(j) for j in range(i, i + len(pattern))], inplace=True)
                            i += len(pattern) - 1
                            break
                    i += 1


class Mlp(Framed):
    shape, batch = (1, 28, 28), 64

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))

    def network(self, x):
        return self.layers(x.reshape(x.size(0), -1))


class Lenet(Framed):
    shape, batch = (1, 28, 28), 64

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(conv_bn(1, 8, 5), nn.MaxPool2d(2), conv_bn(8, 16, 5), nn.MaxPool2d(2))
        self.layers = nn.Sequential(nn.Linear(16 * 49, 64), nn.ReLU(), nn.Linear(64, 10))

    def network(self, x):
        return self.layers(self.features(x).reshape(x.size(0), -1))


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.a, self.b = conv_bn(i, o, 3, stride), conv_bn(o, o, 3, 1, relu=False)
        self.short = nn.Conv2d(i, o, 1, stride) if stride != 1 or i != o else nn.Identity()
        self.sum = nn.quantized.FloatFunctional()

    def forward(self, x):
        return self.sum.add_relu(self.b(self.a(x)), self.short(x))


class Resnet8(Framed):
    shape, batch = (3, 32, 32), 32

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(conv_bn(3, 16, 3), Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2), nn.AdaptiveAvgPool2d(1))
        self.layers = nn.Sequential(nn.Linear(64, 10))

    def network(self, x):
        return self.layers(self.features(x).flatten(1))


def timed(run, seconds=0.05):
    """Median seconds of a call, over REPEATS."""
    for _ in range(3):
        run()
    start = time.perf_counter()
    run()
    inner = max(1, int(seconds / (time.perf_counter() - start)))
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in range(inner):
            run()
        times.append((time.perf_counter() - start) / inner)
    return statistics.median(times)


def step_time(net, batch, shape):
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
    x, y = torch.rand((batch,) + shape), torch.randint(0, 10, (batch,))

    def step():
        optimizer.zero_grad()
        cross_entropy(net(x), y).backward()
        optimizer.step()

    return 1e3 * timed(step)


def quantized(cls, version):
    net = cls().train()
    net.fuse()
    net.qconfig = tq.get_default_qat_qconfig("qnnpack", version)
    return tq.prepare_qat(net)


result = {"torch": torch.__version__, "steps": [], "inference": []}
for cls in (Mlp, Lenet, Resnet8):
    times = [step_time(quantized(cls, v), cls.batch, cls.shape) for v in (0, 1)]
    result["steps"].append({"model": cls.__name__.lower(), "float_ms": step_time(cls(), cls.batch, cls.shape), "qat_ms": min(times)})

try:
    import logging

    import onnxruntime as ort
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    logging.disable(logging.WARNING)
    result["onnxruntime"] = ort.__version__

    class Reader(CalibrationDataReader):
        def __init__(self, x):
            self.rest = iter([{"x": x[i : i + 16]} for i in range(0, len(x), 16)])

        def get_next(self):
            return next(self.rest, None)

    for cls in (Mlp, Lenet, Resnet8):
        net, x = cls().eval(), torch.rand((64,) + cls.shape)
        net.quant = net.dequant = nn.Identity()
        for m in net.modules():
            if isinstance(m, Block):
                m.sum = type("Sum", (nn.Module,), {"add_relu": lambda self, a, b: torch.relu(a + b)})()
        with tempfile.TemporaryDirectory() as folder:
            torch.onnx.export(net, x, folder + "/f.onnx", input_names=["x"], dynamic_axes={"x": {0: "n"}}, opset_version=17, dynamo=False)
            quantize_static(folder + "/f.onnx", folder + "/q.onnx", Reader(x.numpy()), quant_format=QuantFormat.QDQ, per_channel=True,
                            weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8)
            for threads in THREADS:
                options = ort.SessionOptions()
                options.intra_op_num_threads = threads
                options.log_severity_level = 3
                sessions = [ort.InferenceSession(folder + "/" + f, options) for f in ("f.onnx", "q.onnx")]
                for batch in (1, 64):
                    part = x[:batch].numpy()
                    us = [1e6 * timed(lambda: s.run(None, {"x": part})) for s in sessions]
                    result["inference"].append({"model": cls.__name__.lower(), "threads": threads, "batch": batch, "fp32_us": us[0], "int8_us": us[1]})
except ImportError:
    pass
print(json.dumps(result))
