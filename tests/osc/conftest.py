"""A desk behind a server on a free loopback port, driven by hand (`poll`) and by a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from osc.server import OscServer
from tests.osc.desk import Client, Clock, Desk, tree


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(desk: Desk, clock: Clock) -> Iterator[OscServer]:
    """Not started: it does what is due when a test polls it."""
    server = OscServer(tree(desk), port=0, clock=clock, wall=clock)
    yield server
    server.close()


@pytest.fixture
def running(desk: Desk) -> Iterator[OscServer]:
    """In its own thread, by the real clock."""
    server = OscServer(tree(desk), port=0)
    server.start()
    yield server
    server.close()


@pytest.fixture
def connect() -> Iterator[Callable[[OscServer], Client]]:
    """Makes clients, and closes them in the end."""
    clients: list[Client] = []

    def connected(server: OscServer) -> Client:
        clients.append(Client(server))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()
