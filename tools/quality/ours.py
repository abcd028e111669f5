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
activations = "uint16"
observer = "min-max"
"""


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    return str(value).lower() if isinstance(value, (bool, float)) else json.dumps(value)


def recipe(overrides=(), weights="int8", **keys):
    """The text of a recipe for 16-bit activations, of the group `{group}`. `overrides` are tensors and their types."""
    lines = [f"{key} = {toml(value)}" for key, value in {"weights": weights, **keys}.items()]
    for tensor, kind in overrides:
        lines += ["[[override]]", f"tensor = {toml(tensor)}", f"type = {toml(kind)}"]
    return RECIPE + "\n".join(lines) + "\n"


def of_report(path, group=None):
    """The figures of one partition of a `report.json`; of the first one, where no name is given."""
    report = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    named = lambda entries: next(entry for entry in entries if group in (None, entry["name"]))
    partition, kinds = named(report["partitions"]), named(report["sizes"]["partitions"])["weights"]
    pooled = lambda output, engine: output["sqnr_db"].get(engine)
    # Integers of 32 bits are biases.
    weights = [kind for kind in kinds if kind["bits"] < 32]
    count = max(sum(kind["elements"] for kind in weights), 1)
    bits = lambda *keys: round(8 * sum(kind[key] for kind in weights for key in keys) / count, 2)
    figures = {
        "binary_bytes": partition["binary_bytes"],
        "bits_per_weight": bits("bytes"),
        "bits_with_scales": bits("bytes", "scale_bytes"),
    }
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
    """Quantizes `model` as without the toolkit, which is what costs; then compiles and judges the same bundle.

    `model` has the ONNX file or definition with its checkpoint, and its samples.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [place.program, "compile", model.file, *model.options, "--target", "sa8295p", "--out", folder / "bundle"]
    if recipe_text:
        text = recipe_text.replace("{group}", model.group or model.file.stem) + (model.rest or "")
        if model.rest:
            # Models that take words decode some; those of arrays have none.
            text = text.replace('name = "bench"', 'name = "bench"\ndecode_steps = 1')
        (folder / "recipe.toml").write_text(text, encoding="utf-8")
    if model.rest:
        # A recipe names its pictures from its own folder.
        shutil.copytree(model.photos, folder / "photos")
        command += ["--calibration", folder / "recipe.toml"]
    else:
        command += ["--calibration", model.calibration, "--verification", model.judge]
        command += ["--recipe", folder / "recipe.toml"] if recipe_text else []
    # A folder without the toolkit: else the program looks for it, and compiles.
    plain = {**os.environ, "AUTONEURAL_TOOLKIT": str(folder)}
    quantized = measure.run([*command, "--verify", "none"], folder / "quantize.log", plain)
    if quantized.status not in COMPLETE:
        return {"failed": quantized.complaint()}
    costs = {"seconds": round(quantized.seconds, 1), "peak_bytes": quantized.peak_bytes}
    command += [*LENIENT, "--verify", model.compared, "--toolkit", place.toolkit]
    judged = measure.run(command, folder / "judge.log", plain)
    if judged.status not in COMPLETE:
        return {**costs, "failed": judged.complaint()}
    return {**costs, **of_report(folder / "bundle/report.json", model.group)}
