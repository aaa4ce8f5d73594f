"""Play a programme for a long time, and watch: gaps, memory, files, listeners, and whether anything comes again.

Usage: python -m benchmarks.background icecast --minutes 120 [--form mp3]
       python -m benchmarks.background eager --hours 24 [--model nano] [--sound evening.rows]
       python -m benchmarks.background repetition evening.rows

`icecast` starts Debian's icecast2 on a free port of loopback, plays nano into it by the clock, and listens: bytes,
samples decoded, silences, pauses. `eager` plays a whole day's programme as fast as the engine makes it, on a clock
that counts what was played; with --sound it writes down which notes were heard. `repetition` looks in that for 30 s
that come again. Each prints one JSON line every half minute and a summary at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timezone
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.repetition import repetition
from benchmarks.soak import STALLED, EagerPlayer
from streamer.audio.playback import Playback
from streamer.audio.sinks.feed import Feed
from streamer.audio.sinks.icecast import Icecast, Mount
from streamer.cli.background import chunk_frames
from streamer.control.snapshots import Snapshots
from streamer.instrument import Instrument
from streamer.process.job import Job, music
from streamer.process.priority import hurry_process
from streamer.surfaces.programme.calendar import Calendar, Clock
from streamer.surfaces.programme.conductor import Conductor
from streamer.surfaces.programme.entries import Entry, Evolve, Programme
from streamer.surfaces.programme.passages import ROW, Ear, Heard
from streamer.surfaces.programme.plan import Plan
from streamer.surfaces.programme.wander import Wander

RATE, LEAD = 48_000, 1000.0
EVERY = 30.0  # seconds from one line to the next
START = 1_800_000_000.0  # where the counted clock begins: 8:00 on a Friday, UTC

Row = dict[str, Any]


def evening() -> Programme:
    """A day in a cafe: walks, blends, silences, an hour of its own, a loudness for each time of day."""
    morning = ("warm lo-fi piano", "soft nylon guitar", "slow jazz trio", "ambient pads", "bossa nova")
    late = ("slow deep house, 110 bpm", "lo-fi hip hop, 80 bpm", "dub techno, 115 bpm")
    entries = (
        Entry("morning", _evenly(morning), start=_hour(6), until=_hour(12), evolve=Evolve(600, 180)),
        Entry("noon", _evenly(("funk, 100 bpm", "soul, electric piano")), start=_hour(12), until=_hour(14), lasts=1200),
        Entry("bar", _evenly(late), start=_hour(18), until=_hour(2), evolve=Evolve(900, 240), lasts=5400, silence=20),
        Entry("pads", _evenly(("dark ambient drone", "soft pads")), lasts=2400, weight=2, values=(("space", 0.3),)),
        Entry("piano", _evenly(("solo piano, slow",)), lasts=1800, silence=30),
    )
    return Programme(entries, Calendar(timezone.utc), ((_hour(7).seconds, -20.0), (_hour(20).seconds, -15.0)))


def _evenly(texts: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    return tuple((text, 1 / len(texts)) for text in texts)


def _hour(hour: int) -> Clock:
    return Clock(3600 * hour)


def _music(options: argparse.Namespace) -> Job:
    """As `streamer background` plays it."""
    return music(options.model, RATE, 2, "native", options.threads, chunk_frames=chunk_frames(LEAD))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    live = kinds.add_parser("icecast")
    live.add_argument("--minutes", type=float, default=120.0)
    live.add_argument("--form", default="mp3", choices=["mp3", "opus", "flac"])
    fast = kinds.add_parser("eager")
    fast.add_argument("--hours", type=float, default=24.0, help="of programme")
    fast.add_argument("--minutes", type=float, default=float("inf"), help="of the wall's clock, at most")
    fast.add_argument("--circles", action="store_true", help="let music go round in circles")
    fast.add_argument("--sound", type=Path, help="write down what was heard here")
    for one in (live, fast):
        one.add_argument("--model", default="nano")
        one.add_argument("--threads", type=int, default=1)
    again = kinds.add_parser("repetition")
    again.add_argument("sound", type=Path, help="what --sound has written")
    options = parser.parse_args()
    if options.kind == "repetition":
        print(json.dumps(repetition(np.fromfile(options.sound, np.float16).reshape(-1, ROW).astype(np.float32))))
    elif options.kind == "icecast":
        icecast(options)
    else:
        eager(options)


# ---- by the clock, into Icecast


def icecast(options: argparse.Namespace) -> None:
    """Play into a server, and count what a listener gets."""
    hurry_process()
    with tempfile.TemporaryDirectory() as folder:
        server, port = _server(Path(folder))
        try:
            mount = Mount("127.0.0.1", port, f"/soak.{options.form}", "secret", form=options.form)
            told: list[str] = []
            instrument = Instrument(_music(options), {"lead": LEAD}, port=0, report=told.append)
            feed = Feed(instrument.playback, Icecast(mount), told.append)
            conductor = Conductor(
                instrument.controls, Plan(evening()), Snapshots(Path(folder)), told.append, feed.title
            )
            conductor.step()
            instrument.start()
            feed.start()
            conductor.start()
            _until(lambda: feed.connected)
            listener = Listener(f"http://127.0.0.1:{port}{mount.path}")
            rows = []
            for row in _watched(instrument, 60 * options.minutes, lambda: False):
                row |= {"sent_s": round(feed.samples / RATE), "losses": feed.losses, **listener.figures()}
                rows.append(row)
                print(json.dumps(row), flush=True)
            conductor.close()
            feed.close()
            instrument.close()
            print(json.dumps({"kind": "icecast", "form": options.form, **summary(rows), "told": told}))
        finally:
            server.kill()


def _server(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Icecast, with nothing open but a port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    for path in (folder, folder / "log"):
        path.mkdir(exist_ok=True)
        path.chmod(0o777)
    web = "/usr/share/icecast2"
    settings = folder / "icecast.xml"
    settings.write_text(
        "<icecast><limits><clients>9</clients><sources>2</sources></limits><authentication>"
        "<source-password>secret</source-password><admin-user>admin</admin-user><admin-password>secret</admin-password>"
        f"</authentication><hostname>localhost</hostname><listen-socket><port>{port}</port>"
        "<bind-address>127.0.0.1</bind-address></listen-socket>"
        f"<paths><basedir>{web}</basedir><logdir>{folder}/log</logdir><webroot>{web}/web</webroot>"
        f"<adminroot>{web}/admin</adminroot></paths><security><changeowner><user>nobody</user><group>nogroup</group>"
        "</changeowner></security></icecast>"
    )
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(["icecast2", "-c", str(settings)], stdout=quiet, stderr=quiet)

    def there() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    _until(there)
    return process, port


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("The server or the model did not come up.")
        time.sleep(0.05)


class Listener:
    """Plays a stream, and counts: seconds decoded, silences in them, the longest wait for the next bytes."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._samples = self._silences = self._reconnects = 0
        self._quiet, self._longest = 0, 0.0
        threading.Thread(target=self._run, daemon=True).start()

    def figures(self) -> Row:
        """Since the start."""
        return {
            "heard_s": round(self._samples / RATE),
            "silences": self._silences,
            "longest_wait_s": round(self._longest, 2),
            "reconnects": self._reconnects,
        }

    def _run(self) -> None:
        import av

        while True:
            try:
                with urllib.request.urlopen(self._address, timeout=30) as stream, av.open(stream) as container:
                    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
                    last = time.monotonic()
                    for frame in container.decode(audio=0):
                        self._longest = max(self._longest, time.monotonic() - last)
                        for block in resampler.resample(frame):
                            self._hear(block.to_ndarray().reshape(-1).astype(np.float32))
                        last = time.monotonic()
            except (OSError, ValueError):
                self._reconnects += 1
                time.sleep(1)

    def _hear(self, sound: Heard) -> None:
        self._samples += len(sound)
        quiet = self._quiet + len(sound) if np.abs(sound).max() < 1e-4 else 0
        self._silences += quiet > 0.05 * RATE and self._quiet <= 0.05 * RATE
        self._quiet = quiet


