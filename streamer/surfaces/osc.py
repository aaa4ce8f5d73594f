"""Where Open Sound Control meets the controls: the server, and what its clients are told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from osc.access import Access
from osc.command import Command, Handler
from osc.server import OscServer
from osc.sockets import BindError
from osc.tree import Tree
from osc.values import Value
from streamer.control.controls import Controls
from streamer.control.table import ACTIONS, PARAMETERS, STATUS, TABLE
from streamer.errors import UserError

if TYPE_CHECKING:
    from osc.query_server import QueryServer

PREFIX = "/mg"
PORT = 7770
NAME = "MusicGen Streamer"
"""Under which it is found by those who look for OSC servers."""


class OscSurface:
    """Controls, served over OSC.

    Parameters
    ----------
    controls
        What is steered.
    host, port
        Where (UDP). Anything but a loopback address lets other machines steer, as far as `access` does.
    prefix
        What all addresses begin with.
    access
        What clients on other machines may do.
    commands
        What can be asked for with arguments, and what does it.

    Attributes
    ----------
    server : OscServer
    query : QueryServer or None
        What describes it, where `describe` was called.

    Raises
    ------
    UserError
        When the port is taken or the prefix is no address.
    """

    def __init__(
        self,
        controls: Controls,
        host: str,
        port: int,
        prefix: str,
        access: Access,
        commands: Iterable[tuple[Command, Handler]] = (),
    ) -> None:
        self._prefix = prefix
        self._access = access
        self.query: QueryServer | None = None
        try:
            self._tree = Tree(prefix, PARAMETERS, ACTIONS, controls, commands)
            self.server = OscServer(self._tree, host, port, access)
        except (BindError, ValueError) as error:
            raise UserError(str(error)) from None

    def start(self) -> None:
        """Answer from now on."""
        self.server.start()

    def describe(self, port: int, report: Callable[[str], None]) -> None:
        """Serve OSCQuery on a TCP port, 0 for any, and announce it; where that cannot be, say so.

        Parameters
        ----------
        report
            Takes the sentence.
        """
        missing = [name for name in ("websockets", "zeroconf") if find_spec(name) is None]
        if missing:
            needed = " and ".join(missing)
            report(f"OSCQuery needs {needed}: run `{sys.executable} -m pip install {' '.join(missing)}`.")
            return
        from osc.query_server import QueryServer

        told = {f"status/{name}": doc for name, doc in STATUS.items()}
        try:
            self.query = QueryServer(self._tree, self.server, self._access, port, NAME, told, report)
        except BindError as error:
            report(f"{error}.")
            return
        self.query.start()

    def close(self) -> None:
        """Answer no more."""
        if self.query is not None:
            self.query.close()
        self.server.close()

    def publish(self, status: Mapping[str, Value]) -> None:
        """Tell subscribers how it goes, by name in `streamer.control.table.STATUS`."""
        for name, value in status.items():
            self.server.publish(f"status/{name}", value)

    def report(self, sentence: str) -> None:
        """Tell subscribers what they should know."""
        self.server.error(f"{self._prefix}/status", sentence)

    def tell_of(self, name: str, sentence: str, origin: object) -> None:
        """Tell whoever asked for a value, and subscribers, why it cannot be, or not quite."""
        path = TABLE[name].path if name in TABLE else name
        self.server.error(f"{self._prefix}/{path}", sentence, origin)

    def late(self, origin: object, seconds: float) -> None:
        """Tell a client by how much its bundle missed its time."""
        self.server.desk.answers.say(origin, "late", seconds)
