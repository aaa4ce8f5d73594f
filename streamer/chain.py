"""The chain of hosted effects: which plug-in a slot holds, and how its own knobs stand, as one text.

``lv2:http://example.org/reverb; wet=30%; size=12``
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from osc.packet import TEXT_BYTES
from osc.values import BadValue

KINDS = ("lv2", "vst3")
"""The formats of plug-ins that can be hosted."""
LENGTH = 4
"""Slots of the chain."""


class Setting(NamedTuple):
    """Where a plug-in's own parameter stands.

    Attributes
    ----------
    number : float
        In the parameter's unit, or its place on a fader.
    norm : bool
        Whether it is that place, 0 to 1.
    """

    number: float
    norm: bool = False

    def __str__(self) -> str:
        return f"{100 * self.number:.6g}%" if self.norm else f"{self.number:.7g}"


@dataclass(frozen=True)
class Plug:
    """What a slot holds.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    name : str
        An LV2's URI or name, a VST3's name.
    settings : tuple of (str, Setting)
        By the names of the plug-in's parameters; the others stand where the plug-in has them.
    """

    kind: str
    name: str
    settings: tuple[tuple[str, Setting], ...] = ()

    @classmethod
    def of(cls, text: str) -> Plug | None:
        """Read a text; None for an empty one.

        Raises
        ------
        BadValue
            It is no such text.
        """
        first, *rest = (part.strip() for part in text.split(";"))
        if not first and not any(rest):
            return None
        kind, colon, name = first.partition(":")
        if not colon or kind.lower() not in KINDS or not name.strip():
            raise BadValue(f"takes lv2:URI or vst3:NAME, as `streamer fx` lists them, not {first[:60]!r}")
        return cls(kind.lower(), name.strip(), tuple(dict(_settings(rest)).items()))

    @property
    def identity(self) -> str:
        """Which plug-in it is, however its parameters stand."""
        return f"{self.kind}:{self.name}"

    @property
    def text(self) -> str:
        """As `of` reads it."""
        return "; ".join([self.identity, *(f"{name}={setting}" for name, setting in self.settings)])

    def setting(self, name: str, setting: Setting) -> Plug:
        """The same with one parameter set.

        Raises
        ------
        BadValue
            So many parameters do not fit into a text.
        """
        moved = replace(self, settings=tuple({**dict(self.settings), name: setting}.items()))
        if len(moved.text.encode()) > TEXT_BYTES:
            raise BadValue(f"cannot remember more parameters of {self.name[:60]}: load it again with the ones you need")
        return moved


def chain_text(text: str) -> str:
    """The text of a slot, in the one way it is kept.

    Raises
    ------
    BadValue
        It names no plug-in.
    """
    plug = Plug.of(text)
    return "" if plug is None else plug.text


def _settings(parts: list[str]) -> Iterator[tuple[str, Setting]]:
    for part in filter(None, parts):
        name, equals, value = (word.strip() for word in part.partition("="))
        norm = value.endswith("%")
        try:
            number = float(value.removesuffix("%"))
        except ValueError:
            number = math.nan
        if not name or not equals or not math.isfinite(number):
            raise BadValue(f"sets a plug-in's parameters as name=number or name=30%, not {part[:60]!r}")
        yield name, Setting(min(max(number / 100, 0.0), 1.0) if norm else number, norm)
