#!/usr/bin/env python3
"""Makes the goldens of chat templates: what transformers makes of them, in tests/fixtures/golden/templates.json.

Run it from anywhere, after `pip install -r tools/requirements.txt` (jinja2 comes with transformers' own needs):

    python tools/make_template_goldens.py

Three kinds: `snippets` and `styles` have a text, `faults` have none, since transformers refuses them. A template is rendered
by transformers' own environment, with the conversation in the form that the template wants.
"""

import json
from pathlib import Path

from transformers.utils.chat_template_utils import render_jinja_template

from template_snippets import FAULTS, LINES, SNIPPETS
from template_styles import STYLES

TO = Path(__file__).resolve().parent.parent / "tests/fixtures/golden/templates.json"

SPECIALS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "image_token": "<image>",
    "pad_token": "<pad>",
}

IMAGE = {"type": "image"}


def text(what):
    return {"type": "text", "text": what}


TALKS = {
    "rule": [
        {"role": "system", "content": [text("Be <brief> & kind.")]},
        {"role": "user", "content": [IMAGE, text("Which lamp?\n It's \"blinking\".")]},
    ],
    "question": [{"role": "user", "content": [text("  Wie heißt das? ")]}],
    "picture": [{"role": "user", "content": [IMAGE, text("What is it?")]}],
    "pictures": [{"role": "user", "content": [IMAGE, IMAGE, text("Which is older?")]}],
    "talk": [
        {"role": "user", "content": [IMAGE, text("Which lamp?")]},
        {"role": "assistant", "content": [text("<think>\nhm\n</think>\n\nThe oil lamp.")]},
        {"role": "user", "content": [text("And now?")]},
    ],
}


def formed(messages, form):
    """A conversation in the form that a template wants."""

    def content(message):
        parts = message["content"]
        if form == "text" or (form == "parts with system text" and message["role"] == "system"):
            return "".join("<image>" if part["type"] == "image" else part["text"] for part in parts)
        if form == "urls":
            url = {"type": "image_url", "image_url": {"url": "image"}}
            return [url if part["type"] == "image" else part for part in parts]
        return parts

    return [{"role": message["role"], "content": content(message)} for message in messages]


def render(template, messages):
    made, _ = render_jinja_template([messages], chat_template=template, add_generation_prompt=True, **SPECIALS)
    return made[0]


def main():
    snippets = []
    for template in SNIPPETS.strip("\n").split("\n") + LINES:
        try:
            snippets.append({"template": template, "text": render(template, TALKS["rule"])})
        except Exception as error:
            raise SystemExit(f"transformers refuses {template!r}: {error}") from error
    faults = []
    for template in FAULTS.strip("\n").split("\n"):
        try:
            made = render(template, TALKS["rule"])
        except Exception:
            faults.append(template)
        else:
            raise SystemExit(f"transformers takes {template!r} and makes {made!r}")
    styles = []
    for name, (form, template) in STYLES.items():
        texts = {}
        for talk, messages in TALKS.items():
            try:
                texts[talk] = render(template, formed(messages, form))
            except Exception:
                texts[talk] = None
        styles.append({"name": name, "template": template, "texts": texts})
    made = {"specials": SPECIALS, "talks": TALKS, "snippets": snippets, "faults": faults, "styles": styles}
    TO.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
