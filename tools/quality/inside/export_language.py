"""A language model of transformers as ONNX, with windows of a text to calibrate and others to judge.

The windows are cut as `autoneural eval --text` cuts them: the file is one row of tokens without any that the tokenizer
would add, and each window begins a sequence of its own. Writes model.onnx, calibration.npz and judge.npz.

usage: export_language.py CHECKPOINT TEXT WINDOW CALIBRATION JUDGED OUT_DIR

WINDOW is a number of tokens; CALIBRATION and JUDGED are windows such as 40..50, which are those from 40 to 49.
"""

import pathlib
import sys

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm

# Added to scores of what is hidden. The lowest float, which transformers adds, leaves a quantizer by ranges nothing;
# this is what our own graph adds.
HIDDEN = -256.0


class Logits(torch.nn.Module):
    """Tokens to the logits of all of them; each sees those before it."""

    def __init__(self, inner, window):
        super().__init__()
        self.inner = inner
        self.register_buffer("hides", torch.full((1, 1, window, window), HIDDEN).triu(1), persistent=False)

    def forward(self, tokens):
        return self.inner(input_ids=tokens, attention_mask=self.hides, use_cache=False).logits


def join_norms(module):
    """Normalizations become the one operator that ONNX has for them. Spelled out, a mean of squares would be rounded to
    16 bits: where one token has the square of an outlier, nothing is left of the others'."""
    for name, child in module.named_children():
        if isinstance(child, LlamaRMSNorm):
            joined = torch.nn.RMSNorm(child.weight.shape, eps=child.variance_epsilon)
            joined.weight = child.weight
            setattr(module, name, joined)
        else:
            join_norms(child)


def cut(text, tokenizer, window, chosen):
    """Windows of the text, as samples of one input."""
    start, end = (int(part) for part in chosen.split(".."))
    tokens = tokenizer.encode(text, add_special_tokens=False).ids[start * window : end * window]
    if len(tokens) != (end - start) * window:
        raise ValueError(f"the text has no windows {chosen} of {window} tokens")
    return np.array(tokens, np.int64).reshape(-1, 1, window)


def main():
    checkpoint, text, window, *chosen, out = sys.argv[1:]
    checkpoint, window, out = pathlib.Path(checkpoint), int(window), pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    text = pathlib.Path(text).read_text(encoding="utf-8")
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    samples = dict(zip(("calibration", "judge"), (cut(text, tokenizer, window, one) for one in chosen), strict=True))
    for name, tokens in samples.items():
        np.savez(out / f"{name}.npz", tokens=tokens)
    inner = LlamaForCausalLM.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager")
    join_norms(inner)
    # The operator of a normalization is in ONNX from opset 23 on.
    torch.onnx.export(
        Logits(inner, window).eval(), (torch.from_numpy(samples["judge"][0]),), str(out / "model.onnx"),
        input_names=["tokens"], output_names=["out"], opset_version=23, dynamo=True, external_data=True, verbose=False,
    )


main()
