"""Conversations about scenes, as tokens and pictures.

A conversation is made from (seed, number) alone, so a data set is a seed and a count: nothing is stored, and training can go
on where it stopped. The seeds of training, calibration and test data differ.
"""

from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, pre_tokenizers

import root  # noqa: F401
from byte_bpe import SPECIAL_TOKENS, train_byte_bpe
from questions import ask_about, ask_about_two, caption, caption_of_two, describe
from scenes import USES, draw_scene, pick

TRAIN, CALIBRATE, TEST = 1, 2, 3
PAD, BOS, END, _, IMAGE = range(len(SPECIAL_TOKENS))

# One picture; two pictures at once; a second picture in a later turn; one picture that is described in the end; two of
# any use of which one is described: nothing else teaches which picture is meant as fast.
KINDS = ["single", "pair", "later", "caption", "pair caption"]
PAIRS = ["pair", "later", "pair caption"]


def conversation(seed, number, chances, turns, uses=None):
    """Pictures, their facts, and turns of (pictures shown with it, question, answer).

    `chances` of the kinds of conversations and `uses` of the uses; without them, all uses are equal.
    """
    random = np.random.default_rng([seed, number])
    use = USES[int(random.integers(len(USES)) if uses is None else random.choice(len(USES), p=uses))]
    kind = KINDS[int(random.choice(len(KINDS), p=chances))]
    pictures, facts = zip(*[draw_scene(use, random) for use in uses_of(random, kind, use)])
    return list(pictures), list(facts), ask(random, kind, facts, turns)


def uses_of(random, kind, use):
    """The use of each picture."""
    if kind == "pair caption":
        return [use, USES[int(random.integers(len(USES)))]]
    return [use] * (2 if kind in PAIRS else 1)


def ask(random, kind, facts, turns):
    """Turns about one scene or two."""
    if kind == "caption":
        # Last, so that no answer can be copied from it.
        asked = [(0, q, a) for q, a in ask_about(random, facts[0], turns - 1) + [caption(random, facts[0])]]
        asked[0] = (1, *asked[0][1:])
    elif kind == "single":
        asked = [(0, q, a) for q, a in ask_about(random, facts[0], turns)]
        asked[0] = (1, *asked[0][1:])
    elif kind == "pair caption":
        asked = [(2, *caption_of_two(random, *facts))]
    elif kind == "pair":
        asked = [(0, q, a) for q, a in ask_about_two(random, *facts, turns)]
        asked[0] = (2, *asked[0][1:])
    else:
        before = ask_about(random, facts[0], 1)
        after = ask_about_two(random, *facts, max(1, turns - 1))
        asked = [(1, *before[0])] + [(1 if k == 0 else 0, q, a) for k, (q, a) in enumerate(after)]
    return asked


def user(question, pictures, before=0):
    """A user's turn as the chat template writes it: pictures are numbered through the conversation, `before` were shown."""
    shown = "".join(f"Picture {before + k}: {picture}\n" for k, picture in enumerate(pictures, 1))
    return f"<|im_start|>user\n{shown}{question}<|im_end|>\n<|im_start|>assistant\n"


def tokens_of(tokenizer, asked, pictures):
    """Token ids and, beside them, which ones the model has to say. `pictures` stand where pictures are shown."""
    ids, wanted, shown = [BOS], [False], 0
    for count, question, answer in asked:
        prompt = tokenizer.encode(user(question, pictures[shown : shown + count], shown), add_special_tokens=False).ids
        shown += count
        reply = tokenizer.encode(answer, add_special_tokens=False).ids + [END]
        newline = tokenizer.encode("\n", add_special_tokens=False).ids
        ids += prompt + reply + newline
        wanted += [False] * len(prompt) + [True] * len(reply) + [False] * len(newline)
    return ids, wanted


class Conversations(torch.utils.data.Dataset):
    """Conversations `first..first + count` of a seed."""

    def __init__(self, tokenizer, seed, first, count, chances, turns, words, visual_tokens, uses):
        self.tokenizer, self.seed, self.first, self.count = tokenizer, seed, first, count
        self.chances, self.turns, self.words, self.visual_tokens = chances, turns, words, visual_tokens
        self.uses = uses

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        pictures, facts, asked = conversation(self.seed, self.first + index, self.chances, self.turns, self.uses)
        shown = [describe(f) for f in facts] if self.words else ["<image>" * self.visual_tokens] * len(facts)
        ids, wanted = tokens_of(self.tokenizer, asked, shown)
        images = [] if self.words else [np.asarray(picture).transpose(2, 0, 1) for picture in pictures]
        return ids, wanted, images


