"""What a user would otherwise pick, on the same float model, the same samples and the same bits.

Their scripts are in `inside/`, and run in a Python with what tools/quality/requirements.txt names.
"""

import json
import pathlib
import shutil
import sys

import measure

INSIDE = pathlib.Path(__file__).resolve().parent / "inside"
# Beside the configuration for this NPU, AIMET has one for no chip in particular, which some take.
SCRIPTS = {
    "ONNX Runtime": ("ort_quantize.py", []),
    "AIMET": ("aimet_quantize.py", ["htp_v68"]),
    "AIMET, default": ("aimet_quantize.py", ["default"]),
    "AIMET, SeqMSE": ("aimet_quantize.py", ["htp_v68", "--seq-mse"]),
}


def script(place, name, *arguments):
    """A command that runs one of the scripts."""
    return [sys.executable, "-W", "ignore", INSIDE / name, *arguments]


def simplified(place, model, folder):
    """The model's file with its constants folded, or what went wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "simplified.onnx"
    command = script(place, "simplify.py", model.file, model.calibration, made)
    ran = measure.run(command, folder / "simplify.log", place.python)
    return (made, None) if ran.status == 0 else (None, ran.complaint())


def quantize(place, peer, source, reference, model, weights, folder):
    """One peer on one float file: its figures, or what went wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    name, more = SCRIPTS[peer]
    if model.language:
        more = [*more, "--language"]
    quantized = folder / "quantized.onnx"
    command = script(place, name, source, model.calibration, quantized, weights, *more)
    ran = measure.run(command, folder / "quantize.log", place.python)
    if ran.status != 0:
        return {"failed": ran.complaint()}
    costs = {"seconds": round(ran.seconds, 1), "peak_bytes": ran.peak_bytes}
    if model.language:
        command = script(place, "judge_language.py", reference, quantized, model.judge)
    else:
        command = script(place, "judge.py", reference, quantized, model.judge, folder / "context.onnx")
    judged = measure.run(command, folder / "judge.log", place.python)
    if judged.status != 0:
        return {**costs, "failed": judged.complaint()}
    return {**costs, **json.loads(judged.out.splitlines()[-1])}


def compare(place, peer, model, weights, folder, fused):
    """A peer on the model as it was exported. Where the NPU does not take what it makes, or the row says so, also on
    this program's float graph, in which spelled-out operators are one; the better of the two counts.

    `fused` is the float graph, or None; `on` of the result says which of the two its figure is of.
    """
    source, wrong = simplified(place, model, folder)
    found = quantize(place, peer, source, source, model, weights, folder / "exported") if source else {"failed": wrong}
    found["on"] = "its export"
    reached = lambda one: (one.get("npu") or {}).get("db", float("-inf"))
    if fused and source and (model.fuse_for_peers or "npu" not in found):
        other = quantize(place, peer, fused, source, model, weights, folder / "fused")
        other["on"] = "our float graph"
        if reached(other) > reached(found):
            found = other
    return found
