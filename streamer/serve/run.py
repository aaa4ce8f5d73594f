"""Serving sessions until somebody ends it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import uvicorn

from streamer.audio.sinks.icecast import Mount
from streamer.errors import UserError
from streamer.serve.app import create
from streamer.serve.house import House
from streamer.serve.neighbours import Neighbours
from streamer.serve.outputs import Outputs
from streamer.serve.stage import Stage
from streamer.surfaces.metrics import Figure
from streamer.surfaces.page import rtc
from streamer.surfaces.page.web import LOCAL, configured, listen, names, shown_as


@dataclass(frozen=True)
class Place:
    """Where it is served.

    Parameters
    ----------
    host : str
    port : int
        0 for a free one.
    public : tuple of str
        Addresses under which others reach it, such as "https://music.example.org".
    ice : tuple of str
        See `streamer.surfaces.page.rtc.Peers`.
    icecast : Mount or None
        See `streamer.serve.outputs.Outputs`.
    """

    host: str = "127.0.0.1"
    port: int = 0
    public: tuple[str, ...] = ()
    ice: tuple[str, ...] = ()
    icecast: Mount | None = None


@dataclass
class Server:
    """A stage that is served over HTTP.

    Parameters
    ----------
    stage : Stage
        Not started yet; it is closed with the server.
    place : Place
    neighbours : Neighbours
        Other servers.

    Attributes
    ----------
    port : int
        Where it listens.

    Raises
    ------
    UserError
        The port is taken, or a public address is none.
    """

    stage: Stage
    place: Place
    neighbours: Neighbours = field(default_factory=Neighbours)
    port: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        public = origins(self.place.public)
        self._listener = listen(self.place.host, self.place.port, "--port")
        self.port = int(self._listener.getsockname()[1])
        if self.place.host in LOCAL and rtc.installed():
            rtc.hold_to("127.0.0.1")
        self._outputs = Outputs(self.place.icecast)
        self._house = House(self.stage, self._outputs, self.place.ice, self.neighbours)
        hosts = {f"{name}:{self.port}" for name in names(self.place.host)}
        hosts |= {urlsplit(address).netloc for address in self.place.public}
        self._server = uvicorn.Server(configured(create(self._house, hosts, public)))

    @property
    def address(self) -> str:
        """To type into a browser."""
        shown = "localhost" if self.place.host in LOCAL else shown_as(self.place.host)
        return f"http://{shown}:{self.port}/"

    def serve(self, tell: Callable[[str], None] = lambda address: None) -> None:
        """Serve until `stop`, or until a signal ends it; once.

        tell is called with the address once it is there.
        """
        sys.setswitchinterval(0.001)  # the engine's thread waits for nobody's long computation
        try:
            asyncio.run(self._run(tell))
        finally:  # outside of the loop: a signal cancels whatever waits in there
            self._listener.close()
            self._outputs.close()
            self.stage.close()

    async def _run(self, tell: Callable[[str], None]) -> None:
        # What asyncio would print is a stranger's doing.
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        self.stage.start()
        running = asyncio.create_task(self._house.run())
        tell(self.address)
        try:
            await self._server.serve([self._listener])
        finally:
            running.cancel()
            await self._house.close()

    def stop(self) -> None:
        """End it, from any thread."""
        self._server.should_exit = self._server.force_exit = True

    def figures(self) -> list[Figure]:
        """How it goes, for Prometheus; from any thread."""
        stage, house = self.stage, self._house
        sessions = stage.sessions
        plays, waits = len(stage.places.playing), len(stage.places.waiting)
        found = [
            Figure("sessions", "Sessions.", number, labels=(("state", state),))
            for state, number in (("plays", plays), ("waits", waits), ("sleeps", len(sessions) - plays - waits))
        ]
        found += [
            Figure("places", "Sessions that may play at a time.", stage.places.most),
            Figure("load", "Share of the time that goes into music.", stage.load),
            Figure("overloads", "Times that the machine was too slow for a place.", stage.overloads, True),
            Figure("interruptions", "Gaps in sessions that are open.", sum(s.playback.underruns for s in sessions)),
            Figure(
                "collapses", "Times that the guard brought music back, of these.", sum(s.collapses for s in sessions)
            ),
        ]
        for name, account in stage.keys.accounts.items():
            found.append(Figure("heard_seconds", "Music of today.", account.seconds, labels=(("key", name),)))
        return [
            *found,
            Figure("pages", "Pages that are open.", house.pages),
            Figure("listeners", "Listeners by WebSocket and WebRTC.", house.listeners),
            Figure("encoders", "HLS lists and Icecast mounts.", len(house.outputs)),
        ]


def origins(public: Iterable[str]) -> list[str]:
    """The origins of pages at these addresses.

    Raises
    ------
    UserError
        One is no address of a site.
    """
    found = []
    for address in public:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
            raise UserError(f"{address[:100]!r} is no site's address: write it like https://music.example.org")
        found.append(f"{parts.scheme}://{parts.netloc}")
    return found