class Scenes(torch.utils.data.Dataset):
    """Single pictures with their facts."""

    def __init__(self, first, count):
        self.first, self.count = first, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        random = np.random.default_rng([TRAIN, 9_000_000 + self.first + index])
        picture, facts = draw_scene(USES[int(random.integers(len(USES)))], random)
        return torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy()), facts


class Album:
    """Scenes that are drawn once: their facts, and what a vision encoder that stays as it is sees of them."""

    def __init__(self, path, model, count, workers, batch=64):
        """Reads the album at `path`; makes it first, drawn by so many workers, where there is none of this encoder."""
        encoder = sum(float(p.double().abs().sum()) for p in model.vision.parameters())
        kept = torch.load(path, weights_only=True) if path.exists() else {}
        if kept.get("encoder") == encoder:
            self.features, self.facts = kept["features"], kept["facts"]
        else:
            self.draw(model, count, workers, batch)
            torch.save({"encoder": encoder, "features": self.features, "facts": self.facts}, path)
        self.by_use = {use: [k for k, f in enumerate(self.facts) if f["use"] == use] for use in USES}

    def draw(self, model, count, workers, batch):
        scenes = Scenes(20_000_000, count)
        # Stacked by the worker: what passes between processes takes a file descriptor a tensor.
        stacked = lambda items: (torch.stack([picture for picture, _ in items]), [facts for _, facts in items])
        loader = torch.utils.data.DataLoader(scenes, batch_size=batch, num_workers=workers, collate_fn=stacked)
        device = next(model.parameters()).device
        features, self.facts = [], []
        with torch.no_grad():
            for pictures, facts in loader:
                features.append(model.see(pictures.to(device)).half().cpu())
                self.facts.extend(facts)
        self.features = torch.cat(features)


class AlbumConversations(torch.utils.data.Dataset):
    """Conversations about an album's scenes."""

    def __init__(self, tokenizer, album, first, count, chances, turns, visual_tokens):
        self.tokenizer, self.album, self.first, self.count = tokenizer, album, first, count
        self.chances, self.turns, self.visual_tokens = chances, turns, visual_tokens

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        random = np.random.default_rng([TRAIN, self.first + index])
        use = USES[int(random.integers(len(USES)))]
        kind = KINDS[int(random.choice(len(KINDS), p=self.chances))]
        scenes = []
        for use in uses_of(random, kind, use):
            scene = pick(random, self.album.by_use[use])
            while scene in scenes:
                scene = pick(random, self.album.by_use[use])
            scenes.append(scene)
        asked = ask(random, kind, [self.album.facts[k] for k in scenes], self.turns)
        ids, wanted = tokens_of(self.tokenizer, asked, ["<image>" * self.visual_tokens] * len(scenes))
        return ids, wanted, [self.album.features[k] for k in scenes]


def collate(samples):
    """Pads on the right: attention and convolution are causal, so padding changes nothing that counts."""
    longest = max(len(ids) for ids, _, _ in samples)
    ids = torch.full((len(samples), longest), PAD)
    wanted = torch.zeros((len(samples), longest), dtype=torch.bool)
    for row, (tokens, marks, _) in enumerate(samples):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        wanted[row, : len(marks)] = torch.tensor(marks)
    images = [image for _, _, images in samples for image in images]
    return ids, wanted, torch.stack([torch.as_tensor(image) for image in images]) if images else None


def make_tokenizer(vocabulary):
    """A byte-level BPE over the words of questions and answers; digits stay alone."""

    def corpus():
        for number in range(3000):
            _, facts, asked = conversation(TRAIN, number, [0.5, 0.5, 0, 0, 0], 4)
            yield from (describe(f) for f in facts)
            for _, question, answer in asked:
                yield "user\n" + question + "\n"
                yield "assistant\n" + answer + "\n"

    return train_byte_bpe(corpus(), vocabulary, [pre_tokenizers.Split(Regex(r"\d"), "isolated")])


def open_tokenizer(path, vocabulary):
    """The tokenizer at `path`, made first where there is none."""
    if not Path(path).exists():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        make_tokenizer(vocabulary).save(str(path))
    return Tokenizer.from_file(str(path))
