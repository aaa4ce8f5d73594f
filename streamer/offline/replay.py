"""A performance again from its journal: the same samples with the same model, or the same moves with another."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import soundfile

from streamer.audio.files import WavWriter
from streamer.audio.playback import fade_curve
from streamer.audio.recorder import sound_in
from streamer.control.change import Change, Frame
from streamer.control.journal import NAME, Life, Performance, read_journal
from streamer.control.table import MOVES
from streamer.engine.beginning import Beginning, Excerpt, read_beginning
from streamer.engine.core import Core
from streamer.engine.events import Event, Refused
from streamer.engine.melodies import Melodies
from streamer.engine.model import Model
from streamer.engine.standing import Standing
from streamer.errors import UserError, reason
from streamer.offline.drafts import Decode, Drafts
from streamer.sound.dynamics import Samples


def read_performance(recording: Path) -> tuple[Performance, int]:
    """A journal, or the one in a folder, and how many samples were heard.

    Raises
    ------
    UserError
        There is no recording that can be replayed.
    """
    file = recording if recording.is_file() else recording / NAME
    performance = read_journal(file)
    samples = performance.samples
    if samples is None:  # cut off: then the sound tells how far it went
        try:
            samples = soundfile.info(sound_in(file.parent)).frames
        except soundfile.LibsndfileError:
            raise UserError(f"the recording {recording} has no end and no sound: it cannot be replayed") from None
    if not performance.lives or not performance.gates:
        raise UserError(f"the recording {recording} is empty: there is nothing to replay")
    return performance, samples


def replay(
    model: Model,
    recording: Path,
    out: Path,
    *,
    decode: Decode | None = None,
    progress: Callable[[float], None] | None = None,
    report: Callable[[str], None] | None = None,
) -> int:
    """Write a performance to a WAV file of 24 bits; the samples written.

    Parameters
    ----------
    model
        With the one that it was played with, on the same backend, the samples are those that were heard.
    recording
        Its folder, or its journal alone.
    out
        Must not exist.
    decode
        What makes the sound of all frames together, see `streamer.offline.drafts.Decode`; the guard is left out then.
    progress
        Called with the part done, 0..1.
    report
        Called with a sentence about what could not be done again.

    Raises
    ------
    UserError
        It cannot be replayed, or not be written.
    """
    performance, samples = read_performance(recording)
    told = report or (lambda sentence: None)
    source: Any = model
    if decode is not None:
        drafts = Drafts(cast(Any, model))
        deque(_heard(drafts, performance, samples, told, deaf=True), maxlen=0)
        seeds = [int(life.values.get("seed", 0)) for life in performance.lives[: drafts.made]]
        source, told = drafts.decoded(decode, seeds), lambda sentence: None
    try:
        wav = WavWriter(out, performance.header.rate, performance.header.channels)
    except OSError as error:
        raise UserError(f"the file {out} cannot be written: {reason(error)}") from None
    try:
        for block in _heard(source, performance, samples, told, deaf=decode is not None):
            wav.write(block)
            if progress is not None:
                progress(wav.samples / max(1, samples))
    except OSError as error:
        raise UserError(f"the file {out} could not be written to its end: {reason(error)}") from None
    finally:
        wav.close()
    return wav.samples


def _heard(
    model: Any, performance: Performance, samples: int, report: Callable[[str], None], *, deaf: bool
) -> Iterator[Samples]:
    """What came through the gate, as `streamer.audio.playback.Playback` lets it through."""
    with contextlib.closing(_Music(model, performance, report, deaf)) as music:
        yield from _let_through(music, performance, samples)


def _let_through(music: _Music, performance: Performance, samples: int) -> Iterator[Samples]:
    curve = fade_curve(performance.header.rate)
    ends = [gate.heard for gate in performance.gates[1:]] + [samples]
    block = performance.header.rate // 2
    for gate, end in zip(performance.gates, ends, strict=True):
        at, fade = gate.sample, gate.fade
        for start in range(gate.heard, min(end, samples), block):
            count = min(block, end - start)
            part = np.zeros((count, performance.header.channels), np.float32)
            if gate.opens:
                moving = min(count, len(curve) - 1 - fade)
                part[:] = music.read(at, count)
                part[:moving] *= curve[fade + 1 : fade + 1 + moving]
                at, fade = at + count, fade + moving
            else:
                moving = min(count, fade)
                part[:moving] = music.read(at, moving)
                part[:moving] *= curve[fade - moving : fade][::-1]
                at, fade = at + moving, fade - moving
            yield part


class _Music:
    """The samples of the ring, made again by one engine after the other."""

    def __init__(self, model: Any, performance: Performance, report: Callable[[str], None], deaf: bool) -> None:
        self._model = model
        self._header = performance.header
        self._report = report
        self._deaf = deaf
        self._lives = deque(performance.lives)
        self._pace = model.sample_rate / model.hop / self._header.frame_rate  # its frames to one of the journal's
        self._melodies = Melodies(model, stems=bool(self._header.arguments.get("stems")), report=report)
        self._begin()

    def close(self) -> None:
        """End what plays: its plug-ins have processes of their own."""
        self._core.close()

    def _begin(self) -> None:
        life = self._lives.popleft()
        self._at = life.sample
        values, changes = self._own(life)
        self._core = self._engine(life, values)
        for change in changes:
            self._core.change(change)

    def _engine(self, life: Life, values: dict[str, Any]) -> Core:
        """One that goes on where the one before it stood, where this model can."""

        def engine(goes_on: Standing | None) -> Core:
            return Core(
                self._model,
                values,
                sample_rate=self._header.rate,
                channels=self._header.channels,
                chunk_frames=int(self._header.arguments.get("chunk_frames", 1)),
                beginning=self._beginning() if life.first else None,
                melodies=self._melodies,
                tell=self._tell,
                goes_on=goes_on,
            )

        if life.state and self._model.name == self._header.model and not self._deaf:
            with contextlib.suppress(ValueError):
                return engine(Standing.from_bytes(life.state))
        if life.state:
            self._report("an engine was replaced: this model or decoder cannot go on where it was, and begins anew")
        return engine(None)

    def _own(self, life: Life) -> tuple[dict[str, Any], list[Change]]:
        """What this model is given to do, at its own frames, and a decoder that is deaf to the guard and to turns."""
        left_out = {"guard"} | MOVES if self._deaf else set[str]()
        if any(change.values.keys() & MOVES & left_out for change in life.changes):
            self._report("this decoder makes whole pieces: passages and rewinds are left out")
        values = self._possible({name: value for name, value in life.values.items() if name not in left_out})
        changes = [
            replace(
                change,
                values={name: value for name, value in change.values.items() if name not in left_out},
                at=Frame(change.at.number * self._pace) if isinstance(change.at, Frame) else change.at,
            )
            for change in life.changes
        ]
        return values | ({"guard": False} if self._deaf else {}), changes

    def _possible(self, values: dict[str, Any]) -> dict[str, Any]:
        """Values to begin with, less what this model cannot have; a change that it cannot have is refused by itself."""
        lacking = dict[str, str]()
        try:
            self._melodies.prepare(str(values.get("melody", "")))
        except UserError as error:
            lacking["melody"] = str(error)
        try:
            if values.get("lora", 1.0) != 1.0:
                self._model.prepare_lora(float(values["lora"]))
        except ValueError as error:
            lacking["lora"] = str(error)
        for name, why in lacking.items():
            self._report(f"{name}: {why}; it is left out")
        return {name: value for name, value in values.items() if name not in lacking}

    def _beginning(self) -> Beginning | None:
        path = str(self._header.arguments.get("path", ""))
        start, end = (float(self._header.arguments.get(name, 0.0)) for name in ("start", "end"))
        return read_beginning(Excerpt(Path(path), start, end or None), self._model) if path else None

    def read(self, sample: int, count: int) -> Samples:
        """The samples from here on; those before are gone for good."""
        parts = []
        while count:
            while self._lives and sample >= self._lives[0].sample:
                self.close()
                self._begin()
            until = min(sample + count, self._lives[0].sample) if self._lives else sample + count
            while self._at < sample:  # what nobody heard
                self._at += len(self._core.read(min(sample - self._at, self._header.rate)))
            parts.append(self._core.read(until - sample))
            count -= until - sample
            self._at = sample = until
        return np.concatenate(parts or [np.zeros((0, self._header.channels), np.float32)])

    def _tell(self, event: Event) -> None:
        if isinstance(event, Refused):
            self._report(f"{event.name}: {event.sentence}")
