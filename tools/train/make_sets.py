#!/usr/bin/env python3
"""Writes the sample sets of AutoNeural-Tiny; their seeds differ from that of training.

  calibration/demo.toml, calibration/demo/      pictures and conversations for calibration, the precision of each part,
                                                and samples for verification
  calibration/demo-eval/                        the test set: questions.jsonl and its pictures

    python tools/train/make_sets.py
"""

import json
import shutil

import numpy as np

from data import CALIBRATE, TEST
from questions import ask_about, ask_about_two
from root import ROOT
from scenes import USES, draw_scene

CALIBRATION_PICTURES, CALIBRATION_PAIRS, VERIFY_PICTURES = 64, 16, 4
# For each use: pictures, questions about one of them, questions about two.
PICTURES, SINGLE, PAIRS = 40, 100, 30

HEAD = """# Calibration of AutoNeural-Tiny, and the precision of each part. Made by tools/train/make_sets.py.
# Image paths are relative to this file. Samples go through the chat template of the checkpoint.
schema = 2
name = "demo"
# Tokens decoded after each prompt while ranges are observed / results are compared.
decode_steps = 12

[recipe.vision]
weights = "int8"
activations = "uint16"
observer = "min-max"
headroom = 0.25
products = "split"
gelu = "spelled"

[recipe.projector]
weights = "int8"
activations = "uint16"
observer = "min-max"

[recipe.language]
weights = "int4 in blocks of 64"
activations = "uint16"
kv_cache = "uint8"
head = "int8"
observer = "min-max"

# What is good enough, on the NPU: SQNR of outputs in dB (25 dB is an error of 6 %), and of whole sequences.
[goal.sqnr_db]
"*" = 25
"vision/features" = 40

[goal.sequences]
logits_sqnr_db = 25
same_token_percent = 98
"""


def picture_and_facts(seed, use, number):
    return draw_scene(use, np.random.default_rng([seed, USES.index(use), number]))


def asking(asked, images):
    """A sample in TOML: pictures and a first question, answers and further questions. The model says what comes next."""
    image = json.dumps(images if len(images) > 1 else images[0])
    if len(asked) == 1:
        return f"image = {image}\nprompt = {json.dumps(asked[0][0])}\n"
    turns = [f'{{ role = "user", image = {image}, content = {json.dumps(asked[0][0])} }}']
    for (_, answer), (question, _) in zip(asked, asked[1:]):
        turns.append(f'{{ role = "assistant", content = {json.dumps(answer)} }}')
        turns.append(f'{{ role = "user", content = {json.dumps(question)} }}')
    return "messages = [\n" + "".join(f"  {turn},\n" for turn in turns) + "]\n"


def calibration(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lines, shown = [HEAD], []

    def add(kind, images, asked):
        lines.append(f"[[{kind}]]\n" + asking(asked, [f"{folder.name}/{name}" for name in images]))

    for number in range(CALIBRATION_PICTURES + VERIFY_PICTURES):
        use = USES[number % len(USES)]
        picture, facts = picture_and_facts(CALIBRATE, use, number)
        shown.append((f"{number:02}-{use}.png", facts))
        picture.save(folder / shown[-1][0], optimize=True)
        random = np.random.default_rng([CALIBRATE, 99, number])
        verify = number >= CALIBRATION_PICTURES
        add("verification" if verify else "calibration", [shown[-1][0]], ask_about(random, facts, 1 if verify else 3))
    for number in range(CALIBRATION_PAIRS):
        # Of one use: it changes from picture to picture.
        (a, first), (b, second) = shown[number], shown[number + len(USES)]
        random = np.random.default_rng([CALIBRATE, 98, number])
        add("calibration", [a, b], ask_about_two(random, first, second, 3))
    folder.with_suffix(".toml").write_text("\n".join(lines))


def test(folder):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    lines = []

    def add(use, images, question, answer):
        lines.append({"use": use, "images": [f"images/{name}.png" for name in images], "question": question, "answer": answer})

    for use in USES:
        shown = [picture_and_facts(TEST, use, number) for number in range(PICTURES)]
        names = [f"{use}-{number:02}" for number in range(PICTURES)]
        for name, (picture, _) in zip(names, shown):
            picture.save(folder / "images" / f"{name}.png", optimize=True)
        random = np.random.default_rng([TEST, 99, USES.index(use)])
        each = [ask_about(random, facts, -(-SINGLE // PICTURES)) for _, facts in shown]
        for number in range(SINGLE):
            add(use, [names[number % PICTURES]], *each[number % PICTURES][number // PICTURES])
        for _ in range(PAIRS):
            a, b = (int(k) for k in random.permutation(PICTURES)[:2])
            add(use, [names[a], names[b]], *ask_about_two(random, shown[a][1], shown[b][1], 1)[0])
    # Mixed, so that the first N questions are a fair part.
    order = np.random.default_rng([TEST, 100]).permutation(len(lines))
    text = "".join(json.dumps(lines[k], ensure_ascii=False) + "\n" for k in order)
    (folder / "questions.jsonl").write_text(text)


if __name__ == "__main__":
    calibration(ROOT / "calibration" / "demo")
    test(ROOT / "calibration" / "demo-eval")
