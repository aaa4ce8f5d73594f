"""Options that commands share, and those that come from the table of parameters."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osc.packet import TEXT_BYTES
from osc.parameter import TEXTS, Parameter
from osc.values import BadValue, Value
from streamer.cli.console import plain
from streamer.control.media import file_in
from streamer.control.table import EFFECTS, FX, PARAMETERS, SLOTS, clamp
from streamer.errors import UserError
from streamer.reporting import complain

if TYPE_CHECKING:
    from streamer.engine.beginning import Excerpt

PROMPT = "lo-fi hip hop, mellow electric piano, soft drums, warm bass"
MUSIC, SLOT, SOUND, OSC, PAGE, MODEL = "Music", "Prompt slots", "Sound", "OSC", "Page", "Model"
"""The groups of options in a command's help."""

LOWEST_RATE, HIGHEST_RATE = 8_000, 192_000
MODELS_RATE = 32_000
"""Samples a second of nano and of every released model."""

_NAMED = {"tempo": ("--tempo", "--bpm"), "progression": ("--chords",)}
"""Options that are not named as their parameters are."""
_OF_SOUND = {"volume", "mute", "lead", "loudness", *EFFECTS}
"""The parameters that change no token: the others are about the music."""
# None: not asked for, so that the model's own default stands.
_KINDS: dict[str, Any] = {"float": float | None, "int": int | None, "bool": bool | None}
_KINDS |= dict.fromkeys(TEXTS, str | None)

Backend = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="NAME",
        help="What computes: auto, native, native-int6, native-int4, onnx, torch or cuda.",
        rich_help_panel=MODEL,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, metavar="N", help="Of a step; measured unless given.", rich_help_panel=MODEL),
]
Anchor = Annotated[
    str,
    typer.Option(
        "--anchor",
        metavar="NAME",
        help="How it goes on for ever: card, shadow, brief or burst, see docs/streaming.md.",
        rich_help_panel=MODEL,
    ),
]
ContinueFrom = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A sound file to begin with and go on from.", rich_help_panel=MUSIC),
]
From = Annotated[
    float,
    typer.Option(
        "--from", min=0, metavar="SECONDS", help="Where in that file to begin, seconds.", rich_help_panel=MUSIC
    ),
]
To = Annotated[
    float | None,
    typer.Option(
        "--to", min=0, metavar="SECONDS", help="Where to leave it; its end unless given.", rich_help_panel=MUSIC
    ),
]
Stems = Annotated[
    bool,
    typer.Option(
        "--melody-stems",
        help="Follow melodies without their drums and bass; needs Demucs.",
        rich_help_panel=MUSIC,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model", metavar="NAME", help='"nano", a folder, or a hub id: see `streamer models`.', rich_help_panel=MODEL
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that exists already.", rich_help_panel=SOUND)]
Rate = Annotated[
    int | None,
    typer.Option(
        "--rate",
        min=LOWEST_RATE,
        max=HIGHEST_RATE,
        metavar="HZ",
        help="Samples a second of the file; the model's own unless given.",
        rich_help_panel=SOUND,
    ),
]
Fx = Annotated[
    list[str] | None,
    typer.Option(
        "--fx",
        metavar="PLUGIN",
        help='A plug-in on the sound, like "lv2:URI; wet=30%": see `streamer fx`. Repeatable, in their order.',
        rich_help_panel=SOUND,
    ),
]
Ice = Annotated[
    list[str] | None,
    typer.Option(metavar="URL", help="A STUN or TURN server for WebRTC, such as stun:HOST; repeatable."),
]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")]


def _option(parameter: Parameter) -> inspect.Parameter:
    """The command line's option for a parameter of the table; one that is on or off has a form for each."""
    bounds: dict[str, Any] = {}
    if parameter.words:
        words = [word for word, _ in parameter.words] + ["N"] * (parameter.kind == "float")
        bounds = {"metavar": "|".join(words)}
    elif parameter.kind in ("float", "int"):
        number = float if parameter.kind == "float" else int
        bounds = {"min": number(parameter.low), "max": number(parameter.high), "metavar": "N"}
    elif parameter.kind in TEXTS:
        bounds = {"metavar": "TEXT"}
    usual = f"--{parameter.name.replace('_', '-')}"
    names = _NAMED.get(parameter.name, (f"{usual}/--no-{parameter.name}" if parameter.kind == "bool" else usual,))
    unit = f" [{parameter.unit}]" if parameter.unit else ""
    slot = parameter.name in (*SLOTS, *SLOTS.values()) and parameter.name != "prompt"
    panel = SLOT if slot else SOUND if parameter.name in _OF_SOUND else MUSIC
    option: Any = typer.Option(None, *names, help=plain(parameter.doc + unit), rich_help_panel=panel, **bounds)
    kind = str | None if parameter.words else _KINDS[parameter.kind]
    return inspect.Parameter(parameter.name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=kind)


def with_controls(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option for each parameter of the table; it receives those that were used as `**values`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_values(**arguments: Any) -> None:
            given = {name: value for name, value in arguments.items() if name in own}
            values = {name: value for name, value in arguments.items() if name not in own and value is not None}
            for name, value in values.items():
                if isinstance(value, str) and len(value.encode(errors="surrogateescape")) > TEXT_BYTES:
                    complain(f"--{name} is longer than {TEXT_BYTES} bytes: what is beyond them is left out.")
                try:
                    clamp(name, value)
                except BadValue as error:
                    raise UserError(f"--{error}") from None
            command(**given, **values)

        signature = inspect.signature(command, eval_str=True)
        own = {name: parameter for name, parameter in signature.parameters.items() if name != "values"}
        table = [_option(parameter) for parameter in PARAMETERS if parameter.name not in left_out]
        both = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own.values()] + table
        with_values.__signature__ = signature.replace(parameters=both)  # type: ignore[attr-defined]
        with_values.__annotations__ = {parameter.name: parameter.annotation for parameter in both}
        return with_values

    return decorate


def chain(plugs: list[str] | None) -> dict[str, Value]:
    """The values that put plug-ins into the slots of the chain."""
    given = plugs or []
    if len(given) > len(FX):
        raise UserError(f"--fx takes {len(FX)} plug-ins at most, not {len(given)}: leave some out")
    try:
        return {name: clamp(name, text) for name, text in zip(FX, given, strict=False)}
    except BadValue as error:
        raise UserError(f"--{error}") from None


def excerpt(path: Path | None, start: float, end: float | None) -> tuple[Excerpt | None, float]:
    """The part of a file to continue from, and its seconds."""
    from streamer.engine.beginning import Excerpt, check_excerpt

    if path is None:
        if start or end is not None:
            raise UserError("--from and --to are places in a file: name it with --continue-from")
        return None, 0.0
    part = Excerpt(path, start, end)
    return part, check_excerpt(part)


def engine_name(backend: str, threads: int) -> str:
    """What computes, in words: "native with 2 threads"."""
    return f"{backend} with {threads} thread{'' if threads == 1 else 's'}"


def own_rate(model: str) -> int:
    """Samples a second of a model's own sound, found without loading it: a folder's configuration may name another."""
    with suppress(OSError, RuntimeError, ValueError, KeyError, TypeError):
        config = json.loads((Path(model).expanduser() / "config.json").read_text(encoding="utf-8"))
        rate = int(config["audio_encoder"]["sampling_rate"])
        return rate if LOWEST_RATE <= rate <= HIGHEST_RATE else MODELS_RATE
    return MODELS_RATE


def followed_file(melody: Value) -> Path | None:
    """The sound file that a melody names, if it is one."""
    file = file_in(str(melody))
    return Path(file) if file else None
