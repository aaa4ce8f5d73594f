"""`streamer page`: the instrument in a browser."""

from __future__ import annotations

import io
import os
import queue
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.text import Text

from streamer.cli.console import console, plain
from streamer.cli.options import Ice
from streamer.errors import UserError
from streamer.process.priority import stand_back
from streamer.threads import lasting

TOKEN = "STREAMER_PAGE_TOKEN"
SAYS = "Page on "
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 60.0
"""Before another process takes the place of one that has ended; longer and longer where that ends at once."""


def page(
    osc_host: Annotated[str, typer.Option(metavar="HOST", help="Where the instrument listens for OSC.")] = "127.0.0.1",
    osc_port: Annotated[int, typer.Option(min=1, max=65535, metavar="N", help="Its port.")] = 7770,
    osc_prefix: Annotated[str, typer.Option(metavar="PATH", help="What its addresses begin with.")] = "/mg",
    web_host: Annotated[
        str, typer.Option(metavar="HOST", help="Serve the page here; 0.0.0.0 lets other machines in, with a token.")
    ] = "127.0.0.1",
    web_port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="The page's port.")] = 7771,
    web_ice: Ice = None,
) -> None:
    """Serve a page on which a running `streamer play` is played by mouse, keyboard or touch."""
    from streamer.doctor import require

    require("web", "the page")
    from streamer.surfaces.page.serve import serve
    from streamer.surfaces.page.web import LOCAL

    stand_back()
    token = "" if web_host in LOCAL else os.environ.get(TOKEN) or secrets.token_urlsafe(18)
    serve(
        (osc_host, osc_port, osc_prefix),
        web_host,
        web_port,
        token,
        lambda address: show(f"{SAYS}{address}"),
        web_ice or (),
    )
    console.print("The instrument has ended.")


def show(line: str) -> None:
    """Say where the page is; on a terminal, with a QR code where phones may come."""
    console.print(plain(line), soft_wrap=True)
    address = line.removeprefix(SAYS)
    if "#" in address and console.is_terminal:
        console.print(Text(qr_code(address), style="white on black"), soft_wrap=True)


def qr_code(address: str) -> str:
    """An address as a QR code in half blocks, light where it is not set: for white on black."""
    import segno

    out = io.StringIO()
    segno.make_qr(address, error="l").terminal(out, compact=True)
    return out.getvalue().rstrip("\n")


@contextmanager
def beside(osc: tuple[str, int, str], host: str, port: int, report: Callable[[str], None]) -> Iterator[str]:
    """Serve the page in a process of its own while something plays; its first line, which says where.

    Where that process ends before its time another one takes its place, at the same address: open pages come back.

    Parameters
    ----------
    osc : (host, port, prefix)
        Where the instrument listens.
    host, port
        Where to serve.
    report : callable
        Told with a sentence when another one takes its place.

    Raises
    ------
    UserError
        It cannot be served: why.
    """
    osc_host = "127.0.0.1" if osc[0] in ("localhost", "0.0.0.0", "::") else osc[0]
    command = [sys.executable, "-m", "streamer.cli.main", "page", "--osc-host", osc_host, "--osc-port", str(osc[1])]
    command += ["--osc-prefix", osc[2], "--web-host", host, "--web-port", str(port)]
    page = _Beside(command, report)
    try:
        yield page.begin()
    finally:
        page.end()


class _Beside:
    """The process that serves the page, or the one that has taken its place."""

    def __init__(self, command: list[str], report: Callable[[str], None]) -> None:
        self._command, self._report = command, report
        # Pages that are open know the first one's token: it is the next one's, too.
        self._environment = os.environ | {TOKEN: os.environ.get(TOKEN) or secrets.token_urlsafe(18)}
        self._first: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()  # its line, or what is wrong
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._child: subprocess.Popen[str] | None = None
        self._thread = lasting("page", self._run, report)

    def begin(self) -> str:
        self._thread.start()
        line, problem = self._first.get()
        if not line:
            raise UserError(problem or "the page could not be served")
        return line

    def end(self) -> None:
        with self._lock:
            self._ending.set()
            if self._child is not None:
                self._child.terminate()
        self._thread.join()

    def _run(self) -> None:
        line = self._serve()
        pause = PAUSE_SECONDS
        while line and not self._ending.wait(pause):
            self._report("The page's process has ended: another one takes its place.")
            pause = PAUSE_SECONDS if self._serve() else min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _serve(self) -> str:
        """Have a process serve it until that ends; the line in which it said where, "" if it never came so far."""
        with self._lock:
            if self._ending.is_set():
                return ""
            self._child = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
        with self._child as child:
            assert child.stdout is not None and child.stderr is not None
            if line := child.stdout.readline().strip():
                self._command[-1] = str(urlsplit(line.removeprefix(SAYS)).port)  # the same one again
                self._first.put((line, ""))
            _, said = child.communicate()
            if not line:
                self._first.put(("", said.strip()))
        return line
