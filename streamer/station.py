"""A station: an instrument that plays a programme, and carries it to where it is heard."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import tzinfo

from streamer.audio.sinks.feed import Feed, Sink
from streamer.audio.sinks.hls import Hls
from streamer.audio.sinks.hours import Hours
from streamer.audio.sinks.icecast import Icecast
from streamer.control.snapshots import Snapshots
from streamer.errors import UserError
from streamer.instrument import Instrument
from streamer.reporting import Say
from streamer.surfaces.metrics import Figure
from streamer.surfaces.programme.conductor import Conductor
from streamer.surfaces.programme.entries import Programme
from streamer.surfaces.programme.outputs import Outputs
from streamer.surfaces.programme.plan import Plan
from streamer.surfaces.programme.wander import Wander
from streamer.surfaces.programme.watching import Watched
from streamer.surfaces.watchdog import Watchdog
from streamer.threads import lasting

_LOOK_SECONDS = 2.0


def sinks(outputs: Outputs, zone: tzinfo) -> list[Sink]:
    """Whatever a programme says that sound goes to beside a device."""
    return [
        *(Icecast(mount) for mount in outputs.icecast),
        *(Hls(folder.path, folder.bitrate) for folder in outputs.hls),
        *(Hours(f.path, f.form, f.kept, zone=zone, bitrate=f.bitrate) for f in outputs.files),
    ]


class Station:
    """Plays a programme.

    Parameters
    ----------
    instrument : Instrument
        Not started yet. Whoever made it closes it.
    watched : Watched
        The programme.
    salt : str
        See `Plan`.
    report
        Takes sentences.
    clock
        Seconds since 1970.
    watchdog : Watchdog, optional
        Of this process unless given.

    Attributes
    ----------
    conductor : Conductor
    feeds : list of Feed
    """

    def __init__(
        self,
        instrument: Instrument,
        watched: Watched,
        salt: str,
        report: Say,
        *,
        snapshots: Snapshots | None = None,
        clock: Callable[[], float] = time.time,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._instrument = instrument
        self._watched = watched
        self._salt = salt
        self._watchdog = watchdog or Watchdog()
        self._heard = -1
        self._began = clock()
        plan = Plan(watched.programme, salt)
        self.conductor = Conductor(
            instrument.controls, plan, snapshots or Snapshots(), report, self._titled, clock=clock
        )
        places = sinks(watched.outputs, watched.programme.calendar.zone)
        self.feeds = [Feed(instrument.playback, place, report) for place in places]
        self._wander = Wander(instrument.controls, lambda: self.conductor.steady)
        self._listening = Feed(instrument.playback, self._wander, report)
        self._closing = threading.Event()
        self._keeper = lasting("station", self._keep, report)

    def start(self) -> None:
        """Load the model and play; returns with the first sound.

        Raises
        ------
        UserError
            See `Instrument.start`.
        """
        self.conductor.step()  # what plays first is what the engine begins with
        self._instrument.start()
        for feed in (*self.feeds, self._listening):
            feed.start()
        self.conductor.start()
        self._keeper.start()
        self._watchdog.ready()

    def check(self) -> None:
        """Whether it can go on.

        Raises
        ------
        UserError
            It cannot: why.
        """
        if self._instrument.worker.ended:
            raise UserError(self._instrument.worker.ended)

    def close(self) -> None:
        """Send what was heard, and end; the instrument stays open."""
        self._watchdog.stopping()
        self._closing.set()
        if self._keeper.is_alive():
            self._keeper.join()
        self.conductor.close()
        for feed in (*self.feeds, self._listening):
            feed.close()

    def figures(self) -> list[Figure]:
        """How it goes, for Prometheus."""
        now = self._instrument.status()
        found = [
            Figure("played_seconds", "Sound played since the start.", now.seconds, True),
            Figure("interruptions", "Times that sound was due and there was none.", now.xruns, True),
            Figure("engine_restarts", "Times that the engine was replaced.", now.restarts, True),
            Figure("collapses", "Times that the guard brought the music back.", now.collapses, True),
            Figure("circles", "Times that music went round in circles and moved on.", self._wander.spells, True),
            Figure("real_time_factor", "Seconds of sound made in a second of work.", now.rtf),
            Figure("buffer_seconds", "Sound queued ahead.", now.buffer_ms / 1000),
            Figure("latency_seconds", "From a change to its sound.", now.latency_ms / 1000),
            Figure("level_decibels", "Peak of the last block.", now.level),
            Figure("playing", "Whether something is to be heard.", float(now.playing)),
            Figure("entry", "What plays.", 1.0, labels=(("title", self.conductor.title),)),
        ]
        for feed in self.feeds:
            label, rate = (("output", feed.sink.name),), self._instrument.playback.rate
            found += [
                Figure("output_connected", "Whether sound arrives.", float(feed.connected), labels=label),
                Figure("output_seconds", "Sound that has arrived.", feed.samples / rate, True, label),
                Figure("output_lost_seconds", "Sound that has not.", feed.lost / rate, True, label),
                Figure("output_losses", "Times that the output was lost.", feed.losses, True, label),
            ]
        return found

    def _titled(self, title: str) -> None:
        for feed in (*self.feeds, self._listening):
            feed.title(title)

    def _keep(self) -> None:
        every = min(_LOOK_SECONDS, self._watchdog.every or _LOOK_SECONDS)
        while not self._closing.wait(every):
            with contextlib.suppress(OSError):
                self._watched.look(self._follow)
            if self._goes_on():
                self._watchdog.alive(self.conductor.title or "silence")

    def _follow(self, programme: Programme) -> None:
        self.conductor.follow(Plan(programme, self._salt))

    def _goes_on(self) -> bool:
        """Whether blocks were taken since the last look: a clock that hangs is for systemd to end."""
        heard, self._heard = self._heard, self._instrument.playback.elapsed
        return self._heard > heard and not self._instrument.worker.ended
