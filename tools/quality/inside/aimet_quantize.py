"""Peer: AIMET-ONNX, exported as QDQ ONNX.

Of a language model, linear layers have a scale per output channel, too, or per block of input channels, and the head
has 8 bits.

usage: aimet_quantize.py FLOAT.onnx CALIBRATION.npz OUT.onnx WEIGHTS CONFIG [--seq-mse] [--language]

WEIGHTS is int8 or int4, or of a language model such as `int4 in blocks of 32`. CONFIG is a name of AIMET's
configurations: `htp_v68` is the one for the NPU of the SA8295P.
"""

import sys

import onnx
from aimet_onnx import QSpec, QuantizationSimModel, apply_seq_mse
from aimet_onnx.quantsim import set_param_type

import samples as of_file


def of_linear(simulated, source, kind, block):
    """Weights of linear layers, a scale per output channel or block; the one that makes the output is the head."""
    head = {node.name for node in of_file.heads(onnx.load(source, load_external_data=False).graph)}
    spec = QSpec.blockwise(kind, int(block), symmetric=True) if block else QSpec.per_channel(kind)
    set_param_type(simulated, spec, op_types="MatMul")
    set_param_type(simulated, QSpec.per_channel("int8"), nodes_to_include=head)


def main():
    source, samples, out, weights, config = sys.argv[1:6]
    kind, _, block = weights.partition(" in blocks of ")
    runs = of_file.read(samples, source)
    simulated = QuantizationSimModel(
        onnx.load(source), param_type=kind, activation_type="int16", quant_scheme="min_max", config_file=config,
        providers=["CPUExecutionProvider"],
    )
    if "--language" in sys.argv:
        of_linear(simulated, source, kind, block)
    if "--seq-mse" in sys.argv:
        apply_seq_mse(simulated, runs)
    simulated.compute_encodings(runs)
    # Biases as integers: the NPU takes no linear layer without.
    made = simulated.to_onnx_qdq(export_int32_bias=True)
    onnx.save(made, out, save_as_external_data=True, location=out.rsplit("/", 1)[-1] + ".data")


main()
