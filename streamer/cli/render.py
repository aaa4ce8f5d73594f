"""`streamer render`: music to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from osc.values import Value
from streamer.cli.console import console, plain
from streamer.cli.options import (
    MODEL,
    MUSIC,
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
    with_controls,
)
from streamer.control.table import DESK, HOSTED
from streamer.errors import UserError
from streamer.reporting import complain

if TYPE_CHECKING:
    from musicgen import MusicGen
    from musicgen.diffusion import MultiBandDiffusion
    from streamer.offline.drafts import Decode, Frames
    from streamer.sound.dynamics import Samples


@with_controls("lead", *DESK, *HOSTED)
def render(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="File to write; .wav, .flac, .mp3, .ogg or .opus.")],
    seconds: Annotated[float, typer.Option(metavar="SECONDS", help="Length.", rich_help_panel=MUSIC)] = 20.0,
    model: Model = "nano",
    backend: Backend = "auto",
    threads: Threads = None,
    anchor: Anchor = "card",
    variations: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Pieces made in one batch, seeds counting up: out-1.wav, out-2.wav ...",
            rich_help_panel=MUSIC,
        ),
    ] = 1,
    normalise: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Level of the whole piece: loudness (-14 LUFS), peak, rms, clip or none; else as live.",
            rich_help_panel=SOUND,
        ),
    ] = None,
    compressor: Annotated[
        bool,
        typer.Option(help="Bend peaks that --normalise loudness drives too high.", rich_help_panel=SOUND),
    ] = False,
    rate: Rate = None,
    fx: Fx = None,
    force: Force = False,
    continue_from: ContinueFrom = None,
    start: From = 0.0,
    end: To = None,
    stems: Stems = False,
    decoder: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What turns frames into sound: codec, or diffusion: slow, for mono real checkpoints.",
            rich_help_panel=MODEL,
        ),
    ] = "codec",
    diffusion_weights: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="MultiBand Diffusion's file, its folder, or a hub id.", rich_help_panel=MODEL
        ),
    ] = None,
    **values: Value,
) -> None:
    """Write music to a file, as fast as the machine can.

    The same seed gives the same file on the same backend with the same kernels and the same --threads (native: any).
    """
    from streamer.engine.melodies import check_melody
    from streamer.offline.render import check_longer, check_normalise, check_path, check_rate, check_seconds, targets
    from streamer.sound.files import check_new

    check_melody(str(values.get("melody", "")))
    for target in targets(out, variations):
        check_path(target)
        check_new(target, force=force, sources=(continue_from, followed_file(values.get("melody", ""))))
    if rate is not None:
        check_rate(out, rate)
    check_seconds(seconds)
    check_normalise(normalise)
    check_decoder(decoder, diffusion_weights)
    part, given = excerpt(continue_from, start, end)
    check_longer(seconds, given)

    from streamer.control.controls import Controls
    from streamer.engine.beginning import read_beginning
    from streamer.offline.render import render as render_file
    from streamer.offline.render import seeds

    loaded = load_model(model, backend, threads, anchor)
    beginning = read_beginning(part, loaded) if part else None
    diffusion = load_diffusion(diffusion_weights, loaded) if decoder == "diffusion" else None
    if diffusion is not None:
        values = {"guard": False} | values  # it could not hear what is decoded afterwards
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.1f}/{task.total:.1f} {task.fields[unit]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(plain(out.name), total=seconds, unit="s")
        controls = Controls(**({"prompt": PROMPT} | chain(fx) | values))
        first = int(controls.get("seed"))
        written = render_file(
            loaded,
            controls,
            seconds,
            out,
            lambda done: progress.update(task, completed=done),
            sample_rate=rate,
            variations=variations,
            normalise=normalise,
            compressor=compressor,
            beginning=beginning,
            stems=stems,
            report=complain,
            decode=with_progress(diffusion, progress) if diffusion else None,
            overwrite=force,
        )
    engine = engine_name(loaded.backend.name, loaded.backend.threads)
    for seed, path in zip(seeds(first, variations), written, strict=True):
        console.print(plain(f"Wrote {seconds:g} s to {path}: seed {seed}, computed by {engine}."))


def check_decoder(decoder: str, weights: str | None) -> None:
    if decoder not in ("codec", "diffusion"):
        raise UserError(f"there is no decoder '{decoder}': choose codec or diffusion")
    if decoder == "codec" and weights is not None:
        raise UserError("--diffusion-weights are for another decoder than the codec: add --decoder diffusion")


def load_diffusion(weights: str | None, model: MusicGen) -> MultiBandDiffusion:
    """Load the diffusion decoder, and say what its licence forbids."""
    from musicgen import ModelError
    from musicgen.diffusion import HUB_ID, LICENCE, MultiBandDiffusion

    try:
        with console.status("Loading the diffusion networks ..."):
            loaded = MultiBandDiffusion.load(weights or HUB_ID, model)
    except ModelError as error:
        raise UserError(str(error)) from None
    complain(f"The weights of MultiBand Diffusion are under {LICENCE}: not for commercial use.")
    return loaded


def with_progress(diffusion: MultiBandDiffusion, progress: Progress) -> Decode:
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


def load_model(name: str, backend: str, threads: int | None, anchor: str) -> MusicGen:
    """Load a model, and say what its licence forbids."""
    from streamer.engine.loading import load

    with console.status(f"Loading {plain(name)} ...") as status:

        def preparing(done: int, total: int) -> None:
            status.update(f"Preparing {plain(name)}, once: {done / total:.0%}")

        loaded = load(name, backend, threads, preparing, anchor=anchor)
    if "NC" in loaded.licence:
        complain(f"The weights of {loaded.name} are under {loaded.licence}: not for commercial use.")
    return loaded
