"""`streamer models`: what can be loaded, and whether this machine can play it live."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.cli.console import columns, console, plain, tell_machine
from streamer.cli.options import Json

if TYPE_CHECKING:
    from musicgen.models.table import Card

PLENTY, ENOUGH = 2.0, 1.3
"""Real-time factors that an estimate calls live, and barely: a step also attends, samples and decodes."""


@dataclass(frozen=True)
class _Row:
    """A model, and how this machine stands to it.

    Attributes
    ----------
    here
        Whether its files are on this machine.
    backend
        That it would be played with.
    factor
        Of real time, as estimated.
    """

    card: Card
    here: bool
    backend: str
    factor: float


def models(as_json: Json = False) -> None:
    """List what can be loaded, and whether this machine can play it live."""
    from musicgen.backends import choose, native_bits, reading_factor
    from musicgen.models.table import RELEASED, nano
    from streamer.engine.loading import reading_speed

    with console.status("Measuring how fast this machine reads weights ..."):
        speed = reading_speed()
    backend, reason = choose()
    rows = []
    for card in (nano(), *RELEASED):
        own = native_bits(card, speed) if backend == "native" else backend
        here = card.name == "nano" or _downloaded(card.name)
        rows.append(_Row(card, here, own, reading_factor(own, card, speed)))
    if as_json:
        tell_machine({"backend": backend, "reason": reason, "models": [_facts(row) for row in rows]})
        return
    _show(rows)
    console.print(plain(f"Backend: {backend}. {reason}"))
    if any(row.backend != backend for row in rows):
        console.print("Where 8 bits of each weight take too long to read for live music: native-int6, with 6.")


def _facts(row: _Row) -> dict[str, object]:
    card = row.card
    return {
        "name": card.name,
        "decoder": card.decoder,
        "channels": card.channels,
        "led_by": card.abilities,
        "memory": card.memory(),
        "licence": card.licence,
        "here": row.here,
        "backend": row.backend,
        "estimate": round(row.factor, 2),
        "live": _live(row.factor),
    }


def _show(rows: Sequence[_Row]) -> None:
    table = columns("Model", "Decoder", "Sound", "Memory", "Files", "Live")
    for row in rows:
        card = row.card
        table.add_row(
            card.name,
            _count(card.decoder),
            "stereo" if card.channels == 2 else "mono",
            f"{card.memory() / 1e9:.1f} GB",
            "here" if row.here else "hub",
            _live(row.factor),
        )
    console.print(table)
    console.print()
    console.print("All are led by text and continue from audio; those with melody in their name follow a tune, too.")
    for licence, names in _licences(row.card for row in rows).items():
        terms = ": not for commercial use" if "NC" in licence else ""
        console.print(plain(f"Licence of {names}: {licence}{terms}."))
    console.print("Files: here, or downloaded from the hub when they are first asked for.")
    console.print("Live: an estimate, from how fast weights are read here; `streamer bench` measures a model.")
    console.print("Also: any folder with a MusicGen in transformers' layout, or with AudioCraft's state_dict.bin.")


def _licences(cards: Iterable[Card]) -> dict[str, str]:
    """Licence -> whose: a model's name, or "facebook/*" for all of a maker's."""
    owners: dict[str, dict[str, None]] = {}
    for card in cards:
        maker, _, name = card.name.rpartition("/")
        owners.setdefault(card.licence, {})[f"{maker}/*" if maker else name] = None
    return {licence: ", ".join(names) for licence, names in owners.items()}


def _downloaded(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json"), str)


def _count(weights: int) -> str:
    return f"{weights / 1e9:.2f} B" if weights >= 1e9 / 10 else f"{weights / 1e6:.0f} M"


def _live(factor: float) -> str:
    """A real-time factor as a word."""
    return f"yes, {factor:.0f}x" if factor >= PLENTY else "barely" if factor >= ENOUGH else "no"
