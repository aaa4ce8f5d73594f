"""A screen that nobody sees, and a hand on it: the plug-in's window in a real host, jalv.gtk3.

``python -m tests.plugin.screen docs/plugin.png`` takes the picture of the documentation.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageGrab

from benchmarks.plugin import PROGRAMS, engine, hosting, wait_for

HOST = "jalv.gtk3"
NEEDED = (*PROGRAMS, HOST, "Xvfb", "xdotool")
SIZE = (560, 340)  # plugin/DistrhoPluginInfo.h has it
BACKGROUND, LIGHT, WARNING, CHOSEN = 0x17191E, 0x63C174, 0xF0B35A, 0x3F7D58  # plugin/ui.cpp has them
FIELD, LAMP, SENTENCE = (200, 78), (535, 29), (20, 300, 540, 340)
SETTLED = 5.0
"""Seconds after which a picture's figures are those of music at ease."""

Pixels = NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """The plug-in's window on a screen: its left upper corner, found by its colour."""

    display: str
    x: int
    y: int

    def look(self) -> Image.Image:
        left, top, right, bottom = self.x, self.y, self.x + SIZE[0], self.y + SIZE[1]
        return ImageGrab.grab((left, top, right, bottom), xdisplay=self.display)

    def colour_at(self, place: tuple[int, int]) -> int:
        return int(pixels(self.look())[place[1], place[0]])

    def shows(self, colour: int, box: tuple[int, int, int, int]) -> bool:
        """Whether a colour is in a box of it: left, top, right, bottom."""
        return bool((pixels(self.look().crop(box)) == colour).any())

    def press(self, place: tuple[int, int]) -> None:
        self._do("mousemove", str(self.x + place[0]), str(self.y + place[1]), "sleep", "0.1", "click", "1")

    def drag(self, place: tuple[int, int], up: int) -> None:
        """Press there, move so many pixels up, let go."""
        begins = (str(self.x + place[0]), str(self.y + place[1]))
        self._do("mousemove", *begins, "sleep", "0.1", "mousedown", "1")
        for _ in range(up):
            self._do("mousemove_relative", "--", "0", "-1")
        self._do("sleep", "0.1", "mouseup", "1")

    def type(self, words: str) -> None:
        """Into whatever has the keys; then Enter."""
        self._do("type", "--delay", "30", words)
        self._do("key", "Return")

    def _do(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], env={**os.environ, "DISPLAY": self.display}, check=True, timeout=60)


def pixels(image: Image.Image) -> Pixels:
    """Colours as 0xRRGGBB, (height, width)."""
    parts = np.asarray(image.convert("RGB"), np.int64)
    return np.asarray(parts @ [1 << 16, 1 << 8, 1], np.int64)


def pad(slot: int, beside: int = 0) -> tuple[int, int]:
    """The middle of a slot's pad, slots from 1 on, or a place so many pixels beside it."""
    return round(20 + (slot - 1) * 65.5 + 30) + beside, 129


def dial(index: int) -> tuple[int, int]:
    """The middle of a dial, from 0 on: temperature, guidance, volume, tilt, space, width."""
    return 20 + index * 87 + 42, 202


@contextlib.contextmanager
def screen() -> Iterator[str]:
    """A display of its own."""
    ours, theirs = os.pipe()
    command = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "1024x768x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[theirs], stderr=subprocess.DEVNULL) as process:
        os.close(theirs)
        try:
            with os.fdopen(ours) as told:
                yield f":{told.readline().strip()}"
        finally:
            process.terminate()


@contextlib.contextmanager
def window(home: Path) -> Iterator[Window]:
    """The plug-in's window in jalv.gtk3, live under JACK, with an engine of a folder."""
    with screen() as display:
        environment = {"DISPLAY": display, "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1"}
        with hosting(home, 48000, 512, program=HOST, environment=environment):
            yield found(display)


def found(display: str) -> Window:
    """Where the window is, once it is there."""
    places: list[tuple[int, int]] = []

    def there() -> bool:
        rows, columns = np.nonzero(pixels(ImageGrab.grab(xdisplay=display)) == BACKGROUND)
        if len(rows) > SIZE[0] * SIZE[1] / 4:
            places.append((int(columns.min()), int(rows.min())))
        return len(places) > 1 and places[-1] == places[-2]  # it has come to rest

    wait_for(there, "the window")
    return Window(display, *places[-1])


def main() -> None:
    """Type two prompts, choose the first, and take a picture."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        sys.exit(f"This needs {', '.join(missing)} (Debian and Ubuntu: apt-get install jackd2 jalv xvfb xdotool).")
    with tempfile.TemporaryDirectory() as name, engine(Path(name), "nano", 7770), window(Path(name)) as one:
        wait_for(lambda: one.colour_at(LAMP) == LIGHT, "the engine")
        for slot, words in ((2, "jazz trio, brushed drums"), (1, "warm lo-fi piano")):
            one.press(pad(slot))
            one.press(FIELD)
            one.type(words)
        one.drag(dial(4), 30)
        time.sleep(SETTLED)
        one.look().save(sys.argv[1], optimize=True)


if __name__ == "__main__":
    main()
