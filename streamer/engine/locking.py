"""The music's own beat on the one that is counted, and what that does to frames and beats."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from osc.values import Value
from streamer.engine.events import Event, Locked
from streamer.engine.sounding import Sounding
from streamer.engine.steering import Steering
from streamer.sound.dynamics import Samples
from streamer.sound.lock import LOCKED, LOST, OFF, Lock

SENTENCES = {
    LOCKED: "The music's beat is heard, and kept on the one that is counted.",
    LOST: "The music's beat cannot be heard: it runs free until it can.",
}


class Locking:
    """Stands between the stream and the sound's way, while `lock` is on.

    What it leaves out takes no time, and what it repeats takes more: the frames of the music are heard sooner or later
    for it, and beats, which are counted by what is heard, are fewer or more at the next frame.

    Parameters
    ----------
    lock : Lock
        What does it.
    values : mapping
        What is played, by name.
    sounding, steering : Sounding, Steering
        What knows which sample a frame begins at, and which beat.
    rate : int
        Samples a second of the stream.
    unheard : bool
        Whether the music begins with what is heard here: then it begins on the beat.
    tell
        Takes what has become of the beat.
    """

    def __init__(
        self,
        lock: Lock,
        values: Mapping[str, Value],
        sounding: Sounding,
        steering: Steering,
        rate: int,
        unheard: bool,
        tell: Callable[[Event], None],
    ) -> None:
        self._lock = lock
        self._values = values
        self._sounding = sounding
        self._steering = steering
        self._rate = rate
        self._unheard = unheard
        self._tell = tell
        self._edited = 0  # samples more than there would have been, that are not accounted for

    def process(self, chunk: Samples) -> Samples:
        """What is heard of a chunk (n, channels) of the stream's: more or less of it, and a little later."""
        lock, tempo, state = self._lock, self._steering.tempo, self._lock.state
        if not self._values["lock"]:
            if state == OFF:
                self._unheard = False
                return chunk
            chunk = lock.end(chunk)
        else:
            if state == OFF:
                lock.begin(tempo.bpm, self._unheard)
                self._unheard = False
            held = lock.held
            beat = tempo.beat_at(self._sounding.ahead(held)) - float(self._values["lockshift"])
            came, chunk = len(chunk), lock.process(chunk, tempo.bpm, beat)
            self._edited += len(chunk) + lock.held - held - came
        if lock.state != state:
            self._tell(Locked(self._sounding.frame, lock.state, SENTENCES.get(lock.state, "")))
        return chunk

    def settle(self, frame: int) -> None:
        """What was processed has been heard, up to a frame that is to be made."""
        edited, self._edited = self._edited, 0
        if edited:
            tempo = self._steering.tempo
            self._sounding.shift(edited)
            self._steering.count_from(frame, tempo.beat_at(frame) + edited * tempo.bpm / (60 * self._rate))

    def turn(self) -> None:
        """Other music follows on what is held; its first frame was told to the sounding."""
        self._lock.turn()
        self._sounding.shift(self._lock.held)

    def drop(self) -> Samples:
        """What is held: nothing follows on it."""
        self._lock.turn()
        return self._lock.drop()
