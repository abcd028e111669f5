"""What the scripts of both peers ask of a file: its samples as the inputs of a model, and the head of a language model."""

import numpy as np
import onnx


def read(path, model):
    """A list of samples, each a dictionary of arrays. `model` is an ONNX file."""
    data = np.load(path)
    ports = onnx.load(model, load_external_data=False).graph.input
    types = {port.name: onnx.helper.tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type) for port in ports}
    names = [name for name in data.files if name in types]
    return [{name: data[name][at].astype(types[name]) for name in names} for at in range(len(data[data.files[0]]))]


def heads(graph):
    """The products that make outputs: of a language model the one that makes the logits."""
    outputs = {port.name for port in graph.output}
    return [node for node in graph.node if node.op_type == "MatMul" and node.output[0] in outputs]
