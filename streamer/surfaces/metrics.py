"""How it goes, for Prometheus, on request."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from streamer.errors import UserError
from streamer.threads import lasting

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
MOST = 8
"""Connections at a time, each a thread beside the music: one more, and the first of them gives way."""


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
        from prometheus_client import CollectorRegistry, make_wsgi_app

        registry = CollectorRegistry()
        registry.register(_Collector(figures))
        try:
            self._server = _Server(host, port)
        except OSError as error:
            raise UserError(f"metrics cannot be served on {host}:{port}: {error.strerror or error}") from None
        self._server.set_app(make_wsgi_app(registry))
        self.port = int(self._server.server_port)
        self._thread = lasting("metrics", self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(WSGIRequestHandler):
    timeout = 10.0  # seconds, for whoever says nothing

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: what strangers ask fills no terminal."""


class _Server(ThreadingMixIn, WSGIServer):
    """Answers a few at a time."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self._there: dict[socket.socket, None] = {}  # the longest there first
        self._lock = threading.Lock()
        self.address_family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        super().__init__((str(address[0]), int(address[1])), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer, in a thread of its own."""
        with self._lock:
            self._there[request] = None
            if len(self._there) > MOST:
                first = next(iter(self._there))
                del self._there[first]
                with contextlib.suppress(OSError):  # it has gone by itself
                    first.shutdown(socket.SHUT_RDWR)  # which its thread notices
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """It has been answered, or is gone."""
        with self._lock:
            self._there.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What strangers do is not worth a line."""


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
