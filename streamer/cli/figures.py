"""Figures for Prometheus, beside whatever plays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.console import console, plain

if TYPE_CHECKING:
    from streamer.surfaces.metrics import Figure

Port = Annotated[
    int | None, typer.Option("--metrics", metavar="PORT", min=0, max=65535, help="Serve figures for Prometheus here.")
]
Host = Annotated[str, typer.Option("--metrics-host", metavar="HOST", help="Where to serve them.")]


@contextmanager
def shown(figures: Callable[[], list[Figure]], host: str, port: int | None) -> Iterator[None]:
    """Serve figures meanwhile, and say where; no port, no figures."""
    if port is None:
        yield
        return
    from streamer.surfaces.metrics import Metrics

    served = Metrics(figures, host, port)
    console.print(plain(f"Figures on http://{host}:{served.port}/metrics"), soft_wrap=True)
    try:
        yield
    finally:
        served.close()
