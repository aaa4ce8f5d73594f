"""Where a programme says that it is to be heard."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

from streamer.audio.sinks import hours, icecast
from streamer.audio.sinks.icecast import Mount
from streamer.surfaces.programme.reading import Page, Wrong, length_of_time

_KNOWN = {
    "device": (),
    "icecast": ("format", "bitrate", "station", "password", "password_from"),
    "hls": ("bitrate",),
    "files": ("format", "bitrate", "keep"),
}


@dataclass(frozen=True)
class Folder:
    """A folder that is written into.

    Parameters
    ----------
    path : Path
    form : str
        Of its files.
    bitrate : int
        kbit/s; the usual one where it is 0.
    kept : int
        Files of an hour that stay.
    """

    path: Path
    form: str = ""
    bitrate: int = 0
    kept: int = 48


@dataclass(frozen=True)
class Outputs:
    """Where sound goes.

    Parameters
    ----------
    device : str or None
        Part of a device's name, "" for the system's own; None for none.
    icecast : tuple of Mount
    hls, files : tuple of Folder
    """

    device: str | None = None
    icecast: tuple[Mount, ...] = ()
    hls: tuple[Folder, ...] = ()
    files: tuple[Folder, ...] = ()

    @property
    def encoded(self) -> bool:
        """Whether anything goes elsewhere than to a device."""
        return bool(self.icecast or self.hls or self.files)


def read_outputs(page: Page) -> Outputs:
    """What a page says of outputs; relative folders lie beside the page.

    Raises
    ------
    UserError
        It cannot be understood: which line, and what to do.
    """
    node = page.mapping(page.root).get("outputs")
    found: dict[str, list[yaml.MappingNode]] = {name: [] for name in _KNOWN}
    for item in page.items(node, "outputs") if node else ():
        parts = page.mapping(item)
        kinds = [name for name in _KNOWN if name in parts]
        if len(kinds) != 1:
            raise page.wrong(item, f"an output is one of {', '.join(_KNOWN)}, such as `- hls: folder`")
        page.mapping(item, (kinds[0], *_KNOWN[kinds[0]]), f"an output of the kind {kinds[0]}")
        assert isinstance(item, yaml.MappingNode)
        found[kinds[0]].append(item)
    if len(found["device"]) > 1:
        raise page.wrong(found["device"][1], "one device can be played on: leave the others out")
    devices = [page.text(page.mapping(item)["device"]) for item in found["device"]]
    return Outputs(
        device=("" if devices[0] == "default" else devices[0]) if devices else None,
        icecast=tuple(_mount(page, item) for item in found["icecast"]),
        hls=tuple(_folder(page, item, "hls") for item in found["hls"]),
        files=tuple(_folder(page, item, "files") for item in found["files"]),
    )


def _mount(page: Page, node: yaml.Node) -> Mount:
    parts = page.mapping(node)
    host, port, path, user, password = page.read(parts["icecast"], _address)
    if "password" in parts:
        password = page.text(parts["password"])
    if "password_from" in parts:
        name = page.text(parts["password_from"])
        password = os.environ.get(name, "")
        if not password:
            raise page.wrong(parts["password_from"], f"the environment has no {name}: set it to the source's password")
    if not password:
        raise page.wrong(node, "Icecast wants a password: add `password_from: ICECAST_PASSWORD`")
    form = "mp3"
    if "format" in parts:
        form = page.read(parts["format"], partial(_one_of, icecast.FORMATS))
    elif path.endswith((".opus", ".flac")):
        form = path[-4:]
    return Mount(
        host,
        port,
        path,
        password,
        user=user or "source",
        form=form,
        bitrate=page.read(parts["bitrate"], _bitrate) if "bitrate" in parts else 0,
        station=page.text(parts["station"]) if "station" in parts else Mount.station,
    )


def _folder(page: Page, node: yaml.Node, kind: str) -> Folder:
    parts = page.mapping(node)
    path = page.text(parts[kind])
    if not path:
        raise page.wrong(node, f"name a folder: `- {kind}: folder`")
    return Folder(
        page.path.parent / Path(path).expanduser(),
        form=page.read(parts["format"], partial(_one_of, hours.FORMATS)) if "format" in parts else hours.FORMATS[0],
        bitrate=page.read(parts["bitrate"], _bitrate) if "bitrate" in parts else 0,
        kept=page.read(parts["keep"], _kept) if "keep" in parts else Folder.kept,
    )


def _address(text: str) -> tuple[str, int, str, str, str]:
    try:
        parts = urlsplit(text)
        port = parts.port or 8000
    except ValueError:
        raise Wrong(f"{text[:80]!r} is no address: write one like http://localhost:8000/cafe.mp3") from None
    plain = text.isascii() and text.isprintable() and " " not in text
    if parts.scheme not in ("http", "icecast") or not parts.hostname or len(parts.path) < 2 or not plain:
        raise Wrong(f"{text[:80]!r} is no address of a mount: write one like http://localhost:8000/cafe.mp3")
    return parts.hostname, port, parts.path, unquote(parts.username or ""), unquote(parts.password or "")


def _one_of(names: tuple[str, ...], text: str) -> str:
    if text not in names:
        raise Wrong(f"{text[:60]!r} is no format here: choose one of {', '.join(names)}")
    return text


def _bitrate(text: str) -> int:
    number = text.removesuffix("k")
    if not number.isdecimal() or not 16 <= int(number[:6]) <= 512:
        raise Wrong(f"a bitrate lies from 16 to 512 kbit/s, not at {text[:60]!r}")
    return int(number)


def _kept(text: str) -> int:
    """Files for so much time; longer than a day, too."""
    return max(1, round(length_of_time(text) / hours.HOUR))
