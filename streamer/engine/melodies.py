"""What the parameter `melody` names -> what a stream follows: a sound file, a live input, or notes that are played."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr
from numpy.typing import NDArray

from streamer.control.media import INPUT, MIDI, file_in
from streamer.engine.listening import PERIOD, Heard, Input, Listener
from streamer.engine.model import Follower, Following
from streamer.engine.tune import Tune
from streamer.errors import UserError
from streamer.sound.files import mixed, opened, read

if TYPE_CHECKING:
    from musicgen import Melody

LONGEST = 300.0
"""Seconds of a file that are followed, the first ones."""
_LARGEST_RATIO = 1000  # of two rates, in lowest terms: torchaudio's resampler makes a filter for each step of it

OpenInput = Callable[[str, float, bool], Input]
"""Opens a device, see `streamer.audio.input.open_input`."""
Report = Callable[[str], None]
"""Takes a sentence about something that a person should know."""


class Melodies:
    """Prepares melodies on one thread, and hands them to a stream on another.

    Parameters
    ----------
    model
        For which.
    stems
        Whether files are followed without their drums and bass, see `musicgen.stems`.
    open_input
        Opens an input; None where there is no live music that could follow one.
    period
        Seconds between two melodies of an input, see `Listener`, or of notes that are played.
    report
        Called, from any thread, with what is not as it was asked for.
    """

    def __init__(
        self,
        model: Follower,
        *,
        stems: bool = False,
        open_input: OpenInput | None = None,
        period: float = PERIOD,
        report: Report | None = None,
    ) -> None:
        self._model = model
        self._report: Report = report or (lambda sentence: None)
        self._stems = stems
        self._open_input = open_input
        self._period = period
        self._lock = threading.Lock()
        # what is followed, and what was prepared since, in that order
        self._prepared: dict[str, Melody | Listener | None] = {"": None}
        self._listener: Listener | None = None  # that is followed
        self._heard: Heard | None = None  # of it, what the stream has
        self._rate = model.sample_rate / model.hop
        self._tune = Tune(round(self._seconds * self._rate))
        self._due: int | None = None  # the frame at which the notes are followed anew, if they are
        self._rests = False  # whether none has been played for long, and the stream follows nothing

    def prepare(self, text: str) -> None:
        """Do what takes its time: read the file, or open the device. From any thread.

        A file is read again each time it is asked for: it may be another one by now.

        Parameters
        ----------
        text
            A file's path; "input" or "input:DEVICE"; "midi" for the notes that are played; "" for nothing.

        Raises
        ------
        UserError
            It cannot be followed: why, and what to do.
        """
        source, _, device = text.partition(":")
        if text and not self._model.follows_melody:
            raise UserError(
                f"the model {self._model.name} follows no melody: load a model that does, "
                "such as facebook/musicgen-melody"
            )
        made: Melody | Listener | None = None
        if source == INPUT:
            made = self._listening(text) or self._listen(device)
        elif file := file_in(text):
            made = self._read(file)
        with self._lock:
            self._prepared.pop(text, None)
            self._prepared[text] = made

    def follow(self, text: str, stream: Following) -> None:
        """Have a stream follow what was prepared; an input or notes once they are heard. On the stream's thread.

        Raises
        ------
        UserError
            It was not prepared, and cannot be.
        """
        with self._lock:
            missing = text not in self._prepared
        if missing:
            self.prepare(text)
        found = self._take(text)
        self._due, self._rests = 0 if text == MIDI else None, False
        if isinstance(found, Listener):
            if found is not self._listener:
                self._listener, self._heard = found, None
            return
        self._listener = self._heard = None
        if text != MIDI:
            stream.set_melody(found)

    def hold(self, notes: str, frame: int) -> None:
        """From a frame on these notes are held, as the parameter `notes` has them. On the stream's thread."""
        self._tune.hold(notes, frame)

    def refresh(self, stream: Following, frame: int) -> None:
        """Hand on what has been played since, before a frame is made. On the stream's thread, before each chunk.

        The music follows what was played a period ago: the sound ends where the next one will be ready.
        """
        if self._due is not None and frame >= self._due:
            self._follow_notes(stream, frame)
        if self._listener is None or self._listener.heard is self._heard:
            return
        self._heard = heard = self._listener.heard
        if heard is not None:
            stream.set_melody(heard.melody, round((self._period - heard.seconds) * self._rate))

    def _follow_notes(self, stream: Following, frame: int) -> None:
        """What a note begins is followed a period later, and so on from period to period; nothing in a long rest."""
        notes = self._tune.until(frame)
        period = round(self._period * self._rate)
        if not len(notes):
            if not self._rests:
                stream.set_melody(None)
            self._due, self._rests = 0, True
        elif self._due != 0 or len(notes) >= period:
            self._due, self._rests = frame + period, False
            stream.set_melody(self._model.tune(notes, self._rate), period - len(notes))

    def _take(self, text: str) -> Melody | Listener | None:
        """What was prepared; what was prepared before it is let go of: who wants that back asks anew."""
        with self._lock:
            for older in list(self._prepared):
                if older == text:
                    break
                forgotten = self._prepared.pop(older)
                if isinstance(forgotten, Listener):
                    forgotten.close()
            return self._prepared[text]

    def _listening(self, text: str) -> Listener | None:
        """The input that is open already."""
        with self._lock:
            found = self._prepared.get(text)
        return found if isinstance(found, Listener) and found.open else None

    def _listen(self, device: str) -> Listener:
        if self._open_input is None:
            raise UserError("a live input can be followed in `streamer play` only: name a sound file")
        open_input = self._open_input
        return Listener(
            lambda again: open_input(device, self._seconds, again), self._model.melody, self._period, self._report
        )

    @property
    def _seconds(self) -> float:
        """That are remembered: what a lane replays of the past, and what it plays until the next melody."""
        return self._model.policy.keep * self._model.hop / self._model.sample_rate + self._period

    def _read(self, text: str) -> Melody:
        path = check_file(text)
        # Demucs hears stereo; of a file with many channels nothing else is kept
        sound, rate = read(path, seconds=LONGEST, shape=(lambda block: block[:, :2]) if self._stems else mixed)
        if not len(sound):
            raise UserError(f"the file {path} has no sound in it: name another one to follow")
        wanted = self._model.sample_rate
        if max(rate, wanted) // math.gcd(rate, wanted) > _LARGEST_RATIO:
            sound, rate = soxr.resample(sound, rate, wanted), wanted
        if self._stems:
            sound, rate = self._separated(sound, rate)
        try:
            return self._model.melody(sound, rate)
        except ValueError as error:
            raise UserError(f"the file {path} cannot be followed: {error}") from None

    def _separated(self, sound: NDArray[np.float32], rate: int) -> tuple[NDArray[np.float32], int]:
        """A sound without drums and bass; as it is, and a word about it, where that cannot be."""
        from musicgen.errors import ModelError
        from musicgen.stems import melodic

        try:
            return melodic(sound, rate)
        except ModelError as error:
            self._report(f"{error} The melody is followed with its drums and bass.")
            return sound, rate


def check_file(text: str) -> Path:
    """The path of a sound file.

    Raises
    ------
    UserError
        There is no such file, or it is no sound.
    """
    try:
        path = Path(text).expanduser()
        there = path.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # a name that is too long or has a NUL, the home of nobody
        raise UserError(f"the melody {text[:80]!r} cannot be looked for: {error}") from None
    if not there:
        raise UserError(f"there is no file {path}: name a sound file to follow, or {INPUT} for a live one")
    with opened(path):
        return path


def check_melody(text: str) -> None:
    """Refuse a file that cannot be followed, before any work is done.

    Raises
    ------
    UserError
    """
    if file := file_in(text):
        check_file(file)
