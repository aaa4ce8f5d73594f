"""Serving the page until the instrument ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import uvicorn

from streamer.surfaces.page import rtc
from streamer.surfaces.page.app import Hall, allowed, create
from streamer.surfaces.page.link import Link
from streamer.surfaces.page.web import configured, listen, names, shown_as


def serve(
    osc: tuple[str, int, str], host: str, port: int, token: str, tell: Callable[[str], None], ice: Sequence[str] = ()
) -> None:
    """Serve the page; returns when the instrument has ended.

    Parameters
    ----------
    osc : (host, port, prefix)
        Where the instrument listens.
    host, port
        Where to listen; 0 takes any free port.
    token : str
        That pages have to know; "" for none, on this machine alone.
    tell : callable
        Called with the page's address once it is there.
    ice : sequence of str
        See `streamer.surfaces.page.rtc.Peers`.

    Raises
    ------
    UserError
        The instrument does not answer, or the port is taken.
    """
    asyncio.run(_serve(osc, host, port, token, tell, ice))


async def _serve(
    osc: tuple[str, int, str], host: str, port: int, token: str, tell: Callable[[str], None], ice: Sequence[str]
) -> None:
    listener = listen(host, port, "--web-port")
    # What asyncio would print, of connections beyond what the system allows say, is a stranger's doing, too.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    with contextlib.closing(listener):
        port = listener.getsockname()[1]
        link = await Link.open(*osc)
        hosts = {f"{name}:{port}" for name in names(host)}
        hall = Hall(link, allowed(trusted=not token))
        peers = rtc.Peers(ice) if rtc.installed() else None
        if peers is not None and not token:
            rtc.hold_to("127.0.0.1")
        server = uvicorn.Server(configured(create(hall, hosts, token, peers)))
        serving = asyncio.create_task(server.serve([listener]))
        shown = "localhost" if not token else shown_as(host)
        tell(f"http://{shown}:{port}/" + (f"#{token}" if token else ""))
        running = [asyncio.create_task(own) for own in (link.run(), hall.sound.run())]
        await asyncio.wait([*running, serving], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = server.force_exit = True
        await serving
        for task in running:
            task.cancel()
        if peers is not None:
            await peers.close()
        hall.sound.close()
