#!/usr/bin/env python3
"""Trains AutoNeural-Tiny (graphs/autoneural-tiny.toml) on rendered cockpit scenes.

    pip install -r tools/requirements.txt
    python tools/train/train.py --work out/train

Two lessons stand in for the pretrained parts that a large model starts from: `seeing` (the vision encoder names the facts
of scenes through attentive heads) and `reading` (the language model answers from facts in words). Then the four stages of the
AutoNeural paper (arXiv 2512.02924): the projector alone (and `connecting`: with the language model, while the vision encoder
stays as it is and sees each scene of an album once); everything on visual questions; instructions with several turns
and two pictures; the domain with quantization-aware training. Each stage goes on where it was stopped; a finished one is
not done again. Afterwards tools/train/export.py writes the checkpoint.

A GPU is used where there is one.
"""

import argparse
import math
import time
import tomllib
from pathlib import Path

import numpy as np
import torch

from data import TRAIN, Album, AlbumConversations, Conversations, Scenes, collate, open_tokenizer
from model import Tiny, answer_loss, fuse_norms
from muon import Muon
from quantized import Quantized
from root import ROOT
from seeing import CLASSES, Heads, labels, loss_and_hits

# The language model learns to read with its first layers; the others are added afterwards.
READING_LAYERS = 4
# Cabin, sign, cluster, screen: more of what is harder to learn, the digits on signs most of all.
USE_CHANCES = [0.2, 0.35, 0.2, 0.25]
# Steps, batch, peak learning rate; where conversations begin in the stream of the training seed; chances of the kinds
# (single, pair, later, caption, pair caption) and turns of a conversation.
STAGES = {
    "seeing": dict(steps=3700, batch=32, rate=1.5e-3, after=None),
    "reading": dict(steps=2200, batch=24, rate=2e-3, after=None, first=0, chances=[0.6, 0.4, 0, 0, 0], turns=4, words=True, layers=READING_LAYERS),
    "projector": dict(steps=250, batch=24, rate=2e-3, after=["seeing", "reading"], first=1_000_000, chances=[0, 0, 0, 1, 0], turns=2, album=True),
    "connecting": dict(steps=4400, batch=12, rate=3e-3, after=["projector"], first=6_000_000, chances=[0.2, 0.1, 0.1, 0.3, 0.3], turns=5, album=True),
    "everything": dict(steps=3000, batch=12, rate=1.5e-3, after=["connecting"], first=2_000_000, chances=[0.4, 0.15, 0.1, 0.2, 0.15], turns=4),
    "instructions": dict(steps=7000, batch=12, rate=1.5e-3, after=["everything"], first=3_000_000, chances=[0.4, 0.25, 0.15, 0.1, 0.1], turns=4, uses=USE_CHANCES),
    "domain": dict(steps=900, batch=12, rate=1e-3, after=["instructions"], first=4_000_000, chances=[0.3, 0.35, 0.15, 0, 0.2], turns=4, uses=USE_CHANCES, quantized=True),
}
SAVE_EVERY = 100
ALBUM = 24_000


def with_labels(items):
    pictures, facts = zip(*items)
    return torch.stack(pictures), torch.tensor([labels(f) for f in facts])


def parts_of(model, name):
    """The parameters a stage trains."""
    if name == "seeing":
        return list(model.vision.parameters()) + list(model.heads.parameters())
    if name == "reading":
        return list(model.language.parameters())
    if name == "projector":
        return list(model.projector.parameters())
    if name == "connecting":
        return list(model.projector.parameters()) + list(model.language.parameters())
    return [p for part in (model.vision, model.projector, model.language) for p in part.parameters()]


def learning_rate(step, steps, peak):
    """Linear warm-up over the first 3 %, then a cosine down to 2 %."""
    warm = max(1, steps * 3 // 100)
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))))


def start(name, stage, config, work, device):
    """The model as the stages before it left it."""
    torch.manual_seed(0)
    model = Tiny(config, stage.get("layers"))
    fuse_norms(model.vision)
    if name != "reading":
        model.grow(READING_LAYERS)
    if name == "seeing":
        model.heads = Heads(config["vision"]["msfa"]["channels"])
    for before in stage["after"] or []:
        path = work / f"{before}.pt"
        if not path.exists():
            raise SystemExit(f"{path} is missing: run the stage `{before}` first")
        saved = torch.load(path, weights_only=True, map_location="cpu")["model"]
        wanted = {"seeing": "vision.", "reading": "language."}.get(before, "")
        part = {k: v for k, v in saved.items() if k.startswith(wanted) and not k.startswith("heads.")}
        missing = model.load_state_dict(part, strict=False)
        assert not missing.unexpected_keys, missing
    if name == "projector":
        model.center(torch.stack([Scenes(0, 256)[k][0] for k in range(256)]))
    if stage.get("quantized"):
        model.fold_center()
        model = Quantized(model)
    return model.to(device)


