"""How it goes, for Prometheus, on request."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from streamer.errors import UserError

if TYPE_CHECKING:
    from prometheus_client.core import Metric


@dataclass(frozen=True)
class Figure:
    """One number.

    Parameters
    ----------
    name : str
        Without the prefix.
    doc : str
    value : float
    counts : bool
        Whether it only grows.
    labels : tuple of (str, str)
    """

    name: str
    doc: str
    value: float
    counts: bool = False
    labels: tuple[tuple[str, str], ...] = ()


PREFIX = "musicgen_streamer_"


class Metrics:
    """Serves figures over HTTP until it is closed.

    Parameters
    ----------
    figures : callable
        Gives them whenever somebody asks.
    host : str
    port : int
        0 for a free one.

    Attributes
    ----------
    port : int

    Raises
    ------
    UserError
        The library is not there, or the port is taken.
    """

    def __init__(self, figures: Callable[[], list[Figure]], host: str, port: int) -> None:
        check_installed()
        from prometheus_client import CollectorRegistry, start_http_server

        registry = CollectorRegistry()
        registry.register(_Collector(figures))
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            raise UserError(f"metrics cannot be served on {host}:{port}: {error.strerror or error}") from None
        self.port = int(self._server.server_port)

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Collector:
    def __init__(self, figures: Callable[[], list[Figure]]) -> None:
        self._figures = figures

    def describe(self) -> list[Any]:
        """Nothing ahead: figures are made when they are asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All figures, those of one name together."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families: dict[str, Any] = {}
        for figure in self._figures():
            family = CounterMetricFamily if figure.counts else GaugeMetricFamily
            names = [name for name, _ in figure.labels]
            found = families.setdefault(figure.name, family(PREFIX + figure.name, figure.doc, labels=names))
            found.add_metric([value for _, value in figure.labels], figure.value)
        yield from families.values()


def check_installed() -> None:
    """Refuse where the library is not there.

    Raises
    ------
    UserError
    """
    if find_spec("prometheus_client") is None:
        raise UserError(f"metrics need prometheus-client: run `{sys.executable} -m pip install prometheus-client`")
