#!/usr/bin/env python3
"""Runs a checkpoint in timm and transformers, for `autoneural parity` to compare with.

    pip install -r tools/requirements.txt
    python tools/reference.py graphs/autoneural-vl-1.5b.toml --weights DIR --out reference.safetensors

Everything is computed in float32 from the stored weights, one component after the other (about 10 GB for the full
model). Inputs are random (seeded): an image in the preprocessed range, features of it, embeddings of tokens. Written are

  vision.input [1,3,S,S], vision.output [1,T,C]     an image and its visual tokens, where the model takes pictures
  projector.input [1,T,C], projector.output         visual tokens and their embeddings
  embeds [1,N+D,H]                                  embeddings of N tokens that are prefilled and D that are decoded
  prefill.logits [1,V], decode.{i}.logits [1,V]     of the last prefilled token; of each decoded one, with the cache
"""

import argparse
import tomllib
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers.cache_utils import DynamicCache

from reference_models import make_language, make_projector, make_vision, project, see
from stored_weights import Checkpoint, language_weights, load, projector_weights, vision_weights


def run_vision(config, checkpoint, random):
    vision = config["vision"]
    pre, side = vision["preprocess"], vision["image_size"]
    # Smooth, as photographs are: noise has no large features.
    small = torch.rand(1, 3, side // 16, side // 16, generator=random)
    image = torch.nn.functional.interpolate(small, size=(side, side), mode="bicubic").clamp(0, 1)
    image = (image - torch.tensor(pre["mean"])[:, None, None]) / torch.tensor(pre["std"])[:, None, None]
    model = load(make_vision(vision), vision_weights(config, checkpoint))
    features = see(vision, model, image)
    projector = load(make_projector(config), projector_weights(config, checkpoint))
    return {
        "vision.input": image,
        "vision.output": features,
        "projector.input": features.clone(),
        "projector.output": project(projector, features),
    }


def run_language(config, checkpoint, random, tokens, steps):
    language = config["language"]
    model = make_language(language)
    model = load(model, language_weights(config, checkpoint))
    ids = torch.randint(0, language["vocabulary"], (1, tokens + steps), generator=random)
    embeds = model.model.embed_tokens(ids)
    cache = DynamicCache(config=model.config)
    made = {"embeds": embeds}
    made["prefill.logits"] = model(inputs_embeds=embeds[:, :tokens], past_key_values=cache, use_cache=True).logits[:, -1]
    for step in range(steps):
        at = tokens + step
        said = model(inputs_embeds=embeds[:, at : at + 1], past_key_values=cache, use_cache=True)
        made[f"decode.{step}.logits"] = said.logits[:, -1]
    return made


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("definition", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--image-size", type=int, help="another image size than the definition's")
    parser.add_argument("--tokens", type=int, default=64, help="tokens that are prefilled")
    parser.add_argument("--steps", type=int, default=8, help="tokens that are decoded")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    config = tomllib.loads(arguments.definition.read_text())
    if arguments.image_size:
        config["vision"]["image_size"] = arguments.image_size
    checkpoint = Checkpoint(arguments.weights)
    random = torch.Generator().manual_seed(arguments.seed)
    made = run_vision(config, checkpoint, random) if "vision" in config else {}
    made |= run_language(config, checkpoint, random, arguments.tokens, arguments.steps)
    save_file({name: tensor.contiguous().clone() for name, tensor in made.items()}, arguments.out)
    for name, tensor in made.items():
        print(f"{name} {list(tensor.shape)}: rms {tensor.square().mean().sqrt().item():.4f}")


if __name__ == "__main__":
    main()
