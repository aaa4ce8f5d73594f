"""VST3 plug-ins through pedalboard: an extra, under the GPL, imported here and so in a plug-in's process alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import UserError
from streamer.sound.dynamics import Samples
from streamer.sound.hosted.wire import Range

_LOAD_SECONDS = 10.0
_MAC = ("~/Library/Audio/Plug-Ins/VST3", "/Library/Audio/Plug-Ins/VST3")
_ELSEWHERE = ("~/.vst3", "/usr/local/lib/vst3", "/usr/lib/vst3")


def folders() -> list[Path]:
    """Where VST3 plug-ins lie; VST3_PATH names others."""
    if named := os.environ.get("VST3_PATH"):
        return [Path(part) for part in named.split(os.pathsep) if part]
    return [Path(part).expanduser() for part in (_MAC if sys.platform == "darwin" else _ELSEWHERE)]


def installed() -> Iterator[Path]:
    """All VST3 plug-ins in them."""
    for folder in folders():
        yield from sorted(folder.glob("*.vst3"))
        yield from sorted(folder.glob("*/*.vst3"))


class Vst3:
    """A plug-in on two channels, see `streamer.sound.hosted.host.Effect`; one for a single channel is there twice.

    Raises
    ------
    UserError
        It is not there, or cannot be hosted.
    """

    def __init__(self, asked: str, rate: int, frame: int) -> None:
        path = next((path for path in installed() if path.stem.casefold() == asked.casefold()), None)
        if path is None:
            raise UserError(f"no VST3 plug-in here is named {asked[:80]!r}: `streamer fx` lists them")
        if find_spec("pedalboard") is None:
            install = f"{sys.executable} -m pip install pedalboard"
            raise UserError(f"VST3 plug-ins need pedalboard, which is under the GPL: run `{install}`")
        self._rate, self._frame = rate, frame
        self._voices = [_load(path)]
        self.name = str(self._voices[0].name)
        try:
            self.process(np.zeros((frame, 2), np.float32))
        except ValueError:
            self._voices.append(_load(path))
        try:
            self.process(np.zeros((frame, 2), np.float32))
        except ValueError as error:
            raise UserError(f"the VST3 plug-in {path.stem} takes neither one channel nor two: {error}") from None
        self.parameters = {name: _range(parameter) for name, parameter in self._voices[0].parameters.items()}

    @property
    def latency(self) -> int:
        """Samples by which its sound is late."""
        return int(self._voices[0].reported_latency_samples)

    def set(self, name: str, number: float, norm: bool) -> None:
        """Move a parameter, from the next block on."""
        span = self.parameters[name]
        low, high = span["low"], span["high"]
        for voice in self._voices:
            parameter = voice.parameters[name]
            if norm or isinstance(parameter.min_value, str | type(None)):
                place = number if norm else (number - low) / ((high - low) or 1.0)
                parameter.raw_value = min(max(place, 0.0), 1.0)
            else:
                setattr(voice, name, type(parameter.min_value)(min(max(number, low), high)))

    def process(self, samples: Samples) -> Samples:
        """What it makes of a block of at most a frame, (n, 2)."""
        sides = np.ascontiguousarray(samples.T)
        parts = [sides] if len(self._voices) == 1 else [sides[:1], sides[1:]]
        made = [
            voice.process(part, self._rate, self._frame, False) for voice, part in zip(self._voices, parts, strict=True)
        ]
        return np.ascontiguousarray(np.concatenate(made).T, np.float32)


def _load(path: Path) -> Any:
    """An effect, or a sentence."""
    import pedalboard  # it has no types for what it loads

    load: Any = vars(pedalboard)["load_plugin"]
    try:
        plugin = load(str(path), initialization_timeout=_LOAD_SECONDS)
    except (ImportError, RuntimeError, ValueError) as error:
        raise UserError(f"the VST3 plug-in {path.stem} cannot be loaded: {error}") from None
    if not plugin.is_effect:
        raise UserError(f"the VST3 plug-in {path.stem} is no effect: it takes no sound")
    return plugin


def _range(parameter: Any) -> Range:
    try:
        low, high = float(parameter.min_value), float(parameter.max_value)
        normal = low + (high - low) * float(parameter.raw_value)
    except (TypeError, ValueError):  # a choice among texts
        low, high, normal = 0.0, 1.0, float(parameter.raw_value)
    return Range(low=low, high=high, normal=normal, unit=str(getattr(parameter, "units", None) or ""))
