#!/usr/bin/env python3
"""Makes the random checkpoint of the tests and its golden outputs, in tests/fixtures.

Run it from anywhere, after `pip install -r tools/requirements.txt`:

    python tools/make_random_checkpoint.py

It reads every dimension from tests/fixtures/autoneural-random/definition.toml and writes beside it

  model.safetensors   random bf16 weights, scaled so that every part of the model shows in the output
  tokenizer.json      a byte-level BPE of at most 512 tokens

and what the tests compare it with, tests/fixtures/golden:

  photo.png           a synthetic picture of 200x150 pixels
  golden.safetensors  inputs, and the outputs of the reference implementations (timm, transformers, Pillow) for them

The goldens are computed from the bf16-rounded weights with the reference models in float64 and stored as float32 (ids as
int64). Where the reference itself goes down to float32, so do the goldens: RMSNorm and the RoPE angles of LFM2.

  vision.input [1,3,S,S], vision.output [1,T,C]          an image in 0..1 and its visual tokens, row by row
  vision160.input, vision160.output                      the same at 160x160, where the fusion resizes bilinearly instead
                                                         of pooling
  projector.input, projector.output                      projector.input is vision.output
  preprocess.output [1,3,S,S]                            photo.png resized by Pillow (BILINEAR, which widens its filter
                                                         when shrinking), divided by 255
  tokens [48], embeds [1,48,H], logits [1,48,V]          bos, the image tokens, text; all in one pass, no cache
  prefill.logits [1,V]                                   of the last of the first 40 tokens
  decode.{i}.logits [1,V]                                of token 40+i, fed alone, with the cache
  prefill.layers.{l}.{k,v} [1,kv_heads,40,head_dim]      attention layers' cache, k after its norm and RoPE
  prefill.layers.{l}.conv_state [1,H,2]                  convolution layers' cache: the last two columns of B * x
  final.layers.{l}.{k,v,conv_state}                      the same after all 48 tokens

Everything is seeded: two runs on one machine with the pinned packages write identical files.
"""

import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import math
import tomllib
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers.cache_utils import DynamicCache

from byte_bpe import SPECIAL_TOKENS, train_byte_bpe
from reference_models import make_language, make_projector, make_vision, project, require

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINT = ROOT / "tests" / "fixtures" / "autoneural-random"
GRAPH = CHECKPOINT / "definition.toml"
GOLDEN = ROOT / "tests" / "fixtures" / "golden"

SEED = 20240521
PREFILL_TOKENS = 40
DECODE_TOKENS = 8
OTHER_IMAGE_SIZE = 160

SENTENCES = [
    "The driver looks at the road and keeps both hands on the steering wheel.",
    "A red car is parked in front of the house.",
    "What is the speed limit on this road?",
    "The speed limit is fifty kilometres per hour.",
    "There is a child in the back seat, and the seat belt is fastened.",
    "Is anyone sitting in the passenger seat?",
    "The cockpit shows the navigation map on the centre display.",
    "Please turn left at the next traffic light.",
    "The traffic light is green, so the car may go on.",
    "The driver is tired; a short break is a good idea.",
    "Describe the picture in one sentence.",
    "What can you see in the picture?",
    "The picture shows a street with cars, bicycles and people.",
    "A dog is sleeping on the back seat of the car.",
    "The windows are open and the music is loud.",
    "Open the sunroof and set the temperature to 21 degrees.",
    "The parking space is too small for this car.",
    "How many cars are in front of us?",
    "There are three cars and one truck in front of us.",
    "The truck is turning right, wait until it has passed.",
    "A phone was left on the dashboard.",
    "The battery is at 80 percent, the range is 310 kilometres.",
    "Where is the nearest charging station?",
    "The nearest charging station is 2.5 km away, on the right side of the road.",
    "Rain is falling and the road is wet, drive slowly.",
    "The camera in the cockpit watches the driver and the passengers.",
    "You are a helpful assistant in a car.",
    "user\nWho is in the picture?\nassistant\nA woman in an orange suit.\n",
    "The pedestrian is crossing the street; the car stops before the crossing.",
    "Warning: the driver is not looking at the road!",
]


def sqnr(reference, other):
    """Signal to error ratio in decibels."""
    reference, other = reference.double(), other.double()
    error = (reference - other).square().sum().item()
    return math.inf if error == 0 else 10 * math.log10(reference.square().sum().item() / error)


def generator(name):
    """A random generator of a tensor's own: its values do not depend on which other tensors exist."""
    return torch.Generator().manual_seed(SEED + zlib.crc32(name.encode()))


def uniform(name, shape, low, high):
    return torch.rand(shape, generator=generator(name), dtype=torch.float64) * (high - low) + low


def normal(name, shape, std):
    return torch.randn(shape, generator=generator(name), dtype=torch.float64) * std