# ---- as fast as it goes


class CountedClock(EagerPlayer):
    """Takes a block as soon as the ring is half full, and has the programme played by what it took.

    In silence the ring is not read, so the clock runs through that at once.
    """

    def __init__(self, playback: Playback, hear: Callable[[Heard], None]) -> None:
        super().__init__(playback)
        self.step: Callable[[], float] = lambda: 0.0
        self._hear = hear

    def now(self) -> float:
        """Seconds since 1970, as the programme sees them."""
        return START + self._playback.elapsed / RATE

    def _run(self) -> None:
        due = 0
        while not self._closing.is_set():
            if self._playback.elapsed >= due:
                due = self._playback.elapsed + min(RATE, round(self.step() * RATE))
            patience = time.monotonic() + STALLED
            ring = self._playback.ring
            while self._playback.playing and ring.fill < ring.lead // 2 and time.monotonic() < patience:
                time.sleep(0.0005)
            self._playback.fill(self._block)
            self._hear(self._block)


def eager(options: argparse.Namespace) -> None:
    """Play a programme's hours in as few as the engine needs."""
    ear, told = Ear(RATE), list[str]()
    with tempfile.TemporaryDirectory() as folder, (options.sound or Path(os.devnull)).open("wb") as heard:
        instrument = Instrument(_music(options), {"lead": LEAD}, port=0, report=told.append)
        wander = Wander(instrument.controls)
        wander.open(RATE, 2, "")

        def hear(block: Heard) -> None:
            if options.sound:
                for row in ear.hear(block):
                    heard.write(row.astype(np.float16).tobytes())
            if not options.circles:
                wander.write(block)

        clock = CountedClock(instrument.playback, hear)
        conductor = Conductor(
            instrument.controls,
            Plan(evening()),
            Snapshots(Path(folder)),
            told.append,
            wander.retitle,
            clock=clock.now,
            moment=lambda seconds: None,
            ahead=0.0,
        )
        conductor.step()
        clock.step = conductor.step
        instrument.player = clock
        instrument.start()
        rows = []
        for row in _watched(instrument, 60 * options.minutes, lambda: clock.now() - START >= 3600 * options.hours):
            row |= {"programme_h": round((clock.now() - START) / 3600, 3), "plays": conductor.title}
            rows.append(row | {"circles": wander.spells})
            print(json.dumps(rows[-1]), flush=True)
            heard.flush()
        instrument.close()
    print(json.dumps({"kind": "eager", "model": options.model, **summary(rows), "told": told[-5:]}))


