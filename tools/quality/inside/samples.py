"""Samples of a file as the inputs of a model: those that it has, in the types that it takes."""

import numpy as np
import onnx


def read(path, model):
    """A list of samples, each a dictionary of arrays. `model` is an ONNX file."""
    data = np.load(path)
    ports = onnx.load(model, load_external_data=False).graph.input
    types = {port.name: onnx.helper.tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type) for port in ports}
    names = [name for name in data.files if name in types]
    return [{name: data[name][at].astype(types[name]) for name in names} for at in range(len(data[data.files[0]]))]
