"""A tempo and a key that are asked for by parameter stand in the prompt once, whatever it said before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.values import BadValue
from streamer.control.wording import NOTES, key_name, tempo_in, worded


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("D minor", "D minor"),
        ("d minor", "D minor"),
        ("Dm", "D minor"),
        ("d", "D minor"),
        ("D", "D major"),
        ("f# minor", "F# minor"),
        ("F sharp major", "F# major"),
        ("Bb minor", "A# minor"),
        ("B flat minor", "A# minor"),
        ("E♭ major", "D# major"),
        ("C-moll", "C minor"),
        ("C dur", "C major"),
        ("Cb major", "B major"),
        (" A  maj ", "A major"),
        ("", ""),
    ],
)
def test_a_key_has_one_name(asked: str, name: str) -> None:
    assert key_name(asked) == name


@pytest.mark.parametrize("asked", ["H minor", "loud", "D minor seventh", "12", "D#b minor", "minor"])
def test_what_is_no_key_is_a_sentence(asked: str) -> None:
    with pytest.raises(BadValue, match="takes a key"):
        key_name(asked)


@pytest.mark.parametrize(
    ("prompt", "tempo", "key", "whole"),
    [
        ("deep house", 0.0, "", "deep house"),
        ("deep house", 124.0, "", "deep house, 124 bpm"),
        ("deep house, 122 bpm, warm bass", 124.0, "", "deep house, warm bass, 124 bpm"),
        ("deep house at 122 BPM", 124.0, "", "deep house, 124 bpm"),
        ("122 bpm deep house", 124.0, "", "deep house, 124 bpm"),
        ("solo piano in D minor, slow", 0.0, "A major", "solo piano, slow in A major"),
        ("solo piano in F sharp minor", 90.0, "A major", "solo piano in A major, 90 bpm"),
        ("jazz, Bb major, 130 bpm", 0.0, "C minor", "jazz, 130 bpm in C minor"),
        ("a minor accident", 0.0, "", "a minor accident"),
        ("", 124.0, "D minor", "D minor, 124 bpm"),
        ("8-bit music of 1999", 150.0, "", "8-bit music of 1999, 150 bpm"),
    ],
)
def test_a_prompt_asks_for_one_tempo_and_one_key(prompt: str, tempo: float, key: str, whole: str) -> None:
    assert worded(prompt, tempo, key) == whole


@given(st.text(max_size=80), st.integers(20, 300), st.sampled_from(NOTES), st.sampled_from(["major", "minor"]))
def test_asking_twice_is_asking_once(prompt: str, tempo: int, note: str, mode: str) -> None:
    once = worded(prompt, tempo, f"{note} {mode}")
    assert worded(once, tempo, f"{note} {mode}") == once


def test_the_tempo_that_a_prompt_names_is_heard() -> None:
    assert tempo_in("house at 122.5 bpm") == 122.5
    assert tempo_in("house of 1999") is None
