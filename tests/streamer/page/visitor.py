"""A page in a real browser, and what a hand and an ear do there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import Any

import numpy as np

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 30.0  # seconds


class Visitor:
    """A page in the browser, and what went wrong on it."""

    def __init__(
        self, chromium: Any, address: str, width: int = 1280, touch: bool = False, taken: bool = False
    ) -> None:
        """Taken: what it plays will be, by a script that the page's own policy would refuse."""
        size = {"width": width, "height": 800}
        self.page = chromium.new_page(viewport=size, has_touch=touch, bypass_csp=taken)
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.goto(address)
        self.page.locator("#music .dial").first.wait_for()

    def close(self, broken: bool = False) -> None:
        """Close it; nothing went wrong on it, unless its connection was broken on purpose."""
        assert broken or self.wrong == []
        self.page.close()

    def shows(self, script: str, expected: object) -> None:
        """A strict policy forbids the browser's own waiting: ask again and again."""
        eventually(lambda: self.page.evaluate(script) == expected)


def eventually(done: Callable[[], bool], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


TAKER = """data:text/javascript,try { registerProcessor("taker", class extends AudioWorkletProcessor {
    process([input]) {
        if (input.length) this.port.postMessage(input.map((channel) => channel.slice()));
        return true;
    }
}); } catch (error) {}"""  # it may be there already
CAPTURE = """async ([seconds, module]) => {
    const context = listening.context;
    await context.audioWorklet.addModule(module);
    const taker = new AudioWorkletNode(context, "taker", { numberOfOutputs: 0, channelCount: 2 });
    const left = [], right = [];
    return new Promise((done) => {
        taker.port.onmessage = (event) => {
            if (left.length >= seconds * context.sampleRate) return;
            left.push(...event.data[0]);
            right.push(...event.data[1]);
            if (left.length < seconds * context.sampleRate) return;
            listening.node.disconnect(taker);
            done([left, right]);
        };
        listening.node.connect(taker);
    });
}"""


def listen(visitor: Visitor, milliseconds: int = 800) -> None:
    """With a buffer for a machine that is busy with other tests."""
    visitor.page.evaluate(f"byId('buffer').value = {milliseconds}; byId('buffer').oninput()")
    visitor.page.click("#listen")
    visitor.shows("Boolean(listening && listening.told && listening.told.sounding)", True)


def captured(visitor: Visitor, seconds: float) -> Any:
    """What comes out of the page's ear, (samples, 2)."""
    return np.array(visitor.page.evaluate(CAPTURE, [seconds, TAKER])).T