def random_weight(name, shape, gain=1.0):
    """Rounded to bf16, then float64."""
    if name.endswith("layer_scale.gamma"):
        value = uniform(name, shape, 0.2, 1.0)
    elif name.endswith(".bias"):
        value = normal(name, shape, 0.2 * gain)
    elif len(shape) == 1:
        value = uniform(name, shape, 0.5, 1.5)
    else:
        value = normal(name, shape, gain / math.sqrt(math.prod(shape[1:])))
    return value.to(torch.bfloat16).double()


def randomize(module, prefix):
    """Gives the module random weights; returns them under their checkpoint names."""
    weights = {}
    for name, parameter in module.named_parameters():
        parameter.data = random_weight(prefix + name, parameter.shape)
        weights[prefix + name] = parameter.data
    return weights


def make_picture(name, width, height):
    """A smooth random RGB picture: waves and blobs with a little noise, as u8."""
    random = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    y, x = np.mgrid[0:height, 0:width]
    y, x = y / height, x / width
    planes = []
    for _ in range(3):
        plane = np.zeros((height, width))
        for _ in range(4):
            fy, fx, phase = random.uniform(-4, 4), random.uniform(-4, 4), random.uniform(0, 2 * np.pi)
            plane += random.uniform(0.3, 1.0) * np.sin(2 * np.pi * (fy * y + fx * x) + phase)
        for _ in range(6):
            cy, cx, radius = random.uniform(0, 1), random.uniform(0, 1), random.uniform(0.04, 0.25)
            blob = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * radius**2))
            plane += random.uniform(-2.5, 2.5) * blob
        plane += random.normal(0, 0.12, plane.shape)
        low, high = np.quantile(plane, [0.01, 0.99])
        planes.append((plane - low) / (high - low))
    return np.clip(np.rint(np.stack(planes, axis=-1) * 255), 0, 255).astype(np.uint8)


def to_input(picture):
    return torch.from_numpy(picture.astype(np.float64) / 255).permute(2, 0, 1)[None].float()


def tokens_of(features):
    return features.flatten(2).transpose(1, 2).contiguous()


def make_tokenizer(vocabulary):
    tokenizer = train_byte_bpe(SENTENCES, vocabulary)
    for sentence in SENTENCES + ["Größe: 5 µm – 東京 🚗"]:
        ids = tokenizer.encode(sentence).ids
        assert tokenizer.decode(ids) == sentence, sentence
    return tokenizer


def states(cache, layers, prefix):
    result = {}
    for index, kind in enumerate(layers):
        layer, name = cache.layers[index], f"{prefix}.layers.{index}"
        if kind == "attention":
            result[f"{name}.k"], result[f"{name}.v"] = layer.keys.clone(), layer.values.clone()
        else:
            # The reference keeps as many columns as the kernel is wide; the oldest of them is not needed any more.
            result[f"{name}.conv_state"] = layer.conv_states[0][..., 1:].clone()
    return result


@torch.no_grad()
def run_language(model, embeds, layers):
    golden = {"logits": model(inputs_embeds=embeds, use_cache=False).logits}
    cache = DynamicCache(config=model.config)
    prefill = model(inputs_embeds=embeds[:, :PREFILL_TOKENS], past_key_values=cache, use_cache=True)
    golden["prefill.logits"] = prefill.logits[:, -1]
    golden |= states(cache, layers, "prefill")
    for i in range(DECODE_TOKENS):
        at = PREFILL_TOKENS + i
        step = model(inputs_embeds=embeds[:, at : at + 1], past_key_values=cache, use_cache=True)
        golden[f"decode.{i}.logits"] = step.logits[:, -1]
    return golden | states(cache, layers, "final")


