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
        self.nodes, self.initializers, self.inputs, self.outputs, self.functions = [], [], [], [], []
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
        sets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(one.domain, 1) for one in self.functions[:1])]
        model = helper.make_model(graph, opset_imports=sets, functions=self.functions)
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


def padded():
    """A row of zeros before others, as a class token that was not trained, and parts with names of their own."""
    g = Graph("padded", 17)
    x = g.node("Transpose", g.input("patches", [1, 128, 32]), perm=[0, 2, 1])
    x = g.node("Concat", g.constant(np.zeros((1, 1, 128), dtype=np.float32)), x, axis=1)
    gate, value = g.node("Split", g.node("MatMul", x, g.weight(128, 16)), axis=2, outputs=2)
    x = g.node("Add", x, g.node("MatMul", g.node("Mul", g.node("Sigmoid", gate), value), g.weight(8, 128)))
    g.node("ReduceMean", x, axes=[1], keepdims=0, out="mean")
    g.output("mean", [1, 128])
    g.write()


def truths():
    """Truths that are computed: a mask of integers, comparisons of whole numbers, choices."""
    g = Graph("truths", 17)
    x, mask, flag = g.input("x", [2, 4, 6]), g.input("mask", [2, 6], TensorProto.INT64), g.input("flag", [2, 4, 1], 9)
    kept = g.node("GatherND", g.node("Cast", mask, to=TensorProto.BOOL), g.ints([0], [1]))
    # The first is always seen: a row of which all is hidden is no number in ONNX.
    kept = g.node("Or", g.node("Unsqueeze", kept, g.ints(1)), g.constant(np.arange(6) == 0))
    causal = g.constant(np.tril(np.ones((4, 6), dtype=bool)))
    scores = g.node("Where", g.node("And", kept, causal), g.real(0.0), g.real(-np.inf))
    shares = g.node("Softmax", g.node("Add", x, scores), axis=-1)
    shares = g.node("Where", g.node("IsNaN", shares), g.real(0.0), shares)
    shares = g.node("Where", g.node("Not", kept), g.real(-0.5), shares)
    count = g.node("CumSum", mask, g.ints(1))
    late = g.node("Or", g.node("Greater", count, g.ints(2)), g.node("Equal", count, g.ints(1)))
    odd = g.node("Xor", g.node("Unsqueeze", late, g.ints(1)), flag)
    y = g.node("Where", odd, shares, x)
    y = g.node("Add", y, g.node("Cast", g.node("Unsqueeze", g.node("LessOrEqual", count, g.ints(3)), g.ints(1)), to=1))
    g.node("Where", g.constant(g.random.integers(0, 2, (4, 6)).astype(bool)), y, x, out="chosen")
    g.output("chosen", [2, 4, 6])
    g.write()


def picks():
    """Elements that are picked and put by constant indices, repeated, turned round, summed up."""
    g = Graph("picks", 16)
    x, ids = g.input("x", [2, 3, 4]), g.input("ids", [2, 3], TensorProto.INT32)
    y = g.node("GatherElements", x, g.constant(g.random.integers(-3, 3, (2, 3, 4))), axis=1)
    y = g.node("ScatterND", y, g.ints([0, 1], [1, 2]), g.node("GatherND", x, g.ints([0, 1], [1, -1])))
    y = g.node("ScatterElements", y, g.ints([[0, 3]], [[-1, 0]]), g.weight(2, 1, 2), axis=2)
    y = g.node("Slice", y, g.ints(-1, 3), g.ints(-9, -9), g.ints(1, 2), g.ints(-1, -2))
    y = g.node("Tile", y, g.ints(1, 1, 2))
    y = g.node("Add", y, g.node("CumSum", x, g.ints(1), exclusive=1, reverse=1))
    y = g.node("Add", g.node("Trilu", y, g.ints(1), upper=0), g.node("CumSum", x, g.ints(-1)))
    hot = g.node("OneHot", ids, g.constant(np.array([20], dtype=np.int32)), g.constant(np.array([0.25, 2.0], dtype=np.float32)), axis=1)
    g.node("Add", y, g.node("MatMul", g.node("Transpose", hot, perm=[0, 2, 1]), g.weight(20, 4)), out="picked")
    g.output("picked", [2, 3, 4])
    g.write()


