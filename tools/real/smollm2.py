"""SmolLM2-135M-Instruct as a folder of Hugging Face: what its GGUF file holds, in float.

A GGUF file has the tensors of a Llama under names of its own, with the rows of queries and keys in another order (pairs
of neighbours are rotated there, halves here), and the tokenizer as lists. The format is that of
github.com/ggml-org/ggml, docs/gguf.md. Needs numpy.
"""

import json
import struct

import numpy as np

# Numbers in the metadata, by the code of their type; 8 is a text, 9 a list.
NUMBERS = {0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?", 10: "<Q", 11: "<q", 12: "<d"}
# Tensors lie at multiples of so many bytes.
ALIGNMENT = 32

LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OTHERS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
# Kinds of tokens in a GGUF file.
CONTROL = 3


class Gguf:
    """The metadata of a GGUF file, and its tensors in float."""

    def __init__(self, path):
        self.data, self.at = path.read_bytes(), 4
        if self.data[:4] != b"GGUF" or self.number("<I") != 3:
            raise ValueError(f"{path} is no GGUF file of version 3")
        count, pairs = self.number("<Q"), self.number("<Q")
        self.values = {self.text(): self.value(self.number("<I")) for _ in range(pairs)}
        self.infos = [
            (self.text(), [self.number("<Q") for _ in range(self.number("<I"))], self.number("<I"), self.number("<Q"))
            for _ in range(count)
        ]
        self.start = -(-self.at // ALIGNMENT) * ALIGNMENT

    def number(self, kind):
        (value,) = struct.unpack_from(kind, self.data, self.at)
        self.at += struct.calcsize(kind)
        return value

    def text(self):
        length = self.number("<Q")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            kind, count = self.number("<I"), self.number("<Q")
            return [self.value(kind) for _ in range(count)]
        return self.number(NUMBERS[kind])

    def tensors(self):
        for name, sizes, kind, offset in self.infos:
            shape = sizes[::-1]
            yield name, numbers(self.data, self.start + offset, kind, int(np.prod(shape))).reshape(shape)


def numbers(data, start, kind, count):
    """The numbers of a tensor: float (0); blocks of 32 of 4 bits with scale and lowest number (3); blocks of 32 of 8 bits
    with a scale (8)."""
    if kind == 0:
        return np.frombuffer(data, "<f4", count, start)
    layout = {3: [("scale", "<f2"), ("low", "<f2"), ("codes", "u1", 16)], 8: [("scale", "<f2"), ("codes", "i1", 32)]}[kind]
    blocks = np.frombuffer(data, np.dtype(layout), count // 32, start)
    scale, codes = blocks["scale"].astype(np.float32)[:, None], blocks["codes"]
    if kind == 8:
        return (scale * codes).reshape(-1)
    codes = np.concatenate([codes & 15, codes >> 4], axis=1)
    return (scale * codes + blocks["low"].astype(np.float32)[:, None]).reshape(-1)


def name_of(stored):
    """A tensor's name in transformers."""
    stored = stored.removesuffix(".weight")
    if stored in OTHERS:
        return f"{OTHERS[stored]}.weight"
    _, layer, part = stored.split(".")
    return f"model.layers.{layer}.{LAYER[part]}.weight"


def halves(weight, heads):
    """Rows of queries or keys, from pairs of neighbours to halves."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write_safetensors(path, tensors):
    """float32 tensors, in the order of their names."""
    header, at = {}, 0
    for name, values in sorted(tensors.items()):
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, values in sorted(tensors.items()):
            file.write(np.ascontiguousarray(values, "<f4").tobytes())


def tokenizer(tokens, kinds, merges):
    """A byte-level BPE that takes digits one by one, which is what `smollm` means in a GGUF file."""
    bytes_of = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    added = [
        {"id": at, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": True}
        for at, (text, kind) in enumerate(zip(tokens, kinds))
        if kind == CONTROL
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, bytes_of],
        },
        "post_processor": None,
        "decoder": bytes_of,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {text: at for at, text in enumerate(tokens)}, "merges": merges,
        },
    }


def write(path, out):
    """Writes the folder."""
    out.mkdir(parents=True, exist_ok=True)
    file = Gguf(path)
    get = file.values.__getitem__
    heads, kv_heads = get("llama.attention.head_count"), get("llama.attention.head_count_kv")
    rotated = {"self_attn.q_proj": heads, "self_attn.k_proj": kv_heads}
    tensors = {}
    for stored, values in file.tensors():
        name = name_of(stored)
        count = next((count for part, count in rotated.items() if part in name), None)
        tensors[name] = halves(values, count) if count else values
    write_safetensors(out / "model.safetensors", tensors)
    ids = {key: get(f"tokenizer.ggml.{key}_token_id") for key in ("bos", "eos")}
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": get("llama.embedding_length"),
        "intermediate_size": get("llama.feed_forward_length"),
        "num_hidden_layers": get("llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "rms_norm_eps": float(f"{get('llama.attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_theta": get("llama.rope.freq_base"),
        "max_position_embeddings": get("llama.context_length"),
        "vocab_size": get("llama.vocab_size"),
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        **{f"{key}_token_id": number for key, number in ids.items()},
    }
    texts = get("tokenizer.ggml.tokens")
    made = {
        "config.json": config,
        "tokenizer.json": tokenizer(texts, get("tokenizer.ggml.token_type"), get("tokenizer.ggml.merges")),
        "tokenizer_config.json": {
            "chat_template": get("tokenizer.chat_template"),
            **{f"{key}_token": texts[number] for key, number in ids.items()},
        },
    }
    for name, value in made.items():
        (out / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
