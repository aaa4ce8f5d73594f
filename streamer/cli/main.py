"""`streamer play | render | models | convert | devices | bench | evaluate`.

Whatever is slow to import is imported by the command that needs it: help and `devices` answer at once.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from osc.tree import Parameter, Value
from streamer.control.controls import PARAMETERS
from streamer.errors import UserError

if TYPE_CHECKING:
    from musicgen import MusicGen
    from musicgen.diffusion import MultiBandDiffusion
    from streamer.audio.player import Device
    from streamer.bench import Figures, Ratio
    from streamer.engine.beginning import Excerpt
    from streamer.instrument import Instrument, Status
    from streamer.offline.drafts import Decode, Frames
    from streamer.offline.evaluate import Report
    from streamer.sound.dynamics import Samples

PROMPT = "lo-fi hip hop, mellow electric piano, soft drums, warm bass"
RATE_WITHOUT_DEVICE = 48_000
FRAME_RATE = 50  # steps a second, of every released model
REFRESH_SECONDS = 0.1

# None: not asked for, so that the model's own default stands.
_KINDS: dict[str, Any] = {"float": float | None, "int": int | None, "bool": bool | None, "text": str | None}

app = typer.Typer(
    help="Endless music that follows a prompt and your faders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
# Sentences are never cut into lines: whoever reads them from a log searches for them.
errors = Console(stderr=True, soft_wrap=True, highlight=False)

Backend = Annotated[
    str, typer.Option("--backend", help="What computes: auto, native, native-int4, onnx, torch or cuda.")
]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Of a step; measured unless given.")]
Anchor = Annotated[
    str, typer.Option("--anchor", help="How it goes on for ever: card, shadow, brief or burst, see docs/streaming.md.")
]
From = Annotated[float, typer.Option("--from", min=0, help="Where in that file to begin, seconds.")]
ContinueFrom = Annotated[Path | None, typer.Option(help="A sound file to begin with and go on from.")]
To = Annotated[float | None, typer.Option("--to", min=0, help="Where to leave it; its end unless given.")]
Stems = Annotated[
    bool, typer.Option("--melody-stems", help="Follow melodies without their drums and bass; needs Demucs.")
]
Model = Annotated[str, typer.Option("--model", help='"nano", a folder, or a hub id: see `streamer models`.')]


def main() -> None:
    """The entry point: an error a person can put right is one sentence on stderr and exit code 2."""
    try:
        app()
    except UserError as error:
        errors.print(escape(_capital(str(error))))
        sys.exit(2)
    except BrokenPipeError:  # `streamer models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _option(parameter: Parameter) -> inspect.Parameter:
    """The command line's option for a parameter of the table."""
    bounds: dict[str, Any] = {}
    if parameter.kind in ("float", "int"):
        number = float if parameter.kind == "float" else int
        bounds = {"min": number(parameter.low), "max": number(parameter.high)}
    unit = f" [{parameter.unit}]" if parameter.unit else ""
    option: Any = typer.Option(None, f"--{parameter.name}", help=escape(parameter.doc + unit), **bounds)
    kind = _KINDS[parameter.kind]
    return inspect.Parameter(parameter.name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=kind)


def _with_controls(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option for each parameter of the table; it receives those that were used as `**values`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_values(**arguments: Any) -> None:
            given = {name: value for name, value in arguments.items() if name in own}
            values = {name: value for name, value in arguments.items() if name not in own and value is not None}
            command(**given, **values)

        signature = inspect.signature(command, eval_str=True)
        own = {name: parameter for name, parameter in signature.parameters.items() if name != "values"}
        table = [_option(parameter) for parameter in PARAMETERS if parameter.name not in left_out]
        both = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own.values()] + table
        with_values.__signature__ = signature.replace(parameters=both)  # type: ignore[attr-defined]
        with_values.__annotations__ = {parameter.name: parameter.annotation for parameter in both}
        return with_values

    return decorate


