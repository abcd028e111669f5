"""Models of the rows: their float files and samples, made where they are not there yet."""

import dataclasses
import pathlib

import measure
import peers


@dataclasses.dataclass
class Model:
    """A float model with the samples that calibrate and the others that judge."""

    file: pathlib.Path
    calibration: pathlib.Path | None
    judge: pathlib.Path | None
    # Further arguments of `compile`.
    options: tuple = ()
    # Whether peers also get the graph whose normalizations are one operator, though the NPU takes their own.
    fuse_for_peers: bool = False
    # The group that methods are about; None: that of an ONNX file, which has its name.
    group: str | None = None
    # What is compared with float, as `--verify` takes it.
    compared: str = "all"
    # Other groups and samples of a model that takes words, as the end of its recipe, and the folder `photos` beside it.
    rest: str | None = None
    photos: pathlib.Path | None = None
    # Whether it is a language model, which is judged by how likely it finds prose.
    language: bool = False


def trained(name, *options, fuse_for_peers=False):
    """One that `make real-models` made."""
    def make(place):
        folder = place.real
        files = (folder / f"{name}.{end}" for end in ("onnx", "npz", "judge.npz"))
        return Model(*files, options, fuse_for_peers)

    return make


def exported(name, fuse_for_peers=False):
    """One that inside/export_models.py writes."""
    def make(place):
        folder = place.work / "models" / name
        if not (folder / "done").exists():
            command = peers.script(place, "export_models.py", name, place.photos, folder)
            ran = measure.run(command, place.work / "logs" / f"export-{name}.log", place.python)
            if ran.status != 0:
                raise RuntimeError(f"{name} was not exported: {ran.complaint()}")
            (folder / "done").touch()
        files = (folder / f"{part}" for part in ("model.onnx", "calibration.npz", "judge.npz"))
        return Model(*files, fuse_for_peers=fuse_for_peers)

    return make
