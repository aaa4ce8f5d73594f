"""What a terminal obeys, and texts that are full of it."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
HOSTILE = (
    "a\x1b[2Jb\x1b]0;owned\x07c\x9b31md\re\nf\x0bg\x85h\u2028i\u2029j\u202ek\u2066l\u200fm\x00n\x7fo"
    "[bold]p[/]q:skull:r\x1b]8;;http://x\x1b\\s\x08t\x0eu\x90v\x9c"
)
"""Clears, names, links, colours, overstrikes, turns and breaks; also markup and emoji of rich's."""
texts = st.lists(st.sampled_from([*HOSTILE, "\x1b[1A\x1b[2K", "\x1b[31m", "\udcff", "é", "音"]), max_size=30).map(
    "".join
)


def obeyed(text: str, lines: bool = False) -> set[str]:
    """The characters of a text that a terminal would obey; with `lines` its line ends are meant."""
    return {
        character
        for character in text
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(character) in BIDI
    } - ({"\n"} if lines else set())
