#!/usr/bin/env python3
"""make_onnx.py - tiny networks as PyTorch's two exporters and Keras write them, with their outputs, into tests/golden/onnx.
needs: pip install torch onnx onnxscript onnxruntime keras"""
import os, pathlib

os.environ["KERAS_BACKEND"] = "torch"
import keras, numpy as np, onnxruntime, torch
import torch.nn as nn
from keras import layers

OUT = pathlib.Path(__file__).with_name("onnx")
OUT.mkdir(exist_ok=True)
torch.manual_seed(1)
keras.utils.set_random_seed(1)

class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2))
        self.depthwise = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.ReLU6(), nn.Conv2d(6, 8, 1))
        self.a, self.b, self.pool, self.drop = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(8, 4, 1), nn.AvgPool2d(2), nn.Dropout(0.1)
        self.hidden, self.out = nn.Linear(8 * 2 * 2, 12), nn.Linear(12, 5)
    def forward(self, x):
        x = self.depthwise(self.stem(x))
        y = torch.cat([torch.sigmoid(self.a(x)), torch.tanh(self.b(x))], 1)
        y = self.pool(torch.relu(y + x) * y)
        return torch.softmax(self.out(self.drop(torch.relu(self.hidden(torch.flatten(y, 1))))), 1)

class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, 4, (5, 3), stride=(2, 1), padding=(2, 0)), nn.Linear(4, 3)
    def forward(self, x):
        x = nn.functional.adaptive_avg_pool2d(torch.relu(self.conv(nn.functional.pad(x, (1, 1, 0, 1)))), 1)
        return self.out(x.view(x.size(0), x.size(1)))

def save(name, run):
    """run: a function that writes OUT/name.onnx"""
    run(str(OUT / (name + ".onnx")))
    session = onnxruntime.InferenceSession(str(OUT / (name + ".onnx")), providers=["CPUExecutionProvider"])
    i = session.get_inputs()[0]
    x = np.random.default_rng(1).normal(size=[3] + i.shape[1:]).astype(np.float32)
    nchw = x.transpose(0, 3, 1, 2) if x.shape[-1] < x.shape[1] else x
    y = session.run(None, {i.name: x})[0]
    np.concatenate([nchw.reshape(-1), y.reshape(-1)]).astype("<f4").tofile(OUT / (name + ".bin"))

for name, net, shape in (("branches", Branches(), (2, 8, 8)), ("pooled", Pooled(), (3, 9, 7))):
    for p in net.parameters():
        p.data += 0.1 * torch.randn_like(p)
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_(), m.running_var.uniform_(0.5, 2)
    net.eval()
    x = torch.randn(2, *shape)
    save(name + "_torchscript", lambda path: torch.onnx.export(net, x, path, input_names=["x"], dynamic_axes={"x": {0: "n"}}, opset_version=13, dynamo=False))
    # one with its weights in another file, as the exporter does it by itself
    save(name + "_dynamo", lambda path: torch.onnx.export(net, (x,), path, dynamo=True, external_data=name == "pooled", dynamic_shapes=({0: torch.export.Dim("n")},)))

model = keras.Sequential([keras.Input((12, 12, 2)), layers.Conv2D(4, 5, padding="same", strides=2, activation="relu"), layers.BatchNormalization(),
                          layers.MaxPooling2D(2), layers.Conv2D(6, 2, padding="same"), layers.ReLU(max_value=6), layers.Flatten(), layers.Dense(8, activation="tanh"),
                          layers.Dense(4)])
model(np.zeros((1, 12, 12, 2), np.float32))
for w in model.weights:
    w.assign(w + 0.1 * np.abs(np.random.default_rng(2).normal(size=w.shape)))
save("keras", lambda path: model.export(path, format="onnx", verbose=False))

class Scaled(nn.Module):
    """Scales and shifts by channel: a chain, and one whose middle is read twice."""
    def __init__(self):
        super().__init__()
        self.scale, self.shift, self.out = nn.Parameter(torch.rand(2, 1, 1) + 0.5), nn.Parameter(torch.randn(2, 1, 1)), nn.Linear(18, 3)
    def forward(self, x):
        x = torch.relu(x - self.shift) * self.scale + 0.25
        y = x * self.shift
        z = y + self.scale
        return self.out(torch.flatten(torch.relu(y) + z, 1))

torch.manual_seed(3)
net = Scaled().eval()
save("scaled_torchscript", lambda path: torch.onnx.export(net, torch.randn(2, 2, 3, 3), path, input_names=["x"], dynamic_axes={"x": {0: "n"}}, dynamo=False))
