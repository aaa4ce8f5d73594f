"""The one table of live parameters, actions and status values.

Whatever steers the instrument (options of the command line, OSC, a script, a replay) is made from it and clamped by it.
"""

from __future__ import annotations

from collections.abc import Iterable

from osc.command import Action
from osc.parameter import Parameter
from osc.values import BadValue, Value
from streamer.chain import LENGTH, chain_text
from streamer.control.knobs import map_text
from streamer.control.moves import CAPTURE, CONTINUE, OVERDUB, RELEASE, REWIND, move, round_trip
from streamer.control.pulse import PULSE, Pulse
from streamer.control.score import NAMES, SCORE
from streamer.control.tempo import FASTEST, QUANTA
from streamer.control.wording import key_name


def _quantum(name: str) -> str:
    """One of the names of `QUANTA`, however it is written."""
    known = {choice.replace(" ", "").rstrip("s"): choice for choice in QUANTA} | {"0": "off", "": "off"}
    found = known.get(name.lower().replace(" ", "").rstrip("s"))
    if found is None:
        raise BadValue(f"quantise takes one of {', '.join(QUANTA)}, not {name[:40]!r}")
    return found


SYNCS = ("internal", "link", "midi", "host")
"""Where the beat may come from."""


def _sync(name: str) -> str:
    """One of `SYNCS`, however it is written."""
    found = name.strip().lower() or SYNCS[0]
    if found not in SYNCS:
        raise BadValue(f"sync takes one of {', '.join(SYNCS)}, not {name[:40]!r}")
    return found


def _slot(number: int) -> tuple[Parameter, Parameter]:
    """A further prompt and its weight."""
    return (
        Parameter(
            f"prompt{number}",
            "text",
            default="",
            path=f"prompt/{number}/text",
            doc=f"A prompt to blend with the others, in slot {number}; empty: none.",
        ),
        Parameter(
            f"weight{number}",
            "float",
            0.0,
            1.0,
            default=0.0,
            path=f"prompt/{number}/weight",
            doc=f"The share of the prompt in slot {number}, beside the other weights.",
        ),
    )


def _hosted(number: int) -> tuple[Parameter, Parameter, Parameter]:
    """A slot of the chain of hosted effects."""
    path = f"fx/{number}"
    return (
        Parameter(
            f"fx{number}",
            "text",
            default="",
            path=f"{path}/load",
            read=chain_text,
            doc=f"The plug-in in slot {number} of the chain, lv2:URI or vst3:NAME, and its settings; empty: none.",
        ),
        Parameter(f"bypass{number}", "bool", default=False, path=f"{path}/bypass", doc="Leaves that plug-in out."),
        Parameter(
            f"mix{number}", "float", 0.0, 1.0, default=1.0, path=f"{path}/mix", doc="The share of that plug-in's sound."
        ),
    )


PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "prompt",
        "text",
        default="",
        also="prompt/1/text",
        doc="What to play, in words. Empty: the model plays what it likes.",
    ),
    Parameter(
        "weight1",
        "float",
        0.0,
        1.0,
        default=1.0,
        path="prompt/1/weight",
        doc="The share of the prompt, beside the weights of the other slots.",
    ),
    *(parameter for number in range(2, 9) for parameter in _slot(number)),
    Parameter(
        "negative", "text", default="", path="prompt/negative", doc="What to steer away from, in words. Empty: nothing."
    ),
    Parameter(
        "melody",
        "path",
        default="",
        doc="A sound file whose tune is followed, `input` (`input:DEVICE`) for what is played live, or `midi` for "
        "`notes` and MIDI keys; empty: none. Melody models only.",
    ),
    Parameter(
        "temperature",
        "float",
        0.05,
        2.0,
        default=1.0,
        curve="log",
        doc="How adventurous the choice of each token is: low repeats itself, high falls apart.",
    ),
    Parameter(
        "topk", "int", 0, 2048, default=250, doc="Choose among the K likeliest tokens of each codebook; 0 is no limit."
    ),
    Parameter(
        "topp",
        "float",
        0.0,
        1.0,
        default=1.0,
        doc="Choose among the likeliest tokens that together have this probability; 1 is no limit.",
    ),
    Parameter(
        "cfg",
        "float",
        1.0,
        10.0,
        default=3.0,
        doc="Guidance: how closely the music follows the prompt; 1 is none.",
    ),
    Parameter(
        "seed",
        "int",
        0,
        2**31 - 1,
        default=0,
        doc="Seeds the random choice anew from the next frame on; with reset the same seed plays the same music.",
    ),
    Parameter(
        "lora",
        "float",
        0.0,
        1.5,
        default=1.0,
        path="lora/strength",
        doc="How strongly a LoRA adapter acts: 0 is its base model, 1 as it was trained. Models with an adapter only.",
    ),
    Parameter(
        "tempo",
        "float",
        0.0,
        FASTEST,
        default=0.0,
        unit="bpm",
        doc="The tempo to play in, worded into every prompt; 0: what the prompts say.",
    ),
    Parameter(
        "key",
        "text",
        default="",
        read=key_name,
        doc="The key to play in, such as D minor, worded into every prompt; empty: what the prompts say.",
    ),
    *SCORE,
    Parameter(
        "quantise",
        "text",
        default="off",
        choices=tuple(QUANTA),
        read=_quantum,
        doc="What changes of prompts, snapshots and resets wait for: off, beat, bar, 2 bars or 4 bars.",
    ),
    Parameter(
        "sync",
        "text",
        default=SYNCS[0],
        choices=SYNCS,
        read=_sync,
        doc="Where the beat comes from: internal, link (Ableton Link), midi (MIDI clock) or host (a DAW).",
    ),
    Parameter(
        "clock",
        "bool",
        default=False,
        path="midi/clock",
        doc="Sends MIDI clock, start, stop and song position to the MIDI outputs.",
    ),
    Parameter(
        "keyboard",
        "int",
        0,
        16,
        default=0,
        path="midi/chords",
        doc="The MIDI channel whose held notes are the chord, see `notes`; 0: none.",
    ),
    Parameter(
        "knobs",
        "text",
        default="",
        path="midi/map",
        read=map_text,
        doc="Which MIDI knobs and notes do what, as `midi/learn` writes it: volume=cc 1 7; prompt/2=note 10 36.",
    ),
    Parameter(
        "lock",
        "bool",
        default=False,
        doc="Hears the music's own beat and brings it onto the one that is counted, a little faster or slower.",
    ),
    Parameter(
        "lockshift",
        "float",
        -2.0,
        2.0,
        default=0.0,
        unit="beats",
        path="lock/shift",
        doc="How much later than the counted beat the music's is kept; 0.5 where it has settled on the offbeat.",
    ),
    Parameter("volume", "float", -60.0, 12.0, default=0.0, unit="dB", doc="Output gain."),
    Parameter("mute", "bool", default=False, doc="Silence, while the music goes on unheard."),
    Parameter(
        "lead",
        "float",
        20.0,
        2000.0,
        default=80.0,
        unit="ms",
        curve="log",
        doc="Sound queued ahead: small answers fast, large survives a busy machine.",
    ),
    Parameter(
        "loudness",
        "float",
        -30.0,
        -8.0,
        default=-16.0,
        unit="LUFS",
        doc="The loudness the music is slowly brought to, before the volume.",
    ),
    Parameter(
        "lowcut",
        "float",
        20.0,
        1000.0,
        default=20.0,
        unit="Hz",
        curve="log",
        doc="Thins the sound below this frequency, to leave room for a bass; 20 is off.",
    ),
    Parameter("tilt", "float", -12.0, 12.0, default=0.0, unit="dB", doc="Brightness: positive is brighter."),
    Parameter("echo", "float", 0.0, 1.0, default=0.0, doc="How loud the echoes are, on dotted eighths of the tempo."),
    Parameter("space", "float", 0.0, 1.0, default=0.0, doc="How loud the room is: reverb."),
    Parameter(
        "width",
        "float",
        0.0,
        1.0,
        default=0.0,
        doc="How far mono music is opened to both sides; on one loudspeaker nothing changes.",
    ),
    *(parameter for number in range(1, LENGTH + 1) for parameter in _hosted(number)),
    Parameter(
        "guard",
        "bool",
        default=True,
        doc="Brings the music back by itself where the model falls silent, freezes in a loop or loses its variety.",
    ),
)

ACTIONS: tuple[Action, ...] = (
    Action("play", "Let the sound through."),
    Action("stop", "Fade out and hold."),
    Action("reset", "Begin the music anew from the seed."),
    Action("panic", "Silence at once."),
)

STATUS: dict[str, str] = {
    "level": "Peak of what went to the loudspeakers, dB below full scale.",
    "rtf": "Real-time factor: seconds of music made in a second of work. Below 1 the machine is too slow.",
    "buffer_ms": "Sound queued ahead, ms.",
    "playing": "Whether the sound is let through: 1 after play, 0 after stop and panic.",
    "xruns": "How often the sound ran out, since the start.",
    "collapses": "How often the guard brought the music back, since the start.",
    "collapse": "The last time that it did: when, what had happened, and what it did.",
    "latency_ms": "From a change to its sound, all of it: the frame being made, what is queued, the device, ms.",
    "recording": "The folder that is recorded into; empty while none is.",
    "loop": "Bars that go round, or will from the next bar on; 0: none.",
    "tempo": "Beats a minute that are counted: the tempo asked for, else the prompt's, else 120; or those of `sync`.",
    "beat": "Beats heard since the music began, 0 on the first; or those that `sync` counts.",
    "bar": "Bars of four beats heard, 0 in the first.",
    "lock": "What has become of the music's own beat: off, listening, locked, or lost while it cannot be heard.",
    "channels": "The output device's channels that the music is on, counted from 1: 1,2 or what --channels names.",
    "click": "Those that the metronome is on, see --click-channels; empty: none.",
    "sync": "Where the beat comes from now: internal where nothing is heard of what `sync` asks for.",
}
"""What the instrument tells about itself, by name; published, never set."""

