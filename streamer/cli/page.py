"""`streamer page`: the instrument in a browser."""

from __future__ import annotations

import io
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.text import Text

from streamer.cli.console import console, plain
from streamer.cli.options import Ice
from streamer.errors import UserError
from streamer.process.priority import stand_back

TOKEN = "STREAMER_PAGE_TOKEN"
SAYS = "Page on "


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
def beside(osc: tuple[str, int, str], host: str, port: int) -> Iterator[str]:
    """Serve the page in a process of its own while something plays; its first line, which says where.

    Raises
    ------
    UserError
        It cannot be served: why.
    """
    osc_host = "127.0.0.1" if osc[0] in ("localhost", "0.0.0.0", "::") else osc[0]
    command = [sys.executable, "-m", "streamer.cli.main", "page", "--osc-host", osc_host, "--osc-port", str(osc[1])]
    command += ["--osc-prefix", osc[2], "--web-host", host, "--web-port", str(port)]
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert child.stdout is not None and child.stderr is not None
    with child:
        try:
            line = child.stdout.readline().strip()
            if not line:
                raise UserError(child.stderr.read().strip() or "the page could not be served")
            yield line
        finally:
            child.terminate()
