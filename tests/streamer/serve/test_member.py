"""Servers that share a ledger: what one has left another one goes on with, for pages of either."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from http.client import HTTPConnection
from typing import Any
from urllib.error import HTTPError

import pytest

pytest.importorskip("fastapi", reason="install the extra serve")

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from musicgen import MusicGen
from streamer.serve.house import ELSEWHERE, OVER
from streamer.serve.keys import for_anybody
from streamer.serve.ledger import Ledger
from streamer.serve.member import Member
from streamer.serve.neighbours import answers
from streamer.serve.run import Place
from tests.streamer.serve.members import Shared
from tests.streamer.serve.served import PATIENCE, asked, eventually


@pytest.fixture
def members(nano: MusicGen) -> Iterator[list[Member]]:
    shared = Shared(Ledger())

    def ask(*what: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        answer.set_result(shared.call(*what))
        return answer

    made = [Member(nano, 1, for_anybody(), Place(), ask) for _ in range(2)]
    for member in made:
        member.start()
    eventually(lambda: all(answers(member.address) for member in made))
    yield made
    for member in made:
        member.end()
        assert not member.serves


def origin(member: Member) -> str:
    return member.address.rstrip("/")


def where(member: Member, id: str) -> str:
    try:
        return str(asked(f"{member.address}where/{id}")["address"])
    except HTTPError as error:  # the ledger has not heard of it yet
        assert error.code == 404
        return ""


async def greeted(member: Member, id: str, by: str) -> int:
    """The first word of a session's page's server to a page from elsewhere, or the code with which it closes."""
    address = f"ws{member.address[4:]}s/{id}/ws"
    async with connect(address, origin=by, proxy=None, open_timeout=PATIENCE) as socket:  # type: ignore[arg-type]
        try:
            return len(await socket.recv())
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            if closed.rcvd.code == ELSEWHERE:
                assert closed.rcvd.reason.startswith("http://127.0.0.1:")
            return closed.rcvd.code


def preflight(member: Member, id: str, by: str) -> tuple[int, str | None]:
    connection = HTTPConnection("127.0.0.1", int(member.address.rstrip("/").rpartition(":")[2]), timeout=PATIENCE)
    asked = {"Origin": by, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    connection.request("OPTIONS", f"/s/{id}/webrtc", headers=asked)
    answer = connection.getresponse()
    return answer.status, answer.getheader("access-control-allow-origin")


def test_a_drained_servers_session_goes_on_at_another_for_the_page_that_it_gave(members: list[Member]) -> None:
    one, other = members
    session = asked(f"{one.address}api/sessions", {"values": {"prompt": "techno", "seed": 5}})
    id = session["id"]
    eventually(lambda: where(other, id) == one.address)
    eventually(lambda: asyncio.run(greeted(other, id, origin(other))) == ELSEWHERE)
    assert asyncio.run(greeted(other, "no-such-session", origin(one))) == OVER
    one.end()
    eventually(lambda: where(other, id) == other.address)
    assert asyncio.run(greeted(other, id, origin(one))) > 0
    eventually(lambda: asked(f"{other.address}api/sessions/{id}")["state"] == "plays")
    assert asked(f"{other.address}api/sessions/{id}")["values"]["seed"] == 5
    assert preflight(other, id, origin(one)) == (200, origin(one))
    assert preflight(other, id, "http://evil.example")[0] == 403
    with pytest.raises(InvalidStatus):
        asyncio.run(greeted(other, id, "http://evil.example"))
