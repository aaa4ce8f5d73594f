"""A programme is read as people mean it; what is wrong in it is a sentence with a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.errors import UserError
from streamer.surfaces.programme.calendar import Clock, Place, Sun
from streamer.surfaces.programme.entries import Entry, Evolve, Programme
from streamer.surfaces.programme.outputs import Outputs, read_outputs
from streamer.surfaces.programme.reading import Page, read_programme
from streamer.surfaces.programme.salt import salt_of
from streamer.surfaces.programme.watching import Watched

DAY = """\
zone: Europe/Berlin
place: 52.5, 13.4
loudness: {07:00: -20, 22:00: -24}
takeover: 30 s
outputs:
  - device: default
  - icecast: http://source:pass%20word@localhost:8001/cafe.opus
    bitrate: 96
    station: Cafe
  - files: archive
    format: mp3
    keep: 7 d
entries:
  - name: Morning
    prompts: [warm piano, nylon guitar]
    evolve: yes
    every: 20 min
    crossfade: 4 min
    from: 6:30
    until: sunset - 1 h 30 min
    days: fri-mon, wednesday
    seed: 7
    silence: 10 s
  - prompts: {ambient drone: 3, soft pads: 1}
    values: {temperature: 0.9, guard: off, key: a minor}
    weight: 2
    for: 45 min
