"""Records a performance: what is heard, and the journal from which it can be played again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from streamer.audio.files import WRITE_EVERY, SoundWriter, WavWriter, drained
from streamer.audio.flac import FlacWriter
from streamer.audio.playback import Playback
from streamer.audio.tap import Tap
from streamer.control.journal import NAME, Header, Journal
from streamer.errors import UserError, reason
from streamer.threads import lasting

_WRITERS: dict[str, Callable[[Path, int, int], SoundWriter]] = {"wav": WavWriter, "flac": FlacWriter}
_STEM = "heard."
SOUND = _STEM + "wav"


def sound_in(folder: Path) -> Path:
    """The file of sound in the folder of a recording; its usual name where there is none."""
    return next((path for form in _WRITERS if (path := folder / (_STEM + form)).exists()), folder / SOUND)


class Recorder:
    """Writes what is heard into a folder, beside the music: whatever becomes of the disk, that goes on.

    Parameters
    ----------
    playback
        What is heard.
    journal
        What has led to it.
    report
        Called with a sentence when something goes wrong.
    form
        Of the sound: wav or flac.

    Raises
    ------
    UserError
        For another form.
    """

    def __init__(self, playback: Playback, journal: Journal, report: Callable[[str], None], form: str = "wav") -> None:
        if form not in _WRITERS:
            raise UserError(f"a recording is {' or '.join(_WRITERS)}, and not {form}: choose one of these")
        self._form = form
        self._playback = playback
        self._journal = journal
        self._report = report
        self._lock = threading.Lock()
        self._take: _Take | None = None
        self._cut_short = False

    @property
    def folder(self) -> Path | None:
        """Where it records to now; None while it does not."""
        take = self._take
        return None if take is None or take.over else take.folder

    @property
    def cut_short(self) -> bool:
        """Whether a recording had to end before it was asked to."""
        take = self._take
        return self._cut_short or (take is not None and take.cut_short)

    def start(self, folder: Path, header: Header) -> None:
        """Begin; the folder is made. What was recorded before ends.

        Raises
        ------
        UserError
            There is a recording in the folder already, or it cannot be written to.
        """
        sound = folder / (_STEM + self._form)
        with self._lock:
            self._end()
            try:
                folder.mkdir(parents=True, exist_ok=True)
                writer = _WRITERS[self._form](sound, header.rate, header.channels)
                complete = self._opened(sound, header, writer)
            except FileExistsError:
                raise UserError(f"there is a recording in {folder} already: choose another folder") from None
            except OSError as error:
                raise UserError(f"cannot record into {folder}: {reason(error)}") from None
            if not complete:
                self._report(f"The recording in {folder} begins too late to be replayed; its sound is all there.")
            self._take = _Take(folder, writer, self._playback, self._journal, self._report)

    def _opened(self, sound: Path, header: Header, writer: SoundWriter) -> bool:
        """Open the journal beside a file of sound, which is not left there alone; whether the journal is complete."""
        try:
            return self._journal.open(sound.with_name(NAME), header)
        except OSError:
            writer.close()
            sound.unlink(missing_ok=True)
            raise

    def stop(self) -> Path | None:
        """End it; the folder, if there was a recording."""
        with self._lock:
            return self._end()

    def _end(self) -> Path | None:
        take, self._take = self._take, None
        if take is None:
            return None
        take.end()
        self._cut_short |= take.cut_short
        return take.folder


class _Take:
    """One recording, in a thread of its own.

    Attributes
    ----------
    over, cut_short : bool
        Whether it has ended, and whether early.
    """

    def __init__(
        self, folder: Path, writer: SoundWriter, playback: Playback, journal: Journal, report: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self.over = self.cut_short = False
        self._writer = writer
        self._playback = playback
        self._journal = journal
        self._report = report
        self._tap = Tap(playback.rate, playback.ring.channels)
        playback.copy_to(self._tap)
        self._closing = threading.Event()
        self._thread = lasting("recorder", self._run, report)
        self._thread.start()

    def end(self) -> None:
        """Record no more."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        problem = ""
        while not problem and not self._closing.wait(WRITE_EVERY):
            problem = self._drain()
        self._playback.leave(self._tap)
        problem = problem or self._drain()
        try:
            self._writer.close()
        except OSError as error:
            problem = problem or reason(error)
        self._journal.close(self._writer.samples)
        problem = problem or self._journal.problem
        self.over, self.cut_short = True, bool(problem)
        if problem:
            self._report(f"The recording in {self.folder} has ended early ({problem}); the music goes on.")

    def _drain(self) -> str:
        """Write what has come; what went wrong."""
        for gate in self._tap.gates():
            self._journal.gate(gate)
        return drained(self._tap, self._writer) or self._journal.problem
