"""The scripts of each page share one scope: a name that two of them have keeps the page from opening."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import streamer

ROOT = Path(streamer.__file__).parent
INDEX = ROOT / "surfaces/page/static/index.html"
PAGES = {INDEX: ("ear.js",), ROOT / "serve/static/front.html": ()}
"""Each page, and what its scripts add to it later."""
NAMED = re.compile(r"^(?:(?:async )?function\*? ?|class |const |let |var )(\w+|[\[{].*?[\]}])", re.MULTILINE)


def names(script: str) -> list[str]:
    """What a script declares for all: what stands at the beginning of a line, as in all scripts here."""
    return [name for found in NAMED.findall(script) for name in re.findall(r"\w+", found)]


def clashes(scripts: list[str]) -> list[str]:
    counted = Counter(name for script in scripts for name in names(script))
    return [name for name, count in counted.items() if count > 1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_two_things_on_a_page_have_one_name(page: Path) -> None:
    files = [*re.findall(r'<script src="([^"]+)"', page.read_text(encoding="utf-8")), *PAGES[page]]
    scripts = [(page.parent / file).read_text(encoding="utf-8") for file in files]
    assert all(map(names, scripts))
    assert clashes(scripts) == []


def test_whatever_way_a_name_is_declared_twice_it_is_found() -> None:
    first = "const [low, high] = range;\nlet dot = { x: 0 };\nfunction word(sentence) {\n  const inner = 1;\n}\n"
    for second in ("const word = 1;", "async function word() {}", "class dot {}", "let { low } = other;"):
        assert len(clashes([first, second])) == 1, second
    assert clashes([first, "const inner = 2;"]) == []