def _watched(instrument: Instrument, seconds: float, over: Callable[[], bool]) -> Iterator[Row]:
    """A row every half minute, and one at the end."""
    start = time.monotonic()
    due = start + EVERY
    while True:
        now = time.monotonic()
        ends = now - start >= seconds or over()
        if now >= due or ends:
            due = now + EVERY
            yield _row(instrument, now - start)
        if ends:
            return
        time.sleep(0.1)


def _row(instrument: Instrument, seconds: float) -> Row:
    status = instrument.status()
    here, engine = psutil.Process(), psutil.Process(instrument.worker.pid)
    return {
        "minute": round(seconds / 60, 2),
        "hours_played": round(status.seconds / 3600, 3),
        "xruns": status.xruns,
        "restarts": status.restarts,
        "collapses": status.collapses,
        "rtf": round(status.rtf, 2),
        "here_mb": round(here.memory_info().rss / 1e6, 1),
        "engine_mb": round(engine.memory_info().rss / 1e6, 1),
        "here_fds": here.num_fds(),
        "engine_fds": engine.num_fds(),
        "here_cpu_s": round(sum(here.cpu_times()[:2]), 1),
        "engine_cpu_s": round(sum(engine.cpu_times()[:2]), 1),
        "load": round(psutil.getloadavg()[0], 1),
    }


def summary(rows: list[Row]) -> Row:
    """First against last, and the worst. Growth counts from a tenth of the way on: until then caches fill."""
    first, last = rows[len(rows) // 10], rows[-1]
    grown = ("here_mb", "engine_mb", "here_fds", "engine_fds")
    return {
        **{name: value for name, value in last.items() if name not in grown},
        **{f"{name}_first_last_most": [first[name], last[name], max(row[name] for row in rows)] for name in grown},
        "rtf_least": min(row["rtf"] for row in rows),
        "load_median": float(np.median([row["load"] for row in rows])),
    }


if __name__ == "__main__":
    main()
