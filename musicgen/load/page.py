"""docs/configs.md from the tables: ``python -m musicgen.load.page > docs/configs.md``."""

from __future__ import annotations

import sys

from musicgen.load import audiocraft_fields, fields, lora
from musicgen.load.rules import table_lines

INTRODUCTION = """\
# What becomes of a checkpoint's configuration

Every field of every file that says how a model is built or played has a rule here. It is **used**,
or it **must be** what this package computes, or it is **harmless**, for the reason given. A file
that breaks a rule is refused with one sentence, and so is one with a field that is not listed: it
could change the sound. Only names that begin with an underscore, or that end in `_version` and hold
a text, pass as notes. Numbers out of bounds are refused before anything is built from them.

This page is written from the tables that do the checking (`make docs`); a test walks transformers'
own classes, so that a field they add cannot slip through.

Text encoders other than T5 and BERT are read by transformers' own classes, which know all of their
fields; only numbers above 1048576, and more than 256 layers, are refused.
"""


def page() -> str:
    """The page, as Markdown."""
    lines = [INTRODUCTION]
    for title, (about, table) in {**fields.TABLES, **audiocraft_fields.TABLES, **lora.TABLES}.items():
        lines += [f"## {title}\n", f"{about}\n", "| field | rule | value | why |", "|---|---|---|---|"]
        lines += [*table_lines(table), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
