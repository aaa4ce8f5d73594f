"""The page in a real browser: a hand on it moves the instrument, and every other page."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.streamer.test_page import Stage

playwright = pytest.importorskip("playwright.sync_api", reason="install the extra browser")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [pytest.mark.heavy, pytest.mark.skipif(not CHROMIUM, reason="install the package chromium")]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, headless=True, chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("snapshots"))
    yield made
    made.close()


class Visitor:
    """A page in the browser, and what went wrong on it."""

    def __init__(self, chromium: Any, stage: Stage, width: int = 1280) -> None:
        self.page = chromium.new_page(viewport={"width": width, "height": 800})
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.goto(stage.address)
        self.page.locator("#music .dial").first.wait_for()

    def shows(self, script: str, expected: object) -> None:
        """A strict policy forbids the browser's own waiting: ask again and again."""
        eventually(lambda: self.page.evaluate(script) == expected)


def eventually(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_typed_prompt_a_moved_fader_and_a_dragged_dot_reach_the_instrument(chromium: Any, stage: Stage) -> None:
    visitor = Visitor(chromium, stage)
    page = visitor.page
    page.fill("#prompt", "deep house")
    page.click("#prompt-form button")
    eventually(lambda: stage.controls.get("prompt") == "deep house")
    page.fill("#dial-temperature", "0.5")
    low, high = 0.05, 2.0
    eventually(lambda: abs(float(stage.controls.get("temperature")) - low * (high / low) ** 0.5) < 0.01)
    page.fill("#slots li:nth-child(2) input", "jazz trio")
    page.keyboard.press("Enter")
    eventually(lambda: stage.controls.get("prompt2") == "jazz trio")
    box = page.locator("#plane").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.9, steps=4)
    page.mouse.up()
    eventually(lambda: float(stage.controls.get("weight2")) > 0.9)
    page.focus("#plane")
    for _ in range(16):
        page.keyboard.press("ArrowUp")
    eventually(lambda: float(stage.controls.get("weight1")) > 0.9)
    assert visitor.wrong == []


def test_two_pages_agree_and_a_reloaded_one_too(chromium: Any, stage: Stage) -> None:
    one, other = Visitor(chromium, stage), Visitor(chromium, stage)
    one.page.check("#dial-mute")
    other.shows("document.getElementById('dial-mute').checked", True)
    other.page.uncheck("#dial-mute")
    one.shows("document.getElementById('dial-mute').checked", False)
    stage.controls.set(prompt="slow ambient pads")
    one.shows("document.getElementById('prompt').value", "slow ambient pads")
    one.page.reload()
    one.shows("document.getElementById('prompt').value", "slow ambient pads")
    assert one.wrong == other.wrong == []


def test_a_snapshot_is_saved_and_loaded(chromium: Any, stage: Stage) -> None:
    visitor = Visitor(chromium, stage)
    page = visitor.page
    stage.controls.set(cfg=2.5)
    page.fill("#save", "drop")
    page.click("#save-form button")
    visitor.shows("document.querySelector('#snapshots button')?.textContent", "drop")
    stage.controls.set(cfg=5.0)
    page.fill("#morph", "0")
    page.click("#snapshots button")
    eventually(lambda: stage.controls.get("cfg") == 2.5)
    assert visitor.wrong == []


def test_a_prompt_is_text_and_nothing_else(chromium: Any, stage: Stage) -> None:
    visitor = Visitor(chromium, stage)
    text = "<img src=x onerror=alert(1)>"
    stage.controls.set(prompt=text)
    visitor.shows("document.querySelector('.pad')?.textContent", text)
    assert visitor.page.locator("img").count() == 0
    visitor.page.fill("#save", "no/such*name")
    visitor.page.click("#save-form button")
    eventually(lambda: "snapshot/save" in visitor.page.inner_text("#journal"))
    assert visitor.wrong == []


def test_it_fits_a_phone(chromium: Any, stage: Stage) -> None:
    visitor = Visitor(chromium, stage, width=360)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") == 360
    small = """[...document.querySelectorAll('button, input:not([type=checkbox])')]
        .filter((own) => own.getBoundingClientRect().height > 0 && own.getBoundingClientRect().height < 30).length"""
    assert visitor.page.evaluate(small) == 0  # a thumb meets everything
    assert visitor.wrong == []
