"""A language model: how much less likely it finds prose than float does."""

import json
import os
import re
import shutil

import measure
import models
import ours
import peers

# Windows of so many tokens of the prose that every Python has: those that calibrate, and others that judge.
WINDOW = 512
CALIBRATION = "100..112"
JUDGED = "40..50"
RECIPE = f"""schema = 2
name = "prose"
decode_steps = 1
calibration = [{{ file = "prose.txt", window = {WINDOW}, windows = "{CALIBRATION}" }}]
verification = [{{ file = "prose.txt", window = {WINDOW}, windows = "40..41" }}]
[recipe.language]
activations = "uint16"
kv_cache = "uint8"
head = "int8"
observer = "min-max"
"""


def recipe(**keys):
    return RECIPE + "\n".join(f"{key} = {ours.toml(value)}" for key, value in keys.items()) + "\n"


def model(name, weights):
    """The checkpoint `weights`, and for the peers what transformers exports of it, with the same windows as samples."""
    def make(place):
        checkpoint, folder = place.real / weights, place.work / "models" / name
        if not (folder / "done").exists():
            command = peers.script(place, "export_language.py", checkpoint, place.real / "prose.txt")
            command += [str(WINDOW), CALIBRATION, JUDGED, folder]
            ran = measure.run(command, place.work / "logs" / f"export-{name}.log", place.python)
            if ran.status != 0:
                raise RuntimeError(f"{name} was not exported: {ran.complaint()}")
            (folder / "done").touch()
        files = (folder / part for part in ("model.onnx", "calibration.npz", "judge.npz"))
        return models.Model(*files, ("--weights", checkpoint), language=True)

    return make


def definition(place, name, context, out):
    """A definition with a shorter context: the windows need no more."""
    text = (place.root / f"graphs/{name}.toml").read_text(encoding="utf-8")
    out.write_text(re.sub(r"(?m)^context = \d+", f"context = {context}", text), encoding="utf-8")
    return out


def compare(place, name, of_row, recipe_text, folder, emulated):
    """One method: perplexity in float, simulated and, where it is `emulated`, on the NPU; what it cost, or what went
    wrong. As of other models, what costs is the quantization, without the toolkit; the NPU judges the same bundle."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(place.real / "prose.txt", folder / "prose.txt")
    (folder / "recipe.toml").write_text(recipe_text, encoding="utf-8")
    file, plain = definition(place, name, 640, folder / "model.toml"), {**os.environ, "AUTONEURAL_TOOLKIT": str(folder)}
    command = [place.program, "compile", file, *of_row.options, "--target", "sa8295p"]
    command += ["--calibration", folder / "recipe.toml", "--out", folder / "bundle", "--verify", "none"]
    quantized = measure.run(command, folder / "quantize.log", plain)
    if quantized.status not in ours.COMPLETE:
        return {"failed": quantized.complaint()}
    found, engines = {"seconds": round(quantized.seconds, 1), "peak_bytes": quantized.peak_bytes}, "float,simulated"
    if emulated:
        command += ["--golden", "none", "--toolkit", place.toolkit]
        compiled, engines = measure.run(command, folder / "compile.log", plain), f"{engines},npu"
        if compiled.status not in ours.COMPLETE:
            return {**found, "failed": compiled.complaint()}
        found |= ours.of_report(folder / "bundle/report.json", "language.prefill")
    command = [place.program, "eval", folder / "bundle", "--text", folder / "prose.txt", "--window", str(WINDOW)]
    command += ["--windows", JUDGED, "--json", "--on", engines, "--toolkit", place.toolkit]
    judged = measure.run(command, folder / "judge.log")
    if judged.status != 0:
        return {**found, "failed": judged.complaint()}
    return {**found, **of_evaluation(json.loads(judged.out))}


def of_evaluation(evaluation):
    """What `eval --json` says: perplexity of float, and of each other engine, with how far it is above in per cent."""
    by_float, *others = evaluation["engines"]
    figures = lambda one: {"perplexity": one["perplexity"], "above_percent": one["above_float_percent"]}
    return {"float": by_float["perplexity"], **{one["engine"]: figures(one) for one in others}}
