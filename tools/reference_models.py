"""The reference models that upstream packages give for a definition (graphs/*.toml): timm, transformers."""

import torch
from timm.layers import RmsNorm2d
from timm.models._efficientnet_builder import decode_arch_def
from timm.models.mobilenetv5 import MobileNetV5
from transformers import (
    InternVLModel,
    InternVLVisionConfig,
    InternVLVisionModel,
    Lfm2Config,
    Lfm2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)


def require(condition, message):
    if not condition:
        raise SystemExit(f"the definition is not supported here: {message}")


def make_vision(vision):
    families = {"mobilenetv5": make_mobilenetv5, "internvit": make_internvit}
    require(vision["family"] in families, f"vision.family is none of {', '.join(families)}")
    return families[vision["family"]](vision)


def visual_channels(vision):
    if vision["family"] == "mobilenetv5":
        return vision["msfa"]["channels"]
    return vision["hidden"] * vision["merge"] ** 2


def see(vision, model, images):
    """Features `[N, tokens, channels]` of images `[N, 3, S, S]`."""
    if vision["family"] == "mobilenetv5":
        return model.forward_features(images).flatten(2).transpose(1, 2).contiguous()
    side = vision["image_size"] // vision["patch_size"]
    patches = model(images).last_hidden_state[:, 1:].unflatten(1, (side, side))
    return InternVLModel.pixel_shuffle(None, patches, 1 / vision["merge"]).flatten(1, 2)


def make_internvit(vision):
    require(vision["activation"] == "gelu", "vision.activation is not gelu")
    config = InternVLVisionConfig(
        hidden_size=vision["hidden"],
        num_hidden_layers=vision["layers"],
        num_attention_heads=vision["heads"],
        intermediate_size=vision["feed_forward"],
        attention_bias=True,
        image_size=[vision["image_size"]] * 2,
        patch_size=[vision["patch_size"]] * 2,
        hidden_act="gelu",
        layer_norm_eps=vision["norm_eps"],
        use_mean_pooling=True,  # no normalization behind the last layer
    )
    config._attn_implementation = "sdpa"
    return InternVLVisionModel(config)


def make_mobilenetv5(vision):
    msfa = vision["msfa"]
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
    hidden, channels = config["projector"]["hidden"], visual_channels(config["vision"])
    projector = torch.nn.Module()
    if "norm_eps" in config["projector"]:
        projector.layer_norm = torch.nn.LayerNorm(channels, eps=config["projector"]["norm_eps"])
    projector.linear_1 = torch.nn.Linear(channels, hidden)
    projector.linear_2 = torch.nn.Linear(hidden, config["language"]["hidden"])
    return projector


def project(projector, x):
    if hasattr(projector, "layer_norm"):
        x = projector.layer_norm(x)
    return projector.linear_2(torch.nn.functional.gelu(projector.linear_1(x)))


def make_language(language):
    families = {"lfm2": make_lfm2, "internlm2": make_llama, "llama": make_llama}
    require(language["family"] in families, f"language.family is none of {', '.join(families)}")
    return families[language["family"]](language)


def make_llama(language):
    """Llama, or its kin with biases (Qwen2) or normalized queries and keys (Qwen3). InternLM2 is Llama's architecture
    with joined queries, keys and values."""
    kind, model, more = LlamaConfig, LlamaForCausalLM, {}
    if language.get("qk_norm"):
        kind, model, more = Qwen3Config, Qwen3ForCausalLM, {"attention_bias": language.get("qkv_bias", False)}
    elif language.get("qkv_bias"):
        kind, model = Qwen2Config, Qwen2ForCausalLM
    config = kind(
        vocab_size=language["vocabulary"],
        hidden_size=language["hidden"],
        intermediate_size=language["feed_forward"],
        num_hidden_layers=len(language["layers"]),
        num_attention_heads=language["heads"],
        num_key_value_heads=language["kv_heads"],
        head_dim=language["head_dim"],
        rms_norm_eps=language["norm_eps"],
        rope_parameters={"rope_type": "default", "rope_theta": language["rope_theta"]},
        max_position_embeddings=language["context"],
        bos_token_id=language["tokens"].get("bos"),
        eos_token_id=language["tokens"]["eos"],
        tie_word_embeddings=language["tied_embeddings"],
        **more,
    )
    config._attn_implementation = "sdpa"
    return model(config)


def make_lfm2(language):
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
