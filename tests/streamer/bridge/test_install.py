"""The plug-in in the folders where hosts look, and the files by which it finds the engine, as on Windows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from platformdirs.windows import Windows

from streamer.errors import UserError
from streamer.surfaces.bridge import endpoint
from streamer.surfaces.bridge.install import install, remove, status, targets


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as make_plugin.py leaves it for Windows, and a user there."""
    folder = tmp_path / "built"
    for name in ("vst3/M.vst3/Contents/x86_64-win/M.vst3", "clap/M.clap", "lv2/m.lv2/m.dll"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(name)
    monkeypatch.setattr("streamer.surfaces.bridge.install.BUILT", folder)
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "Roaming"))
    monkeypatch.setenv(endpoint.HOME, str(tmp_path / "home"))
    return folder


def test_on_windows_the_formats_go_where_their_specifications_say(built: Path, tmp_path: Path) -> None:
    written = list(install("nano"))
    common = tmp_path / "Local/Programs/Common"
    installed = [common / "VST3/M.vst3", common / "CLAP/M.clap", tmp_path / "Roaming/LV2/m.lv2"]
    assert written == [tmp_path / "home/plugin.json", *installed]
    assert (installed[0] / "Contents/x86_64-win/M.vst3").is_file() and (installed[2] / "m.dll").is_file()
    assert [line for line in status() if "Installed" in line] == [f"Installed: {path}" for path in installed]
    assert list(remove()) == [*installed, tmp_path / "home/plugin.json"]
    assert not any(path.exists() for path in installed)


def test_windows_folders_are_found_where_no_variable_names_them(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCALAPPDATA")
    monkeypatch.delenv("APPDATA")
    data = Path.home() / "AppData"
    assert targets()["clap"] == data / "Local/Programs/Common/CLAP" and targets()["lv2"] == data / "Roaming/LV2"


def test_a_plug_in_that_a_daw_has_open_is_told_in_a_sentence(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    list(install("nano"))

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr("pathlib.Path.unlink", refused)
    monkeypatch.setattr("shutil.rmtree", refused)
    with pytest.raises(UserError, match="close the DAWs that have it open"):
        list(install("nano"))
    with pytest.raises(UserError, match="close the DAWs that have it open"):
        list(remove())


def test_a_python_whose_files_no_daw_sees_is_refused(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "base_prefix", "/Program Files/WindowsApps/PythonSoftwareFoundation.Python.3.12")
    with pytest.raises(UserError, match=r"python\.org"):
        list(install("nano"))
    assert not next(iter(status())).startswith("Installed")


def test_on_windows_a_file_that_a_plug_in_reads_is_replaced_a_moment_later(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [PermissionError(13, "Access is denied")] * 3

    def now_and_then(act: str) -> None:
        real = getattr(Path, act)

        def do(*arguments: object, **options: object) -> object:
            if refusals:
                raise refusals.pop()
            return real(*arguments, **options)

        monkeypatch.setattr(Path, act, do)

    now_and_then("replace")
    path = tmp_path / "home/engine.json"
    endpoint.write(path, {"port": "1"})
    assert endpoint.read(path) == {"port": "1"} and not refusals
    refusals += [PermissionError(13, "Access is denied")] * 3
    now_and_then("unlink")
    endpoint.take_away(path)
    assert not path.exists() and not refusals


def test_on_windows_the_files_are_where_the_plug_in_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"CSIDL_LOCAL_APPDATA": "local"}  # FOLDERID_LocalAppData, in plugin/system_windows.cpp
    monkeypatch.setattr("platformdirs.windows.get_win_folder", known.__getitem__)
    assert Path(Windows("musicgen-streamer", appauthor=False).user_config_dir) == Path("local/musicgen-streamer")
