"""`streamer play`: endless music on a device or into a file, steered over OSC."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.text import Text

from osc.access import Access
from osc.hosts import networks
from osc.values import Value
from streamer.cli.console import console, handling, plain
from streamer.cli.options import (
    MUSIC,
    OSC,
    PAGE,
    PROMPT,
    SOUND,
    Anchor,
    Backend,
    ContinueFrom,
    Force,
    From,
    Fx,
    Model,
    Rate,
    Stems,
    Threads,
    To,
    chain,
    engine_name,
    excerpt,
    followed_file,
    own_rate,
    with_controls,
)
from streamer.cli.page import beside, show
from streamer.control.table import HOSTED
from streamer.errors import UserError
from streamer.process.priority import hurry_process, hurry_threads
from streamer.reporting import complain, harmless

if TYPE_CHECKING:
    from streamer.audio.devices import Device
    from streamer.instrument import Instrument, Status

WEB_PLACE = ("127.0.0.1", 7771)
"""Where the page is unless told otherwise: host and port."""
REFRESH_SECONDS = 0.1
CUT_SHORT = 1
"""The exit code where a file of what was heard ends before the music."""
OVERDUE_SECONDS = 5.0
"""After its time, in which `play` ends by the system's clock when nothing that plays counts any more."""


@with_controls(*HOSTED)
def play(
    model: Model = "nano",
    backend: Backend = "auto",
    threads: Threads = None,
    anchor: Anchor = "card",
    seconds: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Stop after so many; without it Ctrl-C stops.", rich_help_panel=MUSIC),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Number or part of the name: see `streamer devices`.", rich_help_panel=SOUND),
    ] = None,
    wav_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a WAV in place of playing on a device.", rich_help_panel=SOUND),
    ] = None,
    channels: Annotated[
        str,
        typer.Option(
            metavar="N,N",
            show_default=False,
            help="The device's channels to play on, counted from 1, like 3,4; the first two unless given.",
            rich_help_panel=SOUND,
        ),
    ] = "",
    click_channels: Annotated[
        str,
        typer.Option(
            metavar="N,N",
            show_default=False,
            help="Channels for a metronome on the beat that is counted; none unless given.",
            rich_help_panel=SOUND,
        ),
    ] = "",
    rate: Rate = None,
    fx: Fx = None,
    force: Force = False,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Record what is heard into this folder, and a journal that `streamer replay` plays again.",
            rich_help_panel=SOUND,
        ),
    ] = None,
    record_as: Annotated[
        str,
        typer.Option(
            metavar="FORM", help="Of this and of /mg/record: wav, or flac, about half as large.", rich_help_panel=SOUND
        ),
    ] = "wav",
    osc_host: Annotated[
        str,
        typer.Option(metavar="HOST", help="Listen here; 0.0.0.0 lets other machines in.", rich_help_panel=OSC),
    ] = "localhost",
    osc_port: Annotated[int, typer.Option(metavar="N", help="UDP port.", rich_help_panel=OSC)] = 7770,
    osc_prefix: Annotated[
        str, typer.Option(metavar="PATH", help="What all addresses begin with.", rich_help_panel=OSC)
    ] = "/mg",
    osc_allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK",
            help="Of other machines hear only these, like 192.168.1.0/24. Repeatable.",
            rich_help_panel=OSC,
        ),
    ] = None,
    osc_read_only: Annotated[
        list[str] | None,
        typer.Option(metavar="NETWORK", help="These may watch, and change nothing. Repeatable.", rich_help_panel=OSC),
    ] = None,
    osc_secret: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            envvar="STREAMER_OSC_SECRET",
            show_envvar=True,
            show_default=False,
            help="What other machines have to send to /mg/secret first.",
            rich_help_panel=OSC,
        ),
    ] = "",
    osc_keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK",
            help="These may also save snapshots, record, and name inputs; with a secret all may. Repeatable.",
            rich_help_panel=OSC,
        ),
    ] = None,
    osc_query: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            help="Describe all addresses by OSCQuery on this TCP port, 0 for any, and announce them by zeroconf.",
            rich_help_panel=OSC,
        ),
    ] = None,
    midi: Annotated[
        str | None,
        typer.Option(
            metavar="PORT",
            help="Take MIDI from ports with this in their name, and a port of our own; all; own for that alone.",
            rich_help_panel=SOUND,
        ),
    ] = None,
    media: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Whose files other machines may name; none unless given.",
            rich_help_panel=OSC,
        ),
    ] = None,
    web: Annotated[
        bool, typer.Option("--web", help="Serve a page to play it on, see `streamer page`.", rich_help_panel=PAGE)
    ] = False,
    web_host: Annotated[
        str,
        typer.Option(
            metavar="HOST", help="Serve it here; 0.0.0.0 lets other machines in, with a token.", rich_help_panel=PAGE
        ),
    ] = WEB_PLACE[0],
    web_port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="TCP port.", rich_help_panel=PAGE)
    ] = WEB_PLACE[1],
    continue_from: ContinueFrom = None,
    start: From = 0.0,
    end: To = None,
    stems: Stems = False,
    **values: Value,
) -> None:
    """Play without end, steered over OSC."""
    from streamer.engine.melodies import check_melody
    from streamer.instrument import Instrument
    from streamer.offline.render import check_seconds
    from streamer.process.job import music
    from streamer.sound.files import check_new

    if web:
        from streamer.doctor import require

        require("web", "the page")
    elif (web_host, web_port) != WEB_PLACE:
        raise UserError("--web-host and --web-port say where the page is: add --web to have one")
    check_melody(str(values.get("melody", "")))
    if wav_out is not None:
        check_new(wav_out, force=force, sources=(continue_from, followed_file(values.get("melody", ""))))
    if seconds is not None:
        check_seconds(seconds)
    beginning, _ = excerpt(continue_from, start, end)
    chosen, wav = _output(device, wav_out)
    if chosen and rate is not None:
        raise UserError(f"--rate is for a file, and {chosen.name} plays {chosen.rate} Hz: leave it out")
    samples, most = (chosen.rate, min(chosen.channels, 2)) if chosen else (rate or own_rate(model), 2)
    music_on, click_on = _channels(channels, click_channels, chosen)
    hurry_process()
    instrument = Instrument(
        music(model, samples, len(music_on) or most, backend, threads, beginning, stems, anchor),
        {"prompt": PROMPT} | chain(fx) | values,
        device=chosen,
        wav=wav,
        channels=music_on,
        clicks=click_on,
        host=osc_host,
        port=osc_port,
        prefix=osc_prefix,
        access=_access(osc_allow, osc_read_only, osc_secret, osc_keep),
        query=osc_query,
        midi=midi,
        media=_folder(media),
        record=record,
        record_as=record_as,
        report=complain,
    )
    with _finally_closed(instrument):
        with console.status(f"Loading {plain(model)} ..."):
            instrument.start()
        hurry_threads()
        _introduce(instrument, f"udp://{osc_host}:{instrument.server.port}", f"{osc_prefix}/prompt")
        with _paged(web, (osc_host, instrument.server.port, osc_prefix), web_host, web_port):
            _watch(instrument, seconds)


