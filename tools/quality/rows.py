"""The rows: models, bits, methods, peers, and what is to be reached on the NPU."""

import dataclasses
import typing

import models
import ours

CALIBRATED = {"bias_correction": True, "headroom": 0.25}
DEFAULT = ("default recipe", None)
METHODS = (
    ("nearest", ours.recipe()),
    DEFAULT,
    ("gptq", ours.recipe(rounding="gptq", **CALIBRATED)),
    ("qronos", ours.recipe(rounding="qronos", **CALIBRATED)),
)
PEERS = ("ONNX Runtime", "AIMET")


@dataclasses.dataclass
class Row:
    """One model at stated bits."""

    name: str
    bits: str
    make: typing.Callable
    # (name, recipe or None for what the program takes by itself)
    methods: tuple = (DEFAULT,)
    peers: tuple = PEERS
    # Bits of the peers' weights, as their scripts call them.
    weights: str = "int8"
    # Least figure of the best method on the NPU in dB; None: that of the better peer, by the first method.
    least_db: float | None = None
    note: str = ""


def imported(name, note, fuse_for_peers=False):
    """A network with drawn weights: what a user gets who gives no recipe, against the peers."""
    return Row(name, "W8A16", models.exported(name, fuse_for_peers), note=note)


def trained(name, *options):
    return Row(name, "W8A16", models.trained(name, *options), note="trained weights")


ROWS = (
    Row("efficientnet_lite0", "W8A16", models.trained("efficientnet_lite0"), METHODS, least_db=33.0, note="trained weights"),
    trained("ppocr_det", "--shape", "1,3,320,320"),
    trained("ppocr_rec", "--shape", "1,3,48,320"),
    trained("ppocr_cls", "--shape", "1,3,48,192"),
    trained("minilm"),
    *(imported(name, "drawn weights, 128 px") for name in (
        "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "convnext_tiny", "resnet50", "shufflenet_v2",
        "densenet121", "deeplabv3_mobilenet", "vit_small", "mobilenetv4",
    )),
    imported("llama", "drawn weights, 2 layers, 32 tokens", True),
)