SAMPLING: dict[str, str] = {"temperature": "temperature", "topk": "top_k", "topp": "top_p", "cfg": "guidance"}
"""The parameters that are fields of `musicgen.Sampling`, and whose defaults are the model's."""

SLOTS: dict[str, str] = {
    "prompt": "weight1",
    **{f"prompt{number}": f"weight{number}" for number in range(2, 9)},
}
"""The prompt slots: the name of each text, and of its weight."""

WORDED: frozenset[str] = frozenset({*SLOTS, *SLOTS.values(), "tempo", "key"})
"""What decides together which words the model is asked to play."""

TURNS: frozenset[str] = frozenset({"reset", CONTINUE, REWIND})
"""What has the music go on elsewhere. Each takes the place of all music before it, so the last one counts."""

QUANTISED: frozenset[str] = frozenset({*SLOTS, "key", *TURNS, *NAMES} - {"notes", "energy"})
"""What waits for the beat that `quantise` names; keys that are held and faders do not."""

GAINS: frozenset[str] = frozenset({"volume", "mute", "loudness"})
"""What acts by the sample: everything else that the engine plays acts by the frame."""

EFFECTS: tuple[str, ...] = ("lowcut", "tilt", "echo", "space", "width")
"""The built-in effects: they act by the frame, on what leaves the stream then."""

FX: tuple[str, ...] = tuple(f"fx{number}" for number in range(1, LENGTH + 1))
"""The texts of the chain of hosted effects, slot by slot."""

HOSTED: frozenset[str] = frozenset(
    {*FX, *(f"{name}{number}" for name in ("bypass", "mix") for number in range(1, LENGTH + 1))}
)
"""All of that chain: what plays in a DAW leaves hosting to it."""

JUMPS: dict[str, str] = {
    "seed": "has nothing between two of its numbers",
    "lora": "takes new weights for each value, which take too long to make for a glide",
    "lead": "is how far ahead sound is queued, and not heard",
    **{own.name: "is auto, off or on" for own in SCORE if own.kind == "int"},
}
"""The numbers that do not glide, and why."""

DESK: frozenset[str] = frozenset({"sync", "clock", "keyboard", "knobs", "lock", "lockshift"})
"""What belongs to the instrument's own desk, its clocks, beat and MIDI: files and plug-in hosts have no use for it."""

GATE: frozenset[str] = frozenset({"play", "stop", "panic", "lead"})
"""What the audio callback and the ring obey; the engine has no use for it."""

TABLE: dict[str, Parameter] = {parameter.name: parameter for parameter in PARAMETERS}
ACTION_NAMES: frozenset[str] = frozenset(action.name for action in ACTIONS)
MOVES: frozenset[str] = frozenset({CONTINUE, REWIND})
"""What takes the music elsewhere, with an argument: see `streamer.control.moves`."""

LOOPING: frozenset[str] = frozenset({CAPTURE, RELEASE, OVERDUB})
"""What has bars go round, or no longer: see `streamer.engine.looper`."""


def clamp(name: str, value: Value | None) -> Value:
    """The nearest value the parameter can have; True for an action, for a move, a loop or a pulse its argument.

    Raises
    ------
    BadValue
        For a name that is not in the table or a value it cannot take.
    """
    if name in ACTION_NAMES:
        return True
    if name in MOVES:
        return move(name, value)
    if name in LOOPING:
        return round_trip(name, value)
    if name == PULSE:
        return Pulse.of(value).text
    parameter = known(name)
    if value is None:
        raise BadValue(f"{name} needs a value")
    try:
        return parameter.clamp(value)
    except BadValue as error:
        raise BadValue(f"{name} {str(error).removeprefix(name + ' ')}") from None


def accept(batch: Iterable[tuple[str, Value | None]]) -> dict[str, Value]:
    """A batch as values by name, clamped, in its order. Of several for one name the last one counts, in its place.

    Raises
    ------
    BadValue
        For a name that is not in the table or a value it cannot take.
    """
    changed: dict[str, Value] = {}
    for name, value in batch:
        # Taken out first so that a later value also takes the later place.
        changed.pop(name, None)
        changed[name] = clamp(name, value)
    return changed


def known(name: str) -> Parameter:
    """The parameter of that name.

    Raises
    ------
    BadValue
        There is none.
    """
    if name not in TABLE:
        raise BadValue(f"there is no control named {name!r}: choose one of {', '.join(TABLE)}")
    return TABLE[name]
