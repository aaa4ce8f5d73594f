"""The parameters of the score: what a musician asks of every frame beside the prompt."""

from __future__ import annotations

from osc.parameter import Parameter
from osc.values import BadValue
from streamer.control.chords import chord_name
from streamer.control.progression import progression_text

AUTO, OFF, ON = -1, 0, 1
_SWITCH = (("auto", AUTO), ("off", OFF), ("on", ON))
NO_ENERGY = -0.1
"""Below 0 the energy is the music's own."""
PLAYERS = ("drums", "bass", "chords", "lead")
"""Who can be told to play, as `musicgen.score.FIELDS` has them."""
HIGHEST_NOTE = 127


def notes_of(text: str) -> tuple[int, ...]:
    """MIDI notes as they are written, "57 60 64": each once, ascending.

    Raises
    ------
    BadValue
        For what are no notes.
    """
    words = text.replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() and int(word) <= HIGHEST_NOTE for word in words):
        raise BadValue(f"takes MIDI notes from 0 to {HIGHEST_NOTE}, not {text[:40]!r}: write them like 57 60 64")
    return tuple(sorted({int(word) for word in words}))


def notes_text(text: str) -> str:
    """MIDI notes as this project writes them; "" for none.

    Raises
    ------
    BadValue
        For what are no notes.
    """
    return " ".join(map(str, notes_of(text)))


def _player(name: str, who: str) -> Parameter:
    return Parameter(
        f"player_{name}",
        "int",
        AUTO,
        ON,
        default=AUTO,
        path=f"player/{name}",
        words=_SWITCH,
        doc=f"Whether {who}: auto (as the prompt has it), off or on.",
    )


SCORE: tuple[Parameter, ...] = (
    Parameter(
        "grid",
        "int",
        AUTO,
        ON,
        default=AUTO,
        words=_SWITCH,
        doc="Whether the music falls on the beat that is counted: auto (once a tempo is known), off (words decide) or "
        "on.",
    ),
    Parameter(
        "chord",
        "text",
        default="",
        read=chord_name,
        doc="The chord to play, such as Am7, F#m, Bb or C/E; N or empty: the progression's, else the music's own.",
    ),
    Parameter(
        "progression",
        "text",
        default="",
        read=progression_text,
        doc="Chords that go round from the next bar on: a bar each (Am F C G), a beat each with dots that hold them "
        "(Am . F .), or sharing what lies between bar lines; empty: none.",
    ),
    Parameter(
        "notes",
        "text",
        default="",
        read=notes_text,
        doc="Notes that are held, as MIDI numbers such as 57 60 64: the chord until they are let go; empty: none.",
    ),
    _player("drums", "the drums play"),
    _player("bass", "the bass plays"),
    _player("chords", "chords are played"),
    _player("lead", "a lead plays"),
    Parameter(
        "energy",
        "float",
        NO_ENERGY,
        1.0,
        default=NO_ENERGY,
        words=(("auto", NO_ENERGY),),
        doc="How much is going on, from 0 to 1; auto, or below 0: as the prompt has it.",
    ),
)
NAMES: frozenset[str] = frozenset(parameter.name for parameter in SCORE)
"""What only models with score inputs follow."""