@app.command()
@_with_controls()
def play(
    model: Model = "nano",
    backend: Backend = "auto",
    threads: Threads = None,
    anchor: Anchor = "card",
    seconds: Annotated[float | None, typer.Option(help="Stop after so many; without it Ctrl-C stops.")] = None,
    device: Annotated[str | None, typer.Option(help="Number or part of the name: see `streamer devices`.")] = None,
    wav_out: Annotated[Path | None, typer.Option(help="Write a WAV in place of playing on a device.")] = None,
    osc_host: Annotated[str, typer.Option(help="Listen for OSC here; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    osc_port: Annotated[int, typer.Option(help="UDP port for OSC.")] = 7770,
    osc_prefix: Annotated[str, typer.Option(help="What all OSC addresses begin with.")] = "/mg",
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
    from streamer.process.worker import music

    check_melody(str(values.get("melody", "")))
    if seconds is not None:
        check_seconds(seconds)
    excerpt, _ = _excerpt(continue_from, start, end)
    chosen, wav = _output(device, wav_out)
    rate, channels = (chosen.rate, min(chosen.channels, 2)) if chosen else (RATE_WITHOUT_DEVICE, 2)
    instrument = Instrument(
        music(model, rate, channels, backend, threads, excerpt, stems, anchor),
        {"prompt": PROMPT} | values,
        device=chosen,
        wav=wav,
        host=osc_host,
        port=osc_port,
        prefix=osc_prefix,
        report=lambda sentence: errors.print(escape(sentence)),
    )
    with _finally_closed(instrument):
        with console.status(f"Loading {escape(model)} ..."):
            instrument.start()
        _introduce(instrument, f"udp://{osc_host}:{instrument.server.port}", f"{osc_prefix}/prompt")
        _watch(instrument, seconds)


def _excerpt(path: Path | None, start: float, end: float | None) -> tuple[Excerpt | None, float]:
    """The part of a file to continue from, and its seconds."""
    from streamer.engine.beginning import Excerpt, check_excerpt

    if path is None:
        if start or end is not None:
            raise UserError("--from and --to are places in a file: name it with --continue-from")
        return None, 0.0
    excerpt = Excerpt(path, start, end)
    return excerpt, check_excerpt(excerpt)


def _output(device: str | None, wav: Path | None) -> tuple[Device | None, Path | None]:
    """The device to play on, or the file to write: a file, too, when there is no device and none was asked for."""
    from streamer.audio.player import choose
    from streamer.audio.player import devices as outputs

    if wav is not None:
        return None, wav
    try:
        return choose(outputs(), device), None
    except UserError as error:
        if device is not None:
            raise
        wav = Path(time.strftime("streamer-%Y%m%d-%H%M%S.wav"))
        errors.print(escape(f"{error} What would be heard goes into {wav} now."))
        return None, wav


@contextmanager
def _finally_closed(instrument: Instrument) -> Iterator[None]:
    """Ctrl-C and a polite kill end the music, not in an error; whatever ends it, everything started is ended."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        summary = instrument.status()
        instrument.close()
        signal.signal(signal.SIGTERM, before)
    _summarise(summary)


def _introduce(instrument: Instrument, server: str, address: str) -> None:
    """What plays where, and under which licence."""
    facts = instrument.worker.facts
    licence = str(facts["licence"])
    terms = ": not for commercial use" if "NC" in licence else ""
    console.print(escape(f"{facts['model']} (licence {licence}{terms}) on {instrument.player.name}"))
    console.print(escape(f"Computed by {_engine(facts['backend'], facts['threads'])}."))
    console.print(escape(f"OSC on {server}, for example {address}. Ctrl-C stops."))


def _engine(backend: str, threads: int) -> str:
    return f"{backend} with {threads} thread{'' if threads == 1 else 's'}"


def _watch(instrument: Instrument, seconds: float | None) -> None:
    """Show one live line until the time is up."""
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            now = instrument.status()
            live.update(_line(now), refresh=True)
            if instrument.player.error is not None:
                raise UserError(instrument.player.error)
            if instrument.worker.ended:
                raise UserError(instrument.worker.ended)
            left = REFRESH_SECONDS if seconds is None else seconds - now.seconds
            if left <= 0:
                return
            time.sleep(min(REFRESH_SECONDS, left))


def _line(now: Status) -> Text:
    numbers = f"{now.rtf:4.1f}x  buffer {now.buffer_ms:4.0f} ms  xruns {now.xruns}  {_meter(now.level)}"
    state = "" if now.playing else "[stopped] "
    line = Text(state + (now.prompt or "(no prompt)"), no_wrap=True)
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
        escape(f"Played {now.seconds:.1f} s on {now.output}: {now.xruns} xruns, {now.rtf:.1f}x real time{restarts}.")
    )


@app.command()
@_with_controls("lead")
def render(
    out: Annotated[Path, typer.Argument(help="File to write; .wav, .flac, .mp3, .ogg or .opus.")],
    seconds: Annotated[float, typer.Option(help="Length.")] = 20.0,
    model: Model = "nano",
    backend: Backend = "auto",
    threads: Threads = None,
    anchor: Anchor = "card",
    variations: Annotated[
        int, typer.Option(min=1, help="Pieces made in one batch, seeds counting up: out-1.wav, out-2.wav ...")
    ] = 1,
    normalise: Annotated[
        str | None,
        typer.Option(help="Level of the whole piece: loudness (-14 LUFS), peak, rms, clip or none; else as live."),
    ] = None,
    compressor: Annotated[bool, typer.Option(help="Bend peaks that --normalise loudness drives too high.")] = False,
    continue_from: ContinueFrom = None,
    start: From = 0.0,
    end: To = None,
    stems: Stems = False,
    decoder: Annotated[
        str, typer.Option(help="What turns frames into sound: codec, or diffusion: slow, for mono real checkpoints.")
    ] = "codec",
    diffusion_weights: Annotated[
        str | None, typer.Option(help="MultiBand Diffusion's file, its folder, or a hub id.")
    ] = None,
    **values: Value,
) -> None:
    """Write music to a file, as fast as the machine can; the same seed on the same backend gives the same file."""
    from streamer.engine.melodies import check_melody
    from streamer.offline.render import check_longer, check_normalise, check_path, check_seconds, targets

    check_melody(str(values.get("melody", "")))
    for target in targets(out, variations):
        check_path(target)
    check_seconds(seconds)
    check_normalise(normalise)
    _check_decoder(decoder, diffusion_weights)
    excerpt, given = _excerpt(continue_from, start, end)
    check_longer(seconds, given)

    from streamer.control.controls import Controls
    from streamer.engine.beginning import read_beginning
    from streamer.offline.render import render as render_file

    loaded = _load(model, backend, threads, anchor)
    beginning = read_beginning(excerpt, loaded) if excerpt else None
    diffusion = _diffusion(diffusion_weights, loaded) if decoder == "diffusion" else None
    if diffusion is not None:
        values = {"guard": False} | values  # it could not hear what is decoded afterwards
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.1f}/{task.total:.1f} {task.fields[unit]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(escape(out.name), total=seconds, unit="s")
        controls = Controls(**({"prompt": PROMPT} | values))
        written = render_file(
            loaded,
            controls,
            seconds,
            out,
            lambda done: progress.update(task, completed=done),
            variations=variations,
            normalise=normalise,
            compressor=compressor,
            beginning=beginning,
            stems=stems,
            report=lambda sentence: errors.print(escape(sentence)),
            decode=_with_progress(diffusion, progress) if diffusion else None,
        )
    engine = _engine(loaded.backend.name, loaded.backend.threads)
    for seed, path in enumerate(written, int(controls.get("seed"))):
        console.print(escape(f"Wrote {seconds:g} s to {path}: seed {seed}, computed by {engine}."))


def _check_decoder(decoder: str, weights: str | None) -> None:
    if decoder not in ("codec", "diffusion"):
        raise UserError(f"there is no decoder '{decoder}': choose codec or diffusion")
    if decoder == "codec" and weights is not None:
        raise UserError("--diffusion-weights are for another decoder than the codec: add --decoder diffusion")


def _diffusion(weights: str | None, model: MusicGen) -> MultiBandDiffusion:
    """Load the diffusion decoder, and say what its licence forbids."""
    from musicgen import ModelError
    from musicgen.diffusion import HUB_ID, LICENCE, MultiBandDiffusion

    try:
        with console.status("Loading the diffusion networks ..."):
            loaded = MultiBandDiffusion.load(weights or HUB_ID, model)
    except ModelError as error:
        raise UserError(str(error)) from None
    errors.print(f"The weights of MultiBand Diffusion are under {LICENCE}: not for commercial use.")
    return loaded


def _with_progress(diffusion: MultiBandDiffusion, progress: Progress) -> Decode:
    """Its decoding, with a bar for every piece, on all cores: the music is made by then, and nobody listens yet."""
    import torch

    from musicgen.backends.threads import cores

    def decode(frames: Frames, seed: int) -> Samples:
        task = progress.add_task("diffusion", total=1, unit="steps")
        threads = torch.get_num_threads()
        torch.set_num_threads(cores())
        try:
            return diffusion.decode(
                frames, seed, lambda done, total: progress.update(task, completed=done, total=total)
            )
        finally:
            torch.set_num_threads(threads)

    return decode


def _load(name: str, backend: str, threads: int | None, anchor: str) -> MusicGen:
    """Load a model, and say what its licence forbids."""
    from streamer.engine.loading import load

    with console.status(f"Loading {escape(name)} ...") as status:

        def preparing(done: int, total: int) -> None:
            status.update(f"Preparing {escape(name)}, once: {done / total:.0%}")

        loaded = load(name, backend, threads, preparing, anchor=anchor)
    if "NC" in loaded.licence:
        errors.print(escape(f"The weights of {loaded.name} are under {loaded.licence}: not for commercial use."))
    return loaded


@app.command()
def models() -> None:
    """List what can be loaded, and whether this machine can play it live."""
    from musicgen.backends import WEIGHT_BYTES, choose
    from musicgen.models.table import RELEASED, nano
    from streamer.engine.loading import reading_speed

    with console.status("Measuring how fast this machine reads weights ..."):
        speed = reading_speed()
    backend, reason = choose()
    table = Table(
        Column("Model", no_wrap=True), "Decoder", "Channels", "Led by", "Memory", "Licence", "Files", "Live", box=None
    )
    for card in (nano(), *RELEASED):
        table.add_row(
            card.name,
            _count(card.decoder),
            "stereo" if card.channels == 2 else "mono",
            ", ".join(card.abilities),
            f"{card.memory() / 1e9:.1f} GB",
            card.licence,
            "here" if card.name == "nano" or _downloaded(card.name) else "download",
            _live(speed / (WEIGHT_BYTES[backend] * card.decoder * FRAME_RATE)),
        )
    console.print(table)
    console.print(escape(f"Backend: {backend}. {reason}"))
    console.print("Live: an estimate, from how fast weights are read here; `streamer bench` measures a model.")
    console.print("CC-BY-NC-4.0: not for commercial use.")
    console.print("Also: any folder with a MusicGen in transformers' layout, or with AudioCraft's state_dict.bin.")


def _count(weights: int) -> str:
    return f"{weights / 1e9:.2f} B" if weights >= 1e9 / 10 else f"{weights / 1e6:.0f} M"


def _live(factor: float) -> str:
    """Real-time factor as a word: a step also attends, samples and decodes, so there must be time to spare."""
    return f"yes ({factor:.0f}x)" if factor >= 2 else f"barely ({factor:.1f}x)" if factor >= 1.3 else "no"


@app.command()
def convert(
    model: Annotated[str, typer.Argument(help="A folder, with AudioCraft's files for example, or a hub id.")],
    folder: Annotated[Path, typer.Argument(help="Where to save; must not exist.")],
) -> None:
    """Save a model in transformers' layout, as safetensors: AudioCraft's files load faster then, and anywhere."""
    from musicgen import ModelError
    from musicgen.load.with_transformers import convert as convert_files

    try:
        with console.status(f"Converting {escape(model)} ..."):
            convert_files(model, folder)
    except ModelError as error:
        raise UserError(str(error)) from None
    console.print(escape(f"Saved {model} as {folder}."))


def _downloaded(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json"), str)


@app.command()
def devices() -> None:
    """List the audio outputs, and the inputs that `--melody input:DEVICE` can follow."""
    from streamer.audio.player import choose
    from streamer.audio.player import devices as found

    outputs = found()
    choose(outputs)  # where there are none it says what to do
    console.print(_device_table("Output", outputs))
    if inputs := found("input"):
        console.print()
        console.print(_device_table("Input", inputs))


def _device_table(kind: str, devices: list[Device]) -> Table:
    table = Table("Number", kind, "Rate", "Channels", "", box=None)
    for device in devices:
        default = "default" if device.default else ""
        table.add_row(str(device.index), escape(device.name), f"{device.rate} Hz", str(device.channels), default)
    return table


@app.command()
def bench(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="nano, small, stereo-large, ... or a folder; repeatable."),
    ] = None,
    backend: Annotated[
        list[str] | None, typer.Option("--backend", help="Repeatable; all for the CPU if left out.")
    ] = None,
    threads: Threads = None,
    seconds: Annotated[
        float, typer.Option(min=0.0, help="For each measurement at the most; ten times that for each model.")
    ] = 3.0,
    against: Annotated[str | None, typer.Option(help="'transformers': its generate is measured in turns.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for machines.")] = False,
) -> None:
    """Measure what this machine can play live; nothing is downloaded, released models get random weights."""
    from streamer import bench as measuring

    if against not in (None, measuring.TRANSFORMERS):
        raise UserError(f"Nothing can be measured against '{against}': use --against {measuring.TRANSFORMERS}.")
    models, backends = model or ["nano", "small"], backend or measuring.BACKENDS
    results: list[object] = []
    with console.status("Measuring ...") as status:
        for name in models:
            status.update(f"Measuring {escape(name)} ...")
            results += measuring.measure(name, backends, threads, seconds)
            if against:
                status.update(f"Measuring {escape(name)} beside transformers ...")
                results += measuring.against(name, backends, threads, seconds)
    figures = [result for result in results if isinstance(result, measuring.Figures)]
    ratios = [result for result in results if isinstance(result, measuring.Ratio)]
    left_out = [result for result in results if isinstance(result, str)]
    if as_json:
        report = {
            "models": [asdict(row) | {"few": row.few} for row in figures],
            "against": [asdict(row) | {"few": row.few} for row in ratios],
        }
        typer.echo(json.dumps(report | {"left_out": left_out}))
        return
    console.print(_figures_table(figures))
    if ratios:
        console.print(_ratios_table(ratios))
    few = [row.frames for row in figures if row.few] + [row.steps for row in ratios if row.few]
    if few:
        steps = f"{min(few)} to {max(few)} steps" if min(few) < max(few) else f"{few[0]} steps"
        console.print(f"*: of only {steps}, since more would have taken too long. --seconds gives more time.")
    for sentence in left_out:
        console.print(escape(_capital(sentence)))


def _figures_table(figures: list[Figures]) -> Table:
    table = _bench_table("Model", "Backend", "Threads", "Step", "Slowest", "Decode", "Speed", "Safe lead")
    for row in figures:
        few = "*" if row.few else ""
        table.add_row(
            escape(row.model.removeprefix("facebook/")),
            row.backend,
            str(row.threads),
            f"{row.step_ms:.1f} ms",
            f"{row.step_worst_ms:.1f} ms{few}",
            f"{row.decode_ms:.0f} ms",
            f"{row.rtf:.2f}x",
            "too slow" if row.lead_ms is None else f"{row.lead_ms:.0f} ms{few}",
        )
    return table


def _bench_table(model: str, *names: str) -> Table:
    """In a narrow window the model's name is broken, never a number."""
    columns = (Column(name, no_wrap=True) for name in names)
    return Table(Column(model, overflow="fold"), *columns, box=None, padding=(0, 1, 0, 0))


def _ratios_table(ratios: list[Ratio]) -> Table:
    table = _bench_table("Model", "Backend", "Threads", "Step", "transformers", "", "Faster")
    for row in ratios:
        steps = (f"{row.step_ms:.1f} ms", f"{row.transformers_ms:.1f} ms", row.dtype)
        faster = f"{row.ratio:.1f}x{'*' if row.few else ''}"
        table.add_row(escape(row.model.removeprefix("facebook/")), row.backend, str(row.threads), *steps, faster)
    return table


@app.command()
def evaluate(
    generated: Annotated[list[Path], typer.Argument(help="Sound files, and folders of them.")],
    melody: Annotated[Path | None, typer.Option(help="What they were to follow: for the chroma cosine.")] = None,
    prompt: Annotated[str | None, typer.Option(help="What they were made from: for the CLAP score.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Music such as they should be, a folder: for the Fréchet audio distance.")
    ] = None,
    clap: Annotated[
        str | None,
        typer.Option(help="A folder with CLAP's weights, or a hub id; laion/larger_clap_music if not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for machines.")] = False,
) -> None:
    """Measure how well music follows its melody and its prompt, and how far it is from music that it should be like."""
    from streamer.offline.evaluate import CLAP
    from streamer.offline.evaluate import evaluate as measure

    with console.status("Listening ...") as status:
        report = measure(
            generated,
            melody=melody,
            prompt=prompt,
            reference=reference,
            clap=clap or CLAP,
            progress=lambda sentence: status.update(escape(f"{sentence} ...")),
        )
    if as_json:
        typer.echo(json.dumps(asdict(report)))
        return
    console.print(_evaluation_table(report))
    if report.fad_clap is not None and report.parts is not None:
        console.print(
            f"Fréchet audio distance (CLAP): {report.fad_clap:.3f}, of {report.parts[0]} parts from {report.parts[1]}."
        )
    for sentence in report.left_out:
        console.print(escape(sentence))


def _evaluation_table(report: Report) -> Table:
    table = Table(Column("File"), *(Column(name, no_wrap=True) for name in ("Length", "Chroma", "CLAP")), box=None)
    rows: list[tuple[str, float | None, float | None, float | None]]
    rows = [(figures.file, figures.seconds, figures.chroma_cosine, figures.clap_score) for figures in report.files]
    if len(rows) > 1:
        rows.append(("mean", None, report.chroma_cosine, report.clap_score))
    for name, seconds, chroma, score in rows:
        table.add_row(
            escape(name),
            "" if seconds is None else f"{seconds:.1f} s",
            "" if chroma is None else f"{chroma:.3f}",
            "" if score is None else f"{score:.3f}",
        )
    return table


if __name__ == "__main__":
    main()
