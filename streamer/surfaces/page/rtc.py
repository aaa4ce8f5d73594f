"""What is heard, by WebRTC: opus over UDP, for listeners beyond the local network. Needs aiortc."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import numpy as np

from streamer.errors import UserError
from streamer.process.broadcast import Hearing, Place

FRAME_SECONDS = 0.02
MOST = 32
"""Peers at a time: an opus encoder for each takes about a hundredth of a core."""
BEHIND_SECONDS = 0.2
"""That may wait for a peer; then its oldest is dropped."""
CONNECT_SECONDS = 15.0
"""In which a peer has to be there, once it has been answered."""
_POLL_SECONDS = 0.005


def installed() -> bool:
    """Whether aiortc is there."""
    return find_spec("aiortc") is not None


def hold_to(address: str) -> None:
    """Have peers offered nothing but this address of the machine: aiortc itself offers those of every card."""
    from aioice import ice

    setattr(ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [address])  # noqa: B010 (it has no setting for it)


class Peers:
    """All that listen by WebRTC, to whatever they listen; for one event loop.

    Parameters
    ----------
    ice : sequence of str
        Addresses of STUN and TURN servers, such as "stun:stun.example.org"; none: peers that can reach this machine.
    """

    def __init__(self, ice: Sequence[str] = ()) -> None:
        self._ice = ice
        self._peers: dict[Any, Callable[[], None]] = {}

    def __len__(self) -> int:
        return len(self._peers)

    async def answer(self, place: Place, sdp: str, gone: Callable[[], None] = lambda: None) -> str:
        """Let somebody hear a broadcast; what to answer to their offer.

        gone is called once they have gone; not where they are refused.

        Raises
        ------
        UserError
            It is no offer of somebody who wants to hear, or there are too many.
        """
        from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription

        if len(self._peers) >= MOST:
            raise UserError(f"{MOST} listen by WebRTC, and no more can: listen by WebSocket.")
        servers = [RTCIceServer(urls=address) for address in self._ice]
        peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        hearing = Hearing(place)
        self._peers[peer] = lambda: None  # nobody yet

        @peer.on("connectionstatechange")
        async def follow() -> None:
            if peer.connectionState in ("failed", "closed", "disconnected"):
                await self._leave(peer, hearing)

        try:
            await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
            if [own.kind for own in peer.getTransceivers()] != ["audio"]:
                raise ValueError("not one audio line")
            peer.addTrack(_track(hearing))
            await peer.setLocalDescription(await peer.createAnswer())
        except Exception as error:  # whatever a stranger's description does to the library
            await self._leave(peer, hearing)
            raise UserError(f"This is no offer to hear one audio track ({type(error).__name__}).") from None
        self._peers[peer] = gone
        asyncio.get_running_loop().call_later(CONNECT_SECONDS, self._look, peer, hearing)
        described: str = peer.localDescription.sdp
        return described

    async def close(self) -> None:
        """Let all go."""
        for peer in list(self._peers):
            await peer.close()

    def _look(self, peer: Any, hearing: Hearing) -> None:
        if peer.connectionState != "connected":
            leaving = asyncio.ensure_future(self._leave(peer, hearing))
            leaving.add_done_callback(lambda task: task.exception())

    async def _leave(self, peer: Any, hearing: Hearing) -> None:
        gone = self._peers.pop(peer, None)
        if gone is None:
            return
        gone()
        with contextlib.suppress(Exception):
            await peer.close()
        hearing.close()


def _track(hearing: Hearing) -> Any:
    """A broadcast as a track: 20 ms at a time, as they are heard."""
    from aiortc import MediaStreamTrack
    from aiortc.mediastreams import MediaStreamError
    from av import AudioFrame

    rate, channels = hearing.place.rate, min(2, hearing.place.channels)
    size = round(FRAME_SECONDS * rate)

    class Track(MediaStreamTrack):
        kind = "audio"

        def __init__(self) -> None:
            super().__init__()
            self._heard = np.zeros((0, channels), np.float32)
            self._sent = 0

        async def recv(self) -> AudioFrame:
            while len(self._heard) < size:
                if self.readyState != "live":
                    raise MediaStreamError
                try:
                    fresh = hearing.read()[:, :channels]
                except AttributeError:  # it has been closed
                    raise MediaStreamError from None
                self._heard = np.concatenate([self._heard, fresh])
                if len(self._heard) > BEHIND_SECONDS * rate:
                    self._heard = self._heard[-2 * size :]
                if len(self._heard) < size:
                    await asyncio.sleep(_POLL_SECONDS)
            block, self._heard = self._heard[:size], self._heard[size:]
            whole = np.rint(np.clip(block, -1.0, 1.0) * 32767.0).astype(np.int16)
            packed = np.ascontiguousarray(whole).reshape(1, -1)
            frame = AudioFrame.from_ndarray(packed, format="s16", layout="mono" if channels == 1 else "stereo")
            frame.sample_rate, frame.pts, frame.time_base = rate, self._sent, Fraction(1, rate)
            self._sent += size
            return frame

    return Track()
