"""Writes tests/fixtures/pictures: odd pictures, and what transformers makes of them, by Pillow 13 and transformers 5.

Run from the project's folder with Pillow, NumPy and transformers; PyTorch is not needed. The expected pixels are those
before they are divided by 255: beside each picture NAME.EXT lies NAME.EXT.expected.png, above by the bilinear filter,
below by the bicubic one.
"""

import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms
from transformers.image_utils import load_image
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

FOLDER = pathlib.Path("tests/fixtures/pictures")
SIDE = 32
BILINEAR, BICUBIC = 2, 3


def scene(width, height):
    """Smooth colours with edges, different in every corner."""
    y, x = np.mgrid[0:height, 0:width]
    x, y = x / width, y / height
    red = 40 + 200 * x * y + 15 * np.sin(9 * x)
    green = 230 - 180 * y + 20 * np.cos(7 * x * y)
    blue = 60 + 150 * (x - y) ** 2
    made = np.stack([red, green, blue], axis=-1)
    made[(x < 0.3) & (y < 0.2)] = [250, 240, 20]
    made[(x > 0.8) & (abs(y - 0.5) < 0.1)] = [10, 20, 120]
    return np.clip(made, 0, 255).astype("u1")


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(name, size, depth, color, rows, extra=b"", interlace=0):
    """A PNG of a kind that Pillow does not write."""
    head = struct.pack(">IIBBBBB", *size, depth, color, 0, 0, interlace)
    parts = [chunk(b"IHDR", head), extra, chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b"")]
    (FOLDER / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def wide(values):
    """16 bits whose lower half is something else than the upper."""
    upper = values.astype(">u2")
    return (upper * 256 + (255 - upper)).astype(">u2")


def write_pngs():
    for name, size in [("wide", (150, 20)), ("tall", (20, 150)), ("tower", (70, 300)), ("native", (SIDE, SIDE))]:
        Image.fromarray(scene(*size)).save(FOLDER / f"{name}.png", optimize=True)
    pixels = scene(57, 43)
    picture = Image.fromarray(pixels)
    size = picture.size
    transparency = Image.fromarray(255 - pixels[..., 0])
    for mode in ["1", "L", "LA", "RGBA", "P"]:
        made = picture.convert(mode)
        if mode in ("LA", "RGBA"):
            made.putalpha(transparency)
        made.save(FOLDER / f"mode-{mode}.png", **({"transparency": 3} if mode == "P" else {}), optimize=True)
    filtered = lambda rows: b"".join(b"\0" + row.tobytes() for row in rows)
    grey = pixels[..., 1]
    png("rgb16.png", size, 16, 2, filtered(wide(pixels)))
    png("rgba16.png", size, 16, 6, filtered(wide(np.dstack([pixels, grey]))))
    png("la16.png", size, 16, 4, filtered(wide(np.dstack([grey, pixels[..., 0]]))))
    png("grey16.png", size, 16, 0, filtered(wide(grey)))
    grey2 = grey >> 6
    packed = [np.packbits(np.unpackbits(row[:, None], axis=1)[:, 6:].ravel()) for row in grey2]
    png("grey2.png", size, 2, 0, filtered(packed))
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    png("interlaced.png", size, 8, 2, b"".join(filtered(pixels[y::dy, x::dx]) for x, y, dx, dy in passes), interlace=1)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    notes = chunk(b"gAMA", struct.pack(">I", 200_000)) + chunk(b"iCCP", b"a\0\0" + zlib.compress(profile))
    png("gamma.png", size, 8, 2, filtered(pixels), notes + chunk(b"tRNS", struct.pack(">HHH", *map(int, pixels[0, 0]))))


def write_jpegs():
    pixels = scene(83, 61)
    picture = Image.fromarray(pixels)
    common = {"quality": 95, "optimize": True}
    kinds = {
        "420": {"subsampling": "4:2:0"},
        "422-restarts": {"subsampling": "4:2:2", "restart_marker_blocks": 5},
        "444": {"subsampling": "4:4:4"},
        "progressive": {"subsampling": "4:2:0", "progressive": True},
        "progressive-restarts": {"subsampling": "4:4:4", "progressive": True, "restart_marker_blocks": 3},
    }
    for name, options in kinds.items():
        picture.save(FOLDER / f"{name}.jpg", **common, **options)
    picture.convert("L").save(FOLDER / "grey.jpg", **common)
    inks = picture.convert("CMYK")
    inks.save(FOLDER / "cmyk.jpg", **common, subsampling=0)
    # As above, with the colours turned into luma and chroma and the mark that says so.
    inks = np.array(inks)
    luma = np.array(Image.fromarray(inks[..., :3]).convert("YCbCr"))
    stored = Image.frombytes("CMYK", picture.size, (255 - np.dstack([luma, 255 - inks[..., 3]])).tobytes())
    stored.save(FOLDER / "ycck.jpg", **common, subsampling=0)
    marked = bytearray((FOLDER / "ycck.jpg").read_bytes())
    marked[marked.index(b"Adobe") + 11] = 2
    (FOLDER / "ycck.jpg").write_bytes(marked)


def write_turned():
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        picture = Image.fromarray(scene(40, 24))
        picture.save(FOLDER / f"turned-{turn}.png", exif=exif, optimize=True)
        picture.save(FOLDER / f"turned-{turn}.jpg", exif=exif, quality=95, subsampling=0)


def expected(path, resample):
    # Pictures of a conversation are made RGB as they are read, and so without their transparency. A processor that is
    # asked to do that again paints one transparent colour of a palette white.
    processor = SiglipImageProcessorPil(
        size={"height": SIDE, "width": SIDE},
        resample=resample,
        do_convert_rgb=False,
        do_rescale=False,
        do_normalize=False,
    )
    picture = load_image(str(path))
    if path.name == "grey16.png":
        # Pillow makes white of everything above 255.
        grey = np.array(Image.open(path)) >> 8
        picture = Image.fromarray(grey.astype("u1")).convert("RGB")
    made = np.asarray(processor(picture)["pixel_values"][0])
    return made.transpose(1, 2, 0).astype("u1")


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.iterdir():
        path.unlink()
    write_pngs()
    write_jpegs()
    write_turned()
    for path in sorted(FOLDER.iterdir()):
        made = np.concatenate([expected(path, BILINEAR), expected(path, BICUBIC)])
        Image.fromarray(made).save(f"{path}.expected.png", optimize=True)


if __name__ == "__main__":
    main()