def lookups():
    """Tokens that are computed with, too: places that count what is no padding, and the place of the largest token."""
    g = Graph("lookups", 17)
    ids = g.input("ids", [1, 6], TensorProto.INT64)
    x = g.node("Gather", g.weight(20, 16, scale=1.0), ids, axis=0)
    seen = g.node("Cast", g.node("Not", g.node("Equal", ids, g.ints(1))), to=TensorProto.INT32)
    count = g.node("Mul", g.node("Cast", g.node("CumSum", seen, g.ints(1)), to=TensorProto.INT32), seen)
    places = g.node("Add", g.node("Cast", count, to=TensorProto.INT64), g.ints(1))
    x = g.node("Add", x, g.node("Gather", g.weight(8, 16, scale=0.5), places, axis=0))
    x = g.node("LayerNormalization", x, g.weight(16, scale=1.0), axis=-1, epsilon=1e-5)
    last = g.node("ArgMax", g.node("Cast", ids, to=TensorProto.INT32), axis=-1, keepdims=0)
    at = g.node("Concat", g.ints([0]), g.node("Unsqueeze", last, g.ints(-1)), axis=-1)
    y = g.node("GatherND", x, at)
    z = g.node("Squeeze", g.node("Gather", x, g.node("Add", last, g.ints(0)), axis=1), g.ints(1))
    hot = g.node("OneHot", places, g.ints(8), g.constant(np.array([-0.5, 1.5], dtype=np.float32)))
    g.node("Add", g.node("Sub", y, g.node("Mul", z, g.real(0.25))), g.node("MatMul", g.node("ReduceSum", hot, g.ints(1), keepdims=0), g.weight(8, 16)), out="sentence")
    g.output("sentence", [1, 16])
    g.write()


def recurrent():
    """Recurrent layers of every kind, both ways, with states and without."""
    g = Graph("recurrent", 17)
    x = g.input("frames", [5, 2, 6])
    part = lambda *shape: g.weight(*shape, scale=0.5)
    y, h, c = g.node("LSTM", x, part(2, 16, 6), part(2, 16, 4), part(2, 32), direction="bidirectional", hidden_size=4, outputs=3)
    y = g.node("Reshape", g.node("Transpose", y, perm=[0, 2, 1, 3]), g.ints(5, 2, 8))
    y, _ = g.node("GRU", y, part(2, 12, 8), part(2, 12, 4), part(2, 24), "", h, direction="bidirectional", hidden_size=4,
                  linear_before_reset=1, outputs=2)
    y = g.node("ReduceSum", y, g.ints(1), keepdims=0)
    y, _ = g.node("GRU", y, part(1, 12, 4), part(1, 12, 4), part(1, 24), direction="reverse", hidden_size=4, outputs=2)
    y, last = g.node("RNN", g.node("Squeeze", y, g.ints(1)), part(1, 4, 4), part(1, 4, 4), hidden_size=4, outputs=2)
    relu, _ = g.node("RNN", x, part(1, 4, 6), part(1, 4, 4), hidden_size=4, activations=["Relu"], outputs=2)
    g.node("Squeeze", g.node("Add", y, relu), g.ints(1), out="sequence")
    g.node("Add", last, g.node("ReduceSum", c, g.ints(0), keepdims=1), out="states")
    g.output("sequence", [5, 2, 4])
    g.output("states", [1, 2, 4])
    g.write()


def repeated():
    """What is repeated to a size that broadcasting would give it, or by which it is read."""
    g = Graph("repeated", 17)
    x = g.input("rows", [2, 96])
    length = g.node("Clip", g.node("ReduceL2", x, axes=[1], keepdims=1), g.real(1e-6))
    y = g.node("Div", x, g.node("Expand", length, g.ints(2, 96)))
    y = g.node("MatMul", y, g.weight(96, 8))
    wide = g.node("Tile", g.node("Unsqueeze", y, g.ints(1)), g.ints(1, 70, 1))
    rows = g.node("Einsum", wide, g.weight(70, 3), equation="...ij,ik->...kj")
    g.node("Add", rows, g.node("MatMul", g.weight(1, 3, 2), g.weight(1, 2, 8)), out="sums")
    g.output("sums", [2, 3, 8])
    g.write()


