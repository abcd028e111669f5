"""Peer: ONNX Runtime's static quantization with its configuration for QNN: min-max, one scale per output channel.

Of a language model, linear layers have a scale per output channel, too, or per block of input channels. The head has 8
bits (in such blocks as well, since the quantizer has one size for all), and the embedding stays as it is.

usage: ort_quantize.py FLOAT.onnx CALIBRATION.npz OUT.onnx WEIGHTS [--language]

WEIGHTS is int8 or int4, or of a language model such as `int4 in blocks of 32`.
"""

import sys

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize
from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config, qnn_preprocess_model

import samples as of_file


class Samples(CalibrationDataReader):
    def __init__(self, path, model):
        self.left = iter(of_file.read(path, model))

    def get_next(self):
        return next(self.left, None)


def of_norms(graph):
    """Factors of normalizations get one scale: by channel the quantizer gives none, and the NPU takes no such node."""
    factors = {node.input[1] for node in graph.node
               if node.op_type in ("LayerNormalization", "RMSNormalization", "InstanceNormalization")}
    return {name: [{"quant_type": QuantType.QUInt8}] for name in factors}


def of_linear(graph, kind, axis):
    """Weights of linear layers, scales along an axis; the one that makes the output is the head."""
    constants, head = {one.name for one in graph.initializer}, {node.input[1] for node in of_file.heads(graph)}
    weights = {node.input[1] for node in graph.node if node.op_type == "MatMul" and node.input[1] in constants}
    kind_of = lambda name: QuantType.QInt8 if name in head else kind
    return {name: [{"axis": axis, "quant_type": kind_of(name), "symmetric": True}] for name in weights}


def main():
    source, samples, out, weights, *more = sys.argv[1:]
    kind, _, block = weights.partition(" in blocks of ")
    kind = QuantType.QInt8 if kind == "int8" else QuantType.QInt4
    prepared = out + ".prepared.onnx"
    if qnn_preprocess_model(source, prepared, save_as_external_data=True):
        source = prepared
    graph = onnx.load(source, load_external_data=False).graph
    overrides, kept = of_norms(graph), []
    if "--language" in more:
        # Blocks lie along the input channels.
        overrides |= of_linear(graph, kind, 0 if block else 1)
        kept = [node.name for node in graph.node if node.op_type == "Gather"]
    config = get_qnn_qdq_config(
        source, Samples(samples, source), activation_type=QuantType.QUInt16, per_channel=True, weight_type=kind,
        init_overrides=overrides, nodes_to_exclude=kept,
    )
    if block:
        config.extra_options["BlockSize"] = int(block)
    config.use_external_data_format = True
    quantize(source, out, config)


main()
