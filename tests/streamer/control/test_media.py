"""Files that somebody on another machine may name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.hosts import Client
from osc.values import BadValue
from streamer.control.change import Change
from streamer.control.controls import Controls
from streamer.control.media import find
from streamer.control.moves import Passage

STRANGER = Client(("192.168.1.20", 9000))
HERE = Client(("127.0.0.1", 9000))
NEUTRAL = "no such file is offered here: name one under the folder given with --media"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`media/tune.wav` and `media/sets/one.wav` are offered; `secret.wav` beside it is not."""
    media = tmp_path / "media"
    (media / "sets").mkdir(parents=True)
    for path in (media / "tune.wav", media / "sets" / "one.wav", tmp_path / "secret.wav"):
        path.write_bytes(b"RIFF")
    (media / "out").symlink_to(tmp_path)
    (media / "round").symlink_to(media / "round")
    (media / "again.wav").symlink_to(media / "tune.wav")
    os.mkfifo(media / "pipe")
    return media


def test_a_stranger_may_name_what_lies_in_the_folder(folder: Path) -> None:
    for name, path in (("tune.wav", "tune.wav"), ("sets/one.wav", "sets/one.wav"), ("again.wav", "tune.wav")):
        assert Path(find(name, folder)).samefile(folder / path)
    assert find("", folder) == ""


@pytest.mark.parametrize(
    "name",
    [
        "missing.wav", "../secret.wav", "sets/../../secret.wav", "out/secret.wav", "round", "pipe", "sets", "sets/",
        "/etc/passwd", "~/tune.wav", "~root", "\\\\host\\share\\x.wav", "//host/share/x.wav", "C:\\x.wav", "c:tune.wav",
        "tune.wav:stream", "NUL", "nul.wav", "COM1", "input", "input:0", "input:Microphone", ".", "..", "tune.wav\n",
        "tune.wav ", "tune.wav.", " tune.wav", "*", "a" * 5000, "tune.wav/x", "\ud800",
    ],
)  # fmt: skip
def test_of_anything_else_a_stranger_learns_nothing(folder: Path, name: str) -> None:
    with pytest.raises(BadValue) as refused:
        find(name, folder)
    assert str(refused.value) == NEUTRAL


def test_without_a_folder_no_file_is_offered(folder: Path) -> None:
    with pytest.raises(BadValue, match=NEUTRAL):
        find(str(folder / "tune.wav"), None)


@given(st.lists(st.sampled_from(["..", ".", "", "out", "sets", "tune.wav", "secret.wav", "~", "C:", "\\", "/"])))
def test_no_name_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    root = tmp_path_factory.getbasetemp() / "walk"
    media = root / "media"
    if not media.exists():
        (media / "sets").mkdir(parents=True)
        (media / "tune.wav").touch()
        (root / "secret.wav").touch()
        (media / "out").symlink_to(root)
    try:
        found = find("/".join(parts), media)
    except BadValue as error:
        assert str(error) == NEUTRAL
    else:
        assert found == "" or Path(found).is_relative_to(media.resolve())


def test_the_same_message_from_this_machine_names_any_file(folder: Path) -> None:
    controls = Controls()
    controls.media = folder
    assert controls.apply([("melody", "~/tune.wav")], HERE) == {"melody": "~/tune.wav"}
    assert controls.apply([("melody", "input")]) == {"melody": "input"}


def test_a_strangers_melody_is_the_files_place_and_a_refused_one_changes_nothing(folder: Path) -> None:
    controls = Controls()
    with pytest.raises(BadValue, match=NEUTRAL):
        controls.apply([("volume", -6.0), ("melody", "tune.wav")], STRANGER)
    assert controls.get("volume") == 0.0
    controls.media = folder
    controls.apply([("melody", "tune.wav")], STRANGER)
    assert Path(str(controls.get("melody"))).samefile(folder / "tune.wav")


def test_inputs_are_listened_to_for_those_alone_who_may_keep_something_here(folder: Path) -> None:
    controls = Controls()
    controls.media = folder
    friend = Client(STRANGER.source, keeps=True)
    assert controls.apply([("melody", "input:Microphone")], friend) == {"melody": "input:Microphone"}
    for name in ("/etc/passwd", "../secret.wav", "inputs", "in"):
        with pytest.raises(BadValue, match="no such file is offered"):
            controls.apply([("melody", name)], friend)
    with pytest.raises(BadValue, match="no such file is offered"):
        controls.apply([("melody", "input")], STRANGER)


def test_notes_are_anybodys_melody_and_no_passage() -> None:
    controls = Controls()
    assert controls.apply([("melody", "midi")], STRANGER) == {"melody": "midi"}
    with pytest.raises(BadValue, match=NEUTRAL):
        controls.apply([("continue", Passage("midi").text)], STRANGER)


def test_a_strangers_passage_obeys_the_same_rules(folder: Path) -> None:
    controls = Controls()
    asked: list[Change] = []
    controls.follow(asked.append)
    for name in ("tune.wav", "../secret.wav", "/etc/passwd", "~/tune.wav", "tune.wav#t=0,1"):
        with pytest.raises(BadValue, match=NEUTRAL):
            controls.apply([("continue", Passage(name, 1.0, 2.0).text)], STRANGER)
    controls.media = folder
    with pytest.raises(BadValue, match=NEUTRAL):
        controls.apply([("continue", Passage("../secret.wav").text)], STRANGER)
    controls.apply([("continue", Passage("tune.wav", 1.0, 2.0).text)], STRANGER)
    controls.apply([("continue", Passage("../secret.wav").text)], HERE)
    first, second = (Passage.of(str(change.values["continue"])) for change in asked)
    assert Path(first.path).samefile(folder / "tune.wav") and (first.start, first.end) == (1.0, 2.0)
    assert second.path == "../secret.wav"
