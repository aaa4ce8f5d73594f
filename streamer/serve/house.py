"""A stage, and all that hears its sessions over HTTP: pages, listeners, encoders."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from fastapi import HTTPException

from streamer.errors import UserError
from streamer.reporting import explained, mention
from streamer.serve.neighbours import Neighbours
from streamer.serve.outputs import Outputs
from streamer.serve.session import Session
from streamer.serve.stage import MOVED, Stage
from streamer.serve.way import PATHS, SessionWay
from streamer.surfaces.page import rtc
from streamer.surfaces.page.app import Hall
from streamer.surfaces.page.sound import PACKET_SECONDS

SHOW_SECONDS, SWEEP_SECONDS = 0.25, 1.0
OVER, ELSEWHERE = 4404, 4409
"""With what a page's connection is closed where its session is over, and where another server has it."""


class House:
    """A stage, and all that hears it over HTTP; for one event loop.

    Parameters
    ----------
    stage : Stage
    outputs : Outputs
    ice : iterable of str
        See `streamer.surfaces.page.rtc.Peers`.
    neighbours : Neighbours, optional
        Other servers; none unless given.
    """

    def __init__(
        self, stage: Stage, outputs: Outputs, ice: Iterable[str] = (), neighbours: Neighbours | None = None
    ) -> None:
        self.stage, self.outputs = stage, outputs
        self.peers = rtc.Peers(tuple(ice)) if rtc.installed() else None
        self.neighbours = neighbours or Neighbours()
        self._halls: dict[str, tuple[Session, SessionWay, Hall]] = {}

    async def session(self, id: str) -> Session:
        """The session of that id.

        Raises
        ------
        HTTPException
            There is none, or it is elsewhere.
        """
        session = self.stage.get(id)
        if session is not None:
            return session
        found = await asyncio.to_thread(self.neighbours.find, id)
        if found is None:
            raise HTTPException(404, "There is no such session: it may be over.")
        if isinstance(found, str):
            raise HTTPException(409, "Another server has this session.", headers={"X-Server": found})
        try:
            return self.stage.adopt(found)
        except UserError as error:
            raise HTTPException(503, str(error)) from None

    def hall(self, session: Session) -> tuple[SessionWay, Hall]:
        """Where a session's pages meet."""
        if session.id not in self._halls:
            way = SessionWay(self.stage, session)
            hall = Hall(way, set(PATHS))
            hall.sound.tune(session.broadcast.place)
            self._halls[session.id] = (session, way, hall)
        return self._halls[session.id][1:]

    async def run(self) -> None:
        """Pass on what is heard, and how it goes, for ever."""
        await asyncio.gather(
            _steadily(PACKET_SECONDS, self._pass_on),
            _steadily(SHOW_SECONDS, self._show),
            _steadily(SWEEP_SECONDS, lambda: asyncio.to_thread(self.outputs.sweep)),
        )

    async def _pass_on(self) -> None:
        for session, _, hall in self._halls.values():
            if session.core is not None:
                hall.sound.pass_on()

    async def _show(self) -> None:
        for session, way, hall in list(self._halls.values()):
            if session.closed:
                hall.sound.close()
                hall.close(ELSEWHERE if session.closed == MOVED else OVER)
                del self._halls[session.id]
            elif len(hall):
                way.show(self.neighbours.doors)

    @property
    def pages(self) -> int:
        """Pages that are open."""
        return sum(len(hall) for _, _, hall in self._halls.values())

    @property
    def listeners(self) -> int:
        """Those that listen by WebSocket and WebRTC."""
        peers = 0 if self.peers is None else len(self.peers)
        return peers + sum(len(hall.sound.listeners) for _, _, hall in self._halls.values())

    async def close(self) -> None:
        """Let all go."""
        if self.peers is not None:
            await self.peers.close()
        for _, _, hall in self._halls.values():
            hall.sound.close()


async def _steadily(period: float, do: Callable[[], Awaitable[None]]) -> None:
    """Do something every so many seconds, for ever: what goes wrong is said once, and it is done again."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    told = ""
    while True:
        due = max(due + period, loop.time())
        await asyncio.sleep(due - loop.time())
        try:
            await do()
        except Exception as error:
            if (fault := explained(error)) != told:
                told = fault
                mention(f"The server stumbled and goes on ({fault}).")
