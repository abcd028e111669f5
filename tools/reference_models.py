"""The reference models that upstream packages give for a definition (graphs/*.toml): timm, transformers."""

import torch
from timm.layers import RmsNorm2d
from timm.models._efficientnet_builder import decode_arch_def
from timm.models.mobilenetv5 import MobileNetV5
from transformers import Lfm2Config, Lfm2ForCausalLM


def require(condition, message):
    if not condition:
        raise SystemExit(f"the definition is not supported here: {message}")


def make_vision(vision):
    msfa = vision["msfa"]
    require(vision["family"] == "mobilenetv5", "vision.family is not mobilenetv5")
    require(vision["activation"] == "gelu-tanh", "vision.activation is not gelu-tanh")
    require(vision["norm_eps"] == 1e-6, "vision.norm_eps is not 1e-6")
    require(msfa["expansion"] == 2.0, "vision.msfa.expansion is not 2.0")
    model = MobileNetV5(
        block_args=decode_arch_def(vision["stages"]),
        num_classes=0,
        stem_size=vision["stem_channels"],
        fix_stem=True,
        num_features=msfa["channels"],
        pad_type="same",
        msfa_indices=tuple(msfa["stages"]),
        msfa_output_resolution=msfa["output_resolution"],
        act_layer=lambda **_: torch.nn.GELU(approximate="tanh"),
        norm_layer=RmsNorm2d,
        layer_scale_init_value=1e-5 if vision["layer_scale"] else None,
    )
    return model


def make_projector(config):
    require(config["projector"]["activation"] == "gelu", "projector.activation is not gelu")
    hidden = config["projector"]["hidden"]
    projector = torch.nn.Module()
    projector.linear_1 = torch.nn.Linear(config["vision"]["msfa"]["channels"], hidden)
    projector.linear_2 = torch.nn.Linear(hidden, config["language"]["hidden"])
    return projector


def project(projector, x):
    return projector.linear_2(torch.nn.functional.gelu(projector.linear_1(x)))


def make_language(language):
    require(language["family"] == "lfm2", "language.family is not lfm2")
    require(language["tied_embeddings"], "language.tied_embeddings is not true")
    require(
        language["head_dim"] * language["heads"] == language["hidden"],
        "language.head_dim is not language.hidden / language.heads",
    )
    config = Lfm2Config(
        vocab_size=language["vocabulary"],
        hidden_size=language["hidden"],
        intermediate_size=language["feed_forward"],
        block_auto_adjust_ff_dim=False,
        num_hidden_layers=len(language["layers"]),
        layer_types=["full_attention" if layer == "attention" else layer for layer in language["layers"]],
        num_attention_heads=language["heads"],
        num_key_value_heads=language["kv_heads"],
        conv_L_cache=language["conv_kernel"],
        conv_bias=False,
        norm_eps=language["norm_eps"],
        rope_parameters={"rope_type": "default", "rope_theta": language["rope_theta"]},
        max_position_embeddings=language["context"],
        bos_token_id=language["tokens"]["bos"],
        eos_token_id=language["tokens"]["eos"],
        tie_word_embeddings=True,
    )
    config._attn_implementation = "sdpa"  # the eager one computes the softmax in float32
    return Lfm2ForCausalLM(config)
