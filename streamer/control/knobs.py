"""Which knob of a MIDI controller turns what, and which note plays what: as one text that a snapshot keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping

from osc.values import BadValue

_KINDS = {"cc": 127, "nrpn": 16383, "note": 127}
"""What can be moved -> the highest number of one."""
_KNOB = re.compile(r"(cc|nrpn|note) (\d{1,2}) (\d{1,5})")
_TARGET = re.compile(r"[\w][\w/ \-]*")


def read_map(text: str) -> dict[str, str]:
    """Knob -> what it turns: of a text like ``volume=cc 1 7; prompt/2=note 10 36``.

    A knob is written as its kind, its channel from 1 to 16 and its number. What it turns is the path of a parameter or
    of an action, ``prompt/N`` for a prompt slot alone, or ``snapshot/NAME``.

    Raises
    ------
    BadValue
        For anything else.
    """
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        target, _, knob = (word.strip() for word in part.rpartition("="))
        knob = " ".join(knob.lower().split())
        known = _KNOB.fullmatch(knob)
        if known is None or not (1 <= int(known[2]) <= 16 and int(known[3]) <= _KINDS[known[1]]):
            raise BadValue(f"takes knobs like cc 1 7, nrpn 1 300 or note 10 36, not {knob[:40]!r}")
        if not _TARGET.fullmatch(target):
            raise BadValue(f"takes what a knob turns, like volume=cc 1 7, and not {target[:40]!r}")
        found[f"{known[1]} {int(known[2])} {int(known[3])}"] = target
    return found


def write_map(targets: Mapping[str, str]) -> str:
    """As `read_map` reads it."""
    return "; ".join(f"{target}={knob}" for knob, target in targets.items())


def map_text(text: str) -> str:
    """A map, written as this project writes it.

    Raises
    ------
    BadValue
        It is none.
    """
    return write_map(read_map(text))


def can_be_target(name: str) -> bool:
    """Whether a map can hold a name."""
    return bool(_TARGET.fullmatch(name))