def pyramid():
    """A backbone of which every stage is an output, which the next one reads; and a pool by attention to a learned query."""
    g = Graph("pyramid", 17)
    x = g.input("image", [1, 3, 32, 32])
    x = g.node("Conv", x, g.weight(8, 3, 3, 3), g.weight(8), strides=[2, 2], pads=[1, 1, 1, 1])
    first = g.node("Mul", x, g.node("HardSigmoid", x, alpha=1 / 6, beta=0.5), out="first")
    second = g.node("Conv", first, g.weight(16, 8, 3, 3), g.weight(16), strides=[2, 2], pads=[1, 1, 1, 1], out="second")
    x = g.node("Relu", g.node("Conv", second, g.weight(16, 16, 1, 1), g.weight(16)))
    third = g.node("Add", second, x, out="third")
    x = g.node("Conv", third, g.weight(16, 16, 3, 3), g.weight(16), strides=[2, 2], pads=[1, 1, 1, 1])
    keys = g.node("Reshape", x, g.ints(1, 2, 8, 16))
    query = g.weight(1, 2, 1, 8, scale=1.0)
    scores = g.node("Softmax", g.node("MatMul", query, keys), axis=-1)
    mixed = g.node("MatMul", scores, g.node("Transpose", keys, perm=[0, 1, 3, 2]))
    g.node("Reshape", mixed, g.ints(1, 16), out="pooled")
    for name, shape in [("pooled", [1, 16]), ("first", [1, 8, 16, 16]), ("second", [1, 16, 8, 8]), ("third", [1, 16, 8, 8])]:
        g.output(name, shape)
    g.write()


def sums():
    """Sums of products by letters, weights on the left, operators that are a few others in a row."""
    g = Graph("sums", 18)
    x, low = g.input("x", [2, 3, 4]), g.input("low", [])
    y = g.node("Einsum", x, g.weight(5, 4), equation="bij,kj->bik")
    y = g.node("Add", y, g.node("Einsum", x, x, g.weight(5), equation="bij,bkj,c->bic"))
    y = g.node("MatMul", g.weight(3, 3), y)
    y = g.node("LogSoftmax", g.node("Softsign", y), axis=1)
    y = g.node("Clip", y, g.node("Sub", low, g.real(2.0)), g.real(-0.5))
    y = g.node("Add", y, g.node("ReduceL1", y, g.ints(2)))
    y = g.node("Max", y, g.node("ReduceSumSquare", y, g.ints(1)), g.node("Celu", y))
    g.node("Einsum", y, equation="bij->jbi", out="turned")
    g.output("turned", [5, 2, 3])
    g.write()


def styled():
    """Normalizations of pictures, comparisons of real numbers, places of the largest."""
    g = Graph("styled", 21)
    x = g.input("image", [1, 8, 6, 6])
    y = g.node("InstanceNormalization", x, g.weight(8, scale=1.0), g.weight(8), epsilon=1e-4)
    y = g.node("Where", g.node("Greater", y, g.real(0.5)), y, g.node("Mod", y, g.real(0.75), fmod=1))
    y = g.node("GroupNormalization", y, g.weight(8, scale=1.0), g.weight(8), num_groups=2)
    y = g.node("LRN", y, size=3, alpha=0.5, bias=2.0)
    y = g.node("LayerNormalization", y, g.weight(8, 6, 6, scale=1.0), g.weight(8, 6, 6), axis=1)
    y = g.node("Add", y, g.node("Sign", g.node("ThresholdedRelu", x, alpha=0.25)))
    g.node("Cast", g.node("ArgMax", y, axis=1, keepdims=0), to=TensorProto.FLOAT, out="classes")
    g.node("LpNormalization", y, axis=1, out="features")
    g.output("classes", [1, 6, 6])
    g.output("features", [1, 8, 6, 6])
    g.write()


