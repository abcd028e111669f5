#!/usr/bin/env python3
"""Writes the trained model as a checkpoint: models/autoneural-tiny by default.

  model.safetensors      bf16, in the layouts of Gemma 3n (vision), LFM2-VL (projector) and LFM2 (language)
  tokenizer.json, chat_template.jinja
  encodings.json         what quantization-aware training learned, for `autoneural compile --encodings`: the scale of every
                         weight, the range of keys and values (AIMET 1.0.0 format, names of the toolchain)

    python tools/train/export.py --work out/train                                  after the last stage
    python tools/train/export.py --work out/train --stage instructions --out DIR   before quantization-aware training

Weights of the last stage lie on the grids they were trained on; bf16 holds them exactly, and this is checked.
"""

import argparse
import json
import shutil
import tomllib
from pathlib import Path

import torch
from safetensors.torch import save_file

from model import Tiny
from quantized import MOST, Quantized
from root import ROOT

PREFIXES = {"vision": "model.vision_tower.timm_model.", "projector": "multi_modal_projector.", "language": ""}


def stored_name(name):
    part, rest = name.split(".", 1)
    return PREFIXES[part] + rest


def weight_entries(weights, scales, bits, config):
    """Encodings of weights. Constant factors that the toolchain folds into a weight scale its encoding too."""
    entries = {}
    for name, scale in scales.items():
        part, rest = name.split(".", 1)
        scale = scale.detach().float()
        if part == "language":
            entry = "lm_head.weight" if "embed_tokens" in rest else rest.removeprefix("model.")
        else:
            entry = rest
        if rest.endswith("attn.output.proj.weight"):
            gamma = weights[name.replace("attn.output.proj.weight", "layer_scale.gamma")]
            scale, entry = scale * gamma.float().abs(), entry + ".scaled"
        elif rest.endswith("attn.query.proj.weight"):
            stage, block = (int(k) for k in rest.split(".")[1:3])
            notation = config["vision"]["stages"][stage][block]
            size = int(next(word for word in notation.split("_") if word.startswith("d"))[1:])
            scale, entry = scale * torch.tensor(size**-0.5, dtype=torch.float32), entry + ".scaled"
        width = bits[name]
        entries[entry] = entry_of(entry, width, True, [float(s) for s in scale], [-(1 << (width - 1))] * len(scale))
    return entries


def entry_of(name, bits, symmetric, scales, offsets):
    return {
        "name": name,
        "enc_type": "PER_CHANNEL" if symmetric else "PER_TENSOR",
        "dtype": "INT",
        "bw": bits,
        "is_sym": symmetric,
        "scale": scales,
        "offset": offsets,
    }


def range_entries(model):
    """Encodings of keys and values by the cache that holds them."""
    entries = {}
    for kind, ranges in [("k", model.keys), ("v", model.values)]:
        for layer, found in ranges.items():
            scale, zero = found.encoding()
            name = f"layers.{layer}.{kind}_cache"
            entries[name] = entry_of(name, 8, False, [float(scale)], [-int(zero)])
    return entries


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / "out" / "train")
    parser.add_argument("--stage", default="domain")
    parser.add_argument("--out", type=Path, default=ROOT / "models" / "autoneural-tiny")
    arguments = parser.parse_args()
    config = tomllib.loads((ROOT / "graphs" / "autoneural-tiny.toml").read_text())
    saved = torch.load(arguments.work / f"{arguments.stage}.pt", weights_only=True, map_location="cpu")["model"]
    model = Tiny(config)
    arguments.out.mkdir(parents=True, exist_ok=True)
    quantized = arguments.stage == "domain"
    if quantized:
        model = Quantized(model)
        model.load_state_dict(saved)
        model.eval()
        rounded, plain = model.weights(), model.model
    else:
        model.load_state_dict(saved)
        model.fold_center()
        rounded, plain = {}, model
    weights, stored = {}, {}
    for name, parameter in plain.named_parameters():
        value = rounded.get(name, parameter)
        weights[name] = value.to(torch.bfloat16)
        if name in rounded and not torch.equal(weights[name].float(), value):
            raise SystemExit(f"{name}: bf16 does not hold the rounded weights")
        stored[stored_name(name)] = weights[name].contiguous()
    save_file(stored, arguments.out / "model.safetensors", metadata={"format": "pt"})
    if quantized:
        params = weight_entries(weights, model.scales(), model.bits, config)
        activations = range_entries(model)
        made = {
            "version": "1.0.0",
            "activation_encodings": [activations[name] for name in sorted(activations)],
            "param_encodings": [params[name] for name in sorted(params)],
            "quantizer_args": {},
        }
        (arguments.out / "encodings.json").write_text(json.dumps(made) + "\n")
        used = [float((rounded[n].flatten(1).abs().amax(1) / s).max()) for n, s in model.scales().items()]
        assert all(u <= MOST[8] + 0.5 for u in used)
    shutil.copy(arguments.work / "tokenizer.json", arguments.out / "tokenizer.json")
    shutil.copy(Path(__file__).parent / "chat_template.jinja", arguments.out / "chat_template.jinja")
    total = sum(w.numel() for w in weights.values())
    print(f"{arguments.out}: {total} parameters, {(arguments.out / 'model.safetensors').stat().st_size} bytes")


if __name__ == "__main__":
    main()