@contextmanager
def _paged(wanted: bool, osc: tuple[str, int, str], host: str, port: int) -> Iterator[None]:
    """With the page beside it, where it is wanted; the music plays without it where it cannot be had."""
    with ExitStack() as stack:
        if wanted:
            try:
                show(stack.enter_context(beside(osc, host, port, complain)))
            except UserError as error:
                complain(str(error))
        yield


def _access(allow: list[str] | None, read_only: list[str] | None, secret: str, keep: list[str] | None) -> Access:
    try:
        return Access(networks(allow or []), networks(read_only or []), secret, networks(keep or []))
    except ValueError as error:
        raise UserError(str(error)) from None


def _folder(path: Path | None) -> Path | None:
    if path is not None and not path.is_dir():
        raise UserError(f"the path {path} is no folder: give --media the one whose files other machines may name")
    return path


def _channels(music: str, click: str, device: Device | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The channels for the music and for the click, () for the first ones and for none."""
    from streamer.audio.outs import channels_of

    found = channels_of(music, "--channels"), channels_of(click, "--click-channels")
    highest = max((0, *found[0], *found[1]))
    if device is not None and highest > device.channels:
        raise UserError(f"there is no channel {highest}: {device.name} has {device.channels}, see `streamer devices`")
    return found


def _output(device: str | None, wav: Path | None) -> tuple[Device | None, Path | None]:
    """The device to play on, or the file to write: a file, too, when there is no device and none was asked for."""
    from streamer.audio.devices import choose
    from streamer.audio.devices import devices as outputs

    if wav is not None:
        return None, wav
    try:
        return choose(outputs(), device), None
    except UserError as error:
        if device is not None:
            raise
        wav = Path(time.strftime("streamer-%Y%m%d-%H%M%S.wav"))
        complain(f"{error} What would be heard goes into {wav} now.")
        return None, wav


@contextmanager
def _finally_closed(instrument: Instrument) -> Iterator[None]:
    """Ctrl-C and a polite kill end the music, not in an error; whatever ends it, everything started is ended."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    with handling(interrupt):
        try:
            with suppress(KeyboardInterrupt):
                yield
        finally:
            summary = instrument.status()
            instrument.close()
    _summarise(summary)
    if instrument.cut_short:  # it was told when it happened
        raise typer.Exit(CUT_SHORT)


def _introduce(instrument: Instrument, server: str, address: str) -> None:
    """What plays where, and under which licence."""
    facts = instrument.worker.facts
    licence = str(facts["licence"])
    terms = ": not for commercial use" if "NC" in licence else ""
    console.print(plain(f"{facts['model']} (licence {licence}{terms}) on {instrument.player.name}"))
    computed = f"Computed by {engine_name(facts['backend'], facts['threads'])}."
    console.print(plain(f"{computed} {facts['advice']}".rstrip()))
    console.print(plain(f"OSC on {server}, for example {address}. Ctrl-C stops."))
    if not instrument.server.takes_tcp:
        complain("Nobody can connect by TCP here: OSC goes by UDP alone, and the page cannot be served.")


def _watch(instrument: Instrument, seconds: float | None) -> None:
    """Show one live line until the time is up."""
    begun = time.monotonic()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            now = instrument.status()
            live.update(status_line(now), refresh=True)
            if instrument.worker.ended:
                raise UserError(instrument.worker.ended)
            left = REFRESH_SECONDS if seconds is None else seconds - instrument.elapsed
            # A clock that has stopped counts no seconds any more.
            overdue = seconds is not None and time.monotonic() - begun > seconds + OVERDUE_SECONDS
            if left <= 0 or overdue:
                return
            time.sleep(min(REFRESH_SECONDS, left))


def status_line(now: Status) -> Text:
    numbers = f"{now.rtf:4.1f}x  buffer {now.buffer_ms:4.0f} ms  xruns {now.xruns}  {_meter(now.level)}"
    state = ("[rec] " if now.recording else "") + ("" if now.playing else "[stopped] ")
    line = Text(state + (harmless(now.prompt) or "(no prompt)"), no_wrap=True)
    line.truncate(max(10, console.width - len(numbers) - 2), overflow="ellipsis")
    return line + Text(f"  {numbers}")


def _meter(level: float) -> str:
    """A level as a bar of ten from -60 to 0 dB, and as a number."""
    full = round(max(0.0, min(10.0, 10 + level / 6)))
    return f"{'█' * full}{'·' * (10 - full)} {max(level, -99):3.0f} dB"


def _summarise(now: Status) -> None:
    restarts = f", engine restarted {now.restarts} times" if now.restarts else ""
    restarts += f", music brought back {now.collapses} times" if now.collapses else ""
    console.print(
        plain(f"Played {now.seconds:.1f} s on {now.output}: {now.xruns} xruns, {now.rtf:.1f}x real time{restarts}.")
    )
