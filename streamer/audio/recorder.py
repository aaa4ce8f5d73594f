"""Records a performance: what is heard, and the journal from which it can be played again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from streamer.audio.files import WavWriter
from streamer.audio.playback import Playback
from streamer.audio.tap import Tap
from streamer.control.journal import NAME, Header, Journal
from streamer.errors import UserError
from streamer.threads import lasting

SOUND = "heard.wav"
_EVERY = 0.25


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
    """

    def __init__(self, playback: Playback, journal: Journal, report: Callable[[str], None]) -> None:
        self._playback = playback
        self._journal = journal
        self._report = report
        self._lock = threading.Lock()
        self._take: _Take | None = None

    @property
    def folder(self) -> Path | None:
        """Where it records to now; None while it does not."""
        take = self._take
        return None if take is None or take.over else take.folder

    def start(self, folder: Path, header: Header) -> None:
        """Begin; the folder is made. What was recorded before ends.

        Raises
        ------
        UserError
            There is a recording in the folder already, or it cannot be written to.
        """
        with self._lock:
            self._end()
            try:
                folder.mkdir(parents=True, exist_ok=True)
                wav = WavWriter(folder / SOUND, header.rate, header.channels)
                complete = self._opened(folder, header, wav)
            except FileExistsError:
                raise UserError(f"there is a recording in {folder} already: choose another folder") from None
            except OSError as error:
                raise UserError(f"cannot record into {folder}: {error.strerror or error}") from None
            if not complete:
                self._report(f"The recording in {folder} begins too late to be replayed; its sound is all there.")
            self._take = _Take(folder, wav, self._playback, self._journal, self._report)

    def _opened(self, folder: Path, header: Header, wav: WavWriter) -> bool:
        """Open the journal beside a file of sound, which is not left there alone; whether the journal is complete."""
        try:
            return self._journal.open(folder / NAME, header)
        except OSError:
            wav.close()
            (folder / SOUND).unlink(missing_ok=True)
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
        return take.folder


class _Take:
    """One recording, in a thread of its own.

    Attributes
    ----------
    over : bool
        Whether it has ended, be it early.
    """

    def __init__(
        self, folder: Path, wav: WavWriter, playback: Playback, journal: Journal, report: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self.over = False
        self._wav = wav
        self._playback = playback
        self._journal = journal
        self._report = report
        self._tap = playback.tap = Tap(playback.rate, playback.ring.channels)
        self._closing = threading.Event()
        self._thread = lasting("recorder", self._run, report)
        self._thread.start()

    def end(self) -> None:
        """Record no more."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        problem = ""
        while not problem and not self._closing.wait(_EVERY):
            problem = self._drain()
        self._playback.tap = None
        problem = problem or self._drain()
        if self._tap.lost:
            problem = problem or f"{self._tap.lost} samples could not be written in time"
        try:
            self._journal.close(self._wav.samples)
            self._wav.close()
        except (OSError, ValueError) as error:
            problem = problem or str(getattr(error, "strerror", None) or error)
        self.over = True
        if problem:
            self._report(f"The recording in {self.folder} has ended early ({problem}); the music goes on.")

    def _drain(self) -> str:
        """Write what has come; what went wrong."""
        try:
            for gate in self._tap.gates():
                self._journal.gate(gate)
            self._wav.write(self._tap.sound())
        except (OSError, ValueError) as error:
            return str(getattr(error, "strerror", None) or error)
        lost = f"{self._tap.lost} samples could not be written in time" if self._tap.lost else ""
        return self._journal.problem or lost
