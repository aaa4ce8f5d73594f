"""What hands do on a controller, read from the bytes of a cable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.values import BadValue
from streamer.control.knobs import map_text, read_map, write_map
from streamer.surfaces.midi.hands import PAIRED, Hands, Touch
from streamer.surfaces.midi.keyboard import Keyboard

BYTES = st.lists(st.integers(0, 255), max_size=6)
CHANNELS = st.integers(1, 16)


class Watch:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def send(hands: Hands, *messages: tuple[int, int, int]) -> list[Touch]:
    return [touch for message in messages for touch in hands.read(message)]


@given(CHANNELS, st.integers(0, 119).filter(lambda number: not 98 <= number <= 101), st.integers(0, 127))
def test_a_knob_is_its_channel_and_its_number(channel: int, number: int, value: int) -> None:
    assert Hands().read((0xB0 + channel - 1, number, value)) == [Touch(f"cc {channel} {number}", value / 127)]


@given(CHANNELS, st.integers(0, 31), st.integers(0, 16383))
def test_a_fine_knob_is_one_knob_of_two_halves(channel: int, number: int, value: int) -> None:
    status = 0xB0 + channel - 1
    touches = send(Hands(), (status, number, value >> 7), (status, number + 32, value & 127))
    assert {touch.knob for touch in touches} == {f"cc {channel} {number}"}
    assert touches[-1].value == pytest.approx(value / 16383)


def test_a_knob_of_the_upper_half_alone_is_a_knob_of_its_own() -> None:
    watch = Watch()
    hands = Hands(watch)
    assert send(hands, (0xB0, 39, 64)) == [Touch("cc 1 39", 64 / 127)]
    send(hands, (0xB0, 7, 1))
    watch.now += 2 * PAIRED
    assert send(hands, (0xB0, 39, 64)) == [Touch("cc 1 39", 64 / 127)]


@given(CHANNELS, st.integers(0, 16383), st.integers(0, 16383))
def test_a_non_registered_parameter_is_one_knob(channel: int, number: int, value: int) -> None:
    status = 0xB0 + channel - 1
    chosen = [(status, 99, number >> 7), (status, 98, number & 127)]
    touches = send(Hands(), *chosen, (status, 6, value >> 7), (status, 38, value & 127))
    assert {touch.knob for touch in touches} == {f"nrpn {channel} {number}"}
    assert touches[-1].value == pytest.approx(value / 16383)


def test_a_parameter_of_seven_bits_comes_to_both_ends_and_goes_by_steps() -> None:
    hands = Hands()
    ends = send(hands, (0xB0, 99, 2), (0xB0, 98, 44), (0xB0, 6, 127), (0xB0, 6, 0))
    assert [touch.value for touch in ends] == [1.0, 0.0]
    steps = send(hands, (0xB0, 96, 0), (0xB0, 96, 0), (0xB0, 97, 0))
    assert [round(touch.value * 16383) for touch in steps] == [1, 2, 1]
    assert ends[0].knob == steps[0].knob == "nrpn 1 300"


def test_registered_parameters_are_nobodys_knobs() -> None:
    """A keyboard sets its bend range with them; its data knob is a knob again then."""
    hands = Hands()
    send(hands, (0xB0, 99, 0), (0xB0, 98, 5), (0xB0, 101, 0), (0xB0, 100, 0))
    assert [touch.knob for touch in send(hands, (0xB0, 6, 12))] == ["cc 1 6"]


def test_notes_begin_and_end() -> None:
    assert send(Hands(), (0x99, 36, 127), (0x99, 36, 0), (0x89, 36, 64)) == [
        Touch("note 10 36", 1.0),
        Touch("note 10 36", 0.0),
        Touch("note 10 36", 0.0),
    ]


@given(st.lists(BYTES, max_size=30))
def test_whatever_comes_down_a_cable_is_read_or_left(messages: list[list[int]]) -> None:
    hands = Hands()
    for message in messages:
        for touch in hands.read(message):
            assert 0 <= touch.value <= 1
            assert read_map(f"volume={touch.knob}") == {touch.knob: "volume"}


KNOBS = st.one_of(
    st.builds("cc {} {}".format, CHANNELS, st.integers(0, 127)),
    st.builds("nrpn {} {}".format, CHANNELS, st.integers(0, 16383)),
    st.builds("note {} {}".format, CHANNELS, st.integers(0, 127)),
)


@given(st.dictionaries(KNOBS, st.sampled_from(["volume", "prompt/2/weight", "snapshot/my drop", "play"]), max_size=8))
def test_a_map_is_read_as_it_was_written(targets: dict[str, str]) -> None:
    assert read_map(write_map(targets)) == targets
    assert map_text(write_map(targets)) == write_map(targets)


@pytest.mark.parametrize(
    "text", ["volume", "volume=cc 17 1", "volume=cc 1 128", "=cc 1 1", "a;b", "volume=knob 1 1", "x\ty=cc 1 1"]
)
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="takes"):
        read_map(text)


# --- held keys


def played(*touches: tuple[str, float], channel: int | None = 1) -> str:
    keyboard = Keyboard()
    for knob, value in touches:
        keyboard.play("keys", channel, Touch(knob, value))
    return keyboard.notes


def test_keys_that_are_held_are_the_chord_until_they_are_let_go() -> None:
    pressed = [("note 1 64", 0.9), ("note 1 57", 0.5), ("note 1 60", 0.5)]
    assert played(*pressed) == "57 60 64"
    assert played(*pressed, ("note 1 60", 0.0)) == "57 64"
    assert played(*pressed, ("note 1 60", 0.0), ("note 1 57", 0.0), ("note 1 64", 0.0)) == ""


def test_the_pedal_holds_what_is_let_go() -> None:
    down = [("note 1 57", 0.5), ("cc 1 64", 1.0), ("note 1 57", 0.0)]
    assert played(*down) == "57"
    assert played(*down, ("note 1 60", 0.5), ("cc 1 64", 0.0)) == "60"
    assert played(*down, ("note 1 57", 0.5), ("cc 1 64", 0.0)) == "57"


def test_other_channels_and_knobs_are_not_the_chord() -> None:
    assert played(("note 2 57", 0.5), ("cc 1 7", 0.5), ("nrpn 1 64", 0.5)) == ""
    assert played(("note 1 57", 0.5), channel=0) == ""


def test_where_no_channel_was_named_all_keys_count_each_with_its_own_pedal() -> None:
    down = [("note 1 57", 0.5), ("note 9 60", 0.5), ("cc 9 64", 1.0), ("note 1 57", 0.0), ("note 9 60", 0.0)]
    assert played(*down, channel=None) == "60"
    assert played(*down, ("cc 1 64", 0.0), channel=None) == "60"
    assert played(*down, ("cc 9 64", 0.0), channel=None) == ""


def test_two_keyboards_play_one_chord() -> None:
    keyboard = Keyboard()
    keyboard.play("left", 1, Touch("note 1 45", 0.5))
    keyboard.play("right", 1, Touch("note 1 60", 0.5))
    keyboard.play("right", 1, Touch("note 1 45", 0.5))
    keyboard.play("right", 1, Touch("note 1 45", 0.0))
    assert keyboard.notes == "45 60"
    keyboard.let_go()
    assert keyboard.notes == ""


@given(st.lists(st.tuples(st.sampled_from(["note 1 57", "note 1 60", "cc 1 64"]), st.sampled_from([0.0, 1.0]))))
def test_nothing_rings_once_every_key_and_the_pedal_are_up(touches: list[tuple[str, float]]) -> None:
    assert played(*touches, ("note 1 57", 0.0), ("note 1 60", 0.0), ("cc 1 64", 0.0)) == ""
