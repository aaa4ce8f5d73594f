"""What people read is set as they expect it: prose wraps at 100 columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COLUMNS = 100


def pages() -> list[Path]:
    """Every Markdown file of the project."""
    ours = {"README.md", "CHANGELOG.md", "SECURITY.md"}
    rooms = ("docs", "examples", "training", "musicgen/models", "plugin", "benchmarks")
    return [ROOT / name for name in sorted(ours) if (ROOT / name).exists()] + sorted(
        page for room in rooms for page in (ROOT / room).glob("**/*.md")
    )


def wide(text: str) -> Iterator[str]:
    """The lines of prose that are too long; tables and code keep their own shape, and so does a word without spaces."""
    code = False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            code = not code
        elif not code and not line.lstrip().startswith("|") and len(line) > COLUMNS and " " in line.strip("-*> "):
            yield line


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_prose_wraps_at_100_columns(page: Path) -> None:
    assert list(wide(page.read_text(encoding="utf-8"))) == []


def test_a_line_that_is_too_long_is_found() -> None:
    assert list(wide("short\n" + "word " * 30 + "\n| " + "cell " * 40 + "|\n```\n" + "code " * 40 + "\n```\n")) == [
        "word " * 30
    ]
