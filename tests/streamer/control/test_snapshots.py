"""A sound that was saved comes back, here and on another machine; a broken file costs nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.control.controls import Controls
from streamer.control.snapshots import KEPT_OUT, Snapshots, folder
from streamer.errors import UserError


@pytest.fixture
def shelf(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path / "new" / "snapshots")


def test_what_was_saved_comes_back(shelf: Snapshots) -> None:
    values = Controls(prompt="Häuser, 122 bpm", temperature=1.3, volume=-6.0, mute=True, topk=40).values()
    shelf.save("first drop", values)
    assert shelf.load("first drop").values == {
        name: v for name, v in values.items() if name not in {*KEPT_OUT, "knobs"}
    }


def test_the_machines_lead_is_its_own(shelf: Snapshots) -> None:
    shelf.save("a", Controls(lead=400.0).values())
    assert "lead" not in shelf.load("a").values


def test_the_file_can_be_read_by_people(shelf: Snapshots) -> None:
    path = shelf.save("a", Controls(prompt="Häuser").values())
    assert '"prompt": "Häuser",\n' in path.read_text(encoding="utf-8")


def test_saving_again_replaces_and_leaves_nothing_beside(shelf: Snapshots) -> None:
    shelf.save("a", {"volume": -3.0})
    shelf.save("a", {"volume": -9.0})
    assert shelf.load("a").values == {"volume": -9.0}
    assert [path.name for path in shelf.where.iterdir()] == ["a.json"]


def test_names_are_listed_and_deleted(shelf: Snapshots) -> None:
    assert shelf.names() == []
    for name in ("verse", "chorus"):
        shelf.save(name, {"volume": 0.0})
    assert shelf.names() == ["chorus", "verse"]
    shelf.delete("verse")
    assert shelf.names() == ["chorus"]
    with pytest.raises(UserError, match="no snapshot 'verse'"):
        shelf.delete("verse")


def test_a_missing_one_says_which_there_are(shelf: Snapshots) -> None:
    shelf.save("verse", {"volume": 0.0})
    with pytest.raises(UserError, match="there are: verse"):
        shelf.load("vers")


def test_values_out_of_range_are_clamped_and_foreign_names_told(shelf: Snapshots) -> None:
    shelf.where.mkdir(parents=True)
    (shelf.where / "a.json").write_text('{"volume": 99, "warp": 3}')
    snapshot = shelf.load("a")
    assert dict(snapshot.values) == {"volume": 12.0}
    assert snapshot.unknown == ("warp",)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"volume": "loud"}', '{"volume": null}', '{"volume": [1]}', '{"volume": NaN}', "[" * 9999]
)
def test_a_broken_file_is_a_sentence(shelf: Snapshots, text: str) -> None:
    shelf.where.mkdir(parents=True)
    (shelf.where / "a.json").write_text(text)
    with pytest.raises(UserError, match="broken"):
        shelf.load("a")


def test_bytes_that_are_no_text_are_a_sentence(shelf: Snapshots) -> None:
    shelf.where.mkdir(parents=True)
    (shelf.where / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        shelf.load("a")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(UserError, match="could not be written"):
        Snapshots(tmp_path / "locked" / "here").save("a", {})


def test_a_file_in_the_folders_place_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="could not be written"):
        Snapshots(tmp_path / "file").save("a", {})


def test_a_save_that_fails_keeps_the_old_one(shelf: Snapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.save("a", {"volume": -3.0})

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        shelf.save("a", {"volume": -9.0})
    monkeypatch.undo()
    assert shelf.load("a").values == {"volume": -3.0}
    assert [path.name for path in shelf.where.iterdir()] == ["a.json"]


@given(st.text(max_size=300))
def test_no_name_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    shelf = Snapshots(tmp_path_factory.getbasetemp() / "shelf")
    try:
        path = shelf.save(name, {"volume": 0.0})
    except UserError:
        return
    assert path.parent == shelf.where
    assert json.loads(path.read_text()) == {"volume": 0.0}


def test_it_lies_in_the_users_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert folder().name == "snapshots" and "musicgen-streamer" in str(folder())


def test_knobs_that_were_learnt_are_kept_and_none_leave_what_is_learnt(shelf: Snapshots) -> None:
    shelf.save("learnt", Controls(knobs="volume=cc 1 7").values())
    shelf.save("before", Controls().values())
    assert shelf.load("learnt").values["knobs"] == "volume=cc 1 7"
    assert "knobs" not in shelf.load("before").values
