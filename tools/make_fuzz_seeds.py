"""Writes the bundle that fuzzing begins with (tests/fuzz/bundle), and the baseline of it, anew: where a format has changed.

    python3 tools/make_fuzz_seeds.py --program target/release/autoneural

The smallest model that has everything: the definition and the recipe that the bundle holds, synthetic weights. It takes the
vendor toolkit. What fuzzing does not look into (quantized models, context binaries, all but two layers of each partition) is
left out, times are made the same, and JSON is written without spaces.
"""

import argparse
import hashlib
import json
import shutil
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

FUZZ = Path(__file__).resolve().parent.parent / "tests/fuzz"
BUNDLE = FUZZ / "bundle"
QUESTIONS = [
    {"use": "lamp", "images": ["photo.png"], "question": "Which?", "answer": "None"},
    {"use": "talk", "question": "Hi", "answer": "Yo"},
]


def picture(width=20, height=18):
    """A PNG of a few colours."""
    pixel = lambda x, y: bytes(((x * 7 + y * 3) & 255, (x * 5) & 255, (y * 9) & 255))
    rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(width)) for y in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def same_times(value):
    """Sets every time to the same."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(key, str) and "second" in key and isinstance(inner, (int, float)):
            value[key] = 0.1
        elif isinstance(inner, (dict, list)):
            same_times(inner)


def dense(value):
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def write_golden(folder):
    """Golden vectors, and some of their tensors: as they were kept, and as a host gives them, with one that differs."""
    record = json.loads((folder / "golden.json").read_text())
    (FUZZ / "corpus/golden/micro.json").write_bytes(dense(record))
    data = (folder / "tensors.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    infos = json.loads(data[8:start])
    header, body = {}, b""
    for name, info in infos.items():
        begin, end = info["data_offsets"]
        if name.startswith("simulated.") and end - begin < 600:
            own = bytearray(data[start + begin : start + end])
            own[0] ^= name.endswith("logits")
            for name, part in ((name, data[start + begin : start + end]), (name.removeprefix("simulated."), own)):
                header[name] = info | {"data_offsets": [len(body), len(body) + len(part)]}
                body += part
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    (FUZZ / "corpus/vectors/golden.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, required=True)
    program = parser.parse_args().program.resolve()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        run = lambda *args: subprocess.run([program, *args], cwd=work, check=True)
        shutil.copy(BUNDLE / "model/definition.toml", work / "micro.toml")
        shutil.copy(BUNDLE / "calibration/recipe.toml", work / "recipe.toml")
        (work / "set").mkdir()
        for place in (work, work / "set"):
            (place / "photo.png").write_bytes(picture())
        (work / "set/questions.jsonl").write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
        run("synth", "micro.toml", "--out", "ck")
        run("compile", "micro.toml", "--weights", "ck", "--calibration", "recipe.toml", "--target", "sa8295p", "--out", "out",
            "--layers", "npu")
        run("eval", "out", "--set", "set")
        run("gate", "out", "--baseline", "micro.json", "--update")
        manifest = json.loads((work / "out/manifest.json").read_text())
        shutil.rmtree(BUNDLE)
        for record in manifest["files"]:
            path = record["path"]
            if path.startswith(("qdq/", "golden/")) or path.endswith(".bin"):
                continue
            data = (work / "out" / path).read_bytes()
            if path == "report.json":
                report = json.loads(data)
                for partition in report["partitions"]:
                    partition["layers"] = partition["layers"][:2]
                same_times(report)
                data = dense(report)
            elif path.endswith(".json") and path != "model/tokenizer.json":
                data = dense(json.loads(data))
            record["bytes"], record["sha256"] = len(data), hashlib.sha256(data).hexdigest()
            (BUNDLE / path).parent.mkdir(parents=True, exist_ok=True)
            (BUNDLE / path).write_bytes(data)
        write_golden(work / "out/golden")
        same_times(manifest["stages"])
        (BUNDLE / "manifest.json").write_bytes(dense(manifest))
        shutil.copy(work / "micro.json", FUZZ / "corpus/baseline/micro.json")


if __name__ == "__main__":
    main()
