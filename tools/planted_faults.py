"""A float ONNX model of about 100 layers, its quantized form, and faults planted into the quantized form.

Writes float.onnx, sample.safetensors, sound.onnx and planted.onnx, and prints the names of the values at which faults
were planted, with the kind of each, as JSON. With --joined a convolution and its Relu have one encoding, as AIMET writes
them: what the convolution makes has none, and its faults are those of what the Relu makes. Needs numpy and onnx.

usage: planted_faults.py OUT_DIR [--seed N] [--activations uint16|uint8] [--faults N] [--joined]
"""

import argparse
import json
import os
import struct

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

CHANNELS, SIDE, LAYERS = 16, 8, 100
KINDS = ["wrong zero point", "range collapsed", "range too wide", "weights twice", "channel zeroed", "bias dropped",
         "conversions disagree", "weights shifted", "weights of another layer", "zero point of the reader"]


def network(random):
    """Layers of five kinds in a chain with residual sums: nodes, constants by name."""
    nodes, constants, last, skip = [], {}, "image", None
    for at in range(LAYERS):
        kind, out = at % 5, f"layer{at}"
        if kind in (0, 2):
            depthwise = kind == 2
            shape = (CHANNELS, 1, 3, 3) if depthwise else (CHANNELS, CHANNELS, 1, 1)
            scale = 1 / np.sqrt(np.prod(shape[1:]))
            constants[f"{out}.w"] = (random.normal(0, scale, shape)).astype(np.float32)
            constants[f"{out}.b"] = (random.normal(0, 0.5, CHANNELS)).astype(np.float32)
            nodes.append(helper.make_node("Conv", [last, f"{out}.w", f"{out}.b"], [out], out,
                                          pads=[1] * 4 if depthwise else [0] * 4, group=CHANNELS if depthwise else 1))
        elif kind == 1:
            nodes.append(helper.make_node("Relu" if at % 2 else "HardSwish", [last], [out], out))
        elif kind == 3:
            nodes.append(helper.make_node("Tanh" if at % 2 else "Sigmoid", [last], [out], out))
        else:
            nodes.append(helper.make_node("Add", [last, skip or "image"], [out], out))
            skip = out
        last = out
    return nodes, constants, last


