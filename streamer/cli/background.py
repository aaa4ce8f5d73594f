"""`streamer background`: a programme, for months."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, suppress
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli import figures
from streamer.cli.console import columns, console, handling, plain
from streamer.cli.options import MODEL, OSC, SOUND, Anchor, Backend, Model, Threads
from streamer.errors import UserError
from streamer.reporting import complain

if TYPE_CHECKING:
    from streamer.audio.devices import Device
    from streamer.station import Station
    from streamer.surfaces.programme.outputs import Outputs
    from streamer.surfaces.programme.watching import Watched

RATE = 48_000
MOST_FRAMES = 5
"""In a chunk: more save nothing."""
CALM = 100.0
"""Milliseconds of lead for each frame of a chunk."""
_LOOK_SECONDS = 0.5


def background(
    programme: Annotated[Path, typer.Argument(metavar="FILE", help="The programme, see docs/background.md.")],
    check: Annotated[
        bool, typer.Option("--check", help="Read it, tell what plays in the next 24 hours, and end.")
    ] = False,
    model: Model = "nano",
    backend: Backend = "auto",
    threads: Threads = None,
    anchor: Anchor = "card",
    lead: Annotated[
        float,
        typer.Option(
            min=20, max=2000, metavar="MS", help="Sound queued ahead; nobody waits here.", rich_help_panel=SOUND
        ),
    ] = 1000.0,
    seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="Stop after so many; else never.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="STATE_DIRECTORY",
            help="What survives a restart; the user's own folder unless given.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    metrics: figures.Port = None,
    metrics_host: figures.Host = "127.0.0.1",
    osc_host: Annotated[
        str, typer.Option(metavar="HOST", help="Listen here for OSC.", rich_help_panel=OSC)
    ] = "localhost",
    osc_port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="UDP port; 0 for a free one.", rich_help_panel=OSC)
    ] = 7770,
) -> None:
    """Play a programme without end: on a device, to Icecast, as HLS, into files."""
    _check_installed()
    from platformdirs import user_state_path

    from streamer.instrument import Instrument
    from streamer.process.job import music
    from streamer.process.priority import hurry_process
    from streamer.station import Station
    from streamer.surfaces.programme.salt import salt_of
    from streamer.surfaces.programme.watching import Watched

    watched = Watched(programme, complain)
    salt = salt_of(state or user_state_path("musicgen-streamer", appauthor=False))
    if check:
        _tell(watched, salt)
        return
    _check_outputs(watched.outputs)
    device = _device(watched.outputs)
    rate, channels = (device.rate, min(device.channels, 2)) if device else (RATE, 2)
    hurry_process()
    with ExitStack() as stack:
        instrument = Instrument(
            music(model, rate, channels, backend, threads, anchor=anchor, chunk_frames=chunk_frames(lead)),
            {"lead": lead},
            device=device,
            host=osc_host,
            port=osc_port,
            report=complain,
        )
        stack.callback(instrument.close)
        station = Station(instrument, watched, salt, complain)
        stack.callback(station.close)
        stack.enter_context(figures.shown(station.figures, metrics_host, metrics))
        with suppress(KeyboardInterrupt), handling(_interrupt):
            station.start()
            _introduce(watched, instrument.player.name, instrument.server.port)
            _stay(station, seconds)


def chunk_frames(lead: float) -> int:
    """Frames made at once: one for each `CALM` milliseconds that are queued ahead, at most `MOST_FRAMES`."""
    return int(min(MOST_FRAMES, max(1.0, lead // CALM)))


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _stay(station: Station, seconds: float | None) -> None:
    """Until the time is up, told line by line: a service's journal is no terminal."""
    ends = float("inf") if seconds is None else time.monotonic() + seconds
    told = ""
    while time.monotonic() < ends:
        station.check()
        title = station.conductor.title or "silence"
        if title != told:
            told = title
            console.print(plain(f"{time.strftime('%H:%M:%S')} {title}"), soft_wrap=True)
        time.sleep(min(_LOOK_SECONDS, max(0.0, ends - time.monotonic())))


def _introduce(watched: Watched, player: str, port: int) -> None:
    outputs = watched.outputs
    places = [*([player] if outputs.device is not None or not outputs.encoded else [])]
    places += [f"{mount.host}:{mount.port}{mount.path}" for mount in outputs.icecast]
    places += [str(folder.path) for folder in (*outputs.hls, *outputs.files)]
    console.print(plain(f"{len(watched.programme.entries)} entries, to {', '.join(places)}."), soft_wrap=True)
    console.print(f"OSC on port {port}. Ctrl-C stops.")


def _tell(watched: Watched, salt: str) -> None:
    """What plays when, from now on."""
    from streamer.surfaces.programme.plan import Plan

    plan, zone = Plan(watched.programme, salt), watched.programme.calendar.zone
    table = columns("from", "LUFS", "what")
    moment = time.time()
    ends, last = moment + 86_400, None
    while moment < ends:
        scene = plan.at(moment)
        title = scene.title or "silence"
        if title != last:
            last = title
            loudness = "" if scene.loudness is None else f"{scene.loudness:.1f}"
            shown = datetime.fromtimestamp(moment, zone).strftime("%a %H:%M:%S")
            table.add_row(shown, loudness, plain(title + (" (on its way)" if scene.towards else "")))
        moment = scene.until
    console.print(table)


def _check_installed() -> None:
    if find_spec("astral") is None:
        raise UserError(f"a programme needs astral: run `{sys.executable} -m pip install astral`")


def _check_outputs(outputs: Outputs) -> None:
    from streamer.audio.sinks.encoder import check_installed
    from streamer.audio.sinks.hls import check_folder

    if outputs.encoded:
        check_installed()
    for folder in (*outputs.hls, *outputs.files):
        check_folder(folder.path)


def _device(outputs: Outputs) -> Device | None:
    """The device to play on; the system's where nothing else is named; None for none."""
    from streamer.audio.devices import choose, devices

    if outputs.device is None and outputs.encoded:
        return None
    return choose(devices(), outputs.device or None)
