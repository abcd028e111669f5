#!/usr/bin/env python3
"""Writes ONNX's own tests of single operators (onnx.backend.test) into a folder, for tests/npu/onnx_nodes.rs.

    PYTHONPATH=.vendor/check python3 tools/onnx_node_cases.py FOLDER

Each case becomes NAME.given.onnx, with its inputs as they are. Where there are several inputs, NAME.first.onnx has all
but the first as constants, as models have weights and axes; NAME.none.onnx has all of them, which folds. What goes in
and what has to come out is beside them: NAME.data, a GraphProto whose tensors are float32, inputs first. The list of
all cases is printed: name, operator, model, how near the results have to be, and how many of the tensors are inputs (-
where some are no numbers).
"""

import sys
import warnings
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from onnx import numpy_helper

warnings.simplefilter("ignore")
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

# Types that have no more than 11 bits behind the first: results are those of the steps that they are rounded to.
COARSE = {onnx.TensorProto.FLOAT16: 2e-3, onnx.TensorProto.BFLOAT16: 2e-2}


# The oldest operator set that is read.
OLDEST = 7


def is_tensor(value):
    """Whether it is a tensor of numbers."""
    is_array = isinstance(value, (np.ndarray, np.generic))
    return is_array and (value.dtype.kind in "biuf" or hasattr(ml_dtypes, value.dtype.name))


def array(value):
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def reals(name, value):
    with np.errstate(over="ignore", invalid="ignore"):
        return numpy_helper.from_array(np.asarray(value).astype(np.float32), name)


def with_constants(model, values, kept):
    """The model with inputs from the position `kept` on as constants."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.input[kept:]
    for info, value in list(zip(model.graph.input, values))[kept:]:
        tensor = numpy_helper.from_array(np.asarray(value), info.name)
        made.graph.initializer.append(tensor)
    return made


def main():
    folder = Path(sys.argv[1])
    cases = collect_testcases(None)
    operators = {case.name: case.model.graph.node[0].op_type for case in cases}
    for case in cases:
        inputs, outputs = ([array(value) for value in values] for values in case.data_sets[0])
        # Operators that are what they were in the first set are of every later one, too.
        for one in case.model.opset_import:
            if not one.domain and one.version < OLDEST:
                one.version = OLDEST
        ports = [*case.model.graph.input, *case.model.graph.output]
        is_plain = all(is_tensor(value) for value in [*inputs, *outputs])
        models = {"given": case.model}
        if is_plain:
            if len(inputs) > 1:
                models["first"] = with_constants(case.model, inputs, 1)
            if inputs:
                models["none"] = with_constants(case.model, inputs, 0)
            data = onnx.GraphProto(name=case.name)
            data.initializer.extend(reals(port.name, value) for port, value in zip(ports, [*inputs, *outputs]))
            (folder / f"{case.name}.data").write_bytes(data.SerializeToString())
        near = max([case.rtol, *(COARSE.get(port.type.tensor_type.elem_type, 0) for port in ports)])
        # The body of a function in place of its name: "expanded", with the operator set that it is written for.
        operator = operators.get(case.name.split("_expanded")[0], operators[case.name])
        for kind, model in models.items():
            (folder / f"{case.name}.{kind}.onnx").write_bytes(model.SerializeToString())
            print(case.name, operator, kind, near, len(inputs) if is_plain else "-")


main()
