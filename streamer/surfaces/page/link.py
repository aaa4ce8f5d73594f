"""The page's connection to the instrument: OSC over TCP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from osc.packet import Refused, build, parse
from osc.tcp import Slip
from osc.values import Value
from streamer.errors import UserError
from streamer.surfaces.commands import BROADCAST

HZ = 20.0
"""How often feedback comes at most, times a second."""
PING = 20.0
"""Seconds between two signs of life; a subscription lasts a minute without."""
_ECHOES = ("/norm", "/str")  # what a number says of itself once more


class Link:
    """What the instrument says, and what it is told.

    It takes two connections: one asks, the other listens. The instrument echoes no change to whoever asked for it, and
    all pages want to hear of what one of them did.

    Attributes
    ----------
    state : dict
        Path below the prefix -> values, as the instrument has told them.
    hear : callable
        Called with every path and its values, as they come.
    """

    def __init__(self, asking: _Connection, listening: _Connection, prefix: str) -> None:
        self.state: dict[str, list[Any]] = {}
        self.hear: Callable[[str, list[Any]], None] = lambda path, values: None
        self._asking, self._listening = asking, listening
        self._prefix = prefix

    @classmethod
    async def open(cls, host: str, port: int, prefix: str) -> Link:
        """Connect and subscribe.

        Raises
        ------
        UserError
            Nothing listens there.
        """
        try:
            pair = [await asyncio.wait_for(asyncio.open_connection(host, port), 5.0) for _ in range(2)]
        except (OSError, asyncio.TimeoutError):
            raise UserError(
                f"nothing answers on TCP port {port} of {host}: start `streamer play` first, or name its port with "
                "--osc-port"
            ) from None
        link = cls(_Connection(*pair[0]), _Connection(*pair[1]), prefix)
        link.subscribe()
        return link

    def subscribe(self) -> None:
        """Ask for all that stands and for every change."""
        self._listening.send(build(f"{self._prefix}/subscribe", self._prefix, HZ))
        self.send("snapshot/list")
        self.send(BROADCAST.path)

    def send(self, path: str, *values: Value) -> None:
        """Tell the instrument something; what it cannot take in time is lost."""
        self._asking.send(build(f"{self._prefix}/{path}", *values))

    async def run(self) -> None:
        """Listen until the instrument ends."""
        tasks = [asyncio.create_task(own.run(self._note)) for own in (self._asking, self._listening)]
        tasks.append(asyncio.create_task(self._stay()))
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    async def _stay(self) -> None:
        while True:
            await asyncio.sleep(PING)
            self._listening.send(build(f"{self._prefix}/ping"))

    def _note(self, address: str, arguments: Sequence[Any]) -> None:
        path = address.removeprefix(f"{self._prefix}/")
        if path == address or path.endswith(_ECHOES) or path == "pong":
            return
        values = [value if isinstance(value, (int, float, str, bool)) else str(value) for value in arguments]
        self.state[path] = values
        self.hear(path, values)


class _Connection:
    """OSC, framed by SLIP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._slip = Slip()

    def send(self, packet: bytes) -> None:
        if self._writer.transport.get_write_buffer_size() < 2**16:
            self._writer.write(self._slip.framed(packet))

    async def run(self, note: Callable[[str, Sequence[Any]], None]) -> None:
        """Note every message, until the other side hangs up."""
        with contextlib.suppress(OSError, Refused), contextlib.closing(self._writer):
            while received := await self._reader.read(2**16):
                for packet in self._slip.take(received):
                    for bundle in parse(packet):
                        for message in bundle.messages:
                            note(message.address, message.arguments)
