"""The rows: models, bits, methods, peers, and what is to be reached on the NPU."""

import dataclasses
import typing

import definitions
import language
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
# What `autoneural tune --budget-mb 3.18` chooses from the calibration samples alone. Depthwise convolutions keep 8 bits by
# themselves.
EIGHT = ("_conv_stem", *(f"_blocks.{at}." for at in (*range(6), 8, 11, 15)))
BLOCKS = ours.recipe(
    [(f"{layer}*", "int8") for layer in EIGHT],
    weights="int4 in blocks of 16", rounding="qronos", **CALIBRATED,
)
ROTATED = ("qronos, rotated", {"rounding": "qronos", "equalize": {"method": "hadamard"}})
# The same numbers in a form for which the NPU keeps sums finer.
SHARED = ("the same, in blocks that share scales", {
    **ROTATED[1], "weights": "int4 in blocks of 64", "block_scales": "shared",
})
SMOOTH = ours.recipe(equalize={"method": "smooth-quant", "alpha": 0.5}, **CALIBRATED)
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
    # Least figure of the best method on the NPU in dB; None: that of the better peer.
    least_db: float | None = None
    # Most that perplexity may be above that of float on the NPU, in per cent; only of language models.
    most_percent: float | None = None
    # The same as a share of what the better peer is above float, which is simulated.
    most_of_peer: float | None = None
    # Methods of a language model that run on the NPU's emulator, too: those that count, since each takes minutes.
    emulated: tuple = ()
    # Most bits of a weight on average, of integers without their scales.
    most_bits: float | None = None
    note: str = ""


def prose(bits, weights, most_percent, *methods, more_peers=(), most_of_peer=None):
    """SmolLM2-135M, judged by how likely it finds prose. The last method counts: that the rotation pays was seen on
    windows 60 to 66, which judge nothing. Peers are simulated, and all but AIMET's configuration for this NPU keep keys
    and values in 16 bits: both favour them."""
    made = tuple((name, language.recipe(**{"weights": weights, **keys})) for name, keys in methods)
    return Row(
        "smollm2-135m", bits, language.model("smollm2-135m", "smollm2"), made, (*PEERS, "AIMET, default", *more_peers),
        weights, most_percent=most_percent, most_of_peer=most_of_peer, emulated=(methods[-1][0],),
        note="weights that were in 4 bits before; perplexity, peers simulated",
    )


def imported(name, note, fuse_for_peers=False):
    """A network with drawn weights: what a user gets who gives no recipe, against the peers."""
    return Row(name, "W8A16", models.exported(name, fuse_for_peers), note=note)


def trained(name, *options, fuse_for_peers=False):
    return Row(name, "W8A16", models.trained(name, *options, fuse_for_peers=fuse_for_peers), note="trained weights")


ROWS = (
    Row(
        "efficientnet_lite0", "W8A16", models.trained("efficientnet_lite0"), METHODS, least_db=33.0,
        note="trained weights",
    ),
    Row(
        "efficientnet_lite0", "W4/W8A16", models.trained("efficientnet_lite0"),
        (("qronos, blocks of 16", BLOCKS),), weights="int4", least_db=20.0, most_bits=5.0,
        note="trained weights; peers W4A16",
    ),
    trained("ppocr_det", "--shape", "1,3,320,320"),
    trained("ppocr_rec", "--shape", "1,3,48,320"),
    trained("ppocr_cls", "--shape", "1,3,48,192"),
    # Its mask adds the lowest float, which leaves a quantizer by ranges nothing; our graph adds less.
    trained("minilm", fuse_for_peers=True),
    *(imported(name, "drawn weights, 128 px") for name in (
        "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "convnext_tiny", "resnet50", "shufflenet_v2",
        "densenet121", "deeplabv3_mobilenet", "vit_small", "mobilenetv4",
    )),
    imported("llama", "drawn weights, 2 layers, 32 tokens"),
    Row(
        "autoneural-tiny", "W8A16", definitions.demonstration,
        (DEFAULT, *(
            (name, ours.recipe(**keys, **CALIBRATED)) for name, keys in (
                ("gptq", {"rounding": "gptq"}), ("qronos", {"rounding": "qronos"}),
                ("nearest, products split", {"products": "split"}),
                ("qronos, products split", {"rounding": "qronos", "products": "split"}),
            )
        )),
        least_db=50.0, note="trained in float, vision encoder, calibrated",
    ),
    # AIMET's SeqMSE takes most of an hour of processor time.
    prose(
        "W4A16 KV8", "int4", 35.0, ("nearest", {}), ("qronos", {"rounding": "qronos"}), ROTATED, SHARED,
        more_peers=("AIMET, SeqMSE",), most_of_peer=0.5,
    ),
    prose("W4A16 KV8, blocks", "int4 in blocks of 32", 10.0, ("qronos", {"rounding": "qronos"}), ROTATED),
    Row(
        "mobilenetv5", "W8A16", models.exported("mobilenetv5", fuse_for_peers=True), (DEFAULT, METHODS[3]),
        ("ONNX Runtime", "AIMET", "AIMET, default"), least_db=35.0,
        note="300M, timm's weights of seed 0, 256 px, 2 pictures",
    ),
    *(Row(
        f"{name}-vision", "W8A16", definitions.made_up(name, pixels),
        (
            METHODS[0], ("corrected biases and room", ours.recipe(**CALIBRATED)), ("smooth-quant", SMOOTH),
            ("cross-layer", ours.recipe(equalize={"method": "cross-layer"}, **CALIBRATED)),
            ("4 bits", ours.recipe(weights="int4", **CALIBRATED)),
            ("4 bits in blocks of 32", ours.recipe(weights="int4 in blocks of 32", **CALIBRATED)),
        ), (),
        note=f"synthetic weights, {pixels} px",
    ) for name, pixels in (("autoneural-vl-1.5b", 128), ("internvl2-2b", 112))),
)
