"""The instrument: controls, the engine's process, the player and OSC, joined."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from osc.access import NO_RULES, Access
from osc.sockets import LOCALHOST
from osc.values import Value
from streamer.audio.click import Click
from streamer.audio.devices import Device
from streamer.audio.null import NullPlayer
from streamer.audio.output import Output
from streamer.audio.outs import Outs, channels_text
from streamer.audio.playback import Playback, Player, decibels
from streamer.audio.recorder import Recorder
from streamer.audio.transport import Transport
from streamer.control.change import Change, Wall
from streamer.control.controls import Controls
from streamer.control.journal import Header, Journal
from streamer.control.moves import bars_after
from streamer.control.pulse import PULSE, Place, Pulse
from streamer.control.snapshots import Snapshots
from streamer.control.table import GATE, TABLE
from streamer.control.tempo import BEATS_PER_BAR
from streamer.control.timeline import Timeline
from streamer.engine.events import to_repeat
from streamer.engine.prompts import tempo_of
from streamer.process.events import (
    Applied,
    Collapsed,
    Event,
    Failed,
    Hosted,
    Locked,
    Moved,
    Noted,
    Ready,
    Refused,
    Report,
    Turned,
)
from streamer.process.job import Job
from streamer.process.playhead import Playhead
from streamer.process.ring import Ring
from streamer.process.supervisor import Supervisor
from streamer.reporting import Voice, complain
from streamer.sound.lock import OFF
from streamer.surfaces.commands import Commands
from streamer.surfaces.company import Company
from streamer.surfaces.copies import Copies
from streamer.surfaces.knobs import Knobs
from streamer.surfaces.osc import PORT, PREFIX, OscSurface
from streamer.surfaces.sync import INTERNAL
from streamer.threads import lasting

# The server sends each subscriber as many of these as it asked for.
_STATUS_SECONDS = 0.05
RECORDINGS = Path("recordings")
_PUBLISHED = (
    *("rtf", "buffer_ms", "playing", "xruns", "collapses", "collapse", "recording", "latency_ms", "level", "tempo"),
    *("beat", "sync", "lock", "loop", "channels", "click"),
)


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
    buffer_ms : float
        Sound queued ahead.
    latency_ms : float
        From a change to its sound, the whole way: what is queued, the frame that is being made, and the device.
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
    tempo : float
        Beats a minute.
    beat : float
        Beats heard since the music began.
    recording : str
        The folder that is recorded into; "" while none is.
    sync : str
        Where the beat comes from.
    lock : str
        What has become of the music's own beat, see `streamer.sound.lock`.
    loop : float
        Bars that go round; 0 for none.
    channels, click : str
        The device's channels that the music is on, and a metronome.
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
    tempo: float
    beat: float
    recording: str = ""
    sync: str = "internal"
    lock: str = OFF
    loop: float = 0.0
    channels: str = ""
    click: str = ""


class Instrument:
    """Endless music on a device, steered over OSC.

    Parameters
    ----------
    job
        What plays: `streamer.process.job.music`. Its rate and channels have to be the device's.
    initial
        Values of controls by name; the others are the model's and the table's defaults.
    device
        Where to play; None for the system's clock alone.
    wav
        Without a device: the file to write what would be heard into.
    channels
        The device's, or the file's, that the music is on, counted from 1, as many as it has; the first ones unless
        given.
    clicks
        Those that a metronome is on; none unless given.
    host, port
        Where OSC is served (UDP). Anything but a loopback address lets other machines steer, as far as `access` does.
    prefix
        What all OSC addresses begin with.
    access
        What OSC clients on other machines may do.
    query
        The TCP port to describe all of that on, by OSCQuery; 0 for any, None for not at all.
    midi
        Which MIDI ports to hear and speak to, see `streamer.surfaces.midi.ports`; None for none.
    media
        The folder whose files those may name; None for no files at all.
    record
        A folder to record into from the first sample on, see `streamer.audio.recorder`.
    record_as
        The form of recordings: wav or flac.
    recordings
        Where what is recorded over OSC goes, each into a folder of its own.
    report
        Called, from a thread of its own, with a sentence about something a person should know. It may wait, and raise:
        nothing that plays hears of that.

    Attributes
    ----------
    controls : Controls
        What everything that steers goes through.
    company : Company
        Everybody that it plays with.

    Raises
    ------
    UserError
        When the port is taken, the prefix is no address, the device cannot be opened, the file cannot be made or
        recordings have no such form.
    """

    def __init__(
        self,
        job: Job,
        initial: Mapping[str, Value],
        *,
        device: Device | None = None,
        wav: Path | None = None,
        channels: Sequence[int] = (),
        clicks: Sequence[int] = (),
        host: str = LOCALHOST,
        port: int = PORT,
        prefix: str = PREFIX,
        access: Access = NO_RULES,
        query: int | None = None,
        midi: str | None = None,
        media: Path | None = None,
        record: Path | None = None,
        record_as: str = "wav",
        recordings: Path = RECORDINGS,
        report: Callable[[str], None] = complain,
    ) -> None:
        self.controls = Controls(**initial)
        self.controls.media = media
        self._say = Voice(report)
        self._rate = job.rate
        self._job = job
        self._record_to = record
        self._query = query
        self._lives = 0  # engines that have played
        self._journal = Journal()
        self._collapses, self._collapse = 0, ""
        self._lock = OFF
        self._loop = 0.0  # bars that go round
        self._closing = threading.Event()
        self._telling = lasting("status", self._publish, self._report)
        with contextlib.ExitStack() as undo:
            undo.callback(self._say.close)
            self.ring = Ring(round(job.rate * TABLE["lead"].high / 1000), job.channels)
            undo.callback(self.ring.close)
            self._playhead = Playhead()
            undo.callback(self._playhead.close)
            self.timeline = Timeline(job.rate, self._playhead.read)
            self.playback = Playback(self.ring, job.rate, self._playhead)
            self._click = Click(job.rate, lambda: self.worker.pulse, self._report) if clicks else None
            self._outs = Outs(channels or range(1, job.channels + 1), self._click, clicks)
            self.playback.outs = self._outs if channels or clicks else None
            self.transport = Transport(self.controls, self.playback, self.timeline, self._report)
            self.recorder = Recorder(self.playback, self._journal, self._report, record_as)
            self._copies = Copies(self.playback, self.recorder, self.record, recordings)
            self._commands = Commands(self.controls, Snapshots(), lambda: tempo_of(self.controls.values()))
            self.company = Company(
                self.controls, midi, self._commands.load, self.place, self._is_playing, self._lead, self._report
            )
            undo.callback(self.company.close)
            commands = [*self._copies.commands(), *self._commands.table(), *self.company.commands()]
            commands += Knobs(self.controls).table()
            self._osc = OscSurface(self.controls, host, port, prefix, access, commands)
            self.server = self._osc.server
            undo.callback(self._osc.close)
            self.player: Player = _open(self.playback, device, wav, self._report)
            undo.callback(self.player.close)
            self.worker = Supervisor(job, self.ring, self._playhead, self.controls.chosen, self._hear)
            undo.pop_all()
        self.controls.follow(self._follow)

    def start(self) -> None:
        """Load the model and play; returns with the first sound. OSC answers from the beginning of this on.

        Raises
        ------
        UserError
            When the model cannot be loaded or the device not be started.
        """
        # The callback has to get the interpreter from our other threads: after 1 ms, not after Python's usual 5.
        sys.setswitchinterval(0.001)
        self._osc.start()
        if self._query is not None:
            self._osc.describe(self._query, self._report)
        self.transport.start()
        self.worker.start()
        self._commands.begin()
        self._telling.start()
        self.company.start()
        if self._click is not None:
            self._click.start()
        while self.ring.fill < self.ring.lead // 2 and self.worker.restarts == 0 and not self.worker.ended:
            time.sleep(0.005)
        if self._record_to is not None:
            self.record(self._record_to)
        self.player.start()

    def status(self) -> Status:
        """How it goes."""
        frontier, tempo, beats = self.worker.pulse
        latency = max(0.0, self.timeline.heard(frontier) - self.timeline.now())
        beat = beats - latency * tempo / 60
        return Status(
            prompt=str(self.controls.get("prompt")),
            output=self.player.name,
            rtf=self.worker.rtf,
            buffer_ms=1000 * self.ring.fill / self._rate,
            latency_ms=1000 * latency,
            xruns=self.playback.xruns,
            restarts=self.worker.restarts,
            collapses=self._collapses,
            collapse=self._collapse,
            level=decibels(self.playback.peak),
            seconds=self.playback.samples / self._rate,
            playing=self.playback.playing,
            tempo=tempo,
            beat=beat if self.company.source != INTERNAL else max(0.0, beat),
            recording=str(self.recorder.folder or ""),
            sync=self.company.source,
            lock=self._lock,
            loop=self._loop,
            channels=channels_text(self._outs.music),
            click=channels_text(self._outs.clicks),
        )

    def place(self, moment: float) -> Place | None:
        """The beat that is heard at a moment near now, monotonic seconds; None before the first sound."""
        frontier, tempo, beats = self.worker.pulse
        if not tempo:
            return None
        return Place(tempo, beats - (self.timeline.heard(frontier) - moment) * tempo / 60)

    def _is_playing(self) -> bool:
        return self.playback.playing

    def _lead(self, pulse: Pulse, moment: float) -> None:
        """Have the engine count by a beat that is heard at a moment."""
        with contextlib.suppress(ValueError):  # too many changes wait: the next one tells as much
            at = Wall(moment - time.monotonic() + time.time())
            self.worker.send(Change({PULSE: pulse.text}, at))

    @property
    def elapsed(self) -> float:
        """Seconds that the player has played, silence counted."""
        return self.playback.elapsed / self._rate

    @property
    def cut_short(self) -> bool:
        """Whether a file of what is heard had to end before the music."""
        return self.player.cut_short or self.recorder.cut_short

    def close(self) -> None:
        """Fade out, and end everything that was started."""
        self._closing.set()
        self.playback.stop()
        deadline = time.monotonic() + 0.5  # a device that hangs is not waited for
        while self.playback.sounding and self.player.running() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.company.close()
        self.player.close()
        if self._click is not None:
            self._click.close()
        self.recorder.stop()
        self.transport.close()
        if self._telling.is_alive():
            self._telling.join()
        self.worker.close()
        self._osc.close()
        self._copies.close()
        self.ring.close()
        self._playhead.close()
        self._say.close()

    # ---- recording

    def record(self, folder: Path) -> None:
        """Record into a folder from now on.

        Raises
        ------
        UserError
            There is a recording in it already, or it cannot be written to.
        """
        facts, job = self.worker.facts, self._job
        self.recorder.start(
            folder,
            Header(
                model=str(facts["model"]),
                content=str(facts.get("content", "")),
                backend=str(facts.get("backend", "")),
                threads=int(facts.get("threads", 0)),
                rate=job.rate,
                channels=job.channels,
                arguments={**job.arguments, **job.opening},
                versions=dict(facts.get("versions", {})),
                frame_rate=float(facts.get("frame_rate", 50.0)),
            ),
        )

    # ---- the way of a change

    def _follow(self, change: Change) -> None:
        """To the gate and the ring what they obey, everything else to the engine."""
        gate = {name: value for name, value in change.values.items() if name in GATE}
        music = {name: value for name, value in change.values.items() if name not in GATE}
        try:
            if gate:
                self.transport.obey(replace(change, values=gate))
            if music:
                self.worker.send(replace(change, values=music))
        except ValueError as error:  # there is no room to wait in, or no beat
            self._hear(Refused(change.values, next(iter(change.values)), str(error), {}, change.origin))

    # ---- what comes back

    def _hear(self, event: Event) -> None:
        match event:
            case Ready():
                self._journal.begin(event.sample, event.values, first=self._lives == 0, state=event.state)
                self._lives += 1
                self._lock = OFF
                self._loop = 0.0
                self.company.renew()
                self.controls.adopt(**event.facts["defaults"])
            case Applied():
                self._note(event)
                self._loop = bars_after(event.values, self._loop)
                self._settle(event)
            case Turned():
                self._note(event)
            case Moved():
                self.controls.settle(event.values)
            case Noted():
                self._tell_of(event.name, event.sentence, event.origin)
            case Refused():
                self._tell_of(event.name, event.whole_sentence, event.origin)
                self.controls.retract(event.values, event.stands)
            case Collapsed():
                self._journal.collapsed(event.frame, event.sentence)
                self._collapses, self._collapse = self._collapses + 1, event.sentence
                self._report(event.sentence)
            case Locked():
                self._lock = event.state
                if event.sentence:
                    self._report(event.sentence)
            case Hosted():
                self._osc.server.publish(f"fx/{event.number}/status", event.status)
            case Failed() | Report():
                self._report(event.sentence)

    def _tell_of(self, name: str, sentence: str, origin: object) -> None:
        self._osc.tell_of(name, sentence, origin)
        self._say(f"{name}: {sentence}")

    def _note(self, event: Applied | Turned) -> None:
        if (change := to_repeat(event)) is not None:
            self._journal.applied(event.frame, change.values, change.over)

    def _settle(self, event: Applied) -> None:
        if event.at is not None and not event.over:
            self.controls.settle(event.values, event.origin)
        if event.late > 0:
            self._osc.late(event.origin, event.late)

    def _publish(self) -> None:
        while not self._closing.wait(_STATUS_SECONDS):
            now = self.status()
            bar = int(now.beat // BEATS_PER_BAR)
            self._osc.publish({name: getattr(now, name) for name in _PUBLISHED} | {"bar": bar})

    def _report(self, sentence: str) -> None:
        self._osc.report(sentence)
        self._say(sentence)


def _open(playback: Playback, device: Device | None, wav: Path | None, report: Callable[[str], None]) -> Player:
    if device is None:
        return NullPlayer(playback, wav, report)
    return Output(playback, device, report)
