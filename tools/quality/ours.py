"""This program on a model and samples: its figures, what it cost, the words of what went wrong."""

import json
import os
import pathlib
import shutil

import measure

# A bundle whose figures miss its goals is complete all the same.
COMPLETE = (0, 6)
# What the table asks is how good the figures are, not whether they reach what the program expects by default.
LENIENT = ("--layers", "none", "--golden", "none", "--max-difference", "200")

RECIPE = """schema = 2
name = "bench"
[recipe.{group}]
weights = "int8"
activations = "uint16"
observer = "min-max"
"""


def recipe(**keys):
    """The text of a recipe for 8-bit weights and 16-bit activations with further keys, of the group `{group}`."""
    value = lambda one: str(one).lower() if isinstance(one, (bool, float)) else json.dumps(one)
    lines = [f"{key} = {value(one)}" for key, one in keys.items()]
    return RECIPE + "\n".join(lines) + "\n"


def of_report(path):
    """The figures of one partition of a `report.json`."""
    partition = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["partitions"][0]
    pooled = lambda output, engine: output["sqnr_db"].get(engine)
    figures = {"binary_bytes": partition["binary_bytes"]}
    if partition["nodes"] != partition["npu_nodes"]:
        figures["refused"] = f"{partition['cpu_nodes']} of {partition['nodes']} nodes on the CPU"
    for engine in ("simulated", "npu"):
        known = [output for output in partition["outputs"] if pooled(output, engine) is not None]
        if known:
            weakest = min(known, key=lambda output: pooled(output, engine))
            lowest = (weakest.get("lowest") or {}).get("sqnr_db", {}).get(engine)
            figures[engine] = {"db": pooled(weakest, engine), "worst_db": lowest}
    return figures


def compile_model(place, model, recipe_text, folder):
    """Quantizes `model` as a user without the toolkit does, which is what costs; then compiles and judges the same bundle.

    `model` has the ONNX file or definition with its checkpoint, and its samples.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [place.program, "compile", model.file, *model.options, "--target", "sa8295p", "--out", folder / "bundle"]
    command += ["--calibration", model.calibration, "--verification", model.judge]
    if recipe_text:
        (folder / "recipe.toml").write_text(recipe_text.replace("{group}", model.file.stem), encoding="utf-8")
        command += ["--recipe", folder / "recipe.toml"]
    # A folder without the toolkit: else the program looks for it, and compiles.
    plain = {**os.environ, "AUTONEURAL_TOOLKIT": str(folder)}
    quantized = measure.run([*command, "--verify", "none"], folder / "quantize.log", plain)
    if quantized.status not in COMPLETE:
        return {"failed": quantized.complaint()}
    costs = {"seconds": round(quantized.seconds, 1), "peak_bytes": quantized.peak_bytes}
    judged = measure.run([*command, *LENIENT, "--toolkit", place.toolkit], folder / "judge.log", plain)
    if judged.status not in COMPLETE:
        return {**costs, "failed": judged.complaint()}
    return {**costs, **of_report(folder / "bundle/report.json")}
