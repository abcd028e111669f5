#!/usr/bin/env python3
"""Fidelity on the NPU's emulator beside that of other quantizers: the same float model, samples and bits; other samples
judge. Prints a table, and ends with status 1 if a goal is missed, with 2 if a row could not be run.

`make bench-quality` installs what it needs.
"""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import sys

import language
import ours
import peers
import rows
import table

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


@dataclasses.dataclass
class Place:
    """Where things are."""

    root: pathlib.Path
    program: pathlib.Path
    toolkit: pathlib.Path
    real: pathlib.Path
    work: pathlib.Path
    photos: pathlib.Path
    # Environment of the peers' scripts.
    python: dict


def say(text):
    print(f"{datetime.datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)


def folder_name(words):
    """Bits or a method as the name of a folder."""
    return words.replace("/", "-").replace(", ", "-").replace(" ", "-")


def measured(place, row):
    """One row: what is printed and written of it."""
    say(f"{row.name} {row.bits}: the model")
    model = row.make(place)
    folder = place.work / row.name / folder_name(row.bits)
    made = {"name": row.name, "bits": row.bits, "note": row.note, "ours": {}, "peers": {}}
    made |= {"least_db": row.least_db, "most_bits": row.most_bits, "most_percent": row.most_percent}
    made["most_of_peer"] = row.most_of_peer
    fused = None

    def keep(where, name, found):
        made[where][name] = found
        words = found.get("failed") or found.get("refused") or table.figure(found)
        say(f"{row.name} {row.bits}: {name}: {words}")

    for name, recipe in row.methods:
        of_method = folder / folder_name(name)
        if model.language:
            keep("ours", name, language.compare(place, row.name, model, recipe, of_method, name in row.emulated))
            continue
        keep("ours", name, ours.compile_model(place, model, recipe, of_method))
        if fused is None:
            fused = next((of_method / "bundle/model").glob("[!.]*.onnx"), None)
    for name in row.peers:
        of_peer = folder / folder_name(name)
        keep("peers", name, peers.compare(place, name, model, row.weights, of_peer, fused))
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="only these models")
    parser.add_argument("--list", action="store_true", help="name the rows, and end")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target/release/autoneural")
    parser.add_argument("--vendor", type=pathlib.Path, default=ROOT / ".vendor", help="what was installed")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "out/quality", help="models and bundles")
    given = parser.parse_args()
    if given.list:
        print("\n".join(f"{row.name:<22} {row.bits:<8} {row.note}" for row in rows.ROWS))
        return 0
    unknown = set(given.rows or ()) - {row.name for row in rows.ROWS}
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; --list names them")
    python = {**os.environ, "PYTHONPATH": f"{given.vendor / 'quality'}:{given.vendor / 'toolkit'}"}
    place = Place(
        ROOT, given.program.resolve(), given.vendor / "toolkit", given.vendor / "real-models", given.work.resolve(),
        ROOT / "calibration/photos", python,
    )
    done, broken = [], []
    for row in rows.ROWS:
        if given.rows and row.name not in given.rows:
            continue
        try:
            done.append(measured(place, row))
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            broken.append(f"{row.name} {row.bits}: {error}")
            say(f"not measured: {broken[-1]}")
        if given.json:
            given.json.write_text(json.dumps({"rows": done, "broken": broken}, indent=2) + "\n", encoding="utf-8")
    lines, status = table.report(done, broken)
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