class Optimizer:
    """Muon for the matrices inside the language model and the projector and for the vision encoder's convolutions that mix
    channels; AdamW for all else.

    Muon needs a fraction of the steps here. Its updates are scaled to the size of AdamW's, so that one learning rate serves
    both.
    """

    def __init__(self, model, groups, rate):
        inner = [p for part in (model.language.model.layers, model.projector) for p in part.parameters() if p.ndim == 2]
        mixing = [p for p in model.vision.parameters() if p.ndim == 4 and p.shape[1] > 1]
        orthogonal = {id(p) for p in inner + mixing}
        taken = [p for group in groups for p in group["params"] if id(p) in orthogonal]
        for group in groups:
            group["params"] = [p for p in group["params"] if id(p) not in orthogonal]
        self.parts = [torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))]
        if taken:
            self.parts.append(Muon([dict(params=taken, scale=1.0)], lr=rate))

    def set_rate(self, rate):
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = group["scale"] * rate

    def zero_grad(self):
        [part.zero_grad(set_to_none=True) for part in self.parts]

    def step(self):
        [part.step() for part in self.parts]

    def state_dict(self):
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states):
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def run_stage(name, config, work, device, tokenizer, workers, batches):
    stage = STAGES[name]
    done, saved_at = work / f"{name}.pt", work / f"{name}.partial.pt"
    if done.exists():
        print(f"{name}: done before", flush=True)
        return
    model = start(name, stage, config, work, device)
    plain = model.model if stage.get("quantized") else model
    trained = parts_of(plain, name)
    for parameter in plain.parameters():
        parameter.requires_grad_(False)
    for parameter in trained:
        parameter.requires_grad_(True)
    heads = list(model.heads.parameters()) if name == "seeing" else []
    decayed = [p for p in trained if p.ndim > 1 and all(p is not h for h in heads)]
    others = [p for p in trained if p.ndim <= 1 and all(p is not h for h in heads)]
    groups = [dict(params=decayed, weight_decay=0.02, scale=1.0), dict(params=others, weight_decay=0.0, scale=1.0)]
    groups.append(dict(params=heads, weight_decay=0.0, scale=1.0))
    if stage.get("quantized"):
        groups.append(dict(params=list(model.ranges()), weight_decay=0.0, scale=2.0))
    optimizer = Optimizer(plain, groups, stage["rate"])
    step, seconds = 0, 0.0
    if saved_at.exists():
        saved = torch.load(saved_at, weights_only=True, map_location=device)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, seconds = saved["step"], saved["seconds"]
    left, batch = stage["steps"] - step, batches * stage["batch"]
    if name == "seeing":
        data = Scenes(step * batch, left * batch)
    elif stage.get("album"):
        data = AlbumConversations(
            tokenizer, Album(work / "album.pt", model, ALBUM, workers), stage["first"] + step * batch, left * batch, stage["chances"], stage["turns"],
            config["vision"]["msfa"]["output_resolution"] ** 2,
        )  # fmt: skip
    else:
        words = stage.get("words", False)
        data = Conversations(
            tokenizer, TRAIN, stage["first"] + step * batch, left * batch, stage["chances"], stage["turns"], words,
            config["vision"]["msfa"]["output_resolution"] ** 2, stage.get("uses"),
        )  # fmt: skip
    loader = torch.utils.data.DataLoader(
        data, batch_size=batch, num_workers=workers, prefetch_factor=8,
        collate_fn=with_labels if name == "seeing" else collate,
    )  # fmt: skip
    model.train()
    begun, lately = time.time(), []
    for items in loader:
        optimizer.set_rate(learning_rate(step, stage["steps"], stage["rate"]))
        if name == "seeing":
            images, wanted = (item.to(device) for item in items)
            loss, hits = loss_and_hits(model.heads(model.see(images)), wanted)
            right = sum(r for r, _ in hits) / sum(n for _, n in hits)
        else:
            ids, marks, images = items
            ids, marks = ids.to(device), marks.to(device)
            logits = model(ids, None if images is None else images.to(device))
            loss, said = answer_loss(logits, ids, marks)
            right = float(said.float().mean())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        step += 1
        lately = (lately + [(loss.item(), right)])[-50:]
        if step % 50 == 0 or step == stage["steps"]:
            mean = np.mean(lately, axis=0)
            spent = seconds + time.time() - begun
            print(f"{name} {step}/{stage['steps']}: loss {mean[0]:.4f}, right {mean[1]:.4f}, {spent:.0f} s", flush=True)
        if step % SAVE_EVERY == 0 or step == stage["steps"]:
            state = dict(model=model.state_dict(), optimizer=optimizer.state_dict(), step=step, seconds=seconds + time.time() - begun)
            torch.save(state, saved_at.with_suffix(".tmp"))
            saved_at.with_suffix(".tmp").replace(saved_at)
    if name == "seeing":
        print({k: round(r / n, 3) for k, (r, n) in zip(CLASSES, hits) if n}, flush=True)
    saved_at.replace(done)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", default=list(STAGES), help=f"any of {', '.join(STAGES)}; all by default")
    parser.add_argument("--work", type=Path, default=ROOT / "out" / "train", help="where states are kept")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--workers", type=int, help="processes that draw pictures; by default 1, or 8 with 4 threads or more")
    parser.add_argument("--batches", type=int, default=1, help="so many times as large as STAGES says; a GPU has room for 3")
    arguments = parser.parse_args()
    unknown = set(arguments.stages) - set(STAGES)
    if unknown:
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")
    torch.set_num_threads(arguments.threads)
    config = tomllib.loads((ROOT / "graphs" / "autoneural-tiny.toml").read_text())
    arguments.work.mkdir(parents=True, exist_ok=True)
    tokenizer = open_tokenizer(arguments.work / "tokenizer.json", config["language"]["vocabulary"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    workers = arguments.workers or (1 if arguments.threads < 4 else 8)
    for name in arguments.stages:
        run_stage(name, config, arguments.work, device, tokenizer, workers, arguments.batches)


if __name__ == "__main__":
    main()
