"""What plays reaches pages that listen, sample by sample, and pages that look; slow ones miss some, others nothing."""

from __future__ import annotations

import asyncio
import itertools
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("fastapi", reason="install the extra web")

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streamer.cli.page import qr_code
from streamer.surfaces.page.app import table
from streamer.surfaces.page.sound import BANDS, COLUMNS_HZ, HIGHEST, LOWEST, Columns, Listener, packed
from tests.streamer.page.paged import RATE, Stage, browser, run

BLOCK = 256


@asynccontextmanager
async def listener(stage: Stage, token: str = "", origin: str | None = None) -> AsyncIterator[ClientConnection]:
    own: Any = origin or f"http://127.0.0.1:{stage.port}"
    protocols: Any = [token] if token else None
    address = f"ws://127.0.0.1:{stage.port}/sound"
    async with connect(address, origin=own, subprotocols=protocols, proxy=None) as socket:
        yield socket


def unpacked(packet: bytes) -> tuple[int, NDArray[np.int16]]:
    """Where a packet's first sample is, and its samples."""
    (at,) = struct.unpack_from("<d", packet)
    return round(at), np.frombuffer(packet, "<i2", offset=8).reshape(-1, 2)


async def play(stage: Stage, noise: NDArray[np.float32], blocks: int) -> None:
    """Broadcast so much of the noise, from its beginning, in real time or slower."""
    for block in range(blocks):
        stage.broadcast.put(noise[block * BLOCK : (block + 1) * BLOCK])
        await asyncio.sleep(BLOCK / RATE)


def test_what_plays_is_what_listeners_get(stage: Stage) -> None:
    noise = np.random.default_rng(3).uniform(-1, 1, (100 * BLOCK, 2)).astype(np.float32)

    async def story() -> None:
        async with listener(stage) as one, listener(stage) as other:
            for socket in (one, other):  # whoever is answered is known to the server
                await socket.send("here")
                assert await socket.recv() == "here"
            playing = asyncio.create_task(play(stage, noise, 100))
            for socket in (one, other):
                first, samples = unpacked(bytes(await socket.recv(decode=False)))
                while len(samples) < len(noise):
                    at, more = unpacked(bytes(await socket.recv(decode=False)))
                    assert at == first + len(samples)
                    samples = np.concatenate([samples, more])
                np.testing.assert_allclose(samples / 32767, noise, atol=0.6 / 32767)
            await playing

    run(asyncio.wait_for(story(), 60))


def test_a_page_is_told_what_can_be_heard_and_sees_it(stage: Stage) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 / RATE * np.arange(200 * BLOCK))
    sound = np.stack([tone, 0.1 * tone], 1).astype(np.float32)

    async def story() -> None:
        async with browser(stage) as page:
            await page.until(lambda: page.values.get("sound") == [RATE, 2])
            playing = asyncio.create_task(play(stage, sound, 200))
            seen = b""
            while len(seen) < 12 * (2 + BANDS):
                told = await page.socket.recv()
                seen += told if isinstance(told, bytes) else b""
            columns = np.frombuffer(seen, np.uint8).reshape(-1, 2 + BANDS)
            band = int(np.log(440 / LOWEST) / np.log(HIGHEST / LOWEST) * BANDS)
            assert abs(np.argmax(columns[-1, 2:]) - band) <= 1
            left, right = (columns[-1, :2] / 255 - 1) * 90
            assert abs(left - 20 * np.log10(0.5)) < 0.5
            assert abs(right - 20 * np.log10(0.05)) < 0.5
            assert "broadcast" not in page.values  # where the memory is concerns no page
            await page.ask("broadcast")
            await page.until(lambda: page.words)
            await playing

    run(asyncio.wait_for(story(), 60))


def test_no_stranger_listens(stage: Stage, guarded: Stage) -> None:
    async def listens(own: Stage, **given: str) -> None:
        async with listener(own, **given) as socket:
            await socket.send("here")
            await socket.recv()

    for given in ({}, {"token": "0123456789abcdee"}):
        with pytest.raises((InvalidStatus, ConnectionClosed)):
            run(listens(guarded, **given))
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        run(listens(stage, origin="http://evil.example"))
    run(listens(guarded, token="0123456789abcdef"))


def test_what_listeners_say_is_echoed_only_where_it_is_short(stage: Stage) -> None:
    async def story() -> None:
        async with listener(stage) as socket:
            await socket.send("x" * 41)
            await socket.send("17.5")
            assert await socket.recv() == "17.5"
            with suppress(ConnectionClosed):
                await socket.send(b"\0")
                await socket.send("18.5")
                await socket.recv()
        async with browser(stage) as page:
            await page.until(lambda: page.values.get("sound"))

    run(asyncio.wait_for(story(), 60))


def test_a_slow_listener_misses_the_oldest() -> None:
    async def story() -> None:
        slow = Listener()
        for number in range(60):
            slow.put(bytes([number]))
        assert slow.dropped == 10
        assert [await slow.next() for _ in range(50)] == [bytes([number]) for number in range(10, 60)]

    run(story())


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_columns_come_evenly_whatever_the_blocks(rate: int, channels: int) -> None:
    columns = Columns(rate, channels)
    noise = np.random.default_rng(0).normal(0, 0.1, (2 * rate, channels)).astype(np.float32)
    sizes = itertools.cycle([1, 700, 64, 5000])
    made, at = [], 0
    while at < len(noise):
        size = next(sizes)
        made += columns.take(noise[at : at + size])
        at += size
    assert len(made) == 2 * COLUMNS_HZ
    assert {len(column) for column in made} == {2 + BANDS}


def test_silence_is_dark_and_too_loud_is_not_wrapped() -> None:
    columns = Columns(RATE, 2)
    assert set(columns.take(np.zeros((RATE // COLUMNS_HZ, 2), np.float32))[0]) == {0}
    assert max(columns.take(np.full((RATE // COLUMNS_HZ, 2), 7.0, np.float32))[0]) == 255
    assert unpacked(packed(2**40, np.array([[3.0, -3.0]], np.float32)))[1].tolist() == [[32767, -32767]]


def test_a_phone_reads_the_address_from_the_terminal() -> None:
    """The half blocks say what the library's own matrix says, lit where that is light."""
    segno = pytest.importorskip("segno", reason="install the extra web")
    address = "http://192.168.1.20:7771/#0123456789abcdef01234567"
    lit = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}
    lines = qr_code(address).splitlines()
    rows = [[lit[sign][half] for sign in line] for line in lines for half in (0, 1)]
    border = 4
    wanted = [[1 - dark for dark in row] for row in segno.make_qr(address, error="l").matrix]
    size = len(wanted)
    assert [row[border : border + size] for row in rows[border : border + size]] == wanted
    assert max(map(len, lines)) <= 80


def test_the_page_describes_itself_in_plain_json() -> None:
    json.dumps(table(), allow_nan=False)
