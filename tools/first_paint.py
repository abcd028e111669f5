#!/usr/bin/env python3
"""Milliseconds until headless Chromium has painted the first text or picture of a page, by the DevTools protocol over pipes
(https://chromedevtools.github.io/devtools-protocol/). Needs nothing but the standard library and a Chromium: in
AUTONEURAL_CHROMIUM, in the search path, or where tools/install_browser.py puts one."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import install_browser

OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
]
PAINTED = "performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime)[0]"
TIMEOUT_S = 10


def find():
    vendored = install_browser.TARGET / "chromium"
    return install_browser.find() or (str(vendored) if vendored.is_file() else None)


def first_paint(chromium, page):
    """Milliseconds from the start of navigation to the first contentful paint."""
    (in_read, in_write), (out_read, out_write) = os.pipe(), os.pipe()

    def as_three_and_four():
        # Copies first: either may be where the other has to go.
        commands, answers = os.dup(in_read), os.dup(out_write)
        os.dup2(commands, 3)
        os.dup2(answers, 4)

    # Its children may still write when it has ended.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium, *OPTIONS, f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=as_three_and_four
        )
        os.close(in_read)
        os.close(out_write)
        with open(in_write, "wb", buffering=0) as to, open(out_read, "rb") as answers:
            sent, session, buffer = 0, None, b""

            def call(method, **parameters):
                nonlocal sent, buffer
                sent += 1
                message = {"id": sent, "method": method, "params": parameters}
                to.write(json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
                while True:
                    while b"\0" not in buffer:
                        piece = os.read(answers.fileno(), 1 << 16)
                        if not piece:
                            sys.exit("the browser ended")
                        buffer += piece
                    answer, buffer = buffer.split(b"\0", 1)
                    answer = json.loads(answer)
                    if answer.get("id") == sent:
                        return answer["result"]

            target = call("Target.createTarget", url="about:blank")["targetId"]
            session = call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            call("Page.enable")
            call("Page.navigate", url=pathlib.Path(page).resolve().as_uri())
            painted, until = None, time.monotonic() + TIMEOUT_S
            while painted is None and time.monotonic() < until:
                time.sleep(0.02)
                painted = call("Runtime.evaluate", expression=PAINTED, returnByValue=True)["result"].get("value")
        process.kill()
        process.wait()
    return painted


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=pathlib.Path)
    chromium = find()
    if not chromium:
        sys.exit("there is no Chromium; tools/install_browser.py installs one")
    painted = first_paint(chromium, parser.parse_args().page)
    if painted is None:
        sys.exit("nothing was painted")
    print(f"{painted:.0f} ms")


if __name__ == "__main__":
    main()