def keras():
    """A picture with channels last, as tf2onnx writes networks of Keras: names with colons, transposes at the ends."""
    g = Graph("keras", 15)
    scope = "StatefulPartitionedCall/net"
    x = g.input("image", ["unk__7", 12, 12, 3])
    x = g.node("Transpose", x, perm=[0, 3, 1, 2], out=f"{scope}/stem/Conv2D__6:0")
    weight = g.constant(g.random.standard_normal((8, 3, 3, 3)).astype(np.float32) / 5, f"{scope}/stem/weights_fused_bn")
    bias = g.constant(g.random.standard_normal(8).astype(np.float32) / 5, f"{scope}/stem/bias_fused_bn")
    pads = dict(strides=[2, 2], auto_pad="SAME_UPPER", kernel_shape=[3, 3], dilations=[1, 1], group=1)
    x = g.node("Conv", x, weight, bias, out=f"{scope}/stem/BiasAdd:0", **pads)
    x = g.node("Clip", x, g.real(0.0), g.real(6.0), out=f"{scope}/stem/Relu6:0")
    # Weights of a depthwise convolution come as [H,W,C,1].
    kernel = g.node("Transpose", g.weight(3, 3, 8, 1, scale=0.3), perm=[3, 2, 0, 1])
    kernel = g.node("Reshape", kernel, g.ints(8, 1, 3, 3))
    y = g.node("Conv", x, kernel, group=8, kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[1, 1])
    y = g.norm(y, 8)
    y = g.node("Transpose", g.node("Min", g.node("Max", y, g.real(0.0)), g.real(6.0)), perm=[0, 2, 3, 1])
    x = g.node("Add", y, g.node("Transpose", x, perm=[0, 2, 3, 1]))
    x = g.node("ReduceMean", x, axes=[1, 2], keepdims=0)
    x = g.node("Add", g.node("MatMul", x, g.weight(8, 5, scale=0.4)), g.weight(5))
    g.node("Softmax", x, axis=1, out="Identity:0")
    g.output("Identity:0", ["unk__8", 5])
    g.write()


def modules():
    """Functions of the model, as exporters write modules, and a choice that follows from shapes."""
    g = Graph("modules", 18)
    node = helper.make_node
    alpha = helper.make_attribute("alpha", 0.25)
    slope = node("LeakyRelu", ["product"], ["act"])
    slope.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="alpha", type=onnx.AttributeProto.FLOAT))
    linear = [node("MatMul", ["x", "w"], ["product"]), slope, node("Add", ["act", "b"], ["y"])]
    sets = [helper.make_opsetid("", 18), helper.make_opsetid("pkg.net", 1)]
    g.functions.append(helper.make_function("pkg.net", "Linear", ["x", "w", "b"], ["y"], linear, sets[:1], [], [alpha]))
    block = [
        node("Linear", ["x", "w", "b"], ["inner"], domain="pkg.net", alpha=0.5),
        node("Linear", ["inner", "w", "b"], ["made"], domain="pkg.net"),
        node("Add", ["made", "x"], ["y"]),
    ]
    g.functions.append(helper.make_function("pkg.net", "Block", ["x", "w", "b"], ["y"], block, sets))
    x = g.input("features", [2, 8])
    x = g.node("Block", x, g.weight(8, 8), g.weight(8), domain="pkg.net")
    x = g.node("Block", x, g.weight(8, 8), g.weight(8), domain="pkg.net")
    rank = g.node("Size", g.node("Shape", x))
    branch = lambda name, op: helper.make_graph(
        [node(op, [x], ["z"])], name, [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)]
    )
    is_flat = g.node("Equal", rank, g.constant(np.array(2, dtype=np.int64)))
    g.node("If", is_flat, then_branch=branch("flat", "Tanh"), else_branch=branch("deep", "Hardmax"), out="y")
    g.output("y", [2, 8])
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
    for make in [classifier, shuffle, sequence, tokens, padded, truths, picks, lookups, recurrent, repeated, pyramid, sums, styled, keras, modules, gated]:
        make()
