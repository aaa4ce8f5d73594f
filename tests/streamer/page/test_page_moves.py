"""A page whose server dies, hangs or is drained goes on at another one by itself, and is heard on."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("fastapi", reason="install the extra serve")
pytest.importorskip("playwright.sync_api", reason="install the extra browser")

from tests.streamer.page.visitor import CHROMIUM, Visitor, eventually, listen
from tests.streamer.serve.members import Process, books
from tests.streamer.serve.served import asked

PATIENCE = 120.0  # seconds: each server that comes loads a model, and a machine may be busy
LONGEST = 20.0  # seconds of silence: of any machine; docs/scale.md has what was measured
LOUD = """() => {
    window.stayed = true;
    const analyser = listening.context.createAnalyser();
    analyser.fftSize = 2048;
    listening.node.connect(analyser);
    const all = new Float32Array(2048);
    window.quiet = window.now = 0;
    let loud = performance.now();
    setInterval(() => {
        analyser.getFloatTimeDomainData(all);
        const now = performance.now();
        if (all.some((one) => Math.abs(one) > 1e-3)) loud = now;
        window.now = now - loud;
        window.quiet = Math.max(window.quiet, window.now);
    }, 20);
}"""
"""Notes how long it has been silent by now, and the longest silence, in milliseconds."""

pytestmark = [pytest.mark.heavy, pytest.mark.skipif(not CHROMIUM, reason="install the package chromium")]


@pytest.fixture(scope="module")
def ledger() -> Any:
    return books()


class Hearing:
    """A session's page that listens, and the server that it is at."""

    def __init__(self, chromium: Any, server: Process) -> None:
        self.session = asked(f"{server.address}api/sessions", {"values": {"prompt": "techno, drums", "seed": 3}})
        address = f"{server.address}s/{self.session['id']}/#{self.session['secret']}"
        self.visitor = Visitor(chromium, address, taken=True)
        listen(self.visitor, 200)
        self.visitor.page.evaluate(LOUD)
        self._seams = 0

    def knows(self, server: Process) -> None:
        """It has been told of another server."""
        eventually(lambda: server.address in self.visitor.page.evaluate("doors"), PATIENCE)
        self._seams = self.visitor.page.evaluate("listening.told.gaps")

    def goes_on_at(self, server: Process, prompt: str) -> float:
        """It is heard there, and steers there; the longest silence since this was last asked, in seconds."""
        page = self.visitor.page
        eventually(lambda: page.evaluate("home").startswith(server.address), PATIENCE)
        sounds = f"listening.told.gaps > {self._seams} && listening.told.sounding && now < 100"
        eventually(lambda: bool(page.evaluate(sounds)), PATIENCE)
        page.fill("#prompt", prompt)
        page.click("#prompt-form button")
        path = f"{server.address}api/sessions/{self.session['id']}"
        eventually(lambda: asked(path)["values"]["prompt"] == prompt, PATIENCE)
        assert page.evaluate("stayed")  # nobody has loaded it anew
        assert page.get_attribute("#moved", "href") == f"{page.evaluate('home')}#{self.session['secret']}"
        return float(page.evaluate("() => { const longest = quiet; window.quiet = 0; return longest / 1000; }"))


def test_a_page_goes_after_its_session_whatever_becomes_of_its_server(chromium: Any, ledger: Any) -> None:
    first, second = Process(ledger), Process(ledger)
    heard = Hearing(chromium, first)
    heard.knows(second)
    first.kill()
    silences = [heard.goes_on_at(second, "solo piano")]
    third = Process(ledger)
    heard.knows(third)
    second.hang()
    silences.append(heard.goes_on_at(third, "jazz trio"))
    second.kill()
    fourth = Process(ledger)
    heard.knows(fourth)
    third.drain()
    silences.append(heard.goes_on_at(fourth, "deep house"))
    assert max(silences) < LONGEST, silences
    heard.visitor.close(broken=True)
    fourth.kill()
