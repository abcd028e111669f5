"""Models from checkpoints: vision encoders of a definition, with weights that the program makes up or that it ships."""

import re

import measure
import models
import peers

# A vision encoder stands in a model with words. What they are read with is as small as it can be.
LANGUAGE = """[language]
family = "lfm2"
vocabulary = 768
hidden = 128
feed_forward = 256
layers = ["conv", "attention"]
heads = 4
kv_heads = 2
head_dim = 32
conv_kernel = 3
rope_theta = 1000000.0
norm_eps = 1e-5
tied_embeddings = true
context = 512
prefill = 64

[language.tokens]
bos = 1
eos = 2
image = 4
"""

# The other groups of such a model, and its samples. Photographs as a user has them.
REST = """
[recipe.projector]
weights = "int8"
activations = "uint16"
observer = "min-max"
[recipe.language]
weights = "int8"
activations = "uint16"
observer = "min-max"
[[calibration]]
image = "photos/astronaut.jpg"
text = "Who?"
[[calibration]]
image = "photos/cat.jpg"
text = "Who?"
[[calibration]]
image = "photos/coffee.jpg"
text = "Who?"
[[calibration]]
image = "photos/pagoda.jpg"
text = "Who?"
[[verification]]
image = "photos/rocket.jpg"
text = "Who?"
"""


def made_up(name, pixels):
    """The vision encoder of a definition at another size of pictures, with weights as `synth` makes them (seed 0)."""
    def make(place):
        folder = place.work / "models" / f"{name}-{pixels}"
        folder.mkdir(parents=True, exist_ok=True)
        text = (place.root / f"graphs/{name}.toml").read_text(encoding="utf-8")
        text = text[: text.index("[language]\n")].replace('head = ["language_model.output.weight"]\n', "") + LANGUAGE
        text = re.sub(r"image_size = \d+", f"image_size = {pixels}", text)
        # The grid of visual tokens is no finer than the picture's own.
        text = re.sub(r"output_resolution = \d+", f"output_resolution = {pixels // 16}", text)
        definition = folder / "model.toml"
        definition.write_text(text, encoding="utf-8")
        weights = folder / "weights"
        if not (weights / "synth.json").exists():
            ran = measure.run([place.program, "synth", definition, "--out", weights], folder / "synth.log")
            if ran.status != 0:
                raise RuntimeError(f"{name}: no weights: {ran.complaint()}")
        return models.Model(
            definition, None, None, ("--weights", weights), group="vision", compared="vision", rest=REST,
            photos=place.photos,
        )

    return make


def demonstration(place):
    """The vision encoder of AutoNeural-Tiny, trained in float, as ONNX, with pictures: 64 calibrate, 24 others judge."""
    folder = place.work / "models/autoneural-tiny"
    bundle, calibration, judge = folder / "bundle", folder / "calibration.npz", folder / "judge.npz"
    if not judge.exists():
        demo, checkpoint = place.root / "calibration/demo.toml", place.root / "models/autoneural-tiny-float"
        command = [place.program, "export", place.root / "graphs/autoneural-tiny.toml", "--weights", checkpoint]
        ran = measure.run([*command, "--target", "sa8295p", "--out", bundle], folder / "export.log")
        if ran.status != 0:
            raise RuntimeError(f"autoneural-tiny was not exported: {ran.complaint()}")
        pictures = sorted((demo.parent / "demo").glob("*.png"))[:64]
        others = sorted((demo.parent / "demo-eval/images").glob("*.png"))[:24]
        for out, files in ((calibration, pictures), (judge, others)):
            command = peers.script(place, "pictures.py", bundle / "model/vision.onnx", out, *files)
            ran = measure.run(command, folder / "pictures.log", place.python)
            if ran.status != 0:
                raise RuntimeError(f"no pictures: {ran.complaint()}")
    return models.Model(bundle / "model/vision.onnx", calibration, judge, ("--samples", "64"))
