"""`streamer page`: the instrument in a browser."""

from __future__ import annotations

import os
import secrets
from typing import Annotated

import typer
from rich.markup import escape

from streamer.cli.console import console
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
    try:
        from streamer.surfaces.page.serve import serve
    except ImportError:
        raise UserError(
            "the page needs what is not installed: run `pip install 'musicgen-streamer[web]'`, or "
            "`pip install fastapi uvicorn websockets`"
        ) from None
    local = web_host in ("127.0.0.1", "localhost", "::1")
    token = "" if local else os.environ.get(TOKEN) or secrets.token_urlsafe(18)
    serve(
        (osc_host, osc_port, osc_prefix),
        web_host,
        web_port,
        token,
        lambda address: console.print(escape(f"Page on {address}"), soft_wrap=True),
    )
    console.print("The instrument has ended.")
