"""Weights of a checkpoint under the names that the reference models (reference_models.py) give them."""

from pathlib import Path

import torch
from safetensors import safe_open

from reference_models import require


class Checkpoint:
    """The tensors of all safetensors files of a folder, read when they are asked for."""

    def __init__(self, folder):
        self.files = {}
        for path in sorted(Path(folder).glob("*.safetensors")):
            file = safe_open(path, framework="pt")
            self.files |= {name: file for name in file.keys()}
        require(self.files, f"{folder} holds no safetensors file")

    def __contains__(self, name):
        return name in self.files

    def __getitem__(self, name):
        require(name in self, f"the checkpoint has no tensor {name}")
        return self.files[name].get_tensor(name).float()

    def under(self, prefixes, firsts):
        """All tensors under the first of the prefixes at which one of `firsts` stands, without the prefix."""
        prefix = next((p for p in prefixes if any(p + first in self for first in firsts)), None)
        require(prefix is not None, f"the checkpoint has none of {', '.join(p + f for p in prefixes for f in firsts)}")
        return {name[len(prefix) :]: self[name] for name in self.files if name.startswith(prefix)}


def with_parts(name, renamed):
    """A name with some of its parts replaced."""
    for old, new in renamed.items():
        name = name.replace(old, new)
    return name


def vision_weights(config, checkpoint):
    prefixes = config["weights"]["vision"]
    if config["vision"]["family"] == "mobilenetv5":
        found = checkpoint.under(prefixes, ["conv_stem.conv.weight"])
        return {name: weight for name, weight in found.items() if name.split(".")[0] in ("conv_stem", "blocks", "msfa")}
    renamed = {
        "embeddings.class_embedding": "embeddings.cls_token",
        "embeddings.position_embedding": "embeddings.position_embeddings",
        "embeddings.patch_embedding": "embeddings.patch_embeddings.projection",
        "encoder.layers": "encoder.layer",
        "attn.proj": "attention.projection_layer",
        "norm1": "layernorm_before",
        "norm2": "layernorm_after",
        "ls1": "lambda_1",
        "ls2": "lambda_2",
    }
    weights = {}
    for name, weight in checkpoint.under(prefixes, ["embeddings.class_embedding"]).items():
        name = with_parts(name, renamed)
        if ".attn.qkv." in name:
            for part, rows in zip("qkv", weight.chunk(3)):
                weights[name.replace("attn.qkv", f"attention.{part}_proj")] = rows
        else:
            weights[name] = weight
    return weights


def projector_weights(config, checkpoint):
    found = checkpoint.under(config["weights"]["projector"], ["linear_1.weight", "1.weight"])
    renamed = {"0": "layer_norm", "1": "linear_1", "3": "linear_2"}
    parts = ((name.split("."), weight) for name, weight in found.items())
    weights = {f"{renamed.get(part, part)}.{kind}": weight for (part, kind), weight in parts}
    return {name: weight for name, weight in weights.items() if name.split(".")[0] in renamed.values()}


def language_weights(config, checkpoint):
    language, prefixes = config["language"], config["weights"]["language"]
    head = next((name for name in config["weights"].get("head", []) if name in checkpoint), None)
    if language["family"] == "lfm2":
        weights = {f"model.{name}": w for name, w in checkpoint.under(prefixes, ["embed_tokens.weight"]).items()}
        weights = {name: w for name, w in weights.items() if name.split(".")[1] in ("embed_tokens", "layers", "embedding_norm")}
        return weights | {"lm_head.weight": checkpoint[head] if head else weights["model.embed_tokens.weight"]}
    if language["family"] == "llama":
        weights = {f"model.{name}": w for name, w in checkpoint.under(prefixes, ["embed_tokens.weight"]).items()}
        if language.get("qk_norm") and language.get("qkv_bias"):
            # Qwen3's class has all four biases or none.
            for layer in range(len(language["layers"])):
                weights[f"model.layers.{layer}.self_attn.o_proj.bias"] = torch.zeros(language["hidden"])
        return weights | {"lm_head.weight": checkpoint[head] if head else weights["model.embed_tokens.weight"]}
    renamed = {
        "tok_embeddings": "embed_tokens",
        "attention_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
        "attention.wo": "self_attn.o_proj",
        "feed_forward.w1": "mlp.gate_proj",
        "feed_forward.w3": "mlp.up_proj",
        "feed_forward.w2": "mlp.down_proj",
    }
    weights = {}
    for name, weight in checkpoint.under(prefixes, ["tok_embeddings.weight"]).items():
        name = with_parts(name, renamed)
        if name.endswith("attention.wqkv.weight"):
            groups, size = language["kv_heads"], language["head_dim"]
            rows = weight.reshape(groups, -1, size, weight.shape[1])
            for part, heads in [("q", rows[:, :-2]), ("k", rows[:, -2:-1]), ("v", rows[:, -1:])]:
                new = name.replace("attention.wqkv", f"self_attn.{part}_proj")
                weights[f"model.{new}"] = heads.reshape(-1, weight.shape[1])
        else:
            weights[f"model.{name}"] = weight
    return weights | {"lm_head.weight": checkpoint[head] if head else weights["model.embed_tokens.weight"]}


@torch.no_grad()
def load(model, weights):
    """Gives the model these weights: all that it has, and no others."""
    model.load_state_dict(weights, strict=True)
    return model.eval()
