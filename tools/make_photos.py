#!/usr/bin/env python3
"""Remakes calibration/photos: the photographs that calibration/photos.toml uses, and their LICENSES.md.

    pip install -r tools/requirements.txt
    python tools/make_photos.py

The pictures come out of the Python packages scikit-image and scikit-learn, and of the Debian package
lomiri-wallpapers-16.04, which is fetched with `apt-get download` and unpacked into a temporary folder. Elsewhere than on
Debian, unpack the package and pass the folder that holds its pictures:

    python tools/make_photos.py --wallpapers path/to/usr/share/backgrounds

Each picture is scaled down so that its short side has at most 384 pixels, and saved as a JPEG of quality 88.
"""

import argparse
import subprocess
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageOps

OUT = Path(__file__).resolve().parent.parent / "calibration" / "photos"
SHORT_SIDE = 384
QUALITY = 88
MAX_BYTES = 80_000

SKIMAGE, SKLEARN, DEBIAN = "scikit-image", "scikit-learn", "lomiri-wallpapers-16.04"
FOLDERS = {SKIMAGE: ("skimage", "data"), SKLEARN: ("sklearn", "datasets/images")}

PUBLIC_DOMAIN = "Public domain"
CC0 = "[CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/)"
CC_BY_2 = "[CC BY 2.0](https://creativecommons.org/licenses/by/2.0/)"
CC_BY_4 = "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)"

# Name here, package, file in the package, author, licence.
PHOTOS = [
    ("astronaut", SKIMAGE, "astronaut.png", "NASA (Great Images database, <https://flic.kr/p/r9qvLn>)", PUBLIC_DOMAIN),
    ("brushes", DEBIAN, "Picture_1A_by_freespace.jpg", 'Trevor "Freespace"', CC_BY_4),
    ("cat", SKIMAGE, "chelsea.png", "Stefan van der Walt", CC0),
    ("coffee", SKIMAGE, "coffee.png", "Rachel Michetti (courtesy of Pikolo Espresso Bar)", CC0),
    (
        "dahlia",
        SKLEARN,
        "flower.jpg",
        "Flickr user vultilion, <https://www.flickr.com/photos/vultilion/6056698931/> "
        "(the package's README names danielbuechele beside this address)",
        CC_BY_2,
    ),
    ("dogs", DEBIAN, "friends_by_Aitzol_Berasategi.jpg", "Aitzol Berasategi", CC_BY_4),
    ("fig", DEBIAN, "Picture_0B_by_freespace.jpg", 'Trevor "Freespace"', CC_BY_4),
    ("mountains", DEBIAN, "picosdeeuropa_by_Aitzol_Berasategi.jpg", "Aitzol Berasategi", CC_BY_4),
    (
        "pagoda",
        SKLEARN,
        "china.jpg",
        "Flickr user danielbuechele, <https://www.flickr.com/photos/danielbuechele/6061409035/>",
        CC_BY_2,
    ),
    ("rocket", SKIMAGE, "rocket.jpg", "SpaceX, <https://www.flickr.com/photos/spacexphotos/16511594820/>", PUBLIC_DOMAIN),
    ("room", DEBIAN, "Wine_by_Jakkub_Mede.jpg", "Jakub Mede", CC_BY_4),
    ("sunset", DEBIAN, "sunset_by_Aitzol_Berasategi.jpg", "Aitzol Berasategi", CC_BY_4),
]

HEAD = f"""# Licences of the photographs

`tools/make_photos.py` made these files, and this one, from pictures in three packages. What was changed is the same for
all: scaled down to a short side of at most {SHORT_SIDE} pixels where it was longer, and saved as a JPEG of quality
{QUALITY} without metadata.

The packages state the licences here: `skimage/data/_fetchers.py` (scikit-image), `sklearn/datasets/images/README.txt`
(scikit-learn) and `/usr/share/doc/lomiri-wallpapers-16.04/copyright` (Debian).

| File | Package and file | Author | Licence | Change |
| --- | --- | --- | --- | --- |
"""


def package_folder(package):
    module, folder = FOLDERS[package]
    spec = find_spec(module)
    if spec is None:
        raise SystemExit(f"{package} is not installed: pip install -r tools/requirements.txt")
    return Path(spec.origin).parent / folder


def download_wallpapers(folder):
    """Fetches and unpacks the Debian package; returns the folder of its pictures."""
    subprocess.run(["apt-get", "download", DEBIAN], cwd=folder, check=True)
    (archive,) = Path(folder).glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
    return Path(folder) / "usr/share/backgrounds"


def convert(source, target):
    """Writes the photo; returns what was changed."""
    image = ImageOps.exif_transpose(Image.open(source)).convert("RGB")
    image.info.clear()
    before, scale = image.size, SHORT_SIDE / min(image.size)
    if scale < 1:
        image = image.resize([round(side * scale) for side in image.size], Image.Resampling.LANCZOS)
    image.save(target, "JPEG", quality=QUALITY, optimize=True)
    size = target.stat().st_size
    if size > MAX_BYTES:
        raise SystemExit(f"{target} has {size} bytes, more than {MAX_BYTES}")
    print(f"{size:>6} {image.width}x{image.height} {target.name}")
    if image.size == before:
        return "saved as JPEG"
    return f"scaled from {before[0]}x{before[1]} to {image.width}x{image.height}, saved as JPEG"


def main():
    parser = argparse.ArgumentParser(description="Remakes calibration/photos.")
    parser.add_argument("--wallpapers", type=Path, help=f"the pictures of {DEBIAN}, unpacked (default: fetch them)")
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folders = {package: package_folder(package) for package in FOLDERS}
        folders[DEBIAN] = arguments.wallpapers or download_wallpapers(temporary)
        # The Debian package's version is the one the pictures in the repository were made from.
        names = {package: f"{package} {version(package)} (PyPI)" for package in FOLDERS}
        names[DEBIAN] = f"{DEBIAN} 20.04.0-2 (Debian)"
        rows = []
        for name, package, file, author, licence in PHOTOS:
            change = convert(folders[package] / file, OUT / f"{name}.jpg")
            rows.append(f"| `{name}.jpg` | {names[package]}: `{file}` | {author} | {licence} | {change} |\n")
    (OUT / "LICENSES.md").write_text(HEAD + "".join(rows))


if __name__ == "__main__":
    main()
