"""Folds constants as a careful user does before quantizing: ONNX Runtime's basic optimizations, written to a file.

Without it both peers leave nodes of an export to the CPU. Inputs of symbolic shape become those of the samples.

usage: simplify.py MODEL.onnx CALIBRATION.npz OUT.onnx
"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

source, samples, out = sys.argv[1:]
data = np.load(samples)
model = onnx.load(source)
for port in model.graph.input:
    if port.name in data.files:
        shape = port.type.tensor_type.shape
        del shape.dim[:]
        for size in data[port.name].shape[1:]:
            shape.dim.add().dim_value = size
for port in model.graph.output:
    port.type.tensor_type.ClearField("shape")
del model.graph.value_info[:]
static = out + ".static.onnx"
beside = lambda path: path.rsplit("/", 1)[-1] + ".data"
onnx.save(model, static, save_as_external_data=True, location=beside(static), size_threshold=1 << 20)
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
options.optimized_model_filepath = out
options.add_session_config_entry("session.optimized_model_external_initializers_file_name", beside(out))
options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", str(1 << 20))
# A linear layer stays as it is: joined to a Gemm, the NPU would not take it.
unjoined = {"disabled_optimizers": ["MatMulAddFusion"]}
onnxruntime.InferenceSession(static, options, providers=["CPUExecutionProvider"], **unjoined)
for left in (static, static + ".data"):
    pathlib.Path(left).unlink(missing_ok=True)
# ONNX Runtime's quantizer stumbles over properties of a model.
model = onnx.load(out, load_external_data=False)
del model.metadata_props[:]
onnx.save(model, out)