def model(nodes, constants, inputs, outputs):
    graph = helper.make_graph(nodes, "chain", inputs, outputs,
                              [numpy_helper.from_array(value, name) for name, value in constants.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(made)
    return made


def image_info(name, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, [1, CHANNELS, SIDE, SIDE])


def encoding(values, bits):
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    scale = max(high - low, 1e-6) / (2**bits - 1)
    return np.float32(scale), int(np.round(-low / scale))


def relus(nodes):
    """What a Relu makes, by what the convolution before it makes."""
    of_convolutions = {node.output[0] for node in nodes if node.op_type == "Conv"}
    return {node.input[0]: node.output[0] for node in nodes if node.op_type == "Relu" and node.input[0] in of_convolutions}


def quantized(nodes, constants, values, last, bits, faults, joined):
    """The QDQ form. `faults` has the kind of fault by the name of a value; those of `joined` have no integers."""
    made, stored, integer = [], {}, np.uint8 if bits == 8 else np.uint16
    dequantized = {}

    def parameters(name, scale, zero_point, of):
        stored[f"{name}_scale"] = np.asarray(scale, np.float32)
        stored[f"{name}_zero_point"] = np.asarray(zero_point, of)

    def activation(name):
        scale, zero_point = encoding(values[name], bits)
        fault, top = faults.get(name), 2**bits - 1
        if fault == "wrong zero point":
            zero_point = zero_point - top // 3 if zero_point > top // 3 else zero_point + top // 3
        if fault == "range collapsed":
            scale = np.float32(scale / 8)
        if fault == "range too wide":
            scale, zero_point = np.float32(scale * (64 if bits == 8 else 8192)), top // 2
        parameters(name, scale, zero_point, integer)
        read = [f"{name}_scale", f"{name}_zero_point"]
        if fault == "conversions disagree":
            stored[f"{name}_scale_read"], read[0] = np.float32(scale * 2), f"{name}_scale_read"
        if fault == "zero point of the reader":
            stored[f"{name}_zero_point_read"], read[1] = np.asarray(zero_point + top // 8, integer), f"{name}_zero_point_read"
        made.append(helper.make_node("QuantizeLinear", [name, f"{name}_scale", f"{name}_zero_point"],
                                     [f"{name}_QuantizeLinear_Output"], f"{name}_QuantizeLinear"))
        made.append(helper.make_node("DequantizeLinear", [f"{name}_QuantizeLinear_Output", *read],
                                     [f"{name}_DequantizeLinear_Output"], f"{name}_DequantizeLinear"))
        dequantized[name] = f"{name}_DequantizeLinear_Output"

    activation("image")
    weights_of = [node.input[1] for node in nodes if node.op_type == "Conv"]
    for node in nodes:
        fault = faults.get(node.output[0])
        inputs = [dequantized.get(name, name) for name in node.input]
        if node.op_type == "Conv":
            name = node.input[1]
            weights = constants[name]
            scale = np.maximum(np.abs(weights).reshape(CHANNELS, -1).max(1), 1e-9) / 127
            if fault == "weights of another layer":
                others = [other for other in weights_of if constants[other].shape == weights.shape and other != name]
                weights = constants[others[len(name) % len(others)]]
            codes = np.clip(np.round(weights / scale.reshape(-1, 1, 1, 1)), -127, 127).astype(np.int8)
            if fault == "channel zeroed":
                codes[int(np.argmax((weights**2).reshape(CHANNELS, -1).sum(1)))] = 0
            zero_point = np.full(CHANNELS, 40 if fault == "weights shifted" else 0)
            parameters(name, scale * (2 if fault == "weights twice" else 1), zero_point, np.int8)
            stored[f"{name}_quantized"] = codes
            made.append(helper.make_node("DequantizeLinear", [f"{name}_quantized", f"{name}_scale", f"{name}_zero_point"],
                                         [f"{name}_DequantizeLinear_Output"], f"{name}_DequantizeLinear", axis=0))
            inputs[1] = f"{name}_DequantizeLinear_Output"
            bias, of_bias = node.input[2], encoding(values[node.input[0]], bits)[0] * scale
            parameters(bias, of_bias, np.zeros(CHANNELS), np.int32)
            stored[f"{bias}_quantized"] = np.round(constants[bias] / of_bias).astype(np.int32)
            made.append(helper.make_node("DequantizeLinear", [f"{bias}_quantized", f"{bias}_scale", f"{bias}_zero_point"],
                                         [f"{bias}_DequantizeLinear_Output"], f"{bias}_DequantizeLinear", axis=0))
            inputs[2] = f"{bias}_DequantizeLinear_Output"
            if fault == "bias dropped":
                inputs = inputs[:2]
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        del copy.input[:]
        copy.input.extend(inputs)
        if node.output[0] == last:
            copy.output[0] = f"{last}_QuantizeLinear_Input"
            values[copy.output[0]] = values[last]
            if last in faults:
                faults[copy.output[0]] = faults[last]
            made.append(copy)
            activation(copy.output[0])
            made[-1].output[0] = last
        else:
            made.append(copy)
            if copy.output[0] not in joined:
                activation(copy.output[0])
    return model(made, stored, [image_info("image")], [image_info(last)])


def planted(nodes, random, count, joined):
    """Kinds of faults by value, each kind in turn; those of weights at convolutions."""
    of_weights = {"weights twice", "channel zeroed", "bias dropped", "weights shifted", "weights of another layer"}
    places = [node for node in nodes[3:]]
    random.shuffle(places)
    faults = {}
    for at in range(count):
        kind = KINDS[at % len(KINDS)]
        is_of_values = lambda node: node.op_type != "Relu" and node.output[0] not in joined
        fits = (lambda node: node.op_type == "Conv") if kind in of_weights else is_of_values
        place = next(node for node in places if fits(node) and node.output[0] not in faults)
        faults[place.output[0]] = kind
    return faults


def safetensors(path, arrays):
    header, offset = {}, 0
    for name, value in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(value.tobytes() for value in arrays.values()))


def main():
    cli = argparse.ArgumentParser()
    cli.add_argument("out")
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("--activations", default="uint16", choices=["uint8", "uint16"])
    cli.add_argument("--faults", type=int, default=len(KINDS))
    cli.add_argument("--joined", action="store_true")
    args = cli.parse_args()
    random = np.random.default_rng(args.seed)
    bits = 8 if args.activations == "uint8" else 16
    nodes, constants, last = network(random)
    os.makedirs(args.out, exist_ok=True)
    image = random.normal(0, 1, (1, CHANNELS, SIDE, SIDE)).astype(np.float32)
    names = [node.output[0] for node in nodes]
    found = ReferenceEvaluator(model(nodes, constants, [image_info("image")], [image_info(name) for name in names]))
    values = dict(zip(names, found.run(None, {"image": image})), image=image)
    joined = relus(nodes) if args.joined else {}
    faults = planted(nodes, random, args.faults, joined)
    for name, made in (
        ("float", model(nodes, constants, [image_info("image")], [image_info(last)])),
        ("sound", quantized(nodes, constants, dict(values), last, bits, {}, joined)),
        ("planted", quantized(nodes, constants, dict(values), last, bits, dict(faults), joined)),
    ):
        onnx.save(made, os.path.join(args.out, f"{name}.onnx"))
    safetensors(os.path.join(args.out, "sample.safetensors"), {"image": image})
    print(json.dumps({joined.get(name, name): kind for name, kind in faults.items()}))


main()
