#!/usr/bin/env python3
"""Makes the ONNX models in tests/fixtures/onnx and onnx-text: small ones with random weights, written as exporters write theirs.

    PYTHONPATH=.vendor/check python3 tools/make_onnx_models.py
"""

import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = Path(__file__).parent.parent / "tests/fixtures/onnx"


class Graph:
    """A graph in the making. Weights are constants, inputs that have a value, or Constant nodes."""

    def __init__(self, name, opset, weights="initializer"):
        self.name, self.opset, self.weights = name, opset, weights
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.random = np.random.default_rng(len(name) + opset)
        self.count = 0

    def input(self, name, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name, shape):
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def constant(self, values, name=None):
        """A constant of numbers."""
        self.count += 1
        name = name or f"const_{self.count}"
        tensor = numpy_helper.from_array(np.asarray(values), name)
        if self.weights == "node":
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.initializers.append(tensor)
            if self.weights == "input":
                self.inputs.append(helper.make_tensor_value_info(name, tensor.data_type, tensor.dims))
        return name

    def weight(self, *shape, scale=None):
        """Random weights."""
        fan = int(np.prod(shape[1:])) or 1
        values = self.random.standard_normal(shape) * (scale or 1 / math.sqrt(fan))
        return self.constant(values.astype(np.float32))

    def ints(self, *values):
        return self.constant(np.array(values, dtype=np.int64))

    def real(self, value):
        return self.constant(np.array(value, dtype=np.float32))

    def node(self, op, *inputs, out=None, outputs=1, **attributes):
        """A node; gives the name of its output, or those of several."""
        self.count += 1
        names = [out] if out else [f"/{op}_{self.count}_output_{at}" for at in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"/{op}_{self.count}", **attributes))
        return names[0] if outputs == 1 else names

    def norm(self, x, channels):
        """Batch normalization with statistics that are not those of initialization."""
        draw = lambda low, high: self.constant(self.random.uniform(low, high, channels).astype(np.float32))
        return self.node("BatchNormalization", x, draw(0.5, 1.5), draw(-0.2, 0.2), draw(-0.2, 0.2), draw(0.5, 1.5))

    def write(self, form="onnx"):
        """Writes the model: in text form, if that is wanted, into a folder of its own."""
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 4 if self.opset < 11 else 8
        onnx.checker.check_model(model)
        folder = OUT if form == "onnx" else OUT.parent / "onnx-text"
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(model, folder / f"{self.name}.{form}", format="protobuf" if form == "onnx" else "textproto")


def classifier():
    """A classifier as older exporters write it: weights are listed as inputs, normalizations stand behind convolutions."""
    g = Graph("classifier", 9, "input")
    x = g.input("image", [1, 3, 16, 16])
    x = g.norm(g.node("Conv", x, g.weight(8, 3, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3]), 8)
    x = g.node("Sigmoid", x)
    x = g.norm(g.node("Conv", x, g.weight(8, 1, 3, 3), g.weight(8), group=8, auto_pad="SAME_UPPER"), 8)
    x = g.node("Mul", x, g.node("Sigmoid", x))
    x = g.norm(x, 8)
    x = g.node("Flatten", g.node("GlobalAveragePool", x))
    g.node("Gemm", x, g.weight(10, 8), g.weight(10), transB=1, out="scores")
    g.output("scores", [1, 10])
    g.write()


