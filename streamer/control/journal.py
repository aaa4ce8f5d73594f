"""The journal of a performance: everything that has to be done again to hear it again, as JSON Lines.

The first line is a header. Then come, in their order: *begin*, an engine starts with these values, and its first sample
is this one of the ring; *frame*, values that it took over before that frame, or began to move to, *over* so many
seconds; *gate*, from this sample of what was heard on the ring was let through or not; *collapsed*, what the guard did,
which a replay does by itself; *end*.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from osc.values import BadValue, Value
from streamer.control.change import Change, Frame
from streamer.control.table import accept
from streamer.errors import UserError, reason
from streamer.reporting import as_json

VERSION = 1
NAME = "performance.jsonl"
MOST = 200_000
"""Changes of one engine that are remembered for a recording that may begin later."""
PAGE = 1000
"""Of them are packed together: a night of changes then takes a few megabytes."""


@dataclass(frozen=True)
class Header:
    """What a performance was played with.

    Parameters
    ----------
    model, content : str
        Its name, and a hash of its files.
    backend : str
    threads : int
    rate, channels : int
        Of the sound.
    arguments : dict
        Of the engine's job, see `streamer.process.job`.
    versions : dict
        Of what computed, by name.
    frame_rate : float
        Frames a second, of the model.
    """

    model: str
    content: str
    backend: str
    threads: int
    rate: int
    channels: int
    arguments: dict[str, Value]
    versions: dict[str, str]
    frame_rate: float = 50.0


@dataclass(frozen=True)
class Gate:
    """From a sample of what was heard on, the ring was let through, or not.

    Parameters
    ----------
    heard : int
        Counted from the start of the recording.
    opens : bool
    sample : int
        Of the ring, that comes next.
    fade : int
        How far open the gate was by then, samples of its fade.
    """

    heard: int
    opens: bool
    sample: int
    fade: int


@dataclass(frozen=True)
class Life:
    """What one engine played.

    Parameters
    ----------
    sample : int
        Of the ring, that its first one became.
    values : dict
        That it began with.
    first : bool
        Whether it was the first one, which may have gone on from a file.
    changes : list of Change
        At frames.
    state : bytes
        That it went on from, where the one before it was replaced; empty where it began anew.
    """

    sample: int
    values: dict[str, Value]
    first: bool
    changes: list[Change]
    state: bytes = b""


@dataclass(frozen=True)
class Performance:
    """A journal, read.

    Parameters
    ----------
    header : Header
    lives : list of Life
    gates : list of Gate
    samples : int or None
        That were heard in all; None where the recording has no end.
    """

    header: Header
    lives: list[Life]
    gates: list[Gate]
    samples: int | None


class _Memory:
    """Lines of a journal, in little space."""

    def __init__(self) -> None:
        self._pages: list[bytes] = []
        self._lines: list[str] = []

    def __len__(self) -> int:
        return PAGE * len(self._pages) + len(self._lines)

    def append(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) == PAGE:
            self._pages.append(zlib.compress("".join(self._lines).encode()))
            self._lines.clear()

    def pieces(self) -> Iterator[str]:
        """All lines, many at a time."""
        for page in self._pages:
            yield zlib.decompress(page).decode()
        yield "".join(self._lines)


class Journal:
    """Remembers what the engine at work was told, and writes it down while it is recorded. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._life = _Memory()
        self._complete = True
        self._file: TextIO | None = None
        self.problem = ""  # what has ended the writing before its time

    def begin(self, sample: int, values: Mapping[str, Value], first: bool, state: bytes = b"") -> None:
        """An engine starts, with these values and at this sample of the ring; it may go on from a state."""
        goes_on = {"state": base64.b64encode(zlib.compress(state)).decode()} if state else {}
        with self._lock:
            self._life, self._complete = _Memory(), True
        self._note({"begin": dict(values), "sample": sample, "first": first} | goes_on)

    def applied(self, frame: float, values: Mapping[str, Value], over: float = 0.0) -> None:
        """The engine has taken values over; it reaches them in so many seconds."""
        self._note({"frame": frame, "values": dict(values)} | ({"over": over} if over else {}))

    def collapsed(self, frame: int, sentence: str) -> None:
        """The guard brought the music back."""
        self._note({"collapsed": sentence, "frame": frame})

    def open(self, path: Path, header: Header) -> bool:
        """Write from now on; whether all of it is known that the engine at work was told.

        Raises
        ------
        OSError
        """
        file = path.open("x", encoding="utf-8")
        with self._lock:
            self.problem = ""
            try:
                _write(file, _line({"journal": VERSION, "complete": self._complete} | asdict(header)))
                for lines in self._life.pieces():
                    _write(file, lines)
            except OSError:
                _let_go(file)
                path.unlink(missing_ok=True)
                raise
            self._file = file
            return self._complete

    def gate(self, gate: Gate) -> None:
        """The gate was opened or closed, or stood so when the recording began."""
        with self._lock:
            self._put(_line({"gate": asdict(gate)}))

    def close(self, samples: int) -> None:
        """Write no more; so many samples were heard. What went wrong with the last of it is in `problem`."""
        with self._lock:
            self._put(_line({"end": samples}))
            file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self.problem = reason(error)

    def _note(self, entry: dict[str, Any]) -> None:
        line = _line(entry)
        with self._lock:
            if len(self._life) < MOST:
                self._life.append(line)
            else:
                self._complete = False
            self._put(line)

    def _put(self, line: str) -> None:
        """Into the file, if there is one. A full disk ends the recording, and not the thread that has news."""
        if self._file is not None:
            try:
                _write(self._file, line)
            except (OSError, ValueError) as error:
                _let_go(self._file)
                self._file = None
                self.problem = reason(error)


