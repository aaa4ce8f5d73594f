"""A running instrument without the sound: its real controls behind its real OSC server, on a free port."""

import importlib.util
import logging
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from osc.command import Asker, Command, Deed, Handler
from osc.server import OscServer
from osc.tree import Tree
from osc.values import Value
from streamer.control.controls import Controls
from streamer.control.snapshots import Snapshots
from streamer.control.table import ACTIONS, PARAMETERS
from streamer.surfaces.commands import COMMANDS, Commands

EXAMPLES = Path(__file__).parents[2] / "examples"


def load_script(path: Path) -> ModuleType:
    """An example's script as a module; the examples are no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Instrument:
    """What an example is played against, and what it did to it."""

    server: OscServer
    controls: Controls
    history: list[dict[str, Value]] = field(default_factory=list)
    asked: list[tuple[str, tuple[Value, ...]]] = field(default_factory=list)

    def heard(self, name: str) -> list[Value]:
        """Every value that a client gave the parameter or action so far."""
        return [change[name] for change in list(self.history) if name in change]

    def is_past(self, count: int) -> bool:
        """Whether more changes and commands than so many have arrived."""
        return len(self.history) + len(self.asked) > count


def _noting(command: Command, done: Handler | None, asked: list[tuple[str, tuple[Value, ...]]]) -> Handler:
    """Does what the command asks for, where that needs no sound, and notes that it was asked for."""

    def handle(arguments: Sequence[Value], asker: Asker) -> Deed:
        asked.append((command.path, tuple(arguments)))
        return done(arguments, asker) if done else list

    return handle


@pytest.fixture
def instrument(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> Iterator[Instrument]:
    controls = Controls()
    handlers = dict(Commands(controls, Snapshots(tmp_path / "snapshots"), lambda: 120.0).table())
    asked: list[tuple[str, tuple[Value, ...]]] = []
    commands = [(command, _noting(command, handlers.get(command), asked)) for command in COMMANDS]
    server = OscServer(Tree("/mg", PARAMETERS, ACTIONS, controls, commands), port=0)
    played = Instrument(server, controls, asked=asked)
    controls.listen(lambda changed, origin: played.history.append(changed))
    server.start()
    yield played
    server.close()
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def until(condition: Callable[[], object], what: str, report: Callable[[], str] = str, seconds: float = 30.0) -> None:
    """Go on once the condition holds; fail, with a report, when it does not come to hold."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen; {report()}"
        time.sleep(0.02)


class Peer:
    """A program under test, and all it has printed so far."""

    def __init__(self, command: list[str], *, env: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def printed(self) -> str:
        return "".join(list(self._lines))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
        """Go on once the condition holds; fail with what the program printed when it does not come to hold."""
        until(condition, what, lambda: f"the program printed:\n{self.printed}", seconds)

    def signal(self, number: int) -> int:
        """Send a signal and return the exit status."""
        self._process.send_signal(number)
        return self._process.wait(timeout=10)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()


@pytest.fixture
def launch() -> Iterator[Callable[..., Peer]]:
    """Start programs that are ended with the test."""
    peers: list[Peer] = []

    def start(command: list[str], *, env: dict[str, str] | None = None) -> Peer:
        peers.append(Peer(command, env=env))
        return peers[-1]

    yield start
    for peer in peers:
        peer.close()