def shuffle():
    """Shapes that are computed, an open batch, constants in nodes of their own."""
    g = Graph("shuffle", 11, "node")
    x = g.input("image", ["N", 4, 8, 8])
    sizes = [g.node("Gather", g.node("Shape", x), g.constant(np.array(at, dtype=np.int64)), axis=0) for at in range(4)]
    half = g.node("Div", sizes[1], g.constant(np.array(2, dtype=np.int64)))
    parts = [sizes[0], g.constant(np.array(2, dtype=np.int64)), half, sizes[2], sizes[3]]
    wide = g.node("Concat", *[g.node("Unsqueeze", part, axes=[0]) for part in parts], axis=0)
    x = g.node("Transpose", g.node("Reshape", x, wide), perm=[0, 2, 1, 3, 4])
    x = g.node("Reshape", x, g.ints(0, -1, 8, 8))
    first, second = g.node("Split", x, axis=1, split=[1, 3], outputs=2)
    x = g.node("Concat", second, first, axis=1)
    x = g.node("Slice", x, g.ints(0, 1), g.ints(3, 9223372036854775807), g.ints(1, 2), g.ints(1, 2))
    flat = g.node("Concat", g.node("Unsqueeze", sizes[0], axes=[0]), g.ints(-1), axis=0)
    x = g.node("Softmax", g.node("Reshape", x, flat))
    g.node("Identity", x, out="shares")
    g.output("shares", ["N", 96])
    g.write()


def sequence():
    """Windows along one axis, and products with vectors."""
    g = Graph("sequence", 13)
    x = g.input("sound", [1, 4, 24])
    x = g.node("Conv", x, g.weight(6, 4, 3), g.weight(6), kernel_shape=[3], pads=[1, 1])
    x = g.node("Sigmoid", g.norm(x, 6))
    x = g.node("AveragePool", x, kernel_shape=[2], strides=[2])
    x = g.node("Squeeze", x, g.ints(0))
    x = g.node("Sum", g.node("MatMul", x, g.weight(12)), g.weight(6), g.weight(6))
    g.node("Expand", g.node("Unsqueeze", x, g.ints(0)), g.ints(2, 6), out="rows")
    g.output("rows", [2, 6])
    g.write()


def tokens():
    """Tokens, and attention with a mask that is spelled out."""
    g = Graph("tokens", 17)
    ids, mask = g.input("ids", [1, 6], TensorProto.INT32), g.input("mask", [1, 6])
    x = g.node("Gather", g.weight(20, 16, scale=1.0), ids, axis=0)
    x = g.node("Add", x, g.node("Gather", g.weight(8, 16, scale=0.5), g.ints(0, 1, 2, 3, 4, 5), axis=0))
    x = g.node("LayerNormalization", x, g.weight(16, scale=1.0), axis=-1, epsilon=1e-5)
    heads = []
    for _ in range(3):
        part = g.node("Add", g.node("MatMul", x, g.weight(16, 16)), g.weight(16))
        heads.append(g.node("Transpose", g.node("Reshape", part, g.ints(0, 0, 4, 4)), perm=[0, 2, 1, 3]))
    query, key, value = heads
    scores = g.node("MatMul", query, g.node("Transpose", key, perm=[0, 1, 3, 2]))
    wide = g.node("Cast", g.node("Unsqueeze", mask, g.ints(1, 2)), to=TensorProto.FLOAT)
    hidden = g.node("Add", g.node("Mul", wide, g.real(50.0)), g.real(-50.0))
    scores = g.node("Add", g.node("Mul", scores, g.real(0.5)), hidden)
    mixed = g.node("MatMul", g.node("Softmax", scores, axis=-1), value)
    mixed = g.node("Reshape", g.node("Transpose", mixed, perm=[0, 2, 1, 3]), g.ints(0, 0, 16))
    x = g.node("Add", x, g.node("MatMul", mixed, g.weight(16, 16)))
    x = g.node("Mul", x, g.node("Sigmoid", x))
    g.node("Gather", x, g.constant(np.array(0, dtype=np.int64)), axis=1, out="sentence")
    g.output("sentence", [1, 16])
    g.write()


def gated():
    """In text form, as the package writes it."""
    g = Graph("gated", 17)
    x = g.input("features", [1, 6])
    x = g.node("Add", g.node("MatMul", x, g.weight(6, 4)), g.weight(4))
    g.node("Mul", x, g.node("HardSigmoid", x, alpha=1 / 6, beta=0.5), out="gate")
    g.output("gate", [1, 4])
    g.write("textproto")


if __name__ == "__main__":
    for make in [classifier, shuffle, sequence, tokens, gated]:
        make()
