"""What a quantized language model is worth: perplexity in float and simulated, on the CPU.

It is `exp` of the mean negative log-probability of all tokens of the windows but the first of each, given what stands
before them. Prints one line of JSON.

usage: judge_language.py FLOAT.onnx QUANTIZED.onnx WINDOWS.npz
"""

import json
import sys

import numpy as np
import onnxruntime

import samples as of_file


def perplexity(model, windows):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    surprises = []
    for window in of_file.read(windows, model):
        (tokens,), (logits,) = window.values(), session.run(None, window)
        logits, follow = logits[0, :-1].astype(np.float64), tokens[0, 1:, None]
        logits -= logits.max(-1, keepdims=True)
        own = np.take_along_axis(logits, follow, -1)[:, 0]
        surprises.append(np.log(np.exp(logits).sum(-1)) - own)
    return float(np.exp(np.mean(surprises)))


def main():
    float_model, quantized, windows = sys.argv[1:]
    by_float, simulated = (perplexity(model, windows) for model in (float_model, quantized))
    above = round(100 * (simulated / by_float - 1), 2)
    print(json.dumps({"float": by_float, "simulated": {"perplexity": simulated, "above_percent": above}}))


main()
