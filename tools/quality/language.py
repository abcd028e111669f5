"""A language model: how much less likely it finds prose than float does."""

import json
import os
import re
import shutil

import measure
import ours

# Windows of 512 tokens of the prose that every Python has.
RECIPE = """schema = 2
name = "prose"
decode_steps = 1
calibration = [{ file = "prose.txt", window = 512, windows = "100..112" }]
verification = [{ file = "prose.txt", window = 512, windows = "40..41" }]
[recipe.language]
activations = "uint16"
kv_cache = "uint8"
head = "int8"
observer = "min-max"
"""
JUDGED = "40..50"


def recipe(**keys):
    return RECIPE + "\n".join(f"{key} = {ours.toml(value)}" for key, value in keys.items()) + "\n"


def definition(place, name, context, out):
    """A definition with a shorter context: the windows need no more."""
    text = (place.root / f"graphs/{name}.toml").read_text(encoding="utf-8")
    out.write_text(re.sub(r"(?m)^context = \d+", f"context = {context}", text), encoding="utf-8")
    return out


def compare(place, name, weights, recipe_text, folder):
    """One method: perplexity in float and simulated, what it cost, or what went wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(place.real / "prose.txt", folder / "prose.txt")
    (folder / "recipe.toml").write_text(recipe_text, encoding="utf-8")
    model = definition(place, name, 640, folder / "model.toml")
    command = [place.program, "compile", model, "--weights", place.real / weights, "--target", "sa8295p"]
    command += ["--calibration", folder / "recipe.toml", "--out", folder / "bundle", "--verify", "none"]
    quantized = measure.run(command, folder / "quantize.log", {**os.environ, "AUTONEURAL_TOOLKIT": str(folder)})
    if quantized.status not in ours.COMPLETE:
        return {"failed": quantized.complaint()}
    found = {"seconds": round(quantized.seconds, 1), "peak_bytes": quantized.peak_bytes}
    command = [place.program, "eval", folder / "bundle", "--text", folder / "prose.txt", "--windows", JUDGED, "--json"]
    command += ["--on", "float,simulated", "--toolkit", place.toolkit]
    judged = measure.run(command, folder / "judge.log")
    if judged.status != 0:
        return {**found, "failed": judged.complaint()}
    return {**found, **of_evaluation(json.loads(judged.out))}


def of_evaluation(evaluation):
    """What `eval --json` says: perplexities, and the increase of the quantized one in per cent."""
    by_float, simulated = (engine["perplexity"] for engine in evaluation["engines"])
    return {"float": by_float, "perplexity": simulated, "above_percent": round(100 * (simulated / by_float - 1), 2)}
