"""The instrument: endless music from a model, played live and steered over OSC.

>>> from musicgen import MusicGen
>>> from streamer import Controls, Engine
>>> engine = Engine(MusicGen.load("nano"), Controls(prompt="deep house, 122 bpm", seed=7))
>>> engine.controls.set(temperature=1.2)
>>> block = engine.read(512)  # float32 (512, channels) at engine.sample_rate
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamer.errors import UserError

if TYPE_CHECKING:
    from streamer.control.controls import Controls
    from streamer.engine.engine import Engine

__all__ = ["Controls", "Engine", "UserError"]


def __getattr__(name: str) -> Any:
    """Load the rest when it is asked for: the command line starts the engine's process before anything else."""
    if name == "Controls":
        from streamer.control.controls import Controls

        return Controls
    if name == "Engine":
        from streamer.engine.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
