"""The written pages: their links lead somewhere, and the code that README says can be run does run."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")), *sorted((ROOT / "examples").glob("**/*.md"))]
NANO = ROOT / "musicgen" / "models" / "nano"

FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
RUNNABLE = re.compile(r"<!-- test -->\s*\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """The targets of all links outside code."""
    return [first or second for first, second in LINK.findall(re.sub(r"`[^`\n]*`", "``", FENCE.sub("", text)))]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    names: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        number = sum(1 for name in names if re.fullmatch(re.escape(slug) + r"(-\d+)?", name))
        names.add(f"{slug}-{number}" if number else slug)
    return names


def broken(page: Path) -> list[str]:
    """The links of a page that lead to no file or no heading."""
    missing = []
    for link in links(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue  # another site: no test looks there
        path, _, anchor = link.partition("#")
        target = (page.parent / unquote(path)) if path else page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8"))
        ):
            missing.append(link)
    return missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](page.md) [b](#one) [c](#two) [d](gone.md) `[e](code.md)`\n```\n[f](code.md)\n```\n")
    assert broken(page) == ["#two", "gone.md"]


def test_the_examples_are_all_on_their_page() -> None:
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    for example in sorted((ROOT / "examples").glob("*/*")):
        if example.is_file():
            assert str(example.relative_to(ROOT / "examples")) in page, example


@pytest.mark.parametrize("block", RUNNABLE.findall((ROOT / "README.md").read_text(encoding="utf-8")))
def test_code_in_the_readme_runs(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not list(NANO.glob("*.safetensors")):
        pytest.skip("nano is not in this checkout: train it with the commands in training/")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})
