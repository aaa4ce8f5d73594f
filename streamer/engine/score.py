"""What the stream is told of every frame beside the prompt: the beat as it is when the frame is heard, chord, players.

A frame is asked for before it is made, and heard later still. Its place in time is its number: `Tempo` counts beats on
frames, so the phase of a frame is that of the moment at which it is heard, whatever lies between. A note's attack is
heard some milliseconds after the note's beginning, so each frame is told the beat that is so much later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from osc.values import Value
from streamer.control.chords import Chord, chord_of
from streamer.control.media import MIDI
from streamer.control.progression import progression_of
from streamer.control.score import AUTO, NAMES, OFF, PLAYERS, notes_of
from streamer.control.table import TABLE
from streamer.control.tempo import BEATS_PER_BAR, EXACT, FRAMES_PER_MINUTE, Tempo
from streamer.engine.prompts import named_tempo

if TYPE_CHECKING:
    from musicgen.score import Fields
    from streamer.engine.model import Told

JUMP = 1.0
"""Frames by which the beat may move before what is begun is drawn anew."""
_BARS = 0.5  # by which it may, before it is elsewhere in the song
WORDS_ONLY = (
    "this model follows words only: the beat, chords, players and energy are not told to it, and tempo and key word "
    "the prompt; nano follows them all"
)


@dataclass(frozen=True)
class Round:
    """A progression that goes round, from a bar on; before that bar, the one that it takes the place of.

    Parameters
    ----------
    text : str
        As `streamer.control.progression` reads it; "" for none.
    begins : float
        The beat on which its first chord falls.
    before : Round, optional
        What goes round until then.
    """

    text: str = ""
    begins: float = 0.0
    before: Round | None = None

    def at(self, beat: float) -> Chord | None:
        """The chord on a beat; None where the music likes what it likes."""
        if self.before is not None and beat < self.begins - EXACT:
            return self.before.at(beat)
        found = progression_of(self.text)
        return found.at(beat - self.begins) if found else None

    def then(self, text: str, tempo: Tempo, frame: int) -> Round:
        """Another progression, from the first bar on that begins with a frame or after it."""
        return Round(text, float(tempo.multiple(frame, BEATS_PER_BAR)), Round(self.text, self.begins))

    def state(self) -> list[list[str | float]]:
        """It and what it takes the place of, for JSON."""
        return [[self.text, self.begins], *(self.before.state() if self.before else [])]

    @classmethod
    def restored(cls, state: Sequence[Sequence[str | float]]) -> Round:
        """What `state` has told; of nothing, no progression."""
        found: Round | None = None
        for text, begins in reversed(state):
            found = cls(str(text), float(begins), found)
        return found or cls()


def on_grid(values: Mapping[str, Value], counted: bool = False) -> bool:
    """Whether the music is held to the beat. counted: whether somebody counts it, else a tempo has to be named."""
    grid = int(values["grid"])
    return grid != OFF and (grid != AUTO or counted or named_tempo(values) is not None)


def asks(values: Mapping[str, Value]) -> bool:
    """Whether anything is asked for that only models with score inputs follow."""
    return any(values[name] != TABLE[name].default for name in NAMES - {"grid"}) or int(values["grid"]) > OFF


def fields_of(values: Mapping[str, Value], beat: float, bpm: float | None, chords: Round) -> Fields:
    """What one frame is told, see `musicgen.score.FIELDS`.

    Parameters
    ----------
    values : mapping
        Of the parameters.
    beat : float
        Beats passed when the frame is heard.
    bpm : float or None
        Beats a minute; None leaves the beat to the music.
    chords : Round
        The progression.
    """
    from musicgen.score import unknown  # there by now: whoever asks has a stream

    fields: Fields = unknown(1)[0]
    if bpm is not None:
        fields[:3] = beat % 1, beat / BEATS_PER_BAR % 1, bpm
    held = notes_of(str(values["notes"]))
    chord = chord_of(str(values["chord"])) or chords.at(beat)
    if held:
        fields[3:5] = _bits(note % 12 for note in held), held[0] % 12
    elif chord is not None:
        fields[3:5] = _bits(chord.notes), chord.bass
    for place, name in enumerate(PLAYERS, start=5):
        if (plays := int(values[f"player_{name}"])) != AUTO:
            fields[place] = plays
    if float(values["energy"]) >= 0:
        fields[9] = values["energy"]
    return fields


def _bits(pitches: Iterable[int]) -> int:
    return sum(1 << pitch for pitch in set(pitches))


class Score:
    """Tells streams what is asked for.

    Parameters
    ----------
    follows : bool
        Whether the model's streams can be told.
    early : float
        Frames by which it is told earlier than it is to be heard.
    values : mapping
        What is played, by name; of now whenever a stream asks.
    counted : callable
        What the beats of a frame are counted by, and whether somebody counts them even where nobody has named a tempo.

    Attributes
    ----------
    chords : Round
        The progression.
    """

    def __init__(
        self,
        follows: bool,
        early: float,
        values: Mapping[str, Value],
        counted: Callable[[int], tuple[Tempo, bool]],
    ) -> None:
        self.chords = Round(str(values["progression"]))
        self._follows = follows
        self._early = early
        self._values = values
        self._counted = counted
        self._moved = False
        self._said = False

    def tell(self, stream: Told, heard: Callable[[], int]) -> None:
        """Have a stream ask for the score of its frames, where its model can follow it.

        Parameters
        ----------
        heard
            The engine's frame that the stream's next one is heard at.
        """
        if self._follows:
            stream.set_score(lambda number: self.at(heard() + number - (stream.frames_done - stream.kept)))

    def at(self, frame: int) -> Fields:
        """Of a frame of the engine's, as far as it is known now."""
        tempo, counted = self._counted(frame)
        bpm = tempo.bpm if on_grid(self._values, counted) else None
        return fields_of(self._values, tempo.beat_at(frame + self._early), bpm, self.chords)

    def tells(self, frame: int) -> bool:
        """Whether anything is known of a frame, for a model that can be told."""
        return self._follows and not bool(np.isnan(self.at(frame)).all())

    def lacks(self, values: Mapping[str, Value]) -> str:
        """A sentence, once, where something is asked for that the model cannot follow; else none."""
        asked = {name: own.default for name, own in TABLE.items()} | dict(values)
        if self._values["melody"] == MIDI:  # they are its tune
            asked["notes"] = ""
        if self._follows or self._said or not asks(asked):
            return ""
        self._said = True
        return WORDS_ONLY

    def take(self, values: Mapping[str, Value], frame: int) -> None:
        """Some values stand from a frame on; a progression begins on the next bar."""
        if "progression" in values:
            self.chords = self.chords.then(str(values["progression"]), self._counted(frame)[0], frame)

    def go_on_from(self, chords: Round) -> None:
        """Another engine's progression goes on; one that was asked for since begins on the next bar."""
        text = str(self._values["progression"])
        self.chords = chords if chords.text == text else chords.then(text, self._counted(0)[0], 0)

    def move(self, before: Tempo, frame: int) -> None:
        """Somebody who counts was elsewhere in the bar until a frame, by what we had counted."""
        bars = (self._counted(frame)[0].beat_at(frame) - before.beat_at(frame)) / BEATS_PER_BAR
        if abs(bars) > _BARS:
            self.settle()
        frames = abs(bars - round(bars)) * BEATS_PER_BAR * FRAMES_PER_MINUTE / before.bpm
        self._moved = self._moved or frames > JUMP

    def settle(self) -> None:
        """The beat has gone elsewhere: the progression that is asked for goes round there, and none before it."""
        self.chords = Round(self.chords.text, self.chords.begins)

    def restart(self) -> None:
        """The first bar begins anew, and the progression with it."""
        self.chords = Round(self.chords.text)

    def renewed(self, names: Iterable[str]) -> bool:
        """Whether frames that are begun should be drawn anew, now that the stream is to hear of some values."""
        moved, self._moved = self._moved, False
        return self._follows and (moved or bool(NAMES & set(names)))