def _line(entry: Mapping[str, Any]) -> str:
    return as_json(entry) + "\n"


def _let_go(file: TextIO) -> None:
    """Close a file that has failed: what waits in it would fail again."""
    with contextlib.suppress(OSError, ValueError):
        file.close()


def _write(file: TextIO, lines: str) -> None:
    file.write(lines)
    file.flush()


def read_journal(path: Path) -> Performance:
    """Read a journal; a last line that was not written to its end is left out.

    Raises
    ------
    UserError
        There is none, or it cannot be understood, or it does not tell all.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        raise UserError(f"there is no recording in {path.parent}: name a folder that was recorded into") from None
    except OSError as error:
        raise UserError(f"the journal {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"the journal {path} is broken (it is no UTF-8 text): it cannot be replayed") from None
    try:
        entries = [json.loads(line) for line in lines if line.endswith("\n")]
        return _understood(path, entries)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, BadValue, zlib.error) as error:
        raise UserError(f"the journal {path} is broken ({error}): it cannot be replayed") from None


def _understood(path: Path, entries: list[dict[str, Any]]) -> Performance:
    head, *rest = entries
    if head.pop("journal") != VERSION:
        raise UserError(f"the journal {path} was written by another version: replay it with that")
    if not head.pop("complete"):
        raise UserError(f"the journal {path} begins too late to be replayed: record from the start, with --record")
    lives: list[Life] = []
    gates: list[Gate] = []
    samples = None
    for entry in rest:
        if "begin" in entry:
            state = zlib.decompress(base64.b64decode(entry["state"])) if "state" in entry else b""
            lives.append(Life(int(entry["sample"]), accept(entry["begin"].items()), bool(entry["first"]), [], state))
        elif "values" in entry:
            values, frame = accept(entry["values"].items()), Frame(float(entry["frame"]))
            lives[-1].changes.append(Change(values, frame, over=float(entry.get("over", 0.0))))
        elif "gate" in entry:
            gates.append(Gate(**entry["gate"]))
        elif "end" in entry:
            samples = int(entry["end"])
    return Performance(Header(**head), lives, gates, samples)
