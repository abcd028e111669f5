"""Networks of torchvision, timm and transformers as ONNX, with samples to calibrate and others to judge.

Trained weights of them are not to be had from a package registry. So they are drawn (seed 0), and given what training
gives: batch normalizations have the statistics of photographs and factors and offsets of their own, scales of residual
branches are 0.1 to 1, and rows of weights differ in size. Writes model.onnx, calibration.npz and judge.npz.

usage: export_models.py NAME PHOTOS OUT_DIR
"""

import pathlib
import sys

import numpy as np
import timm
import torch
import torchvision
from PIL import Image

SIZE = 128


def torchvision_model(name):
    return lambda: getattr(torchvision.models, name)(weights=None)


def deeplab():
    made = torchvision.models.segmentation.deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None)

    class OneOutput(torch.nn.Module):
        """The segmentation alone: torch.onnx has no dictionaries."""

        def __init__(self):
            super().__init__()
            self.inner = made

        def forward(self, image):
            return self.inner(image)["out"]

    return OneOutput()


def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = LlamaConfig(
        vocab_size=1000, hidden_size=256, intermediate_size=688, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, use_cache=False, attn_implementation="eager",
    )
    made = LlamaForCausalLM(shape)

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = made

        def forward(self, tokens):
            return self.inner(input_ids=tokens, use_cache=False).logits

    return Logits()


MODELS = {
    "mobilenet_v2": torchvision_model("mobilenet_v2"),
    "mobilenet_v3_large": torchvision_model("mobilenet_v3_large"),
    "efficientnet_b0": torchvision_model("efficientnet_b0"),
    "convnext_tiny": torchvision_model("convnext_tiny"),
    "resnet50": torchvision_model("resnet50"),
    "shufflenet_v2": torchvision_model("shufflenet_v2_x1_0"),
    "densenet121": torchvision_model("densenet121"),
    "deeplabv3_mobilenet": deeplab,
    "vit_small": lambda: timm.create_model("vit_small_patch16_224", img_size=SIZE),
    "mobilenetv4": lambda: timm.create_model("mobilenetv4_conv_small"),
    "mobilenetv5": lambda: timm.create_model("mobilenetv5_300m_enc"),
    "llama": llama,
}


def crops(photos, size):
    """Two corners of eight photographs calibrate, the middle of four others judges."""
    def crop(path, place):
        picture = Image.open(path).convert("RGB")
        side = min(picture.size) * 0.8
        left, top = ((length - side) * place for length in picture.size)
        picture = picture.crop((left, top, left + side, top + side)).resize((size, size), Image.BICUBIC)
        value = (np.asarray(picture, np.float32) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        return value.astype(np.float32).transpose(2, 0, 1)[None]

    files = sorted(photos.glob("*.jpg"))
    calibration = [crop(path, place) for path in files[:8] for place in (0.1, 0.9)]
    return np.stack(calibration), np.stack([crop(path, 0.5) for path in files[8:]])


def sentences(count, seed):
    """Tokens as frequent as words are (Zipf)."""
    drawn = np.random.default_rng(seed).zipf(1.3, (count, 1, 32))
    return np.minimum(drawn, 999).astype(np.int64)


def settle(model, pictures):
    """What training gives a network, without training it."""
    drawn = torch.Generator().manual_seed(1)
    uniform = lambda value, low, high: value.uniform_(low, high, generator=drawn)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.dim() >= 2 and "embed" not in name and "token" not in name:
                rows = torch.empty(value.shape[0], *[1] * (value.dim() - 1))
                value.mul_(rows.log_normal_(0, 0.4, generator=drawn))
            elif name.endswith("bias"):
                value.normal_(0, 0.1, generator=drawn)
            elif value.dim() == 1:
                uniform(value, 0.5, 1.5)
        norms = [each for each in model.modules() if isinstance(each, torch.nn.modules.batchnorm._BatchNorm)]
        for name, value in model.named_parameters():
            if "layer_scale" in name or name.endswith("gamma"):
                uniform(value, 0.1, 1)
        # What torch draws sums up over many branches; so every normalization measures what really comes.
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        if norms:
            dropouts = [each for each in model.modules() if isinstance(each, torch.nn.modules.dropout._DropoutNd)]
            model.train()
            for each in dropouts:
                each.eval()
            model(pictures)
        model.eval()


def main():
    name, photos, out = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    if name == "llama":
        port, calibration, judge = "tokens", sentences(16, 1), sentences(4, 2)
        settle(model, None)
    else:
        # MobileNetV5 is taken as timm draws it, with two pictures.
        large = name == "mobilenetv5"
        port, (calibration, judge) = "image", crops(photos, 256 if large else SIZE)
        if large:
            calibration, judge = calibration[::8], judge[:1]
        else:
            settle(model, torch.from_numpy(calibration[:, 0]))
    np.savez(out / "calibration.npz", **{port: calibration})
    np.savez(out / "judge.npz", **{port: judge})
    torch.onnx.export(
        model, (torch.from_numpy(calibration[0]),), str(out / "model.onnx"), input_names=[port], output_names=["out"],
        opset_version=18, dynamo=True, external_data=True, verbose=False,
    )


main()
