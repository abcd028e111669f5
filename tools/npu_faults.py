"""A small float ONNX model of convolutions with SiLU behind them, and its quantized form as other tools write it, with
what only the NPU gets wrong: SiLU of an image with 9 to 12 rows, a Sigmoid whose encoding is not 0 to 1, a bias whose
scale is not that of input and weights. No figure of a CPU shows any of these.

Writes float.onnx, quantized.onnx, sample.safetensors and samples.npz (four samples, the last of which is that of
sample.safetensors). Needs numpy and onnx.

With --relu a Relu stands in the place of SiLU, and what the convolution makes has no integers of its own.

usage: npu_faults.py OUT_DIR [--rows N] [--layers N] [--sigmoid seen] [--bias-scale FACTOR] [--collapse FACTOR] [--relu]
"""

import argparse
import json
import os
import struct

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

CHANNELS, COLUMNS = 32, 12


def model(nodes, constants, shape, outputs):
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name, sizes in [("x", shape), *outputs]]
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "swish", info[:1], info[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def network(random, layers, gain, relu):
    nodes, constants, last, channels = [], {}, "x", 3
    for at in range(layers):
        shape = (CHANNELS, channels, 1, 1)
        constants[f"w{at}"] = random.normal(0, gain / np.sqrt(channels), shape).astype(np.float32)
        constants[f"b{at}"] = random.normal(0, gain / 2, CHANNELS).astype(np.float32)
        nodes.append(helper.make_node("Conv", [last, f"w{at}", f"b{at}"], [f"h{at}"], f"conv{at}"))
        if relu:
            nodes.append(helper.make_node("Relu", [f"h{at}"], [f"y{at}"], f"relu{at}"))
        else:
            nodes.append(helper.make_node("Sigmoid", [f"h{at}"], [f"s{at}"], f"sigmoid{at}"))
            nodes.append(helper.make_node("Mul", [f"h{at}", f"s{at}"], [f"y{at}"], f"mul{at}"))
        last, channels = f"y{at}", CHANNELS
    return nodes, constants, last


def quantized(nodes, constants, values, last, args):
    made, stored, read, scales = [], {}, {}, {}

    def parameters(name, scale, zero_point):
        stored[f"{name}_scale"], stored[f"{name}_zero"] = np.asarray(scale, np.float32), zero_point

    def activation(name, of):
        low, high = min(values[of].min(), 0), max(values[of].max(), 0)
        if of.startswith("s") and args.sigmoid == "law":
            low, high = 0, 1
        scale = np.float32((high - low) / 65535 / (args.collapse if of == "x" else 1))
        scales[of] = scale
        parameters(name, scale, np.asarray(np.clip(round(-low / scale), 0, 65535), np.uint16))
        names = [f"{name}_scale", f"{name}_zero"]
        made.append(helper.make_node("QuantizeLinear", [name, *names], [f"{name}_codes"], f"{name}_q"))
        made.append(helper.make_node("DequantizeLinear", [f"{name}_codes", *names], [f"{name}_read"], f"{name}_dq"))
        read[of] = f"{name}_read"

    activation("x", "x")
    for node in nodes:
        inputs = [read.get(name, name) for name in node.input]
        if node.op_type == "Conv":
            weights, bias = node.input[1:]
            scale = (np.abs(constants[weights]).reshape(CHANNELS, -1).max(1) / 127).astype(np.float32)
            codes = np.clip(np.round(constants[weights] / scale.reshape(-1, 1, 1, 1)), -127, 127).astype(np.int8)
            parameters(weights, scale, np.zeros(CHANNELS, np.int8))
            of_bias = (scale * scales[node.input[0]] * args.bias_scale).astype(np.float32)
            parameters(bias, of_bias, np.zeros(CHANNELS, np.int32))
            stored[f"{weights}_codes"] = codes
            stored[f"{bias}_codes"] = np.round(constants[bias] / of_bias).astype(np.int32)
            for name in (weights, bias):
                names = [f"{name}_codes", f"{name}_scale", f"{name}_zero"]
                made.append(helper.make_node("DequantizeLinear", names, [f"{name}_read"], f"{name}_dq", axis=0))
            inputs[1:] = [f"{weights}_read", f"{bias}_read"]
        name = node.output[0]
        own = f"{name}_made" if name == last else name
        made.append(helper.make_node(node.op_type, inputs, [own], node.name))
        if args.relu and node.op_type == "Conv":
            continue
        activation(own, name)
        if name == last:
            made[-1].output[0] = last
    return made, stored


def safetensors(path, name, value):
    text = json.dumps({name: {"dtype": "F32", "shape": list(value.shape), "data_offsets": [0, value.nbytes]}}).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + value.tobytes())


def main():
    cli = argparse.ArgumentParser()
    cli.add_argument("out")
    cli.add_argument("--rows", type=int, default=8)
    cli.add_argument("--layers", type=int, default=1)
    cli.add_argument("--sigmoid", default="law", choices=["law", "seen"])
    cli.add_argument("--bias-scale", type=float, default=1.0)
    cli.add_argument("--collapse", type=float, default=1.0)
    cli.add_argument("--relu", action="store_true")
    args = cli.parse_args()
    random = np.random.default_rng(3)
    # The largest of what calibration saw is well below 1 then.
    nodes, constants, last = network(random, args.layers, 0.3 if args.sigmoid == "seen" else 1, args.relu)
    shape = [1, 3, args.rows, COLUMNS]
    samples = random.normal(0, 1, [4, *shape]).astype(np.float32)
    names = [node.output[0] for node in nodes]
    every = model(nodes, constants, shape, [(name, None) for name in names])
    values = dict(zip(names, ReferenceEvaluator(every).run(None, {"x": samples[3]})), x=samples[3])
    outputs = [(last, [1, CHANNELS, args.rows, COLUMNS])]
    os.makedirs(args.out, exist_ok=True)
    for name, (own, stored) in (("float", (nodes, constants)),
                                ("quantized", quantized(nodes, constants, values, last, args))):
        made = model(own, stored, shape, outputs)
        onnx.checker.check_model(made)
        onnx.save(made, os.path.join(args.out, f"{name}.onnx"))
    safetensors(os.path.join(args.out, "sample.safetensors"), "x", samples[3])
    np.savez(os.path.join(args.out, "samples.npz"), x=samples)


main()
