"""The instrument: controls, the engine's process, the player and OSC, joined."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from osc.tree import Tree, Value
from osc.udp import BindError, OscServer
from streamer.audio.player import Device, NullPlayer, Output, Playback, Player, decibels
from streamer.control.controls import ACTION_NAMES, ACTIONS, PARAMETERS, TABLE, Controls
from streamer.errors import UserError
from streamer.process.ring import Ring
from streamer.process.worker import Job, Refusal, Worker

PREFIX = "/mg"
PORT = 7770
# The server sends each subscriber as many of these as it asked for.
_STATUS_SECONDS = 0.05
# Read by the callback's side; the engine has no use for them.
_PLAYERS = {"lead", "play", "stop", "panic"}


@dataclass(frozen=True)
class Status:
    """The instrument at one moment.

    Parameters
    ----------
    prompt : str
        What plays.
    output : str
        Where to: the device's or the file's name.
    rtf : float
        Seconds of sound made in one second of work; below 1 the music has holes.
    buffer_ms, latency_ms : float
        Sound queued ahead, and the same with what the device holds.
    xruns, restarts : int
        Interruptions heard; times that the engine's process was replaced.
    collapses : int
        How often the guard brought the music back, see `streamer.engine.guard`.
    collapse : str
        The last time, as a sentence; "" if there was none.
    level : float
        Peak of the last block, dB below full scale.
    seconds : float
        Sound played since the start.
    playing : bool
        Whether the gate is open.
    """

    prompt: str
    output: str
    rtf: float
    buffer_ms: float
    latency_ms: float
    xruns: int
    restarts: int
    collapses: int
    collapse: str
    level: float
    seconds: float
    playing: bool


class Instrument:
    """Endless music on a device, steered over OSC.

    Parameters
    ----------
    job
        What plays: `streamer.process.worker.music`. Its rate and channels have to be the device's.
    initial
        Values of controls by name; the others are the model's and the table's defaults.
    device
        Where to play; None for the system's clock alone.
    wav
        Without a device: the file to write what would be heard into.
    host, port
        Where OSC is served (UDP). Anything but a loopback address lets other machines steer.
    prefix
        What all OSC addresses begin with.
    report
        Called, from any thread, with a sentence about something a person should know.

    Attributes
    ----------
    controls : Controls
        What everything that steers goes through.

    Raises
    ------
    UserError
        When the port is taken, the prefix is no address, the device cannot be opened or the file cannot be made.
    """

    def __init__(
        self,
        job: Job,
        initial: Mapping[str, Value],
        *,
        device: Device | None = None,
        wav: Path | None = None,
        host: str = "127.0.0.1",
        port: int = PORT,
        prefix: str = PREFIX,
        report: Callable[[str], None] = print,
    ) -> None:
        self.controls = Controls(**initial)
        self._tell = report
        self._rate = job.rate
        self._prefix = prefix
        # What was asked for, by whomever: a model's own defaults stand for the rest, in every new process too.
        self._asked: dict[str, Value] = {name: self.controls.get(name) for name in initial}
        self._askers: dict[str, object] = {}  # who asked for it last
        self._closing = threading.Event()
        self._telling = threading.Thread(target=self._publish, name="status", daemon=True)
        with contextlib.ExitStack() as undo:
            self.server = _serve(self.controls, host, port, prefix)
            undo.callback(self.server.close)
            self.ring = Ring(round(job.rate * TABLE["lead"].high / 1000), job.channels)
            undo.callback(self.ring.close)
            self.playback = Playback(self.ring, job.rate)
            self.player: Player = _open(self.playback, device, wav, self._report)
            undo.callback(self.player.close)
            self.worker = Worker(job, self.ring, lambda: dict(self._asked), self._report, self._on_refusal)
            undo.pop_all()
        self._set_lead()
        self.controls.listen(self._on_change)

    def start(self) -> None:
        """Load the model and play; returns with the first sound. OSC answers from the beginning of this on.

        Raises
        ------
        UserError
            When the model cannot be loaded or the device not be started.
        """
        # The callback has to get the interpreter from our other threads: after 1 ms, not after Python's usual 5.
        sys.setswitchinterval(0.001)
        self.server.start()
        self.worker.start()
        self.controls.adopt(**self.worker.facts["defaults"])
        self._telling.start()
        while self.ring.fill < self.ring.lead // 2 and self.worker.restarts == 0:
            time.sleep(0.005)
        self.player.start()

    def status(self) -> Status:
        """How it goes."""
        buffered = self.ring.fill / self._rate
        return Status(
            prompt=str(self.controls.get("prompt")),
            output=self.player.name,
            rtf=self.worker.rtf,
            buffer_ms=1000 * buffered,
            latency_ms=1000 * (buffered + self.player.latency),
            xruns=self.playback.xruns,
            restarts=self.worker.restarts,
            collapses=self.worker.collapses,
            collapse=self.worker.collapse,
            level=decibels(self.playback.peak),
            seconds=self.playback.frames / self._rate,
            playing=self.playback.playing,
        )

    def close(self) -> None:
        """Fade out, and end everything that was started."""
        self._closing.set()
        self.playback.stop()
        deadline = time.monotonic() + 0.5  # a device that hangs is not waited for
        while self.playback.sounding and self.player.running() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.player.close()
        if self._telling.is_alive():
            self._telling.join()
        self.worker.close()
        self.server.close()
        self.ring.close()

    def _on_change(self, changed: dict[str, Value], origin: object) -> None:
        for transport in ("play", "stop", "panic"):
            if transport in changed:
                getattr(self.playback, transport)()
        if "lead" in changed:
            self._set_lead()
        self._asked.update((name, value) for name, value in changed.items() if name not in ACTION_NAMES)
        if origin is self.worker:  # it has taken nothing else over
            return
        self._askers.update(dict.fromkeys(changed, origin))
        batch = [(name, value) for name, value in changed.items() if name not in _PLAYERS]
        if batch:
            self.worker.send(batch)

    def _on_refusal(self, refusal: Refusal) -> None:
        """Say why, to whoever asked too, and show the value that is played, unless another was asked for meanwhile."""
        parameter = TABLE[refusal.name]
        self.server.error(f"{self._prefix}/{parameter.path}", refusal.sentence, self._askers.get(refusal.name))
        self._tell(f"{refusal.name}: {refusal.sentence}")
        if self.controls.get(refusal.name) == refusal.value:
            stands = parameter.default if refusal.stands is None else refusal.stands
            self.controls.apply([(refusal.name, stands)], origin=self.worker)

    def _set_lead(self) -> None:
        self.ring.lead = round(float(self.controls.get("lead")) * self._rate / 1000)

    def _publish(self) -> None:
        while not self._closing.wait(_STATUS_SECONDS):
            now = self.status()
            for name in ("rtf", "buffer_ms", "xruns", "collapses", "collapse", "latency_ms", "level"):
                self.server.publish(f"status/{name}", getattr(now, name))

    def _report(self, sentence: str) -> None:
        self.server.error(f"{self._prefix}/status", sentence)
        self._tell(sentence)


def _serve(controls: Controls, host: str, port: int, prefix: str) -> OscServer:
    try:
        return OscServer(Tree(prefix, PARAMETERS, ACTIONS, controls), host, port)
    except (BindError, ValueError) as error:
        raise UserError(str(error)) from None


def _open(playback: Playback, device: Device | None, wav: Path | None, report: Callable[[str], None]) -> Player:
    if device is None:
        return NullPlayer(playback, wav)
    return Output(playback, device, report)
