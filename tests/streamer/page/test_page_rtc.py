"""The page's sound by WebRTC, heard by another client of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="install the extra web")
pytest.importorskip("aiortc", reason="install the extra webrtc")

from streamer.errors import UserError
from streamer.process.broadcast import Broadcast
from streamer.surfaces.page import rtc
from tests.streamer.page.paged import RATE, Band, Stage

HZ = 440.0


@pytest.fixture(scope="module")
def tone() -> Iterator[Broadcast]:
    """A tone on the left, its octave on the right, as an instrument would broadcast them."""
    broadcast = Broadcast(RATE, 2)
    band = Band(broadcast, (HZ, 2 * HZ))
    yield broadcast
    band.end()
    broadcast.close()


async def heard(answer: Callable[[str], Any], seconds: float) -> Any:
    """What a client hears, int16 (samples, 2), once sound arrives."""
    import aiortc
    from av.audio.resampler import AudioResampler

    peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    peer.on("track", arrived.set_result)
    peer.addTransceiver("audio", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    answered = answer(peer.localDescription.sdp)
    sdp = await answered if asyncio.iscoroutine(answered) else answered
    await peer.setRemoteDescription(aiortc.RTCSessionDescription(sdp, "answer"))
    track = await arrived
    blocks: list[Any] = []
    form = AudioResampler("s16", "stereo", RATE)
    while sum(len(block) for block in blocks) < seconds * RATE:
        frame = await asyncio.wait_for(track.recv(), 60)
        block = np.concatenate([own.to_ndarray().reshape(-1, 2) for own in form.resample(frame)])
        if blocks or np.abs(block).max() > 1000:  # the first packets come before there is sound
            blocks.append(block)
    await peer.close()
    return np.concatenate(blocks)


def loudest(sound: Any) -> float:
    """The frequency of its strongest partial, Hz."""
    return float(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))).argmax() * RATE / len(sound))


@pytest.mark.realtime
def test_a_client_hears_both_sides_and_is_gone_when_it_hangs_up(
    tone: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        rtc.hold_to("127.0.0.1")
        peers, gone = rtc.Peers(), asyncio.Event()
        sound = (await heard(lambda sdp: peers.answer(tone.place, sdp, gone.set), 1.0))[RATE // 5 :]
        assert abs(loudest(sound[:, 0]) - HZ) < 3 and abs(loudest(sound[:, 1]) - 2 * HZ) < 3
        await asyncio.wait_for(gone.wait(), 60)
        assert len(peers) == 0

    asyncio.run(story())


@pytest.mark.parametrize("sdp", ["", "nonsense", "v=0\r\n", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"])
def test_what_is_no_offer_is_a_sentence_and_leaves_nothing(tone: Broadcast, sdp: str) -> None:
    async def story() -> None:
        peers, gone = rtc.Peers(), list[bool]()
        with pytest.raises(UserError, match="no offer to hear one audio track"):
            await peers.answer(tone.place, sdp, lambda: gone.append(True))
        assert gone == [] and len(peers) == 0

    asyncio.run(story())


def test_the_page_answers_an_offer_and_needs_the_token_beyond_this_machine(tmp_path: Path) -> None:
    stage = Stage(tmp_path, token="0123456789abcdef")

    def asked(body: str, **headers: str) -> int:
        connection = HTTPConnection("127.0.0.1", stage.port, timeout=60)
        connection.request("POST", "/webrtc", body, headers)
        status = connection.getresponse().status
        connection.close()
        return status

    own = {"Authorization": "Bearer 0123456789abcdef"}
    assert asked("{}") == 403
    assert asked("{}", Authorization="Bearer 0123456789abcdee") == 403
    assert asked("{}", Origin="http://evil.example", **own) == 403
    deadline = time.monotonic() + 60
    while asked("{}", **own) == 503:  # the broadcast's place is on its way
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for body in ("{}", "", "[1]", "3", "[" * 20_000, json.dumps({"sdp": "x" * 40_000}), json.dumps({"sdp": "v=0"})):
        assert asked(body, **own) == 422
    stage.close()