@torch.no_grad()
def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    config = tomllib.loads(GRAPH.read_text())
    vision_config, language_config = config["vision"], config["language"]
    preprocess = vision_config["preprocess"]
    require(
        preprocess == {"resize": "bilinear", "mean": [0.0] * 3, "std": [1.0] * 3},
        "vision.preprocess is not a bilinear resize with mean 0 and std 1",
    )
    CHECKPOINT.mkdir(parents=True, exist_ok=True)
    GOLDEN.mkdir(parents=True, exist_ok=True)

    # Weights.
    made = make_vision(vision_config), make_projector(config), make_language(language_config)
    vision, projector, language = (model.eval().double() for model in made)
    # Everything the module holds is used by forward_features: no head is made, and nothing is a buffer.
    assert set(vision.state_dict()) == {name for name, _ in vision.named_parameters()}
    assert {name.split(".")[0] for name in vision.state_dict()} == {"conv_stem", "blocks", "msfa"}
    weights = randomize(vision, config["weights"]["vision"][0])
    weights |= randomize(projector, config["weights"]["projector"][0])
    weights |= randomize(language.model, config["weights"]["language"][0])
    # Logits with a standard deviation of about 3: the last norm gives each hidden value a mean square of about 1.08.
    name, embedding = "model.embed_tokens.weight", language.model.embed_tokens
    embedding_std = 3 / math.sqrt(1.08 * language_config["hidden"])
    weights[name] = normal(name, embedding.weight.shape, embedding_std).to(torch.bfloat16).double()
    embedding.weight.data = weights[name]
    language.tie_weights()
    assert language.lm_head.weight is embedding.weight
    # Visual tokens as large as text embeddings: GELU turns values of mean square 1.1 into a mean square of about 0.47.
    for part in ["weight", "bias"]:
        name = f"{config['weights']['projector'][0]}linear_2.{part}"
        weights[name] = random_weight(name, weights[name].shape, embedding_std / math.sqrt(0.47))
        getattr(projector.linear_2, part).data = weights[name]
    checkpoint = {name: weight.to(torch.bfloat16).contiguous() for name, weight in weights.items()}
    assert all(torch.equal(checkpoint[name].double(), weight) for name, weight in weights.items())
    save_file(checkpoint, CHECKPOINT / "model.safetensors", metadata={"format": "pt"})

    # Tokenizer.
    tokenizer = make_tokenizer(language_config["vocabulary"])
    ids = language_config["tokens"]
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))
    assert SPECIAL_TOKENS[ids["bos"]] == "<|startoftext|>"
    assert SPECIAL_TOKENS[ids["eos"]] == "<|im_end|>"
    assert SPECIAL_TOKENS[ids["image"]] == "<image>"
    tokenizer.save(str(CHECKPOINT / "tokenizer.json"))

    # Preprocessing.
    size = vision_config["image_size"]
    photo = make_picture("photo", 200, 150)
    Image.fromarray(photo).save(GOLDEN / "photo.png", optimize=True)
    resized = Image.open(GOLDEN / "photo.png").convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    golden = {"preprocess.output": to_input(np.asarray(resized))}

    # Vision and projector.
    checks = {}
    for name, side in [("vision", size), ("vision160", OTHER_IMAGE_SIZE)]:
        image = to_input(make_picture(name, side, side))
        output = tokens_of(vision.forward_features(image.double()))
        vision.float()
        checks[f"{name}.output, float32 against float64"] = sqnr(output, tokens_of(vision.forward_features(image)))
        vision.double()
        golden[f"{name}.input"], golden[f"{name}.output"] = image, output
    golden["projector.input"] = golden["vision.output"]
    golden["projector.output"] = project(projector, golden["projector.input"])
    visual_tokens = golden["projector.output"].shape[1]
    assert visual_tokens == vision_config["msfa"]["output_resolution"] ** 2

    # Language.
    length = PREFILL_TOKENS + DECODE_TOKENS
    text = torch.randint(
        len(SPECIAL_TOKENS), tokenizer.get_vocab_size(), (length - 1 - visual_tokens,), generator=generator("tokens")
    )
    tokens = torch.cat([torch.tensor([ids["bos"]] + [ids["image"]] * visual_tokens), text])
    embeds = embedding(tokens)[None].clone()
    embeds[:, 1 : 1 + visual_tokens] = golden["projector.output"]
    embeds = embeds.float()  # exactly what is stored
    layers = language_config["layers"]
    golden |= {"tokens": tokens, "embeds": embeds} | run_language(language, embeds.double(), layers)
    single = run_language(language.float(), embeds, layers)
    checks["logits, float32 against float64"] = sqnr(golden["logits"], single["logits"])
    stepwise = torch.stack([golden["prefill.logits"]] + [golden[f"decode.{i}.logits"] for i in range(DECODE_TOKENS)], 1)
    checks["logits, step by step against one pass"] = sqnr(golden["logits"][:, PREFILL_TOKENS - 1 :], stepwise)
    for layer, kind in enumerate(layers):
        for part in ["k", "v"] if kind == "attention" else []:
            before, after = (golden[f"{when}.layers.{layer}.{part}"] for when in ("prefill", "final"))
            assert torch.equal(before, after[:, :, :PREFILL_TOKENS]) and after.shape[2] == length

    stored = {name: (t if name == "tokens" else t.float()).contiguous().clone() for name, t in golden.items()}
    save_file(stored, GOLDEN / "golden.safetensors")

    for path in sorted([*CHECKPOINT.iterdir(), *GOLDEN.iterdir()]):
        print(f"{path.stat().st_size:>9} {path.relative_to(ROOT)}")
    print(f"{sum(w.numel() for w in checkpoint.values())} parameters, {tokenizer.get_vocab_size()} tokens")
    for name in ["vision.output", "vision160.output", "projector.output", "embeds", "logits"]:
        print(f"{name}: rms {golden[name].double().square().mean().sqrt().item():.3f}")
    for name, value in checks.items():
        print(f"{name}: {value:.1f} dB")
    assert all(value > 100 for value in checks.values()), "a self check is below 100 dB"


if __name__ == "__main__":
    main()
