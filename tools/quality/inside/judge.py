"""What a quantized ONNX model is worth: SQNR against float, on the CPU and by the NPU's own arithmetic.

Compiles for the SA8295P. Of several outputs the weakest one counts; its figure is pooled over all samples, and the
lowest one of a single sample stands beside it. Prints one line of JSON; `refused` is set where the provider leaves
nodes to the CPU.

usage: judge.py FLOAT.onnx QUANTIZED.onnx SAMPLES.npz CONTEXT.onnx
"""

import json
import pathlib
import sys

import numpy as np
import onnxruntime
import onnxruntime_qnn

import samples as of_file

# The SA8295P, as in targets/sa8295p.toml.
CHIP = {"soc_model": "39", "htp_arch": "68", "vtcm_mb": "8"}


def on_npu(model, context):
    onnxruntime.register_execution_provider_library("QNNExecutionProvider", onnxruntime_qnn.get_library_path())
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == "QNNExecutionProvider"]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    options.add_session_config_entry("ep.context_enable", "1")
    options.add_session_config_entry("ep.context_embed_mode", "0")
    options.add_session_config_entry("ep.context_file_path", context)
    options.add_provider_for_devices(devices, {"backend_path": onnxruntime_qnn.get_qnn_htp_path(), **CHIP})
    return onnxruntime.InferenceSession(model, sess_options=options)


def decibels(signal, error):
    return None if signal == 0 else round(10 * np.log10(signal / max(error, signal * 1e-20)), 2)


class Sums:
    """Signal and error of each output and sample."""

    def __init__(self):
        self.of = {}

    def add(self, name, reference, found):
        reference, found = reference.astype(np.float64), found.astype(np.float64)
        self.of.setdefault(name, []).append(((reference**2).sum(), ((reference - found) ** 2).sum()))

    def figures(self):
        pooled = lambda pairs: decibels(sum(one[0] for one in pairs), sum(one[1] for one in pairs))
        weakest = min(self.of, key=lambda name: pooled(self.of[name]))
        single = [decibels(*pair) for pair in self.of[weakest]]
        return {"db": pooled(self.of[weakest]), "worst_db": min(one for one in single if one is not None)}


def main():
    float_model, quantized, samples, context = sys.argv[1:]
    cpu = lambda path: onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    reference, simulated = cpu(float_model), cpu(quantized)
    names = [port.name for port in reference.get_outputs()]
    made = {"simulated": Sums(), "npu": Sums()}
    try:
        npu, refused = on_npu(quantized, context), None
    except Exception as error:
        npu, refused = None, str(error).splitlines()[0]
    for of_float, feed in zip(of_file.read(samples, float_model), of_file.read(samples, quantized)):
        true = reference.run(names, of_float)
        for engine, session in (("simulated", simulated), ("npu", npu)):
            for name, one, other in zip(names, true, session.run(names, feed) if session else ()):
                made[engine].add(name, one, other)
    found = {engine: sums.figures() for engine, sums in made.items() if sums.of}
    binaries = pathlib.Path(context).parent.glob(pathlib.Path(context).stem + "*.bin")
    print(json.dumps({**found, "refused": refused, "binary_bytes": sum(path.stat().st_size for path in binaries)}))


main()
