#!/usr/bin/env python3
"""Makes the quantized models in tests/fixtures/onnx-quantized: one small network, as ONNX Runtime's quantizer writes it.

    pip install onnx onnxruntime packaging sympy
    python3 tools/make_quantized_models.py
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

OUT = Path(__file__).parent.parent / "tests/fixtures/onnx-quantized"

# What it is quantized to, by the name of the file.
WAYS = {
    # Its defaults of old: one scale a tensor, weights with zero points.
    "u8u8": dict(activation_type=QuantType.QUInt8, weight_type=QuantType.QUInt8),
    "u8s8": dict(activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True),
    # For 16 bits it brings the model to operator set 21.
    "u16s8": dict(activation_type=QuantType.QUInt16, weight_type=QuantType.QInt8, per_channel=True),
    "s8s8": dict(activation_type=QuantType.QInt8, weight_type=QuantType.QInt8),
    "u16s4": dict(activation_type=QuantType.QUInt16, weight_type=QuantType.QInt4),
    "operators": dict(
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, quant_format=QuantFormat.QOperator
    ),
}


def network():
    """Convolutions with activations that the quantizer leaves out, a depthwise one, and a product with a bias."""
    random = np.random.default_rng(3)
    weights = {
        "first.weight": random.standard_normal((4, 3, 3, 3)) / 5,
        "first.bias": random.standard_normal(4) / 5,
        "second.weight": random.standard_normal((4, 1, 3, 3)),
        "second.bias": random.standard_normal(4) + 2,
        "head.weight": random.standard_normal((5, 4)) / 2,
        "head.bias": random.standard_normal(5) / 5,
        "least": np.array(0.0),
        "most": np.array(6.0),
    }
    nodes = [
        helper.make_node("Conv", ["image", "first.weight", "first.bias"], ["c1"], "first", pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["c1"], ["r1"], "relu"),
        helper.make_node("Conv", ["r1", "second.weight", "second.bias"], ["c2"], "second", pads=[1] * 4, group=4),
        helper.make_node("Clip", ["c2", "least", "most"], ["r2"], "clip"),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "head.weight", "head.bias"], ["scores"], "head", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 5])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


class Samples(CalibrationDataReader):
    """Random pictures."""

    def __init__(self):
        random = np.random.default_rng(4)
        self.left = [{"image": random.standard_normal((1, 3, 8, 8)).astype(np.float32) * 2} for _ in range(16)]

    def get_next(self):
        return self.left.pop() if self.left else None


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    float_model = network()
    onnx.save(float_model, OUT / "float.textproto", format="textproto")
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "float.onnx", Path(folder) / "made.onnx"
        onnx.save(float_model, source)
        for name, way in WAYS.items():
            quantize_static(source, made, Samples(), **{"quant_format": QuantFormat.QDQ, **way})
            model = onnx.load(made)
            del model.graph.value_info[:]
            onnx.save(model, OUT / f"{name}.textproto", format="textproto")
