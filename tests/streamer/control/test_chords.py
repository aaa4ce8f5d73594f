"""Chords as musicians write them, and progressions of them, mean the notes that a musician would play."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.values import BadValue
from streamer.control.chords import Chord, chord_name, chord_of
from streamer.control.progression import LONGEST, progression_of, progression_text
from streamer.control.score import notes_of, notes_text

NOTES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
KINDS: tuple[str, ...] = (
    "",
    "m",
    "7",
    "m7",
    "maj7",
    "m(maj7)",
    "6",
    "m6",
    "69",
    "9",
    "maj9",
    "m9",
    "11",
    "13",
    "5",
    "dim",
    "dim7",
)
KINDS += (
    "aug",
    "sus2",
    "sus4",
    "7sus4",
    "m7b5",
    "7b9",
    "7#9",
    "7alt",
    "add9",
    "madd9",
    "maj7#11",
    "7b5b9",
    "aug7",
    "7no5",
)
names = st.builds(
    lambda root, kind, bass: root + kind + bass,
    st.sampled_from(NOTES),
    st.sampled_from(KINDS),
    st.sampled_from(["", *(f"/{note}" for note in NOTES)]),
)


def spelt(name: str) -> set[str]:
    chord = chord_of(name)
    assert chord is not None
    return {NOTES[pitch] for pitch in chord.notes}


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("Am7", "A C E G"),
        ("F#m", "F# A C#"),
        ("Bb", "Bb D F"),
        ("B♭", "Bb D F"),
        ("C♯m7", "C# E Ab B"),
        ("Cmaj7", "C E G B"),
        ("CΔ", "C E G B"),
        ("CM7", "C E G B"),
        ("Cj", ""),
        ("Dsus4", "D G A"),
        ("Dsus", "D G A"),
        ("Dsus2", "D E A"),
        ("Bdim", "B D F"),
        ("B°7", "B D F Ab"),
        ("Bø", "B D F A"),
        ("Bm7b5", "B D F A"),
        ("Caug", "C E Ab"),
        ("C+", "C E Ab"),
        ("E7#9", "E Ab B D G"),
        ("G7b9", "G B D F Ab"),
        ("C6/9", "C E G A D"),
        ("C-7", "C Eb G Bb"),
        ("CmM7", "C Eb G B"),
        ("Cadd9", "C E G D"),
        ("A5", "A E"),
        ("C13", "C E G Bb D A"),
        ("am7", "A C E G"),
        ("bb", "Bb D F"),
        ("D/F#", "D F# A"),
        ("C/D", "C D E G"),
    ],
)
def test_a_name_means_its_notes(name: str, notes: str) -> None:
    if notes:
        assert spelt(name) == set(notes.split())
    else:
        with pytest.raises(BadValue, match="takes a chord"):
            chord_of(name)


@pytest.mark.parametrize(("name", "bass"), [("Am7", "A"), ("C/E", "E"), ("D/F#", "F#"), ("Bb7/Ab", "Ab")])
def test_the_lowest_note_is_the_root_or_what_stands_under_the_slash(name: str, bass: str) -> None:
    chord = chord_of(name)
    assert chord is not None
    assert NOTES[chord.bass] == bass


@pytest.mark.parametrize("name", ["", "N", "n", "N.C.", "NC", "  "])
def test_n_leaves_the_chord_to_the_music(name: str) -> None:
    assert chord_of(name) is None


@pytest.mark.parametrize("name", ["H", "Am7x", "C//E", "dim", "Cdim9", "Cm5", "12", "loud", "C/H", "Amaj7/", "C7alt9"])
def test_what_is_no_chord_is_a_sentence(name: str) -> None:
    with pytest.raises(BadValue, match=r"takes a chord, not .*: write one like Am7"):
        chord_of(name)


@given(names)
def test_a_name_is_written_one_way_and_means_the_same(name: str) -> None:
    chord = chord_of(name)
    assert chord is not None
    assert chord_of(chord.name) == chord
    assert chord.bass in chord.notes


@given(names, st.integers(0, 11))
def test_a_chord_moves_as_a_whole(name: str, steps: int) -> None:
    root, bare = NOTES.index(name[: 2 if name[1:2] in ("#", "b") else 1]), name.partition("/")[0]
    kind = bare[len(NOTES[root]) :]
    here, there = chord_of(bare), chord_of(NOTES[(root + steps) % 12] + kind)
    assert here is not None and there is not None
    assert there.notes == {(note + steps) % 12 for note in here.notes}


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_chords(text: str) -> None:
    for read in (chord_name, progression_text, notes_text):
        try:
            once = read(text)
        except BadValue as error:
            assert str(error).startswith(("takes", "begins"))
        else:
            assert read(once) == once


def sounding(text: str) -> list[str]:
    """The chord on each beat of one round."""
    found = progression_of(text)
    assert found is not None
    return [getattr(found.at(beat), "name", "N") for beat in range(round(found.beats))]


@pytest.mark.parametrize(
    ("text", "beats"),
    [
        ("Am F", "Am Am Am Am F F F F"),
        ("Am . F . C . G .", "Am Am F F C C G G"),
        ("Am . . . F . C G", "Am Am Am Am F F C G"),
        ("Am % F %", "Am Am F F"),
        ("Am F | C", "Am Am F F C C C C"),
        ("| Am | F . . G |", "Am Am Am Am F F F G"),
        ("Am G | % | C", "Am Am G G Am Am G G C C C C"),
        ("N | Dm7, G7", "N N N N Dm7 Dm7 G7 G7"),
        ("Am - F", "Am Am Am Am F F F F"),
        ("|: Am", ""),
    ],
)
def test_a_progression_is_read_as_a_lead_sheet(text: str, beats: str) -> None:
    if beats:
        assert sounding(text) == beats.split()
    else:
        with pytest.raises(BadValue, match="takes a chord"):
            progression_of(text)


def test_a_progression_goes_round_and_could_have_before() -> None:
    found = progression_of("Am F C G")
    assert found is not None
    assert [getattr(found.at(beat), "name", "") for beat in (15.99, 16, 17, 20, -0.5)] == ["G", "Am", "Am", "F", "G"]


def test_three_chords_share_a_bar_and_change_between_the_beats() -> None:
    found = progression_of("Am F C |")
    assert found is not None
    at = [getattr(found.at(beat), "name", "") for beat in (1.33, 1.34, 2.66, 2.67)]
    assert at == ["Am", "F", "F", "C"]


@pytest.mark.parametrize("text", ["", " ", "|", "| |"])
def test_an_empty_progression_is_none(text: str) -> None:
    assert progression_of(text) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [(". Am", "begins with a chord"), ("Am Hm", "takes a chord"), (" ".join(["Am"] * 200), f"{LONGEST} beats at most")],
)
def test_what_is_no_progression_is_a_sentence(text: str, says: str) -> None:
    with pytest.raises(BadValue, match=says):
        progression_of(text)


@given(st.lists(st.one_of(names, st.sampled_from([".", "%", "|", "N"])), min_size=1, max_size=20))
def test_a_progression_is_written_one_way_and_sounds_the_same(signs: list[str]) -> None:
    try:
        found = progression_of(" ".join(["Am", *signs]))
    except BadValue:
        return
    assert found is not None
    assert progression_of(found.text) == found
    assert isinstance(found.at(0), Chord)


def test_held_notes_are_numbers_each_once() -> None:
    assert notes_of("64 57, 60 57") == (57, 60, 64)
    assert notes_text("64 57, 60 57") == "57 60 64"
    assert notes_of("") == ()


@pytest.mark.parametrize("text", ["128", "-1", "A3", "60.5", "६०"])
def test_what_are_no_notes_is_a_sentence(text: str) -> None:
    with pytest.raises(BadValue, match="takes MIDI notes from 0 to 127"):
        notes_of(text)
