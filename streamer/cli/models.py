"""`streamer models`: what can be loaded, and whether this machine can play it live."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Column, Table

from streamer.cli.console import console

FRAME_RATE = 50  # steps a second, of every released model


def models() -> None:
    """List what can be loaded, and whether this machine can play it live."""
    from musicgen.backends import WEIGHT_BYTES, choose
    from musicgen.models.table import RELEASED, nano
    from streamer.engine.loading import reading_speed

    with console.status("Measuring how fast this machine reads weights ..."):
        speed = reading_speed()
    backend, reason = choose()
    table = Table(
        Column("Model", no_wrap=True), "Decoder", "Channels", "Led by", "Memory", "Licence", "Files", "Live", box=None
    )
    for card in (nano(), *RELEASED):
        table.add_row(
            card.name,
            _count(card.decoder),
            "stereo" if card.channels == 2 else "mono",
            ", ".join(card.abilities),
            f"{card.memory() / 1e9:.1f} GB",
            card.licence,
            "here" if card.name == "nano" or _downloaded(card.name) else "download",
            _live(speed / (WEIGHT_BYTES[backend] * card.decoder * FRAME_RATE)),
        )
    console.print(table)
    console.print(escape(f"Backend: {backend}. {reason}"))
    console.print("Live: an estimate, from how fast weights are read here; `streamer bench` measures a model.")
    console.print("CC-BY-NC-4.0: not for commercial use.")
    console.print("Also: any folder with a MusicGen in transformers' layout, or with AudioCraft's state_dict.bin.")


def _downloaded(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json"), str)


def _count(weights: int) -> str:
    return f"{weights / 1e9:.2f} B" if weights >= 1e9 / 10 else f"{weights / 1e6:.0f} M"


def _live(factor: float) -> str:
    """Real-time factor as a word: a step also attends, samples and decodes, so there must be time to spare."""
    return f"yes ({factor:.0f}x)" if factor >= 2 else f"barely ({factor:.1f}x)" if factor >= 1.3 else "no"
