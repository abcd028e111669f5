"""Peer: AIMET-ONNX, exported as QDQ ONNX.

usage: aimet_quantize.py FLOAT.onnx CALIBRATION.npz OUT.onnx int8|int4 CONFIG [--seq-mse]

CONFIG is a name of AIMET's configurations: `htp_v68` is the one for the NPU of the SA8295P.
"""

import sys

import numpy as np
import onnx
from aimet_onnx import QuantizationSimModel, apply_seq_mse


def main():
    source, samples, out, weights, config = sys.argv[1:6]
    data = np.load(samples)
    count = len(data[data.files[0]])
    runs = [{name: data[name][at] for name in data.files} for at in range(count)]
    simulated = QuantizationSimModel(
        onnx.load(source), param_type=weights, activation_type="int16", quant_scheme="min_max", config_file=config,
        providers=["CPUExecutionProvider"],
    )
    if "--seq-mse" in sys.argv:
        apply_seq_mse(simulated, runs)
    simulated.compute_encodings(runs)
    onnx.save(simulated.to_onnx_qdq(), out, save_as_external_data=True, location=out.rsplit("/", 1)[-1] + ".data")


main()
