"""Heads that name the facts of a scene from the vision encoder's output, for its first lessons."""

import torch

from scenes import FUEL_STEPS, GEARS, LAMPS, MOST_FAN, MOST_VOLUME, OCCUPANTS, PLACES, SEATS, SIGNS, USES

# Classes of each fact; -100 (no answer) where a scene does not have it.
CLASSES = {"use": len(USES)}
for seat in SEATS:
    CLASSES |= {f"{seat}.occupant": len(OCCUPANTS), f"{seat}.belt": 2, f"{seat}.eyes": 2}
CLASSES |= {"sign": len(SIGNS), "from": 8, "until": 11}
CLASSES |= {"hundreds": 3, "tens": 10, "ones": 10, "fuel": FUEL_STEPS + 1, "gear": len(GEARS)}
CLASSES |= {lamp: 2 for lamp in LAMPS}
CLASSES |= {"temperature": 13, "volume": MOST_VOLUME + 1, "fan": MOST_FAN + 1, "marked": 3}
CLASSES |= {f"entry {k}": len(PLACES) for k in range(3)}


def labels(f):
    """Numbers of the classes, in the order of CLASSES."""
    found = {"use": USES.index(f["use"])}
    if f["use"] == "cabin":
        for seat in SEATS:
            s = f["seats"][seat]
            found[f"{seat}.occupant"] = OCCUPANTS.index(s["occupant"])
            if s["belt"] is not None:
                found[f"{seat}.belt"] = int(s["belt"])
            if s["eyes"]:
                found[f"{seat}.eyes"] = int(s["eyes"] == "open")
    elif f["use"] == "sign":
        hours = f["hours"]
        found |= {"sign": SIGNS.index(f["kind"]), "from": hours[0] - 5 if hours else 7, "until": hours[1] - 13 if hours else 10}
    elif f["use"] == "cluster":
        found |= {"hundreds": f["speed"] // 100, "tens": f["speed"] // 10 % 10, "ones": f["speed"] % 10}
        found |= {"fuel": f["fuel"], "gear": GEARS.index(f["gear"])} | {lamp: int(lamp in f["lamps"]) for lamp in LAMPS}
    else:
        found |= {"temperature": f["temperature"] - 16, "volume": f["volume"], "fan": f["fan"], "marked": f["marked"]}
        found |= {f"entry {k}": PLACES.index(entry) for k, entry in enumerate(f["entries"])}
    return [found.get(name, -100) for name in CLASSES]


class Heads(torch.nn.Module):
    """One attentive classifier per fact: a learned query looks for the visual tokens that tell it.

    All tokens pass through the same layers, as they will on their way into the language model, so what a channel means does
    not depend on where its token is. The layers see how a token differs from the usual: what all pictures share is most of
    an RMS-normalized feature, and a classifier that fits the classes' frequencies through it makes the encoder forget its
    input.
    """

    WIDTH, HEADS = 128, 4

    def __init__(self, channels):
        super().__init__()
        self.center = torch.nn.BatchNorm1d(channels, affine=False)
        self.keys = torch.nn.Linear(channels, self.WIDTH)
        self.values = torch.nn.Linear(channels, self.WIDTH)
        self.queries = torch.nn.Parameter(torch.randn(len(CLASSES), self.WIDTH) * 0.1)
        self.classify = torch.nn.ModuleList([torch.nn.Linear(self.WIDTH, count) for count in CLASSES.values()])

    def forward(self, tokens):
        count, length, channels = tokens.shape
        x = self.center(tokens.flatten(0, 1)).view(count, length, channels)
        split = lambda t: t.view(t.shape[0], -1, self.HEADS, self.WIDTH // self.HEADS).transpose(1, 2)
        queries = split(self.queries.expand(count, -1, -1))
        found = torch.nn.functional.scaled_dot_product_attention(queries, split(self.keys(x)), split(self.values(x)))
        found = found.transpose(1, 2).flatten(2)
        return [layer(found[:, k]) for k, layer in enumerate(self.classify)]


def loss_and_hits(scores, wanted):
    """Mean loss over the facts that are there, and for each fact (right, asked)."""
    total, asked, hits = 0.0, 0, []
    for column, score in enumerate(scores):
        target = wanted[:, column]
        there = int((target != -100).sum())
        if there:
            total = total + torch.nn.functional.cross_entropy(score, target, reduction="sum")
        asked += there
        hits.append((int((score.argmax(1) == target).sum()), there))
    return total / max(1, asked), hits
