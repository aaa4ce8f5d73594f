"""Pages that the tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.streamer.page.paged import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A page of this machine."""
    from tests.streamer.page.paged import Stage

    made = Stage(tmp_path_factory.mktemp("snapshots"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A page that needs a token."""
    from tests.streamer.page.paged import Stage

    made = Stage(tmp_path_factory.mktemp("snapshots"), token="0123456789abcdef")
    yield made
    made.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's own, without a window. It hides the address of this machine from WebRTC unless told otherwise."""
    from playwright.sync_api import sync_playwright

    from tests.streamer.page.visitor import CHROMIUM

    with sync_playwright() as running:
        own = ["--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns"]
        browser = running.chromium.launch(executable_path=CHROMIUM, headless=True, chromium_sandbox=False, args=own)
        yield browser
        browser.close()
