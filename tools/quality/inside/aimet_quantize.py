"""Peer: AIMET-ONNX, exported as QDQ ONNX.

usage: aimet_quantize.py FLOAT.onnx CALIBRATION.npz OUT.onnx int8|int4 CONFIG [--seq-mse]

CONFIG is a name of AIMET's configurations: `htp_v68` is the one for the NPU of the SA8295P.
"""

import sys

import onnx
from aimet_onnx import QuantizationSimModel, apply_seq_mse

import samples as of_file


def main():
    source, samples, out, weights, config = sys.argv[1:6]
    runs = of_file.read(samples, source)
    simulated = QuantizationSimModel(
        onnx.load(source), param_type=weights, activation_type="int16", quant_scheme="min_max", config_file=config,
        providers=["CPUExecutionProvider"],
    )
    if "--seq-mse" in sys.argv:
        apply_seq_mse(simulated, runs)
    simulated.compute_encodings(runs)
    # Biases as integers: the NPU takes no linear layer without.
    made = simulated.to_onnx_qdq(export_int32_bias=True)
    onnx.save(made, out, save_as_external_data=True, location=out.rsplit("/", 1)[-1] + ".data")


main()
