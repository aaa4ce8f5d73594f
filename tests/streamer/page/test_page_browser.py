"""The page in a real browser: a hand on it moves the instrument, and every other page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.streamer.page.paged import RATE, Band, Stage
from tests.streamer.page.visitor import CHROMIUM, Visitor, captured, eventually, listen

pytest.importorskip("playwright.sync_api", reason="install the extra browser")
pytestmark = [pytest.mark.heavy, pytest.mark.skipif(not CHROMIUM, reason="install the package chromium")]


def test_a_typed_prompt_a_moved_fader_and_a_dragged_dot_reach_the_instrument(chromium: Any, stage: Stage) -> None:
    visitor = Visitor(chromium, stage.address)
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
    visitor.close()


def test_two_pages_agree_and_a_reloaded_one_too(chromium: Any, stage: Stage) -> None:
    one, other = Visitor(chromium, stage.address), Visitor(chromium, stage.address)
    one.page.check("#dial-mute")
    other.shows("document.getElementById('dial-mute').checked", True)
    other.page.uncheck("#dial-mute")
    one.shows("document.getElementById('dial-mute').checked", False)
    stage.controls.set(prompt="slow ambient pads")
    one.shows("document.getElementById('prompt').value", "slow ambient pads")
    one.page.reload()
    one.shows("document.getElementById('prompt').value", "slow ambient pads")
    one.close()
    other.close()


def test_a_snapshot_is_saved_and_loaded(chromium: Any, stage: Stage) -> None:
    visitor = Visitor(chromium, stage.address)
    page = visitor.page
    stage.controls.set(cfg=2.5)
    page.fill("#save", "drop")
    page.click("#save-form button")
    visitor.shows("document.querySelector('#snapshots button')?.textContent", "drop")
    stage.controls.set(cfg=5.0)
    page.fill("#morph", "0")
    page.click("#snapshots button")
    eventually(lambda: stage.controls.get("cfg") == 2.5)
    visitor.close()


def test_a_prompt_is_text_and_nothing_else(chromium: Any, stage: Stage) -> None:
    visitor = Visitor(chromium, stage.address)
    text = "<img src=x onerror=alert(1)>"
    stage.controls.set(prompt=text)
    visitor.shows("document.querySelector('.pad')?.textContent", text)
    assert visitor.page.locator("img").count() == 0
    visitor.page.fill("#save", "no/such*name")
    visitor.page.click("#save-form button")
    eventually(lambda: "snapshot/save" in visitor.page.inner_text("#journal"))
    visitor.close()


CONTRAST = """() => {
    const light = (colour) => colour.slice(0, 3).map((one) => one / 255)
        .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
        .reduce((sum, one, n) => sum + one * [0.2126, 0.7152, 0.0722][n], 0);
    const read = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
    const ratio = (one, other) => {
        const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
        return (high + 0.05) / (low + 0.05);
    };
    const behind = (own) => {
        for (let at = own; at; at = at.parentElement) {
            const colour = read(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const found = [];
    const note = (own, kind, value) => found.push([kind, own.id || own.className || own.tagName, value]);
    for (const own of document.querySelectorAll("body *")) {
        if (!own.getClientRects().length) continue;
        const style = getComputedStyle(own);
        const words = [...own.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
        const field = own.matches("input:not([type=range]):not([type=checkbox])");
        if (words || field) note(own, "text", ratio(read(style.color), behind(own)));
        if (field) note(own, "text", ratio(read(getComputedStyle(own, "::placeholder").color), behind(own)));
        if (field || own.matches("button, #plane")) {
            note(own, "edge", ratio(read(style.borderTopColor), behind(own.parentElement)));
        }
        if (own.matches("#dot, #meters span")) note(own, "edge", ratio(behind(own), behind(own.parentElement)));
    }
    return found;
}"""


def test_everything_can_be_read_and_seen(chromium: Any, stage: Stage) -> None:
    """WCAG 2.2, level AA: 4.5 to 1 for words, 3 to 1 for the edges of what a hand takes hold of."""
    visitor = Visitor(chromium, stage.address)
    visitor.page.evaluate("showRecording('take-1')")  # a pressed button has other colours
    found = visitor.page.evaluate(CONTRAST)
    assert len([own for own in found if own[0] == "text"]) > 50
    assert len([own for own in found if own[0] == "edge"]) > 20
    low = [own for own in found if own[2] < {"text": 4.5, "edge": 3.0}[own[0]]]
    assert low == []
    visitor.close()


def test_keys_play_it_where_no_field_has_them(chromium: Any, stage: Stage) -> None:
    visitor = Visitor(chromium, stage.address)
    page = visitor.page
    stage.controls.set(cfg=6.0)
    page.locator("h1").click()
    page.keyboard.press("u")
    eventually(lambda: stage.controls.get("cfg") != 6.0)
    undone = stage.controls.get("cfg")
    before = stage.controls.get("tempo")
    for _ in range(4):
        page.keyboard.press("t")
        time.sleep(0.4)
    eventually(lambda: stage.controls.get("tempo") != before)
    assert 60 < float(stage.controls.get("tempo")) < 160
    page.focus("#prompt")
    page.keyboard.type("tutu u")
    assert page.input_value("#prompt").endswith("tutu u")
    assert stage.controls.get("cfg") == undone
    visitor.close()


def test_it_fits_a_phone_and_a_finger(chromium: Any, stage: Stage) -> None:
    visitor = Visitor(chromium, stage.address, width=360, touch=True)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") == 360
    small = """[...document.querySelectorAll('button, select, input:not([type=checkbox])')]
        .filter((own) => own.getBoundingClientRect().height > 0 && own.getBoundingClientRect().height < 30).length"""
    assert visitor.page.evaluate(small) == 0  # a thumb meets everything
    stage.controls.set(prompt="deep house", prompt2="jazz trio", weight1=1.0, weight2=0.0)
    visitor.shows("document.querySelectorAll('.pad').length", 2)
    visitor.page.locator("#plane").scroll_into_view_if_needed()
    box = visitor.page.locator("#plane").bounding_box()
    visitor.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.9)
    eventually(lambda: float(stage.controls.get("weight2")) > 0.9)
    visitor.close()


def test_on_a_phone_chords_players_and_energy_are_in_hand(chromium: Any, stage: Stage) -> None:
    visitor = Visitor(chromium, stage.address, width=360, touch=True)
    page, controls = visitor.page, stage.controls
    for name, wanted in (("grid", 1), ("player_drums", 0), ("player_lead", 1)):
        page.select_option(f"#dial-{name}", {0: "off", 1: "on"}[wanted])
        eventually(lambda name=name, wanted=wanted: controls.get(name) == wanted)  # type: ignore[misc]
    page.select_option("#dial-quantise", "2 bars")
    eventually(lambda: controls.get("quantise") == "2 bars")
    for name, typed, taken in (("chord", "xyz", ""), ("chord", "am7", "Am7"), ("progression", "am f C", "Am F C")):
        page.fill(f"#dial-{name}", typed)
        page.keyboard.press("Enter")
        eventually(lambda name=name, taken=taken: controls.get(name) == taken)  # type: ignore[misc]
    page.locator("h1").tap()  # no field has the cursor
    visitor.shows("byId('dial-chord').value", "Am7")
    visitor.shows("byId('dial-progression').value", "Am F C")
    eventually(lambda: "chord" in page.inner_text("#journal"))  # why not `xyz`
    told = "document.querySelector('label[for=dial-energy] output').textContent"
    visitor.shows(told, "auto")
    for norm, word in (("1", "1"), ("0.05", "auto"), ("0.5", "0.45")):
        page.fill("#dial-energy", norm)
        visitor.shows(told, word)
    eventually(lambda: abs(float(controls.get("energy")) - 0.45) < 0.01)
    stage.controls.set(player_drums=-1, energy=-0.1, quantise="off")
    visitor.shows("byId('dial-player_drums').value", "auto")
    visitor.shows("byId('dial-quantise').value", "off")
    visitor.shows(told, "auto")
    visitor.close()


# ---- listening

PIECE = 960


@pytest.fixture
def band(stage: Stage) -> Iterator[Band]:
    made = Band(stage.broadcast)
    yield made
    made.end()


def purity(visitor: Visitor, hertz: tuple[float, float]) -> float:
    """How far the tones stand above everything else in what the page plays, dB: the median of pieces of 20 ms.

    A machine that is busy with other tests tears holes into it; `benchmarks/listen.py` counts those on a quiet one.
    """
    heard = captured(visitor, 0.5)
    pieces = [heard[at : at + PIECE] for at in range(0, len(heard) - PIECE + 1, PIECE)]
    return float(np.median([min(standing(piece[:, side], hertz[side]) for side in (0, 1)) for piece in pieces]))


def standing(heard: Any, hertz: float) -> float:
    """How many dB a sine stands above all else. The page may play it 0.2 % faster or slower."""
    best = 0.0
    for shifted in hertz * (1 + np.linspace(-4e-3, 4e-3, 41)):
        phase = 2 * np.pi * shifted / RATE * np.arange(len(heard))
        basis = np.stack([np.sin(phase), np.cos(phase)], 1)
        fitted = basis @ np.linalg.lstsq(basis, heard, rcond=None)[0]
        best = max(best, float(10 * np.log10(((fitted**2).sum() + 1e-12) / (((heard - fitted) ** 2).sum() + 1e-12))))
    return best


def test_the_page_plays_what_is_heard_and_draws_it(chromium: Any, stage: Stage, band: Band) -> None:
    visitor = Visitor(chromium, stage.address, taken=True)
    # Without a word of listening the picture scrolls, and the meters stand at the peaks.
    lit = """[...byId('picture').getContext('2d').getImageData(399, 0, 1, 96).data]
        .filter((one, n) => n % 4 === 0 && one > 200).length"""
    eventually(lambda: 2 <= visitor.page.evaluate(lit) <= 12)  # two tones, and little beside them
    visitor.shows("byId('meters').children[0].getAttribute('aria-valuenow')", "-6")
    assert visitor.page.evaluate("listening") is None
    listen(visitor)
    eventually(lambda: purity(visitor, band.hertz) > 40)
    assert "ms behind" in visitor.page.inner_text("#listening")
    visitor.page.click("#listen")
    assert visitor.page.evaluate("listening") is None
    visitor.close()


def test_over_plain_http_where_there_are_no_worklets_it_plays_as_well(chromium: Any, stage: Stage) -> None:
    """Browsers give worklets to HTTPS and to their own machine alone, and a phone comes by HTTP."""
    band = Band(stage.broadcast, (700.0, 700.0))
    visitor = Visitor(chromium, stage.address)
    visitor.page.add_init_script("Object.defineProperty(AudioContext.prototype, 'audioWorklet', {value: undefined})")
    visitor.page.reload()
    visitor.page.locator("#music .dial").first.wait_for()
    listen(visitor)
    visitor.page.evaluate("""() => {
        window.analyser = listening.context.createAnalyser();
        listening.node.connect(analyser);
    }""")
    newest = "() => { const all = new Float32Array(2048); analyser.getFloatTimeDomainData(all); return [...all]; }"
    eventually(lambda: standing(np.array(visitor.page.evaluate(newest))[:PIECE], 700.0) > 40)
    visitor.close()
    band.end()


def test_by_webrtc_both_sides_are_heard(chromium: Any, stage: Stage, band: Band) -> None:
    """Chromium hides the address of this machine from pages that may not use the microphone: here it must not."""
    pytest.importorskip("aiortc", reason="install the extra webrtc")
    visitor = Visitor(chromium, stage.address)
    visitor.page.select_option("#through", "call")
    listen(visitor)
    visitor.page.evaluate("""() => {
        const context = new AudioContext({ sampleRate: 48000 });
        const source = context.createMediaStreamSource(listening.audio.srcObject);
        const sides = context.createChannelSplitter(2);
        source.connect(sides);
        window.analysers = [0, 1].map((side) => {
            const analyser = context.createAnalyser();
            sides.connect(analyser, side);
            return analyser;
        });
    }""")
    newest = """() => analysers.map((own) => {
        const all = new Float32Array(2048);
        own.getFloatTimeDomainData(all);
        return [...all];
    })"""

    def pure() -> bool:
        heard = np.array(visitor.page.evaluate(newest))[:, :PIECE]
        return min(standing(heard[side], band.hertz[side]) for side in (0, 1)) > 20

    eventually(pure)
    visitor.page.click("#listen")
    assert visitor.page.evaluate("listening") is None
    visitor.close()


def test_the_buffer_is_the_listeners(chromium: Any, stage: Stage, band: Band) -> None:
    visitor = Visitor(chromium, stage.address)
    listen(visitor, 300)
    for target in (1.0, 0.2):
        visitor.page.evaluate(f"byId('buffer').value = {1000 * target}; byId('buffer').oninput()")
        near = f"Math.abs(listening.told.queued - {target}) < 0.1"
        visitor.shows(near, True)
    visitor.page.reload()
    visitor.page.locator("#music .dial").first.wait_for()
    assert visitor.page.input_value("#buffer") == "200"
    visitor.close()


def test_after_the_server_is_back_the_page_goes_on_and_is_heard_again(chromium: Any, tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    band = Band(stage.broadcast)
    visitor = Visitor(chromium, stage.address, taken=True)
    listen(visitor)
    band.end()
    stage.close()
    visitor.shows("byId('state').textContent", "Not connected: trying again ...")
    again = Stage(tmp_path, port=stage.port)
    again.controls.set(prompt="after the break")
    band = Band(again.broadcast, (700.0, 700.0))
    visitor.shows("byId('prompt').value", "after the break")
    visitor.page.fill("#dial-temperature", "0.25")
    eventually(lambda: float(again.controls.get("temperature")) < 0.3)
    eventually(lambda: purity(visitor, band.hertz) > 40)
    visitor.close(broken=True)
    band.end()
    again.close()
