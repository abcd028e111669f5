"""Peer: ONNX Runtime's static quantization with its configuration for QNN: min-max, one scale per output channel.

usage: ort_quantize.py FLOAT.onnx CALIBRATION.npz OUT.onnx int8|int4
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


def of_norms(model):
    """Factors of normalizations get one scale: by channel the quantizer gives none, and the NPU takes no such node."""
    factors = {node.input[1] for node in onnx.load(model, load_external_data=False).graph.node
               if node.op_type in ("LayerNormalization", "RMSNormalization", "InstanceNormalization")}
    return {name: [{"quant_type": QuantType.QUInt8}] for name in factors}


def main():
    source, samples, out, weights = sys.argv[1:]
    prepared = out + ".prepared.onnx"
    if qnn_preprocess_model(source, prepared, save_as_external_data=True):
        source = prepared
    config = get_qnn_qdq_config(
        source, Samples(samples, source), activation_type=QuantType.QUInt16, per_channel=True,
        weight_type=QuantType.QInt8 if weights == "int8" else QuantType.QInt4,
        init_overrides=of_norms(source),
    )
    config.use_external_data_format = True
    quantize(source, out, config)


main()