"""


def read(text: str) -> Programme:
    return read_programme(Page(Path("day.yaml"), text))


def outputs(text: str) -> Outputs:
    return read_outputs(Page(Path("/srv/day.yaml"), text))


def test_a_day_is_read_as_it_is_written() -> None:
    programme = read(DAY)
    assert str(programme.calendar.zone) == "Europe/Berlin" and programme.calendar.place == Place(52.5, 13.4)
    assert programme.loudness == ((7 * 3600, -20.0), (22 * 3600, -24.0))
    assert programme.entries == (
        Entry(
            "Morning",
            (("warm piano", 0.5), ("nylon guitar", 0.5)),
            start=Clock(23_400),
            until=Sun("sunset", -5400),
            days=frozenset({4, 5, 6, 0, 2}),
            evolve=Evolve(1200, 240),
            seed=7,
            silence=10,
            crossfade=30,
        ),
        Entry(
            "ambient drone",
            (("ambient drone", 0.75), ("soft pads", 0.25)),
            values=(("temperature", 0.9), ("guard", False), ("key", "A minor")),
            weight=2,
            lasts=2700,
            crossfade=30,
        ),
    )
    found = outputs(DAY)
    (mount,), (folder,) = found.icecast, found.files
    assert (mount.host, mount.port, mount.path, mount.user) == ("localhost", 8001, "/cafe.opus", "source")
    assert (mount.password, mount.form, mount.bitrate, mount.station) == ("pass word", "opus", 96, "Cafe")
    assert found.device == "" and (folder.path, folder.form, folder.kept) == (Path("/srv/archive"), "mp3", 168)


E = "entries:\n"
WRONG = {
    "": (1, "nothing in it"),
    "entries: [": (1, "no YAML"),
    "a: b: c": (1, "no YAML"),
    "zone: Mars\nentries: [{prompt: a}]": (1, "time zone"),
    "entries:\n  - prompt: a\n    frmo: 18:00": (3, "did you mean 'from'"),
    "entries:\n  - prompt: a\n    from: 25:00": (3, "no time of day"),
    "entries:\n  - prompt: a\n    from: 18:75": (3, "no time of day"),
    "entries:\n  - prompt: a\n    from: sunset": (3, "need a place"),
    "place: 91, 0\nentries: [{prompt: a}]": (1, "90 degrees"),
    "place: Berlin\nentries: [{prompt: a}]": (1, "degrees north and east"),
    "entries:\n  - prompt: a\n    prompt: b": (3, "said twice"),
    "entries:\n  - name: a": (2, "nothing to play"),
    "entries:\n  - prompt: a\n    evolve: yes": (3, "two prompts"),
    "entries:\n  - prompts: [a, b]\n    every: 5 min": (3, "evolve: true"),
    "entries:\n  - prompts: [a, b]\n    evolve: yes\n    every: 1 min\n    crossfade: 2 min": (5, "longer"),
    "entries:\n  - prompts: [a, a]": (2, "stands here twice"),
    "entries:\n  - prompts: [a, b, c, d, e, f, g, h, i]": (2, "8 prompts"),
    "entries:\n  - prompt: a\n    values: {temperature: 9}": (3, "lies from 0.05 to 2"),
    "entries:\n  - prompt: a\n    values: {volume: 0}": (3, "knows no 'volume'"),
    "entries:\n  - prompt: a\n    days: monday, freeday": (3, "no day"),
    "entries:\n  - prompt: a\n    for: 45": (3, "no length of time"),
    "entries:\n  - prompt: a\n    for: 2 days": (3, "longer than a day"),
    "entries:\n  - prompt: a\n    seed: -1": (3, "fresh"),
    "entries:\n  - prompt: a\n    weight: 0": (3, "above 0"),
    "loudness: -3\nentries: [{prompt: a}]": (1, "from -30 to -8"),
    "loudness:\n  7:00: -20\n  07:00: -10\nentries: [{prompt: a}]": (3, "said twice"),
    "entries: piano": (1, "has to be a list"),
    "entries:\n  - [a]": (2, "lines like"),
    "piano": (1, "lines like"),
    "entries:\n  - prompts: [[a]]": (2, "no list"),
}


@pytest.mark.parametrize("text", list(WRONG), ids=range(len(WRONG)))
def test_what_is_wrong_is_a_sentence_with_its_line(text: str) -> None:
    line, words = WRONG[text]
    with pytest.raises(UserError, match=f"^day.yaml, line {line}: .*{words}"):
        read(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- hsl: x", "an output is one of"),
        ("- icecast: localhost", "no address of a mount"),
        ("- icecast: http://localhost:8000/a.mp3", "wants a password"),
        ("- {icecast: 'http://s:p@localhost:8000/a.mp3', format: wma}", "no format here"),
        ("- {files: x, bitrate: 5}", "16 to 512"),
        ("- {icecast: 'http://localhost/a', password_from: NO_SUCH_VARIABLE}", "environment has no"),
        ("- device: a\n- device: b", "one device"),
    ],
)
def test_an_output_that_is_none_is_a_sentence(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        outputs("outputs:\n" + text)


pieces = st.sampled_from(
    [*DAY.replace(":", " : ").split(" "), "\n", "\n  ", ": ", "- ", "{", "}", "[", "&a", "*a", "!!x"]
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(0, len(DAY) - 1), max_size=4), st.lists(pieces, min_size=4, max_size=4), st.text(max_size=8)
)
def test_whatever_is_written_is_a_programme_or_a_sentence(places: list[int], words: list[str], noise: str) -> None:
    text = DAY
    for place, word in zip(places, words, strict=False):
        text = text[:place] + word + text[place + len(word) // 2 :]
    for wild in (text, noise):
        try:
            read(wild)
            outputs(wild)
        except UserError as error:
            assert str(error).startswith(("day.yaml, line ", "/srv/day.yaml, line "))


def test_a_file_is_read_again_when_it_changes_and_stays_as_it_was_when_it_is_wrong(tmp_path: Path) -> None:
    path, told, followed = tmp_path / "day.yaml", list[str](), list[Programme]()
    path.write_text("entries:\n  - prompt: a\n")
    watched = Watched(path, told.append)
    watched.look(followed.append)
    assert not followed and not told
    path.write_text("entries:\n  - prompt: [\n")
    watched.look(followed.append)
    watched.look(followed.append)
    assert not followed and len(told) == 1 and "line" in told[0]
    path.unlink()
    watched.look(followed.append)
    path.write_text("entries:\n  - prompt: b\n\n")
    watched.look(followed.append)
    assert [programme.entries[0].name for programme in followed] == ["b"]


def test_the_salt_survives_a_restart_and_differs_elsewhere(tmp_path: Path) -> None:
    assert salt_of(tmp_path / "a") == salt_of(tmp_path / "a") != salt_of(tmp_path / "b")
