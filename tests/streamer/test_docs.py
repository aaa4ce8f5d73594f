"""docs/osc.md says what the table says."""

from __future__ import annotations

from pathlib import Path

from streamer.control.table import ACTIONS, PARAMETERS, STATUS
from streamer.docs import page

PAGE = Path(__file__).parents[2] / "docs" / "osc.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_page_has_every_address() -> None:
    addresses = [p.path for p in PARAMETERS] + [a.name for a in ACTIONS] + [f"status/{name}" for name in STATUS]
    addresses += ["subscribe", "unsubscribe", "dump", "ping", "pong", "get/", "error"]
    text = page()
    assert [address for address in addresses if f"`/mg/{address}" not in text] == []
