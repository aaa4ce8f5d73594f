"""`streamer page`: the instrument in a browser."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Annotated

import typer

from streamer.cli.console import console, plain
from streamer.errors import UserError

TOKEN = "STREAMER_PAGE_TOKEN"


def page(
    osc_host: Annotated[str, typer.Option(metavar="HOST", help="Where the instrument listens for OSC.")] = "127.0.0.1",
    osc_port: Annotated[int, typer.Option(min=1, max=65535, metavar="N", help="Its port.")] = 7770,
    osc_prefix: Annotated[str, typer.Option(metavar="PATH", help="What its addresses begin with.")] = "/mg",
    web_host: Annotated[
        str, typer.Option(metavar="HOST", help="Serve the page here; 0.0.0.0 lets other machines in, with a token.")
    ] = "127.0.0.1",
    web_port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="The page's port.")] = 7771,
) -> None:
    """Serve a page on which a running `streamer play` is played by mouse, keyboard or touch."""
    check_installed()
    from streamer.surfaces.page.serve import serve

    local = web_host in ("127.0.0.1", "localhost", "::1")
    token = "" if local else os.environ.get(TOKEN) or secrets.token_urlsafe(18)
    serve(
        (osc_host, osc_port, osc_prefix),
        web_host,
        web_port,
        token,
        lambda address: console.print(plain(f"Page on {address}"), soft_wrap=True),
    )
    console.print("The instrument has ended.")


def check_installed() -> None:
    """Refuse where the page's libraries are not there."""
    missing = [name for name in ("fastapi", "uvicorn", "websockets") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"the page needs {' and '.join(missing)}: run `{sys.executable} -m pip install fastapi uvicorn websockets`"
        )


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
